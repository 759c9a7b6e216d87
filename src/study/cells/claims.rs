//! Verdicts on the claims.

use super::{
    ARRIVES, Cells, EXITS, FAR, GEOMETRIC, METASTABLE, NEVER_ARRIVES, ONE_VERTEX, PATH, Row, SAMPLED, STATIONARY,
    SUPER_EXPONENTIAL, VORONOI,
};
use crate::num;
use crate::study::{Asked, Report, Statement, Verdict};

/// Largest error of a fitted rate, or of a coefficient of t²: twice what a factor of one step, and a
/// second difference of logarithms, is known to at [`FAR`].
const RATE_ERROR: f64 = 4.0 / FAR;
/// Exits are random: a sum of so many waiting times is this many standard errors off less than once
/// in a million draws.
const STANDARD_ERRORS: f64 = 6.0;
/// T₁ as published, for four β; and the β up to which a token never arrives.
const PUBLISHED: [(f64, f64); 4] = [(16.0, 31.0), (32.0, 20.0), (64.0, 19.0), (128.0, 19.0)];
const NEVER: f64 = 8.0;

pub(super) fn judge(asked: &Asked<Cells>, rows: &[Row], report: &mut Report) {
    exact_solution(rows, report);
    cells(rows, report);
    rates(rows, report);
    attention(asked, rows, report);
    let chains: Vec<&Row> = rows.iter().filter(|row| row.case == "chain").collect();
    exits(asked, &chains, report);
    metastability(asked, &chains, report);
}

fn clouds(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.off_line.is_some())
}

/// Judges clouds in which roundings add up to little.
fn exact_solution(rows: &[Row], report: &mut Report) {
    let (told, all) = (|| clouds(rows).filter(|row| row.told), clouds(rows).count());
    let left_out: u64 = told().filter_map(|row| row.near_edge).sum();
    let allowed = told().filter_map(|row| row.allowed).fold(0.0, f64::max);
    let mut exact = |claim: Statement, of: fn(&Row) -> Option<f64>| {
        let farthest = told().filter_map(of).fold(0.0, f64::max);
        let within = |row: &Row| of(row).zip(row.allowed).is_some_and(|(off, allowed)| num::within(off, allowed));
        report.claim(claim.judged(
            format!(
                "{farthest:.1} units of the lattice off at most, in {} of {all} clouds, {left_out} tokens at edges left out",
                told().count()
            ),
            format!(
                "what roundings add up to: {allowed:.0} units at most, in every cloud its own; clouds in which that is \
                 over a hundredth of the radius are left out"
            ),
            Verdict::if_any(told().next().is_some(), told().all(within)),
        ));
    };
    exact(PATH, |row| row.off_line);
    exact(STATIONARY, |row| row.off_vertex);
}

fn cells(rows: &[Row], report: &mut Report) {
    let sum = |of: fn(&Row) -> Option<u64>| clouds(rows).filter_map(of).sum::<u64>();
    let sampled = |row: &Row| row.examined.min(SAMPLED as u64);
    let looks: u64 = clouds(rows).map(|row| sampled(row) * (row.steps + 1)).sum();
    report.claim(ONE_VERTEX.always(sum(|row| row.strayed), looks, "masks of the engine, tokens at edges left out"));
    let tokens = clouds(rows).map(sampled).sum();
    report.claim(VORONOI.always(sum(|row| row.not_voronoi), tokens, "masks of the engine, tokens at edges left out"));
}

fn rates(rows: &[Row], report: &mut Report) {
    for (case, claim) in [("constant", GEOMETRIC), ("growing", SUPER_EXPONENTIAL)] {
        let rates = rows.iter().filter(|row| row.case == case).filter_map(|row| Some((row.rate?, row.theory?)));
        if let Some((rate, theory)) = rates.max_by(|a, b| (a.0 - a.1).abs().total_cmp(&(b.0 - b.1).abs())) {
            report.claim(claim.number(rate, theory, RATE_ERROR));
        }
    }
}

