//! The radii of a step's balls: one for all rows, or one for each.

use crate::cpu::exact::width::Width;
use crate::exact::{Step, StripWidth};

/// The square of a radius.
pub(crate) fn square_radius(width: StripWidth) -> i128 {
    if let StripWidth::Constant(width) = width { width } else { 0 }
}

/// A radius, rounded down, and no more than any distance on the lattice needs.
pub(crate) fn radius(width: StripWidth) -> i64 {
    square_radius(width).isqrt().min(1 << 60) as i64
}

/// The balls of a step's rows.
pub(crate) struct Balls<'a, W: Width> {
    pub(crate) step: &'a Step,
    /// The largest square radius, of all rows where they have one.
    pub(crate) square: W::Wide,
    /// The square radius of each key's row, where tokens have radii of their own.
    pub(crate) own: Option<Vec<W::Wide>>,
}

impl<'a, W: Width> Balls<'a, W> {
    /// The balls of keys that have these tokens.
    pub(crate) fn of(step: &'a Step, first: &[u32]) -> Self {
        let has_own = step.own.as_ref().is_some_and(|own| own.widths.is_some());
        let square = |token: &u32| W::wide(square_radius(step.width_of(*token as usize)));
        let own = has_own.then(|| first.iter().map(square).collect());
        Self { step, square: W::wide(square_radius(step.width)), own }
    }
}
