//! Figures of the study.

use super::{Artefacts, Displaced, Row, Trial};
use crate::error::Result;
use crate::observe::{Hull, Points};
use crate::plot::{Chart, Coordinate, Panels, Player, Size};
use crate::study::{Asked, Report, Results, common};

/// Clouds pictured beside each other.
const PICTURED: usize = 6;

pub(super) fn figures(
    asked: &Asked<Artefacts>,
    results: &Results<Row>,
    trials: &[Trial],
    report: &mut Report,
) -> Result<()> {
    how_often(asked, &results.rows, report)?;
    stability(asked, &results.rows, trials, report)?;
    gaps(asked, results, report)?;
    places(asked, results, report)?;
    if let Some(cell) = results.rows.iter().position(|row| row.seed == 1 && row.outside > 0) {
        let row = &results.rows[cell];
        let caption = format!("{} cloud, {} strip, δ = {}, seed 1.", row.cloud, row.form, row.delta);
        report.player("trajectory", &caption, Player::new(&results.frames(cell)?)?);
    }
    Ok(())
}

/// Each kind of cloud under each form, with its name.
fn kinds(asked: &Asked<Artefacts>) -> Vec<(&String, &String, String)> {
    let own = &asked.own;
    let pairs = own.clouds.iter().flat_map(|cloud| own.forms.iter().map(move |form| (cloud, form)));
    pairs.map(|(cloud, form)| (cloud, form, format!("{cloud} clouds, {form} form"))).collect()
}

/// The share of clouds with tokens outside S over δ, and of tokens.
fn how_often(asked: &Asked<Artefacts>, rows: &[Row], report: &mut Report) -> Result<()> {
    let mut deltas = asked.own.deltas.clone();
    deltas.sort_by(f64::total_cmp);
    let axis = || Coordinate::log("δ (units of |x|, or of |x|² in the score form)");
    let share = |label: &str| Coordinate::linear(label).within(-2.0, 102.0);
    let mut clouds = Chart::new("Clouds with tokens outside S", axis(), share("clouds (%)"));
    let mut tokens = Chart::new("Tokens outside S", axis(), Coordinate::linear("tokens (%)"));
    for (k, (cloud, form, name)) in kinds(asked).into_iter().enumerate() {
        let of = |delta: f64| -> Vec<&Row> {
            let wanted = |row: &&Row| row.seed > 0 && row.cloud == *cloud && row.form == *form && row.delta == delta;
            rows.iter().filter(wanted).collect()
        };
        let per_cent = |part: u64, all: u64| 100.0 * part as f64 / all.max(1) as f64;
        let mut found = Vec::new();
        let mut shares = Vec::new();
        // Kinds of clouds a little aside, so that intervals do not hide each other.
        let aside = 1.025f64.powi(k as i32);
        for &delta in &deltas {
            let of = of(delta);
            let with = of.iter().filter(|row| row.outside > 0).count() as u64;
            found.push(wilson(delta * aside, with, of.len() as u64));
            let (outside, all) = (of.iter().map(|row| row.outside).sum(), of.iter().map(|row| row.tokens).sum());
            shares.push((delta * aside, per_cent(outside, all)));
        }
        let middle: Vec<(f64, f64)> = found.iter().map(|p| (p[0], p[1])).collect();
        clouds = clouds.line("", middle).colour(k).intervals(name.clone(), found).colour(k);
        tokens = tokens.line("", shares.clone()).colour(k).points(name, shares).colour(k);
    }
    let panels = Panels {
        title: "How often tokens come to rest outside S".into(),
        subtitle: format!(
            "n = {}, d = {}, {} clouds a point; intervals have 95 % (Wilson)",
            asked.sizes.tokens, asked.sizes.dim, asked.sizes.seeds
        ),
        charts: vec![clouds, tokens],
        columns: 2,
    };
    let caption = "A strip that is too narrow holds no second vertex, one that is too wide pulls the vertices together: in between limits outside \
                   S are most frequent.";
    report.figure("how-often", caption, panels.draw(Size { width: 1280, height: 480 })?);
    Ok(())
}

/// δ, a share in per cent, and its 95 % interval by Wilson's formula.
fn wilson(delta: f64, part: u64, all: u64) -> [f64; 4] {
    const Z: f64 = 1.96;
    if all == 0 {
        return [delta, 0.0, 0.0, 100.0];
    }
    let (n, p) = (all as f64, part as f64 / all as f64);
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [delta, 100.0 * p, 100.0 * (middle - half).max(0.0), 100.0 * (middle + half).min(1.0)]
}

/// Who comes through a displacement, by its length.
fn stability(asked: &Asked<Artefacts>, rows: &[Row], trials: &[Trial], report: &mut Report) -> Result<()> {
    let mut lengths = asked.own.displacements.clone();
    lengths.sort_by(f64::total_cmp);
    let mut charts = Vec::new();
    for (displaced, name) in Displaced::EVERY {
        let mut chart = Chart::new(
            format!("Displaced: {name}"),
            Coordinate::log("displacement (units of the radius)"),
            Coordinate::linear("tokens that come through (%)").within(-2.0, 102.0),
        );
        for (k, (cloud, form, label)) in kinds(asked).into_iter().enumerate() {
            let share = |by: f64| {
                let of = trials.iter().filter(|t| {
                    let row = &rows[t.cell];
                    t.displaced == displaced && t.by == by && row.seed > 0 && row.cloud == *cloud && row.form == *form
                });
                let (kept, tried) = of.fold((0.0, 0.0), |sum, t| (sum.0 + t.kept, sum.1 + t.tried));
                (tried > 0.0).then(|| (by, 100.0 * kept / tried))
            };
            let path: Vec<(f64, f64)> = lengths.iter().filter_map(|&by| share(by)).collect();
            if !path.is_empty() {
                chart = chart
                    .line("", path.clone())
                    .colour(k)
                    .points(label, path)
                    .colour(k)
                    .radius(6.5 - 1.5 * (k % 4) as f64);
            }
        }
        charts.push(chart);
    }
    let panels = Panels {
        title: "How stable limits outside S are".into(),
        subtitle: "A token comes through if it rests outside S again".into(),
        charts,
        columns: 3,
    };
    let caption = "What comes through a displacement of its own returns to the same place, between the same vertices.";
    report.figure("stability", caption, panels.draw(Size { width: 1560, height: 460 })?);
    Ok(())
}

