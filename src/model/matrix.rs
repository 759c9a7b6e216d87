//! The interaction matrix A of the scores `<A x_i, x_j>`.

use std::sync::Arc;

use nalgebra::DMatrix;

use crate::error::{Error, Result};
use crate::num;

/// A d×d matrix, stored no larger than it has to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Matrix {
    /// The identity.
    Identity,
    /// c times the identity.
    Multiple(f64),
    /// Row-major d×d entries, symmetric or not.
    Dense {
        /// Rows and columns.
        d: usize,
        /// Entries, row-major.
        entries: Arc<[f64]>,
    },
}

impl Matrix {
    /// c times the identity; [`Matrix::Identity`] for c = 1.
    ///
    /// # Errors
    /// c not finite.
    pub fn multiple(c: f64) -> Result<Self> {
        if !c.is_finite() {
            return Err(Error::input(format!("a matrix given as the number {c}; it must be finite")));
        }
        Ok(if c == 1.0 { Self::Identity } else { Self::Multiple(c) })
    }

    /// A dense matrix from its rows.
    ///
    /// # Errors
    /// No rows; rows that are ragged or not square; an entry that is not finite.
    pub fn dense(rows: &[Vec<f64>]) -> Result<Self> {
        let d = rows.len();
        if d == 0 {
            return Err(Error::input("a matrix without rows; give \"identity\", a number, or d rows of d numbers"));
        }
        for (r, row) in rows.iter().enumerate() {
            if row.len() != d {
                return Err(Error::input(format!(
                    "row {r} of a matrix has {} entries where {d} rows ask for {d}; it must be square",
                    row.len()
                )));
            }
            if let Some(c) = row.iter().position(|x| !x.is_finite()) {
                return Err(Error::input(format!("entry ({r}, {c}) of a matrix is {}; it must be finite", row[c])));
            }
        }
        Ok(Self::Dense { d, entries: rows.concat().into() })
    }

    /// `A = Kᵀ Q`, so that `<A x_i, x_j> = <Q x_i, K x_j>`; q and k are h×d (rows of equal number
    /// and length).
    ///
    /// # Errors
    /// Shapes that differ, ragged rows, entries that are not finite.
    pub fn from_query_key(q: &[Vec<f64>], k: &[Vec<f64>]) -> Result<Self> {
        let d = q.first().map_or(0, Vec::len);
        if d == 0 || q.len() != k.len() {
            return Err(Error::input(format!(
                "model.q has {} rows and model.k has {}; both must be h×d with the same h >= 1 and d",
                q.len(),
                k.len()
            )));
        }
        for (name, rows) in [("q", q), ("k", k)] {
            if let Some(r) = rows.iter().position(|row| row.len() != d) {
                return Err(Error::input(format!(
                    "row {r} of model.{name} has {} entries; every row of q and k must have d = {d}",
                    rows[r].len()
                )));
            }
        }
        let product: Vec<Vec<f64>> =
            (0..d).map(|r| (0..d).map(|c| q.iter().zip(k).map(|(qh, kh)| kh[r] * qh[c]).sum()).collect()).collect();
        Self::dense(&product)
    }

    /// c times this matrix.
    ///
    /// # Errors
    /// An entry of the product that is not finite.
    pub fn times(&self, c: f64) -> Result<Self> {
        match self {
            Self::Identity => Self::multiple(c),
            Self::Multiple(m) => Self::multiple(c * m),
            Self::Dense { d, entries } => {
                let rows: Vec<Vec<f64>> = entries.chunks_exact(*d).map(|r| r.iter().map(|x| c * x).collect()).collect();
                Self::dense(&rows)
            }
        }
    }

    /// AᵀA, so that `<AᵀA x, y> = <A x, A y>`.
    ///
    /// # Errors
    /// An entry that is not finite any more.
    pub fn square_form(&self) -> Result<Self> {
        match self {
            Self::Identity => Ok(Self::Identity),
            Self::Multiple(c) => Self::multiple(c * c),
            Self::Dense { d, entries } => {
                let rows: Vec<Vec<f64>> = entries.chunks_exact(*d).map(<[f64]>::to_vec).collect();
                Self::from_query_key(&rows, &rows)
            }
        }
    }

    /// The transpose.
    #[must_use]
    pub fn transpose(&self) -> Self {
        match self {
            Self::Identity | Self::Multiple(_) => self.clone(),
            Self::Dense { d, .. } => Self::of_dense(&self.to_dense(*d).transpose()),
        }
    }

