//! Keys: distinct rows in order, each with its weight.

use rayon::prelude::*;

use super::coordinate::Coordinate;
use super::medians::refine;
use super::order::{Order, order};

/// Rows in order, each with the tokens that were merged into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys<I> {
    /// Coordinates, row-major.
    pub rows: Vec<I>,
    /// Number of tokens that lie at each.
    pub weight: Vec<u32>,
    /// The least index among these tokens.
    pub first: Vec<u32>,
}

impl<I: Coordinate> Keys<I> {
    /// Makes one key of every row of an (n, d) lattice array, in the array's order.
    ///
    /// # Panics
    /// More than 2^32 − 1 rows.
    pub fn of_tokens(rows: Vec<I>, d: usize) -> Self {
        let n = u32::try_from(rows.len() / d).expect("rows are counted in 32 bits");
        Self { rows, weight: vec![1; n as usize], first: (0..n).collect() }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.weight.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.weight.is_empty()
    }

    /// Orders the keys, and merges equal ones if `merge`; returns also the new place of each key.
    #[must_use]
    pub fn ordered(self, d: usize, by: Order, merge: bool) -> (Self, Vec<u32>) {
        let row = |i: u32| &self.rows[i as usize * d..][..d];
        let order = order(&self.rows, d, by);
        // Begin and end of each key.
        let begins = |&at: &usize| at == 0 || !merge || row(order[at - 1]) != row(order[at]);
        let starts: Vec<u32> = (0..order.len()).into_par_iter().filter(begins).map(|at| at as u32).collect();
        let ends = starts.par_iter().skip(1).copied().chain([order.len() as u32]);
        let mut keys: Vec<(u32, u32)> = starts.par_iter().copied().zip(ends).collect();
        if by == Order::Space {
            refine(&mut keys, d, |(start, _)| row(order[start as usize]));
        }
        let groups = || keys.par_iter().with_min_len(1024).map(|&(start, end)| &order[start as usize..end as usize]);
        let mut rows = vec![I::default(); keys.len() * d];
        rows.par_chunks_mut(d).zip(groups()).for_each(|(to, group)| to.copy_from_slice(row(group[0])));
        let merged = Self {
            rows,
            weight: groups().map(|group| group.iter().map(|&i| self.weight[i as usize]).sum()).collect(),
            first: groups()
                .map(|group| group.iter().map(|&i| self.first[i as usize]).min().unwrap_or_default())
                .collect(),
        };
        let mut places = vec![0; order.len()];
        for (place, &(start, end)) in keys.iter().enumerate() {
            order[start as usize..end as usize].iter().for_each(|&i| places[i as usize] = place as u32);
        }
        (merged, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// If a merge lost a token or a least index, counts and argmaxes would differ from brute
        /// force.
        #[test]
        fn merging_keeps_every_token(
            d in 1usize..4, values in proptest::collection::vec(-2i32..3, 0..400), by_norm in any::<bool>(), merge in any::<bool>(),
        ) {
            let rows = values[..values.len() / d * d].to_vec();
            let tokens = Keys::of_tokens(rows.clone(), d);
            let by = if by_norm { Order::Norm } else { Order::Space };
            let (once, places) = tokens.clone().ordered(d, by, merge);
            // Twice, as in a run: places compose, weights add up.
            let (keys, again) = once.ordered(d, Order::Space, merge);
            let mut weight = vec![0; keys.len()];
            let mut first = vec![u32::MAX; keys.len()];
            for (i, &place) in places.iter().enumerate() {
                let place = again[place as usize] as usize;
                prop_assert_eq!(&keys.rows[place * d..][..d], &rows[i * d..][..d]);
                weight[place] += 1;
                first[place] = first[place].min(i as u32);
            }
            prop_assert_eq!(&weight, &keys.weight);
            prop_assert_eq!(&first, &keys.first);
            if merge {
                let distinct: std::collections::HashSet<&[i32]> = rows.chunks(d).collect();
                prop_assert_eq!(distinct.len(), keys.len());
            } else {
                prop_assert_eq!(tokens.len(), keys.len());
            }
        }
    }
}
