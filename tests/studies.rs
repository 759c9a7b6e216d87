//! Studies as their user meets them: a folder with a table and a report, the same bytes however
//! often they were interrupted, and a page that works in a browser.
//!
//! The browser is headless Chromium, which `tests/run.sh` installs; without one its test shows as
//! ignored.

mod sheets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

type Outcome = Result<(), Failed>;

const SMALL: [&str; 10] = ["study", "strip", "--quick", "--tokens", "40", "--seeds", "30", "--engine", "cpu", "--out"];

fn localmax(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_localmax"));
    command.args(arguments).current_dir(folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    localmax(folder, arguments).output().unwrap()
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn small(folder: &Path, out: &str, more: &[&str]) -> String {
    good(folder, &[&SMALL[..], &[out], more].concat())
}

fn refused(folder: &Path, arguments: &[&str], words: &[&str]) {
    let output = run(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(text.starts_with("error: ") && text.trim_end().lines().count() == 1, "{arguments:?}: {text}");
    for word in words {
        assert!(text.contains(word), "{arguments:?}: no {word:?} in {text}");
    }
}

/// Every file of a folder with its bytes, by its path.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push((path.clone(), fs::read(&path).unwrap())) }
    }
    found.sort();
    found
}

fn assert_same(one: &Path, two: &Path) {
    let strip = |folder: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        files(folder).into_iter().map(|(p, bytes)| (p.strip_prefix(folder).unwrap().to_owned(), bytes)).collect()
    };
    let (a, b) = (strip(one), strip(two));
    let names = |all: &[(PathBuf, Vec<u8>)]| all.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    a.iter().zip(&b).for_each(|((path, x), (_, y))| assert!(x == y, "{} differs", path.display()));
}

