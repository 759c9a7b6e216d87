//! What a lattice cannot hold of the tokens that were given.

use std::collections::BTreeMap;
use std::fmt;

use rayon::slice::ParallelSliceMut as _;

use crate::error::Result;
use crate::exact::grid::Grid;
use crate::ranks::{Join, Ranks};
use crate::tokens::{Coordinates, Tokens};

/// Tokens and coordinates that are lost on the way to a lattice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// n.
    pub n: usize,
    /// d.
    pub d: usize,
    /// Tokens that coincide with one that they differed from.
    pub merged: usize,
    /// Coordinates other than 0 that became 0.
    pub vanished: usize,
}

impl Loss {
    /// Compares tokens as given with what a lattice makes of them.
    pub fn of(given: &Tokens, held: &Tokens) -> Self {
        let (n, d, given) = (given.n(), given.d(), given.coordinates());
        let held = held.coordinates();
        let merged = coincident(held, d).iter().filter(|group| differ(given, d, group)).map(Vec::len).sum();
        Self { n, d, merged, vanished: vanished(given, held) }
    }

    /// The loss of tokens if all that now coincide once differed.
    pub fn at_most(held: &Tokens) -> Self {
        let (n, d) = (held.n(), held.d());
        Self { n, d, merged: coincident(held.coordinates(), d).iter().map(Vec::len).sum(), vanished: 0 }
    }

    /// As [`Loss::of`] n tokens of which every rank has some, or [`Loss::at_most`] without those given. Tokens that may
    /// coincide with one of another rank are `shared`.
    ///
    /// # Errors
    /// A rank that cannot be reached.
    pub fn among(
        ranks: &dyn Ranks,
        (n, d): (usize, usize),
        given: Option<&Coordinates>,
        held: &Coordinates,
        shared: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        let differ = |group: &[usize]| given.is_none_or(|given| differ(given, d, group));
        let groups = coincident(held, d);
        let own = groups.iter().filter(|group| !shared(group[0]) && differ(group));
        let merged = own.map(Vec::len).sum::<usize>();
        // Of each place that may be another rank's too: the tokens there, one of them as it was given, and whether
        // there are others.
        let mut places: BTreeMap<Vec<u64>, Vec<usize>> = BTreeMap::new();
        for i in (0..held.len() / d).filter(|&i| shared(i)) {
            places.entry(row(held, d, i).collect()).or_default().push(i);
        }
        let mut told = Vec::new();
        for (place, group) in &places {
            let first = place.iter().copied().zip(row(given.unwrap_or(held), d, group[0]));
            let words = first.flat_map(|(held, given)| [held, given]);
            let words = words.chain([group.len() as u64, u64::from(differ(group))]);
            told.extend(words.flat_map(u64::to_ne_bytes));
        }
        let mut met: BTreeMap<Vec<u64>, (Vec<u64>, u64, bool)> = BTreeMap::new();
        for told in ranks.all_gather(&told)?.iter() {
            let words: Vec<u64> = told.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
            for place in words.chunks_exact(2 * d + 2) {
                let of = |at: usize| place[..2 * d].iter().skip(at).step_by(2).copied().collect::<Vec<_>>();
                let (given, [count, differ]) = (of(1), [place[2 * d], place[2 * d + 1]]);
                let all = met.entry(of(0)).or_insert_with(|| (given.clone(), 0, false));
                all.2 |= differ == 1 || all.0 != given;
                all.1 += count;
            }
        }
        let is_merged = |(_, count, differ): &&(Vec<u64>, u64, bool)| *count > 1 && *differ;
        let of_all = met.values().filter(is_merged).map(|(_, count, _)| *count).sum::<u64>();
        let mut sums = [merged as u64, given.map_or(0, |given| vanished(given, held)) as u64];
        ranks.reduce(Join::Sum, &mut sums)?;
        Ok(Self { n, d, merged: (sums[0] + of_all) as usize, vanished: sums[1] as usize })
    }

    /// The loss of all.
    pub fn whole(n: usize, d: usize) -> Self {
        Self { n, d, merged: n, vanished: n * d }
    }

