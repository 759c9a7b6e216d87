//! A run in memory, step by step.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use localmax::engine::Until;
use localmax::interrupt::Interrupt;
use localmax::outcome::{Description, StepReport};
use localmax::run::StepSummary;
use localmax::threads::Pool;
use localmax::verify::Verifier;
use localmax::{Error, Simulation as Stepper};
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays;
use crate::config::Config;
use crate::work::{raise, require_threads, watched};

/// Products of coordinates, by brute force, below which work is done on Python's own thread: it is
/// over before a signal could be missed.
const FEW: f64 = 2e7;
/// The fixed cost of a step, in the same products.
const STEP: f64 = 1e5;

/// A run in memory.
#[pyclass(frozen, module = "localmax")]
pub(crate) struct Simulation {
    shape: (usize, usize),
    toml: String,
    notes: Vec<String>,
    pool: Pool,
    inner: Mutex<Inner>,
}

struct Inner {
    stepper: Stepper,
    reports: Vec<StepReport>,
    /// The error of a lost device; the state is undefined after it.
    lost: Option<String>,
}

#[pymethods]
impl Simulation {
    #[new]
    #[pyo3(signature = (config, threads = None))]
    fn new(py: Python<'_>, config: &Config, threads: Option<usize>) -> PyResult<Self> {
        require_threads()?;
        let mut config = config.inner.clone();
        py.detach(move || {
            let (mut notes, pool) = (Vec::new(), Pool::start(threads)?);
            let mut note = |text: &str| notes.push(text.to_owned());
            let start = config.first_state(&mut note)?;
            let shape = (start.tokens.n(), start.tokens.d());
            let engine = config.open_engine(&start.tokens, start.grid, &mut note)?;
            let stepper = Stepper::from_state(&config.model, start.grid, shape, engine, 0);
            let inner = Mutex::new(Inner { stepper, reports: Vec::new(), lost: None });
            Ok(Self { shape, toml: config.to_toml(), notes, pool, inner })
        })
        .map_err(raise)
    }

    /// Takes `count` steps, or fewer where the state comes to rest and `stop` is set; `progress(t, moved)` is
    /// called while it works. The number of steps taken since the start.
    #[pyo3(signature = (count = 1, stop = true, progress = None))]
    fn step(&self, py: Python<'_>, count: u64, stop: bool, progress: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
        require_threads()?;
        let (n, d) = self.shape;
        if ((n as f64) * (n as f64) * (d as f64) + STEP) * (count as f64) <= FEW && progress.is_none() {
            let taken = self.with(py, |inner| inner.take(count, stop, &Interrupt::default(), &Seen::default()));
            py.check_signals()?;
            return taken;
        }
        let (interrupt, seen) = (Interrupt::default(), Seen::default());
        let look = || match (progress, seen.t.load(Ordering::Relaxed)) {
            (Some(call), 1..) => call.call1(seen.read()).map(drop),
            _ => Ok(()), // nothing was taken yet
        };
        let taken = watched(py, &interrupt, look, || {
            let inner = &mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            self.pool.install(|| inner.asked(|inner| inner.take(count, stop, &interrupt, &seen)))
        })?;
        progress.map_or(Ok(()), |call| call.call1(seen.read()).map(drop))?;
        Ok(taken)
    }

