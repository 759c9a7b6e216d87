//! The mathematics: every system in f64, on real numbers as far as f64 goes, read aloud from
//! [`crate::real`].

use std::borrow::Cow;

use crate::model::{Activation, Geometry, Integrator, Scoring, Sparse, StripForm};
use crate::num;
use crate::outcome::Strips;
use crate::real::{Head, Motion, Stage, Step, Weights};
use crate::rng;
use crate::tokens::Tokens;

/// Tokens as f64 rows.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Number of tokens.
    pub n: usize,
    /// Dimension.
    pub d: usize,
    /// X, row-major.
    pub x: Vec<f64>,
}

/// The scores of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The keys j that the row sees, ascending.
    pub keys: Vec<usize>,
    /// S_ij for each of them.
    pub values: Vec<f64>,
    /// max_j S_ij; 0 where the row sees no key.
    pub max: f64,
    /// The lowest key that attains it; i itself where the row sees no key.
    pub argmax: usize,
}

/// Attention of one row of one head: `w_ij = weight / total`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// The lowest index that attains the maximal score.
    pub argmax: usize,
    /// Key and weight, keys ascending; keys that the rule leaves out are not listed. None where the row sees no key.
    pub weights: Vec<(usize, f64)>,
    /// Divisor of the weights.
    pub total: f64,
}

impl Attention {
    /// Every member alike.
    pub fn uniform(argmax: usize, members: impl IntoIterator<Item = usize>) -> Self {
        let weights: Vec<(usize, f64)> = members.into_iter().map(|j| (j, 1.0)).collect();
        Self { argmax, total: weights.len() as f64, weights }
    }
}

impl State {
    /// The tokens, widened.
    pub fn new(tokens: &Tokens) -> Self {
        Self { n: tokens.n(), d: tokens.d(), x: tokens.to_f64() }
    }

