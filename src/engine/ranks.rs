//! One engine on several ranks ([`crate::ranks`]): the CPU engine of each or a GPU's, which computes its share of the
//! rows and holds all of them or, where its state is parted, its own. Rank 0 leads: it is an engine like any other to a
//! run, and what it is asked for it has the others do too.

use std::borrow::Cow;
use std::io;

use crate::choice::{EngineChoice, Plan};
use crate::cpu::{self, Dealt, ExactCpu, InstructionSet, OpenedCpu, RealCpu};
use crate::engine::gpu;
use crate::engine::held::{Held, Shape};
use crate::engine::interface::{Engine, Rounding};
use crate::engine::orders::{Order, Outline};
use crate::engine::parted::PartedEngine;
use crate::engine::plans::{cpu_plan, has_thin_strips, taken};
use crate::engine::preflight::When;
use crate::engine::step::{Step, Steps};
use crate::error::{Error, Result};
use crate::exact::{Grid, VERSION};
use crate::interrupt::Interrupt;
use crate::model::{Model, Scoring};
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::ranks::{Ranks, Shared, agree};
use crate::tokens::{Coordinates, Precision, Slices, Tokens};

/// The CPU engine on one of several ranks, all of which open it alike and then make the same calls.
///
/// # Errors
/// On all ranks, as [`crate::engine::on_cpu`] on one of them; other tokens or another program than rank 0.
pub fn on_ranks(ranks: &Shared, plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    require_tokens_alone(model)?;
    Ok(match Member::open(ranks, (EngineChoice::Cpu, plan), model, tokens, grid)? {
        Member::Whole(engine) | Member::Cards(engine) => engine,
        Member::Parted(engine) => engine,
    })
}

/// Refuses fixed keys.
fn require_tokens_alone(model: &Model) -> Result<()> {
    match &model.keys {
        Some(keys) => {
            let mend = "run it without mpirun, or with one rank";
            Err(Error::input(format!("tokens.keys has {} fixed keys, which ranks do not share yet: {mend}", keys.n())))
        }
        None => Ok(()),
    }
}

/// The engine of one rank.
enum Member {
    /// It holds all tokens.
    Whole(Box<dyn Engine>),
    /// It holds a part of them.
    Parted(Box<PartedEngine>),
    /// It holds all tokens, on a GPU, and looks at the rows of one that computed them.
    Cards(Box<dyn Engine>),
}

impl Member {
    /// The engine on tokens that all ranks have.
    fn open(
        ranks: &Shared,
        (engine, plan): (EngineChoice, Plan),
        model: &Model,
        tokens: &Tokens,
        grid: Grid,
    ) -> Result<Self> {
        let shape =
            Shape::of(ranks.size(), plan, model, (tokens.n(), tokens.d()), tokens.precision()).on(engine, false);
        if shape.held != Held::Cards {
            agree(ranks.as_ref(), cpu_plan(plan, model, tokens.d()))?;
        }
        shape.require(ranks.as_ref(), When::Open)?;
        let set = Some(common_set(ranks.as_ref(), tokens.hash().as_bytes())?);
        if shape.held == Held::Cards {
            return gpu::on_ranks(ranks, plan, model, tokens, grid).map(Self::Cards);
        }
        let (thin, near) = (has_thin_strips(model), model.scoring == Scoring::Distance);
        let plan = taken(plan, model);
        let options = cpu::Options { set, plan, thin, near, ..cpu::Options::default() };
        let opened = if !model.is_exact() {
            RealCpu::among(ranks.clone(), tokens, options).map(|engine| Self::Whole(Box::new(engine)))
        } else if shape.is_parted() {
            let dealt = Dealt::of(tokens, ranks.as_ref())?;
            PartedEngine::open(ranks, model.mask, dealt, grid, (options, shape))
                .map(|engine| Self::Parted(Box::new(engine)))
        } else {
            ExactCpu::among(ranks.clone(), tokens, grid, options).map(|engine| Self::Whole(Box::new(engine)))
        };
        agree(ranks.as_ref(), opened)
    }

