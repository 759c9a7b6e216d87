//! The memory of the rules in real numbers, and the slices that keep to it.

use crate::error::Result;
use crate::gpu::memory::{Line, Memory, exceeds, index_of, largest_binding, scratch_bytes};
use crate::gpu::real::kernels::{CHUNK, NARROW, TILE};
use crate::model::{Geometry, Integrator, Model, Rule, Update};

/// The buffers that a model needs beside tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// A rule that chooses keys by their scores.
    pub choice: bool,
    /// Weights made of all scores of a row at hand.
    pub whole: bool,
    /// rk4: states of stages and their sum.
    pub stages: bool,
    /// d×d matrices.
    pub matrices: u32,
}

impl Needs {
    /// The needs of a model.
    pub fn of(model: &Model) -> Self {
        let dense = model.operators().filter(|operator| operator.is_dense()).count() as u32;
        let (stages, other) = match &model.update {
            Update::Average { .. } => (false, 0),
            Update::Flow { integrator, geometry, .. } => {
                let other = match geometry {
                    Geometry::Ellipsoid(w) => u32::from(w.dimension().is_some()),
                    // e^{tVᵀ}Ae^{tV}.
                    Geometry::Rescaled => u32::from(model.heads[0].values.is_dense()),
                    _ => 0,
                };
                (*integrator == Integrator::Rk4, other)
            }
        };
        let whole = matches!(model.rule, Rule::Sparse { .. } | Rule::Linear { .. });
        let choice = !whole && !matches!(model.rule, Rule::Softmax { .. } | Rule::Exponential { .. });
        Self { choice, whole, stages, matrices: dense + other }
    }
}

/// The memory and the slices of a run in real numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealLayout {
    /// Every buffer.
    pub memory: Memory,
    /// Rows or keys that one binding reaches.
    pub window: u32,
    /// Keys whose scores are held at a time; 0 where they stay in registers.
    pub width: u32,
    /// Chunks of keys.
    pub chunks: u32,
    /// Whether all scores of a row are held.
    whole: bool,
}

impl RealLayout {
    /// The layout for n tokens in R^d; `card` is the memory of a card, if it is known.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::error::Error::Memory), if a buffer exceeds what the adapter can
    /// allocate or bind.
    pub fn new(n: usize, d: usize, needs: Needs, limits: &wgpu::Limits, card: Option<u64>) -> Result<Self> {
        let mend = "take fewer tokens or --engine cpu";
        let (rows, dim) = (n as u64, d as u64);
        index_of(n, mend)?;
        let (token, chunk, tile) = (dim * 4, u64::from(CHUNK), u64::from(TILE));
        let binding = largest_binding(limits);
        let widest = token.max(16);
        if chunk * widest > binding {
            return Err(exceeds("one window of tokens on this adapter", chunk * widest, binding, mend));
        }
        let window = (binding / widest / chunk * chunk).min(rows.next_multiple_of(chunk));
        let chunks = rows.div_ceil(chunk);
        // X, X', keys and stages.
        let scratch = scratch_bytes(card, rows * (token * if needs.stages { 6 } else { 3 } + 16)).min(binding);
        let scores = if needs.whole { chunks * chunk * 4 } else { 0 };
        let slice_rows =
            (scratch / (chunks * dim * 4).max(chunks * 16).max(scores) / tile * tile).clamp(tile, window.min(1 << 16));
        let slice = slice_rows.min(rows.next_multiple_of(tile));
        let wide = needs.choice || needs.whole || d > NARROW;
        let width = if needs.whole {
            chunks * chunk
        } else if wide {
            (scratch / (slice * chunk * 4)).clamp(1, chunks) * chunk
        } else {
            0
        };
        let in_windows = |name, what, line: u64| Line::new(name, what, rows * line).in_windows(window * line);
        let mut lines = vec![
            in_windows(("tokens", 0), "tokens", token),
            in_windows(("tokens", 1), "next tokens", token),
            in_windows(("keys", 0), "keys", token),
            in_windows(("traces", 0), "traces", 16),
            Line::new(("rows", 0), "rows of a slice", slice * 32),
            Line::new(("query", 0), "queries of a slice", slice * token),
            Line::new(("outputs", 0), "outputs of a slice", slice * token),
            Line::new(("partials", 0), "partial weights", slice * chunks * 16),
            Line::new(("sums", 0), "partial sums", slice * chunks * token),
        ];
        if wide {
            lines.push(Line::new(("scores", 0), "scores", slice * width * 4));
        }
        if needs.stages {
            lines.push(in_windows(("stages", 0), "tokens of a stage", token));
            lines.push(in_windows(("stages", 1), "tokens of the next stage", token));
            lines.push(in_windows(("slopes", 0), "sums over stages", token));
        }
        if needs.matrices > 0 {
            lines.push(Line::new(("product", 0), "products of a slice", slice * token));
            lines.push(Line::new(("mean", 0), "means of a slice", slice * token));
            let bytes = u64::from(needs.matrices) * dim * token;
            lines.push(Line { name: None, what: "matrices", bytes, window: dim * token });
        }
        let [slice_rows, window, width, chunks] = [slice, window, width, chunks].map(|v| v as u32);
        let memory = Memory { n, d, lines, slice_rows, mend };
        memory.check_each(limits)?;
        Ok(Self { memory, window, width, chunks, whole: needs.whole })
    }

