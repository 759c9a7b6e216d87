//! Whether a lattice is fine enough for a run, before its first step, and how far the run may be
//! from the equations.
//!
//! * **Steps.** A coordinate that is |T| units from its mean is asked to move by γ|T|, and moves by
//!   a whole number of units, at least one. Where γ|T| ≥ ½ that is off by ½ at most, a share of
//!   1/(2γ|T|); below, one unit is a step of its own, for ever in one direction. A run is
//!   therefore refused unless γ(t)·R ≥ 2^10 units at every step, R half the longest side of the
//!   cloud's box: a token at distance R then goes right to 1 in 2^11 a step. (G rounds γ·2^K by ½,
//!   a share of 2^−19 at most, as R is at most 2^b units.)
//! * **A run.** Let E be the largest distance of a coordinate of X(t) from the x(t) that the
//!   equations make of the tokens as given, over the strips of the run. One step adds ρ at most,
//!   1.5 + |T|·1.5·2^−K units ([`crate::verify::exact`]) with |T| ≤ 2^(b+1), and averages what was
//!   there: E(t+1) ≤ (1 − γ)E(t) + γE(t) + ρ. As E(0) ≤ ½, E(T) ≤ ½ + ρT. The keys of a token whose
//!   strips hold only tokens that never move are off by ½ for ever; then E(t+1) ≤ (1 − γ)E(t) + γ/2
//!   + ρ, so that token stays within ½ + ρ/γ, γ the smallest so far.
//! * **A truth** of weight w draws a mean by w|Θ − Y|, rounded to whole units, 0 among them: below ½ it draws no more. So w(t)·R
//!   is held to 2^10 units as well, where w is not 0. It rounds by ½, and with a W that is off as G is: ρ is larger by ½ +
//!   |T|·1.5·2^−K. A token that rests on the lattice may move in the equations then, and the last bound falls away.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::exact::grid::Grid;
use crate::model::{Gain, Model, Moment, Update};
use crate::num;
use crate::schedule::Schedule;
use crate::tokens::Precision;

/// Units that every step must ask of a token at the cloud's radius.
pub const LEAST_MOVE: f64 = 1024.0;
/// The weight of a truth, as a config has it.
const TRUTH: &str = "model.truth.weight";
/// Steps of which all gains are looked at; of more, that many evenly spread ones, and the last.
const LOOKED_AT: u64 = 1_000_000;

/// The smallest gain of a run, and the first step that has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeastGain {
    /// γ.
    pub gamma: f64,
    /// t.
    pub step: u64,
    /// Whether every step was looked at.
    pub of_all: bool,
}

impl LeastGain {
    /// The smallest gain of an averaging rule at `steps`; `None` if there are none.
    ///
    /// # Errors
    /// A gain outside its domain.
    pub fn of(model: &Model, steps: Range<u64>) -> Result<Option<Self>> {
        let Update::Average { gain: Gain::Alpha(schedule) | Gain::Gamma(schedule), .. } = &model.update else {
            return Ok(None);
        };
        Self::among(schedule, steps, |at| model.gamma_at(at).map(Some))
    }

    /// The same of the weight of a truth, where it is not 0.
    fn of_truth(model: &Model, steps: Range<u64>) -> Result<Option<Self>> {
        let Some(truth) = &model.terms.truth else { return Ok(None) };
        Self::among(&truth.weight, steps, |at| truth.least_weight_at(at))
    }

    /// The smallest value of a schedule at `steps`, where it has one.
    fn among(
        schedule: &Schedule,
        steps: Range<u64>,
        value: impl Fn(Moment) -> Result<Option<f64>>,
    ) -> Result<Option<Self>> {
        let Range { start, end } = steps;
        // A constant has one value, and a table keeps its last.
        let varying = match schedule {
            Schedule::Constant(_) | Schedule::Clouds(_) | Schedule::Tokens(_) => 1,
            Schedule::Table(values) => (values.len() as u64).saturating_sub(start).max(1),
            _ => u64::MAX,
        };
        let count = end.saturating_sub(start).min(varying);
        let at = |k: u64| start + (u128::from(k) * u128::from(count) / u128::from(count.min(LOOKED_AT))) as u64;
        let mut least: Option<Self> = None;
        for step in (0..count.min(LOOKED_AT)).map(at).chain((count > 0).then(|| start + count - 1)) {
            let Some(gamma) = value(Moment::of_step(step))? else { continue };
            if least.is_none_or(|least| gamma < least.gamma) {
                least = Some(Self { gamma, step, of_all: count <= LOOKED_AT });
            }
        }
        Ok(least)
    }

