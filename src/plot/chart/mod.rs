//! Charts: layers over one pair of axes, each with a name in the legend, drawn by `paint`.
//!
//! | layer | shows |
//! |---|---|
//! | [`Chart::line`], [`Chart::lines`], [`Chart::dashed`] | curves |
//! | [`Chart::points`], [`Chart::intervals`] | points; points with an interval |
//! | [`Chart::band`], [`Chart::region`] | between two curves; a polygon |
//! | [`Chart::bars`], [`Chart::histogram`] | bars from the lower end |
//! | [`Chart::level`], [`Chart::upright`] | a straight line across, for a prediction of theory |
//! | [`Chart::heat`] | coloured cells, alone |
//!
//! Axes fit their data unless a range is given. On a logarithmic axis, what is not above 0 has no
//! place: it is left out, and the foot of the chart says how many such values there were.

pub(super) mod coordinate;
mod heat;
mod layer;
mod legend;
mod paint;
pub(super) mod panels;

use glam::DVec2;

use self::coordinate::Coordinate;
use self::heat::{Heat, MOST_NAMES};
use self::layer::{Layer, Point, Shape};
use super::axes::{Axes, FOOT_SIZE, INK, foot, heading};
use super::canvas::{Canvas, wrapped};
use super::colouring::{COLOURS, GREY};
use super::picture::{Picture, Size};
use crate::error::{Error, Result};
use crate::num;

/// Pixels beside and below the area of a chart, at least.
const LEFT: f64 = 84.0;
const BELOW: f64 = 54.0;

