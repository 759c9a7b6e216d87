//! The resolved config as text: every default spelled out, every path absolute; it runs again as it is.

use std::fmt::Write as _;
use std::path::Path;

use super::{Config, TokenSource};
use crate::error::Result;
use crate::init::{Cloud, Kind};
use crate::io::{atomic, npy};
use crate::model::{Gain, Mask, Matrix, Model, Rule, Update};
use crate::schedule::Schedule;
use crate::tokens::Tokens;

/// A matrix of more entries than that goes into a file of its own.
const INLINE: usize = 1024;
/// The name of that file, beside the config.
const MATRIX_FILE: &str = "a.npy";

impl Config {
    /// The resolved config. A large matrix is named as `a.npy`, which [`Config::save`] writes beside it.
    pub fn to_toml(&self) -> String {
        let mut text = format!("seed = {}\n\n[tokens]\n", self.seed);
        write_tokens(&mut text, &self.tokens);
        write_model(&mut text, &self.model);
        let (run, output) = (&self.run, &self.output);
        let (engine, plan, precision) = (run.engine.name(), run.plan.name(), run.precision.name());
        let _ = write!(
            text,
            "\n[run]\nsteps = {}\nengine = \"{engine}\"\nplan = \"{plan}\"\nprecision = \"{precision}\"\n",
            run.steps
        );
        let _ = write!(
            text,
            "\n[output]\nrecord = \"{}\"\nframes = \"{}\"\ncheckpoint_seconds = {:?}\n",
            output.record, output.frames, output.checkpoint_seconds
        );
        text
    }

    /// Writes `config.toml`, and `a.npy` where the matrix is large, into a folder.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        if let Matrix::Dense { d, entries } = &self.model.scores().matrix
            && entries.len() > INLINE
        {
            npy::write(&folder.join(MATRIX_FILE), &Tokens::from_f64(*d, *d, entries.to_vec())?)?;
        }
        atomic::write(&folder.join("config.toml"), |file| file.write_all(self.to_toml().as_bytes()))
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn schedule(schedule: &Schedule) -> String {
    if schedule.is_constant() { schedule.to_string() } else { quoted(&schedule.to_string()) }
}

fn rows(d: usize, entries: impl Iterator<Item = f64>) -> String {
    let mut text = String::from("[");
    for (at, entry) in entries.enumerate() {
        let before = if at % d == 0 { if at == 0 { "[" } else { "], [" } } else { ", " };
        let _ = write!(text, "{before}{entry:?}");
    }
    text + "]]"
}

fn write_tokens(text: &mut String, tokens: &TokenSource) {
    let _ = match tokens {
        TokenSource::File(path, _) => writeln!(text, "file = {}", quoted(&path.to_string_lossy())),
        TokenSource::Rows(tokens) => {
            let entries = (0..tokens.n()).flat_map(|i| (0..tokens.d()).map(move |k| tokens.get(i, k)));
            writeln!(text, "rows = {}", rows(tokens.d(), entries))
        }
        TokenSource::Cloud(Cloud { kind, n, d, scale, clusters, spread }) => {
            let _ = writeln!(text, "kind = \"{}\"\nn = {n}\nd = {d}\nscale = {scale:?}", kind.name());
            match kind {
                Kind::Clusters => writeln!(text, "clusters = {clusters}\nspread = {spread:?}"),
                _ => Ok(()),
            }
        }
    };
}

fn write_model(text: &mut String, model: &Model) {
    let _ = writeln!(text, "\n[model]\nrule = \"{}\"", model.name());
    let _ = match &model.update {
        Update::Average { gain: Gain::Alpha(alpha), .. } => writeln!(text, "alpha = {}", schedule(alpha)),
        Update::Average { gain: Gain::Gamma(gamma), .. } => writeln!(text, "gamma = {}", schedule(gamma)),
        Update::Flow { dt, integrator, .. } => writeln!(text, "dt = {dt:?}\nintegrator = \"{}\"", integrator.name()),
    };
    if let Rule::Localmax { delta, strip } = &model.rule {
        let _ = writeln!(text, "delta = {}\nstrip = \"{}\"", schedule(delta), strip.name());
    }
    let matrix = match &model.scores().matrix {
        Matrix::Identity => quoted("identity"),
        Matrix::Multiple(c) => format!("{c:?}"),
        Matrix::Dense { entries, .. } if entries.len() > INLINE => quoted(MATRIX_FILE),
        Matrix::Dense { d, entries } => rows(*d, entries.iter().copied()),
    };
    let _ = match &model.scores().factor {
        Schedule::Constant(1.0) => writeln!(text, "a = {matrix}"),
        factor => writeln!(text, "a = {{ matrix = {matrix}, factor = {} }}", schedule(factor)),
    };
    let _ = writeln!(text, "causal = {}", model.mask == Mask::Causal);
}
