//! Files of a run: each is whole or absent.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::error::Result;
use crate::exact::Grid;
use crate::io::config::Config;
use crate::outcome::Description;
use crate::run::progress::Progress;
use crate::run::table::TableWriter;
use crate::run::*;

fn config() -> Config {
    Config::preset("non-vertex-limit", &[]).unwrap()
}

fn meta() -> Meta {
    let config = config();
    let grid = Grid { exponent: 3, precision: config.run.precision };
    Meta::new(&config, &Progress::start(&config, Options::default(), grid, 5.0, Description::default()))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A directory that `plot` could not read back would be a lost run.
#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/out");
    let run = Place::new(Some(&path), "x").unwrap().create(&config(), &meta()).unwrap();
    assert_eq!(names(&path), ["config.toml", "frames", "meta.json", "plots"]);
    assert_eq!(names(&folder.path().join("new")), ["out"]);
    let tokens = config().load_tokens().unwrap();
    run.write_final(&tokens, None).unwrap();
    for step in [10, 0, 1_000_000] {
        run.write_frame(step, &tokens, None).unwrap();
    }
    run.write_meta(&meta()).unwrap();
    let run = RunDir::open(&path).unwrap();
    assert_eq!(run.final_tokens().unwrap(), tokens);
    assert_eq!(run.frames().unwrap().iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 10, 1_000_000]);
    assert_eq!(run.config().unwrap().model, config().model);
    let meta = run.meta().unwrap();
    assert_eq!((&meta["strip"], &meta["precision"], &meta["contract"]), (&"width".into(), &"f64".into(), &2.into()));
    run.discard().unwrap();
    assert!(names(&folder.path().join("new")).is_empty());
}

/// Writing into an old run would destroy it.
#[test]
fn occupied_directories_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    Place::new(Some(&path), "x").unwrap().create(&config(), &meta()).unwrap();
    let line = Place::new(Some(&path), "x").unwrap_err().to_string();
    assert!(line.contains("has a run in it; name another directory with --out"));
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    Place::new(Some(&empty), "x").unwrap().create(&config(), &meta()).unwrap();
    let early = Place::new(Some(&other), "x").unwrap();
    fs::write(other.join("notes.txt"), "mine").unwrap();
    assert!(Place::new(Some(&other), "x").unwrap_err().to_string().contains("is not empty"));
    assert!(early.create(&config(), &meta()).unwrap_err().to_string().contains("is not empty"));
    assert_eq!(names(&other), ["notes.txt"]);
    let file = other.join("notes.txt");
    assert!(Place::new(Some(&file), "x").unwrap_err().to_string().contains("is a file"));
    assert!(Place::new(Some(&file.join("below")), "x").is_err());
    assert!(RunDir::open(&other).unwrap_err().to_string().contains("has no run in it"));
    assert_eq!(names(folder.path()), ["empty", "other", "out"]);
}

/// A run that nobody named gets a name of its own, every time.
#[test]
fn free_names_count_up() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::FirstFree { folder: folder.path().join("runs"), name: "default".into() };
    for k in 1..=3 {
        let run = place.create(&config(), &meta()).unwrap();
        assert_eq!(run.path(), folder.path().join(format!("runs/default-{k}")));
    }
}

/// Nothing may be left of a run that could not begin.
#[cfg(unix)]
#[test]
fn failures_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/out");
    let place = Place::new(Some(&path), "x").unwrap();
    // A file where the directory's parent would have to be.
    fs::write(folder.path().join("a"), "").unwrap();
    assert!(place.create(&config(), &meta()).is_err());
    assert_eq!(names(folder.path()), ["a"]);
}

