//! Disks that fail, at every call that a run makes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::engine::first_state;
use crate::engine::{Engine, ExactReference};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::io::config::{Config, Override};
use crate::io::disk::faults::{self, BROKEN, FULL, Fault};
use crate::outcome::{Effort, StepReport};
use crate::run::Options;
use crate::run::checkpoint::{Checkpoint, Start};
use crate::run::folder::RunDir;
use crate::run::meta::Meta;
use crate::run::place::Place;
use crate::run::progress::Progress;
use crate::run::record::{self, Callbacks, Outcome};
use crate::run::resume::{self, Request};
use crate::tokens::Tokens;

/// Goes on, whatever happens.
pub(crate) struct Alone;

impl Callbacks for Alone {
    fn reopen(&mut self, lost: &Error, _: &Checkpoint) -> Result<Box<dyn Engine>> {
        Err(Error::device(lost.to_string()))
    }

    fn progress(&mut self, _: u64, _: &StepReport, _: Option<&Effort>) -> std::ops::ControlFlow<()> {
        std::ops::ControlFlow::Continue(())
    }
}

fn config() -> Config {
    let changes = ["tokens.n=5", "run.steps=5", "output.checkpoint_seconds=1e-9", "output.record=every 2"];
    let changes: Vec<_> = changes.iter().map(|text| Override::set(text).unwrap()).collect();
    Config::preset("vanishing-delta", &changes).unwrap()
}

/// Takes the run in `path` as far as it goes, from wherever it stands.
fn go(path: &Path) -> Result<()> {
    go_with(path, &[])
}

/// As [`go`], with changes from there on.
fn go_with(path: &Path, set: &[Override]) -> Result<()> {
    let (config, run, first_state) = if path.exists() {
        let run = RunDir::open(path)?;
        let mut left = resume::look(&run, Request { set, ..Request::default() })?;
        if left.done.is_some() {
            return Ok(());
        }
        run.cut_back(left.checkpoint.as_ref())?;
        if let (Some(change), Some(start)) = (left.change, &mut left.checkpoint) {
            change.write(&run, &left.config, start)?;
        }
        if let Some(start) = &left.checkpoint {
            run.write_meta(&Meta::new(&left.config, &start.progress))?;
        }
        let state = left.checkpoint.map(|from| Ok::<_, Error>((from.tokens.read()?, from.start()))).transpose()?;
        (left.config, run, state)
    } else {
        let config = config();
        let state = first(&config);
        let run = Place::new(Some(path), "r")?.create(&config, &Meta::new(&config, &state.1.progress))?;
        (config, run, Some(state))
    };
    let (tokens, start) = first_state.unwrap_or_else(|| first(&config));
    let grid = Grid { exponent: start.progress.grid_exponent, precision: config.run.precision };
    let engine = Box::new(ExactReference::new(&tokens, grid));
    let result = record::run(&config, &run, start, engine, &mut Alone)?;
    if let Outcome::Failed(error) = result.outcome { Err(error) } else { Ok(()) }
}

fn first(config: &Config) -> (Tokens, Start) {
    let (tokens, grid) = first_state(&config.model, &config.load_tokens().unwrap(), config.run.precision).unwrap();
    let engine = ExactReference::new(&tokens, grid).description();
    let progress = Progress::start(config, Options::default(), grid, 1.0, engine);
    (tokens, Start { progress, frames: Vec::new() })
}

/// Everything but what may differ, by name.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for folder in ["", "frames", "checkpoints"] {
        for entry in fs::read_dir(path.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
            if path.is_file() && name != "/meta.json" {
                let bytes = if folder == "checkpoints" { Vec::new() } else { fs::read(&path).unwrap() };
                all.insert(name, bytes);
            }
        }
    }
    all
}

const KINDS: [Fault; 7] = [
    Fault::Once(BROKEN),
    Fault::Once(FULL),
    Fault::FromThen(BROKEN),
    Fault::FromThen(FULL),
    Fault::Short,
    Fault::Torn(BROKEN),
    Fault::Torn(FULL),
];

