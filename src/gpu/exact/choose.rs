//! The choice of a plan: the one asked for, or the cheaper one.
//!
//! Under `auto` a tree takes the first steps of a large cloud. Where its tests come to more than
//! all pairs would cost, brute force takes over, and the tree is tried again after some steps,
//! since a cloud that clusters becomes easier. Tests are counted, not timed: every run of a state
//! takes the same plans.

use crate::choice;
use crate::error::{Error, Result};
use crate::exact::{Grid, Step};
use crate::gpu::adapter::Adapter;
use crate::gpu::device::Device;
use crate::gpu::exact::brute::BruteForce;
use crate::gpu::exact::layout::{Layout, Uses};
use crate::gpu::exact::tree::{self, Tests, TreeSearch, WIDEST};
use crate::gpu::exact::trial::Trial;
use crate::gpu::memory::Memory;
use crate::gpu::pairs::Pairs;
use crate::gpu::resident::require_rows;
use crate::gpu::share::{Computed, Share};
use crate::interrupt::Interrupt;
use crate::model::{Mask, Scoring};
use crate::outcome::{Effort, StepReport, Strips, Traffic};
use crate::space::Upkeep;
use crate::tokens::{Precision, Tokens};

/// Under `auto`, fewer tokens or more dimensions are brute force's.
const FEWEST: usize = 4096;
const DIMENSIONS: usize = 16;

/// The cost of a test of the tree, which each thread makes by itself, in pairs of brute force,
/// which a workgroup shares: an estimate.
const TEST: f64 = 16.0;

/// The cost of a pair by a unit for matrices, and of one that a row reads in a supertile left over, in pairs of
/// brute force, too: estimates.
const BY_UNIT: f64 = 0.25;
const OPENED: f64 = 8.0;

/// The options of a run; none changes a bit of the result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The search for keys.
    pub plan: choice::Plan,
    /// The upkeep of a search's keys.
    pub upkeep: Upkeep,
    /// The score of a pair. Distances are compared by all pairs alone.
    pub scoring: Scoring,
    /// Which keys rows see. Ranges are compared pair by pair.
    pub mask: Mask,
}

impl Options {
    fn pairs(&self) -> Pairs {
        Pairs::of(self.scoring, self.mask, 0.0)
    }
}

/// Tokens on a device, under a plan.
pub struct ExactGpu {
    device: Device,
    grid: Grid,
    matrix: bool,
    options: Options,
    shape: (usize, usize),
    method: Method,
    taken: bool,
    interrupt: Interrupt,
    effort: Option<Effort>,
    /// The strips of the last step, kept where the method no longer has them.
    strips: Option<Strips>,
    /// Under `auto`, where a tree or limbs are worth trying.
    trial: Option<Trial>,
}

/// The method that holds the tokens.
#[derive(Default)]
enum Method {
    Brute(Box<BruteForce>),
    Tree(Box<TreeSearch>),
    /// None: one was given up for another that the device then refused.
    #[default]
    Lost,
}

impl std::fmt::Debug for ExactGpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExactGpu").field("device", &self.device).field("grid", &self.grid).finish_non_exhaustive()
    }
}

