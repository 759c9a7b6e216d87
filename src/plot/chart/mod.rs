//! Charts: layers over one pair of axes, each with a name in the legend. A layer is data; how it is painted stands in
//! `paint`.
//!
//! | layer | what |
//! |---|---|
//! | [`Chart::line`], [`Chart::lines`], [`Chart::dashed`] | curves |
//! | [`Chart::points`], [`Chart::intervals`] | points; points with an interval |
//! | [`Chart::band`], [`Chart::region`] | between two curves; a polygon |
//! | [`Chart::bars`], [`Chart::histogram`] | bars from the lower end |
//! | [`Chart::level`], [`Chart::upright`] | a straight line across, for what theory says |
//! | [`Chart::heat`] | coloured cells, alone |
//!
//! Axes fit their data unless a range is given. On a logarithmic axis, what is not above 0 has no place: it is left out, and the
//! foot of the chart says how many such values there were.

mod heat;
mod legend;
mod paint;

use glam::DVec2;

use self::heat::Heat;
use super::canvas::{Anchor, Canvas, wrapped};
use super::frame::{Axis, Frame, INK, SOFT, Scale, heading};
use super::{COLOURS, Picture, Size};
use crate::error::{Error, Result};

/// Places that a chart says something at, at most.
const MOST_MARKS: usize = 3000;

/// One axis, before its data are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coordinate {
    label: String,
    log: bool,
    whole: bool,
    range: Option<(f64, f64)>,
    names: Vec<(f64, String)>,
}

impl Coordinate {
    /// A linear axis; the label names the quantity and its unit.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// A logarithmic axis.
    pub fn log(label: impl Into<String>) -> Self {
        Self { log: true, ..Self::linear(label) }
    }

    /// A linear axis of counts or steps: ticks at whole numbers only.
    pub fn whole(label: impl Into<String>) -> Self {
        Self { whole: true, ..Self::linear(label) }
    }

    /// Shows this range, whatever the data.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        Self { range: Some((low, high)), ..self }
    }

    /// Ticks at these values, with texts of their own.
    #[must_use]
    pub fn named(self, names: impl IntoIterator<Item = (f64, String)>) -> Self {
        Self { names: names.into_iter().collect(), ..self }
    }

    /// Whether a value has a place on the axis.
    fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    /// The axis around these values.
    fn axis(&self, values: &[f64]) -> Axis {
        let shown = values.iter().copied().filter(|&v| self.shows(v));
        let (mut low, mut high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            (low, high) = if self.log { (0.1, 1.0) } else { (0.0, 1.0) };
        }
        if let Some(range) = self.range {
            (low, high) = range;
        } else if self.log {
            let margin = (high / low).powf(0.04).max(1.05);
            (low, high) = ((low / margin).max(f64::MIN_POSITIVE), (high * margin).min(f64::MAX));
        } else {
            let flat = if high == 0.0 { 1.0 } else { 0.1 * high.abs() };
            let margin = if high > low { 0.04 * (high - low) } else { flat };
            (low, high) = (low - margin, high + margin);
        }
        let scale = if self.log { Scale::Log } else { Scale::Linear };
        Axis { scale, whole: self.whole, names: self.names.clone(), ..Axis::linear(low, high, &*self.label) }
    }

    /// The quantity without its unit.
    fn quantity(&self) -> &str {
        self.label.split(" (").next().unwrap_or("")
    }
}

/// A point of the data.
type Point = (f64, f64);

/// What a layer shows.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Lines {
        paths: Vec<Vec<Point>>,
        dashed: bool,
    },
    Points {
        at: Vec<Point>,
        radius: f64,
    },
    /// x, y, lower and upper end.
    Intervals(Vec<[f64; 4]>),
    /// x, lower and upper end.
    Band(Vec<[f64; 3]>),
    Region(Vec<Point>),
    /// Lower and upper end in x, height.
    Bars(Vec<[f64; 3]>),
    Level(f64),
    Upright(f64),
}

#[derive(Clone, Debug, PartialEq)]
struct Layer {
    name: String,
    colour: &'static str,
    opacity: f64,
    shape: Shape,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    title: String,
    subtitle: String,
    foot: String,
    x: Coordinate,
    y: Coordinate,
    equal: bool,
    layers: Vec<Layer>,
    heat: Option<Heat>,
    coloured: usize,
}

impl Chart {
    /// A chart without data; the title says what is shown.
    pub fn new(title: impl Into<String>, x: Coordinate, y: Coordinate) -> Self {
        let (subtitle, foot) = (String::new(), String::new());
        Self { title: title.into(), subtitle, foot, x, y, equal: false, layers: Vec::new(), heat: None, coloured: 0 }
    }

