//! A study, and the question that is put to it, as `study.toml` keeps it: the shared sizes and the
//! study's own parameters.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::report::{Front, Report};
use super::results::Results;
use super::sizes::Sizes;
use super::workbench::Workbench;
use crate::error::{Error, Result};

/// An experiment of independent cells and its conclusion; the type holds the study's parameters.
pub trait Study: Clone + Default + Debug + Serialize + DeserializeOwned + clap::Args + 'static {
    /// The name on the command line.
    const NAME: &'static str;
    /// The question in a line without a full stop: help and the report's title.
    const TITLE: &'static str;
    /// Examples below the help, one on each line.
    const EXAMPLES: &'static str;
    /// Whether the study takes the shared [`Sizes`]; one that does not has none of these options.
    const SHARED: bool = true;
    /// The default sizes: minutes on two cores.
    const SIZES: Sizes = Sizes::new(1, 1, 1, 1);

    /// One computation.
    type Cell;
    /// The row that a cell leaves in the table.
    type Row: Serialize + DeserializeOwned;

    /// Makes everything smaller for `--quick`: seconds. Options that are given win over it.
    fn quicken(&mut self, sizes: &mut Sizes);

    /// Takes sizes over from what the parameters name.
    fn settle(_asked: &mut Asked<Self>) {}

    /// Lists every cell, in order; the same list for the same question.
    ///
    /// # Errors
    /// A parameter outside its domain.
    fn cells(asked: &Asked<Self>) -> Result<Vec<Self::Cell>>;

    /// The cells that are needed, ascending, given the rows that are there: all, unless what some cells came to says
    /// that others are not. A function of the rows alone, so that an interrupted study goes on as it would have.
    ///
    /// # Errors
    /// A parameter outside its domain.
    fn needed(_asked: &Asked<Self>, cells: &[Self::Cell], _rows: &BTreeMap<usize, Self::Row>) -> Result<Vec<usize>> {
        Ok((0..cells.len()).collect())
    }

    /// The reason why parts of the study cannot be computed apart from one another, if there is one.
    fn is_whole(_asked: &Asked<Self>) -> Option<&'static str> {
        None
    }

    /// Describes a cell in a few words, for progress.
    fn label(cell: &Self::Cell) -> String;

    /// The most steps that a cell takes over all of its simulations: progress counts them.
    fn steps(asked: &Asked<Self>, _cell: &Self::Cell) -> u64 {
        asked.sizes.steps
    }

    /// The size of the study, in the report's second line.
    fn extent(asked: &Asked<Self>) -> String {
        let Sizes { seeds, steps, precision, .. } = &asked.sizes;
        format!("{}, {seeds} seeds, at most {steps} steps, {}", asked.sizes.shape(), precision.name())
    }

    /// Computes a cell.
    ///
    /// # Errors
    /// Engine failures; files that cannot be written; a signal, as an interruption.
    fn compute(asked: &Asked<Self>, cell: &Self::Cell, work: &mut Workbench<'_>) -> Result<Self::Row>;

    /// Draws the conclusion from all cells: claims, text and figures. Row k belongs to cell k.
    ///
    /// # Errors
    /// Side files that are missing or damaged; data that cannot be drawn.
    fn conclude(asked: &Asked<Self>, results: &Results<Self::Row>, report: &mut Report) -> Result<()>;
}

/// The question put to a study.
#[derive(Clone, Debug)]
pub struct Asked<S> {
    /// The sizes that all studies share.
    pub sizes: Sizes,
    /// The study's own parameters.
    pub own: S,
}

/// The content of `study.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<S> {
    study: String,
    #[serde(default = "Option::default")]
    sizes: Option<Sizes>,
    #[serde(default = "Option::default")]
    parameters: Option<S>,
}

impl<S: Study> Asked<S> {
    /// The question with default parameters, or with those of `--quick`.
    pub fn new(quick: bool) -> Self {
        let mut asked = Self { sizes: S::SIZES, own: S::default() };
        if quick {
            asked.own.quicken(&mut asked.sizes);
        }
        asked
    }

    /// Checks every parameter and lists the cells.
    ///
    /// # Errors
    /// A parameter outside its domain; no cells at all.
    pub fn cells(&self) -> Result<Vec<S::Cell>> {
        self.sizes.validate()?;
        let cells = S::cells(self)?;
        if cells.is_empty() {
            return Err(Error::input(format!("study {} has no cell with these parameters: a list is empty", S::NAME)));
        }
        Ok(cells)
    }

    /// Reads `study.toml`; parameters that it leaves out have their defaults.
    ///
    /// # Errors
    /// No TOML; a key or a value that does not fit; all in one line, with its place.
    pub fn read(text: &str, source: &str) -> Result<Self> {
        let written: Written<S> = toml::from_str(text).map_err(|e| located(&e, text, source))?;
        Ok(Self { sizes: written.sizes.unwrap_or(S::SIZES), own: written.parameters.unwrap_or_default() })
    }

    /// Writes the text of `study.toml`.
    ///
    /// # Errors
    /// A parameter that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        let (sizes, own) = (S::SHARED.then(|| self.sizes.clone()), Some(self.own.clone()));
        let written = Written { study: S::NAME.to_owned(), sizes, parameters: own };
        let text = toml::to_string(&written).map_err(|e| Error::input(format!("study {}: {e}", S::NAME)))?;
        Ok(format!("# Runs again as it is: localmax study study.toml\n{text}"))
    }

    /// The front of the report.
    pub(super) fn front(&self) -> Front {
        Front { title: S::TITLE, study: S::NAME, extent: S::extent(self), parameters: self.parameters() }
    }

    /// Lists every parameter with its value, in order.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let mut all = if S::SHARED { fields(&self.sizes) } else { Vec::new() };
        all.extend(fields(&self.own));
        all
    }
}

/// The fields of a struct and their values as TOML writes them.
fn fields(of: &impl Serialize) -> Vec<(String, String)> {
    // Text, not a table: a table is sorted.
    let text = toml::to_string(of).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(" = ")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Turns a TOML error into one line, with its line and column in the source.
pub(super) fn located(error: &toml::de::Error, text: &str, source: &str) -> Error {
    let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(""));
    let (line, column) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    let what = error.message().lines().collect::<Vec<_>>().join(" ");
    Error::input(format!("{source}:{line}:{column}: {what}"))
}
