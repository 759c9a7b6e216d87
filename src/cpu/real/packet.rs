//! One packet of rows against all keys that they see: weighted means, in one pass or two.
//!
//! Keys stream past in tiles. Every tile is scored, and a lane whose maximum rises rescales what it
//! has summed so far (streaming log-sum-exp): weights are e^{β(S − m)} with m the maximum up to
//! here, so nothing overflows at any β, and a tile whose weights all vanish is scored and no more.
//! A strip needs the final maximum first, so it takes a second pass over the tiles that reach it; a
//! draw sums up whole tiles first, and then looks into the one where the level is crossed.
//!
//! Keys and queries are scaled into [−1, 1] by powers of two, keys together and each query alone,
//! which is exact but for numbers that are 2^-126 (f32) of the largest; β and the limits of strips
//! are scaled back. Where scores are distances, queries are scaled as keys are.
#![allow(clippy::needless_range_loop)] // lanes are best read by index

use std::sync::Arc;

use crate::cpu::aligned::Aligned;
use crate::cpu::lanes::{InstructionSet, LANES, MOST_KEYS};
use crate::cpu::real::cloud::{Cloud, power_of_two};
use crate::model::{Graph, Mask, Scoring};
use crate::num;
use crate::real::{Head, Weights};

use crate::cpu::real::kernels::{Accumulate, Find, KEYS, Real, Score, Weigh};
use crate::cpu::real::near::{Boxes, Fan};

/// Lanes with a new maximum from which on all lanes look for its key together.
const MANY: usize = 4;

/// The part of a stage's input that all its packets share.
#[derive(Clone, Copy)]
pub(crate) struct StageInput<'a> {
    pub(crate) t: u64,
    pub(crate) mask: Mask,
    pub(crate) graph: Option<&'a Arc<Graph>>,
    pub(crate) scoring: Scoring,
    pub(crate) bias: f64,
    pub(crate) weights: Weights,
    /// δ of each row, where tokens have their own.
    pub(crate) deltas: Option<&'a [f64]>,
    pub(crate) head: &'a Head,
    /// Boxes around the keys, where softmax may leave keys out; rows and keys are then in the order
    /// of space.
    pub(crate) boxes: Option<&'a Boxes>,
}

/// Computes packets on one thread, in buffers that it keeps from packet to packet.
pub(crate) struct Worker<W> {
    set: InstructionSet,
    scoring: Scoring,
    /// Number of lanes.
    pub(super) width: usize,
    pub(super) rows: Vec<u32>,
    /// Keys begun..visible are seen, by lane, both ascending, but for the row's own where the mask says so.
    begun: [usize; LANES],
    visible: [usize; LANES],
    mask: Mask,
    graph: Option<Arc<Graph>>,
    /// What a place between row and key takes from a score, by lane, where there is a bias.
    slope: Option<[f64; LANES]>,
    /// The number of keys that are seen, by lane.
    seen: [usize; LANES],
    /// The first tile that any lane sees.
    pub(super) first_tile: usize,
    /// A of one row.
    product: Vec<f64>,
    query: Aligned<W>,
    /// Scores are S·2^−exponent, by lane.
    pub(super) exponent: [i32; LANES],
    beta: Aligned<W>,
    /// `[key][lane]`.
    pub(super) tile: Aligned<W>,
    /// Keys of the tile that any lane sees, rounded up to [`MOST_KEYS`].
    pub(super) keys: usize,
    /// The largest score of every lane in the tile.
    pub(super) largest: Aligned<W>,
    /// By lane, [`KEYS`] less the key that attains it, where many lanes look for it.
    left: Aligned<W>,
    /// The largest score of every lane in all tiles so far, and the key that attains it.
    pub(super) max: Aligned<W>,
    argmax: [u32; LANES],
    pub(super) sums: Aligned<W>,
    pub(super) factor: [f64; LANES],
    mass: [f64; LANES],
    /// `[coordinate][lane]`.
    total: Aligned<f64>,
    /// `[tile][lane]`: the largest score.
    pub(super) marks: Vec<W>,
    /// `[tile][lane]`: sums of weights by the maximum in `marks`.
    pub(super) masses: Vec<W>,
    /// By lane: keys with weights, where those are sparse.
    pub(super) few: Vec<Vec<(u32, f64)>>,
    /// Pairs of rows with keys scored, and with boxes bounded, where keys are left out.
    pub(crate) effort: (u64, u64),
}

