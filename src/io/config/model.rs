//! The table `[model]`: DESIGN 5's rules and their parameters.

use super::document::{Entry, Item, Value};
use super::section::{Section, nearest};
use crate::choice;
use crate::error::{Error, Result};
use crate::io::npy;
use crate::model::{Gain, Mask, Matrix, Model, Rule, Scores, StripForm};
use crate::schedule::Schedule;

const LOCALMAX: &[&str] = &["rule", "alpha", "delta", "strip", "a", "q", "k", "causal"];
const HARDMAX: &[&str] = &["rule", "alpha", "a", "q", "k", "causal"];
const RULES: [&str; 2] = ["localmax", "hardmax"];
const LATER: [&str; 6] = ["frank-wolfe", "softmax", "markov", "ellipsoid", "sphere", "rescaled"];

/// Reads the system.
pub(super) fn read(section: &Section<'_>) -> Result<Model> {
    let value = section.need("rule", "\"localmax\" or \"hardmax\"")?;
    let name = section.text("rule", value, "the name of a rule")?;
    let keys = match name {
        "localmax" => LOCALMAX,
        "hardmax" => HARDMAX,
        _ if LATER.contains(&name) => {
            return Err(value.place.error(format!(
                "model.rule: {name:?} is a known rule that this version does not run yet; it runs {}",
                RULES.join(" and ")
            )));
        }
        _ => {
            return Err(value.place.error(format!(
                "model.rule: unknown rule {name:?}; the nearest is {:?}, and this version runs {}",
                nearest(name, RULES.iter().chain(&LATER).copied()),
                RULES.join(" and ")
            )));
        }
    };
    let rule = section.entry("rule").map_or(&value.place, |entry| &entry.place);
    section.allow(keys, rule, |key| foreign(key, name, keys))?;

    let needed = |key, meaning| section.need(key, meaning).and_then(|value| section.schedule(key, value));
    let gain = Gain::Alpha(needed("alpha", "the step size, a number or an expression in t above 0")?);
    let rule = if name == "hardmax" {
        Rule::Hardmax
    } else {
        Rule::Localmax {
            delta: needed("delta", "the alignment sensitivity, a number or an expression in t of at least 0")?,
            strip: section.named("strip", |t| choice::named(t, "strip", &StripForm::ALL), StripForm::Score)?,
        }
    };
    let causal = section.get("causal").map_or(Ok(false), |value| section.boolean("causal", value))?;
    let mask = if causal { Mask::Causal } else { Mask::Full };
    Ok(Model::averaging(rule, scores(section)?, mask, gain))
}

fn foreign(key: &str, rule: &str, keys: &[&str]) -> String {
    match key {
        "gamma" => format!("is not taken by {rule}; give alpha = gamma/(1-gamma) instead"),
        "v" => "(values apart from the tokens) is known but not in this version; remove it".into(),
        _ => format!("is no parameter of {rule}, which takes {}; remove it", keys[1..].join(", ")),
    }
}

fn scores(section: &Section<'_>) -> Result<Scores> {
    let mut given: Vec<&Entry> = ["a", "q", "k"].iter().filter_map(|key| section.entry(key)).collect();
    if given.iter().any(|entry| entry.place.is_option()) {
        given.retain(|entry| entry.place.is_option() || entry.key != "a");
        if given.iter().any(|entry| entry.key == "a" && entry.place.is_option()) {
            given.retain(|entry| entry.place.is_option());
        }
    }
    match given[..] {
        [] => Ok(Scores { matrix: Matrix::Identity, factor: Schedule::Constant(1.0) }),
        [a] if a.key == "a" => {
            let given = Given::read(section, "a", &a.value)?;
            Ok(Scores { matrix: given.matrix.square().map_err(|e| a.value.place.blame(e))?, factor: given.factor })
        }
        [q, k] if q.key == "q" && k.key == "k" => {
            let (left, right) = (Given::read(section, "q", &q.value)?, Given::read(section, "k", &k.value)?);
            let matrix = query_key(left.matrix, right.matrix).map_err(|e| k.value.place.blame(e))?;
            Ok(Scores { matrix, factor: product(&left.factor, &right.factor)? })
        }
        [lone] => {
            let other = if lone.key == "q" { "k" } else { "q" };
            Err(section.missing(other, &format!("model.{} is given, and A = KᵀQ needs both", lone.key)))
        }
        _ => Err(given[1].place.error("model.a beside model.q or model.k; give either a, or q and k")),
    }
}

