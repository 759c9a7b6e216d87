//! `localmax selftest --full`: everything that one asks of a new card, into a folder.

use std::fs;
use std::path::Path;

use crate::card::{self, Results, Stage};
use crate::choice;
use crate::cli::progress::Bar;
use crate::cli::{doctor, interrupt, output};
use crate::error::{Error, Result};
use crate::gpu::{Adapter, Device, Wanted};
use crate::io::atomic;
use crate::run::check_free;

/// All results.
const RESULTS: &str = "results.json";
/// The summary of the results.
const TABLE: &str = "table.md";

pub(super) fn run(out: &Path, is_quick: bool) -> Result<()> {
    check_free(out)?;
    let adapter = adapter()?;
    interrupt::watch("nothing was finished", None)?;
    fs::create_dir_all(out).map_err(|error| Error::file(out, error))?;
    if adapter.is_software() {
        output::note(&format!("{} is a software driver: a rehearsal at small sizes", adapter.name()));
    }
    let mut bar: Option<Bar> = None;
    let mut keep = |results: &Results| {
        write(out, results)?;
        results.stages.last().map_or(Ok(()), |stage| output::print(&text(stage)))
    };
    let mut tell = |done, total, what: &str| bar.get_or_insert_with(|| Bar::new(total)).at(done, what);
    let opened = Device::open(&adapter).map_err(|error| error.to_string());
    let results = card::run(&adapter, &opened, is_quick, || doctor::facts(&adapter), &mut keep, &mut tell)?;
    if let Some(mut bar) = bar {
        bar.done();
    }
    output::print(&format!("written: {} and {RESULTS} beside it\n", out.join(TABLE).display()))?;
    results.failed().map_or(Ok(()), |stage| Err(failure(&adapter, stage)))
}

/// The adapter that is named, or the first that is hardware.
fn adapter() -> Result<Adapter> {
    match choice::adapter() {
        Some((by, name)) if name == "cpu" => Err(Error::input(format!(
            "{by} cpu: --full is for a GPU adapter, beside the CPU engine; name one that `localmax doctor` shows"
        ))),
        None if Adapter::all().iter().all(Adapter::is_software) => Err(Error::device(
            "no hardware GPU: install its Vulkan driver (`localmax doctor` says what is seen), or rehearse on a \
             software \
             adapter that is named with --adapter",
        )),
        _ => Adapter::choose(Wanted::Hardware),
    }
}

/// Writes what has been found so far. From then on the process ends at once when it is asked to.
fn write(out: &Path, results: &Results) -> Result<()> {
    interrupt::begin("the results of the last stage");
    let json = serde_json::to_string_pretty(results).map_err(|error| Error::file(out.join(RESULTS), error.into()))?;
    atomic::write(&out.join(RESULTS), |file| writeln!(file, "{json}"))?;
    atomic::write(&out.join(TABLE), |file| file.write_all(results.to_markdown().as_bytes()))?;
    interrupt::finish(format!("{} has the stages that were finished", out.display()))
}

fn text(stage: &Stage) -> String {
    format!("{:<8}  {:<14} {:>6.1} s  {}\n", stage.outcome.word(), stage.name, stage.seconds, stage.detail)
}

fn failure(adapter: &Adapter, stage: &Stage) -> Error {
    let advice = if stage.is_timing() {
        "what it computed before is right; send the folder with a report"
    } else {
        "do not use this adapter: take --engine cpu, and try a newer driver"
    };
    Error::Verification(format!("FAIL on {}, {}: {}; {advice}", adapter.name(), stage.name, stage.detail))
}
