//! Writing a checkpoint.

use std::io::{self, Write};
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use crate::error::{Error, Result};
use crate::io::{atomic, disk};
use crate::run::checkpoint::format::{
    Facts, HASH_BYTES, HASHES, LONGEST_HEADER, METADATA, SEAL, STEPS, TOKENS, VERSION, hash,
};
use crate::run::progress::{FrameFile, Progress};
use crate::tokens::Slices;

/// Writes a checkpoint, whole or not at all, and brings it to the disk.
///
/// # Errors
/// A file that cannot be written, tokens that cannot be had; an older file at `path` is then untouched.
pub fn write(path: &Path, mut tokens: impl Slices, frames: &[FrameFile], progress: &Progress) -> Result<()> {
    let mut steps = |out: &mut dyn Write| frames.iter().try_for_each(|frame| out.write_all(&frame.step.to_le_bytes()));
    let mut hashes = |out: &mut dyn Write| frames.iter().try_for_each(|frame| out.write_all(frame.hash.as_bytes()));
    let width = if tokens.precision().bytes() == 4 { Dtype::F32 } else { Dtype::F64 };
    let (n, d) = tokens.shape();
    let mut state = |out: &mut dyn Write| tokens.write_to(out);
    // In the order of their alignment, as the format wants it.
    let parts: [Part<'_>; 3] = [
        (STEPS, Dtype::U64, vec![frames.len()], &mut steps),
        (TOKENS, width, vec![n, d], &mut state),
        (HASHES, Dtype::U8, vec![frames.len(), HASH_BYTES], &mut hashes),
    ];
    let (header, mut bodies) = header(path, parts, progress)?;
    let seal = blake3::hash(&header);
    atomic::write(path, |out| {
        out.write_all(&header)?;
        bodies.iter_mut().try_for_each(|body| body(out))?;
        out.write_all(seal.as_bytes())
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    disk::sync_folder(folder).map_err(|e| Error::file(folder, e))
}

type Body<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;
type Part<'a> = (&'static str, Dtype, Vec<usize>, Body<'a>);

/// The bytes before the tensors, and the functions that write the tensors.
fn header<'a>(path: &Path, parts: [Part<'a>; 3], progress: &Progress) -> Result<(Vec<u8>, [Body<'a>; 3])> {
    let failed = |e: &dyn std::fmt::Display| Error::file(path, io::Error::other(e.to_string()));
    let mut tensors = Vec::new();
    let mut end = 0;
    let mut info = |name: &str, dtype: Dtype, shape: Vec<usize>| {
        let start = end;
        end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
        tensors.push((name.to_owned(), TensorInfo { dtype, shape, data_offsets: (start, end) }));
    };
    let mut hashes = Vec::new();
    let bodies = parts.map(|(name, dtype, shape, body)| {
        info(name, dtype, shape);
        hashes.push(hash(&mut *body).map(|hash| (name.to_owned(), hash.to_hex().to_string())));
        body
    });
    info(SEAL, Dtype::U8, vec![HASH_BYTES]);
    let hashes = hashes.into_iter().collect::<Result<Vec<_>>>()?.try_into().unwrap_or_default();
    let facts = Facts { version: VERSION, blake3: hashes, progress: progress.clone() };
    let facts = serde_json::to_string(&facts).map_err(|e| failed(&e))?;
    let metadata =
        Metadata::new(Some([(METADATA.to_owned(), facts)].into_iter().collect()), tensors).map_err(|e| failed(&e))?;
    let mut text = serde_json::to_vec(&metadata).map_err(|e| failed(&e))?;
    text.resize(text.len().next_multiple_of(8), b' ');
    if text.len() as u64 > LONGEST_HEADER {
        return Err(Error::input(format!(
            "{}: a header of {} bytes, {LONGEST_HEADER} at most",
            path.display(),
            text.len()
        )));
    }
    Ok(([&(text.len() as u64).to_le_bytes()[..], &text].concat(), bodies))
}
