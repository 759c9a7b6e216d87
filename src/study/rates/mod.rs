//! How long localmax takes to converge, over n, α and δ, and where that is impractically long
//! (second check that arXiv 2509.15958 leaves open).
//!
//! ```text
//! T_ε        the time from which every token stays within ε of where it ends
//! T_theory   ln(|X(0) − X(∞)|_max / ε) / ln(1+α)
//!            the time at the rate 1/(1+α) of quiescent sets (Theorem 4.1)
//! slowdown   T_ε / T_theory
//! ```
//!
//! A cell is a cloud, an α and a δ. A run ends at rest, where no bit moves any more; one that has not
//! come to rest after its steps has no T_ε: it takes more than that many steps.
//!
//! At last, while no strip changes, tokens move by a fixed matrix: those that stay drive the others by
//! 1/(1+α) + γW, W the weights among the moving ones, which are not negative. Its largest eigenvalue is
//! 1/(1+α) or more, and more where moving tokens hold one another in their strips.

mod draw;
mod measure;

use super::common::{self, pairs, positive};
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Verdict, Workbench};
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, StripForm};
use crate::observe::contraction;

sheet! {
    CONVERGES = Counted("2509.15958, section 7.1, open question 1",
        "Runs with constant δ that come to rest");
    NO_FASTER = Proved("derived here; 2509.15958, Theorem 4.1 for quiescent sets",
        "No cloud converges faster at last than at the rate 1/(1+α) of quiescent sets");
    AS_FAST = Counted("second next check of a summary of 2509.15958",
        "Clouds that converge at last at that rate, which theory gives for tokens in quiescent sets alone");
}

/// Largest error of a fitted rate.
const RATE_ERROR: f64 = 1e-3;

parameters! { Rates:
    /// Step sizes
    alphas: Vec<f64> = vec![0.1, 0.5, 1.0, 3.0], "LIST", value_delimiter = ',';
    /// Widths of the strip, in the unit of the cloud's standard deviation
    deltas: Vec<f64> = vec![0.03, 0.1, 0.3, 1.0], "LIST", value_delimiter = ',';
    /// Numbers of tokens, as divisors of --tokens
    divisors: Vec<usize> = vec![1, 4, 16], "LIST", value_delimiter = ',';
    /// ε: a token has converged when it stays within this of where it ends
    epsilon: f64 = 1e-6, "EPSILON";
    /// Convergence counts as impractically slow if it takes more than so many times what theory
    /// says for quiescent sets
    slow: f64 = 5.0, "FACTOR";
}

/// A cloud, a step size and a width.
#[derive(Clone, Debug)]
pub struct Cell {
    n: usize,
    alpha: f64,
    delta: f64,
    seed: u64,
}

// Times are in steps.
columns! { Row:
    n: usize, "Number of tokens";
    alpha: f64, "α";
    delta: f64, "δ";
    seed: u64, "Seed of the cloud";
    steps: u64, "Steps taken";
    rests: bool, "Whether the run came to rest: the last step moved no bit";
    settled: Option<f64>, "T_ε of every token; none if the run did not come to rest";
    settled_most: Option<f64>, "T_ε of 99 % of the tokens";
    settled_half: Option<f64>, "T_ε of half of the tokens";
    theory: f64, "T_theory";
    slowdown: Option<f64>, "T_ε over T_theory";
    last_rate: Option<f64>,
        "Rate per step at which the farthest token comes to its place at last, from where strips keep their sizes";
    interval: Option<f64>, "Half of the rate's 95 % interval";
    places: u64, "Number of places at which tokens end";
    strip_mean: f64, "Mean number of keys of a strip in the last step";
}

impl Row {
    fn is_slow(&self, factor: f64) -> bool {
        self.slowdown.is_none_or(|slowdown| slowdown > factor)
    }

    fn is_of(&self, n: usize, alpha: f64, delta: f64) -> bool {
        self.n == n && self.alpha == alpha && self.delta == delta
    }
}

impl Asked<Rates> {
    /// Numbers of tokens, ascending.
    fn counts(&self) -> Vec<usize> {
        let mut counts: Vec<usize> = self.own.divisors.iter().map(|divisor| self.sizes.tokens / divisor).collect();
        counts.sort_unstable();
        counts.dedup();
        counts
    }

    /// Every combination of n, α and δ, in order.
    fn combinations(&self) -> Vec<(usize, f64, f64)> {
        let of = |n: usize| pairs(&self.own.alphas, &self.own.deltas).map(move |(&alpha, &delta)| (n, alpha, delta));
        self.counts().into_iter().flat_map(of).collect()
    }
}

fn model(alpha: f64, delta: f64) -> Model {
    common::localmax(delta, StripForm::Width, &Matrix::Identity, alpha)
}

