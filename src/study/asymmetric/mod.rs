//! Scores of KᵀQ instead of A = I (first next check of a summary of arXiv 2509.15958).
//!
//! ```text
//! S_ij = <Q x_i, K x_j> = <A x_i, x_j>,   A = KᵀQ        A = I + κW,  W skew, |W|² = d       A = W
//! ```
//!
//! Statements that carry over to any A, derived here:
//!
//! * The update is a mean: K(t+1) ⊂ K(t).
//! * At rest a vertex v of K is the mean of its strip and extreme: its strip is v alone, so
//!   `<A v, v> = max_K <A v, y>`.
//! * The proof of Theorem 4.1 (arXiv 2509.15958) uses nowhere that A is symmetric, only A v ≠ 0:
//!   rate 1/(1+α) near a vertex.
//! * A token at rest has a gap of at most δ·s.
//! * If A = W is skew, any two vertices have `<W v, w> = 0`, for neither `<W v, w>` nor
//!   `<W w, v> = −<W v, w>` exceeds 0: in the plane K lies on a line through the origin.
//!
//! One that does not: a vertex of the start's hull need not be its own maximiser, so that K can be
//! far smaller than with A = I.

mod claims;
mod draw;
mod measure;

use super::common::{self, FAMILIES, mean, texts};
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench, clouds};
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, StripForm};

sheet! {
    NESTED = Proved("2509.15958, section 3, for A = I; derived here for any A",
        "The hull never grows, whatever A");
    MAXIMISER = Proved("derived here for any A", "Every vertex of K is its own maximiser ({kind} A)");
    RATE = Illustration("algebra: a mean of the group is the mean of every strip",
        "From the step on at which all strips of a group at a vertex are the group, its tokens converge at rate \
         1/(1+α) = {rate} ({kind} A)");
    RESTS = Counted("2509.15958, section 7.1, open question 1", "Clouds that come to rest ({kind} A)");
    SKEW = Proved("derived here for any A",
        "If A is skew, <Av, w> = 0 for any two vertices: in the plane K lies on a line through 0");
    BOUNDED = Proved("derived here for any A", "A token at rest has a gap of at most δ·s, whatever A");
}

/// A gap, or a score of two vertices, below this times |A|·R² is none.
const NONE: f64 = 1e-6;

parameters! { Asymmetric:
    /// Kinds of A: identity; gram, QᵀQ; query-key, KᵀQ of independent Gaussian Q and K; skew, a
    /// random skew matrix
    families: Vec<String> = texts(FAMILIES), "LIST",
        value_delimiter = ',', value_parser = FAMILIES;
    /// Values of κ in A = I + κW, each run besides
    skews: Vec<f64> = vec![0.25, 0.5, 1.0, 2.0, 4.0], "LIST", value_delimiter = ',';
    /// Step size
    alpha: f64 = 0.5, "ALPHA";
    /// Width of the strip, constant in time
    delta: f64 = 0.25, "DELTA";
    /// Form of the strip, which sets the unit of its width
    form: StripForm = StripForm::Width, "FORM", value_parser = common::forms();
    /// Cloud to begin with
    cloud: String = "normal".into(), "CLOUD", value_parser = clouds::parser();
}

/// A cloud and a matrix.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The kind of A, as rows and legends name it.
    family: String,
    a: Matrix,
    seed: u64,
}

columns! { Row:
    family: String, "Kind of A";
    seed: u64, "Seed of the cloud and of A";
    asymmetry: f64, "|A − Aᵀ|/(2|A|) in Frobenius' norm: 0 symmetric, 1 skew";
    steps: u64, "Steps taken";
    settled: bool, "Whether no bit moves any more";
    moving: u64, "Tokens that the last step moved";
    own_cell: f64, "Share of the first hull's vertices that are their own maximisers";
    width_kept: f64, "Mean width of the last hull over that of the first";
    places: u64, "Number of places at which tokens end";
    vertices: u64, "Number of these places at vertices of the last hull";
    vertex_gap: f64, "The largest gap of a vertex, in units of |A|·R²";
    vertex_score: f64, "The largest |<A v, w>| of two vertices, in units of |A|·R²";
    outside: u64, "Tokens with a gap above 1e-6·|A|·R²: at rest, those outside S";
    beyond: u64, "Tokens with a gap above δ·s and rounding";
    fitted: u64, "Number of groups at vertices whose rate was fitted";
    worst: Option<f64>, "The largest |rate − 1/(1+α)|; empty where none was fitted";
    rise_ulps: f64, "The largest rise of a support function, in ulps of the radius";
}

