//! Tables in Parquet, read back by a reader of that format: they hold what their CSV holds, cell by cell.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

fn localmax(at: &Path, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_localmax")).args(arguments).current_dir(at).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The names and rows of a table in Parquet.
fn read(path: &Path) -> (Vec<String>, Vec<Vec<Field>>) {
    let reader =
        SerializedFileReader::new(File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr();
    let names = schema.columns().iter().map(|column| column.name().to_owned()).collect();
    let rows = reader.get_row_iter(None).unwrap();
    let cells = |row: parquet::record::Row| row.get_column_iter().map(|(_, field)| field.clone()).collect();
    (names, rows.map(|row| cells(row.unwrap())).collect())
}

/// Compares a table in Parquet with its CSV; the number of rows.
fn assert_same(csv: &Path) -> usize {
    let text = fs::read_to_string(csv).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let wanted: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let (found, rows) = read(&csv.with_extension("parquet"));
    assert_eq!(found, names, "{}", csv.display());
    assert_eq!(rows.len(), wanted.len(), "{}", csv.display());
    for (row, cells) in rows.iter().zip(&wanted) {
        for (name, (field, cell)) in names.iter().zip(row.iter().zip(cells)) {
            let is_same = match field {
                Field::Null => cell.is_empty(),
                Field::Long(number) => number.to_string() == cell,
                Field::Double(number) => cell.parse() == Ok(*number),
                Field::Bool(truth) => truth.to_string() == cell,
                Field::Str(text) => text == cell,
                other => panic!("{name}: {other:?}"),
            };
            assert!(is_same, "{}, {name}: {field:?} beside {cell:?}", csv.display());
        }
    }
    wanted.len()
}

/// A person who reads `metrics.parquet` must have the run's numbers, in types to compute with, and after a resumed run
/// too.
#[test]
fn tables_of_a_run_are_those_of_its_csv() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = ["run", "--preset", "vanishing-delta", "--set", "tokens.n=30", "--no-plot", "--engine", "cpu"];
    localmax(at, &[&run[..], &["--steps", "9", "--out", "r"]].concat());
    assert_eq!(assert_same(&at.join("r/metrics.csv")), 10);
    localmax(at, &["resume", "r", "--steps", "11", "--no-plot"]);
    localmax(at, &[&run[..], &["--steps", "20", "--out", "whole"]].concat());
    for table in ["metrics", "measures", "effort"] {
        let rows = assert_same(&at.join(format!("r/{table}.csv")));
        assert!(rows > 5, "{table}");
    }
    let bytes = |run: &str, table: &str| fs::read(at.join(run).join(table)).unwrap();
    for table in ["metrics.parquet", "measures.parquet"] {
        assert!(bytes("r", table) == bytes("whole", table), "{table}");
    }
    let (names, rows) = read(&at.join("r/metrics.parquet"));
    let cell = |row: usize, name: &str| rows[row][names.iter().position(|known| known == name).unwrap()].clone();
    assert!(matches!(cell(3, "step"), Field::Long(3)) && matches!(cell(3, "delta"), Field::Double(_)));
    assert!(matches!(cell(0, "delta"), Field::Null) && matches!(cell(0, "hash"), Field::Str(_)));
    localmax(
        at,
        &["run", "--preset", "default", "--set", "tokens.n=9", "--set", "tokens.clouds=3", "--no-plot", "--out", "m"],
    );
    assert!(assert_same(&at.join("m/clouds.csv")) >= 6);
}

/// The tables of a study, with texts that have commas and quotes.
#[test]
fn tables_of_a_study_are_those_of_its_csv() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let over = ["--over", "model.delta=0.1,\"1/(t+1)\"", "--over", "seed=1..3", "--tokens", "20", "--steps", "30"];
    localmax(at, &[&["study", "sweep", "--preset", "default", "--out", "s"], &over[..]].concat());
    for (table, rows) in [("sweep", 6), ("table", 6), ("means", 2), ("claims", 0)] {
        assert_eq!(assert_same(&at.join(format!("s/{table}.csv"))), rows, "{table}");
    }
    let (names, rows) = read(&at.join("s/sweep.parquet"));
    let rests = names.iter().position(|name| name == "rests").unwrap();
    assert!(rows.iter().all(|row| matches!(row[rests], Field::Bool(_))));
}
