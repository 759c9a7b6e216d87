//! A trajectory as an animated GIF: discs over axes; a frame holds only the pixels that changed.

use std::collections::BTreeMap;

use gif::{DisposalMethod, Encoder, Frame as Image, Repeat};
use glam::{DVec2, DVec3};

use super::axes::{Axes, Axis, INK, SOFT, heading};
use super::canvas::{Anchor, Canvas, Pixels, Style};
use super::picture::Picture;
use super::player::Player;
use crate::error::{Error, Result};
use crate::num;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 600.0;
/// Number of frames, at most.
const MOST_FRAMES: usize = 100;
/// Times in hundredths of a second: of all frames, of each at least and at most, of the last one.
const ALL: usize = 800;
const SHORTEST: usize = 5;
const LONGEST: usize = 60;
const LAST: u16 = 250;
/// Pixels beside the box in space for its texts.
const TEXTS: f64 = 56.0;
/// Angles that space is turned by: about the third axis, then tilted.
const AZIMUTH: f64 = -0.6;
const TILT: f64 = -0.45;

/// The map from a position to pixels.
enum Lens {
    Plane(Axes),
    /// The box's middle, pixels for a unit of each axis, and the pixel of the middle.
    Space {
        middle: DVec3,
        units: DVec3,
        centre: DVec2,
    },
}

impl Lens {
    fn map(&self, p: &[f64]) -> DVec2 {
        match self {
            Self::Plane(axes) => axes.map(DVec2::new(p[0], p[1])),
            Self::Space { middle, units, centre } => {
                let p = (DVec3::new(p[0], p[1], p[2]) - *middle) * *units;
                let (across, deep) =
                    (p.x * AZIMUTH.cos() - p.y * AZIMUTH.sin(), p.x * AZIMUTH.sin() + p.y * AZIMUTH.cos());
                *centre + DVec2::new(across, -(p.z * TILT.cos() - deep * TILT.sin()))
            }
        }
    }
}

/// Draws every frame and encodes them.
pub(super) fn animate(player: &Player, title: &str) -> Result<Vec<u8>> {
    let (canvas, lens) = sheet(player, title);
    let base = canvas.pixels()?;
    let count = player.tokens * player.dims;
    let places = |f: usize| -> Vec<DVec2> {
        let rows = player.positions[f * count..(f + 1) * count].chunks_exact(player.dims);
        rows.map(|p| lens.map(&p.iter().map(|&v| f64::from(v)).collect::<Vec<_>>())).collect()
    };
    // From the first frame on in which nothing is seen to move any more, the last one stands for
    // all.
    let last = player.steps.len() - 1;
    let end = places(last);
    let rests = |f: &usize| places(*f).iter().zip(&end).all(|(p, q)| p.distance(*q) < 0.5);
    let moving = (0..last).rev().take_while(rests).last().unwrap_or(last);
    let shown: Vec<usize> = num::evenly(moving, MOST_FRAMES - 1).chain([last]).collect();

    let radius: f64 = match player.tokens {
        0..=300 => 3.2,
        301..=1500 => 2.2,
        _ => 1.5,
    };
    let mut images = Vec::with_capacity(shown.len());
    for &f in &shown {
        let mut image = base.clone();
        // Tokens at one place are one disc whose area grows with their number.
        let mut together: BTreeMap<(i64, i64, usize), usize> = BTreeMap::new();
        for (at, &colour) in places(f).iter().zip(&player.colour) {
            *together.entry(((2.0 * at.x).round() as i64, (2.0 * at.y).round() as i64, colour)).or_default() += 1;
        }
        let mut discs: Vec<_> = together.into_iter().collect();
        discs.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for ((x, y, colour), count) in discs {
            let share = count as f64 / player.tokens as f64;
            let radius = if count > 1 { radius.max(2.0 + 9.0 * share.sqrt()) } else { radius };
            disc(&mut image, DVec2::new(x as f64, y as f64) / 2.0, radius, player.colours[colour]);
        }
        let mut label = Canvas::new(150.0, 20.0);
        label.text(DVec2::new(148.0, 15.0), 13.0, Anchor::End, INK, 0.0, &format!("step {}", player.steps[f]));
        copy(&label.pixels()?, &mut image, WIDTH as usize - 164, HEIGHT as usize - 24);
        images.push(image);
    }
    let pace = (ALL / shown.len()).clamp(SHORTEST, LONGEST) as u16;
    encode(&images, pace)
}

