//! Arrays in the `.npy` format: (n, d), or (m, n, d) for m clouds, float32 or float64, either byte
//! order, C or Fortran order. Written in C order, little endian, in the stored width.

pub(super) mod header;

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

pub use header::Header;
use header::{Layout, bad, fill, open};

use super::atomic;
use crate::error::{Error, Result};
use crate::tokens::{Coordinates, Precision, Slices, Tokens};

/// Reads and checks the header alone, of an array (n, d), or (m, n, d): m clouds.
///
/// # Errors
/// As `header()`.
pub fn stacked_header(path: &Path) -> Result<Header> {
    open(path, Header::of_stacked).map(|(header, ..)| header)
}

/// Reads and checks the header alone.
///
/// # Errors
/// A file that cannot be read, is no `.npy`, or does not hold exactly an (n, d) array of floats.
pub fn header(path: &Path) -> Result<Header> {
    open(path, Header::of).map(|(header, ..)| header)
}

/// Reads tokens, in the file's own width.
///
/// # Errors
/// The errors of `header`; a coordinate that is not finite.
pub fn read(path: &Path) -> Result<Tokens> {
    array(path, Header::of)
}

/// As [`read`], or the tokens of all clouds of an array (m, n, d), cloud after cloud.
///
/// # Errors
/// As [`read`].
pub fn read_stacked(path: &Path) -> Result<Tokens> {
    array(path, Header::of_stacked)
}

fn array(path: &Path, wanted: impl FnOnce(&Layout) -> Result<Header, String>) -> Result<Tokens> {
    let (header, _, mut file) = open(path, wanted)?;
    let coordinates = coordinates(path, &header, &mut file, 0..header.rows)?;
    Tokens::from_flat(header.rows, header.columns, coordinates).map_err(|e| bad(path, e))
}

/// Reads the tokens `rows` of a file: their coordinates, row-major, in the file's own width.
///
/// # Errors
/// As [`read`]; a file with fewer tokens.
pub fn read_rows(path: &Path, rows: Range<usize>) -> Result<Coordinates> {
    let (header, layout, mut file) = open(path, Header::of)?;
    if rows.end > header.rows {
        return Err(bad(path, format!("its shape is {}; it had {} tokens", layout.shown(), rows.end)));
    }
    let first = rows.start;
    let coordinates = coordinates(path, &header, &mut file, rows)?;
    coordinates.require_finite(first, header.columns).map_err(|e| bad(path, e))?;
    Ok(coordinates)
}

/// Reads the rows of a matrix of floats or integers, widened to f64.
///
/// # Errors
/// The errors of `header`; an entry that is not finite.
pub fn read_matrix(path: &Path) -> Result<Vec<Vec<f64>>> {
    let ([rows, columns], layout, mut file) = open(path, Layout::rectangle)?;
    let entries = numbers(path, &layout, &mut file)?;
    if let Some(at) = entries.iter().position(|x| !x.is_finite()) {
        let (row, column) = if layout.fortran { (at % rows, at / rows) } else { (at / columns, at % columns) };
        return Err(bad(path, format!("entry ({row}, {column}) is {}; every entry must be finite", entries[at])));
    }
    if !layout.fortran {
        return Ok(entries.chunks_exact(columns).map(<[f64]>::to_vec).collect());
    }
    Ok((0..rows).map(|row| entries.iter().skip(row).step_by(rows).copied().collect()).collect())
}

/// Reads a list of at most `most` floats or integers, as f64: an array of rank 1, one row, or one
/// column.
///
/// # Errors
/// A file that cannot be read, or that holds another array.
pub(crate) fn read_table(path: &Path, most: usize) -> Result<Vec<f64>> {
    let ((), layout, mut file) = open(path, |layout| match layout.shape[..] {
        [k] | [1, k] | [k, 1] if k <= most => Ok(()),
        _ => {
            let shape = layout.shown();
            Err(format!("its shape is {shape}; a table has one row or one column, of at most {most} values"))
        }
    })?;
    numbers(path, &layout, &mut file)
}

