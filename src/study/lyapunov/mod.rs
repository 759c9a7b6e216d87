//! Lyapunov candidates along trajectories, and what happens where they rise (third next check of a
//! summary of arXiv 2509.15958; open questions 1 and 2).
//!
//! | candidate | formula | known |
//! |---|---|---|
//! | `V` | Σ_ij min(\|x_i − x_j\|², R²), R = δ (Hegselmann, Krause) | falls where attention is mutual; not here |
//! | `spread` | Σ_ij \|x_i − x_j\|² | |
//! | `in strips` | Σ_i mean_{j in C_i} \|x_i − x_j\|² | 0 at consensus of every strip |
//! | `gaps` | Σ_i g_i | → 0 iff all limits lie in S |
//! | `−Σ⟨Ax,x⟩` | | falls in hardmax, A positive definite (derived) |
//! | `width` | the mean width of K(t), over fixed directions | falls for any A, as K(t) is nested |
//!
//! Eq. (41) of the paper is not public here: V with R = δ stands in its place (reconstructed).
//!
//! In a step in which V rises, every pair's part in it is told apart by which of its tokens
//! attended to the other in that step: both, one of them, or neither.

mod claims;
mod draw;
mod measure;
mod rises;

use super::common::{self, FAMILIES, pairs, positive, texts};
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench, clouds};
use crate::error::Result;
use crate::model::{Matrix, Model, StripForm};

sheet! {
    NOT_MONOTONE = Reconstructed("2509.15958, section 6; Eq. 41 not public",
        "V with R = δ is not monotone along localmax (A: {kind})");
    FALLS_BACK = Conjecture("2509.15958, section 7.1, open question 2",
        "After every rise V falls back below where it was: it may serve as a non-monotone function (A: {kind})");
    RAISED_BY = Counted("2509.15958, section 7.1, takes asymmetry for what hinders",
        "The pairs that V rises by: which of their tokens attended to the other (A: {kind})");
    WIDTH_FALLS = Proved("2509.15958, section 3; derived here for any A",
        "The mean width of K never rises, whatever A and δ");
    SQUARES_RISE = Proved("derived from 2407.01602, section 2",
        "In hardmax Σ⟨Ax,x⟩ never falls, A positive definite");
    SQUARES_FALL = Counted("observed here", "Falls of Σ|x|² in localmax (A = I)");
}

/// A rise below this times the candidate's largest magnitude is rounding.
const ROUNDING: f64 = 1e-12;
/// Names of the candidates, in order.
const CANDIDATES: [&str; 6] = ["V", "spread", "in strips", "gaps", "−Σ⟨Ax,x⟩", "width"];
/// Indices of three of them.
const V: usize = 0;
const SQUARES: usize = 4;
const WIDTH: usize = 5;
/// Relations of a pair: which of its tokens attended to the other.
const RELATIONS: [&str; 3] = ["both", "one of them", "neither"];

parameters! { Lyapunov:
    /// Kinds of A, as in the study `asymmetric`
    families: Vec<String> = texts(["identity", "gram", "query-key"]), "LIST",
        value_delimiter = ',', value_parser = FAMILIES;
    /// Widths of the strip, constant in time; 0 is hardmax
    deltas: Vec<f64> = vec![0.0, 0.4, 1.0], "LIST", value_delimiter = ',';
    /// R of V where δ is 0; elsewhere R = δ
    radius: f64 = 0.4, "R";
    /// Step size
    alpha: f64 = 0.5, "ALPHA";
    /// Form of the strip, which sets the unit of its width
    form: StripForm = StripForm::Width, "FORM", value_parser = common::forms();
    /// Cloud to begin with
    cloud: String = "normal".into(), "CLOUD", value_parser = clouds::parser();
}

/// A cloud, a matrix and a width.
#[derive(Clone, Debug)]
pub struct Cell {
    family: String,
    a: Matrix,
    delta: f64,
    seed: u64,
}

columns! { Row:
    family: String, "Kind of A";
    delta: f64, "δ";
    seed: u64, "Seed of the cloud and of A";
    steps: u64, "Steps taken";
    settled: bool, "Whether no bit moves any more";
    one_way: f64, "Share of the pairs with one-way attention among all pairs that attend, over all steps";
    rises: u64, "Number of steps in which V rose";
    largest: f64, "The largest rise of V";
    largest_at: u64, "The step before it";
    up_both: f64, "Rise of V in those steps by pairs that attended to each other";
    up_one: f64, "Rise of V in those steps by pairs in which one attended to the other";
    up_neither: f64, "Rise of V in those steps by pairs in which neither did";
}

impl Row {
    /// Rises by relation, in the order of [`RELATIONS`].
    fn up(&mut self, relation: usize) -> &mut f64 {
        match relation {
            0 => &mut self.up_both,
            1 => &mut self.up_one,
            _ => &mut self.up_neither,
        }
    }
}

/// A kind of A with a width.
struct Kind<'a> {
    family: &'a str,
    delta: f64,
    name: String,
}

impl Kind<'_> {
    fn has(&self, row: &Row) -> bool {
        row.family == self.family && row.delta == self.delta
    }
}

impl Lyapunov {
    fn model(&self, a: &Matrix, delta: f64) -> Model {
        common::localmax(delta, self.form, a, self.alpha)
    }

    /// Every kind of A with every width, in order.
    fn kinds(&self) -> impl Iterator<Item = Kind<'_>> {
        let name = |family: &str, delta: f64| format!("{family}, δ = {delta}");
        let pairs = pairs(&self.families, &self.deltas);
        pairs.map(move |(family, &delta)| Kind { family, delta, name: name(family, delta) })
    }
}

impl Study for Lyapunov {
    const NAME: &'static str = "lyapunov";
    const TITLE: &'static str = "Lyapunov candidates along trajectories, and what happens where they rise";
    const EXAMPLES: &'static str = "Examples:
  localmax study lyapunov                                three kinds of A, three widths, six candidates
  localmax study lyapunov --quick                        in seconds
  localmax study lyapunov --tokens 100 --seeds 100       more tokens, more clouds
  localmax study lyapunov --families skew --deltas 0.4   a skew A alone";
    const SIZES: Sizes = Sizes::new(25, 2, 40, 400);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.seeds, sizes.steps) = (4, 120);
        (self.families, self.deltas) = (texts(["identity", "query-key"]), vec![0.0, 0.4]);
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        clouds::validate(&own.cloud, sizes.tokens, sizes.dim)?;
        positive("--radius", own.radius)?;
        let mut cells = Vec::new();
        for Kind { family, delta, .. } in own.kinds() {
            for seed in sizes.every_seed() {
                let a = common::matrix(family, None, sizes.dim, seed);
                if seed == sizes.first_seed {
                    own.model(&a, delta).validate(sizes.dim, 1)?;
                }
                cells.push(Cell { family: family.to_owned(), a, delta, seed });
            }
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("A: {}, δ = {}, seed {}", cell.family, cell.delta, cell.seed)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        let runs = rises::Runs::of(results)?;
        claims::judge(asked, &runs, report);
        report.text(format!(
            "Every candidate is computed at every step. It rises where it grows by more than {ROUNDING:.0e} of its \
             largest magnitude. A rise is waited out where the candidate comes back to where it was: one that \
             always does, in a bounded number of steps, would serve as a non-monotone Lyapunov function. V is the \
             classical Σ min(|xᵢ − xⱼ|², R²) with R = δ (R = {} for δ = 0), in place of Eq. 41, which is \
             reconstructed.",
            asked.own.radius
        ));
        rises::table(asked, &runs, report);
        draw::figures(asked, results, &runs, report)
    }
}
