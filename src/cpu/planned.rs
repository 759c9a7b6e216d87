//! Which plan runs: what was asked for, or the one whose sampled packets of rows took the least time.
//!
//! Sampling is repeated once the steps since have taken 20 times as long as it did, and only if tokens moved: a state
//! that changes is looked at again and again, for 5 % of the time at most. It is repeated sooner where steps turn dear.

use std::time::{Duration, Instant};

use super::lanes::{InstructionSet, Vectors};
use super::packet::{Packet, Plan, Purpose, Scratch, Tally};
use super::sorted::Sorted;
use super::width::Width;
use super::{Effort, State, Tokenwise};
use crate::choice;
use crate::contract::Step;
use crate::model::Mask;
use crate::outcome::{StepReport, Strips};
use crate::space::Order;

/// Runs of packets that are timed of a search, and packets of brute force, where all cost the same.
const SAMPLES: usize = 32;
const BRUTE_SAMPLES: usize = 2;

/// Steps take this many times as long as choosing among plans.
const SHARE: u32 = 20;

/// Dimensions up to which an order by norms is worth a look.
const NORM_DIMENSIONS: usize = 16;

/// A state under the plan of its last step.
pub(super) struct Planned<W: Width> {
    asked: choice::Plan,
    held: Held<W>,
    set: InstructionSet,
    /// When to choose again: time of the last choice, and of steps since.
    choosing: Duration,
    stepping: Duration,
    /// Steps since, and the time of the first and the last.
    since: u32,
    first: Duration,
    last: Duration,
    moved: bool,
    tally: Tally,
    started: bool,
}

enum Held<W: Width> {
    /// Every pair.
    Brute(Tokenwise<W>),
    /// By norms or by boxes.
    Sorted(Sorted<W>, choice::Plan),
    /// While changing hands.
    Nothing,
}

impl<W: Width> Planned<W> {
    pub(super) fn new(tokens: Tokenwise<W>, asked: choice::Plan) -> Self {
        let set = tokens.set;
        let mut planned = Self {
            asked,
            held: Held::Brute(tokens),
            set,
            choosing: Duration::ZERO,
            stepping: Duration::ZERO,
            since: 0,
            first: Duration::ZERO,
            last: Duration::ZERO,
            moved: true,
            tally: Tally::default(),
            started: false,
        };
        if let choice::Plan::Norm | choice::Plan::Tree = asked {
            planned.sort(asked, Mask::Full);
        }
        planned
    }

    /// Every token's coordinates, leaving nothing behind.
    fn take(&mut self) -> (Vec<W::Int>, usize) {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Brute(state) => {
                let (n, d) = state.shape();
                let mut x = state.cloud.x;
                x.truncate(n * d);
                (x, d)
            }
            Held::Sorted(state, _) => (state.tokens(), state.shape().1),
            Held::Nothing => (Vec::new(), 1),
        }
    }

    fn sort(&mut self, plan: choice::Plan, mask: Mask) {
        let order = if plan == choice::Plan::Norm { Order::Norm } else { Order::Space };
        let (x, d) = self.take();
        self.held = Held::Sorted(Sorted::new(x, d, self.set, order, mask), plan);
    }

    fn spread(&mut self) {
        let (x, d) = self.take();
        self.held = Held::Brute(Tokenwise::of(x, d, self.set));
    }

    /// Times samples of every plan and takes the best.
    fn choose(&mut self, step: &Step) {
        let start = Instant::now();
        if !matches!(self.held, Held::Sorted(_, choice::Plan::Tree)) {
            self.sort(choice::Plan::Tree, step.mask);
        }
        let Held::Sorted(state, _) = &self.held else { return };
        let (n, d) = state.shape();
        let tree = state.trial(step, SAMPLES) * state.packets() as f64;
        // Brute force runs over all tokens, and is timed over the distinct ones.
        let ratio = n as f64 / state.keys() as f64;
        let brute = brute_packet(state, step, self.set) * ratio * n.div_ceil(self.set.packet_rows(W::PRECISION)) as f64;
        let sort = start.elapsed().as_secs_f64();
        if tree.min(brute) > 4.0 * sort && d <= NORM_DIMENSIONS {
            let tokens = state.tokens();
            let by_norm = Sorted::<W>::new(tokens, d, self.set, Order::Norm, step.mask);
            if by_norm.trial(step, SAMPLES) * (by_norm.packets() as f64) < 0.9 * tree.min(brute) {
                self.held = Held::Sorted(by_norm, choice::Plan::Norm);
            } else if brute < tree {
                self.spread();
            }
        } else if brute < tree {
            self.spread();
        }
        self.choosing = start.elapsed();
        self.stepping = Duration::ZERO;
        self.since = 0;
        self.moved = false;
    }

    /// Whether the last step took much longer than the first after the last choice.
    fn is_dear(&self) -> bool {
        self.since > 1 && self.last > self.first * 2 + self.choosing
    }

    fn plan(&self) -> choice::Plan {
        if let Held::Sorted(_, plan) = &self.held { *plan } else { choice::Plan::Brute }
    }

    pub(super) fn effort(&self) -> Effort {
        let (n, _) = self.shape();
        let rows = if let Held::Sorted(state, _) = &self.held { state.keys() } else { n };
        Effort {
            plan: self.plan(),
            keys_a_row: self.tally.scores as f64 / rows.max(1) as f64,
            nodes_a_row: self.tally.nodes as f64 / rows.max(1) as f64,
            distinct: rows,
        }
    }
}

