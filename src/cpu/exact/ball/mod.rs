//! Rules whose scores are distances: a token's maximum is its own score, 0, so that its strip is the ball of
//! keys whose square distance is at most D, of every token or its own.
//!
//! The state is keys, coincident tokens once with a weight, in one of three ways:
//!
//! * **pairs**: as they come, every key against every row ([`packet`]);
//! * **tree**: in space under boxes, most of which are wholly outside the balls of a packet, or wholly inside;
//! * **line** ([`line`]), in R^1: ascending, and sums over intervals from two sums each.
//!
//! Keys of a tree or a line are put in order and merged before every step in which they moved: tokens of one
//! group meet at once where γ = 1. Under a causal mask coincident tokens see different keys and are not
//! merged, and neither are tokens with a radius or a gain of their own, which part again. In a window rows are compared pair by pair, with keys in the order of tokens.

pub(crate) mod line;
pub(crate) mod packet;
mod radii;

use std::collections::{HashMap, VecDeque};

use rayon::prelude::*;

use crate::choice;
use crate::cpu::exact::ball::line::{CHUNK, Line};
use crate::cpu::exact::ball::packet::{BallPacket, BallScratch, Keys, Row};
use crate::cpu::exact::ball::radii::{Balls, square_radius};
use crate::cpu::exact::cloud::{BLOCK, Cloud};
use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::step::{Left, Tally, Watch};
use crate::cpu::exact::tree::tokens::Places;
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{InstructionSet, Vectors};
use crate::cpu::share::{Rows, Share};
use crate::exact::Step;
use crate::model::Mask;
use crate::outcome::{StepReport, Strips};
use crate::space::{Keys as Ordered, Order, Tree};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Pairs,
    Tree,
    Line,
}

/// The tokens as keys, and the strips of the last step.
pub(crate) struct BallSearch<W: Width> {
    n: usize,
    set: InstructionSet,
    asked: choice::Plan,
    way: Way,
    cloud: Cloud<W>,
    weight: Vec<u32>,
    first: Vec<u32>,
    tree: Tree<W::Int>,
    places: Places,
    /// X(t+1) in the making.
    next: Vec<W::Int>,
    argmax: Vec<u32>,
    count: Vec<u32>,
    /// The mask for which the keys are in the order of their way, and whether that merges them, until they move.
    ready: Option<(Mask, bool)>,
}

