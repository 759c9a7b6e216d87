//! A cell's row: every candidate at every step, and what each pair had to do with a rise of V.

use std::ops::ControlFlow;

use super::{CANDIDATES, Cell, Lyapunov, ROUNDING, Record, Row};
use crate::error::Result;
use crate::observe::{Alignment, Directions, Distinct, Hull, Points, hegselmann_krause};
use crate::real::Linear;
use crate::study::common::norm;
use crate::study::{Asked, Workbench, common};
use crate::tokens::Tokens;

/// Random directions of the mean width.
const DIRECTIONS: usize = 64;
/// Multiply-adds for a hull, in more than three dimensions.
const EFFORT: u64 = 1 << 22;
/// Pairs kept of the largest rise.
const KEPT: usize = 40;
/// Masks asked for at once.
const AT_ONCE: usize = 64;

/// The state before a step.
struct Before {
    tokens: Tokens,
    points: Points,
    masks: Vec<Vec<u32>>,
    v: f64,
}

/// A step in which V rose.
struct Rise {
    /// Pairs by their part in it, as [`parts`] gives them.
    pairs: Vec<Vec<f64>>,
    /// The states before and after.
    frames: [(u64, Tokens); 2],
}

pub(super) fn row(asked: &Asked<Lyapunov>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (own, sizes) = (&asked.own, &asked.sizes);
    let cloud = common::cloud(&own.cloud, sizes.tokens, sizes.dim, cell.seed)?;
    let n = cloud.n();
    let radius = if cell.delta > 0.0 { cell.delta } else { own.radius };
    let far = 4.0 * Points::of(&cloud).rows().map(norm).fold(0.0, f64::max).max(radius);
    let a = Linear { factor: 1.0, matrix: cell.a.clone() };
    let directions = Directions::new(sizes.dim, DIRECTIONS, cell.seed);
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); CANDIDATES.len()];
    let mut row = Row {
        family: cell.family.clone(),
        delta: cell.delta,
        seed: cell.seed,
        steps: 0,
        settled: false,
        one_way: 0.0,
        rises: 0,
        largest: 0.0,
        largest_at: 0,
        up_both: 0.0,
        up_one: 0.0,
        up_neither: 0.0,
    };
    let (mut before, mut worst): (Option<Before>, Option<Rise>) = (None, None);
    let (mut attended, mut one_way) = (0u64, 0u64);
    row.steps = work.simulate(
        &own.model(&cell.a, cell.delta)?,
        &cloud,
        sizes.steps,
        |_| true,
        |look| {
            let points = Points::of(look.tokens);
            let distinct = Distinct::of(&points);
            let mut masks = Vec::with_capacity(n);
            for some in (0..n).collect::<Vec<_>>().chunks(AT_ONCE) {
                masks.extend(look.masks(some)?);
            }
            let gaps = Alignment::of(&points, &a, &Hull::with_effort(&points, EFFORT)).gap;
            let squares: f64 = points.rows().map(|x| a.apply(x).iter().zip(x).map(|(q, x)| q * x).sum::<f64>()).sum();
            let support: f64 = directions.support(&points).iter().map(|support| support.value).sum();
            let v = hegselmann_krause(&distinct, radius).value;
            let all = [
                v,
                hegselmann_krause(&distinct, far).value,
                disagreement(&points, &masks),
                gaps.iter().sum(),
                -squares,
                2.0 * support / directions.len() as f64,
            ];
            values.iter_mut().zip(all).for_each(|(values, value)| values.push(value));
            for i in 0..n {
                for j in 0..i {
                    let both = [attends(&masks, i, j), attends(&masks, j, i)];
                    attended += u64::from(both[0] || both[1]);
                    one_way += u64::from(both[0] != both[1]);
                }
            }
            if let Some(before) = &before {
                let size = values[0].iter().copied().fold(0.0, f64::max);
                if v - before.v > ROUNDING * size {
                    let mut pairs = parts(before, &points, radius);
                    row.rises += 1;
                    for pair in pairs.iter().filter(|pair| pair[2] > 0.0) {
                        match pair[3] as usize {
                            0 => row.up_both += pair[2],
                            1 => row.up_one += pair[2],
                            _ => row.up_neither += pair[2],
                        }
                    }
                    if v - before.v > row.largest {
                        (row.largest, row.largest_at) = (v - before.v, look.t - 1);
                        pairs.sort_by(|a, b| b[2].total_cmp(&a[2]));
                        pairs.truncate(KEPT);
                        let frames = [(look.t - 1, before.tokens.clone()), (look.t, look.tokens.clone())];
                        worst = Some(Rise { pairs, frames });
                    }
                }
            }
            before = Some(Before { tokens: look.tokens.clone(), points, masks, v });
            row.settled = look.report.is_some_and(|report| report.moved == 0);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    row.one_way = one_way as f64 / attended.max(1) as f64;
    let records = values.iter().enumerate().map(|(candidate, values)| Record::of(candidate, values).to_row());
    work.series("records", &Record::COLUMNS, records.collect())?;
    let steps = (0..values[0].len()).map(|t| values.iter().map(|values| values[t]).collect());
    let columns = ["V", "spread", "disagreement", "gaps", "squares", "width"];
    work.series("values", &columns, steps.collect())?;
    if let Some(Rise { pairs, frames }) = worst {
        work.series("pairs", &["i", "j", "rise", "relation"], pairs)?;
        work.frames(&frames)?;
    }
    Ok(row)
}

fn attends(masks: &[Vec<u32>], i: usize, j: usize) -> bool {
    masks[i].binary_search(&(j as u32)).is_ok()
}

fn squared(points: &Points, i: usize, j: usize) -> f64 {
    points.row(i).iter().zip(points.row(j)).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Σ_i mean over its strip of |x_i − x_j|².
fn disagreement(points: &Points, masks: &[Vec<u32>]) -> f64 {
    let one = |(i, mask): (usize, &Vec<u32>)| {
        mask.iter().map(|&j| squared(points, i, j as usize)).sum::<f64>() / mask.len().max(1) as f64
    };
    masks.iter().enumerate().map(one).sum()
}

/// For every pair i, j that V changed by: by how much, over both orders, and the number of its relation.
fn parts(before: &Before, after: &Points, radius: f64) -> Vec<Vec<f64>> {
    let most = radius * radius;
    let mut parts = Vec::new();
    for i in 0..after.n() {
        for j in 0..i {
            let rise = 2.0 * (squared(after, i, j).min(most) - squared(&before.points, i, j).min(most));
            if rise == 0.0 {
                continue;
            }
            let relation = match [attends(&before.masks, i, j), attends(&before.masks, j, i)] {
                [true, true] => 0.0,
                [false, false] => 2.0,
                _ => 1.0,
            };
            parts.push(vec![i as f64, j as f64, rise, relation]);
        }
    }
    parts
}
