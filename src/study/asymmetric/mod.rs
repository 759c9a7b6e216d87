//! Scores of KᵀQ instead of A = I (first next check of a summary of arXiv 2509.15958, whose theory takes A = I).
//!
//! ```text
//! S_ij = <Q x_i, K x_j> = <A x_i, x_j>,   A = KᵀQ        A = I + κW,  W skew, |W|² = d       A = W
//! ```
//!
//! What carries over to any A, derived here:
//!
//! * The update is a mean: K(t+1) ⊂ K(t).
//! * At rest a vertex v of K is the mean of its strip and extreme: its strip is v alone, so `<A v, v> = max_K <A v, y>`.
//! * The proof of Theorem 4.1 (SPEC 1.3) uses nowhere that A is symmetric, only A v ≠ 0: rate 1/(1+α) near a vertex.
//! * A token at rest has a gap of at most δ·s.
//! * If A = W is skew, any two vertices have `<W v, w> = 0`, for neither `<W v, w>` nor `<W w, v> = −<W v, w>` exceeds 0: in the
//!   plane K lies on a line through the origin.
//!
//! What does not: a vertex of the start's hull need not be its own maximiser, so that K can be far smaller than with A = I.

mod draw;
mod measure;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::{Asked, Basis, Claim, Report, Results, Sizes, Study, Verdict, Workbench, common};
use crate::error::{Error, Result};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule};
use crate::num;
use crate::observe::contraction;
use crate::rng::Stream;
use crate::schedule::Schedule;

/// A gap, or a score of two vertices, below this times |A|·R² is none.
const NONE: f64 = 1e-6;
/// How far a fitted rate may be from 1/(1+α).
const RATE_ERROR: f64 = 1e-3;
/// Rise of a support function that rounding explains, in ulps of the radius.
const RISE: f64 = 8.0;

/// Parameters of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Asymmetric {
    /// Kinds of A: identity; gram, QᵀQ; query-key, KᵀQ of independent Gaussian Q and K; skew, a random skew matrix
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = ["identity", "gram", "query-key", "skew"])]
    pub families: Vec<String>,
    /// κ of A = I + κW, each run besides
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub skews: Vec<f64>,
    /// Step size
    #[arg(long, value_name = "ALPHA")]
    pub alpha: f64,
    /// Width of the strip, constant in time
    #[arg(long, value_name = "DELTA")]
    pub delta: f64,
    /// What the width is measured in
    #[arg(long, value_name = "FORM", value_parser = common::forms())]
    pub form: String,
    /// Cloud to begin with
    #[arg(long, value_name = "CLOUD", value_parser = common::clouds())]
    pub cloud: String,
}

impl Default for Asymmetric {
    fn default() -> Self {
        Self {
            families: ["identity", "gram", "query-key", "skew"].map(str::to_owned).to_vec(),
            skews: vec![0.25, 0.5, 1.0, 2.0, 4.0],
            alpha: 0.5,
            delta: 0.25,
            form: "width".into(),
            cloud: "normal".into(),
        }
    }
}

/// A cloud and a matrix.
#[derive(Clone, Debug)]
pub struct Cell {
    /// As rows and legends have it.
    family: String,
    a: Matrix,
    seed: u64,
}

/// What a cell leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Kind of A.
    pub family: String,
    /// Seed of the cloud and of A.
    pub seed: u64,
    /// |A − Aᵀ|/(2|A|) in Frobenius' norm: 0 symmetric, 1 skew.
    pub asymmetry: f64,
    /// Steps taken.
    pub steps: u64,
    /// Whether no bit moves any more.
    pub settled: bool,
    /// Tokens that the last step moved.
    pub moving: u64,
    /// Share of the first hull's vertices that are their own maximisers.
    pub own_cell: f64,
    /// Mean width of the last hull over that of the first.
    pub width_kept: f64,
    /// Places at which tokens end.
    pub places: u64,
    /// Those at vertices of the last hull.
    pub vertices: u64,
    /// The largest gap of a vertex, in units of |A|·R².
    pub vertex_gap: f64,
    /// The largest |<A v, w>| of two vertices, in units of |A|·R².
    pub vertex_score: f64,
    /// Tokens with a gap above 1e-6·|A|·R²: at rest, those outside S.
    pub outside: u64,
    /// Tokens with a gap above δ·s and rounding.
    pub beyond: u64,
    /// Groups at vertices whose rate was fitted.
    pub fitted: u64,
    /// The largest |rate − 1/(1+α)|; empty where none was fitted.
    pub worst: Option<f64>,
    /// The largest rise of a support function, in ulps of the radius.
    pub rise_ulps: f64,
}

