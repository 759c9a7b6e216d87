//! The legend beside a chart: a key for each name.

use glam::DVec2;

use super::layer::{Layer, Shape};
use crate::plot::axes::INK;
use crate::plot::canvas::{Anchor, Canvas, Style, text_width, wrapped};

const SIZE: f64 = 12.0;
const KEY: f64 = 34.0;
const MOST_TEXT: f64 = 190.0;

/// The layers with a name, each name once.
fn named<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Vec<&'a Layer> {
    let mut found: Vec<&Layer> = Vec::new();
    for layer in layers {
        if !layer.name.is_empty() && !found.iter().any(|other| other.name == layer.name) {
            found.push(layer);
        }
    }
    found
}

/// The width of the legend, in pixels; 0 where no layer has a name.
pub(super) fn width<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> f64 {
    let widest = named(layers).iter().map(|layer| text_width(&layer.name, SIZE)).fold(0.0, f64::max);
    if widest == 0.0 { 0.0 } else { KEY + widest.min(MOST_TEXT) + 8.0 }
}

/// Draws the keys of layers from `corner` on.
pub(super) fn draw<'a>(canvas: &mut Canvas, layers: impl IntoIterator<Item = &'a Layer>, corner: DVec2, width: f64) {
    let mut y = corner.y;
    for layer in named(layers) {
        let Layer { name, colour, opacity, shape } = layer;
        let at = DVec2::new(corner.x + 14.0, y);
        let (across, half) = (DVec2::new(11.0, 0.0), DVec2::new(11.0, 6.0));
        match shape {
            Shape::Lines { dashed: false, .. } => canvas.line(at - across, at + across, Style::line(colour, 2.4, 1.0)),
            Shape::Lines { .. } | Shape::Level(_) => {
                canvas.line(at - across, at + across, Style::line(colour, 1.8, 1.0).dashed("7 4"));
            }
            Shape::Upright(_) => {
                let up = DVec2::new(0.0, 8.0);
                canvas.line(at - up, at + up, Style::line(colour, 1.8, 1.0).dashed("5 3"));
            }
            Shape::Points { radius, .. } => canvas.dots([at], radius.max(2.0), colour, 1.0),
            Shape::Intervals(_) => {
                let up = DVec2::new(0.0, 7.0);
                canvas.line(at - up, at + up, Style::line(colour, 1.4, 1.0));
                canvas.dots([at], 3.2, colour, 1.0);
            }
            Shape::Band(_) | Shape::Region(_) | Shape::Bars(_) => {
                let style = Style::fill(colour, *opacity).edged(colour, 1.0, 1.0);
                canvas.rectangle(at - half, at + half, style);
            }
        }
        for line in wrapped(name, SIZE, width - KEY, 3) {
            canvas.text(DVec2::new(corner.x + KEY, y + 4.2), SIZE, Anchor::Start, INK, 0.0, &line);
            y += 16.0;
        }
        y += 6.0;
    }
}
