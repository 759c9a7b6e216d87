//! Limits outside S under constant δ: how often, where, how stable (open question 3 and Remark 3.1 of arXiv 2509.15958).
//!
//! ```text
//! x outside S:  x rests, and its gap g = max_l <x, x_l> − |x|² is above 0;  then x = mean of C, and g <= δ s
//! two vertices v, w in the strip of x:  x = (v + w)/2,  g = ||v|² − |w|²|/4
//! ```
//!
//! A cell takes a cloud to where no bit moves any more. Where tokens rest outside S, it is seen whether they lie on the boundary of
//! the hull and whom they attend to; then the last state, or the first one, is displaced by a small length and taken to its end
//! again. Seed 0 stands for the constructed case of five tokens.

mod draw;
mod measure;

use serde::{Deserialize, Serialize};

use super::{Asked, Basis, Claim, Report, Results, Sizes, Study, Verdict, Workbench, common};
use crate::error::{Error, Result};
use crate::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use crate::num;
use crate::schedule::Schedule;
use crate::tokens::Tokens;

/// A gap above this times the squared radius of the cloud is one.
const GAP: f64 = 1e-6;
/// Share of tokens that must come through the smallest displacement for limits to be called stable.
const STABLE: f64 = 0.99;
/// The constructed case: where its last token goes, and its gap.
const PLACE: [f64; 2] = [1.05, 0.0];
const PLACE_GAP: f64 = 0.0525;
const PLACE_ERROR: f64 = 1e-9;

/// Parameters of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Artefacts {
    /// Clouds to begin with
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = common::clouds())]
    pub clouds: Vec<String>,
    /// What a width is measured in; each is run
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = common::forms())]
    pub forms: Vec<String>,
    /// Widths of the strip, constant in time
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub deltas: Vec<f64>,
    /// Step size
    #[arg(long, value_name = "ALPHA")]
    pub alpha: f64,
    /// Lengths of displacements, in units of the cloud's radius
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub displacements: Vec<f64>,
    /// Draws of each displacement
    #[arg(long, value_name = "K")]
    pub draws: u64,
}

impl Default for Artefacts {
    fn default() -> Self {
        Self {
            clouds: vec!["corners".into(), "normal".into()],
            forms: vec!["width".into(), "score".into()],
            deltas: vec![0.05, 0.1, 0.2, 0.3, 0.5, 1.0],
            alpha: 0.5,
            displacements: vec![1e-6, 1e-4, 1e-3, 1e-2, 1e-1],
            draws: 2,
        }
    }
}

/// A cloud, a form and a width.
#[derive(Clone, Debug)]
pub struct Cell {
    /// `constructed` for the five tokens.
    cloud: String,
    form: StripForm,
    delta: f64,
    alpha: f64,
    seed: u64,
}

/// What a cell leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The cloud it began with.
    pub cloud: String,
    /// Strip form.
    pub form: String,
    /// δ.
    pub delta: f64,
    /// Seed of the cloud; 0 for the constructed case.
    pub seed: u64,
    /// Steps taken.
    pub steps: u64,
    /// Whether no bit moves any more; only then tokens are said to be outside S.
    pub settled: bool,
    /// Tokens.
    pub tokens: u64,
    /// Places at which tokens rest.
    pub places: u64,
    /// Vertices of the last hull.
    pub vertices: u64,
    /// Tokens at rest outside S.
    pub outside: u64,
    /// Places outside S.
    pub outside_places: u64,
    /// Tokens outside S that lie on the boundary of the hull.
    pub boundary: u64,
    /// Tokens outside S all of whose keys are at vertices or at their own place.
    pub between_vertices: u64,
    /// Places that a token outside S attends to besides its own, on average.
    pub attended: f64,
    /// The largest gap.
    pub gap_max: f64,
    /// Tokens outside S with a gap above δ·s and rounding.
    pub beyond: u64,
    /// Tokens outside S that hardmax, from there on, takes into S.
    pub freed: u64,
    /// The last token.
    pub last_token: String,
}

impl Cell {
    fn model(&self) -> Model {
        self.with(Rule::Localmax { delta: Schedule::Constant(self.delta), strip: self.form })
    }

    fn hardmax(&self) -> Model {
        self.with(Rule::Hardmax)
    }

    fn with(&self, rule: Rule) -> Model {
        Model::averaging(rule, Operator::identity(), Mask::Full, Gain::Alpha(Schedule::Constant(self.alpha)))
    }

    fn tokens(&self, asked: &Asked<Artefacts>) -> Result<Tokens> {
        if self.seed == 0 {
            return constructed();
        }
        common::cloud(&self.cloud, asked.sizes.tokens, asked.sizes.dim, self.seed)
    }
}

