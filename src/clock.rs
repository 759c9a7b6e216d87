//! The clocks. A browser has none of the standard library's, so every file takes its time from
//! here.

#[cfg(not(target_family = "wasm"))]
use std::time as platform;

#[cfg(target_family = "wasm")]
use web_time as platform;

pub(crate) use platform::Instant;

/// Seconds since 1970 (UTC); 0 before that.
pub(crate) fn unix_seconds() -> f64 {
    platform::SystemTime::now().duration_since(platform::UNIX_EPOCH).map_or(0.0, |passed| passed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// A file that asked the standard library for the time would end a page in a browser with a
    /// panic.
    #[test]
    fn no_other_file_asks_for_the_time() {
        fn look(folder: &Path, bad: &mut Vec<String>) -> usize {
            let mut files = 0;
            for path in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    files += look(&path, bad);
                } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("clock.rs") {
                    files += 1;
                    let text = std::fs::read_to_string(&path).unwrap();
                    let names = |line: &&str| {
                        line.contains("std::time") && (line.contains("Instant") || line.contains("SystemTime"))
                    };
                    bad.extend(text.lines().filter(names).map(|line| format!("{}: {line}", path.display())));
                }
            }
            files
        }
        let mut bad = Vec::new();
        let files = look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut bad);
        assert!(files > 100, "only {files} files seen");
        assert!(bad.is_empty(), "{bad:#?}");
    }
}
