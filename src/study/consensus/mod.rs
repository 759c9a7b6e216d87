//! Consensus on spheres and ellipsoids: how long it takes, the plateaus before it, the staircase.
//!
//! | case | what | theory |
//! |---|---|---|
//! | `sphere` | uniform tokens, Q = K = V = I | one cluster from almost every start for d ≥ 3; E_β never falls (2312.10794) |
//! | `hemisphere` | the same from an open hemisphere | one cluster, exponentially fast (2312.10794) |
//! | `ellipsoid` | two heads, P(t) bounded, from an open hemisphere | consensus (2412.02682) |
//! | `causal` | arbitrary Q and K, V = I | the first token is fixed, all others go to it (2411.04990, 2412.02682) |
//! | `plateau` | the authors' five tokens at β = 4 | E stays at 3.551 for hundreds of time units, then e⁴/8 (2410.06833) |
//! | `staircase` | the authors' five tokens, their scheme | E climbs by steps from 1/n to 1 (2410.06833) |
//!
//! The measure of consensus is the distance of the farthest token from the first one, the time that from which it stays
//! below ε.

mod report;
mod staircase;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Asked, Report, Results, Sizes, Study, Workbench};
use crate::error::{Error, Result};
use crate::init::{Cloud, CloudSample};
use crate::io::config::Config;
use crate::model::{Geometry, Head, Integrator, Mask, Matrix, Model, Operator, Rule, Update};
use crate::observe::{ALL_PAIRS, Energy};
use crate::observe::{Decay, Distinct, IncreaseLedger, Points, RateFit, Sample, sphere_energy};
use crate::rng::Stream;
use crate::schedule::Schedule;
use crate::tokens::{Precision, Tokens};

/// Steps between two looks.
const EVERY: u64 = 5;
/// Tokens up to which E_β is taken at every look.
const MOST_PAIRED: usize = 512;
/// States kept for a player, at most.
const MOST_FRAMES: u64 = 150;
/// The steps of a rate: from where tokens are this near.
const NEAR: f64 = 0.1;

/// Parameters of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Consensus {
    /// β on the sphere
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub betas: Vec<f64>,
    /// β of the staircase
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub stair_betas: Vec<f64>,
    /// Length of a step in t
    #[arg(long, value_name = "DT")]
    pub dt: f64,
    /// ε: consensus is where every token is within this of the first
    #[arg(long, value_name = "EPSILON")]
    pub epsilon: f64,
}

impl Default for Consensus {
    fn default() -> Self {
        Self {
            betas: vec![0.0, 1.0, 2.0, 4.0, 6.0],
            stair_betas: vec![500.0, 1000.0, 2000.0, 4000.0],
            dt: 0.1,
            epsilon: 1e-3,
        }
    }
}

/// A system of the table above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Case {
    /// β.
    Sphere(f64),
    /// β.
    Hemisphere(f64),
    #[expect(missing_docs, reason = "the table above says what each is")]
    Ellipsoid,
    #[expect(missing_docs, reason = "the table above says what each is")]
    Causal,
    #[expect(missing_docs, reason = "the table above says what each is")]
    Plateau,
    /// β.
    Staircase(f64),
}

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::Sphere(_) => "sphere",
            Self::Hemisphere(_) => "hemisphere",
            Self::Ellipsoid => "ellipsoid",
            Self::Causal => "causal",
            Self::Plateau => "plateau",
            Self::Staircase(_) => "staircase",
        }
    }

    fn beta(self) -> Option<f64> {
        match self {
            Self::Sphere(beta) | Self::Hemisphere(beta) | Self::Staircase(beta) => Some(beta),
            Self::Causal => Some(CAUSAL_BETA),
            Self::Plateau => Some(4.0),
            Self::Ellipsoid => None,
        }
    }
}

const CAUSAL_BETA: f64 = 1.5;

/// A system and a seed.
#[derive(Clone, Debug)]
pub struct Cell {
    case: Case,
    seed: u64,
}

