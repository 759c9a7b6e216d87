//! What a person may choose about *how* a run is computed. None of it changes a bit of the result.

use crate::error::{Error, Result};

/// Which engine computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// A hardware GPU if there is one, else the CPU; never a software driver.
    #[default]
    Auto,
    /// The GPU, a software driver included.
    Gpu,
    /// The CPU engine.
    Cpu,
    /// The plain loops that define correct.
    Reference,
}

/// How keys are searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// The cheapest of the others.
    #[default]
    Auto,
    /// Every pair.
    Brute,
    /// Keys in the order of their norms.
    Norm,
    /// A tree of boxes.
    Tree,
}

impl EngineChoice {
    /// Every choice with its name in configs.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Auto, "auto"), (Self::Gpu, "gpu"), (Self::Cpu, "cpu"), (Self::Reference, "reference")];

    /// The name used in configs and files.
    pub fn name(self) -> &'static str {
        name(self, &Self::ALL)
    }

    /// The choice of that name.
    ///
    /// # Errors
    /// No such name; the error lists all.
    pub fn parse(text: &str) -> Result<Self> {
        named(text, "engine", &Self::ALL)
    }
}

impl Plan {
    /// Every plan with its name in configs.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Auto, "auto"), (Self::Brute, "brute"), (Self::Norm, "norm"), (Self::Tree, "tree")];

    /// The name used in configs and files.
    pub fn name(self) -> &'static str {
        name(self, &Self::ALL)
    }

    /// The plan of that name.
    ///
    /// # Errors
    /// No such name; the error lists all.
    pub fn parse(text: &str) -> Result<Self> {
        named(text, "plan", &Self::ALL)
    }
}

/// The name of a value in a table of names.
pub(crate) fn name<T: Copy + PartialEq>(value: T, all: &[(T, &'static str)]) -> &'static str {
    all.iter().find(|(v, _)| *v == value).map_or("", |(_, name)| name)
}

/// The value of a name in a table of names.
pub(crate) fn named<T: Copy>(text: &str, what: &str, all: &[(T, &'static str)]) -> Result<T> {
    all.iter().find(|(_, name)| *name == text).map(|(value, _)| *value).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
        Error::input(format!("unknown {what} {text:?}; one of {}", names.join(", ")))
    })
}
