//! Strip sizes, where a rule has strips, and the number of tokens that moved, against the step.

use glam::DVec2;

use super::axes::{Axes, Axis, INK, Scale, foot, heading};
use super::canvas::{Anchor, Canvas, Style, text_width};
use super::colouring::COLOURS;
use super::picture::{Picture, Size};
use crate::error::{Error, Result};
use crate::num;

const STRIPS: &str = COLOURS[0];
const MOVED: &str = COLOURS[1];

/// Number of points of a curve, at most about; longer runs are drawn by blocks of steps.
const MOST_POINTS: usize = 1500;

/// A picture of metrics, before it is drawn.
#[derive(Clone, Debug)]
pub struct Metrics<'a> {
    /// First line: rule and parameters.
    pub title: String,
    /// Second line: n, d, steps, engine.
    pub subtitle: String,
    /// The recorded steps, ascending in t; either all have strip sizes or none.
    pub steps: &'a [StepMetrics],
}

/// The metrics of one recorded step t → t + 1, or of a block of steps from t on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepMetrics {
    /// t.
    pub t: u64,
    /// Number of tokens with any changed coordinate; of a block the largest.
    pub moved: u64,
    /// Smallest, mean and largest strip size, if the rule has strips; a block's extremes and mean.
    pub strips: Option<[f64; 3]>,
}

impl StepMetrics {
    fn of_block(steps: &[Self]) -> Self {
        let strips = || steps.iter().filter_map(|step| step.strips);
        let (least, most) = (num::range(strips().map(|s| s[0])).0, num::range(strips().map(|s| s[2])).1);
        let mean = strips().map(|s| s[1]).sum::<f64>() / steps.len() as f64;
        Self {
            t: steps[0].t,
            moved: steps.iter().map(|step| step.moved).max().unwrap_or(0),
            strips: steps[0].strips.map(|_| [least, mean, most]),
        }
    }
}

