//! A step of strips of width 0 in the plane and in space: few tokens can be a maximum, and all ranks know these.
//!
//! Ranks tell the sum of their tokens, the farthest in every cell of directions, and then the tokens that those do not
//! cover ([`among`]): what a table of directions needs, and much less than boxes. In the steps after it they tell only
//! the tokens that tokens at rest do not cover. Where candidates are many, all ranks come to that, and open boxes
//! instead.

use crate::cpu::exact::direction;
use crate::cpu::exact::direction::among::{Candidate, Known, Own, Shown, Whole};
use crate::cpu::exact::step::{Left, Tally, Watch};
use crate::cpu::exact::tree::opened::Opened;
use crate::cpu::exact::tree::opened::asked::{put_sum, sum_of, words};
use crate::cpu::exact::tree::opened::net::{Net, apart};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::share::{Word, take};
use crate::exact::Step;
use crate::interrupt::Interrupt;
use crate::ranks::Join;

/// Rows, argmaxes and strip sizes in the making.
type Made<'a, I> = (&'a mut [I], &'a mut [u32], &'a mut [u32]);

impl<W: Width> Opened<W> {
    /// Makes all rows by a table of directions, given what the step before has left known, and finds what is known after
    /// it; `None`, on all ranks, where it does not serve.
    pub(super) fn take_thin(
        &self,
        step: &Step,
        interrupt: &Interrupt,
        net: &mut Net<'_>,
        known: Option<Known>,
        made: Made<'_, W::Int>,
    ) -> Result<Option<(Tally, Option<Known>)>, Left> {
        match self.own.cloud.d {
            _ if !direction::serves(step) => Ok(None),
            2 => self.take_thin_in::<2>(step, interrupt, net, known, made),
            3 => self.take_thin_in::<3>(step, interrupt, net, known, made),
            _ => Ok(None),
        }
    }

    fn take_thin_in<const D: usize>(
        &self,
        step: &Step,
        interrupt: &Interrupt,
        net: &mut Net<'_>,
        known: Option<Known>,
        (next, argmax, count): Made<'_, W::Int>,
    ) -> Result<Option<(Tally, Option<Known>)>, Left> {
        let keys = self.own.weight.len();
        let own = Own::<W> { x: &self.own.cloud.x[..keys * D], weight: &self.own.weight, first: &self.own.first };
        let mut told = sum_words::<W, D>(own.sum());
        told.push(known.as_ref().map_or(0, |known| known.candidates().len() as u64));
        let told = joined(net, interrupt, Join::Sum, told)?;
        let (known_candidates, sum) = told.split_last().ok_or_else(apart)?;
        let sums: Vec<i128> = sum.chunks_exact(words::<W>()).map(|words| W::narrow(sum_of::<W>(words))).collect();
        let mut whole = Whole { n: self.n, sum: std::array::from_fn(|k| sums[k]), first: [0; D] };
        let known = known.filter(|_| *known_candidates <= whole.most() as u64);
        let found = match &known {
            Some(known) => Some(own.places(known.candidates())),
            None => self.find(own, &whole, interrupt, net)?,
        };
        let Some(candidates) = self.share(found, &mut whole, net)? else { return Ok(None) };
        let Some(mut shown) = Shown::new(step, &whole, candidates, known.as_ref()) else { return Ok(None) };
        let is_first = known.is_none();
        let known = match known {
            None => match shown.rest(&whole) {
                Some(known) => {
                    let lacking = joined(net, interrupt, Join::Sum, own.lacking::<D>(&known))?;
                    known.of_all(&lacking)
                }
                None => None,
            },
            known => known,
        };
        let watch = &Watch::new(interrupt, None);
        let made = (&mut next[..keys * D], argmax, count);
        Ok(Some(own.take(self.own.set, (step, watch), &shown, (known, is_first), made)))
    }

    /// The places of this rank that can be a maximum, by the farthest tokens of all ranks; `None` if they are too many.
    fn find<const D: usize>(
        &self,
        own: Own<'_, W>,
        whole: &Whole<D>,
        interrupt: &Interrupt,
        net: &mut Net<'_>,
    ) -> Result<Option<Vec<Candidate<W, D>>>, Left> {
        let farthest = own.farthest(self.own.set, whole);
        let best = joined(net, interrupt, Join::Max, farthest.iter().map(|far| far.0).collect())?;
        let mut told = Vec::new();
        let seeds = farthest.iter().zip(&best).filter(|(far, best)| far.0 > 0 && far.0 == **best);
        for (far, _) in seeds {
            own.x[far.1 as usize * D..][..D].iter().for_each(|x| x.put(&mut told));
        }
        let (mut row, mut seeds) = ([W::Int::default(); D], Vec::new());
        for mut told in net.gather(&told)?.iter() {
            while !told.is_empty() {
                take(&mut told, &mut row).ok_or_else(apart)?;
                seeds.push(row.map(Integer::to_i64));
            }
        }
        Ok(own.candidates(self.own.set, whole, &seeds))
    }

    /// The candidates of all ranks, and token 0; `None`, on all ranks, if there are too many on one.
    fn share<const D: usize>(
        &self,
        found: Option<Vec<Candidate<W, D>>>,
        whole: &mut Whole<D>,
        net: &mut Net<'_>,
    ) -> Result<Option<Vec<Candidate<W, D>>>, Left> {
        let has_first = self.ids.first() == Some(&0);
        let mut told = vec![u8::from(has_first), u8::from(found.is_some())];
        if has_first {
            self.own.token(0).iter().for_each(|x| x.put(&mut told));
        }
        for Candidate { at, weight, first } in found.into_iter().flatten() {
            for x in at {
                x.put(&mut told);
            }
            for count in [weight, first] {
                count.put(&mut told);
            }
        }
        let (mut row, mut counts, mut candidates) = ([W::Int::default(); D], [0u32; 2], Vec::new());
        let mut are_few = true;
        for told in net.gather(&told)?.iter() {
            let Some(([has_first, is_few], mut told)) = told.split_first_chunk() else { return Err(apart().into()) };
            are_few &= *is_few == 1;
            if *has_first == 1 {
                take(&mut told, &mut row).ok_or_else(apart)?;
                whole.first = row.map(|x| i128::from(Integer::to_i64(x)));
            }
            while !told.is_empty() {
                take(&mut told, &mut row).and_then(|()| take(&mut told, &mut counts)).ok_or_else(apart)?;
                candidates.push(Candidate { at: row, weight: counts[0], first: counts[1] });
            }
        }
        Ok(are_few.then_some(candidates))
    }
}

/// A sum as words.
fn sum_words<W: Width, const D: usize>(sum: [i128; D]) -> Vec<u64> {
    let mut told = vec![0; words::<W>() * D];
    told.chunks_exact_mut(words::<W>()).zip(sum).for_each(|(into, sum)| put_sum::<W>(W::wide(sum), into));
    told
}

/// Joins the words of all ranks, unless one of them is interrupted.
fn joined(net: &mut Net<'_>, interrupt: &Interrupt, join: Join, mut told: Vec<u64>) -> Result<Vec<u64>, Left> {
    told.push(u64::from(interrupt.is_raised()));
    net.reduce(join, &mut told)?;
    if told.pop() == Some(0) { Ok(told) } else { Err(Left::Interrupted) }
}