impl ExactGpu {
    /// Moves tokens to the device; `matrix` is whether A will be anything but the identity.
    ///
    /// # Errors
    /// [`Error::Memory`] before anything is allocated; a plan that is not there; device failures.
    pub async fn new(device: &Device, tokens: &Tokens, grid: Grid, matrix: bool, options: Options) -> Result<Self> {
        let shape = (tokens.n(), tokens.d());
        Self::require(options.plan, shape.1)?;
        let mut limbs = filters(options, shape.1, device.has_units);
        let (mut method, mut trial) = (Method::Lost, None);
        if searches(options.plan, shape) && options.pairs() == Pairs::default() {
            match TreeSearch::new(device, tokens, grid, matrix, options.upkeep).await {
                Ok(tree) => method = Method::Tree(Box::new(tree)),
                // Asked for, it is an error.
                Err(Error::Memory { .. }) if options.plan == choice::Plan::Auto => {}
                Err(error) => return Err(error),
            }
        }
        if matches!(method, Method::Lost) {
            let brute =
                async |limbs| BruteForce::new(device, tokens, grid, Uses { matrix, limbs }, options.pairs()).await;
            let state = match brute(limbs).await {
                // Not asked for, they are no reason to refuse tokens that fit without.
                Err(Error::Memory { .. }) if limbs && options.plan == choice::Plan::Auto => {
                    limbs = false;
                    brute(limbs).await
                }
                state => state,
            };
            method = Method::Brute(Box::new(state?));
        }
        if options.plan == choice::Plan::Auto && (limbs || matches!(method, Method::Tree(_))) {
            trial = Some(Trial::new());
        }
        let device = device.clone();
        let interrupt = Interrupt::default();
        Ok(Self {
            device,
            grid,
            matrix,
            options,
            shape,
            method,
            taken: false,
            interrupt,
            effort: None,
            strips: None,
            trial,
        })
    }

    /// Whether a GPU has the plan for tokens in R^d.
    ///
    /// # Errors
    /// It has not.
    pub fn require(plan: choice::Plan, d: usize) -> Result<()> {
        match plan {
            choice::Plan::Norm | choice::Plan::Direction => {
                let plan = plan.name();
                Err(Error::input(format!("the gpu engine has no plan {plan:?}; take auto, brute, filter or tree")))
            }
            choice::Plan::Tree | choice::Plan::Opened if d > WIDEST => Err(Error::input(format!(
                "the gpu engine searches by a tree up to d = {WIDEST}, and d is {d}; take auto, brute or --engine cpu"
            ))),
            _ => Ok(()),
        }
    }

