//! The files of a run while it goes on.

use std::time::Duration;

use crate::clock::Instant;
use crate::error::Result;
use crate::io::config::{Config, Trigger};
use crate::outcome::Effort;
use crate::run::clouds::Clouds;
use crate::run::effort::{self, EFFORT};
use crate::run::folder::RunDir;
use crate::run::measures::Measures;
use crate::run::metrics::{self, METRICS, MetricsRow, StepSummary};
use crate::run::progress::{FrameFile, Progress, TableMark};
use crate::run::state::State;
use crate::run::table::TableWriter;
use crate::tokens::Slices as _;

/// The files of a run while it goes on.
pub(crate) struct Recorder<'a> {
    config: &'a Config,
    run: &'a RunDir,
    metrics: TableWriter<metrics::Record>,
    /// `None` if nothing is measured, and of many clouds.
    measures: Option<Measures<'a>>,
    /// `None` of one cloud.
    clouds: Option<Clouds<'a>>,
    /// `None` until an engine has an effort to tell.
    efforts: Option<TableWriter<effort::Record>>,
    /// Frames for the next checkpoint; the last state's, where it was not due, is written after the last one.
    frames: Vec<FrameFile>,
    pub(crate) progress: Progress,
    started: Instant,
    /// Seconds of earlier segments.
    before: f64,
    pub(crate) saved: Option<u64>,
    saved_at: Instant,
    /// The hash of the state of the last row, with its step.
    pub(crate) hash: Option<(u64, blake3::Hash)>,
}

impl<'a> Recorder<'a> {
    /// Creates the files of a new run, or takes up those of an old one where the checkpoint left
    /// them.
    pub(crate) fn open(
        config: &'a Config,
        run: &'a RunDir,
        progress: Progress,
        frames: Vec<FrameFile>,
    ) -> Result<Self> {
        let metrics = TableWriter::open(run.path(), progress.mark(METRICS))?;
        let measures = Measures::open(config, run.path(), &progress)?;
        let clouds = Clouds::open(config, run.path(), &progress)?;
        let efforts = progress.mark(EFFORT).map(|mark| TableWriter::open(run.path(), Some(mark))).transpose()?;
        let saved = progress.mark(METRICS).map(|_| progress.step);
        let (started, before) = (Instant::now(), progress.total_seconds);
        Ok(Self {
            config,
            run,
            metrics,
            measures,
            clouds,
            efforts,
            frames,
            progress,
            started,
            before,
            saved,
            saved_at: started,
            hash: None,
        })
    }

    /// Every table's mark, once its rows are on the disk.
    fn marks(&mut self) -> Result<Vec<TableMark>> {
        let mut marks = vec![self.metrics.mark()?];
        marks.extend(self.measures.as_mut().map(|measures| measures.table.mark()).transpose()?);
        marks.extend(self.clouds.as_mut().map(|clouds| clouds.table.mark()).transpose()?);
        marks.extend(self.efforts.as_mut().map(TableWriter::mark).transpose()?);
        Ok(marks)
    }

    /// Brings every row into its file.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.metrics.flush()?;
        self.measures.as_mut().map_or(Ok(()), |measures| measures.table.flush())?;
        self.clouds.as_mut().map_or(Ok(()), |clouds| clouds.table.flush())?;
        self.efforts.as_mut().map_or(Ok(()), TableWriter::flush)
    }

    /// True if a trigger is due at the last step taken.
    fn is_due(&self, trigger: Trigger) -> bool {
        trigger.is_due(self.progress.step, self.progress.event)
    }

    /// True if any trigger is due at the last step taken.
    pub(crate) fn is_any_due(&self) -> bool {
        let output = &self.config.output;
        [output.record, output.frames, output.measures].into_iter().any(|trigger| self.is_due(trigger))
    }

    /// True if a checkpoint is due by the clock.
    pub(crate) fn must_save(&self) -> bool {
        // An interval beyond what a Duration holds never passes.
        Duration::try_from_secs_f64(self.config.output.checkpoint_seconds).is_ok_and(|d| self.saved_at.elapsed() >= d)
    }

    /// Brings everything to the disk, so that the run can go on from `tokens`, the state after
    /// `progress.step` steps.
    pub(crate) fn save(&mut self, tokens: &mut State<'_>) -> Result<()> {
        if self.saved == Some(self.progress.step) {
            return Ok(());
        }
        self.progress.tables = self.marks()?;
        self.progress.total_seconds = self.total_seconds();
        self.run.write_checkpoint(tokens, &self.frames, &self.progress)?;
        (self.saved, self.saved_at) = (Some(self.progress.step), Instant::now());
        Ok(())
    }

    /// Writes the row, measures and frame of `tokens`, the state after `progress.step` steps, that
    /// are due; or those that are not, if `is_due` is false: a run's last state is written whole,
    /// and the files that were not due are cut away if the run goes on.
    pub(crate) fn write(&mut self, tokens: &mut State<'_>, effort: Option<&Effort>, is_due: bool) -> Result<()> {
        let (step, output) = (self.progress.step, &self.config.output);
        if self.progress.has_changed_here() {
            return Ok(()); // written whole by the segment before
        }
        let is_measured = self.is_due(output.measures) == is_due;
        if is_measured && (self.measures.is_some() || self.clouds.is_some()) {
            tokens.tokens()?; // first, for all that follows
        }
        if self.is_due(output.record) == is_due {
            let taken = self.progress.last.map(|r| StepSummary::new(&r, tokens.shape().0, &self.config.model));
            let hash = tokens.hash()?;
            self.hash = Some((step, hash));
            let hash = hash.to_hex().to_string();
            if is_due && self.config.model.is_autonomous() && self.progress.fixed_point.is_none() {
                self.progress.watch_for_cycle(step, &hash);
            }
            self.metrics.push(&MetricsRow { step, taken: taken.transpose()?, hash })?;
        }
        if is_measured && let Some(measures) = &mut self.measures {
            measures.write(step, tokens.tokens()?)?;
        }
        if is_measured && let Some(clouds) = &mut self.clouds {
            clouds.write(&self.progress, tokens.tokens()?)?;
        }
        if self.is_due(output.frames) == is_due {
            let hash = self.run.write_frame(step, &mut *tokens, self.config.clouds)?;
            self.frames.push(FrameFile { step, hash });
        }
        if let Some(effort) = effort.filter(|_| self.is_any_due() == is_due) {
            let table = match self.efforts.take() {
                Some(table) => table,
                None => TableWriter::open(self.run.path(), None)?,
            };
            self.efforts.insert(table).push(effort::Record::new(step, effort, self.progress.step_seconds))?;
        }
        Ok(())
    }

    /// Writes what was not due of `tokens`, the state from which the run goes on with another config; the marks of
    /// all tables and the frames, this state among them.
    pub(crate) fn end_with(mut self, tokens: &mut State<'_>) -> Result<(Vec<TableMark>, Vec<FrameFile>)> {
        self.write(tokens, None, false)?;
        Ok((self.marks()?, self.frames))
    }

    /// Seconds that the run has taken, earlier segments included.
    pub(crate) fn total_seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }
}
