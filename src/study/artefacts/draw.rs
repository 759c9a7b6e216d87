//! Figures of the study.

use super::{Artefacts, Displaced, Row, Trial};
use crate::error::Result;
use crate::model::StripForm;
use crate::observe::wilson;
use crate::plot::{Chart, Coordinate, Panels, Player};
use crate::study::common::{pairs, total};
use crate::study::drawing::{outline, path, plane, spot, spots};
use crate::study::{Asked, Report, Results};

/// Number of clouds pictured beside each other.
const PICTURED: usize = 6;

pub(super) fn figures(
    asked: &Asked<Artefacts>,
    results: &Results<Row>,
    trials: &[Trial],
    report: &mut Report,
) -> Result<()> {
    let caption = "A strip that is too narrow holds no second vertex, one that is too wide pulls the vertices \
                   together: in between limits outside S are most frequent.";
    report.panels("how-often", caption, &how_often(asked, &results.rows), 1280, [480, 0])?;
    let caption =
        "A token that comes through a displacement of its own returns to its place, between the same vertices.";
    report.panels("stability", caption, &stability(asked, &results.rows, trials), 1560, [460, 0])?;
    let caption = "The gap tells how far a token outside S is from being its own best match.";
    report.chart("gaps", caption, &gaps(asked, results)?, [960, 560])?;
    let caption = "Tokens outside S sit between vertices that their strip holds together, not at the foot of the \
                   perpendicular from the origin, which is where S has a point on an edge.";
    report.panels("places", caption, &places(asked, results)?, 1380, [60, 430])?;
    if let Some((cell, row)) = results.cell(|row| row.seed == asked.sizes.first_seed && row.outside > 0) {
        let caption = format!("{} cloud, {} strip, δ = {}, first seed.", row.cloud, row.form, row.delta);
        report.player("trajectory", &caption, Player::new(&results.frames(cell)?)?);
    }
    Ok(())
}

/// A kind of cloud under a strip form.
struct Kind<'a> {
    cloud: &'a str,
    form: StripForm,
    name: String,
}

impl Kind<'_> {
    fn has(&self, row: &Row) -> bool {
        row.seed > 0 && row.cloud == self.cloud && row.form == self.form
    }
}

fn kinds(asked: &Asked<Artefacts>) -> impl Iterator<Item = (usize, Kind<'_>)> {
    let name = |cloud: &str, form: StripForm| format!("{cloud} clouds, {form} form");
    let pairs = pairs(&asked.own.clouds, &asked.own.forms);
    pairs.map(move |(cloud, &form)| Kind { cloud, form, name: name(cloud, form) }).enumerate()
}

/// The share of clouds with tokens outside S over δ, and of tokens.
fn how_often(asked: &Asked<Artefacts>, rows: &[Row]) -> Panels {
    let mut deltas = asked.own.deltas.clone();
    deltas.sort_by(f64::total_cmp);
    let axis = || Coordinate::log("δ (units of |x|, or of |x|² in the score form)");
    let share = Coordinate::linear("clouds (%)").within(-2.0, 102.0);
    let mut clouds = Chart::new("Clouds with tokens outside S", axis(), share);
    let mut tokens = Chart::new("Tokens outside S", axis(), Coordinate::linear("tokens (%)"));
    for (k, kind) in kinds(asked) {
        let per_cent = |part: u64, all: u64| 100.0 * part as f64 / all.max(1) as f64;
        let (mut found, mut shares) = (Vec::new(), Vec::new());
        // Kinds of clouds a little aside, so that intervals do not hide each other.
        let aside = 1.025f64.powi(k as i32);
        for &delta in &deltas {
            let of = || rows.iter().filter(|row| kind.has(row) && row.delta == delta);
            let with = of().filter(|row| row.outside > 0).count() as u64;
            found.push(interval(delta * aside, with, of().count() as u64));
            shares.push((delta * aside, per_cent(total(of(), |row| row.outside), total(of(), |row| row.tokens))));
        }
        let middle: Vec<(f64, f64)> = found.iter().map(|p| (p[0], p[1])).collect();
        clouds = clouds.line("", middle).colour(k).intervals(kind.name.clone(), found).colour(k);
        tokens = tokens.line("", shares.clone()).colour(k).points(kind.name, shares).colour(k);
    }
    let subtitle =
        format!("{}, {} for each point; intervals have 95 % (Wilson)", asked.sizes.shape(), asked.sizes.clouds());
    Panels {
        title: "How often tokens come to rest outside S".into(),
        subtitle,
        charts: vec![clouds, tokens],
        columns: 2,
    }
}

/// δ, a share in per cent, and its 95 % interval.
fn interval(delta: f64, part: u64, all: u64) -> [f64; 4] {
    let [low, high] = wilson(part, all);
    [delta, 100.0 * part as f64 / all.max(1) as f64, 100.0 * low, 100.0 * high]
}

