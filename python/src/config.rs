//! Keyword arguments, presets and texts as a config.

use std::path::{Path, PathBuf};

use localmax::Tokens;
use localmax::io::config::{self, Override};
use localmax::io::presets::PRESETS;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::arrays;
use crate::work::raise;

/// A config, read and checked.
#[pyclass(frozen, module = "localmax")]
pub(crate) struct Config {
    pub(crate) inner: config::Config,
}

/// A keyword argument: as it is shown in errors, its key in a config, and its value.
type Keyword<'py> = (String, String, Bound<'py, PyAny>);

#[pymethods]
impl Config {
    /// Reads keyword arguments over a text of TOML, a file or a preset, if one is given; the tokens are `x0`
    /// if that is given.
    #[new]
    #[pyo3(signature = (x0, keywords, text = None, path = None, preset = None))]
    fn new(
        x0: Option<&Bound<'_, PyAny>>,
        keywords: Vec<Keyword<'_>>,
        text: Option<&str>,
        path: Option<PathBuf>,
        preset: Option<&str>,
    ) -> PyResult<Self> {
        let changes: Vec<Override> = keywords
            .iter()
            .map(|(shown, key, value)| Ok(Override::value(shown, key, &toml_of(value)?)))
            .collect::<PyResult<_>>()?;
        let tokens = x0.map(arrays::tokens).transpose()?;
        read(tokens, &changes, text, path.as_deref(), preset).map(|inner| Self { inner }).map_err(raise)
    }

    /// The resolved config, which `localmax run` takes.
    #[getter]
    fn toml(&self) -> String {
        self.inner.to_toml()
    }

    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    #[getter]
    fn steps(&self) -> u64 {
        self.inner.run.steps
    }
}

fn read(
    tokens: Option<Tokens>,
    changes: &[Override],
    text: Option<&str>,
    path: Option<&Path>,
    preset: Option<&str>,
) -> localmax::Result<config::Config> {
    let preset = preset.map(localmax::io::presets::find).transpose()?;
    match (tokens, text.or(preset.map(|preset| preset.text)), path) {
        (Some(tokens), text, None) => {
            let name = preset.map_or("run", |preset| preset.name);
            config::Config::of_tokens(tokens, text.unwrap_or(""), name, changes)
        }
        (Some(tokens), _, Some(path)) => config::Config::load_of_tokens(tokens, path, changes),
        (None, _, Some(path)) => config::Config::load(path, changes),
        (None, Some(text), None) => {
            let name = preset.map_or("config", |preset| preset.name);
            config::Config::parse(text, name, name, Path::new(""), changes)
        }
        (None, None, None) => config::Config::parse("", "localmax", "run", Path::new(""), changes),
    }
}

/// A Python value as a config has it.
fn toml_of(value: &Bound<'_, PyAny>) -> PyResult<toml::Value> {
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(toml::Value::Boolean(flag.is_true()));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(toml::Value::String(value.extract()?));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(value.extract().map_or_else(|_| toml::Value::String(value.to_string()), toml::Value::Integer));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(toml::Value::Float(value.extract()?));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        return value.try_iter()?.map(|item| toml_of(&item?)).collect::<PyResult<_>>().map(toml::Value::Array);
    }
    if let Ok(table) = value.cast::<PyDict>() {
        let entry = |(key, value): (Bound<'_, PyAny>, _)| Ok((key.extract::<String>()?, toml_of(&value)?));
        return table.iter().map(entry).collect::<PyResult<_>>().map(toml::Value::Table);
    }
    let kind = value.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "{kind} is no value of a config: give a number, a text, a list, a dict or an array"
    )))
}

/// Every key of a config: its table, its name, its meaning, and its default or an example.
#[pyfunction]
pub(crate) fn keys() -> Vec<(&'static str, &'static str, String, &'static str)> {
    config::keys::all().collect()
}

/// The embedded presets: name and text.
#[pyfunction]
pub(crate) fn presets() -> Vec<(&'static str, &'static str)> {
    PRESETS.iter().map(|preset| (preset.name, preset.text)).collect()
}
