//! One head of a slice of rows: queries, what they attend to, means.

use crate::error::Result;
use crate::gpu::real::job::mode::{DRAW, MAXIMUM, SCALE, STRIP, WEIGH};
use crate::gpu::real::job::product::{ADDED, CHOSEN, RELATIVE};
use crate::gpu::real::job::{Job, pair, product};
use crate::gpu::real::kernels::{Kernel, NARROW};
use crate::gpu::real::matrices::Role;
use crate::gpu::real::{Bound, RealGpu, Slot};
use crate::model::{Geometry, StripForm};
use crate::real::{Head, Motion, Stage, Step, Weights};

impl RealGpu {
    /// What one head gives to the outputs of a slice.
    pub(crate) fn attend(
        &mut self,
        job: &Job,
        step: &Step,
        stage: &Stage,
        head: &Head,
        h: usize,
        s: usize,
    ) -> Result<()> {
        let record = u32::from(h == 0 && s == 0);
        let job = self.query(job, head, h, stage.weights)?;
        match stage.weights {
            Weights::Softmax { .. } | Weights::Exponential { .. } => {
                self.over_keys(&job, true)?;
                self.run(Kernel::Merge, &Job { flags: record, ..job })?;
            }
            Weights::Strip { .. } => {
                self.choose(&job, stage.weights)?;
                let job = Job { mode: STRIP, ..job };
                self.over_keys(&job, true)?;
                self.run(Kernel::Merge, &Job { flags: record, ..job })?;
            }
            Weights::Argmax | Weights::Drawn { .. } => self.choose(&Job { flags: record, ..job }, stage.weights)?,
        }
        let chosen = matches!(stage.weights, Weights::Argmax | Weights::Drawn { .. });
        let relative = is_relative(step, stage);
        let flags = if relative { RELATIVE } else { 0 } | if chosen { CHOSEN } else { 0 };
        let added = if h > 0 { ADDED } else { 0 };
        let (factor, matrix) = self.load(Role::Values(h), &head.values)?;
        if matrix {
            self.means(&Job { flags, factor: 1.0, ..job }, Slot::Means)?;
            let job = Job { flags: added, factor: factor as f32, source_base: job.slice_first, ..job };
            self.apply(job, (Slot::Means, None), Role::Values(h), Slot::Outputs)
        } else {
            self.means(&Job { flags: flags | added, factor: factor as f32, ..job }, Slot::Outputs)
        }
    }

    /// Queries of a slice; returns the job with the numbers of its rule and head.
    pub(crate) fn query(&mut self, job: &Job, head: &Head, h: usize, weights: Weights) -> Result<Job> {
        let (factor, matrix) = self.load(Role::Scores(h), &head.scores)?;
        // Scores that are all 0 have any factor.
        let (sign, size) = if factor == 0.0 { (0.0, 1.0) } else { (factor.signum(), factor.abs()) };
        let mut job = Job { factor: sign as f32, ..*job };
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
            Weights::Drawn { beta, seed } => {
                beta_of(beta);
                job.seed = pair(seed);
                job.mode = DRAW;
            }
            Weights::Strip { delta, form } => {
                let (form, unit) = match form {
                    StripForm::Score => (0, 1.0 / size),
                    StripForm::Width => (1, 1.0),
                    StripForm::ANorm => (2, 1.0 / size.sqrt()),
                };
                (job.delta, job.delta_exponent) = product(delta, unit);
                (job.form, job.mode) = (form, MAXIMUM);
            }
            Weights::Argmax => job.mode = MAXIMUM,
        }
        let window = Some(job.row_first / self.plan.window);
        if matrix {
            let row_base = job.row_first / self.plan.window * self.plan.window;
            let apply = Job { source_base: row_base, flags: 0, ..job };
            self.apply(apply, (Slot::Keys, window), Role::Scores(h), Slot::Products)?;
        }
        let slots = [
            (Slot::Keys, window),
            (Slot::Products, None),
            (Slot::Extents, None),
            (Slot::Queries, None),
            (Slot::Rows, None),
        ];
        self.push(Kernel::Queries, Job { flags: u32::from(matrix), ..job }, &slots)?;
        Ok(job)
    }

    /// The key that every row of a slice chooses, or the end of its strip.
    pub(crate) fn choose(&mut self, job: &Job, weights: Weights) -> Result<()> {
        self.over_keys(job, false)?;
        self.run(Kernel::Merge, job)?;
        if let Weights::Drawn { .. } = weights {
            for window in self.windows(job) {
                self.run(Kernel::Draw, &Job { key_first: window.start, key_end: window.end, ..*job })?;
            }
        }
        Ok(())
    }

    /// Partial results of a slice over all keys that it sees, with sums of the keys if asked for.
    pub(crate) fn over_keys(&mut self, job: &Job, sums: bool) -> Result<()> {
        let in_registers = self.d as usize <= NARROW && matches!(job.mode, WEIGH | SCALE);
        for keys in self.groups(job, !in_registers) {
            let job = Job { key_first: keys.start, key_end: keys.end, group_first: keys.start, ..*job };
            if in_registers {
                self.run(Kernel::Attend, &job)?;
            } else {
                self.run(Kernel::Score, &job)?;
                self.run(Kernel::Weigh, &job)?;
                if sums && job.mode != MAXIMUM {
                    self.run(Kernel::Values, &job)?;
                }
            }
            let pairs = f64::from(job.row_end - job.row_first) * f64::from(keys.end - keys.start);
            self.queue.charge(pairs * self.pair_cost())?;
        }
        Ok(())
    }

    /// Means of a slice, of what it attends to or of the keys that it chose.
    pub(crate) fn means(&mut self, job: &Job, target: Slot) -> Result<()> {
        let rows = Some(job.row_first / self.plan.window);
        // A chosen key lies in one of the windows; means over chunks need none.
        let windows = if job.flags & CHOSEN == 0 { 1 } else { usize::MAX };
        for window in self.windows(job).into_iter().take(windows) {
            let keys = Some(window.start / self.plan.window);
            let slots = [
                (Slot::Partials, None),
                (Slot::Sums, None),
                (Slot::Rows, None),
                (Slot::Keys, rows),
                (Slot::Keys, keys),
                (Slot::Extents, None),
                (target, None),
            ];
            self.push(Kernel::Means, Job { key_first: window.start, key_end: window.end, ..*job }, &slots)?;
        }
        Ok(())
    }

    /// A matrix by the rows of a slice.
    pub(crate) fn apply(&mut self, job: Job, source: Bound, role: Role, target: Slot) -> Result<()> {
        self.push(Kernel::Apply, job, &[source, (Slot::Matrix(role), None), (target, None)])
    }
}

/// Whether means are taken relative to the row's own token: where tokens are averaged as they are, and in rescaled flows.
pub(crate) fn is_relative(step: &Step, stage: &Stage) -> bool {
    match (&step.motion, &stage.heads[..]) {
        (Motion::Average { .. }, [head]) => {
            head.values.matrix.dimension().is_none() && head.values.factor * head.values.matrix.entry(0, 0) == 1.0
        }
        (Motion::Flow { geometry, .. }, _) => *geometry == Geometry::Rescaled,
        _ => false,
    }
}
