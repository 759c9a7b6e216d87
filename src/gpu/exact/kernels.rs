//! The kernels of the rules of the contract, one line each.

use crate::gpu::exact::job::{self, Job};
use crate::gpu::pairs::Pairs;
use crate::gpu::parts::part;
use crate::gpu::table::{Kernel, LANES, Span, kernels};
use crate::gpu::wgsl::{Parameters, constants};
use crate::space::{LEAF as KEYS_A_LEAF, PATIENCE as STEPS_AND_SORTS};
use crate::tokens::Precision;

constants! {
    /// Keys in a supertile, whose largest score says whether a row needs to look inside.
    SUPERTILE: u32 = 64;
    /// Keys whose scores a thread has in hand at a time, small d.
    ABREAST: u32 = 4;
    /// Keys of a workgroup of the sort.
    RUN: u32 = 1024;
    /// Counts that a workgroup sums.
    BLOCK: u32 = 1024;
    /// Values of a digit that keys are sorted by.
    RADIX: u32 = 256;
    /// Digits from here on are of a hash, not of the Morton code.
    HASHED: u32 = 256;
    /// Keys of a leaf of the tree.
    LEAF: u32 = KEYS_A_LEAF as u32;
    /// A step that costs more than this many times the one before, and some sorts, is left.
    PATIENCE: u32 = STEPS_AND_SORTS[0];
    /// The largest relative error of an operation on f32, rounded in any direction.
    ROUNDING: f32 = f32::EPSILON;
}

/// Levels of the tree that one dispatch fits.
pub(crate) const LEVELS: u32 = 4;

/// One in so many supertiles in reach of a row leave its strip to [`STRIPS_DENSE`]: a pair takes some 7 times
/// fewer instructions there, in groups of rows of which others may be narrow.
const DENSE_FROM: u32 = 4;

/// Rows, keys and coordinates of a product of matrices.
const SIDE: u64 = 16;

/// Largest d of the kernels that hold a token in registers.
const NARROW: usize = 16;

