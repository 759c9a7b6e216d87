//! Arrays in the `.npy` format: (n, d), float32 or float64, either byte order, C or Fortran order. Written in C
//! order, little endian, in the stored width.
//!
//! A header is a promise about the file: it is checked against the file's size before anything is allocated, so that
//! no header can ask for more memory than its file fills.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar, WriterBuilder};

use crate::error::{Error, Result};
use crate::io::{atomic, input};
use crate::tokens::{Coordinates, Precision, Tokens};

/// Longest header text read; `numpy.save` writes about 120 bytes.
const LONGEST_HEADER: usize = 4096;
/// Most brackets opened in a header: a dictionary and a shape need two.
const MOST_BRACKETS: usize = 10;
/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// What a file says about its array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// n.
    pub rows: usize,
    /// d.
    pub columns: usize,
    /// Stored width.
    pub precision: Precision,
    big_endian: bool,
    fortran: bool,
}

impl Header {
    /// Of n tokens in R^d, as this program writes them.
    pub fn new(n: usize, d: usize, precision: Precision) -> Self {
        Self { rows: n, columns: d, precision, big_endian: false, fortran: false }
    }
}

/// Reads and checks the header alone.
///
/// # Errors
/// No such file; not an npy; a shape, width or size that is not an (n, d) array of floats filling the file.
pub fn header(path: &Path) -> Result<Header> {
    open(path).map(|(header, _)| header)
}

/// Reads tokens, in the file's own width.
///
/// # Errors
/// As [`header`]; a coordinate that is not finite.
pub fn read(path: &Path) -> Result<Tokens> {
    let (header, mut file) = open(path)?;
    let coordinates = match header.precision {
        Precision::F32 => Coordinates::F32(fill(path, &header, &mut file, f32::from_le_bytes, f32::from_be_bytes)?),
        Precision::F64 => Coordinates::F64(fill(path, &header, &mut file, f64::from_le_bytes, f64::from_be_bytes)?),
    };
    Tokens::new(header.rows, header.columns, coordinates).map_err(|e| bad(path, e))
}

/// Reads the rows of a matrix, widened.
///
/// # Errors
/// As [`header`]; an entry that is not finite.
pub fn read_matrix(path: &Path) -> Result<Vec<Vec<f64>>> {
    let (header, mut file) = open(path)?;
    let entries: Vec<f64> = match header.precision {
        Precision::F32 => {
            fill(path, &header, &mut file, f32::from_le_bytes, f32::from_be_bytes)?.into_iter().map(f64::from).collect()
        }
        Precision::F64 => fill(path, &header, &mut file, f64::from_le_bytes, f64::from_be_bytes)?,
    };
    let columns = header.columns;
    if let Some(at) = entries.iter().position(|x| !x.is_finite()) {
        let (row, column) = (at / columns, at % columns);
        return Err(bad(path, format!("entry ({row}, {column}) is {}; every entry must be finite", entries[at])));
    }
    Ok(entries.chunks_exact(columns).map(<[f64]>::to_vec).collect())
}

/// Writes tokens in their stored width, whole or not at all; the blake3 of the file.
///
/// # Errors
/// What cannot be written.
pub fn write(path: &Path, tokens: &Tokens) -> Result<blake3::Hash> {
    let shape = [tokens.n() as u64, tokens.d() as u64];
    atomic::write_hashed(path, |mut file| match tokens.coordinates() {
        Coordinates::F32(all) => write_all(&mut file, &shape, all, "<f4"),
        Coordinates::F64(all) => write_all(&mut file, &shape, all, "<f8"),
    })
}

fn write_all<T: npyz::Serialize>(
    file: &mut dyn std::io::Write,
    shape: &[u64],
    all: &[T],
    width: &str,
) -> std::io::Result<()> {
    let dtype = DType::new_scalar(width.parse().map_err(std::io::Error::other)?);
    let mut writer = npyz::WriteOptions::new().dtype(dtype).shape(shape).writer(file).begin_nd()?;
    writer.extend(all)?;
    writer.finish()
}

fn bad(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::input(format!("{}: {what}", one_line(&path.to_string_lossy())))
}

/// Opens a file and leaves it at its first entry.
fn open(path: &Path) -> Result<(Header, BufReader<File>)> {
    let (file, found) = input::open(path)?;
    let mut file = BufReader::with_capacity(CHUNK, file);
    let (header, header_bytes) = parse_header(&mut file).map_err(|e| match e {
        Failure::System(e) => Error::file(path, e),
        Failure::Content(what) => bad(path, what),
    })?;
    let (n, d, width) = (header.rows, header.columns, header.precision.bytes());
    let promised = n.checked_mul(d).and_then(|c| c.checked_mul(width)).and_then(|b| b.checked_add(header_bytes));
    match promised {
        None => Err(bad(path, format!("its header's shape ({n}, {d}) has more bytes than can be addressed"))),
        Some(promised) if promised as u64 > found => Err(bad(
            path,
            format!(
                "truncated: shape ({n}, {d}) of {width}-byte floats and its header take {promised} bytes, the file has {found}"
            ),
        )),
        Some(promised) if (promised as u64) < found => Err(bad(
            path,
            format!(
                "oversized: shape ({n}, {d}) of {width}-byte floats and its header take {promised} bytes, the file has {found}"
            ),
        )),
        Some(_) => Ok((header, file)),
    }
}

