//! `localmax selftest`: does every engine of this machine compute what is promised?

use anyhow::Result;
use serde_json::json;

use super::output;
use crate::choice::Plan;
use crate::engine;
use crate::error::Error;
use crate::exact;
use crate::selftest::{self, Contender, Line, System, systems};

/// Test every engine of this machine on all rules: exact ones against kept hashes, the others against
/// derived bounds; exit 1 on any FAIL
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax selftest                     the CPU engine and every GPU adapter, in turn
  localmax selftest --engines gpu       a new card
  localmax selftest --adapter 0         the first adapter that `localmax doctor` shows
  localmax selftest --json > me.json    a report to send")]
pub(super) struct Arguments {
    /// Engines; gpu is every adapter at hand, software drivers included
    #[arg(long, value_delimiter = ',', default_values = ["cpu", "gpu"], value_parser = ["cpu", "gpu"])]
    engines: Vec<String>,
    /// Only the systems with this text in their names
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let mut systems = systems()?;
    systems.retain(|system| system.name.contains(&arguments.only));
    if systems.is_empty() {
        return Err(Error::input(format!("--only {}: no system has this in its name", arguments.only)).into());
    }
    let wanted = |name: &str| arguments.engines.iter().any(|e| e == name);
    let mut contenders = if wanted("cpu") { vec![cpu()] } else { Vec::new() };
    let mut refused = Vec::new();
    if wanted("gpu") {
        for found in gpus()? {
            match found {
                Ok(contender) => contenders.push(contender),
                Err(error) => refused.push(error.to_string()),
            }
        }
    }
    test(&contenders, &systems, refused, arguments.json)
}

/// Tests each contender in turn; `refused` are adapters whose drivers cannot be tested.
fn test(contenders: &[Contender], systems: &[System], refused: Vec<String>, as_json: bool) -> Result<()> {
    let mut lines: Vec<Line> = Vec::new();
    for contender in contenders {
        let tell = |line: &Line| if as_json { Ok(()) } else { output::print(&format!("{line}\n")) };
        lines.extend(selftest::run(contender, systems, tell)?);
    }
    let failed: Vec<&Line> = lines.iter().filter(|line| !line.passed).collect();
    let passed = failed.is_empty() && refused.is_empty() && !lines.is_empty();
    if as_json {
        let report = json!({
            "localmax": env!("CARGO_PKG_VERSION"), "contract": exact::VERSION, "system": std::env::consts::OS,
            "processor": std::env::consts::ARCH, "passed": passed, "refused": refused, "lines": lines,
        });
        output::print(&format!("{report:#}\n"))?;
    } else {
        for reason in &refused {
            output::print(&format!("FAIL  {reason}\n"))?;
        }
        output::print(&format!("{} of {} passed\n", lines.len() - failed.len(), lines.len() + refused.len()))?;
    }
    let Some(named) = failed.first().map(|l| format!("{}: {}, {}: {}", l.engine, l.system, l.plan, l.detail)) else {
        return match refused.into_iter().next() {
            Some(reason) => Err(Error::device(reason).into()),
            None if lines.is_empty() => Err(Error::device("nothing was tested").into()),
            None => Ok(()),
        };
    };
    let advice = if failed[0].engine == "cpu" { "send --json" } else { "take --engine cpu, and send --json" };
    Err(Error::Verification(format!("{} of {} failed, first {named}; {advice}", failed.len(), lines.len())).into())
}

fn cpu() -> Contender {
    Contender {
        name: "cpu".into(),
        takes: |system, plan| system.model.is_exact() != (plan == Plan::Auto),
        open: Box::new(engine::on_cpu),
    }
}

/// Every adapter, opened, or why it was not.
#[cfg(feature = "gpu")]
fn gpus() -> Result<Vec<Result<Contender, Error>>> {
    use crate::gpu::{Adapter, Device};

    let adapters = Adapter::all_named()?;
    if adapters.is_empty() {
        output::note("no GPU adapter; `localmax doctor` says what is seen");
    }
    let open = |adapter: Adapter| {
        let name = format!("gpu {} {}", adapter.number(), adapter.name());
        Device::open(&adapter).map(|device| gpu(name, device))
    };
    Ok(adapters.into_iter().map(open).collect())
}

#[cfg(feature = "gpu")]
fn gpu(name: String, device: crate::gpu::Device) -> Contender {
    use crate::gpu::ExactGpu;
    use crate::tokens::Precision;

    Contender {
        name,
        takes: |system, plan| match plan {
            Plan::Auto => !system.model.is_exact() && system.precision == Precision::F32,
            Plan::Norm => false,
            plan => system.model.is_exact() && ExactGpu::require(plan, system.d).is_ok(),
        },
        open: Box::new(move |plan, model, tokens, grid| engine::on_gpu(&device, plan, model, tokens, grid)),
    }
}

#[cfg(not(feature = "gpu"))]
fn gpus() -> Result<Vec<Result<Contender, Error>>> {
    Ok(vec![Err(engine::no_gpu())])
}
