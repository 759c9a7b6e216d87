//! SIGINT, SIGTERM and their like: the first asks a run to end after the steps in hand, the second ends the process.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::output;
use crate::error::{Error, Result};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Watches for signals from now on.
///
/// # Errors
/// A system that takes no handler.
pub(super) fn watch() -> Result<()> {
    static WATCHED: OnceLock<Result<(), String>> = OnceLock::new();
    let handler = || {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(4);
        }
        if std::io::stderr().is_terminal() {
            output::note("\nending after the steps in hand; again to end at once");
        }
    };
    let watched = WATCHED.get_or_init(|| ctrlc::set_handler(handler).map_err(|e| e.to_string()));
    watched.clone().map_err(|e| Error::device(format!("signals cannot be watched: {e}")))
}

/// Whether to go on.
pub(super) fn flow() -> ControlFlow<()> {
    if ASKED.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
