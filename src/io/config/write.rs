//! The resolved config as text: with every default, and with absolute paths, so that it runs again
//! as it is.

use std::fmt::Write as _;
use std::path::Path;

use super::{Config, LARGEST, OWN_ROWS, RunOptions, TokenSource};
use crate::choice::{EngineChoice, Plan};
use crate::error::{Error, Result};
use crate::init::{Cloud, CloudSample};
use crate::io::{atomic, input, npy};
use crate::model::{
    Gain, Geometry, Head, Matrix, Model, Operator, Perceptron, Random, Rule, Scheme, Scoring, Source, StripForm, Update,
};
use crate::schedule::Schedule;
use crate::tokens::Tokens;

/// Most entries of a matrix or a table in the text; larger ones go into files of their own.
const INLINE: usize = 1024;

impl Config {
    /// The resolved config. Large matrices, tables and lists of rows are named as files, such as
    /// `a.npy`, which [`Config::save`] writes beside it.
    pub fn to_toml(&self) -> String {
        Writer::of(self, INLINE).text
    }

    /// The identity of the system: blake3 of the resolved config's text without `steps`, `engine`,
    /// `plan`, `tolerance` and `checkpoint_seconds`, and of the entries of large matrices and tables. Segments
    /// of one run agree on it; they may differ in how far they go and in how they are computed. A
    /// file of tokens counts by its path, not by its content: a later segment begins with the state
    /// of a checkpoint.
    pub fn identity(&self) -> blake3::Hash {
        let mut system = self.clone();
        system.run = RunOptions { steps: 0, engine: EngineChoice::Auto, plan: Plan::Auto, tolerance: None, ..self.run };
        system.output.checkpoint_seconds = 0.0;
        let Writer { text, files, .. } = Writer::of(&system, usize::MAX);
        let mut hasher = blake3::Hasher::new();
        hasher.update(text.as_bytes());
        for File { name, rows, columns, entries } in files {
            hasher.update(format!("{name} {rows} {columns}").as_bytes());
            for entry in entries {
                hasher.update(&entry.to_le_bytes());
            }
        }
        hasher.finalize()
    }

    /// This config with the hash of its token file, if it has one.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn with_hash(&self) -> Result<Self> {
        let mut config = self.clone();
        if let TokenSource::File(path, _, hash @ None) = &mut config.tokens {
            *hash = Some(input::hash(path)?);
        }
        Ok(config)
    }

    /// Writes `config.toml`, with the files of large matrices, tables and lists of rows, into a
    /// folder. The table `[files]` has the hash of each, and that of the token file if it is known.
    ///
    /// # Errors
    /// A file that cannot be written; a text longer than [`Config::load`] reads.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let Writer { mut text, files, .. } = Writer::of(self, INLINE);
        let mut hashes = Vec::new();
        if let TokenSource::File(path, _, Some(hash)) = &self.tokens {
            hashes.push((path.display().to_string(), *hash));
        }
        for File { name, rows, columns, entries } in files {
            let hash = npy::write(&folder.join(&name), &Tokens::from_flat(rows, columns, entries)?)?;
            hashes.push((name, hash));
        }
        if !hashes.is_empty() {
            text += "\n[files]\n";
        }
        for (name, hash) in hashes.iter().filter(|(name, _)| !name.contains(char::is_control)) {
            let _ = writeln!(text, "{} = \"{}\"", quoted(name), hash.to_hex());
        }
        if text.len() as u64 > LARGEST {
            return Err(Error::input(format!(
                "config.toml would have {} bytes, and at most {LARGEST} are read; put large values into .npy files",
                text.len()
            )));
        }
        atomic::write(&folder.join("config.toml"), |file| file.write_all(text.as_bytes()))
    }
}

/// An array that stands beside the config.
struct File {
    name: String,
    rows: usize,
    columns: usize,
    entries: Vec<f64>,
}

/// The text of a config, and the files beside it.
struct Writer {
    text: String,
    files: Vec<File>,
    /// Most entries of rows of tokens in the text.
    rows_inline: usize,
}

impl Writer {
    fn of(config: &Config, rows_inline: usize) -> Self {
        let Config { seed, tokens, clouds, model, run, output, .. } = config;
        let mut writer = Self { text: String::new(), files: Vec::new(), rows_inline };
        writer.line("seed", seed);
        writer.table("tokens");
        writer.tokens(tokens);
        if let Some(m) = clouds {
            writer.line("clouds", m);
        }
        if let Some(keys) = &model.keys {
            writer.keys(keys);
        }
        writer.table("model");
        writer.model(model);
        writer.table("run");
        writer.line("steps", run.steps);
        writer.line("engine", quoted(run.engine.name()));
        writer.line("plan", quoted(run.plan.name()));
        writer.line("precision", quoted(if run.auto { "auto" } else { run.precision.name() }));
        if let Some(tolerance) = run.tolerance {
            writer.line("tolerance", format!("{tolerance:?}"));
        }
        writer.table("output");
        writer.line("record", quoted(output.record));
        writer.line("frames", quoted(output.frames));
        writer.line("measures", quoted(output.measures));
        if !output.labels {
            writer.line("labels", false);
        }
        writer.line("checkpoint_seconds", format!("{:?}", output.checkpoint_seconds));
        writer
    }