    /// Coloured cells: `values[r][c]` belongs to `rows[r]` and `columns[c]`, NaN for none; `label` names the quantity and its unit.
    /// The axes' texts stand at the cells' middles.
    pub fn heat(
        title: impl Into<String>,
        x: (&str, &[String]),
        y: (&str, &[String]),
        label: &str,
        log: bool,
        values: Vec<Vec<f64>>,
    ) -> Self {
        let axis = |(label, names): (&str, &[String])| {
            let names = names.iter().enumerate().map(|(at, name)| (at as f64, name.clone()));
            let end = names.len() as f64 - 0.5;
            Coordinate::linear(label).named(names).within(-0.5, end.max(0.5))
        };
        let heat = Heat { label: label.to_owned(), log, values };
        Self { heat: Some(heat), ..Self::new(title, axis(x), axis(y)) }
    }

    /// A second line under the title.
    #[must_use]
    pub fn subtitle(self, text: impl Into<String>) -> Self {
        Self { subtitle: text.into(), ..self }
    }

    /// A note below the chart.
    #[must_use]
    pub fn foot(self, text: impl Into<String>) -> Self {
        Self { foot: text.into(), ..self }
    }

    /// A unit is as long on both axes.
    #[must_use]
    pub fn equal_units(self) -> Self {
        Self { equal: true, ..self }
    }

    /// A curve.
    #[must_use]
    pub fn line(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.layer(name, Shape::Lines { paths: vec![points.into_iter().collect()], dashed: false })
    }

    /// Curves under one name; many of them are drawn thin.
    #[must_use]
    pub fn lines(self, name: impl Into<String>, paths: Vec<Vec<(f64, f64)>>) -> Self {
        self.layer(name, Shape::Lines { paths, dashed: false })
    }

    /// A dashed curve, for what theory says.
    #[must_use]
    pub fn dashed(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.layer(name, Shape::Lines { paths: vec![points.into_iter().collect()], dashed: true })
    }

    /// Points.
    #[must_use]
    pub fn points(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let at: Vec<Point> = points.into_iter().collect();
        let radius = if at.len() > 2000 {
            1.2
        } else if at.len() > 300 {
            2.0
        } else {
            3.2
        };
        self.layer(name, Shape::Points { at, radius })
    }

    /// Points with intervals in y: x, y, lower and upper end.
    #[must_use]
    pub fn intervals(self, name: impl Into<String>, points: Vec<[f64; 4]>) -> Self {
        self.layer(name, Shape::Intervals(points))
    }

    /// The area between two curves: x, lower and upper end.
    #[must_use]
    pub fn band(self, name: impl Into<String>, points: Vec<[f64; 3]>) -> Self {
        self.layer(name, Shape::Band(points)).opacity(0.22)
    }

    /// A polygon.
    #[must_use]
    pub fn region(self, name: impl Into<String>, corners: Vec<(f64, f64)>) -> Self {
        self.layer(name, Shape::Region(corners)).opacity(0.22)
    }

    /// Bars: lower and upper end in x, height.
    #[must_use]
    pub fn bars(self, name: impl Into<String>, bars: Vec<[f64; 3]>) -> Self {
        self.layer(name, Shape::Bars(bars)).opacity(0.6)
    }

    /// How many of `values` lie in each of `bins` bins of equal width on the x axis as it is scaled, over their range or the one
    /// that the axis was given. On a logarithmic axis, values of 0 and below are counted in the lowest bin; values beyond the range in
    /// the last one on their side.
    #[must_use]
    pub fn histogram(self, name: impl Into<String>, values: &[f64], bins: usize) -> Self {
        let to = |v: f64| if self.x.log { v.log10() } else { v };
        let from = |v: f64| if self.x.log { 10f64.powf(v) } else { v };
        let shown: Vec<f64> = values.iter().copied().filter(|&v| self.x.shows(v)).collect();
        let (least, most) = shown.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
        let (low, high) = self.x.range.unwrap_or(if least <= most { (least, most) } else { (1.0, 10.0) });
        let (low, high) = if to(high) > to(low) { (to(low), to(high)) } else { (to(low) - 0.5, to(low) + 0.5) };
        let bins = bins.max(1);
        let width = (high - low) / bins as f64;
        let mut counts = vec![0.0; bins];
        for &v in values.iter().filter(|v| !v.is_nan()) {
            let at = if self.x.log && v <= 0.0 { 0.0 } else { (to(v) - low) / width };
            counts[(at.max(0.0) as usize).min(bins - 1)] += 1.0;
        }
        let edge = |k: usize| from(low + k as f64 * width);
        let bars = counts.into_iter().enumerate().map(|(k, count)| [edge(k), edge(k + 1), count]).collect();
        self.bars(name, bars)
    }

