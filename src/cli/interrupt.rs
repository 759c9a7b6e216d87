//! Signals that ask the program to end (SIGINT, SIGTERM, SIGHUP, SIGXCPU), and `--wall`, which asks
//! at a time.
//!
//! While nothing would be lost the first one ends the process. From then on it asks a run to end,
//! in the middle of a step if need be. Only a Ctrl-C that comes after a pause ends the process at once: a
//! terminal that closes, `timeout` and batch systems send one signal several times.

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::output;
use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// Signals that are closer together count as one.
const PAUSE: Duration = Duration::from_millis(500);

/// Stage of the process when it is asked to end.
enum Stage {
    /// Nothing would be lost; the text says so.
    Idle(String),
    /// Something is to be kept; the text says what is lost if the process ends at once.
    Begun(&'static str),
    /// As [`Stage::Begun`], and the run has been asked to end; with the time of the last signal.
    Asked(&'static str, Instant),
}

static STAGE: Mutex<Stage> = Mutex::new(Stage::Begun(""));

fn stage() -> MutexGuard<'static, Stage> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches for signals from now on, and ends after `wall` if that is given. Until [`begin`] either
/// ends the process at once, which then says `idle`. A signal that was ignored when the process
/// began, as SIGHUP is under `nohup`, stays ignored; but SIGINT is heard, which shells ignore for
/// every job in the background of a script.
///
/// # Errors
/// A system that takes no handler.
pub(super) fn watch(idle: &str, wall: Option<Duration>) -> Result<()> {
    static WATCHED: OnceLock<Result<(), String>> = OnceLock::new();
    *stage() = Stage::Idle(idle.to_owned());
    let watched = WATCHED.get_or_init(|| listen().and_then(|()| wall.map_or(Ok(()), alarm)).map_err(|e| e.to_string()));
    watched.clone().map_err(|e| Error::device(format!("signals cannot be watched: {e}")))
}

#[cfg(unix)]
fn listen() -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXCPU};

    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let kept = [SIGTERM, SIGHUP, SIGXCPU].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = signal_hook::iterator::Signals::new(kept.chain([SIGINT]))?;
    let listen = move || signals.forever().for_each(|signal| ask("interrupted", signal == SIGINT));
    thread::Builder::new().name("signals".into()).spawn(listen).map(drop)
}

#[cfg(not(unix))]
fn listen() -> io::Result<()> {
    ctrlc::set_handler(|| ask("interrupted", true)).map_err(io::Error::other)
}

/// Asks the run to end after `wall`.
fn alarm(wall: Duration) -> io::Result<()> {
    let wait = move || {
        thread::sleep(wall);
        ask("the time of --wall is over", false);
    };
    thread::Builder::new().name("wall".into()).spawn(wait).map(drop)
}

/// Asks the process to end, because of `why`.
fn ask(why: &str, is_ctrl_c: bool) {
    let mut stage = stage();
    match &mut *stage {
        Stage::Idle(text) => output::note(&format!("error: {why}: {text}")),
        Stage::Begun(lost) => {
            *stage = Stage::Asked(lost, Instant::now());
            flag().raise();
            drop(stage);
            if io::stderr().is_terminal() {
                output::note(&format!("\n{why}: ending; Ctrl-C again to end at once"));
            }
            return;
        }
        Stage::Asked(lost, last) => {
            let is_pause = last.elapsed() >= PAUSE;
            *last = Instant::now();
            if !(is_ctrl_c && is_pause) {
                return;
            }
            output::note(&format!("error: ended at once: {lost}"));
        }
    }
    // The stage is still held: nothing is begun meanwhile.
    std::process::exit(4);
}

/// Makes a file that meets its limit (`ulimit -f`) an error of the write; the system would end the
/// process without a word.
pub(super) fn outlive_file_limits() {
    // Where it cannot be caught, the system's own way is left.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
}

/// From now on there is something to keep; `lost` says what is lost if the process ends at once.
pub(super) fn begin(lost: &'static str) {
    let mut stage = stage();
    if let Stage::Idle(_) = *stage {
        *stage = Stage::Begun(lost);
    }
}

/// The flag that is raised once the run has been asked to end.
pub(super) fn flag() -> Interrupt {
    static FLAG: LazyLock<Interrupt> = LazyLock::new(Interrupt::default);
    FLAG.clone()
}

/// Everything is kept, as `idle` says: from now on the process ends when it is asked.
///
/// # Errors
/// [`Error::Interrupted`] if it has been asked already.
pub(super) fn finish(idle: String) -> Result<()> {
    let mut stage = stage();
    if let Stage::Asked(..) = *stage {
        return Err(Error::Interrupted(format!("interrupted: {idle}")));
    }
    *stage = Stage::Idle(idle);
    Ok(())
}

/// Breaks once the run has been asked to end.
pub(super) fn flow() -> ControlFlow<()> {
    if let Stage::Asked(..) = *stage() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
