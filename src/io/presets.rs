//! Presets: configs that come with the program. The first line of each is its description.

use super::nearest::nearest;
use crate::error::{Error, Result};

/// An embedded config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name, as given after `--preset`.
    pub name: &'static str,
    /// The config.
    pub text: &'static str,
}

/// The preset that `run` takes if nothing else is named.
pub const DEFAULT: &str = "default";

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        /// Every preset, in the order of `localmax presets`.
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
    "window",
    "graph",
    "frank-wolfe-cells",
    "frank-wolfe-super-exponential",
    "frank-wolfe-refuted",
    "hegselmann-krause",
    "truth",
    "blurring-mean-shift",
    "softmax-collection",
    "sparsemax-strip",
    "markov-escape",
    "retrieval",
    "sphere-clusters",
    "sphere-metastable",
    "sphere-pairs",
    "sphere-noise",
    "pre-norm",
    "perceptron",
    "sphere-causal",
    "causal-centres",
    "alibi-circle",
    "exclusive",
    "ellipsoid-consensus",
    "random-layers",
    "clustering-polytope",
    "clustering-hyperplane",
    "large-cloud",
);

impl Preset {
    /// One line that describes the preset.
    pub fn summary(&self) -> &'static str {
        self.text.lines().next().unwrap_or("").trim_start_matches(['#', ' '])
    }
}

/// The preset with a name.
///
/// # Errors
/// An unknown name; the error names the nearest one.
pub fn find(name: &str) -> Result<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| {
        let nearest = nearest(name, PRESETS.iter().map(|preset| preset.name));
        Error::input(format!("unknown preset {name:?}; the nearest is {nearest:?}, and `localmax presets` lists all"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Plan;
    use crate::engine::{self, Steps};
    use crate::io::config::{Config, Override};

    /// A preset that does not run, or says nothing about itself, is worse than none.
    #[test]
    fn every_preset_runs() {
        for preset in PRESETS {
            assert!(preset.summary().len() > 20 && preset.summary().chars().count() < 120, "{}", preset.summary());
            assert!(preset.text.contains("# Source: ") && preset.text.contains("# Ours: "), "{}", preset.name);
            let full = Config::preset(preset.name, &[]).unwrap();
            let small = Override::set("tokens.n=500").unwrap();
            let config = if full.n() > 500 { Config::preset(preset.name, &[small]).unwrap() } else { full };
            let tokens = config.load_tokens().unwrap();
            let (first, grid) = engine::first_state(&config.model, &tokens, config.run.precision).unwrap();
            let mut engine = engine::on_reference(Plan::Auto, &config.model, &first, grid).unwrap();
            let mut steps = Steps::new(&config.model, grid, config.d());
            // A small chain may wait for its first draw.
            let count = if config.n() <= 20 { 40 } else { 3 };
            let few: Vec<_> = (0..count).map(|t| steps.at(t).unwrap()).collect();
            let reports = engine.step(&few).unwrap();
            assert!(reports.iter().any(|r| r.moved > 0), "{}: nothing moves", preset.name);
        }
        assert!(find(DEFAULT).is_ok());
    }

    /// A vertex that scores higher on another than on itself moves, and whoever goes to it does not
    /// go straight.
    #[test]
    fn the_vertices_of_frank_wolfe_own_their_cells() {
        let tokens = Config::preset("frank-wolfe-cells", &[]).unwrap().load_tokens().unwrap();
        let score = |i: usize, j: usize| tokens.row(i).iter().zip(tokens.row(j)).map(|(a, b)| a * b).sum::<f64>();
        let best = |i: usize| (0..tokens.n()).max_by(|&a, &b| score(i, a).total_cmp(&score(i, b))).unwrap();
        for i in 0..tokens.n() {
            assert_eq!(best(best(i)), best(i), "token {i}");
        }
    }

    /// The resolved config of a preset runs again as it is.
    #[test]
    fn presets_resolve() {
        for preset in PRESETS {
            let config = Config::preset(preset.name, &[]).unwrap();
            let again = Config::parse(&config.to_toml(), "c", preset.name, std::path::Path::new(""), &[]).unwrap();
            assert_eq!(again, config);
        }
    }

    /// A mistyped name leads to the right one.
    #[test]
    fn unknown_presets_name_the_nearest() {
        let line = find("emerging-leadr").unwrap_err().to_string();
        assert!(line.contains("\"emerging-leader\""), "{line}");
    }
}
