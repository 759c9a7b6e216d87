//! The matrix Ã on the device.

use crate::error::Result;
use crate::exact::TokenMatrix;
use crate::gpu::device::Device;
use crate::gpu::exact::job::Job;
use crate::gpu::memory::Memory;
use crate::gpu::resident::Resident;
use crate::gpu::words::pair;

/// The Ã of the step at hand.
#[derive(Debug, Default)]
pub(crate) struct StepMatrix {
    /// The last Ã that was not the identity.
    loaded: Option<TokenMatrix>,
    /// Whether the step does without: Q = X.
    pub(crate) is_identity: bool,
}

impl StepMatrix {
    /// Loads Ã if it changed, with the buffers that it needs; `memory` lists those.
    pub(crate) async fn load(
        &mut self,
        matrix: &TokenMatrix,
        resident: &mut Resident<Job>,
        memory: impl FnOnce(&Device) -> Result<Memory>,
    ) -> Result<()> {
        self.is_identity = *matrix == TokenMatrix::Identity;
        if self.is_identity || self.loaded.as_ref() == Some(matrix) {
            return Ok(());
        }
        let memory = memory(&resident.device)?;
        resident.hold_all(&memory).await?;
        if let TokenMatrix::Dense(entries) = matrix {
            // What waits may still read the one before.
            resident.queue.submit().await?;
            resident.write(("matrix", 0), &entries.iter().flat_map(|&a| pair(a)).collect::<Vec<_>>()).await?;
        }
        self.loaded = Some(matrix.clone());
        Ok(())
    }
}
