//! Values by token, and truths: what is read, what is written back, and what means nothing.

use super::*;
use crate::schedule::Schedule;

fn text(tokens: &str, model: &str) -> String {
    format!("[tokens]\n{tokens}\n[model]\n{model}\n[run]\nsteps = 3\n")
}

const FOUR: &str = "kind = \"cube\"\nn = 4\nd = 2";

/// Localmax by distance with these lines.
fn krause(lines: &str) -> String {
    text(FOUR, &format!("rule = \"localmax\"\nscores = \"distance\"\n{lines}"))
}

/// The whole message for a wrong config.
fn refusal(text: &str) -> String {
    let error = parse(text).expect_err(text);
    assert_eq!(error.exit_status(), 2, "{text}");
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line:?}");
    line
}

/// A resolved config that lost a token's value would be another run; more than 1024 of them go to a file.
#[test]
fn values_by_token_are_read_and_written_back() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<f64> = (0..2000).map(|i| f64::from(i) / 2000.0).collect();
    let lines = "gamma = { tokens = [1, 0.5, 0.25, 1] }\nepsilon = { tokens = [0, 1e9, 0.5, 1] }\ntruth = { point = \
         [2, -3], weight = { tokens = [0, 1, 0.5, 0.25] } }";
    let long = text(
        "kind = \"cube\"\nn = 2000\nd = 1",
        &format!(
            "rule = \"softmax\"\nbeta = 2\nalpha = {{ tokens = {:?} }}",
            many.iter().map(|v| v + 1.0).collect::<Vec<_>>()
        ),
    );
    for given in [krause(lines), long] {
        let config = parse(&given).unwrap();
        let written = folder.path().join("config.toml");
        config.save(folder.path()).unwrap();
        let again = Config::load(&written, &[]).unwrap();
        assert_eq!(again.model, config.model);
    }
    let config = parse(&krause(lines)).unwrap();
    let values: Vec<_> = config.model.schedules().into_iter().filter_map(|(_, s)| s.by_token().cloned()).collect();
    assert_eq!(values.len(), 3);
    let truth = config.model.terms.truth.unwrap();
    assert_eq!(
        (truth.point.to_f64(), truth.weight),
        (vec![2.0, -3.0], Schedule::tokens(vec![0.0, 1.0, 0.5, 0.25]).unwrap())
    );
}

/// A list that is one short would shift every token's neighbour; each is named with both numbers.
#[test]
fn what_means_nothing_by_token_is_named() {
    let with = |lines: &str| krause(&format!("gamma = 1\n{lines}"));
    let soft = |lines: &str| text(FOUR, &format!("rule = \"softmax\"\nalpha = 1\nbeta = 2\n{lines}"));
    for (text, wanted) in [
        (with("epsilon = { tokens = [1, 2, 3] }"), "model.epsilon has 3 values by token, and there are 4 tokens"),
        (
            with("epsilon = { tokens = [1, 2, -3, 4] }"),
            "model.epsilon of token 2 is -3 at step 0; it must be finite and at",
        ),
        (
            with("epsilon = { tokens = [1, nan, 3, 4] }"),
            "model.epsilon: the value of token 1 is NaN; it must be finite",
        ),
        (with("epsilon = { tokens = [] }"), "model.epsilon: no values by token; give one a token"),
        (with("epsilon = { tokens = \"absent.npy\" }"), "absent.npy"),
        (with("epsilon = { tokens = \"x.txt\" }"), "\"x.txt\" is neither a .csv nor a .npy file"),
        (
            with("epsilon = { tokens = [1, 2, 3, 4], table = [1, 2, 3] }"),
            "model.epsilon.table beside model.epsilon.tokens: a value a token holds at every step; keep one",
        ),
        (
            krause("gamma = { tokens = [1, 1.5, 1, 1] }\nepsilon = 1"),
            "model.gamma of token 1 is 1.5 at step 0; it must be",
        ),
        (krause("gamma = { tokens = [1, 1, 0, 1] }\nepsilon = 1"), "model.gamma of token 2 is 0 at step 0"),
        (krause("alpha = { tokens = [1, 1, 0, 1] }\nepsilon = 1"), "model.alpha of token 2 is 0 at step 0"),
        (
            soft("weights = \"softmax\"").replace("beta = 2", "beta = { tokens = [1, 2, 3, 4] }"),
            "model.beta is by token, and all tokens have one; alpha",
        ),
        (
            soft("a = { matrix = 2, factor = { tokens = [1, 2, 3, 4] } }"),
            "model.a.factor is by token, and all tokens have one",
        ),
        (
            text(
                "kind = \"cube\"\nn = 4\nd = 2\nclouds = 3",
                "rule = \"localmax\"\nalpha = 1\ndelta = { tokens = [1, 2, 3, 4] }",
            ),
            "model.delta is by token, and tokens.clouds = 3 makes many clouds",
        ),
        (
            with("epsilon = 1\ntruth = { point = [1], weight = 0.5 }"),
            "model.truth.point is in R^1 but the tokens have d = 2",
        ),
        (with("epsilon = 1\ntruth = { point = [1, inf], weight = 0.5 }"), "model.truth.point: "),
        (with("epsilon = 1\ntruth = { point = [], weight = 0.5 }"), "model.truth.point: "),
        (
            with("epsilon = 1\ntruth = { point = [1, 2], weight = 1.5 }"),
            "model.truth.weight is 1.5 at step 0; it must be at least 0 and at most 1",
        ),
        (with("epsilon = 1\ntruth = { point = [1, 2], weight = \"t-1\" }"), "model.truth.weight is -1 at step 0"),
        (with("epsilon = 1\ntruth = { point = [1, 2] }"), "model.truth.weight is missing"),
        (with("epsilon = 1\ntruth = [1, 2]"), "model.truth must be a table { point = [...], weight = ... }"),
        (
            with("epsilon = 1\ntruth = { point = [1, 2], weight = { tokens = [1, 0, 1] } }"),
            "model.truth.weight has 3 values by token, and there are 4 tokens",
        ),
        (
            text(FOUR, "rule = \"hardmax\"\nalpha = 1\ntruth = { point = [1, 2], weight = 1 }"),
            "model.truth is no parameter of hardmax",
        ),
        (
            text(FOUR, "rule = \"sphere\"\nbeta = 1\ndt = 0.1\ntruth = { point = [1, 2], weight = 1 }"),
            "model.truth is no parameter of sphere",
        ),
    ] {
        let line = refusal(&text);
        assert!(line.contains(wanted), "{wanted}\n{line}");
    }
}
