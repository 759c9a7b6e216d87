//! Bounds on the distance of one step in real numbers from the mathematics in f64, from equal
//! states, in Euclidean norm.
//!
//! r = 2^-24 or 2^-53 is the rounding of the stored width that an engine computes weights in, ρ that of what it does once a row
//! ([`Rounding`]: 2^-53 on the CPU), ε = 2^-53 that of the reference. On a GPU both are 2^-23: WGSL and Vulkan let a device round
//! to either neighbour. X = max|x_j|, R = max|x_j − centre|,
//! q = |A x_i|, m the number of keys seen (0: y_i is 0 and off by nothing), |·| of a matrix its Frobenius norm, η a bound of
//! how far apart the two states already are (0 at the first stage), T the number of terms that follow one another in a sum in
//! the stored width: 128 on the CPU, where f64 takes over, 136 = 8 + 1024/8 = 128 + 1024/128 in a chunk of keys on a GPU, 144
//! with its lanes.
//!
//! * **Scores.** Query and key are rounded once, the inner product has d terms:
//!   Δ = 1.01·[(|A|η + 2(d+2)ρ·||A||x_i||)(X+η) + qη + (d+4)r(q+|A|η)(X+η)].
//!   A bias, at most λ, is rounded, taken away in one more rounding, and the rounding of both: Δ grows by 8.08λr.
//!   By distance, which only averages have, states are equal and stored, a difference rounds once, its
//!   square and the sum d + 1 times, all terms of one sign: Δ = 0 and a score is off by a share σ =
//!   1.01(d+6)(r + ε) of itself, which is that share of t_j, as the maximum is 0; σ = 0 for inner products. Where rows do
//!   not see themselves, the maximum is not 0, and Λ below grows by σβ|max|.
//! * **Softmax.** The logarithms of the weights, up to a common constant, are off by λ_j with |λ_j| ≤ Λ + τ|t_j|, where
//!   t_j = β(S_ij − max) ≤ 0, Λ = βΔ + 4r + 4(m/T + 2)ε (e^t to 2 ulps; rescalings) and τ = 3.1r + 3ε (difference, β,
//!   product; the same in the reference), and σ. On a GPU a chunk's weights are relative to a reference that the maximum passes by
//!   e^1.4 at most: |t| of a weight and its rescalings add up to |t_j| + 2.8, each rescaling (5r: e^t and the product) takes away
//!   1.4 of it or more, and the chunk's own factor has 5r: Λ grows by (5 + 2.8·6.8)r ≤ 25r, τ by 5r/1.4 ≤ 3.7r. Entropy is
//!   at most ln m, so Σ_j p_j|t_j| ≤ ln m, and with L = max|λ_j| ≤ Λ + τ(C + 2βΔ), C = 80 or 700 where weights are cut off,
//!   Σ_j |p̂_j − p_j| ≤ V = min(2, 2e^{2L}(Λ + τ ln m) + 2m·e^{2L−C}). The mean is off by V·R, not V·X, as Σ(p̂_j − p_j) = 0.
//!   Keys of a share ω of the mass at most may be left out ([`crate::model::Model::omit`]): V grows by 2.02ω.
//! * **Sums.** min(m, T) terms in the stored width, m in f64, above and below the fraction; then a
//!   factor, a sum that carries what it loses, a division (5ρ) and the way back to x: with μ = X +
//!   η, S = [2.02(min(m, T) + 3)r + 2(m + m/T + 8)ε + 16ρ]μ. Mean: E = VR + S + η.
//! * **Unnormalised.** Weights are at most M = e^{β(qX − origin)} and off by e^λ: with Λ' = Λ +
//!   4ρβ(qX + λ + |origin|), E = M·[(e^{L'}(Λ' + τ) + e^{−C})μ + S + η], as w_j|t_j| ≤ w_max/e; L' is L
//!   with Λ' for Λ.
//! * **Sparse.** u_j is off by (a − 1)Λ, Λ = 1.01βΔ + 12ρ(1 + 2βΔ), up to a common constant, which moves τ alike; a sum over
//!   all keys in the search for τ by σ = 2(N + 8)ρ + 2(m + 8)ε, N = m terms on the CPU, 32 + m/1024 on a GPU. As the terms are
//!   positive and sum to 1, τ is off by (a − 1)Λ + σ, and a key may be weighed or not within ν = 2(a − 1)Λ + 2σ of τ. With
//!   k = |{j : u_j > τ − ν}|, V = min(2, 1.01(2Λk + 4σ)) for sparsemax, whose weights are off by 2Λ each, and
//!   min(2, 1.01(2Λ√k + 4σ)) for entmax, as squares of numbers that are off by Λ and sum to at most √k. E = VR + S + η.
//! * **Linear.** Weights sum to at most M = β(qX + λ) and are off by βΔ in all: E = (1.01βΔ + 8ρM)μ + M(S + η).
//! * **Choices.** A strip's entry may flip within 2Δ + (3r + 2σ)·(|max| + δs_i) + δ·(error of s_i) of the
//!   threshold, where, c = 4(d+4)ρ and a_i = ||A||x_i||, s_i is off by c where it is 1, by c·a_i
//!   where it is |Ax_i|, and by √(c·a_i|x_i|) + c·a_i|x_i| where it is √<Ax_i, x_i>; a maximiser
//!   may be any key within 2Δ of the maximum; a key may be drawn if u·Σw lies within B of its
//!   interval of the cumulative sums, B/Σw = V + 2.02(T + 3)r + 2(m + 8)ε + 16ρ, u itself being
//!   rounded. Given the engine's own choice, E = S + η (or η + 2ρμ for one key and its way there
//!   and back); where a head's choice is unknown, E = 2X.
//! * **Values, motion.** Y = Σ_h|V_h|M_h X bounds the output (M = 1 unless unnormalised), D = Σ_h|V_h|E_h + c(Y + X), c = 8(d+4)ρ,
//!   its error. Relative to the own token D grows by (1 + Σ|V_h|)(η + cμ); on the sphere to D(1+μ²) + 2.02μYη + cY(1+μ²), on the
//!   ellipsoid, κ² its condition number, to D(1+κ) + 4κ²Yη/(|x_i| − η) + p·cY(1+κ²); p = √d where W is dense, as
//!   ||W||x|| ≤ √d·λ_max|x|, and 1 elsewhere.
//! * **Directions.** Where rows attend with x/|x|, X, R and q are those of the directions, and their η is 2η/min|x_j| +
//!   2(d+8)ρ. An output that is brought to the length ℓ is off by |ℓ|(2(D + c(Y + X))/|y_i| + c), and bounded by |ℓ|.
//! * **Exclusive.** The planes orthogonal to v = V x_i and to another v' are apart by the sine of their angle, at most
//!   |v − v'|/|v|: D grows by Y·(|V|(η + cμ)/|v| + c), the last for the projection itself. No bound where v = 0.
//! * **Truth.** Its share w leaves (1 − w)D of an average's D, and adds c(|τ| + Y + X) for roundings.
//! * **Perceptron.** σ grows by 1 at most and is 0 at 0. Of K units each adds |ω||a|(|a|(η + (2d + 24 + K)ρμ) + 8ρ) to D, the
//!   last for tanh, and |ω||a|²μ to Y.
//! * **Noise.** A draw is off by 16ρ·6.6 and ends at 6.6 ([`crate::normal`]), P_x of it, ν = √(2/(κ·dt)) times, by
//!   N = ν(106ρ√d + 4(d+4)ρ|ξ|)(1+μ²), which is added to D, as ν|ξ|(1+μ²) is to Y.
//! * **Stages.** η of a stage is 1.01 times its share of dt times the largest D of the one before,
//!   and 8ρ times the larger X of the two. The step to v is off by e = 1.01·dt·(weighted D) +
//!   16ρ(|v| + |x|), or γ|P|D + 8(d+4)ρ(1 + |P|)(|v| + |x|). For any norm, |v/|v| − w/|w|| ≤ 2|v −
//!   w|/|v|: as |v|_W ≥ σ|v|, σ the smallest root of W's eigenvalues, retraction makes 2κe/(σ|v|)
//!   of e, and adds 2p(d+8)ρκ²/σ. Storing an x' that is off by e adds 1.01r(|x'| + e), and dr times
//!   f32's least normal number.
//!
//! Norms, κ, σ and R are taken with a hundredth to spare, for their own rounding. `tests/bounds.py`
//! computes all of this from this text.

