//! The buffers of a search, and what one packet leaves to the next.

use crate::cpu::aligned::Aligned;
use crate::cpu::exact::step::PreparedStep;
use crate::cpu::exact::sums::Sums;
use crate::cpu::exact::tree::search::group::{Enter, Group, Settled};
use crate::cpu::exact::tree::search::keys::SortedKeys;
use crate::cpu::exact::tree::search::list::Parts;
use crate::cpu::exact::tree::search::scan::{Fan, Origin, Penalties};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{InstructionSet, Vectors};
use crate::space::LEAF;

/// Buffers that a thread keeps from packet to packet.
pub(crate) struct SearchScratch<W: Width> {
    pub(crate) queries: Queries<W>,
    pub(crate) origin: Origins<W>,
    pub(crate) leaf: Leaf<W>,
    pub(crate) listed: ListedKeys<W>,
    pub(crate) winners: Winners<W>,
    pub(crate) scanned: ScannedLeaves<W>,
    /// The boxes from which the packets of a group begin.
    pub(crate) group: Group<W>,
    /// Boxes to be opened, each with a bound on the scores in it.
    pub(crate) open: Vec<(u32, W)>,
    /// Closed boxes that may hold a better key.
    pub(crate) waiting: Vec<u32>,
    /// Closed boxes without which the lanes in their masks cannot be decided.
    pub(crate) needs: Vec<(u32, u64)>,
    /// The lanes among them whose strips lack one.
    pub(crate) lacking: u64,
    /// The lanes that need a closed box and whose maximum is not known.
    pub(crate) maxless: u64,
    /// The threshold of each lane, if it has a wide strip.
    pub(crate) thresholds: Vec<W::Wide>,
    /// Boxes to be decided, each for the lanes in its mask.
    pub(crate) undecided: Vec<(u32, u64)>,
    /// Keys that may attain a maximum, each for the lanes in its mask.
    pub(crate) candidates: Vec<(u32, u64)>,
    pub(crate) sums: Sums<W>,
    pub(crate) penalties: Penalties<W>,
}

/// The queries of a packet's rows, `[coordinate][lane]`.
pub(crate) struct Queries<W: Width> {
    pub(crate) exact: Aligned<W::Int>,
    pub(crate) floats: Aligned<W>,
    /// |q_k|.
    pub(crate) sizes: Aligned<W>,
    /// The box around them.
    pub(crate) fan: Vec<Fan<W>>,
    /// Coordinates of the rows themselves.
    pub(crate) own: Aligned<W::Int>,
}

/// The key that scores are measured from.
pub(crate) struct Origins<W> {
    /// κ.
    pub(crate) slack: W,
    /// The origin's coordinates, once for every key of a leaf.
    pub(crate) repeated: Vec<W>,
    pub(crate) key: u32,
    /// The key for the next packet.
    pub(crate) next: u32,
}

impl<W: Width> Origins<W> {
    pub(crate) fn in_dimension(&self, d: usize) -> Origin<'_, W> {
        Origin { at: &self.repeated[..d], slack: self.slack }
    }
}

/// The keys of a leaf, or of a part of a list.
pub(crate) struct Leaf<W: Width> {
    pub(crate) keys: Vec<u32>,
    /// Their coordinates from the origin, `[key][coordinate]`.
    pub(crate) near: Vec<W>,
    /// Their coordinates on the lattice.
    pub(crate) rows: Vec<W::Int>,
}

/// The keys that a packet takes from the list of its group.
pub(crate) struct ListedKeys<W: Width> {
    pub(crate) parts: Parts<W>,
    /// True if the packet takes its keys from there.
    pub(crate) in_use: bool,
    /// Listed keys that are in the strip of every row.
    pub(crate) settled: Settled<W>,
}

/// Keys near the maxima of the packet before.
pub(crate) struct Winners<W> {
    pub(crate) keys: Vec<u32>,
    /// The box around them.
    pub(crate) around: Vec<W>,
}

/// Leaves that the first pass has scanned.
pub(crate) struct ScannedLeaves<W> {
    pub(crate) leaves: Vec<u32>,
    /// The most that each may hold, `[leaf][lane]`.
    pub(crate) most: Vec<W>,
}

impl<W: Width> SearchScratch<W> {
    pub(crate) fn new(d: usize, lanes: usize) -> Self {
        let slack = W::nearest(1.01 * (d + 8) as f64 * W::ROUNDING);
        Self {
            queries: Queries {
                exact: Aligned::new(d * lanes),
                floats: Aligned::new(d * lanes),
                sizes: Aligned::new(d * lanes),
                fan: vec![[W::default(); 3]; d],
                own: Aligned::new(d * lanes),
            },
            origin: Origins { slack, repeated: vec![W::default(); LEAF * d], key: 0, next: 0 },
            leaf: Leaf { keys: Vec::new(), near: vec![W::default(); LEAF * d], rows: Vec::new() },
            listed: ListedKeys { parts: Parts::new(d), in_use: false, settled: Settled::none(d) },
            winners: Winners { keys: Vec::new(), around: vec![W::default(); 2 * d] },
            scanned: ScannedLeaves { leaves: Vec::new(), most: Vec::new() },
            group: Group::root(d),
            open: Vec::new(),
            waiting: Vec::new(),
            needs: Vec::new(),
            lacking: 0,
            maxless: 0,
            thresholds: vec![W::SMALLEST; lanes],
            undecided: Vec::new(),
            candidates: Vec::new(),
            sums: Sums::new(d, lanes),
            penalties: Penalties::new(lanes),
        }
    }

    /// Forgets what packets so far have left, and begins near some key: what a group of rows costs
    /// must not depend on the rows that its thread had before.
    pub(crate) fn begin(&mut self, near: u32) {
        self.origin.next = near;
        self.winners.keys.clear();
    }

    /// Has packets begin with the boxes below a node, whatever their rows.
    pub(crate) fn begin_below(&mut self, node: u32) {
        self.begin(0);
        self.group.begin_below(node);
    }

    /// Prepares for packets of rows among the keys below a node, which is a group's or that of a
    /// part of the group at hand. Returns the bounds computed for it.
    pub(crate) fn enter(
        &mut self,
        set: InstructionSet,
        keys: &SortedKeys<'_, W>,
        plan: &PreparedStep<'_, W>,
        node: usize,
        level: usize,
    ) -> u64 {
        let (near, slack) = (self.origin.next, self.origin.slack);
        let enter = Enter { group: &mut self.group, keys, plan, node, level, near, slack };
        if let Some(origin) = <W as Vectors>::run(set, enter) {
            self.origin.next = origin;
            if self.winners.keys.is_empty() {
                self.winners.keys.push(origin);
            }
        }
        self.group.take_bounds()
    }
}