/// What a cell leaves. Times in t.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// The case.
    pub case: String,
    /// Seed of the cloud, and of Q and K.
    pub seed: u64,
    /// β.
    pub beta: Option<f64>,
    /// Steps taken.
    pub steps: u64,
    /// t at the end.
    pub end: f64,
    /// Time from which every token stays within ε of the first; none if there was no consensus.
    pub consensus: Option<f64>,
    /// Distance of the farthest token from the first, at the end.
    pub apart: f64,
    /// Times that E_β fell between two looks.
    pub falls: Option<u64>,
    /// How far the first token has moved.
    pub first_moved: f64,
    /// Largest |xᵀWx − 1| (|x|² on the sphere).
    pub off_surface: f64,
    /// Fitted rate per unit of t at which tokens come together, where they are near.
    pub rate: Option<f64>,
    /// Whether the fall is straight on a logarithmic axis.
    pub geometric: Option<bool>,
    /// E on the plateau: the median over t from 50 to 250. The staircase: at the start.
    pub plateau: Option<f64>,
    /// E at the end.
    pub last_energy: Option<f64>,
    /// The staircase: levels below 1 that it stayed at for a hundredth of the time or longer.
    pub levels: Option<u64>,
}

fn sphere(beta: f64, dt: f64, scores: Operator, mask: Mask) -> Model {
    Model {
        rule: Rule::Softmax { beta: Schedule::Constant(beta) },
        heads: vec![Head { scores, values: Operator::identity() }],
        mask,
        update: Update::Flow { dt, integrator: Integrator::Rk4, geometry: Geometry::Sphere },
        omit: 0.0,
    }
}

/// A matrix near the identity.
fn near_identity(d: usize, stream: &mut Stream) -> Vec<Vec<f64>> {
    (0..d).map(|r| (0..d).map(|c| f64::from(u8::from(r == c)) + 0.3 * stream.normal()).collect()).collect()
}

/// W = diag(1, ..., d).
fn ellipsoid(d: usize, dt: f64, seed: u64) -> Result<(Model, Vec<f64>)> {
    let mut stream = Stream::new(seed, "heads", 0);
    let axes: Vec<f64> = (1..=d).map(|k| k as f64).collect();
    let w: Vec<Vec<f64>> = (0..d).map(|r| (0..d).map(|c| if r == c { axes[r] } else { 0.0 }).collect()).collect();
    let mut head = |factor: &str| -> Result<Head> {
        let p = Operator { matrix: Matrix::dense(&near_identity(d, &mut stream))?, factor: Schedule::parse(factor)? };
        Ok(Head::bilinear(&p, Operator::identity()))
    };
    let model = Model {
        rule: Rule::Softmax { beta: Schedule::Constant(1.0) },
        heads: vec![head("1+0.5*sin(t)")?, head("1")?],
        mask: Mask::Full,
        update: Update::Flow { dt, integrator: Integrator::Rk4, geometry: Geometry::Ellipsoid(Matrix::dense(&w)?) },
        omit: 0.0,
    };
    Ok((model, axes))
}

impl Study for Consensus {
    const NAME: &'static str = "consensus";
    const TITLE: &'static str = "Consensus on spheres and ellipsoids: times, plateaus, the staircase";
    const EXAMPLES: &'static str = "Examples:
  localmax study consensus                            64 tokens in space, five seeds
  localmax study consensus --betas 1,8 --steps 20000  how long tokens stay apart at large β
  localmax study consensus --tokens 1024 --dim 16     more tokens, more dimensions";

    type Cell = Cell;
    type Row = Row;

    fn sizes() -> Sizes {
        Sizes::new(64, 3, 5, 5000)
    }

