//! The choice of a plan: the one asked for, or the one whose sampled packets took the least time.
//!
//! Sampling is repeated once the steps since have taken 20 times as long as it did, and only if
//! tokens moved: a state that changes is looked at again and again, for 5 % of the time at most. It
//! is repeated sooner where steps become expensive.

use std::time::Duration;

use rayon::prelude::*;

use crate::choice;
use crate::clock::Instant;
use crate::cpu::exact::brute::BruteForce;
use crate::cpu::exact::brute::packet::{Packet, PacketScratch};
use crate::cpu::exact::step::{PreparedStep, Purpose, Stepper, Tally};
use crate::cpu::exact::tree::TreeSearch;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{InstructionSet, Vectors};
use crate::exact::Step;
use crate::model::Mask;
use crate::outcome::{Effort, StepReport, Strips};
use crate::space::{Order, Upkeep};

/// The most runs of packets that are timed of a search; few, since a search may be slower than
/// brute force.
const SAMPLES: usize = 32;
/// One run is timed for this many packets, but two at least.
const PACKETS_A_RUN: usize = 256;
/// Packets that are timed of brute force, where all cost the same.
const BRUTE_SAMPLES: usize = 2;

/// Coordinates of pairs, row and key, that no thread multiplies in a second: a bound on brute force
/// that costs nothing.
const FASTEST: f64 = 1e12;

/// Steps take this many times as long as choosing among plans.
const SHARE: u32 = 20;

/// True if an order by norms is worth a look: in few dimensions boxes are always better, in many
/// nothing is.
pub(crate) fn looks_at_norms(d: usize) -> bool {
    (4..=16).contains(&d)
}

/// The state under the plan of its last step.
pub(crate) struct Chooser<W: Width> {
    asked: choice::Plan,
    state: SearchState<W>,
    set: InstructionSet,
    upkeep: Upkeep,
    clock: Clock,
    /// The work of the last step.
    tally: Tally,
}

enum SearchState<W: Width> {
    /// The tokens, for a plan that scores every pair.
    Brute(Box<BruteForce<W>>),
    /// The keys in an order by norms or by boxes.
    TreeSearch(Box<TreeSearch<W>>, choice::Plan),
}

impl<W: Width> SearchState<W> {
    fn brute(x: Vec<W::Int>, d: usize, set: InstructionSet) -> Self {
        Self::Brute(Box::new(BruteForce::of(x, d, set)))
    }

    fn sorted(x: Vec<W::Int>, d: usize, set: InstructionSet, plan: choice::Plan, upkeep: Upkeep, mask: Mask) -> Self {
        let order = if plan == choice::Plan::Norm { Order::Norm } else { Order::Space };
        Self::TreeSearch(Box::new(TreeSearch::new(x, d, set, order, upkeep, mask)), plan)
    }
}

/// Times that say when to choose again.
#[derive(Default)]
struct Clock {
    /// Time of the last choice, and of all steps since.
    choosing: Duration,
    stepping: Duration,
    /// Number of steps since then, and the time of the first and of the last.
    since: u32,
    first: Duration,
    last: Duration,
    /// True if tokens moved in one of them.
    moved: bool,
    chosen: bool,
}

impl Clock {
    fn is_due(&self) -> bool {
        let expensive = self.since > 1 && self.last > self.first * 2 + self.choosing;
        !self.chosen || (self.moved && (expensive || self.stepping > self.choosing * SHARE))
    }

    fn restart(&mut self, choosing: Duration) {
        *self = Self { choosing, chosen: true, ..Self::default() };
    }

    fn count(&mut self, time: Duration, moved: bool) {
        if self.since == 0 {
            self.first = time;
        }
        self.last = time;
        self.stepping += time;
        self.since += 1;
        self.moved |= moved;
    }
}

impl<W: Width> Chooser<W> {
    /// Builds the state from every token's lattice coordinates, row-major.
    pub(crate) fn new(x: Vec<W::Int>, d: usize, set: InstructionSet, asked: choice::Plan, upkeep: Upkeep) -> Self {
        let state = match asked {
            choice::Plan::Brute => SearchState::brute(x, d, set),
            choice::Plan::Norm => SearchState::sorted(x, d, set, asked, upkeep, Mask::Full),
            choice::Plan::Auto | choice::Plan::Tree => {
                SearchState::sorted(x, d, set, choice::Plan::Tree, upkeep, Mask::Full)
            }
        };
        Self { asked, state, set, upkeep, clock: Clock::default(), tally: Tally::default() }
    }

    /// Takes the tokens out and empties the buffers.
    fn take_tokens(&mut self) -> Vec<W::Int> {
        match &mut self.state {
            SearchState::Brute(state) => state.take_tokens(),
            SearchState::TreeSearch(state, _) => state.take_tokens(),
        }
    }

