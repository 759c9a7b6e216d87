//! The house's one structural rule: a reader can start at the top of a list of modules and never be
//! sent ahead. A file imports only from modules above its own in [`MODULES`], and no circle of
//! files import one another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every module, data first, commands last. A file belongs to the longest name that its path begins
/// with.
const MODULES: &[&str] = &[
    "error",
    "num",
    "rng",
    "normal",
    "machine",
    "pages",
    "clock",
    "threads",
    "interrupt",
    "ranks",
    "choice",
    "tokens",
    "schedule",
    "init",
    "model",
    "exact",
    "real",
    "outcome",
    "space",
    "observe",
    "engine::step",
    "engine::interface",
    "reference",
    "cpu",
    "gpu",
    "engine",
    "verify",
    "selftest",
    "io",
    "plot",
    "run",
    "bench",
    "study",
    "card",
    "cli",
    "main",
];

/// Engines know nothing of one another: one is held to the other.
const SIBLINGS: &[&str] = &["reference", "cpu", "gpu"];

/// Source files by their module, `a::b` for `a/b.rs` and for `a/b/mod.rs`.
type Files = BTreeMap<String, String>;

fn files(folder: &Path) -> Files {
    let (mut open, mut found) = (vec![folder.to_owned()], Files::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("src can be read");
            open.extend(entries.map(|entry| entry.expect("src can be read").path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.insert(
                module(path.strip_prefix(folder).expect("below src")),
                fs::read_to_string(&path).expect("text"),
            );
        }
    }
    found.remove("lib");
    found
}

fn module(inside: &Path) -> String {
    let mut names: Vec<String> = inside.with_extension("").iter().map(|name| name.to_string_lossy().into()).collect();
    if names.last().is_some_and(|last| last == "mod") {
        names.pop();
    }
    names.join("::")
}

/// The text of a file without comments, and without its tests, which may look anywhere below them.
fn code(text: &str) -> String {
    let mut kept = String::new();
    let (mut is_test, mut inside) = (false, false);
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or("");
        if inside {
            inside = line != "}";
        } else if line == "#[cfg(test)]" {
            is_test = true;
        } else {
            inside = is_test && line.starts_with("mod ") && line.ends_with('{');
            if !is_test {
                kept += line;
                kept.push('\n');
            }
            is_test = false;
        }
    }
    kept
}

/// The paths of a tree of imports, `a::{b, c::d}`, each a list of names.
fn paths(tree: &str, before: &[String], into: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let (head, list) = tree.split_once('{').map_or((tree, None), |(head, list)| (head, list.strip_suffix('}')));
    let head = head.split(" as ").next().unwrap_or("");
    let names = head.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let path: Vec<String> = before.iter().cloned().chain(names).collect();
    let Some(list) = list else { return into.push(path) };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            if !list[start..at].trim().is_empty() {
                paths(&list[start..at], &path, into);
            }
            start = at + 1;
        }
    }
}

/// Every path that a file names: of its imports, and of what it calls by a path from the top or
/// upwards.
fn named(code: &str) -> Vec<Vec<String>> {
    let (mut found, mut rest) = (Vec::new(), String::new());
    for statement in code.split(';') {
        let import = statement.rfind("use ").filter(|&at| {
            let before = statement[..at].trim_end();
            before.is_empty() || before.ends_with(['}', ')', ']', '{']) || before.ends_with("pub")
        });
        let end = import.unwrap_or(statement.len());
        rest += &statement[..end];
        rest.push(';');
        if import.is_some() {
            paths(&statement[end + 4..], &[], &mut found);
        }
    }
    for marker in ["crate::", "super::"] {
        for (at, _) in rest.match_indices(marker) {
            if !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                let path: String =
                    rest[at..].chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
                found.push(path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect());
            }
        }
    }
    found
}

/// The file that a path leads to, from inside a module: the deepest one on its way.
fn target(path: &[String], from: &str, files: &Files) -> Option<String> {
    let mut base: Vec<&str> = from.split("::").collect();
    let mut names = path.iter().map(String::as_str).peekable();
    match *names.peek()? {
        "crate" | "localmax" => {
            base.clear();
            names.next();
        }
        "self" | "super" => {
            while let Some(name) = names.next_if(|name| ["self", "super"].contains(name)) {
                base.truncate(base.len() - usize::from(name == "super"));
            }
        }
        // A child of this module, or else another crate.
        child if files.contains_key(&format!("{from}::{child}")) => {}
        _ => return None,
    }
    base.extend(names);
    let prefixes = (1..=base.len()).rev().map(|count| base[..count].join("::"));
    prefixes.into_iter().find(|name| files.contains_key(name)).filter(|name| name != from)
}

/// Which files each file imports.
fn imports(files: &Files) -> BTreeMap<&str, BTreeSet<String>> {
    let of = |(from, text): (&String, &String)| -> BTreeSet<String> {
        named(&code(text)).iter().filter_map(|path| target(path, from, files)).collect()
    };
    files.iter().map(|file| (file.0.as_str(), of(file))).collect()
}

