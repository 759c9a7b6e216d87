//! Every key of a config, and the errors of a key that is not one or is out of place.

use super::document::{Entry, Item, Table};
use crate::error::{Error, Result};
use crate::io::nearest::nearest;

/// Every table with its keys; the empty name is the document. The rules add theirs to `model`.
const TABLES: [(&str, &[&str]); 5] = [
    ("", &["seed", "tokens", "model", "run", "output"]),
    ("tokens", &["file", "rows", "kind", "n", "d", "scale", "clusters", "spread"]),
    ("model", &["rule", "causal"]),
    ("run", &["steps", "engine", "plan", "precision", "tolerance"]),
    ("output", &["record", "frames", "measures", "checkpoint_seconds"]),
];

/// Every rule with its parameters.
pub(super) const RULES: [(&str, &[&str]); 8] = [
    ("localmax", &["alpha", "gamma", "delta", "strip", "a", "q", "k", "v"]),
    ("hardmax", &["alpha", "gamma", "a", "q", "k", "v"]),
    ("frank-wolfe", &["gamma", "alpha", "a", "q", "k", "p"]),
    ("softmax", &["alpha", "gamma", "beta", "omit", "a", "q", "k", "v"]),
    ("markov", &["alpha", "gamma", "beta", "a", "q", "k"]),
    ("ellipsoid", &["w", "heads", "dt", "integrator"]),
    ("sphere", &["beta", "omit", "q", "k", "v", "normalized", "origin", "dt", "integrator"]),
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
    Err(unknown(
        table,
        entry,
        &elsewhere.map_or_else(|| dotted(table, nearest(key, keys(table))), |t| dotted(t.0, key)),
    ))
}

fn keys(table: &str) -> impl Iterator<Item = &'static str> {
    let parameters = RULES.iter().filter(move |_| table == "model").flat_map(|(_, keys)| *keys);
    TABLES.iter().filter(move |(name, _)| *name == table).flat_map(|(_, keys)| *keys).chain(parameters).copied()
}

/// The error for an unknown key in a table.
fn unknown(table: &str, entry: &Entry, nearest: &str) -> Error {
    entry.place.error(format!("unknown key {:?}; the nearest known key is {nearest:?}", dotted(table, &entry.key)))
}

/// Rejects unknown keys of a table inside a value.
pub(super) fn only(name: &str, table: &Table, keys: &[&str]) -> Result<()> {
    match table.entries.iter().find(|entry| !keys.contains(&entry.key.as_str())) {
        Some(entry) => Err(unknown(name, entry, &dotted(name, nearest(&entry.key, keys.iter().copied())))),
        None => Ok(()),
    }
}

/// Says why a rule does not take a key, and names the keys that it takes.
pub(super) fn foreign(key: &str, rule: &str, keys: &[&str]) -> String {
    let takes = |candidate: &&&str| keys.contains(*candidate);
    let alike = ALIKE.iter().filter(|group| group.contains(&key)).find_map(|group| group.iter().find(takes));
    let nearest = alike.copied().unwrap_or_else(|| nearest(key, keys.iter().copied()));
    let takes = match key {
        "dt" | "integrator" => ", which moves in steps, not in time; it takes",
        _ => ", which takes",
    };
    format!("is no parameter of {rule}{takes} {} and causal; the nearest is model.{nearest}", keys.join(", "))
}
