//! Matrices on the device, written when they first appear or change.

use crate::error::Result;
use crate::gpu::real::{RealGpu, Slot};
use crate::model::Matrix;
use crate::num;
use crate::real::Linear;

/// Whose matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Scores(usize),
    Values(usize),
    Preconditioner,
    Weight,
}

/// A matrix on the device: `matrix · 2^−exponent`.
pub(crate) struct Loaded {
    matrix: Matrix,
    exponent: i32,
}

impl RealGpu {
    /// The number that a map multiplies by, beside its matrix on the device if it is dense.
    pub(crate) fn load(&mut self, role: Role, map: &Linear) -> Result<(f64, bool)> {
        let Matrix::Dense { entries, .. } = &map.matrix else {
            return Ok((map.factor * map.matrix.entry(0, 0), false));
        };
        if let Some(loaded) = self.matrices.get(&role).filter(|loaded| is_same(&loaded.matrix, &map.matrix)) {
            return Ok((num::scale(map.factor, loaded.exponent), true));
        }
        let largest = entries.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let exponent = num::exponent_above(largest);
        let words: Vec<u32> = entries.iter().map(|&v| (num::scale(v, -exponent) as f32).to_bits()).collect();
        // What waits may still read the one before.
        self.queue.submit()?;
        if !self.buffers.contains_key(&Slot::Matrix(role)) {
            let bytes = words.len() as u64 * 4;
            self.buffers.insert(Slot::Matrix(role), self.device.buffer("matrix", bytes, wgpu::BufferUsages::STORAGE)?);
        }
        self.device.write(&self.buffers[&Slot::Matrix(role)], &words)?;
        self.matrices.insert(role, Loaded { matrix: map.matrix.clone(), exponent });
        Ok((num::scale(map.factor, exponent), true))
    }
}

/// Equality at no cost where the entries are shared, as they are from step to step.
fn is_same(a: &Matrix, b: &Matrix) -> bool {
    match (a, b) {
        (Matrix::Dense { entries: a, .. }, Matrix::Dense { entries: b, .. }) => std::sync::Arc::ptr_eq(a, b) || a == b,
        _ => a == b,
    }
}