    /// The most memory that a run of n tokens in R^d takes on an adapter.
    ///
    /// # Errors
    /// [`Error::Memory`], if it is more than there is; a plan that is not there.
    pub fn memory(
        plan: choice::Plan,
        (n, d): (usize, usize),
        precision: Precision,
        matrix: bool,
        adapter: &Adapter,
    ) -> Result<Memory> {
        Self::require(plan, d)?;
        let (limits, available) = (adapter.limits(), adapter.memory());
        let within = |memory: Memory| {
            available.map_or(Ok(()), |available| memory.check_total(available))?;
            Ok(memory)
        };
        // Whether the units are right is known once a device is open.
        let limbs = filters(Options { plan, ..Options::default() }, d, adapter.has_units());
        let brute_with = |limbs| {
            let layout = Layout::new((n, d), precision, Uses { matrix, limbs }, &limits, adapter.card_memory());
            layout.and_then(|layout| within(layout.memory))
        };
        let brute = || match brute_with(limbs) {
            Err(Error::Memory { .. }) if plan == choice::Plan::Auto => brute_with(false),
            memory => memory,
        };
        if !searches(plan, (n, d)) {
            return brute();
        }
        let tree = tree::memory(n, d, precision, matrix, &limits).and_then(within);
        if plan == choice::Plan::Tree {
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

    /// Looks at an interrupt from now on.
    pub(crate) fn heed(&mut self, interrupt: &Interrupt) {
        self.interrupt = interrupt.clone();
        match &mut self.method {
            Method::Brute(state) => state.heed(interrupt),
            Method::Tree(tree) => tree.heed(interrupt),
            Method::Lost => {}
        }
    }

    /// Applies the steps in order, up to an interrupt.
    ///
    /// # Errors
    /// [`Error::Interrupted`] before the first was taken whole. Device failures; the state is then
    /// undefined.
    pub(crate) async fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        while reports.len() < steps.len() {
            let some = self.turn(steps.len() - reports.len()).await?;
            let group = &steps[reports.len()..][..some];
            // An interrupt leaves the tokens as they were, but the strips are written over.
            (self.taken, self.strips) = (false, None);
            let taken = match &mut self.method {
                Method::Brute(state) => state.step(group).await,
                Method::Tree(_) if group.iter().any(is_by_pairs) => return Err(no_tree()),
                Method::Tree(tree) => tree.step(group).await,
                Method::Lost => return Err(lost()),
            };
            let taken = match taken {
                Err(Error::Interrupted(_)) if !reports.is_empty() => break,
                taken => taken?,
            };
            let is_whole = taken.len() == some;
            reports.extend(taken);
            self.effort = Some(self.last_effort());
            if !is_whole {
                break;
            }
            self.taken = true;
            self.count(some);
        }
        Ok(reports)
    }

    /// Counts some steps that were taken, by which the next plan is chosen.
    fn count(&mut self, steps: usize) {
        let pairs = (self.shape.0 as f64).powi(2);
        if let Some(trial) = &mut self.trial {
            let cost = match &self.method {
                Method::Tree(tree) => TEST * tree.effort().1.total(),
                Method::Brute(state) if state.filters() => BY_UNIT * pairs + OPENED * state.opened() as f64,
                _ => 0.0,
            };
            trial.count(steps, cost, pairs);
        }
    }

    /// The plan of the next step.
    pub(crate) fn plan(&self) -> choice::Plan {
        match &self.method {
            Method::Tree(_) => choice::Plan::Tree,
            Method::Brute(state) if state.filters() => choice::Plan::Filter,
            _ => choice::Plan::Brute,
        }
    }

    /// Computes a share of the next step, whose other shares are computed by engines that were opened
    /// alike and go through the same steps. None if it is to be computed again by all of them.
    ///
    /// # Errors
    /// [`Error::Interrupted`]: the state is as it was. Device failures; the state is then undefined.
    pub(crate) async fn compute(&mut self, step: &Step, share: Share, is_again: bool) -> Result<Option<Computed>> {
        self.turn(1).await?;
        (self.taken, self.strips) = (false, None);
        match &mut self.method {
            Method::Brute(state) => state.compute(step, share).await.map(Some),
            Method::Tree(_) if is_by_pairs(step) => Err(no_tree()),
            Method::Tree(tree) => tree.compute(step, share, is_again).await,
            Method::Lost => Err(lost()),
        }
    }

    /// Takes the step whose shares are all given.
    ///
    /// # Errors
    /// Device failures; the state is then undefined.
    pub(crate) async fn accept(&mut self, all: &Computed) -> Result<()> {
        match &mut self.method {
            Method::Brute(state) => state.accept(all).await?,
            Method::Tree(tree) => tree.accept(all).await?,
            Method::Lost => return Err(lost()),
        }
        self.effort = Some(self.last_effort());
        self.taken = true;
        self.count(1);
        Ok(())
    }

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn tokens(&mut self) -> Result<Tokens> {
        match &mut self.method {
            Method::Brute(state) => state.tokens().await,
            Method::Tree(tree) => tree.tokens().await,
            Method::Lost => Err(lost()),
        }
    }

    /// Argmax and strip size of every row in the last step taken; size 0 for rows of other shares.
    ///
    /// # Errors
    /// Device failures; no step taken yet.
    pub(crate) async fn strips(&mut self) -> Result<Strips> {
        if !self.taken {
            return Err(Error::input("no step has been taken yet"));
        }
        if let Some(strips) = &self.strips {
            return Ok(strips.clone());
        }
        match &mut self.method {
            Method::Brute(state) => state.strips().await,
            Method::Tree(tree) => tree.strips().await,
            Method::Lost => Err(lost()),
        }
    }

    /// C_i of the given rows in the current state, by the decisions a step would take.
    ///
    /// # Errors
    /// Device failures; a row that is not there.
    pub(crate) async fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        require_rows(rows, self.shape.0)?;
        // Masks are made in the places of the rows' records.
        self.keep_strips().await?;
        match &mut self.method {
            Method::Brute(state) => state.masks(step, rows).await,
            Method::Tree(_) if is_by_pairs(step) => Err(no_tree()),
            Method::Tree(tree) => tree.masks(step, rows).await,
            Method::Lost => Err(lost()),
        }
    }

