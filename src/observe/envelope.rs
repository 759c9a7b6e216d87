//! Upper envelopes: the largest of several affine functions `a_v·x + b_v` at each of many points x.
//!
//! Nearest vertices, power cells, alignment and Frank–Wolfe cells are all this one question. Points
//! are parted at the middle of their widest side again and again; on a box with centre c and
//! half-widths h a function v is dropped once `f_w(c) − f_v(c) > Σ_k |a_v − a_w|_k h_k` for the w
//! that is largest at c. What is left at the end is compared in the caller's own arithmetic, which
//! may be finer than f's: nothing is dropped within rounding of a tie.

use rayon::prelude::*;

use super::points::Points;
use crate::num::{dot, largest_magnitude};

/// Number of functions up to which all are simply compared.
const FEW: usize = 24;
/// Number of functions up to which no point is parted at all: parting costs more.
const FEW_AT_FIRST: usize = 128;
/// Number of points down to which a box is parted.
const SMALL: usize = 32;
/// Number of points of a box that is worth a thread of its own.
const PARALLEL: usize = 8192;
/// Number of points compared at once.
const WIDE: usize = 8;

/// Affine functions `a_v·x + b_v`, one a row.
pub(super) struct Envelope<'a> {
    /// a_v.
    pub(super) slopes: &'a Points,
    /// b_v.
    pub(super) offsets: &'a [f64],
}

/// The largest function at a point, and the caller's value of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Best {
    pub(super) index: u32,
    pub(super) value: f64,
}

struct Solver<'a, F> {
    envelope: &'a Envelope<'a>,
    points: &'a Points,
    value: F,
    /// Rounding of a function's value: over the magnitude of the point's coordinates, and absolute.
    slope_error: f64,
    offset_error: f64,
}

impl Envelope<'_> {
    /// For every point the function with the largest `value(point, function)`, the lowest index of
    /// several. `value` must order functions as they are at the point, but for rounding.
    pub(super) fn best(&self, points: &Points, value: impl Fn(usize, usize) -> f64 + Sync) -> Vec<Best> {
        let d = points.d();
        let rounding = 8.0 * (d + 2) as f64 * f64::EPSILON;
        let largest_offset = largest_magnitude(self.offsets);
        let solver = Solver {
            envelope: self,
            points,
            value,
            slope_error: rounding * self.slopes.largest_magnitude(),
            offset_error: rounding * largest_offset,
        };
        let mut order: Vec<u32> = (0..points.n() as u32).collect();
        let mut best = vec![Best { index: 0, value: f64::NEG_INFINITY }; points.n()];
        let all: Vec<u32> = (0..self.offsets.len() as u32).collect();
        let mut found = Vec::new();
        if all.len() <= FEW_AT_FIRST {
            let compared = |rows: &[u32]| {
                let mut here = Vec::with_capacity(rows.len());
                solver.compare(rows, &all, &mut here);
                here
            };
            order.par_chunks(PARALLEL).map(compared).collect_into_vec(&mut found);
        } else {
            solver.spread(&mut order, &all, &mut found);
        }
        for (point, one) in found.into_iter().flatten() {
            best[point as usize] = one;
        }
        best
    }
}

/// The smallest box around some points.
struct Bounds {
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Bounds {
    fn of(points: &Points, rows: &[u32]) -> Self {
        let first = points.row(rows[0] as usize);
        let (mut low, mut high) = (first.to_vec(), first.to_vec());
        for &i in &rows[1..] {
            for ((low, high), &x) in low.iter_mut().zip(&mut high).zip(points.row(i as usize)) {
                *low = if x < *low { x } else { *low };
                *high = if x > *high { x } else { *high };
            }
        }
        Self { low, high }
    }

    /// Moves points below the middle of the widest side to the front; their number, unless all are
    /// equal.
    fn part(&self, points: &Points, rows: &mut [u32]) -> Option<usize> {
        let widest = (0..self.low.len())
            .reduce(|a, b| if self.high[b] - self.low[b] > self.high[a] - self.low[a] { b } else { a })?;
        let middle = self.low[widest] / 2.0 + self.high[widest] / 2.0;
        let mut at = 0;
        for i in 0..rows.len() {
            if points.row(rows[i] as usize)[widest] <= middle {
                rows.swap(at, i);
                at += 1;
            }
        }
        (at > 0 && at < rows.len()).then_some(at)
    }
}

impl<F: Fn(usize, usize) -> f64 + Sync> Solver<'_, F> {
    /// The box of some points, and the functions that may be largest somewhere in it.
    fn narrowed(&self, rows: &[u32], functions: &[u32]) -> (Bounds, Vec<u32>) {
        let bounds = Bounds::of(self.points, rows);
        let centre: Vec<f64> = bounds.low.iter().zip(&bounds.high).map(|(a, b)| a / 2.0 + b / 2.0).collect();
        let half: Vec<f64> =
            centre.iter().zip(bounds.low.iter().zip(&bounds.high)).map(|(c, (a, b))| (b - c).max(c - a)).collect();
        let size: f64 = centre.iter().zip(&half).map(|(c, h)| c.abs() + h).sum();
        let slack = self.slope_error * size + self.offset_error;
        let Envelope { slopes, offsets } = self.envelope;
        let at = |v: u32| dot(slopes.row(v as usize), &centre) + offsets[v as usize];
        let values: Vec<f64> = functions.iter().map(|&v| at(v)).collect();
        let top = (1..values.len()).fold(0, |top, j| if values[j] > values[top] { j } else { top });
        let best = slopes.row(functions[top] as usize);
        let reach = |v: u32| -> f64 {
            slopes.row(v as usize).iter().zip(best).zip(&half).map(|((a, b), h)| (a - b).abs() * h).sum()
        };
        let kept = functions.iter().zip(&values).filter(|&(&v, &value)| values[top] - value <= reach(v) + slack);
        let kept = kept.map(|(&v, _)| v).collect();
        (bounds, kept)
    }

