//! What each of several ranks holds, and whether their machines have it.

use crate::choice::{EngineChoice, Plan};
use crate::cpu::{ExactCpu, OpenedCpu};
use crate::engine::forecast::{Talk, Width};
use crate::engine::plans::{compared_by_pairs, taken};
use crate::engine::preflight::{When, cpu_engine};
use crate::error::{Error, Result};
use crate::machine;
use crate::model::{Model, Scoring};
use crate::ranks::Ranks;
use crate::threads;
use crate::tokens::Precision;

/// Tokens from which on ranks hold a part of them each, where the plan is left open: below, all of them take
/// less than the calls of a step.
const FEWEST_PARTED: usize = 1 << 16;

/// Dimensions up to which they do: beyond, boxes say so little that all are opened.
const MOST_PARTED: usize = 8;

/// The state of a run on several ranks, before it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) n: usize,
    pub(super) d: usize,
    pub(super) precision: Precision,
    pub(super) plan: Plan,
    /// The number of ranks.
    pub(super) size: usize,
    pub(super) held: Held,
    /// Whether the rule is exact, and whether plan `opened` serves it.
    pub(super) is_exact: bool,
    pub(super) may_part: bool,
}

/// What a rank holds of the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// All of them.
    All,
    /// A part of them.
    Part,
    /// A part of them; and rank 0 brings all together from time to time.
    PartAndAll,
    /// All of them, on a GPU.
    Cards,
}

/// Bytes that rank 0, and each other of `size` ranks, takes of a run of n tokens in R^d at precision f32, with this
/// many threads each: under plan `opened`, or with all tokens on all ranks under plan `tree`.
pub fn rank_memory((n, d): (usize, usize), size: usize, threads: usize, is_parted: bool) -> [u64; 2] {
    let plan = if is_parted { Plan::Opened } else { Plan::Tree };
    let shape = Shape {
        n,
        d,
        precision: Precision::F32,
        plan,
        size,
        held: if is_parted { Held::Part } else { Held::All },
        is_exact: true,
        may_part: true,
    };
    [0, 1].map(|rank| shape.bytes(rank, threads, When::Begin))
}

impl Shape {
    pub(super) fn of(size: usize, plan: Plan, model: &Model, (n, d): (usize, usize), precision: Precision) -> Self {
        let is_exact = model.is_exact();
        let may_part = is_exact && model.scoring == Scoring::Inner && compared_by_pairs(model).is_none();
        let is_parted = may_part
            && match plan {
                Plan::Opened => true,
                Plan::Auto => size > 1 && n >= FEWEST_PARTED && d <= MOST_PARTED && OpenedCpu::require(n).is_ok(),
                _ => false,
            };
        let plan = taken(plan, model);
        let held = if is_parted { Held::Part } else { Held::All };
        Self { n, d, precision, plan, size, held, is_exact, may_part }
    }

    /// The state as the engine holds it that is asked for, whose rank 0 brings all tokens together if `is_gathered`.
    pub(super) fn on(self, engine: EngineChoice, is_gathered: bool) -> Self {
        match (engine, self.held) {
            (EngineChoice::Gpu, _) => Self { held: Held::Cards, may_part: false, ..self },
            (_, Held::Part) if is_gathered => Self { held: Held::PartAndAll, ..self },
            _ => self,
        }
    }

    /// Whether each rank holds a part of the tokens.
    pub(super) fn is_parted(self) -> bool {
        matches!(self.held, Held::Part | Held::PartAndAll)
    }

    /// Words that tell another rank of it.
    pub(super) fn line(self) -> String {
        let Self { n, d, precision, plan, size, held, is_exact, may_part } = self;
        let flags = [held as u8, is_exact.into(), may_part.into()].map(|flag| flag.to_string()).join(" ");
        format!("{n} {d} {} {} {size} {flags}", precision.name(), plan.name())
    }