/// Seconds of a packet against every key.
fn brute_packet<W: Width>(state: &Sorted<W>, step: &Step, set: InstructionSet) -> f64 {
    let (cloud, plan, lanes) = (state.cloud(), &Plan::new(step), set.packet_rows(W::PRECISION));
    let mut scratch = Scratch::new(cloud.n, cloud.d, lanes);
    let mut least = f64::INFINITY;
    for sample in 0..BRUTE_SAMPLES {
        let count = lanes.min(cloud.n);
        let first = (cloud.n - count) * (sample + 1) / (BRUTE_SAMPLES + 1);
        let rows: Vec<u32> = (first as u32..(first + count) as u32).collect();
        let (mut x, mut argmax, mut counts) = (vec![W::Int::default(); count * cloud.d], vec![0; count], vec![0; count]);
        let purpose = Purpose::Move { x: &mut x, argmax: &mut argmax, count: &mut counts };
        let start = Instant::now();
        <W as Vectors>::run(set, Packet { cloud, plan, scratch: &mut scratch, rows: &rows, purpose });
        least = least.min(start.elapsed().as_secs_f64());
    }
    least
}

impl<W: Width> State for Planned<W> {
    fn shape(&self) -> (usize, usize) {
        match &self.held {
            Held::Brute(state) => state.shape(),
            Held::Sorted(state, _) => state.shape(),
            Held::Nothing => (0, 1),
        }
    }

    fn coordinates(&self) -> Vec<i64> {
        match &self.held {
            Held::Brute(state) => state.coordinates(),
            Held::Sorted(state, _) => state.coordinates(),
            Held::Nothing => Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) -> (StepReport, Tally) {
        let due = !self.started || (self.moved && (self.stepping > self.choosing * SHARE || self.is_dear()));
        if self.asked == choice::Plan::Auto && due {
            self.choose(step);
        }
        self.started = true;
        let start = Instant::now();
        let (report, tally) = match &mut self.held {
            Held::Brute(state) => state.step(step),
            Held::Sorted(state, _) => state.step(step),
            Held::Nothing => (StepReport::new(step.t, 0, [], 0), Tally::default()),
        };
        self.last = start.elapsed();
        self.stepping += self.last;
        if self.since == 0 {
            self.first = self.last;
        }
        self.since += 1;
        self.moved |= tally.moved > 0;
        self.tally = tally;
        (report, tally)
    }

    fn strips(&self) -> Strips {
        match &self.held {
            Held::Brute(state) => state.strips(),
            Held::Sorted(state, _) => state.strips(),
            Held::Nothing => Strips::default(),
        }
    }

    fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        match &self.held {
            Held::Brute(state) => state.masks(step, rows),
            Held::Sorted(state, _) => state.masks(step, rows),
            Held::Nothing => Vec::new(),
        }
    }

    fn effort(&self) -> Effort {
        Planned::effort(self)
    }
}
