//! Pictures: SVG and PNG from one description, drawn from plain data, never from a live engine.
//!
//! * [`Trajectories`]: the paths of the tokens, in the plane of the first two coordinates or
//!   principal axes, with the strip of one token.
//! * [`Comparison`]: several runs of one cloud, side by side.
//! * [`Metrics`]: strip sizes and moved tokens against the step.
//! * [`Chart`], [`Panels`]: lines, points, bands, histograms, regions and heat maps on linear or
//!   logarithmic axes.
//! * [`Player`]: a trajectory to be played, as part of a page and as a GIF.
//! * [`document`]: a report, as one page that needs no network and as Markdown.
//!
//! The PNG is rasterised from the SVG with the font inside it: the same input gives the same
//! picture on any machine. Colours are Okabe and Ito's, safe for colour-blind readers.

mod axes;
mod canvas;
mod chart;
mod colouring;
mod comparison;
pub mod document;
mod geometry;
mod gif;
mod metrics;
mod page;
mod player;
mod trajectories;
mod view;

use std::fs;
use std::path::Path;

pub use chart::{Chart, Coordinate, Panels};
pub use comparison::Comparison;
pub use metrics::{Metrics, StepMetrics};
pub use player::Player;
pub use trajectories::{StripView, Trajectories};

use crate::error::{Error, Result};
use crate::tokens::Tokens;

/// A finished picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// An SVG document that needs nothing outside itself.
    pub svg: String,
    /// The PNG, two pixels for each of the SVG.
    pub png: Vec<u8>,
    /// Texts that a page shows where a reader points.
    pub tooltips: Vec<Tooltip>,
}

/// A text at a place of a picture, in pixels of the SVG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tooltip {
    /// Distance from the left.
    pub x: i32,
    /// Distance from the top.
    pub y: i32,
    /// The values there.
    pub text: String,
}

impl Picture {
    /// Writes `<name>.svg` and `<name>.png` into `folder`, which exists.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, folder: &Path, name: &str) -> Result<()> {
        let write = |ending: &str, bytes: &[u8]| {
            let path = folder.join(format!("{name}.{ending}"));
            fs::write(&path, bytes).map_err(|source| Error::file(path, source))
        };
        write("svg", self.svg.as_bytes())?;
        write("png", &self.png)
    }
}

/// The size of a picture, in pixels of the SVG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Size {
    /// Width and height as drawn: between 480 × 360, below which nothing can be read, and 4000 × 4000.
    fn clamped(self) -> (f64, f64) {
        (f64::from(self.width.clamp(480, 4000)), f64::from(self.height.clamp(360, 4000)))
    }
}

/// Okabe and Ito's colours without black and yellow.
pub(crate) const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
/// The colour of what stands behind the others.
const GREY: &str = "#8c8c8c";

impl Default for Size {
    fn default() -> Self {
        Self { width: 960, height: 720 }
    }
}

/// Checks that there are frames, ascending and of one shape; messages name `of`, the picture.
fn check_frames(frames: &[(u64, Tokens)], of: &str) -> Result<()> {
    let Some((_, first)) = frames.first() else {
        return Err(Error::input(format!("{of} needs at least one frame")));
    };
    let (n, d) = (first.n(), first.d());
    for [(before, _), (step, tokens)] in frames.array_windows() {
        if (tokens.n(), tokens.d()) != (n, d) {
            return Err(Error::input(format!(
                "the frame of step {step} has shape ({}, {}), the first one ({n}, {d}); they must be alike",
                tokens.n(),
                tokens.d()
            )));
        }
        if step <= before {
            return Err(Error::input(format!("frames must ascend: step {step} comes after step {before}")));
        }
    }
    Ok(())
}
