//! What is measured of every run, whatever its rule.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::config::Config;
use crate::model::{Mask, Update};
use crate::observe::{Alignment, Clusters, Hull, Points};
use crate::real::Steps;
use crate::study::Workbench;
use crate::study::settling::{Settling, settled};

/// A run rests if no token goes farther than ε over this in the last eighth of its steps or so.
const STILL: f64 = 1000.0;
/// Tokens in one cluster are this far apart at most, in units of the largest token at the start.
const TOGETHER: f64 = 1e-3;

/// What a cell leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The keys that vary, with their values.
    pub at: String,
    /// Tokens.
    pub n: u64,
    /// Dimension.
    pub d: u64,
    /// Steps taken.
    pub steps: u64,
    /// Whether it came to rest.
    pub rests: bool,
    /// Whether no bit will ever move again.
    pub fixed: bool,
    /// The step from which every token stays within ε of where it ends; none if it did not come to rest.
    pub settled: Option<f64>,
    /// Length of the largest token at the end.
    pub radius: f64,
    /// Root mean square distance from the mean, at the end.
    pub spread: f64,
    /// The same over that at the start.
    pub spread_ratio: f64,
    /// Clusters at the end.
    pub clusters: u64,
    /// Share of the tokens in the heaviest of them.
    pub heaviest: f64,
    /// Vertices of the hull at the end; none in more than three dimensions.
    pub vertices: Option<u64>,
    /// Largest alignment gap at the end, where every token sees every other and d <= 3.
    pub gap: Option<f64>,
    /// Smallest strip in the last step.
    pub strip_min: Option<u64>,
    /// Strip on average.
    pub strip_mean: Option<f64>,
    /// Largest strip.
    pub strip_max: Option<u64>,
    /// Hash of the last state, BLAKE3.
    pub hash: String,
}

/// Columns and what they mean.
pub(super) fn meanings() -> Vec<Vec<String>> {
    let all = [
        ("steps", "steps taken; a run ends early where no bit will ever move again"),
        ("rests, fixed", "whether no token moves noticeably any more; whether no bit ever will again"),
        (
            "settled",
            "step from which every token stays within ε of where it ends; empty if the run did not come to rest",
        ),
        ("radius", "length of the largest token at the end"),
        ("spread, spread_ratio", "root mean square distance from the mean at the end; the same over that at the start"),
        (
            "clusters, heaviest",
            "clusters at the end, tokens joined within 1/1000 of the largest token at the start; share of tokens in the heaviest",
        ),
        ("vertices", "vertices of the hull at the end (d ≤ 3)"),
        (
            "gap",
            "largest alignment gap max_l S_il − S_ii at the end (averaging rules, full mask, d ≤ 3): 0 in the maximal alignment set",
        ),
        ("strip_min, strip_mean, strip_max", "keys of a row's strip in the last step (localmax, hardmax)"),
        ("hash", "BLAKE3 of the last state: equal hashes are equal bits"),
    ];
    all.iter().map(|(column, meaning)| vec![(*column).to_owned(), (*meaning).to_owned()]).collect()
}

pub(super) fn row(at: String, config: &Config, epsilon: f64, work: &mut Workbench<'_>) -> Result<Row> {
    let (n, d, steps) = (config.n(), config.d(), config.run.steps);
    let model = &config.model;
    let mut settling = Settling::new(n, d, steps);
    let (mut reach, mut first_spread, mut last) = (0.0, 0.0, None);
    let due = settling.is_due();
    let taken = work.simulate_config(config, due, |look| {
        let moved = settling.keep(look.t, look.tokens);
        let points = Points::of(look.tokens);
        if look.t == 0 {
            (reach, first_spread) = (radius(&points), spread(&points));
        }
        if look.last {
            let fixed = look.report.is_some_and(|report| report.moved == 0) && model.is_autonomous();
            let strips = look.report.filter(|_| model.has_strips());
            last = Some((moved, fixed, strips, look.tokens.clone()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let Some((moved, fixed, strips, tokens)) = last else {
        return Err(Error::input("a run without a last state"));
    };
    let points = Points::of(&tokens);
    let (rests, epsilon) = (fixed || moved * STILL <= epsilon * reach, epsilon * reach);
    let clusters = Clusters::of(&tokens, TOGETHER * reach);
    let hull = (d <= 3).then(|| Hull::of(&points));
    let averages = matches!(model.update, Update::Average { .. }) && model.mask == Mask::Full && model.heads.len() == 1;
    let gap = match &hull {
        Some(hull) if averages => {
            let step = Steps::new(model, d).at(taken)?;
            Some(Alignment::of(&points, &step.stages[0].heads[0].scores, hull).largest().1)
        }
        _ => None,
    };
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
        vertices: hull.map(|hull| hull.vertices.len() as u64),
        gap,
        strip_min: strips.map(|report| u64::from(report.strip_min)),
        strip_mean: strips.map(|report| report.strip_total as f64 / n as f64),
        strip_max: strips.map(|report| u64::from(report.strip_max)),
        hash: tokens.hash().to_hex().to_string(),
    })
}

fn radius(points: &Points) -> f64 {
    points.rows().map(|row| row.iter().map(|x| x * x).sum::<f64>()).fold(0.0, f64::max).sqrt()
}

fn spread(points: &Points) -> f64 {
    let n = points.n() as f64;
    let variance = |k: usize| {
        let mean = points.rows().map(|row| row[k]).sum::<f64>() / n;
        points.rows().map(|row| (row[k] - mean).powi(2)).sum::<f64>() / n
    };
    (0..points.d()).map(variance).sum::<f64>().sqrt()
}

/// The measures as columns of text, without the cell's own label.
pub(super) fn table(rows: &[Row]) -> Result<(Vec<String>, Vec<Vec<String>>)> {
    let bad = |e: csv::Error| Error::input(e.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(bad)?;
    let text = writer.into_inner().map_err(|e| Error::input(e.to_string()))?;
    let mut reader = csv::Reader::from_reader(&text[..]);
    let columns = |record: &csv::StringRecord| record.iter().skip(1).map(str::to_owned).collect::<Vec<_>>();
    let head = columns(reader.headers().map_err(bad)?);
    let rows =
        reader.records().map(|record| record.map(|record| columns(&record))).collect::<Result<_, _>>().map_err(bad)?;
    Ok((head, rows))
}