use std::borrow::Cow;

use crate::engine::Rounding;
use crate::model::{Geometry, Integrator, Matrix, Scoring, Sparse, StripForm};
use crate::real::{Head, Motion, Stage, Step, Weights};
use crate::reference;
use crate::reference::real::State;
use crate::tokens::Precision;

const EPSILON: f64 = f64::EPSILON / 2.0;

/// Constants of an engine's arithmetic.
#[derive(Clone, Copy, Debug)]
struct Arithmetic {
    /// r.
    width: f64,
    /// ρ.
    rows: f64,
    /// T.
    terms: f64,
    /// Growth of Λ and τ where the reference of weights lags behind the maximum.
    lag: (f64, f64),
    /// C.
    cut: f64,
    /// N for m keys.
    whole: fn(f64) -> f64,
}

impl Arithmetic {
    fn of(precision: Precision, rounding: Rounding) -> Self {
        let (nearest, cut) = match precision {
            Precision::F32 => (f64::from(f32::EPSILON) / 2.0, 80.0),
            Precision::F64 => (EPSILON, 700.0),
        };
        match rounding {
            Rounding::Double => {
                Self { width: nearest, rows: EPSILON, terms: 128.0, lag: (0.0, 0.0), cut, whole: |m| m }
            }
            Rounding::Single => {
                let width = 2.0 * nearest;
                let (lag, whole) = ((25.0 * width, 3.7 * width), |m| 32.0 + m / 1024.0);
                Self { width, rows: width, terms: 144.0, lag, cut, whole }
            }
        }
    }
}