/// A matrix as it was given: any shape, any factor.
struct Given {
    matrix: Shape,
    factor: Schedule,
}

enum Shape {
    /// c·I of any size.
    Multiple(f64),
    /// Rows of equal length.
    Rows(Vec<Vec<f64>>),
}

impl Shape {
    fn square(self) -> Result<Matrix> {
        match self {
            Self::Multiple(c) => Matrix::multiple(c),
            Self::Rows(rows) => Matrix::dense(&rows),
        }
        .map_err(|e| Error::input(format!("model.a: {e}")))
    }
}

impl Given {
    fn read(section: &Section<'_>, key: &str, value: &Value) -> Result<Self> {
        let expected = || {
            value.place.error(format!(
                "model.{key} must be \"identity\", a number, [[...], ...], \"file.npy\" or \
                 {{ matrix = ..., factor = \"...\" }}, found {}",
                value.item
            ))
        };
        let factor = Schedule::Constant(1.0);
        match &value.item {
            Item::Integer(_) | Item::Float(_) => {
                Ok(Self { matrix: Shape::Multiple(section.number(key, value)?), factor })
            }
            Item::Text(text) if text == "identity" => Ok(Self { matrix: Shape::Multiple(1.0), factor }),
            Item::Text(text) if text.to_ascii_lowercase().ends_with(".npy") => {
                let path = section.path(value, text)?;
                let rows = npy::read_matrix(&path).map_err(|e| value.place.blame(e))?;
                Ok(Self { matrix: Shape::Rows(rows), factor })
            }
            Item::List(_) => Ok(Self { matrix: Shape::Rows(section.rows(key, value)?), factor }),
            Item::Table(table) => {
                if let Some(entry) = table.entries.iter().find(|e| !["matrix", "factor"].contains(&e.key.as_str())) {
                    let nearest = nearest(&entry.key, ["matrix", "factor"].into_iter());
                    return Err(entry.place.error(format!(
                        "unknown key \"model.{key}.{}\"; the nearest known key is \"model.{key}.{nearest}\"",
                        entry.key
                    )));
                }
                let matrix = table.entry("matrix").ok_or_else(|| {
                    value.place.error(format!("model.{key}.matrix is missing: the matrix that factor multiplies"))
                })?;
                if matches!(matrix.value.item, Item::Table(_)) {
                    return Err(matrix.value.place.error(format!("model.{key}.matrix must not be a table again")));
                }
                let given = Self::read(section, key, &matrix.value)?;
                let factor = table.entry("factor").map_or(Ok(factor), |entry| section.schedule(key, &entry.value))?;
                Ok(Self { factor, ..given })
            }
            _ => Err(expected()),
        }
    }
}

/// `A = KᵀQ`.
fn query_key(q: Shape, k: Shape) -> Result<Matrix> {
    let scaled = |rows: Vec<Vec<f64>>, c: f64| -> Vec<Vec<f64>> {
        rows.into_iter().map(|row| row.into_iter().map(|x| c * x).collect()).collect()
    };
    match (q, k) {
        (Shape::Multiple(q), Shape::Multiple(k)) => Matrix::multiple(q * k),
        (Shape::Rows(q), Shape::Multiple(k)) => Matrix::dense(&scaled(q, k)),
        (Shape::Multiple(q), Shape::Rows(k)) => {
            Matrix::dense(&k)?; // square and finite
            let transposed = (0..k.len()).map(|r| k.iter().map(|row| q * row[r]).collect()).collect::<Vec<_>>();
            Matrix::dense(&transposed)
        }
        (Shape::Rows(q), Shape::Rows(k)) => Matrix::from_query_key(&q, &k),
    }
    .map_err(|e| Error::input(format!("model.q and model.k: {e}")))
}

fn product(left: &Schedule, right: &Schedule) -> Result<Schedule> {
    match (left, right) {
        (Schedule::Constant(1.0), other) | (other, Schedule::Constant(1.0)) => Ok(other.clone()),
        _ => Schedule::parse(&format!("({left})*({right})")),
    }
}
