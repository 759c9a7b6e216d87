//! Pictures: SVG and PNG from one description, drawn from plain data that files hold, never from a live engine.
//!
//! * [`Trajectories`]: where the tokens go, in the plane of the first two coordinates or principal axes, with the strip
//!   of one token.
//! * [`Comparison`]: several runs of one cloud, side by side.
//! * [`Metrics`]: strip sizes and moved tokens against the step.
//! * [`Chart`], [`Panels`]: lines, points, bands, histograms, regions and heat maps on linear or logarithmic axes.
//! * [`Player`]: a trajectory to be played, as part of a page and as a GIF.
//! * [`document`]: a report, as one page that needs no network and as Markdown.
//!
//! The PNG is rasterised from the SVG with the font inside it: the same input gives the same picture on any machine.
//! Colours are those of Okabe and Ito, which colour-blind readers can tell apart.

mod canvas;
mod chart;
mod comparison;
pub mod document;
mod frame;
mod geometry;
mod gif;
mod metrics;
mod player;
mod trajectories;
mod view;

use std::fs;
use std::path::Path;

pub use chart::{Chart, Coordinate, Panels};
pub use comparison::Comparison;
pub use metrics::Metrics;
pub use player::Player;
pub use trajectories::{StripView, Trajectories};

use crate::error::{Error, Result};

/// A finished picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// An SVG document that needs nothing outside itself.
    pub svg: String,
    /// The same as a PNG, two pixels for one of the SVG.
    pub png: Vec<u8>,
    /// Places that say something when they are pointed at.
    pub marks: Vec<Mark>,
}

/// A place of a picture, in pixels of the SVG, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// From the left.
    pub x: i32,
    /// From the top.
    pub y: i32,
    /// The values.
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

/// Width and height of a picture, in pixels of the SVG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Size {
    /// The size as drawn: between 480 × 360, below which nothing can be read, and 4000 × 4000.
    fn clamped(self) -> (f64, f64) {
        (f64::from(self.width.clamp(480, 4000)), f64::from(self.height.clamp(360, 4000)))
    }
}

/// Okabe and Ito's colours without black and yellow.
pub(crate) const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];

impl Default for Size {
    fn default() -> Self {
        Self { width: 960, height: 720 }
    }
}