    /// The engine on what was dealt out to each rank, which its lattice rounds.
    fn hold(ranks: &Shared, plan: Plan, model: &Model, dealt: Dealt, grid: Grid) -> Result<Self> {
        agree(ranks.as_ref(), cpu_plan(plan, model, dealt.d()))?;
        let shape = Shape::of(ranks.size(), plan, model, (dealt.n(), dealt.d()), grid.precision);
        shape.require(ranks.as_ref(), When::Open)?;
        let set = Some(common_set(ranks.as_ref(), &[])?);
        let (thin, near) = (has_thin_strips(model), model.scoring == Scoring::Distance);
        let options = cpu::Options { set, plan, thin, near, ..cpu::Options::default() };
        let opened = PartedEngine::open(ranks, model.mask, dealt, grid, (options, shape));
        agree(ranks.as_ref(), opened.map(|engine| Self::Parted(Box::new(engine))))
    }

    /// The engine on a part of the tokens, all of which rank 0 alone has.
    fn deal(ranks: &Shared, outline: &Outline, model: &Model, tokens: Option<&mut dyn Slices>) -> Result<Self> {
        let &Outline { plan, grid, n, d, .. } = outline;
        Shape::of(ranks.size(), plan, model, (n, d), grid.precision).require(ranks.as_ref(), When::Open)?;
        let dealt = Dealt::from_first(tokens, (n, d), grid.precision, ranks.as_ref())?;
        Self::hold(ranks, plan, model, dealt, grid)
    }

    fn engine(&mut self) -> &mut dyn Engine {
        match self {
            Self::Whole(engine) | Self::Cards(engine) => engine.as_mut(),
            Self::Parted(engine) => engine.as_mut(),
        }
    }

    fn as_ref(&self) -> &dyn Engine {
        match self {
            Self::Whole(engine) | Self::Cards(engine) => engine.as_ref(),
            Self::Parted(engine) => engine.as_ref(),
        }
    }
}

/// The instruction set of all ranks: costs, and the last bits of rules in real numbers, depend on it.
fn common_set(ranks: &dyn Ranks, tokens: &[u8]) -> Result<InstructionSet> {
    let best = InstructionSet::best();
    let what = [tokens, env!("CARGO_PKG_VERSION").as_bytes(), &VERSION.to_ne_bytes()].concat();
    let has = [best as u8, u8::from(best.has_byte_products())];
    let all = ranks.all_gather(&[&has[..], &what].concat())?;
    if let Some(rank) = all.iter().position(|told| told[2..] != all.of(0)[2..]) {
        return Err(Error::input(format!(
            "rank {rank} has other tokens than rank 0, or another version of localmax; start the same one on all ranks"
        )));
    }
    let avx2 = |told: &[u8]| told[0] >= InstructionSet::Avx2 as u8;
    Ok(match best {
        _ if all.iter().all(|told| told[..2] == has) => best,
        _ if all.iter().all(avx2) => InstructionSet::Avx2,
        _ => InstructionSet::Portable,
    })
}

/// Rank 0, whose end, however it comes, is that of the others.
pub struct Lead(Shared);

impl Lead {
    /// Leads the other ranks, which [`follow`].
    pub fn of(ranks: &Shared) -> Self {
        Self(ranks.clone())
    }

    /// Checks that the ranks have memory for a run of n tokens in R^d beside those that there are, all of which rank 0
    /// brings together if `is_gathered`.
    ///
    /// # Errors
    /// [`Error::Memory`], with the first rank that lacks it; a plan that the engine lacks.
    pub fn require(
        ranks: &Shared,
        (engine, plan): (EngineChoice, Plan),
        model: &Model,
        (n, d): (usize, usize),
        precision: Precision,
        (when, is_gathered): (When, bool),
    ) -> Result<()> {
        require_tokens_alone(model)?;
        let shape = Shape::of(ranks.size(), plan, model, (n, d), precision).on(engine, is_gathered);
        if shape.held != Held::Cards {
            cpu_plan(plan, model, d)?;
        }
        if shape.is_parted() {
            OpenedCpu::require(n)?;
        }
        Order::Fit(shape, when).tell(ranks.as_ref())?;
        shape.require(ranks.as_ref(), when)
    }

    /// Whether each rank holds a part of the tokens of such a run.
    pub fn is_parted(
        ranks: &Shared,
        (engine, plan): (EngineChoice, Plan),
        model: &Model,
        (n, d): (usize, usize),
        precision: Precision,
    ) -> bool {
        Shape::of(ranks.size(), plan, model, (n, d), precision).on(engine, false).is_parted()
    }

