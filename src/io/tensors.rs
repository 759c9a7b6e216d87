//! Arrays of other programs: tensors of a `.safetensors` file by name, and an `.npy` array of any
//! rank. The last axis is a token's d coordinates, the one before it counts the tokens, and axes
//! before these (layers, a batch) are left at one index each.
//!
//! A file is read where it is wanted: a table of embeddings may be a small part of a large model.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};

use crate::error::{Error, Result};
use crate::io::input;
use crate::io::nearest::nearest;
use crate::io::npy::header::{self, Number, bad};
use crate::tokens::{Coordinates, Tokens};

/// Most bytes of a header: the one of a model of a trillion parameters has some millions.
const LONGEST_HEADER: u64 = 1 << 27;

/// An array in a file.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    /// The name in the file; empty in an `.npy`, which has one array.
    pub(crate) name: String,
    /// Sizes along the axes.
    pub(crate) shape: Vec<usize>,
    /// The type of an entry, as the file names it.
    pub(crate) dtype: String,
    /// How an entry is stored, where it is a float that can be read.
    number: Option<Number>,
    big_endian: bool,
    fortran: bool,
    /// The byte at which it begins.
    start: u64,
}

/// The part of an array that becomes tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// Indices of the axes before the last two; where none is given, axes of size 1 are left at 0.
    pub(crate) index: Vec<usize>,
    /// The tokens; all of them by default.
    pub(crate) rows: Option<Range<usize>>,
}

/// Lists the arrays of a file, in their order there.
///
/// # Errors
/// A file that cannot be read, or is neither `.safetensors` nor `.npy`.
pub(crate) fn list(path: &Path) -> Result<Vec<Tensor>> {
    let (mut file, length) = input::open(path)?;
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(|_| unknown(path))?;
    if start.starts_with(b"\x93NUMPY") {
        let (layout, _, mut file) = header::open(path, |layout| Ok(layout.clone()))?;
        let start = file.stream_position().map_err(|e| Error::file(path, e))?;
        let number = Some(layout.number).filter(|n| !matches!(n, Number::Signed(_) | Number::Unsigned(_)));
        let header::Layout { shape, big_endian, fortran, descr, .. } = layout;
        let dtype = descr.trim_matches(['\'', '"']).to_owned();
        return Ok(vec![Tensor { name: String::new(), shape, dtype, number, big_endian, fortran, start }]);
    }
    let bytes = u64::from_le_bytes(start);
    if bytes > LONGEST_HEADER || bytes + 8 > length {
        return Err(unknown(path));
    }
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text).map_err(|e| Error::file(path, e))?;
    let all: Metadata = serde_json::from_slice(&text).map_err(|e| bad(path, format!("its header: {e}")))?;
    if all.data_len() as u64 + 8 + bytes != length {
        let promised = all.data_len() as u64 + 8 + bytes;
        return Err(bad(path, format!("its tensors and header take {promised} bytes, the file has {length}")));
    }
    let tensor = |name: String| {
        let info = all.info(&name)?;
        let number = match info.dtype {
            Dtype::F16 => Some(Number::F16),
            Dtype::BF16 => Some(Number::Bf16),
            Dtype::F32 => Some(Number::F32),
            Dtype::F64 => Some(Number::F64),
            _ => None,
        };
        let (dtype, start) = (format!("{:?}", info.dtype), 8 + bytes + info.data_offsets.0 as u64);
        Some(Tensor { name, shape: info.shape.clone(), dtype, number, big_endian: false, fortran: false, start })
    };
    Ok(all.offset_keys().into_iter().filter_map(tensor).collect())
}

/// The array of this name.
///
/// # Errors
/// There is none; the text has the nearest name.
pub(crate) fn named(path: &Path, all: Vec<Tensor>, name: &str) -> Result<Tensor> {
    if all.iter().all(|tensor| tensor.name.is_empty()) {
        return Err(bad(path, format!("an .npy file has one array and no names; leave out --tensor {name}")));
    }
    let hint = nearest(name, all.iter().map(|tensor| tensor.name.as_str())).to_owned();
    all.into_iter().find(|tensor| tensor.name == name).ok_or_else(|| {
        bad(path, format!("no tensor {name:?}; the nearest name is {hint:?} (without --tensor all are listed)"))
    })
}

fn unknown(path: &Path) -> Error {
    bad(path, "neither a .safetensors nor an .npy file")
}

impl Tensor {
    /// The shape as numpy writes it.
    pub(crate) fn shown(&self) -> String {
        let sizes: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        format!("({})", sizes.join(", "))
    }

    /// Whether tokens can be read from it.
    pub(crate) fn is_cloud(&self) -> bool {
        self.number.is_some() && self.shape.len() >= 2 && self.shape.iter().all(|&size| size > 0)
    }

