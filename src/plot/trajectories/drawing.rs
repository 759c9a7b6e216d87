//! The layers of a picture of trajectories, from the back to the front.

use glam::DVec2;

use super::data::Trajectories;
use super::legend::{self, BAND, EDGE, Key};
use crate::num;
use crate::observe::planar_hull;
use crate::plot::axes::{Axes, INK, SOFT, foot, significant};
use crate::plot::canvas::{Canvas, Style};
use crate::plot::colouring::Colouring;
use crate::plot::geometry::clip;
use crate::plot::view::View;
use crate::tokens::Tokens;

/// Limits that keep an SVG readable and under 2 MB: paths, their corners, dots of one kind.
const MOST_PATHS: usize = 2000;
const MOST_CORNERS: usize = 60_000;
const MOST_DOTS: usize = 20_000;
/// Number of tokens whose end has a tooltip.
const MOST_TOOLTIPS: usize = 2000;
/// Corners closer than this (pixels) to the last one are left out.
const SHORTEST: f64 = 0.4;

/// The data area, layer by layer, and the legend beside it.
pub(super) struct Drawing<'a> {
    data: &'a Trajectories<'a>,
    view: &'a View,
    axes: &'a Axes,
    colouring: Colouring,
    /// Tokens whose paths are drawn, ascending.
    drawn: Vec<usize>,
    keys: Vec<(Key, String)>,
}

/// The largest range of a coordinate.
fn extent(tokens: &Tokens) -> f64 {
    let range = |k| {
        let (low, high) = num::range((0..tokens.n()).map(|i| tokens.get(i, k)));
        (high / 2.0 - low / 2.0) * 2.0
    };
    (0..tokens.d()).map(range).fold(0.0, f64::max).min(f64::MAX)
}

impl<'a> Drawing<'a> {
    pub(super) fn new(data: &'a Trajectories<'a>, view: &'a View, axes: &'a Axes) -> Self {
        let (_, last) = &data.frames[data.frames.len() - 1];
        let mut drawn: Vec<usize> = num::evenly(last.n(), MOST_PATHS).collect();
        if let Some(strip) = &data.strip
            && let Err(at) = drawn.binary_search(&strip.token)
        {
            drawn.insert(at, strip.token);
        }
        let colouring = Colouring::of(last, extent(&data.frames[0].1));
        Self { data, view, axes, colouring, drawn, keys: Vec::new() }
    }

    /// Draws every layer, the legend and the caption.
    pub(super) fn draw(mut self, canvas: &mut Canvas) {
        self.layers(canvas);
        legend::draw(canvas, &self.keys, self.axes.low.y + 8.0);
        self.caption(canvas);
    }

    /// Draws the layers alone, for one of several panels; returns a line about the end.
    pub(super) fn panel(mut self, canvas: &mut Canvas) -> String {
        self.layers(canvas);
        let (last, weight) = (self.last(), &self.colouring.clusters.weight);
        let alone = weight.iter().filter(|w| **w == 1).count();
        let groups = weight.len() - alone;
        let plural = if groups == 1 { "" } else { "s" };
        let rest = if alone == 0 { String::new() } else { format!(", {alone} tokens alone") };
        format!("step {}: {groups} cluster{plural}{rest}", last.0)
    }

    fn layers(&mut self, canvas: &mut Canvas) {
        self.start_hull(canvas);
        self.band(canvas);
        self.paths(canvas);
        self.starts(canvas);
        self.ends(canvas);
        self.members(canvas);
        self.axes.close(canvas);
    }