    /// Has the other ranks begin a run ([`Systems::part`]), which this one then does too, up to [`Lead::hold`]. The
    /// exponent of the outline's grid says nothing.
    ///
    /// # Errors
    /// A rank that cannot be reached.
    pub fn begin(ranks: &Shared, outline: Outline) -> Result<()> {
        Order::Begin(outline).tell(ranks.as_ref())
    }

    /// Opens an engine on what was dealt out to each rank. It takes steps of `model` alone, of which only their t is
    /// told.
    ///
    /// # Errors
    /// As [`on_ranks`].
    pub fn hold(ranks: &Shared, plan: Plan, model: &Model, dealt: Dealt, grid: Grid) -> Result<Box<dyn Engine>> {
        let engine = Member::hold(ranks, plan, model, dealt, grid)?;
        Ok(Box::new(Leader { engine, ranks: ranks.clone() }))
    }

    /// Opens an engine on all ranks. It takes steps of `model` alone, of which only their t is told.
    ///
    /// # Errors
    /// As [`on_ranks`]; a rank that does not know the system.
    pub fn open(ranks: &Shared, outline: &Outline, tokens: &Tokens, model: &Model) -> Result<Box<dyn Engine>> {
        let (all, &Outline { engine, plan, grid, n, d, .. }) = (ranks.as_ref(), outline);
        if Self::is_parted(ranks, (engine, plan), model, (n, d), grid.precision) {
            return Self::deal(ranks, outline, &mut &*tokens, model);
        }
        Order::Open(outline.clone(), Cow::Borrowed(tokens)).tell(all)?;
        agree(all, Ok(()))?;
        let engine = Member::open(ranks, (engine, plan), model, tokens, grid)?;
        Ok(Box::new(Leader { engine, ranks: ranks.clone() }))
    }

    /// As [`Lead::open`], where each rank is to hold a part of tokens that this one has, or can give in slices.
    ///
    /// # Errors
    /// As [`Lead::open`]; tokens that cannot be had.
    pub fn deal(ranks: &Shared, outline: &Outline, tokens: &mut dyn Slices, model: &Model) -> Result<Box<dyn Engine>> {
        Order::Deal(outline.clone()).tell(ranks.as_ref())?;
        agree(ranks.as_ref(), Ok(()))?;
        let engine = Member::deal(ranks, outline, model, Some(tokens))?;
        Ok(Box::new(Leader { engine, ranks: ranks.clone() }))
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // In a panic the ranks are anywhere, and the transport ends them.
        if self.0.size() > 1 && !std::thread::panicking() {
            let _ = Order::End.tell(self.0.as_ref());
        }
    }
}

/// The engine of rank 0.
struct Leader {
    engine: Member,
    ranks: Shared,
}

impl Leader {
    /// Has the other ranks take part in a call, where each holds a part of the tokens.
    fn call(&self, order: &Order) -> Result<()> {
        if let Member::Parted(_) = self.engine { order.tell(self.ranks.as_ref()) } else { Ok(()) }
    }
}

impl Engine for Leader {
    fn description(&self) -> Description {
        self.engine.as_ref().description()
    }

    fn rounding(&self) -> Rounding {
        self.engine.as_ref().rounding()
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.engine.engine().heed(interrupt);
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        Order::Steps(steps.iter().map(Step::t).collect()).tell(self.ranks.as_ref())?;
        self.engine.engine().step(steps)
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.call(&Order::Tokens)?;
        self.engine.engine().tokens()
    }

    fn each_slice(&mut self, take: &mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()> {
        self.call(&Order::Tokens).map_err(io::Error::other)?;
        self.engine.engine().each_slice(take)
    }

    fn is_parted(&self) -> bool {
        self.engine.as_ref().is_parted()
    }

    fn effort(&self) -> Option<Effort> {
        self.engine.as_ref().effort()
    }

    fn strips(&mut self) -> Result<Strips> {
        match self.engine {
            Member::Parted(_) | Member::Cards(_) => Order::Strips.tell(self.ranks.as_ref())?,
            Member::Whole(_) => {}
        }
        self.engine.engine().strips()
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        match self.engine {
            Member::Parted(_) => Order::Tokens.tell(self.ranks.as_ref())?,
            Member::Cards(_) => Order::Masks(step.t(), rows.to_vec()).tell(self.ranks.as_ref())?,
            Member::Whole(_) => {}
        }
        self.engine.engine().masks(step, rows)
    }
}

/// What a rank other than 0 knows of the systems that rank 0 names.
pub trait Systems {
    /// The system.
    ///
    /// # Errors
    /// One that this rank does not know.
    fn model(&self, outline: &Outline) -> Result<Model>;

