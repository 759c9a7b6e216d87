//! Where the tokens go: every token's path from its start (hollow) to its end (filled), coloured by the cluster that it
//! ends in, the hull of the start cloud, and the strip `C_i = { j : <A x_i, x_j> >= max_l <A x_i, x_l> − δ s_i }` of one
//! token as the half-plane that it is.

use glam::DVec2;

use super::canvas::{Anchor, Canvas, Style, wrapped};
use super::frame::{Frame, INK, SOFT, heading, significant};
use super::geometry::{clip, hull};
use super::view::View;
use super::{COLOURS, Picture, Size};
use crate::error::{Error, Result};
use crate::observe::Clusters;
use crate::tokens::Tokens;

/// Clusters beyond the coloured ones.
const OTHER: &str = "#8c8c8c";
/// The strip: its band, its edge, its members.
const BAND: &str = "#f0e442";
const EDGE: &str = "#8a7d00";

/// Tokens at most this share of the start cloud's extent apart count as one cluster.
const CLUSTER_TOLERANCE: f64 = 2e-3;

/// Limits that keep a picture readable and an SVG under 2 MB: paths, their corners, dots of one kind.
const MOST_PATHS: usize = 2000;
const MOST_CORNERS: usize = 60_000;
const MOST_DOTS: usize = 20_000;
/// Tokens that say where they ended when they are pointed at.
const MOST_MARKS: usize = 2000;
/// Corners closer than this (pixels) to the last one are left out.
const SHORTEST: f64 = 0.4;

const LEGEND_WIDTH: f64 = 218.0;
const LEGEND_SIZE: f64 = 12.0;

/// The strip of one token at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StripView {
    /// t; one of the frames.
    pub step: u64,
    /// i.
    pub token: usize,
    /// C_i, indices of tokens.
    pub members: Vec<usize>,
    /// A x_i, length d.
    pub query: Vec<f64>,
    /// max_l S_il − δ s_i.
    pub threshold: f64,
}

/// What a picture of trajectories shows.
#[derive(Clone, Debug)]
pub struct Trajectories<'a> {
    /// First line: rule and parameters.
    pub title: String,
    /// Second line: n, d, steps, engine.
    pub subtitle: String,
    /// The cloud at some steps, ascending; all of one shape.
    pub frames: &'a [(u64, Tokens)],
    /// The strip to show.
    pub strip: Option<StripView>,
}

impl Trajectories<'_> {
    /// Draws the picture.
    ///
    /// # Errors
    /// No frames, frames of different shapes or out of order, a strip that does not belong to them.
    pub fn draw(&self, size: Size) -> Result<Picture> {
        self.check()?;
        let (width, height) = size.clamped();
        let mut canvas = Canvas::new(width, height);
        let top = heading(&mut canvas, 16.0, &self.title, &self.subtitle);
        let view = View::new(self.frames);
        let mut frame = Frame {
            low: DVec2::new(84.0, top),
            high: DVec2::new(width - LEGEND_WIDTH - 24.0, height - 72.0),
            x: view.x.clone(),
            y: view.y.clone(),
        };
        if view.has_equal_units() {
            frame.equalise();
        }
        frame.draw(&mut canvas);
        Drawing::new(self, &view, &frame).draw(&mut canvas);
        canvas.finish()
    }

    /// Draws the data into a frame of a shared view; one line that says what it came to.
    pub(super) fn draw_panel(&self, view: &View, frame: &Frame, canvas: &mut Canvas) -> String {
        Drawing::new(self, view, frame).panel(canvas)
    }

    pub(super) fn check(&self) -> Result<()> {
        let Some((_, first)) = self.frames.first() else {
            return Err(Error::input("a picture of trajectories needs at least one frame"));
        };
        let (n, d) = (first.n(), first.d());
        for pair in self.frames.windows(2) {
            let ((before, _), (step, tokens)) = (&pair[0], &pair[1]);
            if (tokens.n(), tokens.d()) != (n, d) {
                return Err(Error::input(format!(
                    "the frame of step {step} has shape ({}, {}), the first one ({n}, {d}); they must be alike",
                    tokens.n(),
                    tokens.d()
                )));
            }
            if step <= before {
                return Err(Error::input(format!("frames must ascend: step {step} comes after step {before}")));
            }
        }
        let Some(strip) = &self.strip else { return Ok(()) };
        if !self.frames.iter().any(|(step, _)| *step == strip.step) {
            return Err(Error::input(format!("there is no frame of step {}, whose strip is to be drawn", strip.step)));
        }
        if let Some(i) = strip.members.iter().chain([&strip.token]).find(|&&i| i >= n) {
            return Err(Error::input(format!("the strip names token {i}; there are {n} tokens")));
        }
        if strip.query.len() != d {
            return Err(Error::input(format!("the strip's query has {} components; d is {d}", strip.query.len())));
        }
        Ok(())
    }
}

