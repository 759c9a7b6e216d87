//! Consensus on spheres and ellipsoids: how long it takes, the plateaus before it, the staircase.
//!
//! | case | system | theory |
//! |---|---|---|
//! | `sphere` | uniform tokens, Q = K = V = I | one cluster for d ≥ 3; E_β never falls (2312.10794) |
//! | `hemisphere` | the same from an open hemisphere | one cluster, exponentially fast (2312.10794) |
//! | `ellipsoid` | two heads, P(t) bounded, from an open hemisphere | consensus (2412.02682) |
//! | `causal` | arbitrary Q and K, V = I | the first token is fixed, all others go to it (2411.04990, 2412.02682) |
//! | `plateau` | the authors' five tokens at β = 4 | E hardly rises for long, then e⁴/8 (2410.06833) |
//! | `staircase` | the authors' five tokens, their scheme, in a loop of its own | E climbs by steps from 1/n to 1 (2410.06833) |
//!
//! Consensus is measured by the distance of the farthest token from the first one; its time is the
//! one from which that distance stays below ε.

mod claims;
mod draw;
mod measure;
mod staircase;
mod systems;

use super::common::positive;
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench};
use crate::error::{Error, Result};

sheet! {
    SPHERE = Counted("2312.10794, a theorem for d ≥ 3 and almost every start, without a time",
        "Runs on the sphere that become one cluster");
    HEMISPHERE = Counted("2312.10794, a theorem without a time",
        "Runs from an open hemisphere that become one cluster");
    EXPONENTIAL = Proved("2312.10794",
        "From an open hemisphere tokens come together exponentially fast: at last a straight line on a logarithmic axis");
    ENERGY = Proved("2312.10794", "Along the flow with Q = K = V = I the energy E_β never falls");
    ELLIPSOID = Counted("2412.02682, full attention, U = I, a theorem without a time",
        "Runs with several heads and bounded P(t) on an ellipsoid, from an open hemisphere, that come to consensus");
    SURFACE = Proved("2412.02682; by construction", "The flow keeps to its surface, xᵀWx = 1");
    CAUSAL = Counted("2411.04990; 2412.02682, Theorem 5.1, without a time",
        "Runs under a causal mask, with random Q and K, in which all tokens come to the first");
    FIRST_STAYS = Proved("2411.04990", "The first token of a causal cloud never moves");
    PLATEAU = Counted("computed here, with the tokens and the scheme of 2410.06833, kinetic.py",
        "Five tokens at β = 4: the energy between their two mergers");
    ONE_CLUSTER = Proved("2312.10794: e^β/(2β) is the energy of one cluster",
        "At the end the five tokens are one cluster: the energy is e⁴/8");
    STAIRCASE = Illustration("2410.06833, staircase.py, in a loop of the study's own that no engine runs",
        "The energy climbs by steps, a merger each, to 1");
}

/// The times between which the energy of the five tokens hardly rises.
const BETWEEN: [f64; 2] = [10.0, 300.0];

parameters! { Consensus:
    /// Values of β on the sphere
    betas: Vec<f64> = vec![0.0, 1.0, 2.0, 4.0, 6.0], "LIST", value_delimiter = ',';
    /// Values of β of the staircase
    stair_betas: Vec<f64> = vec![500.0, 1000.0, 2000.0, 4000.0], "LIST", value_delimiter = ',';
    /// Length of a step in t
    dt: f64 = 0.1, "DT";
    /// ε: consensus is where every token is within this of the first
    epsilon: f64 = 1e-3, "EPSILON";
}

/// A system of the table above, at β.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the table above describes each system")]
pub enum Case {
    Sphere(f64),
    Hemisphere(f64),
    Ellipsoid,
    Causal,
    Plateau,
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
            Self::Causal => Some(systems::CAUSAL_BETA),
            Self::Plateau => Some(4.0),
            Self::Ellipsoid => None,
        }
    }
}

/// A system and a seed.
#[derive(Clone, Debug)]
pub struct Cell {
    case: Case,
    seed: u64,
}

// Times are in t.
columns! { Row:
    case: String, "The case";
    seed: u64, "Seed of the cloud, and of Q and K";
    beta: Option<f64>, "β";
    steps: u64, "Steps taken";
    end: f64, "t at the end";
    consensus: Option<f64>, "Time from which every token stays within ε of the first; none if there was no consensus";
    apart: f64, "Distance of the farthest token from the first, at the end";
    falls: Option<u64>, "Number of times that E_β fell between two looks";
    first_moved: f64, "Largest distance of the first token from where it began";
    off_surface: f64, "Largest |xᵀWx − 1| (|x|² on the sphere)";
    rate: Option<f64>, "Fitted rate per unit of t at which tokens come together, where they are near";
    geometric: Option<bool>, "Whether the distance falls straight on a logarithmic axis";
    plateau: Option<f64>, "E on the plateau, the median over t from 50 to 250; of the staircase at the start";
    early_energy: Option<f64>, "E of the five tokens at t = 10";
    late_energy: Option<f64>, "E of the five tokens at t = 300";
    last_energy: Option<f64>, "E at the end";
    levels: Option<u64>, "Number of levels below 1 at which the staircase stayed for a hundredth of the time or longer";
}

impl Study for Consensus {
    const NAME: &'static str = "consensus";
    const TITLE: &'static str = "Consensus on spheres and ellipsoids: times, plateaus, the staircase";
    const EXAMPLES: &'static str = "Examples:
  localmax study consensus                            64 tokens in space, five seeds
  localmax study consensus --betas 1,8 --steps 20000  how long tokens stay apart at large β
  localmax study consensus --tokens 1024 --dim 16     more tokens, more dimensions";

    const SIZES: Sizes = Sizes::new(64, 3, 5, 5000);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.tokens, sizes.seeds, sizes.steps) = (16, 1, 1000);
        (self.betas, self.stair_betas) = (vec![0.0, 1.0], vec![2000.0]);
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let own = &asked.own;
        positive("--dt", own.dt)?;
        positive("--epsilon", own.epsilon)?;
        if asked.sizes.dim < 2 {
            return Err(Error::input("--dim 1: a sphere of two points; take at least 2"));
        }
        if let Some(beta) = own.betas.iter().find(|beta| !(beta.is_finite() && **beta >= 0.0)) {
            return Err(Error::input(format!("--betas: {beta} must be finite and at least 0")));
        }
        if let Some(beta) = own.stair_betas.iter().find(|beta| !(beta.is_finite() && **beta > 1.0)) {
            return Err(Error::input(format!("--stair-betas: {beta} must be finite and above 1")));
        }
        let seeded = |case: Case| asked.sizes.every_seed().map(move |seed| Cell { case, seed });
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
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        claims::judge(asked, &results.rows, report);
        report.text(format!(
            "Runge–Kutta steps of {} for the sphere and the ellipsoid, the authors' own schemes for the plateau and \
             the staircase. The text of 2412.02682 and 2411.04990 was not at hand: their theorems are taken from \
             summaries, and all parameters but those of 2410.06833 are ours. A run without consensus after {} steps \
             is no counterexample: at large β clusters stay apart for a time exponential in β. Theorems without a \
             time cannot be refuted by runs that end, so that consensus is counted. The staircase is a loop of the \
             study's own, written after the authors' script: it shows their figure and says nothing of any engine.",
            asked.own.dt, asked.sizes.steps
        ));
        draw::figures(asked, results, report)
    }
}
