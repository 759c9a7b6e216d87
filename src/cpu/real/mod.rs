//! Every rule beyond the integer contract on the CPU, in real numbers ([`crate::real`]).
//!
//! Scores, weights and the sums over a tile of keys are computed in the stored width, one SIMD lane
//! a row; queries, totals, values and the motion, needed once a row or once a tile, in f64.
//! A step ends in the stored width, as the reference's does. Every sum has a fixed order: results
//! do not depend on the number of threads. They do, within the bounds of `verify`, on the
//! instruction set.
//!
//! | file | holds |
//! |---|---|
//! | `cloud` | the tokens of one stage as kernels read them |
//! | `kernels` | scores of a tile, its weights, and the weighted sum of its keys |
//! | `packet` | one packet of rows against all keys that they see |
//! | `sparse` | weights of few keys |
//! | `choose` | strips and draws |
//! | `near` | the keys that softmax may leave out |
//!
//! Memory is O(n·d); no buffer grows with n².

mod choose;
mod cloud;
mod kernels;
mod near;
mod packet;
mod sparse;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::choice::Plan;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::{Activation, Geometry, Integrator, Mask, Perceptron};
use crate::num;
use crate::outcome::{Description, Effort, StepReport, Strips, Traffic};
use crate::ranks::{Alone, Shared};
use crate::real::{Motion, Stage, Step, Weights};
use crate::threads::Pool;
use crate::tokens::{Precision, Tokens};

use crate::cpu::lanes::InstructionSet;
use crate::cpu::options::{Options, description, require_countable, require_rows};
use crate::cpu::real::cloud::{Cloud, power_of_two};
use crate::cpu::real::kernels::{KEYS, Real};
use crate::cpu::real::near::Boxes;
use crate::cpu::real::packet::{StageInput, Worker};
use crate::cpu::share::{Rows, Share};
use crate::engine::interface::Engine;
use crate::engine::step as engine;

/// Pairs of a row and a key below which a stage is computed on the thread that asks for it.
const ALONE: u64 = 1 << 17;
/// Rows that a thread takes at least where little is done to each.
const FEW: usize = 1024;

/// The CPU engine for every rule in real numbers.
pub struct RealCpu {
    tokens: Tokens,
    set: InstructionSet,
    pool: Pool,
    share: Share,
    strips: Option<Strips>,
    effort: Option<Effort>,
    /// The tools of small clouds, in either width.
    kept: (Kept<f32>, Kept<f64>),
}

/// The number of a packet, and its rows' outputs, best keys and numbers of keys.
type Packet<'a> = (usize, ((&'a mut [f64], &'a mut [u32]), &'a mut [u32]));

/// Tools that are kept from step to step.
type Kept<W> = Option<Box<Tools<W>>>;

/// What a thread computes packets with. Small clouds keep them from step to step: to make them takes as long as a
/// packet.
struct Tools<W> {
    worker: Worker<W>,
    rows: Vec<u32>,
    /// Means of the rows, and the values of one.
    means: Vec<f64>,
    values: Vec<f64>,
}

impl<W: Real> Tools<W> {
    fn new(set: InstructionSet, n: usize, d: usize) -> Self {
        let lanes = set.packet_rows(W::PRECISION);
        Self { worker: Worker::new(set, n, d), rows: Vec::new(), means: vec![0.0; lanes * d], values: vec![0.0; d] }
    }
}

impl fmt::Debug for RealCpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealCpu").field("set", &self.set).finish_non_exhaustive()
    }
}

/// Counts of the work of a step's packets: pairs of rows with keys, and with boxes.
#[derive(Default)]
struct Counters {
    keys: AtomicU64,
    boxes: AtomicU64,
}

impl Engine for RealCpu {
    fn description(&self) -> Description {
        description(self.set, &self.pool, &self.share)
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.share.interrupt = interrupt.clone();
    }

    fn step(&mut self, steps: &[engine::Step]) -> Result<Vec<StepReport>> {
        self.share.clone().whole_steps(steps, |step| self.advance(step.real()?))
    }

    fn tokens(&mut self) -> Result<Tokens> {
        Ok(self.tokens.clone())
    }

    fn effort(&self) -> Option<Effort> {
        self.effort
    }

