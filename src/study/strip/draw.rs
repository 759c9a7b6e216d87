//! Figures of the study.

use super::{MOST_PICTURED, Row, Strip};
use crate::error::Result;
use crate::model::StripForm;
use crate::plot::{Chart, Coordinate, Panels, Player};
use crate::study::common::{self, mean};
use crate::study::drawing::{plane, spot, spots};
use crate::study::{Asked, Report, Results};
use crate::tokens::Tokens;

pub(super) fn figures(asked: &Asked<Strip>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let own = &asked.own;
    let cell = results.cell(|row| row.seed == asked.sizes.first_seed && row.delta == own.shown);
    let pictured = cell.map(|(cell, _)| cell).filter(|_| asked.sizes.tokens <= MOST_PICTURED);
    if let Some(cell) = pictured.filter(|_| asked.sizes.dim == 2) {
        three_rules(asked, results, cell, report)?;
    }
    let caption = "Strip sizes over δ: from one key, as in hardmax, to all of them, as in softmax.";
    report.chart("strip-sizes", caption, &sizes(asked, &results.rows), [960, 560])?;
    if let Some(cell) = pictured {
        let caption = format!("Localmax with δ = {} and α = {}, first seed.", own.shown, own.alpha);
        report.player("trajectory", &caption, Player::new(&results.frames(cell)?)?);
    }
    Ok(())
}

/// Draws one token's keys under three rules, side by side.
fn three_rules(asked: &Asked<Strip>, results: &Results<Row>, cell: usize, report: &mut Report) -> Result<()> {
    let series = results.series(cell, "weights")?;
    let tokens = &results.frames(cell)?[0].1;
    let reference = series.column("reference")?.iter().position(|&flag| flag == 1.0).unwrap_or(0);
    let reach = tokens.largest_magnitude() * 1.15;
    let titles = [
        ("hardmax", "Hardmax".to_owned()),
        ("localmax", format!("Localmax, δ = {}", asked.own.shown)),
        ("softmax", format!("Softmax, β = {}", asked.own.beta)),
    ];
    let mut charts = Vec::new();
    for (column, title) in titles {
        let weight = series.column(column)?;
        let heaviest = weight.iter().copied().fold(0.0, f64::max);
        let keys = weight.iter().filter(|w| **w > 0.0).count();
        let mut chart = plane(format!("{title}: {keys} key{}", if keys == 1 { "" } else { "s" }), Some(reach));
        if column == "localmax" {
            chart = chart.region("strip", beyond_the_edge(&asked.own, tokens, reference, reach)).colour(5);
        }
        chart = chart.points("other tokens", spots(tokens)).grey().radius(1.4);
        for (name, low, high, radius) in [
            ("keys below 1 % of the heaviest weight", 0.0, 0.01, 1.6),
            ("keys below 10 %", 0.01, 0.1, 2.2),
            ("keys below half", 0.1, 0.5, 3.0),
            ("keys above half", 0.5, f64::INFINITY, 4.2),
        ] {
            let of = |j: &usize| weight[*j] > low * heaviest && weight[*j] <= high * heaviest;
            let keys = (0..tokens.n()).filter(of).map(|j| spot(tokens, j));
            chart = chart.points(name, keys).colour(0).radius(radius);
        }
        charts.push(chart.points("the token that attends", [spot(tokens, reference)]).colour(1).radius(5.0));
    }
    let subtitle = format!("n = {}, token {reference}, first seed", tokens.n());
    let panels =
        Panels { title: "Keys that one token attends to, under three rules".into(), subtitle, charts, columns: 3 };
    let caption = "The same token of the same cloud. Weights are equal inside the strip of localmax, and fall off \
                   with the score in softmax.";
    report.panels("three-rules", caption, &panels, 1320, [480, 0])
}

/// The half-plane of scores in the strip of a token, far enough out.
fn beyond_the_edge(own: &Strip, tokens: &Tokens, token: usize, reach: f64) -> Vec<(f64, f64)> {
    let (x, y) = spot(tokens, token);
    let length = (x * x + y * y).sqrt();
    let best = spots(tokens).map(|(a, b)| a * x + b * y).fold(f64::NEG_INFINITY, f64::max);
    let width = common::width_unit(own.form, &[x, y], &[x, y]);
    let edge = (best - own.shown * width) / length;
    let (u, v) = (x / length, y / length);
    let far = 4.0 * reach;
    let corner = |along: f64, across: f64| (along * u - across * v, along * v + across * u);
    vec![corner(edge, -far), corner(edge, far), corner(far, far), corner(far, -far)]
}

/// Draws strip sizes over δ.
fn sizes(asked: &Asked<Strip>, rows: &[Row]) -> Chart {
    let mut deltas = asked.own.deltas.clone();
    deltas.sort_by(f64::total_cmp);
    deltas.dedup();
    let of = |delta: f64| rows.iter().filter(move |row| row.delta == delta);
    let band = deltas.iter().map(|&delta| {
        let least = of(delta).map(|row| row.strip_min).min().unwrap_or(0);
        [delta, least as f64, of(delta).map(|row| row.strip_max).max().unwrap_or(0) as f64]
    });
    let means = deltas.iter().map(|&delta| (delta, mean(of(delta), |row| row.strip_mean)));
    let unit = if asked.own.form == StripForm::Score { "units of |x|²" } else { "units of |x|" };
    Chart::new(
        "Keys of a token's strip",
        Coordinate::log(format!("δ ({unit})")),
        Coordinate::log("strip size |Cᵢ| (tokens)"),
    )
    .subtitle(format!("{}, {}", asked.sizes.shape(), asked.sizes.clouds()))
    .band("smallest to largest", band.collect())
    .line("mean", means)
    .colour(0)
    .level(format!("all {} keys", asked.sizes.tokens), asked.sizes.tokens as f64)
    .level("hardmax: one key", 1.0)
    .grey()
    .level(
        format!("softmax, β = {}: keys that count, exp(entropy)", asked.own.beta),
        mean(rows, |row| row.softmax_keys),
    )
    .colour(1)
}
