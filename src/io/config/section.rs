//! Typed values of a config, and errors that say what was expected where.

use std::path::{Path, PathBuf};

use super::document::{Entry, Item, Place, Table, Value};
use super::keys::{self, dotted};
use crate::error::{Error, Result};
use crate::io::{input, npy};
use crate::num;
use crate::schedule::{LONGEST_TABLE, Schedule};

/// Most bytes of a CSV file: room for the longest table.
const LARGEST_CSV: u64 = 64 << 20;

/// A table under its dotted name; the name of the document is empty.
pub(super) struct Section<'a> {
    name: String,
    table: &'a Table,
    /// Place for the error of a missing key.
    place: Place,
    beside: Beside<'a>,
}

/// What stands beside a config.
#[derive(Clone, Copy)]
struct Beside<'a> {
    /// The folder that paths in it are relative to.
    folder: &'a Path,
    /// The table `[files]`: the blake3 of files by their path in the config.
    hashes: Option<&'a Table>,
}

/// A value under its dotted name.
#[derive(Clone)]
pub(super) struct Field<'a> {
    pub(super) name: String,
    pub(super) key: &'a str,
    /// Place of the key.
    pub(super) place: &'a Place,
    pub(super) value: &'a Value,
    beside: Beside<'a>,
}

impl<'a> Section<'a> {
    /// Makes the section of a document; paths in it are relative to `folder`.
    pub(super) fn document(table: &'a Table, start: Place, folder: &'a Path) -> Self {
        let files = table.entry("files").map(|entry| &entry.value.item);
        let hashes = if let Some(Item::Table(files)) = files { Some(files) } else { None };
        Self { name: String::new(), table, place: start, beside: Beside { folder, hashes } }
    }

    /// A table of the document; empty if it is absent.
    pub(super) fn table(&self, name: &str) -> Self {
        static EMPTY: Table = Table { entries: Vec::new() };
        let (table, place) = match self.table.entry(name) {
            Some(Entry { value: Value { item: Item::Table(table), .. }, place, .. }) => (table, place),
            _ => (&EMPTY, &self.place),
        };
        Self { name: name.to_owned(), table, place: place.clone(), beside: self.beside }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        let Entry { key, place, value } = self.table.entry(key)?;
        Some(Field { name: dotted(&self.name, key), key, place, value, beside: self.beside })
    }

    /// Reads the value of a key; `default` if the key is absent.
    pub(super) fn or<T>(&self, key: &str, default: T, read: impl Fn(&Field<'a>) -> Result<T>) -> Result<T> {
        self.get(key).map_or(Ok(default), |field| read(&field))
    }

    /// The value of a required key; `meaning` explains it in the error.
    pub(super) fn need(&self, key: &str, meaning: &str) -> Result<Field<'a>> {
        self.get(key).ok_or_else(|| self.missing(key, meaning))
    }

    /// The error for a missing key.
    pub(super) fn missing(&self, key: &str, meaning: &str) -> Error {
        self.place.error(format!("{} is missing: {meaning}", dotted(&self.name, key)))
    }

    /// The alternative that is given. One on the command line replaces those in the file.
    pub(super) fn alternatives(&self, keys: &[&str]) -> Result<Option<Field<'a>>> {
        let mut given: Vec<_> = keys.iter().filter_map(|key| self.get(key)).collect();
        if given.iter().any(|field| field.place.is_option()) {
            given.retain(|field| field.place.is_option());
        }
        match &given[..] {
            [one, two, ..] => Err(two.place.error(format!("{} beside {}; keep one of them", two.name, one.name))),
            _ => Ok(given.pop()),
        }
    }

    /// The first key but `other` that was given in an option.
    pub(super) fn first_option(&self, other: &str) -> Option<&'a Entry> {
        self.table.entries.iter().find(|entry| entry.place.is_option() && entry.key != other)
    }

    /// Rejects keys that do not go with a choice. If the choice was made on the command line, such
    /// keys in the file are ignored instead.
    pub(super) fn allow(&self, keys: &[&str], choice: &Field<'_>, why: impl Fn(&str) -> String) -> Result<()> {
        let counts = |entry: &Entry| entry.place.is_option() || !choice.place.is_option();
        match self.table.entries.iter().find(|entry| !keys.contains(&entry.key.as_str()) && counts(entry)) {
            Some(entry) => Err(entry.place.error(format!("{} {}", dotted(&self.name, &entry.key), why(&entry.key)))),
            None => Ok(()),
        }
    }
}

