//! Verdicts on the claims.

use super::{ARTEFACT, BOUNDED, CLOSER, DIRECTIONS, HARDMAX, NESTED, NONE, OUTSIDE, Row, Sort, VANISHES, Vanishing};
use crate::error::Result;
use crate::num;
use crate::schedule::Schedule;
use crate::study::common::{largest, mean, pairs, roundings, total};
use crate::study::{Asked, Report, Statement, Verdict, clouds};

/// The cells of one schedule and kind of cloud.
struct Group<'a> {
    delta: &'a str,
    cloud: &'a str,
    sort: Sort,
    limit: Option<f64>,
    rows: Vec<&'a Row>,
    /// Number of tokens of a cloud.
    tokens: usize,
}

impl<'a> Group<'a> {
    /// Every schedule under every kind of cloud, in order.
    fn all(asked: &'a Asked<Vanishing>, rows: &'a [Row]) -> Result<Vec<Self>> {
        let group = |(cloud, delta): (&'a String, &'a String)| {
            let schedule = Schedule::parse(delta)?;
            let rows = rows.iter().filter(|row| row.delta == *delta && row.cloud == *cloud).collect();
            let (sort, limit) = (Sort::of(&schedule), schedule.limit());
            Ok(Self { delta, cloud, sort, limit, rows, tokens: asked.sizes.tokens })
        };
        pairs(&asked.own.clouds, asked.own.deltas.list()).map(group).collect()
    }

    /// The rows of clouds whose last step moved no bit.
    fn settled(&self) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().copied().filter(|row| row.settled)
    }

    /// A claim with this schedule and this kind of cloud.
    fn of(&self, claim: Statement) -> Statement {
        claim.with("delta", self.delta).with("cloud", clouds::described(self.cloud))
    }

    /// The mean distance to vertices over the settled clouds.
    fn distance(&self) -> f64 {
        mean(self.settled(), |row| row.distance_mean)
    }

    /// The largest gap of settled clouds, and what to say of them.
    fn gaps(&self) -> (f64, String) {
        let gap = largest(self.settled(), |row| row.gap_max);
        let aligned = total(self.settled(), |row| row.aligned);
        let (clouds, all) = (self.settled().count(), self.rows.len());
        let tokens = clouds * self.tokens;
        let text = format!(
            "largest gap {gap:.1e} over {tokens} tokens of the {clouds} of {all} clouds at rest; {aligned} are at \
             most {NONE:.0e}"
        );
        (gap, text)
    }
}

pub(super) fn judge(asked: &Asked<Vanishing>, rows: &[Row], report: &mut Report) -> Result<()> {
    let groups = Group::all(asked, rows)?;
    for group in &groups {
        match group.sort {
            Sort::Hardmax => hardmax(group, report),
            Sort::Constant => constant(group, report),
            Sort::Vanishing | Sort::Positive | Sort::Open => vanishing(group, report),
        }
    }
    distances(&groups, report);
    let rise = largest(rows, |row| row.rise_ulps);
    let (functions, clouds) = (DIRECTIONS + 2 * asked.sizes.dim, rows.len());
    let steps = rows.iter().map(|row| row.steps).max().unwrap_or(0);
    let allowed = roundings(steps, asked.own.alpha / (1.0 + asked.own.alpha), asked.sizes.dim);
    report.claim(NESTED.judged(
        format!(
            "the largest rise of {functions} support functions is {rise:.1} ulp of the radius, over {clouds} clouds"
        ),
        format!("at most {allowed:.0} ulp: what roundings of {steps} steps add up to"),
        Verdict::if_any(steps > 0, num::within(rise, allowed)),
    ));
    Ok(())
}

