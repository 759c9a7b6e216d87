//! The GPU's engines behind the trait, and what opening one needs. Their inside is asynchronous;
//! each call of the trait waits for it once.

use pollster::block_on;

use crate::choice::Plan;
use crate::engine::interface::{Engine, Rounding};
use crate::engine::keys::with_keys;
use crate::engine::plans::{compared_by_pairs, only_brute, own};
use crate::engine::several::{Part, Several};
use crate::engine::step::Step;
use crate::error::{Error, Result};
use crate::exact::Grid;
pub(super) use crate::gpu::{Adapter, Device, Wanted};
use crate::gpu::{Computed, ExactGpu, Needs, Options, RealGpu, RealLayout, Share, or_largest};
use crate::interrupt::Interrupt;
use crate::model::{Model, Scoring};
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::ranks::{Shared, agree, local_rank};
use crate::tokens::{Precision, Tokens};

/// The largest coordinate of a cloud must not be below this, so that a token a hundred million times
/// smaller is still a normal number: WGSL lets a driver flush others to 0.
const SMALLEST_CLOUD: f64 = 1e-30;

/// The GPU engine on an opened device.
///
/// # Errors
/// Not enough memory; a model without kernels; a plan that the engine lacks; tokens of a rule in real
/// numbers that are all but 0; device failures.
pub fn on_gpu(device: &Device, plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    with_keys(model, tokens, grid, |tokens| Ok(part(device, plan, model, tokens, grid)?))
}

/// The GPU engine on some opened devices, of which each computes a share of the rows of every step. One
/// that is listed twice computes two.
///
/// # Errors
/// As [`on_gpu`]; no device.
pub fn on_gpus(devices: &[Device], plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    if let [device] = devices {
        return on_gpu(device, plan, model, tokens, grid);
    }
    with_keys(model, tokens, grid, |tokens| several(devices, plan, model, tokens, grid))
}

fn several(devices: &[Device], plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    let open = |plan| devices.iter().map(|device| part(device, plan, model, tokens, grid)).collect::<Result<Vec<_>>>();
    let mut parts = open(plan)?;
    let Some(first) = parts.first() else { return Err(Error::device("no GPU adapter to share rows out over")) };
    // Under `auto` a device without memory for a tree compares all pairs, and then they all do.
    if parts.iter().any(|part| part.plan() != first.plan()) {
        drop(parts);
        parts = open(Plan::Brute)?;
    }
    Ok(Box::new(Several::new(parts, tokens.n())?))
}

/// The GPU engine on several ranks, each of which has an adapter ([`Adapter::of_process`]) and computes its share of the
/// rows of every step.
///
/// # Errors
/// As [`on_gpu`], on any rank.
pub(super) fn on_ranks(
    ranks: &Shared,
    plan: Plan,
    model: &Model,
    tokens: &Tokens,
    grid: Grid,
) -> Result<Box<dyn Engine>> {
    let (all, shape) = (ranks.as_ref(), (tokens.n(), tokens.d()));
    let open = |plan, device: &Device| agree(all, part(device, plan, model, tokens, grid));
    let adapter = agree(all, Adapter::of_process(local_rank()))?;
    agree(all, need(std::slice::from_ref(&adapter), plan, model, shape, tokens.precision()))?;
    let device = agree(all, Device::open(&adapter))?;
    let mut own = open(plan, &device)?;
    let plans = all.all_gather(own.plan().name().as_bytes())?;
    if plans.iter().any(|plan| plan != plans.of(0)) {
        drop(own);
        own = open(Plan::Brute, &device)?; // as on several adapters of one process
    }
    Ok(Box::new(Several::among(ranks.clone(), vec![own], tokens.n())?))
}

