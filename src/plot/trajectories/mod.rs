//! The paths of the tokens: each from its start (hollow) to its end (filled), coloured by the
//! cluster that it ends in, with the hull of the start cloud, and the strip `C_i = { j : <A x_i,
//! x_j> >= max_l <A x_i, x_l> − δ s_i }` of one token as a half-plane.

pub(super) mod data;
mod drawing;
mod legend;

use glam::DVec2;

use self::data::Trajectories;
use self::drawing::Drawing;
use super::axes::{Axes, heading};
use super::canvas::Canvas;
use super::picture::{Picture, Size};
use super::view::View;
use crate::error::Result;

impl Trajectories<'_> {
    /// Draws the picture.
    ///
    /// # Errors
    /// No frames, frames of different shapes or out of order, a strip that does not belong to them.
    pub fn draw(&self, size: Size) -> Result<Picture> {
        self.check()?;
        let (width, height) = size.clamped();
        let mut canvas = Canvas::new(width, height);
        let top = heading(&mut canvas, 16.0, &self.title, &self.subtitle);
        let ends = [&self.frames[0].1, &self.frames[self.frames.len() - 1].1];
        let view = View::new(ends, &self.frames.iter().collect::<Vec<_>>(), self.by_coordinates);
        let axes = view.axes(DVec2::new(84.0, top), DVec2::new(width - legend::WIDTH - 24.0, height - 72.0));
        axes.draw(&mut canvas);
        Drawing::new(self, &view, &axes).draw(&mut canvas);
        canvas.finish()
    }

    /// Draws the data on the axes of a shared view; returns one line about the end.
    pub(super) fn draw_panel(&self, view: &View, axes: &Axes, canvas: &mut Canvas) -> String {
        Drawing::new(self, view, axes).panel(canvas)
    }
}
