//! One table of a config: typed values, and errors that say what was expected where.

use std::path::{Path, PathBuf};

use super::document::{Entry, Item, Place, Table, Value};
use super::tabulated::tabulated;
use crate::error::{Error, Result};
use crate::schedule::Schedule;

/// Every table with every key that some version knows.
pub(super) const TABLES: [(&str, &[&str]); 5] = [
    ("", &["seed", "tokens", "model", "run", "output"]),
    ("tokens", &["file", "rows", "kind", "n", "d", "scale", "clusters", "spread"]),
    (
        "model",
        &[
            "rule",
            "alpha",
            "delta",
            "strip",
            "a",
            "q",
            "k",
            "causal",
            "gamma",
            "beta",
            "v",
            "p",
            "w",
            "heads",
            "dt",
            "integrator",
            "omit",
            "normalized",
            "origin",
        ],
    ),
    ("run", &["steps", "engine", "plan", "precision"]),
    ("output", &["record", "frames", "measures", "checkpoint_seconds"]),
];

/// A table under its name; the empty name is the top.
pub(super) struct Section<'a> {
    pub(super) name: &'static str,
    table: Option<&'a Table>,
    /// Where a missing key would go.
    place: Place,
    folder: &'a Path,
}

/// `key` of a table as a person would write it in --set.
pub(super) fn dotted(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

/// Rejects what no version knows, and names the nearest key that one does.
pub(super) fn check_keys(top: &Table) -> Result<()> {
    for entry in &top.entries {
        known("", entry)?;
        let tables = TABLES.iter().find(|(name, _)| *name == entry.key);
        let Some((name, _)) = tables else { continue };
        let Item::Table(table) = &entry.value.item else {
            return Err(entry.value.place.error(format!("expected the table [{name}], found {}", entry.value.item)));
        };
        table.entries.iter().try_for_each(|entry| known(name, entry))?;
    }
    Ok(())
}

fn known(table: &str, entry: &Entry) -> Result<()> {
    let keys = TABLES.iter().find(|(name, _)| *name == table).map_or(&[][..], |(_, keys)| keys);
    if keys.contains(&entry.key.as_str()) {
        return Ok(());
    }
    let elsewhere = TABLES.iter().find(|(_, keys)| keys.contains(&entry.key.as_str()));
    let nearest = match elsewhere {
        Some((name, _)) => dotted(name, &entry.key),
        None => dotted(table, nearest(&entry.key, keys.iter().copied())),
    };
    Err(entry.place.error(format!("unknown key {:?}; the nearest known key is {nearest:?}", dotted(table, &entry.key))))
}

/// The candidate with the fewest edits.
pub(crate) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> &'a str {
    // A long hostile key would cost its length times ours.
    let head: String = text.chars().take(64).collect();
    // Of equally few edits the one that shares the beginning: `stpes` is steps, not seed.
    let similar = |candidate: &str| (strsim::jaro_winkler(&head, candidate) * 1e6) as i64;
    let edits = |candidate: &str| strsim::damerau_levenshtein(&head, candidate);
    candidates.min_by_key(|candidate| (edits(candidate), -similar(candidate))).unwrap_or("")
}

/// Rejects what a table inside a value does not know; `name` is the value's.
pub(super) fn only_keys(name: &str, table: &Table, keys: &[&str]) -> Result<()> {
    let stray = table.entries.iter().find(|entry| !keys.contains(&entry.key.as_str()));
    stray.map_or(Ok(()), |entry| {
        let nearest = nearest(&entry.key, keys.iter().copied());
        Err(entry
            .place
            .error(format!("unknown key \"{name}.{}\"; the nearest known key is \"{name}.{nearest}\"", entry.key)))
    })
}

impl<'a> Section<'a> {
    /// The table `name` of a document; an absent one is empty. Paths in it are relative to `folder`.
    pub(super) fn of(top: &'a Table, name: &'static str, folder: &'a Path, start: &Place) -> Self {
        if name.is_empty() {
            return Self { name, table: Some(top), place: start.clone(), folder };
        }
        let entry = top.entry(name);
        let table = entry.and_then(|entry| if let Item::Table(table) = &entry.value.item { Some(table) } else { None });
        Self { name, table, place: entry.map_or(start, |entry| &entry.place).clone(), folder }
    }