kernels! {
    /// xf; Q is X.
    IDENTITY = Kernel::new("identity", part!("exact/identity"), Span::threads_of_coordinates);
    /// xf, Q and qf for Ã = a·I.
    MULTIPLE = Kernel::new("multiple", part!("exact/queries"), Span::threads_of_coordinates);
    /// xf, Q and qf for a dense Ã.
    DENSE = Kernel::new("dense", part!("exact/queries"), Span::threads_of_coordinates);
    /// D_i and E_i.
    WIDTHS = Kernel::new("widths", part!("exact/widths"), Span::threads_of_rows);
    /// The largest score of each row in each supertile.
    SCORES = Kernel::new("scores", part!("exact/scores_narrow"), scores)
        .above(narrow, part!("exact/scores_of_floats"))
        .unchecked();
    /// Limbs of tokens and queries, and the bound on a score of them.
    LIMBS = Kernel::new("limbs", part!("exact/limbs"), Span::threads_of_rows);
    /// The largest score of limbs of each row in each supertile.
    SCORES_OF_LIMBS = Kernel::new("scores", part!("exact/scores_of_limbs"), scores_of_limbs)
        .named("scores_of_limbs")
        .unchecked();
    /// The same by units for matrices.
    SCORES_BY_UNITS =
        Kernel::new("scores", part!("exact/scores_by_units"), scores_by_units)
        .named("scores_by_units").unchecked().by_units();
    /// m_i and argmax.
    PEAKS = Kernel::new("peaks", part!("exact/peaks"), |span| span.rows);
    /// |C_i| and sums.
    STRIPS = Kernel::new("strips", part!("exact/strips_narrow"), |span| span.rows)
        .above(sums, part!("exact/strips_wide"));
    /// Boxes and sums of supertiles.
    SUPERTILES = Kernel::new("supertiles", part!("exact/supertiles"), supertiles).up_to(dense_limit);
    /// |C_i| and sums of rows whose strips are wide.
    STRIPS_DENSE = Kernel::new("strips_dense", part!("exact/strips_dense"), dense)
        .up_to(dense_limit)
        .unchecked();
    /// C_i as bits.
    MASKS = Kernel::new("masks", part!("exact/masks"), |span| span.rows);
    /// X' and the report.
    MOVES = Kernel::new("moves", part!("exact/moves"), moves);
    /// Boxes and sums of leaves.
    FIT_LEAVES = Kernel::new("fit_leaves", part!("exact/tree/fit_leaves"), Span::threads_of_coordinates);
    /// Boxes and sums of the nodes above.
    FIT_NODES = Kernel::new("fit_nodes", part!("exact/tree/fit_nodes"), Span::threads_of_coordinates);
    /// By a tree: m_i, argmax, |C_i|, X' and the report.
    SEARCH_STEP = Kernel::new("search_step", part!("exact/tree/search_step"), Span::threads_of_rows).trusted();
    /// By a tree: C_i as bits over keys.
    SEARCH_MEMBERS = Kernel::new("search_members", part!("exact/tree/search_members"), Span::threads_of_rows).trusted();
    /// Rows before their search through parts of the keys.
    PART_ROWS = Kernel::new("part_rows", part!("exact/tree/part_rows"), Span::threads_of_rows);
    /// By the tree of a part: m_i and argmax so far.
    PART_PEAKS = Kernel::new("part_peaks", part!("exact/tree/part_peaks"), Span::threads_of_rows).trusted();
    /// By the tree of a part: |C_i| and sums so far.
    PART_STRIPS = Kernel::new("part_strips", part!("exact/tree/part_strips"), Span::threads_of_rows).trusted();
    /// By the tree of a part: C_i as bits over its keys.
    PART_MEMBERS = Kernel::new("part_members", part!("exact/tree/part_members"), Span::threads_of_rows).trusted();
    /// X' and the report, after a search through parts.
    PART_MOVES = Kernel::new("part_moves", part!("exact/tree/part_moves"), Span::threads_of_rows);
    /// The order that keys have.
    NUMBER = Kernel::new("number", part!("exact/tree/number"), Span::threads_of_rows).of_every_d();
    /// Digits of each run of keys.
    SORT_COUNTS = Kernel::new("sort_counts", part!("exact/tree/sort_counts"), runs).of_every_d();
    /// Keys by a digit.
    SORT_SCATTER = Kernel::new("sort_scatter", part!("exact/tree/sort_scatter"), runs).of_every_d();
    /// Running sums within blocks.
    SCAN_COUNTS = Kernel::new("scan_counts", part!("exact/tree/scan"), blocks).of_every_d();
    /// Running sums of blocks.
    SCAN_BLOCKS = Kernel::new("scan_blocks", part!("exact/tree/scan"), |_| 1).of_every_d();
    /// Marks of the keys that differ from the ones before.
    MERGE_STARTS = Kernel::new("merge_starts", part!("exact/tree/merge_starts"), Span::threads_of_rows).of_every_d();
    /// Keys in order, equal ones as one.
    MERGE_KEYS = Kernel::new("merge_keys", part!("exact/tree/merge_keys"), Span::threads_of_rows).of_every_d();
    /// The key of each token.
    MERGE_OWNERS = Kernel::new("merge_owners", part!("exact/tree/merge_owners"), Span::threads_of_rows).of_every_d();
}

/// The kernels that a step of brute force takes; `matrix` is whether A is anything but the identity, `limbs` the
/// kernel for scores of limbs, if there is to be one.
pub(crate) fn of_brute_force(
    matrix: bool,
    pairs: Pairs,
    limbs: Option<Kernel>,
    precision: Precision,
    d: usize,
) -> Vec<Kernel> {
    let queries: &[_] = if matrix { &[MULTIPLE, DENSE] } else { &[IDENTITY] };
    let has_dense = STRIPS_DENSE.is_for(precision, d) && !pairs.ranged;
    let dense: &[_] = if has_dense { &[SUPERTILES, STRIPS_DENSE] } else { &[] };
    let limbs: &[_] = &limbs.map_or(vec![], |scores| vec![LIMBS, scores]);
    let all = [queries, &[SCORES, STRIPS, PEAKS, WIDTHS, MOVES], dense, limbs].concat();
    all.into_iter().map(|kernel| kernel.of(pairs)).collect()
}

