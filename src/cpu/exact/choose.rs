//! The choice of a plan: the one asked for, or the one that samples of packets say costs least.
//!
//! Costs are counted ([`crate::cpu::exact::cost`]), so every run of a state takes the same plans.
//! Sampling is repeated once the steps since have cost 20 times as much as it did, and only if
//! tokens moved: a state that changes is looked at again and again, for 5 % of the cost at most. It
//! is repeated sooner where steps become expensive, and always on keys just sorted and merged. A
//! step that comes to cost several times its estimate is left in the middle for the other plan.

use crate::choice;
use crate::cpu::exact::ball::{self, BallSearch};
use crate::cpu::exact::brute::{BruteForce, Pairs};
use crate::cpu::exact::coarse;
use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::direction::{self, DirectionTable, classes};
use crate::cpu::exact::ledger::Ledger;
use crate::cpu::exact::step::{Left, PreparedStep, Purpose, Stepper, Tally, Watch};
use crate::cpu::exact::tree::TreeSearch;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::InstructionSet;
use crate::cpu::options::Options;
use crate::cpu::share::Share;
use crate::error;
use crate::exact::{Grid, Step};
use crate::interrupt::Interrupt;
use crate::model::{Mask, Scoring};
use crate::outcome::{Effort, StepReport, Strips, Traffic};
use crate::space::{Order, Upkeep};
use crate::tokens::Tokens;

/// The most runs of packets that are sampled of a search; few, since a search may be dearer than
/// brute force.
const SAMPLES: usize = 32;
/// One run is sampled for this many rows, but two at least.
const ROWS_A_RUN: usize = 1 << 14;
/// Packets that are sampled of brute force, where all cost about the same.
const BRUTE_SAMPLES: usize = 2;

/// A table of directions takes about as long as this many rows of it.
const FEWEST_DIRECTIONS: usize = 1 << 14;

/// A step is left for another plan where it costs this many times its estimate.
const PATIENCE: f64 = 4.0;

/// True if an order by norms is worth a look: in few dimensions boxes are always better, in many
/// nothing is.
pub(crate) fn looks_at_norms(d: usize) -> bool {
    (4..=16).contains(&d)
}

/// True if scores in 8 bits are worth a look.
fn looks_at_bytes(d: usize, set: InstructionSet) -> bool {
    d >= coarse::LEAST_DIMENSION && set.has_byte_products()
}

/// The state under the plan of its last step.
pub(crate) struct Chooser<W: Width> {
    asked: choice::Plan,
    state: SearchState<W>,
    set: InstructionSet,
    upkeep: Upkeep,
    ledger: Ledger,
    /// The most that the next step may cost under the plan chosen.
    limit: Option<f64>,
    /// The cost at which a step in classes of width gives them up until the next choice: that of the tree.
    rival: Option<f64>,
    /// The cheapest plan that scores all pairs, when last looked at.
    pairs: choice::Plan,
    /// All pairs were left for what tokens that have met cost there. They will not part.
    no_brute: bool,
    effort: Option<Effort>,
}

enum SearchState<W: Width> {
    /// The tokens, for a plan that scores every pair.
    Brute(Box<BruteForce<W>>),
    /// The tokens, for a table of directions, until a step that it does not serve.
    Direction(Box<DirectionTable<W>>),
    /// The keys where scores are distances.
    Ball(Box<BallSearch<W>>),
    /// The keys in an order by norms or by boxes.
    TreeSearch(Box<TreeSearch<W>>, choice::Plan),
}

impl<W: Width> SearchState<W> {
    fn pairs(x: Vec<W::Int>, d: usize, set: InstructionSet, plan: choice::Plan) -> Self {
        Self::Brute(Box::new(BruteForce::of(x, d, set, plan == choice::Plan::Filter)))
    }

    fn sorted(x: Vec<W::Int>, d: usize, set: InstructionSet, plan: choice::Plan, upkeep: Upkeep, mask: Mask) -> Self {
        let order = if plan == choice::Plan::Norm { Order::Norm } else { Order::Space };
        Self::TreeSearch(Box::new(TreeSearch::new(x, d, set, order, upkeep, mask)), plan)
    }
}

