//! Frank–Wolfe attention (arXiv 2508.09628): every token goes straight to the vertex that owns its
//! cell, and at finite β it stays near it for a time exponential in β.
//!
//! ```text
//! cell of v_i        { x in K : <Bx, v_i> = max_{y in K} <Bx, y> }
//!                    all |v_i|_B equal: the Voronoi cell of v_i in the norm of B
//! exact solution     x_i(t) = p_t x_i(0) + (1 − p_t) v,   p_t = Π_{s<t} (1 − γ(s))
//! constant γ         |x − v| falls by 1 − γ a step
//! growing γ          γ(t) = 1 − e^{−a(t+1)}: |x − v| ~ e^{−a t(t+1)/2}
//! attention at β     a token 0.35 inside a corner of a regular polygon comes within 0.05 of it
//!                    after T₁(β) steps, or never
//! Markov chain at β  tokens on the corners of a κ-gon first leave after a geometric time,
//!                    1/p ~ e^{β(1 − cos 2π/κ)}
//! ```

mod claims;
mod draw;
mod measure;

use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench};
use crate::error::{Error, Result};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule};
use crate::schedule::Schedule;

sheet! {
    PATH = Proved("2508.09628, section on positive semidefinite B",
        "Every token goes along the straight line to the vertex of its cell, by the exact solution");
    STATIONARY = Proved("2508.09628, section on positive semidefinite B",
        "Vertices that each own their cell are stationary");
    ONE_VERTEX = Proved("2508.09628, section on positive semidefinite B",
        "A token attends to the vertex of its cell for ever, or to tokens that have come to it");
    VORONOI = Proved("2508.09628, section on positive semidefinite B",
        "With vertices of one length, a token attends to the nearest vertex in the norm of B");
    GEOMETRIC = Proved("2508.09628, section on positive semidefinite B",
        "With constant γ the distance to the vertex falls by 1 − γ a step");
    SUPER_EXPONENTIAL = Proved("2508.09628, section on positive semidefinite B",
        "With γ(t) = 1 − exp(−a(t+1)) it falls as exp(−a t(t+1)/2): the coefficient of t² is −a/2");
    ARRIVES = Reported("2508.09628, SA_β, phase 1; a published reproduction",
        "At finite β a token 0.35 inside a corner is within 0.05 of it after T₁ = 31, 20, 19, 19 steps for β = 16, \
         32, 64, 128 (κ = 3 to 5)");
    NEVER_ARRIVES = Reported("2508.09628, SA_β, phase 1; a published reproduction",
        "For β up to 8 it never comes there");
    EXITS = Proved("2508.09628, SA_P; derived for a regular polygon",
        "The Markov chain first leaves the corners of a regular polygon after a geometric time with the exact \
         probability");
    METASTABLE = Reported("2508.09628, SA_P",
        "Metastability: the time at a corner grows as e^{β(1 − cos 2π/κ)}");
}

/// Number of tokens whose masks and rates are looked at.
const SAMPLED: usize = 64;
/// Rates are fitted to distances above this times what vertices were seen to move and a token is
/// rounded. There a step's factor is known to twice its inverse, and so is the fitted rate, a mean of
/// them with positive weights.
const FAR: f64 = 4000.0;
/// Attention at β as published: where the token starts, how near it must come, and γ.
const START: f64 = 0.35;
const NEAR: f64 = 0.05;
const GAMMA: f64 = 0.1;

parameters! { Cells:
    /// Number of vertices, at random on the unit sphere of the norm of B
    vertices: usize = 9, "K";
    /// Constant γ
    gamma: f64 = 0.1, "GAMMA";
    /// Rate a of γ(t) = 1 − exp(−a(t+1))
    rate: f64 = 0.1, "A";
    /// Number of corners of the polygon at finite β
    corners: usize = 3, "KAPPA";
    /// Values of β of attention at finite β
    betas: Vec<f64> = vec![4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0], "LIST", value_delimiter = ',';
    /// Values of β of the Markov chain
    chain_betas: Vec<f64> = vec![1.0, 2.0, 3.0, 4.0], "LIST", value_delimiter = ',';
    /// Number of runs of the Markov chain for each β
    runs: u64 = 1000, "N";
}

/// One computation.
#[derive(Clone, Debug)]
pub enum Cell {
    /// A cloud in cells: seed, whether B is stretched, whether γ tends to 1.
    Cloud(u64, bool, bool),
    /// Attention at β.
    Soft(f64),
    /// The Markov chain at β.
    Chain(f64),
}

