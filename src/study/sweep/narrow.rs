//! More seeds until means are known as well as is asked.
//!
//! ```text
//! K, ⌈3K/2⌉, ⌈9K/4⌉, ... M seeds:    stop at the first of these with  t_{k−1} · s/√k  ≤  R · |mean|  for each mean
//! ```
//!
//! Seeds are taken in their order, and the rule looks at nothing but what they came to, so that a sweep stops where it
//! would have stopped however it was interrupted. To stop where an interval happens to be narrow favours samples that
//! scatter little: the intervals hold the mean less often than 95 times in 100 (a test counts it), and less so the fewer
//! looks there are and the more seeds the first of them has.
//!
//! Counts that are all equal have no scatter, but their mean is not known for that: were another count, 1 away at least,
//! in more than 3 of k runs, one of k would have shown it in 95 of 100 cases. So their interval reaches 3/k to either side.

use std::collections::BTreeMap;

use super::axes::Axis;
use super::repeats::{MEASURES, Measure, groups};
use super::{Cell, Row, Sweep};
use crate::error::{Error, Result};
use crate::num::short;
use crate::observe::Mean;
use crate::study::Report;

/// Seeds of the first look, unless they are given.
const FIRST: u64 = 10;
/// The fewest: of fewer the scatter is hardly known.
const FEWEST: u64 = 5;
/// Combinations that a report names.
const NAMED: usize = 8;

/// What is asked of the means.
#[derive(Clone, Debug)]
pub(super) struct Narrow {
    within: f64,
    first: u64,
    most: u64,
    of: Vec<Measure>,
}

/// Checks what is asked of the means.
///
/// # Errors
/// A parameter outside its domain; one that does not go with the others.
pub(super) fn check(own: &Sweep) -> Result<()> {
    let unknown = |name: &&String| MEASURES.iter().all(|(known, _)| known != name);
    let Some(within) = own.within else { return Ok(()) };
    let (first, most) = (own.seeds.unwrap_or(FIRST), own.most_seeds);
    let refused = |what: String| Err(Error::input(what));
    if !(within.is_finite() && within > 0.0) {
        return refused(format!("--within {}: it must be finite and above 0", short(within)));
    }
    if first < FEWEST {
        return refused(format!("--seeds {first}: the interval of a mean needs at least {FEWEST} with --within"));
    }
    if most < first {
        return refused(format!("--most-seeds {most}: the first look alone takes {first} (--seeds)"));
    }
    if own.draws > 0 {
        return refused(format!(
            "--draws {}: cells drawn at random have no repeats for --within; leave one out",
            own.draws
        ));
    }
    if own.over.iter().any(|over| over.split('=').next().is_some_and(|key| key.trim() == "seed")) {
        return refused("--over seed: the seeds of --within are those from --first-seed on; leave one out".into());
    }
    if let Some(name) = own.means.iter().find(unknown) {
        let names: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
        return refused(format!("--means {name}: there is no such mean; there are {}", names.join(", ")));
    }
    Ok(())
}

impl Narrow {
    /// What is asked; `None` where all seeds are to be taken.
    pub(super) fn asked(own: &Sweep) -> Option<Self> {
        let of = MEASURES.into_iter().filter(|(name, _)| own.means.iter().any(|asked| asked == name)).collect();
        let first = own.seeds.unwrap_or(FIRST);
        own.within.map(|within| Self { within, first, most: own.most_seeds, of })
    }

    /// The cells that are needed, given the rows that are there.
    pub(super) fn needed(&self, axes: &[Axis], cells: &[Cell], rows: &BTreeMap<usize, Row>) -> Vec<usize> {
        let mut needed: Vec<usize> = groups(axes, cells).iter().flat_map(|group| self.of_group(group, rows)).collect();
        needed.sort_unstable();
        needed
    }

    /// The cells of a group up to the first look that is due or that the means pass.
    fn of_group(&self, group: &[usize], rows: &BTreeMap<usize, Row>) -> Vec<usize> {
        let mut count = self.first as usize;
        loop {
            let seeds = &group[..count.min(group.len())];
            let found: Vec<&Row> = seeds.iter().map_while(|cell| rows.get(cell)).collect();
            if found.len() < seeds.len() || count >= self.most as usize || self.is_met(&found) {
                return seeds.to_vec();
            }
            count = next(count);
        }
    }

    /// True if the interval of every mean is as narrow as is asked. A measure that no run has is no mean.
    pub(super) fn is_met(&self, rows: &[&Row]) -> bool {
        self.of.iter().all(|(_, of)| {
            let values: Vec<f64> = rows.iter().filter_map(|row| of(row)).collect();
            values.is_empty() || is_narrow(&values, self.within)
        })
    }