    /// A dashed line across at a height, for what theory says.
    #[must_use]
    pub fn level(self, name: impl Into<String>, y: f64) -> Self {
        self.layer(name, Shape::Level(y)).ink()
    }

    /// A dashed line upright at a place, for what theory says.
    #[must_use]
    pub fn upright(self, name: impl Into<String>, x: f64) -> Self {
        self.layer(name, Shape::Upright(x)).ink()
    }

    /// Gives the last layer colour k of the palette, so that layers that belong together have one.
    #[must_use]
    pub fn colour(mut self, k: usize) -> Self {
        if let Some(layer) = self.layers.last_mut() {
            layer.colour = COLOURS[k % COLOURS.len()];
        }
        self
    }

    /// Draws the last layer in the colour of text.
    #[must_use]
    pub fn ink(mut self) -> Self {
        self.coloured = self.coloured.saturating_sub(1);
        self.painted(INK)
    }

    /// Draws the last layer in grey, as a background to the others.
    #[must_use]
    pub fn grey(mut self) -> Self {
        self.coloured = self.coloured.saturating_sub(1);
        self.painted("#8c8c8c")
    }

    /// Gives the points of the last layer another radius, in pixels.
    #[must_use]
    pub fn radius(mut self, pixels: f64) -> Self {
        if let Some(Layer { shape: Shape::Points { radius, .. }, .. }) = self.layers.last_mut() {
            *radius = pixels;
        }
        self
    }

    /// Gives the last layer another opacity, from 0 to 1.
    #[must_use]
    pub fn opacity(mut self, opacity: f64) -> Self {
        if let Some(layer) = self.layers.last_mut() {
            layer.opacity = opacity;
        }
        self
    }

    fn painted(mut self, colour: &'static str) -> Self {
        if let Some(layer) = self.layers.last_mut() {
            layer.colour = colour;
        }
        self
    }

    fn layer(mut self, name: impl Into<String>, shape: Shape) -> Self {
        let colour = COLOURS[self.coloured % COLOURS.len()];
        self.coloured += 1;
        self.layers.push(Layer { name: name.into(), colour, opacity: 1.0, shape });
        self
    }

    /// Draws the chart with its legend.
    ///
    /// # Errors
    /// A range that is empty or has no place on its axis; cells without rows or of unequal rows.
    pub fn draw(&self, size: Size) -> Result<Picture> {
        let (width, height) = size.clamped();
        let mut canvas = Canvas::new(width, height);
        let top = heading(&mut canvas, 16.0, &self.title, &self.subtitle);
        let foot = self.full_foot();
        let lines = if foot.is_empty() { Vec::new() } else { wrapped(&foot, 11.0, width - 32.0, 3) };
        let bottom = height - 58.0 - 14.0 * lines.len() as f64;
        let side = if self.heat.is_some() { heat::BAR } else { legend::width(&[self]) };
        self.draw_in(&mut canvas, DVec2::new(84.0, top), DVec2::new(width - 24.0 - side, bottom))?;
        if let Some(heat) = &self.heat {
            heat.bar(&mut canvas, DVec2::new(width - heat::BAR, top), bottom);
        } else {
            legend::draw(&mut canvas, &[self], DVec2::new(width - 12.0 - side, top + 8.0), side);
        }
        for (at, line) in lines.iter().rev().enumerate() {
            let place = DVec2::new(16.0, height - 9.0 - 14.0 * at as f64);
            canvas.text(place, 11.0, Anchor::Start, SOFT, 0.0, line);
        }
        canvas.finish()
    }

    /// Draws axes and data between two corners, in pixels.
    fn draw_in(&self, canvas: &mut Canvas, low: DVec2, high: DVec2) -> Result<()> {
        for coordinate in [&self.x, &self.y] {
            if let Some((from, to)) = coordinate.range
                && !(from < to && coordinate.shows(from) && coordinate.shows(to))
            {
                let label = &coordinate.label;
                return Err(Error::input(format!("the axis {label:?} cannot show the range {from} to {to}")));
            }
        }
        let (xs, ys) = self.values();
        let mut frame = Frame { low, high, x: self.x.axis(&xs), y: self.y.axis(&ys) };
        if self.equal {
            frame.equalise();
        }
        // Bars stand on the axis.
        if self.has_bars() && !self.y.log && self.y.range.is_none() && ys.iter().all(|y| *y >= 0.0) {
            frame.y.low = 0.0;
        }
        if let Some(heat) = &self.heat {
            heat.check()?;
            heat.draw(canvas, &frame, [self.x.quantity(), self.y.quantity()]);
            frame.draw_ticks(canvas);
        } else {
            frame.draw(canvas);
            canvas.open_clip(low, high);
            for layer in &self.layers {
                paint::layer(canvas, &frame, layer);
            }
            canvas.close_clip();
            paint::marks(canvas, &frame, self);
        }
        frame.close(canvas);
        Ok(())
    }

