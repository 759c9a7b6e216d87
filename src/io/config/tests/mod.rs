//! The meaning of a config.

mod by_token;
mod random;
mod refusals;
mod start;

use std::fs;

use super::*;
use crate::init::{Cloud, CloudSample};
use crate::model::MAX_DIMENSION;
use crate::model::{Gain, Geometry, Integrator, Mask, Matrix, Model, Rule, StripForm, Update};
use crate::num;
use crate::schedule::Schedule;

const GOOD: &str = r#"
seed = 7
[tokens]
kind = "normal"
n = 40
d = 3
[model]
rule = "localmax"
alpha = 0.5
delta = "1/(t+1)"
[run]
steps = 20
"#;

fn averages(alpha: f64) -> Update {
    Update::Average { gain: Gain::Alpha(Schedule::Constant(alpha)), preconditioner: None }
}

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, "c.toml", "c", Path::new(""), &[])
}

fn with(changes: &[&str]) -> Result<Config> {
    let overrides: Vec<Override> = changes.iter().map(|c| Override::set(c).unwrap()).collect();
    Config::parse(GOOD, "c.toml", "c", Path::new(""), &overrides)
}

/// A default that changed silently would change what an old config means.
#[test]
fn defaults() {
    let config = parse(GOOD).unwrap();
    assert_eq!((config.seed, config.n(), config.d()), (7, 40, 3));
    assert_eq!(config.tokens, TokenSource::Cloud(CloudSample::new(Cloud::Gaussian, 40, 3)));
    assert_eq!(
        config.model.rule,
        Rule::Localmax { delta: Schedule::parse("1/(t+1)").unwrap(), strip: StripForm::Score }
    );
    assert_eq!(config.model.update, averages(0.5));
    assert_eq!((config.model.scores().matrix(), config.model.mask), (Some(&Matrix::Identity), Mask::FULL));
    let (engine, plan, precision) = (EngineChoice::Auto, Plan::Auto, Precision::F32);
    let run = RunOptions { steps: 20, engine, plan, precision, auto: true, tolerance: None };
    assert_eq!(config.run, run);
    let output = OutputOptions {
        record: Trigger::Every(1),
        frames: Trigger::Log,
        measures: Trigger::Log,
        labels: true,
        checkpoint_seconds: 300.0,
    };
    assert_eq!(config.output, output);
    assert_eq!(config.load_tokens().unwrap().n(), 40);
}

/// A run of many tokens that read its state back every step would spend more time on looking than
/// on computing; one whose saved config did not say so would be resumed at other steps.
#[test]
fn many_tokens_are_recorded_at_log_steps() {
    for (changes, record) in [
        (&["tokens.n=100000"][..], Trigger::Every(1)),
        (&["tokens.n=100001"], Trigger::Log),
        (&["tokens.n=100001", "output.record=every 1"], Trigger::Every(1)),
    ] {
        let config = with(changes).unwrap();
        assert_eq!(config.output.record, record, "{changes:?}");
        assert_eq!(parse(&config.to_toml()).unwrap().output.record, record, "{changes:?} as saved");
    }
}

/// A model of three tokens in the plane.
fn model(lines: &str) -> String {
    format!("[tokens]\nrows = [[1, 0], [0, 1], [1, 1]]\n[model]\n{lines}\n[run]\nsteps = 9\n")
}

const ELLIPSOID: &str = "rule = \"ellipsoid\"\ndt = 0.1\nheads = [{}]";
const SPHERE: &str = "rule = \"sphere\"\nbeta = 1\ndt = 0.1";
const RESCALED: &str = "rule = \"rescaled\"\ndt = 0.1";

