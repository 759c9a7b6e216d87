//! The keys that a search looks through.

use crate::cpu::exact::cloud::Cloud;
use crate::cpu::exact::width::Width;
use crate::space::{Order, Tree};

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
    /// The order, which says how to search.
    pub(crate) order: Order,
    /// True if some weight is not 1.
    pub(crate) weighted: bool,
}
