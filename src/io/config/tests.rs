//! What a config means, and what is said about one that means nothing.

use std::fs;

use proptest::prelude::*;

use super::*;
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

/// The whole message for a wrong config.
fn refusal(text: &str) -> String {
    let error = parse(text).expect_err(text);
    assert_eq!(error.exit_status(), 2, "{text}");
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line:?}");
    line
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
    assert_eq!((&config.model.scores().matrix, config.model.mask), (&Matrix::Identity, Mask::Full));
    let run = RunOptions { steps: 20, engine: EngineChoice::Auto, plan: Plan::Auto, precision: Precision::F32 };
    assert_eq!(config.run, run);
    let output = OutputOptions {
        record: Trigger::Every(1),
        frames: Trigger::Log,
        measures: Trigger::Log,
        checkpoint_seconds: 300.0,
    };
    assert_eq!(config.output, output);
    assert_eq!(config.load_tokens().unwrap().n(), 40);
}

/// Every wrong config gets one line that says what, where and what instead.
#[test]
fn refusals() {
    let edit = |from: &str, to: &str| {
        assert!(GOOD.contains(from));
        GOOD.replace(from, to)
    };
    let rows = |rows: &str| edit("kind = \"normal\"\nn = 40\nd = 3", &format!("rows = {rows}"));
    let a = |a: &str| edit("alpha = 0.5", &format!("alpha = 0.5\na = {a}"));
    for (text, wanted) in [
        (
            edit("alpha", "alhpa"),
            "c.toml line 9 column 1: unknown key \"model.alhpa\"; the nearest known key is \"model.alpha\"",
        ),
        (
            edit("[model]", "[mdoel]"),
            "c.toml line 7 column 2: unknown key \"mdoel\"; the nearest known key is \"model\"",
        ),
        (edit("steps = 20", "seed = 1\nsteps = 20"), "unknown key \"run.seed\"; the nearest known key is \"seed\""),
        (edit("alpha = 0.5\n", ""), "c.toml line 7 column 2: model.alpha is missing"),
        (edit("steps = 20", ""), "c.toml line 11 column 2: run.steps is missing"),
        (edit("[run]\nsteps = 20", ""), "c.toml line 1 column 1: run.steps is missing"),
        (
            edit("alpha = 0.5", "alpha = true"),
            "c.toml line 9 column 9: model.alpha must be a number or an expression in t",
        ),
        (
            edit("alpha = 0.5", "alpha = 0"),
            "c.toml line 9 column 9: model.alpha is 0 at step 0; it must be finite and above 0",
        ),
        (edit("alpha = 0.5", "alpha = nan"), "model.alpha is NaN at step 0"),
        (edit("1/(t+1)", "3-t"), "c.toml line 10 column 9: model.delta is -1 at step 4"),
        (edit("1/(t+1)", "1/t"), "model.delta is inf at step 0"),
        (edit("1/(t+1)", "1/(s+1)"), "c.toml line 10 column 9: model.delta: unknown name \"s\" at column 4 of"),
        (
            edit("n = 40", "n = 0"),
            "c.toml line 5 column 5: tokens.n must be a whole number of at least 1, found the whole number 0",
        ),
        (edit("n = 40", "n = 40.5"), "found the number 40.5"),
        (edit("n = 40", "n = 99999999999999999999"), "does not fit 64 bits"),
        (edit("d = 3", "d = 0"), "tokens.d must be"),
        (edit("d = 3", "d = 20000"), "d = 20000 exceeds the largest dimension, 8192"),
        (edit("d = 3", "d = 3\nscale = -1"), "tokens.scale is -1"),
        (edit("\"normal\"", "\"norml\""), "tokens.kind: unknown kind of cloud \"norml\"; one of normal"),
        (edit("\"normal\"", "7"), "tokens.kind must be a text, found the whole number 7"),
        (edit("d = 3", "d = 3\nspread = 1"), "tokens.spread does not go with kind = \"normal\""),
        (edit("d = 3", "d = 3\nfile = \"x.npy\""), "c.toml line 4 column 1: tokens.kind beside tokens.file"),
        (edit("kind = \"normal\"", ""), "c.toml line 3 column 2: tokens.kind is missing: give file"),
        (edit("kind = \"normal\"\nn = 40\nd = 3", "file = \"no.npy\""), "no.npy"),
        (edit("kind = \"normal\"\nn = 40\nd = 3", "file = 3"), "tokens.file must be the path of an .npy file"),
        (rows("[]"), "n and d must be at least 1"),
        (rows("[[]]"), "n and d must be at least 1"),
        (rows("[[1,2],[3]]"), "token 1 has 1 coordinates where token 0 has 2"),
        (rows("[[1,2],[3,inf]]"), "token 1 coordinate 1 is inf"),
        (rows("[1,2]"), "tokens.rows must be a list of rows"),
        (rows("[[1,\"2\"]]"), "tokens.rows must be a number, found the text \"2\""),
        (edit("\"localmax\"", "\"localmx\""), "unknown rule \"localmx\"; the nearest is \"localmax\""),
        (edit("\"localmax\"", "\"softmax\""), "c.toml line 10 column 1: model.delta is no parameter of softmax"),
        (
            edit("\"localmax\"", "\"hardmax\""),
            "c.toml line 10 column 1: model.delta is no parameter of hardmax, which takes alpha",
        ),
        (edit("\"localmax\"", "\"hardmax\"\nstrip = \"width\""), "model.strip is no parameter of hardmax"),
        (edit("alpha = 0.5", "alpha = 0.5\nstrip = \"with\""), "unknown strip \"with\"; one of score, width, a-norm"),
        (
            edit("alpha = 0.5", "gamma = 1"),
            "c.toml line 9 column 9: model.gamma is 1 at step 0; it must be above 0 and below 1",
        ),
        (edit("alpha = 0.5", "alpha = 0.5\ngamma = 0.5"), "c.toml line 10 column 1: model.gamma beside model.alpha"),
        (edit("alpha = 0.5", "alpha = 0.5\nbeta = 1"), "model.beta is no parameter of localmax"),
        (edit("alpha = 0.5", "alpha = 0.5\ncausal = 1"), "model.causal must be true or false"),
        (a("[[1,0],[0,1]]"), "c.toml line 10 column 5: model.a is 2×2 but the tokens have d = 3"),
        (a("[[1,0],[0]]"), "model.a: row 1 of a matrix has 1 entries"),
        (a("[[1,0,0],[0,1,0]]"), "it must be square"),
        (a("[[1,0,0],[0,1,nan],[0,0,1]]"), "entry (1, 2) of a matrix is NaN"),
        (a("[]"), "a matrix without rows"),
        (a("nan"), "a matrix given as the number NaN"),
        (a("\"identiy\""), "model.a must be \"identity\", a number"),
        (a("true"), "model.a must be"),
        (a("{ matrix = 2, fator = 1 }"), "unknown key \"model.a.fator\"; the nearest known key is \"model.a.factor\""),
        (a("{ factor = 1 }"), "model.a.matrix is missing"),
        (a("{ matrix = 2, factor = \"1/t\" }"), "model.a.factor is inf at step 0"),
        (a("{ matrix = { matrix = 2 } }"), "must not be a table again"),
        (a("1\nq = 1"), "model.a beside model.q or model.k"),
        (edit("alpha = 0.5", "alpha = 0.5\nq = 1"), "model.k is missing: model.q is given"),
        (edit("alpha = 0.5", "alpha = 0.5\nq = [[1,2,3]]\nk = [[1,2]]"), "model.q and model.k: "),
        (edit("steps = 20", "steps = -1"), "run.steps must be a whole number of at least 0"),
        (
            edit("steps = 20", "steps = 20\nengine = \"cuda\""),
            "unknown engine \"cuda\"; one of auto, gpu, cpu, reference",
        ),
        (edit("steps = 20", "steps = 20\nplan = \"kd\""), "unknown plan \"kd\"; one of auto, brute, norm, tree"),
        (edit("steps = 20", "steps = 20\nprecision = \"f16\""), "unknown precision \"f16\"; one of f32, f64"),
        (GOOD.to_owned() + "[output]\nrecord = 3", "output.record must be a text"),
        (GOOD.to_owned() + "[output]\nrecord = \"every 0\"", "output.record: \"every 0\" is no trigger"),
        (GOOD.to_owned() + "[output]\ncheckpoint_seconds = 0", "output.checkpoint_seconds is 0"),
        (edit("seed = 7", "seed = -7"), "seed must be a whole number of at least 0"),
        (
            edit("seed = 7", "tokens = 7").replace("[tokens]", "[x]"),
            "expected the table [tokens], found the whole number 7",
        ),
        (edit("alpha = 0.5", "alpha = "), "c.toml line 9 column"),
        (edit("alpha = 0.5", "alpha = 0.5\nalpha = 1"), "not TOML: duplicate key"),
        ("\"é\" = 1".to_owned(), "unknown key \"é\""),
        ("é = 1".to_owned(), "c.toml line 1 column 1: not TOML: invalid unquoted key"),
        (String::new(), "tokens.kind is missing"),
    ] {
        let line = refusal(&text);
        assert!(line.contains(wanted), "{wanted}\n{line}");
    }
}

