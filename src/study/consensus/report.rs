//! What the cells come to.

use super::{Consensus, Row, staircase};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels, Player, Size};
use crate::study::{Asked, Basis, Claim, Report, Results, Verdict};

/// Published: E on the plateau of the five tokens at β = 4, and e⁴/8 after it.
const PLATEAU: f64 = 3.551;
/// A token of a causal cloud that never moves, and a surface that is kept, to rounding.
const STILL: f64 = 1e-12;

pub(super) fn report(asked: &Asked<Consensus>, results: &Results<Row>) -> Result<Report> {
    let mut report = Report::new();
    claims(asked, &results.rows, &mut report);
    report.text(format!(
        "Runge–Kutta steps of {} for the sphere and the ellipsoid, the authors' own schemes for the plateau and the staircase. The text of \
         2412.02682 and 2411.04990 was not at hand: their theorems are taken from summaries, and all parameters but those of 2410.06833 are ours. \
         A run without consensus after {} steps is undecided, not a counterexample: at large β clusters stay apart for a time exponential in β.",
        asked.own.dt, asked.sizes.steps
    ));
    times(asked, &results.rows, &mut report)?;
    paths(asked, results, &mut report)?;
    plateau(results, &mut report)?;
    stairs(results, &mut report)?;
    if let Some(cell) = results.rows.iter().position(|row| row.case == "causal" && row.seed == 1)
        && asked.sizes.dim <= 3
        && asked.sizes.tokens <= 1500
    {
        report.player(
            "causal",
            "Causal attention, arbitrary Q and K, seed 1: all go to the first token.",
            Player::new(&results.frames(cell)?)?,
        );
    }
    if let Some(cell) = results.rows.iter().position(|row| row.case == "plateau") {
        report.player(
            "plateau-tokens",
            "The five tokens of 2410.06833 at β = 4: two clusters, for long.",
            Player::new(&results.frames(cell)?)?,
        );
    }
    Ok(report)
}

/// All of some runs came to consensus; the ones that did not are undecided.
fn together<'a>(claim: &str, source: &str, basis: Basis, rows: impl Iterator<Item = &'a Row>, epsilon: f64) -> Claim {
    let rows: Vec<&Row> = rows.collect();
    let (all, done) = (rows.len(), rows.iter().filter(|row| row.consensus.is_some()).count());
    let longest = rows.iter().filter_map(|row| row.consensus).fold(0.0, f64::max);
    Claim {
        claim: claim.into(),
        source: source.into(),
        basis,
        measured: format!("{done} of {all} runs, the last after t = {longest:.1}"),
        error: format!("every token within {epsilon:e} of the first"),
        agrees: if all > 0 && done == all { Verdict::Yes } else { Verdict::Undecided },
    }
}

