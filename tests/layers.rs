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

/// Names after `crate::` (or `localmax::` in the binary), in code and not in comments.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().map(|line| line.split("//").next().unwrap_or("")) {
        for marker in ["crate::", "localmax::"] {
            for (at, _) in line.match_indices(marker) {
                let rest = &line[at + marker.len()..];
                let names = rest.strip_prefix('{').map_or(rest, |list| list.split('}').next().unwrap_or(list));
                let count = if rest.starts_with('{') { usize::MAX } else { 1 };
                found.extend(
                    names
                        .split(',')
                        .take(count)
                        .map(|n| n.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>())
                        .filter(|n| !n.is_empty()),
                );
            }
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
        for import in imports(&fs::read_to_string(&file).expect("a source file")) {
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

/// The scan itself must see braces, paths in expressions and ignore comments.
#[test]
fn the_scan_sees_imports() {
    let text = "use crate::{cpu::Cpu, gpu};\nlet x = crate::engine::Engine; // crate::cli\n";
    assert_eq!(imports(text), ["cpu", "gpu", "engine"]);
}