    /// The tokens that rows attend with and to: these, or their directions.
    pub fn attending(&self, step: &Step) -> Cow<'_, Self> {
        if !step.directions {
            return Cow::Borrowed(self);
        }
        let mut directions = self.clone();
        directions.x.chunks_exact_mut(self.d).for_each(|row| Geometry::Sphere.retract(row));
        Cow::Owned(directions)
    }

    /// x_i.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.x[i * self.d..][..self.d]
    }

    /// S_ij, `<A x_i, x_j>` or `−|x_i − x_j|²/2`, for the keys that row i sees.
    pub fn scores(&self, step: &Step, head: &Head, i: usize) -> Scores {
        self.scores_over(step, head, i, [0, 0])
    }

    /// The scores of row i over a power of two, and its exponent: 0 unless f64 does not hold them.
    fn held_scores(&self, step: &Step, head: &Head, i: usize) -> (Scores, i32) {
        let scores = self.scores(step, head, i);
        if scores.values.iter().all(|s| s.is_finite()) {
            return (scores, 0);
        }
        let above = |x: &[f64]| num::exponent_above(num::largest_magnitude(x));
        let exponents = match step.scoring {
            Scoring::Inner => {
                let of_bias = num::exponent_above(step.bias) - above(&self.x);
                [above(&head.scores.apply(self.row(i))).max(of_bias), above(&self.x)]
            }
            // A difference may be twice as large.
            Scoring::Distance => [above(&self.x) + 1; 2],
        };
        (self.scores_over(step, head, i, exponents), exponents[0] + exponents[1])
    }

    /// The scores over two powers of two, of queries and of keys.
    fn scores_over(&self, step: &Step, head: &Head, i: usize, [of_query, of_keys]: [i32; 2]) -> Scores {
        let query: Vec<f64> = head.scores.apply(self.row(i)).iter().map(|&q| num::scale(q, -of_query)).collect();
        let score = |j: usize| -> f64 {
            let pairs = query.iter().zip(self.row(j)).map(|(&q, &x)| (q, num::scale(x, -of_keys)));
            match step.scoring {
                Scoring::Inner if step.bias > 0.0 => {
                    let bias = step.bias * ((i as f64 - j as f64) / self.n as f64);
                    pairs.map(|(q, x)| q * x).sum::<f64>() - num::scale(bias, -of_query - of_keys)
                }
                Scoring::Inner => pairs.map(|(q, x)| q * x).sum(),
                Scoring::Distance => -0.5 * pairs.map(|(q, x)| (q - x) * (q - x)).sum::<f64>(),
            }
        };
        let keys: Vec<usize> = step.keys(i, self.n).collect();
        let values: Vec<f64> = keys.iter().copied().map(score).collect();
        let (mut max, mut argmax) = (values.first().copied().unwrap_or(0.0), keys.first().copied().unwrap_or(i));
        for (&j, &score) in keys.iter().zip(&values) {
            if score > max {
                (max, argmax) = (score, j);
            }
        }
        Scores { keys, values, max, argmax }
    }

    /// The score at which row i's strip ends: `max − δ·s_i`, and the maximum itself in rules
    /// without a strip.
    pub fn threshold(&self, weights: Weights, head: &Head, i: usize, max: f64) -> f64 {
        let Weights::Strip { delta, form } = weights else { return max };
        if delta == 0.0 {
            return max;
        }
        let query = head.scores.apply(self.row(i));
        let scale = match form {
            StripForm::Score | StripForm::Radius => form.constant(delta),
            StripForm::Width => dot(&query, &query).sqrt(),
            StripForm::ANorm => dot(&query, self.row(i)).max(0.0).sqrt(),
        };
        max - delta * scale
    }

    /// The weights of row i.
    pub fn attention(&self, step: &Step, stage: &Stage, head: &Head, i: usize) -> Attention {
        let (Scores { keys, values, max, argmax }, over) = self.held_scores(step, head, i);
        if keys.is_empty() {
            return Attention { argmax, weights: Vec::new(), total: 1.0 };
        }
        let exponentials = |beta: f64, origin: f64| -> Vec<(usize, f64)> {
            keys.iter().copied().zip(values.iter().map(|s| libm::exp(beta * (s - origin)))).collect()
        };
        let held = |beta: f64| num::scale(beta, over).min(f64::MAX);
        match stage.weights {
            Weights::Strip { .. } => {
                let weights = step.weights_of(i, stage.weights);
                let threshold = max + num::scale(self.threshold(weights, head, i, 0.0), -over);
                Attention::uniform(
                    argmax,
                    keys.into_iter().zip(values).filter(|(_, s)| *s >= threshold).map(|(j, _)| j),
                )
            }
            Weights::Argmax => Attention::uniform(argmax, [argmax]),
            Weights::Softmax { beta } => {
                let weights = exponentials(held(beta), max);
                Attention { argmax, total: weights.iter().map(|(_, w)| w).sum(), weights }
            }
            Weights::Exponential { beta, origin } => {
                let weights = exponentials(held(beta), num::scale(origin, -over));
                Attention { argmax, total: values.len() as f64, weights }
            }
            Weights::Sparse { beta, form } => {
                let (levels, end) = self.levels(step, head, i, beta, form);
                let weights: Vec<(usize, f64)> = keys
                    .into_iter()
                    .zip(levels.iter().map(|u| form.weight(u - end)))
                    .filter(|(_, w)| *w > 0.0)
                    .collect();
                Attention { argmax, total: weights.iter().map(|(_, w)| w).sum(), weights }
            }
            Weights::Linear { beta, rectified } => {
                let least = if rectified { 0.0 } else { f64::NEG_INFINITY };
                let total = values.len() as f64;
                let weights = keys.into_iter().zip(values.iter().map(|s| (held(beta) * s).max(least))).collect();
                Attention { argmax, weights, total }
            }
            Weights::Drawn { beta, seed } => {
                let weights = exponentials(held(beta), max);
                let total: f64 = weights.iter().map(|(_, w)| w).sum();
                let level = rng::uniform_at(seed, step.t, i as u64) * total;
                let mut cumulative = 0.0;
                let drawn = weights.iter().find(|(_, w)| {
                    cumulative += w;
                    cumulative > level
                });
                // u < 1 leaves the last sum above the level, but for rounding at the very top.
                Attention::uniform(argmax, [drawn.map_or(keys[keys.len() - 1], |(j, _)| *j)])
            }
        }
    }

    /// u_j of row i's sparse weights, in the order of its keys, and τ.
    pub fn levels(&self, step: &Step, head: &Head, i: usize, beta: f64, form: Sparse) -> (Vec<f64>, f64) {
        let (Scores { values, max, .. }, over) = self.held_scores(step, head, i);
        let beta = num::scale(beta, over).min(f64::MAX);
        let levels: Vec<f64> = values.iter().map(|s| form.level(beta * (s - max))).collect();
        let end = threshold(&levels, form);
        (levels, end)
    }

    /// `Σ_j w_ij (x_j − origin)`. Relative to x_i, coincident tokens average to themselves exactly.
    fn drawn(&self, attention: &Attention, origin: &[f64]) -> Vec<f64> {
        let sum = |k: usize| -> f64 { attention.weights.iter().map(|&(j, w)| w * (self.row(j)[k] - origin[k])).sum() };
        (0..self.d).map(|k| sum(k) / attention.total).collect()
    }

    /// y_i, given the attention of each head.
    pub fn output(&self, step: &Step, stage: &Stage, i: usize, attended: &[Attention]) -> Vec<f64> {
        let zero = vec![0.0; self.d];
        let heads = stage.heads.iter().zip(attended);
        let mut y = heads.fold(zero.clone(), |y, (head, a)| add(&y, 1.0, &head.values.apply(&self.drawn(a, &zero))));
        if step.exclusive {
            let own = stage.heads[0].values.apply(self.row(i));
            // Scaled, so that no square overflows or vanishes.
            let exponent = num::exponent_above(num::largest_magnitude(&own));
            let own: Vec<f64> = own.iter().map(|&v| num::scale(v, -exponent)).collect();
            let square = dot(&own, &own);
            if square > 0.0 {
                y = add(&y, -dot(&y, &own) / square, &own);
            }
        }
        if let Some(length) = stage.length {
            let norm = dot(&y, &y).sqrt();
            // 0 has no direction and stays.
            y.iter_mut().filter(|_| norm > 0.0).for_each(|y| *y = length * (*y / norm));
        }
        y
    }

    /// Direction of row i at one stage, given the attention of each head: `y_i − x_i` in an
    /// average, where a truth has its share, the field in a flow.
    fn direction(&self, step: &Step, stage: &Stage, i: usize, attended: &[Attention]) -> Vec<f64> {
        let direction = self.attended_direction(step, stage, i, attended);
        let Some((truth, weight)) = step.truth_of(i).filter(|_| !attended[0].weights.is_empty()) else {
            return direction;
        };
        let towards = truth.iter().zip(self.row(i)).map(|(truth, x)| truth - x);
        direction.iter().zip(towards).map(|(along, towards)| (1.0 - weight) * along + weight * towards).collect()
    }

    /// The direction of what a row attends to.
    fn attended_direction(&self, step: &Step, stage: &Stage, i: usize, attended: &[Attention]) -> Vec<f64> {
        let x = self.row(i);
        let heads = || stage.heads.iter().zip(attended);
        let output = || {
            let mut y = self.output(step, stage, i, attended);
            for (omega, a) in step.perceptron.iter().flat_map(|p| p.units(self.d).filter(|(omega, _)| *omega != 0.0)) {
                let s = dot(a, x);
                let sigma = match step.perceptron.as_ref().map(|p| p.activation) {
                    Some(Activation::Tanh) => libm::tanh(s),
                    _ => s.max(0.0),
                };
                y = add(&y, omega * sigma, a);
            }
            y
        };
        match &step.motion {
            // A token without keys stays.
            Motion::Average { .. } if attended[0].weights.is_empty() => vec![0.0; self.d],
            Motion::Average { .. } if step.exclusive => add(&output(), -1.0, x),
            Motion::Average { .. } => {
                // Σ_h V_h(Σ_j w x_j − x) + (Σ_h V_h x − x): without values of its own, the second
                // part is exactly 0.
                let kept = heads().fold(x.iter().map(|v| -v).collect(), |sum: Vec<f64>, (head, _)| {
                    add(&sum, 1.0, &head.values.apply(x))
                });
                heads().fold(kept, |sum, (head, a)| add(&sum, 1.0, &head.values.apply(&self.drawn(a, x))))
            }
            Motion::Flow { integrator: Integrator::EulerRenorm, .. } => output(),
            Motion::Flow { geometry, .. } => match geometry {
                Geometry::Flat | Geometry::Normalised(_) => output(),
                Geometry::Sphere => {
                    let y = output();
                    add(&y, -dot(x, &y), x)
                }
                Geometry::Ellipsoid(w) => {
                    let (y, wx) = (output(), w.apply(x));
                    add(&y, -dot(&wx, &y) / dot(&wx, x), x)
                }
                Geometry::Rescaled => {
                    let (head, attention) = (&stage.heads[0], &attended[0]);
                    head.values.apply(&self.drawn(attention, x))
                }
            },
        }
    }

    /// The direction of every row at one stage, and what its first head attended to.
    fn directions(&self, step: &Step, stage: &Stage) -> (Vec<f64>, Strips) {
        let (mut all, mut strips) = (Vec::with_capacity(self.x.len()), Strips::default());
        let keys = self.attending(step);
        for i in 0..self.n {
            let attended: Vec<Attention> =
                stage.heads.iter().map(|head| keys.attention(step, stage, head, i)).collect();
            all.extend(keys.direction(step, stage, i, &attended));
            strips.argmax.push(attended[0].argmax as u32);
            strips.count.push(attended[0].weights.len() as u32);
        }
        (all, strips)
    }

    /// `x_i + γ·P(y_i − x_i)` of an averaging rule with one head, given what it attends to.
    pub fn moved(&self, step: &Step, i: usize, attention: &Attention) -> Vec<f64> {
        self.averaged(step, i, &self.direction(step, &step.stages[0], i, std::slice::from_ref(attention)))
    }

    fn averaged(&self, step: &Step, i: usize, direction: &[f64]) -> Vec<f64> {
        let Motion::Average { gamma, preconditioner } = &step.motion else { return direction.to_vec() };
        add(self.row(i), step.gamma_of(i, *gamma), &preconditioner.apply(direction))
    }

    /// X(t+1), and what the first head attended to at the first stage.
    pub fn step(&self, step: &Step) -> (Self, Strips) {
        let (k1, strips) = self.directions(step, &step.stages[0]);
        let next = match &step.motion {
            Motion::Average { .. } => {
                let rows = k1.chunks_exact(self.d).enumerate();
                Self { x: rows.flat_map(|(i, direction)| self.averaged(step, i, direction)).collect(), ..*self }
            }
            Motion::Flow { dt, integrator, geometry } => {
                let along = match integrator {
                    Integrator::Euler | Integrator::EulerRenorm => k1,
                    Integrator::Rk4 => {
                        let k2 = self.ahead(0.5 * dt, &k1).directions(step, &step.stages[1]).0;
                        let k3 = self.ahead(0.5 * dt, &k2).directions(step, &step.stages[2]).0;
                        let k4 = self.ahead(*dt, &k3).directions(step, &step.stages[3]).0;
                        (0..k1.len()).map(|c| (k1[c] + 2.0 * k2[c] + 2.0 * k3[c] + k4[c]) / 6.0).collect()
                    }
                };
                let mut next = self.ahead(*dt, &along);
                next.x.chunks_exact_mut(self.d).enumerate().for_each(|(i, row)| self.shake(step, i, row));
                next.x.chunks_exact_mut(self.d).for_each(|row| geometry.retract(row));
                next
            }
        };
        (next, strips)
    }

    /// The states that the stages of a step start from.
    pub fn stage_states(&self, step: &Step) -> Vec<Self> {
        let mut states = vec![self.clone()];
        if let Motion::Flow { dt, integrator: Integrator::Rk4, .. } = step.motion {
            for (stage, time) in step.stages.iter().zip([0.5, 0.5, 1.0]) {
                let (k, _) = states[states.len() - 1].directions(step, stage);
                states.push(self.ahead(time * dt, &k));
            }
        }
        states
    }

    /// Token i after a step and before its retraction, from [`State::stage_states`] and what each
    /// head attends to at the first stage.
    pub fn advanced(states: &[Self], step: &Step, i: usize, attended: &[Attention]) -> Vec<f64> {
        let k1 = states[0].attending(step).direction(step, &step.stages[0], i, attended);
        let Motion::Flow { dt, integrator, .. } = &step.motion else { return states[0].averaged(step, i, &k1) };
        let along = if *integrator == Integrator::Rk4 {
            let at = |s: usize| {
                let (state, stage) = (states[s].attending(step), &step.stages[s]);
                let attended: Vec<_> = stage.heads.iter().map(|h| state.attention(step, stage, h, i)).collect();
                state.direction(step, stage, i, &attended)
            };
            let (k2, k3, k4) = (at(1), at(2), at(3));
            (0..k1.len()).map(|c| (k1[c] + 2.0 * k2[c] + 2.0 * k3[c] + k4[c]) / 6.0).collect()
        } else {
            k1
        };
        let mut moved = add(states[0].row(i), *dt, &along);
        states[0].shake(step, i, &mut moved);
        moved
    }

    /// Adds √(2dt/κ)·P_x ξ to what token i moves to.
    fn shake(&self, step: &Step, i: usize, moved: &mut [f64]) {
        let (Some(noise), Motion::Flow { dt, .. }) = (step.noise, &step.motion) else { return };
        let (x, draws) = (self.row(i), noise.draws(step.t, i, self.d));
        let along = dot(x, &draws);
        let strength = (2.0 * dt / noise.kappa).sqrt();
        for (moved, (xi, x)) in moved.iter_mut().zip(draws.iter().zip(x)) {
            *moved += strength * (xi - along * x);
        }
    }

    /// `X + time·direction`.
    fn ahead(&self, time: f64, direction: &[f64]) -> Self {
        Self { x: add(&self.x, time, direction), ..*self }
    }
}

