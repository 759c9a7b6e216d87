//! An engine beside the reference, step by step from the same state.
//!
//! Two faces are checked for every row looked at. The *contract*: argmax, mask, strip size and
//! token must equal [`crate::reference::exact`] bit for bit. The *mathematics*: a mask entry may
//! differ from [`crate::reference::real`] only where its score lies inside the rounding bound of
//! the threshold, and the token must lie within the bound of `x + γ(mean − x)` over the engine's
//! own mask. [`mod@exact`] and [`mod@real`] derives both.
//!
//! Rules in real numbers have the second face alone, with the bounds of [`real`]: every token
//! within its bound, and where a rule chooses keys, another choice only where rounding may make it.

pub mod bits;
pub mod exact;
pub mod real;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::engine::{self, Engine, Rounding, Simulation, Step, Steps};
use crate::error::Result;
use crate::exact::{Grid, LeastGain, RunError};
use crate::model::{Model, Moment};
use crate::num;
use crate::outcome::{StepReport, Strips};
use crate::real::Weights;
use crate::reference;
use crate::rng;
use crate::tokens::Tokens;
use crate::verify::exact::ExactBounds;
use crate::verify::real::RealBounds;

/// Multiply-adds that one check may cost the reference before it looks at a sample of the rows.
const BUDGET: usize = 300_000_000;

/// Step, row and coordinate of a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// t of the step t → t+1.
    pub step: u64,
    /// The row.
    pub token: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {} at step {}", self.token, self.step)
    }
}

/// Everything seen so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// True if rows were checked against the contract, which exact rules have.
    pub exact: bool,
    /// Steps checked.
    pub steps: u64,
    /// Bounds of the run up to the last step checked, with the lattice's unit, if it was checked
    /// from its start.
    pub run: Option<(RunError, f64)>,
    /// Rows checked, over all steps.
    pub rows: u64,
    /// Mask entries checked, over all rows.
    pub entries: u64,
    /// Entries whose f64 score lies inside the rounding bound of the threshold: either decision is
    /// right.
    pub entries_inside: u64,
    /// Entries that differ from the f64 mask (all inside the bound unless breached).
    pub entries_differing: u64,
    /// Largest distance of a coordinate from the f64 mathematics, in lattice units; in the tokens'
    /// own in rules on real numbers.
    pub max_error: f64,
    /// The bound of that coordinate, in the same units.
    pub max_error_bound: f64,
    /// Place of the largest error.
    pub worst: Place,
    /// Largest distance of a coordinate from f64 as a share of its bound, in rules on real numbers.
    pub max_share: f64,
    /// Rows whose bound is infinite: for rk4 at a β so high that one rounding can change every
    /// weight, or where scores of the mathematics leave the range of f64. Their masks are held to
    /// the contract alone, where there is one.
    pub rows_unbounded: u64,
    /// Rows that differ from the contract.
    pub rows_off_contract: u64,
    /// One line each, the first few breaches.
    pub breaches: Vec<String>,
    /// Number of breaches.
    pub breach_count: u64,
}

impl Findings {
    /// True if nothing was breached.
    pub fn passed(&self) -> bool {
        self.breach_count == 0 && self.steps > 0
    }

    /// Notes the error of a coordinate.
    fn note(&mut self, error: f64, bound: f64, place: Place) {
        if exceeds(error, self.max_error) {
            (self.max_error, self.max_error_bound, self.worst) = (error, bound, place);
        }
    }

    fn breach(&mut self, line: String) {
        self.breach_count += 1;
        if self.breaches.len() < 10 {
            self.breaches.push(line);
        }
    }
}

/// True if an error is the largest so far. Once an error was not a number, none is larger.
fn exceeds(error: f64, largest: f64) -> bool {
    !num::within(error, largest) && !largest.is_nan()
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "checked          {} steps, {} rows, {} mask entries", self.steps, self.rows, self.entries)?;
        let (error, bound, worst) = (self.max_error, self.max_error_bound, self.worst);
        if self.exact {
            writeln!(f, "against contract {} of {} rows differ", self.rows_off_contract, self.rows)?;
            writeln!(
                f,
                "against the mathematics (f64): maximum error {error:.3} units (bound {bound:.3}), worst {worst}"
            )?;
            if let Some((run, unit)) = self.run {
                writeln!(f, "over {} steps     {}", self.steps, run.told(unit))?;
            }
            if self.rows_unbounded > 0 {
                let rows = self.rows_unbounded;
                writeln!(
                    f,
                    "without a bound  {rows} rows: their scores leave the range of f64, and their masks were held to the contract alone"
                )?;
            }
        } else {
            let is_bounded = bound.is_finite() && self.rows_unbounded < self.rows;
            let bound = if is_bounded { format!("bound {bound:.3e}") } else { "no bound exists".into() };
            writeln!(f, "against the mathematics (f64): maximum error {error:.3e} ({bound}), worst {worst}")?;
            let (share, unbounded) = (self.max_share, self.rows_unbounded);
            writeln!(f, "share of bound   {share:.3} at most; {unbounded} rows without a finite bound")?;
        }
        if self.entries > 0 {
            writeln!(
                f,
                "mask entries     {} inside the rounding bound of the threshold, {} of them decided otherwise in f64",
                self.entries_inside, self.entries_differing
            )?;
        }
        for line in &self.breaches {
            writeln!(f, "BREACH           {line}")?;
        }
        write!(f, "{}", if self.passed() { "verified" } else { "NOT VERIFIED" })
    }
}

