//! Measures of a state, read-only: they take tokens and never touch an engine.
//!
//! Most work on [`Points`], the tokens widened to f64; where tokens coincide, measure the
//! [`Distinct`] ones and spread the result by its labels. Every measure is a pure function of the
//! state, the same on any number of threads.
//!
//! ```text
//! let points = Points::of(&tokens);
//! let cloud = Distinct::of(&points);
//! let places = Places::of(&points, &Rounding::of(&model, grid, d, t, radius));
//! let far = nearest(&points, &places.points(&places.vertices)); // distance to the nearest vertex
//! let hull = Hull::of(&points);
//! let a = real::Steps::new(&model, d).at(t)?.stages[0].heads[0].scores;
//! let alignment = Alignment::of(&points, &a, &hull);          // gaps, cells, membership of S
//! ```
//!
//! | measure | item | cost beyond O(n d) |
//! |---|---|---|
//! | support function, monotone ledger | [`Directions::support`], [`SupportLedger`] | directions |
//! | tokens at one place but for rounding; vertices of K | [`Places`], [`Rounding`] | log; the hull |
//! | extreme tokens, rounding and all | [`Hull`]: exact for d ≤ 3, certified beyond | little; vertices for d > 3 |
//! | distance to the nearest vertex | [`nearest()`] | log |
//! | alignment gap, Frank–Wolfe cell, membership of S | [`Alignment`] | log; none if the argmax is known |
//! | quiescent sets, entries, S_1 and S_2 | [`QuiescentSets`], [`Entries`], [`is_closed_group`] | log |
//! | leaders, lone and moved tokens, strip sizes | [`leaders`], [`alone`], [`moved`], [`strip_histogram`] | none |
//! | clusters: count, weights; centres, diameters | [`Clusters`], [`Clusters::groups`] | log; hulls |
//! | distinct tokens | [`Distinct`] | none |
//! | rank of the score matrix | [`score_rank`], [`threshold_rank`] | d²; n² |
//! | pairs in nearly one direction, their groups | [`near_pairs`], [`near_groups`] | n² |
//! | V, sphere energy, their increases | [`hegselmann_krause`], [`sphere_energy`], [`IncreaseLedger`] | pairs |
//! | Frank–Wolfe objective | [`frank_wolfe_objective`] | none |
//! | rates beside 1/(1+α) | [`RateFit`], [`contraction`] | |
//! | the end of a run: clusters, vertices, artefacts, labels | [`Limits`] | log; the hull |
//! | scalars of a run's states, as in measures.csv | [`Observer`] | log |
//! | means, shares and power laws of many runs, with intervals | [`Mean`], [`wilson`], [`PowerLaw`] | |
//! | principal axes | [`PrincipalAxes`] | a sample |

mod alignment;
mod axes;
mod clusters;
mod energies;
mod envelope;
mod groups;
mod hull;
mod limits;
mod near;
mod nearest;
mod places;
mod points;
mod quiescent;
mod rank;
mod rates;
mod rounding;
mod scalars;
mod statistics;
mod support;

pub use alignment::Alignment;
pub use axes::PrincipalAxes;
pub use clusters::Clusters;
pub use energies::{
    ALL_PAIRS, Energy, Increase, IncreaseLedger, energy, frank_wolfe_objective, hegselmann_krause, sphere_energy,
};
pub use groups::{Group, alone, leaders, moved, strip_histogram};
#[cfg(feature = "pictures")]
pub(crate) use hull::planar::vertices as planar_hull;
pub use hull::{EFFORT, Hull};
pub use limits::{Limit, Limits};
pub use near::{NEAR, near_groups, near_pairs};
pub use nearest::{Nearest, nearest};
pub use places::Places;
pub use points::{Distinct, Points};
pub use quiescent::{Entries, QuiescentSets, is_closed_group, quiescent_radius, width_unit};
pub use rank::{score_rank, threshold_rank};
pub use rates::{Decay, FLOOR, LEAST, RateFit, Sample, contraction};
pub use rounding::Rounding;
pub use scalars::{HullScalars, Observer, Scalars};
pub use statistics::{Mean, PowerLaw, at_most, wilson};
pub use support::{Directions, Rise, Support, SupportLedger};