    /// The entry of a key.
    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.table?.entry(key)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &str, meaning: &str) -> Result<&'a Value> {
        self.get(key).ok_or_else(|| self.missing(key, meaning))
    }

    /// The error of a missing key.
    pub(super) fn missing(&self, key: &str, meaning: &str) -> Error {
        self.place.error(format!("{} is missing: {meaning}", dotted(self.name, key)))
    }

    /// The one of several alternatives that is given; one on the command line shuts out the file's.
    pub(super) fn alternatives(&self, keys: &[&str]) -> Result<Option<&'a Entry>> {
        let mut given: Vec<_> = keys.iter().filter_map(|key| self.entry(key)).collect();
        if given.iter().any(|entry| entry.place.is_option()) {
            given.retain(|entry| entry.place.is_option());
        }
        match given[..] {
            [first, second, ..] => {
                let [one, two] = [first, second].map(|entry| dotted(self.name, &entry.key));
                Err(second.place.error(format!("{two} beside {one}; keep one of them")))
            }
            _ => Ok(given.first().copied()),
        }
    }

    /// Rejects keys that do not belong here. Where the choice that shut them out was made on the command line, the
    /// file's own are left aside instead.
    pub(super) fn allow(&self, keys: &[&str], chosen: &Place, why: impl Fn(&str) -> String) -> Result<()> {
        let entries = self.table.map_or(&[][..], |table| &table.entries);
        let stray = entries
            .iter()
            .find(|entry| !keys.contains(&entry.key.as_str()) && (entry.place.is_option() || !chosen.is_option()));
        stray.map_or(Ok(()), |entry| {
            Err(entry.place.error(format!("{} {}", dotted(self.name, &entry.key), why(&entry.key))))
        })
    }

    fn expected(&self, key: &str, value: &Value, what: &str) -> Error {
        value.place.error(format!("{} must be {what}, found {}", dotted(self.name, key), value.item))
    }

    /// A real number.
    pub(super) fn number(&self, key: &str, value: &Value) -> Result<f64> {
        match value.item {
            Item::Integer(number) => Ok(number as f64),
            Item::Float(number) => Ok(number),
            _ => Err(self.expected(key, value, "a number")),
        }
    }

    /// A whole number from `least` on.
    pub(super) fn count(&self, key: &str, value: &Value, least: u64) -> Result<u64> {
        match value.item {
            Item::Integer(number) if u64::try_from(number).is_ok_and(|n| n >= least) => Ok(number as u64),
            _ => Err(self.expected(key, value, &format!("a whole number of at least {least}"))),
        }
    }

    /// A text.
    pub(super) fn text(&self, key: &str, value: &'a Value, what: &str) -> Result<&'a str> {
        match &value.item {
            Item::Text(text) => Ok(text),
            _ => Err(self.expected(key, value, what)),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &str, value: &Value) -> Result<bool> {
        match value.item {
            Item::Boolean(value) => Ok(value),
            _ => Err(self.expected(key, value, "true or false")),
        }
    }

    /// A number or an expression in t.
    pub(super) fn schedule(&self, key: &str, value: &Value) -> Result<Schedule> {
        match &value.item {
            Item::Text(text) => Schedule::parse(text)
                .map_err(|e| value.place.blame(Error::input(format!("{}: {e}", dotted(self.name, key))))),
            Item::Integer(_) | Item::Float(_) => Ok(Schedule::Constant(self.number(key, value)?)),
            Item::Table(table) => tabulated(self, key, value, table),
            _ => Err(self.expected(
                key,
                value,
                "a number or an expression in t, such as \"1/(t+1)\", or { table = \"file.csv\" }",
            )),
        }
    }

    /// One of a set of names, read by its own parser.
    pub(super) fn named<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T>, default: T) -> Result<T> {
        let Some(value) = self.get(key) else { return Ok(default) };
        let text = self.text(key, value, "a text")?;
        parse(text).map_err(|e| value.place.blame(Error::input(format!("{}: {e}", dotted(self.name, key)))))
    }

    /// Rows of numbers.
    pub(super) fn rows(&self, key: &str, value: &Value) -> Result<Vec<Vec<f64>>> {
        let what = "a list of rows, [[...], ...]";
        let Item::List(rows) = &value.item else { return Err(self.expected(key, value, what)) };
        rows.iter()
            .map(|row| match &row.item {
                Item::List(entries) => entries.iter().map(|entry| self.number(key, entry)).collect(),
                _ => Err(self.expected(key, row, what)),
            })
            .collect()
    }

    /// A path: one in a file is relative to the file, one on the command line to the working folder.
    pub(super) fn path(&self, value: &Value, text: &str) -> Result<PathBuf> {
        let path = if value.place.is_option() { PathBuf::from(text) } else { self.folder.join(text) };
        let path = std::path::absolute(&path).map_err(|e| Error::file(path, e))?;
        match path.to_str() {
            Some(_) => Ok(path),
            None => Err(value.place.error(format!("{} is not UTF-8, which a config has to be", path.display()))),
        }
    }
}