/// Each rule reads as the system of its paper, with the defaults that the documentation promises.
#[test]
fn rules_are_their_systems() {
    let read = |lines: &str| parse(&model(lines)).unwrap().model;
    let flow = |model: &Model| match &model.update {
        Update::Flow { dt, integrator, geometry } => (*dt, *integrator, geometry.clone()),
        Update::Average { .. } => panic!("a flow"),
    };
    let dense = |rows: [[f64; 2]; 2]| Matrix::dense(&rows.map(|r| r.to_vec())).unwrap();
    let sphere = read(SPHERE);
    assert_eq!(flow(&sphere), (0.1, Integrator::EulerRenorm, Geometry::Sphere));
    assert_eq!(sphere.rule, Rule::Softmax { beta: Schedule::Constant(1.0) });
    assert_eq!(read(&format!("{SPHERE}\nomit = 1e-6")).omit, 1e-6);
    let usa = read(&format!("{SPHERE}\nnormalized = false\norigin = 1\nintegrator = \"euler\""));
    assert_eq!(usa.rule, Rule::Exponential { beta: Schedule::Constant(1.0), origin: 1.0 });
    let rescaled = read(&format!("{RESCALED}\na = [[1, 2], [0, 3]]\nv = 2"));
    assert_eq!(flow(&rescaled), (0.1, Integrator::Euler, Geometry::Rescaled));
    // <A x, A y> = <AᵀA x, y>
    assert_eq!(rescaled.scores().matrix(), Some(&dense([[1.0, 2.0], [2.0, 13.0]])));
    let ellipsoid = read(&format!(
        "{}\nw = {{ matrix = 2, factor = 3 }}",
        ELLIPSOID.replace("{}", "{ p = [[1, 2], [3, 4]], u = 5 }, {}")
    ));
    assert_eq!(flow(&ellipsoid), (0.1, Integrator::Rk4, Geometry::Ellipsoid(Matrix::Multiple(6.0))));
    // x_iᵀ P x_j = <Pᵀ x_i, x_j>
    assert_eq!(ellipsoid.heads[0].scores.matrix(), Some(&dense([[1.0, 3.0], [2.0, 4.0]])));
    assert_eq!((ellipsoid.heads[0].values.matrix(), ellipsoid.heads.len()), (Some(&Matrix::Multiple(5.0)), 2));
    let near = |lines: &str| read(&format!("scores = \"distance\"\ngamma = 1\n{lines}"));
    let krause = near("rule = \"localmax\"\nepsilon = 0.1");
    assert_eq!(krause, Model::hegselmann_krause(0.1).unwrap());
    assert_eq!(krause, near("rule = \"localmax\"\ndelta = 0.1\nstrip = \"radius\""));
    assert_eq!(near("rule = \"softmax\"\nbeta = 4"), Model::blurring_mean_shift(0.5).unwrap());
    let wolfe = read("rule = \"frank-wolfe\"\ngamma = \"2/(t+2)\"");
    assert!(wolfe.is_exact() && wolfe.rule == Rule::FrankWolfe);
    assert!(!read("rule = \"frank-wolfe\"\ngamma = 1\np = [[0.6, 0], [0, 0.7]]").is_exact());
    assert!(!read("rule = \"hardmax\"\ngamma = 0.5\nv = 2").is_exact());
    assert!(read("rule = \"hardmax\"\ngamma = 0.5\nv = 1").is_exact());
    let text = format!("seed = 5\n{}", model("rule = \"markov\"\nalpha = 1\nbeta = 2"));
    assert_eq!(parse(&text).unwrap().model.rule, Rule::Markov { beta: Schedule::Constant(2.0), seed: 5 });
}

/// A table from a file is the same schedule as one in the config, a value a step, whichever program
/// wrote it.
#[test]
fn tables_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    write("b.csv", b"# beta\n1\n 2.5 # two and a half\n\n4e0\n");
    write("excel.csv", "\u{feff}beta\r\n1;\r\n2.5;\r\n\"4\";\r\n".as_bytes());
    write("bad.csv", b"1\n2,3\n");
    write("wide.csv", b"1;2.5;4\n");
    write("names.csv", b"t,beta\n0,1\n");
    npy::write(&folder.path().join("b.npy"), &Tokens::from_flat(3, 1, vec![1.0, 2.5, 4.0]).unwrap()).unwrap();
    npy::write(&folder.path().join("row.npy"), &Tokens::from_flat(1, 3, vec![1.0, 2.5, 4.0]).unwrap()).unwrap();
    npy::write(&folder.path().join("square.npy"), &Tokens::from_flat(2, 2, vec![1.0; 4]).unwrap()).unwrap();
    let read = |table: &str| {
        let text = model(&format!("rule = \"softmax\"\nalpha = 1\nbeta = {{ table = {table} }}"));
        Config::parse(&text.replace("= 9", "= 3"), "c.toml", "c", folder.path(), &[]).map(|c| c.model.rule)
    };
    let beta = Schedule::table(&[1.0, 2.5, 4.0]).unwrap();
    for table in ["[1, 2.5, 4]", "\"b.csv\"", "\"excel.csv\"", "\"b.npy\"", "\"row.npy\""] {
        assert_eq!(read(table).unwrap(), Rule::Softmax { beta: beta.clone() }, "{table}");
    }
    for (table, wanted) in [
        ("\"bad.csv\"", "bad.csv line 2: \"2,3\" is no number; give one a line, with a decimal point, not a comma"),
        ("\"wide.csv\"", "wide.csv line 1: \"1;2.5;4\" is no number; give one a line, one under the other"),
        ("\"names.csv\"", "names.csv line 1: \"t,beta\" is no number"),
        ("\"square.npy\"", "its shape is (2, 2); a table has one row or one column"),
        ("\"gone.csv\"", "gone.csv"),
    ] {
        let line = read(table).unwrap_err().to_string();
        assert!(line.contains(wanted), "{line}");
    }
}

