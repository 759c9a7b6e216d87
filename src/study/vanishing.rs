//! Constant against vanishing δ (third experiment of arXiv 2509.15958; Theorem 5.1 and Remark 3.1).
//!
//! ```text
//! δ(t) → 0      every limit lies in S: the gap g_i = max_l S_il − S_ii → 0, as in hardmax
//! δ constant    limits outside S occur; at a limit g_i <= δ s_i, for x_i is then the mean of C_i
//! ```
//!
//! A cell is a cloud and a schedule, taken to the last step; its tokens' gaps and distances to the nearest vertex of the last
//! hull go into histograms. A δ that has not vanished by the last step may still hold tokens where a constant one would: a gap
//! of up to δ(T)·s_i then decides nothing.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Asked, Basis, Claim, Report, Results, Sizes, Study, Verdict, Workbench, common};
use crate::error::{Error, Result};
use crate::model::{Gain, Mask, Model, Moment, Operator, Rule, StripForm};
use crate::observe::{Alignment, Directions, Hull, Points, SupportLedger, nearest};
use crate::plot::{Chart, Coordinate, Panels, Player, Size};
use crate::schedule::Schedule;
use crate::study::common::Rest;

const THEOREM: &str = "2509.15958, Theorem 5.1";
/// A gap below this is none.
const NONE: f64 = 1e-6;
/// A gap above this is an artefact.
const ARTEFACT: f64 = 1e-2;
/// Rise of a support function that rounding explains, in ulps of the radius.
const RISE: f64 = 8.0;
/// Random directions of support functions.
const DIRECTIONS: usize = 64;
/// Multiply-adds for a hull on the way, in more than three dimensions.
const EFFORT: u64 = 1 << 22;
/// A δ that is below this share of its first value at [`ETERNITY`] is said to vanish.
const SHARE: f64 = 1e-3;
const ETERNITY: f64 = 1e15;

/// Parameters of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Vanishing {
    /// Schedules of the strip's width, numbers or formulas in t; 0 is hardmax
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub deltas: Vec<String>,
    /// Step size
    #[arg(long, value_name = "ALPHA")]
    pub alpha: f64,
    /// What a width is measured in
    #[arg(long, value_name = "FORM", value_parser = common::forms())]
    pub form: String,
    /// Clouds to begin with
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = common::clouds())]
    pub clouds: Vec<String>,
}

impl Default for Vanishing {
    fn default() -> Self {
        let deltas = ["0.25", "0.15", "0", "1/(t+1)", "1/(t+4)", "0.25*exp(-t/50)"];
        Self {
            deltas: deltas.map(str::to_owned).to_vec(),
            alpha: 0.5,
            form: "width".into(),
            clouds: vec!["corners".into(), "normal".into()],
        }
    }
}

/// How a schedule behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Hardmax,
    Constant,
    Vanishing,
    Other,
}

impl Sort {
    fn of(delta: &Schedule) -> Self {
        match delta {
            Schedule::Constant(0.0) => Self::Hardmax,
            Schedule::Constant(_) => Self::Constant,
            other => {
                let (first, last) = (other.at(0, 0.0), other.at(u64::MAX, ETERNITY));
                if last.abs() <= SHARE * first { Self::Vanishing } else { Self::Other }
            }
        }
    }
}

/// A cloud and a schedule.
#[derive(Clone, Debug)]
pub struct Cell {
    cloud: String,
    text: String,
    delta: Schedule,
    seed: u64,
}

