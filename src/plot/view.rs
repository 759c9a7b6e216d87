//! The map from R^d to the plane of a picture, in units in which the cloud has a size near 1.
//!
//! | d | plane |
//! |---|---|
//! | 1 | step × x₁ |
//! | 2 | x₁ × x₂ |
//! | 3 and more | the first two principal axes of the first and last frame pooled, or x₁ × x₂ |
//!
//! Coordinates are divided by the largest magnitude R before anything is computed, so that 1e300
//! and 1e-300 draw as 1 does. Tick values are v = (x − offset)/10^k with k and offset 0 where the
//! plain coordinates read well.

use glam::DVec2;

use super::axes::{Axes, Axis, Scale, coordinate, plain, power_of_ten};
use crate::num;
use crate::observe::PrincipalAxes;
use crate::tokens::Tokens;

enum Plane {
    Time,
    Coordinates,
    Principal(PrincipalAxes),
}

/// A plane, with axes around all frames.
pub(super) struct View {
    plane: Plane,
    /// R, the largest magnitude of a coordinate.
    largest: f64,
    /// Number of tick units in R.
    factor: f64,
    /// The place that ticks count from, in units of R.
    offset: DVec2,
    x: Axis,
    y: Axis,
    /// Whether the plane is all of the space.
    exact: bool,
}

impl View {
    /// Chooses the view of frames that share n and d, by the first and last cloud, or the plane of
    /// the first two coordinates.
    pub(super) fn new(ends: [&Tokens; 2], frames: &[&(u64, Tokens)], by_coordinates: bool) -> Self {
        let largest = frames.iter().map(|(_, tokens)| tokens.largest_magnitude()).fold(0.0, f64::max);
        let d = ends[0].d();
        let plane = match d {
            1 => Plane::Time,
            3.. if !by_coordinates => Plane::Principal(PrincipalAxes::of(&ends, 2)),
            _ => Plane::Coordinates,
        };
        let bare = Axis::linear(0.0, 1.0, "");
        let largest = if largest > 0.0 { largest } else { 1.0 };
        let mut view =
            Self { plane, largest, factor: 1.0, offset: DVec2::ZERO, x: bare.clone(), y: bare, exact: d < 3 };
        view.fit(frames);
        view
    }

    /// Whether a unit has one length on both axes.
    pub(super) fn has_equal_units(&self) -> bool {
        !matches!(self.plane, Plane::Time)
    }

    /// Whether the picture is the plane itself, so that a half-plane can be drawn.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// The view's axes between two corners, in pixels.
    pub(super) fn axes(&self, low: DVec2, high: DVec2) -> Axes {
        let mut axes = Axes { low, high, x: self.x.clone(), y: self.y.clone() };
        if self.has_equal_units() {
            axes.equalise();
        }
        axes
    }

    /// The place of token i, in ticks.
    pub(super) fn point(&self, step: u64, tokens: &Tokens, i: usize) -> DVec2 {
        let p = (self.raw(step, tokens, i) - self.offset) * self.factor;
        if let Plane::Time = self.plane { DVec2::new(self.moment(step), p.y) } else { p }
    }

    /// The place of a step on the axis of time: t, or t + 1 on a logarithmic one.
    fn moment(&self, step: u64) -> f64 {
        step as f64 + f64::from(self.x.scale == Scale::Log)
    }

    /// A column around a step on the axis of time.
    pub(super) fn column(&self, step: u64) -> (f64, f64) {
        let at = self.moment(step);
        let half = (self.x.high - self.x.low) / 80.0;
        if self.x.scale == Scale::Log { (at / 1.06, at * 1.06) } else { (at - half, at + half) }
    }

    /// Normal and level, in the picture's units, of `{ y : <query, y> >= threshold }`. None in
    /// projection and for numbers out of range.
    pub(super) fn half_plane(&self, query: &[f64], threshold: f64) -> Option<(DVec2, f64)> {
        let normal = match (&self.plane, query) {
            (Plane::Time, &[a]) => DVec2::new(0.0, a),
            (Plane::Coordinates, &[a, b]) => DVec2::new(a, b),
            _ => return None,
        };
        let scale = normal.abs().max_element();
        if scale == 0.0 {
            // S_ij = 0 for every j: all of the plane or none of it.
            return Some((DVec2::ZERO, if threshold <= 0.0 { -1.0 } else { 1.0 }));
        }
        let normal = normal / scale;
        // <normal, (v/factor + offset)·R> >= threshold/scale, for tick values v.
        let level = (threshold / scale / self.largest - normal.dot(self.offset)) * self.factor;
        (normal.is_finite() && level.is_finite()).then_some((normal, level))
    }

