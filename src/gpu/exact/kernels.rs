//! The table of kernels: for each one its WGSL parts, its entry point and the buffers it binds.
//!
//! A kernel's module is joined from the constant D, a precision's prelude and parts with `include_str!`.

use crate::error::Result;
use crate::gpu::arithmetic::{FRAME, WORDS, arithmetic};
use crate::gpu::device::{Device, Module, Pipeline};
use crate::tokens::Precision;

/// Keys in a supertile.
pub const SUPERTILE: u32 = 64;
/// Supertiles that a workgroup of the scores takes.
pub const TILES: u32 = 4;
/// Threads in a workgroup.
pub const LANES: u32 = 64;
/// Keys of a workgroup of the sort.
pub const RUN: u32 = 1024;
/// Counts that a workgroup sums.
pub const BLOCK: u32 = 1024;
/// Digits from here on are of a hash, not of the Morton code.
pub const HASHED: u32 = 256;
/// Levels of the tree that one dispatch fits.
pub const LEVELS: u32 = 4;
/// Words of a step's report.
pub const REPORT_WORDS: usize = 12;
/// Largest d of the kernels that hold a token in registers.
const NARROW_SCORES: usize = 16;

const QUERIES: &str = include_str!("../../../shaders/exact/queries.wgsl");
const WIDTHS: &str = include_str!("../../../shaders/exact/widths.wgsl");
const SCORES_NARROW: &str = include_str!("../../../shaders/exact/scores_narrow.wgsl");
const SCORES_WIDE: &str = include_str!("../../../shaders/exact/scores_wide.wgsl");
const DECIDE: &str = include_str!("../../../shaders/exact/decide.wgsl");
const PEAKS: &str = include_str!("../../../shaders/exact/peaks.wgsl");
const STRIPS_FRAME: &str = include_str!("../../../shaders/exact/strips_frame.wgsl");
const STRIPS_NARROW: &str = include_str!("../../../shaders/exact/strips_narrow.wgsl");
const STRIPS_WIDE: &str = include_str!("../../../shaders/exact/strips_wide.wgsl");
const MASKS: &str = include_str!("../../../shaders/exact/masks.wgsl");
const MOVES: &str = include_str!("../../../shaders/exact/moves.wgsl");
const REPORT: &str = include_str!("../../../shaders/exact/report.wgsl");
const WIDTH: &str = include_str!("../../../shaders/exact/width.wgsl");
const TREE: &str = include_str!("../../../shaders/exact/tree/tree.wgsl");
const FIT_FRAME: &str = include_str!("../../../shaders/exact/tree/fit_frame.wgsl");
const FIT_LEAVES: &str = include_str!("../../../shaders/exact/tree/fit_leaves.wgsl");
const FIT_NODES: &str = include_str!("../../../shaders/exact/tree/fit_nodes.wgsl");
const SEARCH: &str = include_str!("../../../shaders/exact/tree/search.wgsl");
const SEARCH_STEP: &str = include_str!("../../../shaders/exact/tree/search_step.wgsl");
const SEARCH_MEMBERS: &str = include_str!("../../../shaders/exact/tree/search_members.wgsl");
const NUMBER: &str = include_str!("../../../shaders/exact/number.wgsl");
const SORT_FRAME: &str = include_str!("../../../shaders/exact/tree/sort_frame.wgsl");
const SORT_COUNTS: &str = include_str!("../../../shaders/exact/tree/sort_counts.wgsl");
const SORT_SCATTER: &str = include_str!("../../../shaders/exact/tree/sort_scatter.wgsl");
const SCAN: &str = include_str!("../../../shaders/exact/tree/scan.wgsl");
const SUMMED: &str = include_str!("../../../shaders/exact/summed.wgsl");
const MERGE_STARTS: &str = include_str!("../../../shaders/exact/tree/merge_starts.wgsl");
const MERGE_KEYS: &str = include_str!("../../../shaders/exact/tree/merge_keys.wgsl");
const MERGE_OWNERS: &str = include_str!("../../../shaders/exact/tree/merge_owners.wgsl");

