//! Which plan runs: what was asked for where it can be had, or the cheapest.
//!
//! A causal mask, under which equal tokens see different keys, and large d are brute force's. Else `auto` lets a tree take
//! a step and counts its tests: brute force takes over where they come near to all pairs, and the tree is tried again
//! after some steps, since a cloud that clusters becomes easier.

use super::device::Device;
use super::report::Tests;
use super::search::{Searched, WIDEST};
use super::state::State;
use crate::choice;
use crate::contract::{Grid, Step};
use crate::error::{Error, Result};
use crate::model::Mask;
use crate::outcome::{Effort, StepReport, Strips};
use crate::tokens::Tokens;

/// Under `auto`, fewer tokens or more dimensions are brute force's.
const FEWEST: usize = 4096;
const DIMENSIONS: usize = 16;

/// What a test of a tree costs in pairs of brute force.
const TEST_PAIRS: f64 = 3.0;

/// Steps of brute force before a tree is tried again, at first and at most; and steps of a tree between two looks.
const REST: [usize; 2] = [16, 256];
const LOOK: usize = 32;

/// Tokens on a device, under a plan.
pub struct Planned {
    device: Device,
    grid: Grid,
    matrix: bool,
    asked: choice::Plan,
    shape: (usize, usize),
    held: Held,
    taken: bool,
    /// Of the last step, if another plan took it.
    strips: Option<Strips>,
    /// Under `auto`: steps until a tree is tried, and how many there are between two trials.
    rest: usize,
    interval: usize,
}

enum Held {
    Brute(Box<State>),
    Tree(Box<Searched>),
}

impl std::fmt::Debug for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planned").field("device", &self.device).field("grid", &self.grid).finish_non_exhaustive()
    }
}

impl Planned {
    /// Moves tokens to the device; `matrix` is whether A will be anything but the identity.
    ///
    /// # Errors
    /// [`Error::Memory`] before anything is allocated; the plan `norm`; device failures.
    pub fn new(device: &Device, tokens: &Tokens, grid: Grid, matrix: bool, plan: choice::Plan) -> Result<Self> {
        if plan == choice::Plan::Norm {
            return Err(Error::input("the gpu engine has no plan \"norm\"; take auto, tree or brute"));
        }
        let shape = (tokens.n(), tokens.d());
        let held = if searches(plan, shape, Mask::Full) {
            match Searched::new(device, tokens, grid, matrix) {
                Ok(tree) => Some(Held::Tree(Box::new(tree))),
                // Asked for, it is an error.
                Err(Error::Memory { .. }) if plan == choice::Plan::Auto => None,
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        let rest = if held.is_some() { 0 } else { usize::MAX };
        let held = match held {
            Some(held) => held,
            None => Held::Brute(Box::new(State::new(device, tokens, grid, matrix)?)),
        };
        let device = device.clone();
        Ok(Self { device, grid, matrix, asked: plan, shape, held, taken: false, strips: None, rest, interval: REST[0] })
    }

    /// The device it lives on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Applies the steps in order.
    ///
    /// # Errors
    /// Device failures. The state is then undefined.
    pub fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        while let Some(step) = steps.get(reports.len()) {
            self.turn_to(step.mask)?;
            let left = &steps[reports.len()..];
            let alike = left.iter().take_while(|next| next.mask == step.mask).count();
            let auto = self.asked == choice::Plan::Auto;
            let some = match &self.held {
                Held::Tree(tree) if auto && tree.is_fresh() => 1,
                Held::Tree(_) if auto => alike.min(LOOK),
                Held::Brute(_) if auto => alike.min(self.rest.max(1)),
                Held::Brute(_) | Held::Tree(_) => alike,
            };
            match &mut self.held {
                Held::Brute(state) => {
                    reports.extend(state.step(&left[..some])?);
                    if self.rest != usize::MAX {
                        self.rest = self.rest.saturating_sub(some);
                    }
                }
                Held::Tree(tree) => {
                    reports.extend(tree.step(&left[..some])?);
                    let (keys, tests) = tree.effort();
                    let pairs = (self.shape.0 as f64).powi(2);
                    if auto && tests.total() as f64 * TEST_PAIRS > pairs && keys > 0 {
                        self.rest = self.interval;
                        self.interval = (2 * self.interval).min(REST[1]);
                    }
                }
            }
            self.taken = true;
            self.strips = None;
        }
        Ok(reports)
    }

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// Device failures.
    pub fn tokens(&mut self) -> Result<Tokens> {
        match &mut self.held {
            Held::Brute(state) => state.tokens(),
            Held::Tree(tree) => tree.tokens(),
        }
    }

    /// Argmax and strip size of every row in the last step taken.
    ///
    /// # Errors
    /// Device failures; no step taken yet.
    pub fn strips(&mut self) -> Result<Strips> {
        if !self.taken {
            return Err(Error::input("no step has been taken yet"));
        }
        if let Some(strips) = &self.strips {
            return Ok(strips.clone());
        }
        match &mut self.held {
            Held::Brute(state) => state.strips(),
            Held::Tree(tree) => tree.strips(),
        }
    }

    /// C_i of the given rows in the current state, by the decisions a step would take.
    ///
    /// # Errors
    /// Device failures; a row that is not there.
    pub fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.turn_to(step.mask)?;
        match &mut self.held {
            Held::Brute(state) => state.masks(step, rows),
            Held::Tree(tree) => tree.masks(step, rows),
        }
    }

    /// How the last step was computed.
    pub fn effort(&self) -> Effort {
        let (n, _) = self.shape;
        match &self.held {
            Held::Brute(_) => Effort { plan: choice::Plan::Brute, keys_a_row: n as f64, boxes_a_row: 0.0, distinct: n },
            Held::Tree(tree) => {
                let (keys, Tests { keys: scored, boxes }) = tree.effort();
                let a_row = |total: u64| total as f64 / f64::from(keys.max(1));
                let (keys_a_row, boxes_a_row) = (a_row(scored), a_row(boxes));
                Effort { plan: choice::Plan::Tree, keys_a_row, boxes_a_row, distinct: keys as usize }
            }
        }
    }

    /// Makes the held state fit a step. Tokens that change hands go through the host: it happens once in many steps.
    fn turn_to(&mut self, mask: Mask) -> Result<()> {
        let tree = searches(self.asked, self.shape, mask) && (self.asked == choice::Plan::Tree || self.rest == 0);
        if tree == matches!(self.held, Held::Tree(_)) {
            return Ok(());
        }
        if self.taken && self.strips.is_none() {
            self.strips = Some(self.strips()?);
        }
        let tokens = self.tokens()?;
        self.held = if tree {
            Held::Tree(Box::new(Searched::new(&self.device, &tokens, self.grid, self.matrix)?))
        } else {
            Held::Brute(Box::new(State::new(&self.device, &tokens, self.grid, self.matrix)?))
        };
        Ok(())
    }
}

/// Whether a tree may take steps of this kind.
fn searches(plan: choice::Plan, (n, d): (usize, usize), mask: Mask) -> bool {
    mask == Mask::Full
        && match plan {
            choice::Plan::Brute | choice::Plan::Norm => false,
            choice::Plan::Tree => d <= WIDEST,
            choice::Plan::Auto => n >= FEWEST && d <= DIMENSIONS,
        }
}
