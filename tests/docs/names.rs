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

/// A command or an option that is gone must not stay in the pages, be it in a block that is left out or in a sentence.
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

/// Whoever looks for a word of the program in the pages must find it.
#[test]
fn what_the_program_has_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (guide, config, files) = (page("docs/guide.md"), page("docs/config.md"), page("docs/files.md"));
    let named = |page: &str, what: &str, name: &str| {
        assert!(page.contains(&format!("`{name}`")), "no page names the {what} `{name}`");
    };

    // In a sentence or a table, not only in a block.
    let explains =
        |page: &str, option: &str| page.contains(&format!("`{option}`")) || page.contains(&format!("`{option} "));

    let help = good(folder, &["--help"]);
    let listed = |help: &str| -> Vec<String> {
        let (_, rest) = help.split_once("Commands:\n").unwrap();
        let lines = rest
            .lines()
            .take_while(|line| !line.is_empty())
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help").collect()
    };
    let commands = listed(&help);
    assert!(commands.len() > 8);
    for command in &commands {
        assert!(guide.contains(&format!("localmax {command}")), "the guide does not name `localmax {command}`");
        let page = good(folder, &[command, "--help"]);
        for option in options(&page) {
            assert!(explains(&guide, &option), "the guide does not explain {option} of `localmax {command}`");
        }
    }
    let studies = listed(&good(folder, &["study", "--help"]));
    assert!(studies.len() > 8);
    for study in studies.iter().filter(|name| *name != "resume") {
        named(&guide, "study", study);
    }
    let mut shared = options(&good(folder, &["study", "strip", "--help"]));
    for other in ["rates", "cells"] {
        let options = options(&good(folder, &["study", other, "--help"]));
        shared.retain(|option| options.contains(option));
    }
    assert!(shared.len() > 6);
    for option in shared {
        assert!(explains(&guide, &option), "the guide does not explain {option}, which all studies have");
    }
    let (_, statuses) = help.split_once("Exit status: ").unwrap();
    for status in statuses.trim().split(", ").map(|part| part.split(' ').next().unwrap()) {
        assert!(guide.contains(&format!("\n| {status} | ")), "the guide does not say what exit status {status} means");
    }

    for preset in good(folder, &["presets"]).lines() {
        named(&config, "preset", preset.split(' ').next().unwrap());
    }
    let set = |text: &str| refused(&["run", "--set", text]);
    let choices = ["tokens.kind", "model.strip", "run.engine", "run.plan", "run.precision"];
    for choice in choices {
        for name in names(&set(&format!("{choice}=nothing")), "one of ", "\n") {
            named(&(config.clone() + &page("docs/equations.md")), choice, &name);
        }
    }
    for kind in names(&set("tokens.kind=nothing"), "one of ", "\n") {
        let changes = ["--set", &format!("tokens.kind={kind}"), "--set", "tokens.n=20", "--steps", "1", "--no-plot"];
        good(folder, &[&["run", "--engine", "cpu", "--out", &kind], &changes[..]].concat());
    }
    let flow = refused(&["run", "--preset", "sphere-clusters", "--set", "model.integrator=nothing"]);
    names(&flow, "one of ", "\n").iter().for_each(|name| named(&page("docs/equations.md"), "integrator", name));
    let rules = names(&set("model.rule=nothing"), "and all are ", "\n");
    assert!(rules.len() > 7);
    for rule in rules {
        named(&page("docs/equations.md"), "rule", &rule);
        // A key of the other kind of rules is refused with all that this one takes.
        let other =
            if ["sphere", "ellipsoid", "rescaled"].contains(&rule.as_str()) { "model.alpha=1" } else { "model.dt=1" };
        let text = refused(&["run", "--set", &format!("model.rule={rule}"), "--set", other]);
        // A cloud may have the name of a rule.
        let rows: String = config.lines().filter(|line| line.starts_with(&format!("| `{rule}` |"))).collect();
        names(&text, "takes ", " and causal").iter().for_each(|key| named(&rows, &format!("key of {rule}"), key));
    }
    named(&config, "key", "model.causal");

    let out = folder.join("r");
    let clusters = ["--set", "tokens.kind=clusters", "--set", "tokens.n=20", "--steps", "2", "--engine", "cpu"];
    good(folder, &[&["run", "--out", "r"], &clusters[..]].concat());
    let mut section = String::new();
    for line in fs::read_to_string(out.join("config.toml")).unwrap().lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| section != "model.") {
            named(&config, "key", &format!("{section}{key}"));
        }
    }
    ["tokens.file", "tokens.rows"].iter().for_each(|key| named(&config, "key", key));
    for entry in fs::read_dir(&out).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(files.contains(&format!("`{name}`")) || files.contains(&format!("`{name}/")), "files.md lacks {name}");
    }
    for table in ["metrics.csv", "measures.csv", "effort.csv"] {
        let text = fs::read_to_string(out.join(table)).unwrap();
        let head = text.lines().next().unwrap();
        named(&files, "head of a table", head);
        head.split(',').for_each(|column| named(&files, "column", column));
    }
    let meta: Value = serde_json::from_slice(&fs::read(out.join("meta.json")).unwrap()).unwrap();
    keys(&meta).iter().for_each(|key| named(&files, "key of meta.json", key));
    for variable in variables() {
        let all: String = pages().into_iter().map(|page| page.text).collect();
        named(&all, "environment variable", &variable);
    }
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
