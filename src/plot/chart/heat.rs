//! Heat maps: a coloured cell for each pair, with the value inside, and a bar with the scale of the
//! colours. The colours are viridis, whose lightness grows all the way: it reads in grey too.

use glam::DVec2;

use crate::error::{Error, Result};
use crate::num;
use crate::plot::axes::{Axes, Axis, INK, SOFT, Scale, significant, three_digits};
use crate::plot::canvas::{Anchor, Canvas, Style, text_width};

/// Width of the bar itself, in pixels, and of the margins beside it and its texts.
const BAR: f64 = 20.0;
const MARGIN: f64 = 12.0;

/// Cells of fewer pixels than these have no edges.
const SMALL: f64 = 16.0;

/// Most names along an axis.
pub(super) const MOST_NAMES: usize = 18;

const VIRIDIS: [[f64; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 44.0, 122.0],
    [59.0, 81.0, 139.0],
    [44.0, 113.0, 142.0],
    [33.0, 144.0, 141.0],
    [39.0, 173.0, 129.0],
    [92.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];

/// The cells of a heat map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heat {
    pub(super) label: String,
    pub(super) log: bool,
    /// A row of cells for each row of the y axis; NaN for none.
    pub(super) values: Vec<Vec<f64>>,
    /// What each column and each row is called.
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<String>,
}

impl Heat {
    pub(super) fn check(&self) -> Result<()> {
        let width = self.values.first().map_or(0, Vec::len);
        if width == 0 || self.values.iter().any(|row| row.len() != width) {
            return Err(Error::input("a heat map needs rows of cells, all of one length"));
        }
        Ok(())
    }

    fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    /// The values shown.
    fn shown(&self) -> impl Iterator<Item = f64> {
        self.values.iter().flatten().copied().filter(|&v| self.shows(v))
    }

    /// Least and largest value shown; from 0 on where all are equal.
    fn range(&self) -> (f64, f64) {
        match num::range(self.shown()) {
            (low, high) if low > high => (1.0, 2.0),
            (low, high) if low == high && self.log => (low / 2.0, low * 2.0),
            (0.0, 0.0) => (0.0, 1.0),
            (low, high) if low == high => (low.min(0.0), low.max(0.0)),
            range => range,
        }
    }

    /// The axis of the bar; counts have ticks at whole numbers only.
    fn axis(&self) -> Axis {
        let (low, high) = self.range();
        let scale = if self.log { Scale::Log } else { Scale::Linear };
        let whole = !self.log && self.shown().all(|v| v == v.round());
        Axis { scale, whole, ..Axis::linear(low, high, &*self.label) }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, axes: &Axes, [x, y]: [&str; 2]) {
        let axis = self.axis();
        let name = |names: &[String], at: usize| names.get(at).cloned().unwrap_or_default();
        let cell = axes.map(DVec2::new(1.0, 0.0)) - axes.map(DVec2::new(0.0, 1.0));
        // All values are written, or none.
        let fits = |value: f64| text_width(&significant(three_digits(value)), 12.0) < cell.x - 6.0;
        let are_written = cell.y > 15.0 && self.shown().all(fits);
        for (r, row) in self.values.iter().enumerate() {
            for (c, &value) in row.iter().enumerate() {
                let corner = |dx: f64, dy: f64| axes.map(DVec2::new(c as f64 + dx, r as f64 + dy));
                let (low, high) = (corner(-0.5, 0.5), corner(0.5, -0.5));
                let middle = (low + high) / 2.0;
                let (colour, ink, text) = if self.shows(value) {
                    let share = axis.place(value);
                    (colour(share), if share > 0.55 { INK } else { "#ffffff" }, significant(three_digits(value)))
                } else {
                    ("#eeeeee".to_owned(), SOFT, "–".to_owned())
                };
                let fill = Style::fill(&colour, 1.0);
                if (high - low).min_element() > SMALL {
                    canvas.rectangle(low, high, fill.edged("#ffffff", 1.0, 1.0));
                } else {
                    // A little of the next cell, so that no gap shines through; it is drawn after, but for the last.
                    canvas.rectangle(low, (high + 0.4).min(axes.high), fill);
                }
                if are_written {
                    canvas.text(middle + DVec2::new(0.0, 4.2), 12.0, Anchor::Middle, ink, 0.0, &text);
                }
                let (column, row) = (name(&self.columns, c), name(&self.rows, r));
                let quantity = self.label.split(" (").next().unwrap_or("");
                canvas.tooltip(middle, format!("{x}: {column}\n{y}: {row}\n{quantity}: {}", significant(value)));
            }
        }
    }

    /// The bar at the right edge of a sheet, with its texts to the left.
    fn bar_axes(&self, right: f64, top: f64, bottom: f64) -> Axes {
        let (low, high) = (DVec2::new(right - MARGIN - BAR, top), DVec2::new(right - MARGIN, bottom));
        Axes { low, high, x: Axis::linear(0.0, 1.0, ""), y: self.axis() }
    }

    /// Width of the bar with its texts and margins, in pixels.
    pub(super) fn width(&self, height: f64) -> f64 {
        self.bar_axes(0.0, 0.0, height).room().x + BAR + 2.0 * MARGIN
    }

    /// Draws the bar.
    pub(super) fn bar(&self, canvas: &mut Canvas, top: f64, bottom: f64) {
        const STRIPES: usize = 96;
        let axes = self.bar_axes(canvas.width, top, bottom);
        let each = (bottom - top) / STRIPES as f64;
        for k in 0..STRIPES {
            let top = bottom - (k + 1) as f64 * each;
            let share = (k as f64 + 0.5) / STRIPES as f64;
            let (from, to) = (DVec2::new(axes.low.x, top), DVec2::new(axes.high.x, (top + each + 0.4).min(bottom)));
            canvas.rectangle(from, to, Style::fill(&colour(share), 1.0));
        }
        axes.draw_side(canvas);
        axes.close(canvas);
    }
}

fn colour(share: f64) -> String {
    let at = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let k = (at as usize).min(VIRIDIS.len() - 2);
    let mix = |c: usize| (VIRIDIS[k][c] + (VIRIDIS[k + 1][c] - VIRIDIS[k][c]) * (at - k as f64)).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}
