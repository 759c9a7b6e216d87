//! A trajectory to be played: positions of tokens at recorded steps, in the plane or in space,
//! thinned to what a page can carry.
//!
//! | d | shown |
//! |---|---|
//! | 1 | x₁ and the token's index |
//! | 2, 3 | the coordinates |
//! | more | the first three principal axes of the first and last frame pooled |

use serde::Serialize;

use super::axes::coordinate;
use super::colouring::Colouring;
use super::frames;
use crate::error::Result;
use crate::num;
use crate::observe::PrincipalAxes;
use crate::tokens::Tokens;

/// Numbers that a page carries for one trajectory, at most: 6.4 MB of text.
const MOST_NUMBERS: usize = 1_200_000;
const MOST_TOKENS: usize = 2_500;
const MOST_FRAMES: usize = 400;

/// A trajectory, thinned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Player {
    /// Steps of the frames.
    pub(super) steps: Vec<u64>,
    /// Number of tokens shown.
    pub(super) tokens: usize,
    /// Number of axes: 2 or 3.
    pub(super) dims: usize,
    /// Whether a unit is as long on every axis.
    pub(super) equal: bool,
    /// Names of the axes.
    pub(super) names: Vec<String>,
    /// Names of the axes with their units.
    pub(super) axes: Vec<String>,
    /// Corners of the box around all positions.
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
    /// Factors that axes of space are drawn longer by, so that none is a third of the longest.
    pub(super) stretch: Vec<f64>,
    /// Indices of the tokens shown.
    ids: Vec<usize>,
    /// Each token's colour, an index into `colours`.
    pub(super) colour: Vec<usize>,
    pub(super) colours: Vec<&'static str>,
    /// `[frame][token][axis]`.
    #[serde(skip)]
    pub(super) positions: Vec<f32>,
    /// A sentence that says what was left out, or an empty one.
    #[serde(skip)]
    pub(super) thinned: String,
}

impl Player {
    /// Thins the trajectory of frames that ascend and share a shape.
    ///
    /// # Errors
    /// No frames, frames of different shapes or out of order.
    pub fn new(frames: &[(u64, Tokens)]) -> Result<Self> {
        frames::check(frames, "a trajectory to play")?;
        let last = frames.len() - 1;
        let n = frames[last].1.n();
        let space = Space::of(frames);
        let dims = space.dims();
        let ids: Vec<usize> = num::evenly(n, MOST_TOKENS).collect();
        // The last frame is where it ends.
        let most = MOST_FRAMES.min(MOST_NUMBERS / (ids.len() * dims)).max(2);
        let mut kept: Vec<usize> = num::evenly(frames.len(), most).chain([last]).collect();
        kept.dedup();
        let places = |&f: &usize| ids.iter().map(move |&i| (&frames[f].1, i));
        let exact: Vec<f64> = kept.iter().flat_map(places).flat_map(|(tokens, i)| space.position(tokens, i)).collect();
        let view = Window::around(&exact, &space);
        let colouring = Colouring::of(&frames[last].1, view.extent * space.unit);
        let left_out = [(ids.len(), n, "tokens"), (kept.len(), frames.len(), "frames")];
        let left_out = left_out.into_iter().filter(|(shown, all, _)| shown < all);
        let left_out: Vec<String> = left_out.map(|(shown, all, what)| format!("{shown} of {all} {what}")).collect();
        Ok(Self {
            steps: kept.iter().map(|&f| frames[f].0).collect(),
            tokens: ids.len(),
            dims,
            equal: space.d > 1,
            names: (0..dims).map(|k| space.name(k)).collect(),
            axes: (0..dims).map(|k| space.label(k, view.offsets[k])).collect(),
            positions: exact.iter().enumerate().map(|(at, v)| (v - view.offsets[at % dims]) as f32).collect(),
            stretch: view.stretch(),
            low: view.low,
            high: view.high,
            colour: ids.iter().map(|&i| colouring.layer(i)).collect(),
            colours: colouring.colours(),
            ids,
            thinned: if left_out.is_empty() { String::new() } else { format!("Shown: {}.", left_out.join(", ")) },
        })
    }
}

