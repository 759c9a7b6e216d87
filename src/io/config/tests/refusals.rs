//! Messages about configs that mean nothing: what is wrong, where, and what to write instead.

use super::*;

/// The whole message for a wrong config.
fn refusal(text: &str) -> String {
    let error = parse(text).expect_err(text);
    assert_eq!(error.exit_status(), 2, "{text}");
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line:?}");
    line
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
        (edit("steps = 20", "wibble = 1\nsteps = 20"), "unknown key \"run.wibble\"; the known ones are steps, "),
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
        (edit("alpha = 0.5", "alpha = 0.5\nepsilon = 0.1"), "model.epsilon beside model.delta; keep one of them"),
        (edit("alpha = 0.5", "alpha = 0.5\nscores = \"near\""), "unknown scores \"near\"; one of inner, distance"),
        (
            edit("alpha = 0.5", "alpha = 0.5\nscores = \"distance\"\nstrip = \"width\""),
            "model.strip is width, which measures queries, beside scores = \"distance\"",
        ),
        (
            edit("alpha = 0.5", "alpha = 0.5\nscores = \"distance\"\na = 2"),
            "model.a is given beside scores = \"distance\", which has no A",
        ),
        (
            edit("alpha = 0.5", "alpha = 0.5\nstrip = \"radius\""),
            "model.epsilon is a distance, as strip = \"radius\" is; it goes with scores",
        ),
        (
            edit("\"localmax\"", "\"hardmax\"\nscores = \"distance\""),
            "model.scores is no parameter of hardmax, where by distance a token would follow itself alone",
        ),
        (edit("alpha = 0.5", "alpha = 0.5\nstrip = \"with\""), "unknown strip \"with\"; one of score, width, a-norm"),
        (
            edit("alpha = 0.5", "gamma = 1"),
            "c.toml line 9 column 9: model.gamma is 1 at step 0; it must be above 0 and below 1",
        ),
        (edit("alpha = 0.5", "alpha = 0.5\ngamma = 0.5"), "c.toml line 10 column 1: model.gamma beside model.alpha"),
        (edit("alpha = 0.5", "alpha = 0.5\nbeta = 1"), "model.beta is no parameter of localmax"),
        (edit("alpha = 0.5", "alpha = 0.5\ncausal = 1"), "model.causal must be true or false"),
        (edit("alpha = 0.5", "alpha = 0.5\nself = 1"), "model.self must be true or false"),
        (
            edit("alpha = 0.5", "alpha = 0.5\nmask = { window = 0 }"),
            "c.toml line 10 column 19: model.mask.window must be a whole number of at least 1, found the whole number 0",
        ),
        (edit("alpha = 0.5", "alpha = 0.5\nmask = { window = -3 }"), "model.mask.window must be a whole number"),
        (edit("alpha = 0.5", "alpha = 0.5\nmask = {}"), "model.mask.window is missing: the most places"),
        (edit("alpha = 0.5", "alpha = 0.5\nmask = { windw = 3 }"), "unknown key \"model.mask.windw\""),
        (edit("alpha = 0.5", "alpha = 0.5\nmask = 3"), "model.mask must be \"full\", \"causal\" or a table"),
        (
            edit("alpha = 0.5", "alpha = 0.5\nmask = \"wide\""),
            "model.mask is \"wide\"; it must be \"full\", \"causal\", or a table",
        ),
        (
            edit("alpha = 0.5", "alpha = 0.5\ncausal = true\nmask = \"full\""),
            "model.mask is \"full\" beside model.causal = true; keep one of them",
        ),
        (
            edit("n = 40", "n = 1").replace("alpha = 0.5", "alpha = 0.5\nself = false"),
            "model.self is false and there is one",
        ),
        (
            edit("alpha = 0.5", "alpha = 0.5\nself = false\nscores = \"distance\""),
            "model.self is false beside scores = \"distance\", where localmax counts from the token itself",
        ),
        (edit("alpha = 0.5", "alpha = 0.5\nexclusive = 2"), "model.exclusive must be true or false"),
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
        (
            edit("steps = 20", "steps = 20\nplan = \"kd\""),
            "unknown plan \"kd\"; one of auto, brute, filter, norm, tree",
        ),
        (edit("steps = 20", "steps = 20\nprecision = \"f16\""), "unknown precision \"f16\"; one of auto, f32, f64"),
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