impl<W: Width> Chooser<W> {
    /// Builds the state from every token's lattice coordinates, row-major.
    pub(crate) fn new(x: Vec<W::Int>, d: usize, set: InstructionSet, options: Options) -> Self {
        let Options { plan: asked, upkeep, thin, .. } = options;
        let many = x.len() / d >= FEWEST_DIRECTIONS && direction::serves_dimension(d);
        let state = match asked {
            _ if options.near => SearchState::Ball(Box::new(BallSearch::new(x, d, set, asked))),
            choice::Plan::Direction => SearchState::Direction(Box::new(DirectionTable::new(x, d, set))),
            choice::Plan::Auto if thin && many => SearchState::Direction(Box::new(DirectionTable::new(x, d, set))),
            choice::Plan::Brute | choice::Plan::Filter => SearchState::pairs(x, d, set, asked),
            choice::Plan::Norm => SearchState::sorted(x, d, set, asked, upkeep, Mask::FULL),
            choice::Plan::Auto | choice::Plan::Tree | choice::Plan::Opened => {
                SearchState::sorted(x, d, set, choice::Plan::Tree, upkeep, Mask::FULL)
            }
        };
        let ledger = Ledger::default();
        let pairs = choice::Plan::Brute;
        Self { asked, state, set, upkeep, ledger, limit: None, rival: None, pairs, no_brute: false, effort: None }
    }

    /// Takes the tokens out and empties the buffers.
    fn take_tokens(&mut self) -> Vec<W::Int> {
        match &mut self.state {
            SearchState::Brute(state) => state.take_tokens(),
            SearchState::Direction(state) => state.take_tokens(),
            SearchState::Ball(state) => state.take_tokens(),
            SearchState::TreeSearch(state, _) => state.take_tokens(),
        }
    }

    /// A token's coordinates.
    fn token(&self, i: usize) -> &[W::Int] {
        match &self.state {
            SearchState::Brute(state) => state.cloud.row(i),
            SearchState::Direction(state) => &state.tokens()[i * self.shape().1..][..self.shape().1],
            SearchState::Ball(state) => state.token(i),
            SearchState::TreeSearch(state, _) => state.token(i),
        }
    }

    /// Gives the tokens to the tree, if it has not got them.
    fn turn_to_tree(&mut self, step: &Step) {
        if !matches!(self.state, SearchState::TreeSearch(_, choice::Plan::Tree)) {
            let d = self.shape().1;
            let x = self.take_tokens();
            self.state = if self.asked == choice::Plan::Direction && classes::serves(step, d) {
                let state = TreeSearch::unordered(x, d, self.set, Order::Space, self.upkeep);
                SearchState::TreeSearch(Box::new(state), choice::Plan::Tree)
            } else {
                SearchState::sorted(x, d, self.set, choice::Plan::Tree, self.upkeep, step.mask)
            };
        }
        if let SearchState::TreeSearch(state, _) = &mut self.state {
            state.set_classes(self.asked == choice::Plan::Direction);
            self.rival = None;
        }
    }