/// The sheet under every frame, and the map to it.
fn sheet(player: &Player, title: &str) -> (Canvas, Lens) {
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    let top = heading(&mut canvas, 14.0, title, "");
    let lens = draw_axes(player, &mut canvas, top);
    (canvas, lens)
}

/// The sheet under every frame as a picture.
pub(super) fn background(player: &Player, title: &str) -> Result<Picture> {
    sheet(player, title).0.finish()
}

/// Draws the axes of the plane, or a box in space.
fn draw_axes(player: &Player, canvas: &mut Canvas, top: f64) -> Lens {
    let (low, high, names) = (&player.low, &player.high, &player.axes);
    if player.dims == 2 {
        let whole = |k: usize| k == 1 && !player.equal;
        let axis = |k: usize| Axis { whole: whole(k), ..Axis::linear(low[k], high[k], &*names[k]) };
        let (low, high) = (DVec2::new(80.0, top), DVec2::new(WIDTH - 16.0, HEIGHT - 76.0));
        let mut axes = Axes { low, high, x: axis(0), y: axis(1) };
        if player.equal {
            axes.equalise();
        }
        axes.draw(canvas);
        axes.close(canvas);
        return Lens::Plane(axes);
    }
    let vector = |v: &[f64]| DVec3::new(v[0], v[1], v[2]);
    let (from, to) = (vector(low), vector(high));
    let corner = |bits: usize| [0, 1, 2].map(|k| if bits >> k & 1 == 1 { high[k] } else { low[k] });
    let stretch = vector(&player.stretch);
    let mut lens = Lens::Space { middle: (from + to) / 2.0, units: stretch, centre: DVec2::ZERO };
    // The box fills the sheet, but for its texts.
    let corners = (0..8).map(|bits| lens.map(&corner(bits)));
    let reach = corners.fold(DVec2::ZERO, |reach, p| reach.max(p.abs()));
    let (least, most) = (DVec2::new(TEXTS, top), DVec2::new(WIDTH - TEXTS, HEIGHT - TEXTS));
    let unit = ((most - least) / (2.0 * reach)).min_element();
    let centre = (least + most) / 2.0;
    if let Lens::Space { units, centre: at, .. } = &mut lens {
        (*units, *at) = (stretch * unit, centre);
    }
    let place = |bits: usize| lens.map(&corner(bits));
    for bits in 0..8usize {
        for k in (0..3).filter(|k| bits >> k & 1 == 0) {
            canvas.line(place(bits), place(bits | 1 << k), Style::line("#cfcfcf", 1.0, 1.0));
        }
    }
    for k in 0..3usize {
        // The edge that is lowest, or leftmost where the axis stands upright.
        let middle = |bits: usize| (place(bits) + place(bits | 1 << k)) / 2.0;
        let rank = |bits: &usize| if k == 2 { -middle(*bits).x } else { middle(*bits).y };
        let edges = (0..8usize).filter(|bits| bits >> k & 1 == 0);
        let Some(bits) = edges.max_by(|a, b| rank(a).total_cmp(&rank(b))) else { continue };
        let (start, end) = (place(bits), place(bits | 1 << k));
        let across = (end - start).perp().normalize_or_zero();
        let away = if across.dot(middle(bits) - centre) < 0.0 { -across } else { across };
        let beside = |at: DVec2, far: f64| at + away * far + DVec2::new(0.0, 4.0);
        canvas.text(beside(middle(bits), 42.0), 13.0, Anchor::Middle, INK, 0.0, &player.names[k]);
        for (value, text) in Axis::linear(low[k], high[k], "").ticks(5.0) {
            let share = (value - low[k]) / (high[k] - low[k]);
            if (0.05..0.95).contains(&share) {
                let at = start.lerp(end, share);
                canvas.text(beside(at, 20.0), 11.0, Anchor::Middle, SOFT, 0.0, &text);
                canvas.line(at, at + away * 5.0, Style::line(SOFT, 1.0, 1.0));
            }
        }
    }
    lens
}

/// Paints a disc with a soft edge.
fn disc(image: &mut Pixels, at: DVec2, radius: f64, colour: &str) {
    let part = |k: usize| u8::from_str_radix(&colour[1 + 2 * k..3 + 2 * k], 16).unwrap_or(0);
    let rgb = [part(0), part(1), part(2)];
    let (low, high) = ((at - radius - 1.0).floor(), (at + radius + 1.0).ceil());
    for y in low.y.max(0.0) as usize..(high.y.max(0.0) as usize).min(image.height) {
        for x in low.x.max(0.0) as usize..(high.x.max(0.0) as usize).min(image.width) {
            let far = (DVec2::new(x as f64 + 0.5, y as f64 + 0.5) - at).length();
            // In quarters, so that few colours are made.
            let cover = ((radius + 0.5 - far).clamp(0.0, 1.0) * 4.0).round() / 4.0 * 0.95;
            let pixel = &mut image.rgba[4 * (y * image.width + x)..][..3];
            for (old, new) in pixel.iter_mut().zip(rgb) {
                *old = (f64::from(*old) * (1.0 - cover) + f64::from(new) * cover).round() as u8;
            }
        }
    }
}

