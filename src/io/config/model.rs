//! The table `[model]`: the rules and their parameters.

use std::sync::Arc;

use super::document::Item;
use super::graph::is_graph;
use super::keys::{RULES, foreign};
use super::operator::{given, operator, rows, scores, two_sided_scores};
use super::section::{Field, Section};
use crate::choice;
use crate::error::{Error, Result};
use crate::io::nearest::nearest;
use crate::model::{
    Activation, Gain, Geometry, Head, Integrator, Mask, Matrix, Model, Noise, Operator, Perceptron, Rule, Scheme,
    Scoring, Source, Sparse, StripForm, Terms, Truth, Update,
};
use crate::schedule::Schedule;
use crate::tokens::Tokens;

/// Reads the system; `seed` is for the draws of markov.
pub(super) fn read(section: &Section<'_>, seed: u64) -> Result<Model> {
    let names = RULES.map(|(name, _)| name);
    let all = names.join(", ");
    let field = section.need("rule", &format!("one of {all}"))?;
    let text = field.text("the name of a rule")?;
    let Some((name, keys)) = RULES.iter().find(|(name, _)| *name == text) else {
        let nearest = nearest(text, names.into_iter());
        return Err(field.error(format!(": unknown rule {text:?}; the nearest is {nearest:?}, and all are {all}")));
    };
    let allowed = [&["rule", "causal", "mask", "self"], *keys].concat();
    section.allow(&allowed, &field, |key| foreign(key, name, keys))?;

    let mask = mask(section)?;
    let beta = || need(section, "beta", "the inverse temperature, a number or an expression in t of at least 0");
    let rule = match *name {
        "localmax" => localmax(section)?,
        "hardmax" => Rule::Hardmax,
        "frank-wolfe" => Rule::FrankWolfe,
        "softmax" => weighted(section, beta()?)?,
        "markov" => Rule::Markov { beta: beta()?, seed },
        "sphere" => sphere_rule(section, beta()?)?,
        _ => Rule::Softmax { beta: Schedule::Constant(1.0) },
    };
    let heads = match *name {
        "ellipsoid" => heads(section, seed)?,
        "rescaled" => vec![Head { scores: two_sided_scores(section)?, values: given(section, "v")? }],
        _ => vec![Head { scores: scores(section, seed)?, values: operator(section, "v", seed)? }],
    };
    let update = match *name {
        "ellipsoid" => flow(section, Integrator::Rk4, Geometry::Ellipsoid(constant_matrix(section, "w")?))?,
        "sphere" => {
            let geometry = sphere(section)?;
            let is_round = !matches!(&geometry, Geometry::Normalised(scheme) if !scheme.keeps_length());
            flow(section, if is_round { Integrator::EulerRenorm } else { Integrator::Euler }, geometry)?
        }
        "rescaled" => {
            require_constant(section, "v", &heads[0].values.factor)?;
            flow(section, Integrator::Euler, Geometry::Rescaled)?
        }
        _ => {
            let preconditioner = section.get("p").map(|_| operator(section, "p", seed)).transpose()?;
            Update::Average { gain: gain(section)?, preconditioner }
        }
    };
    let omit = section.or("omit", 0.0, Field::number)?;
    let scoring = section.or("scores", Scoring::Inner, |field| field.parsed(Scoring::parse))?;
    Ok(Model { rule, scoring, heads, mask, update, omit, terms: terms(section, seed)?, keys: None, graph: None })
}

/// Most heads that are written as a number of them.
const MOST_HEADS: u64 = 1 << 12;

/// Which keys a row sees.
fn mask(section: &Section<'_>) -> Result<Mask> {
    const NAMES: [(bool, &str); 2] = [(false, "full"), (true, "causal")];
    let causal = section.or("causal", false, Field::boolean)?;
    let mut mask = Mask { causal, own: section.or("self", true, Field::boolean)?, ..Mask::FULL };
    let Some(field) = section.get("mask") else { return Ok(mask) };
    if let Item::Text(name) = &field.value.item {
        let named = choice::find(name, "mask", &NAMES).map_err(|_| {
            let forms = "\"full\", \"causal\", or a table, { window = 5 } or { graph = \"edges.csv\" }";
            field.error(format!(" is {name:?}; it must be {forms}"))
        })?;
        // What the command line says replaces what the file says.
        let given = section.get("causal").map(|causal| causal.place.is_option());
        mask.causal = match (given, field.place.is_option()) {
            (Some(true), false) => causal,
            (Some(false), true) | (None, _) => named,
            _ if causal == named => named,
            _ => return Err(field.error(format!(" is {name:?} beside model.causal = {causal}; keep one of them"))),
        };
        return Ok(mask);
    }
    if is_graph(&field) {
        return Ok(mask); // read once n is known
    }
    let forms = "\"full\", \"causal\" or a table, { window = w } or { graph = \"edges.csv\" }";
    let parts = field.section(forms, &["window", "graph"])?;
    let window = parts.need("window", "the most places between a token and a key that it sees")?.count(1)?;
    mask.window = Some(u32::try_from(window).unwrap_or(u32::MAX));
    Ok(mask)
}

