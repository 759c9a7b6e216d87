//! A scalar parameter: a number, or an expression in the time t (SPEC conventions: t is the step number in the
//! discrete rules).

/// A parameter's value over time.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// The same value at every step.
    Constant(f64),
}

impl Schedule {
    /// The value at time t.
    pub fn at(&self, _t: f64) -> f64 {
        match self {
            Self::Constant(value) => *value,
        }
    }

    /// Whether the value is the same at every step.
    pub fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }
}