    /// The matrix in nalgebra's form, for the algebra that no engine needs.
    pub(crate) fn to_dense(&self, d: usize) -> DMatrix<f64> {
        DMatrix::from_fn(d, d, |r, c| self.entry(r, c))
    }

    /// Makes a matrix of nalgebra's square one.
    ///
    /// # Panics
    /// If it is not square.
    pub(crate) fn of_dense(matrix: &DMatrix<f64>) -> Self {
        let d = matrix.nrows();
        assert_eq!(d, matrix.ncols(), "a square matrix");
        Self::Dense { d, entries: (0..d * d).map(|at| matrix[(at / d, at % d)]).collect() }
    }

    /// Checks that the matrix is symmetric and positive definite.
    ///
    /// # Errors
    /// An entry that differs from its mirror image, or a matrix without a Cholesky factor; `name`
    /// is the key of the parameter.
    pub fn require_positive_definite(&self, name: &str) -> Result<()> {
        let error = |what: String| {
            Err(Error::at_key(format!("model.{name}"), format!("{what}; it must be symmetric positive definite")))
        };
        match self {
            Self::Identity => Ok(()),
            Self::Multiple(c) if *c > 0.0 => Ok(()),
            Self::Multiple(c) => error(format!("is {} times the identity", num::short(*c))),
            Self::Dense { d, .. } => {
                for r in 0..*d {
                    if let Some(c) = (0..r).find(|&c| self.entry(r, c) != self.entry(c, r)) {
                        let (here, there) = (self.entry(r, c), self.entry(c, r));
                        return error(format!("has {here:?} at ({r}, {c}) and {there:?} at ({c}, {r})"));
                    }
                }
                if self.to_dense(*d).cholesky().is_none() {
                    let lowest = self.to_dense(*d).symmetric_eigenvalues().min();
                    return error(format!("has the eigenvalue {}", num::short(lowest)));
                }
                Ok(())
            }
        }
    }

    /// Rows of a dense matrix; `None` for multiples of the identity, which fit any d.
    pub fn dimension(&self) -> Option<usize> {
        match self {
            Self::Identity | Self::Multiple(_) => None,
            Self::Dense { d, .. } => Some(*d),
        }
    }

    /// Entry (r, c).
    pub fn entry(&self, r: usize, c: usize) -> f64 {
        match self {
            Self::Identity => f64::from(u8::from(r == c)),
            Self::Multiple(m) => m * f64::from(u8::from(r == c)),
            Self::Dense { d, entries } => entries[r * d + c],
        }
    }

    /// `A x`, plain f64 loops.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        let mut y = vec![0.0; x.len()];
        self.apply_to(x, &mut y);
        y
    }

    /// Writes `A x` to `y`.
    pub(crate) fn apply_to(&self, x: &[f64], y: &mut [f64]) {
        match self {
            Self::Identity => y.copy_from_slice(x),
            Self::Multiple(c) => y.iter_mut().zip(x).for_each(|(y, v)| *y = c * v),
            Self::Dense { d, entries } => {
                for (y, row) in y.iter_mut().zip(entries.chunks_exact(*d)) {
                    *y = row.iter().zip(x).map(|(a, v)| a * v).sum();
                }
            }
        }
    }

    /// `|A| |x|`, entry by entry: the scale of the rounding errors of `A x`.
    pub fn magnitude(&self, x: &[f64]) -> Vec<f64> {
        match self {
            Self::Identity => x.iter().map(|v| v.abs()).collect(),
            Self::Multiple(c) => x.iter().map(|v| (c * v).abs()).collect(),
            Self::Dense { d, entries } => {
                entries.chunks_exact(*d).map(|row| row.iter().zip(x).map(|(a, v)| (a * v).abs()).sum()).collect()
            }
        }
    }
}

impl<const D: usize> TryFrom<[[f64; D]; D]> for Matrix {
    type Error = Error;

    fn try_from(rows: [[f64; D]; D]) -> Result<Self> {
        Self::dense(&rows.map(Vec::from))
    }
}

impl TryFrom<Vec<Vec<f64>>> for Matrix {
    type Error = Error;

    fn try_from(rows: Vec<Vec<f64>>) -> Result<Self> {
        Self::dense(&rows)
    }
}

impl TryFrom<f64> for Matrix {
    type Error = Error;

    fn try_from(c: f64) -> Result<Self> {
        Self::multiple(c)
    }
}
