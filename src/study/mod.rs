//! Studies: experiments of many independent cells that answer a question, with what the theory claims beside what was
//! measured.
//!
//! | object | what | lives |
//! |---|---|---|
//! | [`Asked`] | what was asked: [`Sizes`] that all studies share, and the study's own parameters | in `study.toml` |
//! | cell | one computation, named by its place in the list that [`Study::cells`] gives | until its row is on the disk |
//! | [`Workbench`] | what a cell computes with: simulations with looks at triggers, side files, progress, signals | a cell |
//! | [`Results`] | the rows of all cells and their side files | read from the folder |
//! | [`Report`] | claims, figures, tables, text | in `claims.csv`, `report.html`, `report.md`, SVG, PNG, GIF |
//!
//! A folder of a study ([`Folder`]) holds `study.toml` (runs again as it is), `table.csv` (a row a finished cell, on the
//! disk before the next cell begins), `cells/` (side files of cells: series and frames) and the report. Nothing but these
//! files goes into a report: a study that was killed goes on where it was, and ends in the same bytes.
//!
//! # How to add a study
//!
//! One file, and a line in [`CATALOGUE`].
//!
//! 1. A struct of its own parameters that derives `clap::Args` and serde: each field is an option, a key of `study.toml`
//!    and a line of the report at once, and its doc comment is the help. `Default` gives the values at the default size.
//!
//!    ```text
//!    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
//!    #[serde(default, deny_unknown_fields)]
//!    pub struct Rates {
//!        /// Step sizes
//!        #[arg(long, value_name = "LIST", value_delimiter = ',')]
//!        pub alphas: Vec<f64>,
//!    }
//!    ```
//! 2. A row type with serde's derives: its fields are the columns of `table.csv`. Numbers, counts, text, bool and `Option`
//!    of them; the cell's own parameters come first.
//! 3. [`Study`]: `cells` lists the cells in order and refuses bad parameters (a cell may depend on nothing but what was
//!    asked, and draws from its own seed), `compute` makes one cell's row, `conclude` makes the [`Report`] from
//!    [`Results`].
//!
//! In `compute`, [`Workbench::simulate`] takes a system through its steps and calls back at the steps that are due, with the
//! tokens and the masks of chosen rows; measures of [`crate::observe`] go there. What is too long for a row goes into
//! [`Workbench::series`] (a CSV) or [`Workbench::frames`] (tokens for pictures and the player). In `conclude`, charts of
//! [`crate::plot`] go into [`Report::figure`], trajectories into [`Report::player`], claims into [`Report::claim`].

pub mod artefacts;
mod asked;
pub mod asymmetric;
mod catalogue;
pub mod cells;
mod claim;
mod common;
pub mod consensus;
mod folder;
pub mod lyapunov;
pub mod quiescent;
pub mod rates;
mod report;
mod results;
mod settling;
pub mod strip;
pub mod sweep;
pub mod vanishing;
mod workbench;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use asked::{Asked, Sizes};
pub use catalogue::{CATALOGUE, Entry, Outcome, Planned, Shard, read};
pub use claim::{Basis, Claim, Verdict};
pub use folder::Folder;
pub use report::Report;
pub use results::{Results, Series};
pub use workbench::{At, Look, Workbench};

use crate::error::Result;

/// An experiment of independent cells, and what they come to. The type itself holds the study's own parameters.
pub trait Study: Clone + Default + Debug + Serialize + DeserializeOwned + clap::Args + 'static {
    /// The name on the command line.
    const NAME: &'static str;
    /// What is asked, in a line without a full stop: help and the report's title.
    const TITLE: &'static str;
    /// Examples below the help, a line each.
    const EXAMPLES: &'static str;
    /// Whether it takes the shared [`Sizes`]; a study that does not has none of these options.
    const SHARED: bool = true;

    /// One computation.
    type Cell;
    /// What it leaves in the table.
    type Row: Serialize + DeserializeOwned;

    /// The default sizes; minutes on two cores.
    fn sizes() -> Sizes;

    /// Makes everything smaller for `--quick`: seconds. Options that are given win over it.
    fn quick(asked: &mut Asked<Self>);

    /// Every cell, in order; the same list for the same question.
    ///
    /// # Errors
    /// A parameter outside its domain.
    fn cells(asked: &Asked<Self>) -> Result<Vec<Self::Cell>>;

    /// A cell in a few words, for progress.
    fn label(cell: &Self::Cell) -> String;

    /// Steps that a cell takes at most, over all of its simulations: what progress counts.
    fn steps(asked: &Asked<Self>, _cell: &Self::Cell) -> u64 {
        asked.sizes.steps
    }

    /// How large the study is, in the report's second line.
    fn extent(asked: &Asked<Self>) -> String {
        let Sizes { tokens, dim, seeds, steps, precision, .. } = &asked.sizes;
        format!("n = {tokens}, d = {dim}, {seeds} seeds, at most {steps} steps, {}", precision.name())
    }

    /// Computes a cell.
    ///
    /// # Errors
    /// Engine failures; files that cannot be written; a signal, as [`crate::error::Error::Interrupted`].
    fn compute(asked: &Asked<Self>, cell: &Self::Cell, work: &mut Workbench<'_>) -> Result<Self::Row>;

    /// What all cells come to. Row k belongs to cell k.
    ///
    /// # Errors
    /// Side files that are missing or damaged; data that cannot be drawn.
    fn conclude(asked: &Asked<Self>, results: &Results<Self::Row>) -> Result<Report>;
}