    fn quick(asked: &mut Asked<Self>) {
        (asked.sizes.tokens, asked.sizes.seeds, asked.sizes.steps) = (16, 1, 1000);
        (asked.own.betas, asked.own.stair_betas) = (vec![0.0, 1.0], vec![2000.0]);
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let own = &asked.own;
        for (option, value) in [("--dt", own.dt), ("--epsilon", own.epsilon)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::input(format!("{option} {value}: it must be finite and above 0")));
            }
        }
        if asked.sizes.dim < 2 {
            return Err(Error::input("--dim 1: a sphere of two points; take at least 2"));
        }
        if let Some(beta) = own.betas.iter().find(|beta| !(beta.is_finite() && **beta >= 0.0)) {
            return Err(Error::input(format!("--betas: {beta} must be finite and at least 0")));
        }
        if let Some(beta) = own.stair_betas.iter().find(|beta| !(beta.is_finite() && **beta > 1.0)) {
            return Err(Error::input(format!("--stair-betas: {beta} must be finite and above 1")));
        }
        let seeded = |case: Case| (1..=asked.sizes.seeds).map(move |seed| Cell { case, seed });
        let mut cells: Vec<Cell> = own.betas.iter().flat_map(|&beta| seeded(Case::Sphere(beta))).collect();
        cells.extend(own.betas.iter().take(2).flat_map(|&beta| seeded(Case::Hemisphere(beta))));
        cells.extend(seeded(Case::Ellipsoid).chain(seeded(Case::Causal)));
        cells.push(Cell { case: Case::Plateau, seed: 0 });
        cells.extend(own.stair_betas.iter().map(|&beta| Cell { case: Case::Staircase(beta), seed: 0 }));
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        let beta = cell.case.beta().map_or(String::new(), |beta| format!(", β = {beta}"));
        format!("{}{beta}, seed {}", cell.case.name(), cell.seed)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        let (d, dt, steps) = (asked.sizes.dim, asked.own.dt, asked.sizes.steps);
        let mut cloud = CloudSample::new(Cloud::Sphere, asked.sizes.tokens, d).tokens(cell.seed, Precision::F64)?;
        match cell.case {
            Case::Sphere(beta) => {
                follow(asked, cell, &sphere(beta, dt, Operator::identity(), Mask::Full), &cloud, steps, None, work)
            }
            Case::Hemisphere(beta) => {
                cloud = hemisphere(&cloud)?;
                follow(asked, cell, &sphere(beta, dt, Operator::identity(), Mask::Full), &cloud, steps, None, work)
            }
            Case::Ellipsoid => {
                cloud = hemisphere(&cloud)?;
                let (model, axes) = ellipsoid(d, dt, cell.seed)?;
                follow(asked, cell, &model, &cloud, steps, Some(&axes), work)
            }
            Case::Causal => {
                let mut stream = Stream::new(cell.seed, "queries", 0);
                let (q, k) = (near_identity(d, &mut stream), near_identity(d, &mut stream));
                let scores = Operator::constant(Matrix::from_query_key(&q, &k)?);
                follow(asked, cell, &sphere(CAUSAL_BETA, dt, scores, Mask::Causal), &cloud, steps, None, work)
            }
            Case::Plateau => {
                let config = Config::preset("sphere-metastable", &[])?;
                let (model, steps) = (config.model.clone(), config.run.steps);
                follow(asked, cell, &model, &config.load_tokens()?, steps, None, work)
            }
            Case::Staircase(beta) => stairs(beta, work),
        }
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>) -> Result<Report> {
        report::report(asked, results)
    }
}

/// The tokens with their first coordinate turned positive, and away from the rim.
fn hemisphere(cloud: &Tokens) -> Result<Tokens> {
    let (n, d) = (cloud.n(), cloud.d());
    let mut x = cloud.to_f64();
    x.chunks_exact_mut(d).for_each(|row| row[0] = row[0].abs() + 0.05);
    Tokens::from_flat(n, d, x)
}

