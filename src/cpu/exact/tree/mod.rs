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

mod groups;
pub(crate) mod opened;
pub(crate) mod search;
mod some;
pub(crate) mod tokens;

use rayon::prelude::*;

use crate::cpu::exact::cloud::{BLOCK, Cloud};
use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::direction::classes::{self, Classes, Tokens};
use crate::cpu::exact::direction::near;
use crate::cpu::exact::step::{Left, PreparedStep, Tally, Watch};
use crate::cpu::exact::tree::search::group::ROWS;
use crate::cpu::exact::tree::search::keys::SortedKeys;
use crate::cpu::exact::tree::search::scratch::SearchScratch;
use crate::cpu::exact::tree::search::spare::{Lent, Spare};
use crate::cpu::exact::tree::tokens::Places;
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::InstructionSet;
use crate::cpu::share::{Rows, Share};
use crate::exact::Step;
use crate::model::Mask;
use crate::outcome::{StepReport, Strips};
use crate::space::{Keys, LEAF, Order, SortSchedule, Tree, Upkeep};

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
    /// Whether keys are in order. Those of classes of width need none.
    is_ordered: bool,
    /// Whether floats and boxes are those of the keys where they are.
    is_fitted: bool,
    /// Whether rows of thin strips are left to classes of width.
    has_classes: bool,
    /// The keys of the classes of the last step, if it had any.
    candidates: Option<Vec<u32>>,
}