impl<W: Width> BallSearch<W> {
    /// Builds the state from every token's coordinates, row-major.
    pub(crate) fn new(tokens: Vec<W::Int>, d: usize, set: InstructionSet, asked: choice::Plan) -> Self {
        let n = tokens.len() / d;
        let Ordered { rows, weight, first } = Ordered::of_tokens(tokens, d);
        let identity = || (0..n as u32).collect();
        Self {
            n,
            set,
            asked,
            way: Way::Pairs,
            cloud: Cloud { n, d, x: rows, floats: Vec::new(), largest: Vec::new(), twins: Vec::new() },
            weight,
            first,
            tree: Tree::default(),
            places: Places { token: identity(), key: identity() },
            next: Vec::new(),
            argmax: vec![0; n],
            count: vec![0; n],
            ready: None,
        }
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.n, self.cloud.d)
    }

    /// The number of keys.
    pub(crate) fn keys(&self) -> usize {
        self.cloud.n
    }

    pub(crate) fn plan(&self) -> choice::Plan {
        if self.way == Way::Pairs { choice::Plan::Brute } else { choice::Plan::Tree }
    }

    /// A token's coordinates.
    pub(crate) fn token(&self, i: usize) -> &[W::Int] {
        self.cloud.row(self.places.of(i))
    }

    /// Takes the tokens out and empties the buffers.
    pub(crate) fn take_tokens(&mut self) -> Vec<W::Int> {
        let tokens = (0..self.n).flat_map(|i| self.token(i).iter().copied()).collect();
        *self = Self::new(Vec::new(), self.cloud.d, self.set, self.asked);
        tokens
    }

    /// The way of a step: of all pairs where they cost less than to put keys in order.
    fn choose(&self, mask: Mask) -> Way {
        let d = self.cloud.d;
        let pairs = || {
            let keys = self.keys();
            let compared = Prices::of_pairs::<W>(d, self.set).of_scores((keys as u64).saturating_mul(keys as u64));
            compared < Prices::of_search::<W>(d, self.set).sorted * keys as f64
        };
        match self.asked {
            asked if asked == choice::Plan::Brute || !mask.is_prefix() => Way::Pairs,
            _ if d == 1 && mask == Mask::FULL => Way::Line,
            choice::Plan::Auto if pairs() => Way::Pairs,
            _ => Way::Tree,
        }
    }

    /// Puts the keys in the order of a step's way, if they are not.
    fn prepare(&mut self, step: &Step) {
        let mask = step.mask;
        let merges = mask == Mask::FULL && !step.own.as_ref().is_some_and(|own| own.parts());
        if self.ready == Some((mask, merges)) {
            return;
        }
        let d = self.cloud.d;
        // Pairs of ranges are of keys in the order of their tokens.
        let is_moved = !mask.is_prefix() && self.way != Way::Pairs;
        if !merges && (self.keys() < self.n || is_moved) {
            let tokens = self.take_tokens();
            *self = Self::new(tokens, d, self.set, self.asked);
        }
        self.way = self.choose(mask);
        self.cloud.x.truncate(self.cloud.n * d);
        match self.way {
            Way::Line => {
                if let Some(keys) = line::in_order(&self.cloud.x, &self.weight, &self.first, merges) {
                    self.places.follow(&keys.places, keys.x.len());
                    (self.cloud.x, self.weight, self.first) = (keys.x, keys.weight, keys.first);
                }
            }
            Way::Tree => {
                let [weight, first] = [&mut self.weight, &mut self.first].map(std::mem::take);
                let keys = Ordered { rows: std::mem::take(&mut self.cloud.x), weight, first };
                let (keys, places) = keys.ordered(d, Order::Space, merges);
                self.places.follow(&places, keys.len());
                self.tree = Tree::new(&keys, d);
                (self.cloud.x, self.weight, self.first) = (keys.rows, keys.weight, keys.first);
                self.tree.refit(&self.cloud.x, &self.weight, W::ROUNDING);
            }
            Way::Pairs => {}
        }
        self.cloud.n = self.weight.len();
        let padded = self.cloud.n.next_multiple_of(BLOCK) * d;
        if self.way != Way::Line {
            self.cloud.x.resize(padded, W::Int::default());
            self.cloud.floats.resize(padded, W::default());
            self.cloud.refloat();
        }
        self.next.resize(padded, W::Int::default());
        self.count.resize(self.cloud.n, 0);
        self.argmax.clone_from(&self.first);
        if self.way == Way::Pairs || !merges {
            self.find_lowest(mask);
        }
        self.ready = Some((mask, merges));
    }

    /// Makes the argmax of every key the least index of a token at its place that it sees: of all, but in a
    /// window.
    fn find_lowest(&mut self, mask: Mask) {
        if mask.window.is_some() {
            return self.find_lowest_in_window(mask);
        }
        let mut lowest: HashMap<&[W::Int], u32> = HashMap::with_capacity(self.cloud.n);
        for (row, &first) in self.cloud.x.chunks_exact(self.cloud.d).zip(&self.first) {
            lowest.entry(row).and_modify(|least| *least = first.min(*least)).or_insert(first);
        }
        for (row, argmax) in self.cloud.x.chunks_exact(self.cloud.d).zip(&mut self.argmax) {
            *argmax = lowest[row];
        }
    }

    /// Finds the lowest of the coincident tokens that each row sees in its window; keys are in the order of tokens.
    fn find_lowest_in_window(&mut self, mask: Mask) {
        let mut places: HashMap<&[W::Int], VecDeque<u32>> = HashMap::with_capacity(self.cloud.n);
        for (i, (row, argmax)) in self.cloud.x.chunks_exact(self.cloud.d).zip(&mut self.argmax).enumerate() {
            let (at, start) = (places.entry(row).or_default(), mask.range(i, self.n).start);
            at.push_back(i as u32);
            while at.front().is_some_and(|&first| (first as usize) < start) {
                at.pop_front();
            }
            *argmax = at.front().map_or(i as u32, |&first| first);
        }
    }

    fn borrowed(&self) -> Keys<'_, W> {
        let tree = (self.way == Way::Tree).then_some(&self.tree);
        Keys { cloud: &self.cloud, weight: &self.weight, first: &self.first, tree }
    }

    fn lanes(&self) -> usize {
        self.set.packet_rows(W::PRECISION)
    }

    fn row(&self, mask: Mask, key: usize) -> Row {
        let range = mask.range(self.first[key] as usize, self.n);
        Row { key: key as u32, first: range.start as u32, visible: range.end as u32 }
    }

    /// Takes a step, of which this rank computes its share, unless it is interrupted.
    pub(crate) fn step(&mut self, step: &Step, share: &Share) -> Result<(StepReport, Tally), Left> {
        self.prepare(step);
        let (keys, d, lanes) = (self.cloud.n, self.cloud.d, self.lanes());
        let (mut next, mut argmax, mut count) =
            (std::mem::take(&mut self.next), self.argmax.clone(), std::mem::take(&mut self.count));
        let watch = &Watch::new(&share.interrupt, None);
        let (chunk, tally) = if self.way == Way::Line {
            let line = Line::<W>::new(&self.cloud.x[..keys], &self.weight, &self.first);
            (CHUNK, line.step(step, share, &mut next[..keys], &mut count))
        } else {
            (lanes, self.search(step, share, watch, &mut next[..keys * d], &mut count))
        };
        let rows = Rows { chunk, d, x: &mut next[..keys * d], argmax: &mut argmax, count: &mut count };
        let tally = watch.gather(share, tally, rows);
        (self.next, self.count) = (next, count);
        let tally = tally?;
        let report = self.report(step.t, &tally);
        if tally.moved > 0 {
            std::mem::swap(&mut self.cloud.x, &mut self.next);
            self.ready = None;
        }
        Ok((report, tally))
    }

    /// Moves the rows of this rank's packets.
    fn search(&self, step: &Step, share: &Share, watch: &Watch<'_>, next: &mut [W::Int], count: &mut [u32]) -> Tally {
        let (keys, d, lanes) = (&self.borrowed(), self.cloud.d, self.lanes());
        let balls = &Balls::<W>::of(step, &self.first);
        let packets = next.par_chunks_mut(lanes * d).zip(count.par_chunks_mut(lanes)).enumerate();
        let tallies = packets.with_max_len(16).map_init(
            || (BallScratch::new(d, lanes), Vec::with_capacity(lanes)),
            |(scratch, rows), (packet, (x, count))| {
                if !share.has(packet) || watch.is_left() {
                    return Tally::default();
                }
                rows.clear();
                rows.extend((0..count.len()).map(|l| self.row(step.mask, packet * lanes + l)));
                <W as Vectors>::run(self.set, BallPacket { keys, balls, scratch, rows, x, count, watch })
            },
        );
        tallies.reduce(Tally::default, |a, b| a + b)
    }

    fn report(&self, t: u64, tally: &Tally) -> StepReport {
        let (mut strip_min, mut strip_max, mut strip_total) = (u32::MAX, 0, 0);
        for (&count, &weight) in self.count.iter().zip(&self.weight) {
            (strip_min, strip_max) = (count.min(strip_min), count.max(strip_max));
            strip_total += u64::from(count) * u64::from(weight);
        }
        StepReport { t, moved: tally.moved, strip_min, strip_max, strip_total, redone: tally.redone }
    }

    /// Argmax and strip size of every token in the last step.
    pub(crate) fn strips(&self) -> Strips {
        let of = |values: &[u32]| (0..self.n).into_par_iter().map(|i| values[self.places.of(i)]).collect();
        Strips { argmax: of(&self.argmax), count: of(&self.count) }
    }
}

/// The masks of some rows, by exact squares alone.
pub(crate) fn masks<'a, W: Width>(
    token: impl Fn(usize) -> &'a [W::Int] + Sync,
    (n, d): (usize, usize),
    step: &Step,
    rows: &[usize],
) -> Vec<Vec<u32>> {
    let mask = |&i: &usize| {
        let (x, radius) = (&token(i)[..d], W::wide(square_radius(step.width_of(i))));
        let is_near = |&j: &usize| W::squared_distance(x, 1, 0, token(j)) <= radius;
        step.mask.range(i, n).filter(is_near).map(|j| j as u32).collect()
    };
    rows.par_iter().map(mask).collect()
}
