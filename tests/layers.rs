//! The house's one structural rule: a file imports from lower layers only, so that a reader can start at the bottom.

use std::fs;
use std::path::{Path, PathBuf};

/// Layer by layer, lowest first. Modules of one layer are siblings and do not import one another, except where they
/// stand in one group.
const LAYERS: &[&[&[&str]]] = &[
    &[&["error", "num", "rng", "machine"]],
    &[&["tokens", "schedule", "init", "choice"]],
    &[&["model", "contract", "field", "outcome", "space"]],
    &[&["reference"], &["cpu"], &["gpu"]],
    &[&["engine", "verify", "observe"]],
    &[&["io"]],
    &[&["sim", "study", "plot", "bench"]],
    &[&["main", "cli"]],
];

fn place(module: &str) -> Option<(usize, usize)> {
    LAYERS
        .iter()
        .enumerate()
        .find_map(|(layer, groups)| groups.iter().position(|group| group.contains(&module)).map(|group| (layer, group)))
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The code of a source file, without its comments.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// First names of a path, or of every path in a (nested) list, that `text` begins with.
fn first_names(text: &str) -> Vec<String> {
    let text = text.trim_start();
    let Some(list) = text.strip_prefix('{') else {
        let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        return if name.is_empty() { Vec::new() } else { vec![name] };
    };
    let (mut depth, mut start, mut found) = (1, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            found.extend(first_names(&list[start..at]));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Top modules that a file imports: what follows `crate::` (or `localmax::` in the binary), and `super::` as often as it
/// takes to reach the top. `depth` is the number of modules on the way to the file.
fn imports(text: &str, depth: usize) -> Vec<String> {
    let code = code(text);
    let mut found = Vec::new();
    for marker in ["crate::", "localmax::"] {
        for (at, _) in code.match_indices(marker) {
            found.extend(first_names(&code[at + marker.len()..]));
        }
    }
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") {
            continue; // counted from the first
        }
        let mut rest = &code[at..];
        let mut up = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            (rest, up) = (after, up + 1);
        }
        // A module inside the file is one deeper; what it names there is no top module.
        if up >= depth {
            found.extend(first_names(rest));
        }
    }
    found
}

/// Every violation in `src`, as readable lines.
fn violations() -> (usize, Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut bad, mut checked) = (Vec::new(), Vec::new(), 0);
    sources(&root, &mut files);
    for file in files {
        let inside = file.strip_prefix(&root).expect("below src");
        let first = inside.components().next().expect("a file name").as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let Some(here) = place(&module) else {
            bad.push(format!("{}: module {module} has no layer", inside.display()));
            continue;
        };
        let depth = inside.components().count() - usize::from(inside.ends_with("mod.rs"));
        for import in imports(&fs::read_to_string(&file).expect("a source file"), depth) {
            checked += 1;
            let Some(there) = place(&import) else { continue };
            if there.0 > here.0 || (there.0 == here.0 && there.1 != here.1) {
                bad.push(format!("{} (layer {}) imports {import} (layer {})", inside.display(), here.0, there.0));
            }
        }
    }
    (checked, bad)
}

/// If this failed, an engine could lean on the one that is to check it.
#[test]
fn files_import_from_lower_layers_only() {
    let (checked, bad) = violations();
    assert!(checked > 20, "only {checked} imports seen: the scan is broken");
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// The scan itself must see lists over lines and inside one another, paths in expressions and ways up, and ignore comments.
#[test]
fn the_scan_sees_imports() {
    let text = "use crate::{cpu::Cpu, gpu};\nlet x = crate::engine::Engine; // crate::cli\n";
    assert_eq!(imports(text, 1), ["cpu", "gpu", "engine"]);
    let lines = "use crate::{\n    cpu::{Cpu, Options}, // ours\n    gpu::{\n        Adapter,\n    },\n    io,\n};\nuse crate::sim;";
    assert_eq!(imports(lines, 2), ["cpu", "gpu", "io", "sim"]);
    let up = "use super::gpu;\nuse super::super::cpu;\nuse super::{\n    engine::Engine,\n    verify,\n};";
    assert_eq!(imports(up, 1), ["gpu", "cpu", "engine", "verify"]);
    assert_eq!(imports(up, 2), ["cpu"]);
    assert!(imports("use super::*;", 1).is_empty());
}
