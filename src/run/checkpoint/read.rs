//! Reading a checkpoint: nothing is believed before its hash has been compared, and no more is
//! allocated than the file fills.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use crate::error::{Error, Result};
use crate::io::input;
use crate::run::checkpoint::format::{
    CHUNK, Checkpoint, Facts, HASH_BYTES, HASHES, LONGEST_HEADER, METADATA, SEAL, STEPS, TOKENS, VERSION, bad,
};
use crate::run::checkpoint::stored::Stored;
use crate::run::progress::FrameFile;
use crate::tokens::Precision;

/// Reads and checks a checkpoint.
///
/// # Errors
/// A file that cannot be read; a damaged file, with the part that is damaged.
pub fn read(path: &Path) -> Result<Checkpoint> {
    let (mut file, length) = input::open(path)?;
    let header = header(path, &mut file, length)?;
    let tensor = |name: &str, dtypes: &[Dtype]| {
        let info = header.info(name).filter(|info| dtypes.contains(&info.dtype));
        info.ok_or_else(|| bad(path, "header", format!("it names no {name} of the right type")))
    };
    let facts = header.metadata().as_ref().and_then(|all| all.get(METADATA));
    let facts = facts.ok_or_else(|| bad(path, "header", "it is no checkpoint of localmax"))?;
    let facts: Facts = serde_json::from_str(facts).map_err(|e| bad(path, "header", e))?;
    if facts.version != VERSION {
        let found = facts.version;
        return Err(Error::input(format!("{}: version {found} of checkpoints; {VERSION} is read", path.display())));
    }
    let part = |name: &'static str, info: &TensorInfo| {
        let expected = facts.blake3.iter().find(|(part, _)| part == name).map_or("", |(_, hash)| hash);
        Part { path, name, bytes: info.data_offsets.1 - info.data_offsets.0, expected }
    };
    // The tensors follow one another, the seal last: the file is read from front to back.
    let order: Vec<String> = header.offset_keys();
    if order != [STEPS, TOKENS, HASHES, SEAL] {
        return Err(bad(path, "header", "its tensors are not those of a checkpoint"));
    }
    let info = tensor(STEPS, &[Dtype::U64])?;
    let steps = part(STEPS, info).numbers(&mut file, u64::from_le_bytes)?;
    let info = tensor(TOKENS, &[Dtype::F32, Dtype::F64])?;
    let precision = if info.dtype == Dtype::F32 { Precision::F32 } else { Precision::F64 };
    let &[n, d] = &info.shape[..] else { return Err(bad(path, TOKENS, "they are no (n, d) array")) };
    if n == 0 || d == 0 {
        return Err(bad(path, TOKENS, format!("their shape is ({n}, {d})")));
    }
    let Part { bytes, expected, .. } = part(TOKENS, info);
    let start = file.stream_position().map_err(|e| Error::file(path, e))?;
    let tokens = Stored { path: path.to_owned(), start, shape: (n, d), precision, blake3: expected.to_owned() };
    tokens.require_whole()?;
    file.seek(SeekFrom::Start(start + bytes as u64)).map_err(|e| Error::file(path, e))?;
    let info = tensor(HASHES, &[Dtype::U8])?;
    let hashes = part(HASHES, info).numbers(&mut file, |hash: [u8; HASH_BYTES]| hash)?;
    if info.shape != [steps.len(), HASH_BYTES] || !steps.is_sorted_by(|a, b| a < b) {
        return Err(bad(path, HASHES, "they do not fit the steps of the frames"));
    }
    let frames = steps.into_iter().zip(hashes).map(|(step, hash)| FrameFile { step, hash: hash.into() }).collect();
    facts.progress.require_possible().map_err(|e| bad(path, "header", e))?;
    Ok(Checkpoint { tokens, progress: facts.progress, frames })
}

/// The header of a file of `length` bytes, compared with its seal; the file is left at its first
/// tensor.
fn header(path: &Path, file: &mut File, length: u64) -> Result<Metadata> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => bad(path, "header", format!("the file ends there, after {length} bytes")),
        _ => Error::file(path, e),
    };
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(failed)?;
    let bytes = u64::from_le_bytes(start);
    if bytes > LONGEST_HEADER {
        return Err(bad(path, "header", format!("it claims {bytes} bytes, {LONGEST_HEADER} at most")));
    }
    let mut text = Vec::new();
    file.by_ref().take(bytes).read_to_end(&mut text).map_err(failed)?;
    if (text.len() as u64) < bytes {
        return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
    }
    let parsed = serde_json::from_slice::<Metadata>(&text);
    let promised = parsed.as_ref().ok().map(|header| header.data_len() as u64);
    let found = length.saturating_sub(8 + bytes);
    let mut seal = [0; HASH_BYTES];
    if found >= HASH_BYTES as u64 {
        file.seek(SeekFrom::End(-(HASH_BYTES as i64))).map_err(failed)?;
        file.read_exact(&mut seal).map_err(failed)?;
        file.seek(SeekFrom::Start(8 + bytes)).map_err(failed)?;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&start).update(&text);
    let sealed = hasher.finalize() == seal && found >= HASH_BYTES as u64;
    match (parsed, promised) {
        (Ok(header), Some(promised)) if promised == found && sealed => Ok(header),
        (Ok(header), Some(promised)) if promised > found => {
            let part = ends_in(&header, found);
            Err(bad(path, &part, format!("the file ends there, after {length} of {} bytes", promised + 8 + bytes)))
        }
        (Ok(_), Some(promised)) if promised < found => {
            Err(bad(path, "end", format!("{length} bytes where {} were written", promised + 8 + bytes)))
        }
        (Err(e), _) if sealed => Err(bad(path, "header", e)),
        _ => Err(bad(path, "header", "it and its seal do not agree")),
    }
}

/// The tensor in which a file with `found` bytes of them ends.
fn ends_in(header: &Metadata, found: u64) -> String {
    let holds = |name: &String| header.info(name).is_some_and(|info| info.data_offsets.1 as u64 > found);
    header.offset_keys().into_iter().find(holds).unwrap_or_else(|| SEAL.to_owned())
}

/// A tensor that is about to be read.
struct Part<'a> {
    path: &'a Path,
    name: &'static str,
    bytes: usize,
    expected: &'a str,
}

impl Part<'_> {
    /// Reads the numbers of the tensor, and compares their hash.
    fn numbers<T, const WIDTH: usize>(self, file: &mut File, of: fn([u8; WIDTH]) -> T) -> Result<Vec<T>> {
        let Self { path, name, bytes, expected } = self;
        let mut all = Vec::new();
        let room = all.try_reserve_exact(bytes / WIDTH);
        room.map_err(|_| Error::input(format!("{}: {bytes} bytes of memory are not available", path.display())))?;
        let mut hasher = blake3::Hasher::new();
        let mut chunk = vec![0; bytes.min(CHUNK)];
        let mut left = bytes;
        while left > 0 {
            let part = &mut chunk[..left.min(CHUNK)];
            file.read_exact(part).map_err(|e| Error::file(path, e))?;
            hasher.update(part);
            all.extend(part.as_chunks::<WIDTH>().0.iter().map(|&number| of(number)));
            left -= part.len();
        }
        if hasher.finalize().to_hex().as_str() == expected {
            return Ok(all);
        }
        Err(bad(path, name, "its blake3 is not the one that was written"))
    }
}
