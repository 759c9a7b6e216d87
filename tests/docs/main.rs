//! The pages for readers, README.md and docs/*.md: what they show is run, and what the program has
//! is named in them.
//!
//! * A ```console block runs line by line in a shell, all blocks of a page in one folder. Lines
//!   without `$` are the output that the command before them must print.
//! * A ```toml block is run as a config, `my.toml` to the commands after it. Without a table it is
//!   a `[model]`.
//! * A ```python block is run; where a package that it imports is missing, it is only compiled.
//! * A ```rust block is a doctest of the library.
//! * `<!-- not run: REASON -->` above a block leaves it out; its commands and options must exist
//!   all the same.
#![cfg(unix)]

mod equations;
mod names;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BINARY: &str = env!("CARGO_BIN_EXE_localmax");

struct Page {
    /// Relative to the repository.
    path: PathBuf,
    text: String,
}

struct Block {
    language: String,
    text: String,
    /// Why it is not run.
    left_out: Option<String>,
}

/// README.md and every page in docs/.
fn pages() -> Vec<Page> {
    let root = Path::new(ROOT);
    let mut paths = vec![PathBuf::from("README.md")];
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let name = entry.unwrap().file_name();
        if Path::new(&name).extension().is_some_and(|ending| ending == "md") {
            paths.push(Path::new("docs").join(name));
        }
    }
    paths.sort();
    let read = |path: PathBuf| Page { text: fs::read_to_string(root.join(&path)).unwrap(), path };
    paths.into_iter().map(read).collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

impl Page {
    fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut open, mut before): (Vec<Block>, bool, &str) = (Vec::new(), false, "");
        for line in self.text.lines() {
            match line.strip_prefix("```") {
                Some(_) if open => open = false,
                Some(language) => {
                    let reason = before.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
                    let left_out = reason.map(str::to_owned);
                    blocks.push(Block { language: language.to_owned(), text: String::new(), left_out });
                    open = true;
                }
                None if open => {
                    let block = blocks.last_mut().unwrap();
                    block.text += line;
                    block.text += "\n";
                }
                None => before = line,
            }
        }
        assert!(!open, "{}: a block does not end", self.path.display());
        blocks
    }

    /// The text without its blocks.
    fn prose(&self) -> String {
        let mut inside = false;
        let mut kept = Vec::new();
        for line in self.text.lines() {
            if line.starts_with("```") {
                inside = !inside;
            } else if !inside {
                kept.push(line);
            }
        }
        kept.join("\n")
    }
}

/// A command of the program in a folder.
fn localmax(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).current_dir(folder).output().unwrap()
}

