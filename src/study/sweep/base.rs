//! The config that a sweep varies, kept so that the study is one whatever becomes of the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::config::{Config, Override};
use crate::io::input;

/// Largest config that is carried along in `study.toml`.
const LARGEST: u64 = 1 << 20;

/// A config file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Path of the file.
    pub file: PathBuf,
    /// Lines of its text.
    pub lines: Vec<String>,
    /// The blake3 of the files that it names, by their path in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

impl Base {
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let text = input::given(Path::new(path), LARGEST).map_err(|e| e.to_string())?;
        let file = std::path::absolute(path).map_err(|e| e.to_string())?;
        let mut base = Self { file, lines: text.lines().map(str::to_owned).collect(), files: BTreeMap::new() };
        // A text that is no TOML is refused, with its place, where the config is read.
        if let Ok(table) = text.parse::<toml::Table>() {
            base.hash(&toml::Value::Table(table)).map_err(|e| e.to_string())?;
        }
        Ok(base)
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Takes the hash of every file of numbers that a value names.
    fn hash(&mut self, value: &toml::Value) -> Result<()> {
        match value {
            toml::Value::Table(table) => table.iter().try_for_each(|(_, value)| self.hash(value)),
            toml::Value::Array(values) => values.iter().try_for_each(|value| self.hash(value)),
            toml::Value::String(text) => {
                let path = self.folder().join(text);
                let is_of_numbers = [".npy", ".csv"].iter().any(|ending| text.to_ascii_lowercase().ends_with(ending));
                if is_of_numbers && path.is_file() {
                    self.files.insert(text.clone(), input::hash(&path)?.to_hex().to_string());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Checks that the files that the config names are still those of the study.
    pub(super) fn check(&self) -> Result<()> {
        for (name, hash) in &self.files {
            let path = self.folder().join(name);
            if input::hash(&path)?.to_hex().as_str() != hash {
                return Err(Error::input(format!(
                    "{} is another file than the one that this study began with; put that one back, or begin another \
                     study",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    pub(super) fn config(&self, overrides: &[Override]) -> Result<Config> {
        let name = self.file.file_stem().map_or_else(|| "sweep".into(), |stem| stem.to_string_lossy().into_owned());
        Config::parse(&self.lines.join("\n"), &self.file.display().to_string(), &name, self.folder(), overrides)
    }
}
