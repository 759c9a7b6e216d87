//! The systems of the census, each from a stream of its own.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use nalgebra::DMatrix;

use super::Cell;
use crate::error::Result;
use crate::model::{Matrix, Model, Rule, StripForm};
use crate::rng::Stream;
use crate::study::Sizes;
use crate::study::common;
use crate::tokens::Tokens;

/// The rules under the integer contract.
pub(super) const RULES: [&str; 5] = ["score", "width", "a-norm", "hardmax", "frank-wolfe"];
/// Kinds of A.
pub(super) const FAMILIES: [&str; 6] = ["identity", "gram", "symmetric", "negative", "query-key", "skew"];

/// Parses names of rules on the command line.
pub(super) fn rules() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(RULES)
}

/// Parses names of kinds of A on the command line.
pub(super) fn families() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(FAMILIES)
}

/// A system that was drawn.
pub(super) struct System {
    pub(super) model: Model,
    pub(super) cloud: Tokens,
    pub(super) alpha: f64,
    /// None under hardmax and Frank–Wolfe.
    pub(super) delta: Option<f64>,
}

impl System {
    /// The system of a cloud.
    pub(super) fn of(cell: &Cell, index: u64, sizes: &Sizes) -> Result<Self> {
        // A cloud of the same number is another one under every rule and kind of A.
        let mut stream = Stream::new(cell.seed, &format!("census {} {}", cell.rule, cell.family), index);
        let mut between = |low: f64, high: f64| low * libm::pow(high / low, stream.uniform());
        let (alpha, width) = (between(0.1, 10.0), between(0.01, 2.0));
        let mut whole = |from: usize, to: usize| from + (stream.uniform() * (to + 1 - from) as f64) as usize;
        let (n, d) = (whole(2.min(sizes.tokens), sizes.tokens), whole(1, sizes.dim));
        let a = matrix(&cell.family, d, &mut stream);
        let is_whole = stream.uniform() < 0.5;
        let coordinate = |_| if is_whole { (stream.uniform() * 5.0).floor() - 2.0 } else { stream.normal() };
        let cloud = Tokens::from_flat(n, d, (0..n * d).map(coordinate).collect::<Vec<f64>>())?;
        let form = StripForm::OF_PRODUCTS.iter().find(|(_, name)| *name == cell.rule).map(|(form, _)| *form);
        let model = match form {
            Some(form) => common::localmax(width, form, &a, alpha),
            None if cell.rule == "hardmax" => common::averaging(Rule::Hardmax, &a, alpha),
            None => common::averaging(Rule::FrankWolfe, &a, alpha),
        };
        Ok(Self { model, cloud, alpha, delta: form.map(|_| width) })
    }

    /// The same without a token; `None` where one alone would be left.
    pub(super) fn without(&self, token: usize) -> Result<Option<Self>> {
        let (n, d) = (self.cloud.n(), self.cloud.d());
        if n < 3 {
            return Ok(None);
        }
        let mut rows = self.cloud.to_f64();
        rows.drain(token * d..(token + 1) * d);
        self.with(rows, n - 1).map(Some)
    }

    /// The same with coordinates in whole multiples of 2^-bits.
    pub(super) fn rounded(&self, bits: i32) -> Result<Self> {
        let unit = libm::pow(2.0, f64::from(-bits));
        let rows = self.cloud.to_f64().into_iter().map(|x| (x / unit).round() * unit).collect();
        self.with(rows, self.cloud.n())
    }

    fn with(&self, rows: Vec<f64>, n: usize) -> Result<Self> {
        let cloud = Tokens::from_flat(n, self.cloud.d(), rows)?;
        Ok(Self { model: self.model.clone(), cloud, ..*self })
    }
}

fn matrix(family: &str, d: usize, stream: &mut Stream) -> Matrix {
    let mut gaussian = || DMatrix::from_fn(d, d, |_, _| stream.normal() / (d as f64).sqrt());
    match family {
        "gram" => {
            let q = gaussian();
            Matrix::of_dense(&(q.transpose() * &q))
        }
        "negative" => {
            let q = gaussian();
            Matrix::of_dense(&(-(q.transpose() * &q)))
        }
        "symmetric" => {
            let g = gaussian();
            Matrix::of_dense(&(&g + g.transpose()))
        }
        "query-key" => Matrix::of_dense(&(gaussian().transpose() * gaussian())),
        "skew" => {
            let g = gaussian();
            Matrix::of_dense(&(&g - g.transpose()))
        }
        _ => Matrix::Identity,
    }
}
