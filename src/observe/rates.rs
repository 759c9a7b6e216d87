//! Rates: the fall of a distance with the steps, `log y(t) ≈ a + b t`, and its curvature.
//!
//! The window ends where the distance comes near the noise, the resolution of the state: below
//! [`FLOOR`] times the noise a distance is mostly rounding, and a fit there would be one of the
//! lattice. Too few samples above it are refused.
//!
//! Least squares with the weights `1/(ν_i² + σ²)`, ν_i = noise/(√3·y_i) the standard deviation that
//! rounding uniform in ±noise gives log y_i, and σ = 10^-3 for everything else, so that neither the
//! last nor the first samples decide alone. The interval has 95 % by Student's t from the scatter,
//! widened by what rounding alone would do. Scatter of a deterministic system is no random draw:
//! the interval says how well a straight line describes the samples.
//!
//! The theory of quiescent sets has rate 1/(1+α), i.e. b = −ln(1+α) (arXiv 2509.15958, Theorem 4.1,
//! read in a summary, derived and checked there). Frank–Wolfe with γ = 1 − exp(−a(t+1)) has log y ≈
//! −a t(t+1)/2 (arXiv 2508.09628): the coefficient of t² is [`RateFit::curvature`], −a/2.

use super::statistics::student;
use crate::error::{Error, Result};
use crate::num;

/// Multiple of the noise below which distances are left out.
pub const FLOOR: f64 = 32.0;
/// σ: the scatter of log y beside rounding.
const OTHER: f64 = 1e-3;
/// Number of samples that a fit needs.
pub const LEAST: usize = 4;

/// A distance after a number of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// t.
    pub step: u64,
    /// y(t) >= 0, in the tokens' unit.
    pub distance: f64,
}

/// The curvature of log y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decay {
    /// Straight, as far as the samples tell: a geometric rate.
    Geometric,
    /// Falling ever faster.
    SuperExponential,
    /// Falling ever slower, as powers of t do.
    SubGeometric,
}

/// A fitted rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateFit {
    /// e^b: the factor of the distance in one step.
    pub rate: f64,
    /// The 95 % interval of the rate.
    pub interval: [f64; 2],
    /// First and last step of the fit.
    pub window: [u64; 2],
    /// Number of samples used.
    pub samples: usize,
    /// Root mean square of log y − (a + b t), unweighted.
    pub residual: f64,
    /// The coefficient of t², and half its 95 % interval; 0 and infinite for fewer than 5 samples.
    pub curvature: [f64; 2],
    /// The rate's change in log over the window that the curvature means, over |b|.
    bend: f64,
}

impl RateFit {
    /// Fits distances at ascending steps. `noise` above 0: the resolution of a distance in the
    /// tokens' unit, such as √d times the unit of the lattice ([`crate::exact::Grid::unit`]), or
    /// √d·2^-52 times the radius in real numbers.
    ///
    /// # Errors
    /// Steps that do not ascend, distances that are NaN, fewer than [`LEAST`] samples above the
    /// floor.
    pub fn of(samples: &[Sample], noise: f64) -> Result<Self> {
        if !(noise > 0.0 && noise.is_finite()) {
            return Err(Error::input(format!("a rate fitted at a noise of {noise}; it must be finite and above 0")));
        }
        if let Some(pair) = samples.windows(2).find(|pair| pair[0].step >= pair[1].step) {
            return Err(Error::input(format!(
                "a rate fitted to steps {} and {}; they must ascend",
                pair[0].step, pair[1].step
            )));
        }
        let floor = FLOOR * noise;
        let used = samples.iter().take_while(|s| s.distance >= floor).count();
        let used = &samples[..used];
        if used.len() < LEAST || used.iter().any(|s| !s.distance.is_finite()) {
            return Err(Error::input(format!(
                "{} of {} distances come before the first below {floor:.1e}, {FLOOR} times the resolution; a rate needs {LEAST}: \
                 below that it would be one of rounding, so start farther away or take precision f64",
                used.len(),
                samples.len()
            )));
        }
        Ok(fit(used, noise))
    }

