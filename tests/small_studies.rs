//! Every study at its small size: it ends in a report, and what is claimed comes out as it should.

mod sheets;

use std::ops::ControlFlow;
use std::path::Path;

use localmax::study::catalogue::{CATALOGUE, Outcome, Shard};
use localmax::study::{Folder, Verdict};

/// Takes a study to its report, with clean sheets, in a folder that is kept for the test.
fn take(name: &str, options: &[&str], shard: Option<Shard>, folder: &std::path::Path) -> Outcome {
    let entry = CATALOGUE.iter().find(|entry| entry.name == name).expect("a study of this name");
    let command = (entry.options)(clap::Command::new(entry.name));
    let words = std::iter::once(name).chain(options.iter().copied());
    let study = (entry.ask)(&command.get_matches_from(words), true).expect("options that fit");
    let folder =
        Folder::create(Some(folder), study.name(), &study.to_toml().expect("parameters that fit")).expect("a folder");
    let outcome = study.run(&folder, shard, &mut |_| ControlFlow::Continue(())).expect("a study that ends");
    assert_eq!(sheets::look_at(folder.path()) > 0, !outcome.written.is_empty(), "{name}");
    outcome
}

/// The verdicts in the claims' order, a letter each.
fn verdicts(outcome: &Outcome) -> String {
    let letter = |verdict| match verdict {
        Verdict::Yes => 'y',
        Verdict::No => 'n',
        Verdict::Undecided => 'u',
        Verdict::Counted => 'c',
        Verdict::Illustration => 'i',
    };
    outcome.claims.iter().map(|claim| letter(claim.agrees)).collect()
}

/// If rates were wrong, the table of where localmax is slow would be; that no cloud beats its
/// quiescent sets is a theorem.
#[test]
fn rates_come_to_rest_no_faster_than_theory() {
    let place = tempfile::tempdir().expect("a folder");
    let outcome = take("rates", &["--engine", "cpu"], None, &place.path().join("s"));
    assert!(verdicts(&outcome).starts_with("cy"), "{:#?}", outcome.claims);
}

/// The theorems on cells hold but for roundings; a no is a bug of the engine or of the study.
#[test]
fn cells_are_as_proved() {
    let place = tempfile::tempdir().expect("a folder");
    let outcome = take("cells", &["--engine", "cpu"], None, &place.path().join("s"));
    assert!(!verdicts(&outcome).contains('n'), "{:#?}", outcome.claims);
    assert!(verdicts(&outcome).starts_with("yyyyyy"), "{:#?}", outcome.claims);
}

/// At small β all pairs meet soon, and at large ones later: a diagram that said otherwise would be upside down.
#[test]
fn a_diagram_has_its_pairs_where_they_belong() {
    let place = tempfile::tempdir().expect("a folder");
    let options = ["--seeds", "32", "--betas", "4", "--checkpoints", "16"];
    let outcome = take("diagram", &options, None, &place.path().join("s"));
    // A conjecture has no yes; turned upside down, both of them had a no.
    assert_eq!(verdicts(&outcome), "uuccc", "{:#?}", outcome.claims);
}

/// Theorems of consensus hold; a no is a bug of the engine or of the study.
#[test]
fn consensus_is_as_proved() {
    let place = tempfile::tempdir().expect("a folder");
    let outcome = take("consensus", &["--engine", "cpu"], None, &place.path().join("s"));
    assert!(!verdicts(&outcome).contains('n'), "{:#?}", outcome.claims);
}

