//! The strip of a token beside hardmax and softmax (first experiment of arXiv 2509.15958).
//!
//! ```text
//! hardmax   { j : S_ij = max_l S_il }                  one key, but for ties
//! localmax  C_i(δ) = { j : max_l S_il − S_ij <= δ s_i }   some keys, C_i(δ) ⊆ C_i(δ') for δ <= δ'
//! softmax   every j, weight e^{β S_ij} / Σ_l e^{β S_il}    all n keys
//! ```
//!
//! A cell is a cloud and a δ: the engine's masks of some rows, beside the plain reference. What a
//! strip leaves out of softmax's mass has a bound: each key outside weighs at most e^{−β δ s_i} of
//! the heaviest, and the whole at least 1 of it. The tokens may be one's own, as those of a trained
//! model that `localmax import` takes.

mod draw;
mod mass;
mod measure;
mod source;

use self::source::TokenFile;
use super::common::{self, total};
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Statement, Study, Verdict, Workbench};
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, Rule, StripForm};
use crate::num::short;
use crate::schedule::Schedule;

sheet! {
    STRIP = Reconstructed("2509.15958, Eq. 5 and section 2",
        "A token attends to the tokens whose score is within δ·s of its largest score: a strip");
    NESTED = Proved("2509.15958, section 2; from the definition",
        "Strips are nested: a smaller δ attends to fewer tokens, down to hardmax");
    HARDMAX = Proved("2407.01602, section 2", "Hardmax attends to one key, but for ties");
    SOFTMAX = Illustration("2509.15958, section 1; from the definition",
        "Softmax attends to all keys: the equation in f64, no engine");
    WIDEST = Proved("2509.15958, section 2; from the definition",
        "A strip wider than the cloud holds all tokens");
    LEFT_OUT = Illustration("from the definitions",
        "A strip leaves out at most (n − |C|)·e^{−βδs} of softmax's mass, s the unit of δ");
}

/// Most tokens of a pictured cloud.
const MOST_PICTURED: usize = 1500;

parameters! { Strip:
    /// Widths of the strip
    deltas: Vec<f64> = vec![0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0], "LIST",
        value_delimiter = ',';
    /// Width whose strip is pictured; one of the list
    shown: f64 = 0.5, "DELTA";
    /// Inverse temperature of the softmax beside it
    beta: f64 = 2.0, "BETA";
    /// Step size of the trajectory that is played
    alpha: f64 = 0.5, "ALPHA";
    /// Form of the strip, which sets the unit of its width
    form: StripForm = StripForm::Width, "FORM", value_parser = common::forms();
    /// Shares of softmax's mass to leave out: the report has the strips that do
    omegas: Vec<f64> = vec![0.01, 0.1, 0.5], "LIST", value_delimiter = ',';
    /// Tokens of your own in place of clouds: an .npy file, as `localmax import` writes
    file: Option<TokenFile> = None, "FILE", value_parser = TokenFile::read,
        conflicts_with_all = ["tokens", "dim", "seeds", "first_seed"];
}

/// A cloud and a width.
#[derive(Clone, Debug)]
pub struct Cell {
    seed: u64,
    delta: f64,
}

columns! { Row:
    seed: u64, "Seed of the cloud";
    delta: f64, "δ";
    rows: u64, "Number of rows examined";
    strip_min: u64, "Number of keys of the smallest strip";
    strip_mean: f64, "Mean number of keys of a strip";
    strip_max: u64, "Number of keys of the largest strip";
    differ: u64, "Rows whose mask on the engine differs from the formula's, pairs within rounding of the edge excepted";
    not_nested: u64, "Rows whose strip at δ/2 is not inside the one at δ";
    hardmax_ties: u64, "Rows that attend to more than one key under hardmax, on the engine";
    all_due: bool, "Whether δ exceeds every difference of scores: then all tokens are in every strip";
    softmax_zeros: u64, "Rows in which a softmax weight is 0 that f64 can hold";
    softmax_keys: f64, "Mean of `exp(entropy)` of the softmax weights: the number of keys that count";
    mass_mean: f64, "Mean share of softmax's mass that the strip holds";
    mass_min: f64, "The least such share";
    over_bound: u64, "Rows that leave out more than (n − |C|)·e^{−βδs}";
}

impl Strip {
    fn localmax(&self, delta: f64) -> Model {
        common::localmax(delta, self.form, &Matrix::Identity, self.alpha)
    }

    fn softmax(&self) -> Model {
        self.model(Rule::Softmax { beta: Schedule::Constant(self.beta) })
    }

    fn model(&self, rule: Rule) -> Model {
        common::averaging(rule, &Matrix::Identity, self.alpha)
    }
}