/// Localmax, whose δ is a radius where it is given as `epsilon`.
fn localmax(section: &Section<'_>) -> Result<Rule> {
    let strip = section.or("strip", StripForm::Score, |field| field.parsed(StripForm::parse))?;
    match (section.alternatives(&["delta", "epsilon"])?, section.get("strip")) {
        (Some(epsilon), None) if epsilon.key == "epsilon" => {
            Ok(Rule::Localmax { delta: epsilon.schedule()?, strip: StripForm::Radius })
        }
        // The file's strip goes with the file's delta.
        (Some(epsilon), Some(given)) if epsilon.key == "epsilon" => {
            if strip == StripForm::Radius || (epsilon.place.is_option() && !given.place.is_option()) {
                return Ok(Rule::Localmax { delta: epsilon.schedule()?, strip: StripForm::Radius });
            }
            Err(given
                .error(format!(" = {:?} says what delta is measured in, beside model.epsilon; keep one", strip.name())))
        }
        (Some(delta), _) => Ok(Rule::Localmax { delta: delta.schedule()?, strip }),
        (None, _) => {
            let meaning = "the alignment sensitivity, a number or an expression in t of at least 0";
            Ok(Rule::Localmax { delta: need(section, "delta", meaning)?, strip })
        }
    }
}

/// Names q and k in an error about the matrix A that was made of them.
pub(super) fn rename(error: Error, section: &Section<'_>) -> Error {
    match (error, section.get("q")) {
        (Error::Input { key: Some(key), text }, Some(q))
            if section.get("a").is_none() && (key == "model.a" || key == "model.a.factor") =>
        {
            let whose = if key == "model.a" { "that" } else { "whose factor" };
            q.value.place.error(format!("model.q and model.k give an A = KᵀQ {whose} {text}"))
        }
        (error, _) => error,
    }
}

fn need(section: &Section<'_>, key: &str, meaning: &str) -> Result<Schedule> {
    section.need(key, meaning)?.schedule()
}

fn gain(section: &Section<'_>) -> Result<Gain> {
    match section.alternatives(&["alpha", "gamma"])? {
        Some(field) if field.key == "gamma" => field.schedule().map(Gain::Gamma),
        _ => {
            let meaning = "the step size, a number or an expression in t above 0; or give gamma = alpha/(1+alpha)";
            need(section, "alpha", meaning).map(Gain::Alpha)
        }
    }
}

/// The sphere, or another scheme of normalisation than post.
fn sphere(section: &Section<'_>) -> Result<Geometry> {
    const NAMES: [(&str, &str); 6] =
        [("post", "post"), ("pre", "pre"), ("peri", "peri"), ("mix", "mix"), ("ngpt", "ngpt"), ("cod", "cod")];
    let read = |field: &Field<'_>| field.parsed(|text| choice::find(text, "normalisation", &NAMES));
    let name = section.or("normalisation", "post", read)?;
    for (key, of) in [("switch", "mix"), ("speed", "ngpt")] {
        if let Some(field) = section.get(key).filter(|_| name != of) {
            return Err(field.error(format!(" is of normalisation = {of:?}, not of {name:?}; leave it out")));
        }
    }
    Ok(Geometry::Normalised(match name {
        "pre" => Scheme::Pre,
        "peri" => Scheme::Peri,
        "mix" => {
            Scheme::Mix { switch: section.need("switch", "the time at which post-norm becomes pre-norm")?.number()? }
        }
        "ngpt" => Scheme::Ngpt { speed: section.or("speed", Schedule::Constant(1.0), Field::schedule)? },
        "cod" => Scheme::Cod,
        _ => return Ok(Geometry::Sphere),
    }))
}

/// What moves tokens beside attention.
fn terms(section: &Section<'_>, seed: u64) -> Result<Terms> {
    let bias = section.or("bias", 0.0, Field::number)?;
    let mut terms = Terms { exclusive: section.or("exclusive", false, Field::boolean)?, bias, ..Terms::default() };
    let common = section.or("common", false, Field::boolean)?;
    match (section.get("noise"), section.get("common")) {
        (Some(field), _) => terms.noise = Some(Noise { kappa: field.schedule()?, common, seed }),
        (None, Some(field)) => return Err(field.error(" is of model.noise, which is not given; leave it out")),
        (None, None) => {}
    }
    if let Some(field) = section.get("truth") {
        let parts = field.section("a table { point = [...], weight = ... }", &["point", "weight"])?;
        let point = parts.need("point", "the truth, a list of d numbers")?;
        let coordinates: Vec<f64> =
            point.list("a list of d numbers")?.iter().map(Field::number).collect::<Result<_>>()?;
        let of = Tokens::from_flat(1, coordinates.len(), coordinates).map_err(|e| point.blame(e))?;
        let weight =
            parts.need("weight", "its share of what a token averages, at least 0 and at most 1")?.schedule()?;
        terms.truth = Some(Truth { point: Arc::new(of), weight });
    }
    if let Some(field) = section.get("perceptron") {
        let parts =
            field.section("a table { omega = ..., a = ..., activation = ... }", &["omega", "a", "activation"])?;
        let a = rows(&parts.need("a", "the units a_k, [[...], ...] or \"file.npy\"")?)?;
        let omega = parts.need("omega", "the weights of the units, a number for all or a list")?;
        let omega = match omega.number() {
            Ok(omega) => vec![omega; a.len()],
            Err(_) => omega.list("a number or a list of numbers")?.iter().map(Field::number).collect::<Result<_>>()?,
        };
        let activation = parts.or("activation", Activation::default(), |field| field.parsed(Activation::parse))?;
        terms.perceptron = Some(Perceptron::new(omega, &a, activation)?);
    }
    Ok(terms)
}