fn copy(from: &Pixels, to: &mut Pixels, left: usize, top: usize) {
    for y in 0..from.height {
        let row = &from.rgba[4 * y * from.width..][..4 * from.width];
        to.rgba[4 * ((top + y) * to.width + left)..][..4 * from.width].copy_from_slice(row);
    }
}

/// A colour reduced to five bits a channel.
fn coarse(pixel: &[u8]) -> usize {
    pixel[..3].iter().fold(0, |code, channel| code << 5 | usize::from(channel >> 3))
}

fn encode(images: &[Pixels], pace: u16) -> Result<Vec<u8>> {
    let failed = |e: gif::EncodingError| Error::input(format!("a GIF could not be encoded: {e}"));
    let Some(first) = images.first() else { return Err(Error::input("a GIF needs at least one frame")) };
    let (width, height) = (first.width, first.height);
    let palette = Palette::of(images);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width as u16, height as u16, &palette.rgb()).map_err(failed)?;
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    let mut before: Option<Vec<u8>> = None;
    for (at, image) in images.iter().enumerate() {
        let indices: Vec<u8> = image.rgba.chunks_exact(4).map(|p| palette.index[coarse(p)]).collect();
        let changed =
            |x: usize, y: usize| before.as_ref().is_none_or(|before| before[y * width + x] != indices[y * width + x]);
        let rows: Vec<usize> = (0..height).filter(|&y| (0..width).any(|x| changed(x, y))).collect();
        let columns: Vec<usize> = (0..width).filter(|&x| rows.iter().any(|&y| changed(x, y))).collect();
        // Nothing has changed: one pixel keeps the time.
        let (top, bottom) = (rows.first().map_or(0, |y| *y), rows.last().map_or(0, |y| *y));
        let (left, right) = (columns.first().map_or(0, |x| *x), columns.last().map_or(0, |x| *x));
        let part: Vec<u8> =
            (top..=bottom).flat_map(|y| indices[y * width + left..=y * width + right].iter().copied()).collect();
        encoder
            .write_frame(&Image {
                delay: if at + 1 == images.len() { LAST } else { pace },
                dispose: DisposalMethod::Keep,
                left: left as u16,
                top: top as u16,
                width: (right - left + 1) as u16,
                height: (bottom - top + 1) as u16,
                buffer: part.into(),
                ..Image::default()
            })
            .map_err(failed)?;
        before = Some(indices);
    }
    drop(encoder);
    Ok(bytes)
}

/// At most 256 colours, the most common ones; each other colour becomes the nearest of these.
struct Palette {
    colours: Vec<usize>,
    /// For every colour, the index of its entry.
    index: Vec<u8>,
}

impl Palette {
    fn of(images: &[Pixels]) -> Self {
        let mut counts = vec![0u32; 1 << 15];
        for pixel in images.iter().flat_map(|image| image.rgba.chunks_exact(4)) {
            counts[coarse(pixel)] += 1;
        }
        let mut all: Vec<usize> = (0..counts.len()).filter(|&colour| counts[colour] > 0).collect();
        all.sort_by_key(|&colour| (std::cmp::Reverse(counts[colour]), colour));
        let colours: Vec<usize> = all.iter().take(256).copied().collect();
        let far =
            |a: usize, b: usize| (0..3).map(|k| (a >> (5 * k) & 31).abs_diff(b >> (5 * k) & 31).pow(2)).sum::<usize>();
        let mut index = vec![0; counts.len()];
        for &colour in &all {
            let nearest = (0..colours.len()).min_by_key(|&k| far(colours[k], colour));
            index[colour] = nearest.unwrap_or(0) as u8;
        }
        Self { colours, index }
    }

    /// The palette as three bytes a colour.
    fn rgb(&self) -> Vec<u8> {
        let channel = |colour: usize, k: usize| (colour >> (5 * (2 - k)) & 31) as u8;
        self.colours.iter().flat_map(|&c| [0, 1, 2].map(|k| channel(c, k) << 3 | channel(c, k) >> 2)).collect()
    }
}
