//! A graph as a mask: whom each token attends to.

use crate::error::{Error, Result};

/// The keys of every row, by edges (i, j): token i attends to token j. A row has its own key too, which it sees unless
/// tokens do not see themselves ([`crate::model::Mask::own`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Where the keys of a row begin, and where those of the last end.
    first: Vec<usize>,
    /// The keys of all rows, ascending in each.
    keys: Vec<u32>,
}

impl Graph {
    /// The graph of n tokens with these edges, in any order; an edge given twice is one.
    ///
    /// # Errors
    /// An edge from or to no token, by its number in the list; more tokens than there are numbers for.
    pub fn new(n: usize, edges: &[[u32; 2]]) -> Result<Self> {
        if n > u32::MAX as usize {
            return Err(Error::input(format!("a graph of {n} tokens; at most {}", u32::MAX)));
        }
        let beyond = edges.iter().enumerate().find_map(|(k, edge)| Some((k, edge.iter().find(|&&i| i as usize >= n)?)));
        if let Some((k, i)) = beyond {
            return Err(Error::input(format!("edge {k}: {}", no_token(u64::from(*i), n))));
        }
        let mut pairs: Vec<[u32; 2]> = edges.iter().copied().chain((0..n as u32).map(|i| [i, i])).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut first = vec![0; n + 1];
        for [i, _] in &pairs {
            first[*i as usize + 1] += 1;
        }
        for i in 0..n {
            first[i + 1] += first[i];
        }
        Ok(Self { first, keys: pairs.into_iter().map(|[_, j]| j).collect() })
    }

    /// n.
    pub fn n(&self) -> usize {
        self.first.len() - 1
    }

    /// The keys of row i, ascending, its own among them.
    pub fn row(&self, i: usize) -> &[u32] {
        &self.keys[self.first[i]..self.first[i + 1]]
    }

    /// The edges between different tokens, in order.
    pub fn edges(&self) -> impl Iterator<Item = [u32; 2]> + '_ {
        (0..self.n()).flat_map(|i| self.row(i).iter().map(move |&j| [i as u32, j])).filter(|[i, j]| i != j)
    }

    /// The first token with no edge to another.
    pub(crate) fn alone(&self) -> Option<usize> {
        (0..self.n()).find(|&i| self.row(i).len() == 1)
    }
}

/// Says that a number is none of a token.
pub(crate) fn no_token(number: impl std::fmt::Display, n: usize) -> String {
    format!("token {number}, where there are {n}, 0 to {}", n.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mask;

    /// A row that saw another key than those of its edges would be another system.
    #[test]
    fn rows_are_those_of_the_edges() {
        let graph = Graph::new(4, &[[2, 3], [0, 2], [2, 0], [0, 2], [1, 1]]).unwrap();
        let rows: Vec<&[u32]> = (0..4).map(|i| graph.row(i)).collect();
        assert_eq!(rows, [&[0, 2][..], &[1], &[0, 2, 3], &[3]]);
        assert_eq!(graph.edges().collect::<Vec<_>>(), [[0, 2], [2, 0], [2, 3]]);
        assert_eq!((graph.n(), graph.alone()), (4, Some(1)));
        let mask = Mask { graph: true, ..Mask::FULL };
        let keys = |mask: Mask, i| mask.keys_in(Some(&graph), i, 4).collect::<Vec<_>>();
        assert_eq!((keys(mask, 2), keys(Mask { own: false, ..mask }, 2)), (vec![0, 2, 3], vec![0, 3]));
        assert_eq!((mask.count_in(Some(&graph), 2, 4), mask.is_prefix()), (3, false));
        assert_eq!(Mask { own: false, ..mask }.count_in(Some(&graph), 1, 4), 0);
        for (edges, said) in
            [(&[[0, 1], [1, 4]][..], "edge 1: token 4, where there are 4, 0 to 3"), (&[[9, 0]], "edge 0")]
        {
            assert!(Graph::new(4, edges).unwrap_err().to_string().contains(said));
        }
    }
}
