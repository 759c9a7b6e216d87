//! One rank's part of the keys, and of the others' as much as its rows ask for: boxes *opened for all*.
//!
//! The strip of a token is a cap of the whole cloud, so that all rows look at much the same small shell of it,
//! wherever they lie. Tokens are dealt out once ([`deal`]); each rank keeps its own in a tree, and a step goes:
//!
//! 1. Every rank tells its root, what was opened of its tree in the last step, and the farthest keys of the
//!    cloud in some directions, by which rows begin high.
//! 2. In rounds, rows are searched for among a rank's own keys and what is known of the others ([`known`]). A
//!    closed box that bounds do not decide is *needed*; needed boxes are joined over all ranks, and opened by
//!    their owners. Few rows go first, as scouts, and open most of what all will need.
//! 3. A row whose threshold cuts so many boxes that it is cheaper to ask is answered by all ranks with the count
//!    and the sum of its strip ([`answer`]).
//!
//! A step whose strips have no width needs none of that in the plane and in space ([`thin`]).
//!
//! A box is decided by the bounds of [`super::search`], with its margin, and counts and sums are integers: what
//! ranks find does not depend on how many they are, nor on what is opened.

mod answer;
mod asked;
mod bits;
mod cuts;
mod deal;
mod extras;
mod known;
mod net;
mod round;
mod thin;
mod view;

use rayon::prelude::*;

use crate::cpu::exact::direction::{self, among};
use crate::cpu::exact::step::{Left, PreparedStep, Tally, Watch};
use crate::cpu::exact::tree::TreeSearch;
use crate::cpu::exact::tree::opened::bits::{Reader, Writer};
pub use crate::cpu::exact::tree::opened::deal::Dealt;
use crate::cpu::exact::tree::opened::extras::Extras;
use crate::cpu::exact::tree::opened::known::{Form, Known, OwnKeys};
pub(crate) use crate::cpu::exact::tree::opened::net::{Net, apart};
use crate::cpu::exact::tree::opened::round::{ASIDE, Round};
use crate::cpu::exact::tree::opened::view::View;
use crate::cpu::exact::tree::search::keys::Marks;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::InstructionSet;
use crate::error::Result;
use crate::exact::{Grid, Step, StripWidth};
use crate::interrupt::Interrupt;
use crate::model::Mask;
use crate::outcome::{StepReport, Traffic};
use crate::ranks::Join;
use crate::space::{Order, Upkeep};

/// The other ranks' roots, and rows of the whole cloud.
type Met<X> = (Known<X>, Extras<X>);

/// The tokens of one rank.
pub(crate) struct Opened<W: Width> {
    /// The number of all tokens.
    n: usize,
    /// The tokens held here, ascending.
    ids: Vec<u32>,
    /// Their keys, whose first indices are those of all tokens.
    own: TreeSearch<W>,
    mask: Mask,
    /// The boxes of the own tree that were opened in the last step, and looked below.
    warm: Vec<u32>,
    /// Whether a table of directions has served every step so far that has no widths, and what the last one of these
    /// has left known, if it was the last step.
    has_table: bool,
    known: Option<among::Known>,
}

/// The counts of a step, over all ranks.
pub(crate) struct Taken {
    pub(crate) report: StepReport,
    pub(crate) tally: Tally,
    /// Keys of all ranks.
    pub(crate) keys: u64,
    pub(crate) traffic: Traffic,
    /// Bytes that all ranks have given.
    pub(crate) told: u64,
}

impl<W: Width> Opened<W> {
    /// The state of a rank from what was dealt out to it.
    pub(crate) fn new(dealt: Dealt, grid: Grid, set: InstructionSet, upkeep: Upkeep, mask: Mask) -> Self {
        let Dealt { n, d, ids, x, .. } = dealt;
        let x = grid.coordinates_as(&x, <W::Int as Integer>::of);
        let mut own = TreeSearch::unordered(x, d, set, Order::Space, upkeep);
        own.first.clone_from(&ids);
        Self { n, ids, own, mask, warm: Vec::new(), has_table: true, known: None }
    }

