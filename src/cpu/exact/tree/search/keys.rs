//! The keys that a search looks through.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cpu::exact::cloud::Cloud;
use crate::cpu::exact::width::Width;
use crate::space::{Order, Tree};

/// Marks on numbers, by any number of threads.
pub(crate) struct Marks(Vec<AtomicU64>);

impl Marks {
    /// No marks on so many numbers.
    pub(crate) fn on(count: usize) -> Self {
        Self((0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn set(&self, at: usize) {
        let (word, bit) = (&self.0[at / 64], 1 << (at % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// A bit for each number.
    pub(crate) fn into_words(self) -> Vec<u64> {
        self.0.into_iter().map(AtomicU64::into_inner).collect()
    }
}

/// Keys in order, their weights and their boxes.
pub(crate) struct SortedKeys<'a, W: Width> {
    /// Coordinates of the keys.
    pub(crate) cloud: &'a Cloud<W>,
    /// The number of tokens that each key stands for.
    pub(crate) weight: &'a [u32],
    /// The least index among the tokens of each key.
    pub(crate) first: &'a [u32],
    /// The key of token 0.
    pub(crate) first_key: u32,
    pub(crate) tree: &'a Tree<W::Int>,
    /// Where to mark the grafted leaves that were looked at, if there are any.
    pub(crate) touched: Option<&'a Marks>,
    /// Keys that lie outside the tree and attain large scores.
    pub(crate) seeds: std::ops::Range<u32>,
    /// The order, which says how to search.
    pub(crate) order: Order,
    /// True if some weight is not 1.
    pub(crate) weighted: bool,
}

impl<W: Width> SortedKeys<'_, W> {
    /// Marks a node, if it is a grafted leaf.
    #[inline]
    pub(crate) fn touch(&self, node: usize) {
        if let (Some(touched), Some(place)) = (self.touched, self.tree.place_of(node)) {
            touched.set(place);
        }
    }
}