/// A kernel of a step, by its entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kernel {
    /// xf; Q is X.
    Identity,
    /// xf, Q and qf for Ã = a·I.
    Multiple,
    /// xf, Q and qf for a dense Ã.
    Dense,
    /// D_i and E_i.
    Widths,
    /// Supertile maxima.
    Scores,
    /// m_i and argmax.
    Peaks,
    /// |C_i| and sums.
    Strips,
    /// C_i as bits.
    Masks,
    /// X' and the report.
    Moves,
    /// Boxes and sums of leaves.
    FitLeaves,
    /// Boxes and sums of the nodes above.
    FitNodes,
    /// By a tree: m_i, argmax, |C_i|, X' and the report.
    SearchStep,
    /// By a tree: C_i as bits over keys.
    SearchMembers,
    /// The order that keys have.
    Number,
    /// Digits of each run of keys.
    SortCounts,
    /// Keys by a digit.
    SortScatter,
    /// Running sums within blocks.
    ScanCounts,
    /// Running sums of blocks.
    ScanBlocks,
    /// Where keys differ from the ones before.
    MergeStarts,
    /// Keys in order, equal ones as one.
    MergeKeys,
    /// The key of each token.
    MergeOwners,
}

/// What a kernel binds, in the order of its bindings in group 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// X of the window of rows.
    RowState,
    /// X of the window of keys.
    KeyState,
    /// xf of the window of rows.
    RowFilter,
    /// xf of the window of keys.
    KeyFilter,
    /// Q of the window of rows; X if A is the identity.
    Query,
    /// qf of the window of rows; xf if A is the identity.
    QueryFilter,
    /// Ã.
    Matrix,
    /// max_j |x_jk| at the start, as f32.
    Extent,
    /// The records of the window of rows.
    Rows,
    /// Supertile maxima of the slice.
    Maxima,
    /// Sums of the slice.
    Sums,
    /// X' of the window of rows.
    NextState,
    /// Reports of the steps of a submission.
    Reports,
    /// Masks of the slice.
    Bits,
    /// Of each key: its weight and the least token in it.
    Marks,
    /// The same after a sort.
    NextMarks,
    /// The key of each token.
    Owner,
    /// Lowest and highest coordinates of each node.
    Bounds,
    /// Centre and half-widths of each node.
    Boxes,
    /// Sum and weight of each node.
    Wholes,
    /// Of each key: argmax (a token), |C|, argmax (a key).
    Found,
    /// Keys whose strips are asked for.
    Wanted,
    /// How a Morton code is made.
    Coding,
    /// The least of each coordinate.
    Lowest,
    /// Keys in order.
    Order,
    /// The same by one more digit.
    NextOrder,
    /// What is counted, and its running sums.
    Counts,
    /// Running sums of blocks of counts.
    Blocks,
    /// Where each key went.
    Moved,
    /// Number of keys, and the key of token 0.
    Sorted,
}

use Kernel::{
    Dense, FitLeaves, FitNodes, Identity, Masks, MergeKeys, MergeOwners, MergeStarts, Moves, Multiple, Number, Peaks,
    ScanBlocks, ScanCounts, Scores, SearchMembers, SearchStep, SortCounts, SortScatter, Strips, Widths,
};

impl Kernel {
    /// Every kernel.
    pub const ALL: [Self; 21] = [
        Identity,
        Multiple,
        Dense,
        Widths,
        Scores,
        Peaks,
        Strips,
        Masks,
        Moves,
        FitLeaves,
        FitNodes,
        SearchStep,
        SearchMembers,
        Number,
        SortCounts,
        SortScatter,
        ScanCounts,
        ScanBlocks,
        MergeStarts,
        MergeKeys,
        MergeOwners,
    ];

