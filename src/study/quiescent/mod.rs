//! Quiescent sets (second experiment of arXiv 2509.15958; Theorem 4.1): tokens near a vertex, constant δ.
//!
//! ```text
//! v a non-zero vertex of K,   ε(v) = s(v)/(2 + 2α),   s(v) = δ (width), δ/|v| (score)
//! x_i in B(v, ε(v))  =>  it stays, and x_i(t+1) − v = (x_i(t) − v)/(1 + α) once C_i = N(v) for every i in N(v)
//! ```
//!
//! That the published radius δ/(2+2α) belongs to the width form is reconstructed: the score form has it for |v| < 2 + 2α only,
//! and `constructed` is a case where it fails beyond.
//!
//! A cell takes its cloud to the end and back again: first to find K's vertices, as hull vertices of the last state whose group
//! is closed (C_i = N for its members), then once more from the start, to see who entered their balls when, and who left.

mod draw;
mod measure;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::{Deserialize, Serialize};

use super::{Asked, Basis, Claim, Report, Results, Sizes, Study, Verdict, Workbench};
use crate::error::{Error, Result};
use crate::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use crate::observe::contraction;
use crate::rng::Stream;
use crate::schedule::Schedule;
use crate::tokens::Tokens;

const THEOREM: &str = "2509.15958, Theorem 4.1";
/// Further tokens at p in the constructed case.
const COPIES: usize = 99;
/// Directions drawn for a corner.
const TRIED: usize = 12;
/// How far a fitted rate may be from 1/(1+α).
const RATE_ERROR: f64 = 1e-3;

/// Parameters of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Quiescent {
    /// Step sizes
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub alphas: Vec<f64>,
    /// Width of the strip, constant in time
    #[arg(long, value_name = "DELTA")]
    pub delta: f64,
    /// What the width is measured in; each is run
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = form())]
    pub forms: Vec<String>,
    /// Corners around which tokens begin, at distance 1 from the origin
    #[arg(long, value_name = "M")]
    pub corners: u64,
}

fn form() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(StripForm::ALL.map(|(_, name)| name))
}

impl Default for Quiescent {
    fn default() -> Self {
        let forms = vec!["width".into(), "score".into()];
        Self { alphas: vec![0.1, 0.5, 1.0, 3.0], delta: 0.1, forms, corners: 6 }
    }
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

/// What a cell leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// `cloud` or `constructed`.
    pub case: String,
    /// Seed of the cloud; 0 for the constructed case.
    pub seed: u64,
    /// Strip form.
    pub form: String,
    /// α.
    pub alpha: f64,
    /// δ.
    pub delta: f64,
    /// Steps taken; fewer than allowed where no bit moved any more.
    pub steps: u64,
    /// Groups of the last state that are vertices of its hull, away from the origin.
    pub hull_groups: u64,
    /// Those with C_i = N for their members: the vertices v whose quiescent sets are looked at.
    pub closed_groups: u64,
    /// The largest |v|.
    pub vertex_norm: f64,
    /// Tokens in a ball B(v, ε(v)) at the start.
    pub inside_first: u64,
    /// Tokens in one at the end: `S_1`.
    pub inside_last: u64,
    /// The step from which on K(t) is within a twentieth of the least radius of K, in 62 directions and along the axes.
    pub hull_settled: u64,
    /// Times that a token left the ball it was in before that.
    pub early_departures: u64,
    /// And after: what the theorem says never happens.
    pub departures: u64,
    /// The step from which on every group is closed to the end.
    pub closed_from: u64,
    /// Tokens that were within the published δ/(2+2α) of a vertex, after that step too, and went elsewhere.
    pub lost: u64,
    /// Rates fitted, one a token.
    pub fitted: u64,
    /// Their mean; empty where none could be fitted.
    pub rate: Option<f64>,
    /// 1/(1+α).
    pub theory: f64,
    /// The largest |rate − 1/(1+α)|.
    pub worst: Option<f64>,
    /// Half the widest 95 % interval of a rate.
    pub interval: Option<f64>,
    /// The largest |mean(N) − v| from `closed_from` on, in units of the lattice.
    pub drift: f64,
}

impl Cell {
    fn model(&self) -> Model {
        let rule = Rule::Localmax { delta: Schedule::Constant(self.delta), strip: self.form };
        Model::averaging(rule, Operator::identity(), Mask::Full, Gain::Alpha(Schedule::Constant(self.alpha)))
    }

    fn cloud(&self, asked: &Asked<Quiescent>) -> Result<Tokens> {
        if self.seed == 0 { constructed() } else { around_corners(self.seed, asked) }
    }
}