/// A model of three tokens in the plane.
fn model(lines: &str) -> String {
    format!("[tokens]\nrows = [[1, 0], [0, 1], [1, 1]]\n[model]\n{lines}\n[run]\nsteps = 9\n")
}

const ELLIPSOID: &str = "rule = \"ellipsoid\"\ndt = 0.1\nheads = [{}]";
const SPHERE: &str = "rule = \"sphere\"\nbeta = 1\ndt = 0.1";
const RESCALED: &str = "rule = \"rescaled\"\ndt = 0.1";

/// Every rule's parameters are refused outside their domains before the first step: name, value, domain, line, column.
#[test]
fn refusals_of_every_rule() {
    let softmax = |more: &str| model(&format!("rule = \"softmax\"\nalpha = 1\n{more}"));
    let wolfe = |more: &str| model(&format!("rule = \"frank-wolfe\"\n{more}"));
    let ellipsoid = |more: &str| model(&format!("{}\n{more}", ELLIPSOID.replace("heads = [{}]", "")));
    let sphere = |more: &str| model(&format!("{SPHERE}\n{more}"));
    let rescaled = |more: &str| model(&format!("{RESCALED}\n{more}"));
    for (text, wanted) in [
        (softmax(""), "line 3 column 2: model.beta is missing: the inverse temperature"),
        (softmax("beta = -1"), "line 6 column 8: model.beta is -1 at step 0; it must be finite and at least 0"),
        (softmax("beta = \"3-t\""), "line 6 column 8: model.beta is -1 at step 4"),
        (softmax("beta = { table = [1, 2, -3] }"), "line 6 column 8: model.beta is -3 at step 2"),
        (
            softmax("beta = 1\ndelta = 1"),
            "line 7 column 1: model.delta is no parameter of softmax, which takes alpha, gamma, beta, omit, a, q, k, v and causal; the nearest is model.beta",
        ),
        (
            softmax("beta = 1\ndt = 1"),
            "model.dt is no parameter of softmax, which moves in steps, not in time; it takes alpha",
        ),
        (softmax("beta = 1\nomit = 1"), "model.omit is 1; it must be at least 0 and below 1"),
        (sphere("normalized = false\nomit = 0.1"), "model.omit is 0.1: only weights that sum to 1"),
        (softmax("beta = 1\nv = [[1]]"), "line 7 column 5: model.v is 1×1 but the tokens have d = 2; it must be 2×2"),
        (
            softmax("beta = 1\nv = { matrix = 2, factor = \"1/(2-t)\" }"),
            "line 7 column 28: model.v.factor is inf at step 2",
        ),
        (softmax("beta = {}"), "line 6 column 8: model.beta.table is missing"),
        (
            softmax("beta = { tabel = [1] }"),
            "unknown key \"model.beta.tabel\"; the nearest known key is \"model.beta.table\"",
        ),
        (softmax("beta = { table = 3 }"), "model.beta.table must be a list of numbers, a .csv or a .npy"),
        (softmax("beta = { table = [] }"), "line 6 column 18: model.beta.table: a table without values"),
        (softmax("beta = { table = [1, nan] }"), "value 1 of a table is NaN"),
        (softmax("beta = { table = [1, true] }"), "model.beta.table must be a number, found true"),
        (softmax("beta = { table = \"x.txt\" }"), "\"x.txt\" is neither a .csv nor a .npy file"),
        (model("rule = \"markov\"\ngamma = 0.1\nbeta = 1\nv = 2"), "model.v is no parameter of markov"),
        (model("rule = \"markov\"\ngamma = 0.1\nbeta = \"0/t\""), "model.beta is NaN at step 0"),
        (model("rule = \"markov\"\nbeta = 1"), "model.alpha is missing: the step size"),
        (
            wolfe("gamma = \"0.5+t/10\""),
            "line 5 column 9: model.gamma is 1.1 at step 6; it must be above 0 and at most 1",
        ),
        (wolfe("gamma = 0"), "model.gamma is 0 at step 0"),
        (wolfe("gamma = 1\np = [[1]]"), "line 6 column 5: model.p is 1×1 but the tokens have d = 2"),
        (wolfe("gamma = 1\np = { matrix = 1, factor = \"1/(2-t)\" }"), "model.p.factor is inf at step 2"),
        (wolfe("gamma = 1\nbeta = 1"), "model.beta is no parameter of frank-wolfe"),
        (
            wolfe("gamma = 1\nintegrator = \"rk4\""),
            "model.integrator is no parameter of frank-wolfe, which moves in steps, not in time",
        ),
        (ellipsoid(""), "model.heads is missing: give heads = [{ p = ..., u = ... }, ...]"),
        (ellipsoid("heads = []"), "line 7 column 9: model.heads is empty"),
        (ellipsoid("heads = [1]"), "line 7 column 10: model.heads[0] must be a table { p = ..., u = ... }"),
        (
            ellipsoid("heads = [{ q = 1 }]"),
            "line 7 column 12: unknown key \"model.heads[0].q\"; the nearest known key is \"model.heads[0].",
        ),
        (
            ellipsoid("heads = [{}, { u = [[1]] }]"),
            "line 7 column 20: model.heads[1].u is 1×1 but the tokens have d = 2",
        ),
        (ellipsoid("heads = [{}, { p = [[1]] }]"), "line 7 column 20: model.heads[1].p is 1×1"),
        (
            ellipsoid("heads = [{ p = { matrix = 1, factor = \"1/t\" } }]"),
            "line 7 column 39: model.heads[0].p.factor is inf at step 0",
        ),
        (ellipsoid("heads = [{ p = [[1, 2], [3]] }]"), "model.heads[0].p: row 1 of a matrix has 1 entries"),
        (ellipsoid("heads = [{}]\nw = [[1, 2], [2, 1]]"), "line 8 column 5: model.w has the eigenvalue -1"),
        (ellipsoid("heads = [{}]\nw = [[1, 0.5], [0.25, 1]]"), "model.w has 0.25 at (1, 0) and 0.5 at (0, 1)"),
        (ellipsoid("heads = [{}]\nw = -2"), "model.w is -2 times the identity"),
        (
            ellipsoid("heads = [{}]\nw = { matrix = 1, factor = \"t\" }"),
            "model.w has the factor t, which changes in time",
        ),
        (
            ellipsoid("heads = [{}]\nbeta = 1"),
            "line 8 column 1: model.beta is no parameter of ellipsoid, which takes w, heads, dt, integrator and causal; the nearest is model.heads",
        ),
        (ellipsoid("heads = [{}]\na = 1"), "model.a is no parameter of ellipsoid"),
        (sphere("").replace("dt = 0.1", ""), "model.dt is missing: the length of a step"),
        (sphere("").replace("dt = 0.1", "dt = 0"), "line 6 column 6: model.dt is 0; it must be finite and above 0"),
        (sphere("").replace("dt = 0.1", "dt = \"t\""), "model.dt must be a number, found the text \"t\""),
        (sphere("").replace("beta = 1", "beta = \"3-8*t\""), "line 5 column 8: model.beta is"),
        (sphere("alpha = 1"), "line 7 column 1: model.alpha is no parameter of sphere, which takes beta"),
        (sphere("a = 1"), "the nearest is model.q"),
        (
            sphere("q = [[1]]\nk = [[1]]"),
            "line 7 column 5: model.q and model.k give an A = KᵀQ that is 1×1 but the tokens have d = 2",
        ),
        (
            sphere("integrator = \"rk5\""),
            "line 7 column 14: model.integrator: unknown integrator \"rk5\"; one of euler, rk4, euler-renorm",
        ),
        (sphere("normalized = 1"), "model.normalized must be true or false"),
        (sphere("origin = 1"), "line 7 column 10: model.origin is the score that weighs 1"),
        (sphere("normalized = false\norigin = inf"), "line 8 column 10: model.origin is inf; it must be finite"),
        (sphere("w = 1"), "model.w is no parameter of sphere"),
        (
            rescaled("integrator = \"euler-renorm\""),
            "line 6 column 14: model.integrator is euler-renorm but rule rescaled has no norm",
        ),
        (
            rescaled("v = { matrix = 1, factor = \"t\" }"),
            "line 6 column 5: model.v has the factor t, which changes in time; it must be constant",
        ),
        (rescaled("v = [[1]]"), "model.v is 1×1"),
        (rescaled("a = [[1, 2], [3]]"), "line 6 column 5: model.a: row 1"),
        (rescaled("beta = 1"), "model.beta is no parameter of rescaled"),
        (model("rule = \"exponential\""), "unknown rule \"exponential\"; the nearest is"),
        (model(""), "model.rule is missing: one of localmax, hardmax, frank-wolfe"),
    ] {
        let line = refusal(&text);
        assert!(line.contains(wanted), "{wanted}\n{line}");
    }
}

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
    assert_eq!(rescaled.scores().matrix, dense([[1.0, 2.0], [2.0, 13.0]]));
    let ellipsoid = read(&format!(
        "{}\nw = {{ matrix = 2, factor = 3 }}",
        ELLIPSOID.replace("{}", "{ p = [[1, 2], [3, 4]], u = 5 }, {}")
    ));
    assert_eq!(flow(&ellipsoid), (0.1, Integrator::Rk4, Geometry::Ellipsoid(Matrix::Multiple(6.0))));
    // x_iᵀ P x_j = <Pᵀ x_i, x_j>
    assert_eq!(ellipsoid.heads[0].scores.matrix, dense([[1.0, 3.0], [2.0, 4.0]]));
    assert_eq!((&ellipsoid.heads[0].values.matrix, ellipsoid.heads.len()), (&Matrix::Multiple(5.0), 2));
    let wolfe = read("rule = \"frank-wolfe\"\ngamma = \"2/(t+2)\"");
    assert!(wolfe.is_exact() && wolfe.rule == Rule::FrankWolfe);
    assert!(!read("rule = \"frank-wolfe\"\ngamma = 1\np = [[0.6, 0], [0, 0.7]]").is_exact());
    assert!(!read("rule = \"hardmax\"\ngamma = 0.5\nv = 2").is_exact());
    assert!(read("rule = \"hardmax\"\ngamma = 0.5\nv = 1").is_exact());
    let text = format!("seed = 5\n{}", model("rule = \"markov\"\nalpha = 1\nbeta = 2"));
    assert_eq!(parse(&text).unwrap().model.rule, Rule::Markov { beta: Schedule::Constant(2.0), seed: 5 });
}

