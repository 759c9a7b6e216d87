//! The state as tokens, and a step of width 0 by a table of directions, in the plane and in space.
//!
//! Only the direction of a query matters to its maximum. The table has a list of keys for every
//! cell of directions ([`cells`]), and a row is decided among the keys of its cell: by nothing at
//! all where there is one, else by exact scores. Lists are in integers of 64 bits, so nothing is
//! rounded: coordinates are at most 2^53, differences of keys 2^54, corners of cells 2^6 in space
//! and 2^7 in the plane, so that a product of the two is at most 3·2^60.
//!
//! **What a list leaves out.** Let r run over the corners of a cell and q ≠ 0 be a query in it: q is
//! Σ λ_r r with λ ≥ 0, some λ above 0. Let k be any key, and x one with r·(x − k) < 0 for all r.
//! Then q·(x − k) = Σ λ_r r·(x − k) < 0, and x is not the maximum of q. Lists leave out such keys
//! only, for some k of the list. What is left out for a cell is left out for all cells inside it,
//! which are met by a descent from few large ones to many small ones.
//!
//! **What no list needs.** Most tokens are the maximum of no query. Take some keys, a centre o, one
//! key k(c) for each cell c, and H_r = min r·(k(c) − o) over the cells c with the corner r. Let all
//! H_r be above 0, and 0 ≤ s < 1. If r·(x − o) ≤ (1 − s) H_r for all corners r of all cells, then for
//! q = Σ λ_r r ≠ 0 of any cell c
//!
//! > q·(x − o) ≤ (1 − s) Σ λ_r H_r ≤ (1 − s) q·(k(c) − o) ≤ (1 − s) h(q), where h(q) = max q·(k − o)
//!
//! over the keys, and h(q) ≥ Σ λ_r H_r > 0. Such an x has the *slack* s. With s > 0 it is not the
//! maximum of any q while those keys are where they are, whatever else moves.
//!
//! Whether it has follows from the place of x alone ([`cover`]): let x − o be in the cell of corners
//! v with ρ = |x − o|_inf. Then (x − o)·side/ρ = Σ μ_v v, a mean with the weights of bilinear
//! interpolation. Let G_v be max r·v/H_r over all r. Then r·(x − o)/H_r ≤ ρ/side · Σ μ_v G_v, and it
//! suffices that ρ Σ μ_v G_v ≤ (1 − s) side. G_v is the maximum of the query v among the keys r/H_r,
//! so a table of these finds it. They are scaled to 2^52 and rounded to integers, off by at most 2 in
//! each coordinate, which G_v pays for. The weights are off by less than 2^-45, also where a float
//! quotient on a border falls into the next cell, since the interpolation is continuous; 10^-12 of
//! the largest G_v pays for that and for all other roundings. The comparison proves a slack above s.
//!
//! The keys may be any, and so may o; the cover proves the same whatever they are. In the first step
//! they are the tokens that are farthest from o in each cell.
//!
//! **What lasts.** *Anchors* are tokens that a step left where they were. Let x have the slack s by
//! keys that are anchors, and let its strip be one of them, k. It moves to x + γ(k − x) + e with |e|
//! below 1 in each coordinate: a length is rounded to the nearest integer, or up to 1. So
//!
//! > q·(x' − o) ≤ (1 − γ)(1 − s) h(q) + γ h(q) + |q|_1, and the slack left is (1 − γ)s − |q|_1/h(q)
//!
//! at least. In the cell of q, |q|_1 ≤ Σ λ_r D·side and h(q) ≥ Σ λ_r H_r, so the last term is at most
//! D·side/min H_r. It is the same for all tokens: one number is the slack of all of them, and no
//! token is looked at again for as long as it is above 0. Tokens that follow anything else, or tie,
//! are looked at after the step, when they must have what slack the others have left. Those that
//! have not are *candidates*, the keys of the next step: each of them is looked at after every step,
//! until it has. That the anchors are still where they were is compared after every step; where
//! one is not, everything is found anew. So it is where candidates are too many or the slack is used
//! up.
//!
//! Nothing is asked of A, of the gain or of its change with time: a step is taken towards means of
//! keys, and that is all. Keys that move at all steps, as they may under a general A, are no anchors.
//!
//! **Ties.** Coincident tokens are one key with a weight. q = 0 is in no cell: all keys tie.
//!
//! Where tokens are close to the corners of their hull, covers hold few of them, and the slack of
//! tokens a few units from their leaders is used up: late states are left to the tree, which merges
//! tokens that have met. A step asks for that before anything moves.

#![allow(clippy::inline_always)] // kernels belong into the function of their instruction set

