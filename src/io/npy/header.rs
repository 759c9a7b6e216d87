//! The header of an `.npy` file: magic bytes, version, length, and a Python dictionary such as
//! `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }`.
//!
//! A header is a promise about the file: it is checked against the file's size before anything is
//! allocated, so that no header can ask for more memory than its file fills.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::io::input;
use crate::tokens::Precision;

/// Longest dictionary read; `numpy.save` writes about 120 bytes.
const LONGEST: usize = 4096;
/// Most brackets in a dictionary: it needs one pair, and its shape another.
const MOST_BRACKETS: usize = 10;
/// Bytes read at a time.
const CHUNK: usize = 1 << 20;
const MAGIC: &[u8; 6] = b"\x93NUMPY";
const KEYS: [&str; 3] = ["descr", "fortran_order", "shape"];

/// The shape and layout of the array in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// m of an array (m, n, d), clouds of n tokens each.
    pub clouds: Option<usize>,
    /// n, or m·n.
    pub rows: usize,
    /// d.
    pub columns: usize,
    /// Stored width.
    pub precision: Precision,
    pub(super) big_endian: bool,
    pub(super) fortran: bool,
}

/// The bytes of a header in C order; the data begins at a multiple of 64.
pub(super) fn encoded(dtype: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = [&MAGIC[..], &[1, 0], &(length as u16).to_le_bytes(), text.as_bytes()].concat();
    bytes.resize(10 + length - 1, b' ');
    bytes.push(b'\n');
    bytes
}

impl Header {
    /// The header that this program writes for n tokens in R^d: C order, little endian.
    pub fn new(n: usize, d: usize, precision: Precision) -> Self {
        Self { clouds: None, rows: n, columns: d, precision, big_endian: false, fortran: false }
    }

    /// As [`Header::new`], of an array (m, n/m, d) where there are m clouds.
    pub(super) fn stacked(clouds: Option<usize>, n: usize, d: usize, precision: Precision) -> Self {
        Self { clouds, ..Self::new(n, d, precision) }
    }

    /// The bytes of a header in C order and little endian.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let (n, d, width) = (self.rows, self.columns, self.precision.bytes());
        let shape = self.clouds.map_or_else(|| format!("({n}, {d}, )"), |m| format!("({m}, {}, {d})", n / m));
        encoded(&format!("<f{width}"), &shape)
    }

    /// The (n, d) array of floats that a layout is; an error says what it is instead.
    pub(super) fn of(layout: &Layout) -> Result<Self, String> {
        let Layout { number, big_endian, fortran, .. } = *layout;
        let precision = match number {
            Number::F32 => Precision::F32,
            Number::F64 => Precision::F64,
            _ => {
                let descr = &layout.descr;
                return Err(format!(
                    "dtype {descr}; float32 or float64 are read, so convert it with .astype(numpy.float32), or float16 with \
                     `localmax import`"
                ));
            }
        };
        let [rows, columns] = layout.rectangle()?;
        Ok(Self { clouds: None, rows, columns, precision, big_endian, fortran })
    }

    /// As [`Header::of`], or the (m, n, d) array of m clouds that a layout is.
    pub(super) fn of_stacked(layout: &Layout) -> Result<Self, String> {
        let [m, n, d] = layout.shape[..] else { return Self::of(layout) };
        if m == 0 || n == 0 || d == 0 {
            return Err(format!("an array of shape ({m}, {n}, {d}); m, n and d must be at least 1"));
        }
        if layout.fortran {
            return Err(format!(
                "an array of shape ({m}, {n}, {d}) in Fortran order; save numpy.ascontiguousarray of it"
            ));
        }
        let flat = Layout { shape: vec![m * n, d], ..layout.clone() };
        Self::of(&flat).map(|header| Self { clouds: Some(m), ..header })
    }
}

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::io) enum Number {
    /// The half of IEEE 754.
    F16,
    /// The upper half of an f32, which no `.npy` file has.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only what is imported is read"))]
    Bf16,
    F32,
    F64,
    /// An integer with a sign, of this many bytes.
    Signed(usize),
    /// An integer without a sign, or a truth value.
    Unsigned(usize),
}