    /// Solves one box; a large one on several threads.
    fn spread(&self, rows: &mut [u32], functions: &[u32], found: &mut Vec<Vec<(u32, Best)>>) {
        if rows.len() <= PARALLEL {
            let mut here = Vec::with_capacity(rows.len());
            self.solve(rows, functions, &mut here);
            return found.push(here);
        }
        let (bounds, functions) = self.narrowed(rows, functions);
        // One place, or one function: any cut will do.
        let parted = if functions.len() > 1 { bounds.part(self.points, rows) } else { None };
        let (low, high) = rows.split_at_mut(parted.unwrap_or(rows.len() / 2));
        let mut after = Vec::new();
        rayon::join(|| self.spread(low, &functions, found), || self.spread(high, &functions, &mut after));
        found.append(&mut after);
    }

    fn solve(&self, rows: &mut [u32], functions: &[u32], found: &mut Vec<(u32, Best)>) {
        if functions.len() <= FEW || rows.len() <= SMALL {
            return self.compare(rows, functions, found);
        }
        let (bounds, functions) = self.narrowed(rows, functions);
        let Some(parted) = bounds.part(self.points, rows) else { return self.compare(rows, &functions, found) };
        let (low, high) = rows.split_at_mut(parted);
        self.solve(low, &functions, found);
        self.solve(high, &functions, found);
    }

    /// Compares all functions at some points, many points at once: in plain f64, then in the
    /// caller's arithmetic those within rounding of the largest.
    fn compare(&self, rows: &[u32], functions: &[u32], found: &mut Vec<(u32, Best)>) {
        let d = self.points.d();
        let Envelope { slopes, offsets } = self.envelope;
        let mut x = vec![[0.0; WIDE]; d];
        for rows in rows.chunks(WIDE) {
            for (lane, &i) in rows.iter().enumerate() {
                for (x, &value) in x.iter_mut().zip(self.points.row(i as usize)) {
                    x[lane] = value;
                }
            }
            let (mut top, mut next, mut which) = ([f64::NEG_INFINITY; WIDE], [f64::NEG_INFINITY; WIDE], [0.0; WIDE]);
            for (at, &v) in functions.iter().enumerate() {
                let mut values = [offsets[v as usize]; WIDE];
                for (&a, x) in slopes.row(v as usize).iter().zip(&x) {
                    for (value, x) in values.iter_mut().zip(x) {
                        *value += a * x;
                    }
                }
                for lane in 0..WIDE {
                    let (value, most) = (values[lane], top[lane]);
                    let is_more = value > most;
                    let less = if is_more { most } else { value };
                    next[lane] = if less > next[lane] { less } else { next[lane] };
                    which[lane] = if is_more { at as f64 } else { which[lane] };
                    top[lane] = if is_more { value } else { most };
                }
            }
            for (lane, &i) in rows.iter().enumerate() {
                let size: f64 = x.iter().map(|x| x[lane].abs()).sum();
                let least = top[lane] - 2.0 * (self.slope_error * size + self.offset_error);
                let point = i as usize;
                let mut best = Best { index: functions[which[lane] as usize], value: f64::NEG_INFINITY };
                if next[lane] < least {
                    best.value = (self.value)(point, best.index as usize);
                } else {
                    for &v in functions {
                        if dot(slopes.row(v as usize), self.points.row(point)) + offsets[v as usize] >= least {
                            let value = (self.value)(point, v as usize);
                            if value > best.value {
                                best = Best { index: v, value };
                            }
                        }
                    }
                }
                found.push((i, best));
            }
        }
    }
}
