//! Pieces that several studies share: strip forms and kinds of A as parameters, models, steps that
//! are due, combinations of parameters, sums over rows, a little arithmetic.

use clap::builder::TypedValueParser;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::sizes::named;
use super::workbench::Look;
use crate::error::{Error, Result};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use crate::num::{evenly, short, squared_distance};
use crate::observe::Rounding;
pub(super) use crate::observe::width_unit;
use crate::real::Linear;
use crate::rng::Stream;
use crate::schedule::Schedule;

/// The identity as scores.
pub(super) const IDENTITY: Linear = Linear { factor: 1.0, matrix: Matrix::Identity };
/// Kinds of A: the identity, QᵀQ, KᵀQ of independent Gaussian Q and K, a random skew matrix.
pub(super) const FAMILIES: [&str; 4] = ["identity", "gram", "query-key", "skew"];
/// Tokens are at one place if steps of at most this many units of the lattice chain them.
pub(super) const TOGETHER: f64 = 4096.0;
/// Number of rows whose masks are asked for at once.
const AT_ONCE: usize = 64;

/// Parses names of strip forms on the command line.
pub(super) fn forms() -> impl TypedValueParser<Value = StripForm> {
    named("strip form", &StripForm::OF_PRODUCTS)
}

/// Checks that a parameter is finite and above 0.
pub(super) fn positive(option: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::input(format!("{option} {}: it must be finite and above 0", short(value))))
}

/// A model that averages under `rule`, with the scores of A and a constant α.
pub(super) fn averaging(rule: Rule, a: &Matrix, alpha: f64) -> Model {
    let gain = Gain::Alpha(Schedule::Constant(alpha));
    Model::averaging(rule, Operator::constant(a.clone()), Mask::FULL, gain)
}

/// Localmax with the scores of A and constant δ and α.
pub(super) fn localmax(delta: f64, form: StripForm, a: &Matrix, alpha: f64) -> Model {
    averaging(Rule::Localmax { delta: Schedule::Constant(delta), strip: form }, a, alpha)
}

/// Draws A of one of the [`FAMILIES`], or I + κW with a random skew W if κ is given.
pub(super) fn matrix(family: &str, skew: Option<f64>, d: usize, seed: u64) -> Matrix {
    let gaussian = |purpose: &str| {
        let mut stream = Stream::new(seed, purpose, 0);
        DMatrix::from_fn(d, d, |_, _| stream.normal() / (d as f64).sqrt())
    };
    let turning = || {
        let g = gaussian("skew");
        let w = &g - g.transpose();
        let norm = w.norm();
        // In one dimension there is none but 0.
        if norm > 0.0 { w * ((d as f64).sqrt() / norm) } else { w }
    };
    match (family, skew) {
        (_, Some(skew)) => Matrix::of_dense(&(DMatrix::identity(d, d) + turning() * skew)),
        ("gram", _) => {
            let q = gaussian("query");
            Matrix::of_dense(&(q.transpose() * &q))
        }
        ("query-key", _) => Matrix::of_dense(&(gaussian("key").transpose() * gaussian("query"))),
        ("skew", _) => Matrix::of_dense(&turning()),
        _ => Matrix::Identity,
    }
}

/// Formulas in a list: commas within brackets do not part them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Formulas(Vec<String>);

impl Formulas {
    pub(super) fn of<const N: usize>(list: [&str; N]) -> Self {
        Self(texts(list))
    }

    pub(super) fn list(&self) -> &[String] {
        &self.0
    }

    /// Reads a list of the command line.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let list = parts(text);
        if list.iter().any(String::is_empty) { Err("an empty value between commas".into()) } else { Ok(Self(list)) }
    }
}

/// Splits at commas that stand in no bracket and no quotes.
pub(super) fn parts(text: &str) -> Vec<String> {
    let (mut depth, mut quote, mut found) = (0i32, None, vec![String::new()]);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = found.last_mut() {
            part.push(c);
        }
    }
    found.iter().map(|part| part.trim().to_owned()).collect()
}

