//! Limits outside S under constant δ (open question 3 and Remark 3.1 of arXiv 2509.15958).
//!
//! ```text
//! x outside S:  x rests, and its gap g = max_l <x, x_l> − |x|² is above 0
//!               then x = mean of C, and g <= δ s
//! two vertices v, w in the strip of x:  x = (v + w)/2,  g = ||v|² − |w|²|/4
//! ```
//!
//! A cell takes a cloud to where no bit moves any more. Where tokens rest outside S, it finds
//! whether they lie on the boundary of the hull and which tokens they attend to; then it displaces
//! the last or the first state a little and takes it to its end again. Seed 0 is the constructed
//! case of five tokens.

mod claims;
mod draw;
mod measure;

use super::common::{self, pairs, texts, total};
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench, clouds};
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, Rule, StripForm};
use crate::tokens::Tokens;

sheet! {
    CONSTRUCTED = Proved("after 2509.15958, Remark 3.1; derived here",
        "Constructed case: four tokens stay, the fifth goes to (v + w)/2 = (1.05, 0), which is not in S");
    OUTSIDE = Reconstructed("2509.15958, Remark 3.1",
        "With a constant δ > 0 limits outside S occur (cloud {cloud})");
    BOUNDED = Proved("derived here from Eq. 5",
        "A limit's gap is at most δ·s: a token at rest is the mean of its strip (cloud {cloud})");
    BETWEEN = Conjecture("the recipe of Remark 3.1, taken for the only one",
        "Tokens outside S rest between vertices of K that share their strip (cloud {cloud}, {form} form)");
    STABLE = Counted("2509.15958, section 7.1, open question 3",
        "Limits outside S that come through a small displacement of {tokens} (cloud {cloud})");
    BY_DELTA = Reconstructed("2407.01602, main theorem; 2509.15958, Theorem 5.1",
        "They are made by δ alone: hardmax, from there on, takes every one of them into S (cloud {cloud})");
}

/// A gap above this times the squared radius of the cloud is one.
const GAP: f64 = 1e-6;

parameters! { Artefacts:
    /// Clouds to begin with
    clouds: Vec<String> = texts(["corners", "normal"]), "LIST",
        value_delimiter = ',', value_parser = clouds::parser();
    /// Forms of the strip; each is run
    forms: Vec<StripForm> = vec![StripForm::Width, StripForm::Score], "LIST",
        value_delimiter = ',', value_parser = common::forms();
    /// Widths of the strip, constant in time
    deltas: Vec<f64> = vec![0.05, 0.1, 0.2, 0.3, 0.5, 1.0], "LIST", value_delimiter = ',';
    /// Step size
    alpha: f64 = 0.5, "ALPHA";
    /// Lengths of displacements, in units of the cloud's radius
    displacements: Vec<f64> = vec![1e-6, 1e-4, 1e-3, 1e-2, 1e-1], "LIST", value_delimiter = ',';
    /// Draws of each displacement
    draws: u64 = 2, "K";
}

/// A cloud, a form and a width.
#[derive(Clone, Debug)]
pub struct Cell {
    /// `constructed` for the five tokens.
    cloud: String,
    form: StripForm,
    delta: f64,
    alpha: f64,
    seed: u64,
}

columns! { Row:
    cloud: String, "The cloud at the start";
    form: StripForm, "Strip form";
    delta: f64, "δ";
    seed: u64, "Seed of the cloud; 0 for the constructed case";
    steps: u64, "Steps taken";
    settled: bool, "Whether no bit moves any more; only then tokens are said to be outside S";
    tokens: u64, "Number of tokens";
    places: u64, "Number of places at which tokens rest";
    vertices: u64, "Number of vertices of the last hull";
    outside: u64, "Tokens at rest outside S";
    outside_places: u64, "Number of places outside S";
    boundary: u64, "Tokens outside S that lie on the boundary of the hull";
    between_vertices: u64, "Tokens outside S all of whose keys are at vertices or at their own place";
    attended: f64, "Mean number of places that a token outside S attends to besides its own";
    gap_max: f64, "The largest gap";
    beyond: u64, "Tokens outside S with a gap above δ·s and rounding";
    freed: u64, "Tokens outside S that hardmax, from there on, takes into S";
    hardmax_settled: bool, "Whether hardmax came to rest from there";
    last_token: String, "The last token";
}

impl Cell {
    fn model(&self) -> Model {
        common::localmax(self.delta, self.form, &Matrix::Identity, self.alpha)
    }

    fn hardmax(&self) -> Model {
        common::averaging(Rule::Hardmax, &Matrix::Identity, self.alpha)
    }

    fn tokens(&self, asked: &Asked<Artefacts>) -> Result<Tokens> {
        match self.seed {
            0 => constructed(),
            seed => clouds::named(&self.cloud, asked.sizes.tokens, asked.sizes.dim, seed),
        }
    }
}

/// Five tokens for α = 1, δ = 1/2 in the width form: each of the first four sees itself alone; the
/// last sees itself, v = (1, 1) and w = (1.1, −1), and goes to (v + w)/2, where the only point of S
/// on that edge is the projection of 0.
fn constructed() -> Result<Tokens> {
    Tokens::from_flat(5, 2, vec![1.0, 1.0, 1.1, -1.0, -1.2, 0.9, -1.0, -1.1, 1.03, 0.02])
}