/// Checks one engine's run.
#[derive(Debug)]
pub struct Verifier<'a> {
    model: &'a Model,
    grid: Grid,
    rows: Vec<usize>,
    steps: Steps,
    least: LeastGain,
    /// Findings so far.
    pub findings: Findings,
}

impl<'a> Verifier<'a> {
    /// Checks every row, or as many evenly spread ones as the budget allows, or `rows` if given.
    pub fn new(model: &'a Model, grid: Grid, n: usize, d: usize, rows: Option<usize>) -> Self {
        let affordable = (BUDGET / n.saturating_mul(d).max(1)).max(16);
        let count = rows.unwrap_or(affordable).clamp(1, n);
        let rows = (0..count).map(|r| (r as u128 * n as u128 / count as u128) as usize).collect();
        let findings = Findings { exact: model.is_exact(), ..Findings::default() };
        let least = LeastGain { gamma: f64::INFINITY, step: 0, of_all: true };
        Self { model, grid, rows, steps: Steps::new(model, grid, d), least, findings }
    }

    /// Number of rows that each step looks at.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Takes step t with the engine and checks it.
    ///
    /// # Errors
    /// Device failures; a schedule outside its domain. A breach is no error here: see
    /// [`Findings::passed`].
    pub fn step(&mut self, engine: &mut dyn Engine, t: u64) -> Result<StepReport> {
        let step = self.steps.at(t)?;
        let before = engine.tokens()?;
        let mut masks = engine.masks(&step, &self.rows)?;
        let report = engine.step(std::slice::from_ref(&step))?.remove(0);
        let after = engine.tokens()?;
        // Fixed keys come after the tokens.
        let first = if self.model.keys.is_some() { before.n() as u32 } else { 0 };
        masks.iter_mut().flatten().for_each(|key| *key += first);
        let before = engine::join(self.model, before, self.grid)?;
        let after = engine::join(self.model, after, self.grid)?;
        match &step {
            Step::Exact(integers) => {
                let mut strips = engine.strips()?;
                strips.argmax.iter_mut().for_each(|key| *key += first);
                self.lattice(integers, &before, &after, &strips, &masks)?;
            }
            Step::Real(step) => self.real(step, engine.rounding(), &before, &after, &masks),
        }
        Ok(report)
    }

    /// Takes the simulation's next step and checks it.
    ///
    /// # Errors
    /// As [`Verifier::step`].
    pub fn advance(&mut self, simulation: &mut Simulation) -> Result<StepReport> {
        simulation.take_by(|engine, t| self.step(engine, t))
    }

    /// Both faces of a step of the contract.
    fn lattice(
        &mut self,
        integers: &crate::exact::Step,
        before: &Tokens,
        after: &Tokens,
        strips: &Strips,
        masks: &[Vec<u32>],
    ) -> Result<()> {
        let t = integers.t;
        let exact = reference::exact::State::new(before, self.grid);
        let real = reference::real::State::new(before);
        let spec = crate::real::Steps::new(self.model, before.d()).at(t)?;
        let bounds = ExactBounds::new(self.grid, integers, &spec, &exact);
        let gamma = self.model.gamma_at(Moment::of_step(t))?;
        if gamma < self.least.gamma {
            self.least = LeastGain { gamma, step: t, of_all: true };
        }
        self.findings.run = (t == self.findings.steps)
            .then(|| (RunError::after(t + 1, self.least, self.model, self.grid.precision), self.grid.unit()));
        self.findings.steps += 1;
        for (r, mask) in masks.iter().enumerate() {
            let i = self.rows[r];
            let place = Place { step: t, token: i };
            let members: Vec<usize> = mask.iter().map(|&j| j as usize).collect();
            self.findings.rows += 1;

            let strip = exact.strip(integers, i);
            let moved = exact.moved(integers, i, &strip.members);
            let got: Vec<i64> = (0..after.d()).map(|k| self.grid.coordinate(after.get(i, k))).collect();
            let differs = [
                (members != strip.members, "mask"),
                (strips.argmax[i] as usize != strip.argmax, "argmax"),
                (strips.count[i] as usize != strip.members.len(), "strip size"),
                (got != moved, "token"),
            ];
            let wrong: Vec<&str> = differs.iter().filter(|(off, _)| *off).map(|(_, what)| *what).collect();
            if !wrong.is_empty() {
                self.findings.rows_off_contract += 1;
                self.findings.breach(format!("{place}: {} not the contract's", wrong.join(", ")));
            }
            self.mathematics(&real, &spec, &bounds, place, &members, after);
        }
        Ok(())
    }