    fn has_bars(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer.shape, Shape::Bars(_)))
    }

    /// Every value that the axes must show.
    fn values(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for layer in &self.layers {
            match &layer.shape {
                Shape::Lines { paths, .. } => paths.iter().flatten().for_each(|&(x, y)| {
                    xs.push(x);
                    ys.push(y);
                }),
                Shape::Points { at: points, .. } | Shape::Region(points) => points.iter().for_each(|&(x, y)| {
                    xs.push(x);
                    ys.push(y);
                }),
                Shape::Intervals(points) => points.iter().for_each(|&[x, y, low, high]| {
                    xs.push(x);
                    ys.extend([y, low, high]);
                }),
                Shape::Band(points) => points.iter().for_each(|&[x, low, high]| {
                    xs.push(x);
                    ys.extend([low, high]);
                }),
                Shape::Bars(bars) => bars.iter().for_each(|&[low, high, height]| {
                    xs.extend([low, high]);
                    ys.extend([height, if self.y.log { height } else { 0.0 }]);
                }),
                Shape::Level(y) => ys.push(*y),
                Shape::Upright(x) => xs.push(*x),
            }
        }
        (xs, ys)
    }

    /// The foot, and what could not be shown.
    fn full_foot(&self) -> String {
        let (xs, ys) = self.values();
        // A bar of height 0 is no bar.
        let ys = if self.has_bars() { Vec::new() } else { ys };
        let hidden =
            xs.iter().filter(|&&v| !self.x.shows(v)).count() + ys.iter().filter(|&&v| !self.y.shows(v)).count();
        let hidden = match hidden {
            0 => String::new(),
            1 => "1 value is 0 or not finite and has no place on its axis.".to_owned(),
            _ => format!("{hidden} values are 0 or not finite and have no place on their axis."),
        };
        [self.foot.as_str(), &hidden].join(" ").trim().to_owned()
    }
}

/// Charts side by side on one sheet, with one legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Panels {
    /// First line.
    pub title: String,
    /// Second line.
    pub subtitle: String,
    /// At least one; the title of each stands above it. No heat maps.
    pub charts: Vec<Chart>,
    /// Panels in a row.
    pub columns: usize,
}

impl Panels {
    /// Draws the sheet.
    ///
    /// # Errors
    /// No charts; as [`Chart::draw`].
    pub fn draw(&self, size: Size) -> Result<Picture> {
        if self.charts.is_empty() {
            return Err(Error::input("a sheet of panels needs at least one chart"));
        }
        let (width, height) = size.clamped();
        let mut canvas = Canvas::new(width, height);
        let top = heading(&mut canvas, 16.0, &self.title, &self.subtitle) - 6.0;
        let all: Vec<&Chart> = self.charts.iter().collect();
        let side = legend::width(&all);
        let columns = self.columns.clamp(1, self.charts.len());
        let rows = self.charts.len().div_ceil(columns);
        let each = DVec2::new((width - 12.0 - side) / columns as f64, (height - top - 8.0) / rows as f64);
        for (at, chart) in self.charts.iter().enumerate() {
            let corner = DVec2::new((at % columns) as f64 * each.x, top + (at / columns) as f64 * each.y);
            let (low, high) = (corner + DVec2::new(84.0, 38.0), corner + each - DVec2::new(14.0, 54.0));
            for (text, size, colour, y) in [(&chart.title, 14.0, INK, 24.0), (&chart.full_foot(), 11.0, SOFT, 8.0)] {
                let line = wrapped(text, size, each.x - 84.0, 1).concat();
                canvas.text(DVec2::new(low.x, low.y - y), size, Anchor::Start, colour, 0.0, &line);
            }
            chart.draw_in(&mut canvas, low, high)?;
        }
        legend::draw(&mut canvas, &all, DVec2::new(width - 12.0 - side, top + 46.0), side);
        canvas.finish()
    }
}