/// RealBounds of one step, for states that are `states` at its stages in the reference.
#[derive(Debug)]
pub(super) struct RealBounds<'a> {
    step: &'a Step,
    states: &'a [State],
    /// The tokens that rows attend with and to at each stage.
    keys: Vec<Cow<'a, State>>,
    by: Arithmetic,
    /// κ, and the smallest root of W's eigenvalues.
    condition: f64,
    smallest: f64,
    /// √d where W is dense.
    products: f64,
    /// By stage: X, R, η.
    stages: Vec<(f64, f64, f64)>,
    /// Errors of directions, by stage and row; of the first stage no more than are asked for.
    directions: Vec<Vec<f64>>,
}

/// The error of one head's mean, and what its weights sum to at most.
struct Mean {
    error: f64,
    mass: f64,
}

impl<'a> RealBounds<'a> {
    pub(super) fn new(step: &'a Step, states: &'a [State], precision: Precision, rounding: Rounding) -> Self {
        let by = Arithmetic::of(precision, rounding);
        let d = states[0].d;
        let (mut condition, mut smallest, mut products) = (1.0, 1.0, 1.0);
        if let Motion::Flow { geometry: Geometry::Ellipsoid(w @ Matrix::Dense { .. }), .. } = &step.motion {
            let values = w.to_dense(d).symmetric_eigenvalues();
            (condition, smallest) = (1.01 * (values.max() / values.min()).sqrt(), 0.99 * values.min().sqrt());
            products = (d as f64).sqrt();
        } else if let Motion::Flow { geometry: Geometry::Ellipsoid(w), .. } = &step.motion {
            smallest = w.entry(0, 0).sqrt();
        }
        let keys = states.iter().map(|state| state.attending(step)).collect();
        let mut bounds =
            Self { step, states, keys, by, condition, smallest, products, stages: Vec::new(), directions: Vec::new() };
        let mut apart = 0.0;
        for (s, state) in states.iter().enumerate() {
            let keys = &bounds.keys[s];
            let turned = if step.directions {
                let least = state.x.chunks_exact(d).map(length).fold(f64::INFINITY, f64::min);
                2.0 * apart / least + 2.0 * (d as f64 + 8.0) * by.rows
            } else {
                apart
            };
            let (most, radius) = (longest(&keys.x, d), radius(keys));
            bounds.stages.push((most, radius, turned));
            if states.len() > 1 {
                let all: Vec<f64> = (0..state.n).map(|i| bounds.direction(s, i, None)).collect();
                let worst = all.iter().copied().fold(0.0, worse);
                let Motion::Flow { dt, .. } = &step.motion else { break };
                let share = [0.5, 0.5, 1.0, 0.0][s];
                let reach = states.get(s + 1).map_or(0.0, |next| longest(&next.x, d)).max(longest(&state.x, d));
                apart = 1.01 * share * dt * worst + 8.0 * by.rows * reach;
                bounds.directions.push(all);
            }
        }
        bounds
    }