impl Metrics<'_> {
    /// Draws the picture.
    ///
    /// # Errors
    /// No steps, or steps out of order.
    pub fn draw(&self, size: Size) -> Result<Picture> {
        let (Some(first), Some(last)) = (self.steps.first(), self.steps.last()) else {
            return Err(Error::input("a picture of metrics needs at least one recorded step"));
        };
        if let Some([before, after]) = self.steps.array_windows().find(|[before, after]| after.t <= before.t) {
            let (before, after) = (before.t + 1, after.t + 1);
            return Err(Error::input(format!("metrics must ascend: step {after} after step {before}")));
        }
        let x = steps_axis(first.t, last.t);
        let blocks = self.blocks(first.t, last.t, x.scale);
        let points: Vec<StepMetrics> = blocks.iter().map(|steps| StepMetrics::of_block(steps)).collect();

        let (width, height) = size.clamped();
        let mut canvas = Canvas::new(width, height);
        let top = heading(&mut canvas, 16.0, &self.title, &self.subtitle);
        let (left, right, bottom) = (84.0, width - 24.0, height - 72.0);
        let middle = if first.strips.is_some() { top + (bottom - top) * 0.56 } else { top - 14.0 };
        let shift = u64::from(x.scale == Scale::Log);
        let at = |axes: &Axes, p: &StepMetrics, y: f64| axes.map(DVec2::new((p.t + shift) as f64, y));
        let strips: Vec<[f64; 3]> = points.iter().filter_map(|p| p.strips).collect();
        if !strips.is_empty() {
            let axes = Axes {
                low: DVec2::new(left, top + 12.0),
                high: DVec2::new(right, middle - 14.0),
                x: Axis { label: String::new(), ..x.clone() },
                y: Axis::counts(strips.as_flattened(), "strip size |Cᵢ| (tokens)"),
            };
            axes.draw(&mut canvas);
            let curve = |k: usize| points.iter().zip(&strips).map(|(p, sizes)| at(&axes, p, sizes[k])).collect();
            let [least, mean, most]: [Vec<DVec2>; 3] = [0, 1, 2].map(curve);
            let band: Vec<DVec2> = least.iter().chain(most.iter().rev()).copied().collect();
            canvas.polygon(&band, Style::fill(STRIPS, 0.16));
            for (edge, dash) in [(&least, "2 3"), (&most, "7 3")] {
                canvas.polyline(edge, Style::line(STRIPS, 1.3, 1.0).dashed(dash));
            }
            curve_with_dots(&mut canvas, &mean, STRIPS);
            axes.close(&mut canvas);
            keys(&mut canvas, &axes, STRIPS, &[("largest", Some("7 3")), ("mean", None), ("smallest", Some("2 3"))]);
        }
        let counts: Vec<f64> = points.iter().map(|p| p.moved as f64).collect();
        let axes = Axes {
            low: DVec2::new(left, middle + 26.0),
            high: DVec2::new(right, bottom),
            y: Axis::counts(&counts, "moved (tokens)"),
            x,
        };
        let moved: Vec<DVec2> = points.iter().zip(&counts).map(|(p, count)| at(&axes, p, *count)).collect();
        for (p, at) in points.iter().zip(&moved) {
            let strips = p.strips.map(|[least, mean, most]| format!("\nstrips: {least} to {most}, mean {mean:.3}"));
            canvas.tooltip(*at, format!("step {}\nmoved: {}{}", p.t, p.moved, strips.unwrap_or_default()));
        }
        axes.draw(&mut canvas);
        curve_with_dots(&mut canvas, &moved, MOVED);
        axes.close(&mut canvas);
        keys(&mut canvas, &axes, MOVED, &[("tokens that moved in the step", None)]);

        let most = blocks.iter().map(|steps| steps.len()).max().unwrap_or(1);
        if most > 1 {
            let sizes = if strips.is_empty() { "" } else { "extremes of the sizes, mean of the means, " };
            foot(&mut canvas, &format!("A point stands for up to {most} recorded steps: {sizes}most moved."), 1, 10.0);
        }
        canvas.finish()
    }

    /// The steps in blocks that are equally wide on the axis; a block for each while there are few.
    fn blocks(&self, first: u64, last: u64, scale: Scale) -> Vec<&[StepMetrics]> {
        if self.steps.len() <= MOST_POINTS {
            return self.steps.chunks(1).collect();
        }
        let place = |t: u64| match scale {
            Scale::Linear => (t - first) as f64 / ((last - first) as f64).max(1.0),
            Scale::Log => ((t + 1) as f64 / (first + 1) as f64).ln() / ((last + 1) as f64).ln().max(1.0),
        };
        let bin = |step: &StepMetrics| (place(step.t) * MOST_POINTS as f64) as usize;
        self.steps.chunk_by(|a, b| bin(a) == bin(b)).collect()
    }
}

/// The axis of steps: logarithmic in t + 1 for runs past 3000 steps.
fn steps_axis(first: u64, last: u64) -> Axis {
    let (first, last) = (first as f64, last as f64);
    if (last + 1.0) / (first + 1.0) > 3000.0 {
        let (low, high) = (first + 1.0, (last + 1.0) * 1.1);
        Axis { scale: Scale::Log, ..Axis::linear(low, high, "step t + 1") }
    } else {
        let margin = 0.02 * (last - first).max(1.0);
        Axis { whole: true, ..Axis::linear(first - margin, last + margin, "step t") }
    }
}

/// Draws a curve, and its points where they are few.
fn curve_with_dots(canvas: &mut Canvas, points: &[DVec2], colour: &str) {
    canvas.polyline(points, Style::line(colour, 1.8, 1.0));
    if points.len() <= 60 {
        canvas.dots(points.iter().copied(), 2.6, colour, 1.0);
    }
}

/// Draws keys in a row over the upper right corner of the axes.
fn keys(canvas: &mut Canvas, axes: &Axes, colour: &str, keys: &[(&str, Option<&str>)]) {
    let mut x = axes.high.x;
    let y = axes.low.y - 8.0;
    for (text, dash) in keys.iter().rev() {
        x -= text_width(text, 12.0);
        canvas.text(DVec2::new(x, y), 12.0, Anchor::Start, INK, 0.0, text);
        let style = Style::line(colour, 1.8, 1.0);
        let style = dash.map_or(style, |dash| style.dashed(dash));
        canvas.line(DVec2::new(x - 30.0, y - 4.0), DVec2::new(x - 6.0, y - 4.0), style);
        x -= 48.0;
    }
}