/// Five tokens for α = 1, δ = 1/2 in the width form: the first four see nobody but themselves; the last sees itself, v = (1, 1) and
/// w = (1.1, −1), and goes to (v + w)/2, where the only point of S on that edge is the projection of 0.
fn constructed() -> Result<Tokens> {
    Tokens::from_flat(5, 2, vec![1.0, 1.0, 1.1, -1.0, -1.2, 0.9, -1.0, -1.1, 1.03, 0.02])
}

impl Study for Artefacts {
    const NAME: &'static str = "artefacts";
    const TITLE: &'static str = "Limits outside the maximal alignment set: how often, where, how stable";
    const EXAMPLES: &'static str = "Examples:
  localmax study artefacts                                     two kinds of clouds, two strip forms, five widths
  localmax study artefacts --quick                             in seconds
  localmax study artefacts --dim 3 --tokens 100 --seeds 200    in space, more clouds
  localmax study artefacts --clouds normal --deltas 0.5        Gaussian clouds, one width";

    type Cell = Cell;
    type Row = Row;

    fn sizes() -> Sizes {
        Sizes::new(20, 2, 40, 5000)
    }

    fn quick(asked: &mut Asked<Self>) {
        asked.sizes.seeds = 3;
        asked.own.deltas = vec![0.25, 0.5];
        asked.own.displacements = vec![1e-6, 1e-2];
        asked.own.draws = 1;
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        if let Some(by) = own.displacements.iter().find(|by| !(by.is_finite() && **by > 0.0)) {
            return Err(Error::input(format!("--displacements: {by}; each must be finite and above 0")));
        }
        let constructed = "constructed".to_owned();
        let mut cells = vec![Cell { cloud: constructed, form: StripForm::Width, delta: 0.5, alpha: 1.0, seed: 0 }];
        for cloud in &own.clouds {
            common::validate_cloud(cloud, sizes.tokens, sizes.dim)?;
            for form in &own.forms {
                let form = common::form(form)?;
                for &delta in &own.deltas {
                    let cell = |seed| Cell { cloud: cloud.clone(), form, delta, alpha: own.alpha, seed };
                    cell(1).model().validate(sizes.dim, 1)?;
                    if delta == 0.0 {
                        return Err(Error::input(
                            "--deltas: 0 is hardmax, whose limits lie in S; each must be above 0",
                        ));
                    }
                    cells.extend((1..=sizes.seeds).map(cell));
                }
            }
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("{} cloud, {} strip, δ = {}, seed {}", cell.cloud, cell.form.name(), cell.delta, cell.seed)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>) -> Result<Report> {
        let mut report = Report::new();
        let trials = Trial::all(results)?;
        claims(asked, &results.rows, &trials, &mut report);
        report.text(format!(
            "A token is outside S where it rests with an alignment gap above {GAP:.0e} of the squared radius. Such a token is the mean of its \
             strip, and its strip holds others than itself: keys that score more than it does itself, by up to δ·s. Displaced are: \
             that token alone; every token of the last state; every token of the first state. A limit comes through where the token \
             rests outside S again.",
        ));
        draw::figures(asked, results, &trials, &mut report)?;
        Ok(report)
    }
}

/// What is displaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Displaced {
    /// The tokens outside S, in the last state.
    Themselves,
    /// Every token of the last state.
    All,
    /// Every token of the first state.
    Start,
}