/// Gaps of tokens outside S over δ.
fn gaps(asked: &Asked<Artefacts>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let mut chart = Chart::new(
        "Alignment gaps outside S",
        Coordinate::log("δ (units of |x|, or of |x|² in the score form)"),
        Coordinate::log("alignment gap (dimensionless)"),
    )
    .subtitle("Every point is a token at rest outside S; kinds of clouds are set a little aside");
    for (k, (cloud, form, name)) in kinds(asked).into_iter().enumerate() {
        let mut points = Vec::new();
        for (cell, row) in results.rows.iter().enumerate() {
            if row.seed > 0 && row.cloud == *cloud && row.form == *form && row.outside > 0 {
                let ends = results.series(cell, "ends")?;
                let aside = 1.06f64.powi(k as i32);
                points.extend(ends.rows.iter().filter(|end| end[0] > 0.0).map(|end| (row.delta * aside, end[1])));
            }
        }
        if !points.is_empty() {
            chart = chart.points(name, points).colour(k).opacity(0.6).radius(2.2);
        }
    }
    let bound = asked.own.deltas.iter().map(|&delta| (delta, delta));
    let mut bound: Vec<(f64, f64)> = bound.collect();
    bound.sort_by(|a, b| a.0.total_cmp(&b.0));
    let chart = chart.dashed("g = δ: the bound for |x| = 1, and of the score form", bound).ink();
    let caption = "How far tokens outside S are from being their own best match.";
    report.figure("gaps", caption, chart.draw(Size { width: 960, height: 560 })?);
    Ok(())
}

/// A few clouds with tokens outside S.
fn places(asked: &Asked<Artefacts>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let rows = &results.rows;
    let with: Vec<usize> = (0..rows.len()).filter(|&c| rows[c].seed <= 1 && rows[c].outside > 0).collect();
    // One of each kind first, then more of them.
    let mut shown: Vec<usize> = Vec::new();
    let kind = |cell: usize| (&rows[cell].cloud, &rows[cell].form);
    for &cell in &with {
        if shown.iter().all(|&other| kind(other) != kind(cell)) {
            shown.push(cell);
        }
    }
    shown.extend(with.iter().copied().filter(|cell| !shown.contains(cell)).collect::<Vec<_>>());
    shown.truncate(PICTURED);
    let mut charts = Vec::new();
    for cell in shown {
        let row = &rows[cell];
        let frames = results.frames(cell)?;
        let ends = results.series(cell, "ends")?.column("outside")?;
        let (Some((_, first)), Some((_, last))) = (frames.first(), frames.last()) else { continue };
        if last.d() != 2 {
            continue;
        }
        let reach = first.largest_magnitude() * 1.12;
        let axis = |name: &str| Coordinate::linear(format!("{name} (dimensionless)")).within(-reach, reach);
        let of = |out: f64| (0..last.n()).filter(|&i| ends.get(i) == Some(&out)).collect::<Vec<_>>();
        let at = |i: usize| (last.get(i, 0), last.get(i, 1));
        let ways =
            of(1.0).into_iter().map(|i| frames.iter().map(|(_, x)| (x.get(i, 0), x.get(i, 1))).collect()).collect();
        let title = format!("{}, {}, δ = {}: {} outside S", row.cloud, row.form, row.delta, row.outside);
        charts.push(
            Chart::new(title, axis("x₁"), axis("x₂"))
                .equal_units()
                .region("last hull", common::outline(&Hull::of(&Points::of(last)).points(&Points::of(last))))
                .colour(4)
                .points("start", (0..first.n()).map(|i| (first.get(i, 0), first.get(i, 1))))
                .grey()
                .radius(1.8)
                .lines("way to a place outside S", ways)
                .colour(1)
                .opacity(0.5)
                .points("rests in S", of(0.0).into_iter().map(at))
                .colour(0)
                .points("rests outside S", of(1.0).into_iter().map(at))
                .colour(1)
                .radius(4.5),
        );
    }
    if charts.is_empty() {
        return Ok(());
    }
    let columns = charts.len().min(3);
    let lines = charts.len().div_ceil(columns) as u32;
    let subtitle = format!("The constructed case, then clouds of seed 1, n = {}", asked.sizes.tokens);
    let panels = Panels { title: "Where tokens rest outside S".into(), subtitle, charts, columns };
    let caption = "Tokens outside S sit between vertices that their strip holds together, not at the foot of the perpendicular from the origin, \
                   which is where S has a point on an edge.";
    report.figure("places", caption, panels.draw(Size { width: 1380, height: 60 + 430 * lines })?);
    Ok(())
}