    /// Says why a lattice is too coarse for a run from tokens of this radius
    /// ([`crate::tokens::Tokens::radius`]); `None` if it is not.
    fn too_small(self, name: &str, grid: Grid, radius: f64) -> Option<String> {
        let asked = self.gamma * radius / grid.unit();
        (radius > 0.0 && !num::within(LEAST_MOVE, asked)).then(|| {
            let asked = if asked < 0.01 { "less than 0.01".to_owned() } else { format!("{asked:.2}") };
            let (gamma, step, width) = (num::short(self.gamma), self.step, grid.precision.name());
            format!(
                "{name} = {gamma} at step {step} moves a token at the cloud's radius of {radius:.3e} by {asked} units of the \
                 {width} lattice, where at least {LEAST_MOVE} are needed"
            )
        })
    }
}

impl Grid {
    /// Checks that this lattice is fine enough for `steps` of a model from tokens of this radius.
    ///
    /// # Errors
    /// Steps so small that whole units make another system of them, with both numbers and the
    /// remedy; a gain outside its domain.
    pub fn require_steps(self, model: &Model, steps: Range<u64>, radius: f64) -> Result<()> {
        match self.too_coarse_for(model, steps, radius)? {
            None => Ok(()),
            Some(text) if self.precision == Precision::F32 => {
                Err(Error::input(format!("{text}: take precision \"f64\" or \"auto\"")))
            }
            Some(text) => {
                let what =
                    if text.starts_with(TRUTH) { "weight" } else { "alpha or gamma, that is fewer, longer steps" };
                Err(Error::input(format!("{text}: take a larger {what}")))
            }
        }
    }

    /// Says why the steps are too small for this lattice; `None` if they are not.
    ///
    /// # Errors
    /// A gain outside its domain.
    pub fn too_coarse_for(self, model: &Model, steps: Range<u64>, radius: f64) -> Result<Option<String>> {
        let of_gain = LeastGain::of(model, steps.clone())?.and_then(|least| least.too_small("γ", self, radius));
        let of_truth = LeastGain::of_truth(model, steps)?.and_then(|least| least.too_small(TRUTH, self, radius));
        Ok(of_gain.or(of_truth))
    }
}

impl Precision {
    /// ρ, in units: what one step adds to the distance of a coordinate from the equations.
    fn step_error(self) -> f64 {
        1.5 + 1.5 * num::scale(1.0, self.state_bits() + 1 - self.gain_bits() as i32)
    }
}

/// Bounds on the distance of a run from the equations over the same strips, in units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunError {
    /// Of every coordinate.
    pub all: f64,
    /// Of tokens whose strips hold only tokens that never move.
    pub drawn_by_resting: f64,
}

impl RunError {
    /// The bounds after some steps of a model with this smallest gain.
    pub fn after(steps: u64, least: LeastGain, model: &Model, precision: Precision) -> Self {
        let (has_truth, rho) = (model.terms.truth.is_some(), precision.step_error());
        let all = 0.5 + (rho + if has_truth { rho - 1.0 } else { 0.0 }) * steps as f64;
        let is_forgotten = least.of_all && !has_truth;
        Self { all, drawn_by_resting: if is_forgotten { all.min(0.5 + rho / least.gamma) } else { all } }
    }
}

