//! Verdicts on the claims.

use super::{Artefacts, BETWEEN, BOUNDED, BY_DELTA, CONSTRUCTED, Displaced, OUTSIDE, Row, STABLE, Trial};
use crate::num;
use crate::study::common::total;
use crate::study::{Asked, Report, Verdict, clouds};

/// The constructed case: where its last token goes, its gap there, and the error of both.
const PLACE: [f64; 2] = [1.05, 0.0];
const PLACE_GAP: f64 = 0.0525;
const PLACE_ERROR: f64 = 1e-9;

pub(super) fn judge(asked: &Asked<Artefacts>, rows: &[Row], trials: &[Trial], report: &mut Report) {
    if let Some(row) = rows.iter().find(|row| row.seed == 0) {
        constructed(row, report);
    }
    for cloud in &asked.own.clouds {
        of_a_kind(asked, cloud, rows, report);
        stability(asked, cloud, rows, trials, report);
    }
}

/// Judges what is claimed of tokens outside S by one kind of cloud; those at rest alone.
fn of_a_kind(asked: &Asked<Artefacts>, cloud: &str, rows: &[Row], report: &mut Report) {
    let name = clouds::described(cloud);
    let all = || rows.iter().filter(|row| row.seed > 0 && row.cloud == cloud);
    let rest = || all().filter(|row| row.settled);
    let found = || rest().filter(|row| row.outside > 0);
    let outside = total(found(), |row| row.outside);
    report.claim(OUTSIDE.with("cloud", &name).judged(
        format!(
            "{outside} of {} tokens, in {} of {} clouds at rest; {} clouds had not come to rest",
            total(rest(), |row| row.tokens),
            found().count(),
            rest().count(),
            all().count() - rest().count()
        ),
        "tokens at rest: no bit moves any more",
        Verdict::if_seen(outside > 0),
    ));
    let beyond = total(found(), |row| row.beyond);
    report.claim(BOUNDED.with("cloud", &name).always(beyond, outside, "tokens outside S"));
    for form in &asked.own.forms {
        let of = || found().filter(|row| row.form == *form);
        let (outside, between) = (total(of(), |row| row.outside), total(of(), |row| row.between_vertices));
        let boundary = total(of(), |row| row.boundary);
        report.claim(BETWEEN.with("cloud", &name).with("form", form).judged(
            format!(
                "{between} of {outside} attend to vertices and their own place alone; {boundary} lie on the \
                 boundary of the hull"
            ),
            "every token outside S",
            Verdict::if_any(outside > 0, between == outside),
        ));
    }
    let tried = || found().filter(|row| row.hardmax_settled);
    let (kept, all) = (total(tried(), |row| row.outside - row.freed), total(tried(), |row| row.outside));
    report.claim(BY_DELTA.with("cloud", &name).always(kept, all, "tokens outside S, where hardmax came to rest"));
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
        Verdict::if_any(
            row.settled,
            row.outside == 1 && num::within(apart, PLACE_ERROR) && num::within(off, PLACE_ERROR),
        ),
    ));
}

/// Counts what comes through the smallest displacement of each kind.
fn stability(asked: &Asked<Artefacts>, cloud: &str, rows: &[Row], trials: &[Trial], report: &mut Report) {
    let smallest = asked.own.displacements.iter().copied().fold(f64::INFINITY, f64::min);
    for (displaced, name) in Displaced::EVERY {
        let is_of = |t: &&Trial| {
            let row = &rows[t.place];
            t.displaced == displaced && t.by == smallest && row.seed > 0 && row.cloud == cloud
        };
        let of = || trials.iter().filter(is_of);
        let (kept, tried) = (of().map(|t| t.kept).sum::<f64>(), of().map(|t| t.tried).sum::<f64>());
        let moved = of().map(|t| t.moved).fold(0.0, f64::max);
        report.claim(STABLE.with("tokens", name).with("cloud", clouds::described(cloud)).counted(
            format!(
                "{kept} of {tried} at {smallest:.0e} of the radius; they rest up to {moved:.1} displacements from \
                 where they were"
            ),
            "the token rests outside S again; nothing is claimed",
        ));
    }
}
