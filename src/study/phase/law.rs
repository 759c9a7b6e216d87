//! The law of leaders: how many tokens are their own maximum in the first state.
//!
//! Token x of n independent ones is its own maximum under A = I where no other lies beyond the hyperplane through x
//! orthogonal to x. With Q(x) the mass beyond it, that has the probability (1 − Q(x))^(n−1), so
//!
//! > E = n·E[(1 − Q(X))^(n−1)]
//!
//! in all, exactly. In the unit ball of R^d, Q of a token at distance cos θ is ∫₀^θ sin^d / ∫₀^π sin^d, and the
//! distance has the density d·r^(d−1). Near the sphere Q ≈ c·h^((d+1)/2) at depth h, with c =
//! κ_(d−1)·2^((d+1)/2)/((d+1)·κ_d) and κ_d the volume of the ball, hence for large n
//!
//! > E ≈ C·n^((d−1)/(d+1)), C = (2d/(d+1))·Γ(2/(d+1))·c^(−2/(d+1)).
//!
//! For normal tokens Q of a token at distance r is Φ(−r), and r² is χ² with d degrees of freedom. Tokens on a sphere
//! are all leaders.

use std::f64::consts::{FRAC_PI_2, PI, SQRT_2};

/// Intervals of Simpson's rule.
const PARTS: usize = 1 << 16;
/// Where the density of a normal token's distance is below anything that counts, for d of a study.
const FAR: f64 = 40.0;

/// The growth exponent of leaders of a ball, and of clusters if the law holds at rest: (d−1)/(d+1).
pub(super) fn exponent(d: usize) -> f64 {
    (d as f64 - 1.0) / (d as f64 + 1.0)
}

/// C of the ball.
pub(super) fn constant(d: usize) -> f64 {
    let power = 2.0 / (d as f64 + 1.0);
    let d = d as f64;
    let c = volume(d - 1.0) * libm::pow(2.0, 1.0 / power) / ((d + 1.0) * volume(d));
    d * power * libm::tgamma(power) * libm::pow(c, -power)
}

/// E of n tokens in R^d; `None` for clouds whose law is not known.
pub(super) fn leaders(cloud: &str, n: usize, d: usize) -> Option<f64> {
    match cloud {
        "ball" => Some(ball(n, d)),
        "normal" => Some(normal(n, d)),
        "sphere" => Some(n as f64),
        _ => None,
    }
}

/// κ_d, the volume of the unit ball.
fn volume(d: f64) -> f64 {
    libm::pow(PI, d / 2.0) / libm::tgamma(d / 2.0 + 1.0)
}

/// (1 − q)^(n−1).
fn none_beyond(q: f64, n: usize) -> f64 {
    libm::exp((n as f64 - 1.0) * libm::log1p(-q.min(1.0)))
}

fn ball(n: usize, d: usize) -> f64 {
    let (power, last) = (d as i32, PARTS * 2);
    let step = FRAC_PI_2 / last as f64;
    let sines: Vec<f64> = (0..=last).map(|k| libm::sin(k as f64 * step).powi(power)).collect();
    // Two intervals at a time: Simpson's rule needs the middle; the middle itself takes the cubic through its ends.
    let mut mass = vec![0.0; last + 1];
    for k in (0..last).step_by(2) {
        let [a, b, c] = [sines[k], sines[k + 1], sines[k + 2]];
        mass[k + 1] = mass[k] + step * (5.0 * a + 8.0 * b - c) / 12.0;
        mass[k + 2] = mass[k] + step * (a + 4.0 * b + c) / 3.0;
    }
    let whole = 2.0 * mass[last];
    let density = |k: usize| {
        let angle = k as f64 * step;
        d as f64 * libm::cos(angle).max(0.0).powi(power - 1) * libm::sin(angle) * none_beyond(mass[k] / whole, n)
    };
    n as f64 * simpson(step, last, density)
}

fn normal(n: usize, d: usize) -> f64 {
    let (last, half) = (PARTS * 2, d as f64 / 2.0);
    let step = FAR / last as f64;
    let scale = libm::log(2.0) - half * libm::log(2.0) - libm::lgamma(half);
    let density = |k: usize| {
        let r = k as f64 * step;
        let beyond = 0.5 * libm::erfc(r / SQRT_2);
        // r^0 = 1 at r = 0 and d = 1.
        libm::exp(scale - r * r / 2.0) * r.powi(d as i32 - 1) * none_beyond(beyond, n)
    };
    n as f64 * simpson(step, last, density)
}

/// Simpson's rule over `last` intervals, an even number.
fn simpson(step: f64, last: usize, of: impl Fn(usize) -> f64) -> f64 {
    let weight = |k: usize| match k {
        0 => 1.0,
        _ if k == last => 1.0,
        _ => 2.0 + 2.0 * (k % 2) as f64,
    };
    step / 3.0 * (0..=last).map(|k| weight(k) * of(k)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::{Cloud, CloudSample};
    use crate::num::dot;
    use crate::tokens::Precision;

    /// A wrong constant would be found confirmed or refuted by a study that prints it.
    #[test]
    fn constants_are_those_of_the_formula() {
        // At d = 3, c = κ_2·4/(4 κ_3) = 3/4 and C = (3/2)·Γ(1/2)·(4/3)^(1/2) = √(3π).
        assert!((constant(3) - (3.0 * PI).sqrt()).abs() < 1e-12);
        for d in [2, 3, 4, 5, 8] {
            let n = 1_000_000_000;
            let ratio = ball(n, d) / (constant(d) * libm::pow(n as f64, exponent(d)));
            let correction = libm::pow(n as f64, -2.0 / (d as f64 + 1.0));
            assert!((ratio - 1.0).abs() < 5.0 * correction, "d = {d}: {ratio}");
        }
    }

    /// One token leads; two in a line lead where they lie on different sides of 0 or are the outer one.
    #[test]
    fn small_clouds_are_exact() {
        for (cloud, d) in [("ball", 1), ("ball", 3), ("normal", 2), ("normal", 5)] {
            assert!((leaders(cloud, 1, d).unwrap() - 1.0).abs() < 1e-9, "{cloud}");
        }
        assert!((ball(2, 1) - 1.5).abs() < 1e-9);
        assert_eq!((leaders("sphere", 7, 3), leaders("cube", 7, 3)), (Some(7.0), None));
    }

    /// The expectation is that of clouds as they are drawn: 200 of each, within 4 standard errors.
    #[test]
    fn drawn_clouds_have_as_many() {
        for (kind, cloud, n, d) in
            [(Cloud::Ball, "ball", 60, 2), (Cloud::Ball, "ball", 40, 4), (Cloud::Gaussian, "normal", 50, 3)]
        {
            let count = |seed| {
                let tokens = CloudSample::new(kind, n, d).tokens(seed, Precision::F64).unwrap().to_f64();
                let leads = |x: &&[f64]| tokens.chunks_exact(d).all(|y| dot(x, y) <= dot(x, x));
                tokens.chunks_exact(d).filter(leads).count() as f64
            };
            let mean = crate::observe::Mean::of(&(1..=200).map(count).collect::<Vec<f64>>());
            let law = leaders(cloud, n, d).unwrap();
            assert!((mean.value - law).abs() < 4.0 * mean.error, "{cloud}: {mean:?} against {law}");
        }
    }
}