/// A list of texts.
pub(super) fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// Every pair of two lists of parameters, the second fastest.
pub(super) fn pairs<'a, A, B>(first: &'a [A], second: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> + Clone {
    first.iter().flat_map(move |a| second.iter().map(move |b| (a, b)))
}

/// Every step is due.
pub(super) fn every_step(_: u64) -> bool {
    true
}

/// No step is due but the first and the last, which always are.
pub(super) fn ends_only(_: u64) -> bool {
    false
}

/// About eight steps in each doubling of t are due, for a look at long times.
pub(super) fn is_log_spaced(t: u64) -> bool {
    t == 0 || t.is_multiple_of(1 << t.ilog2().saturating_sub(3))
}

/// True if the last step moved no token.
pub(super) fn is_still(look: &Look<'_>) -> bool {
    look.report.is_some_and(|report| report.moved == 0)
}

/// C_i of many rows, asked for in portions.
pub(super) fn masks(look: &mut Look<'_>, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
    let portions = rows.chunks(AT_ONCE).map(|some| look.masks(some)).collect::<Result<Vec<_>>>()?;
    Ok(portions.concat())
}

/// True if C_i is the group of these members for at most `most` of them, evenly spread.
pub(super) fn is_closed(look: &mut Look<'_>, members: &[u32], most: usize) -> Result<bool> {
    let some: Vec<usize> = evenly(members.len(), most).map(|k| members[k] as usize).collect();
    Ok(look.masks(&some)?.iter().all(|mask| mask == members))
}

/// Rounding of a gap at rest: a token that no step moves is the mean of its strip to a unit of the
/// lattice and its gain; scores are as large as `scale` times the token's length.
pub(super) fn rounding(unit: f64, scale: f64, alpha: f64) -> f64 {
    8.0 * unit * scale * (1.0 + 1.0 / alpha)
}

/// The most that roundings move a token or a mean by in so many steps, in units of the lattice: they
/// add up where nothing draws back what they move.
///
/// A step rounds the mean of a strip by 1/2 a coordinate, of which γ is gone, and the move by 1/2,
/// or by up to 1 − γ where it is raised to a whole unit; the gain, of K bits, is off by less than
/// 1/64 of a unit for a move of 2^(b+1) units; √d for lengths.
pub(super) fn roundings(steps: u64, gamma: f64, d: usize) -> f64 {
    steps as f64 * (gamma / 2.0 + (1.0 - gamma).max(0.5) + 1.0 / 64.0) * (d as f64).sqrt()
}

/// The rounding that gathers tokens to places, on a lattice of that unit.
pub(super) fn together(unit: f64) -> Rounding {
    Rounding::within(TOGETHER * unit / 2.0)
}

/// The sum of a count over rows.
pub(super) fn total<'a, R: 'a>(rows: impl IntoIterator<Item = &'a R>, of: impl Fn(&R) -> u64) -> u64 {
    rows.into_iter().map(of).sum()
}

/// The largest of a value over rows, at least 0.
pub(super) fn largest<'a, R: 'a>(rows: impl IntoIterator<Item = &'a R>, of: impl Fn(&R) -> f64) -> f64 {
    rows.into_iter().map(of).fold(0.0, f64::max)
}

/// The mean of a value over rows; 0 for no rows.
pub(super) fn mean<'a, R: 'a>(rows: impl IntoIterator<Item = &'a R>, of: impl Fn(&R) -> f64) -> f64 {
    let values: Vec<f64> = rows.into_iter().map(of).collect();
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// A value with half of its interval: "25.2 ± 0.3".
pub(super) fn with_half(value: f64, half: f64) -> String {
    let digits = if half > 0.0 && half.is_finite() { (1.0 - half.log10().floor()).clamp(0.0, 9.0) as usize } else { 3 };
    let half = if half.is_finite() { format!("{half:.digits$}") } else { "?".into() };
    format!("{value:.digits$} ± {half}")
}

/// The median of some values, missing ones being the largest; `None` where that is a missing one.
pub(super) fn median(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().map(|value| value.unwrap_or(f64::INFINITY)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().filter(|value| value.is_finite())
}

/// |x − y|.
pub(super) fn distance(x: &[f64], y: &[f64]) -> f64 {
    squared_distance(x, y).sqrt()
}
