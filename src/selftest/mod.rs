//! The self-test: does each engine of this machine compute what is promised?
//!
//! An engine takes some steps of each of [`systems()`], under each of its plans. Exact rules must end
//! in the hash that is kept in this folder, which a test derives anew from the reference; rules in
//! real numbers must stay within the bounds of [`crate::verify`].

mod systems;

use serde::Serialize;

use crate::choice::Plan;
use crate::clock::Instant;
use crate::engine::{Engine, Step, Steps};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::model::Model;
use crate::tokens::Tokens;
use crate::verify::Verifier;
pub use systems::{System, systems};

/// The hash of each exact system after its steps, and its name, a line each.
const HASHES: &str = include_str!("hashes.txt");

/// Rows of a rule in real numbers that are held to their bounds.
const ROWS: usize = 64;

/// Opens an engine on a system's tokens.
type Open = Box<dyn Fn(Plan, &Model, &Tokens, Grid) -> Result<Box<dyn Engine>>>;

/// An engine that is tested.
pub struct Contender {
    /// Its name in the report.
    pub name: String,
    /// Whether it takes a system under a plan.
    pub takes: fn(&System, Plan) -> bool,
    /// Opens it.
    pub open: Open,
}

/// One system on one engine under one plan.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The engine's name.
    pub engine: String,
    /// The system's name.
    pub system: String,
    /// The plan.
    pub plan: &'static str,
    /// Whether it did what is promised.
    pub passed: bool,
    /// What was right or wrong: a hash, a share of a bound, the first breach.
    pub detail: String,
    /// Seconds, with those of compiling.
    pub seconds: f64,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = if self.passed { "PASS" } else { "FAIL" };
        let Self { engine, system, plan, detail, seconds, .. } = self;
        write!(f, "{verdict}  {engine}  {plan:5}  {system:34}  {seconds:6.2} s  {detail}")
    }
}

/// Tests a contender on some systems; `tell` is called after each line. A device that fails ends its
/// test there.
///
/// # Errors
/// The errors of `tell`; a cloud that cannot be drawn.
pub fn run(contender: &Contender, systems: &[System], mut tell: impl FnMut(&Line) -> Result<()>) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for system in systems {
        let start = system.start()?;
        for (plan, name) in Plan::ALL.into_iter().filter(|&(plan, _)| (contender.takes)(system, plan)) {
            let clock = Instant::now();
            let verdict = check(system, &start, &|| (contender.open)(plan, &system.model, &start.0, start.1));
            let lost = matches!(verdict, Err(Error::Device(_)));
            let (passed, detail) = match verdict {
                Ok(detail) => (true, detail),
                Err(error) => (false, error.to_string()),
            };
            let line = Line {
                engine: contender.name.clone(),
                system: system.name.clone(),
                plan: name,
                passed,
                detail,
                seconds: clock.elapsed().as_secs_f64(),
            };
            tell(&line)?;
            lines.push(line);
            if lost {
                return Ok(lines);
            }
        }
    }
    Ok(lines)
}

/// What an engine was right in.
///
/// # Errors
/// [`Error::Verification`] with the first breach; device failures.
fn check(
    system: &System,
    (tokens, grid): &(Tokens, Grid),
    open: &dyn Fn() -> Result<Box<dyn Engine>>,
) -> Result<String> {
    let kept = kept(&system.name);
    if let Some(kept) = kept {
        let found = hash(system, *grid, open()?.as_mut())?;
        if found == kept {
            return Ok(found[..16].into());
        }
    }
    let mut verifier = Verifier::new(&system.model, *grid, tokens.n(), tokens.d(), kept.is_none().then_some(ROWS));
    let mut engine = open()?;
    for t in 0..system.steps() {
        verifier.step(engine.as_mut(), t)?;
    }
    let findings = &verifier.findings;
    match (findings.breaches.first(), kept) {
        (Some(breach), _) => Err(Error::Verification(breach.clone())),
        (None, Some(_)) => Err(Error::Verification("another hash than the reference's, seen in no single step".into())),
        (None, None) => Ok(format!("at most {:.3} of its bound", findings.max_share)),
    }
}

/// The hash of an exact system after its steps, all in one call.
///
/// # Errors
/// Device failures.
pub fn hash(system: &System, grid: Grid, engine: &mut dyn Engine) -> Result<String> {
    let mut steps = Steps::new(&system.model, grid, system.d);
    let steps = (0..system.steps()).map(|t| steps.at(t)).collect::<Result<Vec<Step>>>()?;
    engine.step(&steps)?;
    Ok(engine.tokens()?.hash().to_hex().to_string())
}

/// The hash that is kept of a system; none of rules in real numbers.
pub fn kept(system: &str) -> Option<&'static str> {
    HASHES.lines().filter_map(|line| line.split_once("  ")).find(|(_, name)| *name == system).map(|(hash, _)| hash)
}
