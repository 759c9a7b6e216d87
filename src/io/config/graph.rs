//! A graph as a mask: `{ graph = "edges.csv" }`, an edge (i, j) a row where token i attends to token j.

use std::path::Path;

use super::document::Item;
use super::section::{Field, Section};
use crate::error::{Error, Result};
use crate::io::{input, npy};
use crate::model::Graph;
use crate::model::graph::no_token;
use crate::num;

/// Most bytes of a CSV file of edges.
const LARGEST: u64 = 1 << 30;

const FORMS: &str = "an .npy or .csv file of edges, or a list of them, [[0, 1], [1, 2]]";

/// The graph of n tokens that `mask` of a system names, if it does.
///
/// # Errors
/// An edge that is none, or from or to no token, with its line or row.
pub(super) fn graph(system: &Section<'_>, n: usize) -> Result<Option<Graph>> {
    let Some(field) = system.get("mask").filter(|field| is_graph(field)) else { return Ok(None) };
    let table = field.section(FORMS, &["graph"])?;
    let field = table.need("graph", FORMS)?;
    let edges = match &field.value.item {
        Item::Text(text) => {
            let path = field.file(text)?;
            let edges = match path.extension().and_then(|ending| ending.to_str()) {
                Some("npy") => of_array(&path, n),
                Some("csv") => of_csv(&path, n),
                _ => return Err(field.error(format!(": {text:?} is neither a .csv nor a .npy file"))),
            };
            edges.map_err(|error| field.value.place.blame(error))?
        }
        Item::List(_) => {
            let edge =
                |(k, row): (usize, Vec<f64>)| edge(&row, n).map_err(|what| field.error(format!("[{k}]: {what}")));
            field.rows()?.into_iter().enumerate().map(edge).collect::<Result<_>>()?
        }
        _ => return Err(field.expected(FORMS)),
    };
    Graph::new(n, &edges).map(Some).map_err(|error| field.blame(error))
}

/// True if a mask is given as a graph.
pub(super) fn is_graph(mask: &Field<'_>) -> bool {
    matches!(&mask.value.item, Item::Table(table) if table.entry("graph").is_some())
}

/// The numbers of two tokens.
fn edge(row: &[f64], n: usize) -> std::result::Result<[u32; 2], String> {
    let &[i, j] = row else { return Err(format!("{} numbers where an edge has two", row.len())) };
    let token = |number: f64| match num::whole_of(number) {
        Some(token) if token < n as u64 => Ok(token as u32),
        Some(token) => Err(no_token(token, n)),
        None => Err(format!("{number:?} is no number of a token")),
    };
    Ok([token(i)?, token(j)?])
}

fn of_array(path: &Path, n: usize) -> Result<Vec<[u32; 2]>> {
    let rows = npy::read_matrix(path)?.into_iter().enumerate();
    let edges =
        rows.map(|(k, row)| edge(&row, n).map_err(|what| Error::input(format!("{} row {k}: {what}", path.display()))));
    edges.collect()
}

/// An edge a line; `#` starts a comment, and a first line of names is passed over.
fn of_csv(path: &Path, n: usize) -> Result<Vec<[u32; 2]>> {
    let text = input::text(path, LARGEST)?;
    let (mut edges, mut is_first) = (Vec::new(), true);
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        let is_name = is_first && line.starts_with(|c: char| c.is_alphabetic() || c == '_');
        is_first &= line.is_empty();
        if line.is_empty() || is_name {
            continue;
        }
        let bad = |what: &str| Error::input(format!("{} line {}: {what}", path.display(), at + 1));
        let numbers: std::result::Result<Vec<f64>, _> =
            line.split([',', ';', '\t']).map(|cell| cell.trim().parse()).collect();
        let shown: String = line.chars().take(40).collect();
        let numbers = numbers.map_err(|_| bad(&format!("{shown:?} is no edge; give two numbers of tokens, as 0,1")))?;
        edges.push(edge(&numbers, n).map_err(|what| bad(&what))?);
    }
    Ok(edges)
}