/// A full or a broken disk, at any call and for however long, must leave a run that can be gone on
/// with; what comes out is the run of a good disk.
#[test]
fn whatever_call_fails_the_run_can_go_on() {
    let folder = faults::folder();
    let whole = folder.path().join("whole");
    go(&whole).unwrap();
    let whole = files(&whole);
    assert!(whole.len() > 8 && whole.keys().filter(|name| name.starts_with("checkpoints/")).count() == 2);
    for fault in KINDS {
        let (mut at, mut failed) = (0, 0);
        loop {
            let path = folder.path().join(format!("{fault:?}-{at}"));
            let (result, calls) = faults::with(at, fault, || go(&path));
            if at >= calls {
                result.unwrap();
                break;
            }
            if let Err(error) = &result {
                failed += 1;
                let line = error.to_string();
                assert!(line.contains(&folder.path().display().to_string()) && line.lines().count() == 1, "{line}");
            }
            assert_eq!(result.is_ok() && fault == Fault::Short, fault == Fault::Short, "a short write is no failure");
            if path.exists() {
                // The disk fails again, elsewhere in what is left, before it is mended.
                let _ = faults::with(at / 2, fault, || go(&path));
                assert!(RunDir::open(&path).is_ok(), "{fault:?} at call {at}");
            }
            go(&path).unwrap_or_else(|e| panic!("{fault:?} at call {at}, {result:?}: {e}"));
            let all = files(&path);
            assert!(all.keys().eq(whole.keys()), "{fault:?} at call {at}, {result:?}: {:?}", all.keys());
            for (name, bytes) in &all {
                assert!(*bytes == whole[name], "{fault:?} at call {at}, {result:?}: {name}");
            }
            fs::remove_dir_all(&path).unwrap();
            at += 1;
        }
        assert!(at > 60 && (failed > 50 || fault == Fault::Short), "{fault:?}: {failed} of {at} calls failed the run");
    }
}

/// A disk that fails while a run changes leaves the run before or after the change, and never one between: what goes
/// on from there is the run of a good disk.
#[test]
fn a_change_is_whole_or_has_not_happened() {
    let folder = faults::folder();
    let set = ["model.alpha=2", "run.steps=8"].map(|text| Override::set(text).unwrap());
    let steps = |path: &Path| RunDir::open(path).unwrap().meta().unwrap()["steps"].as_u64().unwrap();
    let begin = |name: &str| {
        let path = folder.path().join(name);
        go(&path).unwrap();
        path
    };
    let whole = begin("whole");
    go_with(&whole, &set).unwrap();
    assert_eq!(steps(&whole), 8);
    let whole = files(&whole);
    for fault in KINDS {
        let (mut before, mut after, mut at) = (0, 0, 0);
        loop {
            let path = begin(&format!("{fault:?}-{at}"));
            let (result, calls) = faults::with(at, fault, || go_with(&path, &set));
            if at >= calls {
                result.unwrap();
                break;
            }
            go(&path).unwrap_or_else(|e| panic!("{fault:?} at call {at}, {result:?}: {e}"));
            let has_changed = steps(&path) == 8;
            *(if has_changed { &mut after } else { &mut before }) += 1;
            if !has_changed {
                go_with(&path, &set).unwrap();
            }
            let all = files(&path);
            assert!(all == whole, "{fault:?} at call {at}, {result:?}: {:?}", all.keys());
            assert_eq!(fs::read_dir(path.join("changes")).unwrap().count(), 1);
            fs::remove_dir_all(&path).unwrap();
            at += 1;
        }
        assert!(after > 20 && (before > 10 || fault == Fault::Short), "{fault:?}: {before} before, {after} after");
    }
}