/// A config may be saved with long rows, matrices and tables, moved, and read again: it must be the
/// same system. A file beside it that was changed must be named, not be computed with.
#[test]
fn files_beside_a_config_are_its_own() {
    let place = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..600).map(|i| format!("[{i}, 1]")).collect();
    let beta: Vec<f64> = (0..1100).map(f64::from).collect();
    let text = format!(
        "[tokens]\nrows = [{}]\n[model]\nrule = \"softmax\"\nalpha = 1\nbeta = {{ table = {beta:?} }}\n[run]\nsteps = 9\n",
        rows.join(", ")
    );
    let config = parse(&text).unwrap();
    let (old, new) = (place.path().join("old"), place.path().join("new"));
    fs::create_dir(&old).unwrap();
    config.save(&old).unwrap();
    fs::rename(&old, &new).unwrap();
    let path = new.join("config.toml");
    let begun = Config::load_begun(&path, None, &[]).unwrap();
    assert_eq!((&begun.tokens, &begun.model, begun.identity()), (&config.tokens, &config.model, config.identity()));
    let again = Config::load(&path, &[]).unwrap();
    assert_eq!(again.load_tokens().unwrap(), config.load_tokens().unwrap());
    for name in ["x0.npy", "beta.npy"] {
        let kept = fs::read(new.join(name)).unwrap();
        let mut other = kept.clone();
        *other.last_mut().unwrap() ^= 1;
        fs::write(new.join(name), other).unwrap();
        for line in [Config::load(&path, &[]).unwrap_err(), Config::load_begun(&path, None, &[]).unwrap_err()] {
            let line = line.to_string();
            assert!(line.contains(&format!("{name} is another file than the one")), "{line}");
        }
        fs::write(new.join(name), kept).unwrap();
    }
}

/// `--set` reaches any key, and is named as the place of what is wrong with it.
#[test]
fn overrides() {
    let config = with(&["model.alpha=2", "model.delta=0.5*t", "output.record=every 5", "tokens.n=3"]).unwrap();
    assert_eq!(config.model.update, averages(2.0));
    assert_eq!((config.n(), config.output.record), (3, Trigger::Every(5)));
    let options = [
        Override::option("--engine", "run.engine", "cpu"),
        Override::option("--plan", "run.plan", "tree"),
        Override::option("--precision", "run.precision", "f64"),
        Override::option("--steps", "run.steps", "9"),
    ];
    let config = Config::parse(GOOD, "c.toml", "c", Path::new(""), &options).unwrap();
    let (engine, plan, precision) = (EngineChoice::Cpu, Plan::Tree, Precision::F64);
    let run = RunOptions { steps: 9, engine, plan, precision, auto: false, tolerance: None };
    assert_eq!(config.run, run);
    assert_eq!(config.load_tokens().unwrap().precision(), Precision::F64);

    for (change, wanted) in [
        ("model.alhpa=1", "--set model.alhpa=1: unknown key \"model.alhpa\"; the nearest known key is \"model.alpha\""),
        ("alpha=1", "the nearest known key is \"model.alpha\""),
        ("modle.alpha=1", "unknown key \"modle\"; the nearest known key is \"model\""),
        ("model.alpha=-1", "--set model.alpha=-1: model.alpha is -1 at step 0"),
        ("model.rule=local\nmax", "--set model.rule=local max: model.rule: unknown rule \"local\\nmax\""),
        ("tokens.file=\"x\\ny\"", "x"),
        ("model.alpha.x=1", "alpha is the number 0.5, not a table"),
        ("tokens=3", "expected the table [tokens]"),
        ("run.engine=cuda", "--set run.engine=cuda: run.engine: unknown engine"),
    ] {
        let line = with(&[change]).expect_err(change).to_string();
        assert!(change.contains("file") || !line.contains('\n'), "{line:?}");
        assert!(line.contains(wanted), "{wanted}\n{line}");
    }
    for text in ["model.alpha", "=3", "model.=3", ".=", ""] {
        assert!(Override::set(text).unwrap_err().to_string().contains("write --set key=value"), "{text}");
    }
    let engine = Override::option("--engine", "run.engine", "cuda");
    let line = Config::parse(GOOD, "c.toml", "c", Path::new(""), &[engine]).unwrap_err().to_string();
    assert!(line.starts_with("--engine cuda: run.engine: unknown engine \"cuda\""), "{line}");
}

