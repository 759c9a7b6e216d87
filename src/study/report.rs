//! The report of a study: claims, figures, tables, text, and how it came about.

use std::path::PathBuf;

use serde::Serialize;

use super::claim::{Claim, Verdict};
use super::folder::Folder;
use super::records;
use crate::error::{Error, Result};
use crate::io::atomic;
use crate::plot::document::{Block, Document, TextTable};
use crate::plot::{Chart, Panels, Picture, Player, Size};

/// Rows of the table that the report shows; `table.csv` has all.
const MOST_ROWS: usize = 60;

/// The claims, figures and tables that a study ends in.
#[derive(Clone, Debug, Default)]
pub struct Report {
    claims: Vec<Claim>,
    body: Vec<Block>,
    data: Vec<Data>,
    note: Option<String>,
}

/// A table that is a file of its own.
#[derive(Clone, Debug)]
struct Data {
    name: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The front of a report: its study and the parameters.
pub(super) struct Front {
    pub(super) title: &'static str,
    pub(super) study: &'static str,
    pub(super) extent: String,
    pub(super) parameters: Vec<(String, String)>,
}

impl Report {
    /// Adds a claim with its measurement.
    pub fn claim(&mut self, claim: Claim) {
        self.claims.push(claim);
    }

    /// The claims so far.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Makes every refuted claim undecided: criteria are for f64, and f32 may differ by rounding.
    pub(super) fn doubt(&mut self) {
        for claim in self.claims.iter_mut().filter(|claim| claim.agrees == Verdict::No) {
            claim.agrees = Verdict::Undecided;
            claim.error += "; in f32 rounding may be what differs: take --precision f64";
        }
    }

    /// Adds a paragraph that is said to who has started the study, too.
    pub fn tell(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.text(text.clone());
        self.note = Some(text);
    }

    /// What is to be said.
    pub(super) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Adds a paragraph.
    pub fn text(&mut self, text: impl Into<String>) {
        self.body.push(Block::Text(text.into()));
    }

    /// Adds a table; the names of its columns are parted by ` | `.
    pub fn table(&mut self, caption: &str, head: &str, rows: Vec<Vec<String>>) {
        self.body.push(table(caption, head, rows));
    }

    /// Adds a table that is saved as `<name>.csv`, in full, and not shown.
    pub fn data(&mut self, name: &str, head: Vec<String>, rows: Vec<Vec<String>>) {
        self.data.push(Data { name: name.to_owned(), head, rows });
    }

    /// Draws a chart of this width and height as a figure, saved as `<name>.svg` and `<name>.png`.
    ///
    /// # Errors
    /// As [`Chart::draw`].
    pub fn chart(&mut self, name: &str, caption: &str, chart: &Chart, [width, height]: [u32; 2]) -> Result<()> {
        self.figure(name, caption, chart.draw(Size { width, height })?);
        Ok(())
    }

    /// Draws panels of this width as a figure, `above` pixels high and `each` more for every line
    /// of panels; nothing without charts.
    ///
    /// # Errors
    /// As [`Panels::draw`].
    pub fn panels(
        &mut self,
        name: &str,
        caption: &str,
        panels: &Panels,
        width: u32,
        [above, each]: [u32; 2],
    ) -> Result<()> {
        let count = panels.charts.len();
        if count > 0 {
            let height = above + each * count.div_ceil(panels.columns.clamp(1, count)) as u32;
            self.figure(name, caption, panels.draw(Size { width, height })?);
        }
        Ok(())
    }

    fn figure(&mut self, name: &str, caption: &str, picture: Picture) {
        self.body.push(Block::Figure { name: name.to_owned(), caption: caption.to_owned(), picture });
    }

    /// Adds a trajectory to play, saved as `<name>.gif` too.
    pub fn player(&mut self, name: &str, caption: &str, player: Player) {
        self.body.push(Block::Player { name: name.to_owned(), caption: caption.to_owned(), player: Box::new(player) });
    }

    /// Writes `claims.csv`, the report and its figures; returns the files written.
    pub(super) fn save(&self, front: Front, rows: &[impl Serialize], folder: &Folder) -> Result<Vec<PathBuf>> {
        let mut written = Vec::new();
        let mut write = |name: &str, text: Vec<u8>| {
            let path = folder.path().join(format!("{name}.csv"));
            atomic::write(&path, |file| file.write_all(&text))?;
            written.push(path);
            Ok::<_, Error>(())
        };
        let header = vec!["claim,source,basis,measured,error,agrees".split(',').map(str::to_owned).collect()];
        let claims = if self.claims.is_empty() { header } else { records::of(&self.claims)? };
        write("claims", records::bytes(claims)?)?;
        for Data { name, head, rows } in &self.data {
            write(name, records::bytes(std::iter::once(head).chain(rows))?)?;
        }
        #[cfg(feature = "parquet")]
        for table in written.clone().into_iter().chain([folder.path().join("table.csv")]) {
            written.push(crate::io::parquet::write(&table)?);
        }
        written.extend(self.document(front, rows)?.save(folder.path(), "report")?);
        Ok(written)
    }

    fn document(&self, front: Front, rows: &[impl Serialize]) -> Result<Document> {
        let mut blocks = Vec::new();
        if !self.claims.is_empty() {
            blocks.push(Block::Heading("Claims and measurements".into()));
            blocks.push(self.claim_table());
        }
        blocks.extend(self.body.iter().cloned());
        blocks.push(Block::Heading("Parameters".into()));
        let parameters = front.parameters.into_iter().map(|(key, value)| vec![key, value]).collect();
        let caption = "study.toml runs again as it is: localmax study study.toml";
        blocks.push(table(caption, "parameter | value", parameters));
        blocks.push(Block::Heading("Cells".into()));
        blocks.push(cell_table(rows)?);
        Ok(Document {
            title: front.title.to_owned(),
            subtitle: format!("localmax {} · study {} · {}", env!("CARGO_PKG_VERSION"), front.study, front.extent),
            blocks,
        })
    }

    fn claim_table(&self) -> Block {
        let row = |c: &Claim| {
            [&c.claim, &c.source, c.basis.name(), &c.measured, &c.error, c.agrees.name()].map(str::to_owned).to_vec()
        };
        let caption = "Basis: proved in the paper or derived in full; reconstructed from its summary where the text \
                       itself was not at hand; reported from its experiments; conjecture: open, so that cases may \
                       refute it but not prove it; counted: a number, of which nothing is claimed; illustration: \
                       true by definition or algebra.";
        let head = "claim | source | basis | measured | criterion | agrees";
        table(caption, head, self.claims.iter().map(row).collect())
    }
}

/// The first cells with their numbers to six digits.
fn cell_table(rows: &[impl Serialize]) -> Result<Block> {
    let mut records = records::of(rows)?.into_iter();
    let head = records.next().unwrap_or_default();
    let shown = records.take(MOST_ROWS).map(|record| record.iter().map(|field| shortened(field)).collect()).collect();
    let caption = match rows.len() {
        count if count > MOST_ROWS => {
            format!("The first {MOST_ROWS} of {count} cells; table.csv has all, in full digits.")
        }
        _ => "Numbers to six digits; table.csv has all of them.".to_owned(),
    };
    Ok(Block::Table(TextTable { caption, head, rows: shown }))
}

fn table(caption: &str, head: &str, rows: Vec<Vec<String>>) -> Block {
    let head = head.split(" | ").map(str::to_owned).collect();
    Block::Table(TextTable { caption: caption.to_owned(), head, rows })
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
