//! Tables in Parquet beside their CSV, as pandas, polars and DuckDB read them: `metrics.parquet` for `metrics.csv`.
//!
//! The columns are those of the CSV, under their names and in their order. A column is of whole numbers (INT64), of
//! numbers (DOUBLE), of truth values (BOOLEAN) or of text (UTF8): the first of these that all of its cells are, cells
//! without a value aside, which are null. A column without any value is of numbers. Data are not compressed, and equal
//! tables are equal bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::{LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::{Type, TypePtr};

use crate::error::{Error, Result};
use crate::io::{atomic, input};

/// Rows that are written at once.
const AT_ONCE: usize = 1 << 16;

/// The path of a table in Parquet beside its CSV.
pub(crate) fn beside(csv: &Path) -> PathBuf {
    csv.with_extension("parquet")
}

/// Writes the table of a CSV file in Parquet beside it, whole or not at all.
///
/// # Errors
/// A file that cannot be read or written; a row of another length than the head.
pub(crate) fn write(csv: &Path) -> Result<PathBuf> {
    let bytes = encoded(csv)?;
    let path = beside(csv);
    atomic::write(&path, |file| file.write_all(&bytes))?;
    Ok(path)
}

/// What all cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Whole,
    Number,
    Truth,
    Text,
}

impl Kind {
    fn of(cell: &str) -> Self {
        match cell {
            "true" | "false" => Self::Truth,
            _ if cell.parse::<i64>().is_ok_and(|number| number.to_string() == cell) => Self::Whole,
            _ if cell.parse::<f64>().is_ok() => Self::Number,
            _ => Self::Text,
        }
    }

    /// The kind of a column that has cells of both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Whole | Self::Number, Self::Whole | Self::Number) => Self::Number,
            _ => Self::Text,
        }
    }

    fn field(self, name: &str) -> Result<TypePtr, ParquetError> {
        let (physical, logical) = match self {
            Self::Whole => (Physical::INT64, None),
            Self::Number => (Physical::DOUBLE, None),
            Self::Truth => (Physical::BOOLEAN, None),
            Self::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        field.with_logical_type(logical).build().map(Arc::new)
    }

    fn write(self, cells: &[String], column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Whole => values::<Int64Type>(cells, column, |cell| cell.parse().ok()),
            Self::Number => values::<DoubleType>(cells, column, |cell| cell.parse().ok()),
            Self::Truth => values::<BoolType>(cells, column, |cell| cell.parse().ok()),
            Self::Text => values::<ByteArrayType>(cells, column, |cell| Some(ByteArray::from(cell))),
        }
    }
}

/// Writes the cells of a column that have a value, and where they are.
fn values<T: DataType>(
    cells: &[String],
    column: &mut SerializedColumnWriter<'_>,
    parse: impl Fn(&str) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let there: Vec<i16> = cells.iter().map(|cell| i16::from(!cell.is_empty())).collect();
    let values: Vec<T::T> = cells.iter().filter(|cell| !cell.is_empty()).filter_map(|cell| parse(cell)).collect();
    column.typed::<T>().write_batch(&values, Some(&there), None).map(drop)
}

/// The bytes of the table in Parquet.
fn encoded(path: &Path) -> Result<Vec<u8>> {
    let bad = |e: &dyn std::fmt::Display| Error::input(format!("{}: {e}", path.display()));
    let open = || Ok::<_, Error>(csv::Reader::from_reader(input::Lines::open(path, input::SHORT)?));
    let mut reader = open()?;
    let names: Vec<String> = reader.headers().map_err(|e| bad(&e))?.iter().map(str::to_owned).collect();
    let mut kinds: Vec<Option<Kind>> = vec![None; names.len()];
    for record in reader.records() {
        let record = record.map_err(|e| bad(&e))?;
        for (kind, cell) in kinds.iter_mut().zip(&record).filter(|(_, cell)| !cell.is_empty()) {
            *kind = Some(kind.map_or(Kind::of(cell), |kind| kind.and(Kind::of(cell))));
        }
    }
    let kinds: Vec<Kind> = kinds.into_iter().map(|kind| kind.unwrap_or(Kind::Number)).collect();
    let failed = |e: ParquetError| bad(&e);
    let fields: Result<Vec<TypePtr>, _> = names.iter().zip(&kinds).map(|(name, kind)| kind.field(name)).collect();
    let schema = Type::group_type_builder("table").with_fields(fields.map_err(failed)?).build().map_err(failed)?;
    let by = format!("localmax {}", env!("CARGO_PKG_VERSION"));
    let properties = WriterProperties::builder().set_created_by(by).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).map_err(failed)?;
    let mut reader = open()?;
    let mut records = reader.records();
    loop {
        let mut columns: Vec<Vec<String>> = vec![Vec::new(); names.len()];
        for record in records.by_ref().take(AT_ONCE) {
            let record = record.map_err(|e| bad(&e))?;
            columns.iter_mut().zip(&record).for_each(|(column, cell)| column.push(cell.to_owned()));
        }
        if columns.first().is_none_or(Vec::is_empty) {
            break;
        }
        let mut group = writer.next_row_group().map_err(failed)?;
        for (cells, kind) in columns.iter().zip(&kinds) {
            let Some(mut column) = group.next_column().map_err(failed)? else { break };
            kind.write(cells, &mut column).and_then(|()| column.close()).map_err(failed)?;
        }
        group.close().map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}