fn attention(asked: &Asked<Cells>, rows: &[Row], report: &mut Report) {
    let steps = asked.sizes.steps;
    let soft: Vec<&Row> = rows.iter().filter(|row| row.case == "attention").collect();
    let known =
        |row: &&Row| PUBLISHED.iter().find(|(beta, _)| row.beta == Some(*beta)).map(|(_, told)| (row.time, *told));
    let pairs: Vec<(Option<f64>, f64)> = soft.iter().filter_map(known).collect();
    let shown = |time: Option<f64>| time.map_or("never".into(), |time| time.to_string());
    let texts: Vec<String> = pairs.iter().map(|(time, told)| format!("{} against {told}", shown(*time))).collect();
    let refuted = pairs.iter().any(|(time, told)| time.map_or(steps as f64 >= *told, |time| time != *told));
    let agrees = Verdict::unless(refuted, pairs.iter().all(|(time, told)| *time == Some(*told)));
    let is_published = !pairs.is_empty() && (3..=5).contains(&asked.own.corners);
    report.claim(ARRIVES.judged(
        if texts.is_empty() { "none of these β".into() } else { texts.join("; ") },
        "the same numbers of steps",
        if is_published { agrees } else { Verdict::Undecided },
    ));
    let low: Vec<&&Row> = soft.iter().filter(|row| row.beta.is_some_and(|beta| beta <= NEVER)).collect();
    let arrived = low.iter().filter(|row| row.time.is_some()).count();
    report.claim(NEVER_ARRIVES.judged(
        format!("{arrived} of {} came there in {steps} steps", low.len()),
        "no arrival in at least 2000 steps",
        Verdict::if_any(!low.is_empty() && steps >= 2000, arrived == 0),
    ));
}

fn exits(asked: &Asked<Cells>, chains: &[&Row], report: &mut Report) {
    let off = |row: &&Row| Some((row.time? - row.expected?) / row.standard_error?);
    let offs: Vec<f64> = chains.iter().filter_map(off).collect();
    let farthest = offs.iter().map(|off| off.abs()).fold(0.0, f64::max);
    report.claim(EXITS.judged(
        format!(
            "means of {} runs for each of {} β are {farthest:.2} standard errors off at most",
            asked.own.runs,
            offs.len()
        ),
        format!("at most {STANDARD_ERRORS} standard errors"),
        Verdict::if_any(!offs.is_empty(), farthest <= STANDARD_ERRORS),
    ));
}

/// Judges by the two largest β.
fn metastability(asked: &Asked<Cells>, chains: &[&Row], report: &mut Report) {
    let mut ends = chains.to_vec();
    ends.sort_by(|a, b| a.beta.unwrap_or(0.0).total_cmp(&b.beta.unwrap_or(0.0)));
    if let [.., low, high] = ends[..]
        && let (Some(b0), Some(b1), Some(t0), Some(t1)) = (low.beta, high.beta, low.time, high.time)
        && let (Some(e0), Some(e1)) = (low.expected, high.expected)
        && b1 > b0
    {
        let slope = libm::log(t1 / t0) / (b1 - b0);
        let limit = 1.0 - libm::cos(std::f64::consts::TAU / asked.own.corners as f64);
        // The slope of the exact probabilities between these two β, short of the limit.
        let exact = libm::log(e1 / e0) / (b1 - b0);
        let error = STANDARD_ERRORS * (2.0 / asked.own.runs as f64).sqrt() / (b1 - b0);
        report.claim(METASTABLE.judged(
            format!(
                "slope {slope:.3} of the logarithm between β = {b0} and {b1}, against {exact:.3} by the exact \
                 probabilities there and {limit:.3} in the limit"
            ),
            format!("at most {error:.2} from the exact slope: {STANDARD_ERRORS} standard errors"),
            Verdict::if_any(error < exact / 2.0, (slope - exact).abs() <= error),
        ));
    }
}
