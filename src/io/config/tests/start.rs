//! The choice of the precision, and what is said of a lattice that was asked for.

use super::*;
use crate::io::config::start::Start;

/// The start of three tokens, or of those in `rows`.
fn start(rows: &str, model: &str, run: &str) -> (Config, Result<Start>) {
    let text = format!("[tokens]\nrows = {rows}\n[model]\nrule = \"hardmax\"\n{model}\n[run]\n{run}\n");
    let mut config = parse(&text).unwrap();
    let start = config.start();
    (config, start)
}

/// A choice that was too narrow would take another system's steps; one that was too wide would
/// change the hashes of runs that f32 holds.
#[test]
fn f64_is_taken_where_f32_is_too_coarse() {
    let plain = "[[1, 0.5], [-1, 0.25], [0, 1]]";
    let far = "[[1e8, 0], [1, 0], [-1, 0]]";
    for (rows, model, run, wanted, why) in [
        (plain, "alpha = 1", "steps = 9", Precision::F32, ""),
        (plain, "alpha = 1e-4", "steps = 9", Precision::F32, ""),
        (plain, "alpha = 1e-5", "steps = 9", Precision::F64, "γ = 1.00e-5 at step 0"),
        (plain, "alpha = \"1/(t+1)^2\"", "steps = 9", Precision::F32, ""),
        (plain, "alpha = \"1/(t+1)^2\"", "steps = 200", Precision::F64, "at step 199"),
        (plain, "gamma = { table = [0.5, 1e-6, 0.5] }", "steps = 1", Precision::F32, ""),
        (plain, "gamma = { table = [0.5, 1e-6, 0.5] }", "steps = 2", Precision::F64, "at step 1"),
        (plain, "alpha = 1e-9", "steps = 0", Precision::F32, ""),
        ("[[2, 2], [2, 2]]", "alpha = 1e-9", "steps = 9", Precision::F32, ""),
        (far, "alpha = 1", "steps = 9", Precision::F64, "2 of 3 tokens become one with another, 2 of 6 coordinates"),
        ("[[1, 0], [1e-9, 0.5]]", "alpha = 1", "steps = 9", Precision::F64, "0 of 2 tokens become one"),
        ("[[1e60, 0], [0, 1e60]]", "alpha = 1", "steps = 9", Precision::F64, "e60"),
        // A cloud far from the origin has few units of its own.
        ("[[10000.5, 0], [10000, 0]]", "alpha = 0.1", "steps = 9", Precision::F64, "radius of 2.500e-1"),
    ] {
        let (config, start) = start(rows, model, run);
        let start = start.unwrap();
        assert_eq!(
            (config.run.precision, start.grid.precision, start.tokens.precision()),
            (wanted, wanted, wanted),
            "{rows} {model} {run}"
        );
        assert!(start.why.unwrap_or_default().contains(why) && start.note.is_none());
        // The run's config says what ran, and takes it again.
        let again = parse(&config.to_toml()).unwrap();
        assert!(!again.run.auto && again.run.precision == wanted);
    }
}

/// What was asked for is taken or refused; it is never exchanged.
#[test]
fn what_was_asked_for_is_taken_or_refused() {
    let plain = "[[1, 0.5], [-1, 0.25], [0, 1]]";
    let far = "[[1e8, 0], [1, 0], [-1, 0]]";
    let (_, start) = start(far, "alpha = 1", "steps = 9\nprecision = \"f32\"");
    let lost = start.unwrap().note.unwrap();
    assert!(lost.starts_with("2 of 3 tokens") && lost.ends_with("in f32; precision = \"f64\" keeps them"), "{lost}");
    let (_, start) = self::start("[[1e40, 0], [1, 0], [-1, 0]]", "alpha = 1", "steps = 9\nprecision = \"f64\"");
    let lost = start.unwrap().note.unwrap();
    assert!(lost.contains("in f64: bring the farthest tokens nearer"), "{lost}");
    for (alpha, precision, remedy) in
        [(1e-6, "f32", "\"f64\" or \"auto\""), (1e-14, "f64", "larger alpha"), (1e-14, "auto", "larger alpha")]
    {
        let run = format!("steps = 9\nprecision = \"{precision}\"");
        let said = self::start(plain, &format!("alpha = {alpha:e}"), &run).1.unwrap_err();
        assert!(said.to_string().contains(remedy) && said.exit_status() == 2, "{said}");
    }
}

