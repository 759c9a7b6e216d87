//! Every key of a config, and the errors of a key that is not one or is out of place.

use super::document::{Entry, Item, Table};
use crate::error::{Error, Result};
use crate::io::nearest::{hint, nearest};

/// A key with its meaning and, as TOML, its default, or an example where it has none.
pub(super) type Key = (&'static str, &'static str, &'static str);

/// Every table with its keys; the empty name is the document. The rules add theirs to `model`.
pub(super) const TABLES: [(&str, &[Key]); 5] = [
    ("", &[("seed", "seed of generated tokens, of random matrices, and of the draws of markov and of noise", "0")]),
    (
        "tokens",
        &[
            ("file", "an (n, d) array of float32 or float64; or rows; or kind, n and d", "\"x0.npy\""),
            ("rows", "the tokens themselves", "[[1, 0], [0.5, 1]]"),
            (
                "kind",
                "a generated cloud: normal, ball, cube, sphere, circle, polygon, line, clusters, grid, ties",
                "\"normal\"",
            ),
            ("n", "number of tokens", "300"),
            ("d", "dimension", "2"),
            ("clouds", "number of clouds of this kind, or of an (m, n, d) file, in one run", "8"),
            ("scale", "unit of length of a generated cloud", "1.0"),
            ("clusters", "number of clusters of the cloud clusters", "5"),
            ("spread", "their standard deviation, in units of the scale", "0.05"),
            (
                "keys",
                "fixed keys, an (m, d) array or rows: tokens attend to them in place of one another",
                "\"keys.npy\"",
            ),
        ],
    ),
    (
        "model",
        &[
            ("rule", "the system", "\"localmax\""),
            ("causal", "token i sees the keys 0 to i only", "false"),
            (
                "mask",
                "full, causal, { window = w }: token i sees the keys i - w to i + w, or { graph = \"edges.csv\" }: it \
                 sees the keys of its edges",
                "\"full\"",
            ),
            ("self", "a token sees itself", "true"),
        ],
    ),
    (
        "run",
        &[
            ("steps", "number of steps", "100"),
            ("engine", "auto, gpu, cpu, reference", "\"auto\""),
            ("plan", "how keys are searched: auto, brute, filter, norm, tree, direction", "\"auto\""),
            ("precision", "width of the stored tokens: auto, f32, f64; see docs/config.md", "\"auto\""),
            (
                "tolerance",
                "rules in real numbers: the largest move of a step, over the radius, at which a run ends",
                "1e-12",
            ),
        ],
    ),
    (
        "output",
        &[
            (
                "record",
                "steps with a row of metrics.csv: every K, log (above 10^5 tokens), event, never",
                "\"every 1\"",
            ),
            ("frames", "steps whose tokens are kept in frames/", "\"log\""),
            ("measures", "steps with a row of measures.csv", "\"log\""),
            ("labels", "whether the clusters of the last state are found, and labels.npy written", "true"),
            ("checkpoint_seconds", "seconds between checkpoints", "300.0"),
        ],
    ),
];

/// Every key of a config: its table, its name, its meaning with the rules that take it, and its default,
/// or an example where it has none.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str, String, &'static str)> {
    let keys = TABLES.iter().flat_map(|(table, keys)| {
        let parameters = PARAMETERS.iter().filter(move |_| *table == "model");
        keys.iter().chain(parameters).map(move |(key, meaning, value)| (*table, *key, meaning, *value))
    });
    keys.map(|(table, key, meaning, value)| {
        let rules: Vec<&str> = RULES.iter().filter(|(_, keys)| keys.contains(&key)).map(|(rule, _)| *rule).collect();
        let of = if rules.is_empty() { String::new() } else { format!("; of {}", rules.join(", ")) };
        (table, key, format!("{meaning}{of}"), value)
    })
}

/// The table of hashes, whose keys are paths.
pub(super) const FILES: &str = "files";