    /// The entry point.
    pub fn entry(self) -> &'static str {
        match self {
            Identity => "identity",
            Multiple => "multiple",
            Dense => "dense",
            Widths => "widths",
            Scores => "scores",
            Peaks => "peaks",
            Strips => "strips",
            Masks => "masks",
            Moves => "moves",
            FitLeaves => "fit_leaves",
            FitNodes => "fit_nodes",
            SearchStep => "search_step",
            SearchMembers => "search_members",
            Number => "number",
            SortCounts => "sort_counts",
            SortScatter => "sort_scatter",
            ScanCounts => "scan_counts",
            ScanBlocks => "scan_blocks",
            MergeStarts => "merge_starts",
            MergeKeys => "merge_keys",
            MergeOwners => "merge_owners",
        }
    }

    /// Bindings of group 1, with whether the kernel writes them.
    pub fn slots(self) -> Vec<(u32, Slot, bool)> {
        use Slot::{
            Bits, Blocks, Bounds, Boxes, Coding, Counts, Extent, Found, KeyFilter, KeyState, Lowest, Marks, Matrix,
            Maxima, Moved, NextMarks, NextOrder, NextState, Order, Owner, Query, QueryFilter, Reports, RowFilter,
            RowState, Rows, Sorted, Sums, Wanted, Wholes,
        };
        let decide = [(KeyFilter, false), (KeyState, false), (QueryFilter, false), (Query, false), (Maxima, false)];
        let search = [(RowState, false), (Query, false), (Marks, false), (Boxes, false), (Wholes, false)];
        let fit = [(RowState, false), (Marks, false), (Bounds, true), (Boxes, true), (Wholes, true)];
        let sort = [(RowState, false), (Coding, false), (Lowest, false), (Order, false)];
        let listed: Vec<(Slot, bool)> = match self {
            Identity => vec![(RowState, false), (RowFilter, true)],
            Multiple | Dense => {
                vec![(RowState, false), (RowFilter, true), (Matrix, false), (Query, true), (QueryFilter, true)]
            }
            Widths => vec![(RowState, false), (Query, false), (QueryFilter, false), (Extent, false), (Rows, true)],
            Scores => vec![(KeyFilter, false), (QueryFilter, false), (Maxima, true), (Rows, true)],
            Peaks => [&decide[..], &[(Rows, true)]].concat(),
            Strips => [&decide[..], &[(Rows, true), (Sums, true), (Reports, true)]].concat(),
            Masks => [&decide[..], &[(Rows, true), (Bits, true)]].concat(),
            Moves => vec![(RowState, false), (Sums, false), (Rows, true), (NextState, true), (Reports, true)],
            FitLeaves | FitNodes => fit.to_vec(),
            SearchStep => [&search[..], &[(NextState, true), (Found, true), (Reports, true)]].concat(),
            SearchMembers => [&search[..], &[(Wanted, false), (Bits, true)]].concat(),
            Number => vec![(Order, true)],
            SortCounts => [&sort[..], &[(Counts, true)]].concat(),
            SortScatter => [&sort[..], &[(Counts, false), (Blocks, false), (NextOrder, true)]].concat(),
            ScanCounts | ScanBlocks => vec![(Counts, true), (Blocks, true)],
            MergeStarts => vec![(RowState, false), (Order, false), (Counts, true), (NextMarks, true)],
            MergeKeys => {
                let summed = [(RowState, false), (Order, false), (Counts, false), (Blocks, false), (Marks, false)];
                [&summed[..], &[(NextState, true), (NextMarks, true), (Moved, true)]].concat()
            }
            MergeOwners => vec![(Moved, false), (Counts, false), (Blocks, false), (Owner, true), (Sorted, true)],
        };
        (0..).zip(listed).map(|(binding, (slot, writes))| (binding, slot, writes)).collect()
    }

    /// The module's text for tokens in R^d.
    pub fn source(self, precision: Precision, d: usize) -> String {
        let d = self.specialised(d);
        let parts: &[&str] = match self {
            Identity | Multiple | Dense => &[QUERIES],
            Widths => &[WIDTH, WIDTHS],
            Scores if d <= NARROW_SCORES => &[SCORES_NARROW],
            Scores => &[SCORES_WIDE],
            Peaks => &[DECIDE, PEAKS],
            Strips if d <= narrow_sums(precision) => &[DECIDE, REPORT, STRIPS_FRAME, STRIPS_NARROW],
            Strips => &[DECIDE, REPORT, STRIPS_FRAME, STRIPS_WIDE],
            Masks => &[DECIDE, MASKS],
            Moves => &[REPORT, MOVES],
            FitLeaves => &[TREE, FIT_FRAME, FIT_LEAVES],
            FitNodes => &[TREE, FIT_FRAME, FIT_NODES],
            SearchStep => &[TREE, WIDTH, SEARCH, REPORT, SEARCH_STEP],
            SearchMembers => &[TREE, WIDTH, SEARCH, SEARCH_MEMBERS],
            Number => &[NUMBER],
            SortCounts => &[SORT_FRAME, SORT_COUNTS],
            SortScatter => &[SORT_FRAME, SUMMED, SORT_SCATTER],
            ScanCounts | ScanBlocks => &[SCAN],
            MergeStarts => &[MERGE_STARTS],
            MergeKeys => &[SUMMED, MERGE_KEYS],
            MergeOwners => &[SUMMED, MERGE_OWNERS],
        };
        let constants = format!("const D: u32 = {d}u;\nconst ROWS: u32 = {}u;\n", self.rows_a_group(d));
        [&constants, arithmetic(precision), WORDS, FRAME].into_iter().chain(parts.iter().copied()).collect()
    }

    /// The kernel on a device.
    pub(crate) fn pipeline(self, device: &Device, precision: Precision, d: usize) -> Result<Pipeline> {
        let writes: Vec<bool> = self.slots().iter().map(|&(_, _, writes)| writes).collect();
        let trusted = matches!(self, Scores | SearchStep | SearchMembers);
        let module = Module { entry: self.entry(), writes: &writes, trusted };
        device.pipeline(&module, precision, self.specialised(d), || self.source(precision, d))
    }

    /// The d that a module is made for, 0 if it is the same for all.
    pub fn specialised(self, d: usize) -> usize {
        match self {
            Number | SortCounts | SortScatter | ScanCounts | ScanBlocks | MergeStarts | MergeKeys | MergeOwners => 0,
            _ => d,
        }
    }

    /// Rows that a workgroup takes.
    pub fn rows_a_group(self, d: usize) -> u32 {
        match self {
            // What 16, 8 or 4 tokens a thread leave of its registers.
            Scores if d <= 4 => 16 * LANES,
            Scores if d <= 8 => 8 * LANES,
            Scores if d <= NARROW_SCORES => 4 * LANES,
            Scores | Widths | SearchStep | SearchMembers | Number | MergeStarts | MergeKeys | MergeOwners => LANES,
            SortCounts | SortScatter => RUN,
            ScanCounts => BLOCK,
            Moves if d <= NARROW_SCORES => LANES,
            _ => 1,
        }
    }
}

