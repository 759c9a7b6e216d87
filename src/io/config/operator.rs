//! Matrices of a config, with their factors in time.

use super::document::Item;
use super::section::{Field, Section};
use crate::error::{Error, Result};
use crate::io::npy;
use crate::model::{Ensemble, Matrix, Operator, Random, Source};
use crate::schedule::Schedule;

/// The square matrix of a key, given or drawn from the seed; the identity if the key is absent.
pub(super) fn operator(section: &Section<'_>, key: &str, seed: u64) -> Result<Operator> {
    section.or(key, Operator::identity(), |field| square(field, seed))
}

/// The square matrix of a key that must not be drawn; the identity if the key is absent.
pub(super) fn given(section: &Section<'_>, key: &str) -> Result<Operator> {
    section.or(key, Operator::identity(), given_square)
}

fn square(field: &Field<'_>, seed: u64) -> Result<Operator> {
    if is_random(field) { random(field, seed) } else { given_square(field) }
}

fn is_random(field: &Field<'_>) -> bool {
    matches!(&field.value.item, Item::Table(table) if table.entry("random").is_some())
}

/// A matrix drawn from a law.
fn random(field: &Field<'_>, seed: u64) -> Result<Operator> {
    let parts = field.section("a table", &["random", "scale", "every", "factor"])?;
    let ensemble = parts.need("random", "the law of the matrix")?.parsed(Ensemble::parse)?;
    let scale = parts.or("scale", 1.0, Field::number)?;
    let every = parts.get("every").map(|every| every.count(1)).transpose()?;
    let factor = parts.or("factor", Schedule::Constant(1.0), Field::schedule)?;
    let key = field.name.strip_prefix("model.").unwrap_or(&field.name);
    let random = Random::new(ensemble, scale, every, seed, key).map_err(|e| field.value.place.blame(e))?;
    Ok(Operator { source: Source::Random(random), factor })
}

fn given_square(field: &Field<'_>) -> Result<Operator> {
    let Given { matrix, factor, field } = Given::read(field)?;
    let matrix = match matrix {
        Shape::Multiple(c) => Matrix::multiple(c),
        Shape::Rows(rows) => Matrix::dense(&rows),
    };
    Ok(Operator::scaled(matrix.map_err(|e| field.blame(e))?, factor))
}

/// Rows of numbers, in the config or in a file.
pub(super) fn rows(field: &Field<'_>) -> Result<Vec<Vec<f64>>> {
    match &field.value.item {
        Item::Text(text) if text.to_ascii_lowercase().ends_with(".npy") => {
            npy::read_matrix(&field.file(text)?).map_err(|e| field.value.place.blame(e))
        }
        Item::List(_) => field.rows(),
        _ => Err(field.expected("rows [[...], ...] or \"file.npy\"")),
    }
}

/// A of the scores `<A x_i, x_j>`: `a`, or `q` and `k` with A = KᵀQ.
pub(super) fn scores(section: &Section<'_>, seed: u64) -> Result<Operator> {
    match &sources(section)?[..] {
        [] => Ok(Operator::identity()),
        [a] => square(a, seed),
        [q, k, ..] => bilinear(q, k),
    }
}

/// A of the scores `<A z_i, A z_j>` in `rescaled`, whose `a` is on both sides (arXiv 2305.05465).
pub(super) fn two_sided_scores(section: &Section<'_>) -> Result<Operator> {
    match &sources(section)?[..] {
        [] => Ok(Operator::identity()),
        [a] => bilinear(a, a),
        [q, k, ..] => bilinear(q, k),
    }
}

fn bilinear(q: &Field<'_>, k: &Field<'_>) -> Result<Operator> {
    let (left, right) = (Given::read(q)?, Given::read(k)?);
    let name = if q.key == k.key { "model.a" } else { "model.q and model.k" };
    let changed = if q.place.is_option() { q } else { k };
    let blame = |e| changed.value.place.blame(Error::input(format!("{name}: {e}")));
    let factor = left.factor.times(&right.factor).map_err(blame)?;
    Ok(Operator::scaled(query_key(left.matrix, right.matrix).map_err(blame)?, factor))
}

/// The given keys: none, `a`, or `q` and `k`. Those on the command line replace those in the file.
fn sources<'a>(section: &Section<'a>) -> Result<Vec<Field<'a>>> {
    let mut given: Vec<_> = ["a", "q", "k"].iter().filter_map(|key| section.get(key)).collect();
    let is_option = |key: fn(&str) -> bool| given.iter().any(|field| field.place.is_option() && key(field.key));
    let (a, other) = (is_option(|key| key == "a"), is_option(|key| key != "a"));
    given.retain(|field| field.place.is_option() || !(a || other && field.key == "a"));
    match &given[..] {
        [lone] if lone.key != "a" => {
            let other = if lone.key == "q" { "k" } else { "q" };
            Err(section.missing(other, &format!("model.{} is given, and A = KᵀQ needs both", lone.key)))
        }
        [a, second, ..] if a.key == "a" => {
            Err(second.place.error("model.a beside model.q or model.k; give either a, or q and k"))
        }
        _ => Ok(given),
    }
}

/// A matrix of any shape, its factor, and the field that holds it.
struct Given<'a> {
    matrix: Shape,
    factor: Schedule,
    field: Field<'a>,
}

enum Shape {
    /// c·I of any size.
    Multiple(f64),
    /// Rows of equal length.
    Rows(Vec<Vec<f64>>),
}

impl<'a> Given<'a> {
    fn read(field: &Field<'a>) -> Result<Self> {
        if is_random(field) {
            let why = "q, k, w, and a and v of rescaled";
            return Err(field.error(format!(" must not be drawn: {why} are given; other matrices may be random")));
        }
        let forms = "\"identity\", a number, [[...], ...], \"file.npy\" or { matrix = ..., factor = \"...\" }";
        let matrix = match &field.value.item {
            Item::Integer(_) | Item::Float(_) => Shape::Multiple(field.number()?),
            Item::Text(text) if text == "identity" => Shape::Multiple(1.0),
            Item::Text(text) if text.to_ascii_lowercase().ends_with(".npy") => {
                Shape::Rows(npy::read_matrix(&field.file(text)?).map_err(|e| field.value.place.blame(e))?)
            }
            Item::List(_) => Shape::Rows(field.rows()?),
            _ => {
                let parts = field.section(forms, &["matrix", "factor"])?;
                let matrix = parts.need("matrix", "the matrix that factor multiplies")?;
                if let Item::Table(_) = matrix.value.item {
                    return Err(matrix.error(" must not be a table again"));
                }
                let factor = parts.or("factor", Schedule::Constant(1.0), Field::schedule)?;
                return Ok(Self { factor, ..Self::read(&matrix)? });
            }
        };
        Ok(Self { matrix, factor: Schedule::Constant(1.0), field: field.clone() })
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
