//! `localmax import`.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::Result;

use super::output;
use crate::error::Error;
use crate::io::npy;
use crate::io::tensors::{self, Part, Tensor};
use crate::num::norm;
use crate::tokens::Tokens;

/// Take tokens from a trained model: an embedding or hidden states in a .safetensors or .npy file. Without
/// --tensor, list what a .safetensors file holds
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax import model.safetensors                                 its tensors
  localmax import model.safetensors --tensor wte.weight             an embedding, a token a row
  localmax import hidden.npy --index 11,0 --rows 0..128             a layer and a text of (layers, texts, n, d)
  localmax study strip --file tokens.npy --beta 0.125               which strips stand for its softmax")]
pub(super) struct Arguments {
    /// A .safetensors or .npy file
    file: PathBuf,
    /// The tensor that holds the tokens: its last axis are coordinates, the one before it counts tokens
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
    /// Indices of the axes before these two; axes of one element need none
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    index: Vec<usize>,
    /// Rows to take, the last one excluded; by default all
    #[arg(long, value_name = "FROM..TO", value_parser = rows)]
    rows: Option<Range<usize>>,
    /// The .npy file to write
    #[arg(long, value_name = "FILE", default_value = "tokens.npy")]
    out: PathBuf,
}

fn rows(text: &str) -> Result<Range<usize>, String> {
    let ends = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.ok_or_else(|| "it must be FROM..TO, as 0..1000".into())
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { file, out, .. } = arguments;
    let all = tensors::list(file)?;
    let tensor = match (&arguments.tensor, &all[..]) {
        (Some(name), _) => tensors::named(file, all, name)?,
        (None, [only]) if only.name.is_empty() => only.clone(),
        (None, _) if arguments.rows.is_some() || !arguments.index.is_empty() => {
            return Err(Error::input(format!("{}: name one of its tensors with --tensor", file.display())).into());
        }
        (None, _) => return Ok(output::print(&listed(&all))?),
    };
    if out.symlink_metadata().is_ok() {
        return Err(Error::input(format!("{}: it exists; name another file with --out", out.display())).into());
    }
    let part = Part { index: arguments.index.clone(), rows: arguments.rows.clone() };
    let tokens = tensor.tokens(file, &part)?;
    npy::write(out, &tokens)?;
    let path = out.display();
    let name = if tensor.name.is_empty() { String::new() } else { format!("{} of ", tensor.name) };
    Ok(output::print(&format!(
        "{name}{}: {} {}\n{path}: {}\n\nlocalmax run --set tokens.file={path}\n",
        file.display(),
        tensor.dtype,
        tensor.shown(),
        described(&tokens),
    ))?)
}

/// The tensors of a file, a line each.
fn listed(all: &[Tensor]) -> String {
    let width = all.iter().map(|tensor| tensor.name.chars().count()).max().unwrap_or(0);
    let line = |tensor: &Tensor| {
        let note = if tensor.is_cloud() { "" } else { "  (no tokens)" };
        format!("{:width$}  {:4}  {}{note}\n", tensor.name, tensor.dtype, tensor.shown())
    };
    all.iter().map(line).collect()
}

/// Number, dimension, width and lengths of tokens.
fn described(tokens: &Tokens) -> String {
    let (n, d, width) = (tokens.n(), tokens.d(), tokens.precision().name());
    let mut lengths: Vec<f64> = tokens.rows().map(|row| norm(&row)).collect();
    lengths.sort_by(f64::total_cmp);
    let shown = |x: f64| if (1e-3..1e5).contains(&x) || x == 0.0 { format!("{x:.4}") } else { format!("{x:.3e}") };
    let [least, median, most] = [lengths[0], lengths[n / 2], lengths[n - 1]].map(shown);
    format!("{n} tokens in R^{d}, {width}, of lengths from {least} to {most}, {median} in the median")
}
