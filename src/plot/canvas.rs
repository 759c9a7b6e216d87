//! The sheet that pictures are drawn on: shapes and text in pixels (origin top left, y down), kept
//! as SVG text, and rasterised from that same text. The font travels inside, so a machine without
//! fonts gives the same bytes.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glam::DVec2;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

use super::picture::{Picture, Tooltip};
use crate::error::{Error, Result};

/// Latin, Greek, sub- and superscripts and the mathematical signs of DejaVu Sans.
const FONT: &[u8] = include_bytes!("font/DejaVuSans-subset.ttf");

/// Pixels of the PNG for one of the SVG.
const RASTER_SCALE: f32 = 2.0;

/// The point of a text that its place refers to.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Fill and stroke of a shape. Colours are `#rrggbb`.
#[derive(Clone, Copy, Default)]
pub(super) struct Style<'a> {
    fill: Option<(&'a str, f64)>,
    stroke: Option<(&'a str, f64, f64)>,
    dash: Option<&'a str>,
}

impl<'a> Style<'a> {
    pub(super) fn fill(colour: &'a str, opacity: f64) -> Self {
        Self { fill: Some((colour, opacity)), ..Self::default() }
    }

    pub(super) fn line(colour: &'a str, width: f64, opacity: f64) -> Self {
        Self { stroke: Some((colour, width, opacity)), ..Self::default() }
    }

    pub(super) fn edged(mut self, colour: &'a str, width: f64, opacity: f64) -> Self {
        self.stroke = Some((colour, width, opacity));
        self
    }

    pub(super) fn dashed(mut self, dash: &'a str) -> Self {
        self.dash = Some(dash);
        self
    }

    fn attributes(self) -> String {
        let mut text = match self.fill {
            Some((colour, opacity)) => format!(r#"fill="{colour}""#) + &alpha("fill", opacity),
            None => r#"fill="none""#.into(),
        };
        if let Some((colour, width, opacity)) = self.stroke {
            let _ = write!(text, r#" stroke="{colour}" stroke-width="{}""#, number(width));
            text += &alpha("stroke", opacity);
        }
        if let Some(dash) = self.dash {
            let _ = write!(text, r#" stroke-dasharray="{dash}""#);
        }
        text
    }
}

fn alpha(of: &str, opacity: f64) -> String {
    if opacity < 1.0 { format!(r#" {of}-opacity="{}""#, number(opacity)) } else { String::new() }
}

/// SVG under construction.
pub(super) struct Canvas {
    pub(super) width: f64,
    pub(super) height: f64,
    body: String,
    tooltips: Vec<Tooltip>,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new(), tooltips: Vec::new() }
    }

    /// Adds a tooltip.
    pub(super) fn tooltip(&mut self, at: DVec2, text: String) {
        self.tooltips.push(Tooltip { x: at.x.round() as i32, y: at.y.round() as i32, text });
    }

    /// Clips all that follows to the rectangle between two corners.
    pub(super) fn open_clip(&mut self, low: DVec2, high: DVec2) {
        let [x, y, w, h] = [low.x, low.y, high.x - low.x, high.y - low.y].map(number);
        let _ = writeln!(self.body, r#"<svg x="{x}" y="{y}" width="{w}" height="{h}" viewBox="{x} {y} {w} {h}">"#);
    }

    /// Ends the clip of [`Canvas::open_clip`].
    pub(super) fn close_clip(&mut self) {
        self.body += "</svg>\n";
    }

    /// Draws a straight line.
    pub(super) fn line(&mut self, from: DVec2, to: DVec2, style: Style) {
        self.polyline(&[from, to], style);
    }

    /// Draws an open path.
    pub(super) fn polyline(&mut self, points: &[DVec2], style: Style) {
        self.polylines([points], style);
    }

    /// Draws open paths that share a style; where they cross, their opacities add up.
    pub(super) fn polylines<'p>(&mut self, paths: impl IntoIterator<Item = &'p [DVec2]>, style: Style) {
        let _ = writeln!(self.body, r#"<g {} stroke-linejoin="round" stroke-linecap="round">"#, style.attributes());
        for points in paths {
            self.body += r#"<path d=""#;
            path_data(&mut self.body, points);
            self.body += "\"/>\n";
        }
        self.body += "</g>\n";
    }

    /// Draws a closed polygon.
    pub(super) fn polygon(&mut self, points: &[DVec2], style: Style) {
        let _ = write!(self.body, r#"<path {} stroke-linejoin="round" d=""#, style.attributes());
        path_data(&mut self.body, points);
        self.body += "Z\"/>\n";
    }

    /// Draws an axis-aligned rectangle.
    pub(super) fn rectangle(&mut self, low: DVec2, high: DVec2, style: Style) {
        self.polygon(&[low, DVec2::new(high.x, low.y), high, DVec2::new(low.x, high.y)], style);
    }

    /// Draws a circle.
    pub(super) fn circle(&mut self, at: DVec2, radius: f64, style: Style) {
        let (x, y, r) = (number(at.x), number(at.y), number(radius));
        let _ = writeln!(self.body, r#"<circle {} cx="{x}" cy="{y}" r="{r}"/>"#, style.attributes());
    }

    /// Draws discs of one size and colour, in few bytes; discs at one place become one.
    pub(super) fn dots(&mut self, points: impl IntoIterator<Item = DVec2>, radius: f64, colour: &str, opacity: f64) {
        let mut places: Vec<(i64, i64)> =
            points.into_iter().map(|p| ((p.x * 10.0).round() as i64, (p.y * 10.0).round() as i64)).collect();
        places.sort_unstable();
        places.dedup();
        if places.is_empty() {
            return;
        }
        let style = Style::line(colour, 2.0 * radius, opacity).attributes();
        let _ = write!(self.body, r#"<path {style} stroke-linecap="round" d=""#);
        for (x, y) in places {
            let _ = write!(self.body, "M{} {}h0", number(x as f64 / 10.0), number(y as f64 / 10.0));
        }
        self.body += "\"/>\n";
    }

    /// Draws a five-pointed star.
    pub(super) fn star(&mut self, at: DVec2, radius: f64, style: Style) {
        let corner = |k: usize| {
            let angle = std::f64::consts::PI * (k as f64 / 5.0 - 0.5);
            at + DVec2::from_angle(angle) * if k.is_multiple_of(2) { radius } else { 0.45 * radius }
        };
        self.polygon(&(0..10).map(corner).collect::<Vec<_>>(), style);
    }

    /// Draws one line of text with its baseline at `at`, turned by `degrees` clockwise.
    pub(super) fn text(&mut self, at: DVec2, size: f64, anchor: Anchor, colour: &str, degrees: f64, content: &str) {
        if content.is_empty() {
            return;
        }
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = (number(at.x), number(at.y));
        let turn = if degrees == 0.0 { String::new() } else { format!(r#" transform="rotate({degrees} {x} {y})""#) };
        let _ = writeln!(
            self.body,
            r#"<text x="{x}" y="{y}" font-size="{}" text-anchor="{anchor}" fill="{colour}"{turn}>{}</text>"#,
            number(size),
            escaped(content)
        );
    }

    /// Finishes the SVG and rasterises the PNG.
    ///
    /// # Errors
    /// A sheet that the rasteriser refuses.
    pub(super) fn finish(self) -> Result<Picture> {
        let svg = self.document(font_face());
        let pixels = raster(&svg, RASTER_SCALE).map_err(refused)?;
        let png = pixels.encode_png().map_err(refused)?;
        Ok(Picture { svg, png, tooltips: self.tooltips })
    }

    /// Rasterises the sheet, a pixel for each of the SVG.
    ///
    /// # Errors
    /// A sheet that the rasteriser refuses.
    pub(super) fn pixels(self) -> Result<Pixels> {
        let pixels = raster(&self.document(""), 1.0).map_err(refused)?;
        let (width, height) = (pixels.width() as usize, pixels.height() as usize);
        Ok(Pixels { width, height, rgba: pixels.take() })
    }

    fn document(&self, style: &str) -> String {
        let (width, height) = (number(self.width), number(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"DejaVu Sans, Verdana, sans-serif\">\n\
             <style>{}</style>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            style, self.body
        )
    }
}

/// An opaque raster image.
#[derive(Clone)]
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Four bytes a pixel, row by row.
    pub(super) rgba: Vec<u8>,
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::input(format!("a picture could not be rasterised: {why}"))
}

/// The CSS rule that holds the font.
pub(super) fn font_face() -> &'static str {
    static RULE: OnceLock<String> = OnceLock::new();
    RULE.get_or_init(|| {
        format!("@font-face{{font-family:\"DejaVu Sans\";src:url(data:font/ttf;base64,{})}}", STANDARD.encode(FONT))
    })
}

fn raster(svg: &str, scale: f32) -> std::result::Result<Pixmap, String> {
    static OPTIONS: OnceLock<usvg::Options> = OnceLock::new();
    let options = OPTIONS.get_or_init(|| {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        usvg::Options { fontdb: Arc::new(fonts), ..Default::default() }
    });
    let tree = usvg::Tree::from_str(svg, options).map_err(|e| e.to_string())?;
    let size = tree.size().to_int_size().scale_by(scale).ok_or("no pixels")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or("too many pixels")?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels)
}

/// Writes `M x y L …` with one decimal; a point that repeats the one before it is left out.
fn path_data(out: &mut String, points: &[DVec2]) {
    let mut last = None;
    for p in points {
        let place = (number(p.x), number(p.y));
        if last.as_ref() != Some(&place) {
            let _ = write!(out, "{}{} {}", if last.is_none() { 'M' } else { 'L' }, place.0, place.1);
            last = Some(place);
        }
    }
}

/// Writes a number: two decimals below 5 (opacities, widths), one above; no trailing zeros.
fn number(x: f64) -> String {
    let text = if x.abs() < 5.0 { format!("{x:.2}") } else { format!("{x:.1}") };
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".into(),
        trimmed => trimmed.to_owned(),
    }
}

/// The character that stands for one that XML 1.0 forbids.
fn shown(c: char) -> char {
    if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c }
}

/// Escapes text for XML, and replaces characters that XML 1.0 forbids.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(shown) {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// Width of a line of text, in pixels.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let Ok(font) = FontRef::new(FONT) else { return 0.0 };
    let (map, metrics) = (font.charmap(), font.glyph_metrics(Size::new(size as f32), LocationRef::default()));
    let width = |c| metrics.advance_width(map.map(c).unwrap_or_default()).unwrap_or(size as f32);
    text.chars().map(|c| f64::from(width(shown(c)))).sum()
}

/// Breaks text at spaces into at most `lines` lines of `width` pixels; an ellipsis ends what does
/// not fit.
pub(super) fn wrapped(text: &str, size: f64, width: f64, lines: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    for word in text.split_whitespace() {
        let line = out.last().map_or("", String::as_str);
        let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || text_width(&joined, size) <= width || out.len() == lines {
            out.pop();
            out.push(joined);
        } else {
            out.push(word.to_owned());
        }
    }
    for line in &mut out {
        if text_width(line, size) > width {
            while line.pop().is_some() && text_width(line, size) + text_width("…", size) > width {}
            line.push('…');
        }
    }
    out
}
