//! Many clouds in one run: each must be the run that it would be alone, and the run must go on as any
//! other does.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use localmax::engine::{Engine, Simulation, Standing, Until};
use localmax::error::{Error, Result};
use localmax::exact::Grid;
use localmax::io::config::Config;
use localmax::io::npy;
use localmax::outcome::{Effort, StepReport};
use localmax::ranks::{Alone, Shared};
use localmax::run::checkpoint::Checkpoint;
use localmax::run::opening::{self, Opening};
use localmax::run::record::{self, Callbacks, Outcome};
use localmax::run::resume::{self, Request};
use localmax::run::{Options, Place, RunDir, read_clouds};
use localmax::tokens::Tokens;

const M: usize = 5;

/// A folder that costs no time to bring to the disk, where a system has one.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, "my.toml", "my", Path::new(""), &[])
}

/// A system of many clouds, or of cloud c alone.
fn text(rule: &str, engine: &str, steps: u64, cloud: Option<usize>) -> String {
    let seed = 7 + cloud.unwrap_or(0);
    let clouds = if cloud.is_none() { format!("clouds = {M}\n") } else { String::new() };
    // `@` stands for a value a cloud, from 0.1 to 0.5.
    let values = (1..=M).map(|c| format!("0.{c}")).collect::<Vec<_>>();
    let value = cloud.map_or_else(|| format!("{{ clouds = [{}] }}", values.join(", ")), |c| values[c].clone());
    let rule = rule.replace('@', &value);
    format!(
        "seed = {seed}\n[tokens]\nkind = \"normal\"\nn = 11\nd = 3\n{clouds}[model]\n{rule}\n[run]\nsteps = {steps}\n\
         engine = \"{engine}\"\nprecision = \"f64\"\n[output]\nrecord = \"every 3\"\nframes = \"every 4\"\nmeasures = \
         \"every 2\"\ncheckpoint_seconds = 1e-9\n"
    )
}

const RULES: [&str; 10] = [
    "rule = \"localmax\"\nalpha = 1\ndelta = @",
    "rule = \"localmax\"\ngamma = 1\nscores = \"distance\"\nepsilon = 1.5",
    "rule = \"hardmax\"\nalpha = @\ncausal = true",
    "rule = \"frank-wolfe\"\ngamma = \"2/(t+2)\"",
    "rule = \"softmax\"\nalpha = 1\nbeta = @",
    "rule = \"markov\"\nalpha = 1\nbeta = 1",
    "rule = \"sphere\"\nbeta = @\ndt = 0.1",
    "rule = \"sphere\"\nbeta = 1\ndt = 0.1\nnoise = @",
    "rule = \"hardmax\"\nalpha = @\na = { random = \"gaussian\", every = 2 }",
    "rule = \"sphere\"\nbeta = 1\ndt = 0.1\nv = { random = \"goe\", factor = @ }",
];

/// The last state, and the steps from which on its clouds do not change.
fn end(config: &Config, grid: Grid, first: &Tokens, engine: Box<dyn Engine>) -> (Tokens, Vec<Option<u64>>) {
    let mut run = Simulation::from_state(&config.model, grid, (first.n(), first.d()), engine, 0);
    let (until, mut fixed) = (Until { end: config.run.steps, past_fixed_point: false }, None);
    let look = |_: &mut Simulation, at: &Standing| {
        fixed = fixed.or(at.fixed_point);
        Ok(ControlFlow::Continue(()))
    };
    run.run(until, |_| false, Simulation::take, look).unwrap();
    let rests = run.engine().rests();
    (run.tokens().unwrap(), if rests.is_empty() { vec![fixed] } else { rests })
}