/// Every parameter of a rule.
pub(super) const PARAMETERS: [Key; 29] = [
    (
        "alpha",
        "the gain is alpha/(1+alpha); a number, an expression in t, or a table with a value a step, a cloud or a token",
        "0.5",
    ),
    ("gamma", "the gain itself, instead of alpha", "0.5"),
    ("scores", "inner, or distance: −|x_i − x_j|²/2; a gain of 1 is then allowed", "\"inner\""),
    ("delta", "width of the strip, as alpha is written", "\"1/(t+1)\""),
    ("epsilon", "with scores = distance instead of delta: keys within this distance, as alpha is written", "0.1"),
    ("strip", "what delta is measured in: score, width, a-norm", "\"score\""),
    ("beta", "the inverse temperature, as alpha is written", "2.0"),
    ("weights", "softmax, sparsemax, entmax15, or on the sphere linear and relu", "\"softmax\""),
    ("omit", "the largest share of a row's weight that the CPU engine may leave out", "0.0"),
    (
        "a",
        "A of the scores: \"identity\", a number, rows, a file, { matrix = ..., factor = ... }, or a random one, \
         { random = \"gaussian\", scale = 1.0, every = 1 }",
        "\"identity\"",
    ),
    ("q", "with k instead of a: A is the product of k transposed and q", "[[1, 0], [0, 1]]"),
    ("k", "as q", "[[1, 0], [0, 1]]"),
    ("v", "V, applied to the average of the tokens, as a is written", "\"identity\""),
    ("bias", "with causal: lambda, by which scores fall with distance in places, lambda*(i-j)/n", "0.0"),
    (
        "truth",
        "a point that has the share weight of what a token averages; weight as alpha is written",
        "{ point = [0.5, 0.5], weight = 0.1 }",
    ),
    ("exclusive", "takes from a row's output what lies along the value of its own token", "false"),
    ("p", "P, applied to the difference from the token, as a is written", "\"identity\""),
    ("w", "W of the ellipsoid", "\"identity\""),
    (
        "heads",
        "heads of the ellipsoid, or { count = 4, p = ..., u = ... }; p and u are written as a, the identity unless given",
        "[{ p = 1, u = 1 }]",
    ),
    ("normalized", "weights that sum to 1", "true"),
    ("origin", "with normalized = false: subtracted from every score", "0.0"),
    ("normalisation", "where a layer normalises: post, pre, peri, mix, ngpt, cod", "\"post\""),
    ("switch", "with normalisation = \"mix\": the time at which post becomes pre", "5.0"),
    ("speed", "with normalisation = \"ngpt\": the length of a move in a unit of time, as alpha is written", "1.0"),
    (
        "perceptron",
        "a perceptron beside attention; activation is relu or tanh",
        "{ omega = [0.5], a = [[1, 0]], activation = \"relu\" }",
    ),
    ("noise", "inverse temperature of noise along the sphere, as alpha is written", "4.0"),
    ("common", "with noise: one field for all tokens", "false"),
    ("dt", "length of a step of sphere, ellipsoid and rescaled", "0.1"),
    ("integrator", "euler, rk4, or on sphere and ellipsoid euler-renorm", "\"rk4\""),
];

/// Every rule with its parameters.
pub(super) const RULES: [(&str, &[&str]); 8] = [
    ("localmax", &["alpha", "gamma", "scores", "delta", "epsilon", "strip", "a", "q", "k", "v", "exclusive", "truth"]),
    ("hardmax", &["alpha", "gamma", "a", "q", "k", "v", "exclusive"]),
    ("frank-wolfe", &["gamma", "alpha", "a", "q", "k", "p"]),
    (
        "softmax",
        &["alpha", "gamma", "scores", "beta", "bias", "weights", "omit", "a", "q", "k", "v", "exclusive", "truth"],
    ),
    ("markov", &["alpha", "gamma", "scores", "beta", "bias", "a", "q", "k"]),
    ("ellipsoid", &["w", "heads", "exclusive", "dt", "integrator"]),
    (
        "sphere",
        &[
            "beta",
            "bias",
            "weights",
            "omit",
            "a",
            "q",
            "k",
            "v",
            "exclusive",
            "normalized",
            "origin",
            "normalisation",
            "switch",
            "speed",
            "perceptron",
            "noise",
            "common",
            "dt",
            "integrator",
        ],
    ),
    ("rescaled", &["a", "q", "k", "v", "dt", "integrator"]),
];

