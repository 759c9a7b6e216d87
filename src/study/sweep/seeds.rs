//! Means over seeds, with intervals: a line for each combination of the other keys.

use super::axes::Axis;
use super::narrow::Narrow;
use super::repeats::{MEASURES, groups, keys};
use super::{Cell, Row};
use crate::observe::{Mean, wilson};
use crate::study::Report;
use crate::study::common::with_half;

/// Cells that differ in their seeds alone.
struct Group<'a> {
    /// The values of the other keys that vary.
    at: Vec<&'a str>,
    rows: Vec<&'a Row>,
}

/// Tells the means, to read and as `means.csv`, where several seeds were taken; where they were to be `narrow`, how
/// many are.
pub(super) fn means(axes: &[Axis], cells: &[Cell], rows: &[Row], narrow: Option<Narrow>, report: &mut Report) {
    if !axes.iter().any(|axis| axis.key == "seed" && axis.varies()) {
        return;
    }
    let keys = keys(axes);
    let group = |members: Vec<usize>| Group {
        at: keys.iter().map(|&k| cells[members[0]].at[k].as_str()).collect(),
        rows: members.iter().map(|&k| &rows[k]).collect(),
    };
    let groups: Vec<Group<'_>> = groups(axes, cells).into_iter().map(group).collect();
    if let Some(narrow) = narrow {
        let wide: Vec<String> = groups.iter().filter(|group| !narrow.is_met(&group.rows)).map(Group::label).collect();
        narrow.tell(groups.len(), &wide, report);
    }
    let names = || keys.iter().map(|&k| axes[k].key.clone());
    let columns =
        MEASURES.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("{name}_error"), format!("{name}_half")]);
    let fixed = ["runs", "rests", "rests_low", "rests_high"].map(str::to_owned);
    let head = names().chain(fixed).chain(columns).collect();
    report.data("means", head, groups.iter().map(Group::numbers).collect());
    let head = names().chain(["runs", "at rest"].map(str::to_owned)).chain(MEASURES.map(|(name, _)| name.to_owned()));
    let caption = "Means over the seeds. ±: half of the 95 % interval by Student's t; of shares, the interval by Wilson. A mean \
                   is of the runs that have a value. means.csv has them with their standard errors.";
    report.table(caption, &head.collect::<Vec<_>>().join(" | "), groups.iter().map(Group::texts).collect());
}

impl Group<'_> {
    fn label(&self) -> String {
        if self.at.is_empty() { "the config".into() } else { self.at.join(" ") }
    }

    fn mean(&self, of: fn(&Row) -> Option<f64>) -> Mean {
        Mean::of(&self.rows.iter().filter_map(|row| of(row)).collect::<Vec<f64>>())
    }

    /// The share of runs at rest, and its interval.
    fn rests(&self) -> [f64; 3] {
        let (rests, runs) = (self.rows.iter().filter(|row| row.rests).count() as u64, self.rows.len() as u64);
        let [low, high] = wilson(rests, runs);
        [rests as f64 / runs as f64, low, high]
    }

    fn numbers(&self) -> Vec<String> {
        let text = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
        let means = MEASURES.iter().flat_map(|(_, of)| {
            let mean = self.mean(*of);
            [mean.value, mean.error, mean.half()].map(text)
        });
        let keys = self.at.iter().map(|&value| value.to_owned());
        keys.chain([self.rows.len().to_string()]).chain(self.rests().map(text)).chain(means).collect()
    }

    fn texts(&self) -> Vec<String> {
        let [share, low, high] = self.rests();
        let means = MEASURES.iter().map(|(_, of)| {
            let mean = self.mean(*of);
            if mean.count == 0 { "–".into() } else { with_half(mean.value, mean.half()) }
        });
        let keys = self.at.iter().map(|&value| value.to_owned());
        let rests = format!("{share:.2} ({low:.2} to {high:.2})");
        keys.chain([self.rows.len().to_string(), rests]).chain(means).collect()
    }
}
