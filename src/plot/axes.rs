//! The axes of a picture, with ticks, labels and the map from data to pixels; heading and foot.

use std::collections::BTreeSet;

use glam::DVec2;

use super::canvas::{Anchor, Canvas, Style, text_width, wrapped};

/// Colours of text, of lesser text and axes, and of the grid.
pub(super) const INK: &str = "#1a1a1a";
pub(super) const SOFT: &str = "#595959";
pub(super) const GRID: &str = "#e6e6e6";

/// Distance beyond the axes, in areas, at which everything farther is drawn, out of sight.
const FAR: f64 = 20.0;

const TITLE_SIZE: f64 = 17.0;
const TEXT_SIZE: f64 = 12.5;
const TICK_SIZE: f64 = 12.0;
/// Height of a line of ticks or of a label.
const LINE: f64 = 15.0;
/// Size of a note at the foot.
pub(super) const FOOT_SIZE: f64 = 11.0;

/// The spread of data along an axis.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scale {
    Linear,
    /// Powers of ten; counts of 0 sit at the lower end, under the tick "0".
    Log,
}

/// One axis, with its range and ticks.
#[derive(Clone)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) scale: Scale,
    pub(super) label: String,
    /// Whether ticks stand at whole numbers only.
    pub(super) whole: bool,
    /// The tick that stands for 0 on a logarithmic axis.
    pub(super) zero: Option<f64>,
    /// Ticks with texts of their own, in place of numbers.
    pub(super) names: Vec<(f64, String)>,
}

impl Axis {
    /// Makes a linear axis.
    pub(super) fn linear(low: f64, high: f64, label: impl Into<String>) -> Self {
        Self { low, high, scale: Scale::Linear, label: label.into(), whole: false, zero: None, names: Vec::new() }
    }

    /// Makes an axis for counts: logarithmic beyond a factor of 30, with room for 0.
    pub(super) fn counts(values: &[f64], label: impl Into<String>) -> Self {
        let top = values.iter().copied().fold(1.0, f64::max);
        let least = values.iter().copied().filter(|v| *v > 0.0).fold(top, f64::min);
        let any_zero = values.iter().any(|v| *v <= 0.0);
        if top / least > 30.0 {
            let zero = any_zero.then(|| least.min(1.0) * 0.3);
            let low = zero.map_or(least / 1.3, |z| z / 1.3);
            Self { scale: Scale::Log, zero, ..Self::linear(low, top * 1.4, label) }
        } else {
            Self { whole: true, ..Self::linear(-0.04 * top, top * 1.08, label) }
        }
    }

    /// Position along the axis, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => {
                let value = if value > 0.0 { value } else { self.zero.unwrap_or(self.low) };
                (value.log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
            }
        }
    }

    fn has_place(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0 || self.zero.is_some())
    }

    /// About `target` ticks with their texts.
    pub(super) fn ticks(&self, target: f64) -> Vec<(f64, String)> {
        if !self.names.is_empty() {
            return shortened(&self.names);
        }
        match self.scale {
            Scale::Linear => self.linear_ticks(target),
            Scale::Log => {
                let ticks = self.log_ticks(target);
                // Less than a factor of 2 or so: no power of ten is inside.
                if ticks.len() < 2 { self.linear_ticks(target) } else { ticks }
            }
        }
    }

    fn linear_ticks(&self, target: f64) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / target.max(1.0);
        let power = 10f64.powi(rough.log10().floor() as i32);
        let steps = [1.0, 2.0, 5.0, 10.0];
        let mut step = power * steps.iter().find(|s| power * **s >= rough * 0.75).unwrap_or(&10.0);
        if self.whole {
            step = step.max(1.0);
        }
        let is_plain = self.high.abs().max(self.low.abs()) < 1e7 && step > 1e-7;
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last)
            .map(|k| k as f64 * step)
            .map(|v| (v, if is_plain { plain(v, decimals) } else { scientific(v) }))
            .collect()
    }

    fn log_ticks(&self, target: f64) -> Vec<(f64, String)> {
        let (low, high) = (self.low.log10(), self.high.log10());
        let decades = high - low;
        let every = (decades / target.max(1.0) / 1.4).ceil().max(1.0) as i32;
        let mut ticks: Vec<(f64, String)> = self.zero.iter().map(|&z| (z, "0".into())).collect();
        let floor = self.zero.map_or(self.low, |z| z * 1.5);
        let in_powers = self.high >= 1e5 || self.low < 1e-4;
        for k in low.floor() as i32..=high.ceil() as i32 {
            let multiples: &[f64] = if decades < (target / 2.0).min(2.5) { &[1.0, 2.0, 5.0] } else { &[1.0] };
            if k.rem_euclid(every) != 0 {
                continue;
            }
            for m in multiples {
                let v = m * 10f64.powi(k);
                if v >= floor && v <= self.high {
                    let text = match m {
                        _ if !in_powers || k == 0 => plain(v, (-k).max(0) as usize),
                        1.0 => power_of_ten(k),
                        m => format!("{m}·{}", power_of_ten(k)),
                    };
                    ticks.push((v, text));
                }
            }
        }
        ticks
    }
}