/// A table from a file is the same schedule as one in the config, a value a step.
#[test]
fn tables_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.csv"), "# beta\n1\n 2.5 # two and a half\n\n4e0\n").unwrap();
    npy::write(&folder.path().join("b.npy"), &Tokens::from_flat(3, 1, vec![1.0, 2.5, 4.0]).unwrap()).unwrap();
    npy::write(&folder.path().join("wide.npy"), &Tokens::from_flat(1, 3, vec![1.0, 2.5, 4.0]).unwrap()).unwrap();
    fs::write(folder.path().join("bad.csv"), "1\n2,3\n").unwrap();
    let read = |table: &str| {
        let text = model(&format!("rule = \"softmax\"\nalpha = 1\nbeta = {{ table = {table} }}"));
        Config::parse(&text, "c.toml", "c", folder.path(), &[]).map(|c| c.model.rule)
    };
    let beta = Schedule::table(&[1.0, 2.5, 4.0]).unwrap();
    for table in ["[1, 2.5, 4]", "\"b.csv\"", "\"b.npy\""] {
        assert_eq!(read(table).unwrap(), Rule::Softmax { beta: beta.clone() }, "{table}");
    }
    for (table, wanted) in [
        ("\"bad.csv\"", "bad.csv line 2: \"2,3\" is no number; give one a line"),
        ("\"wide.npy\"", "its shape is (1, 3); a table has one column"),
        ("\"gone.csv\"", "gone.csv"),
    ] {
        let line = read(table).unwrap_err().to_string();
        assert!(line.contains(wanted), "{line}");
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
    let run = RunOptions { steps: 9, engine: EngineChoice::Cpu, plan: Plan::Tree, precision: Precision::F64 };
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
    let q = with(&["model.q=2", "model.k=3"]).unwrap();
    assert_eq!(q.model.scores().matrix, Matrix::Multiple(6.0));
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
        let matrix = read(model).unwrap().matrix;
        [matrix.entry(0, 0), matrix.entry(0, 1), matrix.entry(1, 0), matrix.entry(1, 1)]
    };
    assert_eq!(read("a = \"identity\"").unwrap().matrix, Matrix::Identity);
    assert_eq!(read("a = 1").unwrap().matrix, Matrix::Identity);
    assert_eq!(read("a = -2.5").unwrap().matrix, Matrix::Multiple(-2.5));
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
    let text = GOOD
        .replace("kind = \"normal\"\nn = 40\nd = 3", "file = \"x 0.npy\"")
        .replace("alpha = 0.5", "alpha = 0.5\na = \"x 0.npy\"\ncausal = true");
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