    /// This memory in the smallest slices and windows.
    #[must_use]
    pub fn in_small_slices(self) -> Self {
        let memory = Memory { slice_rows: TILE, ..self.memory };
        Self { memory, window: CHUNK, width: if self.whole { self.width } else { self.width.min(CHUNK) }, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use proptest::prelude::*;

    fn limits(binding: u64, buffer: u64) -> wgpu::Limits {
        wgpu::Limits { max_storage_buffer_binding_size: binding, max_buffer_size: buffer, ..Default::default() }
    }

    proptest! {
        /// A slice or window past the adapter's limits would be refused in the middle of a run.
        #[test]
        fn slices_fit_the_limits(
            n in 1usize..3_000_000, d in 1usize..2000, choice in any::<bool>(), stages in any::<bool>(), log in 27u32..32,
            card in any::<bool>(),
        ) {
            let needs = Needs { choice, whole: false, stages, matrices: 3 };
            let Ok(layout) = RealLayout::new(n, d, needs, &limits(1 << log, 1 << 40), card.then_some(80 << 30)) else {
                // Only partial sums of a million tokens in a thousand dimensions.
                prop_assert!((n as u64).div_ceil(1024) * d as u64 * 4 * 64 > 1 << log);
                return Ok(());
            };
            prop_assert_eq!(layout.window % CHUNK, 0);
            prop_assert_eq!(layout.memory.slice_rows % TILE, 0);
            prop_assert_eq!(layout.width % CHUNK, 0);
            prop_assert!(u64::from(layout.window) * 4 * d as u64 <= 1 << log);
            prop_assert!(layout.memory.slice_rows > 0 && layout.memory.slice_rows <= layout.window.max(TILE));
            for line in &layout.memory.lines {
                let whole = ["scores", "partial sums", "partial weights", "rows of a slice"].contains(&line.what);
                prop_assert!(!whole || line.bytes <= 1 << log, "{} {}", line.what, line.bytes);
            }
        }
    }

    /// Too much memory must be refused with both numbers before anything is allocated.
    #[test]
    fn too_large_is_refused_with_both_numbers() {
        let error = RealLayout::new(10, 1 << 20, Needs::default(), &limits(1 << 27, 1 << 31), None).unwrap_err();
        assert!(matches!(error, Error::Memory { .. }), "{error}");
        assert!(error.to_string().contains("4294967296") && error.to_string().contains("134217728"), "{error}");
    }
}
