//! Quiescent sets: tokens near a vertex (second experiment and Theorem 4.1 of arXiv 2509.15958).
//!
//! ```text
//! v a non-zero vertex of K,   ε(v) = s(v)/(2 + 2α),   s(v) = δ (width), δ/|v| (score)
//! x_i in B(v, ε(v))  =>  it stays, and once C_i = N(v) for every i in N(v)
//!                        x_i(t+1) − v = (x_i(t) − v)/(1 + α)
//! ```
//!
//! That the published radius δ/(2+2α) belongs to the width form is reconstructed: the score form
//! has it for |v| < 2 + 2α only, and `constructed` is a case where it fails beyond.
//!
//! A cell takes its cloud to the end twice: first to find K's vertices, as hull vertices of the
//! last state whose group is closed (C_i = N for its members), then once more from the start, to
//! see which tokens entered their balls when, and which left.

mod claims;
mod draw;
mod measure;

use super::common;
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench, clouds};
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, StripForm};
use crate::rng::Stream;
use crate::tokens::Tokens;

sheet! {
    STAYS = Reconstructed("2509.15958, Theorem 4.1",
        "A token in B(v, s(v)/(2+2α)) stays in it, once K(t) is near K ({form} strip)");
    CLOSED = Reconstructed("2509.15958, Theorem 4.1",
        "At the end C_i = N for every i in N, the tokens near a vertex ({form} strip)");
    RATE = Illustration("algebra: a mean of the group is the mean of every strip",
        "From the step on at which all strips of a group are the group, its tokens converge at rate 1/(1+α) = {rate}, \
         α = {alpha}");
    FROM_ENTRY = Counted("2509.15958, Theorem 4.1, whose rate is that of the limit",
        "The rate of a token from its entry into the ball on, while the strips of its group still change (α = {alpha})");
    MEAN = Proved("2509.15958, section 4; derived in full",
        "The mean of the tokens near a vertex is conserved, and is the vertex");
    RADIUS_FAILS = Reconstructed("derived here; the paper's form of Eq. 5 is reconstructed",
        "The published radius δ/(2+2α) fails in the score form for |v| > 2 + 2α (constructed: |v| = 10, α = 1/2, δ \
         = 1)");
    RADIUS_HOLDS = Reconstructed("derived here; the paper's form of Eq. 5 is reconstructed",
        "On the same data the published radius holds in the {form} form");
}

/// Number of further tokens at p in the constructed case.
const COPIES: usize = 99;
/// Number of directions drawn for a corner.
const DRAWN: usize = 12;
/// Largest distance of a fitted rate from 1/(1+α).
const RATE_ERROR: f64 = 1e-3;

parameters! { Quiescent:
    /// Step sizes
    alphas: Vec<f64> = vec![0.1, 0.5, 1.0, 3.0], "LIST", value_delimiter = ',';
    /// Width of the strip, constant in time
    delta: f64 = 0.1, "DELTA";
    /// Forms of the strip; each is run
    forms: Vec<StripForm> = vec![StripForm::Width, StripForm::Score], "LIST",
        value_delimiter = ',', value_parser = common::forms();
    /// Corners around which tokens begin, at distance 1 from the origin
    corners: u64 = 6, "M";
}

/// A system to be measured.
#[derive(Clone, Debug)]
pub struct Cell {
    /// 0 for the constructed case.
    seed: u64,
    alpha: f64,
    delta: f64,
    form: StripForm,
}

columns! { Row:
    case: String, "`cloud` or `constructed`";
    seed: u64, "Seed of the cloud; 0 for the constructed case";
    form: StripForm, "Strip form";
    alpha: f64, "α";
    delta: f64, "δ";
    steps: u64, "Steps taken; fewer than allowed where no bit moved any more";
    settled: bool, "Whether the last step moved no bit: the cloud is at rest";
    hull_groups: u64, "Number of groups of the last state that are vertices of its hull, away from the origin";
    closed_groups: u64,
        "Number of these groups with C_i = N for their members: the vertices v whose quiescent sets are looked at";
    vertex_norm: f64, "The largest |v|";
    inside_first: u64, "Tokens in a ball B(v, ε(v)) at the start";
    inside_last: u64, "Tokens in such a ball at the end: `S_1`";
    hull_settled: u64,
        "Step from which on K(t) is within a twentieth of the least radius of K, along the axes and 62 directions";
    early_departures: u64, "Number of times that a token left its ball before that step";
    departures: u64, "Number of times that a token left its ball after it";
    late_departures: u64, "Number of times that a token left its ball after `closed_from`: never, by the proof";
    closed_from: u64, "The step from which on every group is closed and inside its ball, to the end";
    merged_from: u64, "The step from which on the tokens of every group coincide; one after the last if they do not";
    lost: u64, "Tokens that were within the published δ/(2+2α) of a vertex, after that step too, and went elsewhere";
    fitted: u64, "Number of rates fitted, one for each token";
    rate: Option<f64>, "The mean of the fitted rates; empty where none could be fitted";
    theory: f64, "1/(1+α)";
    worst: Option<f64>, "The largest |rate − 1/(1+α)|";
    interval: Option<f64>, "Half the widest 95 % interval of a rate";
    entered: u64, "Number of rates fitted from a token's entry into its ball to the end";
    entry_worst: Option<f64>, "The largest |rate − 1/(1+α)| of these";
    entry_near: u64, "Number of these within 1e-3 of 1/(1+α)";
    drift: f64, "The largest |mean(N) − v| from `closed_from` on, in units of the lattice";
    drift_allowed: Option<f64>,
        "What roundings from `closed_from` to `merged_from` add up to; empty if that is over a hundredth of a ball";
}

