//! The phase diagram of attention on a sphere: how many pairs of tokens have met by time t, over β (arXiv
//! 2312.10794, the authors' script).
//!
//! ```text
//! x ← normalise(x + dt·Σ_j softmax_j(β<x_i, x_j>) x_j)      from n uniform tokens on the sphere
//! share   of the pairs of tokens with <x_i, x_j> > 0.999, mean over clouds
//! groups  the rank of the matrix of ones where that holds, median over clouds
//! ```
//!
//! Beside it stands the law of tokens that all have one product γ(t) with one another, which they have from
//! orthogonal starts, and nearly from random ones in many dimensions:
//! `γ' = 2·e^{βγ}(1−γ)((n−1)γ+1)/(e^β+(n−1)e^{βγ})`, γ(0) = 0. A cell is all clouds at one β, side by side.

mod claims;
mod draw;
mod measure;

use super::common::positive;
use super::tables::{columns, parameters, sheet};
use super::{Asked, Report, Results, Sizes, Study, Workbench};
use crate::error::{Error, Result};
use crate::model::{Geometry, Head, Integrator, Mask, Model, Operator, Rule, Scoring, Terms, Update};
use crate::schedule::Schedule;

sheet! {
    SLOWER = Conjecture("2312.10794, read off its phase diagrams",
        "The larger β, the later half of the pairs have met (n = {n}, d = {d})");
    MEETS = Conjecture("2312.10794, read off its phase diagrams",
        "At the least β, {beta}, more than 0.99 of the pairs have met by the end (n = {n}, d = {d})");
    BLOCKED = Counted("2312.10794: groups that last",
        "The least β from which on half of the clouds have several groups at the end (n = {n}, d = {d})");
    LAW = Counted("2312.10794, tokens of equal angles; exact as d → ∞",
        "The time at which half of the pairs have met, over that of equal angles (n = {n}, d = {d})");
    FALLS = Counted("pairs that part again",
        "The largest fall of the mean share between two looks (n = {n}, d = {d})");
}

parameters! { Diagram:
    /// Number of values of β, evenly spaced from --least to --most
    betas: usize = 90, "K";
    /// The least β
    least: f64 = 0.1, "BETA";
    /// The largest β
    most: f64 = 9.0, "BETA";
    /// Length of a step; --steps of them are taken
    dt: f64 = 0.1, "DT";
    /// Number of looks, evenly spread from the start to the end
    checkpoints: u64 = 200, "K";
}

/// All clouds at one β.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    beta: f64,
}

columns! { Row:
    beta: f64, "β";
    clouds: u64, "Number of clouds";
    share: f64, "Share of the pairs that have met at the end, mean over clouds";
    share_error: f64, "Its standard error";
    several: u64, "Clouds with several groups at the end";
    groups: u64, "Groups at the end, median over clouds";
    half: Option<f64>, "The time of the first look at which half of the pairs have met; none if that is not by the end";
    fall: f64, "The largest fall of the mean share between two looks";
    hash: String, "Hash of the last state of all clouds";
}

impl Asked<Diagram> {
    /// The values of β, ascending.
    fn betas(&self) -> Vec<f64> {
        let Diagram { betas, least, most, .. } = self.own;
        let last = betas.max(2) - 1;
        // Nine decimals, so that 0.3 is no 0.30000000000000004.
        let rounded = |beta: f64| (1e9 * beta).round() / 1e9;
        (0..betas).map(|k| rounded(least + (most - least) * k as f64 / last as f64)).collect()
    }

    /// The steps of the looks, ascending, each once.
    fn looks(&self) -> Vec<u64> {
        let (steps, last) = (u128::from(self.sizes.steps), u128::from(self.own.checkpoints - 1));
        let mut looks: Vec<u64> = (0..=last).map(|k| ((k * steps + last / 2) / last) as u64).collect();
        looks.dedup();
        looks
    }

    fn model(&self, beta: f64) -> Model {
        Model {
            rule: Rule::Softmax { beta: Schedule::Constant(beta) },
            scoring: Scoring::Inner,
            heads: vec![Head { scores: Operator::identity(), values: Operator::identity() }],
            mask: Mask::FULL,
            update: Update::Flow { dt: self.own.dt, integrator: Integrator::EulerRenorm, geometry: Geometry::Sphere },
            omit: 0.0,
            terms: Terms::default(),
            keys: None,
            graph: None,
        }
    }
}

impl Study for Diagram {
    const NAME: &'static str = "diagram";
    const TITLE: &'static str = "How fast tokens on a sphere meet, over β: the phase diagrams of 2312.10794";
    const EXAMPLES: &'static str = "Examples:
  localmax study diagram                              2048 clouds of 32 tokens on the circle at 90 values of β
  localmax study diagram --quick                      within a minute
  localmax study diagram --dim 128 --seeds 64         near the law of equal angles";
    const SIZES: Sizes = Sizes::new(32, 2, 2048, 300);

    type Cell = Cell;
    type Row = Row;

    fn quicken(&mut self, sizes: &mut Sizes) {
        (sizes.seeds, self.betas, self.checkpoints) = (128, 18, 61);
    }

    fn cells(asked: &Asked<Self>) -> Result<Vec<Cell>> {
        let (own, sizes) = (&asked.own, &asked.sizes);
        positive("--dt", own.dt)?;
        if own.betas == 0 {
            return Err(Error::input("--betas 0: it must be at least 1"));
        }
        if !(own.least >= 0.0 && own.least <= own.most && own.most.is_finite()) {
            let (least, most) = (own.least, own.most);
            return Err(Error::input(format!(
                "--least {least} --most {most}: they must be finite, with 0 <= least <= most"
            )));
        }
        if own.checkpoints > 1 << 20 {
            return Err(Error::input(format!("--checkpoints {}: it must be at most {}", own.checkpoints, 1 << 20)));
        }
        if own.checkpoints < 2 {
            return Err(Error::input(format!("--checkpoints {}: it must be at least 2", own.checkpoints)));
        }
        if sizes.tokens < 2 {
            return Err(Error::input("--tokens 1: pairs need at least 2"));
        }
        if sizes.tokens > 2048 {
            return Err(Error::input(format!("--tokens {}: pairs of at most 2048 are looked at", sizes.tokens)));
        }
        let betas = asked.betas();
        betas.iter().try_for_each(|&beta| asked.model(beta).validate(sizes.dim, 1))?;
        Ok(betas.into_iter().map(|beta| Cell { beta }).collect())
    }

    fn label(cell: &Cell) -> String {
        format!("β = {}", crate::num::short(cell.beta))
    }

    fn extent(asked: &Asked<Self>) -> String {
        let Sizes { precision, steps, .. } = &asked.sizes;
        let (shape, clouds) = (asked.sizes.shape(), asked.sizes.clouds());
        format!("{clouds}, {shape}, {steps} steps of {}, {}", asked.own.dt, precision.name())
    }

    fn compute(asked: &Asked<Self>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
        measure::row(asked, *cell, work)
    }

    fn conclude(asked: &Asked<Self>, results: &Results<Row>, report: &mut Report) -> Result<()> {
        claims::judge(asked, &results.rows, report);
        report.text(format!(
            "The authors' scheme: a step of length {} along the output of softmax attention, V = I, then back to the \
             sphere, without a projection to its tangent. Cloud c of each β is drawn with the seed {} + c. A pair has \
             met where its product is above 0.999. A cell's series has the share with its standard error, and the \
             median number of groups, at each of {} looks.",
            asked.own.dt,
            asked.sizes.first_seed,
            asked.looks().len()
        ));
        draw::figures(asked, results, report)
    }
}
