//! `localmax selftest`: is every engine of this machine right?

use serde_json::json;

use super::output;
use super::progress::Bar;
use crate::choice;
use crate::engine;
use crate::error::Error;
use crate::exact;
use crate::selftest::{self, Line, Tested};
use crate::tokens::Precision;

/// Test every engine and adapter of this machine: PASS or FAIL per system, exit 1 on a FAIL
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax selftest                    the CPU engine, then every adapter in turn
  localmax selftest --adapter nvidia   the adapters with this in their names
  localmax selftest --adapter cpu      the CPU engine alone
  localmax selftest --json > card.json to send with a report")]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
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
    let cpu =
        Tested { name: "cpu".into(), real: &[Precision::F32, Precision::F64], open: Ok(Box::new(engine::on_cpu)) };
    match choice::adapter() {
        Some((_, name)) if name == "cpu" => Ok(vec![cpu]),
        Some(_) => gpus(),
        None => Ok(std::iter::once(cpu).chain(gpus()?).collect()),
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
    use crate::gpu::{Adapter, Device};

    let tested = |adapter: Adapter| {
        let (number, name, kind, driver) = (adapter.number(), adapter.name(), adapter.kind(), adapter.driver());
        let open = Device::open(&adapter).map(on).map_err(|error| error.to_string());
        Tested { name: format!("gpu {number} {name} ({kind}; {driver})"), real: &[Precision::F32], open }
    };
    Ok(Adapter::all_named()?.into_iter().map(tested).collect())
}

#[cfg(feature = "gpu")]
fn on(device: crate::gpu::Device) -> selftest::Open {
    Box::new(move |plan, model, tokens, grid| engine::on_gpu(&device, plan, model, tokens, grid))
}

#[cfg(all(test, feature = "gpu"))]
mod tests {
    use super::*;
    use crate::choice::Plan;
    use crate::gpu::{Adapter, Device, Wanted};
    use crate::model::Rule;
    use crate::selftest::Open;

    /// The systems that fail where a text of the shaders is replaced. Some in R³ are on the adapter, by
    /// brute force, and the rest on the CPU: a software driver compiles one for seconds.
    fn failed(right: &'static str, wrong: &'static str) -> Vec<String> {
        let adapter = Adapter::choose(Wanted::Any).expect("`bash tests/run.sh drivers` installs a software driver");
        let gpu = on(Device::open(&adapter).unwrap().with_fault(right, wrong));
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