pub(crate) mod among;
mod candidates;
mod cells;
pub(crate) mod certificate;
pub(crate) mod classes;
mod cones;
mod cover;
mod moves;
pub(crate) mod near;
mod packet;
mod rows;
mod sweep;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::cpu::exact::direction::candidates::{FEW, SHARE, candidates, centre, cover_levels, levels, most};
use crate::cpu::exact::direction::certificate::Certificate;
use crate::cpu::exact::direction::cover::Cover;
use crate::cpu::exact::direction::moves::{Moved, move_rows};
use crate::cpu::exact::direction::rows::{Found, Key, Rows, place, query_coordinate};
use crate::cpu::exact::direction::table::Table;
use crate::cpu::exact::query::strip_width;
use crate::cpu::exact::step::{Left, PreparedStep, Tally, Watch};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::InstructionSet;
use crate::exact::{Step, StripWidth};
use crate::interrupt::Interrupt;
use crate::model::Mask;
use crate::outcome::{StepReport, Strips};
use crate::pages::zeros;

/// So many scores a row cost as much as a row of the tree at least.
const SCORES: usize = 16;

/// Whether a table serves tokens in R^d.
pub(crate) fn serves_dimension(d: usize) -> bool {
    (2..=3).contains(&d)
}

/// Whether a table serves a step: of strips of width 0, in which all rows see all keys.
pub(crate) fn serves(step: &Step) -> bool {
    let is_thin = match step.width {
        StripWidth::Argmax => true,
        StripWidth::Constant(width) => width == 0,
        StripWidth::QueryNorm { factor } | StripWidth::ANorm { factor, .. } => factor == 0,
    };
    is_thin && step.mask == Mask::FULL
}

/// The tokens in their own order, and the strips of the last step.
pub(crate) struct DirectionTable<W: Width> {
    d: usize,
    set: InstructionSet,
    x: Vec<W::Int>,
    /// X(t+1) in the making; between steps X(t−1).
    next: Vec<W::Int>,
    /// The certificate of X(t) from the steps before.
    known: Option<Certificate<u32>>,
    last: Option<Last>,
}

/// The last step, and the tokens among which its maxima were, ascending: its strips are found again where somebody asks.
struct Last {
    step: Step,
    candidates: Vec<u32>,
}

impl<W: Width> DirectionTable<W> {
    /// Builds the state from every token's lattice coordinates, row-major.
    pub(crate) fn new(x: Vec<W::Int>, d: usize, set: InstructionSet) -> Self {
        Self { d, set, next: zeros(x.len()), x, known: None, last: None }
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.x.len() / self.d, self.d)
    }

    /// Every token's coordinates, row-major.
    pub(crate) fn tokens(&self) -> &[W::Int] {
        &self.x
    }

    /// Takes the tokens out and empties the buffers.
    pub(crate) fn take_tokens(&mut self) -> Vec<W::Int> {
        (self.next, self.known, self.last) = (Vec::new(), None, None);
        std::mem::take(&mut self.x)
    }

    /// The strips of the last step; zeros before the first.
    pub(crate) fn strips(&self) -> Strips {
        let (d, n) = (self.d, self.x.len() / self.d);
        let mut strips = Strips { argmax: zeros(n), count: zeros(n) };
        match (d, &self.last) {
            (2, Some(last)) => self.strips_in::<2>(last, &mut strips),
            (3, Some(last)) => self.strips_in::<3>(last, &mut strips),
            _ => {}
        }
        strips
    }

    /// Takes a step; `None`, before anything moved, where a table does not serve it.
    pub(crate) fn step(&mut self, step: &Step, interrupt: &Interrupt) -> Option<Result<(StepReport, Tally), Left>> {
        match self.d {
            2 => self.step_in::<2>(step, interrupt),
            3 => self.step_in::<3>(step, interrupt),
            _ => None,
        }
    }
}

/// The certificate after the first step with these keys, given where each is then: those that stayed are the anchors.
/// `None` where they cover nothing.
fn first_certificate<W: Width, const D: usize>(
    centre: [i64; D],
    keys: &mut [Key<W, D>],
    gone: &[([W::Int; D], bool)],
    x: &[W::Int],
) -> Option<Certificate<u32>> {
    keys.iter_mut().zip(gone).for_each(|(key, gone)| key.is_anchor = key.at == gone.0);
    let anchors = || keys.iter().filter(|key| key.is_anchor);
    let places: Vec<[i64; D]> = anchors().map(|key| place::<W, D>(&key.at)).collect();
    let cover = Cover::new(centre, &places, cover_levels(D, x.len() / D), 0)?;
    let found = Certificate::new(anchors().map(|key| key.first).collect(), cover);
    let lacking = found.lacking::<W, D>(x);
    found.with_slack(&lacking, SHARE)
}

/// The keys of the candidates among some tokens and their table, `None` if that is too large; and for each candidate its
/// key.
fn find<W: Width, const D: usize>(
    x: &[W::Int],
    candidates: &[u32],
    anchors: &[u32],
) -> Option<(Found<W, D>, Vec<u32>)> {
    let mut found: HashMap<[i64; D], u32> = HashMap::with_capacity(candidates.len());
    let (mut keys, mut places) = (Vec::<Key<W, D>>::new(), Vec::new());
    let of_token = |&i: &u32| {
        let at = place::<W, D>(&x[i as usize * D..]);
        let key = *found.entry(at).or_insert(keys.len() as u32);
        if key as usize == keys.len() {
            places.push(at);
            keys.push(Key { at: at.map(W::Int::of), weight: 0, first: i, is_anchor: false });
        }
        keys[key as usize].weight += 1;
        keys[key as usize].is_anchor |= anchors.binary_search(&i).is_ok();
        key
    };
    let key_of = candidates.iter().map(of_token).collect();
    Some((Found::new(keys, Table::new(&places, levels(D), 0)?), key_of))
}

