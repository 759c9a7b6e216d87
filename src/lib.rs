//! Attention as a dynamical system: n tokens in R^d move, step by step, towards an average of the
//! tokens that they attend to, on a GPU, on a fast CPU engine, or on a plain reference that the
//! other two are held to.
//!
//! ```
//! use localmax::{Cloud, Engine, Model, Simulation};
//!
//! # fn main() -> localmax::Result<()> {
//! let model = Model::localmax(0.1)?; // δ = 0.1, α = 1
//! let tokens = Cloud::Gaussian.sample(1000, 3, 7)?; // 1000 tokens in R³ from seed 7
//! let mut run = Simulation::new(&model, &tokens, Engine::Auto)?; // a GPU if there is one, else the CPU
//! let report = run.advance(100)?; // 100 steps, or as many as it takes to come to rest
//! let x = run.tokens()?;
//!
//! assert_eq!((x.n(), x.d()), (1000, 3));
//! assert!(report.moved == 0 || run.t() == 100);
//! # Ok(())
//! # }
//! ```
//!
//! [`Model`] has a constructor for each system, with its equation and its paper. A parameter is a
//! number, or an expression in the time t. [`Tokens`] come from a [`Cloud`], from rows, or from a
//! vector in place:
//!
//! ```
//! # use localmax::{Engine, Model, Simulation, Tokens};
//! # use localmax::model::StripForm;
//! # fn main() -> localmax::Result<()> {
//! let model = Model::localmax("1/(t+1)")?.alpha(0.5)?.strip(StripForm::Width)?.matrix([[2.0, 0.5], [0.5, 1.0]])?;
//! let tokens = Tokens::from_rows(&[[1.0, 0.0], [0.8, 0.6], [-1.0, 0.2], [0.1, -0.9]])?;
//! let mut run = Simulation::new(&model, &tokens, Engine::Cpu)?;
//! let strip = run.strip(1)?; // the tokens that token 1 is about to average, with all of its scores
//! assert!(strip.members.iter().all(|&j| strip.scores[j] >= strip.threshold));
//! run.advance(10)?;
//! # Ok(())
//! # }
//! ```
//!
//! Localmax, hardmax and Frank–Wolfe run in exact arithmetic, so a trajectory has the same bits on
//! every engine, and two people compare a run by one hash:
//!
//! ```
//! # use localmax::{Cloud, Engine, Model, Simulation};
//! # fn main() -> localmax::Result<()> {
//! # let (model, tokens) = (Model::localmax(0.1)?, Cloud::Gaussian.sample(100, 3, 7)?);
//! let mut fast = Simulation::new(&model, &tokens, Engine::Cpu)?;
//! let mut plain = Simulation::new(&model, &tokens, Engine::Reference)?;
//! fast.advance(20)?;
//! plain.advance(20)?;
//! assert_eq!(fast.hash()?, plain.hash()?);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Config`] is what the program runs, read from TOML; a [`RunDir`] is the folder that it
//! leaves. Nothing is written by the library unless it is asked to.
//!
//! | feature | what it adds |
//! |---|---|
//! | `gpu` | the GPU engine (wgpu); without it [`Engine::Auto`] means the CPU |
//! | `pictures` | pictures and pages of runs |
//! | `studies` | experiments of many runs, with `pictures` |
//! | `cli` | the program, with `studies` |
//! | `mpi` | one run over many processes, with the MPI of the machine (`docs/clusters.md`) |
//!
//! All but `mpi` are on unless `default-features = false`. The pages in the repository's `docs/` have the
//! equations, the exact arithmetic, the files and the architecture.

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod bench;
#[cfg(all(feature = "cli", feature = "gpu"))]
pub(crate) mod card;
#[doc(hidden)]
pub mod choice;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub(crate) mod clock;
#[doc(hidden)]
pub mod cpu;
#[doc(hidden)]
pub mod engine;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod exact;
#[cfg(feature = "gpu")]
#[doc(hidden)]
pub mod gpu;
#[doc(hidden)]
pub mod init;
#[doc(hidden)]
pub mod interrupt;
#[doc(hidden)]
pub mod io;
#[doc(hidden)]
pub mod machine;
pub mod model;
#[doc(hidden)]
/// Normal draws of a counter.
pub mod normal;
pub mod num;
#[doc(hidden)]
pub mod observe;
#[doc(hidden)]
pub mod outcome;
mod pages;
#[cfg(feature = "pictures")]
#[doc(hidden)]
pub mod plot;
#[doc(hidden)]
pub mod ranks;
#[doc(hidden)]
pub mod real;
#[doc(hidden)]
pub mod reference;
#[doc(hidden)]
pub mod rng;
#[doc(hidden)]
pub mod run;
#[doc(hidden)]
pub mod schedule;
#[cfg(feature = "cli")]
pub(crate) mod selftest;
#[doc(hidden)]
pub mod space;
#[cfg(feature = "studies")]
#[doc(hidden)]
pub mod study;
#[doc(hidden)]
pub mod threads;
#[doc(hidden)]
pub mod tokens;
#[doc(hidden)]
pub mod verify;

pub use choice::EngineChoice as Engine;
pub use engine::{Simulation, Strip};
pub use error::{Error, Result};
pub use init::{Cloud, CloudSample};
pub use io::config::Config;
pub use model::Model;
pub use outcome::StepReport;
pub use run::RunDir;
pub use schedule::Schedule;
pub use tokens::{Coordinates, Precision, Tokens};

/// The programs of the front page are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct FrontPage;
