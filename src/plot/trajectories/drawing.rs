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
/// Clusters whose ends are discs.
const MOST_DISCS: usize = 200;
/// Number of tokens whose end has a tooltip.
const MOST_TOOLTIPS: usize = 2000;
/// Pixels below which the longest way is magnified.
const SHORT: f64 = 30.0;
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
        let below = legend::draw(canvas, &self.keys, self.axes.low.y + 8.0);
        self.inset(canvas, below + 8.0);
        self.caption(canvas);
    }

    /// Magnifies the longest way of a token where it is too short to be seen, below the legend.
    fn inset(&self, canvas: &mut Canvas, top: f64) {
        let (first, view) = (self.first(), self.view);
        let steps = || self.data.frames.iter();
        let way = |i: usize| steps().map(|frame| self.at(frame, i).distance(self.at(first, i))).fold(0.0, f64::max);
        let ways = self.drawn.iter().map(|&i| (i, way(i)));
        let Some((token, length)) = ways.reduce(|a, b| if b.1 > a.1 { b } else { a }) else { return };
        let side = legend::WIDTH - 84.0;
        let low = DVec2::new(canvas.width - side - 34.0, top);
        let has_room = top + side < self.axes.high.y;
        if !(0.05..SHORT).contains(&length) || !has_room || !view.has_equal_units() {
            return;
        }
        let mut axes = view.axes(low, low + side);
        let places = || steps().map(|(step, tokens)| view.point(*step, tokens, token));
        let (least, most) = places().fold((DVec2::INFINITY, DVec2::NEG_INFINITY), |(l, h), p| (l.min(p), h.max(p)));
        let (middle, half) = ((least + most) / 2.0, (most - least).max_element());
        (axes.x.low, axes.x.high) = (middle.x - half, middle.x + half);
        (axes.y.low, axes.y.high) = (middle.y - half, middle.y + half);
        let unit = |axes: &Axes| (axes.high.x - axes.low.x) / (axes.x.high - axes.x.low);
        axes.x.label = format!("token {token}, {:.0} times larger", unit(&axes) / unit(self.axes));
        axes.y.label.clear();
        axes.draw(canvas);
        canvas.open_clip(axes.low, axes.high);
        let mut inner = Drawing::new(self.data, view, &axes);
        inner.start_hull(canvas);
        inner.paths(canvas);
        inner.starts(canvas);
        inner.ends(canvas);
        canvas.close_clip();
        axes.close(canvas);
    }

    /// Draws the layers alone, for one of several panels; returns a line about the end.
    pub(super) fn panel(mut self, canvas: &mut Canvas) -> String {
        self.layers(canvas);
        let (last, weight) = (self.last(), &self.colouring.clusters.weight);
        let alone = weight.iter().filter(|w| **w == 1).count();
        let groups = weight.len() - alone;
        let plural = if groups == 1 { "" } else { "s" };
        let rest = if alone == 0 {
            String::new()
        } else {
            format!(", {alone} token{} alone", if alone == 1 { "" } else { "s" })
        };
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
            let (from, to) = self.view.column(strip.step);
            let column = |x: f64| x.clamp(from.max(area[0].x), to.min(area[1].x));
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
        self.keys.push((Key::Band, format!("strip of token {}: ⟨A xᵢ, y⟩ at its threshold or above", strip.token)));
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
        let Colouring { clusters, coloured, by_token } = &self.colouring;
        for (layer, colour) in self.colours() {
            let of_layer = num::evenly(n, MOST_DOTS).filter(|&i| self.colouring.layer(i) == layer);
            let radius = if layer < *coloured { 2.0 } else { [1.3, 2.4][usize::from(n <= 2000)] };
            canvas.dots(of_layer.map(|i| self.at(last, i)), radius, colour, 0.9);
        }
        // A cluster is one disc whose area grows with its weight, over its tokens.
        let shown = clusters.weight.iter().take(MOST_DISCS).take_while(|weight| **weight > 1 || n <= 12).count();
        for (cluster, weight) in clusters.weight.iter().enumerate().take(shown).rev() {
            let Some(i) = clusters.label.iter().position(|&label| label == cluster) else { continue };
            let colour = if *by_token { INK } else { self.colouring.colour(cluster.min(*coloured)) };
            let style = Style::fill(colour, 1.0).edged("#ffffff", 1.0, 1.0);
            canvas.circle(self.at(last, i), 3.0 + 7.0 * (*weight as f64 / n as f64).sqrt(), style);
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
        let Colouring { clusters, coloured, by_token } = &self.colouring;
        let (end, to) = if self.data.frames.len() > 1 { ("end, ", "to ") } else { ("", "") };
        let area = if *coloured > 0 { " (area: tokens)" } else { "" };
        let mut keys = vec![(Key::Filled, format!("{end}step {}{area}", self.last().0))];
        if *by_token {
            keys = vec![(Key::Filled, format!("{end}step {}: one cluster", self.last().0))];
            keys.extend((0..*coloured).map(|i| (Key::Path(self.colouring.colour(i)), format!("token {i}"))));
            return keys;
        }
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
            // As long as the area allows, with its head of 7 pixels.
            let edges = DVec2::select(towards.cmpgt(DVec2::ZERO), self.axes.high, self.axes.low);
            let room = ((edges - here) / towards).abs().min_element();
            let length = (room - 8.0).min(40.0);
            if length > 14.0 {
                let (tip, across) = (here + length * towards, towards.perp() * 4.0);
                canvas.line(here, tip, Style::line(INK, 1.6, 1.0));
                canvas.polygon(&[tip + 7.0 * towards, tip + across, tip - across], Style::fill(INK, 1.0));
                text += ", arrow along A xᵢ";
            }
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
