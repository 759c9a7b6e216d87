//! Frank–Wolfe attention (arXiv 2508.09628): every token goes straight to the vertex that owns its cell, and at finite β it
//! stays near it for a time exponential in β.
//!
//! ```text
//! cell of v_i        { x in K : <Bx, v_i> = max_{y in K} <Bx, y> }; all |v_i|_B equal: the Voronoi cell of v_i in the norm of B
//! exact solution     x_i(t) = p_t x_i(0) + (1 − p_t) v,   p_t = Π_{s<t} (1 − γ(s))
//! constant γ         |x − v| falls by 1 − γ a step;      γ(t) = 1 − e^{−a(t+1)}: |x − v| ~ e^{−a t(t+1)/2}
//! attention at β     a token 0.35 inside a corner of a regular polygon comes within 0.05 of it after T₁(β) steps, or never
//! Markov chain at β  tokens on the corners of a κ-gon first leave after a geometric time, 1/p ~ e^{β(1 − cos 2π/κ)}
//! ```

mod draw;
mod measure;

use serde::{Deserialize, Serialize};

use super::{Asked, Basis, Claim, Report, Results, Sizes, Study, Verdict, Workbench};
use crate::error::{Error, Result};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule};
use crate::schedule::Schedule;
use crate::tokens::Precision;

const SOURCE: &str = "2508.09628, section on positive semidefinite B";
/// Tokens whose engine masks and rates are looked at, and points of K at which cells are compared.
const SAMPLED: usize = 64;
const PLACES: usize = 2000;
/// A dominance closer than this is a boundary of cells.
const EDGE: f64 = 1e-12;
/// Places nearer than this many units of the lattice count as one, which is to half of the state's digits: chosen, not derived.
/// Tokens within a unit of a vertex that outscore it by a bit draw it after them, for which there is no bound.
fn rounding(precision: Precision) -> f64 {
    f64::from(precision.state_bits() / 2).exp2()
}

/// How far a fitted rate, or a half coefficient of t², may be off.
const RATE_ERROR: f64 = 1e-3;
/// Steps of averaging at β as they are published: where the token starts, how near it must come, γ, and T₁ for four β.
const START: f64 = 0.35;
const NEAR: f64 = 0.05;
const GAMMA: f64 = 0.1;
const PUBLISHED: [(f64, f64); 4] = [(16.0, 31.0), (32.0, 20.0), (64.0, 19.0), (128.0, 19.0)];
const NEVER: f64 = 8.0;

/// Parameters of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Cells {
    /// Vertices, at random on the unit sphere of the norm of B
    #[arg(long, value_name = "K")]
    pub vertices: usize,
    /// Constant γ
    #[arg(long, value_name = "GAMMA")]
    pub gamma: f64,
    /// a of γ(t) = 1 − exp(−a(t+1))
    #[arg(long, value_name = "A")]
    pub rate: f64,
    /// Corners of the polygon at finite β
    #[arg(long, value_name = "KAPPA")]
    pub corners: usize,
    /// β of attention at finite β
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub betas: Vec<f64>,
    /// β of the Markov chain
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub chain_betas: Vec<f64>,
    /// Runs of the Markov chain for each β
    #[arg(long, value_name = "N")]
    pub runs: u64,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            vertices: 9,
            gamma: 0.1,
            rate: 0.1,
            corners: 3,
            betas: vec![4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0, 128.0],
            chain_betas: vec![1.0, 2.0, 3.0, 4.0],
            runs: 1000,
        }
    }
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

/// What a cell leaves; what does not apply is empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// `constant`, `growing`, `attention` or `chain`.
    pub case: String,
    /// Seed of the cloud.
    pub seed: u64,
    /// `identity` or `stretched`, diag(1, 2, ..., d).
    pub b: String,
    /// β.
    pub beta: Option<f64>,
    /// Steps taken.
    pub steps: u64,
    /// Tokens or runs examined.
    pub examined: u64,
    /// Largest distance from the exact solution, in units of the lattice.
    pub off_line: Option<f64>,
    /// Largest distance of a vertex from its first place, in units of the lattice.
    pub off_vertex: Option<f64>,
    /// Sampled tokens that attended to another vertex than at first.
    pub strayed: Option<u64>,
    /// Sampled points of K whose owner is not the nearest vertex in the norm of B.
    pub not_voronoi: Option<u64>,
    /// Sampled pairs of one cell whose middle is in another.
    pub not_convex: Option<u64>,
    /// The fitted rate per step, or the coefficient of t² of a growing γ, that is farthest from theory.
    pub rate: Option<f64>,
    /// Theory's.
    pub theory: Option<f64>,
    /// Attention: steps T₁ to the corner. Chain: mean time of the first exit.
    pub time: Option<f64>,
    /// Chain: the mean by theory.
    pub expected: Option<f64>,
    /// Chain: standard error of the mean by theory.
    pub standard_error: Option<f64>,
}

