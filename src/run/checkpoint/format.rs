//! The names and the content of a checkpoint file.

use std::io::BufWriter;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::run::checkpoint::stored::Stored;
use crate::run::progress::{FrameFile, Progress};

/// Version of the format.
pub(crate) const VERSION: u32 = 1;
/// Longest header; a real one has a few kilobytes.
pub(crate) const LONGEST_HEADER: u64 = 1 << 24;
pub(crate) const METADATA: &str = "localmax";
pub(crate) use crate::run::checkpoint::stored::{CHUNK, TOKENS, bad};
pub(crate) const STEPS: &str = "frame_steps";
pub(crate) const HASHES: &str = "frame_hashes";
pub(crate) const SEAL: &str = "seal";
pub(crate) const HASH_BYTES: usize = blake3::OUT_LEN;

/// A state of a run, and the files that have been written up to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// X(s), in the stored width.
    pub tokens: Stored,
    /// Progress of the run.
    pub progress: Progress,
    /// The frames written so far, by step.
    pub frames: Vec<FrameFile>,
}

impl Checkpoint {
    /// What a run goes on from here.
    pub fn start(&self) -> Start {
        Start { progress: self.progress.clone(), frames: self.frames.clone() }
    }
}

/// What a run goes on from, beside the tokens, which its engine has.
#[derive(Clone, Debug)]
pub struct Start {
    /// Progress of the run.
    pub progress: Progress,
    /// The frames written so far, by step.
    pub frames: Vec<FrameFile>,
}

impl From<Checkpoint> for Start {
    fn from(Checkpoint { progress, frames, .. }: Checkpoint) -> Self {
        Self { progress, frames }
    }
}

/// The content of the header beside the tensors' shapes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) version: u32,
    /// blake3 of the tensors, in the order of the file.
    pub(crate) blake3: [(String, String); 3],
    pub(crate) progress: Progress,
}

/// The blake3 of a tensor's bytes.
pub(crate) fn hash(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> Result<blake3::Hash> {
    let mut hashed = BufWriter::with_capacity(CHUNK, blake3::Hasher::new());
    write(&mut hashed).map_err(Error::through)?;
    Ok(hashed.into_inner().map_err(|e| Error::input(e.to_string()))?.finalize())
}