    /// The effort of the last step; `None` before the first.
    pub(crate) fn effort(&self) -> Option<Effort> {
        self.effort
    }

    fn last_effort(&self) -> Effort {
        let traffic = Traffic::default();
        let (n, _) = self.shape;
        match &self.method {
            Method::Brute(state) if state.filters() => {
                let keys_a_row = state.opened() as f64 / n as f64;
                Effort { plan: choice::Plan::Filter, keys_a_row, boxes_a_row: 0.0, rows: n, traffic }
            }
            Method::Brute(_) | Method::Lost => {
                Effort { plan: choice::Plan::Brute, keys_a_row: n as f64, boxes_a_row: 0.0, rows: n, traffic }
            }
            Method::Tree(tree) => {
                let (keys, Tests { keys: scored, boxes }) = tree.effort();
                let a_row = |total: u64| total as f64 / f64::from(keys.max(1));
                let (keys_a_row, boxes_a_row) = (a_row(scored), a_row(boxes));
                Effort { plan: choice::Plan::Tree, keys_a_row, boxes_a_row, rows: keys as usize, traffic }
            }
        }
    }

    async fn keep_strips(&mut self) -> Result<()> {
        if self.taken && self.strips.is_none() {
            self.strips = Some(self.strips().await?);
        }
        Ok(())
    }

    /// Hands the tokens to the method whose turn it is; returns how many of `left` steps it has.
    /// Tokens that change hands go through the host: it happens once in many steps.
    async fn turn(&mut self, left: usize) -> Result<usize> {
        let Some(trial) = &self.trial else { return Ok(left) };
        let (others, some) = (!trial.rests(), trial.steps().min(left));
        let tree = others && searches(self.options.plan, self.shape);
        if let Method::Brute(state) = &mut self.method {
            state.filter(others);
        }
        if tree != matches!(self.method, Method::Tree(_)) {
            self.keep_strips().await?;
            let tokens = self.tokens().await?;
            // The device need not have room for both.
            self.method = Method::Lost;
            self.method = if tree {
                let upkeep = self.options.upkeep;
                Method::Tree(Box::new(TreeSearch::new(&self.device, &tokens, self.grid, self.matrix, upkeep).await?))
            } else {
                let uses = Uses { matrix: self.matrix, limbs: false };
                Method::Brute(Box::new(
                    BruteForce::new(&self.device, &tokens, self.grid, uses, self.options.pairs()).await?,
                ))
            };
            self.heed(&self.interrupt.clone());
        }
        Ok(some)
    }
}

fn lost() -> Error {
    Error::device("the tokens are lost with the device's refusal of a plan; start again")
}

fn is_by_pairs(step: &Step) -> bool {
    Pairs::of(step.scoring, step.mask, 0.0) != Pairs::default()
}

fn no_tree() -> Error {
    Error::input("a step of pairs on tokens that were opened for a search; give the options its scoring and its mask")
}

/// Whether limbs may rule supertiles out: asked for, or where a unit makes them and no tree goes first.
fn filters(options: Options, d: usize, has_units: bool) -> bool {
    let wanted = match options.plan {
        choice::Plan::Filter => true,
        choice::Plan::Auto => has_units && d > DIMENSIONS,
        _ => false,
    };
    wanted && options.pairs() == Pairs::default()
}

/// Whether a tree may take steps.
fn searches(plan: choice::Plan, (n, d): (usize, usize)) -> bool {
    match plan {
        choice::Plan::Brute | choice::Plan::Filter | choice::Plan::Norm | choice::Plan::Direction => false,
        choice::Plan::Tree | choice::Plan::Opened => true,
        choice::Plan::Auto => n >= FEWEST && d <= DIMENSIONS,
    }
}
