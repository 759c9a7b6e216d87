//! A cell's row and series, and the law of equal angles.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::{Cell, Diagram, Row};
use crate::error::{Error, Result};
use crate::init::{Cloud, CloudSample};
use crate::observe::{Mean, NEAR, near_groups, near_pairs};
use crate::study::{Asked, Workbench};
use crate::tokens::Tokens;

/// The columns of a cell's series.
pub(super) const SERIES: [&str; 4] = ["t", "share", "share_error", "groups"];

pub(super) fn row(asked: &Asked<Diagram>, cell: Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (sizes, looks) = (&asked.sizes, asked.looks());
    let sample = CloudSample::new(Cloud::Sphere, sizes.tokens, sizes.dim);
    let clouds = sizes.every_seed().map(|seed| sample.tokens(seed, sizes.precision)).collect::<Result<Vec<_>>>()?;
    let m = clouds.len();
    let mut row = Row { beta: cell.beta, clouds: m as u64, ..Row::default() };
    let mut series: Vec<Vec<f64>> = Vec::new();
    let is_due = |t: u64| looks.binary_search(&t).is_ok();
    work.simulate_clouds(&asked.model(cell.beta), clouds, sizes.steps, is_due, |look| {
        let t = look.t as f64 * asked.own.dt;
        let (share, mut groups) = shares(look.tokens, m)?;
        groups.sort_unstable();
        let median = groups[m / 2];
        row.half = row.half.or((share.value >= 0.5).then_some(t));
        row.fall = series.last().map_or(0.0, |before| before[1] - share.value).max(row.fall);
        series.push(vec![t, share.value, share.error, median as f64]);
        if look.last {
            (row.share, row.share_error, row.groups) = (share.value, share.error, median as u64);
            row.several = groups.iter().filter(|&&groups| groups > 1).count() as u64;
            row.hash = look.tokens.hash().to_hex().to_string();
        }
        Ok(ControlFlow::Continue(()))
    })?;
    work.series("shares", &SERIES, series)?;
    Ok(row)
}

/// The share of pairs that have met over m clouds, and the groups of each.
fn shares(tokens: &Tokens, m: usize) -> Result<(Mean, Vec<usize>)> {
    let one = |c: usize| {
        let cloud = tokens.cloud(c, m);
        near_pairs(&cloud, NEAR).zip(near_groups(&cloud, NEAR))
    };
    let all: Vec<Option<(f64, usize)>> = (0..m).into_par_iter().map(one).collect();
    let all = all.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| Error::input("clouds too large for pairs"))?;
    let (shares, groups): (Vec<f64>, Vec<usize>) = all.into_iter().unzip();
    Ok((Mean::of(&shares), groups))
}

/// Parts of the integral of the law.
const PARTS: usize = 20_000;

/// The time at which tokens of equal angles, orthogonal at the start, have the product 0.999.
pub(super) fn law(n: usize, beta: f64) -> f64 {
    let others = n as f64 - 1.0;
    // dt = dγ/γ', by the rule of the middles in u = −ln(1 − γ), in which the end is no pole.
    let end = -libm::log(1.0 - NEAR);
    let width = end / PARTS as f64;
    let part = |k: usize| {
        let gamma = 1.0 - libm::exp(-(k as f64 + 0.5) * width);
        // e^{βγ}/(e^β + (n−1)e^{βγ}), without large powers.
        let weight = 1.0 / (libm::exp(beta * (1.0 - gamma)) + others);
        width / (2.0 * weight * (others * gamma + 1.0))
    };
    (0..PARTS).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::law;

    /// The law against its equation, stepped in time: a wrong curve would be drawn beside every diagram.
    #[test]
    fn the_law_solves_its_equation() {
        for (n, beta) in [(2, 0.5f64), (32, 1.0), (32, 9.0)] {
            let others = n as f64 - 1.0;
            let speed = |g: f64| {
                2.0 * (beta * g).exp() * (1.0 - g) * (others * g + 1.0) / (beta.exp() + others * (beta * g).exp())
            };
            let (mut gamma, mut t, dt) = (0.0, 0.0, 1e-4 * if beta > 5.0 { 10.0 } else { 1.0 });
            while gamma < super::NEAR {
                let middle = gamma + 0.5 * dt * speed(gamma);
                gamma += dt * speed(middle);
                t += dt;
            }
            let found = law(n, beta);
            assert!((found / t - 1.0).abs() < 1e-3, "n = {n}, β = {beta}: {found} and {t}");
        }
    }
}
