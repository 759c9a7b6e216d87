//! A step in real numbers: what is left of a model at step t once every schedule has a value. No
//! tokens, no execution.
//!
//! [`Steps`] makes the [`Step`]s of any model. The integer rules have theirs too, as the
//! mathematics that [`crate::exact`] is measured by; the other rules run on them. What an engine is
//! to compute, for each stage of a step:
//!
//! ```text
//! S^h_ij = factor·<A_h x_i, x_j>        j in keys(i);  −|x_i − x_j|²/2 where scores are distances
//! w^h_ij = weights(S^h_i·)              y_i = Σ_h factor·V_h Σ_j w^h_ij x_j
//! ```
//!
//! and then the [`Motion`]. Engines differ from the reference by rounding, which exact rules of
//! choice may amplify: a strip's entry may flip where its score lies within rounding of the
//! threshold, and the key that markov draws may be a neighbour where u·Σw lies within rounding of a
//! cumulative sum. `exp` is nowhere correctly rounded, so two devices agree within bounds, not in
//! bits.

mod own;

pub use own::{Own, Truth};

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::error::{Error, Result};
use crate::model::{
    self, Geometry, Graph, Integrator, Mask, Matrix, Model, Moment, Operator, Perceptron, Rule, Scheme, Scoring,
    Sparse, StripForm, Update,
};
use crate::normal;

/// A linear map at one time, `factor · matrix`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// The factor.
    pub factor: f64,
    /// The matrix, shared between steps.
    pub matrix: Matrix,
}

impl Linear {
    /// `factor · matrix x`.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; x.len()];
        self.apply_to(x, &mut y);
        y
    }

    /// True if it maps x to x.
    pub(crate) fn is_identity(&self) -> bool {
        self.factor == 1.0 && self.matrix == Matrix::Identity
    }

    /// Writes `factor · matrix x` to `y`.
    pub(crate) fn apply_to(&self, x: &[f64], y: &mut [f64]) {
        self.matrix.apply_to(x, y);
        for y in y {
            *y *= self.factor;
        }
    }
}

/// One head at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// A_h, in the coordinates of the state.
    pub scores: Linear,
    /// V_h.
    pub values: Linear,
}

/// Map from scores to weights at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weights {
    /// 1/|C_i| over `C_i = { j : max − S_ij <= δ·s_i }`; hardmax has δ = 0.
    Strip {
        /// δ.
        delta: f64,
        /// Form of s_i.
        form: StripForm,
    },
    /// 1 on the lowest index that attains the maximum.
    Argmax,
    /// `e^{β(S_ij − max)}` over their sum: nothing overflows at any β.
    Softmax {
        /// β.
        beta: f64,
    },
    /// `e^{β(S_ij − origin)}` over the number of keys seen.
    Exponential {
        /// β.
        beta: f64,
        /// The score that weighs 1.
        origin: f64,
    },
    /// `max(0, u_j − τ)^{1/(a−1)}`, u_j = (a − 1)·β(S_ij − max), τ such that they sum to 1.
    Sparse {
        /// β.
        beta: f64,
        /// a.
        form: Sparse,
    },
    /// `βS_ij` over the number of keys seen, or `max(0, βS_ij)`.
    Linear {
        /// β.
        beta: f64,
        /// max(0, ·).
        rectified: bool,
    },
    /// 1 on the lowest j with `Σ_{l<=j} e^{β(S_il − max)} > u·Σ_l e^{β(S_il − max)}`, sums in index
    /// order, `u =` [`crate::rng::uniform_at`]`(seed, t, i)`.
    Drawn {
        /// β.
        beta: f64,
        /// Seed of the draws.
        seed: u64,
    },
}

/// Weights and maps at one time of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// When.
    pub moment: Moment,
    /// Map from scores to weights.
    pub weights: Weights,
    /// The heads.
    pub heads: Vec<Head>,
    /// The length that outputs y are brought to, if they are.
    pub length: Option<f64>,
}