    /// The state; each call makes a new array.
    #[getter]
    fn tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let tokens = self.with(py, |inner| inner.stepper.tokens())?;
        arrays::into_numpy(py, tokens.into_coordinates(), &[self.shape.0, self.shape.1])
    }

    /// blake3 of the state, as in metrics.csv.
    #[getter]
    fn hash(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, |inner| inner.stepper.hash())
    }

    /// The strip of a token: members, keys, scores, threshold, largest score, query and delta.
    fn strip<'py>(&self, py: Python<'py>, token: isize) -> PyResult<Bound<'py, PyDict>> {
        let token = self.row(token)?;
        let strip = self.with(py, |inner| inner.stepper.strip(token))?;
        let found = PyDict::new(py);
        found.set_item("members", indices(strip.members).into_pyarray(py))?;
        found.set_item("keys", indices(strip.keys).into_pyarray(py))?;
        found.set_item("scores", strip.scores.into_pyarray(py))?;
        found.set_item("threshold", strip.threshold)?;
        found.set_item("largest", strip.max)?;
        found.set_item("query", strip.query.into_pyarray(py))?;
        found.set_item("delta", strip.delta)?;
        Ok(found)
    }

    /// The members of the strips of some tokens in the current state.
    fn masks<'py>(&self, py: Python<'py>, rows: Vec<isize>) -> PyResult<Vec<Bound<'py, PyArray1<i64>>>> {
        let rows: Vec<usize> = rows.into_iter().map(|row| self.row(row)).collect::<PyResult<_>>()?;
        let masks = self.heard(py, rows.len(), |inner| inner.stepper.masks(&rows))?;
        Ok(masks.into_iter().map(|keys| indices(keys).into_pyarray(py)).collect())
    }

    /// Argmax and size of every strip in the last step.
    #[expect(clippy::type_complexity, reason = "two arrays")]
    fn strips<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>)> {
        let strips = self.with(py, |inner| inner.stepper.engine().strips())?;
        Ok((indices(strips.argmax).into_pyarray(py), indices(strips.count).into_pyarray(py)))
    }

    /// Takes a step and holds `rows` of its rows, or as many as is cheap, to the reference and to its bounds.
    #[pyo3(signature = (rows = None))]
    fn verify<'py>(&self, py: Python<'py>, rows: Option<usize>) -> PyResult<Bound<'py, PyDict>> {
        let (n, d) = self.shape;
        let found = self.heard(py, n, |inner| {
            let model = inner.stepper.model().clone();
            let mut verifier = Verifier::new(&model, inner.stepper.grid(), n, d, rows);
            inner.reports.push(verifier.advance(&mut inner.stepper)?);
            Ok(verifier.findings)
        })?;
        let findings = PyDict::new(py);
        findings.set_item("passed", found.passed())?;
        findings.set_item("rows", found.rows)?;
        findings.set_item("largest_error", found.max_error)?;
        findings.set_item("bound", found.max_error_bound)?;
        findings.set_item("breaches", found.breaches)?;
        Ok(findings)
    }

    /// Columns of the steps taken, as metrics.csv has them but for the hashes.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let n = self.shape.0;
        let taken: Vec<(u64, StepSummary)> = self.with(py, |inner| {
            let summary = |r: &StepReport| Ok((r.t + 1, StepSummary::new(r, n, inner.stepper.model())?));
            inner.reports.iter().map(summary).collect()
        })?;
        let of = |get: &dyn Fn(&StepSummary) -> Option<f64>| -> Vec<f64> {
            taken.iter().map(|(_, step)| get(step).unwrap_or(f64::NAN)).collect()
        };
        let size = |get: &dyn Fn(&StepSummary) -> Option<u32>| -> Vec<i64> {
            taken.iter().map(|(_, step)| get(step).map_or(-1, i64::from)).collect()
        };
        let columns = PyDict::new(py);
        columns.set_item("step", taken.iter().map(|(step, _)| *step).collect::<Vec<_>>().into_pyarray(py))?;
        columns.set_item("delta", of(&|step| step.delta).into_pyarray(py))?;
        columns.set_item("gamma", of(&|step| step.gamma).into_pyarray(py))?;
        columns
            .set_item("moved", taken.iter().map(|(_, step)| step.moved as i64).collect::<Vec<_>>().into_pyarray(py))?;
        columns.set_item("strip_min", size(&|step| Some(step.strips?.min)).into_pyarray(py))?;
        columns.set_item("strip_mean", of(&|step| Some(step.strips?.mean)).into_pyarray(py))?;
        columns.set_item("strip_max", size(&|step| Some(step.strips?.max)).into_pyarray(py))?;
        Ok(columns)
    }

    #[getter]
    fn t(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |inner| Ok(inner.stepper.t()))
    }

    /// Whether no later step can move a token, as far as the last step tells.
    #[getter]
    fn at_rest(&self, py: Python<'_>) -> PyResult<bool> {
        let rests = |inner: &Inner| inner.reports.last().is_some_and(|report| report.moved == 0);
        self.with(py, |inner| Ok(inner.stepper.model().is_autonomous() && rests(inner)))
    }

    #[getter]
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// The rule's name.
    #[getter]
    fn rule(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.with(py, |inner| Ok(inner.stepper.model().name()))
    }

    /// The lattice's unit; none in rules on real numbers.
    #[getter]
    fn unit(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        self.with(py, |inner| Ok(inner.stepper.model().is_exact().then(|| inner.stepper.grid().unit())))
    }

    /// Engine, device and driver.
    #[getter]
    fn engine(&self, py: Python<'_>) -> PyResult<(String, String, String)> {
        let Description { engine, device, driver } = self.with(py, |inner| Ok(inner.stepper.engine().description()))?;
        Ok((engine, device, driver))
    }

    #[getter]
    fn toml(&self) -> &str {
        &self.toml
    }

    /// The notes that the command line would print: on the lattice, and on the choice of the engine.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