/// Two thirds of the tokens within 2δ of corners on the unit sphere, the others inside.
fn around_corners(seed: u64, asked: &Asked<Quiescent>) -> Result<Tokens> {
    let (n, d, own) = (asked.sizes.tokens, asked.sizes.dim, &asked.own);
    let direction = |stream: &mut Stream| loop {
        let v: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > 0.0 {
            return v.into_iter().map(|x| x / length).collect::<Vec<_>>();
        }
    };
    // Of several random directions the one farthest from the corners so far.
    let mut corners: Vec<Vec<f64>> = Vec::new();
    for k in 0..own.corners {
        let mut stream = Stream::new(seed, "corners", k);
        let drawn: Vec<Vec<f64>> = (0..TRIED).map(|_| direction(&mut stream)).collect();
        let nearness = |v: &Vec<f64>| {
            let cosine = |c: &Vec<f64>| c.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
            corners.iter().map(cosine).fold(-1.0, f64::max)
        };
        let best = drawn.iter().min_by(|a, b| nearness(a).total_cmp(&nearness(b))).cloned();
        corners.extend(best);
    }
    let mut rows = Vec::with_capacity(n * d);
    for i in 0..n as u64 {
        let mut stream = Stream::new(seed, "quiescent", i);
        let away = direction(&mut stream);
        let far = libm::pow(stream.uniform(), 1.0 / d as f64);
        let (corner, reach) =
            if i % 3 == 2 { (None, 0.6) } else { (Some(&corners[(i % own.corners) as usize]), 2.0 * own.delta) };
        rows.extend((0..d).map(|k| corner.map_or(0.0, |c| c[k]) + reach * far * away[k]));
    }
    Tokens::from_flat(n, d, rows)
}

/// A cloud for α = 1/2, δ = 1 in the score form, where B(v, δ/(2+2α)) does not hold its token: v = (10, 0) sees nobody but itself
/// and stays; y = (9.89, 0.3) is 0.32 < 1/3 from v, and v does not see it, as <v, v − y> = 1.1 > δ; y sees p = (9.89, 8) alone, as
/// <y, p − v> = 1.31 > δ, and goes there. |v| = 10 is beyond 2 + 2α = 3; the ball that the score form does have, δ/|v|/(2+2α) = 1/30,
/// does not hold y. At p there are many tokens, so that y hardly moves them when it arrives: K(t) is as near to K as one likes, from
/// the start.
fn constructed() -> Result<Tokens> {
    let p = [9.89, 8.0];
    let mut rows = vec![10.0, 0.0, p[0], p[1], 9.89, 0.3, -8.0, -9.0, -9.0, 7.0];
    rows.extend(p.repeat(COPIES));
    Tokens::from_flat(rows.len() / 2, 2, rows)
}

impl Study for Quiescent {
    const NAME: &'static str = "quiescent";
    const TITLE: &'static str = "Quiescent sets: who stays near a vertex, and how fast it converges";
    const EXAMPLES: &'static str = "Examples:
  localmax study quiescent                                 four step sizes, two strip forms, in a minute or two
  localmax study quiescent --quick                         in seconds
  localmax study quiescent --dim 3 --tokens 20000          in space, with more tokens
  localmax study quiescent --alphas 0.2,2 --forms width    other step sizes, one form";

    type Cell = Cell;
    type Row = Row;

    fn sizes() -> Sizes {
        Sizes::new(300, 2, 5, 800)
    }

    fn quick(asked: &mut Asked<Self>) {
        asked.sizes.tokens = 90;
        asked.sizes.seeds = 1;
        asked.own.alphas = vec![0.5, 3.0];
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let Quiescent { alphas, delta, forms, corners } = &asked.own;
        if *corners == 0 {
            return Err(Error::input("--corners 0: it must be at least 1"));
        }
        let mut cells = Vec::new();
        for name in forms {
            let form = StripForm::ALL.iter().find(|(_, form)| form == name).map(|(form, _)| *form);
            let form =
                form.ok_or_else(|| Error::input(format!("--forms: {name:?} is none of score, width, a-norm")))?;
            cells.push(Cell { seed: 0, alpha: 0.5, delta: 1.0, form });
            for &alpha in alphas {
                cells.extend((1..=asked.sizes.seeds).map(|seed| Cell { seed, alpha, delta: *delta, form }));
            }
        }
        cells.iter().try_for_each(|cell| cell.model().validate(asked.sizes.dim.max(2), 1))?;
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        match cell.seed {
            0 => format!("constructed case, {} strip", cell.form.name()),
            seed => format!("α = {}, {} strip, seed {seed}", cell.alpha, cell.form.name()),
        }
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
            "Each cloud is taken to its end, where the groups at the vertices of its hull are found; a group is closed where all of its \
             members attend to exactly the group. Then the same cloud is taken again from the start, and at every step it is seen who is \
             in a ball B(v, s(v)/(2+2α)) around such a vertex. Rates are fitted to log |xᵢ − v| for every token of a group (up to 200 \
             a cloud), from the step at which all groups are closed to where rounding begins.",
        );
        draw::figures(asked, results, &mut report)?;
        Ok(report)
    }
}

