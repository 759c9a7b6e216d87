//! A trajectory to be played: positions of tokens at recorded steps, in the plane or in space, thinned to what a page can
//! carry.
//!
//! | d | shown |
//! |---|---|
//! | 1 | x₁ and the token's index |
//! | 2, 3 | the coordinates |
//! | more | the first three principal axes of the first and last frame pooled |

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::canvas::escaped;
use super::document::json;
use super::frame::coordinate;
use super::{COLOURS, gif};
use crate::error::{Error, Result};
use crate::observe::{Clusters, PrincipalAxes};
use crate::tokens::Tokens;

/// Numbers that a page carries for one trajectory, at most: 6.4 MB of text.
const MOST_NUMBERS: usize = 1_200_000;
const MOST_TOKENS: usize = 2_500;
const MOST_FRAMES: usize = 400;
/// Tokens at most this share of the start cloud's extent apart count as one cluster.
const CLUSTER_TOLERANCE: f64 = 2e-3;
/// Tokens of small clusters.
const OTHER: &str = "#8c8c8c";

/// A trajectory, thinned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Player {
    /// Steps of the frames.
    pub(super) steps: Vec<u64>,
    /// Tokens shown.
    pub(super) tokens: usize,
    /// 2 or 3.
    pub(super) dims: usize,
    /// A unit is as long on every axis.
    pub(super) equal: bool,
    /// Names of the axes, and with their units.
    pub(super) names: Vec<String>,
    pub(super) axes: Vec<String>,
    /// The box around all of it.
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
    /// The tokens' indices.
    ids: Vec<usize>,
    /// Each token's colour.
    pub(super) colour: Vec<usize>,
    pub(super) colours: Vec<&'static str>,
    /// (frame, token, axis).
    #[serde(skip)]
    pub(super) positions: Vec<f32>,
    /// What was left out, in a sentence or none.
    #[serde(skip)]
    pub(super) thinned: String,
}