impl<W: Real> Worker<W> {
    /// A worker for clouds of n tokens in R^d.
    pub(crate) fn new(set: InstructionSet, n: usize, d: usize) -> Self {
        let width = set.packet_rows(W::PRECISION);
        Self {
            set,
            scoring: Scoring::Inner,
            width,
            rows: Vec::new(),
            begun: [0; LANES],
            visible: [0; LANES],
            mask: Mask::FULL,
            graph: None,
            slope: None,
            seen: [0; LANES],
            first_tile: 0,
            product: vec![0.0; d],
            query: Aligned::new(d * width),
            exponent: [0; LANES],
            beta: Aligned::new(width),
            tile: Aligned::new(n.next_multiple_of(MOST_KEYS).min(KEYS) * width),
            keys: 0,
            largest: Aligned::new(width),
            left: Aligned::new(width),
            max: Aligned::new(width),
            argmax: [0; LANES],
            sums: Aligned::new(width),
            factor: [1.0; LANES],
            mass: [0.0; LANES],
            total: Aligned::new(d * width),
            marks: Vec::new(),
            masses: Vec::new(),
            few: vec![Vec::new(); width],
            effort: (0, 0),
        }
    }

    /// Writes Σ_j w_ij x_j to `means`, row by row (ascending, at most one a lane); returns argmax
    /// and number of keys of each row.
    pub(crate) fn means(
        &mut self,
        cloud: &Cloud<'_, W>,
        input: &StageInput<'_>,
        rows: &[u32],
        means: &mut [f64],
    ) -> Vec<(u32, u32)> {
        let chosen = self.attend(cloud, input, rows, None);
        let (d, up) = (cloud.d, power_of_two(cloud.exponent));
        for (l, mean) in means.chunks_exact_mut(d).enumerate() {
            if self.seen[l] == 0 {
                mean.fill(0.0);
                continue;
            }
            if let Some(chosen) = &chosen {
                mean.copy_from_slice(cloud.row(chosen[l] as usize));
                continue;
            }
            let share = match input.weights {
                Weights::Sparse { .. } => {
                    self.mean_of_few(cloud, l, mean);
                    continue;
                }
                // Scores are S·2^−exponent.
                Weights::Linear { beta, .. } => num::scale(beta, self.exponent[l]) / self.seen[l] as f64,
                Weights::Exponential { beta, origin } => {
                    let max = num::scale(self.max[l].to_f64(), self.exponent[l]);
                    libm::exp(beta * (max - origin)) / self.seen[l] as f64
                }
                _ => 1.0 / self.mass[l],
            };
            for (k, mean) in mean.iter_mut().enumerate() {
                *mean = up(self.total[k * self.width + l] * share);
            }
        }
        let count = |l: usize| match input.weights {
            _ if self.seen[l] == 0 => 0,
            Weights::Strip { .. } => self.mass[l] as u32,
            Weights::Argmax | Weights::Drawn { .. } => 1,
            Weights::Sparse { .. } => self.few[l].len() as u32,
            Weights::Softmax { .. } | Weights::Exponential { .. } | Weights::Linear { .. } => self.seen[l] as u32,
        };
        (0..rows.len()).map(|l| (self.argmax[l], count(l))).collect()
    }

    /// The keys that a row attends to where that is all that it sees.
    fn all_keys(&self, cloud: &Cloud<'_, W>, l: usize) -> Vec<u32> {
        self.mask.keys_in(self.graph.as_deref(), self.rows[l] as usize, cloud.n).map(|j| j as u32).collect()
    }

    /// The keys that each row attends to.
    pub(crate) fn members(&mut self, cloud: &Cloud<'_, W>, input: &StageInput<'_>, rows: &[u32]) -> Vec<Vec<u32>> {
        let mut members = vec![Vec::new(); rows.len()];
        let chosen = self.attend(cloud, input, rows, Some(&mut members));
        match (input.weights, chosen) {
            (_, Some(chosen)) => {
                (0..rows.len()).map(|l| if self.seen[l] == 0 { Vec::new() } else { vec![chosen[l]] }).collect()
            }
            (Weights::Strip { .. }, None) => members,
            (Weights::Sparse { .. }, None) => {
                self.few[..rows.len()].iter().map(|few| few.iter().map(|(key, _)| *key).collect()).collect()
            }
            _ => (0..rows.len()).map(|l| self.all_keys(cloud, l)).collect(),
        }
    }

