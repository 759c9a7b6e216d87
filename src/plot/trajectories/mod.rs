//! The paths of the tokens: each from its start (hollow) to its end (filled), coloured by the
//! cluster that it ends in, with the hull of the start cloud, and the strip `C_i = { j : <A x_i,
//! x_j> >= max_l <A x_i, x_l> − δ s_i }` of one token as a half-plane.

mod drawing;
mod legend;

use glam::DVec2;

use self::drawing::Drawing;
use super::axes::{Axes, heading};
use super::canvas::Canvas;
use super::view::View;
use super::{Picture, Size, check_frames};
use crate::error::{Error, Result};
use crate::tokens::Tokens;

/// Colours of the strip's band and members, and of the band's edge.
const BAND: &str = "#f0e442";
const EDGE: &str = "#8a7d00";

/// The strip of one token at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StripView {
    /// t, the step of one of the frames.
    pub step: u64,
    /// i, the token whose strip it is.
    pub token: usize,
    /// C_i, indices of tokens.
    pub members: Vec<usize>,
    /// A x_i, length d.
    pub query: Vec<f64>,
    /// max_l S_il − δ s_i.
    pub threshold: f64,
}

/// A picture of trajectories, before it is drawn.
#[derive(Clone, Debug)]
pub struct Trajectories<'a> {
    /// First line: rule and parameters.
    pub title: String,
    /// Second line: n, d, steps, engine.
    pub subtitle: String,
    /// Steps, ascending, each with its cloud; all clouds have one shape.
    pub frames: &'a [(u64, Tokens)],
    /// The strip to show.
    pub strip: Option<StripView>,
}

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
        let view = View::new(self.frames);
        let axes = view.axes(DVec2::new(84.0, top), DVec2::new(width - legend::WIDTH - 24.0, height - 72.0));
        axes.draw(&mut canvas);
        Drawing::new(self, &view, &axes).draw(&mut canvas);
        canvas.finish()
    }

    /// Draws the data on the axes of a shared view; returns one line about the end.
    pub(super) fn draw_panel(&self, view: &View, axes: &Axes, canvas: &mut Canvas) -> String {
        Drawing::new(self, view, axes).panel(canvas)
    }

    pub(super) fn check(&self) -> Result<()> {
        check_frames(self.frames, "a picture of trajectories")?;
        let (n, d) = (self.frames[0].1.n(), self.frames[0].1.d());
        let Some(strip) = &self.strip else { return Ok(()) };
        if !self.frames.iter().any(|(step, _)| *step == strip.step) {
            return Err(Error::input(format!("there is no frame of step {}, whose strip is to be drawn", strip.step)));
        }
        if let Some(i) = strip.members.iter().chain([&strip.token]).find(|&&i| i >= n) {
            return Err(Error::input(format!("the strip names token {i}; there are {n} tokens")));
        }
        if strip.query.len() != d {
            return Err(Error::input(format!("the strip's query has {} components; d is {d}", strip.query.len())));
        }
        Ok(())
    }
}
