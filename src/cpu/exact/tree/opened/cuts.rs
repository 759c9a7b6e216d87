//! Where the cloud is cut into a part for each rank: the halves are those of a sample that all ranks know, so that none
//! must have all tokens.

use std::ops::Range;

use crate::cpu::share::{Word, take};
use crate::error::{Error, Result};
use crate::ranks::Ranks;
use crate::rng::Stream;
use crate::tokens::Coordinates;

/// Tokens of the sample, at least, and for every rank; all, where there are fewer. Of a thousand tokens a half is
/// found within three in a hundred.
const SAMPLE: usize = 1 << 16;
const SAMPLED: usize = 1 << 10;

/// The cuts of space into a part for each of some ranks: that at a rank is between the ranks below it and those from it
/// on, among the ranks that earlier cuts leave together.
pub(super) struct Cuts {
    size: usize,
    cuts: Vec<Cut>,
}

/// A cut at a token: tokens below it along an axis go to the lower ranks, of equal ones those of lower index.
#[derive(Clone, Copy, Default)]
struct Cut {
    axis: usize,
    x: f64,
    id: u32,
}

impl Cut {
    fn has_below(self, id: u32, x: f64) -> bool {
        x.total_cmp(&self.x).then(id.cmp(&self.id)).is_lt()
    }
}

impl Cuts {
    /// Of a sample of n tokens, one of every so many, drawn, as clouds may be laid out in periods: their indices.
    fn sampled(n: usize, size: usize) -> (usize, impl Fn(usize) -> usize) {
        let stretch = n.div_ceil(sample(size));
        let drawn = move |at: usize| {
            let (start, end) = (at * stretch, n.min((at + 1) * stretch));
            start + Stream::new(1, "sample", at as u64).below((end - start) as u64) as usize
        };
        (stretch, drawn)
    }

    /// Tells those of a sample that are among some rows.
    pub(super) fn tell_sample(
        own: Range<usize>,
        x: &Coordinates,
        (n, d): (usize, usize),
        size: usize,
        told: &mut Vec<u8>,
    ) {
        let (stretch, drawn) = Self::sampled(n, size);
        for i in (own.start / stretch..own.end.div_ceil(stretch)).map(drawn).filter(|i| own.contains(i)) {
            (0..d).for_each(|k| x.get((i - own.start) * d + k).put(told));
        }
    }

    /// The cuts that halve a sample of tokens, of which every rank has `told` those that it has. Rank 0 finds them for
    /// all: the sample grows with the number of ranks.
    pub(super) fn of_sample(told: &[u8], (n, d): (usize, usize), ranks: &dyn Ranks) -> Result<Self> {
        let (size, (stretch, drawn)) = (ranks.size(), Self::sampled(n, ranks.size()));
        let all = ranks.all_gather(told)?;
        let count = n.div_ceil(stretch);
        if all.iter().map(<[u8]>::len).sum::<usize>() != count * d * f64::BYTES {
            return Err(Error::device("the ranks have other tokens than there are; start the run again"));
        }
        let mut cuts = Self { size, cuts: vec![Cut::default(); size] };
        let mut told = Vec::new();
        if ranks.rank() == 0 {
            let rows: Vec<f64> =
                all.iter().flat_map(|told| told.chunks_exact(f64::BYTES).map(f64::from_bytes)).collect();
            let sampled: Vec<usize> = (0..count).map(drawn).collect();
            let mut order: Vec<u32> = (0..count as u32).collect();
            cuts.halve(&sampled, &rows, d, &mut order, 0..size);
            for cut in &cuts.cuts {
                (cut.axis as u32).put(&mut told);
                cut.x.put(&mut told);
                cut.id.put(&mut told);
            }
        }
        let all = ranks.all_gather(&told)?;
        let (mut told, mut axis, mut x, mut id) = (all.of(0), [0u32], [0.0], [0u32]);
        for cut in &mut cuts.cuts {
            take(&mut told, &mut axis)
                .and_then(|()| take(&mut told, &mut x))
                .and_then(|()| take(&mut told, &mut id))
                .ok_or_else(|| Error::device("rank 0 deals out tokens otherwise; start the run again"))?;
            *cut = Cut { axis: axis[0] as usize, x: x[0], id: id[0] };
        }
        Ok(cuts)
    }

    /// Finds the cuts between some ranks, by the tokens that come to them.
    fn halve(&mut self, ids: &[usize], rows: &[f64], d: usize, part: &mut [u32], ranks: Range<usize>) {
        if ranks.len() == 1 {
            return;
        }
        let middle = middle(&ranks);
        let at = (part.len() as u128 * (middle - ranks.start) as u128 / ranks.len() as u128) as usize;
        let of = |i: u32, k: usize| rows[i as usize * d + k];
        if let Some(&first) = part.first() {
            let extent = |k: usize| {
                let ends = part.iter().map(|&i| of(i, k));
                let (low, high) = ends.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
                high - low
            };
            let extents: Vec<f64> = (0..d).map(extent).collect();
            let axis = (0..d).max_by(|&a, &b| extents[a].total_cmp(&extents[b])).unwrap_or(0);
            part.select_nth_unstable_by(at, |&a, &b| of(a, axis).total_cmp(&of(b, axis)).then(a.cmp(&b)));
            let here = part.get(at).copied().unwrap_or(first);
            self.cuts[middle] = Cut { axis, x: of(here, axis), id: ids[here as usize] as u32 };
        }
        let (low, high) = part.split_at_mut(at);
        self.halve(ids, rows, d, low, ranks.start..middle);
        self.halve(ids, rows, d, high, middle..ranks.end);
    }

    /// The rank of a token.
    pub(super) fn owner(&self, id: u32, x: impl Fn(usize) -> f64) -> usize {
        let mut ranks = 0..self.size;
        while ranks.len() > 1 {
            let middle = middle(&ranks);
            let cut = self.cuts[middle];
            ranks = if cut.has_below(id, x(cut.axis)) { ranks.start..middle } else { middle..ranks.end };
        }
        ranks.start
    }

    /// The cuts that a rank's part lies beside.
    pub(super) fn around(&self, rank: usize) -> Vec<(usize, f64)> {
        let (mut ranks, mut edges) = (0..self.size, Vec::new());
        while ranks.len() > 1 {
            let middle = middle(&ranks);
            edges.push((self.cuts[middle].axis, self.cuts[middle].x));
            ranks = if rank < middle { ranks.start..middle } else { middle..ranks.end };
        }
        edges
    }
}

/// The tokens of the sample that cuts among so many ranks are found by.
pub(super) fn sample(size: usize) -> usize {
    SAMPLE.max(SAMPLED * size)
}

/// The first rank of the upper half of some.
fn middle(ranks: &Range<usize>) -> usize {
    ranks.start + ranks.len() / 2
}
