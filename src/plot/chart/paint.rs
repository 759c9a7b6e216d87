//! Draws the layers of a chart.

use glam::DVec2;

use super::coordinate::Coordinate;
use super::layer::{Layer, Shape};
use crate::plot::axes::{Axes, significant};
use crate::plot::canvas::{Canvas, Style};

/// Number of tooltips of a chart, at most.
const MOST_TOOLTIPS: usize = 3000;

/// Number of curves above which they are drawn thin.
const MANY: usize = 12;
/// Number of points of a curve up to which each is also a dot.
const MOST_DOTTED: usize = 40;

pub(super) fn layer(canvas: &mut Canvas, axes: &Axes, layer: &Layer) {
    let Layer { colour, opacity, shape, .. } = layer;
    let at = |&(x, y): &(f64, f64)| axes.place(x, y);
    match shape {
        Shape::Lines { paths, dashed } => {
            let many = paths.len() > MANY;
            let width = if many { 0.8 } else { 1.8 };
            let faint = if many { opacity.min(0.5) } else { *opacity };
            let style = Style::line(colour, width, faint);
            let style = if *dashed { style.dashed("7 4") } else { style };
            // A value without a place parts a curve.
            let parts: Vec<Vec<DVec2>> = paths
                .iter()
                .flat_map(|path| path.split(|point| at(point).is_none()))
                .map(|part| part.iter().filter_map(at).collect())
                .collect();
            canvas.polylines(parts.iter().filter(|part| part.len() > 1).map(Vec::as_slice), style);
            let count: usize = parts.iter().map(Vec::len).sum();
            if !dashed && count <= MOST_DOTTED {
                canvas.dots(parts.into_iter().flatten(), 2.6, colour, *opacity);
            }
        }
        Shape::Points { at: points, radius } => {
            canvas.dots(points.iter().filter_map(at), *radius, colour, *opacity);
        }
        Shape::Intervals(points) => {
            for &[x, y, low, high] in points {
                let (Some(low), Some(high)) = (axes.place(x, low), axes.place(x, high)) else { continue };
                let across = DVec2::new(4.0, 0.0);
                let style = Style::line(colour, 1.4, *opacity);
                canvas.line(low, high, style);
                canvas.line(low - across, low + across, style);
                canvas.line(high - across, high + across, style);
                canvas.dots(axes.place(x, y), 3.2, colour, *opacity);
            }
        }
        Shape::Band(points) => {
            let edge = |k: usize| points.iter().filter_map(move |p| axes.place(p[0], p[k]));
            let outline: Vec<DVec2> = edge(1).chain(edge(2).collect::<Vec<_>>().into_iter().rev()).collect();
            canvas.polygon(&outline, Style::fill(colour, *opacity));
        }
        Shape::Region(corners) => {
            let corners: Vec<DVec2> = corners.iter().filter_map(at).collect();
            if corners.len() > 1 {
                canvas.polygon(&corners, Style::fill(colour, *opacity).edged(colour, 1.0, 1.0));
            }
        }
        Shape::Bars(bars) => {
            for &[low, high, height] in bars.iter().filter(|bar| bar[2] > 0.0) {
                let (Some(top), Some(end)) = (axes.place(low, height), axes.place(high, height)) else { continue };
                let style = Style::fill(colour, *opacity).edged(colour, 1.0, 1.0);
                canvas.rectangle(top, DVec2::new(end.x, axes.high.y.max(top.y)), style);
            }
        }
        Shape::Level(y) => {
            if let Some(here) = axes.place_y(*y) {
                let style = Style::line(colour, 1.6, *opacity).dashed("7 4");
                canvas.line(DVec2::new(axes.low.x, here), DVec2::new(axes.high.x, here), style);
            }
        }
        Shape::Upright(x) => {
            if let Some(here) = axes.place_x(*x) {
                let style = Style::line(colour, 1.6, *opacity).dashed("7 4");
                canvas.line(DVec2::new(here, axes.low.y), DVec2::new(here, axes.high.y), style);
            }
        }
    }
}

/// Adds a tooltip at each point; at every k-th only, where there are many.
pub(super) fn tooltips(canvas: &mut Canvas, axes: &Axes, layers: &[Layer], [x_axis, y_axis]: [&Coordinate; 2]) {
    let mut all: Vec<(&Layer, f64, f64, String)> = Vec::new();
    for layer in layers {
        let mut add = |x: f64, y: f64, more: String| all.push((layer, x, y, more));
        match &layer.shape {
            Shape::Lines { paths, .. } => paths.iter().flatten().for_each(|&(x, y)| add(x, y, String::new())),
            Shape::Points { at, .. } => at.iter().for_each(|&(x, y)| add(x, y, String::new())),
            Shape::Intervals(points) => points.iter().for_each(|&[x, y, low, high]| {
                add(x, y, format!(" ({} to {})", significant(low), significant(high)));
            }),
            Shape::Bars(bars) => bars.iter().filter(|bar| bar[2] > 0.0).for_each(|&[low, high, height]| {
                let middle = if x_axis.log { (low * high).sqrt() } else { f64::midpoint(low, high) };
                add(
                    middle,
                    height,
                    format!(" ({} from {} to {})", x_axis.quantity(), significant(low), significant(high)),
                );
            }),
            Shape::Band(_) | Shape::Region(_) | Shape::Level(_) | Shape::Upright(_) => {}
        }
    }
    let stride = all.len().div_ceil(MOST_TOOLTIPS).max(1);
    for (layer, x, y, more) in all.into_iter().step_by(stride) {
        let Some(at) = axes.place(x, y).filter(|&at| axes.holds(at)) else { continue };
        let (xs, ys) = (x_axis.quantity(), y_axis.quantity());
        let name = if layer.name.is_empty() { String::new() } else { format!("{}\n", layer.name) };
        canvas.tooltip(at, format!("{name}{xs}: {}\n{ys}: {}{more}", significant(x), significant(y)));
    }
}
