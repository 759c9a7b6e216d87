//! The shaders' arithmetic: the texts that every kernel is joined from, and the programs that try a device.

use crate::tokens::Precision;

/// The driver probe.
pub(crate) const PROBE: &str = include_str!("../../shaders/arithmetic/probe.wgsl");
/// The multiply-add peak.
pub(crate) const MULTIPLY_ADD: &str = include_str!("../../shaders/arithmetic/multiply_add.wgsl");

/// The generator of draws; needs [`WORDS`].
pub(crate) const PHILOX: &str = include_str!("../../shaders/real/philox.wgsl");
pub(crate) const WORDS: &str = include_str!("../../shaders/arithmetic/words.wgsl");
const F32: &str = include_str!("../../shaders/arithmetic/f32.wgsl");
const F64: &str = include_str!("../../shaders/arithmetic/f64.wgsl");
pub(crate) const FRAME: &str = include_str!("../../shaders/exact/frame.wgsl");

/// The prelude of a precision.
pub(crate) fn arithmetic(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => F32,
        Precision::F64 => F64,
    }
}
