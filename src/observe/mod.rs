//! Measures of a state, read-only: they take tokens and never touch an engine.

mod axes;
mod clusters;
mod hull;
mod points;
mod support;

pub use axes::PrincipalAxes;
pub use clusters::Clusters;
pub use hull::{EFFORT, Hull};
pub use points::{Distinct, Points};
pub use support::{Directions, Rise, Support, SupportLedger};