    /// What such words tell.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (n, d) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let precision = if words.next()? == Precision::F64.name() { Precision::F64 } else { Precision::F32 };
        let (plan, size) = (Plan::parse(words.next()?).ok()?, words.next()?.parse().ok()?);
        let number: usize = words.next()?.parse().ok()?;
        let held = *[Held::All, Held::Part, Held::PartAndAll, Held::Cards].get(number)?;
        let mut flag = || words.next().map(|word| word == "1");
        Some(Self { n, d, precision, plan, size, held, is_exact: flag()?, may_part: flag()? })
    }

    /// Bytes that a gather of one row takes.
    pub(super) fn row(self) -> u64 {
        let coordinate = if self.is_exact { self.precision.bytes() } else { 8 };
        (coordinate * self.d + 8) as u64
    }

    /// Bytes of all tokens in the stored width.
    fn tokens(self) -> u64 {
        (self.n as u64).saturating_mul(self.d as u64).saturating_mul(self.precision.bytes() as u64)
    }

    /// Bytes that a rank takes from some moment on: the most that its engine holds, and of what it hears under plan
    /// `opened` as much as strips of 0.01·max|x|² bring to normal tokens, or all.
    pub(super) fn bytes(self, rank: usize, threads: usize, when: When) -> u64 {
        // Those of the last row that was written, and those of the next.
        let written = if rank == 0 && self.held != Held::Part { self.tokens().saturating_mul(2) } else { 0 };
        if self.is_parted() {
            // Told in f32.
            let heard = Talk::opened((self.n, self.d), self.size, 1, Width::Wide).bytes;
            let heard = (heard * self.precision.bytes() as u64 / 4).min(self.row() * self.n as u64);
            let part = ExactCpu::memory_of_part((self.n, self.size), self.d, self.precision, threads, heard);
            return written.saturating_add(part);
        }
        // The tokens come to the others as bytes; so they leave rank 0, and then MPI's own copy.
        let begun = match when {
            When::Begin if rank == 0 => self.tokens().saturating_mul(3),
            When::Begin => self.tokens().saturating_mul(2),
            When::Open => 0,
        };
        let gathered = (self.n as u64).saturating_mul(2 * self.row());
        let engine = if self.held == Held::Cards {
            self.tokens() // those that the card is given
        } else {
            cpu_engine(self.is_exact, self.plan, (self.n, self.d), self.precision, threads)
        };
        written.saturating_add(engine).saturating_add(begun.max(gathered))
    }

    /// The most bytes that a rank takes beside a part of the tokens where it turns to holding all of them.
    pub(super) fn turned(self, threads: usize) -> u64 {
        Self { held: Held::All, ..self }.bytes(1, threads, When::Open).saturating_add(self.tokens())
    }

    /// Checks on all ranks together that the machine of each has what its ranks need.
    ///
    /// # Errors
    /// [`Error::Memory`], the same on all ranks, with the first rank that lacks it and both numbers.
    pub(super) fn require(self, ranks: &dyn Ranks, when: When) -> Result<()> {
        let needed = self.bytes(ranks.rank(), threads::count(), when);
        match lacking(ranks, needed)? {
            Some(lack) => Err(self.error(lack)),
            None => Ok(()),
        }
    }

    fn error(self, Lack { rank, beside, needed, available }: Lack) -> Error {
        let Self { n, d, size, .. } = self;
        let among = match (size, beside) {
            (1, _) => String::new(),
            (_, 1) => format!("rank {rank}: its part of "),
            _ => format!("rank {rank}: its machine's part ({beside} of {size} ranks) of "),
        };
        let mut mend = match (size, self.is_parted()) {
            (1, _) => "take fewer tokens".to_owned(),
            (_, true) => "take more machines, or fewer tokens".to_owned(),
            (_, false) if self.may_part && self.plan != Plan::Auto => {
                "take plan opened, under which a rank holds a part of the tokens, or fewer of them".to_owned()
            }
            (_, false) => "take fewer ranks on a machine, or fewer tokens".to_owned(),
        };
        if self.precision == Precision::F64 {
            mend += ", or precision f32";
        }
        Error::Memory { what: format!("{among}a run of {n} tokens in R^{d}"), needed, available, mend }
    }
}

/// A rank without the memory that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    rank: usize,
    /// The ranks whose bytes these are: it alone, or all on its machine.
    beside: usize,
    needed: u64,
    available: u64,
}