/// A change whose checkpoint is lost has not happened: its config goes only once meta.json does not name it, however
/// often the disk fails on the way.
#[test]
fn a_lost_change_goes_with_all_that_it_wrote() {
    let folder = faults::folder();
    let set = ["model.alpha=2", "run.steps=8"].map(|text| Override::set(text).unwrap());
    let whole = folder.path().join("whole");
    go(&whole).unwrap();
    let mut whole = files(&whole);
    whole.retain(|name, _| !name.starts_with("checkpoints"));
    let is_named = |path: &Path| {
        let meta = RunDir::open(path).unwrap().meta().unwrap();
        meta["segments"].as_array().unwrap().iter().all(|of| path.join(of["config"].as_str().unwrap()).is_file())
    };
    for fault in KINDS {
        let (mut at, mut failed) = (0, 0);
        loop {
            let path = folder.path().join(format!("{fault:?}-{at}"));
            go(&path).unwrap();
            // The run goes back to the step before the change.
            let before = RunDir::open(&path).unwrap().checkpoints().unwrap()[0].1.clone();
            let kept = fs::read(&before).unwrap();
            go_with(&path, &set).unwrap();
            for (_, path) in RunDir::open(&path).unwrap().checkpoints().unwrap() {
                fs::remove_file(path).unwrap();
            }
            fs::write(&before, kept).unwrap();
            assert!(path.join("changes/1/config.toml").is_file());
            let (result, calls) = faults::with(at, fault, || go(&path));
            assert!(is_named(&path), "{fault:?} at call {at}, {result:?}");
            if at >= calls {
                result.unwrap();
            } else {
                failed += usize::from(result.is_err());
                go(&path).unwrap_or_else(|e| panic!("{fault:?} at call {at}, {result:?}: {e}"));
            }
            assert_eq!(fs::read_dir(path.join("changes")).unwrap().count(), 0, "{fault:?} at call {at}");
            for (name, bytes) in &whole {
                assert!(files(&path).get(name) == Some(bytes), "{fault:?} at call {at}: {name}");
            }
            fs::remove_dir_all(&path).unwrap();
            if at >= calls {
                break;
            }
            at += 1;
        }
        assert!(failed > 10 || fault == Fault::Short, "{fault:?}: {failed} of {at} calls failed");
    }
}

/// Files that vanish or change under a run must stop it before it promises anything of them.
#[test]
fn files_that_vanish_stop_the_run() {
    /// Does something to the directory after step 2.
    struct Vandal<'a>(&'a dyn Fn());
    impl Callbacks for Vandal<'_> {
        fn reopen(&mut self, lost: &Error, _: &Checkpoint) -> Result<Box<dyn Engine>> {
            Err(Error::device(lost.to_string()))
        }

        fn progress(&mut self, step: u64, _: &StepReport, _: Option<&Effort>) -> std::ops::ControlFlow<()> {
            if step == 2 {
                self.0();
            }
            std::ops::ControlFlow::Continue(())
        }
    }
    let folder = faults::folder();
    let path = folder.path().join("r");
    let harms: [(&dyn Fn(), &str); 4] = [
        (&|| fs::remove_file(path.join("metrics.csv")).unwrap(), "metrics.csv: there is no such file"),
        (&|| fs::write(path.join("metrics.csv"), "mine").unwrap(), "metrics.csv: "),
        (&|| fs::remove_dir_all(path.join("frames")).unwrap(), "frames"),
        (&|| fs::remove_dir_all(&path).unwrap(), "r/"),
    ];
    for (harm, word) in harms {
        let config = config();
        let (tokens, start) = first(&config);
        let run = Place::new(Some(&path), "r").unwrap().create(&config, &Meta::new(&config, &start.progress)).unwrap();
        let grid = Grid { exponent: start.progress.grid_exponent, precision: config.run.precision };
        let engine = Box::new(ExactReference::new(&tokens, grid));
        let result = record::run(&config, &run, start, engine, &mut Vandal(harm)).unwrap();
        let Outcome::Failed(error) = &result.outcome else { panic!("{word}: {:?}", result.outcome) };
        assert!(error.to_string().contains(word), "{error}");
        assert!(result.saved.is_some_and(|step| step < 3), "{word}: {:?}", result.saved);
        let _ = fs::remove_dir_all(&path);
    }
}