/// τ of sparse weights at levels of which the largest is 0, by sorting: with the k largest levels above τ, it solves
/// an equation of degree 1 or 2, and k is the last for which the k-th level is above the solution.
pub fn threshold(levels: &[f64], form: Sparse) -> f64 {
    let mut sorted = levels.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut squares, mut end) = (0.0, 0.0, -1.0);
    for (at, &level) in sorted.iter().enumerate() {
        let k = at as f64 + 1.0;
        (sum, squares) = (sum + level, squares + level * level);
        let solution = match form {
            Sparse::Sparsemax => (sum - 1.0) / k,
            // Σ(u − τ)² = 1; where no τ solves it, these levels are too far apart.
            Sparse::Entmax15 => sum / k - ((1.0 - (squares - sum * sum / k)) / k).sqrt(),
        };
        if solution.is_nan() || level <= solution {
            break;
        }
        end = solution;
    }
    // A step of Newton's method takes away what rounding left in these sums.
    let above = || levels.iter().map(|u| (u - end).max(0.0));
    let (first, total): (f64, f64) = (above().sum(), above().map(|v| form.weight(v)).sum());
    match form {
        Sparse::Sparsemax => end + (total - 1.0) / above().filter(|v| *v > 0.0).count() as f64,
        Sparse::Entmax15 => end + (total.sqrt() - 1.0) * total.sqrt() / first,
    }
}

/// Inner product in index order.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `a + factor·b`.
fn add(a: &[f64], factor: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + factor * b).collect()
}