fn claims(asked: &Asked<Consensus>, rows: &[Row], report: &mut Report) {
    let epsilon = asked.own.epsilon;
    let of = |case: &'static str| rows.iter().filter(move |row| row.case == case);
    let basis = if asked.sizes.dim >= 3 { Basis::Proved } else { Basis::Reported };
    report.claim(together(
        "On the sphere, d ≥ 3, tokens become one cluster from almost every start",
        "2312.10794",
        basis,
        of("sphere"),
        epsilon,
    ));
    report.claim(together("From an open hemisphere they do", "2312.10794", Basis::Proved, of("hemisphere"), epsilon));
    let straight = of("hemisphere").filter(|row| row.geometric == Some(true)).count() as u64;
    let fitted = of("hemisphere").filter(|row| row.geometric.is_some()).count() as u64;
    let claim = "From an open hemisphere they do so exponentially fast: a straight line on a logarithmic axis";
    report.claim(Claim::always(
        claim,
        "2312.10794",
        Basis::Proved,
        fitted - straight,
        fitted,
        "fitted falls that bend",
    ));
    let measured = || rows.iter().filter(|row| row.case != "staircase").filter_map(|row| row.falls);
    let falls = "Along the flow with Q = K = V = I the energy E_β never falls";
    report.claim(Claim::always(
        falls,
        "2312.10794",
        Basis::Proved,
        measured().sum(),
        measured().count() as u64,
        "runs, falls beyond rounding",
    ));
    let heads = "With several heads and bounded P(t) on an ellipsoid, tokens of an open hemisphere come to consensus";
    report.claim(together(heads, "2412.02682, full attention, U = I", Basis::Reconstructed, of("ellipsoid"), epsilon));
    let surface = rows.iter().map(|row| row.off_surface).fold(0.0, f64::max);
    report.claim(Claim::number(
        "The flow keeps to its surface, xᵀWx = 1",
        "2412.02682; by construction",
        Basis::Proved,
        surface,
        0.0,
        STILL,
    ));
    let causal = "Under a causal mask all tokens go to the first, whatever Q and K";
    report.claim(together(causal, "2411.04990; 2412.02682, Theorem 5.1", Basis::Proved, of("causal"), epsilon));
    let moved = of("causal").map(|row| row.first_moved).fold(0.0, f64::max);
    report.claim(Claim::number(
        "The first token of a causal cloud never moves",
        "2411.04990",
        Basis::Proved,
        moved,
        0.0,
        STILL,
    ));
    for row in of("plateau") {
        let source = "2410.06833, kinetic.py";
        let (plateau, last) = (row.plateau.unwrap_or(f64::NAN), row.last_energy.unwrap_or(f64::NAN));
        let claim = "Five tokens at β = 4: the energy stays at 3.551, two clusters, for t from 10 to beyond 300";
        report.claim(Claim::number(claim, source, Basis::Reported, plateau, PLATEAU, 1e-3));
        let claim = "Then they are one cluster: the energy is e⁴/8";
        report.claim(Claim::number(claim, source, Basis::Proved, last, libm::exp(4.0) / 8.0, 1e-4));
    }
    let stairs: Vec<&Row> = of("staircase").collect();
    if !stairs.is_empty() {
        let text = |row: &&Row| {
            format!(
                "β = {}: {} levels, {:.3} at the end",
                row.beta.unwrap_or(0.0),
                row.levels.unwrap_or(0),
                row.last_energy.unwrap_or(0.0)
            )
        };
        let texts: Vec<String> = stairs.iter().map(text).collect();
        let climbs = |row: &&Row| row.levels.is_some_and(|levels| levels >= 2) && row.falls == Some(0);
        let ends = |row: &&Row| row.last_energy.is_some_and(|energy| energy > 0.99);
        report.claim(Claim {
            claim: "The energy climbs by steps, a merger each, to 1".into(),
            source: "2410.06833, staircase.py".into(),
            basis: Basis::Reported,
            measured: texts.join("; "),
            error: "a step: within 0.01 of a level Σm²/n² for a hundredth of the time; at least 2 of them below 1, no fall beyond 0.01, above 0.99 at the end"
                .into(),
            agrees: Verdict::of(stairs.iter().all(climbs) && stairs.iter().all(ends)),
        });
    }
}

/// Time to consensus over β.
fn times(asked: &Asked<Consensus>, rows: &[Row], report: &mut Report) -> Result<()> {
    let mut chart = Chart::new(
        "Time to consensus",
        Coordinate::linear("β (dimensionless)"),
        Coordinate::log("time t (dimensionless)"),
    )
    .subtitle(format!(
        "n = {}, d = {}, {} clouds each, ε = {:e}",
        asked.sizes.tokens, asked.sizes.dim, asked.sizes.seeds, asked.own.epsilon
    ));
    let mut open = 0;
    for (k, case) in ["sphere", "hemisphere"].into_iter().enumerate() {
        let mut medians = Vec::new();
        for &beta in &asked.own.betas {
            let of = || rows.iter().filter(move |row| row.case == case && row.beta == Some(beta));
            let mut times: Vec<f64> = of().map(|row| row.consensus.unwrap_or(f64::INFINITY)).collect();
            open += times.iter().filter(|time| time.is_infinite()).count();
            times.sort_by(f64::total_cmp);
            if let Some(median) = times.get(times.len() / 2).filter(|time| time.is_finite()) {
                let last = times.iter().copied().rfind(|time| time.is_finite()).unwrap_or(*median);
                medians.push([beta + 0.04 * k as f64, *median, times[0], last]);
            }
        }
        let line: Vec<(f64, f64)> = medians.iter().map(|&[x, y, ..]| (x, y)).collect();
        chart = chart.line(case, line).colour(k).intervals("", medians).colour(k);
    }
    let limit = asked.sizes.steps as f64 * asked.own.dt;
    let chart =
        chart.level("end of the runs", limit).foot(format!("{open} runs did not come to consensus before the end."));
    report.figure("times", "Medians; bars: the fastest and the slowest cloud. Uniform clouds first gather in clusters, which part the longer the larger β.", chart.draw(Size { width: 860, height: 560 })?);
    Ok(())
}

