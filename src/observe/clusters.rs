//! Clusters: the classes of tokens joined by chains of neighbours at most a tolerance apart (single linkage).
//!
//! Tokens that share a cell of side tolerance/√d are neighbours at once, so that a collapsed cloud costs O(n); the
//! cells left over are swept along their first coordinate. Two cells are compared by their first tokens.

use std::collections::BTreeMap;

use crate::tokens::Tokens;

/// A partition of the tokens, heaviest cluster first (ties: lowest member first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// Cluster of every token.
    pub label: Vec<usize>,
    /// Number of tokens of every cluster, descending.
    pub weight: Vec<usize>,
}

impl Clusters {
    /// Clusters at `tolerance`, as a share of the largest magnitude of a coordinate.
    pub fn of(tokens: &Tokens, tolerance: f64) -> Self {
        let (n, d) = (tokens.n(), tokens.d());
        let unit = tokens.largest_magnitude();
        let unit = if unit > 0.0 { unit } else { 1.0 };
        let side = tolerance / (d as f64).sqrt();
        let mut cells: BTreeMap<Vec<i64>, usize> = BTreeMap::new();
        let mut parent: Vec<usize> = (0..n).collect();
        let mut firsts = Vec::new();
        for (i, own) in parent.iter_mut().enumerate() {
            let cell = (0..d).map(|k| (tokens.get(i, k) / unit / side).floor() as i64).collect();
            *own = *cells.entry(cell).or_insert(i);
            if *own == i {
                firsts.push(i);
            }
        }
        drop(cells);
        firsts.sort_by(|&a, &b| tokens.get(a, 0).total_cmp(&tokens.get(b, 0)).then(a.cmp(&b)));
        for (at, &a) in firsts.iter().enumerate() {
            for &b in &firsts[at + 1..] {
                if tokens.get(b, 0) / unit - tokens.get(a, 0) / unit > tolerance {
                    break;
                }
                let apart: f64 = (0..d).map(|k| (tokens.get(a, k) / unit - tokens.get(b, k) / unit).powi(2)).sum();
                if apart <= tolerance * tolerance {
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

    /// If this failed, tokens that ended together would be drawn in different colours, or apart in one.
    #[test]
    fn chains_join_and_gaps_part() {
        let x = [0.0, 0.0009, 1.0, 0.5, 0.0018, 1.0, 0.999_999];
        let clusters = Clusters::of(&Tokens::from_f64(7, 1, x.to_vec()).unwrap(), 1e-3);
        assert_eq!(clusters.weight, [3, 3, 1]);
        assert_eq!(clusters.label, [0, 0, 1, 2, 0, 1, 1]);
    }

    /// If this failed, the picture of a huge or a vanishing cloud would show other clusters than the same cloud at 1.
    #[test]
    fn scale_does_not_matter() {
        let x = [1.0, 1.0, 1.0, 1.0001, -1.0, 0.0];
        let label = |scale: f64| {
            let scaled = x.iter().map(|x| x * scale).collect();
            Clusters::of(&Tokens::from_f64(3, 2, scaled).unwrap(), 1e-3).label
        };
        assert_eq!(label(1.0), label(1e300));
        assert_eq!(label(1.0), label(1e-300));
    }
}
