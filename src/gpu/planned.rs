//! Which plan runs: what was asked for where it can be had, or the cheapest.
//!
//! A causal mask, under which equal tokens see different keys, and large d are brute force's. Else `auto` lets a tree take
//! a step and counts its tests: brute force takes over where they come near to all pairs, and the tree is tried again
//! after some steps, since a cloud that clusters becomes easier.

use super::adapter::Adapter;
use super::device::Device;
use super::memory::Memory;
use super::plan::Plan;
use super::report::Tests;
use super::search::{self, Searched, WIDEST};
use super::state::State;
use crate::choice;
use crate::contract::{Grid, Step};
use crate::error::{Error, Result};
use crate::model::Mask;
use crate::outcome::{Effort, StepReport, Strips};
use crate::tokens::{Precision, Tokens};

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

#[derive(Default)]
enum Held {
    Brute(Box<State>),
    Tree(Box<Searched>),
    /// Given up for another that the device then refused.
    #[default]
    Lost,
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
    /// [`Error::Memory`] before anything is allocated; a plan that is not there; device failures.
    pub fn new(device: &Device, tokens: &Tokens, grid: Grid, matrix: bool, asked: choice::Plan) -> Result<Self> {
        let shape = (tokens.n(), tokens.d());
        Self::require(asked, shape.1)?;
        let mut held = Held::Lost;
        if searches(asked, shape, Mask::Full) {
            match Searched::new(device, tokens, grid, matrix) {
                Ok(tree) => held = Held::Tree(Box::new(tree)),
                // Asked for, it is an error.
                Err(Error::Memory { .. }) if asked == choice::Plan::Auto => {}
                Err(error) => return Err(error),
            }
        }
        let rest = if matches!(held, Held::Lost) { usize::MAX } else { 0 };
        if matches!(held, Held::Lost) {
            held = Held::Brute(Box::new(State::new(device, tokens, grid, matrix)?));
        }
        let device = device.clone();
        Ok(Self { device, grid, matrix, asked, shape, held, taken: false, strips: None, rest, interval: REST[0] })
    }

    /// Whether a GPU has the plan for tokens in R^d.
    ///
    /// # Errors
    /// It has not.
    pub fn require(plan: choice::Plan, d: usize) -> Result<()> {
        match plan {
            choice::Plan::Norm => Err(Error::input("the gpu engine has no plan \"norm\"; take auto, brute or tree")),
            choice::Plan::Tree if d > WIDEST => Err(Error::input(format!(
                "the gpu engine searches by a tree up to d = {WIDEST}, and d is {d}; take auto, brute or --engine cpu"
            ))),
            _ => Ok(()),
        }
    }

    /// What a run of n tokens in R^d takes at most on an adapter.
    ///
    /// # Errors
    /// [`Error::Memory`], if it is more than there is; a plan that is not there.
    pub fn memory(
        asked: choice::Plan,
        (n, d): (usize, usize),
        precision: Precision,
        matrix: bool,
        mask: Mask,
        adapter: &Adapter,
    ) -> Result<Memory> {
        Self::require(asked, d)?;
        let (limits, available) = (adapter.limits(), adapter.memory());
        let within = |memory: Memory| {
            available.map_or(Ok(()), |available| memory.check_total(available))?;
            Ok(memory)
        };
        let brute = || Plan::new(n, d, precision, matrix, &limits).and_then(|plan| within(plan.memory));
        if !searches(asked, (n, d), mask) {
            return brute();
        }
        let tree = search::memory(n, d, precision, matrix, &limits).and_then(within);
        if asked == choice::Plan::Tree {
            return tree;
        }
        // One or the other, whichever a step is for.
        let brute = brute()?;
        Ok(tree.ok().filter(|tree| tree.total() > brute.total()).unwrap_or(brute))
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
                Held::Brute(_) | Held::Tree(_) | Held::Lost => alike,
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
                Held::Lost => return Err(lost()),
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
            Held::Lost => Err(lost()),
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
            Held::Lost => Err(lost()),
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
            Held::Lost => Err(lost()),
        }
    }

    /// How the last step was computed.
    pub fn effort(&self) -> Effort {
        let (n, _) = self.shape;
        match &self.held {
            Held::Brute(_) | Held::Lost => {
                Effort { plan: choice::Plan::Brute, keys_a_row: n as f64, boxes_a_row: 0.0, distinct: n }
            }
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
        // The device need not have room for both.
        self.held = Held::Lost;
        self.held = if tree {
            Held::Tree(Box::new(Searched::new(&self.device, &tokens, self.grid, self.matrix)?))
        } else {
            Held::Brute(Box::new(State::new(&self.device, &tokens, self.grid, self.matrix)?))
        };
        Ok(())
    }
}

fn lost() -> Error {
    Error::device("the tokens are lost with the device's refusal of a plan; start again")
}

/// Whether a tree may take steps of this kind.
fn searches(plan: choice::Plan, (n, d): (usize, usize), mask: Mask) -> bool {
    mask == Mask::Full
        && match plan {
            choice::Plan::Brute | choice::Plan::Norm => false,
            choice::Plan::Tree => true,
            choice::Plan::Auto => n >= FEWEST && d <= DIMENSIONS,
        }
}
