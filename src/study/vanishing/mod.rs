//! Constant against vanishing δ (third experiment of arXiv 2509.15958; Theorem 5.1 and Remark 3.1).
//!
//! ```text
//! δ(t) → 0      every limit lies in S: the gap g_i = max_l S_il − S_ii → 0, as in hardmax
//! δ constant    limits outside S occur; at a limit g_i <= δ s_i, for x_i is then the mean of C_i
//! ```
//!
//! A cell is a cloud and a schedule, taken to the last step; its tokens' gaps and distances to the
//! nearest vertex of the last hull go into histograms. A δ that has not vanished by the last step
//! may still hold tokens where a constant one would: a gap of up to δ(T)·s_i then decides nothing.

mod claims;
mod draw;
mod measure;

use super::common::{self, Formulas, pairs, texts};
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench, clouds};
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, Rule, StripForm};
use crate::schedule::Schedule;

sheet! {
    HARDMAX = Reconstructed("2407.01602, main theorem",
        "Hardmax (δ = 0): every token converges to a point of S (cloud {cloud})");
    VANISHES = Reconstructed("2509.15958, Theorem 5.1",
        "δ(t) = {delta} vanishes: every limit lies in S, all alignment gaps go to 0 (cloud {cloud})");
    OUTSIDE = Reconstructed("2509.15958, Remark 3.1",
        "δ = {delta} constant: limits outside S occur (cloud {cloud})");
    BOUNDED = Proved("derived here from Eq. 5",
        "δ = {delta} constant: at a limit the gap is at most δ·s, for a token that rests is the mean of its strip \
         (cloud {cloud})");
    CLOSER = Reported("2509.15958, third experiment of a summary",
        "A vanishing δ leaves tokens closer to vertices than δ = {delta} (cloud {cloud})");
    NESTED = Proved("2509.15958, section 3", "The hull never grows: no support function rises");
}

/// A gap below this is none.
const NONE: f64 = 1e-6;
/// A gap above this is an artefact.
const ARTEFACT: f64 = 1e-2;
/// Number of random directions of support functions.
const DIRECTIONS: usize = 64;

parameters! { Vanishing:
    /// Schedules of the strip's width, numbers or formulas in t; 0 is hardmax
    deltas: Formulas =
        Formulas::of(["0.25", "0.15", "0", "1/(t+1)", "1/(t+4)", "0.25*exp(-t/50)"]), "LIST", value_parser = Formulas::read;
    /// Step size
    alpha: f64 = 0.5, "ALPHA";
    /// Form of the strip, which sets the unit of its width
    form: StripForm = StripForm::Width, "FORM", value_parser = common::forms();
    /// Clouds to begin with
    clouds: Vec<String> = texts(["corners", "normal"]), "LIST",
        value_delimiter = ',', value_parser = clouds::parser();
}

/// The behaviour of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Hardmax,
    Constant,
    Vanishing,
    /// It tends to a number above 0.
    Positive,
    /// Its limit cannot be told from its formula.
    Open,
}

impl Sort {
    fn of(delta: &Schedule) -> Self {
        match delta {
            Schedule::Constant(0.0) => Self::Hardmax,
            Schedule::Constant(_) => Self::Constant,
            other => match other.limit() {
                Some(0.0) => Self::Vanishing,
                Some(_) => Self::Positive,
                None => Self::Open,
            },
        }
    }
}

/// A cloud and a schedule.
#[derive(Clone, Debug)]
pub struct Cell {
    cloud: String,
    text: String,
    delta: Schedule,
    seed: u64,
}

columns! { Row:
    cloud: String, "The cloud at the start";
    delta: String, "δ(t)";
    seed: u64, "Seed of the cloud";
    steps: u64, "Steps taken; fewer than allowed where no bit will ever move again";
    settled: bool, "Whether the last step moved no bit";
    delta_last: f64, "δ at the last step";
    vertices: u64, "Number of vertices of the last hull";
    gap_max: f64, "The largest alignment gap";
    artefacts: u64, "Tokens with a gap above 1e-2";
    aligned: u64, "Tokens with a gap of at most 1e-6";
    beyond: u64, "Tokens with a gap above δ(T)·s and rounding";
    distance_mean: f64, "The mean distance to the nearest vertex";
    distance_max: f64, "The largest distance to the nearest vertex";
    rise_ulps: f64, "The largest rise of a support function, in ulps of the radius";
}

impl Vanishing {
    fn model(&self, delta: &Schedule) -> Model {
        let rule = Rule::Localmax { delta: delta.clone(), strip: self.form };
        common::averaging(rule, &Matrix::Identity, self.alpha)
    }
}

impl Study for Vanishing {
    const NAME: &'static str = "vanishing";
    const TITLE: &'static str = "Constant against vanishing δ: where tokens end, and what constant δ leaves behind";
    const EXAMPLES: &'static str = "Examples:
  localmax study vanishing                                   six schedules, two kinds of clouds, in a minute or two
  localmax study vanishing --quick                           in seconds
  localmax study vanishing --deltas '0.5,0.5/(t+1)' --dim 3  two schedules of your own, in space; commas in brackets do
                                                             not part
  localmax study vanishing --form score --seeds 40           the score form, more clouds";
    const SIZES: Sizes = Sizes::new(200, 2, 8, 20_000);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.tokens, sizes.seeds, sizes.steps) = (60, 2, 2000);
        self.deltas = Formulas::of(["0.25", "1/(t+4)", "0"]);
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        let mut cells = Vec::new();
        for (cloud, text) in pairs(&own.clouds, own.deltas.list()) {
            clouds::validate(cloud, sizes.tokens, sizes.dim)?;
            let delta = Schedule::parse(text).map_err(|e| Error::input(format!("--deltas: {e}")))?;
            own.model(&delta)
                .validate(sizes.dim, sizes.steps.min(1_000_000))
                .map_err(|e| Error::input(format!("--deltas {text}, --alpha {}: {e}", own.alpha)))?;
            let cell = |seed| Cell { cloud: cloud.clone(), text: text.clone(), delta: delta.clone(), seed };
            cells.extend(sizes.every_seed().map(cell));
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("{} cloud, δ(t) = {}, seed {}", cell.cloud, cell.text, cell.seed)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        claims::judge(asked, &results.rows, report)?;
        report.text(format!(
            "Every cloud is taken to step {} under every schedule; with a constant δ it ends earlier, where no bit \
             moves any more. S is that of the last hull: a vanishing δ recovers hardmax in that limits lie in the S \
             of their own K, which is smaller than the K of hardmax from the same start. The strip is measured in \
             the {} form; that Eq. 5 has it is reconstructed. {}",
            asked.sizes.steps,
            asked.own.form,
            clouds::ABOUT
        ));
        claims::table(asked, &results.rows, report)?;
        draw::figures(asked, results, report)
    }
}
