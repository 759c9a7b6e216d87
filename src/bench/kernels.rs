//! The time of each GPU kernel in a step.
//!
//! The first steps of one cloud are taken twice, each time after one that is not counted: as ever, for
//! submissions and the host's time; then with two timestamps around each dispatch, for the kernels.

use std::fmt::Write;

use serde::Serialize;

use super::table::{aligned, significant};
use super::{Case, Plan, Settings, Spent, cases};
use crate::choice;
use crate::engine::{self, Steps};
use crate::error::Result;
use crate::gpu::{Device, Timings, fma_peak};
use crate::outcome::Effort;
use crate::tokens::Precision;

/// A kernel's part of a step.
#[derive(Clone, Debug, Serialize)]
pub struct Kernel {
    /// The entry point.
    pub name: &'static str,
    /// Dispatches a step.
    pub dispatches: f64,
    /// Milliseconds a step.
    pub ms: f64,
    /// Of the time of all kernels.
    pub share: f64,
}

/// The steps of one rule on one cloud.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// The rule.
    pub rule: String,
    /// Number of tokens.
    pub n: usize,
    /// Dimension.
    pub d: usize,
    /// The adapter.
    pub adapter: String,
    /// The adapter's driver.
    pub driver: String,
    /// Kernels, the one that takes longest first.
    pub kernels: Vec<Kernel>,
    /// Milliseconds a step of all kernels.
    pub kernels_ms: f64,
    /// Milliseconds a step, from call to return, without timestamps.
    pub ms: f64,
    /// Milliseconds a step by the counts of the last one, of exact rules: instructions of the loops as compilers
    /// make them (docs/kernels.md), over the adapter's rate of multiply-adds.
    pub model_ms: Option<f64>,
    /// Milliseconds a step in which the host did not wait.
    pub host_ms: f64,
    /// Submissions a step, of dispatches and of copies.
    pub submissions: f64,
    /// Times a step that the host waited for the device.
    pub waits: f64,
    /// Waits a step that left the device without work.
    pub stalls: f64,
}

/// Everything measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The settings.
    #[serde(flatten)]
    pub settings: Settings,
    /// Steps that were timed, from the first on.
    pub steps: u64,
    /// The measurements.
    pub tables: Vec<Table>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// Measures every rule, n and d on every device, which must have been opened by
/// [`Device::open_timed`], beside the multiply-adds of a step that it is given at most.
///
/// # Errors
/// An unknown rule; sizes for which there is no memory, before anything is measured; a device that
/// fails.
pub fn run(
    plan: &Plan,
    search: choice::Plan,
    devices: &[(Device, f64)],
    mut progress: impl FnMut(&str),
) -> Result<Report> {
    let mut report =
        Report { settings: Settings::of(plan), steps: plan.steps, tables: Vec::new(), left_out: Vec::new() };
    for mut case in cases(plan)? {
        progress(&format!("{}, n = {}, d = {}", case.rule, case.n, case.d));
        for (device, limit) in devices {
            let name = format!("{}: {}, n = {}, d = {}", device.adapter().name(), case.rule, case.n, case.d);
            if (case.n as f64).powi(2) * case.operations() / 2.0 > *limit {
                report.left_out.push(format!("{name} (too long)"));
                continue;
            }
            match measure(plan, search, &mut case, device)? {
                Ok(table) => report.tables.push(table),
                Err(why) => report.left_out.push(format!("{name} ({why})")),
            }
        }
    }
    Ok(report)
}

