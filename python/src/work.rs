//! Long work: other Python threads go on, and Ctrl-C is heard.

use std::io::ErrorKind;
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use localmax::Error;
use localmax::interrupt::Interrupt;
use pyo3::exceptions::{
    PyArithmeticError, PyFileNotFoundError, PyKeyboardInterrupt, PyMemoryError, PyOSError, PyRuntimeError, PyValueError,
};
use pyo3::prelude::*;

pyo3::create_exception!(
    localmax,
    DeviceError,
    PyRuntimeError,
    "No GPU, a lost one, a driver that computes wrongly, or threads that cannot be started."
);

/// Python looks for signals, and hears of progress, that often.
const LOOK: Duration = Duration::from_millis(50);

/// An error of the library as Python's nearest, with the same text.
pub(crate) fn raise(error: Error) -> PyErr {
    let text = error.to_string();
    of_kind(&error, text)
}

fn of_kind(error: &Error, text: String) -> PyErr {
    match error {
        Error::Input { .. } => PyValueError::new_err(text),
        Error::File { cause, .. } if cause.kind() == ErrorKind::NotFound => PyFileNotFoundError::new_err(text),
        Error::File { .. } => PyOSError::new_err(text),
        Error::Memory { .. } => PyMemoryError::new_err(text),
        Error::NonFinite { .. } => PyArithmeticError::new_err(text),
        Error::Device(_) => DeviceError::new_err(text),
        Error::Interrupted(_) => PyKeyboardInterrupt::new_err(text),
        Error::Stopped { failure, .. } => of_kind(failure, text),
        _ => PyRuntimeError::new_err(text),
    }
}

/// Checks that the threads of this process are alive: those that a parent started before a fork are
/// not, and work handed to them would never end.
///
/// # Errors
/// This process was forked after the threads were started.
pub(crate) fn require_threads() -> PyResult<()> {
    static STARTED: OnceLock<u32> = OnceLock::new();
    if *STARTED.get_or_init(std::process::id) == std::process::id() {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(
        "this process was forked from one that had used localmax, whose threads do not live here; \
         take multiprocessing.get_context(\"spawn\"), or use localmax in the children alone",
    ))
}

/// The exception of a signal says more than the work that it ended, which says what is kept.
fn ended_by<T>(py: Python<'_>, raised: Option<PyErr>, result: Result<T, Error>) -> PyResult<T> {
    match (raised, result) {
        (Some(raised), Err(error @ Error::Interrupted(_))) if raised.is_instance_of::<PyKeyboardInterrupt>(py) => {
            Err(raise(error))
        }
        (Some(raised), _) => Err(raised),
        (None, result) => result.map_err(raise),
    }
}

/// Does work in a thread beside Python, which looks for signals and calls `look` meanwhile. A signal
/// raises the flag, and its exception is raised once the work has ended.
///
/// # Errors
/// The errors of the work and of `look`; the exception of a signal.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    interrupt: &Interrupt,
    mut look: impl FnMut() -> PyResult<()>,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    std::thread::scope(|scope| {
        let (done, mut ended) = channel();
        let worker = scope.spawn(move || {
            let _ = done.send(work());
        });
        let mut raised = None;
        loop {
            let ended = &mut ended;
            match py.detach(move || ended.recv_timeout(LOOK)) {
                Ok(result) => return ended_by(py, raised, result),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = worker.join(); // else the scope panics in its turn
                    return Err(PyRuntimeError::new_err("localmax panicked; its message is above: please report it"));
                }
            }
            if raised.is_none()
                && let Err(error) = py.check_signals().and_then(|()| look())
            {
                interrupt.raise();
                raised = Some(error);
            }
        }
    })
}