    /// The number of all tokens, and their dimension.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.n, self.own.cloud.d)
    }

    pub(crate) fn set(&self) -> InstructionSet {
        self.own.set
    }

    /// The tokens held here, and the coordinates of each.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (u32, &[W::Int])> {
        self.ids.iter().enumerate().map(|(place, &id)| (id, self.own.token(place)))
    }

    /// The tokens held here, with argmax and strip size in the last step.
    pub(crate) fn strips(&self) -> impl Iterator<Item = [u32; 3]> {
        let of = |place: usize| {
            let key = self.own.places.of(place);
            [self.own.argmax[key], self.own.count[key]]
        };
        self.ids.iter().enumerate().map(move |(place, &id)| [id, of(place)[0], of(place)[1]])
    }

    /// Takes a step, whole or not at all, on all ranks.
    pub(crate) fn step(&mut self, step: &Step, interrupt: &Interrupt, net: &mut Net<'_>) -> Result<Taken, Left> {
        let known = self.known.take();
        if self.has_table && direction::serves(step) {
            let mut next = std::mem::take(&mut self.own.next);
            let (mut argmax, mut count) = (std::mem::take(&mut self.own.argmax), std::mem::take(&mut self.own.count));
            let taken = self.take_thin(step, interrupt, net, known, (&mut next, &mut argmax, &mut count));
            (self.own.next, self.own.argmax, self.own.count) = (next, argmax, count);
            if let Some((tally, known)) = taken? {
                let taken = self.total(step.t, &tally, interrupt, net)?;
                self.known = known;
                std::mem::swap(&mut self.own.cloud.x, &mut self.own.next);
                self.own.is_fitted = false;
                self.own.schedule.note_step();
                return Ok(taken);
            }
            self.has_table = false;
        }
        self.own.prepare(step);
        if self.is_crowded() {
            self.own.sort_again(self.mask);
        }
        if !self.own.is_fitted {
            self.own.refit();
        }
        let keys = self.own.cloud.n;
        let mut next = std::mem::take(&mut self.own.next);
        let (mut argmax, mut count) = (std::mem::take(&mut self.own.argmax), std::mem::take(&mut self.own.count));
        count.fill(0);
        let taken = self.search(step, interrupt, net, (&mut next, &mut argmax, &mut count));
        (self.own.next, self.own.argmax, self.own.count) = (next, argmax, count);
        self.forget(keys);
        let (tally, warm) = taken?;
        let taken = self.total(step.t, &tally, interrupt, net)?;
        self.warm = warm;
        if tally.moved > 0 {
            std::mem::swap(&mut self.own.cloud.x, &mut self.own.next);
            self.own.refit();
            self.own.schedule.note_step();
            self.own.schedule.learn(self.own.prices.of(&tally) as f64);
        }
        Ok(taken)
    }

    /// Whether many neighbours among the keys are equal: tokens have met, and each would be decided exactly
    /// against all that it has met.
    fn is_crowded(&self) -> bool {
        let (keys, d) = (self.own.cloud.n, self.own.cloud.d);
        if self.mask == Mask::CAUSAL || !self.own.upkeep.merge || keys < 2 {
            return false;
        }
        let x = &self.own.cloud.x[..keys * d];
        let equal = |key: &usize| x[key * d..][..d] == x[(key - 1) * d..][..d];
        (1..keys).into_par_iter().with_min_len(4096).filter(equal).count() > keys / 8
    }

    fn own_keys(&self) -> OwnKeys<'_, W::Int> {
        let own = &self.own;
        OwnKeys { tree: &own.tree, x: &own.cloud.x, weight: &own.weight, first: &own.first }
    }

    /// Makes rows and strips of all own keys, whose counts are 0 at first. Returns the work, and the boxes of
    /// the own tree that were opened.
    fn search(
        &mut self,
        step: &Step,
        interrupt: &Interrupt,
        net: &mut Net<'_>,
        (next, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
    ) -> Result<(Tally, Vec<u32>), Left> {
        let plan = &PreparedStep::new(step);
        let (mut known, extras) = self.meet(step, interrupt, net)?;
        let mut view = View::new(&self.own.tree, &known);
        self.remember(&known, &extras);
        self.own.cloud.largest = known.largest();
        let watch = &Watch::new(interrupt, None);
        let (mut tally, mut asked) = (Tally::default(), Vec::new());
        let mut has_scouts = net.size() > 1;
        loop {
            view.fill(&self.own.tree, &known, self.keys() + extras.len() as u32);
            let (marks, touched) = (Marks::on(known.len()), Marks::on(view.ids().len()));
            let (extras_len, touched_now) = (extras.len() as u32, &touched);
            let round = Round {
                own: &self.own,
                n: self.n,
                keys: self.keys(),
                view: &view,
                plan,
                watch,
                extras: extras_len,
                touched: touched_now,
                has_scouts,
            };
            let (work, more) = round.take((&mut *next, &mut *argmax, &mut *count), &marks);
            tally = tally + work;
            asked.extend(more);
            known.touch(view.ids(), &touched.into_words());
            let mut words = marks.into_words();
            words.push(u64::from(interrupt.is_raised()));
            net.reduce(Join::Or, &mut words)?;
            if words.pop() == Some(1) {
                return Err(Left::Interrupted);
            }
            let is_set = |id: &usize| words[id / 64] >> (id % 64) & 1 == 1;
            let needed: Vec<usize> = (0..known.len()).filter(is_set).collect();
            if !needed.is_empty() {
                self.open(&mut known, &needed, net)?;
                self.remember(&known, &extras);
            } else if has_scouts {
                has_scouts = false;
                count.iter_mut().filter(|count| **count == ASIDE).for_each(|count| *count = 0);
            } else {
                break;
            }
        }
        tally = tally + self.ask(plan, &view, &asked, watch, net, (next, count))?;
        let mut used = known.used();
        net.reduce(Join::Or, &mut used)?;
        Ok((tally, known.opened(&used)))
    }

    /// The number of own keys.
    fn keys(&self) -> u32 {
        self.own.tree.range(1).end as u32
    }

    fn form(&self, step: &Step) -> Form {
        Form {
            d: self.own.cloud.d,
            n: self.n,
            is_causal: self.mask == Mask::CAUSAL,
            has_sums: !matches!(step.width, StripWidth::Constant(0) | StripWidth::Argmax),
            limit: 2 << W::PRECISION.state_bits(),
        }
    }

    /// Tells the other ranks where to begin. Returns their roots, and rows of the whole cloud: that of token 0,
    /// and those that are farthest in some direction.
    fn meet(&self, step: &Step, interrupt: &Interrupt, net: &mut Net<'_>) -> Result<Met<W::Int>, Left> {
        let (d, own, form) = (self.own.cloud.d, &self.own, self.form(step));
        // Rows that see different keys begin with none.
        let directions = if net.size() == 1 || form.is_causal { Vec::new() } else { view::directions(d) };
        let farthest = view::farthest(&self.own, &directions);
        let mut words: Vec<u64> = farthest.iter().map(|far| far.map_or(0, |(score, _)| score)).collect();
        words.push(u64::from(interrupt.is_raised()));
        net.reduce(Join::Max, &mut words)?;
        if words.pop() == Some(1) {
            return Err(Left::Interrupted);
        }
        let is_best = |(far, best): (&Option<(u64, u32)>, &u64)| far.filter(|far| far.0 == *best).map(|far| far.1);
        let mut seeds: Vec<u32> = farthest.iter().zip(&words).filter_map(is_best).collect();
        seeds.sort_unstable();
        seeds.dedup();
        let mut told = Writer::default();
        let has_first = self.ids.first() == Some(&0);
        told.flag(has_first);
        told.put(seeds.len() as u128, 16);
        let first = has_first.then(|| own.token(0));
        for row in first.into_iter().chain(seeds.iter().map(|&key| own.cloud.row(key as usize))) {
            for x in row {
                told.put((Integer::to_i64(*x) + form.limit) as u128, form.coordinate_bits());
            }
        }
        form.tell_root(&self.own_keys(), &self.warm, &mut told);
        let all = net.gather(&told.into_bytes())?;
        let mut known = Known::new(form, net.rank());
        let mut extras = Extras { first: vec![W::Int::default(); d], seeds: Vec::new() };
        for bytes in all.iter() {
            let from = &mut Reader::new(bytes);
            extras.hear(from, form).and_then(|()| known.hear_root(from)).ok_or_else(apart)?;
        }
        Ok((known, extras))
    }

    /// Opens boxes for all.
    fn open(&self, known: &mut Known<W::Int>, needed: &[usize], net: &mut Net<'_>) -> Result<()> {
        let (own, form, me) = (&self.own_keys(), known.form(), net.rank());
        let mut told = Writer::default();
        for &id in needed {
            let (rank, node) = known.owner(id);
            if rank == me {
                form.tell_below(own, &known.above(id), node, &[], &mut told);
            }
        }
        let all = net.gather(&told.into_bytes())?;
        let mut parts: Vec<Reader<'_>> = all.iter().map(Reader::new).collect();
        let mut owned: Vec<(usize, usize)> = needed.iter().map(|&id| (known.owner(id).0, id)).collect();
        owned.sort_unstable();
        for (rank, id) in owned {
            known.hear_below(&mut parts[rank], id).ok_or_else(apart)?;
        }
        if parts.iter().all(Reader::is_over) { Ok(()) } else { Err(apart()) }
    }

    /// Puts rows from elsewhere behind the own keys: first the extras, then what is known of other ranks.
    fn remember(&mut self, known: &Known<W::Int>, extras: &Extras<W::Int>) {
        let keys = self.keys() as usize;
        let d = self.own.cloud.d;
        self.forget(keys);
        let TreeSearch { cloud, weight, first, .. } = &mut self.own;
        cloud.x.truncate(keys * d);
        cloud.x.extend(extras.first.iter().chain(&extras.seeds).chain(&known.rows));
        weight.resize(keys + extras.len(), 1);
        weight.extend(&known.key_weight);
        first.resize(keys + extras.len(), 0);
        first.extend(&known.key_first);
        cloud.n = weight.len();
        view::pad(cloud, keys);
    }

    /// Forgets everything behind the own keys.
    fn forget(&mut self, keys: usize) {
        let own = &mut self.own;
        own.weight.truncate(keys);
        own.first.truncate(keys);
        own.cloud.n = keys;
        let padded = keys.next_multiple_of(crate::cpu::exact::cloud::BLOCK) * own.cloud.d;
        own.cloud.x.truncate(keys * own.cloud.d);
        own.cloud.x.resize(padded, W::Int::default());
    }

    /// Adds up what all ranks have done.
    fn total(&self, t: u64, tally: &Tally, interrupt: &Interrupt, net: &mut Net<'_>) -> Result<Taken, Left> {
        let own = &self.own;
        let least = own.count.iter().copied().min().unwrap_or(u32::MAX);
        let mut ends = [u64::from(!least), own.count.iter().copied().max().unwrap_or(0).into()];
        let total = own.count.iter().zip(&own.weight).map(|(&count, &weight)| u64::from(count) * u64::from(weight));
        let Tally { rows, thin: _, moved, redone, scores, boxes, shared } = *tally;
        let raised = u64::from(interrupt.is_raised());
        let keys = own.weight.len() as u64;
        let mut sums = [total.sum(), rows, moved, redone, scores, boxes, shared, keys, raised];
        net.reduce(Join::Sum, &mut sums)?;
        let [strip_total, rows, moved, redone, scores, boxes, shared, keys, raised] = sums;
        if raised > 0 {
            return Err(Left::Interrupted);
        }
        net.reduce(Join::Max, &mut ends)?;
        let [strip_min, strip_max] = [!(ends[0] as u32), ends[1] as u32];
        let report = StepReport { t, moved, strip_min, strip_max, strip_total, redone };
        let tally = Tally { rows, thin: 0, moved, redone, scores, boxes, shared };
        Ok(Taken { report, tally, keys, traffic: net.traffic, told: net.told })
    }
}