    fn strips(&mut self) -> Result<Strips> {
        self.strips.clone().ok_or_else(|| Error::input("no step has been taken yet"))
    }

    fn masks(&mut self, step: &engine::Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        require_rows(rows, self.tokens.n())?;
        let (step, mut x) = (step.real()?, self.tokens.to_f64());
        if step.directions {
            x = directions_of(&x, self.tokens.d());
        }
        Ok(self.pool.install(|| match self.tokens.precision() {
            Precision::F32 => self.members::<f32>(step, rows, &x),
            Precision::F64 => self.members::<f64>(step, rows, &x),
        }))
    }
}

impl RealCpu {
    /// Opens the engine on tokens, as they are.
    ///
    /// # Errors
    /// As [`crate::cpu::ExactCpu::new`].
    pub fn new(tokens: &Tokens, options: Options) -> Result<Self> {
        Self::among(Arc::new(Alone), tokens, options)
    }

    /// As [`RealCpu::new`], on one of several ranks, as [`crate::cpu::ExactCpu::among`].
    ///
    /// # Errors
    /// As [`RealCpu::new`].
    pub fn among(ranks: Shared, tokens: &Tokens, options: Options) -> Result<Self> {
        require_countable(tokens.n())?;
        let set = InstructionSet::choose(options.set)?;
        let (pool, share) = (Pool::start(options.threads)?, Share::of(ranks));
        Ok(Self { tokens: tokens.clone(), set, pool, share, strips: None, effort: None, kept: (None, None) })
    }

    /// The most bytes that n tokens in R^d take on this many threads: as stored, before and after a step; as scaled
    /// keys; and in f64, as they are, turned, in order, before their step is stored, and in four slopes.
    pub fn memory(n: usize, d: usize, precision: Precision, threads: usize) -> u64 {
        let (n, d, bytes) = (n as u64, d as u64, precision.bytes() as u64);
        let lanes = InstructionSet::best().packet_rows(precision) as u64;
        let worker = lanes * (8 * KEYS as u64 + 24 * d);
        // Marks of every tile, in rules with two passes.
        let tiles = n.div_ceil(KEYS as u64) * lanes * 2 * bytes;
        n.saturating_mul(d * (3 * bytes + 8 * 8) + 24).saturating_add(threads as u64 * (worker + tiles))
    }

    /// Applies one step. Where a token stops being finite, or the step is interrupted, the tokens are
    /// those before the step.
    fn advance(&mut self, step: &Step) -> Result<StepReport> {
        let counters = Counters::default();
        let (mut single, mut double) = std::mem::take(&mut self.kept);
        let next = || match self.tokens.precision() {
            Precision::F32 => self.next::<f32>(step, &counters, &mut single),
            Precision::F64 => self.next::<f64>(step, &counters, &mut double),
        };
        let rows = if self.is_alone(step) { 0 } else { usize::MAX };
        let next = self.share.install(&self.pool, rows, next);
        self.kept = (single, double);
        let (next, strips) = next?;
        let next = Tokens::stepped(&next, self.tokens.d(), self.tokens.precision(), step.t)?;
        let moved = self.tokens.count_unlike(&next);
        self.tokens = next;
        let report = StepReport::new(step.t, moved as u64, &strips.count, 0);
        self.strips = Some(strips);
        let a_row = |total: AtomicU64| total.into_inner() as f64 / (self.tokens.n() * step.stages.len()) as f64;
        self.effort = self.may_omit(step, &step.stages[0]).then(|| Effort {
            plan: Plan::Tree,
            keys_a_row: a_row(counters.keys),
            boxes_a_row: a_row(counters.boxes),
            rows: self.tokens.n(),
            traffic: Traffic::default(),
        });
        Ok(report)
    }

    fn members<W: Real>(&self, step: &Step, rows: &[usize], x: &[f64]) -> Vec<Vec<u32>> {
        let cloud = Cloud::<W>::new(self.tokens.d(), x);
        let stage = &step.stages[0];
        let input = StageInput {
            t: step.t,
            mask: step.mask,
            graph: step.graph.as_ref(),
            scoring: step.scoring,
            bias: step.bias,
            weights: stage.weights,
            deltas: own_deltas(step),
            head: &stage.heads[0],
            boxes: None,
        };
        let mut sorted: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let packets = sorted
            .par_chunks(self.set.packet_rows(W::PRECISION))
            .map_init(|| Worker::new(self.set, cloud.n, cloud.d), |worker, rows| worker.members(&cloud, &input, rows));
        let masks: Vec<Vec<u32>> = packets.flatten_iter().collect();
        // Every row was put into `sorted`.
        rows.iter().map(|&row| masks[sorted.partition_point(|&r| (r as usize) < row)].clone()).collect()
    }

