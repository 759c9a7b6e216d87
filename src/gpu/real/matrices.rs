//! Matrices on the device, written when they first appear or change.

use std::collections::HashMap;

use crate::error::Result;
use crate::gpu::memory::{Line, Name};
use crate::gpu::real::job::Job;
use crate::gpu::resident::Resident;
use crate::model::Matrix;
use crate::num;
use crate::real::Linear;

/// The use of a matrix; scores and values have the number of their head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Scores(usize),
    Values(usize),
    Preconditioner,
    Weight,
}

impl Role {
    pub(crate) fn name(self) -> Name {
        match self {
            Self::Scores(head) => ("matrix of scores", head),
            Self::Values(head) => ("matrix of values", head),
            Self::Preconditioner => ("matrix of motion", 0),
            Self::Weight => ("matrix of norm", 0),
        }
    }
}

/// A matrix on the device: `matrix · 2^−exponent`.
struct Loaded {
    matrix: Matrix,
    exponent: i32,
}

/// The matrices on the device.
#[derive(Default)]
pub(crate) struct Matrices(HashMap<Role, Loaded>);

impl Matrices {
    /// The number that a map multiplies by, and whether it also has a matrix, which then is on the
    /// device.
    pub(crate) async fn load(&mut self, resident: &mut Resident<Job>, role: Role, map: &Linear) -> Result<(f64, bool)> {
        let Matrix::Dense { entries, .. } = &map.matrix else {
            return Ok((map.factor * map.matrix.entry(0, 0), false));
        };
        if let Some(loaded) = self.0.get(&role).filter(|loaded| is_same(&loaded.matrix, &map.matrix)) {
            return Ok((num::scale(map.factor, loaded.exponent), true));
        }
        let largest = entries.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let exponent = num::exponent_above(largest);
        let words: Vec<u32> = entries.iter().map(|&v| (num::scale(v, -exponent) as f32).to_bits()).collect();
        // Waiting dispatches may still read the matrix before.
        resident.queue.submit().await?;
        resident.hold(Line::new(role.name(), "matrix", words.len() as u64 * 4)).await?;
        resident.write(role.name(), &words).await?;
        self.0.insert(role, Loaded { matrix: map.matrix.clone(), exponent });
        Ok((num::scale(map.factor, exponent), true))
    }
}

/// Compares matrices at no cost where the entries are shared, as they are from step to step.
fn is_same(a: &Matrix, b: &Matrix) -> bool {
    match (a, b) {
        (Matrix::Dense { entries: a, .. }, Matrix::Dense { entries: b, .. }) => std::sync::Arc::ptr_eq(a, b) || a == b,
        _ => a == b,
    }
}