fn schedules() -> impl Strategy<Value = String> {
    prop_oneof![
        (1e-9f64..1e9).prop_map(|x| format!("{x:?}")),
        (1u32..100).prop_map(|x| x.to_string()),
        proptest::sample::select(vec![
            "\"1/(t+1)\"",
            "\"0.8+0.3*sin(t)\"",
            "\"2^-t\"",
            "\"3\"",
            "{ table = [1, 2.5, 0.25] }"
        ])
        .prop_map(str::to_owned),
    ]
}

fn configs() -> impl Strategy<Value = String> {
    let tokens = prop_oneof![
        (proptest::sample::select(Cloud::ALL.to_vec()), 1usize..99, 1e-3f64..1e3)
            .prop_map(|((_, kind), n, scale)| format!("kind = {kind:?}\nn = {n}\nd = 2\nscale = {scale:?}")),
        proptest::collection::vec(-1e6f64..1e6, 1..20).prop_map(|v| format!(
            "rows = [{}]",
            v.iter().map(|x| format!("[{x:?}, 1]")).collect::<Vec<_>>().join(", ")
        )),
    ];
    let a = prop_oneof![
        Just("a = \"identity\"".to_owned()),
        (-1e3f64..1e3).prop_map(|c| format!("a = {c:?}")),
        proptest::array::uniform4(-9e9f64..9e9)
            .prop_map(|[p, q, r, s]| format!("a = {{ matrix = [[{p:?}, {q:?}], [{r:?}, {s:?}]], factor = \"1+t\" }}")),
        Just("q = [[1, 2], [0.1, 5]]\nk = [[0.3, 1], [1, 7]]".to_owned()),
    ];
    let v = prop_oneof![
        Just(String::new()),
        Just("v = 2".to_owned()),
        Just("v = { matrix = 1, factor = \"1+t\" }".to_owned())
    ];
    let gain = prop_oneof![
        schedules().prop_map(|alpha| format!("alpha = {alpha}")),
        (1e-9f64..0.999).prop_map(|gamma| format!("gamma = {gamma:?}")),
        Just("gamma = \"1/(t+2)\"".to_owned()),
    ];
    let qk = prop_oneof![
        Just(String::new()),
        Just("q = [[1, 2], [0.1, 5]]\nk = [[0.3, 1], [1, 7]]".to_owned()),
        (-9f64..9.0).prop_map(|c| format!("q = {{ matrix = {c:?}, factor = \"cos(t)\" }}\nk = 2")),
    ];
    let strip = proptest::sample::select(StripForm::ALL.map(|(_, name)| name).to_vec());
    let scheme = proptest::sample::select(vec!["", "integrator = \"euler\"", "integrator = \"rk4\""]);
    let p = prop_oneof![
        Just("{}".to_owned()),
        Just("{ u = -1 }".to_owned()),
        (proptest::array::uniform4(-9f64..9.0), schedules()).prop_map(|([p, q, r, s], f)| format!(
            "{{ p = {{ matrix = [[{p:?}, {q:?}], [{r:?}, {s:?}]], factor = {f} }} }}"
        )),
    ];
    let averaging =
        (schedules(), strip, gain, a.clone(), v, 0..5).prop_map(|(scalar, strip, gain, a, v, rule)| match rule {
            0 => format!("rule = \"localmax\"\ndelta = {scalar}\nstrip = {strip:?}\n{gain}\n{a}\n{v}"),
            1 => format!("rule = \"hardmax\"\n{gain}\n{a}\n{v}"),
            2 => format!("rule = \"softmax\"\nbeta = {scalar}\n{gain}\n{a}\n{v}"),
            3 => format!("rule = \"markov\"\nbeta = {scalar}\n{gain}\n{a}"),
            _ => format!("rule = \"frank-wolfe\"\n{gain}\n{a}\n{}", v.replace("v =", "p =")),
        });
    let sphere =
        (schedules(), qk, any::<bool>(), -2f64..2.0, scheme.clone()).prop_map(|(beta, qk, plain, origin, scheme)| {
            let origin = if plain {
                String::new()
            } else {
                format!("normalized = false\norigin = {origin:?}\nv = [[0, 1], [2, 3]]")
            };
            format!("rule = \"sphere\"\nbeta = {beta}\n{qk}\ndt = 0.1\n{origin}\n{scheme}")
        });
    let ellipsoid =
        (proptest::collection::vec(p, 1..4), scheme.clone(), 1e-3f64..1e3).prop_map(|(heads, scheme, w)| {
            format!(
                "rule = \"ellipsoid\"\nheads = [{}]\nw = [[{w:?}, 0], [0, 1]]\ndt = 0.5\n{scheme}",
                heads.join(", ")
            )
        });
    let rescaled = (a, scheme, -2f64..2.0).prop_map(|(a, scheme, v)| {
        format!("rule = \"rescaled\"\n{a}\nv = [[{v:?}, 1], [0, 0.5]]\ndt = 0.01\n{scheme}")
    });
    let rule = prop_oneof![3 => averaging, 1 => sphere, 1 => ellipsoid, 1 => rescaled];
    (tokens, rule, any::<(bool, u32, u32)>(), 1e-3f64..1e6).prop_map(
        |(tokens, rule, (causal, seed, steps), seconds)| {
            format!(
                "seed = {seed}\n[tokens]\n{tokens}\n[model]\n{rule}\ncausal = {causal}\n\
             [run]\nsteps = {}\n[output]\ncheckpoint_seconds = {seconds:?}\n",
                steps % 50
            )
        },
    )
}

