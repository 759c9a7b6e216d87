//! Everything that one asks of a new card, in one go: what it is, whether it is right, and how fast.
//!
//! Correctness comes first. What is wrong is kept, and its speed isn't measured.

mod sizes;
mod speed;
mod systems;
mod table;

use serde::Serialize;
use serde_json::Value;

use crate::bench;
use crate::clock::{self, Instant};
use crate::cpu;
use crate::error::{Error, Result};
use crate::exact;
use crate::gpu::{Adapter, Device, fma_peak};
use crate::selftest::{self, Line, Open, Tested, on_devices};
use crate::tokens::Precision;
use sizes::{FULL, Peaks, QUICK};
use speed::OnPlan;
use systems::Compared;

/// The outcome of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Passed,
    Failed,
    LeftOut,
}

impl Outcome {
    /// As a person reads it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASS",
            Self::Failed => "FAIL",
            Self::LeftOut => "left out",
        }
    }
}

/// A stage that has ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stage {
    pub name: &'static str,
    pub outcome: Outcome,
    /// The findings, or why the stage failed or was left out.
    pub detail: String,
    pub seconds: f64,
}

impl Stage {
    /// Whether what failed in it is not what the card computed.
    pub(crate) fn is_timing(&self) -> bool {
        [SPEED, KERNELS].contains(&self.name)
    }
}

const SPEED: &str = "speed";
const KERNELS: &str = "kernels";

/// The names of an adapter and its driver.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Card {
    pub name: String,
    pub kind: &'static str,
    pub backend: &'static str,
    pub pci: String,
    pub driver: String,
}

/// Everything that was found, as `results.json` has it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Results {
    /// Version of the program.
    pub localmax: &'static str,
    /// Version of the arithmetic.
    pub contract: u32,
    pub card: Card,
    /// The day on this machine's clock (UTC).
    pub date: String,
    /// `full` or `quick`.
    pub sizes: &'static str,
    /// Whether a processor plays the card.
    pub is_rehearsal: bool,
    pub stages: Vec<Stage>,
    /// The adapter in `doctor --json`.
    pub facts: Value,
    pub peaks: Option<Peaks>,
    pub lines: Vec<Line>,
    pub systems: Vec<Compared>,
    pub speed: Vec<OnPlan<bench::Report>>,
    pub kernels: Vec<OnPlan<bench::kernels::Report>>,
}

impl Results {
    fn new(adapter: &Adapter, is_quick: bool) -> Self {
        let (name, pci) = (adapter.name().to_owned(), adapter.pci().to_owned());
        let (kind, backend, driver) = (adapter.kind(), adapter.backend(), adapter.driver());
        Self {
            localmax: env!("CARGO_PKG_VERSION"),
            contract: exact::VERSION,
            card: Card { name, kind, backend, pci, driver },
            date: clock::day(clock::unix_seconds()),
            sizes: if is_quick { "quick" } else { "full" },
            is_rehearsal: adapter.is_software(),
            stages: Vec::new(),
            facts: Value::Null,
            peaks: None,
            lines: Vec::new(),
            systems: Vec::new(),
            speed: Vec::new(),
            kernels: Vec::new(),
        }
    }

    /// The first stage that failed.
    pub(crate) fn failed(&self) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.outcome == Outcome::Failed)
    }
}

