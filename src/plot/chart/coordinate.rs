//! The axes of a chart, before they are fitted to its data.

use crate::num;
use crate::plot::axes::{Axis, Scale};

/// The largest magnitude that an axis shows; differences of such numbers are numbers.
const LARGEST: f64 = 1e300;

/// One axis, before its data are known.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
#[allow(clippy::struct_excessive_bools)] // independent choices of an axis
pub struct Coordinate {
    pub(super) label: String,
    pub(super) log: bool,
    whole: bool,
    counts: bool,
    zero: bool,
    pub(super) range: Option<(f64, f64)>,
    names: Vec<(f64, String)>,
}

impl Coordinate {
    /// Makes a linear axis; the label names the quantity and its unit.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Makes a logarithmic axis.
    pub fn log(label: impl Into<String>) -> Self {
        Self { log: true, ..Self::linear(label) }
    }

    /// Makes a linear axis of counts or steps, with ticks at whole numbers only.
    pub fn whole(label: impl Into<String>) -> Self {
        Self { whole: true, ..Self::linear(label) }
    }

    /// Makes an axis of counts: logarithmic beyond a factor of 30, with a place for 0.
    pub fn counts(label: impl Into<String>) -> Self {
        Self { counts: true, ..Self::linear(label) }
    }

    /// Makes an axis of values that are not below 0: logarithmic where they fall over decades, with
    /// a place for 0.
    pub fn decades(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = num::range(values.into_iter().filter(|&v| v > 0.0));
        let log = high >= 100.0 * low;
        Self { log, zero: log, ..Self::linear(label) }
    }

    /// Fixes the range, whatever the data.
    pub fn within(self, low: f64, high: f64) -> Self {
        Self { range: Some((low, high)), ..self }
    }

    /// Puts ticks at these values, with texts of their own.
    pub fn named(self, names: impl IntoIterator<Item = (f64, String)>) -> Self {
        Self { names: names.into_iter().collect(), ..self }
    }

    /// Whether a value has a place on the axis.
    pub(super) fn shows(&self, value: f64) -> bool {
        value.abs() <= LARGEST && (!self.log || value >= 1.0 / LARGEST || self.zero && value == 0.0)
    }

    /// The axis that shows these values.
    pub(super) fn axis(&self, values: &[f64]) -> Axis {
        if self.counts {
            return Axis::counts(values, &*self.label);
        }
        let (mut low, mut high) =
            num::range(values.iter().copied().filter(|&v| self.shows(v) && !(self.log && v == 0.0)));
        let mut zero = None;
        if low > high {
            (low, high) = if self.log { (0.1, 1.0) } else { (0.0, 1.0) };
        }
        if let Some(range) = self.range {
            (low, high) = range;
        } else if self.log {
            let margin = 10f64.powf(0.04 * (high.log10() - low.log10())).max(1.05);
            if self.zero && values.contains(&0.0) {
                zero = Some((low / (margin * margin).max(4.0)).max(1.0 / LARGEST));
                low = zero.unwrap_or(low);
            }
            (low, high) = ((low / margin).max(1.0 / LARGEST), (high * margin).min(LARGEST));
        } else {
            let flat = if high == 0.0 { 1.0 } else { 0.1 * high.abs() };
            let margin = if high > low { 0.04 * (high - low) } else { flat };
            (low, high) = (low - margin, high + margin);
        }
        let scale = if self.log { Scale::Log } else { Scale::Linear };
        Axis { scale, whole: self.whole, zero, names: self.names.clone(), ..Axis::linear(low, high, &*self.label) }
    }

    /// The quantity without its unit.
    pub(super) fn quantity(&self) -> &str {
        self.label.split(" (").next().unwrap_or("")
    }
}
