//! A report as a table for a terminal or for Markdown.

use std::fmt::Write;

use super::{DELTA, Report, Row};
use crate::init::Cloud;

const HEAD: [&str; 10] =
    ["rule", "n", "d", "engine", "ms a step", "from, to", "keys a row", "GFLOP/s", "of peak", "against cpu"];

fn cells(row: &Row) -> [String; 10] {
    let share = row.share_of_peak.map_or("-".into(), |s| format!("{:.1} %", s * 100.0));
    let against = row.against_cpu.map_or("-".into(), |r| format!("{r:.2}×"));
    [
        row.rule.clone(),
        row.n.to_string(),
        row.d.to_string(),
        row.engine.clone(),
        significant(row.ms),
        format!("{}, {}", significant(row.ms_range.0), significant(row.ms_range.1)),
        significant(row.keys_a_row),
        significant(row.gflops),
        share,
        against,
    ]
}

/// Three significant digits, without an exponent.
pub(super) fn significant(x: f64) -> String {
    let digits = (2.0 - x.abs().max(1e-9).log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{x:.digits$}")
}

/// Columns aligned with spaces: those of words to the left, of numbers to the right.
pub(super) fn aligned<const N: usize>(head: [&str; N], rows: &[[String; N]], words: &[usize]) -> String {
    let mut width = head.map(|h| h.chars().count());
    for row in rows {
        for (w, cell) in width.iter_mut().zip(row) {
            *w = (*w).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| -> String {
        let cells = row
            .iter()
            .zip(width)
            .enumerate()
            .map(|(c, (cell, w))| if words.contains(&c) { format!("{cell:<w$}") } else { format!("{cell:>w$}") });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    [line(&head.map(str::to_owned))].into_iter().chain(rows.iter().map(line)).collect()
}

impl Report {
    /// Columns aligned with spaces.
    pub fn to_text(&self) -> String {
        let rows: Vec<[String; 10]> = self.rows.iter().map(cells).collect();
        let mut text = self.preamble("") + &aligned(HEAD, &rows, &[0, 3]);
        for reason in &self.left_out {
            let _ = writeln!(text, "left out: {reason}");
        }
        text
    }

    /// A Markdown table.
    pub fn to_markdown(&self) -> String {
        let mut text = self.preamble("- ") + "\n";
        let _ = writeln!(text, "| {} |", HEAD.join(" | "));
        let _ = writeln!(text, "|---|--:|--:|---|{}", "--:|".repeat(6));
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", cells(row).join(" | "));
        }
        text
    }

    fn preamble(&self, bullet: &str) -> String {
        let mut text = String::new();
        for (name, who, peak) in &self.engines {
            let driver = if who.driver.is_empty() { String::new() } else { format!(", {}", who.driver) };
            let peak = peak.map_or(String::new(), |p| format!(", multiply-add peak {} GFLOP/s", significant(p)));
            let _ = writeln!(text, "{bullet}{name}: {}{driver}{peak}", who.device);
        }
        let _ = writeln!(
            text,
            "{bullet}{} tokens; medians of the first {} of a fresh cloud{}; rates count the keys that were scored",
            self.settings.precision,
            self.rows.first().map_or("steps".to_owned(), |row| format!("{} steps", row.steps)),
            self.changed()
        );
        text
    }

    /// The settings that differ from the defaults.
    fn changed(&self) -> String {
        let mut text = String::new();
        if let Some(kind) = self.settings.kind.filter(|kind| *kind != Cloud::Gaussian.name()) {
            text += &format!(" ({kind})");
        }
        if self.settings.batch > 1 {
            text += &format!(", {} at once", self.settings.batch);
        }
        if self.settings.delta != DELTA {
            text += &format!(", δ = {}", self.settings.delta);
        }
        text
    }
}
