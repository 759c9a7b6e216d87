//! A checkpoint: everything that a run needs to go on to equal bytes, in one file,
//! `step_000000000012.safetensors`.
//!
//! The format is safetensors, 8 bytes of length, a header in JSON, and tensors:
//!
//! | tensor | dtype, shape | what |
//! |---|---|---|
//! | `frame_steps` | U64 (k) | the steps whose tokens are in `frames/` |
//! | `tokens` | F32 or F64 (n, d) | the state |
//! | `frame_hashes` | U8 (k, 32) | blake3 of each of those files |
//! | `seal` | U8 (32) | blake3 of everything before the tensors |
//!
//! The header's `__metadata__` has one entry, `localmax`: JSON with the
//! [`Progress`](crate::run::Progress) and the blake3 of the first three tensors. So the seal covers
//! the header, the header covers the tensors, and no truncation and no flipped bit passes: each is
//! reported with the file and the part. No more is read than the file holds.

mod format;
mod read;
mod stored;
#[cfg(test)]
mod tests;
mod write;

pub use format::{Checkpoint, Start};
pub use read::read;
pub use stored::Stored;
pub use write::write;