    /// The curvature of log y: not straight where the coefficient of t² is off 0 by more than its
    /// interval and the rate changes by more than a twentieth over the window.
    pub fn decay(&self) -> Decay {
        let [curvature, half] = self.curvature;
        if num::within(curvature.abs(), half) || self.bend <= 0.05 {
            Decay::Geometric
        } else if curvature < 0.0 {
            Decay::SuperExponential
        } else {
            Decay::SubGeometric
        }
    }
}

/// The rate 1/(1+α) of tokens in a quiescent set.
pub fn contraction(alpha: f64) -> f64 {
    1.0 / (1.0 + alpha)
}

fn fit(used: &[Sample], noise: f64) -> RateFit {
    struct Row {
        weight: f64,
        /// Variance of log y that rounding gives.
        rounding: f64,
        /// t and t², made orthogonal to 1 and to each other under the weights.
        p1: f64,
        p2: f64,
        log: f64,
    }
    let mut rows: Vec<Row> = used
        .iter()
        .map(|s| {
            let rounding = (noise / s.distance).powi(2) / 3.0;
            // Counted from the first step: exact, and small.
            let p1 = (s.step - used[0].step) as f64;
            Row { weight: 1.0 / (rounding + OTHER * OTHER), rounding, p1, p2: 0.0, log: libm::log(s.distance) }
        })
        .collect();
    let sum = |rows: &[Row], f: &dyn Fn(&Row) -> f64| rows.iter().map(|r| r.weight * f(r)).sum::<f64>();
    let total = sum(&rows, &|_| 1.0);
    let mean = sum(&rows, &|r| r.p1) / total;
    for row in &mut rows {
        row.p1 -= mean;
    }
    let square1 = sum(&rows, &|r| r.p1 * r.p1);
    let cube = sum(&rows, &|r| r.p1.powi(3));
    for row in &mut rows {
        row.p2 = row.p1 * row.p1 - cube / square1 * row.p1 - square1 / total;
    }
    let square2 = sum(&rows, &|r| r.p2 * r.p2);

    let level = sum(&rows, &|r| r.log) / total;
    let slope = sum(&rows, &|r| r.p1 * r.log) / square1;
    let residuals = |r: &Row| r.log - level - slope * r.p1;
    let scatter = sum(&rows, &|r| residuals(r).powi(2));
    let n = rows.len();
    // Half an interval: Student's t times the error from what scatters on so many degrees of
    // freedom and from rounding.
    let half = |scatter: f64, freedom: usize, square: f64, p: &dyn Fn(&Row) -> f64| {
        let random = scatter.max(0.0) / freedom as f64 / square;
        let rounding = sum(&rows, &|r| r.weight * r.rounding * p(r).powi(2)) / (square * square);
        student(freedom) * (random + rounding).sqrt()
    };
    let half_slope = half(scatter, n - 2, square1, &|r| r.p1);
    let span = (used[n - 1].step - used[0].step) as f64;
    let curvature = if n >= 5 && square2 > 0.0 {
        let c = sum(&rows, &|r| r.p2 * r.log) / square2;
        [c, half(scatter - c * c * square2, n - 3, square2, &|r| r.p2)]
    } else {
        [0.0, f64::INFINITY]
    };
    RateFit {
        rate: libm::exp(slope),
        interval: [libm::exp(slope - half_slope), libm::exp(slope + half_slope)],
        window: [used[0].step, used[n - 1].step],
        samples: n,
        residual: (rows.iter().map(|r| residuals(r).powi(2)).sum::<f64>() / n as f64).sqrt(),
        curvature,
        bend: 2.0 * curvature[0].abs() * span / slope.abs().max(f64::MIN_POSITIVE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use proptest::prelude::*;

    fn samples(count: u64, distance: impl Fn(f64) -> f64) -> Vec<Sample> {
        (0..count).map(|t| Sample { step: 3 * t + 7, distance: distance((3 * t) as f64) }).collect()
    }

    /// If the fit were biased by rounding, 1/(1+α) would be refuted by the lattice of f32:
    /// distances rounded to its unit, the whole way down and beyond.
    #[test]
    fn theory_is_recovered_from_a_lattice() {
        for alpha in [0.1, 0.5, 1.0, 3.0] {
            let unit = 2f64.powi(-24);
            let fall: Vec<Sample> = (0..400)
                .map(|t| {
                    let y = 0.07 * contraction(alpha).powi(t);
                    Sample { step: t as u64, distance: (y / unit).round() * unit }
                })
                .collect();
            let fit = RateFit::of(&fall, unit).unwrap();
            let off = (fit.rate - contraction(alpha)).abs();
            assert!(off < 1e-3, "{alpha}: {fit:?}");
            assert!(fit.interval[0] <= contraction(alpha) && contraction(alpha) <= fit.interval[1], "{alpha}: {fit:?}");
            assert!(fall[fit.samples - 1].distance >= FLOOR * unit && fall[fit.samples].distance < FLOOR * unit);
            assert_eq!(fit.decay(), Decay::Geometric, "{fit:?}");
        }
    }

    /// A fit to nothing but rounding is a made-up rate.
    #[test]
    fn rounding_is_refused() {
        let noise = 1e-7;
        let refused = |s: &[Sample]| RateFit::of(s, noise).unwrap_err().to_string();
        assert!(refused(&samples(50, |_| 20.0 * noise)).contains("0 of 50"));
        assert!(refused(&samples(3, |t| 0.5f64.powf(t))).contains("3 of 3"));
        assert!(refused(&samples(9, |t| if t > 6.0 { 0.0 } else { 1.0 })).contains("3 of 9"));
        assert!(refused(&samples(9, |_| f64::NAN)).contains("0 of 9"));
        assert!(refused(&samples(9, |_| f64::INFINITY)).contains("of 9"));
        assert!(refused(&[]).contains("0 of 0"));
        let doubled = [Sample { step: 1, distance: 1.0 }; 5];
        assert!(refused(&doubled).contains("ascend"));
        assert!(RateFit::of(&doubled, 0.0).is_err() && RateFit::of(&doubled, f64::NAN).is_err());
    }

    /// Super-exponential and polynomial decay must not pass for a geometric rate, nor the reverse.
    #[test]
    fn decays_are_told_apart() {
        let decay = |f: &dyn Fn(f64) -> f64| RateFit::of(&samples(12, f), 1e-14).unwrap().decay();
        assert_eq!(decay(&|t| (-0.02 * t * (t + 1.0) / 2.0).exp()), Decay::SuperExponential);
        assert_eq!(decay(&|t| 1.0 / (1.0 + t)), Decay::SubGeometric);
        assert_eq!(decay(&|t| 0.9f64.powf(t)), Decay::Geometric);
        assert_eq!(decay(&|_| 0.5), Decay::Geometric);
        let fit = RateFit::of(&samples(12, |t| (-0.01 * t * (t + 1.0)).exp()), 1e-14).unwrap();
        assert!((fit.curvature[0] + 0.01).abs() < 1e-4, "{fit:?}");
    }

    proptest! {
        /// If intervals were too narrow, they would refute a true theory: most must hold the truth.
        #[test]
        fn intervals_hold_the_truth(seed in any::<u64>(), rate in 0.5f64..0.98, count in 6u64..30) {
            let mut held = 0;
            for draw in 0..40 {
                let mut stream = Stream::new(seed, "noise", draw);
                let noisy: Vec<Sample> = (0..count)
                    .map(|t| Sample { step: t, distance: rate.powi(t as i32) * (0.02 * stream.normal()).exp() })
                    .collect();
                let fit = RateFit::of(&noisy, 1e-12).unwrap();
                held += usize::from(fit.interval[0] <= rate && rate <= fit.interval[1]);
            }
            // 38 expected of 40, standard deviation 1.4.
            prop_assert!(held >= 31, "{held}");
        }

        /// The unit of length must not matter, nor where the steps begin.
        #[test]
        fn units_do_not_matter(scale in -200i32..200, start in 0u64..1_000_000_000) {
            let at = |s: f64, from: u64| {
                let fall: Vec<Sample> =
                    (0..20).map(|t| Sample { step: from + t, distance: s * 0.8f64.powi(t as i32) * (1.0 + 0.01 * (t as f64).sin()) }).collect();
                RateFit::of(&fall, s * 1e-9).unwrap()
            };
            let (one, other) = (at(1.0, 0), at(num::scale(1.0, scale), start));
            prop_assert!((one.rate - other.rate).abs() < 1e-9 && one.samples == other.samples);
        }
    }
}
