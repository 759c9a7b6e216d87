//! The report of a study: claims, figures, tables, text, and how it came about.

use std::path::PathBuf;

use serde::Serialize;

use super::claim::{Claim, Verdict};
use super::folder::Folder;
use super::{Asked, Study};
use crate::error::{Error, Result};
use crate::io::atomic;
use crate::plot::document::{Block, Document, TextTable};
use crate::plot::{Picture, Player};

/// Rows of the table that the report shows; `table.csv` has all.
const MOST_ROWS: usize = 60;

/// What a study came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    claims: Vec<Claim>,
    body: Vec<Block>,
    data: Vec<Data>,
}

/// A table that is a file of its own.
#[derive(Clone, Debug)]
struct Data {
    name: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Report {
    /// An empty report.
    pub fn new() -> Self {
        Self::default()
    }

    /// A claim beside its measurement.
    pub fn claim(&mut self, claim: Claim) {
        self.claims.push(claim);
    }

    /// The claims so far.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Stated errors are for f64: what f32 refutes may be its rounding, and is not decided.
    pub(super) fn doubt(&mut self) {
        for claim in self.claims.iter_mut().filter(|claim| claim.agrees == Verdict::No) {
            claim.agrees = Verdict::Undecided;
            claim.error += "; in f32 rounding may be what differs: take --precision f64";
        }
    }

    /// A heading.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.body.push(Block::Heading(text.into()));
    }

    /// A paragraph.
    pub fn text(&mut self, text: impl Into<String>) {
        self.body.push(Block::Text(text.into()));
    }

    /// A table.
    pub fn table(&mut self, caption: &str, head: &[&str], rows: Vec<Vec<String>>) {
        let head = head.iter().map(|&cell| cell.to_owned()).collect();
        self.body.push(Block::Table(TextTable { caption: caption.to_owned(), head, rows }));
    }

    /// A table that is saved as `<name>.csv`, in full, and not shown.
    pub fn data(&mut self, name: &str, head: Vec<String>, rows: Vec<Vec<String>>) {
        self.data.push(Data { name: name.to_owned(), head, rows });
    }

    /// A figure, saved as `<name>.svg` and `<name>.png`.
    pub fn figure(&mut self, name: &str, caption: &str, picture: Picture) {
        self.body.push(Block::Figure { name: name.to_owned(), caption: caption.to_owned(), picture });
    }

    /// A trajectory to play, saved as `<name>.gif` too.
    pub fn player(&mut self, name: &str, caption: &str, player: Player) {
        self.body.push(Block::Player { name: name.to_owned(), caption: caption.to_owned(), player });
    }

    /// Writes `claims.csv`, the report and its figures; the files written.
    pub(super) fn save<S: Study>(&self, asked: &Asked<S>, rows: &[S::Row], folder: &Folder) -> Result<Vec<PathBuf>> {
        let claims = folder.path().join("claims.csv");
        let text = as_csv(&self.claims).map_err(|e| Error::input(format!("{}: {e}", claims.display())))?;
        atomic::write(&claims, |file| file.write_all(&text))?;
        let mut written = vec![claims];
        for Data { name, head, rows } in &self.data {
            let path = folder.path().join(format!("{name}.csv"));
            let bad = |e: csv::Error| Error::input(format!("{}: {e}", path.display()));
            let mut writer = csv::Writer::from_writer(Vec::new());
            std::iter::once(head).chain(rows).try_for_each(|row| writer.write_record(row)).map_err(bad)?;
            let text = writer.into_inner().map_err(|e| Error::input(format!("{}: {e}", path.display())))?;
            atomic::write(&path, |file| file.write_all(&text))?;
            written.push(path);
        }
        written.extend(self.document(asked, rows)?.save(folder.path(), "report")?);
        Ok(written)
    }

    fn document<S: Study>(&self, asked: &Asked<S>, rows: &[S::Row]) -> Result<Document> {
        let mut blocks = Vec::new();
        if !self.claims.is_empty() {
            blocks.push(Block::Heading("Claims and measurements".into()));
            let head = ["claim", "source", "basis", "measured", "stated error", "agrees"].map(str::to_owned).to_vec();
            let row = |c: &Claim| {
                let (basis, agrees) = (c.basis.name(), c.agrees.name());
                [&c.claim, &c.source, basis, &c.measured, &c.error, agrees].map(str::to_owned).to_vec()
            };
            let caption = "Basis: proved in the paper or derived in full; reported from its experiments; reconstructed from its \
                           summary where the text itself was not at hand.";
            blocks.push(Block::Table(TextTable {
                caption: caption.into(),
                head,
                rows: self.claims.iter().map(row).collect(),
            }));
        }
        blocks.extend(self.body.iter().cloned());
        blocks.push(Block::Heading("Parameters".into()));
        let parameters = asked.parameters().into_iter().map(|(key, value)| vec![key, value]).collect();
        blocks.push(Block::Table(TextTable {
            caption: "study.toml runs again as it is: localmax study study.toml".into(),
            head: vec!["parameter".into(), "value".into()],
            rows: parameters,
        }));
        blocks.push(Block::Heading("Cells".into()));
        let table = as_csv(rows).map_err(Error::input)?;
        let mut records = csv::ReaderBuilder::new().has_headers(false).from_reader(&table[..]).into_records();
        let head = records.next().transpose().map_err(|e| Error::input(e.to_string()))?.unwrap_or_default();
        let record = |record: csv::StringRecord| record.iter().map(shortened).collect();
        let shown = records.filter_map(Result::ok).take(MOST_ROWS).map(record).collect();
        let caption = match rows.len() {
            count if count > MOST_ROWS => {
                format!("The first {MOST_ROWS} of {count} cells; table.csv has all, in full digits.")
            }
            _ => "Numbers to six digits; table.csv has all of them.".to_owned(),
        };
        blocks.push(Block::Table(TextTable { caption, head: head.iter().map(str::to_owned).collect(), rows: shown }));
        Ok(Document {
            title: S::TITLE.to_owned(),
            subtitle: format!("localmax {} · study {} · {}", env!("CARGO_PKG_VERSION"), S::NAME, S::extent(asked)),
            blocks,
        })
    }
}

fn as_csv(rows: &[impl Serialize]) -> Result<Vec<u8>, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(|e| e.to_string())?;
    writer.into_inner().map_err(|e| e.to_string())
}

/// A number to six digits; other text as it is.
fn shortened(field: &str) -> String {
    match field.parse::<f64>() {
        Ok(value) if field.len() > 8 => {
            let plain = (1e-3..1e6).contains(&value.abs());
            let digits = if plain { (5.0 - value.abs().log10().floor()).clamp(0.0, 9.0) as usize } else { 5 };
            if plain { format!("{value:.digits$}") } else { format!("{value:.5e}") }
        }
        _ => field.to_owned(),
    }
}
