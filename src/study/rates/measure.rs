//! A cell's row: when a cloud came to rest, and at which rate at last.

use std::ops::ControlFlow;

use super::{Cell, Rates, Row, model};
use crate::error::Result;
use crate::init::{Cloud, CloudSample};
use crate::observe::Clusters;
use crate::study::common::is_still;
use crate::study::settling::{Settling, last_rate, settled};
use crate::study::{Asked, Workbench};
use crate::tokens::Precision;

/// The last rate is fitted where the farthest token is nearer than this.
const NEAR: f64 = 1e-3;
/// Largest distance of tokens at one place at the end, in units of ε.
const TOGETHER: f64 = 2.0;

pub(super) fn row(asked: &Asked<Rates>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (epsilon, steps, d) = (asked.own.epsilon, asked.sizes.steps, asked.sizes.dim);
    let cloud = CloudSample::new(Cloud::Gaussian, cell.n, d).tokens(cell.seed, Precision::F64)?;
    let mut settling = Settling::new(cell.n, d, steps);
    let (mut rests, mut noise, mut places) = (false, 0.0, 0);
    // The keys of all strips, and the step from which on their number stays.
    let (mut keys, mut since) = (0, 0);
    let taken = work.simulate(&model(cell.alpha, cell.delta), &cloud, steps, settling.is_due(), |look| {
        settling.keep(look.t, look.tokens);
        let total = look.report.map_or(0, |report| report.strip_total);
        if total != keys {
            (keys, since) = (total, look.t);
        }
        if look.last {
            rests = is_still(look);
            noise = look.unit() * (d as f64).sqrt();
            places = Clusters::of(look.tokens, TOGETHER * epsilon).weight.len() as u64;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let path = settling.distances();
    let farthest = path.first().map_or(0.0, |at| at.all);
    let theory = (libm::log(farthest / epsilon) / libm::log1p(cell.alpha)).max(0.0);
    let time = |value: f64| rests.then_some(value);
    let all = time(settled(&path, |at| at.all, epsilon, noise));
    let rate = if rests { last_rate(&path, NEAR, since, noise) } else { None };
    let rows = path.iter().map(|at| vec![at.step as f64, at.all, at.most, at.half]).collect();
    work.series("distance", &["t", "all", "most", "half"], rows)?;
    Ok(Row {
        n: cell.n,
        alpha: cell.alpha,
        delta: cell.delta,
        seed: cell.seed,
        steps: taken,
        rests,
        settled: all,
        settled_most: time(settled(&path, |at| at.most, epsilon, noise)),
        settled_half: time(settled(&path, |at| at.half, epsilon, noise)),
        theory,
        slowdown: all.filter(|_| theory > 0.0).map(|all| all / theory),
        last_rate: rate.map(|rate| rate.rate),
        interval: rate.map(|rate| (rate.interval[1] - rate.interval[0]) / 2.0),
        places,
        strip_mean: keys as f64 / cell.n as f64,
    })
}