    fn first(&self) -> &'a (u64, Tokens) {
        &self.data.frames[0]
    }

    fn last(&self) -> &'a (u64, Tokens) {
        &self.data.frames[self.data.frames.len() - 1]
    }

    fn at(&self, (step, tokens): &(u64, Tokens), i: usize) -> DVec2 {
        self.axes.map(self.view.point(*step, tokens, i))
    }

    /// Layers of tokens from the back to the front, each with its colour: the grey one first, then
    /// lighter clusters over heavier ones.
    fn colours(&self) -> impl Iterator<Item = (usize, &'static str)> + use<> {
        let (coloured, colours) = (self.colouring.coloured, self.colouring.colours());
        std::iter::once(coloured).chain(0..coloured).map(move |layer| (layer, colours[layer]))
    }

    fn start_hull(&mut self, canvas: &mut Canvas) {
        if !self.view.has_equal_units() {
            return;
        }
        let first = self.first();
        let places: Vec<DVec2> = (0..first.1.n()).map(|i| self.at(first, i)).collect();
        let corners = planar_hull((0..).zip(&places).map(|(i, p)| (p.to_array(), i)).collect());
        if corners.len() > 2 {
            let corners: Vec<DVec2> = corners.into_iter().map(|i| places[i as usize]).collect();
            canvas.polygon(&corners, Style::fill("#000000", 0.02).edged(SOFT, 1.0, 0.55).dashed("5 4"));
            let how = if self.view.is_exact() { "" } else { ", projected" };
            self.keys.push((Key::Hull, format!("hull at step {}{how}", first.0)));
        }
    }

    fn band(&mut self, canvas: &mut Canvas) {
        let Some(strip) = &self.data.strip else { return };
        if !self.view.is_exact() {
            return;
        }
        let Some((normal, level)) = self.view.half_plane(&strip.query, strip.threshold) else { return };
        let mut area = self.axes.area();
        if !self.view.has_equal_units() {
            // The strip holds at its step alone: a column about that step.
            let step = strip.step as f64;
            let half = (area[1].x - area[0].x) / 80.0;
            let column = |x: f64| x.clamp((step - half).max(area[0].x), (step + half).min(area[1].x));
            area = area.map(|p| DVec2::new(column(p.x), p.y));
        }
        let band = clip(&area, normal, level);
        if band.len() < 3 {
            return;
        }
        canvas.polygon(&band.iter().map(|&p| self.axes.map(p)).collect::<Vec<_>>(), Style::fill(BAND, 0.33));
        // The edge is where <normal, y> = level.
        let length = normal.length();
        let on_edge = |p: &DVec2| (normal.dot(*p) - level).abs() <= 1e-9 * length * (p.length() + 1.0);
        let edge: Vec<DVec2> = band.iter().filter(|p| on_edge(p)).map(|&p| self.axes.map(p)).collect();
        if let [a, .., b] = edge[..] {
            canvas.line(a, b, Style::line(EDGE, 1.4, 1.0));
        }
        self.keys.push((Key::Band, format!("strip of token {}: ⟨A xᵢ, y⟩ ≥ max − δsᵢ", strip.token)));
    }

    fn paths(&mut self, canvas: &mut Canvas) {
        let frames = self.data.frames;
        let stops: Vec<usize> = num::evenly(frames.len() - 1, 1000).chain([frames.len() - 1]).collect();
        let mut paths: Vec<(usize, Vec<DVec2>)> = Vec::new();
        let mut corners = 0;
        // Tokens get paths in an even order until the corners run out: any cut is even.
        for &i in &spread(&self.drawn) {
            let mut path: Vec<DVec2> = Vec::new();
            for (k, &stop) in stops.iter().enumerate() {
                let p = self.at(&frames[stop], i);
                let is_last = k + 1 == stops.len();
                if is_last || path.last().is_none_or(|q| q.distance(p) >= SHORTEST) {
                    path.push(p);
                }
            }
            corners += path.len();
            if corners > MOST_CORNERS && !paths.is_empty() {
                break;
            }
            paths.push((i, path));
        }
        self.drawn = paths.iter().map(|(i, _)| *i).collect();
        self.drawn.sort_unstable();
        let count = paths.len() as f64;
        let opacity = (6.0 / count.sqrt()).clamp(0.16, 0.8);
        let width = if count <= 30.0 { 1.6 } else { 1.0 };
        for (layer, colour) in self.colours() {
            let of_layer = paths.iter().filter(|(i, _)| self.colouring.layer(*i) == layer);
            let of_layer = of_layer.map(|(_, path)| path.as_slice());
            if of_layer.clone().next().is_some() && frames.len() > 1 {
                canvas.polylines(of_layer, Style::line(colour, width, opacity));
            }
        }
    }

    fn starts(&mut self, canvas: &mut Canvas) {
        let first = self.first();
        let radius = if self.drawn.len() <= 60 { 3.4 } else { 2.0 };
        for (layer, colour) in self.colours() {
            let of_layer = self.drawn.iter().filter(|&&i| self.colouring.layer(i) == layer);
            let of_layer = of_layer.map(|&i| self.at(first, i));
            if self.drawn.len() <= 600 {
                canvas.dots(of_layer.clone(), radius, colour, 1.0);
                canvas.dots(of_layer, radius - 1.0, "#ffffff", 1.0);
            } else {
                canvas.dots(of_layer, 0.9, colour, 0.55);
            }
        }
        if self.data.frames.len() > 1 {
            let key = if self.drawn.len() <= 600 { Key::Hollow } else { Key::Speck };
            self.keys.push((key, format!("start, step {}", first.0)));
        }
    }

    fn ends(&mut self, canvas: &mut Canvas) {
        let last = self.last();
        let n = last.1.n();
        let Colouring { clusters, coloured } = &self.colouring;
        for (layer, colour) in self.colours() {
            let of_layer = num::evenly(n, MOST_DOTS).filter(|&i| self.colouring.layer(i) == layer);
            let of_layer = of_layer.map(|i| self.at(last, i));
            if layer < *coloured {
                // A cluster is one disc whose area grows with its weight, over its tokens.
                let Some(i) = clusters.label.iter().position(|&label| label == layer) else { continue };
                let share = clusters.weight[layer] as f64 / n as f64;
                canvas.dots(of_layer, 2.0, colour, 1.0);
                let style = Style::fill(colour, 1.0).edged("#ffffff", 1.0, 1.0);
                canvas.circle(self.at(last, i), 4.0 + 6.0 * share.sqrt(), style);
            } else {
                canvas.dots(of_layer, if n <= 2000 { 2.4 } else { 1.3 }, colour, 0.9);
            }
        }
        for i in num::evenly(n, MOST_TOOLTIPS) {
            let cluster = clusters.label[i];
            let x: Vec<String> = last.1.row(i).iter().take(3).map(|&x| significant(x)).collect();
            let (x, more) = (x.join(", "), if last.1.d() > 3 { ", …" } else { "" });
            let (number, weight) = (cluster + 1, clusters.weight[cluster]);
            let text = format!("token {i}, step {}\nx = ({x}{more})\ncluster {number}: {weight} tokens", last.0);
            canvas.tooltip(self.at(last, i), text);
        }
        let keys = self.end_keys();
        self.keys.extend(keys);
    }

    /// Keys of the ends: the dot, each cluster with a colour of its own, all other clusters.
    fn end_keys(&self) -> Vec<(Key, String)> {
        let Colouring { clusters, coloured } = &self.colouring;
        let (end, to) = if self.data.frames.len() > 1 { ("end, ", "to ") } else { ("", "") };
        let area = if *coloured > 0 { " (area: tokens)" } else { "" };
        let mut keys = vec![(Key::Filled, format!("{end}step {}{area}", self.last().0))];
        let (own, others) = clusters.weight.split_at(*coloured);
        for (layer, weight) in own.iter().enumerate() {
            let text = format!("{to}cluster {} ({weight} token{})", layer + 1, if *weight == 1 { "" } else { "s" });
            keys.push((Key::Path(self.colouring.colour(layer)), text));
        }
        if !others.is_empty() {
            let tokens: usize = others.iter().sum();
            let clusters = match others.len() {
                1 => "1 cluster".to_owned(),
                count if count == tokens => "each apart".to_owned(),
                count => format!("{count} clusters"),
            };
            let other = if *coloured > 0 { "other tokens" } else { "tokens" };
            keys.push((Key::Path(self.colouring.colour(*coloured)), format!("{other} ({tokens}; {clusters})")));
        }
        keys
    }

    fn members(&mut self, canvas: &mut Canvas) {
        let Some(strip) = &self.data.strip else { return };
        let Some(frame) = self.data.frames.iter().find(|(step, _)| *step == strip.step) else { return };
        let shown = num::evenly(strip.members.len(), MOST_DOTS / 4);
        let places: Vec<DVec2> = shown.map(|s| self.at(frame, strip.members[s])).collect();
        let band = if self.view.is_exact() { "" } else { "; a projection shows no band" };
        let text = format!("tokens in the strip ({}){band}", strip.members.len());
        if places.len() <= 300 {
            canvas.dots(places.iter().copied(), 3.6, INK, 1.0);
            canvas.dots(places, 2.5, BAND, 1.0);
            self.keys.push((Key::Member, text));
        } else {
            canvas.dots(places, 1.0, INK, 0.8);
            self.keys.push((Key::Speck, text));
        }
        let here = self.at(frame, strip.token);
        let mut text = format!("token {} at step {}", strip.token, strip.step);
        if let Some((normal, _)) = self.view.half_plane(&strip.query, strip.threshold)
            && let Some(towards) = DVec2::new(normal.x, -normal.y).try_normalize()
        {
            let (tip, across) = (here + 40.0 * towards, towards.perp() * 4.0);
            canvas.line(here, tip, Style::line(INK, 1.6, 1.0));
            canvas.polygon(&[tip + 7.0 * towards, tip + across, tip - across], Style::fill(INK, 1.0));
            text += ", arrow along A xᵢ";
        }
        canvas.star(here, 9.5, Style::fill(BAND, 1.0).edged(INK, 1.5, 1.0));
        self.keys.push((Key::Star, text));
    }

    fn caption(&self, canvas: &mut Canvas) {
        let (first, last) = (self.first(), self.last());
        let n = last.1.n();
        let mut parts = Vec::new();
        if self.drawn.len() < n {
            parts.push(format!("Paths of {} of {n} tokens.", self.drawn.len()));
        }
        if n > MOST_DOTS {
            parts.push(format!("Ends of {MOST_DOTS}."));
        }
        let stops = self.data.frames.len() as u64;
        if stops > 1 && last.0 - first.0 + 1 > stops {
            parts.push(format!("Straight lines join the {stops} recorded steps."));
        }
        foot(canvas, &parts.join(" "), 1, 10.0);
    }
}

/// The indices in bit-reversed order: every prefix is spread evenly over the whole.
fn spread(indices: &[usize]) -> Vec<usize> {
    let bits = usize::BITS - indices.len().saturating_sub(1).leading_zeros();
    (0..1usize << bits)
        .map(|k| if bits == 0 { 0 } else { k.reverse_bits() >> (usize::BITS - bits) })
        .filter_map(|k| indices.get(k).copied())
        .collect()
}