/// Lists counts and means, a line for each schedule and kind of cloud.
pub(super) fn table(asked: &Asked<Vanishing>, rows: &[Row], report: &mut Report) -> Result<()> {
    let line = |group: &Group<'_>| {
        let (clouds, all) = (group.settled().count(), group.rows.len());
        vec![
            group.cloud.to_owned(),
            group.delta.to_owned(),
            format!("{clouds} of {all}"),
            (clouds * group.tokens).to_string(),
            total(group.settled(), |row| row.artefacts).to_string(),
            format!("{:.1e}", largest(group.settled(), |row| row.gap_max)),
            format!("{:.1e}", group.distance()),
        ]
    };
    let lines = Group::all(asked, rows)?.iter().map(line).collect();
    let head = "cloud | δ(t) | clouds at rest | tokens | gaps above 1e-2 | largest gap | mean distance to a vertex";
    report.table("Clouds whose last step moved no bit. `corners` is built to have limits outside S.", head, lines);
    Ok(())
}

fn hardmax(group: &Group<'_>, report: &mut Report) {
    let (gap, measured) = group.gaps();
    let agrees = Verdict::if_any(group.settled().next().is_some(), num::within(gap, NONE));
    report.claim(group.of(HARDMAX).judged(measured, format!("gaps of at most {NONE:.0e}, of clouds at rest"), agrees));
}

fn vanishing(group: &Group<'_>, report: &mut Report) {
    let (gap, aligned) = group.gaps();
    let last = largest(group.rows.iter().copied(), |row| row.delta_last);
    let (says, speaks) = match (group.sort, group.limit) {
        (Sort::Vanishing, _) => (format!("δ(T) = {last:.1e}"), true),
        (_, Some(limit)) => (format!("δ(t) tends to {limit}: the theorem does not speak of it"), false),
        (_, None) => ("whether δ(t) vanishes cannot be told from its formula".into(), false),
    };
    // A gap that δ(T) still holds decides nothing yet.
    let (rests, refuted) = (group.settled().next().is_some(), group.settled().any(|row| row.beyond > 0));
    report.claim(group.of(VANISHES).judged(
        format!("{aligned}; {says}"),
        format!("gaps of at most {NONE:.0e}, of clouds at rest; a gap of up to δ(T)·s decides nothing"),
        if speaks && rests { Verdict::unless(refuted, num::within(gap, NONE)) } else { Verdict::Undecided },
    ));
}

fn constant(group: &Group<'_>, report: &mut Report) {
    let (rest, all) = (group.settled().count(), group.rows.len());
    let gap = largest(group.settled(), |row| row.gap_max);
    let artefacts = total(group.settled(), |row| row.artefacts);
    let with = group.settled().filter(|row| row.artefacts > 0).count();
    let tokens = rest * group.tokens;
    report.claim(group.of(OUTSIDE).judged(
        format!(
            "{artefacts} of {tokens} tokens, in {with} of {rest} clouds at rest, have a gap above {ARTEFACT:.0e}; the \
             largest is {gap:.1e}; {} clouds had not come to rest",
            all - rest
        ),
        "gaps at rest: no bit moves any more",
        Verdict::if_seen(artefacts > 0),
    ));
    let beyond = total(group.settled(), |row| row.beyond);
    report.claim(group.of(BOUNDED).always(beyond, tokens as u64, "tokens of clouds at rest"));
}

/// Compares the distances to vertices that each constant δ leaves with those of all vanishing ones,
/// over clouds of one kind at rest.
fn distances(groups: &[Group<'_>], report: &mut Report) {
    for group in groups.iter().filter(|group| group.sort == Sort::Constant) {
        let is_beside = |other: &&Group<'_>| other.sort == Sort::Vanishing && other.cloud == group.cloud;
        let vanishing: Vec<&Group<'_>> = groups.iter().filter(is_beside).collect();
        if vanishing.is_empty() {
            continue;
        }
        let list: Vec<String> =
            vanishing.iter().map(|group| format!("{:.1e} for {}", group.distance(), group.delta)).collect();
        let constant = group.distance();
        // Where δ leaves none behind, clouds of this size have nothing to tell.
        let rest = |group: &Group<'_>| group.settled().next().is_some();
        let decided = constant > 0.0 && rest(group) && vanishing.iter().all(|group| rest(group));
        report.claim(group.of(CLOSER).judged(
            format!("mean distance to the nearest vertex {constant:.1e}, against {}", list.join(", ")),
            "the mean over the clouds at rest is smaller",
            Verdict::if_any(decided, vanishing.iter().all(|group| group.distance() < constant)),
        ));
    }
}