impl Study for Artefacts {
    const NAME: &'static str = "artefacts";
    const TITLE: &'static str = "Limits outside the maximal alignment set: how often, where, how stable";
    const EXAMPLES: &'static str = "Examples:
  localmax study artefacts                                     two kinds of clouds, two strip forms, five widths
  localmax study artefacts --quick                             in seconds
  localmax study artefacts --dim 3 --tokens 100 --seeds 200    in space, more clouds
  localmax study artefacts --clouds normal --deltas 0.5        Gaussian clouds, one width";

    const SIZES: Sizes = Sizes::new(20, 2, 40, 5000);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.seeds, self.draws) = (3, 1);
        (self.deltas, self.displacements) = (vec![0.25, 0.5], vec![1e-6, 1e-2]);
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        if let Some(by) = own.displacements.iter().find(|by| !(by.is_finite() && **by > 0.0)) {
            return Err(Error::input(format!("--displacements: {by}; each must be finite and above 0")));
        }
        let (cloud, form) = ("constructed".to_owned(), StripForm::Width);
        let mut cells = vec![Cell { cloud, form, delta: 0.5, alpha: 1.0, seed: 0 }];
        for (cloud, &form) in pairs(&own.clouds, &own.forms) {
            clouds::validate(cloud, sizes.tokens, sizes.dim)?;
            for &delta in &own.deltas {
                let cell = |seed| Cell { cloud: cloud.clone(), form, delta, alpha: own.alpha, seed };
                cell(1).model().validate(sizes.dim, 1)?;
                if delta == 0.0 {
                    return Err(Error::input("--deltas: 0 is hardmax, whose limits lie in S; each must be above 0"));
                }
                cells.extend(sizes.every_seed().map(cell));
            }
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("{} cloud, {} strip, δ = {}, seed {}", cell.cloud, cell.form, cell.delta, cell.seed)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        let trials = Trial::all(results)?;
        claims::judge(asked, &results.rows, &trials, report);
        report.text(format!(
            "A token is outside S where it rests with an alignment gap above {GAP:.0e} of the squared radius. Such \
             a token is the mean of its strip, and its strip holds others than itself: keys that score more than it \
             does itself, by up to δ·s. Displaced are that token alone, every token of the last state, or every token \
             of the first state. A limit comes through where the token rests outside S again; displaced clouds that \
             do not come to rest are left out. {}",
            clouds::ABOUT
        ));
        table(asked, &results.rows, report);
        draw::figures(asked, results, &trials, report)
    }
}

/// Counts tokens outside S, a line for each kind of cloud and form of the strip.
fn table(asked: &Asked<Artefacts>, rows: &[Row], report: &mut Report) {
    let line = |(cloud, form): (&String, &StripForm)| {
        let of = || rows.iter().filter(|row| row.seed > 0 && row.cloud == *cloud && row.form == *form && row.settled);
        let (tokens, outside) = (total(of(), |row| row.tokens), total(of(), |row| row.outside));
        vec![
            cloud.clone(),
            form.to_string(),
            of().count().to_string(),
            of().filter(|row| row.outside > 0).count().to_string(),
            tokens.to_string(),
            outside.to_string(),
            format!("{:.2} %", 100.0 * outside as f64 / tokens.max(1) as f64),
        ]
    };
    let head = "cloud | form | clouds at rest | with tokens outside S | tokens | outside S | share";
    let lines = pairs(&asked.own.clouds, &asked.own.forms).map(line).collect();
    report.table("Tokens outside S, over all δ. `corners` is built to have them.", head, lines);
}

/// The tokens that are displaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Displaced {
    /// The tokens outside S, in the last state.
    Themselves,
    /// Every token of the last state.
    All,
    /// Every token of the first state.
    Start,
}

impl Displaced {
    const EVERY: [(Self, &'static str); 3] = [
        (Self::Themselves, "the tokens outside S, at the end"),
        (Self::All, "every token, at the end"),
        (Self::Start, "every token, at the start"),
    ];
}

/// One displacement of the tokens of one cell that rest outside S.
#[derive(Clone, Copy, Debug)]
struct Trial {
    place: usize,
    displaced: Displaced,
    /// Length of the displacement, in units of the cloud's radius.
    by: f64,
    /// Tokens that were outside S.
    tried: f64,
    /// Tokens of these that are outside S again.
    kept: f64,
    /// The farthest distance of one of these from where it had been, over the length displaced.
    moved: f64,
}

impl Trial {
    const COLUMNS: [&'static str; 5] = ["displaced", "by", "tried", "kept", "moved"];

    fn all(results: &Results<Row>) -> Result<Vec<Self>> {
        let mut trials = Vec::new();
        for (place, (cell, row)) in results.cells(|_| true).enumerate().filter(|(_, (_, row))| row.outside > 0) {
            debug_assert!(row.settled, "only a state at rest has limits");
            for row in results.series(cell, "displaced")?.rows {
                let displaced = Displaced::EVERY[(row[0] as usize).min(2)].0;
                trials.push(Self { place, displaced, by: row[1], tried: row[2], kept: row[3], moved: row[4] });
            }
        }
        Ok(trials)
    }
}
