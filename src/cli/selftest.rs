//! `localmax selftest`: is every engine of this machine right?

use serde_json::json;

use super::output;
use super::progress::Bar;
use crate::choice::Plan;
use crate::engine;
use crate::error::Error;
use crate::exact;
use crate::exact::Grid;
use crate::model::Model;
use crate::selftest::{self, Line, Open, Tested};
use crate::tokens::{Precision, Tokens};

/// Test every engine and adapter of this machine: PASS or FAIL per system, exit 1 on a FAIL
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax selftest                    the CPU engine, then every adapter in turn
  localmax selftest --adapter nvidia   the adapters with this in their names
  localmax selftest --json > card.json to send with a report")]
pub(super) struct Arguments {
    /// Adapters to test: a part of their names; `cpu` is the CPU engine. Otherwise all
    #[arg(long, value_name = "NAME")]
    adapter: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let all = engines();
    let names = all.iter().map(|tested| tested.name.clone()).collect::<Vec<_>>().join(", ");
    let part = arguments.adapter.as_deref().unwrap_or("").to_lowercase();
    let chosen: Vec<Tested> = all.into_iter().filter(|tested| tested.name.to_lowercase().contains(&part)).collect();
    if chosen.is_empty() {
        return Err(Error::device(format!("no engine has {part:?} in its name (found: {names})")).into());
    }
    let total = chosen.iter().map(selftest::lines).sum::<crate::error::Result<usize>>()?;
    let mut lines: Vec<Line> = Vec::new();
    let mut bar = Bar::new(total as u64);
    for tested in &chosen {
        let mut failed = None;
        if !arguments.json {
            output::print(&format!("{}\n", tested.name))?;
        }
        selftest::test(tested, |line| {
            if !arguments.json && failed.is_none() {
                failed = output::print(&text(&line)).err();
            }
            lines.push(line);
            bar.at(lines.len() as u64, "");
        })?;
        failed.map_or(Ok(()), Err)?;
    }
    let wrong: Vec<&Line> = lines.iter().filter(|line| !line.passed).collect();
    if arguments.json {
        let all = json!({
            "localmax": env!("CARGO_PKG_VERSION"),
            "contract": exact::VERSION,
            "passed": wrong.is_empty(),
            "lines": lines,
        });
        output::print(&format!("{all:#}\n"))?;
    } else {
        output::print(&format!("{} of {} lines passed\n", lines.len() - wrong.len(), lines.len()))?;
    }
    let Some(first) = wrong.first() else { return Ok(()) };
    let advice = if first.engine.starts_with("gpu") {
        "do not use this adapter: take --engine cpu, and try a newer driver"
    } else {
        "do not use this machine for results"
    };
    let count = wrong.len();
    Err(Error::Verification(format!(
        "{count} FAIL, the first {} ({}) on {}; {advice}",
        first.system, first.plan, first.engine
    ))
    .into())
}

fn text(line: &Line) -> String {
    let verdict = if line.passed { "PASS" } else { "FAIL" };
    format!("  {verdict}  {:<42} {:<6} {:>6.2} s  {}\n", line.system, line.plan, line.seconds, line.detail)
}

/// The CPU engine, and every adapter, hardware first.
fn engines() -> Vec<Tested> {
    let mut all = vec![Tested {
        name: "cpu".into(),
        real: &[Precision::F32, Precision::F64],
        open: Ok(Box::new(engine::on_cpu)),
    }];
    add_gpus(&mut all);
    all
}

#[cfg(not(feature = "gpu"))]
fn add_gpus(_: &mut Vec<Tested>) {}

#[cfg(feature = "gpu")]
fn add_gpus(all: &mut Vec<Tested>) {
    for adapter in crate::gpu::Adapter::all() {
        let name = format!("gpu {} ({}; {})", adapter.name(), adapter.kind(), adapter.driver());
        let open = crate::gpu::Device::open(&adapter).map_err(|error| error.to_string()).map(|device| -> Open {
            Box::new(move |plan: Plan, model: &Model, tokens: &Tokens, grid: Grid| {
                engine::on_gpu(&device, plan, model, tokens, grid)
            })
        });
        all.push(Tested { name, real: &[Precision::F32], open });
    }
}
