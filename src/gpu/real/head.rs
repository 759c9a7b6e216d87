//! One head of a slice of rows: queries, the keys that they attend to, means.

use crate::error::Result;
use crate::gpu::real::job::{
    A_NORM, ADDED, CHOSEN, DENSE, DRAW, ENTMAX, Job, LINEAR, MAXIMUM, RECORDED, RELATIVE, RELU, SCALE, SCORE,
    SPARSEMAX, STRIP, WEIGH, WIDTH, pair, product,
};
use crate::gpu::real::kernels::{self, NARROW};
use crate::gpu::real::matrices::Role;
use crate::gpu::real::state::RealGpu;
use crate::gpu::resident::Bound;
use crate::model::{Geometry, Sparse, StripForm};
use crate::real::{Head, Motion, Stage, Step, Weights};

impl RealGpu {
    /// Adds what one head attends to to the outputs of a slice.
    pub(crate) async fn attend(
        &mut self,
        job: &Job,
        step: &Step,
        stage: &Stage,
        head: &Head,
        h: usize,
        s: usize,
    ) -> Result<()> {
        let record = if h == 0 && s == 0 { RECORDED } else { 0 };
        let job = self.query(job, head, h, stage.weights, step.bias).await?;
        match stage.weights {
            Weights::Softmax { .. } | Weights::Exponential { .. } => {
                self.over_keys(&job, true).await?;
                self.push(&kernels::MERGE, Job { flags: record, ..job }, &[]).await?;
            }
            Weights::Sparse { .. } | Weights::Linear { .. } => {
                self.weigh_whole(&Job { flags: record, ..job }).await?;
                for keys in self.keys_in_parts(&job, u32::MAX) {
                    let job = Job { key_first: keys.start, key_end: keys.end, group_first: 0, ..job };
                    self.push(&kernels::VALUES, job, &[]).await?;
                }
            }
            Weights::Strip { .. } => {
                self.choose(&job, stage.weights).await?;
                let job = Job { mode: STRIP, ..job };
                self.over_keys(&job, true).await?;
                self.push(&kernels::MERGE, Job { flags: record, ..job }, &[]).await?;
            }
            Weights::Argmax | Weights::Drawn { .. } => {
                self.choose(&Job { flags: record, ..job }, stage.weights).await?;
            }
        }
        let chosen = matches!(stage.weights, Weights::Argmax | Weights::Drawn { .. });
        let relative = is_relative(step, stage);
        let flags = if relative { RELATIVE } else { 0 } | if chosen { CHOSEN } else { 0 };
        let added = if h > 0 { ADDED } else { 0 };
        let (factor, matrix) = self.load(Role::Values(h), &head.values).await?;
        if matrix {
            self.means(&Job { flags, factor: 1.0, ..job }, "mean").await?;
            let job = Job { flags: added, factor: factor as f32, source_base: job.slice_first, ..job };
            self.apply(job, Bound::whole(("mean", 0)), Role::Values(h), "outputs").await
        } else {
            self.means(&Job { flags: flags | added, factor: factor as f32, ..job }, "outputs").await
        }
    }

    /// Makes the queries of a slice; returns the job with the numbers of its rule and head.
    pub(crate) async fn query(&mut self, job: &Job, head: &Head, h: usize, weights: Weights, bias: f64) -> Result<Job> {
        let (factor, matrix) = self.load(Role::Scores(h), &head.scores).await?;
        // Scores that are all 0 have any factor.
        let (sign, size) = if factor == 0.0 { (0.0, 1.0) } else { (factor.signum(), factor.abs()) };
        let mut job = Job { factor: sign as f32, ..*job };
        (job.bias, job.bias_exponent) = product(bias / f64::from(self.n), 1.0 / size);
        job.bias_above = product(bias, 1.0 / size).1 + 1;
        let mut beta_of = |beta: f64| (job.beta, job.beta_exponent) = product(beta, size);
        match weights {
            Weights::Softmax { beta } => {
                beta_of(beta);
                job.mode = WEIGH;
            }
            Weights::Exponential { beta, origin } => {
                beta_of(beta);
                (job.origin, job.origin_exponent) = product(origin, 1.0 / size);
                job.mode = SCALE;
            }
            Weights::Sparse { beta, form } => {
                beta_of(beta);
                job.mode = if form == Sparse::Entmax15 { ENTMAX } else { SPARSEMAX };
            }
            Weights::Linear { beta, rectified } => {
                beta_of(beta);
                job.mode = if rectified { RELU } else { LINEAR };
            }
            Weights::Drawn { beta, seed } => {
                beta_of(beta);
                job.seed = pair(seed);
                job.mode = DRAW;
            }
            Weights::Strip { delta, form } => {
                let (form, unit) = match form {
                    StripForm::Score | StripForm::Radius => (SCORE, form.constant(delta) / size),
                    StripForm::Width => (WIDTH, 1.0),
                    StripForm::ANorm => (A_NORM, 1.0 / size.sqrt()),
                };
                (job.delta, job.delta_exponent) = product(delta, unit);
                (job.form, job.mode) = (form, MAXIMUM);
            }
            Weights::Argmax => job.mode = MAXIMUM,
        }
        if matrix {
            let row_base = job.row_first / self.layout.window * self.layout.window;
            let source = self.window_of(("keys", 0), job.row_first);
            self.apply(Job { source_base: row_base, flags: 0, ..job }, source, Role::Scores(h), "product").await?;
        }
        self.push(&kernels::QUERIES, Job { flags: if matrix { DENSE } else { 0 }, ..job }, &[]).await?;
        Ok(job)
    }

