//! Verdicts on the claims.

use super::{ARTEFACT, BOUNDED, CLOSER, DIRECTIONS, HARDMAX, NESTED, NONE, OUTSIDE, Row, Sort, VANISHES, Vanishing};
use crate::error::Result;
use crate::num;
use crate::schedule::Schedule;
use crate::study::common::{largest, mean, total};
use crate::study::{Asked, Report, Verdict};

/// Rise of a support function that rounding explains, in ulps of the radius.
const RISE: f64 = 8.0;

/// The cells of one schedule.
struct Group<'a> {
    delta: &'a str,
    sort: Sort,
    rows: Vec<&'a Row>,
    /// Number of tokens.
    tokens: usize,
}

impl Group<'_> {
    fn largest(&self, of: impl Fn(&Row) -> f64) -> f64 {
        largest(self.rows.iter().copied(), of)
    }

    fn distance(&self) -> f64 {
        mean(self.rows.iter().copied(), |row| row.distance_mean)
    }

    fn gaps(&self) -> (f64, String) {
        let gap = self.largest(|row| row.gap_max);
        let aligned = total(self.rows.iter().copied(), |row| row.aligned);
        let (tokens, clouds) = (self.tokens, self.rows.len());
        (
            gap,
            format!("largest gap {gap:.1e} over {tokens} tokens of {clouds} clouds; {aligned} are at most {NONE:.0e}"),
        )
    }
}

pub(super) fn judge(asked: &Asked<Vanishing>, rows: &[Row], report: &mut Report) -> Result<()> {
    let n = asked.sizes.tokens;
    let mut groups = Vec::new();
    for delta in &asked.own.deltas {
        let sort = Sort::of(&Schedule::parse(delta)?);
        let rows: Vec<&Row> = rows.iter().filter(|row| row.delta == *delta).collect();
        groups.push(Group { delta, sort, tokens: rows.len() * n, rows });
    }
    for group in &groups {
        match group.sort {
            Sort::Hardmax => hardmax(group, report),
            Sort::Vanishing => vanishing(group, report),
            Sort::Constant => constant(group, n, report),
            Sort::Other => {}
        }
    }
    distances(&groups, report);
    let rise = largest(rows, |row| row.rise_ulps);
    let (functions, clouds) = (DIRECTIONS + 2 * asked.sizes.dim, rows.len());
    report.claim(NESTED.judged(
        format!(
            "the largest rise of {functions} support functions is {rise:.1} ulp of the radius, over {clouds} clouds"
        ),
        format!("at most {RISE} ulp"),
        Verdict::of(num::within(rise, RISE)),
    ));
    Ok(())
}

fn hardmax(group: &Group<'_>, report: &mut Report) {
    let (gap, measured) = group.gaps();
    let agrees = Verdict::at_rest(num::within(gap, NONE), group.rows.iter().all(|row| row.settled));
    report.claim(HARDMAX.judged(measured, format!("gaps of at most {NONE:.0e}"), agrees));
}

fn vanishing(group: &Group<'_>, report: &mut Report) {
    let (gap, aligned) = group.gaps();
    // A gap that δ(T) still holds, or that has not come to rest, decides nothing yet.
    let decided = group.rows.iter().any(|row| row.settled && row.beyond > 0);
    let last = group.largest(|row| row.delta_last);
    report.claim(VANISHES.with("delta", group.delta).judged(
        format!("{aligned}; δ(T) = {last:.1e}"),
        format!("gaps of at most {NONE:.0e}; a gap of up to δ(T)·s decides nothing"),
        Verdict::at_rest(num::within(gap, NONE), decided),
    ));
}

fn constant(group: &Group<'_>, n: usize, report: &mut Report) {
    let Group { delta, rows, tokens, .. } = group;
    let gap = group.largest(|row| row.gap_max);
    let settled: Vec<&Row> = rows.iter().copied().filter(|row| row.settled).collect();
    let artefacts = total(settled.iter().copied(), |row| row.artefacts);
    let clouds = settled.iter().filter(|row| row.artefacts > 0).count();
    report.claim(OUTSIDE.with("delta", delta).judged(
        format!(
            "{artefacts} of {tokens} tokens, in {clouds} of {} clouds, stopped with a gap above {ARTEFACT:.0e}; the \
             largest is {gap:.1e}; {} clouds had not stopped",
            rows.len(),
            rows.len() - settled.len()
        ),
        "gaps at rest: no bit moves any more",
        Verdict::if_seen(artefacts > 0),
    ));
    let (beyond, tried) = (total(settled.iter().copied(), |row| row.beyond), (settled.len() * n) as u64);
    report.claim(BOUNDED.with("delta", delta).always(beyond, tried, "tokens of clouds that stopped"));
}

/// Compares the distances to vertices that each constant δ leaves with those of all vanishing ones.
fn distances(groups: &[Group<'_>], report: &mut Report) {
    let vanishing: Vec<&Group<'_>> = groups.iter().filter(|group| group.sort == Sort::Vanishing).collect();
    if vanishing.is_empty() {
        return;
    }
    let list: Vec<String> =
        vanishing.iter().map(|group| format!("{:.1e} for {}", group.distance(), group.delta)).collect();
    for group in groups.iter().filter(|group| group.sort == Sort::Constant) {
        let constant = group.distance();
        // Where neither leaves any behind, clouds of this size have nothing to tell.
        let decided = constant > 0.0 && group.rows.iter().all(|row| row.settled);
        report.claim(CLOSER.with("delta", group.delta).judged(
            format!("mean distance to the nearest vertex {constant:.1e}, against {}", list.join(", ")),
            "the mean over all clouds is smaller",
            Verdict::at_rest(vanishing.iter().all(|group| group.distance() < constant), decided),
        ));
    }
}
