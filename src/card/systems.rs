//! Larger exact systems: one trajectory on the card, by every plan, and on the CPU engine.

use serde::Serialize;

use super::sizes::{Peaks, Sizes};
use crate::choice::Plan;
use crate::clock::Instant;
use crate::engine;
use crate::error::Result;
use crate::init::Cloud;
use crate::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use crate::schedule::Schedule;
use crate::selftest::{Open, System, plans, trajectory};
use crate::tokens::Precision;

/// A trajectory on one engine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Trajectory {
    /// `cpu` or `card`.
    pub engine: &'static str,
    /// The plan that was asked for.
    pub plan: &'static str,
    /// A hash of all its states, argmaxes and strip sizes.
    pub hash: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Seconds that it took, with what was compiled on the way.
    pub seconds: f64,
}

/// A system on every engine and plan.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Compared {
    /// Rule, dimension and precision.
    pub system: String,
    /// Number of tokens.
    pub n: usize,
    /// Steps.
    pub steps: u64,
    /// The CPU engine's first.
    pub trajectories: Vec<Trajectory>,
    /// Whether all of them have one hash.
    pub equal: bool,
}

/// Every rule, by its name.
fn rules() -> [(&'static str, Rule); 3] {
    let localmax = |strip| Rule::Localmax { delta: Schedule::Constant(0.1), strip };
    [
        ("localmax, score", localmax(StripForm::Score)),
        ("localmax, width", localmax(StripForm::Width)),
        ("hardmax", Rule::Hardmax),
    ]
}

/// Dimensions and precisions of each rule.
const SHAPES: [(usize, Precision); 4] =
    [(3, Precision::F32), (3, Precision::F64), (16, Precision::F32), (64, Precision::F32)];

/// Number of systems.
pub(super) const COUNT: usize = 3 * SHAPES.len();

/// Takes every system on the CPU engine and on the card, and tells of each.
///
/// # Errors
/// Of the list of systems; a failure of an engine is a trajectory without a hash.
pub(super) fn compare(
    on_card: &Open,
    sizes: &Sizes,
    peaks: Peaks,
    mut tell: impl FnMut(&str),
) -> Result<Vec<Compared>> {
    let on_cpu: Open = Box::new(engine::on_cpu);
    let mut all = Vec::new();
    for (name, rule) in rules() {
        for (d, precision) in SHAPES {
            let n = sizes.tokens_of_system(d, precision == Precision::F64, peaks);
            tell(&format!("{name}, n = {n}, d = {d}"));
            let gain = Gain::Alpha(Schedule::Constant(0.5));
            let model = Model::averaging(rule.clone(), Operator::identity(), Mask::FULL, gain);
            let system = System::new(name, model, (n, d), Cloud::Clusters, precision)?;
            let mut trajectories = vec![taken("cpu", &on_cpu, Plan::Auto, &system, sizes.steps)];
            trajectories.extend(plans(&system).iter().map(|&plan| taken("card", on_card, plan, &system, sizes.steps)));
            let hash = &trajectories[0].hash;
            let equal = hash.is_some() && trajectories.iter().all(|other| other.hash == *hash);
            all.push(Compared { system: system.name, n, steps: sizes.steps, trajectories, equal });
        }
    }
    Ok(all)
}

fn taken(engine: &'static str, open: &Open, plan: Plan, system: &System, steps: u64) -> Trajectory {
    let start = Instant::now();
    let found = open(plan, &system.model, &system.tokens, system.grid)
        .and_then(|mut engine| trajectory(engine.as_mut(), system, steps));
    let (hash, error) = match found {
        Ok(hash) => (Some(hash), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Trajectory { engine, plan: plan.name(), hash, error, seconds: start.elapsed().as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::super::sizes::QUICK;
    use super::*;
    use crate::tokens::Tokens;

    /// Tokens that are off by a few units on the card are another trajectory, in every system.
    #[test]
    fn a_wrong_token_is_another_hash() {
        let sizes = Sizes { systems: &[60], ..QUICK };
        let peaks = Peaks { card: 1.0, cpu: 1.0 };
        let compared = |on_card: Open| compare(&on_card, &sizes, peaks, |_| ()).unwrap();
        let right = compared(Box::new(engine::on_cpu));
        assert!(right.len() == COUNT && right.iter().all(|system| system.equal), "{right:#?}");
        let wrong = compared(Box::new(|plan, model, tokens, grid| {
            let moved: Vec<f64> = tokens.to_f64().iter().map(|x| x * 1.000_01).collect();
            engine::on_cpu(plan, model, &grid.snap(&Tokens::from_flat(tokens.n(), tokens.d(), moved)?)?, grid)
        }));
        assert!(wrong.iter().all(|system| !system.equal), "{wrong:#?}");
        let broken = compared(Box::new(|_, _, _, _| Err(crate::error::Error::device("lost"))));
        assert!(broken.iter().all(|system| !system.equal && system.trajectories[1].error.is_some()), "{broken:#?}");
    }
}