    fn table(&mut self, name: &str) {
        let _ = writeln!(self.text, "\n[{name}]");
    }

    fn line(&mut self, key: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{key} = {value}");
    }

    fn scalar_line(&mut self, key: &str, schedule: &Schedule) {
        let value = self.scalar(key, schedule);
        self.line(key, value);
    }

    fn operator_line(&mut self, key: &str, operator: &Operator) {
        let value = self.operator(key, operator);
        self.line(key, value);
    }

    fn tokens(&mut self, tokens: &TokenSource) {
        match tokens {
            TokenSource::File(path, ..) => self.line("file", quoted(path.display())),
            TokenSource::Rows(tokens) if tokens.n() * tokens.d() > self.rows_inline => {
                let stem = OWN_ROWS.trim_end_matches(".npy");
                let file = self.file(stem, tokens.n(), tokens.d(), &tokens.to_f64());
                self.line("file", file);
            }
            TokenSource::Rows(tokens) => self.line("rows", rows(tokens.d(), &tokens.to_f64())),
            TokenSource::Cloud(CloudSample { kind, n, d, scale, clusters, spread }) => {
                self.line("kind", quoted(kind.name()));
                self.line("n", n);
                self.line("d", d);
                self.line("scale", format!("{scale:?}"));
                if *kind == Cloud::Clusters {
                    self.line("clusters", clusters);
                    self.line("spread", format!("{spread:?}"));
                }
            }
        }
    }

    fn keys(&mut self, keys: &Tokens) {
        let (d, entries) = (keys.d(), keys.to_f64());
        let keys = if entries.len() > INLINE { self.file("keys", keys.n(), d, &entries) } else { rows(d, &entries) };
        self.line("keys", keys);
    }

    fn model(&mut self, model: &Model) {
        self.line("rule", quoted(model.name()));
        match &model.update {
            Update::Average { gain: Gain::Alpha(alpha), .. } => self.scalar_line("alpha", alpha),
            Update::Average { gain: Gain::Gamma(gamma), .. } => self.scalar_line("gamma", gamma),
            Update::Flow { dt, integrator, .. } => {
                self.line("dt", format!("{dt:?}"));
                self.line("integrator", quoted(integrator.name()));
            }
        }
        if model.scoring != Scoring::Inner {
            self.line("scores", quoted(model.scoring.name()));
        }
        let geometry = if let Update::Flow { geometry, .. } = &model.update { Some(geometry) } else { None };
        match &model.rule {
            Rule::Localmax { delta, strip: StripForm::Radius } => self.scalar_line("epsilon", delta),
            Rule::Localmax { delta, strip } => {
                self.scalar_line("delta", delta);
                self.line("strip", quoted(strip.name()));
            }
            Rule::Hardmax | Rule::FrankWolfe => {}
            // The heads of an ellipsoid and rescaled tokens have no temperature of their own.
            Rule::Softmax { .. } if matches!(geometry, Some(Geometry::Ellipsoid(_) | Geometry::Rescaled)) => {}
            Rule::Softmax { beta }
            | Rule::Markov { beta, .. }
            | Rule::Sparse { beta, .. }
            | Rule::Linear { beta, .. } => self.scalar_line("beta", beta),
            Rule::Exponential { beta, origin } => {
                self.scalar_line("beta", beta);
                self.line("normalized", "false");
                self.line("origin", format!("{origin:?}"));
            }
        }
        if let Some(weights) = model.rule.weights() {
            self.line("weights", quoted(weights));
        }
        match geometry {
            Some(Geometry::Ellipsoid(w)) => {
                let w = self.matrix("w", w);
                self.line("w", w);
                self.heads(&model.heads);
            }
            // A was made of q and k, or of a from both sides; it is written as q, with the identity
            // for k.
            Some(_) => {
                if model.scores().random().is_some() {
                    self.operator_line("a", model.scores());
                } else {
                    self.operator_line("q", model.scores());
                    self.line("k", quoted("identity"));
                }
                self.operator_line("v", &model.heads[0].values);
            }
            None => {
                self.operator_line("a", model.scores());
                if !model.heads[0].values.is_identity() {
                    self.operator_line("v", &model.heads[0].values);
                }
            }
        }
        if let Update::Average { preconditioner: Some(p), .. } = &model.update {
            self.operator_line("p", p);
        }
        if model.omit > 0.0 {
            self.line("omit", format!("{:?}", model.omit));
        }
        if let Some(Geometry::Normalised(scheme)) = geometry {
            self.line("normalisation", quoted(scheme.name()));
            match scheme {
                Scheme::Mix { switch } => self.line("switch", format!("{switch:?}")),
                Scheme::Ngpt { speed } => self.scalar_line("speed", speed),
                _ => {}
            }
        }
        if let Some(perceptron) = &model.terms.perceptron {
            let Perceptron { omega, a, activation, .. } = perceptron;
            let d = perceptron.dimension();
            let a = if a.len() > INLINE { self.file("perceptron-a", omega.len(), d, a) } else { rows(d, a) };
            let activation = quoted(activation.name());
            self.line("perceptron", format!("{{ omega = {omega:?}, a = {a}, activation = {activation} }}"));
        }
        if model.terms.bias > 0.0 {
            self.line("bias", format!("{:?}", model.terms.bias));
        }
        if model.terms.exclusive {
            self.line("exclusive", true);
        }
        if let Some(truth) = &model.terms.truth {
            let (point, weight) = (truth.point.to_f64(), self.scalar("truth-weight", &truth.weight));
            self.line("truth", format!("{{ point = {point:?}, weight = {weight} }}"));
        }
        if let Some(noise) = &model.terms.noise {
            self.scalar_line("noise", &noise.kappa);
            self.line("common", noise.common);
        }
        self.line("causal", model.mask.causal);
        if let Some(graph) = &model.graph {
            let edges: Vec<f64> = graph.edges().flatten().map(f64::from).collect();
            let edges =
                if edges.len() > INLINE { self.file("edges", edges.len() / 2, 2, &edges) } else { rows(2, &edges) };
            self.line("mask", format!("{{ graph = {edges} }}"));
        }
        if let Some(window) = model.mask.window {
            self.line("mask", format!("{{ window = {window} }}"));
        }
        if !model.mask.own {
            self.line("self", false);
        }
    }

