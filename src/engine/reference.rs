//! The reference behind the trait.

use super::Engine;
use crate::contract::{Grid, Step};
use crate::error::{Error, Result};
use crate::outcome::{Description, StepReport, Strips};
use crate::reference::contract::State;
use crate::tokens::Tokens;

/// [`crate::reference::contract`] as an [`Engine`].
#[derive(Debug)]
pub struct ReferenceEngine {
    state: State,
    strips: Option<Strips>,
}

impl ReferenceEngine {
    /// Holds the tokens, moved to the grid.
    pub fn new(tokens: &Tokens, grid: Grid) -> Self {
        Self { state: State::new(tokens, grid), strips: None }
    }
}

impl Engine for ReferenceEngine {
    fn description(&self) -> Description {
        Description { engine: "reference".into(), device: "plain loops, i128".into(), driver: String::new() }
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        for step in steps {
            let (next, strips) = self.state.step(step);
            let moved = (0..next.n).filter(|&i| next.row(i) != self.state.row(i)).count() as u64;
            let count: Vec<u32> = strips.iter().map(|s| s.members.len() as u32).collect();
            reports.push(StepReport::new(step.t, moved, count.iter().copied(), 0));
            self.strips = Some(Strips { argmax: strips.iter().map(|s| s.argmax as u32).collect(), count });
            self.state = next;
        }
        Ok(reports)
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.state.tokens()
    }

    fn strips(&mut self) -> Result<Strips> {
        self.strips.clone().ok_or_else(|| Error::input("no step has been taken yet"))
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        Ok(rows.iter().map(|&i| self.state.strip(step, i).members.iter().map(|&j| j as u32).collect()).collect())
    }
}
