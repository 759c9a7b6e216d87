//! The table `[model]`: the rules and their parameters.

use super::document::Item;
use super::operator::{operator, operator_of_head, scores, two_sided_scores};
use super::section::{Section, nearest, only_keys};
use crate::choice;
use crate::error::Result;
use crate::model::{Gain, Geometry, Head, Integrator, Mask, Matrix, Model, Rule, StripForm, Update};
use crate::schedule::Schedule;

/// Every rule with its keys, beside `rule` and `causal`.
const RULES: [(&str, &[&str]); 8] = [
    ("localmax", &["alpha", "gamma", "delta", "strip", "a", "q", "k", "v"]),
    ("hardmax", &["alpha", "gamma", "a", "q", "k", "v"]),
    ("frank-wolfe", &["gamma", "alpha", "a", "q", "k", "p"]),
    ("softmax", &["alpha", "gamma", "beta", "omit", "a", "q", "k", "v"]),
    ("markov", &["alpha", "gamma", "beta", "a", "q", "k"]),
    ("ellipsoid", &["w", "heads", "dt", "integrator"]),
    ("sphere", &["beta", "omit", "q", "k", "v", "normalized", "origin", "dt", "integrator"]),
    ("rescaled", &["a", "q", "k", "v", "dt", "integrator"]),
];

/// Keys that play like parts: where a rule does not take one, it may take another of its group.
const ALIKE: [&[&str]; 5] = [
    &["a", "q", "heads"],
    &["k", "q", "heads"],
    &["v", "p", "heads", "a"],
    &["alpha", "gamma", "dt"],
    &["delta", "beta", "heads"],
];

/// Reads the system. `seed` is the one of markov's draws.
pub(super) fn read(section: &Section<'_>, seed: u64) -> Result<Model> {
    let names = RULES.map(|(name, _)| name);
    let value = section.need("rule", &format!("one of {}", names.join(", ")))?;
    let text = section.text("rule", value, "the name of a rule")?;
    let Some((name, keys)) = RULES.iter().find(|(name, _)| *name == text) else {
        return Err(value.place.error(format!(
            "model.rule: unknown rule {text:?}; the nearest is {:?}, and all are {}",
            nearest(text, names.into_iter()),
            names.join(", ")
        )));
    };
    let chosen = section.entry("rule").map_or(&value.place, |entry| &entry.place);
    let allowed: Vec<&str> = ["rule", "causal"].iter().chain(*keys).copied().collect();
    section.allow(&allowed, chosen, |key| foreign(key, name, keys))?;

    let causal = section.get("causal").map_or(Ok(false), |value| section.boolean("causal", value))?;
    let mask = if causal { Mask::Causal } else { Mask::Full };
    let beta = || need(section, "beta", "the inverse temperature, a number or an expression in t of at least 0");
    let rule = match *name {
        "localmax" => Rule::Localmax {
            delta: need(section, "delta", "the alignment sensitivity, a number or an expression in t of at least 0")?,
            strip: section.named("strip", |t| choice::named(t, "strip", &StripForm::ALL), StripForm::Score)?,
        },
        "hardmax" => Rule::Hardmax,
        "frank-wolfe" => Rule::FrankWolfe,
        "softmax" => Rule::Softmax { beta: beta()? },
        "markov" => Rule::Markov { beta: beta()?, seed },
        "sphere" => sphere_rule(section, beta()?)?,
        _ => Rule::Softmax { beta: Schedule::Constant(1.0) },
    };
    let heads = match *name {
        "ellipsoid" => heads(section)?,
        "rescaled" => vec![Head { scores: two_sided_scores(section)?, values: operator(section, "v")? }],
        _ => vec![Head { scores: scores(section)?, values: operator(section, "v")? }],
    };
    let update = match *name {
        "ellipsoid" => flow(section, Integrator::Rk4, Geometry::Ellipsoid(constant_matrix(section, "w")?))?,
        "sphere" => flow(section, Integrator::EulerRenorm, Geometry::Sphere)?,
        "rescaled" => {
            constant_factor(section, "v", &heads[0].values.factor)?;
            flow(section, Integrator::Euler, Geometry::Rescaled)?
        }
        _ => {
            let preconditioner = section.get("p").map(|_| operator(section, "p")).transpose()?;
            Update::Average { gain: gain(section)?, preconditioner }
        }
    };
    let omit = section.get("omit").map_or(Ok(0.0), |value| section.number("omit", value))?;
    Ok(Model { rule, heads, mask, update, omit })
}

