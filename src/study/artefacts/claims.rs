//! Verdicts on the claims.

use super::{Artefacts, BETWEEN, BOUNDED, BY_DELTA, CONSTRUCTED, Displaced, OUTSIDE, Row, STABLE, Trial};
use crate::num;
use crate::study::common::total;
use crate::study::{Asked, Report, Verdict};

/// Share of tokens that must come through the smallest displacement for limits to be called stable.
const SHARE: f64 = 0.99;
/// The constructed case: where its last token goes, its gap there, and the error of both.
const PLACE: [f64; 2] = [1.05, 0.0];
const PLACE_GAP: f64 = 0.0525;
const PLACE_ERROR: f64 = 1e-9;

pub(super) fn judge(asked: &Asked<Artefacts>, rows: &[Row], trials: &[Trial], report: &mut Report) {
    if let Some(row) = rows.iter().find(|row| row.seed == 0) {
        constructed(row, report);
    }
    let clouds = || rows.iter().filter(|row| row.seed > 0);
    let found = || clouds().filter(|row| row.outside > 0);
    let outside = total(found(), |row| row.outside);
    let unsettled = clouds().filter(|row| !row.settled).count();
    report.claim(OUTSIDE.judged(
        format!(
            "{outside} of {} tokens, in {} of {} clouds; {unsettled} clouds had not come to rest",
            total(clouds(), |row| row.tokens),
            found().count(),
            clouds().count()
        ),
        "tokens at rest: no bit moves any more",
        Verdict::if_seen(outside > 0),
    ));
    report.claim(BOUNDED.always(total(found(), |row| row.beyond), outside, "tokens outside S"));
    for form in &asked.own.forms {
        let of = || found().filter(|row| row.form == *form);
        let (outside, between) = (total(of(), |row| row.outside), total(of(), |row| row.between_vertices));
        let boundary = total(of(), |row| row.boundary);
        report.claim(BETWEEN.with("form", form).judged(
            format!(
                "{between} of {outside} attend to vertices and their own place alone; {boundary} lie on the \
                 boundary of the hull"
            ),
            "every token outside S",
            Verdict::if_any(outside > 0, between == outside),
        ));
    }
    stability(asked, rows, trials, report);
    report.claim(BY_DELTA.always(total(found(), |row| row.outside - row.freed), outside, "tokens outside S"));
}

fn constructed(row: &Row, report: &mut Report) {
    let place: Vec<f64> = row.last_token.split(' ').filter_map(|x| x.parse().ok()).collect();
    let apart = place.iter().zip(PLACE).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    let apart = if place.len() == 2 { apart } else { f64::NAN };
    let off = (row.gap_max - PLACE_GAP).abs();
    report.claim(CONSTRUCTED.judged(
        format!(
            "{} of 5 tokens outside S; {apart:.1e} from that place; gap {:.9} against {PLACE_GAP}",
            row.outside, row.gap_max
        ),
        format!("at most {PLACE_ERROR:.0e} apart"),
        Verdict::at_rest(
            row.outside == 1 && num::within(apart, PLACE_ERROR) && num::within(off, PLACE_ERROR),
            row.settled,
        ),
    ));
}

/// Judges by the smallest displacement of each kind.
fn stability(asked: &Asked<Artefacts>, rows: &[Row], trials: &[Trial], report: &mut Report) {
    let smallest = asked.own.displacements.iter().copied().fold(f64::INFINITY, f64::min);
    for (displaced, name) in Displaced::EVERY {
        let of = || trials.iter().filter(|t| t.displaced == displaced && t.by == smallest && rows[t.cell].seed > 0);
        let (kept, tried) = (of().map(|t| t.kept).sum::<f64>(), of().map(|t| t.tried).sum::<f64>());
        let moved = of().map(|t| t.moved).fold(0.0, f64::max);
        report.claim(STABLE.with("tokens", name).judged(
            format!(
                "{kept} of {tried} at {smallest:.0e} of the radius; they rest up to {moved:.1} displacements from \
                 where they were"
            ),
            format!("at least {} %", 100.0 * SHARE),
            Verdict::if_any(tried != 0.0, kept >= SHARE * tried),
        ));
    }
}