impl Asymmetric {
    fn model(&self, a: &Matrix) -> Result<Model> {
        let rule = Rule::Localmax { delta: Schedule::Constant(self.delta), strip: common::form(&self.form)? };
        let gain = Gain::Alpha(Schedule::Constant(self.alpha));
        Ok(Model::averaging(rule, Operator::constant(a.clone()), Mask::Full, gain))
    }

    /// Every kind of A with its name, in order.
    fn kinds(&self) -> Vec<(String, Option<f64>)> {
        let named = self.families.iter().map(|family| (family.clone(), None));
        named.chain(self.skews.iter().map(|&skew| (format!("I + {skew}·W"), Some(skew)))).collect()
    }
}

/// A of a kind, drawn.
pub(super) fn matrix(family: &str, skew: Option<f64>, d: usize, seed: u64) -> Matrix {
    let gaussian = |purpose: &str| {
        let mut stream = Stream::new(seed, purpose, 0);
        DMatrix::from_fn(d, d, |_, _| stream.normal() / (d as f64).sqrt())
    };
    let turning = || {
        let g = gaussian("skew");
        let w = &g - g.transpose();
        let norm = w.norm();
        // In one dimension there is none but 0.
        if norm > 0.0 { w * ((d as f64).sqrt() / norm) } else { w }
    };
    match (family, skew) {
        (_, Some(skew)) => Matrix::of_dense(&(DMatrix::identity(d, d) + turning() * skew)),
        ("gram", _) => {
            let q = gaussian("query");
            Matrix::of_dense(&(q.transpose() * &q))
        }
        ("query-key", _) => Matrix::of_dense(&(gaussian("key").transpose() * gaussian("query"))),
        ("skew", _) => Matrix::of_dense(&turning()),
        _ => Matrix::Identity,
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

    type Cell = Cell;
    type Row = Row;

    fn sizes() -> Sizes {
        Sizes::new(150, 2, 8, 4000)
    }

    fn quick(asked: &mut Asked<Self>) {
        asked.sizes.tokens = 50;
        asked.sizes.seeds = 2;
        asked.sizes.steps = 1000;
        asked.own.skews = vec![1.0];
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        common::validate_cloud(&own.cloud, sizes.tokens, sizes.dim)?;
        if let Some(skew) = own.skews.iter().find(|skew| !skew.is_finite()) {
            return Err(Error::input(format!("--skews: {skew}; each must be finite")));
        }
        let mut cells = Vec::new();
        for (family, skew) in own.kinds() {
            for seed in 1..=sizes.seeds {
                let a = matrix(&family, skew, sizes.dim, seed);
                if seed == 1 {
                    own.model(&a)?.validate(sizes.dim, 1)?;
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

    fn conclude(asked: &Asked<Self>, results: &Results<Row>) -> Result<Report> {
        let mut report = Report::new();
        claims(asked, &results.rows, &mut report);
        report.text(
            "The paper's theory takes A = I, which for symmetric positive definite A is no loss. Attention has A = KᵀQ. What is claimed below \
             of any A is derived from the update itself: neither the hull's monotony, nor what a vertex at rest must be, nor the rate \
             near a vertex needs A to be symmetric. What changes is K: of the first hull's vertices only those that are their own \
             maximisers (<Av, v> ≥ <Av, y> on K) can stay.",
        );
        let head = [
            "A",
            "clouds",
            "asymmetry",
            "at rest",
            "steps",
            "own cell",
            "width kept",
            "places",
            "vertices",
            "outside S",
        ];
        let mut rows = Vec::new();
        for (family, _) in asked.own.kinds() {
            let of: Vec<&Row> = results.rows.iter().filter(|row| row.family == family).collect();
            let mean = |value: fn(&Row) -> f64| of.iter().map(|row| value(row)).sum::<f64>() / of.len().max(1) as f64;
            rows.push(vec![
                family,
                of.len().to_string(),
                format!("{:.2}", mean(|row| row.asymmetry)),
                of.iter().filter(|row| row.settled).count().to_string(),
                format!("{:.0}", mean(|row| row.steps as f64)),
                format!("{:.2}", mean(|row| row.own_cell)),
                format!("{:.3}", mean(|row| row.width_kept)),
                format!("{:.1}", mean(|row| row.places as f64)),
                format!("{:.1}", mean(|row| row.vertices as f64)),
                format!("{:.1}", mean(|row| row.outside as f64)),
            ]);
        }
        report.table(
            "Means over clouds; own cell: the share of the first hull's vertices that are their own maximisers.",
            &head,
            rows,
        );
        draw::figures(asked, results, &mut report)?;
        Ok(report)
    }
}

fn claims(asked: &Asked<Asymmetric>, rows: &[Row], report: &mut Report) {
    const DERIVED: &str = "derived here for any A";
    let largest = |rows: &[&Row], value: fn(&Row) -> f64| rows.iter().map(|row| value(row)).fold(0.0, f64::max);
    let all: Vec<&Row> = rows.iter().collect();
    let rise = largest(&all, |row| row.rise_ulps);
    report.claim(Claim {
        claim: "The hull never grows, whatever A".into(),
        source: "2509.15958, section 3, for A = I; derived here for any A".into(),
        basis: Basis::Proved,
        measured: format!(
            "the largest rise of a support function is {rise:.1} ulp of the radius, over {} clouds",
            rows.len()
        ),
        error: format!("{RISE} ulp"),
        agrees: Verdict::of(num::within(rise, RISE)),
    });
    for (name, is_symmetric) in [("symmetric", true), ("asymmetric", false)] {
        let of: Vec<&Row> = rows.iter().filter(|row| (row.asymmetry == 0.0) == is_symmetric).collect();
        let rest: Vec<&Row> = of.iter().copied().filter(|row| row.settled).collect();
        let gap = largest(&rest, |row| row.vertex_gap);
        report.claim(Claim {
            claim: format!("Every vertex of K is its own maximiser ({name} A)"),
            source: DERIVED.into(),
            basis: Basis::Proved,
            measured: format!("the largest gap of a vertex is {gap:.1e}·|A|·R², over {} clouds at rest", rest.len()),
            error: format!("{NONE:.0e}·|A|·R²"),
            agrees: if rest.is_empty() { Verdict::Undecided } else { Verdict::of(num::within(gap, NONE)) },
        });
        let fitted: u64 = of.iter().map(|row| row.fitted).sum();
        let worst = of.iter().filter_map(|row| row.worst).fold(f64::NAN, f64::max);
        let theory = contraction(asked.own.alpha);
        report.claim(Claim {
            claim: format!("Tokens near a vertex converge at rate 1/(1+α) = {theory:.6} ({name} A)"),
            source: "2509.15958, Theorem 4.1, for A = I; its proof as reconstructed holds for any A".into(),
            basis: Basis::Reconstructed,
            measured: match fitted {
                0 => "nothing was fitted".into(),
                _ => format!("the worst of {fitted} groups is {worst:.1e} off"),
            },
            error: format!("{RATE_ERROR:.0e}"),
            agrees: if fitted == 0 { Verdict::Undecided } else { Verdict::of(num::within(worst, RATE_ERROR)) },
        });
        let moving = of.len() - rest.len();
        report.claim(Claim {
            claim: format!("Every token comes to rest ({name} A)"),
            source: "2509.15958, section 7.1, open question 1".into(),
            basis: Basis::Reported,
            measured: format!(
                "{moving} of {} clouds still moved after {} steps, with {} tokens at most",
                of.len(),
                asked.sizes.steps,
                of.iter().map(|row| row.moving).max().unwrap_or(0)
            ),
            error: "no bit moves any more; open for constant δ".into(),
            agrees: if of.is_empty() || moving > 0 { Verdict::Undecided } else { Verdict::Yes },
        });
    }
    let turned: Vec<&Row> = rows.iter().filter(|row| row.settled && row.family == "skew").collect();
    if !turned.is_empty() {
        let score = largest(&turned, |row| row.vertex_score);
        report.claim(Claim {
            claim: "If A is skew, <Av, w> = 0 for any two vertices: in the plane K lies on a line through 0".into(),
            source: DERIVED.into(),
            basis: Basis::Proved,
            measured: format!(
                "the largest |<Av, w>| is {score:.1e}·|A|·R²; {} of {} clouds at rest are at one place",
                turned.iter().filter(|row| row.places == 1).count(),
                turned.len()
            ),
            error: format!("{NONE:.0e}·|A|·R²"),
            agrees: Verdict::of(num::within(score, NONE)),
        });
    }
    let rest: Vec<&Row> = rows.iter().filter(|row| row.settled).collect();
    report.claim(Claim::always(
        "A token at rest has a gap of at most δ·s, whatever A",
        DERIVED,
        Basis::Proved,
        rest.iter().map(|row| row.beyond).sum(),
        (rest.len() * asked.sizes.tokens) as u64,
        "tokens of clouds at rest",
    ));
}
