//! A run into a folder, as `localmax run` leaves one.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use localmax::engine::{Engine, Lead};
use localmax::interrupt::Interrupt;
use localmax::io::config;
use localmax::outcome::{Effort, StepReport};
use localmax::ranks::{Alone, Shared};
use localmax::run::among;
use localmax::run::checkpoint::Checkpoint;
use localmax::run::opening::{self, Opening};
use localmax::run::record::{self as recorder, Callbacks};
use localmax::run::{Options, Place, RunDir, pictures};
use localmax::threads::Pool;
use localmax::{Error, Result};
use pyo3::prelude::*;

use crate::config::Config;
use crate::ranks;
use crate::work::{require_threads, watched};

/// A run that Python looks on at.
struct Watched<'a> {
    is_alone: bool,
    config: &'a config::Config,
    interrupt: &'a Interrupt,
    t: &'a AtomicU64,
    moved: &'a AtomicU64,
    notes: &'a Mutex<Vec<String>>,
}

impl Callbacks for Watched<'_> {
    fn reopen(&mut self, lost: &Error, at: &Checkpoint) -> Result<Box<dyn Engine>> {
        if !self.is_alone {
            return Err(Error::device("the ranks of a run are not started again"));
        }
        self.note(&format!("{lost}; once more, from the checkpoint of step {}", at.progress.step));
        let alone: Shared = Arc::new(Alone);
        opening::reopen(&alone, self.config, at, &mut |text| say(self.notes, text))
    }

    fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    fn note(&mut self, text: &str) {
        say(self.notes, text);
    }

    fn progress(&mut self, step: u64, report: &StepReport, _: Option<&Effort>) -> ControlFlow<()> {
        self.t.store(step, Ordering::Relaxed);
        self.moved.store(report.moved, Ordering::Relaxed);
        if self.interrupt.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn say(notes: &Mutex<Vec<String>>, text: &str) {
    notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text.to_owned());
}

/// Takes a run from its first state to its end, in the empty or new folder `out`; `progress(t, moved)` is
/// called while it works. What a person has to know. On a rank other than 0 of `comm` nothing is written: it
/// computes its share.
#[pyfunction]
#[pyo3(signature = (config, out, threads = None, verify = 0, stop = true, progress = None, comm = None))]
#[allow(clippy::too_many_arguments)] // they have names in Python
pub(crate) fn record(
    py: Python<'_>,
    config: &Config,
    out: PathBuf,
    threads: Option<usize>,
    verify: u64,
    stop: bool,
    progress: Option<&Bound<'_, PyAny>>,
    comm: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<String>> {
    require_threads()?;
    let ranks = ranks::of(comm)?;
    let mut config = config.inner.clone();
    let (interrupt, notes) = (Interrupt::default(), Mutex::default());
    let (t, moved) = (AtomicU64::new(0), AtomicU64::new(0));
    let seen = || (t.load(Ordering::Relaxed), moved.load(Ordering::Relaxed));
    let look = || match (progress, t.load(Ordering::Relaxed)) {
        (Some(call), 1..) => call.call1(seen()).map(drop),
        _ => Ok(()), // nothing was taken yet
    };
    watched(py, &interrupt, look, || {
        let pool = Pool::start(threads)?;
        if ranks.rank() > 0 {
            return pool.install(|| among::follow(&ranks, &interrupt, |_, _| Ok(config.clone())));
        }
        let _lead = Lead::of(&ranks);
        let place = Place::new(Some(&out), &config.name)?;
        let options = Options { verify_every: verify, past_fixed_point: !stop, no_plot: true };
        let Opening { start, engine, .. } =
            pool.install(|| opening::open_among(&ranks, &mut config, options, |text| say(&notes, text)))?;
        let mut watched = Watched {
            is_alone: ranks.size() == 1,
            config: &config,
            interrupt: &interrupt,
            t: &t,
            moved: &moved,
            notes: &notes,
        };
        pool.install(|| recorder::begin(&config, &place, start, engine, &mut watched)).map(drop)
    })?;
    Ok(notes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Draws the pictures and the report of a run's folder; the files written.
#[pyfunction]
pub(crate) fn draw(py: Python<'_>, folder: PathBuf) -> PyResult<Vec<PathBuf>> {
    require_threads()?;
    watched(
        py,
        &Interrupt::default(),
        || Ok(()),
        || pictures::draw(&RunDir::open(&folder)?, pictures::Choice::default()),
    )
}