fn claims(asked: &Asked<Quiescent>, rows: &[Row], report: &mut Report) {
    let clouds: Vec<&Row> = rows.iter().filter(|row| row.case == "cloud").collect();
    let sum = |rows: &[&Row], count: fn(&Row) -> u64| rows.iter().map(|row| count(row)).sum::<u64>();
    for form in &asked.own.forms {
        let of: Vec<&Row> = clouds.iter().copied().filter(|row| row.form == *form).collect();
        report.claim(Claim::always(
            &format!("A token in B(v, s(v)/(2+2α)) stays in it, once K(t) is near K ({form} strip)"),
            THEOREM,
            Basis::Reconstructed,
            sum(&of, |row| row.departures),
            sum(&of, |row| row.inside_last),
            &format!(
                "tokens that ended in one ({} departures before K(t) was within ε/20 of K, of which the theorem does not speak)",
                sum(&of, |row| row.early_departures)
            ),
        ));
        let mut closed = Claim::always(
            &format!("At the end C_i = N for every i in N, the tokens near a vertex ({form} strip)"),
            THEOREM,
            Basis::Reconstructed,
            sum(&of, |row| row.hull_groups - row.closed_groups),
            sum(&of, |row| row.hull_groups),
            "groups at vertices of the last hull",
        );
        if closed.agrees == Verdict::No {
            // A group of a cloud that still moves may close yet.
            let open = of.iter().filter(|row| row.closed_groups < row.hull_groups);
            closed.agrees = Verdict::at_rest(false, open.map(|row| row.steps).all(|steps| steps < asked.sizes.steps));
        }
        report.claim(closed);
    }
    for &alpha in &asked.own.alphas {
        let of = || clouds.iter().filter(|row| row.alpha == alpha);
        let worst = of().filter_map(|row| row.worst).fold(f64::NAN, f64::max);
        let fitted: u64 = of().map(|row| row.fitted).sum();
        let interval = of().filter_map(|row| row.interval).fold(0.0, f64::max);
        report.claim(Claim {
            claim: format!(
                "Tokens in a quiescent set converge at rate 1/(1+α) = {:.6}, α = {alpha}",
                contraction(alpha)
            ),
            source: THEOREM.into(),
            basis: Basis::Reconstructed,
            measured: match fitted {
                0 => "nothing was fitted".into(),
                _ => format!("the worst of {fitted} fitted rates is {worst:.1e} off; intervals up to ±{interval:.1e}"),
            },
            error: format!("{RATE_ERROR:.0e}"),
            agrees: if fitted == 0 { Verdict::Undecided } else { Verdict::of(crate::num::within(worst, RATE_ERROR)) },
        });
    }
    // A mean is rounded once a step, and a rounding fades by 1/(1+α) a step.
    let allowed = |alpha: f64| (1.0 + alpha) / alpha + 2.0;
    let drift = |row: &&Row| row.drift / allowed(row.alpha);
    let over = clouds.iter().filter(|row| !crate::num::within(drift(row), 1.0)).count() as u64;
    let largest = clouds.iter().map(|row| row.drift).fold(0.0, f64::max);
    report.claim(Claim {
        claim: "The mean of the tokens near a vertex is conserved, and is the vertex".into(),
        source: "2509.15958, section 4; derived in full".into(),
        basis: Basis::Proved,
        measured: format!(
            "it drifts by {largest:.1} units of the lattice at most; {over} clouds drift more than rounding can"
        ),
        error: "(1+α)/α + 2 units: a rounding a step".into(),
        agrees: if clouds.is_empty() { Verdict::Undecided } else { Verdict::of(over == 0) },
    });
    for form in &asked.own.forms {
        let Some(row) = rows.iter().find(|row| row.case == "constructed" && row.form == *form) else { continue };
        let score = form == "score";
        let claim = if score {
            "The published radius δ/(2+2α) fails in the score form for |v| > 2 + 2α (constructed: |v| = 10, α = 1/2, δ = 1)".to_owned()
        } else {
            format!("On the same data the published radius holds in the {form} form")
        };
        report.claim(Claim {
            claim,
            source: "derived here; the paper's form of Eq. 5 is reconstructed".into(),
            basis: Basis::Reconstructed,
            measured: format!(
                "{} tokens came within it of a vertex, with K(t) near K, and went elsewhere; {} departures from B(v, s(v)/(2+2α))",
                row.lost, row.departures
            ),
            error: "none allowed".into(),
            agrees: Verdict::of((row.lost > 0) == score && row.departures == 0),
        });
    }
}
