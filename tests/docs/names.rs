//! What the program has, asked of the program itself, and whether the pages name it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Block, ROOT, good, localmax, page, pages};

/// The message of a command that is refused.
fn refused(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = localmax(folder.path(), arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The names that follow `before` in a text, up to `after`.
fn names(text: &str, before: &str, after: &str) -> Vec<String> {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text}"));
    let list = rest.split_once(after).map_or(rest, |(list, _)| list);
    list.trim().split(", ").map(str::to_owned).collect()
}

/// A command or an option that is gone must not stay in the pages, be it in a block that is left
/// out or in a sentence.
#[test]
fn commands_and_options_of_the_pages_exist() {
    let folder = tempfile::tempdir().unwrap();
    let help = |words: &[&str]| good(folder.path(), &[words, &["--help"]].concat());
    let (top, studies) = (help(&[]), help(&["study"]));
    let is_listed = |help: &str, name: &str| help.lines().any(|line| line.trim_start().split(' ').next() == Some(name));
    let mut checked = 0;
    for page in pages() {
        let place = page.path.display();
        let inline =
            page.text.match_indices("`localmax ").map(|(at, _)| page.text[at + 1..].split('`').next().unwrap());
        let blocks: Vec<Block> = page.blocks().into_iter().filter(|block| block.language == "console").collect();
        let lines = blocks.iter().flat_map(|block| block.text.lines()).filter_map(|line| line.strip_prefix("$ "));
        for line in inline.chain(lines) {
            // What stands after the name of the program, up to a comment, a pipe or a redirection.
            let Some((_, call)) = line.split_once("localmax ") else { continue };
            let words: Vec<&str> = call.split_whitespace().take_while(|w| !["#", ">", "|", "||"].contains(w)).collect();
            let command = words[0];
            if command == command.to_uppercase() {
                continue; // as in `localmax COMMAND --help`
            }
            assert!(is_listed(&top, command), "{place} names `localmax {command}`, which there is not");
            // `localmax study NAME` stands for any of them.
            let study =
                words.get(1).filter(|_| command == "study").map(|name| if *name == "NAME" { &"strip" } else { name });
            let study = study.filter(|name| is_listed(&studies, name));
            let help = help(&[Some(&command), study].into_iter().flatten().copied().collect::<Vec<_>>());
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let name = option.split('=').next().unwrap();
                assert!(
                    options(&help).iter().any(|known| known == name) || name == "--help",
                    "{place}: no {name} in `{line}`"
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 40, "only {checked} commands seen: the scan is broken");
}

/// The long options in the help of a command.
fn options(help: &str) -> Vec<String> {
    let starts = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = starts.flat_map(|line| line.split([' ', ',']).take(3)).filter(|word| word.starts_with("--"));
    words.filter(|word| !["--help", "--version"].contains(word)).map(str::to_owned).collect()
}

/// Fails where a page lacks one of some names, in backticks.
fn require(page: &str, what: &str, names: impl IntoIterator<Item = String>) {
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "no page names the {what} `{name}`");
    }
}

/// The subcommands in the help of a command.
fn listed(help: &str) -> Vec<String> {
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let lines = rest.lines().take_while(|line| !line.is_empty());
    let lines = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

/// Who looks for a command, an option, a study or an exit status in the guide must find it.
#[test]
fn the_guide_names_commands_options_studies_and_statuses() {
    let (folder, guide) = (tempfile::tempdir().unwrap(), page("docs/guide.md"));
    let help = |words: &[&str]| good(folder.path(), &[words, &["--help"]].concat());
    // In a sentence or a table, not only in a block.
    let explained = |option: &String, of: &str| {
        let is = guide.contains(&format!("`{option}`")) || guide.contains(&format!("`{option} "));
        assert!(is, "the guide does not explain {option} of {of}");
    };
    let (top, studies) = (help(&[]), listed(&help(&["study"])));
    assert!(listed(&top).len() > 8 && studies.len() > 8);
    for command in listed(&top) {
        assert!(guide.contains(&format!("localmax {command}")), "the guide does not name `localmax {command}`");
        for option in options(&help(&[&command])) {
            explained(&option, &command);
        }
    }
    require(&guide, "study", studies.into_iter().filter(|name| name != "resume"));
    let mut shared = options(&help(&["study", "strip"]));
    for other in ["rates", "cells"] {
        let options = options(&help(&["study", other]));
        shared.retain(|option| options.contains(option));
    }
    assert!(shared.len() > 6);
    for option in &shared {
        explained(option, "all studies");
    }
    let (_, statuses) = top.split_once("Exit status: ").unwrap();
    for status in statuses.trim().split(", ").map(|part| part.split(' ').next().unwrap()) {
        assert!(guide.contains(&format!("\n| {status} | ")), "the guide does not say what exit status {status} means");
    }
}

/// Who looks for a key, a rule, a preset or a name in a config must find it; and every cloud must
/// run.
#[test]
fn the_page_of_configs_names_keys_rules_and_presets() {
    let (folder, config) = (tempfile::tempdir().unwrap(), page("docs/config.md"));
    let folder = folder.path();
    let set = |text: &str| refused(&["run", "--set", text]);
    let choices = |key: &str| names(&set(&format!("{key}=nothing")), "one of ", "\n");
    let first = |line: &str| line.split(' ').next().unwrap_or("").to_owned();
    require(&config, "preset", good(folder, &["presets"]).lines().map(first));
    for key in ["tokens.kind", "model.strip", "run.engine", "run.plan", "run.precision"] {
        require(&config, key, choices(key));
    }
    for kind in choices("tokens.kind") {
        let changes = ["--set", &format!("tokens.kind={kind}"), "--set", "tokens.n=20", "--steps", "1", "--no-plot"];
        good(folder, &[&["run", "--engine", "cpu", "--out", &kind], &changes[..]].concat());
    }
    let flow = refused(&["run", "--preset", "sphere-clusters", "--set", "model.integrator=nothing"]);
    require(&config, "integrator", names(&flow, "one of ", "\n"));
    let rules = names(&set("model.rule=nothing"), "and all are ", "\n");
    assert!(rules.len() > 7);
    require(&page("docs/equations.md"), "rule", rules.clone());
    for rule in rules {
        // A key of the other kind of rules is refused with all that this one takes.
        let flows = ["sphere", "ellipsoid", "rescaled"].contains(&rule.as_str());
        let other = if flows { "model.alpha=1" } else { "model.dt=1" };
        let text = refused(&["run", "--set", &format!("model.rule={rule}"), "--set", other]);
        // A cloud may have the name of a rule.
        let rows: String = config.lines().filter(|line| line.starts_with(&format!("| `{rule}` |"))).collect();
        require(&rows, &format!("key of {rule}"), names(&text, "takes ", ", causal"));
    }
    let clusters = ["--set", "tokens.kind=clusters", "--set", "tokens.n=20", "--steps", "1", "--no-plot"];
    good(folder, &[&["run", "--out", "r"], &clusters[..]].concat());
    let mut section = String::new();
    let mut keys = ["model.causal", "tokens.file", "tokens.rows"].map(str::to_owned).to_vec();
    for line in fs::read_to_string(folder.join("r/config.toml")).unwrap().lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| section != "model.") {
            keys.push(format!("{section}{key}"));
        }
    }
    assert!(keys.len() > 15);
    require(&config, "key", keys);
}