/// If this failed, a study that was killed, or computed in parts, would say something else than one
/// that was not.
fn interrupted_studies_end_in_the_same_bytes() -> Outcome {
    let place = tempfile::tempdir()?;
    let at = place.path();
    small(at, "whole", &[]);
    assert!(sheets::look_at(&at.join("whole")) > 0);

    // A signal: exit status 4, a way to go on, and the same files in the end.
    let mut child =
        localmax(at, &[&SMALL[..], &["cut"]].concat()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let patience = Instant::now();
    while fs::read_to_string(at.join("cut/table.csv")).map_or(0, |text| text.lines().count()) < 3 {
        assert!(patience.elapsed() < Duration::from_mins(2), "no cell was finished");
        std::thread::sleep(Duration::from_millis(2));
    }
    Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status()?;
    let status = child.wait()?;
    let rows = fs::read_to_string(at.join("cut/table.csv"))?.lines().count() - 1;
    assert!(status.code() == Some(4) || rows == 90, "{status} after {rows} cells");
    assert!(rows == 90 || !at.join("cut/report.html").exists());
    good(at, &["study", "resume", "cut"]);
    assert_same(&at.join("whole"), &at.join("cut"));

    // A row that was cut short.
    let table = fs::read(at.join("whole/table.csv"))?;
    fs::write(at.join("cut/table.csv"), &table[..table.len() / 3])?;
    small(at, "cut", &[]);
    assert_same(&at.join("whole"), &at.join("cut"));

    // What was asked runs again as it is.
    good(at, &["study", "whole/study.toml", "--out", "again"]);
    assert_same(&at.join("whole"), &at.join("again"));

    // Parts.
    assert!(small(at, "parts", &["--shard", "1/2"]).contains("45 of 90 cells"));
    assert!(!at.join("parts/report.html").exists());
    small(at, "parts", &["--shard", "2/2"]);
    assert_eq!(fs::read(at.join("parts/table.csv"))?, table);
    assert!(at.join("parts/report.html").exists());
    Ok(())
}

/// A mistyped study, a folder with something else in it, or a bad parameter must say what is wrong
/// in a line.
fn bad_questions_are_refused() -> Outcome {
    let place = tempfile::tempdir()?;
    let at = place.path();
    good(at, &["study", "strip", "--quick", "--seeds", "1", "--tokens", "40", "--engine", "cpu", "--out", "s"]);
    refused(at, &["study", "stripp"], &["no study 'stripp'", "did you mean 'strip'"]);
    refused(at, &["study", "strip", "--out", "s"], &["holds another study", "localmax study resume s"]);
    refused(at, &["study", "strip", "--tokens", "0"], &["--tokens 0", "at least 1"]);
    refused(at, &["study", "asymmetric", "--quick", "--steps", "0"], &["--steps 0", "at least 1"]);
    refused(at, &["study", "strip", "--first-seed", "0"], &["--first-seed 0", "at least 1"]);
    fs::write(
        at.join("given.toml"),
        "[tokens]\nrows=[[1,0],[0,1]]\n[model]\nrule=\"hardmax\"\nalpha=1\n[run]\nsteps=2\n",
    )?;
    refused(
        at,
        &["study", "sweep", "--config", "given.toml", "--seeds", "3"],
        &["several seeds", "leave the seeds out"],
    );
    refused(at, &["study", "strip", "--deltas", "0.5,-1"], &["--deltas: -1 is no width"]);
    refused(at, &["study", "strip", "--beta", "nan"], &["--beta NaN"]);
    refused(at, &["study", "strip", "--shard", "3/2"], &["I/N"]);
    refused(at, &["study", "quiescent", "--alphas", "0"], &["alpha is 0"]);
    refused(at, &["study", "resume", "."], &["no study in it"]);
    let table = fs::read_to_string(at.join("s/table.csv"))?;
    let last = table.lines().last().unwrap_or_default();
    let (_, row) = last.split_once(',').ok_or("a row")?;
    fs::write(at.join("s/table.csv"), format!("{table}999999,{row}\n"))?;
    refused(at, &["study", "resume", "s"], &["row of cell 999999", "cells, counted from 0; remove that row"]);
    let text = fs::read_to_string(at.join("s/study.toml"))?;
    for (from, to, words) in [
        ("tokens = 40", "tokns = 40", ["unknown field `tokns`", "bad.toml:"]),
        ("study = \"strip\"", "study = \"stripes\"", ["no study \"stripes\"", "bad.toml:"]),
        ("beta = 2.0", "beta = \"two\"", ["invalid type", "bad.toml:"]),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(at.join("bad.toml"), text.replace(from, to))?;
        refused(at, &["study", "bad.toml"], &words);
    }
    assert!(!at.join("runs").exists(), "a refused study left a folder");
    Ok(())
}

/// If this failed, the theorem that the program is there to show would not be shown: groups at vertices
/// that are closed, with means that stay, and nobody leaving.
fn quiescent_sets_agree_with_theory() -> Outcome {
    let place = tempfile::tempdir()?;
    for width in ["f32", "f64"] {
        let said = good(
            place.path(),
            &["study", "quiescent", "--quick", "--engine", "cpu", "--precision", width, "--out", width],
        );
        assert!(sheets::look_at(&place.path().join(width)) > 0);
        let claims = fs::read_to_string(place.path().join(width).join("claims.csv"))?;
        let founded = claims.lines().skip(1).filter(|line| !line.contains(",counted,"));
        let agrees = |line: &str| line.ends_with(",yes") || line.ends_with(",illustration");
        assert!(founded.clone().count() > 7 && founded.clone().all(agrees), "{said}");
    }
    Ok(())
}

/// If this failed, a study would contradict a theorem, or no longer show what it is there to show.
/// What is only reported, or open, may come out either way.
fn small_studies_agree_with_theory() -> Outcome {
    let place = tempfile::tempdir()?;
    let shows: [(&str, &[&str]); 4] = [
        (
            "vanishing",
            &[
                "δ = 0.25 constant: limits outside S occur (cloud corners, built to have them)",
                "δ(t) = 1/(t+4) vanishes: every limit lies in S, all alignment gaps go to 0 (cloud normal)",
                "The hull never grows",
            ],
        ),
        (
            "artefacts",
            &[
                "Constructed case",
                "With a constant δ > 0 limits outside S occur (cloud corners, built to have them)",
                "They are made by δ alone",
            ],
        ),
        (
            "asymmetric",
            &["Every vertex of K is its own maximiser (asymmetric A)", "A token at rest has a gap of at most δ·s"],
        ),
        ("lyapunov", &["V with R = δ is not monotone", "The mean width of K never rises", "Σ⟨Ax,x⟩ never falls"]),
    ];
    for (name, claims) in shows {
        let said = good(place.path(), &["study", name, "--quick", "--engine", "cpu", "--out", name]);
        assert!(sheets::look_at(&place.path().join(name)) > 0);
        let table = fs::read_to_string(place.path().join(name).join("claims.csv"))?;
        let open = [",reported,", ",conjecture,", ",counted,"];
        let founded = table.lines().skip(1).filter(|line| open.iter().all(|basis| !line.contains(basis)));
        assert!(founded.clone().all(|line| !line.ends_with(",no")), "{said}");
        for claim in claims {
            let agrees = |line: &str| line.contains(claim) && line.ends_with(",yes");
            assert!(founded.clone().any(agrees), "{claim}: {said}");
        }
        let page = fs::read_to_string(place.path().join(name).join("report.html"))?;
        assert!(page.contains("<svg") && page.contains("Claims and measurements"), "{name} has no report");
    }
    refused(place.path(), &["study", "vanishing", "--deltas", "1/t"], &["--deltas 1/t", "delta is inf at step 0"]);
    refused(place.path(), &["study", "artefacts", "--deltas", "0"], &["--deltas: 0 is hardmax"]);
    refused(place.path(), &["study", "asymmetric", "--skews", "nan"], &["--skews: NaN"]);
    refused(place.path(), &["study", "lyapunov", "--radius", "0"], &["--radius 0"]);
    Ok(())
}

/// If this failed, a person who opens the report would see a player that does not play, or values
/// that do not show.
fn pages_work_in_a_browser(browser: &str) -> Outcome {
    let place = tempfile::tempdir()?;
    let at = place.path();
    good(at, &["study", "strip", "--quick", "--engine", "cpu", "--out", "s"]);
    good(at, &["study", "quiescent", "--quick", "--engine", "cpu", "--dim", "3", "--out", "q"]);
    good(at, &["run", "--steps", "20", "--engine", "cpu", "--out", "r"]);
    for page in ["s/report.html", "q/report.html", "r/plots/report.html"] {
        let address = format!("file://{}?selftest", at.join(page).display());
        let home = at.join("profile").display().to_string();
        let shown = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr"])
            .args(["--virtual-time-budget=60000", "--dump-dom", &format!("--user-data-dir={home}"), &address])
            .output()?;
        let (dom, log) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
        let result = dom.split("<pre id=\"selftest\">").nth(1).and_then(|rest| rest.split("</pre>").next());
        assert!(result.is_some_and(|text| text.starts_with("ok: ")), "{page}: {result:?}\n{log}");
        let errors: Vec<&str> =
            log.lines().filter(|line| line.contains(":CONSOLE") && !line.contains("INFO:CONSOLE")).collect();
        let refused = log.lines().filter(|line| line.contains("Refused to") || line.contains("Uncaught"));
        assert!(errors.is_empty() && refused.count() == 0, "{page}: {errors:?}");
    }
    Ok(())
}

/// The first Chromium on the path.
fn browser() -> Option<&'static str> {
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        let tried = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    })
}

fn main() {
    let found = browser();
    let trials = vec![
        Trial::test("interrupted_studies_end_in_the_same_bytes", interrupted_studies_end_in_the_same_bytes),
        Trial::test("bad_questions_are_refused", bad_questions_are_refused),
        Trial::test("quiescent_sets_agree_with_theory", quiescent_sets_agree_with_theory),
        Trial::test("small_studies_agree_with_theory", small_studies_agree_with_theory),
        Trial::test("pages_work_in_a_browser", move || pages_work_in_a_browser(found.unwrap_or("chromium")))
            .with_ignored_flag(found.is_none()),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
