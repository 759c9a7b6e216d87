//! Runs that are left in the middle.

use std::ops::ControlFlow;

use super::*;
use crate::engine::ExactReference;
use crate::interrupt::Interrupt;
use crate::io::config::Override;
use crate::model::Rule;
use crate::outcome::{Effort, StepReport};
use crate::run::faults::Alone;
use crate::run::{Options, Progress};
use crate::schedule::Schedule;

/// A run that is interrupted in the middle of step 4.
#[derive(Default)]
struct Impatient(Interrupt);

impl Callbacks for Impatient {
    fn reopen(&mut self, lost: &Error, at: &Checkpoint) -> Result<Box<dyn Engine>> {
        Alone.reopen(lost, at)
    }

    fn interrupt(&self) -> Interrupt {
        self.0.clone()
    }

    fn progress(&mut self, step: u64, _: &StepReport, _: Option<&Effort>) -> ControlFlow<()> {
        if step == 4 {
            self.0.raise();
        }
        ControlFlow::Continue(())
    }
}

/// A signal in the middle of a step must leave a run that ends with the state before the step,
/// each row once, and goes on to the same files: whether that state was due or not.
#[test]
fn a_step_that_is_left_costs_itself_alone() {
    for record in ["every 1", "every 3", "never"] {
        let changes = ["run.steps=9", "run.precision=f32", &format!("output.record={record:?}")];
        let changes: Vec<_> = changes.iter().map(|text| Override::set(text).unwrap()).collect();
        let config = Config::preset("default", &changes).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let run_in = |name: &str, callbacks: &mut dyn Callbacks| {
            let tokens = config.load_tokens().unwrap();
            let grid = Grid::of(&tokens, config.run.precision);
            let tokens = grid.snap(&tokens).unwrap();
            let engine = Box::new(ExactReference::new(&tokens, grid));
            let progress = Progress::start(&config, Options::default(), grid, 1.0, engine.description());
            let place = Place::new(Some(&folder.path().join(name)), "r").unwrap();
            let run_dir = place.create(&config, &Meta::new(&config, &progress)).unwrap();
            let start = Start { progress, frames: Vec::new() };
            let result = run(&config, &run_dir, start, engine, callbacks).unwrap();
            (run_dir, result, grid)
        };
        let (whole, ..) = run_in("whole", &mut Alone);
        let (run_dir, result, grid) = run_in("r", &mut Impatient::default());
        assert!(matches!(result.outcome, Outcome::Interrupted), "{record}: {:?}", result.outcome);
        assert_eq!((result.steps, result.saved, result.last.map(|r| r.t)), (4, Some(4), Some(3)), "{record}");
        assert_eq!(Some(run_dir.final_tokens().unwrap()), result.tokens);
        assert_eq!(run_dir.meta().unwrap()["ended"], "interrupted");
        let steps: Vec<u64> = run_dir.metrics().unwrap().iter().map(|row| row.step).collect();
        assert!(steps.is_sorted_by(|a, b| a < b) && steps.last() == Some(&4), "{record}: {steps:?}");

        let found = run_dir.newest_checkpoint(false).unwrap().checkpoint.unwrap();
        run_dir.cut_back(Some(&found)).unwrap();
        let engine = Box::new(ExactReference::new(&found.tokens.read().unwrap(), grid));
        run(&config, &run_dir, found, engine, &mut Alone).unwrap();
        for file in ["metrics.csv", "measures.csv", "final.npy"] {
            let read = |run: &RunDir| std::fs::read(run.path().join(file)).ok();
            assert!(read(&run_dir) == read(&whole), "{record}: {file}");
        }
    }
}

/// A schedule that leaves its domain farther on than is checked ahead must not cost the steps
/// before it.
#[test]
fn a_schedule_that_ends_keeps_the_steps_before_it() {
    let mut config = Config::preset("default", &[]).unwrap();
    if let Rule::Localmax { delta, .. } = &mut config.model.rule {
        *delta = Schedule::parse("20-t").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let tokens = config.load_tokens().unwrap();
    let grid = Grid::of(&tokens, config.run.precision);
    let engine = Box::new(ExactReference::new(&tokens, grid));
    let progress = Progress::start(&config, Options::default(), grid, 1.0, engine.description());
    let place = Place::new(Some(&folder.path().join("r")), "r").unwrap();
    let run_dir = place.create(&config, &Meta::new(&config, &progress)).unwrap();
    let start = Start { progress, frames: Vec::new() };
    let result = run(&config, &run_dir, start, engine, &mut Alone).unwrap();
    let Outcome::Failed(error) = &result.outcome else { panic!("{:?}", result.outcome) };
    assert!(error.to_string().contains("delta is -1 at step 21"), "{error}");
    assert_eq!(result.steps, 21);
    assert_eq!(run_dir.metrics().unwrap().len(), 22);
    assert_eq!(Some(run_dir.final_tokens().unwrap()), result.tokens);
}