/// SA, or USA where the weights do not sum to 1.
fn sphere_rule(section: &Section<'_>, beta: Schedule) -> Result<Rule> {
    let normalized = section.or("normalized", true, Field::boolean)?;
    if let Some(field) = section.get("weights").filter(|_| !normalized) {
        return Err(field.error(" is given beside normalized = false, which is for softmax weights; leave out one"));
    }
    match section.get("origin") {
        Some(field) if normalized => Err(field
            .error(" is the score that weighs 1 where the weights do not sum to 1; it goes with normalized = false")),
        _ if normalized => weighted(section, beta),
        _ => Ok(Rule::Exponential { beta, origin: section.or("origin", 0.0, Field::number)? }),
    }
}

/// The values of `weights`; none is softmax.
const WEIGHTS: [(Option<Weights>, &str); 5] = [
    (None, "softmax"),
    (Some(Weights::Linear(false)), "linear"),
    (Some(Weights::Linear(true)), "relu"),
    (Some(Weights::Sparse(Sparse::Sparsemax)), "sparsemax"),
    (Some(Weights::Sparse(Sparse::Entmax15)), "entmax15"),
];

/// Weights in place of softmax's.
#[derive(Clone, Copy)]
enum Weights {
    Sparse(Sparse),
    Linear(bool),
}

/// Softmax, or the weights that are named in its place.
fn weighted(section: &Section<'_>, beta: Schedule) -> Result<Rule> {
    let read = |field: &Field<'_>| field.parsed(|text| choice::find(text, "weights", &WEIGHTS));
    Ok(match section.or("weights", None, read)? {
        None => Rule::Softmax { beta },
        Some(Weights::Sparse(form)) => Rule::Sparse { beta, form },
        Some(Weights::Linear(rectified)) => Rule::Linear { beta, rectified },
    })
}

fn heads(section: &Section<'_>, seed: u64) -> Result<Vec<Head>> {
    let meaning = "give heads = [{ p = ..., u = ... }, ...]; p and u are the identity unless given";
    let heads = section.need("heads", meaning)?;
    if let Item::Table(_) = &heads.value.item {
        const KEYS: [&str; 3] = ["count", "p", "u"];
        let of = |h: usize| heads.clone().at(h).section("a table", &KEYS);
        let given = heads.section("a table", &KEYS)?.need("count", "the number of heads that p and u are for")?;
        let count = given.count(1)?;
        if count > MOST_HEADS {
            return Err(given.error(format!(" is {count}; it must be at most {MOST_HEADS}")));
        }
        let head = |h| Ok(Head::bilinear(&operator(&of(h)?, "p", seed)?, operator(&of(h)?, "u", seed)?));
        return (0..count as usize).map(head).collect();
    }
    let heads = heads.list("a list of tables, [{ p = ..., u = ... }, ...], or { count = ..., p = ..., u = ... }")?;
    heads
        .into_iter()
        .enumerate()
        .map(|(h, head)| {
            let head = head.at(h).section("a table { p = ..., u = ... }", &["p", "u"])?;
            Ok(Head::bilinear(&operator(&head, "p", seed)?, operator(&head, "u", seed)?))
        })
        .collect()
}

fn flow(section: &Section<'_>, usual: Integrator, geometry: Geometry) -> Result<Update> {
    let dt = section.need("dt", "the length of a step, a number above 0")?.number()?;
    let integrator = section.or("integrator", usual, |field| field.parsed(Integrator::parse))?;
    Ok(Update::Flow { dt, integrator, geometry })
}

fn constant_matrix(section: &Section<'_>, key: &str) -> Result<Matrix> {
    let Operator { source: Source::Constant(matrix), factor } = given(section, key)? else {
        return Ok(Matrix::Identity);
    };
    require_constant(section, key, &factor)?;
    if factor == Schedule::Constant(1.0) { Ok(matrix) } else { matrix.times(factor.at(0, 0.0)) }
}

fn require_constant(section: &Section<'_>, key: &str, factor: &Schedule) -> Result<()> {
    match section.get(key) {
        Some(field) if !factor.is_constant() => {
            Err(field.error(format!(" has the factor {factor}, which changes in time; it must be constant")))
        }
        Some(field) if factor.by_cloud().is_some() => {
            Err(field.error(format!(" has the factor {factor}; it must be one number")))
        }
        _ => Ok(()),
    }
}
