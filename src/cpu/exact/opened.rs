//! The engine of a rank that holds a part of the tokens ([`crate::cpu::exact::tree::opened`]).

use std::fmt;
use std::io;

use crate::choice::Plan;
use crate::cpu::exact::tree::TreeSearch;
use crate::cpu::exact::tree::opened::{Dealt, Net, Opened, Taken, apart};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::InstructionSet;
use crate::cpu::options::{Options, description, require_rows};
use crate::cpu::share::{Share, Word, take};
use crate::engine::interface::Engine;
use crate::engine::step as engine;
use crate::error::{Error, Result};
use crate::exact::{Grid, Step};
use crate::interrupt::Interrupt;
use crate::model::Mask;
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::ranks::{Ranks, Shared};
use crate::space::{Order, Upkeep};
use crate::threads::Pool;
use crate::tokens::{Coordinates, Precision, Tokens};

/// Tokens that are gathered at once.
const GATHERED: usize = 1 << 18;

/// The CPU engine of one of several ranks, each of which holds a part of the tokens. All calls but
/// [`Engine::description`], [`Engine::effort`] and [`Engine::heed`] are made by all ranks together.
pub struct OpenedCpu {
    state: Box<dyn Part>,
    grid: Grid,
    set: InstructionSet,
    pool: Pool,
    share: Share,
    stepped: bool,
    effort: Option<Effort>,
    /// Bytes that all ranks have given in the last step.
    told: u64,
}

impl fmt::Debug for OpenedCpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedCpu").field("grid", &self.grid).field("set", &self.set).finish_non_exhaustive()
    }
}

impl OpenedCpu {
    /// Opens the engine on what was dealt out to this rank, which is moved to the grid. All ranks open it with the same
    /// options, and take the same steps, whose rows see what `mask` says.
    ///
    /// # Errors
    /// As [`crate::cpu::ExactCpu::new`].
    pub fn new(ranks: Shared, dealt: Dealt, grid: Grid, mask: Mask, options: Options) -> Result<Self> {
        Self::require(dealt.n)?;
        let set = InstructionSet::choose(options.set)?;
        let pool = Pool::start(options.threads)?;
        let state: Box<dyn Part> = pool.install(|| match grid.precision {
            Precision::F32 => Box::new(Opened::<f32>::new(dealt, grid, set, options.upkeep, mask)) as _,
            Precision::F64 => Box::new(Opened::<f64>::new(dealt, grid, set, options.upkeep, mask)) as _,
        });
        Ok(Self { state, grid, set, pool, share: Share::of(ranks), stepped: false, effort: None, told: 0 })
    }

    /// Checks that n tokens can be held in parts: the two largest counts mark rows.
    ///
    /// # Errors
    /// More tokens.
    pub fn require(n: usize) -> Result<()> {
        const MOST: usize = u32::MAX as usize - 2;
        if n <= MOST {
            return Ok(());
        }
        Err(Error::input(format!("n = {n} tokens; plan opened takes at most {MOST}, so take plan tree, or fewer")))
    }

    /// Bytes of tokens that are dealt out or gathered, where there are `n`: told, as MPI's copy, as all ranks have
    /// them, and as they are handed on.
    pub(super) fn slice(n: usize, d: usize) -> u64 {
        (4 * n.min(GATHERED) as u64).saturating_mul(8 * d as u64 + 4)
    }

    /// Bytes that all ranks together have given in the last step.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// Gives rank 0 the tokens that it asks for ([`Engine::tokens`], [`Engine::masks`]), and keeps none.
    ///
    /// # Errors
    /// A rank that cannot be reached.
    pub fn give_tokens(&self) -> Result<()> {
        self.state.gather(self.share.ranks(), &mut |_, _| ())
    }

    /// Every token's lattice coordinates, row-major.
    fn coordinates(&self) -> Result<Vec<i64>> {
        let (n, d) = self.state.shape();
        let mut all = vec![0; n * d];
        self.state.gather(self.share.ranks(), &mut |id, x| all[id * d..][..d].copy_from_slice(x))?;
        Ok(all)
    }
}

impl Engine for OpenedCpu {
    fn description(&self) -> Description {
        description(self.set, &self.pool, &self.share)
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.share.interrupt = interrupt.clone();
    }

    fn step(&mut self, steps: &[engine::Step]) -> Result<Vec<StepReport>> {
        let n = self.state.shape().0;
        self.share.clone().whole_steps(steps, |step| {
            let step = step.exact()?;
            self.stepped = false;
            let Share { interrupt, .. } = &self.share;
            let net = &mut Net::new(self.share.ranks());
            let taken = self.share.install(&self.pool, n, || self.state.step(step, interrupt, net))?;
            let Taken { report, tally, keys, traffic, told } = taken;
            self.told = told;
            let a_row = |total: u64| total as f64 / keys.max(1) as f64;
            self.effort = Some(Effort {
                plan: Plan::Opened,
                keys_a_row: a_row(tally.scores),
                boxes_a_row: a_row(tally.boxes),
                rows: keys as usize,
                traffic,
            });
            self.stepped = true;
            Ok(report)
        })
    }

    fn tokens(&mut self) -> Result<Tokens> {
        // In the stored width at once: rank 0 may have no room for more.
        let (shape, precision) = (self.state.shape(), self.grid.precision);
        Tokens::from_slices(shape, precision, |take| self.each_slice(take))
    }