/// If a cloud's bits depended on its neighbours, no count over clouds could be repeated by running one of
/// them again.
#[test]
fn a_cloud_has_the_bits_of_its_run_alone() {
    for rule in RULES {
        for engine in ["cpu", "reference"] {
            let steps = 300;
            let mut config = parse(&text(rule, engine, steps, None)).unwrap();
            let starts = config.starts(&mut |_| {}).unwrap();
            let opened = config.open_clouds(&starts.tokens, &starts.lattices, &[]).unwrap();
            let grid = config.grids(&starts.lattices)[0];
            let (tokens, rests) = end(&config, grid, &starts.tokens, opened);
            for (c, found) in rests.iter().enumerate() {
                let mut alone = parse(&text(rule, engine, steps, Some(c))).unwrap();
                let start = alone.start().unwrap();
                assert_eq!(starts.tokens.cloud(c, M), start.tokens, "{rule}: the start of cloud {c}");
                let opened = alone.open_engine(&start.tokens, start.grid, &mut |_| {}).unwrap();
                let (last, rest) = end(&alone, start.grid, &start.tokens, opened);
                assert_eq!(tokens.cloud(c, M).hash(), last.hash(), "{rule} on {engine}, cloud {c}");
                assert_eq!(*found, rest[0], "{rule} on {engine}, cloud {c}: the step of rest");
            }
        }
    }
}

/// Ends a run after some step, with a copy of its directory as it is then.
struct Ends(u64, Option<(PathBuf, PathBuf)>);

impl Callbacks for Ends {
    fn reopen(&mut self, lost: &Error, _: &Checkpoint) -> Result<Box<dyn Engine>> {
        panic!("{lost}");
    }

    fn progress(&mut self, step: u64, _: &StepReport, _: Option<&Effort>) -> ControlFlow<()> {
        if step < self.0 {
            return ControlFlow::Continue(());
        }
        if let Some((from, to)) = self.1.take() {
            copy(&from, &to);
        }
        ControlFlow::Break(())
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() { copy(&path, &target) } else { fs::copy(path, target).map(drop).unwrap() }
    }
}

fn begin(config: &Config, at: &Path, callbacks: &mut dyn Callbacks) -> Result<()> {
    let mut config = config.clone();
    let Opening { start, engine, .. } = opening::open(&mut config, Options::default(), |_| {})?;
    record::begin(&config, &Place::new(Some(at), "r")?, start, engine, callbacks).map(drop)
}

fn go_on(at: &Path, more: u64) {
    let run = RunDir::open(at).unwrap();
    let left = resume::look(&run, Request { more, ..Request::default() }).unwrap();
    assert!(left.done.is_none(), "{:?}", left.done);
    let start = left.checkpoint.unwrap();
    let alone: Shared = Arc::new(Alone);
    let engine = opening::reopen(&alone, &left.config, &start, &mut |_| {}).unwrap();
    run.cut_back(Some(&start)).unwrap();
    left.config.save(at).unwrap();
    let result = record::run(&left.config, &run, start, engine, &mut Ends(u64::MAX, None)).unwrap();
    assert!(matches!(result.outcome, Outcome::Completed), "{:?}", result.outcome);
}

fn files(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let frames = fs::read_dir(run.join("frames")).unwrap();
    let frames = frames.map(|entry| format!("frames/{}", entry.unwrap().file_name().to_string_lossy()));
    let tables = ["config.toml", "metrics.csv", "clouds.csv", "final.npy", "labels.npy"].map(str::to_owned);
    tables.into_iter().chain(frames).map(|name| (name.clone(), fs::read(run.join(name)).unwrap())).collect()
}

