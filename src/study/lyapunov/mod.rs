//! Lyapunov candidates along trajectories, and what happens where they rise (third next check of a summary of arXiv 2509.15958;
//! open questions 1 and 2).
//!
//! | candidate | what | known |
//! |---|---|---|
//! | `V` | Σ_ij min(\|x_i − x_j\|², R²), R = δ: Hegselmann and Krause's | falls where attention is mutual and by distance; not here |
//! | `spread` | Σ_ij \|x_i − x_j\|² | |
//! | `in strips` | Σ_i mean_{j in C_i} \|x_i − x_j\|² | 0 at consensus of every strip |
//! | `gaps` | Σ_i g_i | → 0 iff all limits lie in S |
//! | `−Σ⟨Ax,x⟩` | | falls in hardmax, A positive definite (derived) |
//! | `width` | the mean width of K(t), over fixed directions | falls for any A, as K(t) is nested |
//!
//! Eq. (41) of the paper is not public here: V with R = δ stands in its place (reconstructed).
//!
//! Where V rises, every pair's part in it is told apart by who attended to whom in that step: both, one of them, or neither.

mod draw;
mod measure;

use serde::{Deserialize, Serialize};

use super::{Asked, Basis, Claim, Report, Results, Sizes, Study, Verdict, Workbench, asymmetric, common};
use crate::error::{Error, Result};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule};
use crate::schedule::Schedule;

/// A rise below this times the candidate's largest magnitude is rounding.
const ROUNDING: f64 = 1e-12;
/// Names of the candidates, in order.
const CANDIDATES: [&str; 6] = ["V", "spread", "in strips", "gaps", "−Σ⟨Ax,x⟩", "width"];
/// Who attended to whom.
const RELATIONS: [&str; 3] = ["both", "one of them", "neither"];
/// The share of what rises that makes a pattern the cause.
const CAUSE: f64 = 0.5;

/// Parameters of the study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Lyapunov {
    /// Kinds of A, as in the study `asymmetric`
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = ["identity", "gram", "query-key", "skew"])]
    pub families: Vec<String>,
    /// Widths of the strip, constant in time; 0 is hardmax
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub deltas: Vec<f64>,
    /// R of V where δ is 0; elsewhere R = δ
    #[arg(long, value_name = "R")]
    pub radius: f64,
    /// Step size
    #[arg(long, value_name = "ALPHA")]
    pub alpha: f64,
    /// What the width is measured in
    #[arg(long, value_name = "FORM", value_parser = common::forms())]
    pub form: String,
    /// Cloud to begin with
    #[arg(long, value_name = "CLOUD", value_parser = common::clouds())]
    pub cloud: String,
}

impl Default for Lyapunov {
    fn default() -> Self {
        Self {
            families: ["identity", "gram", "query-key"].map(str::to_owned).to_vec(),
            deltas: vec![0.0, 0.4, 1.0],
            radius: 0.4,
            alpha: 0.5,
            form: "width".into(),
            cloud: "normal".into(),
        }
    }
}

/// A cloud, a matrix and a width.
#[derive(Clone, Debug)]
pub struct Cell {
    family: String,
    a: Matrix,
    delta: f64,
    seed: u64,
}

/// What a cell leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Kind of A.
    pub family: String,
    /// δ.
    pub delta: f64,
    /// Seed of the cloud and of A.
    pub seed: u64,
    /// Steps taken.
    pub steps: u64,
    /// Whether no bit moves any more.
    pub settled: bool,
    /// Of the pairs in which anyone attends, the share in which only one does, over all steps.
    pub one_way: f64,
    /// Steps in which V rose.
    pub rises: u64,
    /// The largest rise of V.
    pub largest: f64,
    /// The step before it.
    pub largest_at: u64,
    /// What rose in those steps, summed over pairs that attended to each other.
    pub up_both: f64,
    /// The same over pairs in which one attended to the other.
    pub up_one: f64,
    /// The same over pairs in which neither did.
    pub up_neither: f64,
}

