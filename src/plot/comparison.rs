//! Runs of one cloud side by side, in one plane and on the same axes.

use glam::DVec2;

use super::axes::{FOOT_SIZE, INK, SOFT, heading};
use super::canvas::{Anchor, Canvas, wrapped};
use super::picture::{Picture, Size};
use super::trajectories::data::Trajectories;
use super::view::View;
use crate::error::{Error, Result};
use crate::num;
use crate::tokens::Tokens;

/// Pixels of a panel's two lines, of the texts at its axes, and between panels.
const HEAD: f64 = 44.0;
const LEFT: f64 = 76.0;
const BELOW: f64 = 52.0;
const GAP: DVec2 = DVec2::new(44.0, 11.0);

/// A comparison, before it is drawn.
#[derive(Clone, Debug)]
pub struct Comparison<'a> {
    /// First line: what is compared.
    pub title: String,
    /// Second line: n, d, engine.
    pub subtitle: String,
    /// One panel a run; their first frames are the same cloud, which chooses the plane.
    pub panels: &'a [Trajectories<'a>],
}

impl Comparison<'_> {
    /// Draws the picture.
    ///
    /// # Errors
    /// No panels, or as [`Trajectories::draw`]; runs that start from different clouds.
    pub fn draw(&self, size: Size) -> Result<Picture> {
        let Some(first) = self.panels.first() else {
            return Err(Error::input("a comparison needs at least one run"));
        };
        self.panels.iter().try_for_each(Trajectories::check)?;
        let start = &first.frames[0].1;
        if let Some(other) = self.panels.iter().find(|panel| !alike(&panel.frames[0].1, start)) {
            let (one, two) = (&first.title, &other.title);
            return Err(Error::input(format!(
                "\"{two}\" starts from another cloud than \"{one}\"; compare equal starts"
            )));
        }
        let frames: Vec<_> = self.panels.iter().flat_map(|panel| panel.frames).collect();
        let view = View::new([start, start], &frames, false);

        let (width, height) = size.clamped();
        let mut canvas = Canvas::new(width, height);
        let top = heading(&mut canvas, 16.0, &self.title, &self.subtitle) - 8.0;
        let columns = (1..=self.panels.len()).find(|c| c * c >= self.panels.len()).unwrap_or(1);
        let rows = self.panels.len().div_ceil(columns);
        let each = DVec2::new(
            (width - LEFT - 24.0 - GAP.x * (columns - 1) as f64) / columns as f64,
            (height - top - BELOW - 28.0) / rows as f64,
        );
        for (at, panel) in self.panels.iter().enumerate() {
            let (row, column) = (at / columns, at % columns);
            let low = DVec2::new(LEFT + column as f64 * (each.x + GAP.x), top + row as f64 * each.y + HEAD);
            let high = DVec2::new(low.x + each.x, low.y + each.y - HEAD - GAP.y);
            let mut axes = view.axes(low, high);
            if at + columns < self.panels.len() {
                axes.x.label.clear();
            }
            if column > 0 {
                axes.y.label.clear();
            }
            axes.draw(&mut canvas);
            let outcome = panel.draw_panel(&view, &axes, &mut canvas);
            for (line, size, colour, y) in [(&panel.title, 14.0, INK, 25.0), (&outcome, 12.0, SOFT, 8.0)] {
                let text = wrapped(line, size, each.x, 1).concat();
                canvas.text(DVec2::new(low.x, low.y - y), size, Anchor::Start, colour, 0.0, &text);
            }
        }
        let caption = "Hollow: the common start. Filled: the end, area by tokens. Dashed: the start's hull. Colours: the heaviest \
                       clusters of each panel, in the order blue, vermilion, green, pink, sky blue, orange; the others grey.";
        for (line, y) in wrapped(caption, FOOT_SIZE, width - 32.0, 2).iter().zip([24.0, 9.0]) {
            canvas.text(DVec2::new(16.0, height - y), FOOT_SIZE, Anchor::Start, SOFT, 0.0, line);
        }
        canvas.finish()
    }
}

/// Whether two clouds are equal but for the lattice that some of the runs live on.
fn alike(one: &Tokens, two: &Tokens) -> bool {
    let tolerance = 1e-6 * two.largest_magnitude();
    let close = |(a, b): (&f64, &f64)| num::within((a - b).abs(), tolerance);
    (one.n(), one.d()) == (two.n(), two.d()) && one.to_f64().iter().zip(&two.to_f64()).all(close)
}
