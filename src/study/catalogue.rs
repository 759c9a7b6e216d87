//! Every study by name, and the way of a study from its question to its report.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::asked::located;
use super::asked::{Asked, Study};
use super::claim::Claim;
use super::folder::{Folder, Table};
use super::report::Report;
use super::results::Results;
use super::sizes::Sizes;
use super::workbench::{At, Workbench};
use super::{
    artefacts, asymmetric, cells, census, consensus, diagram, lyapunov, phase, quiescent, rates, strip, sweep,
    vanishing,
};
use crate::engine::Engines;
use crate::error::{Error, Result};
use crate::tokens::Precision;

/// All studies.
pub const CATALOGUE: &[Entry] = &[
    Entry::of::<strip::Strip>(),
    Entry::of::<quiescent::Quiescent>(),
    Entry::of::<vanishing::Vanishing>(),
    Entry::of::<asymmetric::Asymmetric>(),
    Entry::of::<rates::Rates>(),
    Entry::of::<lyapunov::Lyapunov>(),
    Entry::of::<artefacts::Artefacts>(),
    Entry::of::<cells::Cells>(),
    Entry::of::<consensus::Consensus>(),
    Entry::of::<diagram::Diagram>(),
    Entry::of::<phase::Phase>(),
    Entry::of::<census::Census>(),
    Entry::of::<sweep::Sweep>(),
];

/// A study by name.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The name on the command line.
    pub name: &'static str,
    /// The title: the question in a line.
    pub title: &'static str,
    /// Examples, one on each line.
    pub examples: &'static str,
    /// Adds the study's options to a command; all of them may be left out.
    pub options: fn(clap::Command) -> clap::Command,
    /// Lists the values of options that are left out.
    pub defaults: fn() -> Vec<(String, String)>,
    /// Reads the question from the command line; with the flag, options left out have smaller
    /// values.
    pub ask: fn(&clap::ArgMatches, bool) -> Result<Box<dyn Planned>>,
    read: fn(&str, &str) -> Result<Box<dyn Planned>>,
}

impl Entry {
    const fn of<S: Study>() -> Self {
        Self {
            name: S::NAME,
            title: S::TITLE,
            examples: S::EXAMPLES,
            options: |command| {
                let shared = <Sizes as clap::Args>::augment_args_for_update;
                S::augment_args_for_update(if S::SHARED { shared(command) } else { command })
            },
            defaults: || Asked::<S>::new(false).parameters(),
            ask: |matches, quick| {
                let mut asked = Asked::<S>::new(quick);
                let failed = |e: clap::Error| Error::input(e.to_string());
                if S::SHARED {
                    clap::FromArgMatches::update_from_arg_matches(&mut asked.sizes, matches).map_err(failed)?;
                }
                asked.own.update_from_arg_matches(matches).map_err(failed)?;
                S::settle(&mut asked);
                Ok(Box::new(asked))
            },
            read: |text, source| Ok(Box::new(Asked::<S>::read(text, source)?)),
        }
    }
}

/// Reads `study.toml`; errors call it `source`.
///
/// # Errors
/// No such study; as [`Asked::read`].
pub fn read(text: &str, source: &str) -> Result<Box<dyn Planned>> {
    #[derive(serde::Deserialize)]
    struct Named {
        study: String,
    }
    let Named { study } = toml::from_str(text).map_err(|e| located(&e, text, source))?;
    let entry = CATALOGUE.iter().find(|entry| entry.name == study).ok_or_else(|| {
        let names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
        Error::input(format!("{source}: there is no study {study:?}; one of {}", names.join(", ")))
    })?;
    (entry.read)(text, source)
}

/// A part of the cells, for job arrays: those whose number is `at - 1` modulo `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The part's number, from 1.
    pub at: usize,
    /// Number of parts.
    pub of: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed =
            text.split_once('/').and_then(|(at, of)| Some(Self { at: at.parse().ok()?, of: of.parse().ok()? }));
        parsed
            .filter(|shard| (1..=shard.of).contains(&shard.at))
            .ok_or_else(|| "it must be I/N with I from 1 to N".into())
    }
}

/// The result of a study.
#[derive(Debug)]
pub struct Outcome {
    /// Number of cells.
    pub cells: usize,
    /// Number of finished cells, in this and other processes.
    pub finished: usize,
    /// Claims with their measurements; none before every cell is finished.
    pub claims: Vec<Claim>,
    /// The files of the report.
    pub written: Vec<PathBuf>,
    /// A note for the user, about the engine or the results.
    pub note: Option<String>,
}

/// A study with its question, whichever it is.
pub trait Planned {
    /// The study's name.
    fn name(&self) -> &'static str;

    /// Checks the parameters and writes the text of `study.toml`.
    ///
    /// # Errors
    /// A parameter outside its domain.
    fn to_toml(&self) -> Result<String>;

    /// Computes the cells that `folder` lacks, and once all are there, the report. `watch` is told
    /// the progress and breaks to end the study.
    ///
    /// # Errors
    /// The failure of a cell; a signal, as [`Error::Interrupted`]. Finished cells are kept.
    fn run(
        &self,
        folder: &Folder,
        shard: Option<Shard>,
        watch: &mut dyn FnMut(&At<'_>) -> ControlFlow<()>,
    ) -> Result<Outcome>;

    /// Computes the cells that `folder` lacks and judges the claims; writes no report.
    ///
    /// # Errors
    /// As [`Planned::run`].
    fn judge(&self, folder: &Folder) -> Result<Vec<Claim>>;
}

impl<S: Study> Planned for Asked<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn to_toml(&self) -> Result<String> {
        self.cells()?;
        Asked::to_toml(self)
    }