impl Study for Strip {
    const NAME: &'static str = "strip";
    const TITLE: &'static str = "The strip of a token, between hardmax and softmax";
    const EXAMPLES: &'static str = "Examples:
  localmax study strip                                    300 tokens in the plane, in seconds
  localmax study strip --tokens 5000 --shown 0.2          more of them, a narrower strip pictured
  localmax study strip --form score --dim 3               the score form, in space
  localmax study strip --file tokens.npy --beta 0.125 --form score --deltas 1,3,10,30 --shown 10
                                                          tokens of your own, at their softmax's β";
    const SIZES: Sizes = Sizes::new(300, 2, 5, 40);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.tokens, sizes.seeds) = (100, 2);
        self.deltas = vec![0.05, 0.5, 5.0];
    }

    fn settle(asked: &mut Asked<Self>) {
        if let Some(file) = &asked.own.file {
            [asked.sizes.tokens, asked.sizes.dim] = file.shape;
            (asked.sizes.seeds, asked.sizes.first_seed) = (1, 1);
        }
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let Strip { deltas, shown, beta, omegas, .. } = &asked.own;
        if let Some(omega) = omegas.iter().find(|omega| !(**omega > 0.0 && **omega < 1.0)) {
            return Err(Error::input(format!(
                "--omegas: {} is no share; each must be above 0 and below 1",
                short(*omega)
            )));
        }
        if let Some(delta) = deltas.iter().find(|delta| !(delta.is_finite() && **delta > 0.0)) {
            return Err(Error::input(format!(
                "--deltas: {} is no width; each must be finite and above 0",
                short(*delta)
            )));
        }
        if !deltas.contains(shown) {
            return Err(Error::input(format!("--shown {shown}: it must be one of --deltas")));
        }
        asked.own.localmax(*shown).validate(asked.sizes.dim, asked.sizes.steps)?;
        asked
            .own
            .softmax()
            .validate(asked.sizes.dim, 1)
            .map_err(|_| Error::input(format!("--beta {beta}: it must be finite and at least 0")))?;
        let seeds = asked.sizes.every_seed();
        Ok(seeds.flat_map(|seed| deltas.iter().map(move |&delta| Cell { seed, delta })).collect())
    }

    fn label(cell: &Cell) -> String {
        format!("seed {}, δ = {}", cell.seed, cell.delta)
    }

    fn extent(asked: &Asked<Self>) -> String {
        let Sizes { seeds, steps, precision, .. } = &asked.sizes;
        let of = match &asked.own.file {
            Some(file) => file.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            None => format!("{seeds} seeds, at most {steps} steps"),
        };
        format!("{}, {of}, {}", asked.sizes.shape(), precision.name())
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        claims(asked, &results.rows, report);
        report.text(format!(
            "Localmax averages over the tokens in a strip of width δ below a token's largest score ({} form here). \
             It lies between hardmax, which sees one key, and softmax, which weighs all of them. Equation 5 of the \
             paper is reconstructed from its summary; the strip's form is ours to choose, and both readings can be \
             run (--form).",
            asked.own.form
        ));
        draw::figures(asked, results, report)?;
        mass::conclude(asked, results, report)
    }
}

fn claims(asked: &Asked<Strip>, rows: &[Row], report: &mut Report) {
    let examined = total(rows, |row| row.rows);
    let mut always = |claim: Statement, count: fn(&Row) -> u64, of: &str| {
        report.claim(claim.always(total(rows, count), examined, of));
    };
    always(STRIP, |row| row.differ, "rows, the engine's mask beside the formula");
    always(NESTED, |row| row.not_nested, "rows, δ/2 inside δ");
    if asked.own.file.is_none() {
        always(HARDMAX, |row| row.hardmax_ties, "rows of normal clouds, which have no ties");
    }
    always(SOFTMAX, |row| row.softmax_zeros, "rows, a weight of 0");
    always(LEFT_OUT, |row| row.over_bound, "rows, the engine's strip in the formula's softmax");
    let (n, widest) = (asked.sizes.tokens as u64, || rows.iter().filter(|row| row.all_due));
    let fewest = widest().map(|row| row.strip_min).min().unwrap_or(0);
    report.claim(WIDEST.judged(
        match widest().count() {
            0 => "no δ is as wide as that".into(),
            clouds => format!("in {clouds} cells δ is as wide as that; the smallest strip holds {fewest} of {n}"),
        },
        "all tokens, where δ exceeds the diameter (times the largest token in the score form)",
        Verdict::if_any(widest().next().is_some(), fewest == n),
    ));
}