proptest! {
    /// If anything was lost between a config and its resolved form, a run could not be repeated.
    #[test]
    fn resolved_configs_are_the_same(text in configs()) {
        let config = parse(&text).unwrap();
        let resolved = config.to_toml();
        prop_assert_eq!(&parse(&resolved).unwrap(), &config, "{}", resolved);
    }

    /// Any bytes give a config or one line.
    #[test]
    fn hostile_texts_never_panic(
        noise in "\\PC{0,80}",
        lines in proptest::collection::vec(proptest::sample::select(vec![
            "[tokens]", "[model]", "[run]", "[[run]]", "[output]", "seed = 1", "n = 4", "d = 2", "kind = \"ball\"", "rule = \"localmax\"",
            "alpha = 1", "alpha = []", "delta = \"t\"", "a = [[1,2],[3,4]]", "a = {}", "a.matrix = 1", "steps = 3", "rows = [[1]]",
            "record = \"log\"", "x.y.z = 1", "n = 0x10", "n = 1979-05-27", "d = 1e400", "\"\" = 1", "a = {", "]",
        ]), 0..14),
        change in "\\PC{0,12}=\\PC{0,12}",
    ) {
        for text in [noise, lines.join("\n")] {
            let overrides: Vec<Override> = Override::set(&change).into_iter().collect();
            for overrides in [&[][..], &overrides[..]] {
                if let Err(error) = Config::parse(&text, "c", "c", Path::new("/nowhere"), overrides) {
                    prop_assert!(!error.to_string().contains('\n'), "{}", error);
                }
            }
        }
    }
}
