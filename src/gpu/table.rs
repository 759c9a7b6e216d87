//! The table of kernels: a line of it becomes a module's text and the buffers that the module
//! binds.
//!
//! A kernel is a part of the shaders' text with an entry point; a module is the constants and parameters from Rust, what
//! the kernel's part needs, and the part itself: see [`crate::gpu::parts`]. `// EACH` and `// END` stand around lines that
//! are written out many times: see [`crate::gpu::template`].

#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;

use crate::error::Result;
use crate::gpu::device::Device;
use crate::gpu::pairs::Pairs;
use crate::gpu::parts::{HOSTILE, Part, UNITS, Variant, part, slots, with_needs};
use crate::gpu::pipeline::{Checks, Module, Pipeline};
use crate::gpu::report;
use crate::gpu::template::unrolled;
use crate::gpu::wgsl::{Parameters, constants};
use crate::model::Scoring;
#[cfg(not(target_family = "wasm"))]
use crate::threads;
use crate::tokens::Precision;

constants! {
    /// Threads in a workgroup.
    LANES: u32 = 64;
    /// No row, key or token.
    NOBODY: u32 = u32::MAX;
    /// Below every score that f32 holds (|score| < 2^127).
    LOWEST: f32 = -3.0e38;
}

/// The extent of a dispatch: rows (tokens, keys or counts), keys or blocks of keys for each of them,
/// and d coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) rows: u64,
    pub(crate) keys: u64,
    pub(crate) d: u64,
}

impl Span {
    pub(crate) fn of(rows: u32, keys: u32, d: u32) -> Self {
        Self { rows: rows.into(), keys: keys.into(), d: d.into() }
    }

    /// Workgroups with a thread for each row.
    pub(crate) fn threads_of_rows(self) -> u64 {
        self.rows.div_ceil(LANES.into())
    }

    /// Workgroups with a thread for each coordinate of each row.
    pub(crate) fn threads_of_coordinates(self) -> u64 {
        (self.rows * self.d).div_ceil(LANES.into())
    }
}

/// The largest d at a precision.
type Limit = fn(Precision) -> usize;

/// A kernel.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    /// The entry point.
    pub(crate) entry: &'static str,
    /// The entry point, unless several kernels have it.
    pub(crate) name: &'static str,
    part: Part,
    /// The part for every d above a limit.
    wide: Option<(Limit, Part)>,
    /// Workgroups for a span.
    pub(crate) groups: fn(Span) -> u64,
    pub(crate) of_every_d: bool,
    pairs: Pairs,
    checks: Checks,
    /// The limit of d above which there is no such kernel.
    most: Option<Limit>,
    /// Whether it multiplies matrices by a unit, which few devices have.
    pub(crate) has_units: bool,
}

impl Kernel {
    /// A kernel whose module is made for one d.
    pub(crate) const fn new(entry: &'static str, part: Part, groups: fn(Span) -> u64) -> Self {
        let (wide, most) = (None, None);
        Self {
            entry,
            name: entry,
            part,
            wide,
            groups,
            of_every_d: false,
            pairs: Pairs { scoring: Scoring::Inner, ranged: false, biased: false },
            checks: Checks::All,
            most,
            has_units: false,
        }
    }

    /// Has a name of its own.
    pub(crate) const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Takes another part where d is above a limit.
    pub(crate) const fn above(self, limit: Limit, part: Part) -> Self {
        Self { wide: Some((limit, part)), ..self }
    }

    /// One module serves every d.
    pub(crate) const fn of_every_d(self) -> Self {
        Self { of_every_d: true, ..self }
    }

    /// Leaves the counters out of the module's loops.
    pub(crate) const fn trusted(self) -> Self {
        Self { checks: Checks::Indices, ..self }
    }

    /// The kernel for pairs.
    pub(crate) fn of(self, pairs: Pairs) -> Self {
        Self { pairs, ..self }
    }

    /// Multiplies matrices by a unit.
    pub(crate) const fn by_units(self) -> Self {
        Self { has_units: true, ..self }
    }

    /// Ends at a limit of d.
    pub(crate) const fn up_to(self, limit: Limit) -> Self {
        Self { most: Some(limit), ..self }
    }

    /// Whether there is such a kernel at a precision and d.
    pub(crate) fn is_for(&self, precision: Precision, d: usize) -> bool {
        self.most.is_none_or(|limit| d <= limit(precision))
    }

    /// Leaves the counters and the checks of indices out of the module.
    pub(crate) const fn unchecked(self) -> Self {
        Self { checks: Checks::None, ..self }
    }

    fn part(&self, precision: Precision, d: usize) -> Part {
        match self.wide {
            Some((limit, part)) if d > limit(precision) => part,
            _ => self.part,
        }
    }

