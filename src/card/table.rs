//! The results for a page of documents.

use std::fmt::Write;

use super::Results;
use super::systems::{Compared, Trajectory};

impl Results {
    /// Everything that a reader wants to know, in Markdown.
    pub(crate) fn to_markdown(&self) -> String {
        self.head() + &self.passed() + &self.hashes() + &self.times() + &self.kernels()
    }

    fn head(&self) -> String {
        let card = &self.card;
        let pci = if card.pci.is_empty() { String::new() } else { format!(", PCI {}", card.pci) };
        let mut text = format!("# localmax on {}\n\n", card.name);
        let _ = writeln!(text, "- card: {} ({}, {}{pci})", card.name, card.kind, card.backend);
        let _ = writeln!(text, "- driver: {}", card.driver);
        let _ = writeln!(text, "- date: {}", self.date);
        let _ = writeln!(text, "- localmax {}, contract {}", self.localmax, self.contract);
        let _ = match self.failed() {
            None => writeln!(text, "- verdict: nothing failed"),
            Some(stage) => writeln!(text, "- verdict: **FAIL**, {}: {}", stage.name, stage.detail),
        };
        let _ = writeln!(text, "- sizes: {}", self.sizes);
        if self.is_rehearsal {
            text += "- **a rehearsal**: a processor plays the card, so the times say nothing of one\n";
        }
        text
    }

    fn passed(&self) -> String {
        let mut text = String::from("\n## What passed\n\n| stage | outcome | detail | seconds |\n|---|---|---|--:|\n");
        for stage in &self.stages {
            let (outcome, detail) = (stage.outcome.word(), &stage.detail);
            let _ = writeln!(text, "| {} | {outcome} | {detail} | {:.1} |", stage.name, stage.seconds);
        }
        for line in self.lines.iter().filter(|line| !line.passed) {
            let _ = writeln!(text, "\nFAIL: {} ({}): {}", line.system, line.plan, line.detail);
        }
        text
    }

    fn hashes(&self) -> String {
        if self.systems.is_empty() {
            return String::new();
        }
        let head = "| system | n | steps | CPU | card, brute | card, tree | equal |\n|---|--:|--:|---|---|---|---|\n";
        let rows: String = self.systems.iter().map(row).collect();
        format!("\n## Hashes of trajectories\n\n{head}{rows}")
    }

    fn times(&self) -> String {
        let section = |plan: &str, table: String| format!("\n## Milliseconds a step, plan {plan}\n\n{table}");
        self.speed.iter().map(|on_plan| section(on_plan.plan, on_plan.report.to_markdown())).collect()
    }

    fn kernels(&self) -> String {
        let section = |plan: &str, table: String| format!("\n## Kernels, plan {plan}\n\n```text\n{table}```\n");
        self.kernels.iter().map(|on_plan| section(on_plan.plan, on_plan.report.to_text())).collect()
    }
}

fn row(system: &Compared) -> String {
    let of = |engine: &str, plan: Option<&str>| {
        let is_it = |t: &&Trajectory| t.engine == engine && plan.is_none_or(|plan| t.plan == plan);
        let found = system.trajectories.iter().find(is_it);
        found.map_or("-", |t| t.hash.as_deref().or(t.error.as_deref()).unwrap_or("-"))
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        system.system,
        system.n,
        system.steps,
        of("cpu", None),
        of("card", Some("brute")),
        of("card", Some("tree")),
        if system.equal { "yes" } else { "**no**" },
    )
}