/// Bytes of n tokens in R^d beside three arrays of their coordinates, a coordinate of this many
/// bytes.
pub(crate) fn memory(n: u64, d: u64, bytes: u64) -> u64 {
    let nodes = 2 * n.div_ceil(LEAF as u64).next_power_of_two();
    // Keys, tokens and boxes; and while keys are sorted a code, a copy of it and a copy of the
    // rows.
    24 * n + nodes * (6 * d * bytes + 12) + n * (32 + d * bytes)
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
        // Buffers are made for the keys that are left when the sort is done with its own.
        let mut state = Self::without_room(tokens, d, set, order, upkeep);
        state.sort_again(mask);
        state
    }

    /// The same, with keys as they come until a search needs their order.
    pub(crate) fn unordered(tokens: Vec<W::Int>, d: usize, set: InstructionSet, order: Order, upkeep: Upkeep) -> Self {
        let mut state = Self::without_room(tokens, d, set, order, upkeep);
        state.make_room();
        state
    }

    /// The keys as they come, and no buffers.
    fn without_room(tokens: Vec<W::Int>, d: usize, set: InstructionSet, order: Order, upkeep: Upkeep) -> Self {
        let n = tokens.len() / d;
        let identity = || (0..n as u32).collect();
        let Keys { rows, weight, first } = Keys::of_tokens(tokens, d);
        let prices = Prices::of_search::<W>(d, set);
        Self {
            n,
            set,
            order,
            upkeep,
            cloud: Cloud { n, d, x: rows, floats: Vec::new(), largest: Vec::new(), twins: Vec::new() },
            weight,
            first,
            tree: Tree::default(),
            places: Places { token: identity(), key: identity() },
            next: Vec::new(),
            argmax: Vec::new(),
            count: Vec::new(),
            prices,
            schedule: SortSchedule::new(upkeep.sort_every, prices.sorted * n as f64, true),
            scratches: Spare::none(),
            is_ordered: false,
            is_fitted: false,
            has_classes: false,
            candidates: None,
        }
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
        self.candidates = None;
        let d = self.cloud.d;
        let (mut keys, moved) = keys.ordered(d, self.order, self.upkeep.merge && mask == Mask::FULL);
        self.places.follow(&moved, keys.len());
        drop(moved);
        self.tree = Tree::default(); // frees the old one first
        self.tree = Tree::new(&keys, d);
        self.cloud.n = keys.len();
        self.cloud.x = std::mem::take(&mut keys.rows);
        (self.weight, self.first) = (keys.weight, keys.first);
        self.make_room();
        self.is_ordered = true;
        self.refit();
    }

    /// Gives every buffer the size of the keys.
    fn make_room(&mut self) {
        let (keys, padded) = (self.cloud.n, self.cloud.n.next_multiple_of(BLOCK) * self.cloud.d);
        self.cloud.x.resize(padded, W::Int::default());
        self.next.resize(padded, W::Int::default());
        for results in [&mut self.argmax, &mut self.count] {
            results.resize(keys, 0);
        }
    }

    /// Computes floats and boxes of keys that moved.
    fn refit(&mut self) {
        self.is_fitted = true;
        self.cloud.floats.resize(self.cloud.x.len(), W::default());
        self.cloud.refloat();
        self.tree.refit(&self.cloud.x, &self.weight, W::ROUNDING);
    }

    /// Whether classes of width may take rows of a step.
    fn tries_classes(&self, step: &Step) -> bool {
        self.has_classes && classes::serves(step, self.cloud.d)
    }

    /// Sorts if that is due, or if keys are merged that see different keys.
    fn prepare(&mut self, step: &Step) {
        let mask = step.mask;
        let merged = self.cloud.n < self.n;
        if mask == Mask::CAUSAL && merged {
            let tokens = self.tokens();
            let identity = || (0..self.n as u32).collect();
            self.places = Places { token: identity(), key: identity() };
            self.sort(Keys::of_tokens(tokens, self.cloud.d), mask);
        } else if self.tries_classes(step) && (!self.is_ordered || self.had_classes()) {
            if self.schedule.is_dear() {
                self.sort_again(mask);
            }
        } else if !self.is_ordered || self.schedule.is_due() || (self.order == Order::Norm && self.schedule.since() > 0)
        {
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
        if self.schedule.since() == 0 && self.is_ordered {
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
            touched: None,
            seeds: 0..0,
            order: self.order,
            weighted: self.cloud.n < self.n,
        }
    }

    /// Buffers for a thread's packets, which begin with a group.
    fn scratch(&self) -> Lent<'_, SearchScratch<W>> {
        self.scratches.take(|| SearchScratch::new(self.cloud.d, self.lanes()))
    }

    /// Lets rows of thin strips be left to classes of width, or not.
    pub(crate) fn set_classes(&mut self, has_classes: bool) {
        self.has_classes = has_classes;
    }

    /// Whether classes took rows of the last step.
    pub(crate) fn had_classes(&self) -> bool {
        self.candidates.is_some()
    }

    /// Moves the rows of classes of width, if there are any, and rows near the origin, if that is cheap; leaves a count
    /// of 0 to the others. Returns the keys of the classes, too.
    fn take_thin<const D: usize>(
        &self,
        plan: &PreparedStep<'_, W>,
        (next, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
        watch: &Watch<'_>,
    ) -> Option<(Tally, Vec<u32>)> {
        let x = &self.cloud.x[..self.cloud.n * D];
        let weight = if self.cloud.n < self.n { &self.weight[..] } else { &[] };
        let tokens = Tokens { x, weight, first: &self.first };
        let before = self.candidates.as_deref().unwrap_or_default();
        let classes = Classes::<D>::new(self.set, &tokens, plan, before)?;
        let mut tally = classes.take(self.set, &tokens, plan, (next, argmax, count), (self.prices, watch));
        if (tally.rows as usize) < self.cloud.n && self.cloud.n == self.n {
            let (moves, ordering) = ((next, argmax, count), if self.is_ordered { 0.0 } else { self.sort_cost() });
            let near = near::take(self.set, (&classes, &tokens), plan, moves, (self.prices, ordering, watch));
            tally = tally + near.unwrap_or_default();
        }
        Some((tally, classes.into_candidates()))
    }

    /// Takes a step, of which this rank computes its share, unless it is interrupted or comes to cost more
    /// than `limit` even with keys that were just sorted.
    pub(crate) fn step(&mut self, step: &Step, share: &Share, limit: Option<f64>) -> Result<(StepReport, Tally), Left> {
        self.prepare(step);
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
        let (keys, d) = (self.cloud.n, self.cloud.d);
        let (mut next, mut argmax, mut count) =
            (std::mem::take(&mut self.next), std::mem::take(&mut self.argmax), std::mem::take(&mut self.count));
        let plan = &PreparedStep::new(step);
        let thin = if self.tries_classes(step) {
            let moves = (&mut next[..keys * d], &mut argmax[..], &mut count[..]);
            if d == 2 { self.take_thin::<2>(plan, moves, watch) } else { self.take_thin::<3>(plan, moves, watch) }
        } else {
            None
        };
        let has_thin = thin.is_some();
        let (first, candidates) = thin.map_or((Tally::default(), None), |(tally, keys)| (tally, Some(keys)));
        let is_searched = (first.rows as usize) < keys;
        let is_stale = !has_thin && self.had_classes() && self.schedule.since() > 0;
        if is_searched && (is_stale || !self.is_ordered) {
            (self.next, self.argmax, self.count) = (next, argmax, count);
            watch.end()?;
            self.sort_again(step.mask);
            return self.search(step, share, watch);
        }
        if is_searched && !self.is_fitted {
            self.refit();
        }
        let sorted = &self.sorted_keys();
        let moves = (&mut next[..keys * d], &mut argmax[..], &mut count[..]);
        let searched = is_searched.then(|| self.search_in_groups(sorted, plan, moves, has_thin, (share, watch)));
        let rows = Rows { chunk: ROWS[0], d, x: &mut next[..keys * d], argmax: &mut argmax, count: &mut count };
        let tally = watch.gather(share, first + searched.unwrap_or_default(), rows);
        (self.next, self.argmax, self.count) = (next, argmax, count);
        let tally = tally?;
        self.candidates = candidates;
        let report = self.report(step.t, &tally);
        if tally.moved > 0 {
            std::mem::swap(&mut self.cloud.x, &mut self.next);
            self.is_fitted = false;
            if is_searched {
                self.refit();
            }
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

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.n, self.cloud.d)
    }
}