    /// Tells how it came out.
    pub(super) fn tell(&self, groups: usize, wide: &[String], report: &mut Report) {
        let names: Vec<&str> = self.of.iter().map(|(name, _)| *name).collect();
        let (names, within) = (names.join(", "), self.within);
        let met = groups - wide.len();
        let means = if groups == 1 { "1 mean".to_owned() } else { format!("{groups} means") };
        report.text(format!(
            "Of {means} of {names} {met} came within {within} of their value, at a look at {} seeds or at one of the \
             looks after it, each at half as many more, up to {}. To stop there favours seeds that scatter little: of \
             normal measurements an interval of 95 % holds in 91 to 96 of 100 cases.",
            self.first, self.most
        ));
        if !wide.is_empty() {
            let more = wide.len().saturating_sub(NAMED);
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            let shown = wide[..wide.len().min(NAMED)].join("; ");
            report.tell(format!(
                "{} of {means} did not come within {within} in {} seeds: {shown}{rest}; --most-seeds takes more",
                wide.len(),
                self.most
            ));
        }
    }
}

/// The number of seeds of the next look.
fn next(count: usize) -> usize {
    (3 * count).div_ceil(2)
}

fn is_narrow(values: &[f64], within: f64) -> bool {
    let mean = Mean::of(values);
    let are_equal_counts = values.iter().all(|value| *value == values[0] && value.fract() == 0.0);
    let half = if are_equal_counts { 3.0 / values.len() as f64 } else { mean.half() };
    half <= within * mean.value.abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// How often the interval at which the rule stops holds the mean, and the seeds that it took, of samples whose
    /// scatter is `scatter` times what a look at one seed would have to be within.
    fn coverage(first: u64, scatter: f64, draw: impl Fn(&mut Stream) -> f64, mean: f64, within: f64) -> [f64; 2] {
        let (repeats, most) = (2000, 4000);
        let (mut holds, mut seeds) = (0, 0);
        for k in 0..repeats {
            let mut stream = Stream::new(k, "coverage", scatter.to_bits());
            let values: Vec<f64> = (0..most).map(|_| draw(&mut stream)).collect();
            let mut count = first as usize;
            while count < most && !is_narrow(&values[..count], within) {
                count = next(count).min(most);
            }
            let [low, high] = Mean::of(&values[..count]).interval();
            holds += u64::from((low..=high).contains(&mean));
            seeds += count as u64;
        }
        [holds as f64 / repeats as f64, seeds as f64 / repeats as f64]
    }

    /// What is said of the intervals must be so, at any number of seeds that the rule comes to.
    #[test]
    fn intervals_hold_about_as_often_as_is_said() {
        for (first, least) in [(FIRST, 0.93), (FEWEST, 0.905)] {
            let mut worst = 1.0f64;
            for scatter in [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0] {
                let draw = |stream: &mut Stream| 50.0 + scatter * stream.normal();
                let [holds, seeds] = coverage(first, scatter, draw, 50.0, 1.0 / 50.0);
                println!("{first}, {scatter}: {holds} at {seeds} seeds");
                worst = worst.min(holds);
            }
            assert!(worst > least && worst < 0.95, "{first}: {worst}");
        }
    }

    /// Ten runs of two clusters each do not say that one in twenty has not three.
    #[test]
    fn equal_counts_are_not_known_at_once() {
        let equal = |count: usize| is_narrow(&vec![2.0; count], 0.1);
        assert!(!equal(10) && !equal(14) && equal(15));
        assert!(is_narrow(&[0.5; 5], 0.1));
    }

    /// The cells that are asked for must be those of an uninterrupted sweep, whatever is there.
    #[test]
    fn looks_follow_one_another_whatever_is_there() {
        let clusters: Measure = ("clusters", |row| Some(row.clusters as f64));
        let narrow = Narrow { within: 0.1, first: 5, most: 20, of: vec![clusters] };
        let row = |k: usize, wild: bool| Row { clusters: if wild { [1, 9][k % 2] } else { 7 }, ..Row::default() };
        let group: Vec<usize> = (100..120).collect();
        let rows = |count: usize, wild: bool| (0..count).map(|k| (100 + k, row(k, wild))).collect();
        assert_eq!(narrow.of_group(&group, &rows(0, false)), group[..5]);
        assert_eq!(narrow.of_group(&group, &rows(3, false)), group[..5]);
        // Met at the first look, however many rows there are.
        assert_eq!(narrow.of_group(&group, &rows(5, false)), group[..5]);
        assert_eq!(narrow.of_group(&group, &rows(20, false)), group[..5]);
        for (found, needed) in [(4, 5), (5, 8), (7, 8), (8, 12), (12, 18), (18, 20), (20, 20)] {
            assert_eq!(narrow.of_group(&group, &rows(found, true)), group[..needed], "{found}");
        }
    }
}
