//! The plans that engines have, by the model's arithmetic.

use crate::choice::Plan;
use crate::error::{Error, Result};
use crate::model::{Mask, Model, Moment, Scoring};

/// Checks that the reference has this plan.
pub(super) fn reference_plan(plan: Plan) -> Result<()> {
    only_brute(plan, "the reference")
}

/// Checks that the CPU engine has this plan for this model of tokens in R^d.
pub(super) fn cpu_plan(plan: Plan, model: &Model, d: usize) -> Result<()> {
    if !model.is_exact() {
        return only_brute(plan, &format!("the cpu engine's {}", model.name()));
    }
    if model.scoring == Scoring::Distance && model.mask.is_prefix() {
        return match plan {
            Plan::Filter | Plan::Norm | Plan::Direction | Plan::Opened => Err(Error::input(format!(
                "the cpu engine has no plan {:?} where scores are distances; take auto, brute or tree",
                plan.name()
            ))),
            _ => Ok(()),
        };
    }
    if let Some(given) = compared_by_pairs(model) {
        return only_brute(plan, &format!("the cpu engine, where {given},"));
    }
    let lacks = if !(2..=3).contains(&d) {
        format!("for tokens in R^{d}, only in R^2 and R^3")
    } else if model.mask != Mask::FULL {
        "under a causal mask".into()
    } else {
        return Ok(());
    };
    match plan {
        Plan::Direction => Err(Error::input(format!(
            "the cpu engine has no plan \"direction\" {lacks}; take auto, brute, filter, norm or tree"
        ))),
        _ => Ok(()),
    }
}

/// The reason why no search serves an exact rule: rows see ranges of keys, or not their own, or fixed ones; or they do
/// not move alike.
pub(super) fn compared_by_pairs(model: &Model) -> Option<String> {
    match model.mask {
        _ if !model.is_exact() => None,
        mask if mask.is_prefix() => own(model),
        Mask { fixed: 1.., .. } => Some("keys are fixed".into()),
        Mask { graph: true, .. } => Some("model.mask is a graph".into()),
        Mask { window: Some(w), .. } => Some(format!("model.mask is {{ window = {w} }}")),
        _ => Some("model.self is false".into()),
    }
}

/// What tokens have of their own, or are drawn to, in words.
pub(super) fn own(model: &Model) -> Option<String> {
    let key = model.own_key()?;
    Some(if key == "model.truth" { format!("{key} is given") } else { format!("{key} is by token") })
}

/// The plan that the CPU engine takes where this one is asked for.
pub(super) fn taken(plan: Plan, model: &Model) -> Plan {
    let has_search = model.scoring == Scoring::Distance && model.mask.is_prefix();
    if !has_search && compared_by_pairs(model).is_some() { Plan::Brute } else { plan }
}

/// Whether strips have width 0 in the first step.
pub(super) fn has_thin_strips(model: &Model) -> bool {
    model.is_exact() && model.delta_at(Moment::of_step(0)).is_ok_and(|delta| delta == 0.0)
}

/// Refuses the plans that an engine or a rule lacks.
pub(super) fn only_brute(plan: Plan, who: &str) -> Result<()> {
    match plan {
        Plan::Auto | Plan::Brute => Ok(()),
        Plan::Filter | Plan::Norm | Plan::Tree | Plan::Direction | Plan::Opened => Err(Error::input(format!(
            "{who} has no plan {:?}: it compares every pair; take auto or brute",
            plan.name()
        ))),
    }
}
