//! Strip sizes (smallest, mean, largest), where a rule has strips, and the number of tokens that moved, against the step.

use glam::DVec2;

use super::canvas::{Anchor, Canvas, Style, text_width, wrapped};
use super::frame::{Axis, Frame, INK, SOFT, Scale, heading};
use super::{Picture, Size};
use crate::error::{Error, Result};
use crate::outcome::StepReport;

const STRIPS: &str = "#0072b2";
const MOVED: &str = "#d55e00";

/// Points of a curve; longer runs are drawn by blocks of steps.
const MOST_POINTS: usize = 1500;

/// What a picture of metrics shows.
#[derive(Clone, Debug)]
pub struct Metrics<'a> {
    /// First line: rule and parameters.
    pub title: String,
    /// Second line: n, d, steps, engine.
    pub subtitle: String,
    /// Number of tokens.
    pub n: usize,
    /// A row a recorded step, ascending in t.
    pub rows: &'a [StepReport],
    /// Whether the rule has strips, whose sizes are drawn then.
    pub has_strips: bool,
}

/// A block of steps: extremes of the extremes, mean of the means, most moved.
struct Point {
    t: f64,
    least: f64,
    mean: f64,
    most: f64,
    moved: f64,
}

impl Metrics<'_> {
    /// Draws the picture.
    ///
    /// # Errors
    /// No rows, or rows out of order.
    pub fn draw(&self, size: Size) -> Result<Picture> {
        let (Some(first), Some(last)) = (self.rows.first(), self.rows.last()) else {
            return Err(Error::input("a picture of metrics needs at least one recorded step"));
        };
        if let Some(pair) = self.rows.windows(2).find(|pair| pair[1].t <= pair[0].t) {
            return Err(Error::input(format!(
                "metrics must ascend: step {} after step {}",
                pair[1].t + 1,
                pair[0].t + 1
            )));
        }
        let steps = steps(first.t, last.t);
        let blocks = self.blocks(steps.scale);
        let points: Vec<Point> = blocks.iter().map(|rows| self.point(rows)).collect();

        let (width, height) = size.clamped();
        let mut canvas = Canvas::new(width, height);
        let top = heading(&mut canvas, 16.0, &self.title, &self.subtitle);
        let (left, right, bottom) = (84.0, width - 24.0, height - 72.0);
        let middle = if self.has_strips { top + (bottom - top) * 0.56 } else { top - 14.0 };
        let moved = Frame {
            low: DVec2::new(left, middle + 26.0),
            high: DVec2::new(right, bottom),
            x: steps.clone(),
            y: Axis::counts(&points.iter().map(|p| p.moved).collect::<Vec<_>>(), "moved (tokens)"),
        };
        let shift = |t: f64| if steps.scale == Scale::Log { t + 1.0 } else { t };
        let curve = |frame: &Frame, value: &dyn Fn(&Point) -> f64| -> Vec<DVec2> {
            points.iter().map(|p| frame.map(DVec2::new(shift(p.t), value(p)))).collect()
        };
        if self.has_strips {
            let strips = Frame {
                low: DVec2::new(left, top + 12.0),
                high: DVec2::new(right, middle - 14.0),
                x: Axis { label: String::new(), ..steps.clone() },
                y: Axis::counts(
                    &points.iter().flat_map(|p| [p.least, p.mean, p.most]).collect::<Vec<_>>(),
                    "strip size |Cᵢ| (tokens)",
                ),
            };
            strips.draw(&mut canvas);
            let (least, most) = (curve(&strips, &|p| p.least), curve(&strips, &|p| p.most));
            let band: Vec<DVec2> = least.iter().chain(most.iter().rev()).copied().collect();
            canvas.polygon(&band, Style::fill(STRIPS, 0.16));
            for (edge, dash) in [(&least, "2 3"), (&most, "7 3")] {
                canvas.polyline(edge, Style::line(STRIPS, 1.3, 1.0).dashed(dash));
            }
            show(&mut canvas, &curve(&strips, &|p| p.mean), STRIPS);
            strips.close(&mut canvas);
            let keys = [("largest", Some("7 3")), ("mean", None), ("smallest", Some("2 3"))];
            keyed(&mut canvas, &strips, STRIPS, &keys);
        }
        for (p, at) in points.iter().zip(curve(&moved, &|p| p.moved)) {
            let strips = if self.has_strips {
                format!("\nstrips: {} to {}, mean {:.3}", p.least, p.most, p.mean)
            } else {
                String::new()
            };
            canvas.mark(at, format!("step {}\nmoved: {}{strips}", p.t, p.moved));
        }
        moved.draw(&mut canvas);
        show(&mut canvas, &curve(&moved, &|p| p.moved), MOVED);
        moved.close(&mut canvas);
        keyed(&mut canvas, &moved, MOVED, &[("tokens that moved in the step", None)]);

        let most = blocks.iter().map(|rows| rows.len()).max().unwrap_or(1);
        if most > 1 {
            let text = format!(
                "A point stands for up to {most} recorded steps: {}most moved.",
                if self.has_strips { "extremes of the sizes, mean of the means, " } else { "" }
            );
            for line in wrapped(&text, 11.0, width - 32.0, 1) {
                canvas.text(DVec2::new(16.0, height - 10.0), 11.0, Anchor::Start, SOFT, 0.0, &line);
            }
        }
        canvas.finish()
    }

    /// The rows in blocks that are as wide as one another on the axis; a row a block while there are few.
    fn blocks(&self, scale: Scale) -> Vec<&[StepReport]> {
        let (Some(first), Some(last)) = (self.rows.first(), self.rows.last()) else { return Vec::new() };
        let place = |row: &StepReport| match scale {
            Scale::Linear => (row.t - first.t) as f64 / ((last.t - first.t) as f64).max(1.0),
            Scale::Log => ((row.t + 1) as f64 / (first.t + 1) as f64).ln() / ((last.t + 1) as f64).ln().max(1.0),
        };
        if self.rows.len() <= MOST_POINTS {
            return self.rows.chunks(1).collect();
        }
        let bin = |row: &StepReport| (place(row) * MOST_POINTS as f64) as usize;
        self.rows.chunk_by(|a, b| bin(a) == bin(b)).collect()
    }

    fn point(&self, rows: &[StepReport]) -> Point {
        let all = |value: fn(&StepReport) -> f64| rows.iter().map(value);
        let n = self.n.max(1) as f64;
        Point {
            t: rows[0].t as f64,
            least: all(|r| f64::from(r.strip_min)).fold(f64::INFINITY, f64::min),
            mean: all(|r| r.strip_total as f64).sum::<f64>() / n / rows.len() as f64,
            most: all(|r| f64::from(r.strip_max)).fold(0.0, f64::max),
            moved: all(|r| r.moved as f64).fold(0.0, f64::max),
        }
    }
}