    fn heads(&mut self, heads: &[Head]) {
        let written: Vec<String> = heads
            .iter()
            .enumerate()
            .map(|(h, head)| {
                // A head is scored by x_iᵀ p x_j, so its A is pᵀ.
                let p = self.operator(&format!("heads-{h}-p"), &head.scores.transposed());
                format!("    {{ p = {p}, u = {} }},\n", self.operator(&format!("heads-{h}-u"), &head.values))
            })
            .collect();
        self.line("heads", format!("[\n{}]", written.concat()));
    }

    fn operator(&mut self, name: &str, operator: &Operator) -> String {
        let matrix = match &operator.source {
            Source::Constant(matrix) => self.matrix(name, matrix),
            Source::Random(random) => return self.random(name, random, &operator.factor),
        };
        match &operator.factor {
            Schedule::Constant(1.0) => matrix,
            factor => {
                let factor = self.scalar(&format!("{name}-factor"), factor);
                format!("{{ matrix = {matrix}, factor = {factor} }}")
            }
        }
    }

    fn random(&mut self, name: &str, random: &Random, factor: &Schedule) -> String {
        let mut parts = format!("random = {}, scale = {:?}", quoted(random.ensemble().name()), random.scale());
        if let Some(every) = random.every() {
            parts += &format!(", every = {every}");
        }
        if *factor != Schedule::Constant(1.0) {
            parts += &format!(", factor = {}", self.scalar(&format!("{name}-factor"), factor));
        }
        format!("{{ {parts} }}")
    }

    fn matrix(&mut self, name: &str, matrix: &Matrix) -> String {
        match matrix {
            Matrix::Identity => quoted("identity"),
            Matrix::Multiple(c) => format!("{c:?}"),
            Matrix::Dense { d, entries } if entries.len() > INLINE => self.file(name, *d, *d, entries),
            Matrix::Dense { d, entries } => rows(*d, entries),
        }
    }

    fn scalar(&mut self, name: &str, schedule: &Schedule) -> String {
        match schedule {
            Schedule::Constant(value) => format!("{value:?}"),
            Schedule::Expression(_) => quoted(schedule),
            Schedule::Table(values) if values.len() > INLINE => {
                format!("{{ table = {} }}", self.file(name, values.len(), 1, values))
            }
            Schedule::Table(values) => format!("{{ table = {values:?} }}"),
            Schedule::Clouds(values) if values.len() > INLINE => {
                format!("{{ clouds = {} }}", self.file(name, values.len(), 1, values))
            }
            Schedule::Clouds(values) => format!("{{ clouds = {values:?} }}"),
            Schedule::Tokens(values) if values.len() > INLINE => {
                format!("{{ tokens = {} }}", self.file(name, values.len(), 1, values))
            }
            Schedule::Tokens(values) => format!("{{ tokens = {values:?} }}"),
        }
    }

    fn file(&mut self, name: &str, rows: usize, columns: usize, entries: &[f64]) -> String {
        let name = format!("{name}.npy");
        self.files.push(File { name: name.clone(), rows, columns, entries: entries.to_vec() });
        quoted(&name)
    }
}

/// A text in TOML's quotes.
fn quoted(text: impl std::fmt::Display) -> String {
    toml::Value::from(text.to_string()).to_string()
}

/// Rows of d numbers.
fn rows(d: usize, entries: &[f64]) -> String {
    let rows: Vec<String> = entries.chunks_exact(d).map(|row| format!("{row:?}")).collect();
    format!("[{}]", rows.join(", "))
}