/// Takes an adapter, which opened as this device or did not, through all stages, at small sizes where they are
/// asked for or where it is software. `facts` are what `doctor` says of it; `keep` has all results after each
/// stage; `tell` is told what is done, of how much, and what comes next.
///
/// # Errors
/// The errors of `keep`. What fails on the adapter is a stage that failed.
pub(crate) fn run(
    adapter: &Adapter,
    opened: &Result<Device, String>,
    is_quick: bool,
    facts: impl FnOnce() -> Value,
    keep: &mut dyn FnMut(&Results) -> Result<()>,
    tell: &mut dyn FnMut(u64, u64, &str),
) -> Result<Results> {
    let is_quick = is_quick || adapter.is_software();
    let tested = Tested::on_gpu(adapter, opened.clone());
    let sizes = if is_quick { QUICK } else { FULL };
    let timed = speed::count(&sizes);
    let total = 1 + selftest::lines(&tested)? + systems::COUNT + 2 * timed;
    let (mut done, total) = (0, total as u64);
    let mut tell = |what: &str| {
        tell(done, total, what);
        done += 1;
    };
    let mut work = Work { results: Results::new(adapter, is_quick), keep };

    work.stage("card", |results| {
        tell("what the card is");
        results.facts = facts();
        let peaks = match opened {
            Ok(device) => peaks(device)?,
            Err(why) => return Ok(failed(why)),
        };
        results.peaks = Some(peaks);
        Ok(passed(format!("multiply-adds at {:.0} GFLOP/s, on the CPU {:.0}", peaks.card, peaks.cpu)))
    })?;
    work.stage("self-test", |results| {
        selftest::test(&tested, |line| {
            tell(&line.system);
            results.lines.push(line);
        })?;
        Ok(verdict(results.lines.iter().map(|line| (line.passed, format!("{} ({})", line.system, line.plan))), "lines"))
    })?;
    work.stage("larger systems", |results| {
        let (Some(peaks), Ok(device)) = (results.peaks, opened) else {
            return Ok(left_out("the card cannot be used"));
        };
        let on_card: Open = on_devices(vec![device.clone()]);
        results.systems = systems::compare(&on_card, &sizes, peaks, &mut tell)?;
        Ok(verdict(results.systems.iter().map(|system| (system.equal, system.system.clone())), "trajectories"))
    })?;
    work.stage(SPEED, |results| {
        let (Some(peaks), Ok(device), None) = (results.peaks, opened, results.failed()) else {
            return Ok(not_timed());
        };
        results.speed = speed::rows(device, &sizes, peaks, &mut tell)?;
        let rows = results.speed.iter().map(|on_plan| on_plan.report.rows.len()).sum::<usize>();
        Ok(passed(format!("{rows} rows")))
    })?;
    work.stage(KERNELS, |results| {
        let (Some(peaks), None) = (results.peaks, results.failed()) else { return Ok(not_timed()) };
        let device = match Device::open_timed(adapter) {
            Ok(device) => device,
            Err(why) => return Ok(left_out(&why.to_string())),
        };
        results.kernels = speed::kernels(&device, &sizes, peaks, &mut tell)?;
        let tables = results.kernels.iter().map(|on_plan| on_plan.report.tables.len()).sum::<usize>();
        Ok(passed(format!("{tables} tables")))
    })?;
    Ok(work.results)
}

/// The outcome of a stage, and its detail.
type Verdict = (Outcome, String);

fn passed(detail: String) -> Verdict {
    (Outcome::Passed, detail)
}

fn failed(why: &str) -> Verdict {
    (Outcome::Failed, why.to_owned())
}

fn left_out(why: &str) -> Verdict {
    (Outcome::LeftOut, why.to_owned())
}

fn not_timed() -> Verdict {
    left_out("what is wrong is not timed")
}

/// Whether all of some things passed; else how many did not, and the first of them.
fn verdict(all: impl Iterator<Item = (bool, String)>, what: &str) -> Verdict {
    let (right, wrong): (Vec<_>, Vec<_>) = all.partition(|(passed, _)| *passed);
    match wrong.first() {
        None => passed(format!("{} {what}", right.len())),
        Some((_, name)) => {
            failed(&format!("{} of {} {what}, the first {name}", wrong.len(), right.len() + wrong.len()))
        }
    }
}

fn peaks(device: &Device) -> Result<Peaks> {
    let cpu = cpu::fma_peak(Precision::F32, cpu::Options::default())?;
    Ok(Peaks { card: fma_peak(device)?.gflops, cpu })
}

/// Stages in their order, each of which is kept once it has ended.
struct Work<'a> {
    results: Results,
    keep: &'a mut dyn FnMut(&Results) -> Result<()>,
}

impl Work<'_> {
    fn stage(&mut self, name: &'static str, work: impl FnOnce(&mut Results) -> Result<Verdict>) -> Result<()> {
        let start = Instant::now();
        let (outcome, detail) = work(&mut self.results).unwrap_or_else(|error: Error| failed(&error.to_string()));
        self.results.stages.push(Stage { name, outcome, detail, seconds: start.elapsed().as_secs_f64() });
        (self.keep)(&self.results)
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Failed, LeftOut};
    use super::*;
    use crate::gpu::Wanted;

    /// A card that cannot be used is a FAIL that is kept, and no time of it is shown.
    #[test]
    fn a_card_that_does_not_open_fails_and_is_not_timed() {
        let adapter = Adapter::choose(Wanted::Any).expect("`bash tests/run.sh drivers` installs a software driver");
        let (mut kept, mut told) = (Vec::new(), 0);
        let results = run(
            &adapter,
            &Err("wrong sums".into()),
            true,
            || Value::Null,
            &mut |results| {
                kept.push(results.stages.len());
                Ok(())
            },
            &mut |done, total, _| {
                assert!(done < total);
                told += 1;
            },
        );
        let results = results.unwrap();
        let outcomes: Vec<Outcome> = results.stages.iter().map(|stage| stage.outcome).collect();
        assert_eq!(outcomes, [Failed, Failed, LeftOut, LeftOut, LeftOut]);
        assert!(kept == [1, 2, 3, 4, 5] && told == 2, "{kept:?} {told}");
        let table = results.to_markdown();
        for words in ["**FAIL**, card: wrong sums", "FAIL: opening (auto): wrong sums", "what is wrong is not timed"] {
            assert!(table.contains(words), "no {words:?} in {table}");
        }
    }
}