    /// A step in real numbers against the mathematics in f64.
    fn real(
        &mut self,
        step: &crate::real::Step,
        rounding: Rounding,
        before: &Tokens,
        after: &Tokens,
        masks: &[Vec<u32>],
    ) {
        let states = reference::real::State::new(before).stage_states(step);
        let bounds = RealBounds::new(step, &states, before.precision(), rounding);
        let (keys, stage) = (states[0].attending(step), &step.stages[0]);
        let state = &*keys;
        self.findings.steps += 1;
        for (r, mask) in masks.iter().enumerate() {
            let place = Place { step: step.t, token: self.rows[r] };
            let i = place.token;
            self.findings.rows += 1;
            let (mut attended, mut undecided) = (Vec::new(), Vec::new());
            for (h, head) in stage.heads.iter().enumerate() {
                let wanted = state.attention(step, stage, head, i);
                let seen = if h == 0 { Some(&mask[..]) } else { None };
                let (attention, open) = self.choice(state, step, head, &bounds, place, wanted, seen);
                attended.push(attention);
                undecided.push(open);
            }
            let moved = reference::real::State::advanced(&states, step, i, &attended);
            let mut want = moved.clone();
            if let crate::real::Motion::Flow { geometry, .. } = &step.motion {
                geometry.retract(&mut want);
            }
            let bound = bounds.token(i, &moved, &want, &undecided);
            self.findings.rows_unbounded += u64::from(bound == f64::INFINITY);
            for (k, want) in want.into_iter().enumerate() {
                let error = (after.get(i, k) - want).abs();
                if exceeds(error / bound, self.findings.max_share) {
                    self.findings.max_share = error / bound;
                }
                self.findings.note(error, bound, place);
                if !num::within(error, bound) {
                    self.findings.breach(format!("{place} coordinate {k}: off by {error:.3e}, bound {bound:.3e}"));
                }
            }
        }
    }