/// What a candidate did along one trajectory.
#[derive(Clone, Copy, Debug)]
struct Record {
    candidate: usize,
    /// Steps in which it rose.
    rises: f64,
    /// The largest rise over the candidate's largest magnitude.
    largest: f64,
    /// Most steps until it was back where it had been before a rise.
    wait: f64,
    /// Rises after which it never was.
    never: f64,
}

impl Record {
    const COLUMNS: [&'static str; 5] = ["candidate", "rises", "largest", "wait", "never"];

    /// Of a candidate's values at every step.
    fn of(candidate: usize, values: &[f64]) -> Self {
        let size = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let mut record = Self { candidate, rises: 0.0, largest: 0.0, wait: 0.0, never: 0.0 };
        for at in 1..values.len() {
            let (before, rise) = (values[at - 1], values[at] - values[at - 1]);
            if rise <= ROUNDING * size {
                continue;
            }
            record.rises += 1.0;
            record.largest = record.largest.max(rise / size);
            match values[at..].iter().position(|&v| v <= before + ROUNDING * size) {
                Some(wait) => record.wait = record.wait.max(wait as f64),
                None => record.never += 1.0,
            }
        }
        record
    }

    fn to_row(self) -> Vec<f64> {
        vec![self.candidate as f64, self.rises, self.largest, self.wait, self.never]
    }

    fn from_row(row: &[f64]) -> Self {
        Self { candidate: row[0] as usize, rises: row[1], largest: row[2], wait: row[3], never: row[4] }
    }
}

impl Lyapunov {
    fn model(&self, a: &Matrix, delta: f64) -> Result<Model> {
        let rule = Rule::Localmax { delta: Schedule::Constant(delta), strip: common::form(&self.form)? };
        let gain = Gain::Alpha(Schedule::Constant(self.alpha));
        Ok(Model::averaging(rule, Operator::constant(a.clone()), Mask::Full, gain))
    }

    /// Every pair of family and δ with its name, in order.
    fn kinds(&self) -> Vec<(&String, f64, String)> {
        let pairs = self.families.iter().flat_map(|family| self.deltas.iter().map(move |&delta| (family, delta)));
        pairs.map(|(family, delta)| (family, delta, format!("{family}, δ = {delta}"))).collect()
    }
}

impl Study for Lyapunov {
    const NAME: &'static str = "lyapunov";
    const TITLE: &'static str = "Lyapunov candidates along trajectories, and what happens where they rise";
    const EXAMPLES: &'static str = "Examples:
  localmax study lyapunov                                three kinds of A, three widths, six candidates
  localmax study lyapunov --quick                        in seconds
  localmax study lyapunov --tokens 100 --seeds 100       more tokens, more clouds
  localmax study lyapunov --families skew --deltas 0.4   a skew A alone";

    type Cell = Cell;
    type Row = Row;

    fn sizes() -> Sizes {
        Sizes::new(25, 2, 40, 400)
    }

    fn quick(asked: &mut Asked<Self>) {
        asked.sizes.seeds = 4;
        asked.sizes.steps = 120;
        asked.own.families = vec!["identity".into(), "query-key".into()];
        asked.own.deltas = vec![0.0, 0.4];
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        common::validate_cloud(&own.cloud, sizes.tokens, sizes.dim)?;
        if !(own.radius.is_finite() && own.radius > 0.0) {
            return Err(Error::input(format!("--radius {}: it must be finite and above 0", own.radius)));
        }
        let mut cells = Vec::new();
        for (family, delta, _) in own.kinds() {
            for seed in 1..=sizes.seeds {
                let a = asymmetric::matrix(family, None, sizes.dim, seed);
                if seed == 1 {
                    own.model(&a, delta)?.validate(sizes.dim, 1)?;
                }
                cells.push(Cell { family: family.clone(), a, delta, seed });
            }
        }
        Ok(cells)
    }

