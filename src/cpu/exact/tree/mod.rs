//! The state as keys in order: coincident tokens once, with a weight, searched by
//! [`crate::cpu::exact::tree::search`].
//!
//! A step moves keys, not tokens; the place of a token is looked up when asked for. Keys keep their
//! order from step to step while boxes are fitted anew; sorting and merging happen when they pay
//! ([`SortSchedule`]). A step that turns out many times dearer than the one before is left, and
//! taken again with sorted keys: tokens have met, and each is then decided exactly against all that
//! it has met. An order by norms, where one step undoes everything, is made anew every step.
//!
//! Under a causal mask coincident tokens see different keys, so nothing is merged there; boxes then
//! carry the range of token indices below them.

pub(crate) mod search;
mod tokens;

use rayon::prelude::*;

use crate::cpu::exact::cloud::{BLOCK, Cloud};
use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::step::{Left, PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::tree::search::group::ROWS;
use crate::cpu::exact::tree::search::keys::SortedKeys;
use crate::cpu::exact::tree::search::scratch::SearchScratch;
use crate::cpu::exact::tree::search::spare::{Lent, Spare};
use crate::cpu::exact::tree::search::{Row, Search};
use crate::cpu::exact::tree::tokens::KeyTokens;
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{InstructionSet, Vectors};
use crate::cpu::share::{Rows, Share};
use crate::exact::{Step, StripWidth};
use crate::interrupt::Interrupt;
use crate::model::Mask;
use crate::outcome::{StepReport, Strips};
use crate::space::{Keys, LEAF, Order, SortSchedule, Tree, Upkeep};

/// The most groups that a thread takes at once: some take a hundred times as long as others.
const MOST_GROUPS: usize = 16;

/// The tokens as keys in order.
pub(crate) struct TreeSearch<W: Width> {
    n: usize,
    set: InstructionSet,
    order: Order,
    upkeep: Upkeep,
    cloud: Cloud<W>,
    weight: Vec<u32>,
    first: Vec<u32>,
    tree: Tree<W::Int>,
    places: Places,
    /// X(t+1) in the making.
    next: Vec<W::Int>,
    /// Argmax and strip size of every key in the last step.
    argmax: Vec<u32>,
    count: Vec<u32>,
    prices: Prices,
    schedule: SortSchedule,
    scratches: Spare<SearchScratch<W>>,
}

/// Bytes of n tokens in R^d beside three arrays of their coordinates, a coordinate of this many
/// bytes.
pub(crate) fn memory(n: u64, d: u64, bytes: u64) -> u64 {
    let nodes = 2 * n.div_ceil(LEAF as u64).next_power_of_two();
    // Keys, tokens and boxes; and while keys are sorted a code, a copy of it and a copy of the
    // rows.
    24 * n + nodes * (6 * d * bytes + 12) + n * (32 + d * bytes)
}

/// The place of each token's key, in two hops, so that a sort of few keys touches few numbers.
struct Places {
    token: Vec<u32>,
    key: Vec<u32>,
}

impl Places {
    fn of(&self, token: usize) -> usize {
        self.key[self.token[token] as usize] as usize
    }

    fn follow(&mut self, moved: &[u32], keys: usize) {
        self.key.par_iter_mut().with_min_len(4096).for_each(|key| *key = moved[*key as usize]);
        if keys < self.key.len() / 2 {
            let Self { token, key } = self;
            token.par_iter_mut().with_min_len(4096).for_each(|place| *place = key[*place as usize]);
            *key = (0..keys as u32).collect();
        }
    }
}

impl<W: Width> TreeSearch<W> {
    /// Builds the state from every token's coordinates, row-major.
    pub(crate) fn new(
        tokens: Vec<W::Int>,
        d: usize,
        set: InstructionSet,
        order: Order,
        upkeep: Upkeep,
        mask: Mask,
    ) -> Self {
        let n = tokens.len() / d;
        let identity = || (0..n as u32).collect();
        let mut state = Self {
            n,
            set,
            order,
            upkeep,
            cloud: Cloud { n: 0, d, x: Vec::new(), floats: Vec::new(), largest: Vec::new(), twins: Vec::new() },
            weight: Vec::new(),
            first: Vec::new(),
            tree: Tree::default(),
            places: Places { token: identity(), key: identity() },
            next: Vec::new(),
            argmax: Vec::new(),
            count: Vec::new(),
            prices: Prices::of_search::<W>(d, set),
            schedule: SortSchedule::new(upkeep.sort_every, 0.0, true),
            scratches: Spare::none(),
        };
        state.sort(Keys::of_tokens(tokens, d), mask);
        state
    }

    /// Every token's coordinates, row-major.
    pub(crate) fn tokens(&self) -> Vec<W::Int> {
        let mut all = vec![W::Int::default(); self.n * self.cloud.d];
        all.par_chunks_mut(self.cloud.d).with_min_len(1024).enumerate().for_each(|(i, row)| {
            row.copy_from_slice(self.token(i));
        });
        all
    }

    /// A token's coordinates.
    pub(crate) fn token(&self, i: usize) -> &[W::Int] {
        self.cloud.row(self.places.of(i))
    }

    /// Takes the tokens out and empties the buffers.
    pub(crate) fn take_tokens(&mut self) -> Vec<W::Int> {
        let all = self.tokens();
        (self.cloud.x, self.cloud.floats, self.next) = (Vec::new(), Vec::new(), Vec::new());
        self.tree = Tree::default();
        all
    }

    /// The number of keys: of distinct tokens, as far as they have been merged.
    pub(crate) fn keys(&self) -> usize {
        self.cloud.n
    }

    pub(crate) fn cloud(&self) -> &Cloud<W> {
        &self.cloud
    }

    fn lanes(&self) -> usize {
        self.set.packet_rows(W::PRECISION)
    }

    /// Puts keys in order and rebuilds the tree and the buffers.
    fn sort(&mut self, keys: Keys<W::Int>, mask: Mask) {
        self.schedule.note_sort(self.prices.sorted * keys.len() as f64, true);
        let d = self.cloud.d;
        let (mut keys, moved) = keys.ordered(d, self.order, self.upkeep.merge && mask == Mask::Full);
        self.places.follow(&moved, keys.len());
        drop(moved);
        self.tree = Tree::default(); // frees the old one first
        self.tree = Tree::new(&keys, d);
        let padded = keys.len().next_multiple_of(BLOCK) * d;
        self.cloud.n = keys.len();
        self.cloud.x = std::mem::take(&mut keys.rows);
        self.cloud.x.resize(padded, W::Int::default());
        self.cloud.floats.resize(padded, W::default());
        self.cloud.floats.truncate(padded);
        self.next.resize(padded, W::Int::default());
        self.next.truncate(padded);
        for results in [&mut self.argmax, &mut self.count] {
            results.resize(keys.len(), 0);
            results.truncate(keys.len());
        }
        (self.weight, self.first) = (keys.weight, keys.first);
        self.refit();
    }

    /// Computes floats and boxes of keys that moved.
    fn refit(&mut self) {
        self.cloud.refloat();
        self.tree.refit(&self.cloud.x, &self.weight, W::ROUNDING);
    }

    /// Sorts if that is due, or if keys are merged that see different keys.
    fn prepare(&mut self, mask: Mask) {
        let merged = self.cloud.n < self.n;
        if mask == Mask::Causal && merged {
            let tokens = self.tokens();
            let identity = || (0..self.n as u32).collect();
            self.places = Places { token: identity(), key: identity() };
            self.sort(Keys::of_tokens(tokens, self.cloud.d), mask);
        } else if self.schedule.is_due() || (self.order == Order::Norm && self.schedule.since() > 0) {
            self.sort_again(mask);
        }
    }

    /// Sorts the keys, and merges those that have met.
    fn sort_again(&mut self, mask: Mask) {
        let mut rows = std::mem::take(&mut self.cloud.x);
        rows.truncate(self.cloud.n * self.cloud.d);
        let keys = Keys { rows, weight: std::mem::take(&mut self.weight), first: std::mem::take(&mut self.first) };
        self.sort(keys, mask);
    }

    /// Sorts unless that was just done. Returns what it cost.
    pub(crate) fn refresh(&mut self, mask: Mask) -> f64 {
        if self.schedule.since() == 0 {
            return 0.0;
        }
        let cost = self.sort_cost();
        self.sort_again(mask);
        cost
    }

    /// The cost of a sort.
    pub(crate) fn sort_cost(&self) -> f64 {
        self.prices.sorted * self.keys() as f64
    }

    fn sorted_keys(&self) -> SortedKeys<'_, W> {
        SortedKeys {
            cloud: &self.cloud,
            weight: &self.weight,
            first: &self.first,
            first_key: self.places.of(0) as u32,
            tree: &self.tree,
            order: self.order,
            weighted: self.cloud.n < self.n,
        }
    }

    /// Buffers for a thread's packets, which begin with a group.
    fn scratch(&self) -> Lent<'_, SearchScratch<W>> {
        self.scratches.take(|| SearchScratch::new(self.cloud.d, self.lanes()))
    }

    /// The node above all keys of the group, or part of a group, that begins with a row.
    fn node_of(&self, row: usize, level: usize) -> usize {
        (self.tree.first_leaf() + row / LEAF) >> (ROWS[level] / LEAF).ilog2().min(self.tree.first_leaf().ilog2())
    }

    /// Prepares for the packets from this row on, if a group or a part of one begins there. Returns
    /// the bounds computed for it.
    fn enter(
        &self,
        scratch: &mut SearchScratch<W>,
        sorted: &SortedKeys<'_, W>,
        plan: &PreparedStep<'_, W>,
        row: usize,
    ) -> u64 {
        if row.is_multiple_of(ROWS[0]) {
            scratch.begin(row as u32);
        }
        let levels = ROWS.iter().enumerate().filter(|(_, rows)| row.is_multiple_of(**rows));
        levels.map(|(level, _)| scratch.enter(self.set, sorted, plan, self.node_of(row, level), level)).sum()
    }

    /// Lists the rows of the keys from `base` on, by the number of tokens that they see.
    fn rows(&self, mask: Mask, base: usize, count: usize, into: &mut Vec<Row>) {
        into.clear();
        into.extend((0..count).map(|place| {
            let key = base + place;
            let visible = mask.visible(self.first[key] as usize, self.n) as u32;
            Row { key: key as u32, visible, place: place as u32 }
        }));
        if mask == Mask::Causal {
            into.sort_by_key(|row| row.visible);
        }
    }

    /// Takes a step, of which this rank computes its share, unless it is interrupted or comes to cost more
    /// than `limit` even with keys that were just sorted.
    pub(crate) fn step(&mut self, step: &Step, share: &Share, limit: Option<f64>) -> Result<(StepReport, Tally), Left> {
        self.prepare(step.mask);
        let patience = self.schedule.patience();
        match self.search(step, share, &Watch::new(&share.interrupt, patience.or(limit))) {
            Err(Left::Dear) if patience.is_some() => {
                self.sort_again(step.mask);
                self.search(step, share, &Watch::new(&share.interrupt, limit))
            }
            taken => taken,
        }
    }

    fn search(&mut self, step: &Step, share: &Share, watch: &Watch<'_>) -> Result<(StepReport, Tally), Left> {
        let (keys, d, lanes) = (self.cloud.n, self.cloud.d, self.lanes());
        let (mut next, mut argmax, mut count) =
            (std::mem::take(&mut self.next), std::mem::take(&mut self.argmax), std::mem::take(&mut self.count));
        let (sorted, plan) = (&self.sorted_keys(), &PreparedStep::new(step));
        let groups = next[..keys * d]
            .par_chunks_mut(ROWS[0] * d)
            .zip(argmax.par_chunks_mut(ROWS[0]))
            .zip(count.par_chunks_mut(ROWS[0]))
            .enumerate()
            .with_max_len(MOST_GROUPS);
        let tally = groups
            .map_init(
                || (self.scratch(), Vec::with_capacity(lanes)),
                |(scratch, rows), (group, ((x, argmax), count))| {
                    if !share.has(group) {
                        return Tally::default();
                    }
                    let packets = x.chunks_mut(lanes * d).zip(argmax.chunks_mut(lanes)).zip(count.chunks_mut(lanes));
                    let (mut tally, mut spent) = (Tally::default(), 0);
                    for (packet, ((x, argmax), count)) in packets.enumerate() {
                        if watch.is_left() {
                            break;
                        }
                        let base = group * ROWS[0] + packet * lanes;
                        let shared = self.enter(scratch, sorted, plan, base);
                        self.rows(step.mask, base, count.len(), rows);
                        let purpose = Purpose::Move { x, argmax, count };
                        let search = Search { keys: sorted, plan, scratch, rows, purpose, watch };
                        tally = tally + Tally { shared, ..<W as Vectors>::run(self.set, search) };
                        let cost = self.prices.of(&tally);
                        if cost - spent > watch.grain() {
                            watch.spend(cost - spent);
                            spent = cost;
                        }
                    }
                    watch.spend(self.prices.of(&tally) - spent);
                    tally
                },
            )
            .reduce(Tally::default, |a, b| a + b);
        let rows = Rows { chunk: ROWS[0], d, x: &mut next[..keys * d], argmax: &mut argmax, count: &mut count };
        let tally = watch.gather(share, tally, rows);
        (self.next, self.argmax, self.count) = (next, argmax, count);
        let tally = tally?;
        let report = self.report(step.t, &tally);
        if tally.moved > 0 {
            std::mem::swap(&mut self.cloud.x, &mut self.next);
            self.refit();
            self.schedule.note_step();
            self.schedule.learn(self.prices.of(&tally) as f64);
        }
        Ok((report, tally))
    }

    fn report(&self, t: u64, tally: &Tally) -> StepReport {
        let chunks = self.count.par_chunks(1 << 14).zip(self.weight.par_chunks(1 << 14));
        let (strip_min, strip_max, strip_total) = chunks
            .map(|(counts, weights)| {
                let total =
                    counts.iter().zip(weights).map(|(&count, &weight)| u64::from(count) * u64::from(weight)).sum();
                let extreme = |of: Option<&u32>| of.copied().unwrap_or_default();
                (extreme(counts.iter().min()), extreme(counts.iter().max()), total)
            })
            .reduce(|| (u32::MAX, 0, 0u64), |a, b| (a.0.min(b.0), a.1.max(b.1), a.2 + b.2));
        StepReport { t, moved: tally.moved, strip_min, strip_max, strip_total, redone: tally.redone }
    }

    /// Argmax and strip size of every token in the last step.
    pub(crate) fn strips(&self) -> Strips {
        let of = |values: &[u32]| (0..self.n).into_par_iter().map(|i| values[self.places.of(i)]).collect();
        Strips { argmax: of(&self.argmax), count: of(&self.count) }
    }

    pub(crate) fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        let (sorted, plan, d, lanes) = (&self.sorted_keys(), &PreparedStep::new(step), self.cloud.d, self.lanes());
        let never = Interrupt::default();
        let watch = &Watch::new(&never, None);
        let mut asked: Vec<(Row, usize)> = rows
            .iter()
            .enumerate()
            .map(|(at, &i)| {
                let visible = step.mask.visible(i, self.n) as u32;
                (Row { key: self.places.of(i) as u32, visible, place: 0 }, at)
            })
            .collect();
        asked.sort_by_key(|(row, _)| row.visible);
        let tokens = KeyTokens::of(&self.weight, self.n, |i| self.places.of(i));
        let packets = asked.par_chunks(lanes).map_init(
            || SearchScratch::new(d, lanes), // asks from the root, which kept buffers have left
            |scratch, asked| {
                let rows: Vec<Row> = asked.iter().map(|(row, _)| *row).collect();
                let mut members = vec![Vec::new(); rows.len()];
                let purpose = Purpose::Members(&mut members);
                <W as Vectors>::run(self.set, Search { keys: sorted, plan, scratch, rows: &rows, purpose, watch });
                let masks = members.iter().zip(&rows).map(|(keys, row)| match step.width {
                    StripWidth::Argmax => keys.iter().map(|&key| self.first[key as usize]).collect(),
                    _ => tokens.below(keys, row.visible),
                });
                masks.zip(asked).map(|(mask, (_, at))| (*at, mask)).collect::<Vec<_>>()
            },
        );
        let mut masks = vec![Vec::new(); rows.len()];
        for (at, mask) in packets.flatten_iter().collect::<Vec<_>>() {
            masks[at] = mask;
        }
        masks
    }

    /// The cost of a step, estimated from `runs` runs of neighbouring packets; and that of the runs.
    pub(crate) fn estimate(&self, step: &Step, runs: usize, interrupt: &Interrupt) -> [f64; 2] {
        /// Packets in a run.
        const RUN: usize = 4;
        let (sorted, plan, lanes) = (&self.sorted_keys(), &PreparedStep::new(step), self.lanes());
        let (all, watch) = (self.cloud.n.div_ceil(lanes), &Watch::new(interrupt, None));
        let runs = runs.min(all);
        let tallies = (0..runs).into_par_iter().map_init(
            || (self.scratch(), Vec::with_capacity(lanes)),
            |(scratch, rows), run| {
                let first = run * all / runs / RUN * RUN;
                let last = (first + RUN).min(all);
                let (mut tally, mut shared) = (Tally::default(), 0.0);
                scratch.begin((first * lanes) as u32);
                for packet in first..last {
                    let base = packet * lanes;
                    for (level, &of) in ROWS.iter().enumerate() {
                        if packet == first || base.is_multiple_of(of) {
                            let bounds = scratch.enter(self.set, sorted, plan, self.node_of(base, level), level);
                            shared += bounds as f64 * ((last - first) * lanes).min(of) as f64 / of as f64;
                        }
                    }
                    self.rows(step.mask, base, lanes.min(self.cloud.n - base), rows);
                    let search = Search { keys: sorted, plan, scratch, rows, purpose: Purpose::Trial, watch };
                    tally = tally + <W as Vectors>::run(self.set, search);
                }
                Tally { shared: shared as u64, ..tally }
            },
        );
        let tally = tallies.reduce(Tally::default, |a, b| a + b);
        let cost = self.prices.of(&tally) as f64;
        [cost * self.cloud.n as f64 / tally.rows.max(1) as f64, cost]
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.n, self.cloud.d)
    }
}
