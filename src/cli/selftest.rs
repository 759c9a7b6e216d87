//! `localmax selftest`: is every engine of this machine right?

#[cfg_attr(not(feature = "gpu"), path = "selftest/no_full.rs")]
mod full;

use std::path::PathBuf;

use serde_json::json;

use super::output;
use super::progress::Bar;
use crate::choice;
#[cfg(not(feature = "gpu"))]
use crate::engine;
use crate::error::Error;
use crate::exact;
#[cfg(feature = "gpu")]
use crate::gpu::{Adapter, Device};
use crate::selftest::{self, Line, Tested};

/// Test every engine and adapter of this machine: PASS or FAIL per system, exit 1 on a FAIL
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax selftest                    the CPU engine, then every adapter in turn
  localmax selftest --adapter nvidia   the adapters with this in their names
  localmax selftest --adapter 0,1      two adapters that share the rows of every step
  localmax selftest --adapter cpu      the CPU engine alone
  localmax selftest --json > card.json to send with a report
  localmax selftest --full --out card  everything about a new card, into a new folder

--full takes minutes. Its sizes follow from counted multiply-adds, at a quarter of the peak:
  systems  12, by brute force, tree and the CPU engine: 12 steps of 20000 tokens,
           or of 10000, 5000 or 2000 where the slower one would need more than 4 s
  speed    localmax and softmax in R^3, R^16 and R^64 by brute force,
           localmax and hardmax in R^3 and R^16 by plan auto,
           10^4, 10^5 and 10^6 tokens, each as far as 13 steps need at most 8 s
  kernels  the same, by timestamps
With --quick, and on a software adapter, which is only taken by name (a rehearsal):
  3 steps of 1000 tokens; 5 steps of 1000 and 3000 tokens in R^3")]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Everything about one card: facts, this test, larger systems, speed, kernels; without --adapter
    /// the first that is hardware
    #[arg(long, requires = "out", conflicts_with = "json")]
    full: bool,
    /// Small sizes, in less than a minute on a card
    #[arg(long, requires = "full")]
    quick: bool,
    /// New folder for results.json and table.md
    #[arg(long, value_name = "DIR", requires = "full")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(out) = &arguments.out {
        return Ok(full::run(out, arguments.quick)?);
    }
    let chosen = engines()?;
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

/// The CPU engine, and every adapter, hardware first; or the one of them that is named.
pub(super) fn engines() -> Result<Vec<Tested>, Error> {
    match choice::adapter() {
        Some((_, name)) if name == "cpu" => Ok(vec![Tested::on_cpu()]),
        Some(_) => gpus(),
        None => Ok(std::iter::once(Tested::on_cpu()).chain(gpus()?).collect()),
    }
}

#[cfg(not(feature = "gpu"))]
fn gpus() -> Result<Vec<Tested>, Error> {
    match choice::adapter() {
        Some(_) => Err(engine::no_gpu()),
        None => Ok(Vec::new()),
    }
}

#[cfg(feature = "gpu")]
fn gpus() -> Result<Vec<Tested>, Error> {
    let tested = |all: Vec<Adapter>| Tested::on_gpus(&all, Device::open_all(&all).map_err(|error| error.to_string()));
    Ok(Adapter::all_together()?.into_iter().map(tested).collect())
}

#[cfg(all(test, feature = "gpu"))]
mod tests {
    use super::*;
    use crate::choice::Plan;
    use crate::engine;
    use crate::gpu::Wanted;
    use crate::model::Rule;
    use crate::selftest::{Open, on_devices};
    use crate::tokens::Precision;

    /// The systems that fail where a text of the shaders is replaced. Some in R³ are on the adapter, by
    /// brute force, and the rest on the CPU: a software driver compiles one for seconds.
    fn failed(right: &'static str, wrong: &'static str) -> Vec<String> {
        let adapter = Adapter::choose(Wanted::Any).expect("`bash tests/run.sh drivers` installs a software driver");
        let gpu = on_devices(vec![Device::open(&adapter).unwrap().with_fault(right, wrong)]);
        let open: Open = Box::new(move |plan, model, tokens, grid| {
            let is_chosen = matches!(model.rule, Rule::Localmax { .. } | Rule::Markov { .. });
            let on_gpu = is_chosen && tokens.d() == 3 && plan != Plan::Tree && tokens.precision() == Precision::F32;
            if on_gpu { gpu(plan, model, tokens, grid) } else { engine::on_cpu(plan, model, tokens, grid) }
        });
        let mut failed = Vec::new();
        let tested = Tested { name: "faulty".into(), real: &[Precision::F32], open: Ok(open) };
        selftest::test(&tested, |line| failed.extend((!line.passed).then_some(line.system))).unwrap();
        failed
    }

    /// A self-test that cannot fail says nothing of a card: one wrong bit of one constant is found, in
    /// the rules that it is in and in no other.
    #[test]
    fn one_bit_of_one_constant_is_found() {
        // A multiplier of the generator that draws keys.
        assert_eq!(failed("0xd2511f53u", "0xd2511f51u"), ["markov, d = 3, f32"]);
        // A mask that takes the lower half of a coordinate.
        let exact = failed("let al = a & 4095;", "let al = a & 2047;");
        assert!(!exact.is_empty() && exact.iter().all(|name| name.starts_with("localmax")), "{exact:?}");
    }
}
