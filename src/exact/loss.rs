//! What a lattice cannot hold of the tokens that were given.

use std::fmt;

use rayon::slice::ParallelSliceMut as _;

use crate::exact::grid::Grid;
use crate::tokens::Tokens;

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
        let (n, d) = (given.n(), given.d());
        let is_lost = |c: usize| held.get(c / d, c % d) == 0.0 && given.get(c / d, c % d) != 0.0;
        let vanished = (0..n * d).filter(|&c| is_lost(c)).count();
        let differ = |&(_, i): &(u64, usize), &(_, j): &(u64, usize)| given.row(i) != given.row(j);
        let of_group = |group: &[(u64, usize)]| {
            if group.iter().skip(1).any(|other| differ(&group[0], other)) { group.len() } else { 0 }
        };
        let merged = coincident(held).iter().map(|group| of_group(group)).sum();
        Self { n, d, merged, vanished }
    }

    /// The loss of tokens if all that now coincide once differed.
    pub fn at_most(held: &Tokens) -> Self {
        Self { n: held.n(), d: held.d(), merged: coincident(held).iter().map(Vec::len).sum(), vanished: 0 }
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
        held.map_or(Loss { n: given.n(), d: given.d(), merged: given.n(), vanished: given.n() * given.d() }, |held| {
            Loss::of(given, &held)
        })
    }
}

/// The groups of coincident tokens, of two or more: each token as a hash and its index.
fn coincident(tokens: &Tokens) -> Vec<Vec<(u64, usize)>> {
    let hash = |i: usize| {
        (0..tokens.d()).fold(0u64, |hash, k| {
            // −0 is 0, and an odd factor loses nothing.
            let bits = (tokens.get(i, k) + 0.0).to_bits();
            (hash.rotate_left(23) ^ bits).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        })
    };
    let mut all: Vec<(u64, usize)> = (0..tokens.n()).map(|i| (hash(i), i)).collect();
    all.par_sort_unstable();
    let mut groups = Vec::new();
    for same_hash in all.chunk_by(|a, b| a.0 == b.0).filter(|same_hash| same_hash.len() > 1) {
        let mut rest = same_hash.to_vec();
        while let Some(&(_, first)) = rest.first() {
            let (group, others) = rest.into_iter().partition(|&(_, i)| tokens.row(i) == tokens.row(first));
            groups.push(group);
            rest = others;
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
