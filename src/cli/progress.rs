//! Progress with rate and time left: a bar on a terminal, a line now and then elsewhere, nothing
//! for the first second.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crate::clock::Instant;

const QUIET: Duration = Duration::from_secs(1);
const LINE_EVERY: Duration = Duration::from_secs(30);

pub(super) struct Bar {
    shown: Option<ProgressBar>,
    from: u64,
    total: u64,
    start: Instant,
    last_line: Instant,
    interactive: bool,
}

impl Bar {
    /// Progress over `total` steps.
    pub(super) fn new(total: u64) -> Self {
        Self::after(0, total)
    }

    /// Progress over `total` steps, of which `from` had been taken before.
    pub(super) fn after(from: u64, total: u64) -> Self {
        let now = Instant::now();
        Self { shown: None, from, total, start: now, last_line: now, interactive: std::io::stderr().is_terminal() }
    }

    /// There are `total` steps in all, as far as is known now.
    pub(super) fn set_total(&mut self, total: u64) {
        self.total = total;
        if let Some(bar) = &self.shown {
            bar.set_length(total);
        }
    }

    /// `step` steps are done; `detail` says what a person would want to know.
    pub(super) fn at(&mut self, step: u64, detail: &str) {
        let elapsed = self.start.elapsed();
        if elapsed < QUIET {
            return;
        }
        let detail = if detail.is_empty() { String::new() } else { format!(", {detail}") };
        let pace = pace(step.saturating_sub(self.from), self.total.saturating_sub(step), elapsed.as_secs_f64());
        if self.interactive {
            let bar = self.shown.get_or_insert_with(|| bar(self.total));
            bar.set_message(format!("{pace}{detail}"));
            bar.set_position(step);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            output::note(&format!("step {step} of {}, {pace}{detail}", self.total));
        }
    }

    /// Clears the bar.
    pub(super) fn done(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

/// The rate of the steps `taken` since this process began, and the time that those `left` take at
/// that rate.
fn pace(taken: u64, left: u64, seconds: f64) -> String {
    let rate = taken as f64 / seconds;
    let time = Duration::try_from_secs_f64(left as f64 / rate).unwrap_or(Duration::MAX);
    let digits = if rate < 10.0 { 2 } else { 0 };
    format!("{rate:.digits$}/s, {} left", HumanDuration(time))
}

/// A bar that a narrow terminal shows too: what does not fit is cut off at the right.
fn bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:16} {pos}/{len} steps, {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who decides by it whether to wait is misled by a rate that counts the steps of an earlier
    /// process, or that of the last moment.
    #[test]
    fn the_pace_is_steps_over_time() {
        assert_eq!(pace(24, 2160, 8.0), "3.00/s, 12 minutes left");
        assert_eq!(pace(80_000, 80_000, 8.0), "10000/s, 8 seconds left");
        assert!(pace(0, 5, 8.0).starts_with("0.00/s, "));
    }
}