    /// The system, with what is dealt out to this rank of its first state, and the lattice of that: made by all ranks
    /// together.
    ///
    /// # Errors
    /// One that some rank does not know, or cannot begin; the same on all ranks.
    fn part(&self, outline: &Outline, ranks: &dyn Ranks) -> Result<(Model, Dealt, Grid)> {
        agree(ranks, Err(Error::input(format!("no first state of {} is known", outline.system))))
    }
}

impl<F: Fn(&Outline) -> Result<Model>> Systems for F {
    fn model(&self, outline: &Outline) -> Result<Model> {
        self(outline)
    }
}

/// Does on a rank other than 0 what rank 0 asks for, until that ends. A raised `interrupt` ends the run, as on rank 0.
///
/// # Errors
/// Another rank has ended, or cannot be reached. All other errors are those of rank 0, which tells them.
pub fn follow(ranks: &Shared, interrupt: &Interrupt, systems: &impl Systems) -> Result<()> {
    let mut held: Option<(Member, Steps)> = None;
    loop {
        match Order::hear(ranks.as_ref())? {
            Order::End => return Ok(()),
            Order::Fit(shape, when) => {
                if let Err(error @ Error::Device(_)) = shape.require(ranks.as_ref(), when) {
                    return Err(error);
                }
            }
            Order::Open(outline, tokens) => {
                held = None; // before there is a second one
                let Ok(model) = agree(ranks.as_ref(), systems.model(&outline)) else { continue };
                let how = (outline.engine, outline.plan);
                let Ok(mut engine) = Member::open(ranks, how, &model, &tokens, outline.grid) else { continue };
                engine.engine().heed(interrupt);
                held = Some((engine, Steps::new(&model, outline.grid, outline.d)));
            }
            Order::Deal(outline) => {
                held = None;
                let Ok(model) = agree(ranks.as_ref(), systems.model(&outline)) else { continue };
                let Ok(mut engine) = Member::deal(ranks, &outline, &model, None) else { continue };
                engine.engine().heed(interrupt);
                held = Some((engine, Steps::new(&model, outline.grid, outline.d)));
            }
            Order::Begin(outline) => {
                held = None;
                let Ok((model, dealt, grid)) = systems.part(&outline, ranks.as_ref()) else { continue };
                let d = dealt.d();
                let Ok(mut engine) = Member::hold(ranks, outline.plan, &model, dealt, grid) else { continue };
                engine.engine().heed(interrupt);
                held = Some((engine, Steps::new(&model, grid, d)));
            }
            Order::Steps(t) => {
                let Some((engine, steps)) = &mut held else { return Err(Error::device("a step of no engine")) };
                let batch: Vec<Step> = t.into_iter().map(|t| steps.at(t)).collect::<Result<_>>()?;
                // A device that is lost rank 0 hears of, which then ends the run.
                let (taken, is_card) = (engine.engine().step(&batch), matches!(engine, Member::Cards(_)));
                if let Err(error @ Error::Device(_)) = taken
                    && !is_card
                {
                    return Err(error);
                }
            }
            Order::Tokens => match &held {
                Some((Member::Parted(engine), _)) => engine.give_tokens()?,
                _ => return Err(Error::device("the tokens of no engine")),
            },
            Order::Strips => match &mut held {
                Some((Member::Parted(engine), _)) => drop(engine.strips()),
                Some((Member::Cards(engine), _)) => drop(engine.strips()),
                _ => return Err(Error::device("the strips of no engine")),
            },
            Order::Masks(t, rows) => match &mut held {
                Some((Member::Cards(engine), steps)) => drop(engine.masks(&steps.at(t)?, &rows)),
                _ => return Err(Error::device("the masks of no engine")),
            },
        }
    }
}