impl RunError {
    /// The bounds in words, also in the tokens' own unit.
    pub fn told(self, unit: f64) -> String {
        let Self { all, drawn_by_resting } = self;
        let mut text =
            format!("all tokens lie within {all:.1} units ({:.1e}) of the equations over the same strips", all * unit);
        if drawn_by_resting < all {
            text += &format!(
                ", and within {drawn_by_resting:.1} units ({:.1e}) where only tokens that never moved drew them",
                drawn_by_resting * unit
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mask, Operator, Rule};

    fn hardmax(gain: Gain) -> Model {
        Model::averaging(Rule::Hardmax, Operator::identity(), Mask::FULL, gain)
    }

    fn least(gamma: &str, steps: Range<u64>) -> Option<LeastGain> {
        LeastGain::of(&hardmax(Gain::Gamma(Schedule::parse(gamma).unwrap())), steps).unwrap()
    }

    /// A truth that draws by less than half a unit does not draw at all, and its tokens rest elsewhere.
    #[test]
    fn weights_of_a_truth_below_the_limit_are_refused_too() {
        let model = |weight: f64| hardmax(Gain::Gamma(0.5.into())).truth(&[0.0], weight).unwrap();
        let check = |precision, weight| {
            let grid = Grid { exponent: 0, precision };
            grid.require_steps(&model(weight), 0..9, 1.0).map_err(|error| error.to_string())
        };
        for (precision, least) in [(Precision::F32, num::scale(1.0, -14)), (Precision::F64, num::scale(1.0, -43))] {
            assert!(check(precision, least).is_ok() && check(precision, 0.0).is_ok());
            let text = check(precision, least * 0.99).unwrap_err();
            let remedy = if precision == Precision::F32 { "\"auto\"" } else { "take a larger weight" };
            assert!(text.starts_with("model.truth.weight = ") && text.ends_with(remedy), "{text}");
        }
        let bound = RunError::after(1000, least("0.5", 0..9).unwrap(), &model(0.5), Precision::F32);
        assert_eq!(bound.drawn_by_resting, bound.all);
    }

    /// A dip that is overlooked is a stretch of the run in another system.
    #[test]
    fn the_smallest_gain_of_a_schedule_is_found() {
        assert_eq!(least("0.25", 3..90), Some(LeastGain { gamma: 0.25, step: 3, of_all: true }));
        assert_eq!(least("0.5/(t+1)", 0..10), Some(LeastGain { gamma: 0.05, step: 9, of_all: true }));
        assert_eq!(least("0.5/(t+1)", 0..0), None);
        let dip = "0.5 - 0.4*exp(-(t-70)^2)";
        assert_eq!(least(dip, 0..100).unwrap().step, 70);
        let long = least("0.5/(t+1)", 0..3_000_000_000).unwrap();
        assert!(long.step == 2_999_999_999 && !long.of_all);
        let table = Schedule::table(&[0.5, 0.1, 0.3]).unwrap();
        let of = |steps| LeastGain::of(&hardmax(Gain::Gamma(table.clone())), steps).unwrap().unwrap();
        assert_eq!((of(0..1).gamma, of(0..9).gamma, of(2..1 << 60).gamma, of(7..9).gamma), (0.5, 0.1, 0.3, 0.3));
    }

    /// Both sides of the limit, and the two numbers and the remedy of the message.
    #[test]
    fn steps_below_the_limit_are_refused_with_the_remedy() {
        for (precision, least) in [(Precision::F32, num::scale(1.0, -14)), (Precision::F64, num::scale(1.0, -43))] {
            let grid = Grid { exponent: 0, precision };
            let check = |gamma: f64, radius| {
                grid.require_steps(&hardmax(Gain::Gamma(gamma.into())), 0..9, radius).map_err(|error| error.to_string())
            };
            assert_eq!(check(least, 1.0), Ok(()));
            assert_eq!(check(least / 2.0, 0.0), Ok(()));
            let said = check(least / 2.0, 1.0).unwrap_err();
            let remedy = if precision == Precision::F32 { "\"f64\" or \"auto\"" } else { "larger alpha or gamma" };
            assert!(said.contains("512.00") && said.contains("1024") && said.contains(remedy), "{said}");
        }
    }
}