fn part(device: &Device, plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Part>> {
    require(plan, model, tokens.d(), tokens.precision())?;
    if !model.is_exact() {
        let largest = tokens.largest_magnitude();
        if largest > 0.0 && largest < SMALLEST_CLOUD {
            return Err(Error::input(format!(
                "the largest coordinate is {largest:.1e}, and a GPU may take numbers below {:.1e} for 0: scale the tokens \
                 to {SMALLEST_CLOUD:e} or more, or take --engine cpu",
                f32::MIN_POSITIVE
            )));
        }
        return Ok(Box::new(block_on(RealGpu::new(device, tokens, model))?));
    }
    let plain = model.heads.iter().all(|head| head.scores.is_identity());
    let plan = if model.mask.is_prefix() { plan } else { Plan::Brute };
    let options = Options { plan, scoring: model.scoring, mask: model.mask, ..Options::default() };
    Ok(Box::new(block_on(ExactGpu::new(device, tokens, grid, !plain, options))?))
}

/// Checks that the GPU engine has this model at this precision, and this plan for it.
fn require(plan: Plan, model: &Model, d: usize, precision: Precision) -> Result<()> {
    if model.graph.is_some() {
        let mend = "which the gpu engine does not read; take cpu or auto, which is cpu here";
        return Err(Error::at_key("model.mask", format!("is a graph, {mend}")));
    }
    if let (Some(key), Some(given)) = (model.own_key(), own(model)) {
        let given = given.strip_prefix(&key).unwrap_or_default();
        let mend = "which the gpu engine does not read; take cpu or auto, which is cpu here";
        return Err(Error::at_key(key, format!("{}, {mend}", given.trim_start())));
    }
    if model.is_exact() {
        if let Some(given) = compared_by_pairs(model) {
            return only_brute(plan, &format!("the gpu engine, where {given},"));
        }
        return match plan {
            Plan::Auto | Plan::Brute => ExactGpu::require(plan, d),
            _ if model.scoring == Scoring::Distance => Err(Error::input(format!(
                "the gpu engine has no plan {:?} where scores are distances; take auto, brute or --engine cpu",
                plan.name()
            ))),
            _ => ExactGpu::require(plan, d),
        };
    }
    only_brute(plan, &format!("the gpu engine's {}", model.name()))?;
    RealGpu::require_single(precision, model)
}

/// The adapters, why they were taken, and the memory that n tokens in R^d take on each, as text.
///
/// # Errors
/// A plan or a rule that the engine lacks; more memory than an adapter has.
pub(super) fn need(
    adapters: &[Adapter],
    plan: Plan,
    model: &Model,
    (n, d): (usize, usize),
    precision: Precision,
) -> Result<String> {
    require(plan, model, d, precision)?;
    let each = adapters.iter().map(|adapter| need_on(adapter, plan, model, (n, d), precision));
    let shared =
        if adapters.len() > 1 { format!(", rows shared by {} adapters,", adapters.len()) } else { String::new() };
    Ok(format!("GPU engine{shared} on {}", each.collect::<Result<Vec<_>>>()?.join("; ")))
}

/// One adapter of [`need`].
fn need_on(
    adapter: &Adapter,
    plan: Plan,
    model: &Model,
    (n, d): (usize, usize),
    precision: Precision,
) -> Result<String> {
    let available = adapter.memory();
    let memory = or_largest(n, |n| {
        if model.is_exact() {
            let matrix = model.heads.iter().any(|head| !head.scores.is_identity());
            let by_pairs = model.scoring == Scoring::Distance || !model.mask.is_prefix();
            let plan = if by_pairs { Plan::Brute } else { plan };
            return ExactGpu::memory(plan, (n, d), precision, matrix, adapter);
        }
        let memory = RealLayout::new(n, d, Needs::of(model), &adapter.limits(), adapter.card_memory())?.memory;
        available.map_or(Ok(()), |available| memory.check_total(available))?;
        Ok(memory)
    })?;
    let (number, name, kind, why) = (adapter.number(), adapter.name(), adapter.kind(), adapter.why());
    let of = available.map_or(String::new(), |bytes| format!(" of {bytes}"));
    Ok(format!(
        "{number} {name} ({kind}; {why}): {}{of} bytes of memory, {} rows a slice",
        memory.total(),
        memory.slice_rows
    ))
}

fn description(adapter: &Adapter) -> Description {
    Description {
        engine: "gpu".into(),
        device: format!("{} ({}, {})", adapter.name(), adapter.kind(), adapter.backend()),
        driver: adapter.driver(),
    }
}

impl Engine for ExactGpu {
    fn description(&self) -> Description {
        description(self.device().adapter())
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.heed(interrupt);
    }

    fn rounding(&self) -> Rounding {
        Rounding::Single
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let steps = steps.iter().map(|step| step.exact().cloned()).collect::<Result<Vec<_>>>()?;
        block_on(self.step(&steps))
    }

    fn tokens(&mut self) -> Result<Tokens> {
        block_on((*self).tokens())
    }

    fn effort(&self) -> Option<Effort> {
        self.effort()
    }

    fn strips(&mut self) -> Result<Strips> {
        block_on((*self).strips())
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        block_on(self.masks(step.exact()?, rows))
    }
}

impl Part for ExactGpu {
    fn plan(&self) -> Plan {
        self.plan()
    }

    fn stages(&self, _: &Step) -> Result<usize> {
        Ok(1)
    }

    fn compute(&mut self, step: &Step, _: usize, share: Share, is_again: bool) -> Result<Option<Computed>> {
        block_on(self.compute(step.exact()?, share, is_again))
    }

    fn accept(&mut self, _: &Step, _: usize, all: &Computed) -> Result<()> {
        block_on(self.accept(all))
    }
}

impl Engine for RealGpu {
    fn description(&self) -> Description {
        description(self.device().adapter())
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.heed(interrupt);
    }

    fn rounding(&self) -> Rounding {
        Rounding::Single
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let steps = steps.iter().map(|step| step.real().cloned()).collect::<Result<Vec<_>>>()?;
        block_on(self.step(&steps))
    }

    fn tokens(&mut self) -> Result<Tokens> {
        block_on((*self).tokens())
    }

    fn strips(&mut self) -> Result<Strips> {
        block_on((*self).strips())
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        block_on(self.masks(step.real()?, rows))
    }
}

impl Part for RealGpu {
    fn plan(&self) -> Plan {
        Plan::Brute
    }

    fn stages(&self, step: &Step) -> Result<usize> {
        Ok(step.real()?.stages.len())
    }

    fn compute(&mut self, step: &Step, stage: usize, share: Share, _: bool) -> Result<Option<Computed>> {
        block_on(self.compute(step.real()?, stage, share)).map(Some)
    }

    fn accept(&mut self, step: &Step, stage: usize, all: &Computed) -> Result<()> {
        block_on(self.accept(step.real()?, stage, all))
    }
}
