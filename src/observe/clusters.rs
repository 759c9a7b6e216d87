//! Clusters: tokens joined by chains of neighbours about a tolerance apart, found on a grid.
//!
//! Tokens that share a cell of side tolerance/√d are neighbours at once, so that a collapsed cloud
//! costs O(n log n); the cells left over are swept along their first coordinate, and two whose
//! first tokens are within the tolerance join. A cloud that fills more than 50,000 cells has not
//! clustered at this tolerance; it is not swept, its cells are its clusters.

use std::collections::BTreeMap;

use crate::tokens::Tokens;

/// Cells beyond which neighbours are not joined.
const MOST_CELLS: usize = 50_000;

/// A partition of the tokens, heaviest cluster first (ties: lowest member first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// Cluster of every token.
    pub label: Vec<usize>,
    /// Number of tokens of every cluster, descending.
    pub weight: Vec<usize>,
}

impl Clusters {
    /// Clusters at `tolerance`, in the tokens' unit.
    pub fn of(tokens: &Tokens, tolerance: f64) -> Self {
        let (n, d) = (tokens.n(), tokens.d());
        let least = f64::from_bits(1);
        let tolerance = tolerance.max(least);
        let side = (tolerance / (d as f64).sqrt()).max(least);
        let low = tokens.row(0);
        let mut cells: BTreeMap<Vec<i64>, usize> = BTreeMap::new();
        let mut parent: Vec<usize> = (0..n).collect();
        let mut firsts = Vec::new();
        for (i, own) in parent.iter_mut().enumerate() {
            let cell = (0..d).map(|k| (tokens.get(i, k) / side - low[k] / side).floor() as i64).collect();
            *own = *cells.entry(cell).or_insert(i);
            if *own == i {
                firsts.push(i);
            }
        }
        drop(cells);
        firsts.sort_by(|&a, &b| tokens.get(a, 0).total_cmp(&tokens.get(b, 0)).then(a.cmp(&b)));
        if firsts.len() > MOST_CELLS {
            firsts.clear();
        }
        for (at, &a) in firsts.iter().enumerate() {
            for &b in &firsts[at + 1..] {
                if tokens.get(b, 0) - tokens.get(a, 0) > tolerance {
                    break;
                }
                let apart: f64 = (0..d).map(|k| ((tokens.get(a, k) - tokens.get(b, k)) / tolerance).powi(2)).sum();
                if apart <= 1.0 {
                    let (a, b) = (root(&mut parent, a), root(&mut parent, b));
                    parent[a.max(b)] = a.min(b);
                }
            }
        }
        let mut members: BTreeMap<usize, usize> = BTreeMap::new();
        let roots: Vec<usize> = (0..n).map(|i| root(&mut parent, i)).collect();
        for &r in &roots {
            *members.entry(r).or_default() += 1;
        }
        let mut order: Vec<(usize, usize)> = members.into_iter().collect();
        order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let rank: BTreeMap<usize, usize> = order.iter().enumerate().map(|(at, &(r, _))| (r, at)).collect();
        Self {
            label: roots.iter().map(|r| rank[r]).collect(),
            weight: order.into_iter().map(|(_, weight)| weight).collect(),
        }
    }
}

fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this failed, tokens that ended together would have different colours, or others one
    /// colour.
    #[test]
    fn chains_join_and_gaps_part() {
        let x = [0.0, 0.0009, 1.0, 0.5, -0.0004, 1.0, 0.999_999];
        let clusters = Clusters::of(&Tokens::from_flat(7, 1, x.to_vec()).unwrap(), 1e-3);
        assert_eq!(clusters.weight, [3, 3, 1]);
        assert_eq!(clusters.label, [0, 0, 1, 2, 0, 1, 1]);
    }

    /// If this failed, a huge or a vanishing cloud would have other clusters than one of size 1.
    #[test]
    fn scale_does_not_matter() {
        let x = [1.0, 1.0, 1.0, 1.0001, -1.0, 0.0];
        let label = |scale: f64| {
            let scaled: Vec<f64> = x.iter().map(|x| x * scale).collect();
            Clusters::of(&Tokens::from_flat(3, 2, scaled).unwrap(), 1e-3 * scale).label
        };
        assert_eq!(label(1.0), label(1e300));
        assert_eq!(label(1.0), label(1e-300));
    }
}