/// Clouds are drawn in the width that runs, and rounding one is no loss until tokens merge.
#[test]
fn clouds_are_lost_where_their_tokens_merge() {
    let of = |tokens: &str, precision: &str| {
        let text = format!(
            "[tokens]\n{tokens}\n[model]\nrule = \"hardmax\"\nalpha = 1\n[run]\nsteps = 9\nprecision = \"{precision}\""
        );
        let mut config = parse(&text).unwrap();
        let start = config.start().unwrap();
        (config.run.precision, start.note)
    };
    for kind in ["normal", "polygon", "circle", "line", "ties", "grid"] {
        assert_eq!(of(&format!("kind = \"{kind}\"\nn = 12\nd = 3"), "auto"), (Precision::F32, None), "{kind}");
    }
    let tight = "kind = \"clusters\"\nspread = 1e-9\nn = 50\nd = 2";
    assert_eq!(of(tight, "auto"), (Precision::F64, None));
    assert!(of(tight, "f32").1.unwrap().starts_with("50 of 50 tokens"));
    assert_eq!(of("kind = \"normal\"\nn = 20000\nd = 2", "auto").0, Precision::F32);
}

/// Presets and real rules run as they did before there was a choice.
#[test]
fn presets_keep_their_precision() {
    for preset in presets::PRESETS {
        let mut config = Config::preset(preset.name, &[]).unwrap();
        let before = config.run.precision;
        let start = config.start().unwrap();
        assert_eq!((config.run.precision, start.why), (before, None), "{}", preset.name);
    }
    assert!(!parse(&model(SPHERE)).unwrap().run.auto);
}

/// Tokens in memory must run as they would from a file: their width counts, values of a program are
/// read as those of a text, and a run's folder has them again.
#[test]
fn tokens_in_memory_run_as_from_a_file() {
    let rows = [[1.0, 0.1], [-0.3, 0.7], [0.2, -1.0]];
    let double = Tokens::from_rows(&rows).unwrap();
    let single: Vec<f32> = double.to_f64().into_iter().map(|x| x as f32).collect();
    let single = Tokens::from_flat(3, 2, single).unwrap();
    let value = |key: &str, value: toml::Value| Override::value("a keyword", key, &value);
    let keywords = [
        value("model.rule", "localmax".into()),
        value("model.alpha", 1.into()),
        value("model.delta", toml::Value::Table([("table".to_owned(), vec![0.5, 0.25].into())].into_iter().collect())),
        value("run.steps", 2.into()),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (tokens, precision) in [(double, Precision::F64), (single, Precision::F32)] {
        let path = folder.path().join(format!("{}.npy", precision.name()));
        npy::write(&path, &tokens).unwrap();
        let mut given = Config::of_tokens(tokens, "", "x0", &keywords).unwrap();
        let file = Override::value("a keyword", "tokens.file", &path.display().to_string().into());
        let changes = [&keywords[..], &[file]].concat();
        let mut read = Config::parse("", "localmax", "x0", Path::new(""), &changes).unwrap();
        assert_eq!((given.run.precision, read.run.precision), (precision, precision));
        assert_eq!(given.start().unwrap().tokens, read.start().unwrap().tokens);

        given.save(folder.path()).unwrap();
        let again = Config::load_begun(&folder.path().join("config.toml"), None, &[]).unwrap();
        assert_eq!(again.identity(), given.identity());
    }
}

/// Two sources of tokens are a mistake where both were asked for; a text's own gives way.
#[test]
fn tokens_in_memory_take_the_place_of_a_texts_own() {
    let tokens = Tokens::from_rows(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).unwrap();
    let config = Config::of_tokens(tokens.clone(), GOOD, "x0", &[]).unwrap();
    assert_eq!((config.n(), config.d(), config.seed), (2, 3, 7));
    let both = [Override::value("n=5", "tokens.n", &5.into())];
    let error = Config::of_tokens(tokens, GOOD, "x0", &both).unwrap_err().to_string();
    assert_eq!(error, "n=5: tokens.n does not go with tokens that are given; leave out one");
    let wide = Tokens::from_flat(1, MAX_DIMENSION + 1, vec![1.0; MAX_DIMENSION + 1]).unwrap();
    let error = Config::of_tokens(wide, GOOD, "x0", &[]).unwrap_err().to_string();
    assert!(error.contains(&format!("the largest dimension is {MAX_DIMENSION}")), "{error}");
}