impl Player {
    /// The trajectory of frames that ascend and share a shape.
    ///
    /// # Errors
    /// No frames, frames of different shapes or out of order.
    pub fn new(frames: &[(u64, Tokens)]) -> Result<Self> {
        let (Some((_, first)), Some((_, last))) = (frames.first(), frames.last()) else {
            return Err(Error::input("a trajectory to play needs at least one frame"));
        };
        let (n, d) = (first.n(), first.d());
        if frames.iter().any(|(_, tokens)| (tokens.n(), tokens.d()) != (n, d)) {
            return Err(Error::input("a trajectory to play needs frames of one shape"));
        }
        if frames.windows(2).any(|pair| pair[1].0 <= pair[0].0) {
            return Err(Error::input("a trajectory to play needs frames in the order of their steps"));
        }
        let dims = d.clamp(2, 3);
        let ids = sample(n, MOST_TOKENS);
        let kept = sample(frames.len(), MOST_FRAMES.min(MOST_NUMBERS / (ids.len() * dims)).max(2));
        // The last frame is where it ends.
        let kept: Vec<usize> = kept.iter().copied().chain([frames.len() - 1]).collect();
        let kept = {
            let mut kept = kept;
            kept.dedup();
            kept
        };

        let largest = frames.iter().map(|(_, tokens)| tokens.largest_magnitude()).fold(0.0, f64::max);
        // Single precision holds this much; beyond, coordinates are in units of the largest.
        let unit = if largest == 0.0 || (1e-30..1e30).contains(&largest) { 1.0 } else { largest };
        let axes = (d > 3).then(|| PrincipalAxes::of(&[first, last], 3));
        let project = |tokens: &Tokens, i: usize| -> Vec<f64> {
            match &axes {
                Some(axes) => axes
                    .directions
                    .iter()
                    .map(|v| v.iter().enumerate().map(|(k, v)| v * ((tokens.get(i, k) - axes.mean[k]) / unit)).sum())
                    .collect(),
                None if d == 1 => vec![tokens.get(i, 0) / unit, i as f64],
                None => (0..d).map(|k| tokens.get(i, k) / unit).collect(),
            }
        };
        let exact: Vec<f64> =
            kept.iter().flat_map(|&f| ids.iter().flat_map(move |&i| project(&frames[f].1, i))).collect();
        let range = |k: usize| {
            let values = exact.iter().skip(k).step_by(dims).copied();
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)))
        };
        let ranges: Vec<(f64, f64)> = (0..dims).map(range).collect();
        let extent = ranges.iter().take(if d == 1 { 1 } else { dims }).map(|(l, h)| h - l).fold(0.0, f64::max);
        // A cloud far from the origin is shown from a place near it.
        let offset = |k: usize| {
            let (l, h) = ranges[k];
            if l.abs().max(h.abs()) > 1e4 * extent && extent > 0.0 { f64::midpoint(l, h) } else { 0.0 }
        };
        let offsets: Vec<f64> = (0..dims).map(offset).collect();
        let positions = exact.iter().enumerate().map(|(at, v)| (v - offsets[at % dims]) as f32).collect();
        let margin = |k: usize| {
            let (l, h) = ranges[k];
            let own = if d == 1 { h - l } else { extent };
            0.05 * if own > 0.0 { own } else { h.abs().max(1.0) }
        };
        let low = (0..dims).map(|k| ranges[k].0 - offsets[k] - margin(k)).collect();
        let high = (0..dims).map(|k| ranges[k].1 - offsets[k] + margin(k)).collect();

        let name = |k: usize| match &axes {
            Some(_) => format!("axis {}", k + 1),
            None if d == 1 && k == 1 => "token".to_owned(),
            None => coordinate(k + 1),
        };
        let label = |k: usize| {
            let shift = if offsets[k] == 0.0 { String::new() } else { format!(" − ({:e})", offsets[k]) };
            let of = if unit == 1.0 { "dimensionless".to_owned() } else { format!("in units of {unit:.3e}") };
            match &axes {
                Some(axes) => format!("principal axis {} ({:.1} % of variance)", k + 1, 100.0 * axes.shares[k]),
                None if d == 1 && k == 1 => "token (index)".to_owned(),
                None => format!("{}{shift} ({of})", name(k)),
            }
        };
        let wide = |(l, h): (f64, f64)| h - l;
        let clusters = Clusters::of(
            last,
            CLUSTER_TOLERANCE
                * ranges.iter().copied().take(if d == 1 { 1 } else { dims }).map(wide).fold(0.0, f64::max)
                * unit,
        );
        let least = if n <= 12 { 1 } else { n.div_ceil(100).max(2) };
        let own = clusters.weight.iter().take(COLOURS.len()).filter(|weight| **weight >= least).count();
        let colours: Vec<&str> = match own {
            0 => vec![COLOURS[0]],
            own => COLOURS[..own].iter().copied().chain([OTHER]).collect(),
        };
        let colour = ids.iter().map(|&i| clusters.label[i].min(own)).collect();
        let mut thinned = Vec::new();
        if ids.len() < n {
            thinned.push(format!("{} of {n} tokens", ids.len()));
        }
        if kept.len() < frames.len() {
            thinned.push(format!("{} of {} frames", kept.len(), frames.len()));
        }
        Ok(Self {
            steps: kept.iter().map(|&f| frames[f].0).collect(),
            tokens: ids.len(),
            dims,
            equal: d > 1,
            names: (0..dims).map(name).collect(),
            axes: (0..dims).map(label).collect(),
            low,
            high,
            ids,
            colour,
            colours,
            positions,
            thinned: if thinned.is_empty() { String::new() } else { format!("Shown: {}.", thinned.join(", ")) },
        })
    }

    /// The trajectory as an animated GIF.
    ///
    /// # Errors
    /// A sheet that the rasteriser refuses.
    pub fn gif(&self, title: &str) -> Result<Vec<u8>> {
        gif::animate(self, title)
    }

    /// The figure of a page that `report.js` brings to life.
    pub(super) fn html(&self, out: &mut String, caption: &str) {
        let bytes: Vec<u8> = self.positions.iter().flat_map(|v| v.to_le_bytes()).collect();
        let turns = if self.dims == 3 { " turns" } else { "" };
        let how = if self.dims == 3 { " Drag to turn, wheel to zoom." } else { "" };
        let ends = "Colours: the heaviest clusters that tokens end in; the others grey.";
        *out += &format!(
            "<figure class=\"player{turns}\">\n<div style=\"position:relative\"><canvas tabindex=\"0\" role=\"img\" \
             aria-label=\"trajectory\"></canvas><div class=\"tip\"></div></div>\n<div class=\"controls\">\
             <button type=\"button\">Play</button><input type=\"range\" min=\"0\" value=\"0\" aria-label=\"step\">\
             <span class=\"step\"></span><label><input type=\"checkbox\" class=\"trails\" checked> paths</label></div>\n\
             <script type=\"application/json\" class=\"facts\">{}</script>\n\
             <script type=\"text/plain\" class=\"positions\">{}</script>\n\
             <figcaption>{} {ends}{how} {}</figcaption>\n</figure>\n",
            json(self),
            STANDARD.encode(bytes),
            escaped(caption),
            escaped(&self.thinned)
        );
    }
}

/// At most `most` of `0..n`, evenly spread.
fn sample(n: usize, most: usize) -> Vec<usize> {
    let m = n.min(most);
    (0..m).map(|s| (s as u128 * n as u128 / m as u128) as usize).collect()
}
