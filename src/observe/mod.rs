//! Measures of a state, read-only: they take tokens and never touch an engine.

mod axes;
mod clusters;

pub use axes::PrincipalAxes;
pub use clusters::Clusters;
