//! A scalar parameter: a number, or an expression in the time t (SPEC conventions: t is the step number in the
//! discrete rules). Elementary functions come from `libm`, so a schedule has the same bits on every platform.

mod expression;
#[cfg(test)]
mod tests;

pub use expression::Expression;

use std::fmt;

use crate::error::Result;

/// A parameter's value over time.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// The same value at every step.
    Constant(f64),
    /// A formula in t.
    Expression(Expression),
}

impl Schedule {
    /// Reads a number or an expression in t, such as `1/(t+1)`; one without t becomes a constant.
    ///
    /// # Errors
    /// Text that is no expression: what is wrong, at which column, and what is allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let expression = Expression::parse(text)?;
        Ok(if expression.is_constant() { Self::Constant(expression.at(0.0)) } else { Self::Expression(expression) })
    }

    /// The value at time t; NaN or infinite where the formula has no value.
    pub fn at(&self, t: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Expression(expression) => expression.at(t),
        }
    }

    /// Whether the value is the same at every step.
    pub fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }
}

impl fmt::Display for Schedule {
    /// The shortest number that reads back exactly, or the formula as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "{value:?}"),
            Self::Expression(expression) => f.write_str(expression.text()),
        }
    }
}
