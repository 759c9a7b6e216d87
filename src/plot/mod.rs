//! Pictures: SVG and PNG from one description, drawn from plain data, never from a live engine.
//!
//! * [`Trajectories`]: the paths of the tokens, in the plane of the first two coordinates or
//!   principal axes, with the strip of one token.
//! * [`Comparison`]: several runs of one cloud, side by side.
//! * [`Metrics`]: strip sizes or the tokens' motion, and moved tokens, against the step.
//! * [`Chart`], [`Panels`]: lines, points, bands, histograms, regions and heat maps on linear or
//!   logarithmic axes.
//! * [`Player`]: a trajectory to be played, as part of a page and as a GIF.
//! * [`document`]: a report, as one page that needs no network and as Markdown.
//!
//! The PNG is rasterised from the SVG with the font inside it: the same input gives the same
//! picture on any machine. Colours are Okabe and Ito's, safe for colour-blind readers.

mod axes;
mod canvas;
mod chart;
mod colouring;
mod comparison;
pub mod document;
mod frames;
mod geometry;
mod gif;
mod metrics;
mod motion;
mod page;
mod picture;
mod player;
mod time;
mod trajectories;
mod view;

pub use chart::Chart;
pub use chart::coordinate::Coordinate;
pub use chart::panels::Panels;
pub use comparison::Comparison;
pub use metrics::{Metrics, StepMetrics};
pub use picture::{Picture, Size, Tooltip};
pub use player::Player;
pub use time::Time;
pub use trajectories::data::{StripView, Trajectories};