    /// Makes both passes; returns the key of every lane, in rules that choose one.
    fn attend(
        &mut self,
        cloud: &Cloud<'_, W>,
        input: &StageInput<'_>,
        rows: &[u32],
        members: Option<&mut [Vec<u32>]>,
    ) -> Option<[u32; LANES]> {
        self.gather(cloud, input, rows);
        if let (Weights::Softmax { beta }, Some(boxes)) = (input.weights, input.boxes) {
            self.attend_near(cloud, boxes, beta);
            return None;
        }
        for tile in self.first_tile..self.visible[self.width - 1].div_ceil(KEYS) {
            self.score(cloud, tile);
            self.raise(tile);
            match input.weights {
                Weights::Softmax { .. } | Weights::Exponential { .. } => {
                    if self.matters() {
                        self.weigh(true);
                        self.accumulate(cloud, tile);
                    }
                }
                Weights::Linear { rectified, .. } => {
                    self.factor.fill(1.0);
                    self.plain(rectified);
                    self.accumulate(cloud, tile);
                }
                Weights::Strip { .. } | Weights::Sparse { .. } => self.marks.extend_from_slice(&self.largest),
                Weights::Drawn { .. } => {
                    self.sums.fill(W::default());
                    if self.matters() {
                        self.weigh(true);
                    }
                    self.marks.extend_from_slice(&self.max);
                    self.masses.extend_from_slice(&self.sums);
                }
                Weights::Argmax => {}
            }
        }
        match input.weights {
            Weights::Softmax { .. } | Weights::Exponential { .. } | Weights::Linear { .. } => None,
            Weights::Sparse { beta, form } => {
                self.select(cloud, beta, form);
                None
            }
            Weights::Strip { delta, form } => {
                self.strip(cloud, input, delta, form, members);
                None
            }
            Weights::Argmax => Some(self.argmax),
            Weights::Drawn { seed, .. } => Some(self.draw(cloud, input.t, seed)),
        }
    }

    /// Takes softmax over the keys near the maxima: tiles from the most promising on, until no row
    /// needs the rest.
    fn attend_near(&mut self, cloud: &Cloud<'_, W>, boxes: &Boxes, beta: f64) {
        let origin = &boxes.origin()[..];
        // Scores of keys as scaled, q̂ the same for all lanes: a lane's own are these by 2^-scale.
        let of_keys = if self.scoring == Scoring::Distance { 2 * cloud.exponent } else { cloud.exponent };
        let scale = |this: &Self, l: usize| num::scale(1.0, this.exponent[l] - of_keys);
        let scales: Vec<f64> = (0..self.width).map(|l| scale(self, l)).collect();
        let mut offsets = vec![0.0; self.width];
        let mut weight = 0.0;
        let fan: Vec<Fan> = (0..cloud.d)
            .map(|k| {
                let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
                for l in 0..self.width {
                    let q = self.query[k * self.width + l].to_f64() * scales[l];
                    offsets[l] += q * origin[k];
                    (low, high) = (low.min(q), high.max(q));
                }
                let largest = high.max(-low);
                weight += largest; // keys are at most 1
                [0.5 * (low + high), 0.5 * (high - low) + 2.0 * f64::EPSILON * largest, largest]
            })
            .collect();
        let cut = (cloud.n as f64 / boxes.omit).ln() / num::scale(beta, of_keys);
        // Rounding: of queries and keys, of the scores on both sides, and of the bounds. That of a distance is
        // a share of itself.
        let extent = if self.scoring == Scoring::Distance { cut } else { weight };
        let cut = cut + 8.0 * (cloud.d + 4) as f64 * W::ROUNDING * extent;
        let mut open = boxes.top(&fan, origin);
        let mut seen = open.len();
        while let Some(next) = open.pop() {
            let attained = |l: usize| match self.max[l] {
                max if max == W::LOWEST => f64::NEG_INFINITY,
                max => max.to_f64() * scales[l] - offsets[l],
            };
            let least = (0..self.width).map(attained).fold(f64::INFINITY, f64::min);
            if next.upper < least - cut {
                break;
            }
            let Some(tile) = next.tile() else {
                let before = open.len();
                open.extend(boxes.inside(&next, &fan, origin));
                seen += open.len() - before;
                continue;
            };
            self.score(cloud, tile);
            self.raise(tile);
            if self.matters() {
                self.weigh(true);
                self.accumulate(cloud, tile);
            }
            self.effort.0 += (self.rows.len() * (cloud.n - tile * KEYS).min(KEYS)) as u64;
        }
        self.effort.1 += (self.rows.len() * seen) as u64;
    }