impl Simulation {
    /// Asks the state. Where another thread is stepping this waits for it, without Python's lock, and
    /// hears signals.
    fn with<T: Send>(&self, py: Python<'_>, ask: impl FnOnce(&mut Inner) -> Result<T, Error> + Send) -> PyResult<T> {
        require_threads()?;
        let mut ask = Some(ask);
        loop {
            let found = py.detach(|| {
                let mut inner = match self.inner.try_lock() {
                    Ok(inner) => inner,
                    Err(TryLockError::Poisoned(inner)) => inner.into_inner(),
                    Err(TryLockError::WouldBlock) => {
                        thread::sleep(Duration::from_millis(1));
                        return None;
                    }
                };
                let inner = &mut *inner;
                ask.take().map(|ask| self.pool.install_for(self.shape.0, || inner.asked(ask)))
            });
            if let Some(found) = found {
                return found.map_err(raise);
            }
            py.check_signals()?;
        }
    }

    /// As [`Simulation::with`], for work on so many rows: what takes long hears Ctrl-C.
    fn heard<T: Send>(
        &self,
        py: Python<'_>,
        rows: usize,
        ask: impl FnOnce(&mut Inner) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let (n, d) = self.shape;
        if (n as f64) * (rows as f64) * (d as f64) <= FEW {
            return self.with(py, ask);
        }
        require_threads()?;
        let interrupt = Interrupt::default();
        watched(
            py,
            &interrupt,
            || Ok(()),
            || {
                let inner = &mut *self.inner.lock().unwrap_or_else(PoisonError::into_inner);
                inner.stepper.engine().heed(&interrupt);
                let found = self.pool.install(|| inner.asked(ask));
                inner.stepper.engine().heed(&Interrupt::default());
                found
            },
        )
    }

    /// A token's index; negative ones count from the end, as in Python.
    fn row(&self, token: isize) -> PyResult<usize> {
        let n = self.shape.0;
        let index = if token < 0 { token + n as isize } else { token };
        usize::try_from(index)
            .ok()
            .filter(|&i| i < n)
            .ok_or_else(|| PyIndexError::new_err(format!("token {token} of {n}; indices go from 0 to {}", n - 1)))
    }
}

/// The progress of a run, read by another thread.
#[derive(Default)]
struct Seen {
    t: AtomicU64,
    moved: AtomicU64,
}

impl Seen {
    fn read(&self) -> (u64, u64) {
        (self.t.load(Ordering::Relaxed), self.moved.load(Ordering::Relaxed))
    }
}

impl Inner {
    /// Asks a state that is whole.
    fn asked<T>(&mut self, ask: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(lost) = &self.lost {
            return Err(Error::device(format!("this simulation ended with its device: {lost}")));
        }
        let found = ask(self);
        if let Err(Error::Device(text)) = &found {
            self.lost = Some(text.clone());
        }
        found
    }

    /// Takes `count` steps, or fewer at rest; the number of steps taken since the start.
    fn take(&mut self, count: u64, stop: bool, interrupt: &Interrupt, seen: &Seen) -> Result<u64, Error> {
        self.stepper.engine().heed(interrupt);
        let until = Until { end: self.stepper.t().saturating_add(count), past_fixed_point: !stop };
        let reports = &mut self.reports;
        let take = |stepper: &mut Stepper, end| {
            let taken = stepper.take(end)?;
            reports.extend_from_slice(&taken);
            Ok(taken)
        };
        let ended = self.stepper.run(
            until,
            |_| false,
            take,
            |_, standing| {
                seen.t.store(standing.t, Ordering::Relaxed);
                seen.moved.store(standing.report.map_or(0, |report| report.moved), Ordering::Relaxed);
                Ok(if interrupt.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        );
        self.stepper.engine().heed(&Interrupt::default()); // one that was raised stays so
        // Steps of a batch beyond rest do not count.
        let t = self.stepper.t();
        while self.reports.pop_if(|report| report.t >= t).is_some() {}
        match ended {
            Ok(()) | Err(Error::Interrupted(_)) => Ok(t),
            Err(error) => Err(error),
        }
    }
}

fn indices<T: TryInto<i64>>(of: Vec<T>) -> Vec<i64> {
    of.into_iter().map(|index| index.try_into().unwrap_or(-1)).collect()
}
