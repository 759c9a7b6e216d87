//! The legend beside a picture of trajectories.

use glam::DVec2;

use crate::plot::axes::{INK, SOFT};
use crate::plot::canvas::{Anchor, Canvas, Style, wrapped};

/// Colours of the strip's band and members, and of the band's edge.
pub(super) const BAND: &str = "#f0e442";
pub(super) const EDGE: &str = "#8a7d00";

/// Width of the legend, in pixels.
pub(super) const WIDTH: f64 = 218.0;
const SIZE: f64 = 12.0;

/// A sign of the legend.
pub(super) enum Key {
    Path(&'static str),
    Hollow,
    Speck,
    Filled,
    Hull,
    Band,
    Member,
    Star,
}

/// Draws signs with their texts, from `top` down; returns where they end.
pub(super) fn draw(canvas: &mut Canvas, keys: &[(Key, String)], top: f64) -> f64 {
    let left = canvas.width - WIDTH - 8.0;
    let mut y = top;
    for (key, text) in keys {
        sign(canvas, key, DVec2::new(left + 13.0, y));
        for line in wrapped(text, SIZE, WIDTH - 40.0, 3) {
            canvas.text(DVec2::new(left + 32.0, y + 4.2), SIZE, Anchor::Start, INK, 0.0, &line);
            y += 16.0;
        }
        y += 5.0;
    }
    y
}

fn sign(canvas: &mut Canvas, key: &Key, at: DVec2) {
    let (across, half) = (DVec2::new(11.0, 0.0), DVec2::new(11.0, 6.0));
    match key {
        Key::Path(colour) => canvas.line(at - across, at + across, Style::line(colour, 3.0, 1.0)),
        Key::Hollow => canvas.circle(at, 3.4, Style::fill("#ffffff", 1.0).edged(INK, 1.2, 1.0)),
        Key::Speck => canvas.circle(at, 1.3, Style::fill(INK, 0.7)),
        Key::Filled => canvas.circle(at, 5.0, Style::fill(INK, 1.0)),
        Key::Hull => canvas.line(at - across, at + across, Style::line(SOFT, 1.2, 1.0).dashed("5 4")),
        Key::Band => canvas.rectangle(at - half, at + half, Style::fill(BAND, 0.33).edged(EDGE, 1.2, 1.0)),
        Key::Member => {
            canvas.circle(at, 3.6, Style::fill(INK, 1.0));
            canvas.circle(at, 2.5, Style::fill(BAND, 1.0));
        }
        Key::Star => canvas.star(at, 8.0, Style::fill(BAND, 1.0).edged(INK, 1.3, 1.0)),
    }
}