    /// Computes the queries of the rows, and resets everything else. Lanes past the last row repeat
    /// it.
    fn gather(&mut self, cloud: &Cloud<'_, W>, input: &StageInput<'_>, rows: &[u32]) {
        self.rows.clear();
        self.rows.extend_from_slice(rows);
        (self.scoring, self.mask, self.graph) = (input.scoring, input.mask, input.graph.cloned());
        self.slope = (input.bias > 0.0).then_some([0.0; LANES]);
        // Scores are scaled as the bias is, where that is larger.
        let of_bias = num::exponent_above(input.bias) - cloud.exponent;
        let beta = match input.weights {
            Weights::Softmax { beta } | Weights::Exponential { beta, .. } | Weights::Drawn { beta, .. } => beta,
            Weights::Strip { .. } | Weights::Argmax | Weights::Sparse { .. } | Weights::Linear { .. } => 0.0,
        };
        let is_plain = input.head.scores.is_identity();
        for l in 0..self.width {
            let i = rows[l.min(rows.len() - 1)] as usize;
            if l < rows.len() || l == 0 {
                if is_plain {
                    self.product.iter_mut().zip(cloud.row(i)).for_each(|(q, x)| *q = *x);
                } else {
                    input.head.scores.apply_to(cloud.row(i), &mut self.product);
                }
                let exponent = match input.scoring {
                    Scoring::Inner => {
                        let own = num::exponent_above(self.product.iter().fold(0.0, |m: f64, v| m.max(v.abs())));
                        if self.slope.is_some() { own.max(of_bias) } else { own }
                    }
                    Scoring::Distance => cloud.exponent,
                };
                let down = power_of_two(-exponent);
                for (k, &q) in self.product.iter().enumerate() {
                    self.query[k * self.width + l] = W::nearest(down(q));
                }
                self.exponent[l] = exponent + cloud.exponent;
                if let Some(slope) = &mut self.slope {
                    slope[l] = num::scale(input.bias, -self.exponent[l]) / cloud.n as f64;
                }
                let beta = num::scale(beta, self.exponent[l]);
                self.beta[l] = W::nearest(beta.min(-W::LEAST.to_f64()));
                let range = input.mask.range(i, cloud.n);
                (self.begun[l], self.visible[l]) = (range.start, range.end);
                self.seen[l] = input.mask.count_in(self.graph.as_deref(), i, cloud.n);
                self.argmax[l] = if input.mask.is_prefix() { 0 } else { i as u32 };
            } else {
                for k in 0..cloud.d {
                    self.query[k * self.width + l] = self.query[k * self.width + l - 1];
                }
                (self.exponent[l], self.beta[l]) = (self.exponent[l - 1], self.beta[l - 1]);
                (self.begun[l], self.visible[l], self.seen[l]) =
                    (self.begun[l - 1], self.visible[l - 1], self.seen[l - 1]);
                self.argmax[l] = self.argmax[l - 1];
                if let Some(slope) = &mut self.slope {
                    slope[l] = slope[l - 1];
                }
            }
        }
        self.max.fill(W::LOWEST);
        self.mass.fill(0.0);
        self.total.fill(0.0);
        self.marks.clear();
        self.masses.clear();
        self.first_tile = self.begun[0] / KEYS;
    }

    /// Computes the scores of a tile, −∞ where a lane does not see the key.
    pub(super) fn score(&mut self, cloud: &Cloud<'_, W>, tile: usize) {
        let keys = &cloud.keys()[tile * KEYS * cloud.d..][..KEYS * cloud.d];
        let first = tile * KEYS;
        self.keys = (self.visible[self.width - 1] - first).min(KEYS).next_multiple_of(MOST_KEYS);
        let Self { query, tile: scores, largest, scoring, .. } = self;
        let scores = &mut scores[..self.keys * self.width];
        W::run(self.set, Score { query, keys, d: cloud.d, scoring: *scoring, tile: scores, largest });
        if let Some(slope) = &self.slope {
            self.largest.fill(W::LOWEST);
            for (j, row) in self.tile.chunks_exact_mut(self.width).take(self.keys).enumerate() {
                for l in 0..self.width {
                    let i = self.rows[l.min(self.rows.len() - 1)];
                    let bias = (f64::from(i) - (first + j) as f64) * slope[l];
                    row[l] = W::nearest(row[l].to_f64() - bias);
                    self.largest[l] = if row[l] > self.largest[l] { row[l] } else { self.largest[l] };
                }
            }
        }
        if let Some(graph) = self.graph.clone() {
            self.hide(&graph, first);
            return self.find_largest();
        }
        let own = |row: &u32| !self.mask.own && (first..first + KEYS).contains(&(*row as usize));
        let is_prefix = self.begun[self.width - 1] <= first && !self.rows.iter().any(own);
        let seen_by_all = if is_prefix { self.visible[0].saturating_sub(first) } else { 0 };
        if seen_by_all >= self.keys {
            return;
        }
        for (j, row) in self.tile.chunks_exact_mut(self.width).enumerate().take(self.keys).skip(seen_by_all) {
            for l in 0..self.width {
                let (key, i) = (first + j, self.rows[l.min(self.rows.len() - 1)] as usize);
                if key >= self.visible[l] || key < self.begun[l] || !self.mask.sees(i, key) {
                    row[l] = W::LOWEST;
                }
            }
        }
        self.find_largest();
    }

