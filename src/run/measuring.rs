//! measures.csv of a run in progress.

use crate::error::Result;
use crate::io::config::{Config, Trigger};
use crate::observe::Observer;
use crate::run::folder::{MEASURES, RunDir};
use crate::run::measures::MeasuresWriter;
use crate::run::progress::Mark;
use crate::run::progress::Progress;
use crate::tokens::Tokens;

/// The measures that a run takes of its states, and where they go.
pub(crate) struct Measures<'a> {
    observer: Observer<'a>,
    writer: MeasuresWriter,
}

impl<'a> Measures<'a> {
    /// Creates the file of a new run, or takes up that of an old one with the ledger that its rows give; `None` where
    /// nothing is to be measured.
    pub(crate) fn open(config: &'a Config, run: &RunDir, progress: &Progress) -> Result<Option<Self>> {
        let trigger = config.output.measures;
        let mut observer = Observer::new(&config.model, config.d(), config.run.precision);
        let writer = match progress.mark(MEASURES) {
            Some(mark) => {
                let writer = MeasuresWriter::resume(run.path(), mark)?;
                run.measures()?.iter().for_each(|(step, row)| observer.recall(*step, row.radius, &row.support));
                writer
            }
            None if trigger == Trigger::Never => return Ok(None),
            None => MeasuresWriter::create(&run.measures_path())?,
        };
        Ok(Some(Self { observer, writer }))
    }

    /// Measures the state after `step` steps.
    pub(crate) fn write(&mut self, step: u64, tokens: &Tokens) -> Result<()> {
        let row = self.observer.measure(step, tokens);
        self.writer.write(step, &row)
    }

    pub(crate) fn mark(&mut self) -> Result<Mark> {
        self.writer.mark()
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }
}
