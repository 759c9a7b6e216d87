//! A cell's row: every candidate at every step, and the part of each pair in a rise of V.

use std::ops::ControlFlow;

use super::rises::Record;
use super::{CANDIDATES, Cell, Lyapunov, ROUNDING, Row, V};
use crate::error::Result;
use crate::num::{dot, norm, squared_distance};
use crate::observe::{Alignment, Directions, Distinct, Hull, Points, hegselmann_krause};
use crate::real::Linear;
use crate::study::common::{every_step, is_still, masks};
use crate::study::{Asked, Workbench, clouds};
use crate::tokens::Tokens;

/// Number of random directions of the mean width.
const DIRECTIONS: usize = 64;
/// Multiply-adds for a hull, in more than three dimensions.
const EFFORT: u64 = 1 << 22;
/// Number of pairs kept of the largest rise.
const KEPT: usize = 40;

/// A state with the masks of its tokens.
struct State {
    t: u64,
    tokens: Tokens,
    points: Points,
    masks: Vec<Vec<u32>>,
}

impl State {
    fn attends(&self, i: usize, j: usize) -> bool {
        self.masks[i].binary_search(&(j as u32)).is_ok()
    }

    fn squared(&self, i: usize, j: usize) -> f64 {
        squared_distance(self.points.row(i), self.points.row(j))
    }

    /// Σ_i mean over its strip of |x_i − x_j|².
    fn disagreement(&self) -> f64 {
        let one = |(i, mask): (usize, &Vec<u32>)| {
            mask.iter().map(|&j| self.squared(i, j as usize)).sum::<f64>() / mask.len().max(1) as f64
        };
        self.masks.iter().enumerate().map(one).sum()
    }

    /// Number of pairs in which a token attends to the other, and of those in which only one does.
    fn attending(&self) -> [u64; 2] {
        let mut count = [0; 2];
        for i in 0..self.points.n() {
            for j in 0..i {
                let both = [self.attends(i, j), self.attends(j, i)];
                count[0] += u64::from(both[0] || both[1]);
                count[1] += u64::from(both[0] != both[1]);
            }
        }
        count
    }
}

/// The candidates of a cell.
struct Candidates {
    /// R of V, and one that no pair is beyond.
    radius: f64,
    far: f64,
    a: Linear,
    directions: Directions,
}

impl Candidates {
    fn at(&self, state: &State) -> [f64; CANDIDATES.len()] {
        let points = &state.points;
        let distinct = Distinct::of(points);
        let gaps = Alignment::of(points, &self.a, &Hull::with_effort(points, EFFORT)).gap;
        let squares: f64 = points.rows().map(|x| dot(&self.a.apply(x), x)).sum();
        let support: f64 = self.directions.support(points).iter().map(|support| support.value).sum();
        [
            hegselmann_krause(&distinct, self.radius).value,
            hegselmann_krause(&distinct, self.far).value,
            state.disagreement(),
            gaps.iter().sum(),
            -squares,
            2.0 * support / self.directions.len() as f64,
        ]
    }
}

/// The largest rise of V.
struct Rise {
    /// Pairs by their part in it, as [`parts`] gives them.
    pairs: Vec<Vec<f64>>,
    /// The states before and after.
    frames: [(u64, Tokens); 2],
}

pub(super) fn row(asked: &Asked<Lyapunov>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (own, sizes) = (&asked.own, &asked.sizes);
    let cloud = clouds::named(&own.cloud, sizes.tokens, sizes.dim, cell.seed)?;
    let every: Vec<usize> = (0..cloud.n()).collect();
    let radius = if cell.delta > 0.0 { cell.delta } else { own.radius };
    let far = 4.0 * Points::of(&cloud).rows().map(norm).fold(0.0, f64::max).max(radius);
    let directions = Directions::new(sizes.dim, DIRECTIONS, cell.seed);
    let candidates = Candidates { radius, far, a: Linear { factor: 1.0, matrix: cell.a.clone() }, directions };
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); CANDIDATES.len()];
    let mut row = Row { family: cell.family.clone(), delta: cell.delta, seed: cell.seed, ..Row::default() };
    let (mut before, mut worst): (Option<State>, Option<Rise>) = (None, None);
    let mut attending = [0, 0];
    row.steps = work.simulate(&own.model(&cell.a, cell.delta), &cloud, sizes.steps, every_step, |look| {
        let (points, masks) = (Points::of(look.tokens), masks(look, &every)?);
        let state = State { t: look.t, tokens: look.tokens.clone(), points, masks };
        values.iter_mut().zip(candidates.at(&state)).for_each(|(values, value)| values.push(value));
        attending.iter_mut().zip(state.attending()).for_each(|(sum, count)| *sum += count);
        if let Some(before) = &before {
            let size = values[V].iter().copied().fold(0.0, f64::max);
            let rise = values[V][values[V].len() - 1] - values[V][values[V].len() - 2];
            if rise > ROUNDING * size
                && let Some(largest) = record_rise(rise, before, &state, radius, &mut row)
            {
                worst = Some(largest);
            }
        }
        before = Some(state);
        row.settled = is_still(look);
        Ok(ControlFlow::Continue(()))
    })?;
    row.one_way = attending[1] as f64 / attending[0].max(1) as f64;
    let records = values.iter().enumerate().map(|(candidate, values)| Record::of(candidate, values).to_row());
    work.series("records", &Record::COLUMNS, records.collect())?;
    let steps = (0..values[V].len()).map(|t| values.iter().map(|values| values[t]).collect());
    let columns = ["V", "spread", "disagreement", "gaps", "squares", "width"];
    work.series("values", &columns, steps.collect())?;
    if let Some(Rise { pairs, frames }) = worst {
        work.series("pairs", &["i", "j", "rise", "relation"], pairs)?;
        work.frames(&frames)?;
    }
    Ok(row)
}

/// Adds a rise of V to the row, by relations; returns it if it is the largest so far.
fn record_rise(rise: f64, before: &State, after: &State, radius: f64, row: &mut Row) -> Option<Rise> {
    let mut pairs = parts(before, after, radius);
    row.rises += 1;
    for pair in pairs.iter().filter(|pair| pair[2] > 0.0) {
        *row.up(pair[3] as usize) += pair[2];
    }
    if rise <= row.largest {
        return None;
    }
    (row.largest, row.largest_at) = (rise, before.t);
    pairs.sort_by(|a, b| b[2].total_cmp(&a[2]));
    pairs.truncate(KEPT);
    Some(Rise { pairs, frames: [(before.t, before.tokens.clone()), (after.t, after.tokens.clone())] })
}

/// For every pair i, j that V changed by: the change over both orders, and the number of its
/// relation.
fn parts(before: &State, after: &State, radius: f64) -> Vec<Vec<f64>> {
    let most = radius * radius;
    let mut parts = Vec::new();
    for i in 0..after.points.n() {
        for j in 0..i {
            let rise = 2.0 * (after.squared(i, j).min(most) - before.squared(i, j).min(most));
            if rise == 0.0 {
                continue;
            }
            let relation = match [before.attends(i, j), before.attends(j, i)] {
                [true, true] => 0.0,
                [false, false] => 2.0,
                _ => 1.0,
            };
            parts.push(vec![i as f64, j as f64, rise, relation]);
        }
    }
    parts
}