/// Motion of a token, given its output y.
#[derive(Clone, Debug, PartialEq)]
pub enum Motion {
    /// `x_i' = x_i + γ·P(y_i − x_i)`, from one stage.
    Average {
        /// γ.
        gamma: f64,
        /// P.
        preconditioner: Linear,
    },
    /// A step of an integrator, from [`Integrator::stages`].
    Flow {
        /// Length of the step.
        dt: f64,
        /// The scheme.
        integrator: Integrator,
        /// Space in which tokens move.
        geometry: Geometry,
    },
}

/// Noise of one step on a sphere: √(2dt/κ)·P_x ξ is added to every token before its retraction, ξ =
/// [`crate::normal::normals_at`]`(seed, t, i)`, or without i where all have one ξ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// κ.
    pub kappa: f64,
    /// One ξ for all tokens.
    pub common: bool,
    /// Seed of the draws.
    pub seed: u64,
}

impl Noise {
    /// ξ of token i at step t.
    pub fn draws(&self, t: u64, i: usize, d: usize) -> Vec<f64> {
        normal::normals_at(self.seed, t, (!self.common).then_some(i as u64), d)
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// t, counted from 0.
    pub t: u64,
    /// Which keys a row sees.
    pub mask: Mask,
    /// The graph of the mask, if it has one.
    pub graph: Option<Arc<Graph>>,
    /// The score of a pair; the matrices of heads are the identity where it is a distance.
    pub scoring: Scoring,
    /// One, or the four of rk4.
    pub stages: Vec<Stage>,
    /// Motion of the tokens, given the outputs.
    pub motion: Motion,
    /// The largest share of a row's softmax mass that an engine may leave out.
    pub omit: f64,
    /// Noise.
    pub noise: Option<Noise>,
    /// Σ_k ω_k σ(<a_k, x>) a_k, added to outputs.
    pub perceptron: Option<Perceptron>,
    /// λ: scores are less by λ(i − j)/n.
    pub bias: f64,
    /// True if outputs lose what lies along the row's own value, V_1 x_i.
    pub exclusive: bool,
    /// True if rows attend with the directions x/|x| of tokens that have lengths, by those of others.
    pub directions: bool,
    /// What rows have of their own, and the truth.
    pub own: Option<Own>,
}

impl Step {
    /// The keys that row i of n sees, ascending.
    pub fn keys(&self, i: usize, n: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        self.mask.keys_in(self.graph.as_deref(), i, n)
    }

    /// Number of keys that row i of n sees.
    pub fn count(&self, i: usize, n: usize) -> usize {
        self.mask.count_in(self.graph.as_deref(), i, n)
    }

    /// γ of row i of an average, `gamma` unless it has its own.
    pub fn gamma_of(&self, i: usize, gamma: f64) -> f64 {
        let gammas = self.own.as_ref().and_then(|own| own.gammas.as_ref());
        gammas.and_then(|gammas| gammas.get(i)).copied().unwrap_or(gamma)
    }

    /// The weights of row i of a stage, with its own δ.
    pub fn weights_of(&self, i: usize, weights: Weights) -> Weights {
        let deltas = self.own.as_ref().and_then(|own| own.deltas.as_ref());
        match (weights, deltas.and_then(|deltas| deltas.get(i))) {
            (Weights::Strip { form, .. }, Some(&delta)) => Weights::Strip { delta, form },
            _ => weights,
        }
    }

    /// The truth, and its share w of what row i averages.
    pub fn truth_of(&self, i: usize) -> Option<(&[f64], f64)> {
        let truth = self.own.as_ref()?.truth.as_ref()?;
        Some((&truth.point, truth.weight(i)))
    }
}

/// The steps of one run, made on demand.
#[derive(Clone, Debug)]
pub struct Steps {
    model: Model,
    d: usize,
}

impl Steps {
    /// Steps of `model` for tokens in R^d.
    pub fn new(model: &Model, d: usize) -> Self {
        Self { model: model.clone(), d }
    }