    /// Times samples of every plan and takes the best.
    fn choose(&mut self, step: &Step) {
        let start = Instant::now();
        let ((n, d), set, upkeep) = (self.shape(), self.set, self.upkeep);
        if !matches!(self.state, SearchState::TreeSearch(_, choice::Plan::Tree)) {
            let x = self.take_tokens();
            self.state = SearchState::sorted(x, d, set, choice::Plan::Tree, upkeep, step.mask);
        }
        let SearchState::TreeSearch(state, _) = &self.state else { return };
        let samples = (state.packets() / PACKETS_A_RUN).clamp(2, SAMPLES);
        let tree_packet = state.trial(step, samples);
        let tree = tree_packet * state.packets() as f64;
        // Brute force runs over all tokens, and is timed over the distinct ones.
        let ratio = n as f64 / state.keys() as f64;
        let brute =
            brute_packet(state, step, set, tree_packet) * ratio * n.div_ceil(set.packet_rows(W::PRECISION)) as f64;
        let by_norm = (looks_at_norms(d) && tree.min(brute) > 4.0 * start.elapsed().as_secs_f64())
            .then(|| TreeSearch::<W>::new(state.tokens(), d, set, Order::Norm, upkeep, step.mask))
            .filter(|state| state.trial(step, samples) * (state.packets() as f64) < 0.9 * tree.min(brute));
        if let Some(by_norm) = by_norm {
            self.state = SearchState::TreeSearch(Box::new(by_norm), choice::Plan::Norm);
        } else if brute < tree {
            self.state = SearchState::brute(self.take_tokens(), d, set);
        }
        self.clock.restart(start.elapsed());
    }
}

/// Seconds that a packet takes against every key, or a lower bound that is far above `rival`.
fn brute_packet<W: Width>(state: &TreeSearch<W>, step: &Step, set: InstructionSet, rival: f64) -> f64 {
    let (cloud, plan, lanes) = (state.cloud(), &PreparedStep::new(step), set.packet_rows(W::PRECISION));
    let floor = (cloud.n * cloud.d * lanes) as f64 / FASTEST;
    if floor > 4.0 * rival {
        return floor;
    }
    let mut scratch = PacketScratch::new(cloud.n, cloud.d, lanes);
    let mut least = f64::INFINITY;
    for sample in 0..BRUTE_SAMPLES {
        let count = lanes.min(cloud.n);
        let first = (cloud.n - count) * (sample + 1) / (BRUTE_SAMPLES + 1);
        let rows: Vec<u32> = (first as u32..(first + count) as u32).collect();
        let start = Instant::now();
        <W as Vectors>::run(set, Packet { cloud, plan, scratch: &mut scratch, rows: &rows, purpose: Purpose::Trial });
        least = least.min(start.elapsed().as_secs_f64());
    }
    least
}

impl<W: Width> Stepper for Chooser<W> {
    fn shape(&self) -> (usize, usize) {
        match &self.state {
            SearchState::Brute(state) => state.shape(),
            SearchState::TreeSearch(state, _) => state.shape(),
        }
    }

    fn coordinates(&self) -> Vec<i64> {
        let widened = |tokens: &[W::Int]| tokens.par_iter().map(|x| Integer::to_i64(*x)).collect();
        match &self.state {
            SearchState::Brute(state) => widened(state.tokens()),
            SearchState::TreeSearch(state, _) => widened(&state.tokens()),
        }
    }

    fn step(&mut self, step: &Step) -> (StepReport, Tally) {
        if self.asked == choice::Plan::Auto && self.clock.is_due() {
            self.choose(step);
        }
        let start = Instant::now();
        let (report, tally) = match &mut self.state {
            SearchState::Brute(state) => state.step(step),
            SearchState::TreeSearch(state, _) => state.step(step),
        };
        self.clock.count(start.elapsed(), tally.moved > 0);
        self.tally = tally;
        (report, tally)
    }

    fn strips(&self) -> Strips {
        match &self.state {
            SearchState::Brute(state) => state.strips(),
            SearchState::TreeSearch(state, _) => state.strips(),
        }
    }

    fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        match &self.state {
            SearchState::Brute(state) => state.masks(step, rows),
            SearchState::TreeSearch(state, _) => state.masks(step, rows),
        }
    }

    fn effort(&self) -> Effort {
        let (plan, distinct) = match &self.state {
            SearchState::Brute(state) => (choice::Plan::Brute, state.shape().0),
            SearchState::TreeSearch(state, plan) => (*plan, state.keys()),
        };
        let a_row = |total: u64| total as f64 / distinct.max(1) as f64;
        Effort { plan, keys_a_row: a_row(self.tally.scores), boxes_a_row: a_row(self.tally.boxes), distinct }
    }
}