/// The axis of steps: logarithmic in t + 1 for runs past 3000 steps.
fn steps(first: u64, last: u64) -> Axis {
    let (first, last) = (first as f64, last as f64);
    if (last + 1.0) / (first + 1.0) > 3000.0 {
        let (low, high) = (first + 1.0, (last + 1.0) * 1.1);
        Axis { scale: Scale::Log, ..Axis::linear(low, high, "step t + 1") }
    } else {
        let margin = 0.02 * (last - first).max(1.0);
        Axis { whole: true, ..Axis::linear(first - margin, last + margin, "step t") }
    }
}

/// A curve; its points too where they are few.
fn show(canvas: &mut Canvas, points: &[DVec2], colour: &str) {
    canvas.polyline(points, Style::line(colour, 1.8, 1.0));
    if points.len() <= 60 {
        canvas.dots(points.iter().copied(), 2.6, colour, 1.0);
    }
}

/// Keys in a row over the upper right corner of the frame.
fn keyed(canvas: &mut Canvas, frame: &Frame, colour: &str, keys: &[(&str, Option<&str>)]) {
    let mut x = frame.high.x;
    let y = frame.low.y - 8.0;
    for (text, dash) in keys.iter().rev() {
        x -= text_width(text, 12.0);
        canvas.text(DVec2::new(x, y), 12.0, Anchor::Start, INK, 0.0, text);
        let style = Style::line(colour, 1.8, 1.0);
        let style = dash.map_or(style, |dash| style.dashed(dash));
        canvas.line(DVec2::new(x - 30.0, y - 4.0), DVec2::new(x - 6.0, y - 4.0), style);
        x -= 48.0;
    }
}
