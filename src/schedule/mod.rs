//! A scalar parameter over time: a number, an expression in the time t (the step's number in the
//! discrete rules, step·dt in the flows), or a table with a value a step; or a constant for each of
//! many clouds, or for each token. Elementary functions come from `libm`, so a schedule has the same bits on every
//! platform.

mod expression;
#[cfg(test)]
mod tests;

pub use expression::Expression;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::num;

/// Largest number of values in a table.
pub const LONGEST_TABLE: usize = 1_000_000;

/// A parameter's value over time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// One value for every step.
    Constant(f64),
    /// A formula in t.
    Expression(Expression),
    /// Value s during step s, the last value ever after ([`Schedule::covers`] tells where that is).
    /// At least one value; in a flow all stages of a step have one value.
    Table(Arc<[f64]>),
    /// Value c at every step for cloud c of many ([`Schedule::of_cloud`]); by itself it is that of
    /// cloud 0. At least one value.
    Clouds(Arc<[f64]>),
    /// Value i at every step for token i ([`Schedule::by_token`]). At least one value.
    Tokens(Arc<[f64]>),
}

impl Schedule {
    /// Makes a table with a value a step.
    ///
    /// # Errors
    /// No values, more than [`LONGEST_TABLE`], or a value that is not finite.
    pub fn table(values: &[f64]) -> Result<Self> {
        if let Some(s) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::input(format!("value {s} of a table is {}; it must be finite", values[s])));
        }
        match values {
            [] => Err(Error::input("a table without values; give one a step")),
            _ if values.len() > LONGEST_TABLE => {
                Err(Error::input(format!("a table of {} values; at most {LONGEST_TABLE} are read", values.len())))
            }
            _ => Ok(Self::Table(values.into())),
        }
    }

    /// Makes a parameter with a value a cloud.
    ///
    /// # Errors
    /// No values, more than [`LONGEST_TABLE`], or a value that is not finite.
    pub fn clouds(values: &[f64]) -> Result<Self> {
        match Self::table(values).map_err(|_| values.iter().position(|v| !v.is_finite())) {
            Ok(_) => Ok(Self::Clouds(values.into())),
            Err(Some(c)) => Err(Error::input(format!("the value of cloud {c} is {}; it must be finite", values[c]))),
            Err(None) => {
                Err(Error::input(format!("{} values for clouds; from 1 to {LONGEST_TABLE} are read", values.len())))
            }
        }
    }

    /// Makes a parameter with a value a token.
    ///
    /// # Errors
    /// No values, or one that is not finite.
    pub fn tokens(values: impl Into<Arc<[f64]>>) -> Result<Self> {
        let values = values.into();
        match values.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(Error::input(format!("the value of token {i} is {}; it must be finite", values[i]))),
            None if values.is_empty() => Err(Error::input("no values by token; give one a token")),
            None => Ok(Self::Tokens(values)),
        }
    }

    /// The values of the tokens, if there is one for each.
    pub fn by_token(&self) -> Option<&Arc<[f64]>> {
        if let Self::Tokens(values) = self { Some(values) } else { None }
    }

    /// The parameter of cloud c.
    #[must_use]
    pub fn of_cloud(&self, c: usize) -> Self {
        match self {
            Self::Clouds(values) => Self::Constant(values[c.min(values.len() - 1)]),
            other => other.clone(),
        }
    }

    /// The values of the clouds, if there is one for each.
    pub fn by_cloud(&self) -> Option<&[f64]> {
        if let Self::Clouds(values) = self { Some(values) } else { None }
    }

    /// Reads a number or an expression in t, such as `1/(t+1)`; an expression without t is a
    /// constant.
    ///
    /// # Errors
    /// A text that is no expression; the error says what is wrong, at which column, and what is
    /// allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let expression = Expression::parse(text)?;
        Ok(if expression.is_constant() { Self::Constant(expression.at(0.0)) } else { Self::Expression(expression) })
    }

    /// The value at time t of a step; NaN or infinite where the formula has no value. Of values by cloud or by token
    /// the first.
    pub fn at(&self, step: u64, t: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Expression(expression) => expression.at(t),
            Self::Clouds(values) | Self::Tokens(values) => values[0],
            Self::Table(values) => values[usize::try_from(step).map_or(values.len() - 1, |s| s.min(values.len() - 1))],
        }
    }

    /// The product of two schedules at every step and time; of two tables, as far as both reach.
    ///
    /// # Errors
    /// The product of a table and an expression, which is neither, or of one with a value a cloud.
    pub fn times(&self, other: &Self) -> Result<Self> {
        match (self, other) {
            (Self::Constant(1.0), kept) | (kept, Self::Constant(1.0)) => Ok(kept.clone()),
            (Self::Constant(c), Self::Table(values)) | (Self::Table(values), Self::Constant(c)) => {
                Self::table(&values.iter().map(|v| c * v).collect::<Vec<_>>())
            }
            (Self::Table(one), Self::Table(two)) => {
                Self::table(&one.iter().zip(two.iter()).map(|(a, b)| a * b).collect::<Vec<_>>())
            }
            (Self::Clouds(_) | Self::Tokens(_), _) | (_, Self::Clouds(_) | Self::Tokens(_)) => Err(Error::input(
                "values by cloud or by token cannot be multiplied by another parameter; give the products",
            )),
            (Self::Table(_), _) | (_, Self::Table(_)) => {
                Err(Error::input("a table and an expression cannot be multiplied; give both as tables"))
            }
            _ => Self::parse(&format!("({self})*({other})")),
        }
    }

    /// The limit as t → ∞; `None` where it cannot be told.
    ///
    /// A formula is taken at t = ∞ by the rules 1/∞ = 0, ∞ + 1 = ∞, e^−∞ = 0; what has no value there,
    /// such as ∞ − ∞ or sin ∞, is not told. Values far out must come near it, window by window: a jump
    /// or a 1^∞ has a value at ∞ that is no limit.
    pub fn limit(&self) -> Option<f64> {
        let expression = match self {
            Self::Constant(value) => return Some(*value),
            Self::Table(values) => return values.last().copied(),
            Self::Clouds(values) | Self::Tokens(values) => return values.first().copied(),
            Self::Expression(expression) => expression,
        };
        let limit = expression.at(f64::INFINITY);
        let apart = |k: u32, from: f64| (expression.at(from + f64::from(k)) - limit).abs();
        let farthest = |doublings: i32| (0..64).map(|k| apart(k, 2f64.powi(doublings))).reduce(f64::max);
        let [near, far, farther] = [10, 30, 50].map(|doublings| farthest(doublings).unwrap_or(f64::NAN));
        let comes = farther == 0.0 || (farther <= far && far <= near && farther < 0.9 * near);
        (limit.is_finite() && comes).then_some(limit)
    }

    /// True if every step has one value.
    pub fn is_constant(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Clouds(_) | Self::Tokens(_) => true,
            Self::Expression(_) => false,
            Self::Table(values) => values.len() == 1,
        }
    }

    /// Checks that there is a value for each of the steps `0..steps`.
    ///
    /// # Errors
    /// A table that is shorter, with both numbers; `key` names the parameter.
    pub fn covers(&self, key: &str, steps: u64) -> Result<()> {
        match self {
            Self::Table(values) if (values.len() as u64) < steps => {
                let few = values.len();
                let s = if few == 1 { "" } else { "s" };
                Err(Error::at_key(
                    key,
                    format!("has {few} value{s} for {steps} steps; a table needs one for each step"),
                ))
            }
            _ => Ok(()),
        }
    }
}

impl From<f64> for Schedule {
    fn from(value: f64) -> Self {
        Self::Constant(value)
    }
}

impl TryFrom<&str> for Schedule {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for Schedule {
    /// Writes the shortest number that reads back exactly, the formula as it was written, or the
    /// size of the table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "{value:?}"),
            Self::Expression(expression) => f.write_str(expression.text()),
            Self::Table(values) => write!(f, "a table of {} values", values.len()),
            Self::Clouds(values) | Self::Tokens(values) => {
                let (least, most) = num::range(values.iter().copied());
                let whose = if let Self::Tokens(_) = self { "token" } else { "cloud" };
                write!(f, "{least:?} to {most:?} by {whose}")
            }
        }
    }
}
