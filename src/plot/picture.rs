//! Finished pictures and their sizes.

use std::path::Path;

use crate::error::Result;
use crate::io::atomic;

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
    /// Writes `<name>.svg` and `<name>.png` into `folder`, which exists, each whole or not at all.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, folder: &Path, name: &str) -> Result<()> {
        let write = |ending: &str, bytes: &[u8]| {
            let path = folder.join(format!("{name}.{ending}"));
            atomic::write(&path, |file| file.write_all(bytes))
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
    /// Width and height as drawn: between 480 × 360, below which nothing can be read, and 4000 ×
    /// 4000.
    pub(super) fn clamped(self) -> (f64, f64) {
        (f64::from(self.width.clamp(480, 4000)), f64::from(self.height.clamp(360, 4000)))
    }
}

impl Default for Size {
    fn default() -> Self {
        Self { width: 960, height: 720 }
    }
}
