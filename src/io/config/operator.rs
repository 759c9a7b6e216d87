//! Matrices of a config, with their factors in time.

use super::document::{Entry, Item, Table, Value};
use super::section::{Section, only_keys};
use crate::error::{Error, Result};
use crate::io::npy;
use crate::model::{Matrix, Operator};
use crate::schedule::Schedule;

/// The matrix of a key; the identity unless given.
pub(super) fn operator(section: &Section<'_>, key: &str) -> Result<Operator> {
    section.get(key).map_or_else(|| Ok(Operator::identity()), |value| square(section, key, value))
}

/// As [`operator`], for `heads[h].p` and `heads[h].u`.
pub(super) fn operator_of_head(section: &Section<'_>, h: usize, head: &Table, key: &str) -> Result<Operator> {
    let entry = head.entry(key);
    entry.map_or_else(|| Ok(Operator::identity()), |e| square(section, &format!("heads[{h}].{key}"), &e.value))
}

fn square(section: &Section<'_>, key: &str, value: &Value) -> Result<Operator> {
    let given = Given::read(section, key, value)?;
    let place = inner(value).map_or(&value.place, |matrix| &matrix.place);
    let matrix = given.matrix.square(key).map_err(|e| place.blame(e))?;
    Ok(Operator { matrix, factor: given.factor })
}

/// The matrix of `{ matrix = ..., factor = ... }`.
fn inner(value: &Value) -> Option<&Value> {
    let Item::Table(parts) = &value.item else { return None };
    parts.entry("matrix").map(|entry| &entry.value)
}

/// A of the scores `<A x_i, x_j>`: `a`, or `q` and `k` with A = KᵀQ.
pub(super) fn scores(section: &Section<'_>) -> Result<Operator> {
    match sources(section)? {
        Sources::None => Ok(Operator::identity()),
        Sources::One(a) => square(section, "a", &a.value),
        Sources::Two(q, k) => bilinear(section, q, k),
    }
}

/// As [`scores`] for `rescaled`, whose `a` is on both sides: `<A z_i, A z_j>` (arXiv 2305.05465).
pub(super) fn two_sided_scores(section: &Section<'_>) -> Result<Operator> {
    match sources(section)? {
        Sources::None => Ok(Operator::identity()),
        Sources::One(a) => bilinear(section, a, a),
        Sources::Two(q, k) => bilinear(section, q, k),
    }
}

fn bilinear(section: &Section<'_>, q: &Entry, k: &Entry) -> Result<Operator> {
    let (left, right) = (Given::read(section, &q.key, &q.value)?, Given::read(section, &k.key, &k.value)?);
    let name = if q.key == k.key { format!("model.{}", q.key) } else { "model.q and model.k".into() };
    let changed = if q.value.place.is_option() { q } else { k };
    let named = |e: Error| changed.value.place.blame(Error::input(format!("{name}: {e}")));
    let factor = left.factor.times(&right.factor).map_err(named)?;
    Ok(Operator { matrix: query_key(left.matrix, right.matrix).map_err(named)?, factor })
}

enum Sources<'a> {
    None,
    One(&'a Entry),
    Two(&'a Entry, &'a Entry),
}

/// Which of a, q and k are given. Those on the command line shut out what they stand for in the file.
fn sources<'a>(section: &Section<'a>) -> Result<Sources<'a>> {
    let mut given: Vec<&Entry> = ["a", "q", "k"].iter().filter_map(|key| section.entry(key)).collect();
    if given.iter().any(|entry| entry.place.is_option()) {
        given.retain(|entry| entry.place.is_option() || entry.key != "a");
        if given.iter().any(|entry| entry.key == "a" && entry.place.is_option()) {
            given.retain(|entry| entry.place.is_option());
        }
    }
    match given[..] {
        [] => Ok(Sources::None),
        [a] if a.key == "a" => Ok(Sources::One(a)),
        [q, k] if q.key == "q" && k.key == "k" => Ok(Sources::Two(q, k)),
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
    fn square(self, key: &str) -> Result<Matrix> {
        match self {
            Self::Multiple(c) => Matrix::multiple(c),
            Self::Rows(rows) => Matrix::dense(&rows),
        }
        .map_err(|e| Error::input(format!("model.{key}: {e}")))
    }
}

impl Given {
    fn read(section: &Section<'_>, key: &str, value: &Value) -> Result<Self> {
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
                only_keys(&format!("model.{key}"), table, &["matrix", "factor"])?;
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
            _ => Err(value.place.error(format!(
                "model.{key} must be \"identity\", a number, [[...], ...], \"file.npy\" or \
                 {{ matrix = ..., factor = \"...\" }}, found {}",
                value.item
            ))),
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
}