/// The share of tokens that come through a displacement, by its length.
fn stability(asked: &Asked<Artefacts>, rows: &[Row], trials: &[Trial]) -> Panels {
    let mut lengths = asked.own.displacements.clone();
    lengths.sort_by(f64::total_cmp);
    let mut charts = Vec::new();
    for (displaced, name) in Displaced::EVERY {
        let mut chart = Chart::new(
            format!("Displaced: {name}"),
            Coordinate::log("displacement (units of the radius)"),
            Coordinate::linear("tokens that come through (%)").within(-2.0, 102.0),
        );
        for (k, kind) in kinds(asked) {
            let share = |by: f64| {
                let is_of = |t: &&Trial| t.displaced == displaced && t.by == by && kind.has(&rows[t.place]);
                let of = trials.iter().filter(is_of);
                let (kept, tried) = of.fold((0.0, 0.0), |sum, t| (sum.0 + t.kept, sum.1 + t.tried));
                (tried > 0.0).then(|| (by, 100.0 * kept / tried))
            };
            let path: Vec<(f64, f64)> = lengths.iter().filter_map(|&by| share(by)).collect();
            if !path.is_empty() {
                chart = chart.line("", path.clone()).colour(k).points(kind.name, path).colour(k);
                chart = chart.radius(6.5 - 1.5 * (k % 4) as f64);
            }
        }
        charts.push(chart);
    }
    let subtitle = "A token comes through if it rests outside S again".into();
    Panels { title: "How stable limits outside S are".into(), subtitle, charts, columns: 3 }
}

/// Gaps of tokens outside S over δ.
fn gaps(asked: &Asked<Artefacts>, results: &Results<Row>) -> Result<Chart> {
    let mut chart = Chart::new(
        "Alignment gaps outside S",
        Coordinate::log("δ (units of |x|, or of |x|² in the score form)"),
        Coordinate::log("alignment gap"),
    )
    .subtitle("Every point is a token at rest outside S; kinds of clouds are set a little aside");
    for (k, kind) in kinds(asked) {
        let mut points = Vec::new();
        for (cell, row) in results.cells(|row| kind.has(row) && row.outside > 0) {
            let ends = results.series(cell, "ends")?;
            let aside = 1.06f64.powi(k as i32);
            points.extend(ends.rows.iter().filter(|end| end[0] > 0.0).map(|end| (row.delta * aside, end[1])));
        }
        if !points.is_empty() {
            chart = chart.points(kind.name, points).colour(k).opacity(0.6).radius(2.2);
        }
    }
    let mut bound: Vec<(f64, f64)> = asked.own.deltas.iter().map(|&delta| (delta, delta)).collect();
    bound.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(chart.dashed("g = δ: the bound for |x| = 1, and of the score form", bound).ink())
}

/// A few clouds with tokens outside S.
fn places(asked: &Asked<Artefacts>, results: &Results<Row>) -> Result<Panels> {
    let mut charts = Vec::new();
    for (cell, row) in shown(results, asked.sizes.first_seed) {
        let frames = results.frames(cell)?;
        let ends = results.series(cell, "ends")?.column("outside")?;
        let (first, last) = (&frames[0].1, &frames[frames.len() - 1].1);
        if last.d() != 2 {
            continue;
        }
        let of = |out: f64| (0..last.n()).filter(|&i| ends.get(i) == Some(&out)).collect::<Vec<_>>();
        let ways = of(1.0).into_iter().map(|i| path(&frames, i).collect()).collect();
        let title = format!("{}, {}, δ = {}: {} outside S", row.cloud, row.form, row.delta, row.outside);
        charts.push(
            plane(title, Some(first.largest_magnitude() * 1.12))
                .region("last hull", outline(last))
                .colour(4)
                .points("start", spots(first))
                .grey()
                .radius(1.8)
                .lines("way to a place outside S", ways)
                .colour(1)
                .opacity(0.5)
                .points("rests in S", of(0.0).into_iter().map(|i| spot(last, i)))
                .colour(0)
                .points("rests outside S", of(1.0).into_iter().map(|i| spot(last, i)))
                .colour(1)
                .radius(4.5),
        );
    }
    let subtitle = format!("The constructed case, then clouds of the first seed, n = {}", asked.sizes.tokens);
    Ok(Panels { title: "Where tokens rest outside S".into(), subtitle, charts, columns: 3 })
}

/// The pictured cells: one of each kind first, then more of them.
fn shown(results: &Results<Row>, seed: u64) -> Vec<(usize, &Row)> {
    let with = || results.cells(|row| row.seed <= seed && row.outside > 0);
    let kind = |row: &Row| (row.cloud.clone(), row.form);
    let mut shown: Vec<(usize, &Row)> = Vec::new();
    for (cell, row) in with() {
        if shown.iter().all(|(_, other)| kind(other) != kind(row)) {
            shown.push((cell, row));
        }
    }
    let others: Vec<(usize, &Row)> = with().filter(|(cell, _)| shown.iter().all(|(other, _)| other != cell)).collect();
    shown.extend(others);
    shown.truncate(PICTURED);
    shown
}
