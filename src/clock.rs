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

/// The day of a number of seconds since 1970 (UTC), such as `2026-05-17`.
#[cfg(all(feature = "cli", feature = "gpu"))]
pub(crate) fn day(unix_seconds: f64) -> String {
    // Years begin in March here, so that a leap day is the last of its year; 400 of them repeat.
    let days = (unix_seconds / 86_400.0) as u64 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, is_next_year) = (day - (153 * month + 2) / 5 + 1, month >= 10);
    let month = if is_next_year { month - 9 } else { month + 3 };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + u64::from(is_next_year))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Days around leap days and turns of years, as `date -u -d @SECONDS +%F` has them.
    #[cfg(all(feature = "cli", feature = "gpu"))]
    #[test]
    fn days_have_their_dates() {
        for (seconds, date) in [
            (0.0, "1970-01-01"),
            (951_782_400.0, "2000-02-29"),
            (951_868_800.5, "2000-03-01"),
            (1_735_689_599.0, "2024-12-31"),
            (4_107_542_400.0, "2100-03-01"),
        ] {
            assert_eq!(super::day(seconds), date);
        }
    }

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