    /// Makes weights of a slice's scores, all of which are held.
    pub(crate) async fn weigh_whole(&mut self, job: &Job) -> Result<()> {
        let mut end = 0;
        for keys in self.keys_in_parts(job, u32::MAX) {
            end = keys.end;
            let job = Job { key_first: keys.start, key_end: keys.end, group_first: 0, ..*job };
            self.push(&kernels::SCORE, job, &[]).await?;
            let pairs = f64::from(job.row_end - job.row_first) * f64::from(keys.end - keys.start);
            self.resident.queue.charge(pairs * self.pair_cost()).await?;
        }
        self.push(&kernels::WHOLE, Job { key_first: 0, key_end: end, group_first: 0, ..*job }, &[]).await
    }

    /// Finds the key that every row of a slice chooses, or the end of its strip.
    pub(crate) async fn choose(&mut self, job: &Job, weights: Weights) -> Result<()> {
        self.over_keys(job, false).await?;
        self.push(&kernels::MERGE, *job, &[]).await?;
        if let Weights::Drawn { .. } = weights {
            for window in self.keys_in_parts(job, u32::MAX) {
                self.push(&kernels::DRAW, Job { key_first: window.start, key_end: window.end, ..*job }, &[]).await?;
            }
        }
        Ok(())
    }

    /// Computes partial results of a slice over all keys that it sees, with sums of the keys if
    /// asked for.
    pub(crate) async fn over_keys(&mut self, job: &Job, sums: bool) -> Result<()> {
        let in_registers = self.d as usize <= NARROW && matches!(job.mode, WEIGH | SCALE);
        let parts = if in_registers { self.keys_in_parts(job, u32::MAX) } else { self.keys_by_scores(job) };
        for keys in parts {
            let job = Job { key_first: keys.start, key_end: keys.end, group_first: keys.start, ..*job };
            if in_registers {
                self.push(&kernels::ATTEND, job, &[]).await?;
            } else {
                self.push(&kernels::SCORE, job, &[]).await?;
                self.push(&kernels::WEIGH, job, &[]).await?;
                if sums && job.mode != MAXIMUM {
                    self.push(&kernels::VALUES, job, &[]).await?;
                }
            }
            let pairs = f64::from(job.row_end - job.row_first) * f64::from(keys.end - keys.start);
            self.resident.queue.charge(pairs * self.pair_cost()).await?;
        }
        Ok(())
    }

    /// Computes the means of a slice, of the keys that it attends to or that it chose.
    pub(crate) async fn means(&mut self, job: &Job, target: &'static str) -> Result<()> {
        // A chosen key lies in one of the windows; means over chunks need none.
        let windows = if job.flags & CHOSEN == 0 { 1 } else { usize::MAX };
        for window in self.keys_in_parts(job, u32::MAX).into_iter().take(windows) {
            let job = Job { key_first: window.start, key_end: window.end, ..*job };
            self.push(&kernels::MEANS, job, &[("mean", Bound::whole((target, 0)))]).await?;
        }
        Ok(())
    }

    /// Applies a matrix to the rows of a slice.
    pub(crate) async fn apply(&mut self, job: Job, source: Bound, role: Role, target: &'static str) -> Result<()> {
        let (matrix, product) = (Bound::whole(role.name()), Bound::whole((target, 0)));
        self.push(&kernels::APPLY, job, &[("source", source), ("matrix", matrix), ("product", product)]).await
    }
}

/// Whether means are taken relative to the row's own token: where tokens are averaged as they are,
/// and in rescaled flows.
pub(crate) fn is_relative(step: &Step, stage: &Stage) -> bool {
    match (&step.motion, &stage.heads[..]) {
        _ if step.exclusive => false,
        (Motion::Average { .. }, [head]) => {
            head.values.matrix.dimension().is_none() && head.values.factor * head.values.matrix.entry(0, 0) == 1.0
        }
        (Motion::Flow { geometry, .. }, _) => *geometry == Geometry::Rescaled,
        _ => false,
    }
}