/// The law of leaders is a theorem for the first step; its constants and bands are what the study is read for.
#[test]
fn clusters_follow_the_law_of_leaders() {
    let place = tempfile::tempdir().expect("a folder");
    let options = "--engine cpu --tokens 1000 --decades 3 --seeds 30 --dim 3 --clouds ball,normal --widths 0,1";
    let options: Vec<&str> = options.split(' ').collect();
    let outcome = take("phase", &options, None, &place.path().join("s"));
    assert!(!verdicts(&outcome).contains('n'), "{:#?}", outcome.claims);
    let proved = |claim: &&localmax::study::Claim| claim.basis == localmax::study::Basis::Proved;
    let laws: Vec<_> = outcome.claims.iter().filter(proved).collect();
    assert_eq!(laws.len(), 4, "of two clouds in two dimensions");
    assert!(laws.iter().all(|claim| claim.agrees == Verdict::Yes), "{laws:#?}");
    let table = std::fs::read_to_string(place.path().join("s/phase.csv")).expect("a table");
    assert_eq!(table.lines().count(), 1 + 2 * 2 * 2 * 3, "a line for each cloud, dimension, width and n");
}

/// A cycle is a certificate that a system does not converge: big integers must come to it too.
#[test]
fn cycles_of_the_census_come_again_in_big_integers() {
    let place = tempfile::tempdir().expect("a folder");
    let options = ["--clouds", "600", "--steps", "600", "--tokens", "5"];
    let outcome = take("census", &options, None, &place.path().join("s"));
    assert!(outcome.claims.iter().all(|claim| claim.agrees == Verdict::Counted), "{:#?}", outcome.claims);
    let mut again = std::process::Command::new("python3");
    again.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cycles.py")).arg(place.path().join("s/cycles.csv"));
    let said = again.output().expect("Python");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success() && !text.starts_with("0 of"), "{text}{}", String::from_utf8_lossy(&said.stderr));
}

/// Shards of a job array must leave the very table that one process leaves.
#[test]
fn sweeps_are_the_same_in_shards() {
    let place = tempfile::tempdir().expect("a folder");
    let options = [
        "--preset",
        "default",
        "--over",
        "model.alpha=0.5,1,3",
        "--over",
        "seed=1..2",
        "--tokens",
        "40",
        "--steps",
        "50",
    ];
    let table = |shards: usize| {
        let folder = place.path().join(shards.to_string());
        for at in 1..=shards {
            let shard = (shards > 1).then_some(Shard { at, of: shards });
            let outcome = take("sweep", &options, shard, &folder);
            assert_eq!((outcome.cells, outcome.written.is_empty()), (6, at < shards));
        }
        std::fs::read_to_string(folder.join("sweep.csv")).expect("a table")
    };
    let whole = table(1);
    assert_eq!(whole, table(4));
    assert!(whole.starts_with("model.alpha,seed,tokens.n,run.steps,n,d,steps,"), "{whole}");
    assert!(whole.lines().nth(2).is_some_and(|line| line.starts_with("0.5,2,40,50,40,2,")), "{whole}");
}

