//! CSV text: rows as records of text, and records as bytes.

use serde::Serialize;

use crate::error::{Error, Result};

/// Writes rows as records of text, the header first; no records for no rows.
pub(super) fn of(rows: &[impl Serialize]) -> Result<Vec<Vec<String>>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(failed)?;
    let text = writer.into_inner().map_err(failed)?;
    let records = csv::ReaderBuilder::new().has_headers(false).from_reader(&text[..]).into_records();
    records.map(|record| Ok(record.map_err(failed)?.iter().map(str::to_owned).collect())).collect()
}

/// Writes records as the bytes of a file.
pub(super) fn bytes<R>(records: impl IntoIterator<Item = R>) -> Result<Vec<u8>>
where
    R: IntoIterator<Item: AsRef<[u8]>>,
{
    let mut writer = csv::Writer::from_writer(Vec::new());
    records.into_iter().try_for_each(|record| writer.write_record(record)).map_err(failed)?;
    writer.into_inner().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::input(error.to_string())
}
