//! The kernels of the rules in real numbers: their parts, entry points, buffers and workgroups.

use crate::gpu::arithmetic::{PHILOX, WORDS};

/// Keys of a chunk: what is summed before anything is stored, at the same places whatever the slices.
pub(crate) const CHUNK: u32 = 1024;
/// Rows and keys of a tile.
pub(crate) const TILE: u32 = 64;
/// Threads in a workgroup.
pub(crate) const LANES: u32 = 64;
/// Coordinates that a thread of [`Kernel::Extent`] looks at.
const EACH: u32 = 16;
/// Rows of a workgroup of [`Kernel::Attend`].
pub(crate) const ROWS: u32 = 256;
/// Largest d whose tokens and sums a thread holds in registers.
pub(crate) const NARROW: usize = 16;

const FRAME: &str = include_str!("../../../shaders/real/frame.wgsl");
pub(crate) const EXPONENTIAL: &str = include_str!("../../../shaders/real/exponential.wgsl");
const KEYS: &str = include_str!("../../../shaders/real/keys.wgsl");
const MATRIX: &str = include_str!("../../../shaders/real/matrix.wgsl");
const QUERIES: &str = include_str!("../../../shaders/real/queries.wgsl");
const SCORES: &str = include_str!("../../../shaders/real/scores.wgsl");
const WEIGH: &str = include_str!("../../../shaders/real/weigh.wgsl");
const VALUES: &str = include_str!("../../../shaders/real/values.wgsl");
const ATTEND: &str = include_str!("../../../shaders/real/attend.wgsl");
const MERGE: &str = include_str!("../../../shaders/real/merge.wgsl");
const DRAW: &str = include_str!("../../../shaders/real/draw.wgsl");
const MEANS: &str = include_str!("../../../shaders/real/means.wgsl");
const MOVES: &str = include_str!("../../../shaders/real/moves.wgsl");

/// A kernel, by its entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kernel {
    /// The largest coordinate.
    Extent,
    /// Scaled keys.
    Scale,
    /// A matrix by every row.
    Apply,
    /// Scaled queries.
    Queries,
    /// Scores of tiles.
    Score,
    /// Weights of chunks.
    Weigh,
    /// Sums of chunks.
    Values,
    /// The last three at once, in registers.
    Attend,
    /// What the chunks of a row come to.
    Merge,
    /// The key that a row draws.
    Draw,
    /// Means over chunks.
    Means,
    /// The motion.
    Moves,
}

use Kernel::{Apply, Attend, Draw, Extent, Means, Merge, Moves, Queries, Scale, Score, Values, Weigh};

impl Kernel {
    #[cfg(test)]
    const ALL: [Self; 12] = [Extent, Scale, Apply, Queries, Score, Weigh, Values, Attend, Merge, Draw, Means, Moves];

    /// The entry point.
    pub(crate) fn entry(self) -> &'static str {
        match self {
            Extent => "extent",
            Scale => "scale",
            Apply => "apply",
            Queries => "queries",
            Score => "score",
            Weigh => "weigh",
            Values => "values",
            Attend => "attend",
            Merge => "merge",
            Draw => "draw",
            Means => "means",
            Moves => "moves",
        }
    }

    /// Whether it writes to each of its buffers, in the order of their bindings in group 1.
    pub(crate) fn writes(self) -> &'static [bool] {
        match self {
            Apply | Score | Values => &[false, false, true],
            Queries => &[false, true, false, true, true],
            Extent | Scale | Weigh => &[false, true, true],
            Attend => &[false, false, false, true, true],
            Merge => &[true, true, true],
            Draw => &[false, false, false, true],
            Means => &[false, false, false, false, false, false, true],
            Moves => &[false, false, true, false, true, true, true, true],
        }
    }

    /// The module's text. d is a constant of [`Kernel::Attend`] alone; the others serve every d.
    pub(crate) fn source(self, d: usize) -> String {
        let part = match self {
            Extent | Scale => KEYS,
            Apply => MATRIX,
            Queries => QUERIES,
            Score => SCORES,
            Weigh => WEIGH,
            Values => VALUES,
            Attend => ATTEND,
            Merge => MERGE,
            Draw => DRAW,
            Means => MEANS,
            Moves => MOVES,
        };
        let constant = if self == Attend { format!("const D = {d}u;\n") } else { String::new() };
        [&constant, FRAME, WORDS, EXPONENTIAL, PHILOX, part].concat()
    }

    /// Whether its loops are those where the time goes, and count to bounds fixed before they start.
    pub(crate) fn is_hot(self) -> bool {
        matches!(self, Score | Values | Attend)
    }

    /// Workgroups for so many rows, keys and coordinates.
    pub(crate) fn groups(self, rows: u32, keys: u32, d: u32) -> u64 {
        let [rows, keys, d] = [rows, keys, d].map(u64::from);
        let [tile, chunk, lanes] = [TILE, CHUNK, LANES].map(u64::from);
        match self {
            Extent => (rows * d).div_ceil(lanes * u64::from(EACH)),
            Scale | Apply | Means => (rows * d).div_ceil(lanes),
            Queries | Merge | Moves => rows.div_ceil(lanes),
            Score => rows.div_ceil(tile) * keys.div_ceil(tile),
            Weigh => rows * keys.div_ceil(chunk),
            Values => rows.div_ceil(tile) * keys.div_ceil(chunk) * d.div_ceil(tile),
            Attend => rows.div_ceil(u64::from(ROWS)) * keys.div_ceil(chunk),
            Draw => rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shader that does not validate, or a table that disagrees with it, would only be seen on a machine with a GPU.
    #[test]
    fn every_kernel_validates_and_binds_what_the_table_says() {
        use naga::valid::{Capabilities, ValidationFlags, Validator};
        for kernel in Kernel::ALL {
            for d in [1, 2, 3, 7, 16] {
                let source = kernel.source(d);
                let module = naga::front::wgsl::parse_str(&source)
                    .unwrap_or_else(|e| panic!("{}: {}", kernel.entry(), e.emit_to_string(&source)));
                // No capability beyond the core of WebGPU.
                let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
                assert!(info.is_ok(), "{}: {}", kernel.entry(), info.unwrap_err().emit_to_string(&source));
                for (binding, writes) in kernel.writes().iter().enumerate() {
                    let access = if *writes { "read_write" } else { "read" };
                    let declared = format!("@group(1) @binding({binding}) var<storage, {access}>");
                    assert!(source.contains(&declared), "{}: {declared}", kernel.entry());
                }
                assert_eq!(source.matches("@group(1)").count(), kernel.writes().len(), "{}", kernel.entry());
                assert!(kernel.writes().len() <= 8, "what every WebGPU adapter has");
            }
        }
    }
}
