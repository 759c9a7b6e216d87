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
    folder: &'a Path,
}

/// A value under its dotted name.
#[derive(Clone)]
pub(super) struct Field<'a> {
    name: String,
    pub(super) key: &'a str,
    /// Place of the key.
    pub(super) place: &'a Place,
    pub(super) value: &'a Value,
    folder: &'a Path,
}

impl<'a> Section<'a> {
    /// Makes the section of a document; paths in it are relative to `folder`.
    pub(super) fn document(table: &'a Table, start: Place, folder: &'a Path) -> Self {
        Self { name: String::new(), table, place: start, folder }
    }

    /// A table of the document; empty if it is absent.
    pub(super) fn table(&self, name: &str) -> Self {
        static EMPTY: Table = Table { entries: Vec::new() };
        let (table, place) = match self.table.entry(name) {
            Some(Entry { value: Value { item: Item::Table(table), .. }, place, .. }) => (table, place),
            _ => (&EMPTY, &self.place),
        };
        Self { name: name.to_owned(), table, place: place.clone(), folder: self.folder }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        let Entry { key, place, value } = self.table.entry(key)?;
        Some(Field { name: dotted(&self.name, key), key, place, value, folder: self.folder })
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
        Ok(Section { name: self.name.clone(), table, place: self.value.place.clone(), folder: self.folder })
    }

    /// A path. In a file it is relative to the file, on the command line to the working folder.
    pub(super) fn path(&self, text: &str) -> Result<PathBuf> {
        let path = if self.value.place.is_option() { PathBuf::from(text) } else { self.folder.join(text) };
        let path = std::path::absolute(&path).map_err(|e| Error::file(path, e))?;
        match path.to_str() {
            Some(_) => Ok(path),
            None => Err(self.value.place.error(format!("{} is not UTF-8, which a config has to be", path.display()))),
        }
    }

    /// A number, an expression in t, or a table with a value a step.
    pub(super) fn schedule(&self) -> Result<Schedule> {
        let forms = "a number or an expression in t, such as \"1/(t+1)\", or { table = \"file.csv\" }";
        match &self.value.item {
            Item::Text(text) => Schedule::parse(text).map_err(|e| self.blame(e)),
            Item::Integer(_) | Item::Float(_) => self.number().map(Schedule::Constant),
            _ => {
                let meaning = "a list, a .csv or a .npy with a value a step";
                self.section(forms, &["table"])?.need("table", meaning)?.table()
            }
        }
    }

    /// A list of numbers, one a step, or the file that holds them.
    fn table(&self) -> Result<Schedule> {
        let what = "a list of numbers, a .csv or a .npy";
        let Item::Text(text) = &self.value.item else {
            let values = self.list(what)?.iter().map(Self::number).collect::<Result<Vec<_>>>()?;
            return Schedule::table(&values).map_err(|e| self.blame(e));
        };
        let path = self.path(text)?;
        let values = match path.extension().and_then(|e| e.to_str()) {
            Some("npy") => npy_column(&path),
            Some("csv") => csv_column(&path),
            _ => return Err(self.error(format!(": {text:?} is neither a .csv nor a .npy file"))),
        };
        let table =
            |values: Vec<f64>| Schedule::table(&values).map_err(|e| Error::input(format!("{}: {e}", path.display())));
        values.and_then(table).map_err(|e| self.value.place.blame(e))
    }
}

/// The one column of an array of shape (m, 1).
fn npy_column(path: &Path) -> Result<Vec<f64>> {
    let npy::Header { rows, columns, .. } = npy::header(path)?;
    if columns != 1 || rows > LONGEST_TABLE {
        return Err(Error::input(format!(
            "{}: its shape is ({rows}, {columns}); a table has one column and at most {LONGEST_TABLE} rows",
            path.display()
        )));
    }
    Ok(npy::read_matrix(path)?.concat())
}

/// A number a line; `#` starts a comment.
fn csv_column(path: &Path) -> Result<Vec<f64>> {
    let text = input::text(path, LARGEST_CSV)?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim()).enumerate();
    let number = |(at, line): (usize, &str)| {
        line.parse::<f64>().map_err(|_| {
            let shown: String = line.chars().take(40).collect();
            Error::input(format!("{} line {}: {shown:?} is no number; give one a line", path.display(), at + 1))
        })
    };
    lines.filter(|(_, line)| !line.is_empty()).map(number).collect()
}