impl Asymmetric {
    fn model(&self, a: &Matrix) -> Model {
        common::localmax(self.delta, self.form, a, self.alpha)
    }

    /// Every kind of A with its name, and κ where it has one, in order.
    fn kinds(&self) -> impl Iterator<Item = (String, Option<f64>)> {
        let named = self.families.iter().map(|family| (family.clone(), None));
        named.chain(self.skews.iter().map(|&skew| (format!("I + {skew}·W"), Some(skew))))
    }
}

impl Study for Asymmetric {
    const NAME: &'static str = "asymmetric";
    const TITLE: &'static str = "Scores of KᵀQ against A = I: what theory predicts, what happens";
    const EXAMPLES: &'static str = "Examples:
  localmax study asymmetric                                  four kinds of A, and I + κW for five κ
  localmax study asymmetric --quick                          in seconds
  localmax study asymmetric --dim 8 --tokens 500             in eight dimensions
  localmax study asymmetric --families query-key --skews 1   KᵀQ and one κ";

    const SIZES: Sizes = Sizes::new(150, 2, 8, 4000);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.tokens, sizes.seeds, sizes.steps) = (50, 2, 1000);
        self.skews = vec![1.0];
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        clouds::validate(&own.cloud, sizes.tokens, sizes.dim)?;
        if let Some(skew) = own.skews.iter().find(|skew| !skew.is_finite()) {
            return Err(Error::input(format!("--skews: {skew}; each must be finite")));
        }
        let mut cells = Vec::new();
        for (family, skew) in own.kinds() {
            for seed in sizes.every_seed() {
                let a = common::matrix(&family, skew, sizes.dim, seed);
                if seed == sizes.first_seed {
                    own.model(&a).validate(sizes.dim, 1)?;
                }
                cells.push(Cell { family: family.clone(), a, seed });
            }
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("A: {}, seed {}", cell.family, cell.seed)
    }

    fn steps(asked: &Asked<Self>, _cell: &Cell) -> u64 {
        2 * asked.sizes.steps
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        claims::judge(asked, &results.rows, report);
        report.text(
            "The paper's theory takes A = I, which for symmetric positive definite A is no loss. Attention has A = \
             KᵀQ. What is claimed below of any A is derived from the update itself: neither the hull's monotony, \
             nor what a vertex at rest must be, nor the rate near a vertex needs A to be symmetric. What changes is \
             K: of the first hull's vertices only those that are their own maximisers (<Av, v> ≥ <Av, y> on K) can \
             stay.",
        );
        table(asked, &results.rows, report);
        draw::figures(asked, results, report)
    }
}

/// Lists means over the clouds of each kind.
fn table(asked: &Asked<Asymmetric>, rows: &[Row], report: &mut Report) {
    let head = "A | clouds | asymmetry | at rest | steps | own cell | width kept | places | vertices | outside S";
    let line = |(family, _): (String, _)| {
        let of = || rows.iter().filter(|row| row.family == family);
        vec![
            of().count().to_string(),
            format!("{:.2}", mean(of(), |row| row.asymmetry)),
            of().filter(|row| row.settled).count().to_string(),
            format!("{:.0}", mean(of(), |row| row.steps as f64)),
            format!("{:.2}", mean(of(), |row| row.own_cell)),
            format!("{:.3}", mean(of(), |row| row.width_kept)),
            format!("{:.1}", mean(of(), |row| row.places as f64)),
            format!("{:.1}", mean(of(), |row| row.vertices as f64)),
            format!("{:.1}", mean(of(), |row| row.outside as f64)),
        ]
    };
    let lines = asked.own.kinds().map(|kind| [vec![kind.0.clone()], line(kind)].concat()).collect();
    let caption = "Means over clouds; own cell: the share of the first hull's vertices that are their own maximisers.";
    report.table(caption, head, lines);
}
