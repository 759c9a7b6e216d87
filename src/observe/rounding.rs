//! Rounding: how far it alone may take a token from where exact arithmetic would have it.
//!
//! Lengths are derived from the contract ([`crate::exact`]), u its unit:
//!
//! * **Any token.** A step puts X' within 1 + γ/2 units, coordinate by coordinate, of X + γ(M − X),
//!   M the mean of its strip: half a unit from Y to M, at most one more where the token moves by a
//!   unit at least. Drawn to one M, a token forgets a share γ of its error in every step, so that
//!   after t steps it has at most (1 + γ/2)·min(1/γ, t) units of it, and half a unit from the
//!   rounding of the first state: `τ = √d·u·(1 + min(1/γ, t))` bounds the distance. A truth of weight w leaves a token up to
//!   1/(2w) units short of it, and as long as it draws, rounds by half a unit in each: min(1/w, t) units more.
//! * **Coincident tokens at rest.** k tokens at X, all in their own strip of c tokens, rest where
//!   X = rne(S/c), that is within `c/(2(c − k))` units, coordinate by coordinate, of the mean of
//!   the other c − k tokens. So many tokens drawn by few others stop short of them: W by one, (W +
//!   1)/2 units. Tokens whose strip holds no others are where they are: they stop short of nothing.
//! * **Rules in real numbers** have no lattice, and their tokens come together only in the limit.
//!   τ is chosen: 2^-20 of the radius, eight or more units in the last place at precision f32.

use rayon::prelude::*;

use super::points::Distinct;
use super::quiescent::width_unit;
use crate::exact::Grid;
use crate::model::{Mask, Model, Moment, Scoring, StripForm};
use crate::num::{self, squared_distance};
use crate::real::{Linear, Steps, Weights};

/// Multiply-adds that the strips of coincident tokens may take; beyond, each is taken to be drawn
/// by one other token, which is the most that rounding can do.
const EFFORT: usize = 1 << 29;

/// Lengths below which places cannot be told apart.
#[derive(Clone, Debug)]
pub struct Rounding {
    within: f64,
    /// √d·u in the rules with strips, 0 in others.
    unit: f64,
    strips: Option<Strips>,
}

#[derive(Clone, Debug)]
struct Strips {
    a: Linear,
    scoring: Scoring,
    form: StripForm,
    delta: f64,
}

/// The strip of coincident tokens.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    /// c, the number of its tokens.
    tokens: f64,
    /// The other places in it, as distinct points; `None` where they are not known.
    others: Option<Vec<u32>>,
}

impl Rounding {
    /// The rounding of a state in R^d of that radius after `step` steps of a run on `grid`.
    pub fn of(model: &Model, grid: Grid, d: usize, step: u64, radius: f64) -> Self {
        if !model.is_exact() {
            return Self::within(num::scale(radius, -20));
        }
        let unit = grid.unit() * (d as f64).sqrt();
        // A gain that cannot be told is one that forgets nothing.
        let last = Moment::of_step(step.saturating_sub(1));
        let gamma = model.gamma_at(last).unwrap_or(0.0);
        let strips = Steps::new(model, d)
            .at(step)
            .ok()
            .filter(|_| model.mask == Mask::FULL && model.own_key().is_none())
            .and_then(|step| {
                let stage = step.stages.first()?;
                let (delta, form) = match stage.weights {
                    Weights::Strip { delta, form } => (delta, form),
                    Weights::Argmax => (0.0, StripForm::Score),
                    _ => return None,
                };
                Some(Strips { a: stage.heads.first()?.scores.clone(), scoring: step.scoring, form, delta })
            });
        let has_strips = if model.has_strips() { 1.0 } else { 0.0 };
        // Below half a unit a truth draws no more.
        let truth = model.terms.truth.as_ref().and_then(|truth| truth.least_weight_at(last).ok().flatten());
        let short = truth.map_or(0.0, |weight| weight.recip().min(step as f64));
        Self { within: unit * (1.0 + gamma.recip().min(step as f64) + short), unit: unit * has_strips, strips }
    }

    /// A rounding of at most `length`, whatever the strips.
    pub fn within(length: f64) -> Self {
        Self { within: length, unit: 0.0, strips: None }
    }

    /// The length τ within which the place of a token is known. Two tokens are told apart, and a
    /// token from the hull of others, beyond twice that.
    pub fn length(&self) -> f64 {
        self.within
    }

    /// The bound for coincident tokens in a strip of `tokens`, `others` of them elsewhere.
    fn stopped_short(&self, tokens: f64, others: f64) -> f64 {
        if others > 0.0 { self.unit * tokens / (2.0 * others) } else { 0.0 }
    }

    /// The strips of the distinct points at which so many tokens lie that they may stop short of
    /// others by more than τ.
    pub(super) fn drawn(&self, cloud: &Distinct) -> Vec<(u32, Drawn)> {
        let heavy: Vec<u32> = (0..cloud.len() as u32)
            .filter(|&i| self.stopped_short(f64::from(cloud.weight[i as usize]) + 1.0, 1.0) > self.within)
            .collect();
        let cost = heavy.len().saturating_mul(cloud.points.coordinates().len());
        let strips = self.strips.as_ref().filter(|_| cost <= EFFORT);
        heavy
            .into_par_iter()
            .map(|i| {
                let one = || Drawn { tokens: f64::from(cloud.weight[i as usize]) + 1.0, others: None };
                (i, strips.map_or_else(one, |strips| strips.of(cloud, i)))
            })
            .collect()
    }

    /// The other distinct points in the strip of one; `None` in rules without strips.
    pub(super) fn attended(&self, cloud: &Distinct, i: u32) -> Option<Vec<u32>> {
        self.strips.as_ref().and_then(|strips| strips.of(cloud, i).others)
    }

    /// How far distinct points may lie from the hull of tokens elsewhere, and from other places, by
    /// rounding alone; `is_elsewhere` says of each other point whether it is.
    pub(super) fn allowed(&self, cloud: &Distinct, drawn: &Drawn, is_elsewhere: impl Fn(u32) -> bool) -> f64 {
        let others = drawn.others.as_ref().map_or(1.0, |others| {
            let elsewhere = others.iter().filter(|&&j| is_elsewhere(j));
            elsewhere.map(|&j| f64::from(cloud.weight[j as usize])).sum()
        });
        self.within + self.within.max(self.stopped_short(drawn.tokens, others))
    }
}

impl Strips {
    fn of(&self, cloud: &Distinct, i: u32) -> Drawn {
        let x = cloud.points.row(i as usize);
        let query = self.a.apply(x);
        let gain = |row: &[f64]| match self.scoring {
            Scoring::Inner => row.iter().zip(x).zip(&query).map(|((y, x), q)| q * (y - x)).sum::<f64>(),
            Scoring::Distance => -0.5 * squared_distance(row, x),
        };
        let gains: Vec<f64> = cloud.points.rows().map(gain).collect();
        let top = gains.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let unit = match self.form {
            StripForm::Radius => self.form.constant(self.delta),
            form => width_unit(form, &query, x),
        };
        let least = top - self.delta * unit;
        let members = (0..cloud.len() as u32).filter(|&j| gains[j as usize] >= least);
        let tokens = members.clone().map(|j| f64::from(cloud.weight[j as usize])).sum();
        Drawn { tokens, others: Some(members.filter(|&j| j != i).collect()) }
    }
}