    fn each_slice(&mut self, take: &mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()> {
        let (ranks, real) = (self.share.ranks(), self.grid.reals());
        match self.grid.precision {
            Precision::F32 => slices(self.state.as_ref(), ranks, |x| real(x) as f32, take),
            Precision::F64 => slices(self.state.as_ref(), ranks, real, take),
        }
    }

    fn is_parted(&self) -> bool {
        true
    }

    fn effort(&self) -> Option<Effort> {
        self.effort
    }

    fn strips(&mut self) -> Result<Strips> {
        if !self.stepped {
            return Err(Error::input("no step has been taken yet, or the last was interrupted"));
        }
        let n = self.state.shape().0;
        let mut strips = Strips { argmax: vec![0; n], count: vec![0; n] };
        let all = self.share.ranks().all_gather(&self.state.strips())?;
        for mut told in all.iter() {
            let mut row = [0u32; 3];
            while take(&mut told, &mut row).is_some() {
                let [id, argmax, count] = row;
                (strips.argmax[id as usize], strips.count[id as usize]) = (argmax, count);
            }
        }
        Ok(strips)
    }

    fn masks(&mut self, step: &engine::Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        // The other ranks are at it: what is wrong with the rows comes after.
        let all = self.coordinates()?;
        let (step, (n, _)) = (step.exact()?, self.state.shape());
        require_rows(rows, n)?;
        Ok(self.pool.install(|| self.state.masks(&all, step, rows)))
    }
}

/// Gives `take` the tokens of all ranks, of which each gives its own, whatever becomes of them.
fn slices<X: Copy + Default>(
    state: &dyn Part,
    ranks: &dyn Ranks,
    real: impl Fn(i64) -> X,
    take: &mut dyn FnMut(&Coordinates) -> io::Result<()>,
) -> io::Result<()>
where
    Coordinates: From<Vec<X>>,
{
    let (n, d) = state.shape();
    let room = |start: usize| vec![X::default(); GATHERED.min(n - start) * d];
    let (mut start, mut slice, mut rows, mut taken) = (0, room(0), 0, Ok(()));
    let mut put = |id: usize, row: &[i64]| {
        slice[(id - start) * d..][..d].iter_mut().zip(row).for_each(|(x, &coordinate)| *x = real(coordinate));
        rows += 1;
        if rows * d == slice.len() {
            (start, rows) = (start + rows, 0);
            let full = std::mem::replace(&mut slice, room(start));
            if taken.is_ok() {
                taken = take(&full.into());
            }
        }
    };
    state.gather(ranks, &mut put).map_err(io::Error::other)?;
    taken
}

/// A part of the tokens, of either precision.
trait Part: Send + Sync {
    fn shape(&self) -> (usize, usize);
    fn step(&mut self, step: &Step, interrupt: &Interrupt, net: &mut Net<'_>) -> Result<Taken>;
    /// Calls `keep` with every token and its coordinates.
    fn gather(&self, ranks: &dyn Ranks, keep: &mut dyn FnMut(usize, &[i64])) -> Result<()>;
    /// Index, argmax and strip size of every token held, as bytes.
    fn strips(&self) -> Vec<u8>;
    /// The masks of some rows among all tokens.
    fn masks(&self, all: &[i64], step: &Step, rows: &[usize]) -> Vec<Vec<u32>>;
}

impl<W: Width> Part for Opened<W> {
    fn shape(&self) -> (usize, usize) {
        self.shape()
    }

    fn step(&mut self, step: &Step, interrupt: &Interrupt, net: &mut Net<'_>) -> Result<Taken> {
        Ok(self.step(step, interrupt, net)?)
    }

    fn gather(&self, ranks: &dyn Ranks, keep: &mut dyn FnMut(usize, &[i64])) -> Result<()> {
        let (n, d) = self.shape();
        let mut held = self.tokens().peekable();
        let (mut ids, mut rows, mut kept) = (Vec::new(), Vec::new(), vec![0; d]);
        for end in (0..n).step_by(GATHERED).map(|start| n.min(start + GATHERED)) {
            let mut told = Vec::new();
            rows.clear();
            while let Some((id, x)) = held.next_if(|(id, _)| (*id as usize) < end) {
                id.put(&mut told);
                rows.extend_from_slice(x);
            }
            for x in &rows {
                x.put(&mut told);
            }
            for mut told in ranks.all_gather(&told)?.iter() {
                let count = told.len() / (u32::BYTES + d * <W::Int as Word>::BYTES);
                ids.resize(count, 0u32);
                rows.resize(count * d, W::Int::default());
                let is_whole = take(&mut told, &mut ids).is_some() && take(&mut told, &mut rows).is_some();
                if !is_whole {
                    return Err(apart());
                }
                for (id, row) in ids.iter().zip(rows.chunks_exact(d)) {
                    kept.iter_mut().zip(row).for_each(|(kept, &x)| *kept = Integer::to_i64(x));
                    keep(*id as usize, &kept);
                }
            }
        }
        Ok(())
    }

    fn strips(&self) -> Vec<u8> {
        let mut told = Vec::new();
        self.strips().flatten().for_each(|x: u32| x.put(&mut told));
        told
    }

    fn masks(&self, all: &[i64], step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        let (d, x) = (self.shape().1, all.iter().map(|&x| W::Int::of(x)).collect());
        TreeSearch::<W>::new(x, d, self.set(), Order::Space, Upkeep::default(), step.mask).masks(step, rows)
    }
}