impl Number {
    /// The number that numpy calls by a kind and a width, as `f8`.
    fn parse(name: &str) -> Option<Self> {
        let width = name.get(1..)?.parse().ok();
        let width = width.filter(|width| [1, 2, 4, 8].contains(width))?;
        match (name.as_bytes()[0], width) {
            (b'f', 2) => Some(Self::F16),
            (b'f', 4) => Some(Self::F32),
            (b'f', 8) => Some(Self::F64),
            (b'i', _) => Some(Self::Signed(width)),
            (b'u', _) | (b'b', 1) => Some(Self::Unsigned(width)),
            _ => None,
        }
    }

    pub(in crate::io) fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Signed(bytes) | Self::Unsigned(bytes) => bytes,
        }
    }

    /// The value of its bytes, little endian.
    pub(in crate::io) fn value(self, bytes: &[u8]) -> f64 {
        let is_negative = matches!(self, Self::Signed(_)) && bytes.last().is_some_and(|byte| *byte > 0x7f);
        let mut wide = [if is_negative { 0xff } else { 0 }; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(wide);
        match self {
            Self::F16 => half(bits as u16),
            Self::Bf16 => f64::from(f32::from_bits((bits as u32) << 16)),
            Self::F32 => f64::from(f32::from_bits(bits as u32)),
            Self::F64 => f64::from_bits(bits),
            Self::Signed(_) => bits as i64 as f64,
            Self::Unsigned(_) => bits as f64,
        }
    }
}

/// The value of a half: a sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// The array that a dictionary promises, of any rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::io) struct Layout {
    pub(in crate::io) shape: Vec<usize>,
    pub(in crate::io) number: Number,
    pub(in crate::io) big_endian: bool,
    pub(in crate::io) fortran: bool,
    pub(in crate::io) descr: String,
}

impl Layout {
    fn parse(text: &str) -> Result<Self, String> {
        let brackets = text.matches(['(', '[', '{']).count();
        if brackets > MOST_BRACKETS {
            return Err(format!("a header with {brackets} brackets; this is no float array"));
        }
        let [descr, order, shape] = dictionary(text).ok_or_else(unreadable)?;
        let name = descr.trim_matches(['\'', '"']);
        let big_endian = name.starts_with('>');
        let number = Number::parse(name.trim_start_matches(['<', '>', '|'])).ok_or_else(|| {
            format!("dtype {descr}; float32 or float64 are read, so convert it with .astype(numpy.float32)")
        })?;
        let fortran = match order {
            "True" => true,
            "False" => false,
            _ => return Err(unreadable()),
        };
        Ok(Self { shape: sizes(shape)?, number, big_endian, fortran, descr: descr.to_owned() })
    }

    /// The rows and columns of an array that has some of both.
    pub(super) fn rectangle(&self) -> Result<[usize; 2], String> {
        match self.shape[..] {
            [rows, columns] if rows == 0 || columns == 0 => {
                Err(format!("an array of shape ({rows}, {columns}); n and d must be at least 1"))
            }
            [rows, columns] => Ok([rows, columns]),
            ref sizes => Err(format!(
                "an array of rank {}, shape {sizes:?}; rank 2 is needed, (n, d) for tokens, (rows, columns) for a matrix",
                sizes.len()
            )),
        }
    }

    /// The shape as numpy writes it.
    pub(super) fn shown(&self) -> String {
        let sizes: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        format!("({})", sizes.join(", "))
    }
}