    /// Step t.
    ///
    /// # Errors
    /// A schedule outside its domain at step t; e^{tV} beyond the range of f64.
    pub fn at(&self, t: u64) -> Result<Step> {
        let model = &self.model;
        let start = model.moment(t, 0.0);
        let (fractions, motion): (&[f64], _) = match &model.update {
            Update::Average { preconditioner, .. } => {
                let preconditioner = match preconditioner {
                    Some(p) => Linear { factor: p.factor_at("p", start)?, matrix: p.matrix_at(t, self.d) },
                    None => Linear { factor: 1.0, matrix: Matrix::Identity },
                };
                (&[0.0], Motion::Average { gamma: model.gamma_at(start)?, preconditioner })
            }
            Update::Flow { dt, integrator, geometry } => {
                let geometry = match geometry {
                    Geometry::Normalised(scheme) if scheme.is_on_sphere(start.time) => Geometry::Sphere,
                    Geometry::Normalised(_) => Geometry::Flat,
                    other => other.clone(),
                };
                let motion = Motion::Flow { dt: *dt, integrator: *integrator, geometry };
                (integrator.stages(), motion)
            }
        };
        let stages = fractions.iter().map(|&f| self.stage(model.moment(t, f))).collect::<Result<_>>()?;
        let perceptron = model.terms.perceptron.clone();
        let directions = self.scheme().is_some_and(|scheme| !scheme.is_on_sphere(start.time));
        let drawn = |noise: &model::Noise| -> Result<Noise> {
            Ok(Noise { kappa: noise.kappa_at(start)?, common: noise.common, seed: noise.seed })
        };
        let noise = model.terms.noise.as_ref().map(drawn).transpose()?;
        let (mask, graph, scoring, omit) = (model.mask, model.graph.clone(), model.scoring, model.omit);
        let (exclusive, bias) = (model.terms.exclusive, model.terms.bias);
        let own = Own::at(model, start)?;
        Ok(Step { t, mask, graph, scoring, stages, motion, omit, noise, perceptron, bias, exclusive, directions, own })
    }

    fn scheme(&self) -> Option<&Scheme> {
        match &self.model.update {
            Update::Flow { geometry: Geometry::Normalised(scheme), .. } => Some(scheme),
            _ => None,
        }
    }

    fn stage(&self, moment: Moment) -> Result<Stage> {
        let model = &self.model;
        let beta = model.beta_at(moment)?;
        let weights = match model.rule {
            Rule::Localmax { strip, .. } => Weights::Strip { delta: model.delta_at(moment)?, form: strip },
            Rule::Hardmax => Weights::Strip { delta: 0.0, form: StripForm::Score },
            Rule::FrankWolfe => Weights::Argmax,
            Rule::Softmax { .. } => Weights::Softmax { beta },
            Rule::Exponential { origin, .. } => Weights::Exponential { beta, origin },
            Rule::Sparse { form, .. } => Weights::Sparse { beta, form },
            Rule::Linear { rectified, .. } => Weights::Linear { beta, rectified },
            Rule::Markov { seed, .. } => Weights::Drawn { beta, seed },
        };
        let heads = (0..model.heads.len()).map(|h| self.head(h, moment)).collect::<Result<_>>()?;
        let length = self.scheme().map_or(Ok(None), |scheme| scheme.length_at(moment))?;
        Ok(Stage { moment, weights, heads, length })
    }

