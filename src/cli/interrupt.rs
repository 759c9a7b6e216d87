//! SIGINT, SIGTERM and their like: while nothing has been begun the first ends the process; from
//! then on it asks a run to end after the steps in hand, and the second ends the process.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use super::output;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// Stage of the process when a signal arrives.
enum Stage {
    /// Nothing would be lost; the text says so.
    Unbegun(String),
    /// Something is to be kept.
    Begun,
    /// Something is to be kept, and a signal has asked the run to end.
    Asked,
}

static STAGE: Mutex<Stage> = Mutex::new(Stage::Begun);

fn stage() -> MutexGuard<'static, Stage> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches for signals from now on. Until [`begin`] one ends the process at once, which then says
/// `unbegun`.
///
/// # Errors
/// A system that takes no handler.
pub(super) fn watch(unbegun: &str) -> Result<()> {
    static WATCHED: OnceLock<Result<(), String>> = OnceLock::new();
    *stage() = Stage::Unbegun(unbegun.to_owned());
    let handler = || {
        let mut stage = stage();
        match &*stage {
            Stage::Unbegun(text) => output::note(&format!("error: interrupted: {text}")),
            Stage::Begun => {
                *stage = Stage::Asked;
                flag().raise();
                drop(stage);
                if std::io::stderr().is_terminal() {
                    output::note("\nending after the steps in hand; again to end at once");
                }
                return;
            }
            Stage::Asked => {}
        }
        // The stage is still held: nothing is begun meanwhile.
        std::process::exit(4);
    };
    let watched = WATCHED.get_or_init(|| ctrlc::set_handler(handler).map_err(|e| e.to_string()));
    watched.clone().map_err(|e| Error::device(format!("signals cannot be watched: {e}")))
}

/// Makes a file that meets its limit (`ulimit -f`) an error of the write; the system would end the
/// process without a word.
pub(super) fn outlive_file_limits() {
    // Where it cannot be caught, the system's own way is left.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
}

/// From now on there is something to keep.
pub(super) fn begin() {
    let mut stage = stage();
    if let Stage::Unbegun(_) = *stage {
        *stage = Stage::Begun;
    }
}

/// The flag that is raised once a signal has asked the run to end.
pub(super) fn flag() -> Interrupt {
    static FLAG: LazyLock<Interrupt> = LazyLock::new(Interrupt::default);
    FLAG.clone()
}

/// Breaks once a signal has asked the run to end.
pub(super) fn flow() -> ControlFlow<()> {
    if let Stage::Asked = *stage() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
