//! Arrays in the `.npy` format: (n, d), float32 or float64, either byte order, C or Fortran order.
//! Written in C order, little endian, in the stored width.

mod header;

use std::path::Path;

pub use header::Header;
use header::{bad, fill, open};

use super::atomic;
use crate::error::Result;
use crate::tokens::{Coordinates, Precision, Tokens};

/// Reads and checks the header alone.
///
/// # Errors
/// A file that cannot be read, is no `.npy`, or does not hold exactly an (n, d) array of floats.
pub fn header(path: &Path) -> Result<Header> {
    open(path).map(|(header, _)| header)
}

/// Reads tokens, in the file's own width.
///
/// # Errors
/// The errors of `header`; a coordinate that is not finite.
pub fn read(path: &Path) -> Result<Tokens> {
    let (header, coordinates) = array(path)?;
    Tokens::from_flat(header.rows, header.columns, coordinates).map_err(|e| bad(path, e))
}

/// Reads the rows of a matrix, widened to f64.
///
/// # Errors
/// The errors of `header`; an entry that is not finite.
pub fn read_matrix(path: &Path) -> Result<Vec<Vec<f64>>> {
    let (Header { columns, .. }, coordinates) = array(path)?;
    let entries: Vec<f64> = match coordinates {
        Coordinates::F32(all) => all.into_iter().map(f64::from).collect(),
        Coordinates::F64(all) => all,
    };
    if let Some(at) = entries.iter().position(|x| !x.is_finite()) {
        let (row, column) = (at / columns, at % columns);
        return Err(bad(path, format!("entry ({row}, {column}) is {}; every entry must be finite", entries[at])));
    }
    Ok(entries.chunks_exact(columns).map(<[f64]>::to_vec).collect())
}

/// Writes tokens in their stored width, whole or not at all, and returns the blake3 of the file.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, tokens: &Tokens) -> Result<blake3::Hash> {
    let header = Header::new(tokens.n(), tokens.d(), tokens.precision());
    atomic::write_hashed(path, |file| {
        file.write_all(&header.bytes())?;
        tokens.coordinates().write_to(file)
    })
}

/// Writes an array of rank 1, int32, whole or not at all.
///
/// # Errors
/// A file that cannot be written.
pub fn write_labels(path: &Path, labels: &[usize]) -> Result<()> {
    let written = atomic::write_hashed(path, |file| {
        file.write_all(&header::encoded("<i4", &format!("({},)", labels.len())))?;
        labels.iter().try_for_each(|&label| file.write_all(&(label as i32).to_le_bytes()))
    });
    written.map(drop)
}

/// Reads the header, and the entries row-major.
fn array(path: &Path) -> Result<(Header, Coordinates)> {
    let (header, mut file) = open(path)?;
    let coordinates = match header.precision {
        Precision::F32 => Coordinates::F32(entries(path, &header, &mut file, f32::from_le_bytes)?),
        Precision::F64 => Coordinates::F64(entries(path, &header, &mut file, f64::from_le_bytes)?),
    };
    Ok((header, coordinates))
}

/// Reads the entries row-major, whatever their order in the file; `convert` takes little-endian
/// bytes.
fn entries<T: Copy + Default, const WIDTH: usize>(
    path: &Path,
    header: &Header,
    file: &mut impl std::io::Read,
    convert: impl Fn([u8; WIDTH]) -> T,
) -> Result<Vec<T>> {
    let (n, d) = (header.rows, header.columns);
    let length = n * d;
    let mut all: Vec<T> = Vec::new();
    all.try_reserve_exact(length).map_err(|_| {
        bad(path, format!("shape ({n}, {d}) needs {} bytes of memory, more than there is", length * WIDTH))
    })?;
    all.resize(length, T::default());
    let mut bytes = [0; WIDTH];
    for at in 0..length {
        fill(&mut bytes, file, path, "became shorter while it was read")?;
        if header.big_endian {
            bytes.reverse();
        }
        all[if header.fortran { (at % n) * d + at / n } else { at }] = convert(bytes);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