/// Opens a file and leaves it at its first entry; with what `wanted` makes of its layout.
pub(in crate::io) fn open<T>(
    path: &Path,
    wanted: impl FnOnce(&Layout) -> Result<T, String>,
) -> Result<(T, Layout, BufReader<File>)> {
    let (file, found) = input::open(path)?;
    let mut file = BufReader::with_capacity(CHUNK, file);
    let mut start = Vec::new();
    file.by_ref().take(8).read_to_end(&mut start).map_err(|e| Error::file(path, e))?;
    if start.len() < 8 || !start.starts_with(MAGIC) {
        return Err(bad(path, "not an .npy file; write one with numpy.save"));
    }
    let length_bytes = match start[6..] {
        [1, 0] => 2,
        [2 | 3, 0] => 4,
        _ => {
            let (major, minor) = (start[6], start[7]);
            return Err(bad(path, format!("version {major}.{minor} of the .npy format; 1.0, 2.0 and 3.0 are read")));
        }
    };
    let (short, mut length) = ("truncated inside its header", [0; 4]);
    fill(&mut length[..length_bytes], &mut file, path, short)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err(bad(path, format!("a header of {length} bytes; at most {LONGEST} are read")));
    }
    let mut text = vec![0; length];
    fill(&mut text, &mut file, path, short)?;
    let layout = Layout::parse(&String::from_utf8_lossy(&text)).map_err(|what| bad(path, what))?;
    let made = wanted(&layout).map_err(|what| bad(path, what))?;

    let (shape, width) = (layout.shown(), layout.number.bytes());
    let entries = layout.shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
    let data = entries.and_then(|entries| entries.checked_mul(width));
    let Some(promised) = data.and_then(|bytes| bytes.checked_add(8 + length_bytes + length)) else {
        return Err(bad(path, format!("its header's shape {shape} has more bytes than can be addressed")));
    };
    let fault = match (promised as u64).cmp(&found) {
        Ordering::Equal => return Ok((made, layout, file)),
        Ordering::Greater => "truncated",
        Ordering::Less => "oversized",
    };
    Err(bad(
        path,
        format!(
            "{fault}: shape {shape} of {width}-byte numbers and its header take {promised} bytes, the file has {found}"
        ),
    ))
}

/// Fills `bytes` from a file; `short` is the message for a file that ends before.
pub(in crate::io) fn fill(bytes: &mut [u8], file: &mut impl Read, path: &Path, short: &str) -> Result<()> {
    file.read_exact(bytes).map_err(|e| match e.kind() {
        ErrorKind::UnexpectedEof => bad(path, short),
        _ => Error::file(path, e),
    })
}

/// The error for the content of a file, on one line.
pub(in crate::io) fn bad(path: &Path, what: impl std::fmt::Display) -> Error {
    let line = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect::<String>();
    Error::input(format!("{}: {}", line(&path.to_string_lossy()), line(&what.to_string())))
}

fn unreadable() -> String {
    format!("its header cannot be read: it must be a dictionary with {}", KEYS.join(", "))
}

/// The values of [`KEYS`] in a dictionary.
fn dictionary(text: &str) -> Option<[&str; 3]> {
    let mut values = [None; 3];
    for item in items(text.trim().strip_prefix('{')?.strip_suffix('}')?) {
        let (key, value) = item.split_once(':')?;
        let key = key.trim().trim_matches(['\'', '"']);
        if let Some(at) = KEYS.iter().position(|known| *known == key) {
            values[at] = Some(value.trim());
        }
    }
    let [descr, order, shape] = values;
    Some([descr?, order?, shape?])
}

/// The sizes in a shape, whose product fits a `usize`.
fn sizes(shape: &str) -> Result<Vec<usize>, String> {
    let inside = shape.strip_prefix(['(', '[']).and_then(|rest| rest.strip_suffix([')', ']']));
    let sizes = inside.and_then(|inside| items(inside).map(|item| item.trim().parse().ok()).collect());
    let sizes: Vec<u128> = sizes.ok_or_else(unreadable)?;
    // A zero must not hide that the other factors overflow.
    let product = sizes.iter().try_fold(1usize, |all, size| all.checked_mul((*size).max(1).try_into().ok()?));
    product.ok_or("its header's shape has more bytes than can be addressed")?;
    Ok(sizes.iter().map(|size| *size as usize).collect())
}

/// The texts between commas that are in no brackets and no quotes. The last comma may end the list.
fn items(inside: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut quote) = (0, None);
    inside.trim().split_terminator(move |c| {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (Some(open), _) if c == open => quote = None,
            _ => {}
        }
        c == ',' && depth == 0 && quote.is_none()
    })
}