    /// Reads a part of the array as tokens, in f64 where it is stored so, else in f32, which holds
    /// every half.
    ///
    /// # Errors
    /// Entries that are no floats, or not finite; an index or rows outside the shape.
    pub(crate) fn tokens(&self, path: &Path, part: &Part) -> Result<Tokens> {
        let (shape, dtype) = (self.shown(), &self.dtype);
        let what = || if self.name.is_empty() { "the array".to_owned() } else { format!("tensor {:?}", self.name) };
        let number = self.number.ok_or_else(|| {
            bad(path, format!("{} has entries of type {dtype}; floats of 16, 32 or 64 bits are read", what()))
        })?;
        let [leading @ .., n, d] = &self.shape[..] else {
            return Err(bad(path, format!("{} has shape {shape}; tokens need at least two axes, (n, d)", what())));
        };
        if !self.is_cloud() {
            return Err(bad(path, format!("{} has shape {shape}, which holds no number", what())));
        }
        let index = self.index(leading, &part.index).map_err(|text| bad(path, format!("{}: {text}", what())))?;
        let rows = part.rows.clone().unwrap_or(0..*n);
        if rows.start >= rows.end || rows.end > *n {
            let Range { start, end } = rows;
            return Err(bad(path, format!("{}: --rows {start}..{end}, and it has the rows 0..{n}", what())));
        }
        let mut file = BufReader::with_capacity(1 << 20, input::open(path)?.0);
        let coordinates = match number {
            Number::F64 => Coordinates::F64(self.entries(path, &mut file, number, &index, &rows, |x| x)?),
            _ => Coordinates::F32(self.entries(path, &mut file, number, &index, &rows, |x| x as f32)?),
        };
        Tokens::from_flat(rows.len(), *d, coordinates).map_err(|e| bad(path, e))
    }

    /// The index along every axis before the last two.
    fn index(&self, leading: &[usize], given: &[usize]) -> Result<Vec<usize>, String> {
        let shape = self.shown();
        if given.is_empty() {
            if leading.iter().all(|&size| size == 1) {
                return Ok(vec![0; leading.len()]);
            }
            let zeros = vec!["0"; leading.len()].join(",");
            return Err(format!(
                "its shape is {shape}, and tokens are its last two axes; give an index for the {} before them, as --index {zeros}",
                leading.len()
            ));
        }
        let long = leading.iter().filter(|&&size| size > 1).count();
        let mut named = given.iter();
        // Axes of one element need none.
        let given: Vec<usize> = if given.len() == long {
            leading.iter().map(|&size| if size > 1 { named.next().copied().unwrap_or(0) } else { 0 }).collect()
        } else {
            given.to_vec()
        };
        if given.len() != leading.len() {
            let (has, before) = (given.len(), leading.len());
            return Err(format!("--index of length {has}, and shape {shape} has {before} axes before the last two"));
        }
        match given.iter().zip(leading).find(|(at, size)| at >= size) {
            Some((at, size)) => Err(format!("--index {at} is outside an axis of {size} in shape {shape}")),
            None => Ok(given),
        }
    }

