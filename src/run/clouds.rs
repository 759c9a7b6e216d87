//! clouds.csv: a row for each cloud of a run of many, at the trigger of measures, a pure function of
//! the trajectory; and what meta.json and the summary say of their ends.
//!
//! `step,cloud,rest,distinct,clusters,vertices,outside_s,leaders,near,hash`: `rest` is the step from which on no bit
//! of the cloud changes, empty until it is known; then come the counts of meta.json's `limits`, empty where they
//! are not known; `near` is the share of the pairs of tokens whose directions have a cosine above
//! [`NEAR`]; `hash` is that of the cloud's tokens, which a run of this cloud alone has.

use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::exact::Grid;
use crate::io::config::{Config, Trigger};
use crate::observe::{self, NEAR, near_pairs};
use crate::run::progress::Progress;
use crate::run::table::{self, TableWriter};
use crate::tokens::Tokens;

/// The file's name in a run's directory.
pub const CLOUDS: &str = "clouds.csv";

/// A row of clouds.csv.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudRow {
    /// Number of steps behind the state.
    pub step: u64,
    /// c.
    pub cloud: usize,
    /// The step from which on no bit changes, if it is known.
    pub rest: Option<u64>,
    /// Number of distinct tokens.
    pub distinct: usize,
    /// Number of clusters.
    pub clusters: usize,
    /// Number of clusters that are vertices of K, where the hull is known.
    pub vertices: Option<usize>,
    /// Number of clusters outside S, where S is asked for.
    pub outside_s: Option<usize>,
    /// Number of clusters that attend to themselves alone, in rules with strips.
    pub leaders: Option<usize>,
    /// Share of the pairs of tokens in nearly one direction.
    pub near: Option<f64>,
    /// blake3 of the cloud's tokens.
    pub hash: String,
}

/// A row as the file holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Record(CloudRow);

impl TryFrom<Record> for CloudRow {
    type Error = &'static str;

    fn try_from(record: Record) -> Result<Self, &'static str> {
        Ok(record.0)
    }
}

/// Reads all rows.
///
/// # Errors
/// A file that cannot be read or has another head; a row that is none, by its line.
pub fn read_clouds(path: &Path) -> Result<Vec<CloudRow>> {
    table::rows::<Record, _>(path, "clouds of a run")?.collect()
}

impl table::Record for Record {
    const FILE: &'static str = CLOUDS;
    const HEAD: &'static str = "step,cloud,rest,distinct,clusters,vertices,outside_s,leaders,near,hash";
}

/// clouds.csv of a run in progress.
pub(crate) struct Clouds<'a> {
    config: &'a Config,
    grids: Vec<Grid>,
    pub(crate) table: TableWriter<Record>,
}

impl<'a> Clouds<'a> {
    /// Opens the table of a run's directory; `None` where a run is of one cloud, or nothing is
    /// measured.
    ///
    /// # Errors
    /// The errors of [`TableWriter::open`].
    pub(crate) fn open(config: &'a Config, folder: &Path, progress: &Progress) -> Result<Option<Self>> {
        let mark = progress.mark(CLOUDS);
        if config.clouds.is_none() || mark.is_none() && config.output.measures == Trigger::Never {
            return Ok(None);
        }
        let grids = config.grids(&progress.lattices);
        Ok(Some(Self { config, grids, table: TableWriter::open(folder, mark)? }))
    }

    /// Adds the rows of the state after `progress.step` steps.
    ///
    /// # Errors
    /// The errors of [`TableWriter::push`].
    pub(crate) fn write(&mut self, progress: &Progress, tokens: &Tokens) -> Result<()> {
        let (config, m) = (self.config, self.grids.len());
        let row = |c: usize| {
            let cloud = tokens.cloud(c, m);
            let limits = observe::Limits::of(&config.model.of_cloud(c), self.grids[c], progress.step, &cloud);
            Record(CloudRow {
                step: progress.step,
                cloud: c,
                rest: progress.rests.get(c).copied().flatten(),
                distinct: limits.distinct,
                clusters: limits.places.len(),
                vertices: limits.vertices(),
                outside_s: limits.outside(),
                leaders: limits.leaders(),
                near: near_pairs(&cloud, NEAR),
                hash: cloud.hash().to_hex().to_string(),
            })
        };
        let rows: Vec<Record> = (0..m).into_par_iter().map(row).collect();
        rows.into_iter().try_for_each(|row| self.table.push(row))
    }
}

/// `clouds` of meta.json.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ends {
    /// m.
    pub count: usize,
    /// Number of clouds at rest.
    pub at_rest: usize,
    /// The fewest clusters of a cloud at the end, the median, and the most; null while the run goes
    /// on.
    pub clusters: Option<[usize; 3]>,
}

impl Ends {
    /// The ends of the clouds as far as `progress` knows them; `None` of one cloud.
    pub(crate) fn known(config: &Config, progress: &Progress) -> Option<Self> {
        let at_rest = progress.rests.iter().flatten().count();
        config.clouds.map(|count| Self { count, at_rest, clusters: None })
    }

    /// The clusters of the last states, and the cluster of every token in its cloud.
    pub(crate) fn of(config: &Config, progress: &Progress, step: u64, tokens: &Tokens) -> (Option<Self>, Vec<usize>) {
        let grids = config.grids(&progress.lattices);
        let one = |c: usize| {
            let (model, cloud) = (config.model.of_cloud(c), tokens.cloud(c, grids.len()));
            let found = observe::Limits::of(&model, grids[c], step, &cloud);
            (found.places.len(), found.label)
        };
        let (mut counts, labels): (Vec<usize>, Vec<Vec<usize>>) = (0..grids.len()).into_par_iter().map(one).unzip();
        counts.sort_unstable();
        let clusters = Some([counts[0], counts[counts.len() / 2], counts[counts.len() - 1]]);
        (Self::known(config, progress).map(|ends| Self { clusters, ..ends }), labels.concat())
    }
}