    /// Sets the scores of a tile, whose first key is `first`, to −∞ where a lane's row has no edge to the key.
    fn hide(&mut self, graph: &Graph, first: usize) {
        for l in 0..self.width {
            let i = self.rows[l.min(self.rows.len() - 1)] as usize;
            let row = graph.row(i);
            let mut next = row.partition_point(|&j| (j as usize) < first);
            for (key, scores) in (first..).zip(self.tile.chunks_exact_mut(self.width).take(self.keys)) {
                let is_edge = row.get(next).is_some_and(|&j| j as usize == key);
                next += usize::from(is_edge);
                if !is_edge || !self.mask.sees(i, key) {
                    scores[l] = W::LOWEST;
                }
            }
        }
    }

    /// Finds the largest score of a tile in every lane.
    fn find_largest(&mut self) {
        self.largest.fill(W::LOWEST);
        for row in self.tile.chunks_exact(self.width).take(self.keys) {
            for (largest, &score) in self.largest.iter_mut().zip(row) {
                *largest = if score > *largest { score } else { *largest };
            }
        }
    }

    /// Updates the maxima, the keys that first attain them, and the factor by which their rise
    /// shrinks the sums so far.
    fn raise(&mut self, tile: usize) {
        let raised = (0..self.width).filter(|&l| self.largest[l] > self.max[l]).count();
        if raised >= MANY {
            let Self { tile, largest, left, .. } = self;
            W::run(self.set, Find { tile: &tile[..self.keys * self.width], largest, left });
        }
        for l in 0..self.width {
            self.factor[l] = 1.0;
            let (old, new) = (self.max[l], self.largest[l]);
            if new > old {
                self.max[l] = new;
                let at = if raised >= MANY {
                    KEYS - self.left[l].to_f64() as usize
                } else {
                    let mut rows = self.tile.chunks_exact(self.width).take(self.keys);
                    rows.position(|row| row[l] == new).unwrap_or(0)
                };
                self.argmax[l] = (tile * KEYS + at) as u32;
                self.factor[l] = self.decay(l, old);
            }
        }
    }

    /// e^{β(score − max)}, for a score not above the maximum of its lane.
    pub(super) fn decay(&self, lane: usize, score: W) -> f64 {
        if score == W::LOWEST {
            return 0.0;
        }
        libm::exp(self.beta[lane].to_f64() * (score.to_f64() - self.max[lane].to_f64()))
    }

    /// True if some weight of the tile may be above 0.
    fn matters(&self) -> bool {
        (0..self.width).any(|l| {
            let exponent = self.beta[l].to_f64() * (self.largest[l].to_f64() - self.max[l].to_f64());
            exponent.is_nan() || exponent >= W::CUT.to_f64() - 1.0
        })
    }

    /// Computes the weights of the tile: exponential from the maximum, or 1 from the limit in
    /// `largest` on.
    pub(super) fn weigh(&mut self, exponential: bool) {
        let Self { tile, max, largest, beta, sums, .. } = self;
        let tile = &mut tile[..self.keys * self.width];
        let (origin, beta): (&[W], Option<&[W]>) = if exponential { (max, Some(beta)) } else { (largest, None) };
        W::run(self.set, Weigh { tile, origin, beta, sums });
    }

    /// Adds the tile's weights, and its keys by them.
    pub(super) fn accumulate(&mut self, cloud: &Cloud<'_, W>, tile: usize) {
        for l in 0..self.width {
            self.mass[l] = self.mass[l] * self.factor[l] + self.sums[l].to_f64();
        }
        let keys = &cloud.keys()[tile * KEYS * cloud.d..][..KEYS * cloud.d];
        let Self { tile: weights, factor, total, .. } = self;
        let weights = &weights[..self.keys * self.width];
        W::run(self.set, Accumulate { weights, keys, d: cloud.d, factor, total });
    }
}