/// Distances over time, a line each system.
fn paths(asked: &Asked<Consensus>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let mut chart = Chart::new(
        "Distance of the farthest token from the first",
        Coordinate::log("time t (dimensionless)"),
        Coordinate::log("max |xᵢ − x₁| (dimensionless)"),
    )
    .subtitle(format!("n = {}, d = {}, seed 1", asked.sizes.tokens, asked.sizes.dim));
    for (cell, row) in results.rows.iter().enumerate().filter(|(_, row)| row.seed == 1) {
        let series = results.series(cell, "path")?;
        let points: Vec<(f64, f64)> =
            series.rows.iter().map(|r| (r[0], r[1])).filter(|(t, y)| *t > 0.0 && *y > 0.0).collect();
        let name = match (&row.case[..], row.beta) {
            ("sphere" | "hemisphere", Some(beta)) => format!("{}, β = {beta}", row.case),
            _ => row.case.clone(),
        };
        chart = if row.case == "sphere" { chart.line(name, points) } else { chart.dashed(name, points) };
    }
    let chart = chart.level(format!("ε = {:e}", asked.own.epsilon), asked.own.epsilon).grey();
    report.figure(
        "paths",
        "Plateaus: tokens have gathered in clusters that stay apart.",
        chart.draw(Size { width: 960, height: 620 })?,
    );
    Ok(())
}

fn plateau(results: &Results<Row>, report: &mut Report) -> Result<()> {
    let Some(cell) = results.rows.iter().position(|row| row.case == "plateau") else { return Ok(()) };
    let series = results.series(cell, "path")?;
    let points = series.rows.iter().map(|row| (row[0], row[2])).collect::<Vec<_>>();
    let chart = Chart::new(
        "The energy of five tokens at β = 4",
        Coordinate::linear("time t (dimensionless)"),
        Coordinate::linear("E_β (dimensionless)"),
    )
    .line("E_β", points)
    .level("published plateau 3.551", PLATEAU)
    .level("one cluster: e⁴/8", libm::exp(4.0) / 8.0)
    .grey();
    report.figure(
        "plateau",
        "Two clusters, for hundreds of time units, then one.",
        chart.draw(Size { width: 860, height: 480 })?,
    );
    Ok(())
}

fn stairs(results: &Results<Row>, report: &mut Report) -> Result<()> {
    let cells: Vec<usize> = (0..results.rows.len()).filter(|&cell| results.rows[cell].case == "staircase").collect();
    let mut charts = Vec::new();
    for &cell in &cells {
        let series = results.series(cell, "path")?;
        let points = series.rows.iter().map(|row| (row[0], row[2])).collect::<Vec<_>>();
        let title = format!("β = {}", results.rows[cell].beta.unwrap_or(0.0));
        let mut chart = Chart::new(
            title,
            Coordinate::linear("10⁻⁵ · iterations (rescaled time)"),
            Coordinate::linear("E (dimensionless)").within(0.0, 1.05),
        )
        .line("E", points)
        .colour(0);
        for (k, level) in staircase::levels().into_iter().enumerate() {
            chart = chart.level(if k == 0 { "levels Σm²/n²" } else { "" }, level).grey().opacity(0.6);
        }
        charts.push(chart);
    }
    if charts.is_empty() {
        return Ok(());
    }
    let columns = charts.len().min(2);
    let height = 60 + 330 * charts.len().div_ceil(columns) as u32;
    let sheet = Panels {
        title: "The staircase of five tokens on a circle".into(),
        subtitle: "the authors' scheme and start".into(),
        charts,
        columns,
    };
    report.figure("staircase", "Each step is a merger of clusters.", sheet.draw(Size { width: 1080, height })?);
    Ok(())
}
