//! A config to fill in: the default preset, with every other key as a comment.

use std::fmt::Write as _;

use super::{Config, keys};
use crate::error::Result;
use crate::io::presets::DEFAULT;

/// The default preset as a config in which every key stands with its meaning. Keys that it does not
/// need are comments, with their default, or an example where they have none.
///
/// # Errors
/// A default preset that does not read.
pub fn template() -> Result<String> {
    let resolved = Config::preset(DEFAULT, &[])?.to_toml();
    let mut text = "## Every key of a config, with its meaning above it. A key behind a # is not set.\n".to_owned();
    let mut last = "";
    for (table, key, meaning, value) in keys::all() {
        if table != last {
            let _ = writeln!(text, "\n[{table}]");
            last = table;
        }
        let own = resolved.split("\n[").find(|part| part.strip_prefix(table).is_some_and(|rest| rest.starts_with(']')));
        let own = if table.is_empty() { resolved.split("\n[").next() } else { own }.unwrap_or("");
        let _ = writeln!(text, "## {meaning}");
        let line = own.lines().find(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" = ")));
        let _ = match line {
            Some(line) => writeln!(text, "{line}"),
            None => writeln!(text, "# {key} = {value}"),
        };
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<Config> {
        Config::parse(text, "template", DEFAULT, Path::new(""), &[])
    }

    /// Who starts from the template must start from the system that runs without a config.
    #[test]
    fn the_template_is_the_default() {
        assert_eq!(read(&template().unwrap()).unwrap(), Config::preset(DEFAULT, &[]).unwrap());
    }

    /// A line of the template that a user takes up must be one that the program reads.
    #[test]
    fn every_line_of_the_template_reads() {
        let text = template().unwrap();
        for (rule, keys) in keys::RULES {
            // Keys that go with another choice than the one in the template.
            let other = |key: &str| {
                matches!(key, "origin" | "switch" | "speed" | "epsilon")
                    || (matches!(key, "gamma" | "q" | "k") && keys.contains(&"a"))
            };
            let lines = text.lines().filter_map(|line| line.trim_start_matches("# ").split_once(" = "));
            let taken = lines.filter(|(key, _)| keys.contains(key) && !other(key));
            let model: Vec<String> = taken.map(|(key, value)| format!("{key} = {value}")).collect();
            assert_eq!(model.len(), keys.iter().filter(|key| !other(key)).count(), "{rule}");
            let run = "[tokens]\nkind = \"normal\"\nn = 9\nd = 2\n[run]\nsteps = 3\n";
            let model = model.join("\n").replace("\"rk4\"", "\"euler\"");
            read(&format!("{run}[model]\nrule = {rule:?}\n{model}\n")).unwrap();
        }
    }
}
