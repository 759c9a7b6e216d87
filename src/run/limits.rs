//! The end of a run: the clusters of its last state, as meta.json, the summary and the report have
//! them, and `labels.npy`, the cluster of every token.

use serde::{Deserialize, Serialize};

use crate::observe;
use crate::run::progress::Progress;

/// Clusters that meta.json lists.
const LISTED: usize = 1000;
/// Coordinates that a table shows.
const SHOWN: usize = 3;

/// `limits` of meta.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// `at rest`, `at rest within a tolerance`, `on a cycle`, or `moving`, where tokens may move on.
    pub state: String,
    /// The number of steps behind the state.
    pub step: u64,
    /// Number of distinct tokens.
    pub distinct: usize,
    /// Tokens are in one cluster if chains of steps of at most this length join them.
    pub within: f64,
    /// Number of clusters.
    pub clusters: usize,
    /// Number of clusters that are vertices of K; null where the hull is not known.
    pub vertices: Option<usize>,
    /// Number of clusters outside S; null where S is not asked for.
    pub outside_s: Option<usize>,
    /// Number of clusters that attend to themselves alone; null in rules without strips.
    pub leaders: Option<usize>,
    /// The first 1000 clusters, heaviest first, of equal ones by their coordinates.
    pub places: Vec<Place>,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Number of tokens.
    pub tokens: usize,
    /// Their mean.
    pub place: Vec<f64>,
    /// Whether it is a vertex of K.
    pub vertex: Option<bool>,
    /// Its alignment gap.
    pub gap: Option<f64>,
    /// Whether the gap is rounding: it lies in S.
    pub in_s: Option<bool>,
    /// Number of other clusters in its strip.
    pub attends: Option<usize>,
}

impl Limits {
    /// The clusters of the last state of a run.
    pub(crate) fn new(progress: &Progress, step: u64, found: &observe::Limits) -> Self {
        let place = |limit: &observe::Limit| Place {
            tokens: limit.tokens,
            place: limit.place.clone(),
            vertex: limit.vertex,
            gap: limit.gap,
            in_s: limit.in_s,
            attends: limit.attends,
        };
        let state = match progress {
            Progress { fixed_point: Some(_), .. } => "at rest",
            Progress { settled: Some(_), .. } => "at rest within a tolerance",
            Progress { cycle: Some(_), .. } => "on a cycle",
            _ => "moving",
        };
        Self {
            state: state.into(),
            step,
            distinct: found.distinct,
            within: found.within,
            clusters: found.places.len(),
            vertices: found.vertices(),
            outside_s: found.outside(),
            leaders: found.leaders(),
            places: found.places.iter().take(LISTED).map(place).collect(),
        }
    }

    /// True if the clusters are limits.
    fn is_at_rest(&self) -> bool {
        self.state.starts_with("at rest")
    }

    /// The counts, in a line.
    pub fn counts(&self) -> String {
        let counted = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let mut text = counted(self.distinct, "distinct token", "distinct tokens");
        text += &format!(" in {}", counted(self.clusters, "cluster", "clusters"));
        if self.clusters < self.distinct {
            text += &format!(" (tokens within {:.1e} of each other)", self.within);
        }
        if let Some(vertices) = self.vertices {
            text += &format!(", {}", counted(vertices, "vertex of K", "vertices of K"));
        }
        match self.outside_s {
            Some(outside) if self.is_at_rest() => text += &format!(", {}", counted(outside, "artefact", "artefacts")),
            Some(outside) => text += &format!(", {outside} outside S"),
            None => {}
        }
        if !self.is_at_rest() {
            text += &format!("; {} after {}", self.state, counted(self.step as usize, "step", "steps"));
        }
        text
    }

    /// The head of the table of clusters, and its first rows.
    pub fn table(&self, most: usize) -> (Vec<String>, Vec<Vec<String>>) {
        let head = ["cluster", "tokens", "kind", "gap", "attends to", "place"].map(String::from);
        // Tokens that are all alone are no table to read.
        let most = if self.clusters > most && self.places[0].tokens == 1 { 0 } else { most };
        let rows = self.places.iter().take(most).enumerate().map(|(at, place)| {
            let kind = match (place.vertex, place.in_s) {
                (Some(true), Some(false)) => "vertex, outside S",
                (Some(true), _) => "vertex",
                (_, Some(false)) if self.is_at_rest() => "artefact",
                (_, Some(false)) => "outside S",
                (_, Some(true)) => "in S",
                (Some(false), None) => "no vertex",
                (None, None) => "",
            };
            let attends = place.attends.map(|others| match others {
                0 => "itself".into(),
                others => format!("{others} others"),
            });
            let mut coordinates: Vec<String> = place.place.iter().take(SHOWN).map(|x| digits(*x)).collect();
            if place.place.len() > SHOWN {
                coordinates.push("…".into());
            }
            vec![
                at.to_string(),
                place.tokens.to_string(),
                kind.into(),
                place.gap.map_or(String::new(), |gap| if gap == 0.0 { "0".into() } else { format!("{gap:.1e}") }),
                attends.unwrap_or_default(),
                coordinates.join("  "),
            ]
        });
        (head.to_vec(), rows.collect())
    }

    /// What a table of so many rows leaves out.
    pub fn left_out(&self, rows: usize) -> Option<String> {
        let rest = self.clusters.saturating_sub(rows);
        (rest > 0).then(|| format!("{rest} more; meta.json has the first {LISTED}, labels.npy each token's"))
    }
}

/// A coordinate in six significant digits.
fn digits(x: f64) -> String {
    if x == 0.0 || (1e-3..1e5).contains(&x.abs()) {
        let places = 5 - if x == 0.0 { 0 } else { x.abs().log10().floor() as i32 };
        format!("{x:.*}", places.clamp(0, 8) as usize)
    } else {
        format!("{x:.5e}")
    }
}
