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
        if self.start.elapsed() < QUIET {
            return;
        }
        if self.interactive {
            let (from, total, start) = (self.from, self.total, self.start);
            let bar = self.shown.get_or_insert_with(|| bar(from, total, start));
            bar.set_position(step);
            bar.set_message(if detail.is_empty() { String::new() } else { format!(", {detail}") });
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let elapsed = self.start.elapsed().as_secs_f64();
            let taken = step.saturating_sub(self.from);
            let left = elapsed / taken.max(1) as f64 * (self.total - step.min(self.total)) as f64;
            let rate = taken as f64 / elapsed;
            let detail = if detail.is_empty() { String::new() } else { format!(", {detail}") };
            output::note(&format!(
                "step {step} of {}, {rate:.3} steps/s, {} left{detail}",
                self.total,
                HumanDuration(Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX))
            ));
        }
    }

    /// Clears the bar.
    pub(super) fn done(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(from: u64, total: u64, start: Instant) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} steps, {per_sec}, {eta} left{msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar.set_position(from);
    bar.reset_eta();
    bar.with_elapsed(start.elapsed())
}
