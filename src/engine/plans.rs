//! The plans that engines have, by the model's arithmetic.

use crate::choice::Plan;
use crate::error::{Error, Result};
use crate::model::Model;

/// Checks that the reference has this plan.
pub(super) fn reference_plan(plan: Plan) -> Result<()> {
    only_brute(plan, "the reference")
}

/// Checks that the CPU engine has this plan for this model.
pub(super) fn cpu_plan(plan: Plan, model: &Model) -> Result<()> {
    if model.is_exact() { Ok(()) } else { only_brute(plan, &format!("the cpu engine's {}", model.name())) }
}

/// Refuses the plans that an engine or a rule lacks.
pub(super) fn only_brute(plan: Plan, who: &str) -> Result<()> {
    match plan {
        Plan::Auto | Plan::Brute => Ok(()),
        Plan::Filter | Plan::Norm | Plan::Tree => Err(Error::input(format!(
            "{who} has no plan {:?}: it compares every pair; take auto or brute",
            plan.name()
        ))),
    }
}