    fn raw(&self, step: u64, tokens: &Tokens, i: usize) -> DVec2 {
        let x = |k| tokens.get(i, k) / self.largest;
        match &self.plane {
            Plane::Time => DVec2::new(step as f64, x(0)),
            Plane::Coordinates => DVec2::new(x(0), x(1)),
            Plane::Principal(axes) => DVec2::from([0, 1].map(|axis| axes.along(axis, tokens, i, self.largest))),
        }
    }

    /// Chooses factor and offset, and puts the axes around the frames.
    fn fit(&mut self, frames: &[&(u64, Tokens)]) {
        let (mut low, mut high) = (DVec2::INFINITY, DVec2::NEG_INFINITY);
        for (step, tokens) in frames {
            for i in 0..tokens.n() {
                let p = self.raw(*step, tokens, i);
                (low, high) = (low.min(p), high.max(p));
            }
        }
        let in_time = matches!(self.plane, Plane::Time);
        if in_time {
            (low.x, high.x) = (low.y, high.y);
        }
        let mut extent = (high - low).max_element();
        let reach = low.abs().max(high.abs()).max_element();
        if extent <= 1e-13 * reach.max(f64::MIN_POSITIVE) {
            extent = if reach > 0.0 && matches!(self.plane, Plane::Coordinates | Plane::Time) { reach } else { 1.0 };
        }
        if reach > 1e4 * extent {
            // A round number near the middle.
            let round = 10f64.powf((extent * self.largest).log10().ceil());
            let near = |x: f64| (x * self.largest / round).round() * round / self.largest;
            let middle = DVec2::new(near(f64::midpoint(low.x, high.x)), near(f64::midpoint(low.y, high.y)));
            self.offset = if middle.is_finite() { middle } else { (low + high) / 2.0 };
        }
        let magnitude = extent.log10() + self.largest.log10();
        let is_plain = (-2.0..4.0).contains(&magnitude) && self.offset == DVec2::ZERO;
        let exponent = if is_plain { 0 } else { magnitude.floor() as i32 };
        self.factor = if is_plain { self.largest } else { 10f64.powf(self.largest.log10() - f64::from(exponent)) };
        let (low, high) = ((low - self.offset) * self.factor, (high - self.offset) * self.factor);
        let margin = 0.06 * extent * self.factor + if high == low { 0.5 * extent * self.factor } else { 0.0 };
        self.x = Axis::linear(low.x - margin, high.x + margin, self.label(0, exponent));
        self.y = Axis::linear(low.y - margin, high.y + margin, self.label(1, exponent));
        if in_time {
            let (first, last) = num::range(frames.iter().map(|(step, _)| *step as f64));
            let margin = 0.03 * (last - first).max(1.0);
            self.y.label = self.label(0, exponent);
            self.x = if first == 0.0 && self.moves_early(frames, extent) {
                Axis { scale: Scale::Log, ..Axis::linear(1.0 / 1.1, (last + 1.0) * 1.1, "step t + 1") }
            } else {
                Axis { whole: true, ..Axis::linear(first - margin, last + margin, "step t") }
            };
        }
    }

    /// Whether no token moves by 1 % of the extent after a fifth of the steps, of 30 or more.
    fn moves_early(&self, frames: &[&(u64, Tokens)], extent: f64) -> bool {
        let (end, last) = frames[frames.len() - 1];
        let late = || frames.iter().filter(|(step, _)| 5 * step >= *end);
        let far = |tokens: &Tokens, i: usize| (tokens.get(i, 0) - last.get(i, 0)).abs() / self.largest;
        *end >= 30 && late().all(|(_, tokens)| (0..last.n()).all(|i| far(tokens, i) < 0.01 * extent))
    }

    fn label(&self, axis: usize, exponent: i32) -> String {
        let mut notes = Vec::new();
        let name = match &self.plane {
            Plane::Principal(axes) => {
                let percent = 100.0 * axes.shares[axis];
                let decimals = usize::from(percent < 9.95);
                notes.push(if percent > 0.0 {
                    format!("{} % of variance", plain(percent, decimals))
                } else {
                    "no variance".to_owned()
                });
                format!("principal axis {}", axis + 1)
            }
            Plane::Time | Plane::Coordinates => coordinate(axis + 1),
        };
        if exponent != 0 {
            notes.push(format!("in units of {}", power_of_ten(exponent)));
        }
        let shift = self.offset[axis] * self.largest;
        let size = if shift.abs() < 1e15 { shift.abs().to_string() } else { format!("{:e}", shift.abs()) };
        let shift = match shift {
            0.0 => String::new(),
            shift if shift < 0.0 => format!(" + {size}"),
            _ => format!(" − {size}"),
        };
        if notes.is_empty() { format!("{name}{shift}") } else { format!("{name}{shift} ({})", notes.join("; ")) }
    }
}