/// What a cell leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The cloud it began with.
    pub cloud: String,
    /// δ(t).
    pub delta: String,
    /// Seed of the cloud.
    pub seed: u64,
    /// Steps taken; fewer than allowed where no bit will ever move again.
    pub steps: u64,
    /// Whether the last step moved no bit.
    pub settled: bool,
    /// δ at the last step.
    pub delta_last: f64,
    /// Vertices of the last hull.
    pub vertices: u64,
    /// The largest alignment gap.
    pub gap_max: f64,
    /// Tokens with a gap above 1e-2.
    pub artefacts: u64,
    /// Tokens with a gap of at most 1e-6.
    pub aligned: u64,
    /// Tokens with a gap above δ(T)·s and rounding.
    pub beyond: u64,
    /// The mean distance to the nearest vertex.
    pub distance_mean: f64,
    /// The largest.
    pub distance_max: f64,
    /// The largest rise of a support function, in ulps of the radius.
    pub rise_ulps: f64,
}

impl Vanishing {
    fn model(&self, delta: &Schedule) -> Result<Model> {
        let rule = Rule::Localmax { delta: delta.clone(), strip: common::form(&self.form)? };
        Ok(Model::averaging(rule, Operator::identity(), Mask::Full, Gain::Alpha(Schedule::Constant(self.alpha))))
    }
}

impl Study for Vanishing {
    const NAME: &'static str = "vanishing";
    const TITLE: &'static str = "Constant against vanishing δ: where tokens end, and what constant δ leaves behind";
    const EXAMPLES: &'static str = "Examples:
  localmax study vanishing                                   six schedules, two kinds of clouds, in a minute or two
  localmax study vanishing --quick                           in seconds
  localmax study vanishing --deltas '0.5,0.5/(t+1)' --dim 3  two schedules of your own, in space
  localmax study vanishing --form score --seeds 40           the score form, more clouds";

    type Cell = Cell;
    type Row = Row;

    fn sizes() -> Sizes {
        Sizes::new(200, 2, 8, 20_000)
    }