    /// X(t+1) before it is stored, and the strips of the first head at the first stage.
    fn next<W: Real>(&self, step: &Step, counters: &Counters, kept: &mut Kept<W>) -> Result<(Vec<f64>, Strips)> {
        let (d, x) = (self.tokens.d(), self.tokens.to_f64());
        let (mut k1, strips) = self.directions::<W>(step, &step.stages[0], &x, counters, kept)?;
        let next = match &step.motion {
            Motion::Average { gamma, preconditioner } => {
                k1.par_chunks_mut(d).with_min_len(FEW).for_each(|row| row.copy_from_slice(&preconditioner.apply(row)));
                if step.own.is_some() {
                    let rows = x.chunks_exact(d).zip(k1.chunks_exact(d)).enumerate();
                    rows.flat_map(|(i, (x, k))| ahead(x, step.gamma_of(i, *gamma), k)).collect()
                } else {
                    ahead(&x, *gamma, &k1)
                }
            }
            Motion::Flow { dt, integrator, geometry } => {
                if *integrator == Integrator::Rk4 {
                    let stages = [(0.5, 2.0), (0.5, 2.0), (1.0, 1.0)];
                    let mut k = k1.clone();
                    for ((time, weight), stage) in stages.into_iter().zip(&step.stages[1..]) {
                        k = self.directions::<W>(step, stage, &ahead(&x, time * dt, &k), counters, kept)?.0;
                        k1.iter_mut().zip(&k).for_each(|(sum, k)| *sum += weight * k);
                    }
                    for sum in &mut k1 {
                        *sum /= 6.0;
                    }
                }
                let mut next = ahead(&x, *dt, &k1);
                if let Some(noise) = step.noise {
                    let strength = (2.0 * dt / noise.kappa).sqrt();
                    next.par_chunks_mut(d).zip(x.par_chunks(d)).with_min_len(FEW).enumerate().for_each(
                        |(i, (next, x))| {
                            let mut draws = noise.draws(step.t, i, d);
                            let along = dot(x, &draws);
                            add(&mut draws, -along, x);
                            add(next, strength, &draws);
                        },
                    );
                }
                next.chunks_exact_mut(d).for_each(|row| geometry.retract(row));
                next
            }
        };
        Ok((next, strips))
    }

    /// True if the step is over before another thread has woken up.
    fn is_alone(&self, step: &Step) -> bool {
        let heads = step.stages.iter().map(|stage| stage.heads.len()).max().unwrap_or(1);
        step.mask.pairs(self.tokens.n()).saturating_mul(heads as u64) < ALONE
    }

    /// True if keys may be left out, and there are enough for it to matter.
    fn may_omit(&self, step: &Step, stage: &Stage) -> bool {
        let soft = matches!(stage.weights, Weights::Softmax { .. });
        step.omit > 0.0 && soft && step.mask == Mask::FULL && self.tokens.n() > 2 * KEYS
    }

    /// As [`Self::directions_in_order`], with rows and keys in the order of space where some keys
    /// may be left out.
    fn directions<W: Real>(
        &self,
        step: &Step,
        stage: &Stage,
        x: &[f64],
        counters: &Counters,
        kept: &mut Kept<W>,
    ) -> Result<(Vec<f64>, Strips)> {
        let turned = step.directions.then(|| directions_of(x, self.tokens.d()));
        let x = turned.as_deref().unwrap_or(x);
        if !self.may_omit(step, stage) {
            return self.directions_in_order::<W>(step, stage, x, None, counters, kept);
        }
        let d = self.tokens.d();
        let order = near::order(x, d);
        let mut rows = vec![0.0; x.len()];
        let row = |i: u32| i as usize * d..(i as usize + 1) * d;
        rows.par_chunks_mut(d).zip(&order).for_each(|(place, &i)| place.copy_from_slice(&x[row(i)]));
        let (moved, seen) = self.directions_in_order::<W>(step, stage, &rows, Some(step.omit), counters, kept)?;
        let (mut all, mut strips) = (rows, seen.clone());
        for ((place, &i), moved) in order.iter().enumerate().zip(moved.chunks_exact(d)) {
            all[row(i)].copy_from_slice(moved);
            strips.argmax[i as usize] = order[seen.argmax[place] as usize];
            strips.count[i as usize] = seen.count[place];
        }
        Ok((all, strips))
    }

