//! Matrices that are drawn, once or anew every so many steps.
//!
//! Row r of matrix k of an operator has the normals that token r has at step k ([`crate::normal::normals_at`]), under
//! the seed ⊕ the FNV-1a hash, of 64 bits, of the operator's key; a product's W has the rows 0..d, its W' those after.

use std::f64::consts::FRAC_1_SQRT_2;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::choice::named;
use crate::error::{Error, Result};
use crate::model::matrix::Matrix;
use crate::normal::normals_at;
use crate::num;

/// A law of d×d matrices, of scale s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ensemble {
    /// Independent entries N(0, s²) (arXiv 2604.01978).
    Gaussian,
    /// Independent entries N(0, s²/d): eigenvalues fill the disk of radius s as d grows.
    Ginibre,
    /// Symmetric, entries N(0, s²/d) off the diagonal and N(0, 2s²/d) on it (Gaussian orthogonal ensemble): eigenvalues
    /// fill [−2s, 2s] as d grows.
    Goe,
    /// WW'ᵀ, the entries of W and W' independent N(0, s²) (arXiv 2604.01978).
    Product,
}

named!(Ensemble, "random", [Gaussian = "gaussian", Ginibre = "ginibre", Goe = "goe", Product = "product"]);

/// Matrices of an ensemble, one after the other: the same for a seed, a key and d on every platform.
#[derive(Clone, Debug)]
pub struct Random {
    ensemble: Ensemble,
    scale: f64,
    every: Option<u64>,
    seed: u64,
    key: String,
    /// The last drawn matrix, its place in their order, and its d.
    last: Arc<Mutex<Option<(u64, usize, Matrix)>>>,
}

impl PartialEq for Random {
    fn eq(&self, other: &Self) -> bool {
        (self.ensemble, self.scale, self.every, self.seed, &self.key)
            == (other.ensemble, other.scale, other.every, other.seed, &other.key)
    }
}

impl Random {
    /// Matrices of scale s >= 0, a new one every `every` >= 1 steps, or one for all. Operators of equal `seed` and
    /// `key`, as `"v"` or `"heads[0].p"`, draw alike.
    ///
    /// # Errors
    /// A scale that is negative or not finite; `every` of 0. The error names `key` of the table `model`.
    pub fn new(ensemble: Ensemble, scale: f64, every: Option<u64>, seed: u64, key: &str) -> Result<Self> {
        if !(scale.is_finite() && scale >= 0.0) {
            let text = format!("is {}; it must be finite and at least 0", num::short(scale));
            return Err(Error::at_key(format!("model.{key}.scale"), text));
        }
        if every == Some(0) {
            return Err(Error::at_key(format!("model.{key}.every"), "is 0; it must be at least 1"));
        }
        Ok(Self { ensemble, scale, every, seed, key: key.to_owned(), last: Arc::default() })
    }

    /// The law.
    pub fn ensemble(&self) -> Ensemble {
        self.ensemble
    }

    /// s.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The seed.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The matrices of another seed.
    pub(crate) fn with_seed(&self, seed: u64) -> Self {
        Self { seed, last: Arc::default(), ..self.clone() }
    }

    /// Steps from a matrix to the next; `None` if there is only one.
    pub fn every(&self) -> Option<u64> {
        self.every
    }

    /// The number of the matrix of step t.
    pub(crate) fn index(&self, t: u64) -> u64 {
        self.every.map_or(0, |every| t / every)
    }

