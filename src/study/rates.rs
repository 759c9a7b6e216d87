//! How long localmax takes to converge, over n, α and δ, and where that is impractically long (second check that arXiv
//! 2509.15958 leaves open).
//!
//! ```text
//! T_ε        the time from which every token stays within ε of where it ends
//! T_theory   ln(|X(0) − X(∞)|_max / ε) / ln(1+α)    what the rate 1/(1+α) of quiescent sets alone would take (Theorem 4.1)
//! slowdown   T_ε / T_theory
//! ```
//!
//! A cell is a cloud, an α and a δ. A run ends where no bit moves any more; one that has not come to rest after its steps has no
//! T_ε, only more than that many steps.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::settling::{Settling, last_rate, settled};
use super::{Asked, Basis, Claim, Report, Results, Sizes, Study, Verdict, Workbench};
use crate::error::{Error, Result};
use crate::init::{Cloud, CloudSample};
use crate::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use crate::observe::{Clusters, contraction};
use crate::plot::{Chart, Coordinate, Panels, Picture, Size};
use crate::schedule::Schedule;
use crate::tokens::Precision;

const SOURCE: &str = "2509.15958, Theorem 4.1";
/// How far a fitted rate may be off.
const RATE_ERROR: f64 = 1e-3;
/// The last rate is fitted where the farthest token is nearer than this.
const NEAR: f64 = 1e-3;
/// A run rests once no token has gone farther than ε over this between two looks, some in each doubling of t.
const STILL: f64 = 1000.0;
/// Tokens at one place at the end are at most this far apart, in units of ε.
const TOGETHER: f64 = 2.0;

/// Parameters of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Step sizes
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub alphas: Vec<f64>,
    /// Widths of the strip, in the unit of the cloud's standard deviation
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub deltas: Vec<f64>,
    /// Numbers of tokens, as divisors of --tokens
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub divisors: Vec<usize>,
    /// ε: a token has converged when it stays within this of where it ends
    #[arg(long, value_name = "EPSILON")]
    pub epsilon: f64,
    /// Convergence that takes more than so many times what theory says for quiescent sets counts as impractically slow
    #[arg(long, value_name = "FACTOR")]
    pub slow: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            alphas: vec![0.1, 0.5, 1.0, 3.0],
            deltas: vec![0.03, 0.1, 0.3, 1.0],
            divisors: vec![1, 4, 16],
            epsilon: 1e-6,
            slow: 5.0,
        }
    }
}

/// A cloud, a step size and a width.
#[derive(Clone, Debug)]
pub struct Cell {
    n: usize,
    alpha: f64,
    delta: f64,
    seed: u64,
}

/// What a cell leaves. Times in steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Tokens.
    pub n: usize,
    /// α.
    pub alpha: f64,
    /// δ.
    pub delta: f64,
    /// Seed of the cloud.
    pub seed: u64,
    /// Steps taken.
    pub steps: u64,
    /// Whether it came to rest.
    pub rests: bool,
    /// Whether no bit will ever move again.
    pub fixed: bool,
    /// T_ε of every token; none if the run did not come to rest.
    pub settled: Option<f64>,
    /// T_ε of 99 % of the tokens.
    pub settled_most: Option<f64>,
    /// T_ε of half of the tokens.
    pub settled_half: Option<f64>,
    /// What the rate of quiescent sets alone would take.
    pub theory: f64,
    /// T_ε over that.
    pub slowdown: Option<f64>,
    /// Rate per step at which the farthest token comes to its place at last.
    pub last_rate: Option<f64>,
    /// Half of its 95 % interval.
    pub interval: Option<f64>,
    /// Places that tokens end at.
    pub places: u64,
    /// Keys of a strip on average, in the last step.
    pub strip_mean: f64,
}

impl Row {
    fn is_slow(&self, factor: f64) -> bool {
        self.slowdown.is_none_or(|slowdown| slowdown > factor)
    }
}