/// A table, or why the engine does not take the system.
fn measure(
    plan: &Plan,
    search: choice::Plan,
    case: &mut Case,
    device: &Device,
) -> Result<std::result::Result<Table, String>> {
    let (cloud, grid) = case.cloud(0, plan.precision)?.clone();
    match engine::on_gpu(device, search, &case.model, &cloud, grid) {
        Ok(mut engine) => engine.step(&[Steps::new(&case.model, grid, case.d).at(0)?])?,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut take = |device: &Device| -> Result<(Spent, Timings, Option<Effort>)> {
        let (device, same) = (device.clone(), device.clone());
        let open: super::Open =
            Box::new(move |model, tokens, grid| engine::on_gpu(&device, search, model, tokens, grid));
        let (mut engine, steps) = case.opened(&open, 0, plan)?;
        let mut spent = Spent::default();
        same.take_timings();
        spent.take(engine.as_mut(), case.n, &steps, plan.batch)?;
        Ok((spent, same.take_timings(), engine.effort()))
    };
    let (plain, counted, effort) = take(device)?;
    let (_, marked, _) = take(&device.marked())?;
    let is_modelled = case.model.is_exact() && plan.precision == Precision::F32;
    let gflops = if is_modelled { fma_peak(device)?.gflops } else { 0.0 };
    let model_ms = by_counts(case.n, case.d, effort.filter(|_| is_modelled), gflops);
    Ok(Ok(Table { model_ms, ..table(case, device, plain, &counted, &marked) }))
}

/// Instructions of a lane for a pair of a row and a key whose score is compared with the largest so far.
fn scored(d: f64) -> f64 {
    if d <= 16.0 { 1.13 * d + 0.4 } else { 1.1 * 4.0 * (d / 4.0).ceil() + 1.0 }
}

/// Instructions of a lane for a key and for a box that a tree tests.
fn tested(d: f64) -> [f64; 2] {
    [6.0 * d + 6.0, 6.0 * d + 16.0]
}

/// Milliseconds of a step of n tokens in R^d by its effort, on an adapter that does so many 10⁹ operations a second,
/// two of which are a multiply-add. None where no model is known.
fn by_counts(n: usize, d: usize, effort: Option<Effort>, gflops: f64) -> Option<f64> {
    let (n, d) = (n as f64, d as f64);
    let instructions = match effort? {
        Effort { plan: choice::Plan::Brute, .. } => n * n * scored(d),
        Effort { plan: choice::Plan::Tree, rows, keys_a_row, boxes_a_row, .. } => {
            let [key, tree_box] = tested(d);
            rows as f64 * (keys_a_row * key + boxes_a_row * tree_box)
        }
        _ => return None,
    };
    Some(instructions / (gflops / 2.0) / 1e6)
}

fn table(case: &Case, device: &Device, plain: Spent, counted: &Timings, marked: &Timings) -> Table {
    let (steps, adapter) = (plain.steps, device.adapter());
    let seconds: f64 = marked.kernels.values().map(|dispatches| dispatches.seconds).sum();
    let mut kernels: Vec<Kernel> = marked
        .kernels
        .iter()
        .map(|(name, dispatches)| Kernel {
            name,
            dispatches: dispatches.count as f64 / steps,
            ms: dispatches.seconds * 1e3 / steps,
            share: if seconds > 0.0 { dispatches.seconds / seconds } else { 0.0 },
        })
        .collect();
    kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    Table {
        rule: case.rule.to_owned(),
        n: case.n,
        d: case.d,
        adapter: adapter.name().to_owned(),
        driver: adapter.driver(),
        kernels,
        kernels_ms: seconds * 1e3 / steps,
        ms: plain.seconds * 1e3 / steps,
        model_ms: None,
        host_ms: (plain.seconds - counted.waited).max(0.0) * 1e3 / steps,
        submissions: counted.submissions as f64 / steps,
        waits: counted.waits as f64 / steps,
        stalls: counted.stalls as f64 / steps,
    }
}

impl Report {
    /// A table for each rule, n, d and adapter.
    pub fn to_text(&self) -> String {
        let cloud = self.settings.kind.map_or("the tokens of a file".into(), |kind| format!("a cloud ({kind})"));
        let mut text = format!(
            "{} tokens; the first {} steps of {cloud}, {} at once; δ = {}\n",
            self.settings.precision, self.steps, self.settings.batch, self.settings.delta
        );
        for table in &self.tables {
            text += &table.to_text();
        }
        for reason in &self.left_out {
            let _ = writeln!(text, "\nleft out: {reason}");
        }
        text
    }
}

impl Table {
    fn to_text(&self) -> String {
        let row = |kernel: &str, dispatches: f64, ms: f64, share: f64| {
            [kernel.to_owned(), format!("{dispatches:.2}"), significant(ms), format!("{:.1} %", share * 100.0)]
        };
        let mut rows: Vec<_> = self.kernels.iter().map(|k| row(k.name, k.dispatches, k.ms, k.share)).collect();
        let share = if self.kernels.is_empty() { 0.0 } else { 1.0 };
        rows.push(row("all", self.kernels.iter().map(|k| k.dispatches).sum(), self.kernels_ms, share));
        format!(
            "\n{}, n = {}, d = {} on {} ({})\n{}{} ms a step in all without timestamps, in {} of them the host works; \
             {:.2} submissions a step, {:.2} waits, {:.2} of them with nothing left to do{}\n",
            self.rule,
            self.n,
            self.d,
            self.adapter,
            self.driver,
            aligned(["kernel", "dispatches a step", "ms a step", "share"], &rows, &[0]),
            significant(self.ms),
            significant(self.host_ms),
            self.submissions,
            self.waits,
            self.stalls,
            self.model_ms
                .map_or(String::new(), |ms| format!("; {} ms by the counts of the last step", significant(ms)))
        )
    }
}
