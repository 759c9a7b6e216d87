//! The measures of every run, whatever its rule.

use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::io::config::Config;
use crate::model::{Model, Update};
use crate::num::dot;
use crate::observe::{Alignment, Clusters, Hull, Points};
use crate::outcome::StepReport;
use crate::real::Steps;
use crate::study::common::is_still;
use crate::study::settling::{Settling, settled};
use crate::study::tables::columns;
use crate::study::{Workbench, records};
use crate::tokens::Tokens;

/// A run rests if no token goes farther than ε over this in the last eighth of its steps or so.
const STILL: f64 = 1000.0;
/// Largest distance of tokens in one cluster, in units of the largest token at the start.
const TOGETHER: f64 = 1e-3;

columns! { Row:
    at: String, "The keys that vary, with their values";
    n: u64, "Number of tokens";
    d: u64, "Dimension";
    steps: u64, "Steps taken; a run ends early where no bit will ever move again";
    rests: bool, "Whether no token moves noticeably any more";
    fixed: bool, "Whether no bit will ever move again";
    settled: Option<f64>,
        "Step from which every token stays within ε of where it ends; empty if the run did not settle";
    radius: f64, "Length of the largest token at the end";
    spread: f64, "Root mean square distance from the mean, at the end";
    spread_ratio: f64, "Spread at the end over that at the start";
    clusters: u64, "Number of clusters at the end, tokens joined within 1/1000 of the largest token at the start";
    heaviest: f64, "Share of the tokens in the heaviest cluster";
    vertices: Option<u64>, "Number of vertices of the hull at the end (d ≤ 3)";
    gap: Option<f64>,
        "Largest alignment gap max_l S_il − S_ii at the end (averaging rules, full mask, d ≤ 3): 0 if all lie in S";
    strip_min: Option<u64>, "Number of keys of the smallest strip in the last step (localmax, hardmax)";
    strip_mean: Option<f64>, "Mean number of keys of a strip in the last step";
    strip_max: Option<u64>, "Number of keys of the largest strip in the last step";
    hash: String, "BLAKE3 of the last state: equal hashes are equal bits";
}

/// The last state of a run.
struct Last {
    tokens: Tokens,
    /// The farthest distance that a token has gone since the look before.
    moved: f64,
    /// Whether no bit will ever move again.
    fixed: bool,
    /// The last step, of a rule with strips.
    strips: Option<StepReport>,
}

pub(super) fn row(at: String, config: &Config, epsilon: f64, work: &mut Workbench<'_>) -> Result<Row> {
    let (n, d, model) = (config.n(), config.d(), &config.model);
    let mut settling = Settling::new(n, d, config.run.steps);
    let (mut reach, mut first_spread, mut last) = (0.0, 0.0, None);
    let taken = work.simulate_config(config, settling.is_due(), |look| {
        let moved = settling.keep(look.t, look.tokens);
        if look.t == 0 {
            let points = Points::of(look.tokens);
            (reach, first_spread) = (radius(&points), spread(&points));
        }
        if look.last {
            let fixed = is_still(look) && model.is_autonomous();
            let strips = look.report.filter(|_| model.has_strips());
            last = Some(Last { tokens: look.tokens.clone(), moved, fixed, strips });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let Last { tokens, moved, fixed, strips } = last.ok_or_else(|| Error::input("a run without a last state"))?;
    let points = Points::of(&tokens);
    let (rests, epsilon) = (fixed || moved * STILL <= epsilon * reach, epsilon * reach);
    let clusters = Clusters::of(&tokens, TOGETHER * reach);
    let hull = (d <= 3).then(|| Hull::of(&points));
    let last_spread = spread(&points);
    Ok(Row {
        at,
        n: n as u64,
        d: d as u64,
        steps: taken,
        rests,
        fixed,
        settled: rests.then(|| settled(&settling.distances(), |at| at.all, epsilon, epsilon / STILL)),
        radius: radius(&points),
        spread: last_spread,
        spread_ratio: last_spread / first_spread.max(f64::MIN_POSITIVE),
        clusters: clusters.weight.len() as u64,
        heaviest: clusters.weight.first().copied().unwrap_or(0) as f64 / n as f64,
        gap: hull.as_ref().map(|hull| gap(model, taken, &points, hull)).transpose()?.flatten(),
        vertices: hull.map(|hull| hull.vertices.len() as u64),
        strip_min: strips.map(|report| u64::from(report.strip_min)),
        strip_mean: strips.map(|report| report.strip_total as f64 / n as f64),
        strip_max: strips.map(|report| u64::from(report.strip_max)),
        hash: tokens.hash().to_hex().to_string(),
    })
}

/// The largest alignment gap after `t` steps, where every token sees every other.
fn gap(model: &Model, t: u64, points: &Points, hull: &Hull) -> Result<Option<f64>> {
    let averages = matches!(model.update, Update::Average { .. });
    if !averages || !model.has_gaps() || model.heads.len() != 1 {
        return Ok(None);
    }
    let step = Steps::new(model, points.d()).at(t)?;
    Ok(Some(Alignment::of(points, &step.stages[0].heads[0].scores, hull).largest().1))
}

fn radius(points: &Points) -> f64 {
    points.rows().map(|row| dot(row, row)).fold(0.0, f64::max).sqrt()
}

fn spread(points: &Points) -> f64 {
    let n = points.n() as f64;
    let variance = |k: usize| {
        let mean = points.rows().map(|row| row[k]).sum::<f64>() / n;
        points.rows().map(|row| (row[k] - mean).powi(2)).sum::<f64>() / n
    };
    (0..points.d()).map(variance).sum::<f64>().sqrt()
}

/// Writes the measures as columns of text, without the cell's own label.
pub(super) fn table(rows: &[Row]) -> Result<(Vec<String>, Vec<Vec<String>>)> {
    let mut records = records::of(rows)?.into_iter().map(|record| record[1..].to_vec());
    let head = records.next().unwrap_or_default();
    Ok((head, records.collect()))
}