impl Study for Rates {
    const NAME: &'static str = "rates";
    const TITLE: &'static str = "Time to convergence over n, α and δ";
    const EXAMPLES: &'static str = "Examples:
  localmax study rates                                             a grid in minutes
  localmax study rates --tokens 100000 --divisors 1 --seeds 10     large clouds alone
  localmax study rates --alphas 0.01,0.1 --deltas 0.001,0.01       where it may be slow";
    const SIZES: Sizes = Sizes::new(1600, 3, 5, 20_000);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.tokens, sizes.seeds, sizes.steps) = (160, 2, 2000);
        (self.alphas, self.deltas, self.divisors) = (vec![0.5, 3.0], vec![0.1, 1.0], vec![1, 4]);
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        positive("--epsilon", own.epsilon)?;
        positive("--slow", own.slow)?;
        if let Some(divisor) = own.divisors.iter().find(|&&divisor| divisor == 0 || divisor > sizes.tokens) {
            return Err(Error::input(format!("--divisors: {divisor} is not from 1 to --tokens {}", sizes.tokens)));
        }
        let mut cells = Vec::new();
        for (n, alpha, delta) in asked.combinations() {
            model(alpha, delta).validate(sizes.dim, sizes.steps)?;
            cells.extend(sizes.every_seed().map(|seed| Cell { n, alpha, delta, seed }));
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("n = {}, α = {}, δ = {}, seed {}", cell.n, cell.alpha, cell.delta, cell.seed)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        let (rows, own) = (&results.rows, &asked.own);
        claims(asked, rows, report);
        let slow = rows.iter().filter(|row| row.is_slow(own.slow)).count();
        let worst = rows.iter().filter_map(|row| Some((row, row.slowdown?))).max_by(|a, b| a.1.total_cmp(&b.1));
        report.text(format!(
            "Clouds of normal tokens, A = I, width strip, constant α and δ, run until they rest or for {} steps. A \
             run counts as impractically slow if its T_ε, ε = {:e}, is more than {} times what the rate 1/(1+α) of \
             quiescent sets alone would take: {slow} of {} runs. {}",
            asked.sizes.steps,
            own.epsilon,
            own.slow,
            rows.len(),
            worst.map_or(String::new(), |(row, slowdown)| format!(
                "The slowest that came to rest took {:.0} steps, {slowdown:.1} times as long: n = {}, α = {}, δ = \
                 {}, seed {}.",
                row.settled.unwrap_or(0.0),
                row.n,
                row.alpha,
                row.delta,
                row.seed
            ))
        ));
        slow_combinations(asked, rows, report);
        draw::figures(asked, results, worst.map(|(row, _)| row), report)
    }
}

fn claims(asked: &Asked<Rates>, rows: &[Row], report: &mut Report) {
    let resting = rows.iter().filter(|row| row.rests).count();
    report.claim(CONVERGES.counted(
        format!(
            "no counterexample among {} runs: {resting} came to rest in at most {} steps, {} still moved",
            rows.len(),
            asked.sizes.steps,
            rows.len() - resting
        ),
        "rest: no bit moves any more; that every run does would be no proof",
    ));
    let off = |row: &Row| Some((row.last_rate? - contraction(row.alpha), RATE_ERROR.max(row.interval?)));
    let fitted: Vec<(f64, f64)> = rows.iter().filter_map(off).collect();
    let (count, allowed) =
        (fitted.len(), format!("at most {RATE_ERROR:.0e}, or the fit's 95 % interval if that is wider"));
    let faster = fitted.iter().filter(|(off, allowed)| *off < -allowed).count();
    let least = fitted.iter().map(|(off, _)| *off).fold(f64::INFINITY, f64::min);
    report.claim(NO_FASTER.judged(
        match count {
            0 => "nothing was fitted".into(),
            _ => format!("{faster} of {count} fitted rates are faster; the least is {least:+.1e} off"),
        },
        allowed.clone(),
        Verdict::if_any(count > 0, faster == 0),
    ));
    let equal = fitted.iter().filter(|(off, allowed)| off.abs() <= *allowed).count();
    let most = fitted.iter().map(|(off, _)| *off).fold(0.0, f64::max);
    report.claim(AS_FAST.counted(
        format!(
            "{equal} of {count} fitted rates are 1/(1+α); {} are slower, by up to {most:.2} a step: tokens that rest \
             between vertices",
            count - equal - faster
        ),
        allowed,
    ));
}

/// Lists the combinations in which runs are slow.
fn slow_combinations(asked: &Asked<Rates>, rows: &[Row], report: &mut Report) {
    let mut lines = Vec::new();
    for (n, alpha, delta) in asked.combinations() {
        let of: Vec<&Row> = rows.iter().filter(|row| row.is_of(n, alpha, delta)).collect();
        let slow = of.iter().filter(|row| row.is_slow(asked.own.slow)).count();
        if slow > 0 {
            let open = of.iter().filter(|row| !row.rests).count();
            let longest = of.iter().filter_map(|row| row.settled).fold(f64::NAN, f64::max);
            let longest = if longest.is_nan() { "–".into() } else { format!("{longest:.0}") };
            let runs = format!("{slow} of {}", of.len());
            lines.push(vec![n.to_string(), alpha.to_string(), delta.to_string(), runs, open.to_string(), longest]);
        }
    }
    if lines.is_empty() {
        report.text("No combination of this grid has a slow run.");
        return;
    }
    let head = "n | α | δ | slow runs | never at rest | longest T_ε (steps)";
    report.table("Combinations with impractically slow runs.", head, lines);
}