/// A run of many clouds that is left, however, must end in the files of one that was not: some of its
/// clouds are at rest by then, and some are not.
#[test]
fn a_run_of_clouds_goes_on_as_if_nothing_had_been() {
    let folder = folder();
    for (nth, rule) in RULES.iter().enumerate() {
        let config = parse(&text(rule, "cpu", 40, None)).unwrap();
        let path = |name: &str| folder.path().join(format!("{nth}-{name}"));
        begin(&config, &path("whole"), &mut Ends(u64::MAX, None)).unwrap();
        let whole = files(&path("whole"));
        assert!(!path("whole").join("measures.csv").exists());
        for at in [1, 4, 10, 19, 30] {
            let asked = path(&format!("asked-{at}"));
            match begin(&config, &asked, &mut Ends(at, None)) {
                Err(Error::Interrupted(_)) => go_on(&asked, 0),
                Ok(()) => {} // at rest before
                Err(error) => panic!("{error}"),
            }
            assert!(files(&asked) == whole, "{rule}: left at step {at}");
            let (begun, killed) = (path(&format!("begun-{at}")), path(&format!("killed-{at}")));
            drop(begin(&config, &begun, &mut Ends(at, Some((begun.clone(), killed.clone())))));
            if killed.exists() {
                go_on(&killed, 0);
                assert!(files(&killed) == whole, "{rule}: killed at step {at}");
            }
            let shorter = path(&format!("shorter-{at}"));
            let mut few = config.clone();
            few.run.steps = at;
            begin(&few, &shorter, &mut Ends(u64::MAX, None)).unwrap();
            if RunDir::open(&shorter).unwrap().meta().unwrap()["fixed_point"].is_null() {
                go_on(&shorter, 40 - at);
                assert!(files(&shorter) == whole, "{rule}: {at} steps and the rest");
            }
        }
    }
}

/// The folder is what a user reads: shapes, rows and hashes must be those of the clouds.
#[test]
fn the_folder_tells_of_every_cloud() {
    let folder = folder();
    let path = folder.path().join("r");
    let config = parse(&text(RULES[0], "cpu", 300, None)).unwrap();
    begin(&config, &path, &mut Ends(u64::MAX, None)).unwrap();
    let run = RunDir::open(&path).unwrap();
    let bytes = fs::read(path.join("final.npy")).unwrap();
    assert!(String::from_utf8_lossy(&bytes[..128]).contains("(5, 11, 3)"));
    assert!(String::from_utf8_lossy(&fs::read(path.join("labels.npy")).unwrap()[..128]).contains("(5, 11)"));
    assert!(npy::read(&path.join("final.npy")).unwrap_err().to_string().contains("rank 3"));
    let (last, rows) = (run.final_tokens().unwrap(), read_clouds(&run.clouds_path()).unwrap());
    assert_eq!(
        rows[..M].iter().map(|row| (row.step, row.cloud)).collect::<Vec<_>>(),
        (0..M).map(|c| (0, c)).collect::<Vec<_>>()
    );
    let ends = &rows[rows.len() - M..];
    let meta = run.meta().unwrap();
    for (c, row) in ends.iter().enumerate() {
        assert_eq!((row.cloud, row.step), (c, meta["steps"].as_u64().unwrap()));
        assert_eq!(row.hash, last.cloud(c, M).hash().to_hex().to_string());
        assert!(row.rest.is_some_and(|rest| rest < row.step) && row.clusters >= 1 && row.near.is_some());
    }
    assert_eq!((meta["clouds"]["count"].as_u64(), meta["clouds"]["at_rest"].as_u64()), (Some(5), Some(5)));
    assert_eq!(meta["n"].as_u64(), Some(11));
    // The resolved config runs again as it is, and is the same system.
    let again = run.config().unwrap();
    assert_eq!(again.identity(), config.identity());
    assert_eq!((again.n(), again.rows(), again.clouds), (11, 55, Some(M)));
    #[cfg(feature = "pictures")]
    localmax::run::pictures::draw(&run, localmax::run::pictures::Choice::default()).unwrap();
}