/// A choice on the command line leaves aside what only made sense with the file's choice.
#[test]
fn overridden_choices() {
    assert_eq!(with(&["model.rule=hardmax"]).unwrap().model.rule, Rule::Hardmax);
    let rows = with(&["tokens.rows=[[1.0, 2.0], [3.0, 4.0]]"]).unwrap();
    assert_eq!((rows.n(), rows.d()), (2, 2));
    let line = with(&["model.rule=hardmax", "model.delta=1"]).unwrap_err().to_string();
    assert!(line.contains("model.delta is no parameter of hardmax"), "{line}");
    // A radius takes the place of the file's delta, and of what that was measured in.
    let krause = with(&["model.scores=distance", "model.epsilon=0.5", "model.gamma=1"]).unwrap();
    assert_eq!(krause.model, Model::hegselmann_krause(0.5).unwrap());
    let q = with(&["model.q=2", "model.k=3"]).unwrap();
    assert_eq!(q.model.scores().matrix(), Some(&Matrix::Multiple(6.0)));
}

/// Matrices in all their forms, files relative to the config.
#[test]
fn matrices() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::from_flat(2, 2, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    npy::write(&folder.path().join("m.npy"), &tokens).unwrap();
    let read = |model: &str| {
        let text = GOOD.replace("d = 3", "d = 2").replace("alpha = 0.5", &format!("alpha = 0.5\n{model}"));
        Config::parse(&text, "c.toml", "c", folder.path(), &[]).map(|c| c.model.scores().clone())
    };
    let entries = |model: &str| {
        let matrix = read(model).unwrap().matrix_at(0, 2);
        [matrix.entry(0, 0), matrix.entry(0, 1), matrix.entry(1, 0), matrix.entry(1, 1)]
    };
    assert_eq!(read("a = \"identity\"").unwrap().matrix(), Some(&Matrix::Identity));
    assert_eq!(read("a = 1").unwrap().matrix(), Some(&Matrix::Identity));
    assert_eq!(read("a = -2.5").unwrap().matrix(), Some(&Matrix::Multiple(-2.5)));
    assert_eq!(entries("a = [[1, 2], [3, 4]]"), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(entries("a = \"m.npy\""), [1.0, 2.0, 3.0, 4.0]);
    // <Q x, K y> = <A x, y> with A = KᵀQ
    assert_eq!(entries("q = [[1, 2], [3, 4]]\nk = [[0, 1], [1, 0]]"), [3.0, 4.0, 1.0, 2.0]);
    assert_eq!(entries("q = [[1, 2]]\nk = [[3, 4]]"), [3.0, 6.0, 4.0, 8.0]);
    assert_eq!(entries("q = \"m.npy\"\nk = 2"), [2.0, 4.0, 6.0, 8.0]);
    assert_eq!(entries("q = 2\nk = \"m.npy\""), [2.0, 6.0, 4.0, 8.0]);
    let timed = read("a = { matrix = \"m.npy\", factor = \"1+0.5*sin(t)\" }").unwrap();
    assert_eq!(timed.factor, Schedule::parse("1+0.5*sin(t)").unwrap());
    let both = read("q = { matrix = 1, factor = \"t+1\" }\nk = { matrix = 1, factor = 2 }").unwrap();
    assert!(num::within((both.factor.at(3, 3.0) - 8.0).abs(), 0.0));
    let line = read("a = \"gone.npy\"").unwrap_err().to_string();
    assert!(line.contains("gone.npy"), "{line}");
}

/// Who says a mask on the command line means it, whatever the file says.
#[test]
fn a_mask_on_the_command_line_replaces_that_of_the_file() {
    let read = |file: &str, change: &str| {
        let text = GOOD.replace("alpha = 0.5", &format!("alpha = 0.5\n{file}"));
        Config::parse(&text, "c.toml", "c", Path::new("."), &[Override::set(change).unwrap()]).map(|c| c.model.mask)
    };
    assert_eq!(read("causal = true", "model.mask=full").unwrap(), Mask::FULL);
    assert_eq!(read("mask = \"causal\"", "model.causal=false").unwrap(), Mask::FULL);
    assert_eq!(read("mask = \"full\"", "model.causal=true").unwrap(), Mask::CAUSAL);
    assert!(read("mask = \"full\"\ncausal = true", "seed=1").is_err());
}

/// Without a word about precision, a float64 file keeps its bits.
#[test]
fn precision_follows_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let read = |run: &str| {
        let text = GOOD.replace("kind = \"normal\"\nn = 40\nd = 3", "file = \"x0.npy\"");
        fs::write(folder.path().join("c.toml"), text.replace("steps = 20", &format!("steps = 20\n{run}"))).unwrap();
        Config::load(&folder.path().join("c.toml"), &[]).unwrap()
    };
    npy::write(&folder.path().join("x0.npy"), &Tokens::from_flat(2, 1, vec![0.1, 0.2]).unwrap()).unwrap();
    let config = read("");
    assert_eq!((config.run.precision, config.name.as_str(), config.n(), config.d()), (Precision::F64, "c", 2, 1));
    assert_eq!(config.load_tokens().unwrap().to_f64(), [0.1, 0.2]);
    assert_eq!(read("precision = \"f32\"").run.precision, Precision::F32);
    let narrow = Tokens::from_flat(2, 1, crate::tokens::Coordinates::F32(vec![0.1, 0.2])).unwrap();
    npy::write(&folder.path().join("x0.npy"), &narrow).unwrap();
    assert_eq!(read("").run.precision, Precision::F32);
    assert_eq!(read("precision = \"f64\"").run.precision, Precision::F64);
}

