//! Energies and Lyapunov candidates, and a ledger of their increases.
//!
//! ```text
//! Hegselmann–Krause type   V = Σ_ij min(|x_i − x_j|², R²)             (a candidate after arXiv 2509.15958)
//! sphere                   E_β = 1/(2 β n²) Σ_ij e^{β(<x_i, x_j> − origin)}             (arXiv 2312.10794)
//! Frank–Wolfe              J(x) = −<B x, x>/2; duality gap: [`super::Alignment`]      (arXiv 2508.09628)
//! ```
//!
//! V is the classical candidate: Eq. (41) of arXiv 2509.15958 is **not public here**, V with R = δ
//! is offered in its place, and it is known not to be monotone. E_β never falls along SA and USA
//! with Q = K = V = I.
//!
//! Sums over pairs are taken over distinct tokens with their weights, all pairs of up to
//! [`ALL_PAIRS`]: exact but for rounding of at most about 1e-13 of the value. Of more distinct
//! tokens, 2^20 seeded pairs of tokens are drawn, and the value is an estimate with a standard
//! error; the ledger takes no increase from within four of these.

use rayon::prelude::*;

use super::alignment::scored;
use super::points::{Distinct, Points};
use crate::model::{Geometry, Mask, Model, Moment, Perceptron, Rule, Scoring, StripForm, Update};
use crate::num::{dot, squared_distance};
use crate::real::Linear;
use crate::rng::Stream;
use crate::tokens::Tokens;

/// Number of distinct tokens up to which every pair counts.
pub const ALL_PAIRS: usize = 8192;
/// Number of pairs drawn from larger clouds.
const DRAWN: usize = 1 << 20;
/// Most pairs of a distinct token and a fixed key that an energy is summed over.
const MOST_KEYED: u64 = 1 << 26;
/// Rounding of a sum over all pairs, relative to it.
const ROUNDING: f64 = 1e-13;

/// A value with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Energy {
    /// The value.
    pub value: f64,
    /// The standard error; 0 where every pair was taken.
    pub standard_error: f64,
}

/// V of Hegselmann–Krause type with R = `radius`, over ordered pairs; `radius` in the tokens' unit,
/// usually δ. The value is in the square of that unit.
pub fn hegselmann_krause(cloud: &Distinct, radius: f64) -> Energy {
    let most = radius * radius;
    pairs(cloud, |a, b| squared_distance(a, b).min(most), 1.0)
}

/// E_β of arXiv 2312.10794, scores counted from `origin` (0, or 1 where e^β overflows). `beta`
/// above 0.
pub fn sphere_energy(cloud: &Distinct, beta: f64, origin: f64) -> Energy {
    let n: f64 = cloud.weight.iter().map(|&w| f64::from(w)).sum();
    pairs(cloud, |a, b| libm::exp(beta * (dot(a, b) - origin)), 1.0 / (2.0 * beta * n * n))
}

