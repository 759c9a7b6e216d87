//! Which keys a row sees.

use std::ops::Range;

use crate::model::graph::Graph;

/// Which keys a row sees: a range of them that holds its own, all or without its own; the keys of a graph; or the fixed
/// keys.
///
/// A row without keys stays where it is: attention adds nothing to what moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mask {
    /// True if a row sees no key after its own.
    pub causal: bool,
    /// The most places between a row and a key that it sees, at least 1; any number if `None`.
    pub window: Option<u32>,
    /// True if a row sees its own key.
    pub own: bool,
    /// The number of fixed keys, which come last, see nothing, and are all that the others see; 0 where every token is
    /// a key. They go with no other mask.
    pub fixed: u32,
    /// True if a row sees the keys of a [`Graph`] alone, which stands beside the mask. It goes with no other mask but
    /// `own`.
    pub graph: bool,
}

impl Default for Mask {
    fn default() -> Self {
        Self::FULL
    }
}

impl Mask {
    /// All n keys.
    pub const FULL: Self = Self { causal: false, window: None, own: true, fixed: 0, graph: false };

    /// Keys 0..=i for row i.
    pub const CAUSAL: Self = Self { causal: true, ..Self::FULL };

    /// The range of row i of n, its own key in it also where the row does not see that. Ranges begin and end no sooner
    /// than those of rows before.
    pub fn range(self, i: usize, n: usize) -> Range<usize> {
        if self.fixed > 0 {
            let first = n - self.fixed as usize;
            return if i < first { first..n } else { n..n };
        }
        let reach = self.window.map_or(n, |w| w as usize);
        let ahead = if self.causal { 0 } else { reach };
        i.saturating_sub(reach)..n.min(i.saturating_add(ahead).saturating_add(1))
    }

    /// True if row i sees key j of its range.
    pub fn sees(self, i: usize, j: usize) -> bool {
        self.own || i != j
    }

    /// The keys that row i of n sees without a graph, ascending.
    pub fn keys(self, i: usize, n: usize) -> impl Iterator<Item = usize> + Clone {
        self.keys_in(None, i, n)
    }

    /// The keys that row i of n sees, those of a graph where there is one, ascending.
    pub fn keys_in(self, graph: Option<&Graph>, i: usize, n: usize) -> impl Iterator<Item = usize> + Clone {
        debug_assert_eq!(graph.is_some(), self.graph, "a mask of a graph beside none");
        let (range, row) = match graph {
            Some(graph) => (0..0, graph.row(i)),
            None => (self.range(i, n), &[][..]),
        };
        range.chain(row.iter().map(|&j| j as usize)).filter(move |&j| self.sees(i, j))
    }

    /// Number of keys that row i of n sees without a graph.
    pub fn count(self, i: usize, n: usize) -> usize {
        self.count_in(None, i, n)
    }

    /// Number of keys that row i of n sees, those of a graph where there is one.
    pub fn count_in(self, graph: Option<&Graph>, i: usize, n: usize) -> usize {
        debug_assert_eq!(graph.is_some(), self.graph, "a mask of a graph beside none");
        graph.map_or_else(|| self.range(i, n).len(), |graph| graph.row(i).len()) - usize::from(!self.own)
    }

    /// True if row i of n sees no key; on a graph every row sees one.
    pub fn is_empty(self, i: usize, n: usize) -> bool {
        !self.graph && self.count(i, n) == 0
    }

    /// True if rows see the keys from the first on, their own among them. The searches of the engines are for
    /// these masks; the others are compared pair by pair.
    pub fn is_prefix(self) -> bool {
        self.window.is_none() && self.own && self.fixed == 0 && !self.graph
    }

    /// The most keys that a range of n holds.
    #[cfg(any(feature = "gpu", test))]
    pub(crate) fn reach(self, n: usize) -> usize {
        [0, n / 2, n - 1].into_iter().map(|i| self.range(i, n).len()).max().unwrap_or(0)
    }

    /// The pairs of n rows with the keys of their ranges, which on a graph are all.
    pub(crate) fn pairs(self, n: usize) -> u64 {
        if self.fixed > 0 {
            return u64::from(self.fixed) * (n as u64 - u64::from(self.fixed));
        }
        let (n, reach) = (n as u64, self.window.map_or(n as u64, u64::from).min(n as u64 - 1));
        // Of the pairs before the own key, those of the first `reach` rows are cut off at key 0.
        let before = reach * (n - reach) + reach * reach.saturating_sub(1) / 2;
        n + before * if self.causal { 1 } else { 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row that saw another key, or none, would be drawn elsewhere; a key that saw one would move.
    #[test]
    fn tokens_see_fixed_keys_and_keys_see_nothing() {
        let (mask, n) = (Mask { fixed: 3, ..Mask::FULL }, 7);
        for i in 0..n {
            let keys: Vec<usize> = if i < 4 { vec![4, 5, 6] } else { vec![] };
            assert_eq!(mask.keys(i, n).collect::<Vec<_>>(), keys);
            assert_eq!((mask.count(i, n), mask.is_empty(i, n)), (keys.len(), i >= 4));
        }
        assert_eq!((mask.pairs(n), mask.reach(n), mask.is_prefix()), (12, 3, false));
    }

    /// A price or a divisor that counts other pairs than are compared would choose wrong plans and weights.
    #[test]
    fn counts_are_of_the_keys() {
        for n in 1..9 {
            for window in [None, Some(1), Some(2), Some(5), Some(u32::MAX)] {
                for (causal, own) in [(false, false), (false, true), (true, false), (true, true)] {
                    let mask = Mask { causal, window, own, ..Mask::FULL };
                    let is_seen = |i: usize, j: usize| {
                        (!causal || j <= i) && window.is_none_or(|w| i.abs_diff(j) <= w as usize) && (own || i != j)
                    };
                    for i in 0..n {
                        let keys: Vec<usize> = (0..n).filter(|&j| is_seen(i, j)).collect();
                        assert_eq!(mask.keys(i, n).collect::<Vec<_>>(), keys, "{mask:?}, row {i} of {n}");
                        assert_eq!((mask.count(i, n), mask.is_empty(i, n)), (keys.len(), keys.is_empty()));
                    }
                    let ranges = || (0..n).map(|i| mask.range(i, n).len());
                    assert_eq!(ranges().sum::<usize>() as u64, mask.pairs(n), "{mask:?}, n = {n}");
                    assert_eq!(ranges().max(), Some(mask.reach(n)), "{mask:?}, n = {n}");
                }
            }
        }
    }
}