/// Largest d whose 32 partial sums fit 4 KiB of workgroup memory.
fn narrow_sums(precision: Precision) -> usize {
    match precision {
        Precision::F32 => 16,
        Precision::F64 => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::arithmetic::{MULTIPLY_ADD, PROBE};
    use crate::gpu::twins::functions;

    /// A shader that does not parse or validate would only be seen on a machine with a GPU.
    #[test]
    fn every_variant_validates() {
        use naga::valid::{Capabilities, ValidationFlags, Validator};
        let mut sources = vec![("probe", PROBE.to_owned()), ("multiply_add", MULTIPLY_ADD.to_owned())];
        for precision in [Precision::F32, Precision::F64] {
            for d in [1, 2, 3, 8, 9, 16, 17, 64, 65, 1024, 16384] {
                sources.extend(Kernel::ALL.iter().map(|kernel| (kernel.entry(), kernel.source(precision, d))));
            }
            sources.extend(functions(precision).iter().map(|function| (function.name, function.source(precision))));
        }
        for (name, source) in sources {
            let module = naga::front::wgsl::parse_str(&source)
                .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&source)));
            // No capability beyond the core of WebGPU.
            let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
            assert!(info.is_ok(), "{name}: {}", info.unwrap_err().emit_to_string(&source));
        }
    }

    /// A binding table that disagrees with the shader would be refused by the device.
    #[test]
    fn bindings_agree_with_the_shaders() {
        for kernel in Kernel::ALL {
            let source = kernel.source(Precision::F32, 3);
            for (binding, _, writes) in kernel.slots() {
                let access = if writes { "read_write" } else { "read" };
                let declared = format!("@group(1) @binding({binding}) var<storage, {access}>");
                assert!(source.contains(&declared), "{}: {declared}", kernel.entry());
            }
            // Never more than the 8 storage buffers that every WebGPU adapter has.
            assert!(kernel.slots().len() <= 8);
        }
    }
}