    /// The direction of every row at one stage (`y_i − x_i` in an average, the field in a flow),
    /// and the keys that its first head attended to.
    fn directions_in_order<W: Real>(
        &self,
        step: &Step,
        stage: &Stage,
        x: &[f64],
        omit: Option<f64>,
        counters: &Counters,
        kept: &mut Kept<W>,
    ) -> Result<(Vec<f64>, Strips)> {
        let d = self.tokens.d();
        let cloud = Cloud::<W>::new(d, x);
        let boxes = omit.map(|omit| Boxes::new(&cloud, omit, step.scoring));
        let lanes = self.set.packet_rows(W::PRECISION);
        let mut all = vec![0.0; x.len()];
        let mut strips = Strips { argmax: vec![0; cloud.n], count: vec![0; cloud.n] };
        let mine = Counters::default();
        let compute = |tools: &mut Tools<W>, (packet, ((y, argmax), count)): Packet<'_>| {
            let Tools { worker, rows, means, values } = tools;
            if !self.share.has(packet) || self.share.interrupt.is_raised() {
                return;
            }
            let first = (packet * lanes) as u32;
            rows.clear();
            rows.extend(first..first + count.len() as u32);
            for (h, head) in stage.heads.iter().enumerate() {
                let (t, mask, scoring, weights) = (step.t, step.mask, step.scoring, stage.weights);
                let (bias, graph) = (step.bias, step.graph.as_ref());
                let (deltas, boxes) = (own_deltas(step), boxes.as_ref());
                let input = StageInput { t, mask, graph, scoring, bias, weights, deltas, head, boxes };
                let seen = worker.means(&cloud, &input, rows, &mut means[..y.len()]);
                let (is_relative, is_plain) = (is_relative(&step.motion) && !step.exclusive, head.values.is_identity());
                for ((&i, y), mean) in rows.iter().zip(y.chunks_exact_mut(d)).zip(means.chunks_exact_mut(d)) {
                    if is_relative {
                        add(mean, -1.0, cloud.row(i as usize));
                    }
                    if is_plain {
                        add(y, 1.0, mean);
                        continue;
                    }
                    head.values.apply_to(mean, values);
                    add(y, 1.0, values);
                }
                if h == 0 {
                    for (l, seen) in seen.into_iter().enumerate() {
                        (argmax[l], count[l]) = seen;
                    }
                }
            }
            for (&i, y) in rows.iter().zip(y.chunks_exact_mut(d)) {
                let x = cloud.row(i as usize);
                let stays = step.mask.is_empty(i as usize, cloud.n);
                if stays {
                    y.fill(0.0);
                }
                if step.exclusive {
                    exclude(&stage.heads[0].values.apply(x), y);
                }
                if let Some(perceptron) = &step.perceptron {
                    perceive(perceptron, x, y);
                }
                if !(stays && matches!(step.motion, Motion::Average { .. })) {
                    project(step, stage, x, y);
                    if let Some((truth, weight)) = step.truth_of(i as usize) {
                        draw(truth, weight, x, y);
                    }
                }
            }
            let (keys, boxes) = std::mem::take(&mut worker.effort);
            mine.keys.fetch_add(keys, Ordering::Relaxed);
            mine.boxes.fetch_add(boxes, Ordering::Relaxed);
        };
        let Strips { argmax, count } = &mut strips;
        if self.is_alone(step) {
            let tools = kept.get_or_insert_with(|| Box::new(Tools::new(self.set, cloud.n, d)));
            let rows = argmax.chunks_mut(lanes).zip(count.chunks_mut(lanes));
            let packets = all.chunks_mut(lanes * d).zip(rows).map(|(y, (argmax, count))| ((y, argmax), count));
            packets.enumerate().for_each(|packet| compute(tools, packet));
        } else {
            let rows = all.par_chunks_mut(lanes * d).zip(argmax.par_chunks_mut(lanes)).zip(count.par_chunks_mut(lanes));
            rows.enumerate().with_max_len(1).for_each_init(|| Tools::new(self.set, cloud.n, d), compute);
        }
        let counts = [mine.keys.into_inner(), mine.boxes.into_inner()];
        let [keys, boxes] = self.share.gather(false, counts, Rows { chunk: lanes, d, x: &mut all, argmax, count })?;
        counters.keys.fetch_add(keys, Ordering::Relaxed);
        counters.boxes.fetch_add(boxes, Ordering::Relaxed);
        Ok((all, strips))
    }
}

