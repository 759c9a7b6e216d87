//! A TOML document in which every value knows its place: a line and column, or an option of the
//! command line.

use std::fmt;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};

/// A text, and its name in errors.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

/// The place where a value was written.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A byte offset in a file.
    File(Arc<Source>, usize),
    /// An option of the command line.
    Option(Arc<str>),
}

impl fmt::Display for Place {
    /// Lines and columns count from 1; a column is a character.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(source, offset) => {
                let before = source.text.get(..*offset).unwrap_or(&source.text);
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
                write!(f, "{} line {line} column {column}", source.name)
            }
            Self::Option(text) => f.write_str(text),
        }
    }
}

impl Place {
    /// An error at this place, on one line.
    pub(super) fn error(&self, what: impl fmt::Display) -> Error {
        let (place, what) = (shortened(&self.to_string()), shortened(&what.to_string()));
        Error::input(format!("{place}: {what}"))
    }

    /// Puts this place in front of an input error.
    pub(super) fn blame(&self, error: Error) -> Error {
        if let Error::Input { .. } = error { self.error(error) } else { error }
    }

    /// True for a place on the command line.
    pub(super) fn is_option(&self) -> bool {
        matches!(self, Self::Option(_))
    }
}

/// Most characters of a place or a text in a message.
const SHOWN: usize = 600;

/// A text on one line, without the middle if it is very long.
fn shortened(text: &str) -> String {
    let line: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() <= SHOWN {
        return line.into_iter().collect();
    }
    let (head, tail) = (&line[..SHOWN / 2], &line[line.len() - SHOWN / 2..]);
    format!("{} … {}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) item: Item,
    pub(super) place: Place,
}

impl Value {
    /// A value that was all given at one place.
    fn of(value: &toml::Value, place: &Place) -> Self {
        let item = match value {
            toml::Value::Boolean(value) => Item::Boolean(*value),
            toml::Value::Integer(value) => Item::Integer(*value),
            toml::Value::Float(value) => Item::Float(*value),
            toml::Value::String(text) => Item::Text(text.clone()),
            toml::Value::Datetime(time) => Item::Time(time.to_string()),
            toml::Value::Array(list) => Item::List(list.iter().map(|value| Self::of(value, place)).collect()),
            toml::Value::Table(table) => {
                let entry = |(key, value): (&String, _)| Entry {
                    key: key.clone(),
                    place: place.clone(),
                    value: Self::of(value, place),
                };
                Item::Table(Table { entries: table.iter().map(entry).collect() })
            }
        };
        Self { item, place: place.clone() }
    }
}

/// A value of TOML.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Time(String),
    List(Vec<Value>),
    Table(Table),
}

impl fmt::Display for Item {
    /// Names the value in an error: "found a list".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "the whole number {value}"),
            Self::Float(value) => write!(f, "the number {value:?}"),
            Self::Text(value) => write!(f, "the text {value:?}"),
            Self::Time(value) => write!(f, "the date or time {value}"),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

/// Keys in the order they were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

/// A key, where it stands, and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Value,
}

impl Table {
    /// The entry of a key.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The place of a dotted key such as `model.heads[1].p`, or of the longest part of it that is
    /// given. The place of a matrix with a factor is that of the matrix.
    fn find(&self, key: &str) -> Option<&Place> {
        let (first, rest) = key.split_once('.').unwrap_or((key, "matrix"));
        let (name, index) = first.trim_end_matches(']').split_once('[').unwrap_or((first, ""));
        let given = &self.entry(name)?.value;
        let value = match (&given.item, index.parse::<usize>()) {
            (Item::List(items), Ok(index)) => items.get(index).unwrap_or(given),
            _ => given,
        };
        let inner = if let Item::Table(table) = &value.item { table.find(rest) } else { None };
        inner.or(Some(&value.place))
    }

    /// Puts the place of the key that an error names in front of it.
    pub(super) fn blame(&self, error: Error) -> Error {
        let place = if let Error::Input { key: Some(key), .. } = &error { self.find(key) } else { None };
        if let Some(place) = place { place.error(error) } else { error }
    }

    /// Reads a document.
    pub(super) fn parse(source: &Arc<Source>) -> Result<Self> {
        let place = |offset| Place::File(source.clone(), offset);
        let table = DeTable::parse(&source.text).map_err(|e| {
            place(e.span().map_or(0, |span| span.start)).error(format!("not TOML: {}", one_line(e.message())))
        })?;
        convert_table(table.get_ref(), &place)
    }