    /// Bound on the error of row i's scores at a stage: Δ.
    pub(super) fn score(&self, s: usize, head: &Head, i: usize) -> f64 {
        if self.step.scoring == Scoring::Distance {
            return 0.0;
        }
        let (state, (largest, _, apart)) = (&self.keys[s], self.stages[s]);
        let (x, d) = (state.row(i), state.d as f64);
        let (q, a) = (length(&head.scores.apply(x)), head.scores.factor.abs() * norm(&head.scores.matrix, state.d));
        let terms = head.scores.factor.abs() * length(&head.scores.matrix.magnitude(x));
        let reach = largest + apart;
        bounded(
            1.01 * ((a * apart + 2.0 * (d + 2.0) * self.by.rows * terms) * reach
                + q * apart
                + (d + 4.0) * self.by.width * (q + a * apart) * reach
                + 8.0 * self.step.bias * self.by.width),
        )
    }

    /// The share of a score by which it is off: σ.
    fn share(&self, s: usize) -> f64 {
        match self.step.scoring {
            Scoring::Inner => 0.0,
            Scoring::Distance => 1.01 * (self.states[s].d as f64 + 6.0) * (self.by.width + EPSILON),
        }
    }

    /// Distance from the strip's threshold within which a score of row i may be decided either way.
    pub(super) fn threshold(&self, head: &Head, i: usize, weights: Weights, max: f64) -> f64 {
        let error = self.score(0, head, i);
        let Weights::Strip { delta, form } = self.step.weights_of(i, weights) else { return 2.0 * error };
        let state = &self.keys[0];
        let (x, query) = (state.row(i), head.scores.apply(state.row(i)));
        let c = 4.0 * (state.d as f64 + 4.0) * self.by.rows;
        let terms = head.scores.factor.abs() * length(&head.scores.matrix.magnitude(x));
        let (scale, off) = match form {
            StripForm::Score | StripForm::Radius => (form.constant(delta), c * form.constant(delta)),
            StripForm::Width => (length(&query), c * terms),
            StripForm::ANorm => {
                let square = c * terms * length(x);
                (reference::real::dot(&query, x).max(0.0).sqrt(), square.sqrt() + square)
            }
        };
        let width = max.abs() + delta * scale;
        2.0 * error + 2.0 * self.share(0) * width + 3.0 * self.by.width * width + delta * off
    }

    /// V of row i: how far two sums of probabilities may lie apart.
    fn variation(&self, s: usize, head: &Head, i: usize, beta: f64) -> (f64, f64, f64, f64) {
        let m = self.step.count(i, self.states[s].n) as f64;
        let error = beta * self.score(s, head, i);
        let mut spread = error + 4.0 * self.by.width + 4.0 * (m / self.by.terms + 2.0) * EPSILON + self.by.lag.0;
        if self.step.scoring == Scoring::Distance && !self.step.mask.own {
            spread += beta * self.share(s) * self.keys[s].scores(self.step, head, i).max.abs();
        }
        let slope = 3.1 * self.by.width + 3.0 * EPSILON + self.by.lag.1 + self.share(s);
        let most = spread + slope * (self.by.cut + 2.0 * error);
        let off = 2.0 * (2.0 * most).exp() * (spread + slope * m.ln()) + 2.0 * m * (2.0 * most - self.by.cut).exp();
        (off.min(2.0), spread, slope, most)
    }

    /// V and ν of sparse weights of row i.
    pub(super) fn sparse(&self, s: usize, head: &Head, i: usize, beta: f64, form: Sparse) -> (f64, f64) {
        let (levels, end) = self.keys[s].levels(self.step, head, i, beta, form);
        let m = levels.len() as f64;
        let error = beta * self.score(s, head, i);
        let spread = 1.01 * error + 12.0 * self.by.rows * (1.0 + 2.0 * error);
        let sums = 2.0 * ((self.by.whole)(m) + 8.0) * self.by.rows + 2.0 * (m + 8.0) * EPSILON;
        let near = 2.0 * form.level(spread) + 2.0 * sums;
        let count = levels.iter().filter(|&&u| u > end - near).count() as f64;
        let keys = match form {
            Sparse::Entmax15 => count.sqrt(),
            _ => count,
        };
        ((1.01 * (2.0 * spread * keys + 4.0 * sums)).min(2.0), near)
    }

    /// B/Σw of a draw.
    pub(super) fn level(&self, head: &Head, i: usize, beta: f64) -> f64 {
        let m = self.step.count(i, self.states[0].n) as f64;
        self.variation(0, head, i, beta).0
            + 2.02 * (self.by.terms + 3.0) * self.by.width
            + 2.0 * (m + 8.0) * EPSILON
            + 16.0 * self.by.rows
    }