    /// The entries of some rows, row-major.
    fn entries<T>(
        &self,
        path: &Path,
        file: &mut BufReader<File>,
        number: Number,
        index: &[usize],
        rows: &Range<usize>,
        of: impl Fn(f64) -> T,
    ) -> Result<Vec<T>> {
        let width = number.bytes();
        // Entries from one index of an axis to the next.
        let axes = self.shape.len();
        let mut strides = vec![1; axes];
        if self.fortran {
            (1..axes).for_each(|axis| strides[axis] = strides[axis - 1] * self.shape[axis - 1]);
        } else {
            (1..axes).rev().for_each(|axis| strides[axis - 1] = strides[axis] * self.shape[axis]);
        }
        let first: usize = index.iter().zip(&strides).map(|(at, stride)| at * stride).sum();
        let (d, [.., row, column]) = (self.shape[axes - 1], &strides[..]) else { return Ok(Vec::new()) };
        let mut all: Vec<T> = Vec::new();
        let room = all.try_reserve_exact(rows.len() * d);
        room.map_err(|_| bad(path, format!("memory for {} rows of {d} entries is not available", rows.len())))?;
        let (mut bytes, mut at) = ([0; 8], u64::MAX);
        for i in rows.clone() {
            for k in 0..d {
                let wanted = self.start + ((first + i * row + k * column) * width) as u64;
                if wanted != at {
                    // Small steps stay in the buffer.
                    let step = if at == u64::MAX { None } else { wanted.checked_signed_diff(at) };
                    let moved = match step {
                        Some(step) => file.seek_relative(step),
                        None => file.seek(SeekFrom::Start(wanted)).map(drop),
                    };
                    moved.map_err(|e| Error::file(path, e))?;
                }
                at = wanted + width as u64;
                let bytes = &mut bytes[..width];
                header::fill(bytes, file, path, "became shorter while it was read")?;
                if self.big_endian {
                    bytes.reverse();
                }
                let value = number.value(bytes);
                if !value.is_finite() {
                    return Err(bad(path, format!("row {i}, coordinate {k} is {value}; every one must be finite")));
                }
                all.push(of(value));
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{TensorView, serialize};

    use super::*;

    fn file(tensors: &[(&str, Dtype, &[usize], &[u8])]) -> tempfile::TempPath {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let views = tensors.iter().map(|&(name, dtype, shape, bytes)| {
            (name.to_owned(), TensorView::new(dtype, shape.to_vec(), bytes).unwrap())
        });
        std::fs::write(&path, serialize(views, None).unwrap()).unwrap();
        path
    }

    fn bytes(numbers: impl IntoIterator<Item = f32>) -> Vec<u8> {
        numbers.into_iter().flat_map(f32::to_le_bytes).collect()
    }

    /// A wrong stride would give tokens that are nobody's.
    #[test]
    fn parts_are_those_of_the_array() {
        let numbers = bytes((0..24).map(|x| x as f32));
        let path = file(&[("h", Dtype::F32, &[2, 3, 4], &numbers)]);
        let read = |index: &[usize], rows| {
            let tensor = named(&path, list(&path).unwrap(), "h").unwrap();
            tensor.tokens(&path, &Part { index: index.to_vec(), rows })
        };
        let tokens = read(&[1], Some(1..3)).unwrap();
        assert_eq!((tokens.n(), tokens.row(0)), (2, vec![16.0, 17.0, 18.0, 19.0]));
        for (index, rows, says) in [
            (&[][..], None, "--index 0"),
            (&[2], None, "--index 2 is outside an axis of 2"),
            (&[0, 0], None, "--index of length 2"),
            (&[0], Some(2..4), "it has the rows 0..3"),
            (&[0], Some(1..1), "it has the rows 0..3"),
        ] {
            let line = read(index, rows).unwrap_err().to_string();
            assert!(line.contains(says), "{line}");
        }
    }

    /// Both halves have fewer bits than an f32 in other places; what they lose was lost before.
    #[test]
    fn halves_are_read_as_they_are() {
        for (bits, value) in [
            (0x3c00u16, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_953_125),
            (0x0001, 2f64.powi(-24)),
            (0x03ff, 1023.0 * 2f64.powi(-24)),
            (0x7bff, 65504.0),
        ] {
            assert_eq!(Number::F16.value(&bits.to_le_bytes()), value);
        }
        assert!(Number::F16.value(&0x7e00u16.to_le_bytes()).is_nan());
        assert_eq!(Number::F16.value(&0xfc00u16.to_le_bytes()), f64::NEG_INFINITY);
        assert_eq!(Number::Bf16.value(&0x3f80u16.to_le_bytes()), 1.0);
        let rows: Vec<u8> = [0x3f80u16, 0xc040, 0x4000, 0x7f80].into_iter().flat_map(u16::to_le_bytes).collect();
        let path = file(&[("e", Dtype::BF16, &[2, 2], &rows)]);
        let tensor = named(&path, list(&path).unwrap(), "e").unwrap();
        let tokens = tensor.tokens(&path, &Part { rows: Some(0..1), ..Part::default() }).unwrap();
        assert_eq!(tokens.row(0), [1.0, -3.0]);
        let line = tensor.tokens(&path, &Part::default()).unwrap_err().to_string();
        assert!(line.contains("row 1, coordinate 1 is inf"), "{line}");
    }

    /// An array that numpy keeps by columns, and one with the bytes the other way round.
    #[test]
    fn other_orders_are_turned() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let head = "{'descr': '>f4', 'fortran_order': True, 'shape': (1, 2, 3), }";
        let mut text = b"\x93NUMPY\x01\x00".to_vec();
        text.extend((head.len() as u16).to_le_bytes());
        text.extend(head.as_bytes());
        text.extend([0f32, 3.0, 1.0, 4.0, 2.0, 5.0].into_iter().flat_map(f32::to_be_bytes));
        std::fs::write(&path, text).unwrap();
        let all = list(&path).unwrap();
        let tokens = all[0].tokens(&path, &Part::default()).unwrap();
        assert_eq!([tokens.row(0), tokens.row(1)], [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
        assert!(named(&path, all, "x").unwrap_err().to_string().contains("leave out --tensor x"));
    }

    /// What is asked for and is not there.
    #[test]
    fn faults_are_named() {
        let path = file(&[("wte.weight", Dtype::I64, &[1, 1], &[0; 8]), ("bias", Dtype::F32, &[2], &[0; 8])]);
        let line = named(&path, list(&path).unwrap(), "wte.wieght").unwrap_err().to_string();
        assert!(line.contains("the nearest name is \"wte.weight\""), "{line}");
        for (name, says) in [("wte.weight", "entries of type I64"), ("bias", "at least two axes")] {
            let tensor = named(&path, list(&path).unwrap(), name).unwrap();
            assert!(!tensor.is_cloud());
            let line = tensor.tokens(&path, &Part::default()).unwrap_err().to_string();
            assert!(line.contains(says), "{line}");
        }
        let whole = std::fs::read(&path).unwrap();
        let other = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        for text in [&whole[..whole.len() - 1], b"abc", b"abcdefghij", &[]] {
            std::fs::write(&other, text).unwrap();
            assert_eq!(list(&other).unwrap_err().to_string().lines().count(), 1);
        }
    }
}
