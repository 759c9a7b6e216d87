//! A step of strips of width 0 in the plane and in space: few tokens can be a maximum, and all ranks know these.
//!
//! Ranks tell the sum of their tokens, the farthest in every cell of directions, and then the tokens that those do not
//! cover ([`among`]): what a table of directions needs, and much less than boxes. Where candidates are many, all ranks
//! come to that, and open boxes instead.

use crate::cpu::exact::direction;
use crate::cpu::exact::direction::among::{Candidate, Own, Whole};
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
    /// Makes all rows by a table of directions; `None`, on all ranks, where it does not serve.
    pub(super) fn take_thin(
        &self,
        step: &Step,
        interrupt: &Interrupt,
        net: &mut Net<'_>,
        made: Made<'_, W::Int>,
    ) -> Result<Option<Tally>, Left> {
        match self.own.cloud.d {
            _ if !direction::serves(step) => Ok(None),
            2 => self.take_thin_in::<2>(step, interrupt, net, made),
            3 => self.take_thin_in::<3>(step, interrupt, net, made),
            _ => Ok(None),
        }
    }

    fn take_thin_in<const D: usize>(
        &self,
        step: &Step,
        interrupt: &Interrupt,
        net: &mut Net<'_>,
        (next, argmax, count): Made<'_, W::Int>,
    ) -> Result<Option<Tally>, Left> {
        let keys = self.own.weight.len();
        let own = Own::<W> { x: &self.own.cloud.x[..keys * D], weight: &self.own.weight, first: &self.own.first };
        let sum = joined(net, interrupt, Join::Sum, sum_words::<W, D>(own.sum()))?;
        let sums: Vec<i128> = sum.chunks_exact(words::<W>()).map(|words| W::narrow(sum_of::<W>(words))).collect();
        let mut whole = Whole { n: self.n, sum: std::array::from_fn(|k| sums[k]), first: [0; D] };

        let farthest = own.farthest(self.own.set, &whole);
        let best = joined(net, interrupt, Join::Max, farthest.iter().map(|far| far.0).collect())?;
        let mut told = Vec::new();
        let has_first = self.ids.first() == Some(&0);
        told.push(u8::from(has_first));
        let seeds = farthest.iter().zip(&best).filter(|(far, best)| far.0 > 0 && far.0 == **best);
        let seeds = seeds.map(|(far, _)| &own.x[far.1 as usize * D..][..D]);
        for row in has_first.then(|| self.own.token(0)).into_iter().chain(seeds) {
            for x in row {
                x.put(&mut told);
            }
        }
        let (mut row, mut seeds) = ([W::Int::default(); D], Vec::new());
        for told in net.gather(&told)?.iter() {
            let (has_first, mut told) = told.split_first().ok_or_else(apart)?;
            if *has_first == 1 {
                take(&mut told, &mut row).ok_or_else(apart)?;
                whole.first = row.map(|x| i128::from(Integer::to_i64(x)));
            }
            while !told.is_empty() {
                take(&mut told, &mut row).ok_or_else(apart)?;
                seeds.push(row.map(Integer::to_i64));
            }
        }

        let mut told = Vec::new();
        if let Some(found) = own.candidates(&whole, &seeds) {
            told.push(1);
            for Candidate { at, weight, first } in found {
                for x in at {
                    x.put(&mut told);
                }
                for count in [weight, first] {
                    count.put(&mut told);
                }
            }
        }
        let (mut counts, mut candidates, mut is_whole) = ([0u32; 2], Vec::new(), true);
        for told in net.gather(&told)?.iter() {
            let Some((_, mut told)) = told.split_first() else {
                is_whole = false; // too many there
                continue;
            };
            while !told.is_empty() {
                take(&mut told, &mut row).and_then(|()| take(&mut told, &mut counts)).ok_or_else(apart)?;
                candidates.push(Candidate { at: row, weight: counts[0], first: counts[1] });
            }
        }
        if !is_whole {
            return Ok(None);
        }
        let watch = &Watch::new(interrupt, None);
        Ok(own.take(self.own.set, (step, watch), &whole, candidates, (&mut next[..keys * D], argmax, count)))
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