    /// Samples every plan and takes the one that costs least.
    fn choose(&mut self, step: &Step, interrupt: &Interrupt) {
        let ((n, d), set, upkeep) = (self.shape(), self.set, self.upkeep);
        self.turn_to_tree(step);
        let SearchState::TreeSearch(state, _) = &mut self.state else { return };
        let mut choosing = state.refresh(step.mask);
        let samples = (n / ROWS_A_RUN).clamp(2, SAMPLES);
        let [tree, sampling] = state.estimate(step, samples, interrupt);
        choosing += sampling;
        // Pairs are of all tokens, and are sampled over the distinct ones.
        let ratio = (n as f64 / state.keys() as f64).powi(2);
        let mut brute = f64::INFINITY;
        for plan in [choice::Plan::Brute, choice::Plan::Filter] {
            if self.no_brute || (plan == choice::Plan::Filter && !looks_at_bytes(d, set)) {
                continue;
            }
            let [cost, sampling] = all_pairs(state, step, set, plan, tree.min(brute) / ratio, interrupt);
            choosing += sampling;
            if cost * ratio < brute {
                (brute, self.pairs) = (cost * ratio, plan);
            }
        }
        let mut plan = choice::Plan::Tree;
        if looks_at_norms(d) && tree.min(brute) > 4.0 * choosing {
            let by_norm = TreeSearch::<W>::new(state.tokens(), d, set, Order::Norm, upkeep, step.mask);
            let [norm, sampling] = by_norm.estimate(step, samples, interrupt);
            choosing += sampling + by_norm.sort_cost();
            if norm + by_norm.sort_cost() < 0.9 * tree.min(brute) {
                plan = choice::Plan::Norm;
                self.state = SearchState::TreeSearch(Box::new(by_norm), plan);
            }
        }
        self.limit = match plan {
            choice::Plan::Tree if brute < tree => {
                self.state = SearchState::pairs(self.take_tokens(), d, set, self.pairs);
                Some(PATIENCE * brute)
            }
            choice::Plan::Tree if brute.is_finite() => Some(brute.max(PATIENCE * tree)),
            _ => None,
        };
        // Classes are tried for a step, and told by its counts.
        if let SearchState::TreeSearch(state, choice::Plan::Tree) = &mut self.state {
            let tries = n >= FEWEST_DIRECTIONS && classes::serves(step, d);
            state.set_classes(tries);
            self.rival = tries.then_some(tree);
        }
        self.ledger.restart(choosing);
    }

    /// Gives a step that turned out dear under one plan to the other.
    fn turn(&mut self, step: &Step) {
        self.limit = None;
        if let SearchState::Brute(_) = self.state {
            self.no_brute = true;
            self.turn_to_tree(step);
        } else {
            let (x, d) = (self.take_tokens(), self.shape().1);
            self.state = SearchState::pairs(x, d, self.set, self.pairs);
        }
    }

    /// Takes a step under the plan at hand.
    fn take(&mut self, step: &Step, share: &Share) -> Result<(StepReport, Tally), Left> {
        // Rows of classes lie in buckets, not in chunks that are dealt out to ranks.
        if let SearchState::TreeSearch(state, _) = &mut self.state
            && !share.is_alone()
        {
            state.set_classes(false);
        }
        match &mut self.state {
            SearchState::Brute(state) => state.step(step, share, self.limit),
            SearchState::TreeSearch(state, _) => state.step(step, share, self.limit),
            SearchState::Ball(_) | SearchState::Direction(_) => unreachable!("turned to the tree before"),
        }
    }

    /// Takes a step of distances, and turns the state to and from what serves them.
    fn take_by_distance(&mut self, step: &Step, share: &Share) -> Option<Result<(StepReport, Tally), Left>> {
        let is_near = step.scoring == Scoring::Distance;
        match &mut self.state {
            SearchState::Ball(state) if is_near => return Some(state.step(step, share)),
            SearchState::Ball(_) => {
                self.turn_to_tree(step);
                return None;
            }
            _ if !is_near => return None,
            _ => {}
        }
        let d = self.shape().1;
        let x = self.take_tokens();
        let mut state = Box::new(BallSearch::new(x, d, self.set, self.asked));
        let taken = state.step(step, share);
        self.state = SearchState::Ball(state);
        Some(taken)
    }

    /// Takes a step of rows that see ranges of keys, or not their own, or do not move alike: pair by pair.
    fn take_by_pairs(&mut self, step: &Step, share: &Share) -> Option<Result<(StepReport, Tally), Left>> {
        if step.is_searchable() {
            return None;
        }
        self.limit = None;
        if !matches!(&self.state, SearchState::Brute(state) if state.plan() == choice::Plan::Brute) {
            let d = self.shape().1;
            self.state = SearchState::pairs(self.take_tokens(), d, self.set, choice::Plan::Brute);
        }
        Some(self.take(step, share))
    }

