//! Configs that come with the program. The first line of each is its description.

use super::config::nearest;
use crate::error::{Error, Result};

/// An embedded config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name after `--preset`.
    pub name: &'static str,
    /// The config.
    pub text: &'static str,
}

/// The preset that `run` takes when nothing else is named.
pub const DEFAULT: &str = "default";

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        /// Every preset, in the order they are listed.
        pub const PRESETS: &[Preset] =
            &[$(Preset { name: $name, text: include_str!(concat!("presets/", $name, ".toml")) }),*];
    };
}

presets!(
    "default",
    "emerging-leader",
    "hardmax-triangle",
    "hardmax-square",
    "hardmax-edge",
    "non-vertex-limit",
    "vanishing-delta",
    "large-cloud",
);

impl Preset {
    /// One line that says what it shows.
    pub fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or("").trim_start_matches(['#', ' '])
    }
}

/// The preset of a name.
///
/// # Errors
/// No such preset; the nearest is named.
pub fn find(name: &str) -> Result<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| {
        let nearest = nearest(name, PRESETS.iter().map(|preset| preset.name));
        Error::input(format!("unknown preset {name:?}; the nearest is {nearest:?}, and `localmax presets` lists all"))
    })
}