impl Cells {
    fn frank_wolfe(&self, b: &Matrix, growing: bool) -> Result<Model> {
        let gamma = if growing {
            Schedule::parse(&format!("1-exp(-{}*(t+1))", self.rate))?
        } else {
            Schedule::Constant(self.gamma)
        };
        Ok(Model::averaging(Rule::FrankWolfe, Operator::constant(b.clone()), Mask::Full, Gain::Gamma(gamma)))
    }

    fn gamma(&self, growing: bool, t: u64) -> f64 {
        if growing { -libm::expm1(-self.rate * (t + 1) as f64) } else { self.gamma }
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

    type Cell = Cell;
    type Row = Row;

    fn sizes() -> Sizes {
        Sizes::new(2000, 2, 5, 2000)
    }

    fn quick(asked: &mut Asked<Self>) {
        (asked.sizes.tokens, asked.sizes.seeds) = (60, 1);
        (asked.own.runs, asked.own.chain_betas) = (60, vec![1.0, 2.0]);
        asked.own.betas = vec![8.0, 16.0, 32.0, 64.0, 128.0];
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
            (1..=sizes.seeds).flat_map(|seed| kinds.map(|(stretched, growing)| Cell::Cloud(seed, stretched, growing)));
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

    fn conclude(asked: &Asked<Self>, results: &Results<Row>) -> Result<Report> {
        let mut report = Report::new();
        claims(asked, &results.rows, &mut report);
        report.text(format!(
            "Clouds of {} vertices on the unit sphere of the norm of B and tokens inside their hull; B the identity, or stretched, \
             diag(1, …, d). The paper's text was read in transcriptions (LaTeX and a formal proof), its authors publish no parameters of runs: \
             clouds, γ and a are ours. At finite β, a regular {}-gon.",
            asked.own.vertices, asked.own.corners
        ));
        draw::figures(asked, results, &mut report)?;
        Ok(report)
    }
}

fn claims(asked: &Asked<Cells>, rows: &[Row], report: &mut Report) {
    let own = &asked.own;
    let clouds = || rows.iter().filter(|row| row.off_line.is_some());
    let sum = |of: fn(&Row) -> Option<u64>| clouds().filter_map(of).sum::<u64>();
    let examined: u64 = clouds().map(|row| row.examined).sum();
    let exact = |claim: &str, of: fn(&Row) -> Option<f64>| {
        let farthest = clouds().filter_map(of).fold(0.0, f64::max);
        let within = |row: &Row| of(row).is_none_or(|off| off <= rounding(asked.sizes.precision));
        Claim {
            claim: claim.into(),
            source: SOURCE.into(),
            basis: Basis::Proved,
            measured: format!("{farthest:.1} units of the lattice off at most, in {} clouds", clouds().count()),
            error: format!(
                "{:.0e} units of the lattice, half of the state's digits: chosen, not derived",
                rounding(asked.sizes.precision)
            ),
            agrees: if examined == 0 { Verdict::Undecided } else { Verdict::of(clouds().all(within)) },
        }
    };
    let line = "Every token goes along the straight line to the vertex of its cell, by the exact solution";
    report.claim(exact(line, |row| row.off_line));
    report.claim(exact("Vertices that each own their cell are stationary", |row| row.off_vertex));
    let places = clouds().count() as u64 * PLACES as u64;
    let always =
        |claim: &str, failed: u64, tried: u64, of: &str| Claim::always(claim, SOURCE, Basis::Proved, failed, tried, of);
    let looks: u64 = clouds().map(|row| row.examined.min(SAMPLED as u64) * (row.steps + 1)).sum();
    report.claim(always(
        "A token attends to the same vertex for ever",
        sum(|row| row.strayed),
        looks,
        "masks of the engine",
    ));
    report.claim(always(
        "With vertices of one length, cells are Voronoi cells in the norm of B",
        sum(|row| row.not_voronoi),
        places,
        "points of K",
    ));
    report.claim(always(
        "Cells are convex",
        sum(|row| row.not_convex),
        places,
        "pairs of points of one cell, their middles",
    ));
    for (case, claim) in [
        ("constant", "With constant γ the distance to the vertex falls by 1 − γ a step"),
        ("growing", "With γ(t) = 1 − exp(−a(t+1)) it falls as exp(−a t(t+1)/2): the coefficient of t² is −a/2"),
    ] {
        let rates = rows.iter().filter(|row| row.case == case).filter_map(|row| Some((row.rate?, row.theory?)));
        if let Some((rate, theory)) = rates.max_by(|a, b| (a.0 - a.1).abs().total_cmp(&(b.0 - b.1).abs())) {
            report.claim(Claim::number(claim, SOURCE, Basis::Proved, rate, theory, RATE_ERROR));
        }
    }
    attention_claims(asked, rows, report);
    let chains: Vec<(&Row, f64)> = rows
        .iter()
        .filter(|row| row.case == "chain")
        .filter_map(|row| Some((row, (row.time? - row.expected?) / row.standard_error?)))
        .collect();
    let farthest = chains.iter().map(|(_, off)| off.abs()).fold(0.0, f64::max);
    report.claim(Claim {
        claim: "The Markov chain first leaves the corners of a regular polygon after a geometric time with the exact probability".into(),
        source: "2508.09628, SA_P; derived for a regular polygon".into(),
        basis: Basis::Proved,
        measured: format!("means of {} runs for each of {} β are {farthest:.2} standard errors off at most", own.runs, chains.len()),
        error: "4 standard errors".into(),
        agrees: if chains.is_empty() { Verdict::Undecided } else { Verdict::of(farthest <= 4.0) },
    });
    let mut ends: Vec<&Row> = chains.iter().map(|(row, _)| *row).collect();
    ends.sort_by(|a, b| a.beta.unwrap_or(0.0).total_cmp(&b.beta.unwrap_or(0.0)));
    if let [.., low, high] = ends[..]
        && let (Some(b0), Some(b1), Some(t0), Some(t1)) = (low.beta, high.beta, low.time, high.time)
        && b1 > b0
    {
        let slope = libm::log(t1 / t0) / (b1 - b0);
        let limit = 1.0 - libm::cos(std::f64::consts::TAU / own.corners as f64);
        // What the exact probabilities give between these two β, short of the limit.
        let exact = libm::log(low.expected.zip(high.expected).map_or(1.0, |(a, b)| b / a)) / (b1 - b0);
        let error = 4.0 * (2.0 / own.runs as f64).sqrt() / (b1 - b0) + (limit - exact).abs();
        report.claim(Claim {
            claim: "Metastability: the time at a corner grows as e^{β(1 − cos 2π/κ)}".into(),
            source: "2508.09628, SA_P".into(),
            basis: Basis::Reported,
            measured: format!(
                "slope {slope:.3} of the logarithm between β = {b0} and {b1}, against {limit:.3} in the limit"
            ),
            error: format!(
                "{error:.2}: 4 standard errors, and how far the exact slope between these β is from the limit"
            ),
            agrees: Verdict::of((slope - limit).abs() <= error),
        });
    }
}

fn attention_claims(asked: &Asked<Cells>, rows: &[Row], report: &mut Report) {
    let soft: Vec<&Row> = rows.iter().filter(|row| row.case == "attention").collect();
    let known =
        |row: &Row| PUBLISHED.iter().find(|(beta, _)| row.beta == Some(*beta)).map(|(_, time)| (row.time, *time));
    let pairs: Vec<(Option<f64>, f64)> = soft.iter().filter_map(|row| known(row)).collect();
    let shown = |time: Option<f64>| time.map_or("never".into(), |time| time.to_string());
    let texts: Vec<String> = pairs.iter().map(|(time, told)| format!("{} against {told}", shown(*time))).collect();
    report.claim(Claim {
        claim: "At finite β a token 0.35 inside a corner is within 0.05 of it after T₁ = 31, 20, 19, 19 steps for β = 16, 32, 64, 128 (κ = 3 to 5)".into(),
        source: "2508.09628, SA_β, phase 1; a published reproduction".into(),
        basis: Basis::Reported,
        measured: if texts.is_empty() { "none of these β".into() } else { texts.join("; ") },
        error: "none allowed".into(),
        agrees: match &pairs[..] {
            [] => Verdict::Undecided,
            pairs if (3..=5).contains(&asked.own.corners) => Verdict::at_rest(
                pairs.iter().all(|(time, told)| *time == Some(*told)),
                pairs.iter().all(|(time, told)| time.is_some() || asked.sizes.steps as f64 >= *told),
            ),
            _ => Verdict::Undecided,
        },
    });
    let low: Vec<&&Row> = soft.iter().filter(|row| row.beta.is_some_and(|beta| beta <= NEVER)).collect();
    let arrived = low.iter().filter(|row| row.time.is_some()).count();
    report.claim(Claim {
        claim: "For β up to 8 it never comes there".into(),
        source: "2508.09628, SA_β, phase 1; a published reproduction".into(),
        basis: Basis::Reported,
        measured: format!("{arrived} of {} came there in {} steps", low.len(), asked.sizes.steps),
        error: "2000 steps were tried".into(),
        agrees: if low.is_empty() || asked.sizes.steps < 2000 { Verdict::Undecided } else { Verdict::of(arrived == 0) },
    });
}
