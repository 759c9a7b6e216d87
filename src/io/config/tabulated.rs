//! A scalar given as a table with a value a step: `{ table = [...] }`, `{ table = "file.csv" }`, `{ table = "file.npy" }`.

use std::path::Path;

use super::document::{Item, Table, Value};
use super::section::{Section, only_keys};
use crate::error::{Error, Result};
use crate::io::{input, npy};
use crate::schedule::{LONGEST_TABLE, Schedule};

/// Bytes of a CSV that are read: room for the longest table.
const LARGEST: u64 = 64 << 20;

/// Reads the table of model.`key`.
pub(super) fn tabulated(section: &Section<'_>, key: &str, value: &Value, table: &Table) -> Result<Schedule> {
    let name = format!("{}.{key}", section.name);
    only_keys(&name, table, &["table"])?;
    let Some(entry) = table.entry("table") else {
        return Err(value
            .place
            .error(format!("{name}.table is missing: a list, a .csv or a .npy with a value a step")));
    };
    let value = &entry.value;
    let text = match &value.item {
        Item::Text(text) => text,
        Item::List(items) => {
            let numbers = items.iter().map(|item| section.number(&format!("{key}.table"), item));
            let numbers = numbers.collect::<Result<Vec<_>>>()?;
            return Schedule::table(&numbers).map_err(|e| value.place.blame(Error::input(format!("{name}: {e}"))));
        }
        other => {
            let message = format!("{name}.table must be a list of numbers, a .csv or a .npy, found {other}");
            return Err(value.place.error(message));
        }
    };
    let path = section.path(value, text)?;
    let numbers = match path.extension().and_then(|e| e.to_str()) {
        Some("npy") => column(&path),
        Some("csv") => lines(&path),
        _ => Err(Error::input(format!("{name}.table: {text:?} is neither a .csv nor a .npy file"))),
    };
    let numbers = numbers.map_err(|e| value.place.blame(e))?;
    Schedule::table(&numbers).map_err(|e| value.place.blame(Error::input(format!("{}: {e}", path.display()))))
}

/// The one column of an array of shape (m, 1).
fn column(path: &Path) -> Result<Vec<f64>> {
    let header = npy::header(path)?;
    if header.columns != 1 || header.rows > LONGEST_TABLE {
        return Err(Error::input(format!(
            "{}: its shape is ({}, {}); a table has one column and at most {LONGEST_TABLE} rows",
            path.display(),
            header.rows,
            header.columns
        )));
    }
    Ok(npy::read_matrix(path)?.concat())
}

/// A number a line; `#` starts a comment.
fn lines(path: &Path) -> Result<Vec<f64>> {
    let text = input::text(path, LARGEST)?;
    let mut numbers = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        let number = line.parse::<f64>().map_err(|_| {
            let shown: String = line.chars().take(40).collect();
            Error::input(format!("{} line {}: {shown:?} is no number; give one a line", path.display(), at + 1))
        })?;
        numbers.push(number);
    }
    Ok(numbers)
}