fn need(section: &Section<'_>, key: &str, meaning: &str) -> Result<Schedule> {
    section.need(key, meaning).and_then(|value| section.schedule(key, value))
}

/// Why a rule does not take a key, and what it takes instead.
fn foreign(key: &str, rule: &str, keys: &[&str]) -> String {
    let takes = |candidate: &&&str| keys.contains(*candidate);
    let alike = ALIKE.iter().filter(|group| group.contains(&key)).find_map(|group| group.iter().find(takes));
    let nearest = alike.copied().unwrap_or_else(|| nearest(key, keys.iter().copied()));
    let why = match key {
        "dt" | "integrator" => ", which moves in steps, not in time;",
        _ => ", which",
    };
    format!("is no parameter of {rule}{why} takes {} and causal; the nearest is model.{nearest}", keys.join(", "))
        .replace("; takes", "; it takes")
}

fn gain(section: &Section<'_>) -> Result<Gain> {
    match section.alternatives(&["alpha", "gamma"])? {
        Some(entry) if entry.key == "gamma" => Ok(Gain::Gamma(section.schedule("gamma", &entry.value)?)),
        _ => Ok(Gain::Alpha(need(
            section,
            "alpha",
            "the step size, a number or an expression in t above 0; or give gamma = alpha/(1+alpha)",
        )?)),
    }
}

/// SA, or USA where the weights do not sum to 1.
fn sphere_rule(section: &Section<'_>, beta: Schedule) -> Result<Rule> {
    let normalized = section.get("normalized").map_or(Ok(true), |value| section.boolean("normalized", value))?;
    match section.get("origin") {
        Some(value) if normalized => Err(value.place.error(
            "model.origin is the score that weighs 1 where the weights do not sum to 1; it goes with normalized = false",
        )),
        _ if normalized => Ok(Rule::Softmax { beta }),
        value => {
            let origin = value.map_or(Ok(0.0), |value| section.number("origin", value))?;
            Ok(Rule::Exponential { beta, origin })
        }
    }
}

fn heads(section: &Section<'_>) -> Result<Vec<Head>> {
    let meaning = "give heads = [{ p = ..., u = ... }, ...]; p and u are the identity unless given";
    let value = section.need("heads", meaning)?;
    let expected = || value.place.error(format!("model.heads must be a list of tables: {meaning}"));
    let Item::List(list) = &value.item else { return Err(expected()) };
    list.iter()
        .enumerate()
        .map(|(h, item)| {
            let Item::Table(head) = &item.item else { return Err(expected()) };
            only_keys(&format!("model.heads[{h}]"), head, &["p", "u"])?;
            let p = operator_of_head(section, h, head, "p")?;
            Ok(Head::bilinear(&p, operator_of_head(section, h, head, "u")?))
        })
        .collect()
}

fn flow(section: &Section<'_>, usual: Integrator, geometry: Geometry) -> Result<Update> {
    let dt = section.number("dt", section.need("dt", "the length of a step, a number above 0")?)?;
    let integrator = section.named("integrator", |t| choice::named(t, "integrator", &Integrator::ALL), usual)?;
    Ok(Update::Flow { dt, integrator, geometry })
}

fn constant_matrix(section: &Section<'_>, key: &str) -> Result<Matrix> {
    let given = operator(section, key)?;
    constant_factor(section, key, &given.factor)?;
    match (given.matrix, given.factor) {
        (matrix, Schedule::Constant(1.0)) => Ok(matrix),
        (matrix, factor) => matrix.times(factor.at(0, 0.0)),
    }
}

fn constant_factor(section: &Section<'_>, key: &str, factor: &Schedule) -> Result<()> {
    match section.get(key) {
        Some(value) if !factor.is_constant() => Err(value
            .place
            .error(format!("model.{key} has the factor {factor}, which changes in time; it must be constant"))),
        _ => Ok(()),
    }
}