impl Cell {
    fn model(&self) -> Model {
        common::localmax(self.delta, self.form, &Matrix::Identity, self.alpha)
    }

    fn cloud(&self, asked: &Asked<Quiescent>) -> Result<Tokens> {
        if self.seed == 0 { constructed() } else { around_corners(self.seed, asked) }
    }
}

/// Draws two thirds of the tokens within 2δ of corners on the unit sphere, the others inside.
fn around_corners(seed: u64, asked: &Asked<Quiescent>) -> Result<Tokens> {
    let (n, d, own) = (asked.sizes.tokens, asked.sizes.dim, &asked.own);
    let mut corners: Vec<Vec<f64>> = Vec::new();
    for k in 0..own.corners {
        let next = clouds::farthest_direction(&corners, DRAWN, &mut Stream::new(seed, "corners", k), d);
        corners.push(next);
    }
    let origin = vec![0.0; d];
    let row = |i: u64| {
        let corner = &corners[(i % own.corners) as usize];
        let (centre, reach) = if i % 3 == 2 { (&origin, 0.6) } else { (corner, 2.0 * own.delta) };
        clouds::in_ball(centre, reach, &mut Stream::new(seed, "quiescent", i))
    };
    Tokens::from_flat(n, d, (0..n as u64).flat_map(row).collect::<Vec<f64>>())
}

/// A cloud for α = 1/2, δ = 1 in the score form, where B(v, δ/(2+2α)) does not hold its token: v =
/// (10, 0) sees itself alone and stays; y = (9.89, 0.3) is 0.32 < 1/3 from v, and v does not see
/// it, as <v, v − y> = 1.1 > δ; y sees p = (9.89, 8) alone, as <y, p − v> = 1.31 > δ, and goes
/// there. |v| = 10 is beyond 2 + 2α = 3; the ball that the score form does have, δ/|v|/(2+2α) =
/// 1/30, does not hold y. At p there are many tokens, so that y hardly moves them when it arrives:
/// K(t) is as near to K as one likes, from the start.
fn constructed() -> Result<Tokens> {
    let p = [9.89, 8.0];
    let mut rows = vec![10.0, 0.0, p[0], p[1], 9.89, 0.3, -8.0, -9.0, -9.0, 7.0];
    rows.extend(p.repeat(COPIES));
    Tokens::from_flat(rows.len() / 2, 2, rows)
}

impl Study for Quiescent {
    const NAME: &'static str = "quiescent";
    const TITLE: &'static str = "Quiescent sets: which tokens stay near a vertex, and how fast they converge";
    const EXAMPLES: &'static str = "Examples:
  localmax study quiescent                                 four step sizes, two strip forms, in a minute or two
  localmax study quiescent --quick                         in seconds
  localmax study quiescent --dim 3 --tokens 20000          in space, with more tokens
  localmax study quiescent --alphas 0.2,2 --forms width    other step sizes, one form";

    const SIZES: Sizes = Sizes::new(300, 2, 5, 800);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.tokens, sizes.seeds) = (90, 1);
        self.alphas = vec![0.5, 3.0];
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let Quiescent { alphas, delta, forms, corners } = &asked.own;
        if *corners == 0 {
            return Err(Error::input("--corners 0: it must be at least 1"));
        }
        let mut cells = Vec::new();
        for &form in forms {
            cells.push(Cell { seed: 0, alpha: 0.5, delta: 1.0, form });
            for &alpha in alphas {
                cells.extend(asked.sizes.every_seed().map(|seed| Cell { seed, alpha, delta: *delta, form }));
            }
        }
        cells.iter().try_for_each(|cell| cell.model().validate(asked.sizes.dim.max(2), 1))?;
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        match cell.seed {
            0 => format!("constructed case, {} strip", cell.form),
            seed => format!("α = {}, {} strip, seed {seed}", cell.alpha, cell.form),
        }
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
            "Each cloud is taken to its end, where the groups at the vertices of its hull are found; a group is \
             closed where all of its members attend to exactly the group. Then the same cloud is taken again from \
             the start, and every step finds the tokens in a ball B(v, s(v)/(2+2α)) around such a vertex. Rates \
             are fitted to log |xᵢ − v| for every token of a group (up to 200 a cloud), down to where rounding \
             begins. From the step at which all groups are closed, the rate is algebra: it checks the arithmetic, \
             not the theorem. What tests the theorem is that groups close and that tokens which came into a ball \
             stay. The rates from the entry on are counted beside it: the theorem gives the limit of a rate alone.",
        );
        draw::figures(asked, results, report)
    }
}
