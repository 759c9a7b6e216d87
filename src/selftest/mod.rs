//! The self-test: does an engine of this machine compute what it must?
//!
//! Systems under the contract have one trajectory on every engine. `hashes.txt` keeps a hash of
//! each, which a test makes again from the reference: an engine passes where it finds the same.
//! Rules in real numbers are stepped beside the reference, within the bounds that `verify` derives.

mod systems;

use std::time::Duration;

use serde::Serialize;

use crate::choice::Plan;
use crate::clock::Instant;
use crate::engine::{self, Engine, Steps};
use crate::error::{Error, Result};
#[cfg(feature = "gpu")]
use crate::gpu::{Adapter, Device};
use crate::tokens::Precision;
use crate::verify::Verifier;
pub(crate) use systems::{System, real_rules};

/// Steps of the systems under the contract.
const STEPS: u64 = 8;
/// Steps of the rules in real numbers, each beside the reference.
const REAL_STEPS: u64 = 3;
/// Rows of these that are checked in every step.
const ROWS: usize = 100;

/// A line for each system: its hash and its name.
const HASHES: &str = include_str!("hashes.txt");

/// Opens an engine on a system's first state.
pub(crate) type Open =
    Box<dyn Fn(Plan, &crate::model::Model, &crate::tokens::Tokens, crate::exact::Grid) -> Result<Box<dyn Engine>>>;

/// An engine to test.
pub(crate) struct Tested {
    /// Its name, with the adapter.
    pub name: String,
    /// The precisions of its rules in real numbers.
    pub real: &'static [Precision],
    /// Makes it; or why it can't be made at all.
    pub open: std::result::Result<Open, String>,
}

impl Tested {
    /// The CPU engine.
    pub(crate) fn on_cpu() -> Self {
        let real = &[Precision::F32, Precision::F64];
        Self { name: "cpu".into(), real, open: Ok(Box::new(engine::on_cpu)) }
    }

    /// The GPU engine on an adapter, which opened as this device, or did not.
    #[cfg(feature = "gpu")]
    pub(crate) fn on_gpu(adapter: &Adapter, opened: Result<Device, String>) -> Self {
        Self::on_gpus(std::slice::from_ref(adapter), opened.map(|device| vec![device]))
    }

    /// The GPU engine on some adapters that share the rows.
    #[cfg(feature = "gpu")]
    pub(crate) fn on_gpus(adapters: &[Adapter], opened: Result<Vec<Device>, String>) -> Self {
        let name = |a: &Adapter| format!("{} {} ({}; {})", a.number(), a.name(), a.kind(), a.driver());
        let names: Vec<String> = adapters.iter().map(name).collect();
        Self { name: format!("gpu {}", names.join(" + ")), real: &[Precision::F32], open: opened.map(on_devices) }
    }
}

/// Opens the GPU engine on devices that share the rows.
#[cfg(feature = "gpu")]
pub(crate) fn on_devices(devices: Vec<Device>) -> Open {
    Box::new(move |plan, model, tokens, grid| engine::on_gpus(&devices, plan, model, tokens, grid))
}

/// What a system showed on an engine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// The engine, with the adapter.
    pub engine: String,
    /// The system; the opening of the engine where that failed.
    pub system: String,
    /// The plan that was asked for.
    pub plan: &'static str,
    /// Whether it passed.
    pub passed: bool,
    /// What was wrong, or what was compared.
    pub detail: String,
    /// Seconds that it took, with what is compiled on the way.
    pub seconds: f64,
}

/// Number of lines that an engine makes if it can be opened.
///
/// # Errors
/// As [`test`].
pub(crate) fn lines(tested: &Tested) -> Result<usize> {
    let exact = systems::exact()?.iter().map(|system| plans(system).len()).sum::<usize>();
    let real = tested.real.iter().map(|&precision| Ok(systems::real(precision)?.len())).sum::<Result<usize>>()?;
    Ok(if tested.open.is_ok() { exact + real } else { 1 })
}

