//! Charts side by side.

use glam::DVec2;

use super::{Chart, legend};
use crate::error::{Error, Result};
use crate::plot::axes::{FOOT_SIZE, INK, SOFT, heading};
use crate::plot::canvas::{Anchor, Canvas, wrapped};
use crate::plot::picture::{Picture, Size};

/// Charts side by side on one sheet, with one legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Panels {
    /// First line.
    pub title: String,
    /// Second line.
    pub subtitle: String,
    /// At least one; the title of each stands above it. No heat maps.
    pub charts: Vec<Chart>,
    /// Panels in a row.
    pub columns: usize,
}

impl Panels {
    /// Draws the sheet.
    ///
    /// # Errors
    /// No charts; as [`Chart::draw`].
    pub fn draw(&self, size: Size) -> Result<Picture> {
        if self.charts.is_empty() {
            return Err(Error::input("a sheet of panels needs at least one chart"));
        }
        let (width, height) = size.clamped();
        let mut canvas = Canvas::new(width, height);
        let top = heading(&mut canvas, 16.0, &self.title, &self.subtitle) - 6.0;
        let layers = || self.charts.iter().flat_map(|chart| &chart.layers);
        let side = legend::width(layers());
        let columns = self.columns.clamp(1, self.charts.len());
        let rows = self.charts.len().div_ceil(columns);
        let each = DVec2::new((width - 12.0 - side) / columns as f64, (height - top - 8.0) / rows as f64);
        for (at, chart) in self.charts.iter().enumerate() {
            let corner = DVec2::new((at % columns) as f64 * each.x, top + (at / columns) as f64 * each.y);
            let (low, high) = (corner + DVec2::new(0.0, 38.0), corner + DVec2::new(each.x - 14.0, each.y));
            let area = chart.draw_in(&mut canvas, low, high)?;
            let texts = [(&chart.title, 14.0, INK, 24.0), (&chart.full_foot(), FOOT_SIZE, SOFT, 8.0)];
            for (text, size, colour, y) in texts {
                let line = wrapped(text, size, high.x - area.low.x, 1).concat();
                canvas.text(area.low - DVec2::new(0.0, y), size, Anchor::Start, colour, 0.0, &line);
            }
        }
        legend::draw(&mut canvas, layers(), DVec2::new(width - 12.0 - side, top + 46.0), side);
        canvas.finish()
    }
}