/// The map from R^d to the axes shown.
struct Space {
    d: usize,
    /// Length that positions are divided by.
    unit: f64,
    principal: Option<PrincipalAxes>,
}

impl Space {
    fn of(frames: &[(u64, Tokens)]) -> Self {
        let (first, last) = (&frames[0].1, &frames[frames.len() - 1].1);
        let largest = frames.iter().map(|(_, tokens)| tokens.largest_magnitude()).fold(0.0, f64::max);
        // Beyond the range of single precision, positions are in units of the largest coordinate.
        let unit = if largest == 0.0 || (1e-30..1e30).contains(&largest) { 1.0 } else { largest };
        let principal = (first.d() > 3).then(|| PrincipalAxes::of(&[first, last], 3));
        Self { d: first.d(), unit, principal }
    }

    fn dims(&self) -> usize {
        self.d.clamp(2, 3)
    }

    fn position(&self, tokens: &Tokens, i: usize) -> Vec<f64> {
        match &self.principal {
            Some(axes) => (0..3).map(|axis| axes.along(axis, tokens, i, self.unit)).collect(),
            None if self.d == 1 => vec![tokens.get(i, 0) / self.unit, i as f64],
            None => (0..self.d).map(|k| tokens.get(i, k) / self.unit).collect(),
        }
    }

    /// The name of an axis.
    fn name(&self, k: usize) -> String {
        match &self.principal {
            Some(_) => format!("axis {}", k + 1),
            None if self.d == 1 && k == 1 => "token".to_owned(),
            None => coordinate(k + 1),
        }
    }

    /// The name of an axis with its unit, for positions from which `offset` was taken.
    fn label(&self, k: usize, offset: f64) -> String {
        let shift = if offset == 0.0 { String::new() } else { format!(" − ({offset:e})") };
        let unit = if self.unit == 1.0 { String::new() } else { format!(" (in units of {:.3e})", self.unit) };
        match &self.principal {
            Some(axes) => format!("principal axis {} ({:.1} % of variance)", k + 1, 100.0 * axes.shares[k]),
            None if self.d == 1 && k == 1 => "token (index)".to_owned(),
            None => format!("{}{shift}{unit}", self.name(k)),
        }
    }
}

/// The box around all positions, by axis.
struct Window {
    /// The longest side; in one dimension that of the coordinate.
    extent: f64,
    offsets: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Window {
    /// Puts a box with a margin around positions, `[…][axis]`; far from the origin, with an offset.
    fn around(positions: &[f64], space: &Space) -> Self {
        let dims = space.dims();
        let range = |k: usize| num::range(positions.iter().skip(k).step_by(dims).copied());
        let ranges: Vec<(f64, f64)> = (0..dims).map(range).collect();
        let extent = ranges.iter().take(if space.d == 1 { 1 } else { dims }).map(|(l, h)| h - l).fold(0.0, f64::max);
        let (mut offsets, mut low, mut high) = (Vec::new(), Vec::new(), Vec::new());
        for (l, h) in ranges {
            let far = l.abs().max(h.abs()) > 1e4 * extent && extent > 0.0;
            let offset = if far { f64::midpoint(l, h) } else { 0.0 };
            let own = if space.d == 1 { h - l } else { extent };
            let margin = 0.05 * if own > 0.0 { own } else { h.abs().max(1.0) };
            offsets.push(offset);
            low.push(l - offset - margin);
            high.push(h - offset + margin);
        }
        Self { extent, offsets, low, high }
    }

    fn stretch(&self) -> Vec<f64> {
        let sides: Vec<f64> = self.low.iter().zip(&self.high).map(|(l, h)| h - l).collect();
        let longest = sides.iter().copied().fold(0.0, f64::max);
        sides.iter().map(|side| (longest / side / 3.0).max(1.0)).collect()
    }
}