fn rows() -> impl Strategy<Value = Vec<MetricsRow>> {
    let sizes = proptest::option::of((any::<(u32, u32)>(), 0f64..1e9));
    let cells = (proptest::option::of(0f64..1e300), proptest::option::of(1e-12f64..1.0), any::<u64>(), sizes);
    let row = (1..=u64::MAX, proptest::option::of(cells)).prop_map(|(step, taken)| MetricsRow {
        step: if taken.is_some() { step } else { 0 },
        taken: taken.map(|(delta, gamma, moved, sizes)| {
            let strips = sizes.map(|((min, max), mean)| StripSizes { min, mean, max });
            StepSummary { delta, gamma, moved, strips }
        }),
        hash: blake3::hash(&step.to_le_bytes()).to_hex().to_string(),
    });
    proptest::collection::vec(row, 0..20)
}

fn metrics(folder: &Path, mark: Option<&TableMark>) -> Result<TableWriter<metrics::Record>> {
    TableWriter::open(folder, mark)
}

proptest! {
    /// A run cut off anywhere and continued must leave the same bytes as one that was not.
    #[test]
    fn metrics_continue_byte_for_byte(rows in rows(), cut in 0usize..20, more in 0usize..5) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        let mut table = metrics(folder.path(), None).unwrap();
        rows.iter().try_for_each(|row| table.push(row)).unwrap();
        drop(table);
        prop_assert_eq!(&read_metrics(&path).unwrap(), &rows);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();

        let cut = cut.min(rows.len());
        let mut table = metrics(folder.path(), None).unwrap();
        rows[..cut].iter().try_for_each(|row| table.push(row)).unwrap();
        let mark = table.mark().unwrap();
        rows[cut..].iter().take(more).try_for_each(|row| table.push(row)).unwrap();
        drop(table); // rows behind the checkpoint are cut off
        let mut table = metrics(folder.path(), Some(&mark)).unwrap();
        rows[cut..].iter().try_for_each(|row| table.push(row)).unwrap();
        drop(table);
        prop_assert_eq!(whole, fs::read(&path).unwrap());
    }
}

/// Lost or foreign rows must be noticed.
#[test]
fn bad_metrics_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(METRICS);
    let mut table = metrics(folder.path(), None).unwrap();
    assert!(metrics(folder.path(), None).is_err(), "an old file must not be overwritten");
    table.push(&MetricsRow { step: 0, taken: None, hash: "00".into() }).unwrap();
    let mark = table.mark().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "step,delta,gamma,moved,strip_min,strip_mean,strip_max,hash\n0,,,,,,,00\n");
    let missing = TableMark { bytes: mark.bytes + 1, ..mark.clone() };
    assert!(metrics(folder.path(), Some(&missing)).unwrap_err().to_string().contains("rows are missing"));
    fs::write(&path, text.replace(",00", ",01")).unwrap();
    let other = metrics(folder.path(), Some(&mark)).unwrap_err().to_string();
    assert!(other.contains("metrics.csv: its first 70 bytes are not those"), "{other}");
    for row in ["one,,,,,,,00", "1,,,,,,,00", "2,0.5,,3,1,,2,00", "0,,,3,,,,00", "3,0.5,,,,,,00", "1,2", "1,\u{7}\"x"] {
        fs::write(&path, format!("{text}{row}\n")).unwrap();
        let line = read_metrics(&path).unwrap_err().to_string();
        assert!(line.contains("metrics.csv line 3") && !line.contains('\n'), "{line}");
    }
    for garbage in ["", "garbage\n", "step,hash\n0,00\n", "\u{0}\u{1}"] {
        fs::write(&path, garbage).unwrap();
        let line = read_metrics(&path).unwrap_err().to_string();
        assert!(line.contains("metrics.csv line 1: no metrics"), "{line}");
    }
}

/// Two processes that write one run would leave neither; a process that is gone must not keep
/// others out.
#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let run = Place::new(Some(&folder.path().join("r")), "r").unwrap().create(&config(), &meta()).unwrap();
    let held = run.lock().unwrap();
    let refused = run.lock().unwrap_err().to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    drop(held);
    // What a dead process leaves is a file, not a lock.
    assert!(folder.path().join("r/.lock").exists());
    run.lock().unwrap();
}