/// A key of the legend.
enum Key<'a> {
    Path(&'a str),
    Hollow,
    Speck,
    Filled,
    Hull,
    Band,
    Member,
    Star,
}

/// The data area, layer by layer, and the legend beside it.
struct Drawing<'a> {
    data: &'a Trajectories<'a>,
    view: &'a View,
    frame: &'a Frame,
    clusters: Clusters,
    /// Tokens whose paths are drawn, ascending.
    drawn: Vec<usize>,
    keys: Vec<(Key<'a>, String)>,
}

/// The largest range of a coordinate.
fn extent(tokens: &Tokens) -> f64 {
    let range = |k| {
        let (low, high) = (0..tokens.n())
            .map(|i| tokens.get(i, k))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        (high / 2.0 - low / 2.0) * 2.0
    };
    (0..tokens.d()).map(range).fold(0.0, f64::max).min(f64::MAX)
}

/// At most `most` of `0..n`, evenly spread.
fn sample(n: usize, most: usize) -> Vec<usize> {
    let m = n.min(most);
    (0..m).map(|s| (s as u128 * n as u128 / m as u128) as usize).collect()
}

impl<'a> Drawing<'a> {
    fn new(data: &'a Trajectories<'a>, view: &'a View, frame: &'a Frame) -> Self {
        let (_, last) = &data.frames[data.frames.len() - 1];
        let mut drawn = sample(last.n(), MOST_PATHS);
        if let Some(strip) = &data.strip
            && let Err(at) = drawn.binary_search(&strip.token)
        {
            drawn.insert(at, strip.token);
        }
        Self {
            data,
            view,
            frame,
            clusters: Clusters::of(last, CLUSTER_TOLERANCE * extent(&data.frames[0].1)),
            drawn,
            keys: Vec::new(),
        }
    }

    fn draw(mut self, canvas: &mut Canvas) {
        self.start_hull(canvas);
        self.band(canvas);
        self.paths(canvas);
        self.starts(canvas);
        self.ends(canvas);
        self.members(canvas);
        self.frame.close(canvas);
        self.legend(canvas);
        self.caption(canvas);
    }

    /// The cloud and its paths alone, for a panel among others; one line that says what it came to.
    fn panel(mut self, canvas: &mut Canvas) -> String {
        self.start_hull(canvas);
        self.paths(canvas);
        self.starts(canvas);
        self.ends(canvas);
        self.frame.close(canvas);
        let (last, weight) = (self.last(), &self.clusters.weight);
        let alone = weight.iter().filter(|w| **w == 1).count();
        let groups = weight.len() - alone;
        let plural = if groups == 1 { "" } else { "s" };
        let rest = if alone == 0 { String::new() } else { format!(", {alone} tokens alone") };
        format!("step {}: {groups} cluster{plural}{rest}", last.0)
    }

