//! Ranks that hold a part of the tokens each, as long as that is less talk than to hold all.

use std::io;

use crate::choice::Plan;
use crate::cpu::{self, Dealt, ExactCpu, OpenedCpu};
use crate::engine::held::{Shape, lacking};
use crate::engine::interface::Engine;
use crate::engine::step::Step;
use crate::error::Result;
use crate::exact::Grid;
use crate::interrupt::Interrupt;
use crate::model::Mask;
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::ranks::{Shared, agree};
use crate::threads;
use crate::tokens::{Coordinates, Tokens};

/// The engine of one of these ranks. Where the plan was left open, and a step has come to more bytes than a gather
/// of all rows, all of them take all tokens from then on.
pub(super) struct PartedEngine {
    state: State,
    ranks: Shared,
    grid: Grid,
    options: cpu::Options,
    interrupt: Interrupt,
    /// The run, where ranks may turn to gathering all rows.
    may_turn: Option<Shape>,
}

enum State {
    Parted(OpenedCpu),
    Whole(ExactCpu),
}

impl PartedEngine {
    pub(super) fn open(
        ranks: &Shared,
        mask: Mask,
        dealt: Dealt,
        grid: Grid,
        (options, shape): (cpu::Options, Shape),
    ) -> Result<Self> {
        let may_turn = (options.plan == Plan::Auto).then_some(shape);
        let state = State::Parted(OpenedCpu::new(ranks.clone(), dealt, grid, mask, options)?);
        Ok(Self { state, ranks: ranks.clone(), grid, options, interrupt: Interrupt::default(), may_turn })
    }

    /// As [`OpenedCpu::give_tokens`].
    pub(super) fn give_tokens(&self) -> Result<()> {
        match &self.state {
            State::Parted(engine) => engine.give_tokens(),
            State::Whole(_) => Ok(()),
        }
    }

    /// Takes all tokens, if the last step was dearer than that and all ranks have the memory. All come to the same.
    fn turn(&mut self) -> Result<()> {
        let (Some(shape), State::Parted(engine)) = (self.may_turn, &mut self.state) else { return Ok(()) };
        let Some(effort) = engine.effort() else { return Ok(()) };
        if engine.told() <= shape.row() * effort.rows as u64 {
            return Ok(());
        }
        if lacking(self.ranks.as_ref(), shape.turned(threads::count()))?.is_some() {
            self.may_turn = None; // dear steps are better than none
            return Ok(());
        }
        let tokens = engine.tokens()?;
        let mut whole =
            agree(self.ranks.as_ref(), ExactCpu::among(self.ranks.clone(), &tokens, self.grid, self.options))?;
        whole.heed(&self.interrupt);
        self.state = State::Whole(whole);
        Ok(())
    }

    fn engine(&mut self) -> &mut dyn Engine {
        match &mut self.state {
            State::Parted(engine) => engine,
            State::Whole(engine) => engine,
        }
    }

    fn as_ref(&self) -> &dyn Engine {
        match &self.state {
            State::Parted(engine) => engine,
            State::Whole(engine) => engine,
        }
    }
}

impl Engine for PartedEngine {
    fn description(&self) -> Description {
        self.as_ref().description()
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.interrupt = interrupt.clone();
        self.engine().heed(interrupt);
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::new();
        for step in steps {
            let taken = self.turn().and_then(|()| self.engine().step(std::slice::from_ref(step)));
            match taken {
                Ok(report) => reports.extend(report),
                Err(_) if !reports.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(reports)
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.engine().tokens()
    }

    fn each_slice(&mut self, take: &mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()> {
        self.engine().each_slice(take)
    }

    fn is_parted(&self) -> bool {
        self.as_ref().is_parted()
    }

    fn effort(&self) -> Option<Effort> {
        self.as_ref().effort()
    }

    fn strips(&mut self) -> Result<Strips> {
        self.engine().strips()
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.engine().masks(step, rows)
    }
}