    fn mean(&self, s: usize, stage: &Stage, head: &Head, i: usize) -> Mean {
        let (largest, radius, apart) = self.stages[s];
        let reach = largest + apart;
        let m = self.step.count(i, self.states[s].n) as f64;
        if m == 0.0 {
            return Mean { error: 0.0, mass: 0.0 };
        }
        let terms = self.by.terms;
        let sums =
            2.02 * (m.min(terms) + 3.0) * self.by.width + 2.0 * (m + m / terms + 8.0) * EPSILON + 16.0 * self.by.rows;
        match stage.weights {
            Weights::Strip { .. } => Mean { error: sums * reach + apart, mass: 1.0 },
            Weights::Argmax | Weights::Drawn { .. } => Mean { error: apart + 2.0 * self.by.rows * reach, mass: 1.0 },
            Weights::Softmax { beta } => {
                let off = self.variation(s, head, i, beta).0;
                Mean { error: (off + 2.02 * self.step.omit) * radius + sums * reach + apart, mass: 1.0 }
            }
            Weights::Sparse { beta, form } => {
                let off = self.sparse(s, head, i, beta, form).0;
                Mean { error: off * radius + sums * reach + apart, mass: 1.0 }
            }
            Weights::Linear { beta, .. } => {
                let error = beta * self.score(s, head, i);
                let top = length(&head.scores.apply(self.keys[s].row(i))) * largest + self.step.bias;
                let mass = beta * top;
                Mean { error: (1.01 * error + 8.0 * self.by.rows * mass) * reach + mass * (sums * reach + apart), mass }
            }
            Weights::Exponential { beta, origin } => {
                let (_, spread, slope, most) = self.variation(s, head, i, beta);
                let top = length(&head.scores.apply(self.keys[s].row(i))) * largest;
                let mass = (beta * (top - origin)).exp();
                let more = 4.0 * self.by.rows * beta * (top + self.step.bias + origin.abs());
                let off = (most + more).exp() * (spread + more + slope) + (-self.by.cut).exp();
                Mean { error: mass * ((off + sums) * reach + apart), mass }
            }
        }
    }

    /// |y_i| at a stage before it is brought to a length.
    pub(super) fn output(&self, s: usize, i: usize) -> f64 {
        let (stage, keys) = (&self.step.stages[s], &self.keys[s]);
        let attended: Vec<_> = stage.heads.iter().map(|head| keys.attention(self.step, stage, head, i)).collect();
        length(&keys.output(self.step, &Stage { length: None, ..stage.clone() }, i, &attended))
    }

    /// Error of row i's direction at a stage. `undecided` marks heads of which nothing is known but
    /// that weights sum to 1.
    fn direction(&self, s: usize, i: usize, undecided: Option<&[bool]>) -> f64 {
        let (stage, state) = (&self.step.stages[s], &self.states[s]);
        let ((largest, _, apart), d) = (self.stages[s], state.d as f64);
        let (mut error, mut size, mut values) = (0.0, 0.0, 0.0);
        for (h, head) in stage.heads.iter().enumerate() {
            let v = head.values.factor.abs() * norm(&head.values.matrix, state.d);
            let mean = self.mean(s, stage, head, i);
            let unknown = undecided.is_some_and(|heads| heads[h]);
            error += v * if unknown { 2.0 * largest } else { mean.error };
            size += v * mean.mass * largest;
            values += v;
        }
        let c = 8.0 * (d + 4.0) * self.by.rows;
        if self.step.exclusive {
            let (own, reach) = (length(&stage.heads[0].values.apply(self.keys[s].row(i))), largest + apart);
            error += match own {
                0.0 if size > 0.0 => f64::INFINITY,
                0.0 => 0.0,
                own => size * (values * (apart + c * reach) / own + c),
            };
        }
        if let Some(wanted) = stage.length {
            let wanted = wanted.abs();
            error = wanted * (2.0 * (error + c * (size + largest)) / self.output(s, i) + c);
            size = wanted;
        }
        let (x, reach) = (length(state.row(i)), largest + apart);
        if let Some(perceptron) = &self.step.perceptron {
            let count = perceptron.omega.len() as f64;
            for (omega, a) in perceptron.units(state.d) {
                let (omega, a) = (omega.abs(), length(a));
                error +=
                    omega * a * (a * (apart + (2.0 * d + 24.0 + count) * self.by.rows * reach) + 8.0 * self.by.rows);
                size += omega * a * a * reach;
            }
        }
        if let (Some(noise), Motion::Flow { dt, .. }) = (self.step.noise, &self.step.motion) {
            let (strength, draws) = ((2.0 / (noise.kappa * dt)).sqrt(), length(&noise.draws(self.step.t, i, state.d)));
            let square = 1.0 + reach * reach;
            error += strength * (106.0 * d.sqrt() + 4.0 * (d + 4.0) * draws) * self.by.rows * square;
            size += strength * draws * square;
        }
        error += c * (size + largest);
        match &self.step.motion {
            Motion::Average { .. } => {
                let error = error + (1.0 + values) * (apart + c * reach);
                let Some((truth, weight)) = self.step.truth_of(i) else { return error };
                (1.0 - weight) * error + c * (length(truth) + size + reach)
            }
            Motion::Flow { integrator: Integrator::EulerRenorm, .. } => error,
            Motion::Flow { geometry, .. } => match geometry {
                Geometry::Flat | Geometry::Normalised(_) => error,
                Geometry::Rescaled => error + (1.0 + values) * (apart + c * reach),
                Geometry::Sphere => {
                    let square = 1.0 + reach * reach;
                    error * square + 2.02 * reach * size * apart + c * size * square
                }
                Geometry::Ellipsoid(_) => {
                    let k = self.condition;
                    error * (1.0 + k)
                        + 4.0 * k * k * size * apart / (x - apart).max(0.0)
                        + self.products * c * size * (1.0 + k * k)
                }
            },
        }
    }