impl Displaced {
    const EVERY: [(Self, &'static str); 3] = [
        (Self::Themselves, "the tokens outside S, at the end"),
        (Self::All, "every token, at the end"),
        (Self::Start, "every token, at the start"),
    ];
}

/// How tokens outside S of one cell came through one displacement.
#[derive(Clone, Copy, Debug)]
struct Trial {
    cell: usize,
    displaced: Displaced,
    /// In units of the cloud's radius.
    by: f64,
    /// Tokens that were outside S.
    tried: f64,
    /// Those that are again.
    kept: f64,
    /// The farthest that one of these came to rest from where it had been, over the length displaced.
    moved: f64,
}

impl Trial {
    const COLUMNS: [&'static str; 5] = ["displaced", "by", "tried", "kept", "moved"];

    fn all(results: &Results<Row>) -> Result<Vec<Self>> {
        let mut trials = Vec::new();
        for (cell, row) in results.rows.iter().enumerate().filter(|(_, row)| row.outside > 0) {
            debug_assert!(row.settled, "only a state at rest has limits");
            for row in results.series(cell, "displaced")?.rows {
                let displaced = Displaced::EVERY[(row[0] as usize).min(2)].0;
                trials.push(Self { cell, displaced, by: row[1], tried: row[2], kept: row[3], moved: row[4] });
            }
        }
        Ok(trials)
    }
}

fn claims(asked: &Asked<Artefacts>, rows: &[Row], trials: &[Trial], report: &mut Report) {
    let clouds: Vec<&Row> = rows.iter().filter(|row| row.seed > 0).collect();
    let sum = |rows: &[&Row], count: fn(&Row) -> u64| rows.iter().map(|row| count(row)).sum::<u64>();
    if let Some(row) = rows.iter().find(|row| row.seed == 0) {
        let place: Vec<f64> = row.last_token.split(' ').filter_map(|x| x.parse().ok()).collect();
        let apart = place.iter().zip(PLACE).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        let apart = if place.len() == 2 { apart } else { f64::NAN };
        let off = (row.gap_max - PLACE_GAP).abs();
        report.claim(Claim {
            claim: "Constructed case: four tokens stay, the fifth goes to (v + w)/2 = (1.05, 0), which is not in S"
                .into(),
            source: "after 2509.15958, Remark 3.1; derived here".into(),
            basis: Basis::Proved,
            measured: format!(
                "{} of 5 tokens outside S; {apart:.1e} from that place; gap {:.9} against {PLACE_GAP}",
                row.outside, row.gap_max
            ),
            error: format!("{PLACE_ERROR:.0e}"),
            agrees: Verdict::at_rest(
                row.outside == 1 && num::within(apart, PLACE_ERROR) && num::within(off, PLACE_ERROR),
                row.settled,
            ),
        });
    }
    let found: Vec<&Row> = clouds.iter().copied().filter(|row| row.outside > 0).collect();
    let unsettled = clouds.iter().filter(|row| !row.settled).count();
    report.claim(Claim {
        claim: "With a constant δ > 0 limits outside S occur".into(),
        source: "2509.15958, Remark 3.1".into(),
        basis: Basis::Reconstructed,
        measured: format!(
            "{} of {} tokens, in {} of {} clouds; {unsettled} clouds had not come to rest",
            sum(&found, |row| row.outside),
            sum(&clouds, |row| row.tokens),
            found.len(),
            clouds.len()
        ),
        error: "no bit moves any more".into(),
        agrees: if found.is_empty() { Verdict::Undecided } else { Verdict::Yes },
    });
    report.claim(Claim::always(
        "A limit's gap is at most δ·s: a token at rest is the mean of its strip",
        "derived here from Eq. 5",
        Basis::Proved,
        sum(&found, |row| row.beyond),
        sum(&found, |row| row.outside),
        "tokens outside S",
    ));
    for form in &asked.own.forms {
        let of: Vec<&Row> = found.iter().copied().filter(|row| row.form == *form).collect();
        let (outside, between) = (sum(&of, |row| row.outside), sum(&of, |row| row.between_vertices));
        report.claim(Claim {
            claim: format!("Tokens outside S rest between vertices of K that share their strip ({form} form)"),
            source: "the recipe of Remark 3.1, reconstructed".into(),
            basis: Basis::Reconstructed,
            measured: format!(
                "{between} of {outside} attend to vertices and their own place alone; {} lie on the boundary of the hull",
                sum(&of, |row| row.boundary)
            ),
            error: "every token outside S".into(),
            agrees: if outside == 0 { Verdict::Undecided } else { Verdict::of(between == outside) },
        });
    }
    let smallest = asked.own.displacements.iter().copied().fold(f64::INFINITY, f64::min);
    for (displaced, name) in Displaced::EVERY {
        let of = || trials.iter().filter(|t| t.displaced == displaced && t.by == smallest && rows[t.cell].seed > 0);
        let (kept, tried) = (of().map(|t| t.kept).sum::<f64>(), of().map(|t| t.tried).sum::<f64>());
        let moved = of().map(|t| t.moved).fold(0.0, f64::max);
        report.claim(Claim {
            claim: format!("Limits outside S are stable: they come through a small displacement of {name}"),
            source: "2509.15958, section 7.1, open question 3".into(),
            basis: Basis::Reported,
            measured: format!(
                "{kept} of {tried} at {smallest:.0e} of the radius; they rest up to {moved:.1} displacements from where they were"
            ),
            error: format!("{} %", 100.0 * STABLE),
            agrees: if tried == 0.0 { Verdict::Undecided } else { Verdict::of(kept >= STABLE * tried) },
        });
    }
    report.claim(Claim::always(
        "They are made by δ alone: hardmax, from there on, takes every one of them into S",
        "2407.01602, main theorem; 2509.15958, Theorem 5.1",
        Basis::Reconstructed,
        sum(&found, |row| row.outside - row.freed),
        sum(&found, |row| row.outside),
        "tokens outside S",
    ));
}
