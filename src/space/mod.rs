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

mod medians;
mod merge;
mod order;
mod tree;

pub use merge::Keys;
pub use order::{Order, order};
pub use tree::Tree;

/// Number of keys in a leaf of the tree.
pub const LEAF: usize = 32;

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

/// A lattice coordinate, of magnitude at most 2^24 (i32) or 2^53 (i64).
pub trait Coordinate: Copy + Default + Ord + Send + Sync + 'static {
    /// Holds every coordinate exactly.
    type Float: Copy + Default + Send + Sync + 'static;
    /// Holds sums of 2^32 coordinates.
    type Sum: Copy + Default + Send + Sync + std::ops::AddAssign + 'static;

    /// Widens the coordinate.
    fn to_i64(self) -> i64;
    /// Converts the coordinate, exactly.
    fn to_float(self) -> Self::Float;
    /// A float in `[low, high]`, near the middle, and one not below its distance from both ends.
    fn centre_and_half_width(low: Self, high: Self) -> (Self::Float, Self::Float);
    /// A float not below x, which is non-negative.
    fn float_above(x: f64) -> Self::Float;
    /// The product `weight · self`.
    fn times(self, weight: u32) -> Self::Sum;
}

macro_rules! coordinate {
    ($int:ty, $float:ty, $sum:ty) => {
        impl Coordinate for $int {
            type Float = $float;
            type Sum = $sum;

            fn to_i64(self) -> i64 {
                self.into()
            }

            fn to_float(self) -> $float {
                self as $float
            }

            fn centre_and_half_width(low: Self, high: Self) -> ($float, $float) {
                // Rounding is monotone, so the centre stays between low and high; it is an integer,
                // as both of them are or the distance of two floats this large is.
                let centre = (low + (high - low) / 2) as $float;
                let half = (high as $float - centre).max(centre - low as $float);
                (centre, if half == 0.0 { 0.0 } else { half.next_up() })
            }

            fn float_above(x: f64) -> $float {
                (x as $float).next_up()
            }

            fn times(self, weight: u32) -> $sum {
                self as $sum * weight as $sum
            }
        }
    };
}
coordinate!(i32, f32, i64);
coordinate!(i64, f64, i128);
