//! The moments at which parameters are evaluated, and their checked values.

use std::fmt;

use crate::error::{Error, Result};
use crate::num;
use crate::schedule::Schedule;

/// A time at which parameters are evaluated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Number of the step, from 0.
    pub step: u64,
    /// The time t: the step's number in the discrete rules, a stage's time in the flows.
    pub time: f64,
}

impl Moment {
    /// The moment of a discrete step.
    pub fn of_step(step: u64) -> Self {
        Self { step, time: step as f64 }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}", self.step)?;
        if self.time == self.step as f64 { Ok(()) } else { write!(f, " (t = {})", num::short(self.time)) }
    }
}

/// The value of a scheduled parameter, the first of values by token.
///
/// # Errors
/// A value outside the domain; `name` is the parameter's key in the table `model`.
pub(crate) fn checked(
    name: &str,
    schedule: &Schedule,
    at: Moment,
    domain: &str,
    inside: impl Fn(f64) -> bool,
) -> Result<f64> {
    let is_bad = |value: &f64| !(value.is_finite() && inside(*value));
    let bad = |whose: &str, value: f64| {
        let text = format!("{whose}is {} at {at}; it must be {domain}", num::short(value));
        Err(Error::at_key(format!("model.{name}"), text))
    };
    if let Some(values) = schedule.by_token() {
        return match values.iter().position(is_bad) {
            Some(i) => bad(&format!("of token {i} "), values[i]),
            None => Ok(values[0]),
        };
    }
    let value = schedule.at(at.step, at.time);
    if is_bad(&value) { bad("", value) } else { Ok(value) }
}