/// Groups of parameters with a similar role: a rule that does not take one may take another of its
/// group.
const ALIKE: [&[&str]; 5] = [
    &["a", "q", "heads"],
    &["k", "q", "heads"],
    &["v", "p", "heads", "a"],
    &["alpha", "gamma", "dt"],
    &["delta", "beta", "heads"],
];

/// `key` of a table as a person would write it after --set.
pub(super) fn dotted(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

/// Rejects unknown keys of a document.
pub(super) fn check(document: &Table) -> Result<()> {
    for entry in &document.entries {
        known("", entry)?;
        match &entry.value.item {
            _ if entry.key == "seed" => {}
            Item::Table(_) if entry.key == FILES => {}
            Item::Table(table) => table.entries.iter().try_for_each(|inner| known(&entry.key, inner))?,
            item => return Err(entry.value.place.error(format!("expected the table [{}], found {item}", entry.key))),
        }
    }
    Ok(())
}

fn known(table: &str, entry: &Entry) -> Result<()> {
    let key = entry.key.as_str();
    if keys(table).any(|known| known == key) {
        return Ok(());
    }
    let elsewhere = TABLES.iter().find(|(table, _)| keys(table).any(|known| known == key));
    Err(match elsewhere {
        Some((elsewhere, _)) => {
            unknown(table, entry, &format!("the nearest known key is {:?}", dotted(elsewhere, key)))
        }
        None => unknown(table, entry, &hint(key, &keys(table).collect::<Vec<_>>(), |known| dotted(table, known))),
    })
}

fn keys(table: &str) -> impl Iterator<Item = &'static str> + '_ {
    let own = TABLES.iter().filter(move |(name, _)| *name == table).flat_map(|(_, keys)| *keys);
    let parameters = PARAMETERS.iter().filter(move |_| table == "model");
    let tables =
        TABLES.iter().map(|(name, _)| *name).chain([FILES]).filter(move |name| table.is_empty() && !name.is_empty());
    own.chain(parameters).map(|(name, ..)| *name).chain(tables)
}

/// The error for an unknown key in a table.
fn unknown(table: &str, entry: &Entry, hint: &str) -> Error {
    entry.place.error(format!("unknown key {:?}; {hint}", dotted(table, &entry.key)))
}

/// Rejects unknown keys of a table inside a value.
pub(super) fn only(name: &str, table: &Table, keys: &[&str]) -> Result<()> {
    match table.entries.iter().find(|entry| !keys.contains(&entry.key.as_str())) {
        Some(entry) => Err(unknown(name, entry, &hint(&entry.key, keys, |known| dotted(name, known)))),
        None => Ok(()),
    }
}

/// Says why a rule does not take a key, and names the keys that it takes.
pub(super) fn foreign(key: &str, rule: &str, keys: &[&str]) -> String {
    let takes = |candidate: &&&str| keys.contains(*candidate);
    let alike = ALIKE.iter().filter(|group| group.contains(&key)).find_map(|group| group.iter().find(takes));
    let nearest = alike.copied().unwrap_or_else(|| nearest(key, keys.iter().copied()));
    let why = match (key, rule) {
        ("scores", "hardmax" | "frank-wolfe") => ", where by distance a token would follow itself alone",
        ("scores", "sphere") => ", where distances give the same weights",
        _ => "",
    };
    let takes = match key {
        "dt" | "integrator" => ", which moves in steps, not in time; it takes",
        _ => ", which takes",
    };
    format!(
        "is no parameter of {rule}{why}{takes} {}, causal, mask and self; the nearest is model.{nearest}",
        keys.join(", ")
    )
}
