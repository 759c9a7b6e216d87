//! Runs that differ in their seeds alone, and the measures whose means they give.

use std::collections::BTreeMap;

use super::axes::Axis;
use super::{Cell, Row};

/// A measure: its column, and its value where a run has one.
pub(super) type Measure = (&'static str, fn(&Row) -> Option<f64>);

/// Measures whose means are told.
pub(super) const MEASURES: [Measure; 7] = [
    ("settled", |row| row.settled),
    ("clusters", |row| Some(row.clusters as f64)),
    ("heaviest", |row| Some(row.heaviest)),
    ("vertices", |row| row.vertices.map(|count| count as f64)),
    ("gap", |row| row.gap),
    ("spread_ratio", |row| Some(row.spread_ratio)),
    ("strip_mean", |row| row.strip_mean),
];

/// The axes that vary beside the seed.
pub(super) fn keys(axes: &[Axis]) -> Vec<usize> {
    (0..axes.len()).filter(|&k| axes[k].varies() && axes[k].key != "seed").collect()
}

/// Cells that differ in their seeds alone, by their place in the list, in its order.
pub(super) fn groups(axes: &[Axis], cells: &[Cell]) -> Vec<Vec<usize>> {
    let keys = keys(axes);
    let mut found: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (k, cell) in cells.iter().enumerate() {
        let at = keys.iter().map(|&k| cell.at[k].as_str()).collect();
        let nth = *found.entry(at).or_insert(groups.len());
        if nth == groups.len() {
            groups.push(Vec::new());
        }
        groups[nth].push(k);
    }
    groups
}
