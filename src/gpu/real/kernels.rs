//! The kernels of the rules in real numbers, one line each.

use crate::gpu::parts::part;
use crate::gpu::real::job::{self, Job};
use crate::gpu::table::{Kernel, LANES, Span, kernels};
use crate::gpu::wgsl::{Parameters, constants};
use crate::tokens::Precision;

constants! {
    /// Keys whose weights are summed before anything is stored. Chunks lie at multiples of this
    /// whatever the slices and submissions, so that every sum has one order.
    CHUNK: u32 = 1024;
    /// Rows and keys of a tile.
    TILE: u32 = 64;
    /// Coordinates that a thread of [`EXTENT`] looks at.
    EACH: u32 = 16;
    /// Rows of a workgroup of [`ATTEND`].
    ROWS: u32 = 4 * LANES;
}

/// Largest d whose tokens and sums a thread holds in registers.
pub(crate) const NARROW: usize = 16;

kernels! {
    /// The largest coordinate.
    EXTENT = Kernel::new("extent", part!("real/keys"), |s| (s.rows * s.d).div_ceil((LANES * EACH).into())).of_every_d();
    /// Scaled keys.
    SCALE = Kernel::new("scale", part!("real/keys"), Span::threads_of_coordinates).of_every_d();
    /// A matrix by every row.
    APPLY = Kernel::new("apply", part!("real/matrix"), Span::threads_of_coordinates).of_every_d();
    /// Scaled queries.
    QUERIES = Kernel::new("queries", part!("real/queries"), Span::threads_of_rows).of_every_d();
    /// Scores of tiles.
    SCORE = Kernel::new("score", part!("real/scores"), |s| tiles(s.rows) * tiles(s.keys)).of_every_d().trusted();
    /// Weights of chunks.
    WEIGH = Kernel::new("weigh", part!("real/weigh"), |s| s.rows * chunks(s.keys)).of_every_d();
    /// Weights of whole rows.
    WHOLE = Kernel::new("whole", part!("real/whole"), |s| s.rows).of_every_d();
    /// Sums of chunks.
    VALUES = Kernel::new("values", part!("real/values"), |s| tiles(s.rows) * chunks(s.keys) * tiles(s.d))
        .of_every_d()
        .trusted();
    /// Scores, weights and sums at once, in registers.
    ATTEND = Kernel::new("attend", part!("real/attend"), |s| s.rows.div_ceil(ROWS.into()) * chunks(s.keys)).trusted();
    /// A row's maximum, argmax and total over its chunks.
    MERGE = Kernel::new("merge", part!("real/merge"), Span::threads_of_rows).of_every_d();
    /// The key that a row draws.
    DRAW = Kernel::new("draw", part!("real/draw"), |s| s.rows).of_every_d();
    /// Means over chunks.
    MEANS = Kernel::new("means", part!("real/means"), Span::threads_of_coordinates).of_every_d();
    /// Keys of length 1.
    TURN = Kernel::new("turn", part!("real/directions"), Span::threads_of_rows).of_every_d();
    /// Outputs of one length.
    LENGTHEN = Kernel::new("lengthen", part!("real/lengths"), Span::threads_of_rows).of_every_d();
    /// Outputs without what lies along own values.
    EXCLUDE = Kernel::new("exclude", part!("real/exclude"), Span::threads_of_rows).of_every_d();
    /// Perceptron of every row.
    PERCEPTRON = Kernel::new("perceptron", part!("real/perceptron"), Span::threads_of_rows).of_every_d();
    /// Noise along the sphere.
    NOISE = Kernel::new("noise", part!("real/noise"), Span::threads_of_rows).of_every_d();
    /// The motion.
    MOVES = Kernel::new("moves", part!("real/moves"), Span::threads_of_rows).of_every_d();
}

impl Parameters for Job {
    fn prelude(_: Precision, d: usize) -> String {
        [format!("const D: u32 = {d};\n"), constants(), job::constants(), Job::wgsl()].concat()
    }
}

fn tiles(count: u64) -> u64 {
    count.div_ceil(TILE.into())
}

fn chunks(keys: u64) -> u64 {
    keys.div_ceil(CHUNK.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::table::validate_all;
    use crate::tokens::Precision;

    /// A shader that does not validate, or a buffer that is not seen, would only show on a machine
    /// with a GPU.
    #[test]
    fn every_kernel_validates() {
        for d in [1, 2, 3, 7, 16] {
            validate_all::<Job>(ALL, Precision::F32, d);
        }
    }
}