fn follow(
    asked: &Asked<Consensus>,
    cell: &Cell,
    model: &Model,
    cloud: &Tokens,
    steps: u64,
    axes: Option<&[f64]>,
    work: &mut Workbench<'_>,
) -> Result<Row> {
    let Update::Flow { dt, .. } = model.update else { return Err(Error::input("consensus is studied in flows")) };
    let beta = cell.case.beta();
    // E rises along the symmetric flow on the sphere alone.
    let symmetric = matches!(cell.case, Case::Sphere(_) | Case::Hemisphere(_) | Case::Plateau);
    let rises = symmetric && beta.is_some_and(|beta| beta > 0.0) && cloud.n() <= MOST_PAIRED.min(ALL_PAIRS);
    let pictured = cell.seed <= 1 && cloud.n() <= 1500 && cloud.d() <= 3;
    let every = steps.div_ceil(MOST_FRAMES).div_ceil(EVERY).max(1) * EVERY;
    let (mut ledger, mut start) = (IncreaseLedger::default(), Vec::new());
    let (mut path, mut rows, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    let (mut first_moved, mut off_surface) = (0.0f64, 0.0f64);
    let taken = work.simulate(
        model,
        cloud,
        steps,
        |t| t % EVERY == 0,
        |look| {
            let points = Points::of(look.tokens);
            let first = points.row(0);
            if look.t == 0 {
                start = first.to_vec();
            }
            let apart = points.rows().map(|row| distance(row, first)).fold(0.0, f64::max);
            first_moved = first_moved.max(distance(first, &start));
            let square =
                |row: &[f64]| (0..row.len()).map(|k| axes.map_or(1.0, |axes| axes[k]) * row[k] * row[k]).sum::<f64>();
            off_surface = points.rows().map(|row| (square(row) - 1.0).abs()).fold(off_surface, f64::max);
            let energy = match beta {
                Some(beta) if rises => {
                    let energy = sphere_energy(&Distinct::of(&points), beta, 0.0);
                    ledger.record(look.t, Energy { value: -energy.value, ..energy });
                    energy.value
                }
                _ => f64::NAN,
            };
            path.push(Sample { step: look.t, distance: apart });
            rows.push(vec![look.t as f64 * dt, apart, energy]);
            if pictured && (look.t % every == 0 || look.last) {
                frames.push((look.t, look.tokens.clone()));
            }
            // Nothing happens any more once all are together to rounding.
            let together = apart < 1e-9 && cell.case != Case::Plateau;
            Ok(if together { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        },
    )?;
    let epsilon = asked.own.epsilon;
    let apart = path.last().map_or(0.0, |sample| sample.distance);
    let consensus = path
        .iter()
        .rposition(|sample| sample.distance > epsilon)
        .map_or(Some(0), |at| path.get(at + 1).map(|s| s.step));
    let near: Vec<Sample> = path.iter().skip_while(|sample| sample.distance > NEAR).copied().collect();
    let fit = RateFit::of(&near, f64::EPSILON * (cloud.d() as f64).sqrt()).ok();
    let median = |from: f64, to: f64| {
        let mut values: Vec<f64> =
            rows.iter().filter(|row: &&Vec<f64>| row[0] >= from && row[0] <= to).map(|row| row[2]).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let plateau = if cell.case == Case::Plateau { median(50.0, 250.0) } else { None };
    let last_energy = rows.last().map(|row| row[2]).filter(|energy| energy.is_finite());
    if cell.seed <= 1 {
        work.series("path", &["t", "apart", "energy"], rows)?;
    }
    if !frames.is_empty() {
        work.frames(&frames)?;
    }
    Ok(Row {
        case: cell.case.name().into(),
        seed: cell.seed,
        beta,
        steps: taken,
        end: taken as f64 * dt,
        consensus: consensus.map(|step| step as f64 * dt),
        apart,
        falls: rises.then_some(ledger.increases.len() as u64),
        first_moved,
        off_surface,
        rate: fit.map(|fit| -libm::log(fit.rate) / dt),
        geometric: fit.map(|fit| fit.decay() == Decay::Geometric),
        plateau,
        last_energy,
        levels: None,
    })
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

fn stairs(beta: f64, work: &mut Workbench<'_>) -> Result<Row> {
    let records = staircase::energies(beta, |_| work.check())?;
    let stayed =
        |level: &f64| records.iter().filter(|record| (record[1] - level).abs() < 0.01).count() * 100 >= records.len();
    // The last level is no stay: it is where the run ends.
    let levels = staircase::levels().iter().filter(|level| **level < 1.0 && stayed(level)).count() as u64;
    let [end, last] = records.last().copied().unwrap_or_default();
    let row = Row {
        case: "staircase".into(),
        beta: Some(beta),
        steps: (end / staircase::STEP).round() as u64,
        end,
        falls: Some(records.windows(2).filter(|pair| pair[1][1] < pair[0][1] - 0.01).count() as u64),
        plateau: records.first().map(|record| record[1]),
        last_energy: Some(last),
        levels: Some(levels),
        ..Row::default()
    };
    let rows = records.into_iter().map(|[t, energy]| vec![t, f64::NAN, energy]).collect();
    work.series("path", &["t", "apart", "energy"], rows)?;
    Ok(row)
}
