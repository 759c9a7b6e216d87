//! What the file holds, by name.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::run::progress::{Frame, Progress};
use crate::tokens::Tokens;

/// Version of what is in the file.
pub(crate) const VERSION: u32 = 1;
/// Longest header; a real one has a few kilobytes.
pub(crate) const LONGEST_HEADER: u64 = 1 << 24;
/// Bytes read and hashed, and numbers written, at a time.
pub(crate) const CHUNK: usize = 1 << 20;
pub(crate) const METADATA: &str = "localmax";
pub(crate) const STEPS: &str = "frame_steps";
pub(crate) const TOKENS: &str = "tokens";
pub(crate) const HASHES: &str = "frame_hashes";
pub(crate) const SEAL: &str = "seal";
pub(crate) const HASH_BYTES: usize = blake3::OUT_LEN;

/// A state on its way, and what has been written of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// X(s), in the stored width.
    pub tokens: Tokens,
    /// How far the run is.
    pub progress: Progress,
    /// The frames written so far, by step.
    pub frames: Vec<Frame>,
}

/// What the header says beside the tensors' shapes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) version: u32,
    /// blake3 of the tensors, in the order of the file.
    pub(crate) blake3: [(String, String); 3],
    pub(crate) progress: Progress,
}

pub(crate) fn bad(path: &std::path::Path, part: &str, what: impl std::fmt::Display) -> Error {
    let what: String = what.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    Error::input(format!("{}: damaged in its {part}: {what}", path.display()))
}

/// The blake3 of a tensor's bytes.
pub(crate) fn hash(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    write(&mut hasher).map_err(|e| Error::input(e.to_string()))?;
    Ok(hasher.finalize())
}
