//! The reference behind the trait.

use super::{Engine, Step};
use crate::contract::Grid;
use crate::error::{Error, Result};
use crate::outcome::{Description, StepReport, Strips};
use crate::reference::{contract, spec};
use crate::tokens::Tokens;

/// [`crate::reference`] as an [`Engine`].
#[derive(Debug)]
pub struct ReferenceEngine {
    state: State,
    strips: Option<Strips>,
}

#[derive(Debug)]
enum State {
    Lattice(contract::State),
    /// In the stored width: a step is computed in f64 and rounded once, which is as near as that width comes.
    Real(Tokens),
}

impl ReferenceEngine {
    /// Holds the tokens, moved to the grid, for the rules of the contract.
    pub fn new(tokens: &Tokens, grid: Grid) -> Self {
        Self { state: State::Lattice(contract::State::new(tokens, grid)), strips: None }
    }

    /// Holds the tokens as they are, for every other rule.
    pub fn real(tokens: &Tokens) -> Self {
        Self { state: State::Real(tokens.clone()), strips: None }
    }

    fn step_once(&mut self, step: &Step) -> Result<StepReport> {
        let (moved, strips) = match &mut self.state {
            State::Lattice(state) => {
                let (next, strips) = state.step(step.lattice()?);
                let moved = (0..next.n).filter(|&i| next.row(i) != state.row(i)).count();
                *state = next;
                let argmax = strips.iter().map(|s| s.argmax as u32).collect();
                (moved, Strips { argmax, count: strips.iter().map(|s| s.members.len() as u32).collect() })
            }
            State::Real(tokens) => {
                let (next, strips) = spec::State::new(tokens).step(step.real()?);
                let next = Tokens::stepped(&next.x, next.d, tokens.precision(), step.t())?;
                let moved = (0..next.n()).filter(|&i| next.row(i) != tokens.row(i)).count();
                *tokens = next;
                (moved, strips)
            }
        };
        let report = StepReport::new(step.t(), moved as u64, strips.count.iter().copied(), 0);
        self.strips = Some(strips);
        Ok(report)
    }
}

impl Engine for ReferenceEngine {
    fn description(&self) -> Description {
        let arithmetic = if matches!(self.state, State::Lattice(_)) { "i128" } else { "f64" };
        Description { engine: "reference".into(), device: format!("plain loops, {arithmetic}"), driver: String::new() }
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        steps.iter().map(|step| self.step_once(step)).collect()
    }

    fn tokens(&mut self) -> Result<Tokens> {
        match &self.state {
            State::Lattice(state) => state.tokens(),
            State::Real(tokens) => Ok(tokens.clone()),
        }
    }

    fn strips(&mut self) -> Result<Strips> {
        self.strips.clone().ok_or_else(|| Error::input("no step has been taken yet"))
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        match &self.state {
            State::Lattice(state) => {
                let step = step.lattice()?;
                Ok(rows.iter().map(|&i| state.strip(step, i).members.iter().map(|&j| j as u32).collect()).collect())
            }
            State::Real(tokens) => {
                let (step, state) = (step.real()?, spec::State::new(tokens));
                let (stage, head) = (&step.stages[0], &step.stages[0].heads[0]);
                let keys =
                    |i: usize| state.attention(step, stage, head, i).weights.iter().map(|(j, _)| *j as u32).collect();
                Ok(rows.iter().map(|&i| keys(i)).collect())
            }
        }
    }
}