enum Failure {
    System(std::io::Error),
    Content(String),
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Content("truncated inside its header".into()),
            _ => Self::System(e),
        }
    }
}

/// The header and its length in bytes.
fn parse_header(file: &mut impl Read) -> Result<(Header, usize), Failure> {
    let fail = |what: String| Err(Failure::Content(what));
    let mut bytes = Vec::new();
    file.by_ref().take(8).read_to_end(&mut bytes)?;
    if bytes.len() < 8 || &bytes[..6] != b"\x93NUMPY" {
        return fail("not an .npy file; write one with numpy.save".into());
    }
    let length_bytes = match bytes[6] {
        1 => 2,
        2 | 3 => 4,
        version => return fail(format!("version {version} of the .npy format; versions 1 to 3 are read")),
    };
    let mut length = [0; 4];
    file.read_exact(&mut length[..length_bytes])?;
    bytes.extend(&length[..length_bytes]);
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST_HEADER {
        return fail(format!("a header of {length} bytes; at most {LONGEST_HEADER} are read"));
    }
    let start = bytes.len();
    bytes.resize(start + length, 0);
    file.read_exact(&mut bytes[start..])?;
    // The parser of the header's Python literal tries every bracket twice over: 20 of them took it 6 s.
    let brackets = bytes[start..].iter().filter(|b| b"([{".contains(b)).count();
    if brackets > MOST_BRACKETS {
        return fail(format!("a header with {brackets} brackets; this is no float array"));
    }
    // It multiplies the shape without looking; a zero must not hide the other factors.
    let numbers = bytes[start..].split(|b| !b.is_ascii_digit()).filter(|run| !run.is_empty());
    let mut factors = numbers.map(|run| std::str::from_utf8(run).ok()?.parse::<u64>().ok().map(|x| x.max(1)));
    if factors.try_fold(1u64, |product, factor| product.checked_mul(factor?)).is_none() {
        return fail("its header's shape has more bytes than can be addressed".into());
    }
    let total = bytes.len();
    let header = NpyHeader::from_reader(Cursor::new(bytes))
        .map_err(|e| Failure::Content(format!("its header cannot be read: {}", one_line(&e.to_string()))))?;
    check(&header).map(|header| (header, total)).map_err(Failure::Content)
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

/// An (n, d) array of floats, or what else it is.
fn check(header: &NpyHeader) -> Result<Header, String> {
    let dtype = header.dtype();
    let float = match &dtype {
        DType::Plain(ty) if ty.type_char() == TypeChar::Float => Some((ty.size_field(), ty.endianness())),
        _ => None,
    };
    let (precision, endianness) = match float {
        Some((4, endianness)) => (Precision::F32, endianness),
        Some((8, endianness)) => (Precision::F64, endianness),
        _ => {
            return Err(format!(
                "dtype {}; float32 or float64 are read, so convert it with .astype(numpy.float32)",
                one_line(&dtype.descr())
            ));
        }
    };
    let &[rows, columns] = header.shape() else {
        let (rank, shape) = (header.shape().len(), one_line(&format!("{:?}", header.shape())));
        return Err(format!(
            "an array of rank {rank}, shape {shape}; rank 2 is needed, (n, d) for tokens, (rows, columns) for a matrix"
        ));
    };
    if rows == 0 || columns == 0 {
        return Err(format!("an array of shape ({rows}, {columns}); n and d must be at least 1"));
    }
    let too_large = || format!("its header's shape ({rows}, {columns}) has more bytes than can be addressed");
    Ok(Header {
        rows: rows.try_into().map_err(|_| too_large())?,
        columns: columns.try_into().map_err(|_| too_large())?,
        precision,
        big_endian: endianness == Endianness::Big,
        fortran: header.order() == Order::Fortran,
    })
}

/// The entries, row-major, whatever their order in the file.
fn fill<T: Copy + Default, const WIDTH: usize>(
    path: &Path,
    header: &Header,
    file: &mut impl Read,
    little: fn([u8; WIDTH]) -> T,
    big: fn([u8; WIDTH]) -> T,
) -> Result<Vec<T>> {
    let (n, d) = (header.rows, header.columns);
    let length = n * d;
    let mut all: Vec<T> = Vec::new();
    all.try_reserve_exact(length).map_err(|_| {
        bad(path, format!("shape ({n}, {d}) needs {} bytes of memory, more than there is", length * WIDTH))
    })?;
    let read = if header.big_endian { big } else { little };
    if header.fortran {
        all.resize(length, T::default());
    }
    let mut chunk = vec![0; CHUNK.min(length * WIDTH)];
    let mut done = 0;
    while done < length {
        let count = (chunk.len() / WIDTH).min(length - done);
        let bytes = &mut chunk[..count * WIDTH];
        file.read_exact(bytes).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => bad(path, "became shorter while it was read"),
            _ => Error::file(path, e),
        })?;
        let (entries, _) = bytes.as_chunks::<WIDTH>();
        if header.fortran {
            for (at, &entry) in (done..).zip(entries) {
                all[(at % n) * d + at / n] = read(entry);
            }
        } else {
            all.extend(entries.iter().map(|&entry| read(entry)));
        }
        done += count;
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