impl<'a> Field<'a> {
    /// An error at this value, whose text is the value's name and `what`.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> Error {
        self.value.place.error(format!("{}{what}", self.name))
    }

    /// Puts the name and the place of this value in front of an input error.
    pub(super) fn blame(&self, error: Error) -> Error {
        if let Error::Input { .. } = error { self.error(format!(": {error}")) } else { error }
    }

    /// The error for a value of another type.
    pub(super) fn expected(&self, what: &str) -> Error {
        self.error(format!(" must be {what}, found {}", self.value.item))
    }

    /// A real number.
    pub(super) fn number(&self) -> Result<f64> {
        match self.value.item {
            Item::Integer(number) => Ok(number as f64),
            Item::Float(number) => Ok(number),
            _ => Err(self.expected("a number")),
        }
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&self, least: u64) -> Result<u64> {
        let count = match self.value.item {
            Item::Integer(number) => u64::try_from(number).ok(),
            Item::Float(number) => num::whole_of(number),
            _ => None,
        };
        count.filter(|n| *n >= least).ok_or_else(|| self.expected(&format!("a whole number of at least {least}")))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool> {
        match self.value.item {
            Item::Boolean(value) => Ok(value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A text.
    pub(super) fn text(&self, what: &str) -> Result<&'a str> {
        match &self.value.item {
            Item::Text(text) => Ok(text),
            _ => Err(self.expected(what)),
        }
    }

    /// A text, as a parser reads it.
    pub(super) fn parsed<T>(&self, parse: impl Fn(&str) -> Result<T>) -> Result<T> {
        parse(self.text("a text")?).map_err(|e| self.blame(e))
    }

    /// The values of a list, each under the name of the list.
    pub(super) fn list(&self, what: &str) -> Result<Vec<Self>> {
        match &self.value.item {
            Item::List(items) => Ok(items.iter().map(|value| Self { value, ..self.clone() }).collect()),
            _ => Err(self.expected(what)),
        }
    }

    /// This value under the name of item `index` of a list.
    pub(super) fn at(self, index: usize) -> Self {
        Self { name: format!("{}[{index}]", self.name), ..self }
    }

    /// Rows of numbers.
    pub(super) fn rows(&self) -> Result<Vec<Vec<f64>>> {
        let what = "a list of rows, [[...], ...]";
        self.list(what)?.iter().map(|row| row.list(what)?.iter().map(Self::number).collect()).collect()
    }

    /// A table with no other keys than these.
    pub(super) fn section(&self, what: &str, keys: &[&str]) -> Result<Section<'a>> {
        let Item::Table(table) = &self.value.item else { return Err(self.expected(what)) };
        keys::only(&self.name, table, keys)?;
        Ok(Section { name: self.name.clone(), table, place: self.value.place.clone(), beside: self.beside })
    }

    /// A path. In a file it is relative to the file, on the command line to the working folder.
    pub(super) fn path(&self, text: &str) -> Result<PathBuf> {
        let path = if self.value.place.is_option() { PathBuf::from(text) } else { self.beside.folder.join(text) };
        let path = std::path::absolute(&path).map_err(|e| Error::file(path, e))?;
        match path.to_str() {
            Some(_) => Ok(path),
            None => Err(self.value.place.error(format!("{} is not UTF-8, which a config has to be", path.display()))),
        }
    }

    /// The hash that `[files]` gives for a path in the config.
    pub(super) fn known_hash(&self, text: &str) -> Result<Option<blake3::Hash>> {
        let hashes = self.beside.hashes.filter(|_| !self.value.place.is_option());
        let Some(entry) = hashes.and_then(|hashes| hashes.entry(text)) else { return Ok(None) };
        let hash = if let Item::Text(hash) = &entry.value.item { blake3::Hash::from_hex(hash).ok() } else { None };
        hash.map(Some).ok_or_else(|| entry.value.place.error("the blake3 of a file is a text of 64 hexadecimal digits"))
    }

    /// The path of a file, whose content is the one that `[files]` names, if it names one.
    pub(super) fn file(&self, text: &str) -> Result<PathBuf> {
        let path = self.path(text)?;
        if let Some(hash) = self.known_hash(text)?
            && input::hash(&path).map_err(|e| self.value.place.blame(e))? != hash
        {
            return Err(self.error(format!(
                ": {} is another file than the one that this config was written with; put that one back, or take the line \
                 of this file out of [files]",
                path.display()
            )));
        }
        Ok(path)
    }

    /// A number, an expression in t, or a table with a value a step.
    pub(super) fn schedule(&self) -> Result<Schedule> {
        let forms = "a number or an expression in t, such as \"1/(t+1)\", or { table = \"file.csv\" }";
        match &self.value.item {
            Item::Table(table) if table.entry("tokens").is_some() => {
                if let Some(other) = table.entries.iter().find(|entry| entry.key != "tokens") {
                    let mend = "a value a token holds at every step; keep one";
                    return Err(other.place.error(format!("{}.{} beside {0}.tokens: {mend}", self.name, other.key)));
                }
                let values = self.section(forms, &["tokens"])?.need("tokens", "a value a token")?;
                Schedule::tokens(values.values(u32::MAX as usize)?).map_err(|e| self.blame(e))
            }
            Item::Table(table) if table.entry("clouds").is_some() => {
                let values = self.section(forms, &["clouds"])?.need("clouds", "a value a cloud")?;
                let values = values.values(LONGEST_TABLE)?;
                Schedule::clouds(&values).map_err(|e| self.blame(e))
            }
            Item::Text(text) => Schedule::parse(text).map_err(|e| self.blame(e)),
            Item::Integer(_) | Item::Float(_) => self.number().map(Schedule::Constant),
            _ => {
                let meaning = "a list, a .csv or a .npy with a value a step";
                self.section(forms, &["table"])?.need("table", meaning)?.table()
            }
        }
    }

    /// A table with a value a step.
    fn table(&self) -> Result<Schedule> {
        Schedule::table(&self.values(LONGEST_TABLE)?).map_err(|e| self.blame(e))
    }

    /// A list of numbers, or at most so many of the file that holds them.
    fn values(&self, most: usize) -> Result<Vec<f64>> {
        let what = "a list of numbers, a .csv or a .npy";
        let Item::Text(text) = &self.value.item else {
            return self.list(what)?.iter().map(Self::number).collect();
        };
        let path = self.file(text)?;
        let values = match path.extension().and_then(|e| e.to_str()) {
            Some("npy") => npy::read_table(&path, most),
            Some("csv") => csv_column(&path),
            _ => return Err(self.error(format!(": {text:?} is neither a .csv nor a .npy file"))),
        };
        values.map_err(|e| self.value.place.blame(e))
    }
}

/// A number a line; `#` starts a comment. What spreadsheets write around it (a byte order mark, a
/// line of names, separators at the end of a line) is passed over.
fn csv_column(path: &Path) -> Result<Vec<f64>> {
    let text = input::text(path, LARGEST_CSV)?;
    let text = text.trim_start_matches('\u{feff}');
    let mut values = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim().trim_end_matches([';', ',', '\t']).trim();
        let cell = line.trim_matches('"');
        let is_name = values.is_empty() && cell.starts_with(|c: char| c.is_alphabetic() || c == '_');
        match cell.parse::<f64>() {
            Ok(value) => values.push(value),
            Err(_) if cell.is_empty() || is_name && !cell.contains([';', ',', '\t']) => {}
            Err(_) => {
                let shown: String = line.chars().take(40).collect();
                let advice = match line.split([';', ',', '\t']).count() {
                    1 => "give one a line",
                    2 => "give one a line, with a decimal point, not a comma",
                    _ => "give one a line, one under the other",
                };
                let path = path.display();
                return Err(Error::input(format!("{path} line {}: {shown:?} is no number; {advice}", at + 1)));
            }
        }
    }
    Ok(values)
}