/// Tests an engine, line by line.
///
/// # Errors
/// Of the list of systems; a failure of the engine is a line.
pub(crate) fn test(tested: &Tested, mut say: impl FnMut(Line)) -> Result<()> {
    let line = |system: &str, plan: Plan, (passed, detail), seconds: Duration| Line {
        engine: tested.name.clone(),
        system: system.into(),
        plan: plan.name(),
        passed,
        detail,
        seconds: seconds.as_secs_f64(),
    };
    let open = match &tested.open {
        Ok(open) => open,
        Err(why) => {
            say(line("opening", Plan::Auto, (false, why.clone()), Duration::ZERO));
            return Ok(());
        }
    };
    for system in systems::exact()? {
        for &plan in plans(&system) {
            let start = Instant::now();
            let found = open(plan, &system.model, &system.tokens, system.grid)
                .and_then(|mut engine| trajectory(engine.as_mut(), &system, STEPS));
            let outcome = match found {
                Ok(hash) if Some(hash.as_str()) == kept(&system.name) => (true, hash),
                Ok(hash) => (false, format!("{hash}, where {} is right", kept(&system.name).unwrap_or("none kept"))),
                Err(error) => (false, error.to_string()),
            };
            say(line(&system.name, plan, outcome, start.elapsed()));
        }
    }
    for &precision in tested.real {
        for system in systems::real(precision)? {
            let start = Instant::now();
            let found = open(Plan::Auto, &system.model, &system.tokens, system.grid)
                .and_then(|mut engine| within_bounds(engine.as_mut(), &system));
            let outcome = found.unwrap_or_else(|error| (false, error.to_string()));
            say(line(&system.name, Plan::Auto, outcome, start.elapsed()));
        }
    }
    Ok(())
}

/// The plans that a system is asked for.
pub(crate) fn plans(system: &System) -> &'static [Plan] {
    if system.has_tree { &[Plan::Brute, Plan::Tree] } else { &[Plan::Brute] }
}

/// The hash of a system's trajectory that is kept.
fn kept(name: &str) -> Option<&'static str> {
    HASHES.lines().find_map(|line| line.split_once("  ").filter(|(_, kept)| *kept == name)).map(|(hash, _)| hash)
}

/// A hash of all states, argmaxes and strip sizes of the first steps, 16 hexadecimal digits.
///
/// # Errors
/// A failure of the engine.
pub(crate) fn trajectory(engine: &mut dyn Engine, system: &System, steps: u64) -> Result<String> {
    let mut parameters = Steps::new(&system.model, system.grid, system.tokens.d());
    let mut hasher = blake3::Hasher::new();
    for t in 0..steps {
        engine.step(&[parameters.at(t)?])?;
        hasher.update(engine.tokens()?.hash().as_bytes());
        let strips = engine.strips()?;
        for v in strips.argmax.iter().chain(&strips.count) {
            hasher.update(&v.to_le_bytes());
        }
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

/// Whether some steps stay within the derived bounds.
fn within_bounds(engine: &mut dyn Engine, system: &System) -> Result<(bool, String)> {
    let mut verifier = Verifier::new(&system.model, system.grid, system.tokens.n(), system.tokens.d(), Some(ROWS));
    for t in 0..REAL_STEPS {
        verifier.step(engine, t)?;
    }
    let findings = &verifier.findings;
    Ok(match findings.breaches.first() {
        _ if findings.passed() => (true, format!("errors up to {:.1e} of their bounds", findings.max_share)),
        Some(breach) => (false, breach.clone()),
        None => return Err(Error::device("the check failed without a breach")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{on_cpu, on_reference};

    /// If a kept hash were not the reference's, every engine that is right would fail, and one that
    /// is wrong might pass.
    #[test]
    fn kept_hashes_are_the_reference() {
        let line = |system: System| {
            let mut engine = on_reference(Plan::Brute, &system.model, &system.tokens, system.grid).unwrap();
            format!("{}  {}\n", trajectory(engine.as_mut(), &system, STEPS).unwrap(), system.name)
        };
        let found: String = systems::exact().unwrap().into_iter().map(line).collect();
        assert!(found == HASHES, "src/selftest/hashes.txt should be\n{found}");
    }

    fn outcomes(open: Open) -> Vec<Line> {
        let mut lines = Vec::new();
        let real = &[Precision::F32, Precision::F64];
        test(&Tested { name: "it".into(), real, open: Ok(open) }, |line| lines.push(line)).unwrap();
        lines
    }

    /// A self-test that passes an engine whose tokens are a few units off would pass a wrong kernel.
    #[test]
    fn an_engine_of_another_system_fails() {
        let right = outcomes(Box::new(on_cpu));
        assert!(right.iter().all(|line| line.passed), "{right:#?}");
        let wrong = outcomes(Box::new(|plan, model, tokens, grid| {
            let moved: Vec<f64> = tokens.to_f64().iter().map(|x| x * 1.000_001).collect();
            on_cpu(plan, model, &grid.snap(&crate::tokens::Tokens::from_flat(tokens.n(), tokens.d(), moved)?)?, grid)
        }));
        let passed: Vec<&str> = wrong.iter().filter(|line| line.passed).map(|line| &*line.system).collect();
        assert!(wrong.len() == right.len() && passed.iter().all(|name| !name.contains("localmax")), "{passed:?}");
    }
}