/// Names that are long numbers cut to three digits, if they still differ then.
fn shortened(names: &[(f64, String)]) -> Vec<(f64, String)> {
    let short = |name: &String| match name.parse::<f64>() {
        Ok(value) if name.len() > 5 => significant(three_digits(value)),
        _ => name.clone(),
    };
    let short: Vec<(f64, String)> = names.iter().map(|(at, name)| (*at, short(name))).collect();
    let differ = short.iter().map(|(_, name)| name).collect::<BTreeSet<_>>().len() == names.len();
    if differ { short } else { names.to_vec() }
}

/// Rounds to three digits.
pub(super) fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

/// A tick at a pixel of its axis, with the lines of its text.
type Tick = (f64, Vec<String>);

/// Every k-th tick, for the least k for which no two texts overlap; `length` is that of a text
/// along the axis.
fn apart(ticks: Vec<Tick>, length: impl Fn(&[String]) -> f64) -> Vec<Tick> {
    let fits = |every: usize| {
        let kept: Vec<&Tick> = ticks.iter().step_by(every).collect();
        let room = |[a, b]: &[&Tick; 2]| (b.0 - a.0).abs() - length(&a.1).midpoint(length(&b.1));
        kept.array_windows().all(|pair| room(pair) >= 0.0)
    };
    let every = (1..ticks.len()).find(|&every| fits(every)).unwrap_or(ticks.len().max(1));
    ticks.into_iter().step_by(every).collect()
}

/// Writes a number with `decimals` decimals and a typographic minus sign.
pub(super) fn plain(v: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", v.abs());
    let is_zero = text.bytes().all(|b| matches!(b, b'0' | b'.'));
    if v < 0.0 && !is_zero { format!("−{text}") } else { text }
}