    fn label(cell: &Cell) -> String {
        format!("A: {}, δ = {}, seed {}", cell.family, cell.delta, cell.seed)
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>) -> Result<Report> {
        let mut report = Report::new();
        let mut records = Vec::new();
        for cell in 0..results.rows.len() {
            let series = results.series(cell, "records")?;
            records.push(series.rows.iter().map(|row| Record::from_row(row)).collect());
        }
        claims(asked, &results.rows, &records, &mut report);
        report.text(format!(
            "Every candidate is computed at every step. It rises where it grows by more than {ROUNDING:.0e} of its largest magnitude. A rise \
             is waited out where the candidate comes back to where it was: one that always does, in a bounded number of steps, would \
             serve as a non-monotone Lyapunov function. V is the classical Σ min(|xᵢ − xⱼ|², R²) with R = δ (R = {} for δ = 0), in \
             place of Eq. 41, which is reconstructed.",
            asked.own.radius
        ));
        table(asked, &results.rows, &records, &mut report);
        draw::figures(asked, results, &records, &mut report)?;
        Ok(report)
    }
}

/// What a candidate did under one kind of A and δ.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    runs: u64,
    /// Runs in which it rose.
    rising: u64,
    steps: u64,
    rises: f64,
    largest: f64,
    wait: f64,
    never: f64,
}

fn summary(rows: &[Row], records: &[Vec<Record>], family: &str, delta: f64, candidate: usize) -> Summary {
    let mut sum = Summary::default();
    for (row, records) in rows.iter().zip(records).filter(|(row, _)| row.family == family && row.delta == delta) {
        sum.runs += 1;
        sum.steps += row.steps;
        for record in records.iter().filter(|record| record.candidate == candidate) {
            sum.rising += u64::from(record.rises > 0.0);
            sum.rises += record.rises;
            sum.largest = sum.largest.max(record.largest);
            sum.wait = sum.wait.max(record.wait);
            sum.never += record.never;
        }
    }
    sum
}

fn table(asked: &Asked<Lyapunov>, rows: &[Row], records: &[Vec<Record>], report: &mut Report) {
    let head = [
        "A and δ",
        "candidate",
        "runs",
        "runs that rise",
        "rises",
        "steps",
        "largest rise",
        "longest wait",
        "never back",
    ];
    let mut lines = Vec::new();
    for (family, delta, name) in asked.own.kinds() {
        for (candidate, what) in CANDIDATES.iter().enumerate() {
            let s = summary(rows, records, family, delta, candidate);
            let mut line = vec![name.clone(), (*what).to_owned()];
            line.extend([s.runs.to_string(), s.rising.to_string(), s.rises.to_string(), s.steps.to_string()]);
            line.extend([format!("{:.2e}", s.largest), s.wait.to_string(), s.never.to_string()]);
            lines.push(line);
        }
    }
    let caption = "The largest rise in units of the candidate's largest magnitude; waits in steps.";
    report.table(caption, &head, lines);
}

