//! A cell's row: masks of the engine beside the formulas of the three rules.

use std::ops::ControlFlow;

use super::{Cell, MOST_PICTURED, Row, Strip, mass};
use crate::error::Result;
use crate::init::{Cloud, CloudSample};
use crate::model::{Model, Rule, StripForm};
use crate::num::{dot, evenly, norm};
use crate::observe::Points;
use crate::real;
use crate::reference;
use crate::reference::real::Scores;
use crate::study::common::{ends_only, every_step, masks, width_unit};
use crate::study::{Asked, Look, Workbench};
use crate::tokens::{Precision, Tokens};

/// Most rows whose masks are asked for; and most keys that their masks hold together.
const MOST_ROWS: usize = 400;
const MOST_KEYS: usize = 20_000_000;
/// Most coordinates that the formulas go through for them.
const MOST_COORDINATES: usize = 4_000_000_000;
/// The exponential of less is 0 in f64, or nearly.
const LOWEST_EXPONENT: f64 = -700.0;
/// Number of masks asked for at once: each may hold n keys.
const AT_ONCE: usize = 16;

pub(super) fn row(asked: &Asked<Strip>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (own, sizes) = (&asked.own, &asked.sizes);
    let (n, d) = (sizes.tokens, sizes.dim);
    let cloud = match &own.file {
        Some(file) => file.tokens()?,
        None => CloudSample::new(Cloud::Gaussian, n, d).tokens(cell.seed, Precision::F64)?,
    };
    let rows: Vec<usize> = evenly(n, MOST_ROWS.min(MOST_KEYS / n).min(MOST_COORDINATES / (n * d)).max(1)).collect();
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
    let (seed, delta) = (cell.seed, cell.delta);
    let mut row = Row { seed, delta, rows: examined, strip_min: u64::MAX, mass_min: 1.0, ..Row::default() };
    (row.hardmax_ties, row.all_due) = (ties, cell.delta > widest(&cloud, own.form));
    let played = cell.seed == sizes.first_seed && cell.delta == own.shown;
    let pictured = played && n <= MOST_PICTURED;
    let (mut frames, mut shown, mut widths) = (Vec::new(), Vec::new(), Vec::new());
    let steps = if pictured { sizes.steps } else { 0 };
    work.simulate(&own.localmax(cell.delta), &cloud, steps, every_step, |look| {
        if pictured {
            frames.push((look.t, look.tokens.clone()));
        }
        if look.t == 0 {
            let state = reference::real::State::new(look.tokens);
            let formula = |model: Model| Formula::new(&state, &model);
            let rules =
                [formula(own.model(Rule::Hardmax))?, formula(own.localmax(cell.delta))?, formula(own.softmax())?];
            examine(look, (own, cell.delta), &rows, &inner, &rules, &mut row)?;
            if pictured {
                shown = weights(look.tokens, &rules);
            }
            if played {
                widths = rows.iter().map(|&i| rules[2].widths(i, own)).collect();
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if played {
        let columns = mass::columns(&own.omegas);
        work.series(mass::SERIES, &columns.iter().map(String::as_str).collect::<Vec<_>>(), widths)?;
    }
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
    (own, delta): (&Strip, f64),
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
            let (weights, scores) = (soft.attended(i), soft.scores(i));
            let is_held = |j: usize| own.beta * (scores.values[j] - scores.max) > LOWEST_EXPONENT;
            row.softmax_zeros += u64::from(weights.len() < n || weights.iter().any(|&(j, w)| w <= 0.0 && is_held(j)));
            let left_out: f64 =
                weights.iter().filter(|(j, _)| mask.binary_search(&(*j as u32)).is_err()).map(|(_, w)| w).sum();
            let exponent = own.beta * (delta * soft.unit(i, own.form) - rounding);
            let bound = (n - mask.len()) as f64 * (-exponent).exp();
            row.over_bound += u64::from(left_out > bound * (1.0 + 1e-9));
            row.mass_mean += (1.0 - left_out) / count;
            row.mass_min = row.mass_min.min(1.0 - left_out);
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

    /// The scores of row i.
    fn scores(&self, i: usize) -> Scores {
        self.state.scores(&self.step, &self.step.stages[0].heads[0], i)
    }

    /// The unit of δ in row i, A = I.
    fn unit(&self, i: usize, form: StripForm) -> f64 {
        width_unit(form, self.state.row(i), self.state.row(i))
    }

    /// The token, its length, and the widths of strips that hold shares of its softmax.
    fn widths(&self, i: usize, own: &Strip) -> Vec<f64> {
        let (scores, unit) = (self.scores(i).values, self.unit(i, own.form));
        let weights: Vec<f64> = self.attended(i).into_iter().map(|(_, weight)| weight).collect();
        let mut row = vec![i as f64, norm(self.state.row(i))];
        row.extend(mass::widths(&scores, &weights, unit, &own.omegas));
        row
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
