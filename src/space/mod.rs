//! The order of a cloud on its lattice and boxes over it: what an engine needs to do less than n².
//!
//! The strip of a token is a cap of the cloud, so that most keys can be ruled out unseen, many at a
//! time. Three ideas, none of which changes a bit of a result:
//!
//! * **order**: rows that lie close together get indices that lie close together (or rows of large
//!   norm come first);
//! * **merging**: in either order equal rows are neighbours, and become one *key* with a weight;
//!   keys in space are then ordered anew by medians, so that runs of them lie compactly;
//! * **tree**: boxes over runs of [`LEAF`] keys, boxes over pairs of boxes, and so on. Over a box,
//!   the score with a query q lies between `q·c − |q|·h` and `q·c + |q|·h` (c its centre, h its
//!   half-widths): a box wholly outside a strip is dropped, one wholly inside adds its stored
//!   weight and its exact integer sum.
//!
//! Everything here is in lattice integers and the floats equal to them; what a float bound may
//! decide is the engines' business, as it depends on how they compute it.
//!
//! Words used here and by the engines that search:
//!
//! | word | meaning |
//! |---|---|
//! | row | the coordinates of one token; as a query, times A |
//! | key | a distinct row, with the number of tokens that lie there |
//! | leaf | a run of [`LEAF`] keys in order: the lowest nodes of the tree |
//! | box | a centre and half-widths that hold all keys below a node |
//! | level | the nodes of one size; in a search, a group or its parts |
//! | packet | rows that are computed together, one in each lane |
//! | group | neighbouring rows whose packets share one descent of the tree |
//! | part | a quarter of a group, which descends further from where the group stopped |
//! | fan | the smallest box around the queries of a packet or a group |
//! | list | the few keys that a group has not decided, to be scored one by one |

mod coordinate;
mod graft;
mod medians;
mod merge;
mod order;
mod schedule;
mod tree;

pub use coordinate::Coordinate;
pub use graft::Graft;
pub use medians::LEAF;
pub use merge::Keys;
pub use order::{Order, order};
pub use schedule::{PATIENCE, SortSchedule};
pub use tree::Tree;

/// Upkeep of the order of keys from step to step; no choice changes a bit of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// Number of steps from one sort to the next; `None` for as many as pay.
    pub sort_every: Option<u32>,
    /// Whether coincident tokens become one key.
    pub merge: bool,
}

impl Default for Upkeep {
    fn default() -> Self {
        Self { sort_every: None, merge: true }
    }
}
