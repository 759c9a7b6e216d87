//! The parameters of a dispatch.

use bytemuck::{Pod, Zeroable};

use crate::exact::{Step, StripWidth, TokenMatrix};
use crate::gpu::words::pair;
use crate::model::Mask;

/// The parameters of one dispatch, as `Job` in frame.wgsl.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Job {
    pub(crate) n: u32,
    pub(crate) supertiles: u32,
    pub(crate) row_first: u32,
    pub(crate) row_end: u32,
    pub(crate) slice_first: u32,
    pub(crate) row_base: u32,
    pub(crate) key_base: u32,
    pub(crate) tile_first: u32,
    pub(crate) tile_end: u32,
    pub(crate) causal: u32,
    pub(crate) report: u32,
    pub(crate) width_kind: u32,
    pub(crate) matrix_exponent: i32,
    pub(crate) dims: u32,
    pub(crate) gain: [u32; 2],
    pub(crate) multiple: [u32; 2],
    pub(crate) apart: u32,
    pub(crate) pad: u32,
    pub(crate) width: [u32; 4],
    pub(crate) first_leaf: u32,
    pub(crate) first_key: u32,
    pub(crate) warm: u32,
    pub(crate) digit: u32,
}

impl Job {
    /// What the dispatches of a step share.
    pub(crate) fn of(step: &Step) -> Self {
        let (width_kind, width) = match step.width {
            StripWidth::Constant(width) => (0, width),
            StripWidth::Argmax => (3, 0),
            StripWidth::QueryNorm { factor } => (1, factor),
            StripWidth::ANorm { factor } => (2, factor),
        };
        Self {
            causal: u32::from(step.mask == Mask::Causal),
            width_kind,
            matrix_exponent: step.matrix_exponent,
            gain: pair(step.gain as i64),
            multiple: if let TokenMatrix::Multiple(a) = step.matrix { pair(a) } else { [0; 2] },
            width: [0, 32, 64, 96].map(|shift| (width >> shift) as u32),
            ..Self::default()
        }
    }
}