/// The kernels that a search takes, for a step and a sort; `parted` is whether its keys are in parts.
pub(crate) fn of_search(matrix: bool, parted: bool) -> Vec<&'static Kernel> {
    let search: &[_] = if parted { &[&PART_PEAKS, &PART_STRIPS, &PART_ROWS, &PART_MOVES] } else { &[&SEARCH_STEP] };
    let queries: &[_] = if matrix { &[&MULTIPLE, &DENSE] } else { &[] };
    let sort: [&Kernel; 8] =
        [&NUMBER, &SORT_COUNTS, &SORT_SCATTER, &SCAN_COUNTS, &SCAN_BLOCKS, &MERGE_STARTS, &MERGE_KEYS, &MERGE_OWNERS];
    [search, &[&FIT_LEAVES, &FIT_NODES], queries, &sort].concat()
}

impl Parameters for Job {
    fn prelude(precision: Precision, d: usize) -> String {
        let rows = score_rows(d as u64);
        let dense_from = if STRIPS_DENSE.is_for(precision, d) { DENSE_FROM } else { 0 };
        let fours = rows / (4 * LANES);
        let own = [
            ("D", d as u32),
            ("QUADS", quads(d as u64)),
            ("ROWS", rows),
            ("FOURS", fours),
            ("DENSE_FROM", dense_from),
            ("LIMBS", limbs(d as u64)),
            ("MOST_LIMB", most_limb(d as u64)),
        ];
        let own = own.map(|(name, value)| format!("const {name}: u32 = {value};\n")).concat();
        [own, constants(), job::constants(), Job::wgsl()].concat()
    }
}

/// Vectors of four floats that hold the coordinates of a token, for filters.
pub(crate) fn quads(d: u64) -> u32 {
    d.div_ceil(4) as u32
}

/// Limbs of a token: whole sides of the matrices that a unit multiplies.
pub(crate) fn limbs(d: u64) -> u32 {
    d.next_multiple_of(SIDE) as u32
}

/// The largest limb, so that f16 holds every one and f32 every sum of products.
fn most_limb(d: u64) -> u32 {
    ((1 << 24) / d.max(1)).isqrt().min(1 << 11) as u32
}

/// Largest d of the strips of wide rows, whose keys f32 must hold exactly.
fn dense_limit(precision: Precision) -> usize {
    if precision == Precision::F32 { NARROW } else { 0 }
}

/// Workgroups with a thread for each coordinate of each supertile.
fn supertiles(span: Span) -> u64 {
    (span.rows.div_ceil(SUPERTILE.into()) * span.d).div_ceil(LANES.into())
}

/// Workgroups of [`STRIPS_DENSE`]: a thread has a quarter of the rows that it has in [`SCORES`].
fn dense(span: Span) -> u64 {
    span.rows.div_ceil(u64::from(score_rows(span.d) / 4).max(1))
}

/// Rows that a workgroup of [`SCORES`] takes: what 16, 8 or 4 tokens a thread leave of its
/// registers.
pub(crate) fn score_rows(d: u64) -> u32 {
    match d {
        0..=4 => 16 * LANES,
        5..=8 => 8 * LANES,
        9..=16 => 4 * LANES,
        _ => LANES,
    }
}

/// A workgroup for some rows and each block of keys.
fn scores(span: Span) -> u64 {
    span.rows.div_ceil(score_rows(span.d).into()) * span.keys
}

fn scores_of_limbs(span: Span) -> u64 {
    span.threads_of_rows() * span.keys
}

/// A workgroup for 32 rows, the first of which may begin up to 15 rows before, and each block of keys.
fn scores_by_units(span: Span) -> u64 {
    (span.rows + SIDE - 1).div_ceil(2 * SIDE) * span.keys
}

fn runs(span: Span) -> u64 {
    span.rows.div_ceil(RUN.into())
}

fn blocks(span: Span) -> u64 {
    span.rows.div_ceil(BLOCK.into())
}

fn moves(span: Span) -> u64 {
    if span.d <= NARROW as u64 { span.threads_of_rows() } else { span.rows }
}

/// Largest d of the scores in registers.
fn narrow(_: Precision) -> usize {
    NARROW
}

/// Largest d whose 32 partial sums fit 4 KiB of workgroup memory.
fn sums(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 16,
        Precision::F64 => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::table::validate_all;

    /// A shader that does not validate, or a buffer that is not seen, would only show on a machine
    /// with a GPU.
    #[test]
    fn every_kernel_validates_at_every_precision_and_d() {
        for precision in [Precision::F32, Precision::F64] {
            for d in [1, 2, 3, 8, 9, 16, 17, 64, 65, 1024, 16384] {
                validate_all::<Job>(ALL, precision, d);
            }
        }
    }
}