    fn first(&self) -> &'a (u64, Tokens) {
        &self.data.frames[0]
    }

    fn last(&self) -> &'a (u64, Tokens) {
        &self.data.frames[self.data.frames.len() - 1]
    }

    fn at(&self, (step, tokens): &(u64, Tokens), i: usize) -> DVec2 {
        self.frame.map(self.view.point(*step, tokens, i))
    }

    /// Number of clusters with a colour of their own: the heaviest that hold 1 % of the tokens, singletons only in
    /// small clouds.
    fn coloured(&self) -> usize {
        let n = self.clusters.label.len();
        let least = if n <= 12 { 1 } else { n.div_ceil(100).max(2) };
        self.clusters.weight.iter().take(COLOURS.len()).filter(|weight| **weight >= least).count()
    }

    /// Layer of a token: its cluster, or `coloured` for the rest.
    fn layer(&self, i: usize) -> usize {
        self.clusters.label[i].min(self.coloured())
    }

    /// Colour of a layer; a cloud without clusters is blue, not grey.
    fn colour(&self, layer: usize) -> &'static str {
        match self.coloured() {
            0 => COLOURS[0],
            coloured if layer < coloured => COLOURS[layer],
            _ => OTHER,
        }
    }

    /// Layers from the back to the front: the rest first, then lighter clusters over heavier ones.
    fn layers(&self) -> impl Iterator<Item = usize> + use<> {
        let coloured = self.coloured();
        std::iter::once(coloured).chain(0..coloured)
    }

    fn start_hull(&mut self, canvas: &mut Canvas) {
        if !self.view.has_equal_units() {
            return;
        }
        let first = self.first();
        let corners = hull((0..first.1.n()).map(|i| self.at(first, i)).collect());
        if corners.len() > 2 {
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
        let mut area = self.frame.area();
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
        canvas.polygon(&band.iter().map(|&p| self.frame.map(p)).collect::<Vec<_>>(), Style::fill(BAND, 0.33));
        // Its edge is where <normal, y> = level.
        let length = normal.length();
        let on_edge = |p: &DVec2| (normal.dot(*p) - level).abs() <= 1e-9 * length * (p.length() + 1.0);
        let edge: Vec<DVec2> = band.iter().filter(|p| on_edge(p)).map(|&p| self.frame.map(p)).collect();
        if let [a, .., b] = edge[..] {
            canvas.line(a, b, Style::line(EDGE, 1.4, 1.0));
        }
        self.keys.push((Key::Band, format!("strip of token {}: ⟨A xᵢ, y⟩ ≥ max − δsᵢ", strip.token)));
    }

    fn paths(&mut self, canvas: &mut Canvas) {
        let frames = self.data.frames;
        let stops = sample(frames.len() - 1, 1000.min(MOST_CORNERS / 2)).into_iter().chain([frames.len() - 1]);
        let stops: Vec<usize> = stops.collect();
        let mut paths: Vec<(usize, Vec<DVec2>)> = Vec::new();
        let mut corners = 0;
        // Every token of an even order gets its path until the corners run out: strides halve, so that any cut is even.
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
        for layer in self.layers() {
            let of_layer = paths.iter().filter(|(i, _)| self.layer(*i) == layer).map(|(_, path)| path.as_slice());
            if of_layer.clone().next().is_some() && frames.len() > 1 {
                canvas.polylines(of_layer, Style::line(self.colour(layer), width, opacity));
            }
        }
    }

    fn starts(&mut self, canvas: &mut Canvas) {
        let first = self.first();
        let radius = if self.drawn.len() <= 60 { 3.4 } else { 2.0 };
        for layer in self.layers() {
            let of_layer = self.drawn.iter().filter(|&&i| self.layer(i) == layer).map(|&i| self.at(first, i));
            if self.drawn.len() <= 600 {
                canvas.dots(of_layer.clone(), radius, self.colour(layer), 1.0);
                canvas.dots(of_layer, radius - 1.0, "#ffffff", 1.0);
            } else {
                canvas.dots(of_layer, 0.9, self.colour(layer), 0.55);
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
        let shown = sample(n, MOST_DOTS);
        for layer in self.layers() {
            let of_layer = shown.iter().copied().filter(|&i| self.layer(i) == layer);
            let is_cluster = layer < self.coloured();
            if is_cluster {
                // One cluster is one disc, its area growing with its weight, over the tokens themselves.
                let Some(i) = self.clusters.label.iter().position(|&label| label == layer) else { continue };
                let share = self.clusters.weight[layer] as f64 / n as f64;
                canvas.dots(of_layer.map(|i| self.at(last, i)), 2.0, self.colour(layer), 1.0);
                let style = Style::fill(self.colour(layer), 1.0).edged("#ffffff", 1.0, 1.0);
                canvas.circle(self.at(last, i), 4.0 + 6.0 * share.sqrt(), style);
            } else {
                let radius = if n <= 2000 { 2.4 } else { 1.3 };
                canvas.dots(of_layer.map(|i| self.at(last, i)), radius, self.colour(layer), 0.9);
            }
        }
        let moves = self.data.frames.len() > 1;
        let said = sample(n, MOST_MARKS);
        for &i in &said {
            let (x, cluster) = (last.1.row(i), self.clusters.label[i]);
            let x: Vec<String> = x.iter().take(3).map(|&x| significant(x)).collect();
            let more = if last.1.d() > 3 { ", …" } else { "" };
            let of = self.clusters.weight[cluster];
            let text = format!(
                "token {i}, step {}\nx = ({}{more})\ncluster {}: {of} tokens",
                last.0,
                x.join(", "),
                cluster + 1
            );
            canvas.mark(self.at(last, i), text);
        }
        let text = format!("{}step {}", if moves { "end, " } else { "" }, last.0);
        self.keys.push((Key::Filled, if self.coloured() > 0 { text + " (area: tokens)" } else { text }));
        let coloured = self.coloured();
        for layer in 0..coloured {
            let weight = self.clusters.weight[layer];
            let (lead, ending) = (if moves { "to " } else { "" }, if weight == 1 { "" } else { "s" });
            let text = format!("{lead}cluster {} ({weight} token{ending})", layer + 1);
            self.keys.push((Key::Path(self.colour(layer)), text));
        }
        let others = self.clusters.weight.len() - coloured;
        if others > 0 {
            let tokens: usize = self.clusters.weight[coloured..].iter().sum();
            let clusters = match others {
                1 => "1 cluster".to_owned(),
                _ if others == tokens => "each apart".to_owned(),
                _ => format!("{others} clusters"),
            };
            let other = if coloured > 0 { "other tokens" } else { "tokens" };
            self.keys.push((Key::Path(self.colour(coloured)), format!("{other} ({tokens}; {clusters})")));
        }
    }

    fn members(&mut self, canvas: &mut Canvas) {
        let Some(strip) = &self.data.strip else { return };
        let Some(frame) = self.data.frames.iter().find(|(step, _)| *step == strip.step) else { return };
        let shown = sample(strip.members.len(), MOST_DOTS / 4);
        let places: Vec<DVec2> = shown.iter().map(|&s| self.at(frame, strip.members[s])).collect();
        if places.len() <= 300 {
            canvas.dots(places.iter().copied(), 3.6, INK, 1.0);
            canvas.dots(places, 2.5, BAND, 1.0);
            self.keys.push((Key::Member, self.members_key(strip)));
        } else {
            canvas.dots(places, 1.0, INK, 0.8);
            self.keys.push((Key::Speck, self.members_key(strip)));
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

    fn members_key(&self, strip: &StripView) -> String {
        let text = format!("tokens in the strip ({})", strip.members.len());
        if self.view.is_exact() { text } else { text + "; in projection the strip is no band" }
    }

    fn legend(&self, canvas: &mut Canvas) {
        let left = canvas.width - LEGEND_WIDTH - 8.0;
        let mut y = self.frame.low.y + 8.0;
        for (key, text) in &self.keys {
            let at = DVec2::new(left + 13.0, y);
            let across = DVec2::new(11.0, 0.0);
            match key {
                Key::Path(colour) => canvas.line(at - across, at + across, Style::line(colour, 3.0, 1.0)),
                Key::Hollow => canvas.circle(at, 3.4, Style::fill("#ffffff", 1.0).edged(INK, 1.2, 1.0)),
                Key::Speck => canvas.circle(at, 1.3, Style::fill(INK, 0.7)),
                Key::Filled => canvas.circle(at, 5.0, Style::fill(INK, 1.0)),
                Key::Hull => canvas.line(at - across, at + across, Style::line(SOFT, 1.2, 1.0).dashed("5 4")),
                Key::Band => {
                    let half = DVec2::new(11.0, 6.0);
                    canvas.rectangle(at - half, at + half, Style::fill(BAND, 0.33).edged(EDGE, 1.2, 1.0));
                }
                Key::Member => {
                    canvas.circle(at, 3.6, Style::fill(INK, 1.0));
                    canvas.circle(at, 2.5, Style::fill(BAND, 1.0));
                }
                Key::Star => canvas.star(at, 8.0, Style::fill(BAND, 1.0).edged(INK, 1.3, 1.0)),
            }
            for line in wrapped(text, LEGEND_SIZE, LEGEND_WIDTH - 40.0, 3) {
                canvas.text(DVec2::new(left + 32.0, y + 4.2), LEGEND_SIZE, Anchor::Start, INK, 0.0, &line);
                y += 16.0;
            }
            y += 5.0;
        }
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
        let at = DVec2::new(16.0, canvas.height - 10.0);
        for line in wrapped(&parts.join(" "), 11.0, canvas.width - 32.0, 1) {
            canvas.text(at, 11.0, Anchor::Start, SOFT, 0.0, &line);
        }
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