    /// The text of the kernel for a d; for every d, 0.
    pub(crate) fn module<J: Parameters>(&self, d: usize, variant: Variant) -> Module {
        let texts = with_needs(self.part(variant.precision, d), variant, part!("real/opaque"));
        let Pairs { scoring, ranged, biased } = self.pairs;
        let is_distance = scoring == Scoring::Distance;
        let [distances, products] = [is_distance, !is_distance].map(u32::from);
        let pairs = format!(
            "const DISTANCE: bool = {is_distance};\nconst DISTANCES: u32 = {distances};\n\
             const PRODUCTS: u32 = {products};\nconst RANGED: bool = {ranged};\nconst BIASED: bool = {biased};\n"
        );
        let prelude = J::prelude(variant.precision, d);
        let enabled = if self.has_units { UNITS } else { "" };
        let mut source = [enabled, &constants(), &report::constants(), &pairs, &prelude, &texts.concat()].concat();
        if let Some(share) = variant.hostile {
            source = source.replace(HOSTILE, "") + &format!("const HOSTILE_SHARE: f32 = {share:?};\n");
        }
        Module {
            entry: self.entry,
            slots: slots(&texts, variant.hostile.is_some()),
            source: unrolled(&source),
            checks: self.checks,
        }
    }

    /// The kernel on a device, compiled at its first use.
    pub(crate) async fn pipeline<J: Parameters>(
        &self,
        device: &Device,
        precision: Precision,
        d: usize,
    ) -> Result<Pipeline> {
        let d = if self.of_every_d { 0 } else { d };
        let key = (self.part(precision, d).name, self.entry, precision, d, self.pairs);
        let variant = Variant { precision, hostile: device.hostile, subgroups: device.has_subgroups };
        device.pipeline(key, || self.module::<J>(d, variant)).await
    }
}

/// Compiles kernels side by side, where the platform has threads, and keeps them for other processes.
///
/// # Errors
/// A kernel that the device refuses; threads that cannot be started.
pub(crate) async fn compile<J: Parameters>(
    device: &Device,
    kernels: &[&Kernel],
    precision: Precision,
    d: usize,
) -> Result<()> {
    let before = device.pipelines();
    #[cfg(not(target_family = "wasm"))]
    {
        threads::start(None)?;
        let one = |kernel: &&Kernel| pollster::block_on(kernel.pipeline::<J>(device, precision, d)).map(drop);
        // The longest take as long as all others together: one at a time is handed out.
        kernels.par_iter().with_max_len(1).try_for_each(one)?;
    }
    #[cfg(target_family = "wasm")]
    for kernel in kernels {
        kernel.pipeline::<J>(device, precision, d).await?;
    }
    if device.pipelines() > before {
        device.keep_pipelines();
    }
    Ok(())
}

/// Makes constants of kernels, one a line, and the list of all, [`ALL`].
macro_rules! kernels {
    ($($(#[$doc:meta])* $name:ident = $kernel:expr;)+) => {
        $($(#[$doc])* pub(crate) const $name: $crate::gpu::table::Kernel = $kernel;)+

        pub(crate) const ALL: &[$crate::gpu::table::Kernel] = &[$($name),+];
    };
}
pub(crate) use kernels;

/// Parses and validates a module without any capability beyond the core of WebGPU, but for subgroups and units
/// for matrices where it is made for them.
#[cfg(test)]
pub(crate) fn validate(name: &str, source: &str, subgroups: bool) {
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    let mut capabilities = if subgroups { Capabilities::SUBGROUP } else { Capabilities::empty() };
    if source.starts_with(UNITS) {
        capabilities |= Capabilities::COOPERATIVE_MATRIX | Capabilities::SHADER_FLOAT16;
    }
    let module =
        naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    let info = Validator::new(ValidationFlags::all(), capabilities).validate(&module);
    assert!(info.is_ok(), "{name}: {}", info.unwrap_err().emit_to_string(source));
}

/// Validates the module of each kernel, with a hostile filter and for subgroups too, and that the reader of
/// its buffers misses none.
#[cfg(test)]
pub(crate) fn validate_all<J: Parameters>(kernels: &[Kernel], precision: Precision, d: usize) {
    let variants = [(None, false), (Some(0.99), false), (None, true), (Some(0.99), true)];
    let kernels = kernels.iter().filter(|kernel| kernel.is_for(precision, d));
    let kernels = kernels.flat_map(|kernel| Pairs::all().map(|pairs| kernel.of(pairs)));
    for (kernel, (hostile, subgroups)) in kernels.flat_map(|kernel| variants.map(|variant| (kernel, variant))) {
        let variant = Variant { precision, hostile, subgroups };
        let module = kernel.module::<J>(if kernel.of_every_d { 0 } else { d }, variant);
        validate(kernel.entry, &module.source, subgroups);
        for (binding, slot) in module.slots.iter().enumerate() {
            let declared = format!("@group(1) @binding({binding}) var<storage, ");
            let line = module.source.lines().find(|line| line.starts_with(&declared)).expect(&declared);
            assert!(line.contains(&format!("> {}:", slot.name)), "{}: {line}", kernel.entry);
        }
        let declared = module.source.lines().filter(|line| line.starts_with("@group(1)")).count();
        assert_eq!(declared, module.slots.len(), "{}", kernel.entry);
        assert!(module.slots.len() <= 8, "{}: more buffers than every WebGPU adapter has", kernel.entry);
    }
}
