//! The table `[tokens]`: where the first state and fixed keys come from.

use std::path::PathBuf;

use super::count;
use super::document::Item;
use super::section::{Field, Section};
use crate::error::{Error, Result};
use crate::init::{self, Cloud, CloudSample};
use crate::io::npy;
use crate::model::MAX_DIMENSION;
use crate::tokens::{Precision, Tokens};

/// The file of rows that a run writes beside its config.
pub(super) const OWN_ROWS: &str = "x0.npy";

/// The run whose config is read.
pub(super) enum Whose {
    /// One that is to begin.
    New,
    /// One that is to begin from these tokens.
    Given(Tokens),
    /// One that has begun, with the header of its tokens if that is known.
    Begun(Option<npy::Header>),
}

/// The source of the initial tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenSource {
    /// An `.npy` file (absolute path), with the header that was read, and the blake3 of its bytes
    /// if the config has it. Its rows are those of all clouds.
    File(PathBuf, npy::Header, Option<blake3::Hash>),
    /// Given row by row.
    Rows(Tokens),
    /// Drawn from the seed; each of many clouds from its own.
    Cloud(CloudSample),
}

impl TokenSource {
    /// Number of tokens of all clouds.
    pub(super) fn rows(&self, clouds: Option<usize>) -> usize {
        match self {
            Self::File(_, header, _) => header.rows,
            Self::Rows(tokens) => tokens.n(),
            Self::Cloud(cloud) => cloud.n.saturating_mul(clouds.unwrap_or(1)),
        }
    }

    /// The width of the data itself.
    pub(super) fn precision(&self) -> Precision {
        match self {
            Self::File(_, header, _) => header.precision,
            Self::Rows(_) | Self::Cloud(_) => Precision::F32,
        }
    }
}

/// Where the first state comes from, and the number of clouds, if it is of many.
pub(super) fn token_source(section: &Section<'_>, whose: &Whose) -> Result<(TokenSource, Option<usize>)> {
    if let Whose::Given(tokens) = whose {
        if let Some(entry) = section.first_option("keys") {
            let key = &entry.key;
            return Err(entry
                .place
                .error(format!("tokens.{key} does not go with tokens that are given; leave out one")));
        }
        if tokens.d() > MAX_DIMENSION {
            let d = tokens.d();
            return Err(Error::input(format!("tokens in R^{d}; the largest dimension is {MAX_DIMENSION}")));
        }
        return Ok((TokenSource::Rows(tokens.clone()), None));
    }
    let clouds = count::clouds(section)?;
    let given = section.alternatives(&["file", "rows", "kind"])?;
    let field = given
        .ok_or_else(|| section.missing("kind", "give file = \"x0.npy\", or kind, n and d, or rows = [[...], ...]"))?;
    let (source, d) = match field.key {
        "file" => {
            let text = field.text("the path of an .npy file")?;
            only(section, &field, &["file", "clouds", "keys"])?;
            if let (Whose::Begun(_), OWN_ROWS) = (whose, text) {
                let rows = npy::read(&field.file(text)?).map_err(|e| field.value.place.blame(e))?;
                return Ok((TokenSource::Rows(rows), clouds));
            }
            let (path, header) = if let Whose::Begun(Some(header)) = whose {
                (field.path(text)?, header.clone())
            } else {
                let path = field.file(text)?;
                let header = npy::stacked_header(&path).map_err(|e| field.value.place.blame(e))?;
                count::require(&field, &header, clouds)?;
                (path, header)
            };
            let d = header.columns;
            (TokenSource::File(path, header, field.known_hash(text)?), d)
        }
        "rows" => {
            only(section, &field, &["rows", "keys"])?;
            let rows = field.rows()?;
            let (n, d) = (rows.len(), rows.first().map_or(0, Vec::len));
            if let Some(i) = rows.iter().position(|row| row.len() != d) {
                return Err(field.error(format!(
                    ": token {i} has {} coordinates where token 0 has {d}; every token needs the same",
                    rows[i].len()
                )));
            }
            let tokens = Tokens::from_flat(n, d, rows.concat()).map_err(|e| field.value.place.blame(e))?;
            (TokenSource::Rows(tokens), d)
        }
        _ => {
            let kind = field.parsed(Cloud::parse)?;
            let keys = ["kind", "n", "d", "clouds", "scale", "keys", "clusters", "spread"];
            only(section, &field, &keys[..if kind == Cloud::Clusters { 8 } else { 6 }])?;
            let cloud = CloudSample {
                kind,
                n: section.need("n", "the number of tokens")?.count(1)? as usize,
                d: section.need("d", "the dimension")?.count(1)? as usize,
                scale: section.or("scale", 1.0, Field::number)?,
                clusters: section.or("clusters", init::CLUSTERS, |field| field.count(1))?,
                spread: section.or("spread", init::SPREAD, Field::number)?,
            };
            cloud.validate()?;
            let d = cloud.d;
            (TokenSource::Cloud(cloud), d)
        }
    };
    if d > MAX_DIMENSION {
        let field = section.get("d").filter(|_| field.key == "kind").unwrap_or(field);
        return Err(field.error(format!(": d = {d} exceeds the largest dimension, {MAX_DIMENSION}")));
    }
    count::require_countable(section, source.rows(clouds))?;
    Ok((source, clouds))
}

/// Fixed keys, in the config or in a file.
pub(super) fn fixed_keys(field: &Field<'_>) -> Result<Tokens> {
    if let Item::Text(text) = &field.value.item {
        return npy::read(&field.file(text)?).map_err(|e| field.value.place.blame(e));
    }
    let rows = field.rows()?;
    let d = rows.first().map_or(0, Vec::len);
    if let Some(j) = rows.iter().position(|row| row.len() != d) {
        let count = rows[j].len();
        return Err(
            field.error(format!(": key {j} has {count} coordinates where key 0 has {d}; every key needs the same"))
        );
    }
    Tokens::from_flat(rows.len(), d, rows.concat()).map_err(|e| field.blame(e))
}

/// Rejects keys that do not go with the chosen source of tokens.
fn only(section: &Section<'_>, source: &Field<'_>, keys: &[&str]) -> Result<()> {
    let chosen = match &source.value.item {
        Item::Text(text) => format!("{} = {text:?}", source.key),
        _ => source.key.to_owned(),
    };
    section.allow(keys, source, |_| format!("does not go with {chosen}, which takes {}", keys.join(", ")))
}
