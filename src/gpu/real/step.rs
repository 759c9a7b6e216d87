//! Steps and masks: stages, slices of rows, and the reports and members that are read back.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::memory::Name;
use crate::gpu::pairs::Pairs;
use crate::gpu::real::job::{Job, STRIP, pair};
use crate::gpu::real::kernels::{self, ROWS};
use crate::gpu::real::state::{ROW_WORDS, RealGpu, STAGES, TRACE_WORDS};
use crate::gpu::report::{REPORT_BAD, REPORT_WORDS, REPORTS, report};
use crate::gpu::resident::{leading_run, require_rows};
use crate::gpu::seen::slice_rows;
use crate::gpu::share::{Computed, Share};
use crate::gpu::table::Kernel;
use crate::outcome::StepReport;
use crate::real::{Step, Weights};

impl RealGpu {
    /// Applies the steps in order, up to an interrupt.
    ///
    /// # Errors
    /// [`Error::Interrupted`] before the first was taken whole. A token that stops being finite, at
    /// the step that makes it; device failures; the state is then undefined.
    pub(crate) async fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        for group in steps.chunks(REPORTS) {
            self.start(group.len()).await?;
            let mut whole = 0;
            for step in group {
                match self.one_step(step, whole as u32).await {
                    Err(Error::Interrupted(_)) if reports.len() + whole > 0 => break,
                    taken => taken?,
                }
                whole += 1;
            }
            let read = self.resident.reports(whole).await?;
            self.taken = whole == group.len();
            for (words, step) in read.chunks_exact(REPORT_WORDS as usize).zip(group) {
                self.require_finite(step.t, words).await?;
                reports.push(report(step.t, words));
            }
            if whole < group.len() {
                break;
            }
        }
        Ok(reports)
    }

    /// Computes a share of the rows of a stage of the next step, which is the stage's outcome on every
    /// device once all of its shares are accepted.
    ///
    /// # Errors
    /// [`Error::Interrupted`]: the state is as it was. A token of the share that stops being finite;
    /// device failures; the state is then undefined.
    pub(crate) async fn compute(&mut self, step: &Step, s: usize, share: Share) -> Result<Computed> {
        if s == 0 {
            self.taken = false;
            self.start(1).await?;
        }
        self.own = share.under(step.mask, self.n);
        self.resident.queue.interrupt.check()?;
        self.stage(step, s, 0, self.own.clone()).await?;
        let report = self.resident.reports(1).await?;
        self.require_finite(step.t, &report).await?;
        let words = self.own.start as usize * self.d as usize..self.own.end as usize * self.d as usize;
        let [_, target] = self.ends(step, s);
        Ok(Computed { rows: self.resident.read_some(target, words).await?, report })
    }

    /// Takes a stage of which every row is given.
    ///
    /// # Errors
    /// Device failures; the state is then undefined.
    pub(crate) async fn accept(&mut self, step: &Step, s: usize, all: &Computed) -> Result<()> {
        let [_, target] = self.ends(step, s);
        self.resident.write(target, &all.rows).await?;
        if s + 1 == step.stages.len() {
            self.current = 1 - self.current;
            self.taken = true;
        }
        Ok(())
    }

    /// Empties the reports of the next steps.
    async fn start(&mut self, steps: usize) -> Result<()> {
        self.own = 0..self.n;
        self.resident.start_reports(steps).await?;
        self.resident.write(("extents", 0), &vec![0; steps * STAGES]).await
    }

    /// Refuses a report of a token that stopped being finite, with the value that it took.
    async fn require_finite(&self, step: u64, report: &[u32]) -> Result<()> {
        let token = report[REPORT_BAD as usize] as usize;
        if token == u32::MAX as usize {
            return Ok(());
        }
        let traces = self.resident.read(("traces", 0), (token + 1) * TRACE_WORDS).await?;
        let trace = &traces[token * TRACE_WORDS..];
        let (coordinate, value) = (trace[2] as usize, f64::from(f32::from_bits(trace[3])));
        Err(Error::NonFinite { step, token, coordinate, value, is_single: true })
    }

    /// The keys that the first head attends to at the first stage, of the given rows in the current
    /// state, ascending, by the decisions that a step would take.
    ///
    /// # Errors
    /// Device failures; a row past the last token.
    pub(crate) async fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let n = self.n as usize;
        require_rows(rows, n)?;
        let stage = &step.stages[0];
        if let Weights::Softmax { .. } | Weights::Exponential { .. } | Weights::Linear { .. } = stage.weights {
            return Ok(rows.iter().map(|&i| step.mask.keys(i, n).map(|j| j as u32).collect()).collect());
        }
        self.resident.write(("extents", 0), &[0]).await?;
        let base = self.prepare(step, 0, ("tokens", self.current)).await?;
        let mut masks = Vec::with_capacity(rows.len());
        let mut at = 0;
        while at < rows.len() {
            let count = self.resident.rows_that_fit(1.0, ROWS, ROWS).min(self.layout.memory.slice_rows);
            let run = leading_run(&rows[at..], count, self.layout.window);
            at += run.len();
            let job = Job { row_first: run.start, row_end: run.end, slice_first: run.start, ..base };
            let job = self.query(&job, &stage.heads[0], 0, stage.weights, step.bias).await?;
            if let Weights::Sparse { .. } = stage.weights {
                self.weigh_whole(&job).await?;
                masks.extend(self.members_of(&job, 0..self.n).await?);
                continue;
            }
            self.choose(&job, stage.weights).await?;
            if let Weights::Strip { .. } = stage.weights {
                masks.extend(self.strip_members(&job).await?);
            } else {
                self.resident.queue.finish().await?;
                let records = self.resident.read(("rows", 0), run.len() * ROW_WORDS).await?;
                let mask = step.mask;
                let of = |(i, record): (u32, &[u32])| {
                    if mask.is_empty(i as usize, n) { Vec::new() } else { vec![record[5]] }
                };
                masks.extend((run.start..).zip(records.chunks_exact(ROW_WORDS)).map(of));
            }
        }
        Ok(masks)
    }

    /// The members of the strips of a slice, whose ends are known.
    async fn strip_members(&mut self, job: &Job) -> Result<Vec<Vec<u32>>> {
        let mut members = vec![Vec::new(); (job.row_end - job.row_first) as usize];
        let job = Job { mode: STRIP, ..*job };
        for keys in self.keys_by_scores(&job) {
            let job = Job { key_first: keys.start, key_end: keys.end, group_first: keys.start, ..job };
            self.push(&kernels::SCORE, job, &[]).await?;
            self.push(&kernels::WEIGH, job, &[]).await?;
            for (members, more) in members.iter_mut().zip(self.members_of(&job, keys).await?) {
                members.extend(more);
            }
        }
        Ok(members)
    }

    /// The keys of a part with weights above 0 in the scores of a slice.
    async fn members_of(&mut self, job: &Job, keys: Range<u32>) -> Result<Vec<Vec<u32>>> {
        self.resident.queue.finish().await?;
        let (count, width) = ((job.row_end - job.row_first) as usize, self.layout.width as usize);
        let weights = self.resident.read(("scores", 0), count * width).await?;
        let (mask, n) = (self.mask, self.n as usize);
        let of = |(i, line): (u32, &[u32])| {
            let range = mask.range(i as usize, n);
            let seen = keys.start.max(range.start as u32)..keys.end.min(range.end as u32);
            let has_weight = |j: &u32| line[(j - job.group_first) as usize] != 0;
            seen.filter(|&j| mask.sees(i as usize, j as usize)).filter(has_weight).collect()
        };
        Ok((job.row_first..).zip(weights.chunks_exact(width)).map(of).collect())
    }

    async fn one_step(&mut self, step: &Step, report: u32) -> Result<()> {
        self.resident.queue.interrupt.check()?;
        for s in 0..step.stages.len() {
            self.stage(step, s, report, 0..self.n).await?;
        }
        self.current = 1 - self.current;
        Ok(())
    }

    /// Where a stage has its tokens from, and where they go.
    fn ends(&self, step: &Step, s: usize) -> [Name; 2] {
        let source = if s == 0 { ("tokens", self.current) } else { ("stages", (s - 1) % 2) };
        let is_last = s + 1 == step.stages.len();
        [source, if is_last { ("tokens", 1 - self.current) } else { ("stages", s % 2) }]
    }

    /// Computes some rows of a stage.
    async fn stage(&mut self, step: &Step, s: usize, report: u32, rows: Range<u32>) -> Result<()> {
        let stage = &step.stages[s];
        let [source, target] = self.ends(step, s);
        let base = self.prepare(step, report * STAGES as u32 + s as u32, source).await?;
        let base = Job { report, ..base };
        let mut row = rows.start;
        while row < rows.end {
            let most = slice_rows(step.mask, self.layout.memory.slice_rows);
            let range = self.rows_at(row, self.row_cost(stage), most, rows.end);
            row = range.end;
            let job = Job { row_first: range.start, row_end: range.end, slice_first: range.start, ..base };
            for (h, head) in stage.heads.iter().enumerate() {
                self.attend(&job, step, stage, head, h, s).await?;
            }
            self.exclude(&job, step, stage, source).await?;
            self.perceive(&job, step, source).await?;
            if let Some(length) = stage.length {
                self.push(&kernels::LENGTHEN, Job { radius: length as f32, ..job }, &[]).await?;
            }
            self.shake(&job, step, source).await?;
            self.advance(&job, step, s, source, target).await?;
            self.resident.queue.charge(f64::from(range.end - range.start) * f64::from(self.d)).await?;
        }
        Ok(())
    }

    /// Scales the tokens of a stage to keys; returns the parameters that its dispatches share.
    async fn prepare(&mut self, step: &Step, stage: u32, source: Name) -> Result<Job> {
        (self.mask, self.pairs) = (step.mask, Pairs::of(step.scoring, step.mask, step.bias));
        let base = Job {
            n: self.n,
            d: self.d,
            chunks: self.layout.chunks,
            width: self.layout.width,
            causal: u32::from(step.mask.causal),
            window: step.mask.window.unwrap_or(u32::MAX),
            own: u32::from(step.mask.own),
            fixed_keys: step.mask.fixed,
            stage,
            t: pair(step.t),
            ..Job::default()
        };
        let keys: &[&Kernel] = if step.directions { &[&kernels::TURN] } else { &[&kernels::EXTENT, &kernels::SCALE] };
        for kernel in keys {
            let mut row = 0;
            while row < self.n {
                let range = self.rows_at(row, f64::from(self.d), u32::MAX, self.n);
                row = range.end;
                let job = Job { row_first: range.start, row_end: range.end, ..base };
                self.push(kernel, job, &[("source", self.window_of(source, range.start))]).await?;
                self.resident.queue.charge(f64::from(range.end - range.start) * f64::from(self.d)).await?;
            }
        }
        Ok(base)
    }
}