    /// Takes a step of rows that see the keys of a graph: each with its neighbours.
    fn take_on_graph(&mut self, step: &Step, share: &Share) -> Option<Result<(StepReport, Tally), Left>> {
        let graph = step.graph.as_ref()?;
        if !matches!(&self.state, SearchState::Brute(state) if state.plan() == choice::Plan::Brute) {
            let (x, d) = (self.take_tokens(), self.shape().1);
            self.state = SearchState::pairs(x, d, self.set, choice::Plan::Brute);
        }
        let SearchState::Brute(state) = &mut self.state else { return None };
        Some(state.step_on(graph, step, share))
    }

    /// Takes a step by directions, if the state is at that and the step can be; else gives the state
    /// to the tree for good. All ranks take all of it: its rows cost less than to hear of them.
    fn take_by_direction(&mut self, step: &Step, share: &Share) -> Option<Result<(StepReport, Tally), Left>> {
        let SearchState::Direction(state) = &mut self.state else { return None };
        let mut interrupt = share.interrupt.clone();
        if !share.is_alone() {
            match share.check() {
                Ok(()) => interrupt = Interrupt::default(),
                Err(error) => return Some(Err(error.into())),
            }
        }
        let taken = direction::serves(step).then(|| state.step(step, &interrupt)).flatten();
        if taken.is_none() {
            self.turn_to_tree(step);
        }
        taken
    }
}

/// The cost of a step of a plan that scores all pairs, over the keys of a search, or a lower bound
/// that is far above `rival`; and that of finding out.
fn all_pairs<W: Width>(
    state: &TreeSearch<W>,
    step: &Step,
    set: InstructionSet,
    plan: choice::Plan,
    rival: f64,
    interrupt: &Interrupt,
) -> [f64; 2] {
    let (cloud, prepared, coarse) = (state.cloud(), &PreparedStep::new(step), plan == choice::Plan::Filter);
    let (prices, watch) = (Pairs::<W>::prices(cloud.d, set, coarse), &Watch::new(interrupt, None));
    let count = step.mask.pairs(cloud.n);
    // Most keys may be left after few coordinates.
    let floor = prices.of_scores(count) * if coarse { (32.0 / cloud.d as f64).min(1.0) } else { 1.0 };
    if floor > 4.0 * rival {
        return [floor, 0.0];
    }
    let pairs = Pairs::of(cloud, set, coarse);
    let (mut scratch, lanes) = (pairs.scratch(), pairs.lanes());
    let mut tally = Tally::default();
    for sample in 0..BRUTE_SAMPLES {
        let count = lanes.min(cloud.n);
        let first = (cloud.n - count) * (sample + 1) / (BRUTE_SAMPLES + 1);
        let rows: Vec<u32> = (first as u32..(first + count) as u32).collect();
        tally = tally + pairs.run(prepared, &mut scratch, &rows, Purpose::Trial, watch);
    }
    let cost = prices.of(&tally) as f64;
    let preparing = if coarse { prices.of(&Tally { rows: cloud.n as u64, ..Tally::default() }) as f64 } else { 0.0 };
    [cost * cloud.n as f64 / tally.rows.max(1) as f64, cost + preparing]
}

impl<W: Width> Stepper for Chooser<W> {
    fn shape(&self) -> (usize, usize) {
        match &self.state {
            SearchState::Brute(state) => state.shape(),
            SearchState::Direction(state) => state.shape(),
            SearchState::Ball(state) => state.shape(),
            SearchState::TreeSearch(state, _) => state.shape(),
        }
    }

    fn tokens(&self, grid: Grid) -> error::Result<Tokens> {
        let (n, d) = self.shape();
        match &self.state {
            SearchState::Direction(state) => grid.flat_tokens(n, d, state.tokens(), Integer::to_i64),
            _ => grid.tokens_of(n, d, |i| self.token(i).iter().map(|x| Integer::to_i64(*x))),
        }
    }