/// A chart: layers or a heat map on a pair of axes.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
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
    /// Makes a chart without data; the title says what is shown.
    pub fn new(title: impl Into<String>, x: Coordinate, y: Coordinate) -> Self {
        let (subtitle, foot) = (String::new(), String::new());
        Self { title: title.into(), subtitle, foot, x, y, equal: false, layers: Vec::new(), heat: None, coloured: 0 }
    }

    /// Makes a heat map: `values[r][c]` belongs to `rows[r]` and `columns[c]`, NaN for none;
    /// `label` names the quantity and its unit. The axes' texts stand at the cells' middles; of many
    /// rows or columns, some have one.
    pub fn heat(
        title: impl Into<String>,
        x: (&str, &[String]),
        y: (&str, &[String]),
        label: &str,
        log: bool,
        values: Vec<Vec<f64>>,
    ) -> Self {
        let axis = |(label, names): (&str, &[String])| {
            let end = names.len() as f64 - 0.5;
            let apart = names.len().div_ceil(MOST_NAMES).max(1);
            let names = names.iter().enumerate().step_by(apart).map(|(at, name)| (at as f64, name.clone()));
            Coordinate::linear(label).named(names).within(-0.5, end.max(0.5))
        };
        let heat = Heat { label: label.to_owned(), log, values, columns: x.1.to_vec(), rows: y.1.to_vec() };
        Self { heat: Some(heat), ..Self::new(title, axis(x), axis(y)) }
    }

    /// Adds a second line under the title.
    pub fn subtitle(self, text: impl Into<String>) -> Self {
        Self { subtitle: text.into(), ..self }
    }

    /// Adds a note below the chart.
    pub fn foot(self, text: impl Into<String>) -> Self {
        Self { foot: text.into(), ..self }
    }

    /// Gives a unit one length on both axes.
    pub fn equal_units(self) -> Self {
        Self { equal: true, ..self }
    }

    /// Adds a curve.
    pub fn line(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.layer(name, Shape::Lines { paths: vec![points.into_iter().collect()], dashed: false })
    }

    /// Adds curves under one name; many of them are drawn thin.
    pub fn lines(self, name: impl Into<String>, paths: Vec<Vec<(f64, f64)>>) -> Self {
        self.layer(name, Shape::Lines { paths, dashed: false })
    }

    /// Adds a dashed curve, for a prediction of theory.
    pub fn dashed(self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.layer(name, Shape::Lines { paths: vec![points.into_iter().collect()], dashed: true })
    }

    /// Adds points.
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

    /// Adds points with intervals in y: x, y, lower and upper end.
    pub fn intervals(self, name: impl Into<String>, points: Vec<[f64; 4]>) -> Self {
        self.layer(name, Shape::Intervals(points))
    }

    /// Adds the area between two curves: x, lower and upper end.
    pub fn band(self, name: impl Into<String>, points: Vec<[f64; 3]>) -> Self {
        self.layer(name, Shape::Band(points)).opacity(0.22)
    }

    /// Adds a polygon.
    pub fn region(self, name: impl Into<String>, corners: Vec<(f64, f64)>) -> Self {
        self.layer(name, Shape::Region(corners)).opacity(0.22)
    }

    /// Adds bars: lower and upper end in x, height.
    pub fn bars(self, name: impl Into<String>, bars: Vec<[f64; 3]>) -> Self {
        self.layer(name, Shape::Bars(bars)).opacity(0.6)
    }

    /// Adds a histogram of `values` in `bins` bins of equal width on the x axis as it is scaled,
    /// over their range or the one given to the axis. On a logarithmic axis the lowest bin also
    /// counts values of 0 and below; the outermost bins also count values beyond the range.
    pub fn histogram(self, name: impl Into<String>, values: &[f64], bins: usize) -> Self {
        let to = |v: f64| if self.x.log { v.log10() } else { v };
        let from = |v: f64| if self.x.log { 10f64.powf(v) } else { v };
        let (least, most) = num::range(values.iter().copied().filter(|&v| self.x.shows(v)));
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

    /// Adds a dashed line across at a height, for a prediction of theory.
    pub fn level(self, name: impl Into<String>, y: f64) -> Self {
        self.layer(name, Shape::Level(y)).ink()
    }

    /// Adds a dashed upright line, for a prediction of theory.
    pub fn upright(self, name: impl Into<String>, x: f64) -> Self {
        self.layer(name, Shape::Upright(x)).ink()
    }

    /// Gives the last layer colour k of the palette, so that layers that belong together have one.
    pub fn colour(mut self, k: usize) -> Self {
        if let Some(layer) = self.layers.last_mut() {
            layer.colour = COLOURS[k % COLOURS.len()];
        }
        self
    }

    /// Draws the last layer in the colour of text.
    pub fn ink(mut self) -> Self {
        self.coloured = self.coloured.saturating_sub(1);
        self.painted(INK)
    }

    /// Draws the last layer in grey, as a background to the others.
    pub fn grey(mut self) -> Self {
        self.coloured = self.coloured.saturating_sub(1);
        self.painted(GREY)
    }

    /// Gives the points of the last layer another radius, in pixels.
    pub fn radius(mut self, pixels: f64) -> Self {
        if let Some(Layer { shape: Shape::Points { radius, .. }, .. }) = self.layers.last_mut() {
            *radius = pixels;
        }
        self
    }

    /// Gives the last layer another opacity, from 0 to 1.
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
        let note = self.full_foot();
        let lines = if note.is_empty() { 0 } else { wrapped(&note, FOOT_SIZE, width - 32.0, 3).len() };
        let bottom = height - 4.0 - 14.0 * lines as f64;
        let side = self.heat.as_ref().map_or_else(|| legend::width(&self.layers), |heat| heat.width(bottom - top));
        let area = self.draw_in(&mut canvas, DVec2::new(0.0, top), DVec2::new(width - 24.0 - side, bottom))?;
        if let Some(heat) = &self.heat {
            heat.bar(&mut canvas, area.low.y, area.high.y);
        } else {
            legend::draw(&mut canvas, &self.layers, DVec2::new(width - 12.0 - side, top + 8.0), side);
        }
        if lines > 0 {
            foot(&mut canvas, &note, 3, 9.0);
        }
        canvas.finish()
    }

    /// Draws data, axes, ticks and labels between two corners, in pixels; returns the axes.
    fn draw_in(&self, canvas: &mut Canvas, low: DVec2, high: DVec2) -> Result<Axes> {
        for coordinate in [&self.x, &self.y] {
            if let Some((from, to)) = coordinate.range
                && !(from < to && coordinate.shows(from) && coordinate.shows(to))
            {
                let label = &coordinate.label;
                return Err(Error::input(format!("the axis {label:?} cannot show the range {from} to {to}")));
            }
        }
        // Texts of ticks depend on the area, and the area on the room that they take.
        let mut room = DVec2::new(LEFT, BELOW);
        let mut axes = self.axes(low, high, room);
        for _ in 0..3 {
            room = room.max(axes.room());
            axes = self.axes(low, high, room);
        }
        if let Some(heat) = &self.heat {
            heat.check()?;
            heat.draw(canvas, &axes, [self.x.quantity(), self.y.quantity()]);
            axes.draw_ticks(canvas);
        } else {
            axes.draw(canvas);
            canvas.open_clip(low, high);
            for layer in &self.layers {
                paint::layer(canvas, &axes, layer);
            }
            canvas.close_clip();
            paint::tooltips(canvas, &axes, &self.layers, [&self.x, &self.y]);
        }
        axes.close(canvas);
        Ok(axes)
    }

    /// The axes between two corners that leave room to the left and below.
    fn axes(&self, low: DVec2, high: DVec2, room: DVec2) -> Axes {
        let (xs, ys) = self.values();
        let (low, high) = (DVec2::new(low.x + room.x, low.y), DVec2::new(high.x, high.y - room.y));
        let mut axes = Axes { low, high, x: self.x.axis(&xs), y: self.y.axis(&ys) };
        // Bars stand on the axis.
        if self.has_bars() && !self.y.log && self.y.range.is_none() && ys.iter().all(|y| *y >= 0.0) {
            axes.y.low = 0.0;
        }
        if self.equal {
            axes.equalise();
        }
        axes
    }

    fn has_bars(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer.shape, Shape::Bars(_)))
    }

    /// The values that the axes must show: x, y.
    fn values(&self) -> (Vec<f64>, Vec<f64>) {
        let all = self.layers.iter().map(|layer| layer.shape.values(self.y.log));
        all.fold((Vec::new(), Vec::new()), |(xs, ys), (x, y)| ([xs, x].concat(), [ys, y].concat()))
    }

    /// The foot, with the number of values that could not be shown.
    fn full_foot(&self) -> String {
        let (xs, ys) = self.values();
        // A bar of height 0 is no bar.
        let ys = if self.has_bars() { Vec::new() } else { ys };
        let hidden =
            xs.iter().filter(|&&v| !self.x.shows(v)).count() + ys.iter().filter(|&&v| !self.y.shows(v)).count();
        let hidden = match hidden {
            0 => String::new(),
            1 => "1 value has no place on its axis.".to_owned(),
            _ => format!("{hidden} values have no place on their axis."),
        };
        [self.foot.as_str(), &hidden].join(" ").trim().to_owned()
    }
}