/// A sweep that adds seeds must stop where it would have stopped, however it was interrupted; what it did not reach
/// must be said.
#[test]
fn sweeps_add_seeds_until_means_are_narrow() {
    let place = tempfile::tempdir().expect("a folder");
    let options = "--preset default --over model.delta=0.05,1 --over run.steps=30 --tokens 30 --within 0.12 --seeds 5 \
        --most-seeds 14 --means clusters,heaviest --engine cpu";
    let options: Vec<&str> = options.split_whitespace().collect();
    let whole = place.path().join("whole");
    let outcome = take("sweep", &options, None, &whole);
    let read = |folder: &Path, name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    let rows = read(&whole, "table.csv");
    assert_eq!(outcome.cells, rows.lines().count() - 1);
    let means = read(&whole, "means.csv");
    let runs: Vec<&str> = means.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(runs.len(), 2, "{means}");
    assert!(runs.iter().all(|runs| ["5", "8", "12", "14"].contains(runs)) && runs.contains(&"14"), "{means}");
    let note = outcome.note.expect("a mean that is not narrow");
    assert!(note.contains("did not come within 0.12 in 14 seeds") && note.contains("--most-seeds"), "{note}");
    // Any number of rows is there, and of the last a half.
    for kept in [0, 1, 4, 7, 11] {
        let folder = place.path().join(format!("cut-{kept}"));
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::copy(whole.join("study.toml"), folder.join("study.toml")).expect("a question");
        let lines: String = rows.split_inclusive('\n').take(kept).collect();
        let torn = rows.lines().nth(kept).map_or("", |line| &line[..line.len() / 2]);
        std::fs::write(folder.join("table.csv"), lines + torn).expect("rows");
        let again = take("sweep", &options, None, &folder);
        assert_eq!(again.cells, outcome.cells);
        for name in ["table.csv", "means.csv", "sweep.csv", "report.md"] {
            assert_eq!(read(&whole, name), read(&folder, name), "{kept} rows, {name}");
        }
    }
    let refused = |changes: &[&str], words: &[&str]| {
        let entry = CATALOGUE.iter().find(|entry| entry.name == "sweep").expect("a study of this name");
        let all = ["sweep", "--preset", "default"].iter().chain(changes);
        let matches = (entry.options)(clap::Command::new("sweep")).get_matches_from(all);
        let error = (entry.ask)(&matches, false).and_then(|study| study.to_toml()).expect_err("refused").to_string();
        assert!(words.iter().all(|word| error.contains(word)) && error.lines().count() == 1, "{error}");
    };
    refused(&["--within", "0"], &["--within 0", "above 0"]);
    refused(&["--within", "nan"], &["--within", "above 0"]);
    refused(&["--within", "0.1", "--seeds", "3"], &["--seeds 3", "at least 5"]);
    refused(&["--within", "0.1", "--most-seeds", "9"], &["--most-seeds 9", "takes 10"]);
    refused(&["--within", "0.1", "--draws", "3"], &["--draws 3", "--within"]);
    refused(&["--within", "0.1", "--over", "seed=1..3"], &["--over seed", "--within"]);
    refused(&["--within", "0.1", "--means", "radius"], &["--means radius", "clusters"]);
    refused(&["--within", "0.1", "--over", "tokens.rows=[[1, 0], [0, 1]]"], &["draws nothing"]);
}

/// The processes of a job array start at the same moment: none may take what another has begun for
/// a foreign folder.
#[test]
fn many_may_begin_one_study() {
    let place = tempfile::tempdir().expect("a folder");
    for round in 0..50 {
        let (path, start) = (place.path().join(format!("s{round}")), std::sync::Barrier::new(6));
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    start.wait();
                    Folder::create(Some(&path), "rates", "study = \"rates\"\n").expect("the same study")
                });
            }
        });
        Folder::create(Some(&path), "rates", "study = \"cells\"\n").expect_err("another study");
    }
    std::fs::create_dir(place.path().join("other")).expect("a folder");
    std::fs::write(place.path().join("other/notes.txt"), "mine").expect("a file");
    Folder::create(Some(&place.path().join("other")), "rates", "study = \"rates\"\n")
        .expect_err("something else in it");
}

/// What no machine can hold, and what would be no study, is refused before a folder is made.
#[test]
fn sizes_without_measure_are_refused() {
    for (name, options) in [
        ("strip", ["--tokens", "99999999999999"]),
        ("rates", ["--seeds", "18446744073709551615"]),
        ("sweep", ["--seeds", "99999999999"]),
        ("sweep", ["--draws", "99999999999"]),
    ] {
        let entry = CATALOGUE.iter().find(|entry| entry.name == name).expect("a study of this name");
        let words = std::iter::once(name).chain(options);
        let matches = (entry.options)(clap::Command::new(entry.name)).get_matches_from(words);
        let refused = (entry.ask)(&matches, true).and_then(|study| study.to_toml()).expect_err(name);
        assert!(
            refused.to_string().contains("99") || refused.to_string().contains("18446744073709551615"),
            "{refused}"
        );
    }
}