fn model(alpha: f64, delta: f64) -> Model {
    let rule = Rule::Localmax { delta: Schedule::Constant(delta), strip: StripForm::Width };
    Model::averaging(rule, Operator::identity(), Mask::Full, Gain::Alpha(Schedule::Constant(alpha)))
}

impl Study for Rates {
    const NAME: &'static str = "rates";
    const TITLE: &'static str = "Time to convergence over n, α and δ";
    const EXAMPLES: &'static str = "Examples:
  localmax study rates                                             a grid in minutes
  localmax study rates --tokens 100000 --divisors 1 --seeds 10     large clouds alone
  localmax study rates --alphas 0.01,0.1 --deltas 0.001,0.01       where it may be slow";

    type Cell = Cell;
    type Row = Row;

    fn sizes() -> Sizes {
        Sizes::new(1600, 3, 5, 20_000)
    }

    fn quick(asked: &mut Asked<Self>) {
        (asked.sizes.tokens, asked.sizes.seeds, asked.sizes.steps) = (160, 2, 2000);
        (asked.own.alphas, asked.own.deltas, asked.own.divisors) = (vec![0.5, 3.0], vec![0.1, 1.0], vec![1, 4]);
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        for (option, value) in [("--epsilon", own.epsilon), ("--slow", own.slow)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::input(format!("{option} {value}: it must be finite and above 0")));
            }
        }
        if let Some(divisor) = own.divisors.iter().find(|&&divisor| divisor == 0 || divisor > sizes.tokens) {
            return Err(Error::input(format!("--divisors: {divisor} is not from 1 to --tokens {}", sizes.tokens)));
        }
        let mut cells = Vec::new();
        for n in counts(asked) {
            for &alpha in &own.alphas {
                for &delta in &own.deltas {
                    model(alpha, delta).validate(sizes.dim, sizes.steps)?;
                    cells.extend((1..=sizes.seeds).map(|seed| Cell { n, alpha, delta, seed }));
                }
            }
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("n = {}, α = {}, δ = {}, seed {}", cell.n, cell.alpha, cell.delta, cell.seed)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        let (epsilon, steps, d) = (asked.own.epsilon, asked.sizes.steps, asked.sizes.dim);
        let cloud = CloudSample::new(Cloud::Gaussian, cell.n, d).tokens(cell.seed, Precision::F64)?;
        let mut settling = Settling::new(cell.n, d, steps);
        let (mut rests, mut fixed, mut noise, mut places, mut strip_mean) = (false, false, 0.0, 0, 0.0);
        let taken = work.simulate(&model(cell.alpha, cell.delta), &cloud, steps, settling.is_due(), |look| {
            let moved = settling.keep(look.t, look.tokens);
            fixed = look.report.is_some_and(|report| report.moved == 0);
            rests = fixed || moved * STILL <= epsilon;
            if look.last || rests {
                // What is left to go is known to about what was last gone.
                noise = (look.unit() * (d as f64).sqrt()).max(if fixed { 0.0 } else { moved });
                places = Clusters::of(look.tokens, TOGETHER * epsilon).weight.len() as u64;
                strip_mean = look.report.map_or(0.0, |report| report.strip_total as f64 / cell.n as f64);
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let path = settling.distances();
        let farthest = path.first().map_or(0.0, |at| at.all);
        let theory = (libm::log(farthest / epsilon) / libm::log1p(cell.alpha)).max(0.0);
        let time = |value: f64| rests.then_some(value);
        let all = time(settled(&path, |at| at.all, epsilon, noise));
        let rate = if rests { last_rate(&path, NEAR, noise) } else { None };
        let rows = path.iter().map(|at| vec![at.step as f64, at.all, at.most, at.half]).collect();
        work.series("distance", &["t", "all", "most", "half"], rows)?;
        Ok(Row {
            n: cell.n,
            alpha: cell.alpha,
            delta: cell.delta,
            seed: cell.seed,
            steps: taken,
            rests,
            fixed,
            settled: all,
            settled_most: time(settled(&path, |at| at.most, epsilon, noise)),
            settled_half: time(settled(&path, |at| at.half, epsilon, noise)),
            theory,
            slowdown: all.filter(|_| theory > 0.0).map(|all| all / theory),
            last_rate: rate.map(|rate| rate.rate),
            interval: rate.map(|rate| (rate.interval[1] - rate.interval[0]) / 2.0),
            places,
            strip_mean,
        })
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>) -> Result<Report> {
        let (rows, own) = (&results.rows, &asked.own);
        let mut report = Report::new();
        claims(asked, rows, &mut report);
        let slow = rows.iter().filter(|row| row.is_slow(own.slow)).count();
        let worst = rows.iter().filter_map(|row| Some((row, row.slowdown?))).max_by(|a, b| a.1.total_cmp(&b.1));
        report.text(format!(
            "Clouds of normal tokens, A = I, width strip, constant α and δ, run until they rest or for {} steps. A run counts as \
             impractically slow if its T_ε, ε = {:e}, is more than {} times what the rate 1/(1+α) of quiescent sets alone would take: {slow} of {} \
             runs. {}",
            asked.sizes.steps,
            own.epsilon,
            own.slow,
            rows.len(),
            worst.map_or(String::new(), |(row, slowdown)| format!(
                "The slowest that came to rest took {:.0} steps, {slowdown:.1} times as long: n = {}, α = {}, δ = {}, seed {}.",
                row.settled.unwrap_or(0.0),
                row.n,
                row.alpha,
                row.delta,
                row.seed
            ))
        ));
        regions(asked, rows, &mut report);
        let largest = rows.iter().map(|row| row.n).max().unwrap_or(0);
        let median = |of: fn(&Row) -> Option<f64>| {
            move |rows: &[&Row]| {
                // A run that did not come to rest took longer than all that did.
                let mut values: Vec<f64> = rows.iter().map(|row| of(row).unwrap_or(f64::INFINITY)).collect();
                values.sort_by(f64::total_cmp);
                values.get(values.len() / 2).copied().filter(|v| v.is_finite()).unwrap_or(f64::NAN)
            }
        };
        let map = |title: &str, label: &str, log: bool, value: &dyn Fn(&[&Row]) -> f64| {
            heat(asked, rows, largest, title, label, log, value)
        };
        report.figure(
            "time",
            "Median over the clouds; a dash: most did not come to rest.",
            map("Time to convergence", "T_ε (steps)", true, &median(|row| row.settled))?,
        );
        report.figure(
            "slowdown",
            "How much longer than the rate of quiescent sets alone would take: tokens must first come to a quiescent set.",
            map("Slowdown over the rate of quiescent sets", "T_ε / T_theory (ratio)", false, &median(|row| row.slowdown))?,
        );
        report.figure(
            "slow",
            "Where convergence is impractically slow.",
            map("Runs that are impractically slow", "share of runs (%)", false, &|rows: &[&Row]| {
                100.0 * rows.iter().filter(|row| row.is_slow(own.slow)).count() as f64 / rows.len().max(1) as f64
            })?,
        );
        if counts(asked).len() > 1 {
            report.figure(
                "over-n",
                "Points: medians over the clouds. Bars: the fastest and the slowest.",
                over_n(asked, rows)?,
            );
        }
        if let Some((slowest, _)) = worst {
            report.figure("distance", "The slowest run that came to rest.", path(asked, results, slowest)?);
        }
        Ok(report)
    }
}

/// Numbers of tokens, ascending.
fn counts(asked: &Asked<Rates>) -> Vec<usize> {
    let mut counts: Vec<usize> = asked.own.divisors.iter().map(|divisor| asked.sizes.tokens / divisor).collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

fn claims(asked: &Asked<Rates>, rows: &[Row], report: &mut Report) {
    let total = rows.len();
    let (resting, fixed) = (rows.iter().filter(|row| row.rests).count(), rows.iter().filter(|row| row.fixed).count());
    report.claim(Claim {
        claim: "Every trajectory with constant δ converges (open question 1 of the paper)".into(),
        source: "2509.15958, section 7.1".into(),
        basis: Basis::Reported,
        measured: format!(
            "{resting} of {total} runs came to rest in at most {} steps; in {fixed} of them no bit will ever move again",
            asked.sizes.steps
        ),
        error: format!("rest: no token goes farther than {:.0e} between two looks", asked.own.epsilon / STILL),
        agrees: if resting == total { Verdict::Yes } else { Verdict::Undecided },
    });
    let fitted: Vec<(&Row, f64, f64)> =
        rows.iter().filter_map(|row| Some((row, row.last_rate? - contraction(row.alpha), row.interval?))).collect();
    let faster = fitted.iter().filter(|(_, off, interval)| *off < -RATE_ERROR.max(*interval)).count();
    let least = fitted.iter().map(|(_, off, _)| *off).fold(f64::INFINITY, f64::min);
    report.claim(Claim {
        claim: "No cloud converges faster at last than its quiescent sets, at the rate 1/(1+α)".into(),
        source: SOURCE.into(),
        basis: Basis::Proved,
        measured: match fitted.len() {
            0 => "nothing was fitted".into(),
            count => format!("{faster} of {count} fitted rates are faster; the least is {least:+.1e} off"),
        },
        error: format!("{RATE_ERROR:.0e}, or the fit's 95 % interval if that is wider"),
        agrees: if fitted.is_empty() { Verdict::Undecided } else { Verdict::of(faster == 0) },
    });
    let equal = fitted.iter().filter(|(_, off, interval)| off.abs() <= RATE_ERROR.max(*interval)).count();
    report.claim(Claim {
        claim: "The rate of quiescent sets is the rate of the whole cloud at last".into(),
        source: "2509.15958, Theorem 4.1 read beyond S₁; second of the next checks".into(),
        basis: Basis::Reconstructed,
        measured: format!("{equal} of {} fitted rates are 1/(1+α)", fitted.len()),
        error: format!("{RATE_ERROR:.0e}, or the fit's 95 % interval if that is wider"),
        agrees: if fitted.is_empty() { Verdict::Undecided } else { Verdict::of(equal == fitted.len()) },
    });
}

/// A line each combination in which runs are slow.
fn regions(asked: &Asked<Rates>, rows: &[Row], report: &mut Report) {
    let own = &asked.own;
    let mut lines = Vec::new();
    for n in counts(asked) {
        for &alpha in &own.alphas {
            for &delta in &own.deltas {
                let of: Vec<&Row> = at(rows, n, alpha, delta).collect();
                let slow = of.iter().filter(|row| row.is_slow(own.slow)).count();
                if slow > 0 {
                    let open = of.iter().filter(|row| !row.rests).count();
                    let longest = of.iter().filter_map(|row| row.settled).fold(f64::NAN, f64::max);
                    let longest = if longest.is_nan() { "–".into() } else { format!("{longest:.0}") };
                    let line = [n.to_string(), alpha.to_string(), delta.to_string()];
                    let tail = [format!("{slow} of {}", of.len()), open.to_string(), longest];
                    lines.push(line.into_iter().chain(tail).collect());
                }
            }
        }
    }
    if lines.is_empty() {
        report.text("No combination of this grid has a slow run.");
        return;
    }
    let head = ["n", "α", "δ", "slow runs", "never at rest", "longest T_ε (steps)"];
    report.table("Combinations with impractically slow runs.", &head, lines);
}

fn at(rows: &[Row], n: usize, alpha: f64, delta: f64) -> impl Iterator<Item = &Row> {
    rows.iter().filter(move |row| row.n == n && row.alpha == alpha && row.delta == delta)
}

/// A value over α and δ.
fn heat(
    asked: &Asked<Rates>,
    rows: &[Row],
    n: usize,
    title: &str,
    label: &str,
    log: bool,
    value: &dyn Fn(&[&Row]) -> f64,
) -> Result<Picture> {
    let own = &asked.own;
    let names = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>();
    let row =
        |delta: f64| own.alphas.iter().map(|&alpha| value(&at(rows, n, alpha, delta).collect::<Vec<_>>())).collect();
    let values = own.deltas.iter().map(|&delta| row(delta)).collect();
    let (x, y) = (names(&own.alphas), names(&own.deltas));
    Chart::heat(title, ("α (dimensionless)", &x), ("δ (units of |x|)", &y), label, log, values)
        .subtitle(format!("n = {n}, d = {}, {} clouds, ε = {:e}", asked.sizes.dim, asked.sizes.seeds, own.epsilon))
        .draw(Size { width: 860, height: 560 })
}

/// T_ε over n, a panel each α.
fn over_n(asked: &Asked<Rates>, rows: &[Row]) -> Result<Picture> {
    let own = &asked.own;
    let mut charts = Vec::new();
    for &alpha in &own.alphas {
        let mut chart =
            Chart::new(format!("α = {alpha}"), Coordinate::log("n (tokens)"), Coordinate::log("T_ε (steps)"));
        for (k, &delta) in own.deltas.iter().enumerate() {
            let mut intervals = Vec::new();
            for n in counts(asked) {
                let mut times: Vec<f64> = at(rows, n, alpha, delta).filter_map(|row| row.settled).collect();
                times.sort_by(f64::total_cmp);
                if let [first, .., last] | [first @ last] = times[..] {
                    // Widths side by side.
                    let aside = 1.0 + 0.04 * k as f64;
                    intervals.push([n as f64 * aside, times[times.len() / 2], first, last]);
                }
            }
            let line: Vec<(f64, f64)> = intervals.iter().map(|&[x, y, ..]| (x, y)).collect();
            chart = chart.line(format!("δ = {delta}"), line).colour(k).intervals("", intervals).colour(k);
        }
        let theory: Vec<f64> = rows.iter().filter(|row| row.alpha == alpha).map(|row| row.theory).collect();
        let mean = theory.iter().sum::<f64>() / theory.len().max(1) as f64;
        charts.push(chart.level("rate 1/(1+α) alone", mean));
    }
    let columns = charts.len().min(2);
    let height = 60 + 330 * charts.len().div_ceil(2) as u32;
    let title = "Time to convergence over the number of tokens".into();
    let subtitle = format!("d = {}, {} clouds each, ε = {:e}", asked.sizes.dim, asked.sizes.seeds, own.epsilon);
    Panels { title, subtitle, charts, columns }.draw(Size { width: 1080, height })
}

/// Distances of one run over time.
fn path(asked: &Asked<Rates>, results: &Results<Row>, row: &Row) -> Result<Picture> {
    let is_it = |other: &Row| {
        (other.n, other.seed) == (row.n, row.seed) && other.alpha == row.alpha && other.delta == row.delta
    };
    let cell = results.rows.iter().position(is_it).unwrap_or(0);
    let series = results.series(cell, "distance")?;
    let times = series.column("t")?;
    let (epsilon, theory) = (asked.own.epsilon, contraction(row.alpha));
    let mut chart = Chart::new(
        "Distance to the last place",
        Coordinate::whole("step t"),
        Coordinate::log("|xᵢ(t) − xᵢ(∞)| (dimensionless)"),
    )
    .subtitle(format!("n = {}, α = {}, δ = {}, seed {}", row.n, row.alpha, row.delta, row.seed));
    for (name, column) in [("farthest token", "all"), ("99 % are within", "most"), ("half are within", "half")] {
        // The last state is the place itself.
        let points = times.iter().copied().zip(series.column(column)?).filter(|(_, y)| *y > 0.0);
        chart = chart.line(name, points.collect::<Vec<_>>());
    }
    let start = series.column("all")?.first().copied().unwrap_or(1.0);
    let end = libm::log(start / epsilon) / libm::log1p(row.alpha);
    let slope = (0..=100).map(|k| f64::from(k) / 100.0 * end).map(|t| (t, start * libm::pow(theory, t)));
    chart
        .dashed("rate 1/(1+α) alone", slope)
        .ink()
        .level(format!("ε = {epsilon:e}"), epsilon)
        .grey()
        .draw(Size { width: 960, height: 560 })
}