/// Writes a number to six significant digits.
pub(super) fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let power = value.abs().log10().floor();
    if !(-4.0..6.0).contains(&power) {
        return format!("{value:.5e}");
    }
    let text = format!("{value:.*}", (5.0 - power).max(0.0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Writes a number as m·10ᵏ.
fn scientific(v: f64) -> String {
    let text = format!("{v:.3e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.').replace('-', "−");
    if v == 0.0 { "0".into() } else { format!("{mantissa}·{}", power_of_ten(power.parse().unwrap_or(0))) }
}

/// Writes 10ᵏ.
pub(super) fn power_of_ten(k: i32) -> String {
    let digit = |c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => char::from_u32(0x2070 + u32::from(c as u8 - b'0')).unwrap_or(c),
    };
    format!("10{}", k.to_string().chars().map(digit).collect::<String>())
}

/// The name of the k-th coordinate, counted from 1: xₖ.
pub(super) fn coordinate(k: usize) -> String {
    let digit = |c: char| char::from_u32(0x2080 + u32::from(c as u8 - b'0')).unwrap_or(c);
    format!("x{}", k.to_string().chars().map(digit).collect::<String>())
}

/// A pair of axes around a rectangle of pixels.
pub(super) struct Axes {
    /// Upper left and lower right corner, in pixels.
    pub(super) low: DVec2,
    pub(super) high: DVec2,
    pub(super) x: Axis,
    pub(super) y: Axis,
}

impl Axes {
    /// Widens one axis until a unit is as long on both.
    pub(super) fn equalise(&mut self) {
        let size = self.high - self.low;
        let extent = DVec2::new(self.x.high - self.x.low, self.y.high - self.y.low);
        let unit = (extent / size).max_element();
        for (axis, pixels) in [(&mut self.x, size.x), (&mut self.y, size.y)] {
            let middle = f64::midpoint(axis.low, axis.high);
            (axis.low, axis.high) = (middle - unit * pixels / 2.0, middle + unit * pixels / 2.0);
        }
    }

    /// The pixel of a point of the data.
    pub(super) fn map(&self, p: DVec2) -> DVec2 {
        let size = self.high - self.low;
        DVec2::new(self.low.x + self.x.place(p.x) * size.x, self.high.y - self.y.place(p.y) * size.y)
    }

    /// The pixel of a point that has a place: finite, and above 0 on a logarithmic axis.
    pub(super) fn place(&self, x: f64, y: f64) -> Option<DVec2> {
        Some(DVec2::new(self.place_x(x)?, self.place_y(y)?))
    }

    /// Pixels from the left.
    pub(super) fn place_x(&self, x: f64) -> Option<f64> {
        let share = self.x.has_place(x).then(|| self.x.place(x))?;
        Some(self.low.x + share.clamp(-FAR, FAR) * (self.high.x - self.low.x))
    }

    /// Pixels from the top.
    pub(super) fn place_y(&self, y: f64) -> Option<f64> {
        let share = self.y.has_place(y).then(|| self.y.place(y))?;
        Some(self.high.y - share.clamp(-FAR, FAR) * (self.high.y - self.low.y))
    }

    /// Whether a place is inside the area.
    pub(super) fn holds(&self, at: DVec2) -> bool {
        at.cmpge(self.low).all() && at.cmple(self.high).all()
    }

    /// The area as a polygon of the data.
    pub(super) fn area(&self) -> [DVec2; 4] {
        let (x, y) = (&self.x, &self.y);
        [(x.low, y.low), (x.high, y.low), (x.high, y.high), (x.low, y.high)].map(DVec2::from)
    }

    /// The ticks of the x axis. Texts that overlap stand on two lines, or at every k-th tick.
    fn x_ticks(&self) -> Vec<Tick> {
        let width = self.high.x - self.low.x;
        let ticks = self.x.ticks((width / 90.0).max(4.0));
        let length = |lines: &[String]| lines.iter().map(|l| text_width(l, TICK_SIZE)).fold(0.0, f64::max) + 8.0;
        let placed = |lines: &dyn Fn(&str) -> Vec<String>| -> Vec<Tick> {
            let at = |value: f64| self.low.x + self.x.place(value) * width;
            ticks.iter().map(|(value, text)| (at(*value), lines(text))).collect()
        };
        let single = apart(placed(&|text| vec![text.to_owned()]), length);
        if single.len() == ticks.len() {
            return single;
        }
        let room = width / ticks.len() as f64 - 8.0;
        let double = placed(&|text| wrapped(text, TICK_SIZE, room, 2));
        let is_whole = double.iter().all(|(_, lines)| lines.iter().all(|line| !line.ends_with('…')));
        if is_whole && ticks.len() > 1 { apart(double, length) } else { single }
    }

    /// The ticks of the y axis.
    fn y_ticks(&self) -> Vec<Tick> {
        let height = self.high.y - self.low.y;
        let ticks = self.y.ticks((height / 50.0).max(4.0)).into_iter();
        apart(ticks.map(|(v, text)| (self.high.y - self.y.place(v) * height, vec![text])).collect(), |_| 15.0)
    }

    /// The lines of both labels.
    fn labels(&self) -> [Vec<String>; 2] {
        let size = self.high - self.low;
        [wrapped(&self.x.label, TEXT_SIZE, size.x + 60.0, 2), wrapped(&self.y.label, TEXT_SIZE, size.y + 20.0, 2)]
    }

    /// Pixels that ticks and labels take to the left of the area and below it.
    pub(super) fn room(&self) -> DVec2 {
        let [across, up] = self.labels().map(|lines| LINE * (lines.len() - 1) as f64);
        let ticks = self.x_ticks().iter().map(|(_, lines)| lines.len()).max().unwrap_or(1);
        let widest = self.y_ticks().iter().map(|(_, lines)| text_width(&lines[0], TICK_SIZE)).fold(0.0, f64::max);
        DVec2::new(widest + up + 38.0, LINE * (ticks - 1) as f64 + across + 48.0)
    }

    /// Draws grid, ticks and labels. An empty x label leaves the x tick texts out as well.
    pub(super) fn draw(&self, canvas: &mut Canvas) {
        let grid = Style::line(GRID, 1.0, 1.0);
        for (x, _) in self.x_ticks() {
            canvas.line(DVec2::new(x, self.low.y), DVec2::new(x, self.high.y), grid);
        }
        for (y, _) in self.y_ticks() {
            canvas.line(DVec2::new(self.low.x, y), DVec2::new(self.high.x, y), grid);
        }
        self.draw_ticks(canvas);
    }

    /// Draws ticks and labels of both axes.
    pub(super) fn draw_ticks(&self, canvas: &mut Canvas) {
        let mut last = 0.0f64;
        for (x, lines) in self.x_ticks() {
            canvas.line(DVec2::new(x, self.high.y), DVec2::new(x, self.high.y + 5.0), Style::line(SOFT, 1.0, 1.0));
            for (line, k) in lines.iter().zip(0..).filter(|_| !self.x.label.is_empty()) {
                let below = LINE * f64::from(k);
                let at = DVec2::new(x, self.high.y + 19.0 + below);
                canvas.text(at, TICK_SIZE, Anchor::Middle, SOFT, 0.0, line);
                last = last.max(below);
            }
        }
        for (line, k) in self.labels()[0].iter().zip(0..) {
            let below = self.high.y + 40.0 + last + LINE * f64::from(k);
            let at = DVec2::new(f64::midpoint(self.low.x, self.high.x), below);
            canvas.text(at, TEXT_SIZE, Anchor::Middle, INK, 0.0, line);
        }
        self.draw_side(canvas);
    }

    /// Draws ticks and label of the y axis.
    pub(super) fn draw_side(&self, canvas: &mut Canvas) {
        let mut widest = 0.0f64;
        for (y, lines) in self.y_ticks() {
            canvas.line(DVec2::new(self.low.x - 5.0, y), DVec2::new(self.low.x, y), Style::line(SOFT, 1.0, 1.0));
            let at = DVec2::new(self.low.x - 9.0, y + 4.2);
            canvas.text(at, TICK_SIZE, Anchor::End, SOFT, 0.0, &lines[0]);
            widest = widest.max(text_width(&lines[0], TICK_SIZE));
        }
        let middle = f64::midpoint(self.low.y, self.high.y);
        for (line, k) in self.labels()[1].iter().rev().zip(0..) {
            let left = DVec2::new(self.low.x - widest - 20.0 - LINE * f64::from(k), middle);
            canvas.text(left, TEXT_SIZE, Anchor::Middle, INK, -90.0, line);
        }
    }

    /// Draws the box around the area, over the data.
    pub(super) fn close(&self, canvas: &mut Canvas) {
        canvas.rectangle(self.low, self.high, Style::line(SOFT, 1.0, 1.0));
    }
}

/// Draws title and subtitle at the top left; returns the height that they take.
pub(super) fn heading(canvas: &mut Canvas, left: f64, title: &str, subtitle: &str) -> f64 {
    let width = canvas.width - left - 16.0;
    let mut y = 12.0;
    for (text, size, colour, lines) in [(title, TITLE_SIZE, INK, 2), (subtitle, TEXT_SIZE, SOFT, 3)] {
        for line in wrapped(text, size, width, lines).iter().filter(|line| !line.is_empty()) {
            y += size + 4.0;
            canvas.text(DVec2::new(left, y), size, Anchor::Start, colour, 0.0, line);
        }
    }
    y + 16.0
}

/// Draws a note of at most `lines` lines at the foot, the last one `above` pixels over the edge.
pub(super) fn foot(canvas: &mut Canvas, note: &str, lines: usize, above: f64) {
    for (at, line) in wrapped(note, FOOT_SIZE, canvas.width - 32.0, lines).iter().rev().enumerate() {
        let place = DVec2::new(16.0, canvas.height - above - 14.0 * at as f64);
        canvas.text(place, FOOT_SIZE, Anchor::Start, SOFT, 0.0, line);
    }
}