/// Who looks for a file of a run, a column or a key of meta.json must find it.
#[test]
fn the_page_of_files_names_files_and_columns() {
    let (folder, files) = (tempfile::tempdir().unwrap(), page("docs/files.md"));
    good(folder.path(), &["run", "--steps", "2", "--engine", "cpu", "--set", "tokens.n=20", "--out", "r"]);
    let run = folder.path().join("r");
    for entry in fs::read_dir(&run).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(files.contains(&format!("`{name}`")) || files.contains(&format!("`{name}/")), "files.md lacks {name}");
    }
    for table in ["metrics.csv", "measures.csv", "effort.csv"] {
        let text = fs::read_to_string(run.join(table)).unwrap();
        let head = text.lines().next().unwrap();
        require(&files, "head or column", std::iter::once(head).chain(head.split(',')).map(str::to_owned));
    }
    let meta: Value = serde_json::from_slice(&fs::read(run.join("meta.json")).unwrap()).unwrap();
    require(&files, "key of meta.json", keys(&meta));
}

/// Who meets a variable in a script must find what it does.
#[test]
fn environment_variables_are_named() {
    let all: String = pages().into_iter().map(|page| page.text).collect();
    require(&all, "environment variable", variables());
}

/// A newcomer finds the folder of a change in the architecture's table of modules, which must be
/// that of the source.
#[test]
fn the_architecture_has_the_modules_of_the_source() {
    let text = page("docs/architecture.md");
    let (_, rest) = text.split_once("| module | what it is |").unwrap();
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|')).map(|row| row.split('|').nth(1).unwrap());
    let written: BTreeSet<String> = rows
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|name| name.split('/').next().unwrap().to_owned())
        .collect();
    let entries = fs::read_dir(Path::new(ROOT).join("src")).unwrap();
    let names = entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
    let found: BTreeSet<String> = names.filter(|name| !["lib", "main"].contains(&name.as_str())).collect();
    assert_eq!(written, found);
}

/// Every key of an object and of the objects in it.
fn keys(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(entries) => {
            entries.iter().flat_map(|(key, value)| keys(value).into_iter().chain([key.clone()])).collect()
        }
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        _ => BTreeSet::new(),
    }
}

/// The program's own environment variables, as its source and its tests have them.
fn variables() -> BTreeSet<String> {
    let (mut folders, mut found) = (["src", "tests"].map(|name| Path::new(ROOT).join(name)).to_vec(), BTreeSet::new());
    let own = concat!("LOCAL", "MAX_");
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let name = |at: usize| text[at..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
                found.extend(text.match_indices(own).map(|(at, _)| name(at)));
            }
        }
    }
    found
}