fn claims(asked: &Asked<Lyapunov>, rows: &[Row], records: &[Vec<Record>], report: &mut Report) {
    let own = &asked.own;
    for (family, delta, name) in own.kinds() {
        if delta == 0.0 {
            continue;
        }
        let v = summary(rows, records, family, delta, 0);
        let of = || rows.iter().filter(|row| row.family == *family && row.delta == delta);
        let largest = of().map(|row| row.largest).fold(0.0, f64::max);
        report.claim(Claim {
            claim: format!("V with R = δ is not monotone along localmax (A: {name})"),
            source: "2509.15958, section 6; Eq. 41 not public".into(),
            basis: Basis::Reconstructed,
            measured: format!(
                "rises: {} in {} steps, in {} of {} runs; the largest by {largest:.3}",
                v.rises, v.steps, v.rising, v.runs
            ),
            error: format!("a rise above {ROUNDING:.0e} of V"),
            agrees: if v.rises > 0.0 { Verdict::Yes } else { Verdict::Undecided },
        });
        report.claim(Claim {
            claim: format!(
                "After every rise V falls back below where it was: it may serve as a non-monotone function (A: {name})"
            ),
            source: "2509.15958, section 7.1, open question 2".into(),
            basis: Basis::Reported,
            measured: format!(
                "{} of {} rises never waited out; the longest wait is {} steps",
                v.never, v.rises, v.wait
            ),
            error: "every rise, before the run ends".into(),
            agrees: if v.rises > 0.0 {
                Verdict::at_rest(v.never == 0.0, of().all(|row| row.settled))
            } else {
                Verdict::Undecided
            },
        });
        let up = [
            of().map(|row| row.up_both).sum::<f64>(),
            of().map(|row| row.up_one).sum(),
            of().map(|row| row.up_neither).sum(),
        ];
        let all: f64 = up.iter().sum();
        let share = |k: usize| 100.0 * up[k] / all;
        report.claim(Claim {
            claim: format!("V rises by pairs that do not attend to each other both ways (A: {name})"),
            source: "2509.15958, section 7.1: asymmetry is what hinders".into(),
            basis: Basis::Reported,
            measured: if all > 0.0 {
                format!(
                    "of what rises {:.0} % is from pairs where neither attends, {:.0} % one, {:.0} % both",
                    share(2),
                    share(1),
                    share(0)
                )
            } else {
                "nothing rose".into()
            },
            error: format!("more than {} %", 100.0 * CAUSE),
            agrees: if all > 0.0 { Verdict::of(up[1] + up[2] > CAUSE * all) } else { Verdict::Undecided },
        });
    }
    for (candidate, claim, source, wanted) in [
        (
            5,
            "The mean width of K never rises, whatever A and δ",
            "2509.15958, section 3; derived here for any A",
            (|_, _| true) as fn(&str, f64) -> bool,
        ),
        (
            4,
            "In hardmax Σ⟨Ax,x⟩ never falls, A positive definite",
            "derived from 2407.01602, section 2",
            |family, delta| delta == 0.0 && (family == "identity" || family == "gram"),
        ),
    ] {
        let kinds = own.kinds();
        let of = kinds.iter().filter(|(family, delta, _)| wanted(family, *delta));
        let sums: Vec<Summary> =
            of.map(|(family, delta, _)| summary(rows, records, family, *delta, candidate)).collect();
        let (rises, steps) = (sums.iter().map(|s| s.rises as u64).sum(), sums.iter().map(|s| s.steps).sum());
        report.claim(Claim::always(claim, source, Basis::Proved, rises, steps, "steps"));
    }
    let kinds = own.kinds();
    let local = kinds.iter().filter(|(family, delta, _)| *family == "identity" && *delta > 0.0);
    let sums: Vec<Summary> = local.map(|(family, delta, _)| summary(rows, records, family, *delta, 4)).collect();
    if !sums.is_empty() {
        let rises: f64 = sums.iter().map(|s| s.rises).sum();
        report.claim(Claim {
            claim: "In localmax Σ|x|² does fall (A = I)".into(),
            source: "observed here".into(),
            basis: Basis::Reconstructed,
            measured: format!("it falls in {rises} of {} steps", sums.iter().map(|s| s.steps).sum::<u64>()),
            error: format!("by more than {ROUNDING:.0e} of it"),
            agrees: if rises > 0.0 { Verdict::Yes } else { Verdict::Undecided },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wait that is counted wrongly would make a candidate look better than it is.
    #[test]
    fn rises_and_waits() {
        let record = Record::of(0, &[5.0, 3.0, 4.0, 3.5, 3.0, 1.0, 2.0]);
        assert_eq!((record.rises, record.wait, record.never), (2.0, 2.0, 1.0));
        assert_eq!(record.largest, 0.2);
        assert_eq!(Record::of(0, &[1.0, 1.0 + 1e-14, 0.5]).rises, 0.0, "rounding is no rise");
    }
}