/// Every rule's parameters are refused outside their domains before the first step: name, value,
/// domain, line, column.
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
        (softmax("beta = { table = [1, 2] }"), "line 6 column 8: model.beta has 2 values for 9 steps"),
        (softmax("beta = { table = [1] }"), "line 6 column 8: model.beta has 1 value for 9 steps"),
        (
            softmax("beta = 1\na = { matrix = 2, factor = { table = [1, 2] } }"),
            "line 7 column 28: model.a.factor has 2 values for 9 steps",
        ),
        (
            softmax("beta = 1\ndelta = 1"),
            "line 7 column 1: model.delta is no parameter of softmax, which takes alpha, gamma, scores, beta, bias, weights, omit, a, q, k, v, exclusive, truth, causal, mask and self; the nearest is model.beta",
        ),
        (
            softmax("beta = 1\ndt = 1"),
            "model.dt is no parameter of softmax, which moves in steps, not in time; it takes alpha",
        ),
        (softmax("beta = 1\nomit = 1"), "model.omit is 1; it must be at least 0 and below 1"),
        (sphere("normalized = false\nomit = 0.1"), "model.omit is 0.1: only softmax weights that sum to 1"),
        (
            softmax("beta = 1\nweights = \"entmax\""),
            "unknown weights \"entmax\"; one of softmax, linear, relu, sparsemax, entmax15",
        ),
        (softmax("beta = 1\nweights = \"relu\""), "model.weights is relu but the rule averages"),
        (softmax("beta = 1\nweights = \"sparsemax\"\nomit = 0.1"), "model.omit is 0.1: only softmax weights"),
        (sphere("normalized = false\nweights = \"linear\""), "model.weights is given beside normalized = false"),
        (sphere("noise = 0"), "model.noise is 0 at step 0; it must be finite and above 0"),
        (sphere("noise = \"0.5-t\""), "model.noise is 0 at step 5 (t = 0.5); it must be finite and above 0"),
        (sphere("noise = 2\nintegrator = \"rk4\""), "model.integrator is rk4 but model.noise is given"),
        (sphere("common = true"), "model.common is of model.noise, which is not given"),
        (softmax("beta = 1\nnoise = 2"), "model.noise is no parameter of softmax"),
        (ellipsoid("heads = [{}]\nnoise = 2"), "model.noise is no parameter of ellipsoid"),
        (
            sphere("normalisation = \"layer\""),
            "unknown normalisation \"layer\"; one of post, pre, peri, mix, ngpt, cod",
        ),
        (sphere("normalisation = \"mix\""), "model.switch is missing"),
        (sphere("normalisation = \"mix\"\nswitch = inf"), "model.switch is inf; it must be finite"),
        (sphere("switch = 1"), "model.switch is of normalisation = \"mix\", not of \"post\""),
        (sphere("normalisation = \"pre\"\nspeed = 1"), "model.speed is of normalisation = \"ngpt\", not of \"pre\""),
        (sphere("normalisation = \"ngpt\"\nspeed = \"1/t\""), "model.speed is inf at step 0; it must be finite"),
        (sphere("normalisation = \"pre\"\nnoise = 1"), "model.noise is 1.0 but model.normalisation is pre"),
        (
            sphere("normalisation = \"pre\"\nintegrator = \"euler-renorm\""),
            "model.integrator is euler-renorm but pre normalisation has no norm to return to; it must be euler or rk4",
        ),
        (softmax("beta = 1\nnormalisation = \"pre\""), "model.normalisation is no parameter of softmax"),
        (sphere("perceptron = 1"), "model.perceptron must be a table"),
        (sphere("perceptron = { omega = 1 }"), "model.perceptron.a is missing"),
        (sphere("perceptron = { omega = [1], a = [[1, 2], [3, 4]] }"), "has 1 weights for the 2 units of a"),
        (sphere("perceptron = { omega = 1, a = [[1], [2]] }"), "has units in R^1 but the tokens have d = "),
        (sphere("perceptron = { omega = nan, a = [[1, 2]] }"), "has the weight NaN; it must be finite"),
        (
            sphere("perceptron = { omega = 1, a = [[1, 2]] }\nnormalisation = \"peri\""),
            "model.perceptron is given but model.normalisation is peri; it goes with post alone",
        ),
        (softmax("beta = -1\nweights = \"sparsemax\""), "model.beta is -1 at step 0; it must be finite and at least 0"),
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
            "line 8 column 1: model.beta is no parameter of ellipsoid, which takes w, heads, exclusive, dt, integrator, causal, mask and self; the nearest is model.heads",
        ),
        (ellipsoid("heads = [{}]\na = 1"), "model.a is no parameter of ellipsoid"),
        (sphere("").replace("dt = 0.1", ""), "model.dt is missing: the length of a step"),
        (sphere("").replace("dt = 0.1", "dt = 0"), "line 6 column 6: model.dt is 0; it must be finite and above 0"),
        (sphere("").replace("dt = 0.1", "dt = \"t\""), "model.dt must be a number, found the text \"t\""),
        (sphere("").replace("beta = 1", "beta = \"3-8*t\""), "line 5 column 8: model.beta is"),
        (sphere("alpha = 1"), "line 7 column 1: model.alpha is no parameter of sphere, which takes beta"),
        (
            sphere("v = { random = \"gausian\" }"),
            "model.v.random: unknown random \"gausian\"; one of gaussian, ginibre, goe",
        ),
        (sphere("v = { random = 1 }"), "model.v.random must be a text"),
        (sphere("v = { random = \"goe\", scale = -1 }"), "model.v.scale is -1; it must be finite and at least 0"),
        (sphere("v = { random = \"goe\", scale = inf }"), "model.v.scale is inf"),
        (sphere("v = { random = \"goe\", every = 0 }"), "model.v.every must be a whole number of at least 1, found"),
        (sphere("v = { random = \"goe\", factor = \"1/t\" }"), "model.v.factor is inf at step 0"),
        (sphere("v = { random = \"goe\", matrix = 2 }"), "unknown key \"model.v.matrix\""),
        (sphere("q = { random = \"goe\" }\nk = 1"), "model.q must not be drawn"),
        (ellipsoid("heads = [{}]\nw = { random = \"goe\" }"), "model.w must not be drawn"),
        (rescaled("v = { random = \"goe\" }"), "model.v must not be drawn"),
        (rescaled("a = { random = \"goe\" }"), "model.a must not be drawn"),
        (ellipsoid("heads = { p = 1 }"), "model.heads.count is missing: the number of heads"),
        (ellipsoid("heads = { count = 0 }"), "model.heads.count must be a whole number of at least 1"),
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