/// A resolved config must run again as it is, from anywhere.
#[test]
fn resolved_files_run_again() {
    let (folder, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cloud = CloudSample::new(Cloud::Gaussian, 40, 40).tokens(1, Precision::F64).unwrap();
    npy::write(&folder.path().join("x 0.npy"), &cloud).unwrap();
    let text = GOOD.replace("kind = \"normal\"\nn = 40\nd = 3", "file = \"x 0.npy\"").replace(
        "alpha = 0.5",
        "alpha = 0.5\na = \"x 0.npy\"\nmask = { window = 7 }\nself = false\nexclusive = true\ncausal = true",
    );
    let config = Config::parse(&text, "c.toml", "config", folder.path(), &[]).unwrap();
    config.save(run.path()).unwrap();
    assert!(run.path().join("a.npy").exists(), "1600 entries do not belong into a config");
    assert_eq!(Config::load(&run.path().join("config.toml"), &[]).unwrap(), config);

    let run = tempfile::tempdir().unwrap();
    let values: Vec<String> = (1..2000).map(|s| format!("{s}e-3")).collect();
    let text = format!(
        "[tokens]\nfile = \"x 0.npy\"\n[model]\nrule = \"ellipsoid\"\nheads = [{{}}, {{ u = {{ matrix = \"x 0.npy\", factor = {{ table = \
         [{}] }} }} }}]\ndt = 0.1\n[run]\nsteps = 9",
        values.join(", ")
    );
    let config = Config::parse(&text, "c.toml", "config", folder.path(), &[]).unwrap();
    config.save(run.path()).unwrap();
    assert!(["heads-1-u.npy", "heads-1-u-factor.npy"].iter().all(|file| run.path().join(file).exists()));
    assert_eq!(Config::load(&run.path().join("config.toml"), &[]).unwrap(), config);
}

/// A config that is not a config must not cost memory.
#[test]
fn large_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(Config::load(&path, &[]).unwrap_err().to_string().contains("more than 4194304 bytes"));
    assert!(Config::load(folder.path(), &[]).is_err());
    assert!(Config::load(&folder.path().join("none.toml"), &[]).unwrap_err().to_string().contains("none.toml"));
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(Config::load(&path, &[]).unwrap_err().to_string().contains("c.toml"));
    fs::write(&path, "x = ".to_owned() + &"[".repeat(100_000)).unwrap();
    assert!(Config::load(&path, &[]).is_err());
}