/// The numbers of a file in their order there.
fn numbers(path: &Path, layout: &Layout, file: &mut impl std::io::Read) -> Result<Vec<f64>> {
    let (count, width) = (layout.shape.iter().product(), layout.number.bytes());
    let mut all = reserved(path, layout.shown(), count)?;
    let mut bytes = [0; 8];
    for _ in 0..count {
        let bytes = &mut bytes[..width];
        fill(bytes, file, path, SHORTER)?;
        if layout.big_endian {
            bytes.reverse();
        }
        all.push(layout.number.value(bytes));
    }
    Ok(all)
}

const SHORTER: &str = "became shorter while it was read";

/// An empty list with room for `count` numbers.
fn reserved<T>(path: &Path, shape: impl std::fmt::Display, count: usize) -> Result<Vec<T>> {
    let mut all: Vec<T> = Vec::new();
    let bytes = count * size_of::<T>();
    all.try_reserve_exact(count)
        .map_err(|_| bad(path, format!("shape {shape} needs {bytes} bytes of memory, more than there is")))?;
    Ok(all)
}

/// Writes tokens in their stored width, whole or not at all, and returns the blake3 of the file.
///
/// # Errors
/// A file that cannot be written; tokens that cannot be had.
pub fn write(path: &Path, tokens: impl Slices) -> Result<blake3::Hash> {
    write_stacked(path, tokens, None)
}

/// As [`write`], as an array (m, n, d) where the tokens are those of m clouds.
///
/// # Errors
/// As [`write`].
pub fn write_stacked(path: &Path, mut tokens: impl Slices, clouds: Option<usize>) -> Result<blake3::Hash> {
    let (n, d) = tokens.shape();
    let header = Header::stacked(clouds, n, d, tokens.precision());
    atomic::write_hashed(path, |file| {
        file.write_all(&header.bytes())?;
        tokens.write_to(file)
    })
}

/// Writes an array of rank 1, int32, whole or not at all; of shape (m, n) where it is of m clouds.
///
/// # Errors
/// A file that cannot be written.
pub fn write_labels(path: &Path, labels: &[usize], clouds: Option<usize>) -> Result<()> {
    let count = labels.len();
    let shape = clouds.map_or_else(|| format!("({count},)"), |m| format!("({m}, {})", count / m));
    let written = atomic::write_hashed(path, |file| {
        file.write_all(&header::encoded("<i4", &shape))?;
        labels.iter().try_for_each(|&label| file.write_all(&(label as i32).to_le_bytes()))
    });
    written.map(drop)
}

/// Reads the coordinates of some tokens, in the file's own width.
fn coordinates(path: &Path, header: &Header, file: &mut (impl Read + Seek), rows: Range<usize>) -> Result<Coordinates> {
    Ok(match header.precision {
        Precision::F32 => Coordinates::F32(entries(path, header, file, rows, f32::from_le_bytes)?),
        Precision::F64 => Coordinates::F64(entries(path, header, file, rows, f64::from_le_bytes)?),
    })
}

/// Reads the entries of some rows, row-major, whatever their order in the file, which is at its first entry;
/// `convert` takes little-endian bytes.
fn entries<T: Copy + Default, const WIDTH: usize>(
    path: &Path,
    header: &Header,
    file: &mut (impl Read + Seek),
    rows: Range<usize>,
    convert: impl Fn([u8; WIDTH]) -> T,
) -> Result<Vec<T>> {
    let (n, d) = (rows.len(), header.columns);
    let mut all = reserved(path, format!("({n}, {d})"), n * d)?;
    all.resize(n * d, T::default());
    // Stretches of the file with these rows in them: one, or one a column.
    let (stretches, length, apart) = if header.fortran { (d, n, header.rows) } else { (1, n * d, header.rows * d) };
    let before = if header.fortran { rows.start } else { rows.start * d };
    let failed = |e| Error::file(path, e);
    let start = file.stream_position().map_err(failed)?;
    let mut bytes = [0; WIDTH];
    for stretch in 0..stretches {
        let place = start + (WIDTH * (stretch * apart + before)) as u64;
        file.seek(SeekFrom::Start(place)).map_err(failed)?;
        for at in 0..length {
            fill(&mut bytes, file, path, SHORTER)?;
            if header.big_endian {
                bytes.reverse();
            }
            all[if header.fortran { at * d + stretch } else { at }] = convert(bytes);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