// Columns that do not apply are empty.
columns! { Row:
    case: String, "`constant`, `growing`, `attention` or `chain`";
    seed: u64, "Seed of the cloud";
    b: String, "B: `identity` or `stretched`, diag(1, 2, ..., d)";
    beta: Option<f64>, "β";
    steps: u64, "Steps taken";
    examined: u64, "Number of tokens or runs examined";
    near_edge: Option<u64>, "Tokens so near the edge of two cells that rounding may decide between them: left out";
    allowed: Option<f64>, "How far roundings can bring a token or a vertex from the exact solution, in units";
    told: bool, "Whether that is below a hundredth of the radius";
    off_line: Option<f64>, "Largest distance from the exact solution, in units of the lattice";
    off_vertex: Option<f64>, "Largest distance of a vertex from its first place, in units of the lattice";
    strayed: Option<u64>, "Number of times that a sampled token attended to a token of another cell";
    not_voronoi: Option<u64>, "Sampled tokens that at first attend to another than the nearest vertex in the norm of B";
    rate: Option<f64>,
        "The fitted rate per step, or the coefficient of t² of a growing γ, that is farthest from theory";
    theory: Option<f64>, "The rate, or the coefficient, by theory";
    time: Option<f64>, "Steps T₁ to the corner under attention; mean time of the first exit of a chain";
    expected: Option<f64>, "Mean time of the first exit by theory";
    standard_error: Option<f64>, "Standard error of that mean";
}

impl Cells {
    fn frank_wolfe(&self, b: &Matrix, growing: bool) -> Result<Model> {
        let gamma = if growing {
            Schedule::parse(&format!("1-exp(-{}*(t+1))", self.rate))?
        } else {
            Schedule::Constant(self.gamma)
        };
        Ok(Model::averaging(Rule::FrankWolfe, Operator::constant(b.clone()), Mask::FULL, Gain::Gamma(gamma)))
    }

    fn gamma(&self, growing: bool, t: u64) -> f64 {
        if growing { -libm::expm1(-self.rate * (t + 1) as f64) } else { self.gamma }
    }

    /// p_t: the share of its distance to the vertex that a token has left after t steps.
    fn left(&self, growing: bool, t: u64) -> f64 {
        (0..t).fold(1.0, |left, s| left * (1.0 - self.gamma(growing, s)))
    }

    /// The probability that a token at a corner draws another one, in a step.
    fn exit(&self, beta: f64) -> f64 {
        let angle = |k: usize| std::f64::consts::TAU * k as f64 / self.corners as f64;
        let away: f64 = (1..self.corners).map(|k| libm::exp(-beta * (1.0 - libm::cos(angle(k))))).sum();
        away / (1.0 + away)
    }
}

impl Study for Cells {
    const NAME: &'static str = "cells";
    const TITLE: &'static str = "Frank–Wolfe: cells, straight lines, and metastability at finite β";
    const EXAMPLES: &'static str = "Examples:
  localmax study cells                          clouds in the plane and polygons, in seconds
  localmax study cells --dim 3 --tokens 100000  a large cloud in space
  localmax study cells --corners 5 --chain-betas 2,4,6,8";

    const SIZES: Sizes = Sizes::new(2000, 2, 5, 2000);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.tokens, sizes.seeds) = (60, 1);
        (self.runs, self.chain_betas) = (60, vec![1.0, 2.0]);
        self.betas = vec![8.0, 16.0, 32.0, 64.0, 128.0];
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        if own.corners < 3 || own.vertices < sizes.dim + 1 {
            return Err(Error::input(format!(
                "--corners {}, --vertices {}: at least 3 corners and d + 1 = {} vertices",
                own.corners,
                own.vertices,
                sizes.dim + 1
            )));
        }
        if !(own.rate.is_finite() && own.rate > 0.0) || own.runs == 0 {
            return Err(Error::input(format!("--rate {}, --runs {}: both must be above 0", own.rate, own.runs)));
        }
        if let Some(beta) = own.betas.iter().chain(&own.chain_betas).find(|beta| !(beta.is_finite() && **beta >= 0.0)) {
            return Err(Error::input(format!("β = {beta}: it must be finite and at least 0")));
        }
        own.frank_wolfe(&Matrix::Identity, false)?.validate(sizes.dim, 1)?;
        let kinds = [(false, false), (true, false), (false, true)];
        let clouds =
            sizes.every_seed().flat_map(|seed| kinds.map(|(stretched, growing)| Cell::Cloud(seed, stretched, growing)));
        let soft = own.betas.iter().map(|&beta| Cell::Soft(beta));
        Ok(clouds.chain(soft).chain(own.chain_betas.iter().map(|&beta| Cell::Chain(beta))).collect())
    }

    fn label(cell: &Cell) -> String {
        match cell {
            Cell::Cloud(seed, stretched, growing) => format!(
                "seed {seed}, {} B, {} γ",
                if *stretched { "stretched" } else { "identity" },
                if *growing { "growing" } else { "constant" }
            ),
            Cell::Soft(beta) => format!("attention at β = {beta}"),
            Cell::Chain(beta) => format!("chain at β = {beta}"),
        }
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        match *cell {
            Cell::Cloud(seed, stretched, growing) => measure::cloud(asked, seed, stretched, growing, work),
            Cell::Soft(beta) => measure::soft(asked, beta, work),
            Cell::Chain(beta) => measure::chain(asked, beta, work),
        }
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        claims::judge(asked, &results.rows, report);
        report.text(format!(
            "Clouds of {} vertices on the unit sphere of the norm of B and tokens inside their hull; B the \
             identity, or stretched, diag(1, …, d). The paper's text was read in transcriptions (LaTeX and a formal \
             proof), its authors publish no parameters of runs: clouds, γ and a are ours. At finite β, a regular \
             {}-gon.",
            asked.own.vertices, asked.own.corners
        ));
        draw::figures(asked, results, report)
    }
}