/// The energy of a state under a model that has one: E_β of attention on the sphere with one head,
/// Q = K = V = I and no mask, the mean of J under Frank–Wolfe, with `scores` = A, or V of Hegselmann and
/// Krause with R = ε under localmax by distance, which never rises at γ = 1 without a mask. `None` in other
/// models, and beyond the range of f64.
pub fn energy(cloud: &Distinct, model: &Model, scores: &Linear, at: Moment) -> Option<f64> {
    let (head, weights) = (model.heads.first()?, cloud.weight.iter().map(|&w| f64::from(w)));
    if let Some(keys) = &model.keys {
        return retrieval_energy(cloud, model, keys, at);
    }
    let value = match (&model.rule, &model.update) {
        (Rule::FrankWolfe, Update::Average { .. }) => {
            let n: f64 = weights.clone().sum();
            let objective = frank_wolfe_objective(&cloud.points, scores);
            objective.iter().zip(weights).map(|(j, w)| j * w).sum::<f64>() / n
        }
        (Rule::Localmax { strip, .. }, Update::Average { .. })
            if model.scoring == Scoring::Distance && model.own_key().is_none() =>
        {
            let delta = model.delta_at(at).ok()?;
            let radius = if *strip == StripForm::Radius { delta } else { (2.0 * delta).sqrt() };
            hegselmann_krause(cloud, radius).value
        }
        (Rule::Softmax { .. } | Rule::Exponential { .. }, Update::Flow { geometry: Geometry::Sphere, .. }) => {
            let is_plain = head.scores.is_identity() && head.values.is_identity();
            let beta = model.beta_at(at).ok().filter(|beta| *beta > 0.0);
            let is_still = model.terms.noise.is_none() && !model.terms.exclusive;
            let has_energy = is_plain && is_still && model.heads.len() == 1 && model.mask == Mask::FULL;
            let beta = beta.filter(|_| has_energy)?;
            match (&model.terms.perceptron, &model.rule) {
                (None, _) => sphere_energy(cloud, beta, 0.0).value,
                // Only without a divisor of its own does a row climb one energy with its perceptron.
                (Some(perceptron), Rule::Exponential { origin, .. }) => {
                    sphere_energy(cloud, beta, *origin).value + potential(cloud, perceptron)
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// The mean over tokens of −(1/β)·log Σ_j e^{βS_ij}, and of |x_i|²/2 with inner products: the energy of a modern
/// Hopfield network (arXiv 2008.02217), or −log of a kernel density, which a step of softmax at any γ and constant β
/// never raises. At A = V = I and β above 0.
fn retrieval_energy(cloud: &Distinct, model: &Model, keys: &Tokens, at: Moment) -> Option<f64> {
    let (head, d) = (model.heads.first()?, cloud.points.d());
    let is_plain = model.heads.len() == 1 && head.scores.is_identity() && head.values.is_identity();
    let is_soft =
        matches!((&model.rule, &model.update), (Rule::Softmax { .. }, Update::Average { preconditioner: None, .. }))
            && !model.terms.exclusive;
    let beta = model.beta_at(at).ok().filter(|beta| *beta > 0.0 && is_plain && is_soft)?;
    if cloud.len() as u64 * keys.n() as u64 > MOST_KEYED {
        return None;
    }
    let keys = keys.to_f64();
    let of = |x: &[f64]| {
        let score = |key: &[f64]| match model.scoring {
            Scoring::Inner => dot(x, key),
            Scoring::Distance => -x.iter().zip(key).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / 2.0,
        };
        let most = keys.chunks_exact(d).map(score).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = keys.chunks_exact(d).map(|key| libm::exp(beta * (score(key) - most))).sum();
        let own = if model.scoring == Scoring::Inner { dot(x, x) / 2.0 } else { 0.0 };
        own - most - libm::log(sum) / beta
    };
    let weights = cloud.weight.iter().map(|&w| f64::from(w));
    let n: f64 = weights.clone().sum();
    let value = cloud.points.rows().zip(weights).map(|(x, w)| w * of(x)).sum::<f64>() / n;
    value.is_finite().then_some(value)
}

/// ½·mean over tokens of Σ_k ω_k φ(<a_k, x>), φ' = 2σ (arXiv 2601.21366).
fn potential(cloud: &Distinct, perceptron: &Perceptron) -> f64 {
    let of = |x: &[f64]| -> f64 {
        let units = perceptron.units(x.len());
        units.map(|(omega, a)| omega * perceptron.activation.potential(dot(a, x))).sum()
    };
    let weights = cloud.weight.iter().map(|&w| f64::from(w));
    let n: f64 = weights.clone().sum();
    cloud.points.rows().zip(weights).map(|(x, w)| w * of(x)).sum::<f64>() / (2.0 * n)
}

/// J of every point, for B as scores of a Frank–Wolfe model; its duality gap is
/// [`super::Alignment::gap`].
pub fn frank_wolfe_objective(points: &Points, b: &Linear) -> Vec<f64> {
    scored(points, b).rows().zip(points.rows()).map(|(q, x)| -dot(q, x) / 2.0).collect()
}

/// `factor` times the sum of `term` over ordered pairs of tokens.
fn pairs(cloud: &Distinct, term: impl Fn(&[f64], &[f64]) -> f64 + Sync, factor: f64) -> Energy {
    let (points, k) = (&cloud.points, cloud.len());
    if k <= ALL_PAIRS {
        let row = |a: usize| -> f64 {
            let here = points.row(a);
            let later: f64 = (a + 1..k).map(|b| f64::from(cloud.weight[b]) * term(here, points.row(b))).sum();
            let weight = f64::from(cloud.weight[a]);
            weight * (2.0 * later + weight * term(here, here))
        };
        // Added in order, so that the sum does not depend on threads.
        let rows: Vec<f64> = (0..k).into_par_iter().map(row).collect();
        return Energy { value: factor * rows.iter().sum::<f64>(), standard_error: 0.0 };
    }
    let n = cloud.label.len();
    let mut stream = Stream::new(0, "pairs", 0);
    let (mut mean, mut squares) = (0.0, 0.0);
    for count in 1..=DRAWN {
        let mut any = || points.row(cloud.label[stream.below(n as u64) as usize] as usize);
        let value = term(any(), any());
        let apart = value - mean;
        mean += apart / count as f64;
        squares += apart * (value - mean);
    }
    let scale = factor * (n as f64) * (n as f64);
    let deviation = (squares / (DRAWN as f64 - 1.0) / DRAWN as f64).sqrt();
    Energy { value: scale * mean, standard_error: (scale * deviation).abs() }
}

/// A rise of a candidate from one recorded state to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Increase {
    /// The step of the later state.
    pub step: u64,
    /// The difference of the two values.
    pub amount: f64,
}

/// The increases of a candidate that ought to fall: a pure function of the values recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncreaseLedger {
    last: Option<Energy>,
    /// Values recorded.
    pub records: u64,
    /// Every increase beyond rounding, in order.
    pub increases: Vec<Increase>,
}

impl IncreaseLedger {
    /// Records the value after `step` steps; true if it rose beyond rounding and four standard
    /// errors. For a candidate that ought to rise, record the negative.
    pub fn record(&mut self, step: u64, energy: Energy) -> bool {
        let before = self.last.replace(energy);
        self.records += 1;
        let Some(before) = before else { return false };
        let amount = energy.value - before.value;
        let known = ROUNDING * energy.value.abs().max(before.value.abs())
            + 4.0 * (energy.standard_error.powi(2) + before.standard_error.powi(2)).sqrt();
        let rose = amount > known;
        if rose {
            self.increases.push(Increase { step, amount });
        }
        rose
    }

    /// The largest increase.
    pub fn largest(&self) -> Option<Increase> {
        self.increases.iter().copied().reduce(|a, b| if b.amount > a.amount { b } else { a })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// If duplicates were miscounted, each merge of two groups would look like a jump of the
        /// energy.
        #[test]
        fn energies_are_plain_sums(d in 1usize..4, n in 1usize..80, seed in any::<u64>(), radius in 0.0f64..4.0) {
            let mut stream = Stream::new(seed, "cloud", 0);
            let points = Points::new(d, (0..n * d).map(|_| stream.below(4) as f64 - 1.5).collect()).unwrap();
            let cloud = Distinct::of(&points);
            let (mut v, mut e) = (0.0, 0.0);
            for a in points.rows() {
                for b in points.rows() {
                    v += squared_distance(a, b).min(radius * radius);
                    e += (0.7 * (dot(a, b) - 1.0)).exp() / (2.0 * 0.7 * (n * n) as f64);
                }
            }
            prop_assert!((hegselmann_krause(&cloud, radius).value - v).abs() <= 1e-12 * v);
            prop_assert!((sphere_energy(&cloud, 0.7, 1.0).value - e).abs() <= 1e-12 * e);
            let b = Linear { factor: -2.0, matrix: crate::model::Matrix::Identity };
            for (j, x) in frank_wolfe_objective(&points, &b).iter().zip(points.rows()) {
                prop_assert_eq!(*j, dot(x, x));
            }
        }
    }

    /// One cluster on the sphere has the largest energy there is, e^β/(2β).
    #[test]
    fn one_cluster_has_the_largest_sphere_energy() {
        let cloud = Distinct::of(&Points::new(2, [0.6, 0.8].repeat(50)).unwrap());
        let value = sphere_energy(&cloud, 4.0, 0.0).value;
        assert!((value - 4f64.exp() / 8.0).abs() < 1e-12 * value, "{value}");
    }

    /// Beyond all pairs the estimate must hold the truth within a few of its standard errors.
    #[test]
    fn drawn_pairs_estimate_the_sum() {
        let n = ALL_PAIRS + 1;
        let points = Points::new(1, (0..n).map(|i| i as f64 / n as f64).collect()).unwrap();
        let energy = hegselmann_krause(&Distinct::of(&points), 10.0);
        // Σ_ij (i − j)²/n² = (n² − 1)/6.
        let truth = ((n * n) as f64 - 1.0) / 6.0;
        assert!(energy.standard_error > 0.0 && energy.standard_error < 0.01 * truth);
        assert!((energy.value - truth).abs() < 5.0 * energy.standard_error, "{energy:?} {truth}");
    }

    /// If rounding were booked as an increase, a Lyapunov function would be refuted by it.
    #[test]
    fn the_ledger_books_what_is_certain() {
        let exact = |value| Energy { value, standard_error: 0.0 };
        let mut ledger = IncreaseLedger::default();
        for (step, value) in [(0, 10.0), (1, 9.0), (2, 9.0 + 1e-14), (3, 9.5), (5, 9.25), (6, 11.0)] {
            ledger.record(step, exact(value));
        }
        assert_eq!(ledger.increases.iter().map(|i| i.step).collect::<Vec<_>>(), [3, 6]);
        assert_eq!((ledger.records, ledger.largest()), (6, Some(Increase { step: 6, amount: 1.75 })));
        assert!(!ledger.record(7, Energy { value: 11.3, standard_error: 0.1 }));
        assert!(ledger.record(8, exact(12.0)));
    }
}