fn good(folder: &Path, arguments: &[&str]) -> String {
    let output = localmax(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs one line of a shell with the program on its path.
fn shell(folder: &Path, line: &str) -> Output {
    let bin = Path::new(BINARY).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    Command::new("sh").args(["-c", line]).current_dir(folder).env("PATH", path).output().unwrap()
}

/// Packages that a Python text imports and that are not here.
fn missing(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("import ").or_else(|| line.strip_prefix("from ")));
    let imported = lines.flat_map(|line| line.split(" import ").next().unwrap_or("").split(", "));
    let is_here = |name: &&str| {
        let output = Command::new("python3").args(["-c", &format!("import {name}")]).output();
        output.expect("python3 runs (tests/run.sh installs it)").status.success()
    };
    imported.filter(|name| !is_here(name)).collect()
}

fn run_block(place: &str, folder: &Path, block: &Block) {
    match block.language.as_str() {
        "console" => {
            let mut commands: Vec<(&str, String)> = Vec::new();
            for line in block.text.lines() {
                match (line.strip_prefix("$ "), commands.last_mut()) {
                    (Some(command), _) => commands.push((command, String::new())),
                    (None, Some((_, output))) => {
                        *output += line;
                        *output += "\n";
                    }
                    (None, None) => panic!("{place}: output before any command: {line}"),
                }
            }
            for (command, expected) in commands {
                let output = shell(folder, command);
                let said = String::from_utf8_lossy(&output.stdout);
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{place}: `{command}` ended with {}: {error}", output.status);
                assert!(expected.is_empty() || said == expected, "{place}: `{command}` printed\n{said}");
            }
        }
        "toml" => {
            let mut text = block.text.clone();
            if text.lines().any(|line| line.starts_with('[')) {
                fs::write(folder.join("my.toml"), &text).unwrap();
            } else {
                text =
                    format!("tokens = {{ kind = \"normal\", n = 9, d = 2 }}\nrun = {{ steps = 2 }}\n[model]\n{text}");
            }
            fs::write(folder.join("block.toml"), text).unwrap();
            let small = ["--steps", "2", "--engine", "cpu", "--no-plot"];
            good(folder, &[&["run", "block.toml"], &small[..]].concat());
        }
        "python" => {
            let missing = missing(&block.text);
            let text = if missing.is_empty() {
                block.text.clone()
            } else {
                println!("{place}: only compiled, as there is no package {missing:?}");
                format!("compile({}, 'block', 'exec')", json!(block.text))
            };
            let output = Command::new("python3").args(["-c", &text]).current_dir(folder).output().unwrap();
            assert!(output.status.success(), "{place}: {}", String::from_utf8_lossy(&output.stderr));
        }
        // Doctests, and what nobody runs.
        "rust" | "text" => {}
        other => panic!("{place}: what is a block in {other:?}?"),
    }
}

/// An .npy file with rows of f64.
fn npy(rows: &[[f64; 2]]) -> Vec<u8> {
    let shape = format!("({}, 2)", rows.len());
    let head = format!("{:117}\n", format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"));
    let numbers = rows.iter().flatten().flat_map(|x| x.to_le_bytes());
    b"\x93NUMPY\x01\x00"
        .iter()
        .copied()
        .chain((head.len() as u16).to_le_bytes())
        .chain(head.bytes())
        .chain(numbers)
        .collect()
}

/// A page whose commands fail costs its reader an hour; one whose output is another costs the trust
/// in the rest.
#[test]
fn what_the_pages_show_runs() {
    std::thread::scope(|scope| {
        for page in pages() {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                fs::write(folder.path().join("a.npy"), npy(&[[1.0, 0.5], [0.0, 1.0]])).unwrap();
                for block in page.blocks().iter().filter(|block| block.left_out.is_none()) {
                    run_block(&page.path.display().to_string(), folder.path(), block);
                }
            });
        }
    });
}

/// A relative link or an anchor that leads nowhere.
#[test]
fn links_lead_somewhere() {
    let anchors = |text: &str| -> BTreeSet<String> {
        let headings =
            text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
        let slug = |heading: &str| -> String {
            let kept = heading.to_lowercase().replace(' ', "-");
            kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
        };
        headings.map(slug).collect()
    };
    let all = pages();
    let mut linked = BTreeSet::new();
    for page in &all {
        let (text, place) = (page.prose(), page.path.display());
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let path = match file {
                "" => page.path.clone(),
                _ => page.path.parent().unwrap().join(file),
            };
            assert!(Path::new(ROOT).join(&path).exists(), "{place} links to {target}, which is not there");
            if let Some(anchor) = anchor {
                let there = fs::read_to_string(Path::new(ROOT).join(&path)).unwrap();
                assert!(anchors(&there).contains(anchor), "{place} links to {target}, and there is no such heading");
            }
            if page.path == Path::new("README.md") {
                linked.insert(path);
            }
        }
    }
    for page in &all {
        assert!(
            page.path == Path::new("README.md") || linked.contains(&page.path),
            "the README leads to no {}",
            page.path.display()
        );
    }
}

/// A file of the repository that a page names must be there.
#[test]
fn named_files_exist() {
    for page in pages() {
        for name in page.prose().split('`').skip(1).step_by(2) {
            let folder = name.split('/').next().unwrap_or("");
            let is_ours = name.contains('/') && ["src", "tests", "shaders", "benches", "docs"].contains(&folder);
            let is_path = is_ours && !name.contains([' ', '*', '{']);
            assert!(
                !is_path || Path::new(ROOT).join(name).exists(),
                "{} names {name}, which is not there",
                page.path.display()
            );
        }
    }
}

/// A front page is read to its end.
#[test]
fn the_front_page_is_short() {
    assert!(page("README.md").lines().count() <= 120);
}

/// The README's picture is what `localmax run` draws. After a change of the drawing, look at the
/// new picture and copy it to docs/pictures.
#[test]
fn the_picture_of_the_readme_is_the_default_run() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path(), &["run", "--engine", "cpu", "--out", "r"]);
    let drawn = fs::read_to_string(folder.path().join("r/plots/trajectories.svg")).unwrap();
    assert!(drawn == page("docs/pictures/default.svg"), "docs/pictures/default.svg is not what is drawn now");
}
