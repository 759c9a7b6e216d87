//! Studies: experiments of many independent cells, with the theory's claims beside measurements.
//!
//! | object | content | lives |
//! |---|---|---|
//! | [`Asked`] | the question: [`Sizes`] that all studies share, and the study's own parameters | in `study.toml` |
//! | cell | one computation, named by its index in the list of [`Study::cells`] | until its row is on the disk |
//! | [`Workbench`] | a cell's tools: simulations with looks at due steps, side files, progress | a cell |
//! | [`Results`] | the rows of all cells and their side files | read from the folder |
//! | [`Report`] | claims, figures, tables, text | in `claims.csv`, `report.html`, `report.md`, SVG, PNG, GIF |
//!
//! A folder of a study ([`Folder`]) holds `study.toml` (which asks the same question again),
//! `table.csv` (a row for each finished cell, on the disk before the next cell begins), `cells/`
//! (side files of cells: series and frames) and the report. The report is made from these files
//! alone: a study that was killed goes on where it was, and ends in the same bytes.
//!
//! # How to add a study
//!
//! A folder with `mod` (question, claims, parameters, columns, cells), `measure` (a cell's row),
//! `claims` (their verdicts, where that is long) and `draw` (figures); a line in
//! [`catalogue::CATALOGUE`].
//!
//! 1. A claim sheet: in `sheet!` a line for each sentence that is claimed, with its source and how
//!    well it is founded.
//! 2. The study's own parameters: in `parameters!` a line for each, with its help, type, default
//!    and the word for its value. It makes a struct that derives `clap::Args` and serde: each
//!    parameter is an option, a key of `study.toml` and a line of the report at once.
//!
//!    ```text
//!    parameters! { Rates:
//!        /// Step sizes
//!        alphas: Vec<f64> = vec![0.1, 0.5, 1.0, 3.0], "LIST", value_delimiter = ',';
//!    }
//!    ```
//! 3. The columns of `table.csv`: in `columns!` a line for each, with its type and meaning.
//!    Numbers, counts, text, bool and `Option` of them; the cell's own parameters come first.
//! 4. [`Study`]: `cells` lists the cells in order and refuses bad parameters (a cell may depend on
//!    nothing but the question, and draws from its own seed), `compute` makes one cell's row,
//!    `conclude` fills the [`Report`] from [`Results`].
//!
//! In `compute`, [`Workbench::simulate`] takes a system through its steps and calls back at the
//! steps that are due, with the tokens and the masks of chosen rows; measures of [`crate::observe`]
//! go there. Data too long for a row go into [`Workbench::series`] (a CSV) or [`Workbench::frames`]
//! (tokens for pictures and the player). In `conclude`, charts of [`crate::plot`] go into
//! [`Report::chart`], trajectories into [`Report::player`], claims into [`Report::claim`].

pub mod artefacts;
mod asked;
pub mod asymmetric;
pub mod catalogue;
pub mod cells;
pub mod census;
mod claim;
mod clouds;
mod common;
pub mod consensus;
pub mod diagram;
mod drawing;
mod folder;
pub mod lyapunov;
pub mod phase;
pub mod quiescent;
pub mod rates;
mod records;
mod report;
mod results;
mod settling;
mod sizes;
pub mod strip;
pub mod sweep;
mod tables;
pub mod vanishing;
mod workbench;

pub use asked::{Asked, Study};
pub use claim::{Basis, Claim, Statement, Verdict};
pub use folder::Folder;
pub use report::Report;
pub use results::{Results, Series};
pub use sizes::Sizes;
pub use workbench::{At, Look, Workbench};