/// Clouds of a file must be those of the file, in order.
#[test]
fn clouds_come_from_a_file() {
    let folder = folder();
    let path = folder.path().join("x0.npy");
    let rows: Vec<f64> = (0..3 * 4 * 2).map(f64::from).collect();
    let all = Tokens::from_flat(12, 2, rows).unwrap();
    npy::write_stacked(&path, &all, Some(3)).unwrap();
    let text = |clouds: &str| {
        format!("[tokens]\nfile = {path:?}\n{clouds}\n[model]\nrule = \"hardmax\"\nalpha = 1\n[run]\nsteps = 9\n")
    };
    let out = folder.path().join("r");
    begin(&parse(&text("clouds = 3")).unwrap(), &out, &mut Ends(u64::MAX, None)).unwrap();
    assert_eq!(RunDir::open(&out).unwrap().frame(0).unwrap().cloud(1, 3).row(0), [8.0, 9.0]);
    npy::write(&path.with_file_name("flat.npy"), &all).unwrap();
    let flat = text("clouds = 3").replace("x0.npy", "flat.npy");
    for (text, said) in [
        (text(""), "(3, 4, 2) is 3 clouds; tokens.clouds = 3"),
        (text("clouds = 4"), "it has 3 clouds, and tokens.clouds is 4; give 3"),
        (flat, "an array (12, 2) is one cloud, and tokens.clouds is 3; give an array (3, n, d)"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// What means nothing is refused before the first step, by the name of its key.
#[test]
fn what_means_nothing_is_refused() {
    let good = text(RULES[0], "cpu", 9, None);
    let edit = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    };
    let kind = "kind = \"normal\"\nn = 11\nd = 3";
    for (text, said) in [
        (edit("clouds = 5", "clouds = 0"), "tokens.clouds must be a whole number of at least 1"),
        (edit("clouds = 5", "clouds = 131073"), "tokens.clouds is 131073; a run has at most 131072 clouds"),
        (
            edit("clouds = 5\n", ""),
            "model.delta has 5 values by cloud, and there is one cloud; tokens.clouds = m makes m",
        ),
        (
            edit("clouds = 5\n", "clouds = 4\n"),
            "model.delta has 5 values by cloud for tokens.clouds = 4; it needs one a cloud",
        ),
        (edit("0.1, 0.2", "0.1, -0.2"), "model.delta is -0.2 at step 0"),
        (edit("0.1, 0.2", "0.1, nan"), "the value of cloud 1 is NaN; it must be finite"),
        (edit("n = 11", "n = 1e9"), "5000000000 tokens in all; at most 4294967295"),
        (edit(kind, "rows = [[1.0, 2.0]]"), "tokens.clouds does not go with rows"),
        (
            edit("alpha = 1", "alpha = 1\na = { matrix = \"identity\", factor = { clouds = [1, 2] } }"),
            "has 2 values by cloud",
        ),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
    let mut config = parse(&good).unwrap();
    for error in [config.start().unwrap_err(), config.require_one_cloud("strip").unwrap_err()] {
        assert!(error.to_string().starts_with("tokens.clouds is 5, and"), "{error}");
    }
    let verified = Options { verify_every: 2, ..Options::default() };
    let error = opening::open(&mut config, verified, |_| {}).err().unwrap().to_string();
    assert!(error.contains("--verify takes one cloud"), "{error}");
}

/// A checkpoint of other clouds must not be gone on from.
#[test]
fn a_checkpoint_of_another_shape_is_refused() {
    let folder = folder();
    let path = folder.path().join("r");
    begin(&parse(&text(RULES[6], "cpu", 9, None)).unwrap(), &path, &mut Ends(u64::MAX, None)).unwrap();
    let config = fs::read_to_string(path.join("config.toml")).unwrap();
    let other = config.replace("clouds = 5", "clouds = 1").replace("n = 11", "n = 55");
    let other = other.replace("{ clouds = [0.1, 0.2, 0.3, 0.4, 0.5] }", "0.1");
    assert_ne!(config, other);
    fs::write(path.join("config.toml"), other).unwrap();
    let error = resume::look(&RunDir::open(&path).unwrap(), Request { more: 5, ..Request::default() }).unwrap_err();
    assert!(error.to_string().contains("is not the system that the checkpoint"), "{error}");
}
