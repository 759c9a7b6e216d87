//! Choices of *how* a run is computed. None of them changes a bit of the result.

#[cfg(any(feature = "gpu", feature = "cli"))]
use std::sync::OnceLock;

use crate::error::{Error, Result};

/// The adapter that `--adapter` names, for the whole process.
#[cfg(any(feature = "gpu", feature = "cli"))]
static ADAPTER: OnceLock<String> = OnceLock::new();

/// Names the GPU adapter to take from now on: a part of its name, its number in `localmax doctor`, or
/// its PCI id; several with commas between them; or `all`.
#[cfg(feature = "cli")]
pub(crate) fn take_adapter(name: &str) {
    let _ = ADAPTER.set(name.to_owned()); // the command line is read once
}

/// The adapter that was named, by `--adapter` or else by `LOCALMAX_ADAPTER`, with what named it.
#[cfg(any(feature = "gpu", feature = "cli"))]
pub(crate) fn adapter() -> Option<(&'static str, String)> {
    let set = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty()).map(|name| (variable, name));
    ADAPTER.get().map(|name| ("--adapter", name.clone())).or_else(|| set("LOCALMAX_ADAPTER"))
}

/// The engine that computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EngineChoice {
    /// A hardware GPU if there is one, else the CPU; never a software driver.
    #[default]
    Auto,
    /// The GPU, a software driver included.
    Gpu,
    /// The CPU engine.
    Cpu,
    /// The plain loops that define the correct result.
    Reference,
}

/// The search for keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Plan {
    /// The cheapest of the other plans.
    #[default]
    Auto,
    /// Every pair.
    Brute,
    /// Every pair in few bits, and exactly those that are left.
    Filter,
    /// Keys in the order of their norms.
    Norm,
    /// A tree of boxes.
    Tree,
    /// A table of query directions.
    Direction,
    /// A tree of boxes on each of several ranks, opened for all where a row of one needs it.
    Opened,
}

/// Names the values of an enum, as configs and files write them.
macro_rules! named {
    ($type:ty, $what:literal, [$($value:ident = $name:literal),* $(,)?]) => {
        impl $type {
            /// Every value with its name.
            pub const ALL: [(Self, &'static str); [$($name),*].len()] = [$((Self::$value, $name)),*];

            /// The name used in configs and files.
            pub fn name(self) -> &'static str {
                match self { $(Self::$value => $name),* }
            }

            /// The value with a name.
            ///
            /// # Errors
            /// An unknown name; the error lists all names.
            pub fn parse(text: &str) -> $crate::error::Result<Self> {
                $crate::choice::find(text, $what, &Self::ALL)
            }
        }
    };
}
pub(crate) use named;

named!(EngineChoice, "engine", [Auto = "auto", Gpu = "gpu", Cpu = "cpu", Reference = "reference"]);
named!(
    Plan,
    "plan",
    [
        Auto = "auto",
        Brute = "brute",
        Filter = "filter",
        Norm = "norm",
        Tree = "tree",
        Direction = "direction",
        Opened = "opened"
    ]
);

/// The value with a name in a table of names; `what` is the kind of value.
pub(crate) fn find<T: Copy>(text: &str, what: &str, all: &[(T, &'static str)]) -> Result<T> {
    all.iter().find(|(_, name)| *name == text).map(|(value, _)| *value).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
        Error::input(format!("unknown {what} {text:?}; one of {}", names.join(", ")))
    })
}