    /// Attention of one head of a row, by the engine's own choice where rounding allows several,
    /// and true if that choice is unknown: engines show the first head's choice alone.
    #[allow(clippy::too_many_arguments)]
    fn choice(
        &mut self,
        state: &reference::real::State,
        step: &crate::real::Step,
        head: &crate::real::Head,
        bounds: &RealBounds<'_>,
        place: Place,
        wanted: reference::real::Attention,
        seen: Option<&[u32]>,
    ) -> (reference::real::Attention, bool) {
        let (i, weights) = (place.token, step.stages[0].weights);
        let keys = state.scores(step, head, i).keys;
        if keys.is_empty() {
            if seen.is_some_and(|seen| !seen.is_empty()) {
                self.findings.breach(format!("{place}: keys are attended to, and this row sees none"));
            }
            return (wanted, false);
        }
        let (near, level): (Vec<bool>, _) = match weights {
            Weights::Softmax { .. } | Weights::Exponential { .. } | Weights::Linear { .. } => return (wanted, false),
            Weights::Sparse { beta, form } => {
                let (levels, end) = state.levels(step, head, i, beta, form);
                let (_, bound) = bounds.sparse(0, head, i, beta, form);
                (levels.iter().map(|u| num::within((u - end).abs(), bound)).collect(), "the least level with a weight")
            }
            Weights::Strip { .. } | Weights::Argmax => {
                let scores = state.scores(step, head, i);
                let weights = step.weights_of(i, weights);
                let threshold = state.threshold(weights, head, i, scores.max);
                let bound = bounds.threshold(head, i, weights, scores.max);
                let is_near = |s: &f64| !bound.is_finite() || num::within((s - threshold).abs(), bound);
                (scores.values.iter().map(is_near).collect(), "the threshold")
            }
            Weights::Drawn { beta, seed } => {
                let scores = state.scores(step, head, i);
                let weigh = |s: &f64| libm::exp(beta * (s - scores.max));
                let total: f64 = scores.values.iter().map(weigh).sum();
                let level = rng::uniform_at(seed, step.t, i as u64) * total;
                let bound = bounds.level(head, i, beta) * total;
                let mut sum = 0.0;
                let near = scores.values.iter().map(|s| {
                    let from = sum;
                    sum += weigh(s);
                    from - bound <= level && level <= sum + bound
                });
                (near.collect(), "the level drawn")
            }
        };
        let choices = near.iter().filter(|&&near| near).count();
        let chooses_one = matches!(weights, Weights::Argmax | Weights::Drawn { .. });
        // Weights fall to 0 where a key is left out: either choice has the same mean.
        let is_sparse = matches!(weights, Weights::Sparse { .. });
        let Some(seen) = seen else { return (wanted, !is_sparse && choices > usize::from(chooses_one)) };
        let mut in_wanted = vec![false; near.len()];
        let place_of = |j: usize| keys.binary_search(&j).ok();
        wanted.weights.iter().filter_map(|(j, _)| place_of(*j)).for_each(|at| in_wanted[at] = true);
        let mut in_engine = vec![false; near.len()];
        for &j in seen {
            match place_of(j as usize) {
                Some(at) => in_engine[at] = true,
                None => self.findings.breach(format!("{place}: key {j} is not seen by this row")),
            }
        }
        for (at, near) in near.into_iter().enumerate() {
            let differs = in_engine[at] != in_wanted[at];
            self.findings.entries += 1;
            self.findings.entries_inside += u64::from(near);
            self.findings.entries_differing += u64::from(differs);
            if differs && !near {
                let j = keys[at];
                self.findings.breach(format!("{place}: key {j} is farther from {level} than rounding reaches"));
            }
        }
        let members: Vec<usize> = keys.iter().zip(&in_engine).filter(|(_, is_in)| **is_in).map(|(j, _)| *j).collect();
        if members.is_empty() || (chooses_one && members.len() != 1) {
            self.findings.breach(format!("{place}: {} keys are attended to", members.len()));
            return (wanted, false);
        }
        if is_sparse {
            return (wanted, false);
        }
        (reference::real::Attention::uniform(members[0], members), false)
    }

    /// The second face: the mathematics in f64.
    fn mathematics(
        &mut self,
        real: &reference::real::State,
        step: &crate::real::Step,
        bounds: &ExactBounds<'_>,
        place: Place,
        members: &[usize],
        after: &Tokens,
    ) {
        let i = place.token;
        let (stage, head) = (&step.stages[0], &step.stages[0].heads[0]);
        let scores = real.scores(step, head, i);
        let threshold = real.threshold(step.weights_of(i, stage.weights), head, i, scores.max);
        let attended = real.attention(step, stage, head, i);
        let mut wanted = attended.weights.iter().map(|(j, _)| *j).peekable();
        let bound = bounds.threshold(real, i);
        let unbounded = bound == f64::INFINITY;
        self.findings.rows_unbounded += u64::from(unbounded);
        let mut member = members.iter().peekable();
        for (&j, score) in scores.keys.iter().zip(&scores.values) {
            let inside = unbounded || num::within((score - threshold).abs(), bound);
            let in_engine = member.next_if(|&&m| m == j).is_some();
            let differs = in_engine != wanted.next_if_eq(&j).is_some();
            self.findings.entries += 1;
            self.findings.entries_inside += u64::from(inside);
            self.findings.entries_differing += u64::from(differs);
            if differs && !inside {
                let by = (score - threshold).abs();
                self.findings.breach(format!("{place}: key {j} is {by:.3e} from the threshold, bound {bound:.3e}"));
            }
        }
        if members.is_empty() {
            // A row without keys stays, which the contract's face has looked at.
            if !scores.keys.is_empty() {
                self.findings.breach(format!("{place}: an empty strip"));
            }
            return;
        }
        let unit = self.grid.unit();
        let attention = reference::real::Attention::uniform(members[0], members.iter().copied());
        for (k, want) in real.moved(step, i, &attention).into_iter().enumerate() {
            let error = (after.get(i, k) - want).abs() / unit;
            let bound = bounds.token(real, i, k, members);
            self.findings.note(error, bound, place);
            if !num::within(error, bound) {
                self.findings.breach(format!("{place} coordinate {k}: off by {error:.3} units, bound {bound:.3}"));
            }
        }
    }
}