    /// The matrix of step t for tokens in R^d.
    pub fn at(&self, t: u64, d: usize) -> Matrix {
        let index = self.index(t);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((k, of, matrix)) if (*k, *of) == (index, d) => matrix.clone(),
            _ => {
                let matrix = self.draw(index, d);
                *last = Some((index, d, matrix.clone()));
                matrix
            }
        }
    }

    fn draw(&self, index: u64, d: usize) -> Matrix {
        let seed = self.seed ^ fnv_1a(&self.key);
        let normals = |rows: Range<usize>, scale: f64| -> Vec<f64> {
            rows.flat_map(|row| normals_at(seed, index, Some(row as u64), d)).map(|x| scale * x).collect()
        };
        let part = self.scale / libm::sqrt(d as f64);
        let entries = match self.ensemble {
            Ensemble::Gaussian => normals(0..d, self.scale),
            Ensemble::Ginibre => normals(0..d, part),
            Ensemble::Goe => {
                let g = normals(0..d, part * FRAC_1_SQRT_2);
                (0..d * d).map(|at| g[at] + g[at % d * d + at / d]).collect()
            }
            Ensemble::Product => {
                let [w, other] = [normals(0..d, self.scale), normals(d..2 * d, self.scale)];
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
                let row = |row: &[f64]| other.chunks_exact(d).map(|column| dot(row, column)).collect::<Vec<_>>();
                w.chunks_exact(d).flat_map(row).collect()
            }
        };
        Matrix::Dense { d, entries: entries.into() }
    }
}

/// The hash of Fowler, Noll and Vo, variant 1a, of 64 bits.
fn fnv_1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(ensemble: Ensemble, every: Option<u64>) -> Random {
        Random::new(ensemble, 0.5, every, 7, "v").unwrap()
    }

    fn entries(matrix: &Matrix) -> &[f64] {
        let Matrix::Dense { entries, .. } = matrix else { panic!("{matrix:?} is not drawn") };
        entries
    }

    /// Another variance would be another experiment under the name of the same law. Squares of d² = 10^4 entries, and
    /// of 10^2 on the diagonal, hold their means within 5 standard errors.
    #[test]
    fn entries_have_the_variance_of_their_law() {
        let d = 100;
        for (ensemble, off, on) in [
            (Ensemble::Gaussian, 0.25, 0.25),
            (Ensemble::Ginibre, 0.0025, 0.0025),
            (Ensemble::Goe, 0.0025, 0.005),
            (Ensemble::Product, 6.25, 6.25),
        ] {
            let matrix = random(ensemble, None).at(0, d);
            let squares = |diagonal: bool| -> Vec<f64> {
                let of = (0..d * d).filter(|at| (at / d == at % d) == diagonal);
                of.map(|at| entries(&matrix)[at].powi(2)).collect()
            };
            for (squares, variance) in [(squares(false), off), (squares(true), on)] {
                let count = squares.len() as f64;
                let mean = squares.iter().sum::<f64>() / count;
                // A product's squares depend on one another by rows, and have kurtosis about 3 + 6/d.
                let error =
                    variance * (if ensemble == Ensemble::Goe { 4.0 } else { 2.0 + 400.0 / d as f64 } / count).sqrt();
                assert!((mean - variance).abs() < 5.0 * error, "{ensemble:?}: {mean} for {variance} ± {error}");
            }
            let is_symmetric = (0..d * d).all(|at| entries(&matrix)[at] == entries(&matrix)[at % d * d + at / d]);
            assert_eq!(is_symmetric, ensemble == Ensemble::Goe);
        }
    }

    /// A matrix that changed with who asks, or with when, would be another run after a resume.
    #[test]
    fn a_step_has_its_matrix() {
        let [one, two] = [random(Ensemble::Gaussian, Some(2)), random(Ensemble::Gaussian, Some(2))];
        for t in [0, 5, 3, 4, 2, 1] {
            assert_eq!(one.at(t, 3), two.at(t / 2 * 2, 3));
        }
        assert_ne!(one.at(1, 3), one.at(2, 3));
        assert_eq!(random(Ensemble::Goe, None).at(0, 2), random(Ensemble::Goe, None).at(99, 2));
        let other = Random::new(Ensemble::Gaussian, 0.5, Some(2), 7, "a").unwrap();
        assert_ne!(one.at(0, 3), other.at(0, 3));
    }

    /// The published answers (draft-eastlake-fnv): with any other hash a run of another program has other weights.
    #[test]
    fn the_hash_gives_the_published_answers() {
        assert_eq!(fnv_1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a("foobar"), 0x8594_4171_f739_67e8);
    }
}
