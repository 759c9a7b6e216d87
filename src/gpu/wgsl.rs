//! The constants that Rust and the shaders share, and the parameters of a dispatch, written once.

use crate::tokens::Precision;

/// The WGSL name and alignment of a type of parameters.
pub(crate) trait Field {
    const NAME: &'static str;
    const ALIGN: usize;
}

macro_rules! fields {
    ($($type:ty, $name:literal, $align:literal;)+) => {
        $(impl Field for $type {
            const NAME: &'static str = $name;
            const ALIGN: usize = $align;
        })+
    };
}

fields! {
    u32, "u32", 4;
    i32, "i32", 4;
    f32, "f32", 4;
    [u32; 2], "vec2u", 8;
    [u32; 4], "vec4u", 16;
}

/// The parameters of a kernel's dispatch.
pub(crate) trait Parameters: bytemuck::Pod {
    /// WGSL of these parameters as `job` in group 0, and of the constants that go with them, for
    /// tokens in R^d at a precision.
    fn prelude(precision: Precision, d: usize) -> String;
}

/// Makes constants for Rust, and `constants()`, which writes them in WGSL.
macro_rules! constants {
    ($($(#[$doc:meta])* $name:ident: $type:ident = $value:expr;)+) => {
        $($(#[$doc])* pub(crate) const $name: $type = $value;)+

        /// These constants in WGSL.
        pub(crate) fn constants() -> String {
            [$(format!("const {}: {} = {:?};\n", stringify!($name), stringify!($type), $name)),+].concat()
        }
    };
}
pub(crate) use constants;

/// Makes the struct `Job`, and `Job::wgsl()`, which declares it in WGSL.
macro_rules! job {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)+) => {
        /// The parameters of one dispatch.
        #[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        pub(crate) struct Job {
            $($(#[$doc])* pub(crate) $field: $type,)+
        }

        impl Job {
            /// The declaration of `job` in WGSL.
            pub(crate) fn wgsl() -> String {
                use $crate::gpu::wgsl::Field;
                let fields = [$(format!("    {}: {},\n", stringify!($field), <$type as Field>::NAME)),+].concat();
                format!("struct Job {{\n{fields}}}\n@group(0) @binding(0) var<uniform> job: Job;\n")
            }
        }

        // WGSL pads a field to its alignment, `repr(C)` does not: the two layouts are one where
        // nothing needs padding.
        const _: () = {
            use $crate::gpu::wgsl::Field;
            $(assert!(std::mem::offset_of!(Job, $field).is_multiple_of(<$type as Field>::ALIGN));)+
            $(assert!(size_of::<Job>().is_multiple_of(<$type as Field>::ALIGN));)+
        };
    };
}
pub(crate) use job;