    /// True if nothing is lost.
    pub fn is_none(self) -> bool {
        (self.merged, self.vanished) == (0, 0)
    }

    /// True if more than one token or one coordinate in a thousand is lost; of fewer than 1000
    /// tokens, any.
    pub fn is_large(self) -> bool {
        let few = self.n < 1000;
        let of = |lost: usize, all: usize| lost > 0 && (few || lost.saturating_mul(1000) > all);
        of(self.merged, self.n) || of(self.vanished, self.n * self.d)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n, d, merged, vanished } = self;
        write!(f, "{merged} of {n} tokens become one with another, {vanished} of {} coordinates become 0", n * d)
    }
}

impl Grid {
    /// What this lattice loses of a cloud; all of it where the cloud is out of its range.
    pub fn loss(self, given: &Tokens) -> Loss {
        let held = self.require_range(given.largest_magnitude()).and_then(|()| self.snap(given));
        held.map_or(Loss::whole(given.n(), given.d()), |held| Loss::of(given, &held))
    }
}

/// The coordinates of a token as bits; −0 is 0.
fn row(x: &Coordinates, d: usize, i: usize) -> impl Iterator<Item = u64> {
    (0..d).map(move |k| (x.get(i * d + k) + 0.0).to_bits())
}

/// Coordinates other than 0 that became 0.
fn vanished(given: &Coordinates, held: &Coordinates) -> usize {
    (0..held.len()).filter(|&at| held.get(at) == 0.0 && given.get(at) != 0.0).count()
}

/// Whether a token of a group was given elsewhere than the first.
fn differ(given: &Coordinates, d: usize, group: &[usize]) -> bool {
    group.iter().skip(1).any(|&other| row(given, d, other).ne(row(given, d, group[0])))
}

/// The groups of coincident tokens, of two or more.
fn coincident(x: &Coordinates, d: usize) -> Vec<Vec<usize>> {
    // An odd factor loses nothing.
    let mix = |hash: u64, bits: u64| (hash.rotate_left(23) ^ bits).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = |i: usize| row(x, d, i).fold(0, mix);
    let mut all: Vec<(u64, usize)> = (0..x.len() / d).map(|i| (hash(i), i)).collect();
    all.par_sort_unstable();
    let mut groups = Vec::new();
    for same_hash in all.chunk_by(|a, b| a.0 == b.0).filter(|same_hash| same_hash.len() > 1) {
        let mut rest: Vec<usize> = same_hash.iter().map(|(_, i)| *i).collect();
        while let Some(&first) = rest.first() {
            let (group, others): (Vec<_>, _) = rest.into_iter().partition(|&i| row(x, d, i).eq(row(x, d, first)));
            rest = others;
            if group.len() > 1 {
                groups.push(group);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Precision;

    fn loss(rows: &[[f64; 2]], precision: Precision) -> Loss {
        let given = Tokens::from_rows(rows).unwrap();
        Grid::of(&given, precision).loss(&given)
    }

    /// Tokens that vanish into one another end elsewhere, and nothing later could tell.
    #[test]
    fn what_a_lattice_cannot_hold_is_counted() {
        let far = [[1e8, 0.0], [1.0, 0.0], [-1.0, 3.0], [-1.0, 3.0], [64.0, 0.0]];
        let narrow = loss(&far, Precision::F32);
        assert_eq!((narrow.merged, narrow.vanished), (3, 5));
        assert!(narrow.is_large() && loss(&far, Precision::F64).is_none());
        // Tokens that were one before are not lost.
        assert!(loss(&[[1.0, 0.5], [1.0, 0.5], [0.0, 0.0], [-0.0, 0.0]], Precision::F32).is_none());
        assert_eq!(loss(&[[1e300, 0.0], [1.0, 0.0]], Precision::F32).merged, 2);
        let few = Loss { n: 4000, d: 2, merged: 4, vanished: 8 };
        assert!(!few.is_large() && Loss { merged: 5, ..few }.is_large() && Loss { vanished: 9, ..few }.is_large());
    }
}