    fn step(&mut self, step: &Step, share: &Share) -> Result<(StepReport, Tally), Left> {
        let taken = self.take_on_graph(step, share);
        let taken = taken.or_else(|| self.take_by_distance(step, share));
        let taken = taken.or_else(|| self.take_by_pairs(step, share));
        let taken = taken.or_else(|| self.take_by_direction(step, share));
        let taken = taken.unwrap_or_else(|| {
            // A choice asks for a sort, which classes do without.
            let is_settled = self.rival.is_some() && !self.ledger.is_expensive();
            if self.asked == choice::Plan::Auto && self.ledger.is_due() && !is_settled {
                self.choose(step, &share.interrupt);
            }
            match self.take(step, share) {
                Err(Left::Dear) => {
                    self.turn(step);
                    self.take(step, share)
                }
                taken => taken,
            }
        });
        let (report, tally) = taken?;
        let (plan, rows, prices) = match &mut self.state {
            SearchState::Brute(state) => {
                let (n, _) = state.shape();
                (state.plan(), n, Pairs::<W>::prices(state.shape().1, self.set, state.plan() == choice::Plan::Filter))
            }
            SearchState::Direction(state) => {
                let (n, d) = state.shape();
                (choice::Plan::Direction, n, Prices::of_search::<W>(d, self.set))
            }
            SearchState::Ball(state) => (state.plan(), state.keys(), Prices::of_search::<W>(state.shape().1, self.set)),
            SearchState::TreeSearch(state, plan) => {
                self.limit = None;
                let prices = Prices::of_search::<W>(state.shape().1, self.set);
                let is_lost = |tree: &mut f64| !state.had_classes() || prices.of(&tally) as f64 > *tree;
                if self.rival.take_if(is_lost).is_some() {
                    state.set_classes(false);
                }
                let plan = if state.had_classes() { choice::Plan::Direction } else { *plan };
                (plan, state.keys(), Prices::of_search::<W>(state.shape().1, self.set))
            }
        };
        if !matches!(self.state, SearchState::Direction(_) | SearchState::Ball(_)) {
            self.ledger.count(prices.of(&tally) as f64, tally.moved > 0);
        }
        let a_row = |total: u64| total as f64 / rows.max(1) as f64;
        let (keys_a_row, boxes_a_row, traffic) = (a_row(tally.scores), a_row(tally.boxes), Traffic::default());
        self.effort = Some(Effort { plan, keys_a_row, boxes_a_row, rows, traffic });
        Ok((report, tally))
    }

    fn strips(&self) -> Strips {
        match &self.state {
            SearchState::Brute(state) => state.strips(),
            SearchState::Direction(state) => state.strips(),
            SearchState::Ball(state) => state.strips(),
            SearchState::TreeSearch(state, _) => state.strips(),
        }
    }

    fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        let (n, d) = self.shape();
        if let Some(graph) = &step.graph {
            let x = (0..n).flat_map(|i| self.token(i).iter().copied()).collect();
            return BruteForce::<W>::of(x, d, self.set, false).masks_on(graph, step, rows);
        }
        if step.scoring == Scoring::Distance {
            return ball::masks::<W>(|i| self.token(i), (n, d), step, rows);
        }
        let is_brute = matches!(&self.state, SearchState::Brute(state) if state.plan() == choice::Plan::Brute);
        if !step.is_searchable() && !is_brute {
            let x = (0..n).flat_map(|i| self.token(i).iter().copied()).collect();
            return BruteForce::<W>::of(x, d, self.set, false).masks(step, rows);
        }
        match &self.state {
            SearchState::Brute(state) => state.masks(step, rows),
            SearchState::Direction(state) => state.masks(step, rows),
            SearchState::Ball(state) => {
                let x: Vec<W::Int> = (0..n).flat_map(|i| state.token(i).iter().copied()).collect();
                TreeSearch::<W>::new(x, d, self.set, Order::Space, self.upkeep, step.mask).masks(step, rows)
            }
            SearchState::TreeSearch(state, _) => state.masks(step, rows),
        }
    }

    fn effort(&self) -> Option<Effort> {
        self.effort
    }
}