    fn quick(asked: &mut Asked<Self>) {
        asked.sizes.tokens = 60;
        asked.sizes.seeds = 2;
        asked.sizes.steps = 2000;
        asked.own.deltas = ["0.25", "1/(t+4)", "0"].map(str::to_owned).to_vec();
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        let mut cells = Vec::new();
        for cloud in &own.clouds {
            common::validate_cloud(cloud, sizes.tokens, sizes.dim)?;
            for text in &own.deltas {
                let delta = Schedule::parse(text).map_err(|e| Error::input(format!("--deltas: {e}")))?;
                own.model(&delta)?
                    .validate(sizes.dim, sizes.steps.min(1_000_000))
                    .map_err(|e| Error::input(format!("--deltas {text}, --alpha {}: {e}", own.alpha)))?;
                let cell = |seed| Cell { cloud: cloud.clone(), text: text.clone(), delta: delta.clone(), seed };
                cells.extend((1..=sizes.seeds).map(cell));
            }
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("{} cloud, δ(t) = {}, seed {}", cell.cloud, cell.text, cell.seed)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        let cloud = common::cloud(&cell.cloud, sizes.tokens, sizes.dim, cell.seed)?;
        let model = own.model(&cell.delta)?;
        let form = common::form(&own.form)?;
        let directions = Directions::new(sizes.dim, DIRECTIONS, cell.seed);
        let mut ledger = SupportLedger::new(Points::of(&cloud).largest_magnitude(), sizes.precision);
        let pictured = cell.seed == 1 && cell.cloud == own.clouds[0];
        let (mut frames, mut way, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut row = Row {
            cloud: cell.cloud.clone(),
            delta: cell.text.clone(),
            seed: cell.seed,
            steps: 0,
            settled: false,
            delta_last: 0.0,
            vertices: 0,
            gap_max: 0.0,
            artefacts: 0,
            aligned: 0,
            beyond: 0,
            distance_mean: 0.0,
            distance_max: 0.0,
            rise_ulps: 0.0,
        };
        row.steps = work.simulate(&model, &cloud, sizes.steps, common::is_log_spaced, |look| {
            let points = Points::of(look.tokens);
            let support: Vec<f64> = directions.support(&points).iter().map(|support| support.value).collect();
            row.rise_ulps = row.rise_ulps.max(ledger.record(look.t, &support));
            let hull = if look.last { Hull::of(&points) } else { Hull::with_effort(&points, EFFORT) };
            let gaps = Alignment::of(&points, &common::IDENTITY, &hull).gap;
            let delta = model.delta_at(Moment::of_step(look.t.max(1) - 1))?;
            let largest = gaps.iter().copied().fold(0.0, f64::max);
            let artefacts = gaps.iter().filter(|gap| **gap > ARTEFACT).count();
            way.push(vec![look.t as f64, delta, largest, artefacts as f64]);
            if pictured {
                frames.push((look.t, look.tokens.clone()));
            }
            if look.last {
                let rest = Rest::of(look.tokens, look.unit())?;
                let corners: Vec<u32> = rest.at_vertex.iter().map(|&place| place as u32).collect();
                let far = nearest(&points, &rest.centres.select(&corners));
                let width = |x: &[f64]| if form == StripForm::Score { 1.0 } else { common::norm(x) };
                // A token that no step moves is the mean of its strip to a unit of the lattice and its gain.
                let rounding = 8.0 * look.unit() * points.largest_magnitude() * (1.0 + 1.0 / own.alpha);
                let beyond = points.rows().zip(&gaps).filter(|(x, gap)| **gap > delta * width(x) + rounding);
                row.beyond = beyond.count() as u64;
                row.settled = look.report.is_some_and(|report| report.moved == 0);
                row.delta_last = delta;
                row.vertices = corners.len() as u64;
                row.gap_max = largest;
                row.artefacts = artefacts as u64;
                row.aligned = gaps.iter().filter(|gap| **gap <= NONE).count() as u64;
                row.distance_max = far.iter().map(|near| near.distance).fold(0.0, f64::max);
                row.distance_mean = far.iter().map(|near| near.distance.abs()).sum::<f64>().abs() / far.len() as f64;
                ends = gaps.iter().zip(&far).map(|(gap, near)| vec![*gap, near.distance]).collect();
            }
            Ok(ControlFlow::Continue(()))
        })?;
        work.series("way", &["step", "delta", "gap", "artefacts"], way)?;
        work.series("ends", &["gap", "distance"], ends)?;
        if pictured {
            work.frames(&frames)?;
        }
        Ok(row)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>) -> Result<Report> {
        let mut report = Report::new();
        claims(asked, &results.rows, &mut report)?;
        report.text(format!(
            "Every cloud is taken to step {} under every schedule; with a constant δ it ends earlier, where no bit moves any more. S is \
             that of the last hull: a vanishing δ recovers hardmax in that limits lie in the S of their own K, which is smaller than \
             the K of hardmax from the same start. The strip is measured in the {} form; that Eq. 5 has it is reconstructed.",
            asked.sizes.steps, asked.own.form
        ));
        figures(asked, results, &mut report)?;
        Ok(report)
    }
}

fn claims(asked: &Asked<Vanishing>, rows: &[Row], report: &mut Report) -> Result<()> {
    let sum = |rows: &[&Row], count: fn(&Row) -> u64| rows.iter().map(|row| count(row)).sum::<u64>();
    let largest = |rows: &[&Row], value: fn(&Row) -> f64| rows.iter().map(|row| value(row)).fold(0.0, f64::max);
    let n = asked.sizes.tokens;
    let mut means = Vec::new();
    for text in &asked.own.deltas {
        let sort = Sort::of(&Schedule::parse(text)?);
        let of: Vec<&Row> = rows.iter().filter(|row| row.delta == *text).collect();
        let (gap, tokens) = (largest(&of, |row| row.gap_max), of.len() * n);
        means.push((sort, text, of.iter().map(|row| row.distance_mean).sum::<f64>() / of.len().max(1) as f64));
        let aligned = format!(
            "largest gap {gap:.1e} over {tokens} tokens of {} clouds; {} are at most {NONE:.0e}",
            of.len(),
            sum(&of, |row| row.aligned)
        );
        if sort == Sort::Hardmax {
            report.claim(Claim {
                claim: "Hardmax (δ = 0): every token converges to a point of S".into(),
                source: "2407.01602, main theorem".into(),
                basis: Basis::Reconstructed,
                measured: aligned,
                error: format!("a gap of {NONE:.0e}"),
                agrees: Verdict::at_rest(crate::num::within(gap, NONE), of.iter().all(|row| row.settled)),
            });
        } else if sort == Sort::Vanishing {
            // What δ(T) still holds, or has not come to rest: nothing is said about it yet.
            let decided = of.iter().any(|row| row.settled && row.beyond > 0);
            let last = largest(&of, |row| row.delta_last);
            let agrees = Verdict::at_rest(crate::num::within(gap, NONE), decided);
            report.claim(Claim {
                claim: format!("δ(t) = {text} vanishes: every limit lies in S, all alignment gaps go to 0"),
                source: THEOREM.into(),
                basis: Basis::Reconstructed,
                measured: format!("{aligned}; δ(T) = {last:.1e}"),
                error: format!("a gap of {NONE:.0e}; one of up to δ(T)·s decides nothing"),
                agrees,
            });
        } else if sort == Sort::Constant {
            let settled: Vec<&Row> = of.iter().copied().filter(|row| row.settled).collect();
            let (artefacts, clouds) =
                (sum(&settled, |row| row.artefacts), settled.iter().filter(|row| row.artefacts > 0).count());
            report.claim(Claim {
                claim: format!("δ = {text} constant: limits outside S occur"),
                source: "2509.15958, Remark 3.1".into(),
                basis: Basis::Reconstructed,
                measured: format!(
                    "{artefacts} of {tokens} tokens, in {clouds} of {} clouds, stopped with a gap above {ARTEFACT:.0e}; the largest is \
                     {gap:.1e}; {} clouds had not stopped",
                    of.len(),
                    of.len() - settled.len()
                ),
                error: "no bit moves any more".into(),
                agrees: if artefacts > 0 { Verdict::Yes } else { Verdict::Undecided },
            });
            report.claim(Claim::always(
                &format!("δ = {text} constant: at a limit the gap is at most δ·s, for a token that rests is the mean of its strip"),
                "derived here from Eq. 5",
                Basis::Proved,
                sum(&settled, |row| row.beyond),
                (settled.len() * n) as u64,
                "tokens of clouds that stopped",
            ));
        }
    }
    for (_, text, constant) in means.iter().filter(|(sort, ..)| *sort == Sort::Constant) {
        let others: Vec<&(Sort, &String, f64)> = means.iter().filter(|(sort, ..)| *sort == Sort::Vanishing).collect();
        if others.is_empty() {
            continue;
        }
        let list: Vec<String> = others.iter().map(|(_, text, mean)| format!("{mean:.1e} for {text}")).collect();
        report.claim(Claim {
            claim: format!("A vanishing δ leaves tokens closer to vertices than δ = {text}"),
            source: "2509.15958, third experiment of a summary".into(),
            basis: Basis::Reported,
            measured: format!("mean distance to the nearest vertex {constant:.1e}, against {}", list.join(", ")),
            error: "the mean over all clouds is smaller".into(),
            // Where neither leaves any behind, clouds of this size have nothing to tell.
            agrees: Verdict::at_rest(
                others.iter().all(|(.., mean)| mean < constant),
                *constant > 0.0 && rows.iter().filter(|row| row.delta == **text).all(|row| row.settled),
            ),
        });
    }
    let all: Vec<&Row> = rows.iter().collect();
    let rise = largest(&all, |row| row.rise_ulps);
    report.claim(Claim {
        claim: "The hull never grows: no support function rises".into(),
        source: "2509.15958, section 3".into(),
        basis: Basis::Proved,
        measured: format!(
            "the largest rise of {} support functions is {rise:.1} ulp of the radius, over {} clouds",
            DIRECTIONS + 2 * asked.sizes.dim,
            rows.len()
        ),
        error: format!("{RISE} ulp"),
        agrees: Verdict::of(crate::num::within(rise, RISE)),
    });
    Ok(())
}

fn figures(asked: &Asked<Vanishing>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let own = &asked.own;
    let unit = "dimensionless";
    let titled = |text: &str| if text == "0" { "δ = 0: hardmax".to_owned() } else { format!("δ(t) = {text}") };
    let cells = |cloud: &str, text: &str| -> Vec<usize> {
        let wanted = |cell: &usize| results.rows[*cell].cloud == cloud && results.rows[*cell].delta == text;
        (0..results.rows.len()).filter(wanted).collect()
    };
    let most = (asked.sizes.tokens as u64 * asked.sizes.seeds) as f64 * 1.3;
    let rows = own.deltas.len().div_ceil(3) as u32;
    for (column, name, label, title, caption) in [
        (
            "gap",
            "gaps",
            "alignment gap gᵢ",
            "Alignment gaps at the last step",
            "Gaps of 0 are counted in the lowest bin. Right of the dashed line are limits that do not lie in S.",
        ),
        (
            "distance",
            "distances",
            "distance to the nearest vertex",
            "Distance to the nearest vertex of the last hull",
            "Distances of 0 are counted in the lowest bin. Tokens far from every vertex are what a constant δ leaves behind, or lie in S \
             between vertices.",
        ),
    ] {
        let mut charts = Vec::new();
        for text in &own.deltas {
            let x = Coordinate::log(format!("{label} ({unit})")).within(1e-18, 10.0);
            let mut chart = Chart::new(titled(text), x, Coordinate::log("tokens").within(0.7, most.max(2.0)));
            for (k, cloud) in own.clouds.iter().enumerate() {
                let mut values = Vec::new();
                for cell in cells(cloud, text) {
                    values.extend(results.series(cell, "ends")?.column(column)?);
                }
                chart = chart.histogram(format!("{cloud} clouds"), &values, 38).colour(k);
            }
            charts.push(if column == "gap" { chart.upright(format!("artefact: {ARTEFACT}"), ARTEFACT) } else { chart });
        }
        let subtitle = format!(
            "n = {}, d = {}, {} clouds of each kind, at most {} steps",
            asked.sizes.tokens, asked.sizes.dim, asked.sizes.seeds, asked.sizes.steps
        );
        let panels = Panels { title: title.into(), subtitle, charts, columns: own.deltas.len().min(3) };
        report.figure(name, caption, panels.draw(Size { width: 1320, height: 70 + 300 * rows })?);
    }
    over_time(asked, results, &cells, report)?;
    ends(asked, results, &cells, report)
}

/// The largest gap of each cloud over time.
fn over_time(
    asked: &Asked<Vanishing>,
    results: &Results<Row>,
    cells: &impl Fn(&str, &str) -> Vec<usize>,
    report: &mut Report,
) -> Result<()> {
    let cloud = &asked.own.clouds[0];
    let mut charts = Vec::new();
    for text in &asked.own.deltas {
        let (mut gaps, mut width) = (Vec::new(), Vec::new());
        for cell in cells(cloud, text) {
            let way = results.series(cell, "way")?;
            let from_one = |column: usize| -> Vec<(f64, f64)> {
                way.rows.iter().map(|row| (row[0] + 1.0, row[column].max(1e-18))).collect()
            };
            gaps.push(from_one(2));
            let longer = from_one(1);
            if longer.len() > width.len() {
                width = longer;
            }
        }
        let title = if text == "0" { "δ = 0: hardmax".to_owned() } else { format!("δ(t) = {text}") };
        let x = Coordinate::log("step t + 1").within(1.0, asked.sizes.steps.max(2) as f64 * 1.5);
        let chart = Chart::new(title, x, Coordinate::log("largest gap (dimensionless)").within(1e-18, 10.0));
        charts.push(chart.lines("largest gap of a cloud", gaps).colour(0).opacity(0.7).dashed("δ(t)", width).colour(1));
    }
    let rows = charts.len().div_ceil(3) as u32;
    let columns = charts.len().min(3);
    let subtitle = format!("{cloud} clouds; a line a cloud, to where it stops; 0 is drawn at the lower end");
    let panels = Panels { title: "The largest alignment gap over time".into(), subtitle, charts, columns };
    let caption =
        "Under a vanishing δ a gap stands as long as δ(t) holds a token between vertices, then falls geometrically.";
    report.figure("gap-over-time", caption, panels.draw(Size { width: 1320, height: 70 + 300 * rows })?);
    Ok(())
}

/// Where tokens end, under the first constant and the first vanishing schedule.
fn ends(
    asked: &Asked<Vanishing>,
    results: &Results<Row>,
    cells: &impl Fn(&str, &str) -> Vec<usize>,
    report: &mut Report,
) -> Result<()> {
    let mut shown = Vec::new();
    for sort in [Sort::Constant, Sort::Vanishing] {
        let first =
            asked.own.deltas.iter().find(|text| Schedule::parse(text).is_ok_and(|delta| Sort::of(&delta) == sort));
        if let Some((text, cell)) = first.and_then(|text| Some((text, *cells(&asked.own.clouds[0], text).first()?))) {
            shown.push((text, results.frames(cell)?, results.series(cell, "ends")?.column("gap")?));
        }
    }
    if asked.sizes.dim == 2 && !shown.is_empty() {
        let reach = shown.iter().filter_map(|(_, frames, _)| frames.first()).map(|(_, x)| x.largest_magnitude());
        let reach = reach.fold(0.0, f64::max) * 1.1;
        let mut charts = Vec::new();
        for (text, frames, gaps) in &shown {
            let Some((t, tokens)) = frames.last() else { continue };
            let at = |i: usize| (tokens.get(i, 0), tokens.get(i, 1));
            let points = Points::of(tokens);
            let corners = common::outline(&Hull::of(&points).points(&points));
            let axis = |name: &str| Coordinate::linear(format!("{name} (dimensionless)")).within(-reach, reach);
            let inside = |out: bool| (0..tokens.n()).filter(move |&i| (gaps[i] > NONE) == out).map(at);
            let start = frames.first().map(|(_, tokens)| tokens);
            let begin = start.into_iter().flat_map(|x| (0..x.n()).map(move |i| (x.get(i, 0), x.get(i, 1))));
            let lost = gaps.iter().filter(|gap| **gap > NONE).count();
            charts.push(
                Chart::new(format!("δ(t) = {text}, step {t}: {lost} outside S"), axis("x₁"), axis("x₂"))
                    .equal_units()
                    .region("last hull", corners)
                    .colour(4)
                    .points("start", begin)
                    .grey()
                    .radius(1.2)
                    .points("ends in S", inside(false))
                    .colour(0)
                    .points("ends outside S", inside(true))
                    .colour(1)
                    .radius(4.5),
            );
        }
        let subtitle = format!("{} cloud, seed 1, n = {}", asked.own.clouds[0], asked.sizes.tokens);
        let columns = charts.len();
        let panels = Panels { title: "Where tokens end".into(), subtitle, charts, columns };
        let caption = "Tokens outside S rest between two vertices that both lie in their strip; once δ is small enough they choose one.";
        report.figure("ends", caption, panels.draw(Size { width: 1200, height: 560 })?);
    }
    for (k, (text, frames, _)) in shown.iter().enumerate() {
        let name = if k == 0 { "trajectory" } else { "trajectory-vanishing" };
        let caption = format!("δ(t) = {text}, {} cloud, seed 1; frames at log-spaced steps.", asked.own.clouds[0]);
        report.player(name, &caption, Player::new(frames)?);
    }
    Ok(())
}