/// The data that all rows of a step share.
fn rows<'a, W: Width, const D: usize>(x: &'a [W::Int], step: &'a Step, found: Found<W, D>) -> Rows<'a, W, D> {
    let zero = place::<W, D>(x).map(i128::from);
    Rows { n: (x.len() / D) as u32, zero, x, plan: PreparedStep::new(step), found, total: OnceLock::new() }
}

impl<W: Width> DirectionTable<W> {
    fn step_in<const D: usize>(
        &mut self,
        step: &Step,
        interrupt: &Interrupt,
    ) -> Option<Result<(StepReport, Tally), Left>> {
        let n = self.x.len() / D;
        let (mut known, centre) = (self.known.take(), centre::<W, D>(&self.x));
        let (is_first, watch) = (known.is_none(), &Watch::new(interrupt, Some((SCORES * n.max(FEW)) as f64)));
        let old = match &known {
            Some(known) => known.candidates().to_vec(),
            None => candidates::<W, D>(self.set, &self.x, centre)?,
        };
        let (found, key_of) = find::<W, D>(&self.x, &old, known.as_ref().map_or(&[], |known| &known.anchors))?;
        let mut rows = rows(&self.x, step, found);
        let go = |key: &Key<W, D>| {
            let mut next = key.at;
            let is_led = rows.row(&key.at, &mut next).is_led;
            (next, is_led)
        };
        let gone: Vec<([W::Int; D], bool)> = rows.found.keys.par_iter().with_min_len(256).map(go).collect();
        if is_first {
            known = first_certificate(centre, &mut rows.found.keys, &gone, &self.x);
        }
        let cover = known.as_ref().and_then(|known| known.over::<W>(step.gain, is_first));
        let is_known = cover.is_some();
        self.last = None; // X(t−1) is written over
        let (x, next) = (self.x.as_chunks().0, self.next.as_chunks_mut().0);
        let Moved { tally, sizes, outside } = move_rows(&rows, self.set, watch, cover, (x, None), (next, None));
        match watch.end() {
            Err(Left::Dear) => return None,
            Err(left) => return Some(Err(left)),
            Ok(()) => {}
        }
        std::mem::swap(&mut self.x, &mut self.next);
        self.known = known.filter(|_| is_known).and_then(|known| {
            let rests = |&i: &u32| self.x[i as usize * D..][..D] == self.next[i as usize * D..][..D];
            let to = |at: usize, _| {
                let (next, is_led) = &gone[key_of[at] as usize];
                is_led.then(|| place::<W, D>(next))
            };
            let known = known.after::<W, D>(step.gain, outside, to);
            (known.candidates().len() <= most(n) && known.anchors.iter().all(rests)).then_some(known)
        });
        self.last = Some(Last { step: step.clone(), candidates: old });
        Some(Ok((StepReport::of_sizes(step.t, tally.moved, sizes, tally.redone), tally)))
    }

    fn strips_in<const D: usize>(&self, Last { step, candidates }: &Last, into: &mut Strips) {
        let before = &self.next[..];
        let (found, _) = find::<W, D>(before, candidates, &[]).expect("the step had this table");
        let (watch, mut next) = (Interrupt::default(), zeros(before.len()));
        let made = (next.as_chunks_mut().0, Some((&mut into.argmax[..], &mut into.count[..])));
        let rows = rows(before, step, found);
        move_rows(&rows, self.set, &Watch::new(&watch, None), None, (before.as_chunks().0, None), made);
    }

    /// The masks of some rows.
    pub(crate) fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        masks::<W>(&self.x, self.d, step, rows)
    }
}

/// The masks of some rows of tokens in R^d, by the exact scores of all keys: any step is served.
pub(crate) fn masks<W: Width>(x: &[W::Int], d: usize, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
    let (plan, n) = (&PreparedStep::<W>::new(step), x.len() / d);
    let mask = |&i: &usize| {
        let own = &x[i * d..][..d];
        let query: Vec<W::Int> = (0..d).map(|k| query_coordinate(plan, own, k)).collect();
        let keys = x.chunks_exact(d).take(step.mask.range(i, n).end);
        let scores: Vec<W::Wide> = keys.map(|key| W::dot(&query, 1, 0, key)).collect();
        let best = scores.iter().copied().max().unwrap_or_default();
        let threshold = W::threshold(best, W::wide(strip_width::<W>(step.width, 1, 0, &query, own)));
        let members = (0..).zip(&scores).filter(|(_, score)| **score >= threshold).map(|(j, _)| j);
        if step.width == StripWidth::Argmax { members.take(1).collect() } else { members.collect() }
    };
    rows.par_iter().with_max_len(1).map(mask).collect()
}