/// True if means are taken relative to the row's own token, so that coincident tokens do not move.
fn is_relative(motion: &Motion) -> bool {
    matches!(motion, Motion::Average { .. } | Motion::Flow { geometry: Geometry::Rescaled, .. })
}

/// `y ← y + Σ_k ω_k σ(<a_k, x>) a_k`; units without a weight leave its bits.
fn perceive(perceptron: &Perceptron, x: &[f64], y: &mut [f64]) {
    for (omega, a) in perceptron.units(x.len()).filter(|(omega, _)| *omega != 0.0) {
        let s = dot(a, x);
        let sigma = if perceptron.activation == Activation::Tanh { libm::tanh(s) } else { s.max(0.0) };
        add(y, omega * sigma, a);
    }
}

/// `y ← y − <y,v>v/|v|²`, or y where v = 0; v is scaled, so that no square overflows or vanishes.
fn exclude(own: &[f64], y: &mut [f64]) {
    let down = power_of_two(-num::exponent_above(num::largest_magnitude(own)));
    let own: Vec<f64> = own.iter().map(|&v| down(v)).collect();
    let square = dot(&own, &own);
    if square > 0.0 {
        add(y, -dot(y, &own) / square, &own);
    }
}

/// δ of each row, where tokens have their own.
fn own_deltas(step: &Step) -> Option<&[f64]> {
    step.own.as_ref()?.deltas.as_deref()
}

/// Gives a truth its share of the direction `y_i − x_i` of one row.
fn draw(truth: &[f64], weight: f64, x: &[f64], y: &mut [f64]) {
    for ((y, truth), x) in y.iter_mut().zip(truth).zip(x) {
        *y = (1.0 - weight) * *y + weight * (truth - x);
    }
}

/// Turns the output of the heads into the direction of one row.
fn project(step: &Step, stage: &Stage, x: &[f64], y: &mut [f64]) {
    if let Some(length) = stage.length {
        let norm = dot(y, y).sqrt();
        // 0 has no direction and stays.
        y.iter_mut().filter(|_| norm > 0.0).for_each(|y| *y = length * (*y / norm));
    }
    match &step.motion {
        Motion::Average { .. } if step.exclusive => add(y, -1.0, x),
        Motion::Average { .. } => {
            // Σ_h V_h(mean − x) + (Σ_h V_h x − x): without values of its own, the second part is
            // exactly 0.
            let mut kept: Vec<f64> = x.iter().map(|v| -v).collect();
            stage.heads.iter().for_each(|head| add(&mut kept, 1.0, &head.values.apply(x)));
            add(y, 1.0, &kept);
        }
        Motion::Flow { integrator: Integrator::EulerRenorm, .. } => {}
        Motion::Flow { geometry, .. } => match geometry {
            Geometry::Flat | Geometry::Normalised(_) | Geometry::Rescaled => {}
            Geometry::Sphere => add(y, -dot(x, y), x),
            Geometry::Ellipsoid(w) => {
                let wx = w.apply(x);
                add(y, -dot(&wx, y) / dot(&wx, x), x);
            }
        },
    }
}

/// The directions of tokens.
fn directions_of(x: &[f64], d: usize) -> Vec<f64> {
    let mut directions = x.to_vec();
    directions.par_chunks_mut(d).with_min_len(FEW).for_each(|row| Geometry::Sphere.retract(row));
    directions
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `a ← a + factor·b`.
fn add(a: &mut [f64], factor: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
}

/// `x + time·direction`.
fn ahead(x: &[f64], time: f64, direction: &[f64]) -> Vec<f64> {
    x.iter().zip(direction).map(|(x, k)| x + time * k).collect()
}