    fn head(&self, h: usize, moment: Moment) -> Result<Head> {
        let (model, head) = (&self.model, &self.model.heads[h]);
        let linear = |factor, of: &Operator| Linear { factor, matrix: of.matrix_at(moment.step, self.d) };
        let turned = self.scheme().map_or(1.0, |scheme| scheme.factor_at(moment));
        let values = linear(turned * model.value_factor(h, moment)?, &head.values);
        let scores = linear(model.score_factor(h, moment)?, &head.scores);
        let scores = match model.update {
            Update::Flow { geometry: Geometry::Rescaled, .. } => rescaled(&scores, &values, moment, self.d)?,
            _ => scores,
        };
        Ok(Head { scores, values })
    }
}

/// Scores of z that are those of x = e^{tV}z: `<A e^{tV} z_i, e^{tV} z_j>`, a matrix of its own at
/// every time.
fn rescaled(scores: &Linear, values: &Linear, moment: Moment, d: usize) -> Result<Linear> {
    let t = moment.time * values.factor;
    let linear = match &values.matrix {
        Matrix::Identity => Linear { factor: scores.factor * libm::exp(2.0 * t), matrix: scores.matrix.clone() },
        Matrix::Multiple(c) => Linear { factor: scores.factor * libm::exp(2.0 * t * c), matrix: scores.matrix.clone() },
        Matrix::Dense { .. } => {
            let growth: DMatrix<f64> = (values.matrix.to_dense(d) * t).exp();
            let matrix = growth.transpose() * scores.matrix.to_dense(d) * growth;
            Linear { factor: scores.factor, matrix: Matrix::of_dense(&matrix) }
        }
    };
    let largest = match &linear.matrix {
        Matrix::Dense { entries, .. } => entries.iter().fold(0.0, |m: f64, v| if v.abs() <= m { m } else { v.abs() }),
        other => other.entry(0, 0).abs(),
    };
    if (linear.factor * largest).is_finite() {
        return Ok(linear);
    }
    Err(Error::input(format!(
        "e^(tV) leaves the range of numbers at {moment}; take fewer or shorter steps, or a smaller model.v"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Gain, Operator, Terms};
    use crate::schedule::Schedule;

    /// If stage times were wrong, rk4 would be of order one for every scheduled parameter.
    #[test]
    fn stages_have_their_times() {
        let model = Model {
            rule: Rule::Softmax { beta: Schedule::parse("1+t").unwrap() },
            heads: vec![crate::model::Head { scores: Operator::identity(), values: Operator::identity() }],
            mask: Mask::FULL,
            update: Update::Flow { dt: 0.5, integrator: Integrator::Rk4, geometry: Geometry::Sphere },
            scoring: Scoring::Inner,
            omit: 0.0,
            terms: Terms::default(),
            keys: None,
            graph: None,
        };
        let step = Steps::new(&model, 3).at(4).unwrap();
        let times: Vec<f64> = step.stages.iter().map(|s| s.moment.time).collect();
        assert_eq!(times, [2.0, 2.25, 2.25, 2.5]);
        assert_eq!(step.stages[3].weights, Weights::Softmax { beta: 3.5 });
    }

    /// A discrete rule's time is the number of its step.
    #[test]
    fn discrete_rules_count_steps() {
        let model = Model::averaging(
            Rule::FrankWolfe,
            Operator::scaled(Matrix::multiple(-1.0).unwrap(), Schedule::parse("t").unwrap()),
            Mask::CAUSAL,
            Gain::Gamma(Schedule::parse("2/(t+2)").unwrap()),
        );
        let step = Steps::new(&model, 1).at(2).unwrap();
        assert!(matches!(step.motion, Motion::Average { gamma: 0.5, .. }));
        assert_eq!(step.stages[0].heads[0].scores.apply(&[3.0]), [-6.0]);
    }

    /// e^{tV} by its closed forms: a multiple of the identity, a diagonal, and a rotation.
    #[test]
    fn rescaled_scores_are_those_of_the_tokens() {
        let scores = Linear { factor: 2.0, matrix: Matrix::Identity };
        let at = |rows: Matrix, time| {
            rescaled(&scores, &Linear { factor: 1.0, matrix: rows }, Moment { step: 1, time }, 2).unwrap()
        };
        let z = [1.0, -3.0];
        let near = |got: Vec<f64>, want: [f64; 2]| {
            for (g, w) in got.iter().zip(want) {
                assert!((g - w).abs() <= 1e-13 * w.abs().max(1.0), "{g} against {w}");
            }
        };
        let e = |x: f64| x.exp();
        near(at(Matrix::multiple(0.5).unwrap(), 3.0).apply(&z), [2.0 * e(3.0), -6.0 * e(3.0)]);
        near(
            at(Matrix::dense(&[vec![1.0, 0.0], vec![0.0, -0.5]]).unwrap(), 2.0).apply(&z),
            [2.0 * e(4.0), -6.0 * e(-2.0)],
        );
        near(at(Matrix::dense(&[vec![0.0, -1.0], vec![1.0, 0.0]]).unwrap(), 7.0).apply(&z), [2.0, -6.0]);
        let overflow = Linear { factor: 1.0, matrix: Matrix::Identity };
        let error = rescaled(&scores, &overflow, Moment { step: 9, time: 1e4 }, 2).unwrap_err().to_string();
        assert!(error.contains("at step 9"), "{error}");
    }
}