    fn run(
        &self,
        folder: &Folder,
        shard: Option<Shard>,
        watch: &mut dyn FnMut(&At<'_>) -> ControlFlow<()>,
    ) -> Result<Outcome> {
        let (mut outcome, concluded) = self.conclude(folder, shard, watch)?;
        if let Some((results, report)) = concluded {
            let path = folder.path().display();
            let kept = || format!("all cells are finished; `localmax study resume {path}` draws the report");
            outcome.written = report.save(self.front(), &results.rows, folder).map_err(|e| e.after(kept()))?;
        }
        Ok(outcome)
    }

    fn judge(&self, folder: &Folder) -> Result<Vec<Claim>> {
        Ok(self.conclude(folder, None, &mut |_| ControlFlow::Continue(()))?.0.claims)
    }
}

/// The results of a study whose cells are all there, and its report.
type Concluded<S> = (Results<<S as Study>::Row>, Report);

impl<S: Study> Asked<S> {
    /// Computes the cells that `folder` lacks; once all are there, with the results and the report.
    fn conclude(
        &self,
        folder: &Folder,
        shard: Option<Shard>,
        watch: &mut dyn FnMut(&At<'_>) -> ControlFlow<()>,
    ) -> Result<(Outcome, Option<Concluded<S>>)> {
        let cells = self.cells()?;
        if let (Some(Shard { at, of }), Some(why)) = (shard, S::is_whole(self)) {
            return Err(Error::input(format!("--shard {at}/{of}: {why}; leave it out")));
        }
        let mine = |at: usize| shard.is_none_or(|shard| at % shard.of == shard.at - 1);
        let mut table = folder.table(shard.map(|shard| (shard.at, shard.of)))?;
        let found = folder.rows::<S::Row>()?;
        if let Some((cell, _)) = found.range(cells.len()..).next() {
            let (path, count) = (folder.path().display(), cells.len());
            return Err(Error::input(format!(
                "{path} has a row of cell {cell}, and this study has {count} cells, counted from 0; remove that row"
            )));
        }
        drop(found);
        let (mut note, mut done) = (None, 0);
        let (needed, mut rows) = loop {
            let rows: BTreeMap<usize, S::Row> = folder.rows()?;
            let needed = S::needed(self, &cells, &rows)?;
            let due: Vec<usize> = needed.iter().copied().filter(|at| mine(*at) && !rows.contains_key(at)).collect();
            if due.is_empty() {
                break (needed, rows);
            }
            let told = compute(self, &cells, &due, &mut done, folder, &mut table, watch)?;
            note = note.or(told);
        };
        drop(table);
        rows.retain(|at, _| needed.binary_search(at).is_ok());
        let (count, finished) = (needed.len(), rows.len());
        let mut outcome = Outcome { cells: count, finished, claims: Vec::new(), written: Vec::new(), note };
        if finished < count {
            return Ok((outcome, None));
        }
        folder.merge(&rows)?;
        let results = Results::new(folder.clone(), rows);
        let mut report = Report::default();
        S::conclude(self, &results, &mut report)?;
        if S::SHARED && self.sizes.precision == Precision::F32 {
            report.doubt();
        }
        outcome.claims = report.claims().to_vec();
        outcome.note = outcome.note.or(report.note().map(str::to_owned));
        Ok((outcome, Some((results, report))))
    }
}

/// Computes the cells that are due and appends their rows; returns a note about the engine.
fn compute<S: Study>(
    asked: &Asked<S>,
    cells: &[S::Cell],
    due: &[usize],
    done: &mut u64,
    folder: &Folder,
    table: &mut Table,
    watch: &mut dyn FnMut(&At<'_>) -> ControlFlow<()>,
) -> Result<Option<String>> {
    let total = *done + due.iter().map(|at| S::steps(asked, &cells[*at])).sum::<u64>();
    let mut note = None;
    let engines = Engines::find(asked.sizes.engine)?;
    for (nth, &at) in due.iter().enumerate() {
        let label = format!("cell {} of {}: {}", nth + 1, due.len(), S::label(&cells[at]));
        let mut work = Workbench {
            sizes: &asked.sizes,
            engines: &engines,
            folder,
            cell: at,
            at: At { done: *done, total, cell: &label, note: None },
            watch: &mut |at: &At<'_>| watch(at),
            note: &mut note,
        };
        work.check()
            .and_then(|()| S::compute(asked, &cells[at], &mut work))
            .map_err(|error| located_in(error, &label, folder))
            .and_then(|row| table.append(at, &row))?;
        *done += S::steps(asked, &cells[at]);
    }
    Ok(note)
}

/// Adds the cell to its error.
fn located_in(error: Error, label: &str, folder: &Folder) -> Error {
    let path = folder.path().display();
    match error {
        Error::Interrupted(_) => Error::Interrupted(format!(
            "interrupted in {label}; finished cells are kept in {path}; go on with: localmax study resume {path}"
        )),
        failure if failure.is_recoverable_file_error() => Error::Stopped {
            failure: Box::new(failure),
            kept: format!("finished cells are kept; mend that and go on with: localmax study resume {path}"),
            is_resumable: true,
        },
        Error::Input { .. } => Error::input(format!("{label}: {error}")),
        Error::Device(text) => Error::Device(format!("{label}: {text}")),
        other => other,
    }
}