    /// Sets a dotted key, making tables on the way.
    fn set(&mut self, path: &[&str], value: &Value) -> Result<()> {
        let (Some((first, rest)), place) = (path.split_first(), &value.place) else { return Ok(()) };
        let known = self.entries.iter().position(|entry| entry.key == *first);
        let at = known.unwrap_or_else(|| {
            let empty = Value { item: Item::Table(Self::default()), place: place.clone() };
            self.entries.push(Entry { key: (*first).to_owned(), place: place.clone(), value: empty });
            self.entries.len() - 1
        });
        let entry = &mut self.entries[at];
        if rest.is_empty() {
            entry.place = place.clone();
            entry.value = value.clone();
            return Ok(());
        }
        match &mut entry.value.item {
            Item::Table(table) => table.set(rest, value),
            other => Err(place.error(format!("{first} is {other}, not a table; it has no key {:?}", rest.join(".")))),
        }
    }
}

/// A value from the command line that replaces one of the config.
#[derive(Clone, Debug)]
pub struct Override {
    path: Vec<String>,
    value: Value,
}

impl Override {
    /// Reads `key=value`: a dotted key and a TOML value, or else a text.
    ///
    /// # Errors
    /// No `=`, an empty key.
    pub fn set(text: &str) -> Result<Self> {
        Self::given("--set", text)
    }

    /// Reads `key=value`, as [`Override::set`] does, from an option of another name.
    ///
    /// # Errors
    /// No `=`, an empty key.
    pub fn given(option: &str, text: &str) -> Result<Self> {
        let place = Place::Option(format!("{option} {text}").into());
        let refused = |what: &str| {
            place.error(format!("{what}; write {option} key=value, for instance {option} model.alpha=0.5"))
        };
        let (key, value) = text.split_once('=').ok_or_else(|| refused("no \"=\""))?;
        let path: Vec<String> = key.split('.').map(|part| part.trim().to_owned()).collect();
        if path.iter().any(String::is_empty) {
            return Err(refused("an empty key"));
        }
        let value = value.trim();
        let parsed = DeValue::parse(value).ok().map(|v| convert(&v, &|_| place.clone())).transpose()?;
        let item = parsed.map_or_else(|| Item::Text(value.to_owned()), |v| v.item);
        Ok(Self { path, value: Value { item, place } })
    }

    /// Makes an override of a dotted key with a value. Errors call it `place`, which is how the one
    /// who gave it wrote it.
    pub fn value(place: &str, key: &str, value: &toml::Value) -> Self {
        let place = Place::Option(place.into());
        Self { path: key.split('.').map(str::to_owned).collect(), value: Value::of(value, &place) }
    }

    /// Makes an override of an option with a value, such as `--engine cpu` for `run.engine`. Digits
    /// are a whole number.
    pub fn option(option: &str, key: &str, value: &str) -> Self {
        let item = value.parse().map_or_else(|_| Item::Text(value.to_owned()), Item::Integer);
        let place = Place::Option(format!("{option} {value}").into());
        Self { path: key.split('.').map(str::to_owned).collect(), value: Value { item, place } }
    }

    /// The dotted key.
    pub(crate) fn key(&self) -> String {
        self.path.join(".")
    }

    /// The error of an override that is refused, as it was given.
    pub(crate) fn refused(&self, why: &str) -> Error {
        self.value.place.error(why)
    }

    /// `key=value`, as it was given.
    pub(crate) fn given_as(&self) -> String {
        let text = self.value.place.to_string();
        text.split_once(' ').map_or(text.clone(), |(_, change)| change.to_owned())
    }

    pub(super) fn apply(&self, table: &mut Table) -> Result<()> {
        table.set(&self.path.iter().map(String::as_str).collect::<Vec<_>>(), &self.value)
    }
}

fn convert_table(table: &DeTable<'_>, place: &dyn Fn(usize) -> Place) -> Result<Table> {
    let mut entries: Vec<(usize, Entry)> = Vec::with_capacity(table.len());
    for (key, value) in table {
        let at = key.span().start;
        entries.push((at, Entry { key: key.get_ref().to_string(), place: place(at), value: convert(value, place)? }));
    }
    entries.sort_by_key(|(at, _)| *at);
    Ok(Table { entries: entries.into_iter().map(|(_, entry)| entry).collect() })
}

fn convert(value: &Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Place) -> Result<Value> {
    let here = place(value.span().start);
    let item = match value.get_ref() {
        DeValue::Boolean(value) => Item::Boolean(*value),
        DeValue::String(text) => Item::Text(text.to_string()),
        DeValue::Datetime(time) => Item::Time(time.to_string()),
        DeValue::Integer(number) => Item::Integer(
            i64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| here.error(format!("{number} does not fit 64 bits")))?,
        ),
        DeValue::Float(number) => Item::Float(
            number.as_str().parse().map_err(|_| here.error(format!("{} is not a number", number.as_str())))?,
        ),
        DeValue::Array(list) => Item::List(list.iter().map(|value| convert(value, place)).collect::<Result<_>>()?),
        DeValue::Table(table) => Item::Table(convert_table(table, place)?),
    };
    Ok(Value { item, place: here })
}

/// A library's message on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
