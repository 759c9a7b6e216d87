//! A cell's row: masks of the engine beside the formulas of the three rules.

use std::ops::ControlFlow;

use super::{Cell, MOST_PICTURED, Row, Strip};
use crate::error::Result;
use crate::init::{Cloud, CloudSample};
use crate::model::{Model, Rule, StripForm};
use crate::num::{dot, evenly, norm};
use crate::observe::Points;
use crate::real;
use crate::reference;
use crate::study::common::{ends_only, every_step, masks};
use crate::study::{Asked, Look, Workbench};
use crate::tokens::{Precision, Tokens};

/// Most rows whose masks are asked for; and most keys that their masks hold together.
const MOST_ROWS: usize = 400;
const MOST_KEYS: usize = 20_000_000;
/// Number of masks asked for at once: each may hold n keys.
const AT_ONCE: usize = 16;

pub(super) fn row(asked: &Asked<Strip>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (own, sizes) = (&asked.own, &asked.sizes);
    let n = sizes.tokens;
    let cloud = CloudSample::new(Cloud::Gaussian, n, sizes.dim).tokens(cell.seed, Precision::F64)?;
    let rows: Vec<usize> = evenly(n, MOST_ROWS.min(MOST_KEYS / n).max(1)).collect();
    let mut inner = Vec::new();
    work.simulate(&own.localmax(cell.delta / 2.0), &cloud, 0, ends_only, |look| {
        inner = masks(look, &rows)?;
        Ok(ControlFlow::Continue(()))
    })?;
    let mut ties = 0;
    work.simulate(&own.model(Rule::Hardmax), &cloud, 0, ends_only, |look| {
        ties = masks(look, &rows)?.iter().filter(|mask| mask.len() > 1).count() as u64;
        Ok(ControlFlow::Continue(()))
    })?;
    let examined = rows.len() as u64;
    let mut row = Row { seed: cell.seed, delta: cell.delta, rows: examined, strip_min: u64::MAX, ..Row::default() };
    (row.hardmax_ties, row.all_due) = (ties, cell.delta > widest(&cloud, own.form));
    let played = cell.seed == sizes.first_seed && cell.delta == own.shown;
    let pictured = played && n <= MOST_PICTURED;
    let (mut frames, mut shown) = (Vec::new(), Vec::new());
    let steps = if played { sizes.steps } else { 0 };
    work.simulate(&own.localmax(cell.delta), &cloud, steps, every_step, |look| {
        if pictured {
            frames.push((look.t, look.tokens.clone()));
        }
        if look.t == 0 {
            let state = reference::real::State::new(look.tokens);
            let formula = |model: Model| Formula::new(&state, &model);
            let rules =
                [formula(own.model(Rule::Hardmax))?, formula(own.localmax(cell.delta))?, formula(own.softmax())?];
            examine(look, &rows, &inner, &rules, &mut row)?;
            if pictured {
                shown = weights(look.tokens, &rules);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if pictured {
        work.frames(&frames)?;
        work.series("weights", &["token", "reference", "hardmax", "localmax", "softmax"], shown)?;
    }
    Ok(row)
}

/// A width that no two scores of a token differ by.
fn widest(cloud: &Tokens, form: StripForm) -> f64 {
    let radius = Points::of(cloud).rows().map(norm).fold(0.0, f64::max);
    2.0 * radius * if form == StripForm::Score { radius } else { 1.0 }
}

/// Compares the masks of some rows with the formulas, and with the masks at δ/2.
fn examine(
    look: &mut Look<'_>,
    rows: &[usize],
    inner: &[Vec<u32>],
    [_, strip, soft]: &[Formula<'_>; 3],
    row: &mut Row,
) -> Result<()> {
    let (n, count) = (look.tokens.n(), rows.len() as f64);
    // Scores are at most R² d; an edge is known to a few units of the lattice times R.
    let rounding = 8.0 * look.unit() * look.tokens.largest_magnitude() * look.tokens.d() as f64;
    for (some, inner) in rows.chunks(AT_ONCE).zip(inner.chunks(AT_ONCE)) {
        for ((&i, small), mask) in some.iter().zip(inner).zip(look.masks(some)?) {
            let size = mask.len() as u64;
            row.strip_min = row.strip_min.min(size);
            row.strip_max = row.strip_max.max(size);
            row.strip_mean += size as f64 / count;
            row.differ += u64::from(strip.differs(i, &mask, rounding));
            let is_nested = small.iter().all(|j| mask.binary_search(j).is_ok());
            row.not_nested += u64::from(!is_nested);
            let weights = soft.attended(i);
            row.softmax_zeros += u64::from(weights.len() < n || weights.iter().any(|(_, w)| *w <= 0.0));
            let entropy: f64 = weights.iter().filter(|(_, w)| *w > 0.0).map(|(_, w)| -w * w.ln()).sum();
            row.softmax_keys += entropy.exp() / count;
        }
    }
    Ok(())
}

/// The token of median length, and every key's weight in its row under each rule.
fn weights(tokens: &Tokens, rules: &[Formula<'_>; 3]) -> Vec<Vec<f64>> {
    let length = |i: usize| dot(&tokens.row(i), &tokens.row(i));
    let mut order: Vec<usize> = (0..tokens.n()).collect();
    order.sort_by(|&a, &b| length(a).total_cmp(&length(b)));
    let reference = order[order.len() / 2];
    let mut rows: Vec<Vec<f64>> =
        (0..tokens.n()).map(|j| vec![j as f64, f64::from(u8::from(j == reference)), 0.0, 0.0, 0.0]).collect();
    for (k, rule) in rules.iter().enumerate() {
        for (j, weight) in rule.attended(reference) {
            rows[j][2 + k] = weight;
        }
    }
    rows
}

/// A cloud under one rule, by the mathematics of the plain reference.
struct Formula<'a> {
    state: &'a reference::real::State,
    step: real::Step,
}

impl<'a> Formula<'a> {
    fn new(state: &'a reference::real::State, model: &Model) -> Result<Self> {
        Ok(Self { state, step: real::Steps::new(model, state.d).at(0)? })
    }

    /// The keys of row i with their weights, which sum to 1.
    fn attended(&self, i: usize) -> Vec<(usize, f64)> {
        let stage = &self.step.stages[0];
        let attention = self.state.attention(&self.step, stage, &stage.heads[0], i);
        attention.weights.iter().map(|&(j, weight)| (j, weight / attention.total)).collect()
    }

    /// True if a mask of row i differs from the formula farther from the edge than rounding.
    fn differs(&self, i: usize, mask: &[u32], rounding: f64) -> bool {
        let stage = &self.step.stages[0];
        let scores = self.state.scores(&self.step, &stage.heads[0], i);
        let threshold = self.state.threshold(stage.weights, &stage.heads[0], i, scores.max);
        let off = |(j, score): (usize, &f64)| {
            let inside = mask.binary_search(&(j as u32)).is_ok();
            inside != (*score >= threshold) && (score - threshold).abs() > rounding
        };
        scores.values.iter().enumerate().any(off)
    }
}