fn place(module: &str) -> Option<usize> {
    let holds = |name: &str| module == name || module.strip_prefix(name).is_some_and(|rest| rest.starts_with("::"));
    (0..MODULES.len()).filter(|&at| holds(MODULES[at])).max_by_key(|&at| MODULES[at].len())
}

/// Imports from further down the list, and from a sibling.
fn upward(files: &Files) -> Vec<String> {
    let mut bad = Vec::new();
    for (from, targets) in imports(files) {
        let Some(here) = place(from) else {
            bad.push(format!("{from} stands in no place of the list"));
            continue;
        };
        for to in targets {
            let Some(there) = place(&to) else { continue };
            let is_sibling = here != there && [here, there].iter().all(|&at| SIBLINGS.contains(&MODULES[at]));
            if there > here || is_sibling {
                bad.push(format!("{from} imports {to}, of {}, which {} does not see", MODULES[there], MODULES[here]));
            }
        }
    }
    bad
}

/// Circles of files, each once, from its least name.
fn circles(files: &Files) -> Vec<String> {
    let imports = imports(files);
    let reach = |start: &str| {
        let (mut open, mut seen) = (vec![start.to_owned()], BTreeMap::new());
        while let Some(at) = open.pop() {
            for to in imports.get(at.as_str()).into_iter().flatten() {
                if !seen.contains_key(to) {
                    seen.insert(to.clone(), at.clone());
                    open.push(to.clone());
                }
            }
        }
        seen
    };
    let mut bad = Vec::new();
    for &start in imports.keys() {
        let seen = reach(start);
        let (mut way, mut at) = (vec![start.to_owned()], seen.get(start).cloned());
        while let Some(name) = at.filter(|name| name != start) {
            at = seen.get(&name).cloned();
            way.push(name);
        }
        if seen.contains_key(start) && way.iter().min().is_some_and(|least| least == start) {
            bad.push(format!("{} import one another", way.join(", ")));
        }
    }
    bad
}

fn sources() -> Files {
    files(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// If this failed, an engine could lean on the one that is to check it, and a reader could start
/// nowhere.
#[test]
fn files_import_from_above_them_in_the_list_only() {
    let files = sources();
    let count: usize = imports(&files).values().map(BTreeSet::len).sum();
    assert!(count > 500, "only {count} imports seen: the scan is broken");
    let bad = upward(&files);
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Files that import one another can only be read, moved and tested together.
#[test]
fn no_circle_of_files_import_one_another() {
    let bad = circles(&sources());
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

fn with(changes: &[(&str, &str)]) -> Files {
    let mut files = sources();
    for (module, text) in changes {
        let file = files.get_mut(*module).unwrap_or_else(|| panic!("no file {module}"));
        file.insert_str(0, &format!("{text}\n"));
    }
    files
}

/// A test of structure that never fails proves nothing: the circles that the house once had, put
/// back, are found.
#[test]
fn circles_put_back_are_found() {
    let pairs = [
        ("cpu::real::near", "use crate::cpu::real::packet::Worker;", "cpu::real::packet"),
        ("cpu::exact::step", "use super::query::queries;", "cpu::exact::query"),
        ("gpu::device", "use crate::gpu::exact::kernels::Kernel;", "gpu::exact::kernels"),
        ("io::nearest", "use crate::io::presets;", "io::presets"),
        ("io::config::section", "use crate::io::config::{Config, Override};", "io::config"),
        ("plot::gif", "use super::page;", "plot::page"),
        // A door and what stands behind it.
        ("run::folder", "use crate::run::Options;", "run"),
    ];
    for (module, import, other) in pairs {
        let found = circles(&with(&[(module, import)]));
        let is_named = |line: &String| line.contains(module) && line.contains(other);
        assert!(found.iter().any(is_named), "{module} with {import}: {found:?}");
    }
}

/// Whatever may import from further down must be seen, in every form that an import has.
#[test]
fn upward_imports_are_found() {
    let imports = [
        ("observe", "use crate::engine::Engine;"),
        ("cpu::exact::choose", "use crate::gpu::Device;"),
        ("reference::exact", "use crate::{\n    cpu::{ExactCpu, Options}, // ours\n    error::Error,\n};"),
        ("io::npy", "fn path() -> crate::run::RunDir { todo!() }"),
        ("engine::simulation", "pub use super::super::verify::Verifier;"),
        ("model", "use crate::engine::step;"),
    ];
    for (module, import) in imports {
        let found = upward(&with(&[(module, import)]));
        assert!(found.iter().any(|line| line.starts_with(&format!("{module} imports"))), "{module}: {found:?}");
    }
    let ignored = "// use crate::cli;\n#[cfg(test)]\nmod tests {\n    use crate::cli::Cli;\n}\n";
    assert!(upward(&with(&[("num", ignored)])).iter().all(|line| !line.starts_with("num ")));
}