/// The first rank whose machine lacks what its ranks need, of which this one says its own; all ranks come to
/// the same.
///
/// # Errors
/// A rank that cannot be reached.
pub(super) fn lacking(ranks: &dyn Ranks, needed: u64) -> Result<Option<Lack>> {
    let [own, shared] = [machine::available_memory(), machine::shared_memory()].map(|free| free.unwrap_or(u64::MAX));
    let told = [needed, own, shared, machine::memory_place()];
    let all = ranks.all_gather(&told.map(u64::to_ne_bytes).concat())?;
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
    let all = all.iter().map(|bytes| {
        let mut numbers = bytes.chunks(8).map(number);
        [(); 4].map(|()| numbers.next().unwrap_or_default())
    });
    Ok(first_lacking(&all.collect::<Vec<_>>()))
}

/// The first that lacks memory of ranks that say what they need, what there is for each, what there is for all in one
/// place, and that place.
fn first_lacking(all: &[[u64; 4]]) -> Option<Lack> {
    all.iter().enumerate().find_map(|(rank, &[needed, own, shared, place])| {
        if needed > own {
            return Some(Lack { rank, beside: 1, needed, available: own });
        }
        let beside = || all.iter().filter(|other| other[3] == place);
        let total = beside().fold(0u64, |total, other| total.saturating_add(other[0]));
        (total > shared).then(|| Lack { rank, beside: beside().count(), needed: total, available: shared })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four ranks that fit one by one, and not together, would be killed by the system hours later.
    #[test]
    fn ranks_of_one_machine_need_memory_together() {
        let lack = |rank, beside, needed, available| Some(Lack { rank, beside, needed, available });
        assert_eq!(first_lacking(&[[10, 90, 100, 1], [80, 90, 100, 1], [60, 90, 100, 2]]), None);
        assert_eq!(first_lacking(&[[10, 90, 100, 1], [95, 90, 100, 2]]), lack(1, 1, 95, 90));
        assert_eq!(first_lacking(&[[80, 90, 100, 2], [60, 90, 100, 1], [70, 90, 100, 1]]), lack(1, 2, 130, 100));
        assert_eq!(first_lacking(&[[u64::MAX, u64::MAX, u64::MAX, 1], [9, 90, u64::MAX, 1]]), None);
    }

    /// A part is what makes a run fit: were all tokens counted on every rank, no cluster could hold what one
    /// machine cannot.
    #[test]
    fn a_part_takes_less_on_more_ranks() {
        let model = Model::localmax(0.1).unwrap();
        let of = |size, plan| Shape::of(size, plan, &model, (100_000_000, 3), Precision::F32);
        let bytes = |size, plan, rank| of(size, plan).bytes(rank, 1, When::Open);
        assert!(of(4, Plan::Auto).is_parted() && !of(4, Plan::Tree).is_parted() && !of(1, Plan::Auto).is_parted());
        assert!(bytes(64, Plan::Auto, 1) < bytes(4, Plan::Auto, 1) / 5);
        assert!(bytes(64, Plan::Auto, 1) < bytes(64, Plan::Tree, 1) / 20);
        assert_eq!(bytes(64, Plan::Tree, 1), bytes(4, Plan::Tree, 3));
        // Rank 0 writes them in slices, unless it looks at all together.
        assert_eq!(bytes(64, Plan::Auto, 0), bytes(64, Plan::Auto, 1));
        let gathered = of(64, Plan::Auto).on(EngineChoice::Cpu, true);
        assert_eq!(gathered.bytes(0, 1, When::Open), bytes(64, Plan::Auto, 1) + 2 * 1_200_000_000);
    }

    /// What to do about it depends on the plan, and which rank it is says where.
    #[test]
    fn the_error_names_the_rank_and_both_numbers() {
        let told = |size, plan, precision, lack| {
            let model = Model::localmax(0.1).unwrap();
            Shape::of(size, plan, &model, (100_000, 3), precision).error(lack).to_string()
        };
        let one = Lack { rank: 2, beside: 1, needed: 95, available: 90 };
        assert_eq!(
            told(4, Plan::Auto, Precision::F32, one),
            "rank 2: its part of a run of 100000 tokens in R^3 needs 95 bytes, 90 are available; take more machines, \
             or fewer tokens"
        );
        let two = Lack { rank: 1, beside: 2, needed: 195, available: 100 };
        assert_eq!(
            told(4, Plan::Tree, Precision::F64, two),
            "rank 1: its machine's part (2 of 4 ranks) of a run of 100000 tokens in R^3 needs 195 bytes, 100 are \
             available; take plan opened, under which a rank holds a part of the tokens, or fewer of them, or \
             precision f32"
        );
    }
}