    /// Bound on the distance of token i from the reference's, `before` its retraction and `after`.
    pub(super) fn token(&self, i: usize, before: &[f64], after: &[f64], undecided: &[bool]) -> f64 {
        let d = self.states[0].d as f64;
        let x = length(self.states[0].row(i));
        let moved = match &self.step.motion {
            Motion::Average { gamma, preconditioner } => {
                let p = preconditioner.factor.abs() * norm(&preconditioner.matrix, self.states[0].d);
                let far = length(before) + x;
                let gamma = self.step.gamma_of(i, *gamma);
                gamma * p * self.direction(0, i, Some(undecided)) + 8.0 * (d + 4.0) * self.by.rows * (1.0 + p) * far
            }
            Motion::Flow { dt, .. } => {
                let error = match &self.directions[..] {
                    [k1, k2, k3, k4] => (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]) / 6.0,
                    _ => self.direction(0, i, None),
                };
                1.01 * dt * error + 16.0 * self.by.rows * (length(before) + x)
            }
        };
        let retracted = match &self.step.motion {
            Motion::Flow { geometry: Geometry::Sphere | Geometry::Ellipsoid(_), .. } => {
                let k = self.condition;
                2.0 * k * moved / (self.smallest * length(before))
                    + self.products * (d + 8.0) * 2.0 * self.by.rows * k * k / self.smallest
            }
            _ => moved,
        };
        bounded(
            retracted
                + 1.01 * self.by.width * (length(after) + retracted)
                + d * f64::from(f32::MIN_POSITIVE) * self.by.width,
        )
    }
}

/// A bound; where infinity was multiplied by nothing, there is none.
fn bounded(bound: f64) -> f64 {
    if bound.is_nan() { f64::INFINITY } else { bound }
}

fn length(x: &[f64]) -> f64 {
    reference::real::dot(x, x).sqrt()
}

fn longest(x: &[f64], d: usize) -> f64 {
    x.chunks_exact(d).map(length).fold(0.0, worse)
}

/// The larger; NaN if either is.
fn worse(a: f64, b: f64) -> f64 {
    if a >= b || a.is_nan() { a } else { b }
}

/// The largest distance from the mean token.
fn radius(state: &State) -> f64 {
    let mut centre = vec![0.0; state.d];
    for row in state.x.chunks_exact(state.d) {
        centre.iter_mut().zip(row).for_each(|(c, x)| *c += x / state.n as f64);
    }
    let distance = |row: &[f64]| row.iter().zip(&centre).map(|(x, c)| (x - c) * (x - c)).sum::<f64>().sqrt();
    1.01 * state.x.chunks_exact(state.d).map(distance).fold(0.0, worse)
}

/// A bound of the matrix as a map.
fn norm(matrix: &Matrix, d: usize) -> f64 {
    match matrix {
        Matrix::Dense { entries, .. } => 1.01 * length(entries),
        multiple => {
            debug_assert!(d > 0);
            multiple.entry(0, 0).abs()
        }
    }
}
