//! Systems that reach every rule, mask, geometry and kernel: small, so that all take seconds.

use crate::error::Result;
use crate::exact::Grid;
use crate::init::{Cloud, CloudSample};
use crate::model::{Head, Integrator, Matrix, Model, Operator, StripForm};
use crate::tokens::{Precision, Tokens};

/// Seed of every cloud.
const SEED: u64 = 11;

/// A system with its first state.
#[derive(Clone, Debug)]
pub struct System {
    /// Rule, d and width.
    pub name: String,
    /// Number of tokens.
    pub n: usize,
    /// Dimension.
    pub d: usize,
    /// Stored width.
    pub precision: Precision,
    /// The system.
    pub model: Model,
    cloud: Cloud,
}

impl System {
    fn new(rule: &str, cloud: Cloud, (n, d): (usize, usize), precision: Precision, model: Model) -> Self {
        let name = format!("{rule}, d = {d}, {}", precision.name());
        Self { name, n, d, precision, model, cloud }
    }

    /// Steps that a check takes. Those of rules in real numbers need the reference for every row.
    pub fn steps(&self) -> u64 {
        if self.model.is_exact() { 6 } else { 2 }
    }

    /// The first state, on its lattice or geometry.
    ///
    /// # Errors
    /// More memory than there is.
    pub fn start(&self) -> Result<(Tokens, Grid)> {
        let cloud = CloudSample::new(self.cloud, self.n, self.d).tokens(SEED, self.precision)?;
        if self.model.is_exact() {
            let grid = Grid::of(&cloud, self.precision);
            return Ok((grid.snap(&cloud)?, grid));
        }
        let start = self.model.start(&cloud, self.precision)?;
        let grid = Grid::of(&start, self.precision);
        Ok((start, grid))
    }
}

/// Every system. Kernels differ by d and width: registers hold 16, 8 or 4 rows of a thread up to
/// d = 16 (8 at f64), workgroup memory holds slabs of 16 coordinates beyond, with a rest or
/// without, and a tree ends at d = 64. A few thousand tokens are several workgroups of rows and a few
/// dozen tiles of keys.
///
/// # Errors
/// None: every parameter is a constant of this file.
pub fn systems() -> Result<Vec<System>> {
    use Cloud::{Ball, Clusters, Gaussian, Sphere, Ties};
    use Precision::{F32, F64};
    let exact = |rule, cloud, shape, precision, model| System::new(rule, cloud, shape, precision, model);
    let localmax = |delta: f64, form| Model::localmax(delta)?.alpha(0.5)?.strip(form);
    let (score, width, norm) = (StripForm::Score, StripForm::Width, StripForm::ANorm);
    let mut all = vec![
        exact("hardmax", Gaussian, (3000, 3), F32, Model::hardmax().alpha(0.5)?),
        exact("hardmax", Clusters, (300, 64), F64, Model::hardmax()),
        exact("localmax", Ties, (2000, 1), F32, localmax(0.5, score)?),
        exact("localmax", Ball, (2000, 2), F64, localmax(0.1, score)?),
        exact("localmax", Gaussian, (3000, 3), F32, localmax(0.3, score)?),
        exact("localmax", Clusters, (1000, 16), F32, localmax(0.3, score)?),
        exact("localmax", Clusters, (300, 130), F32, localmax(1.0, score)?),
        exact("localmax of a wide strip", Gaussian, (1000, 3), F64, localmax(4.0, score)?),
        exact("localmax, width", Gaussian, (2000, 3), F32, localmax(0.3, width)?.matrix(skew(3)?)?),
        exact("localmax, width", Clusters, (600, 9), F64, localmax(0.3, width)?),
        exact("localmax, width, causal", Clusters, (600, 17), F32, localmax(0.3, width)?.causal()),
        exact("localmax, a-norm", Gaussian, (2000, 3), F64, localmax(0.3, norm)?.matrix(positive(3)?)?),
        exact("localmax, a-norm", Clusters, (300, 64), F32, localmax(0.5, norm)?.matrix(positive(64)?)?),
        exact("frank-wolfe", Gaussian, (3000, 3), F32, Model::frank_wolfe("2/(t+2)")?),
        exact("frank-wolfe, causal", Gaussian, (600, 8), F64, Model::frank_wolfe(0.5)?.causal()),
    ];
    for precision in [F32, F64] {
        let mut real = |rule, cloud, shape, model| all.push(System::new(rule, cloud, shape, precision, model));
        let head =
            |d| Ok::<_, crate::error::Error>(Head::bilinear(&Operator::constant(skew(d)?), Operator::identity()));
        real("softmax", Gaussian, (2000, 3), Model::softmax(4.0)?.alpha(0.5)?);
        real("softmax", Clusters, (300, 64), Model::softmax(0.5)?);
        real("markov", Gaussian, (2000, 3), Model::markov(1.0, 7)?);
        real("markov", Clusters, (300, 64), Model::markov(0.25, 7)?);
        real("sphere", Sphere, (1000, 3), Model::sphere(4.0, 0.1)?);
        real("sphere, causal, rk4", Sphere, (600, 3), Model::sphere(4.0, 0.1)?.integrator(Integrator::Rk4)?.causal());
        real("sphere, unnormalised", Sphere, (300, 17), Model::sphere(4.0, 0.1)?.unnormalized(1.0)?);
        let ellipsoid = Model::ellipsoid(positive(3)?, vec![head(3)?, head(3)?], 0.1)?.integrator(Integrator::Euler)?;
        real("ellipsoid, two heads", Sphere, (600, 3), ellipsoid);
        real("rescaled", Gaussian, (600, 3), Model::rescaled(skew(3)?, 0.1)?);
        real("localmax with V", Clusters, (600, 9), localmax(0.3, width)?.values(skew(9)?)?);
        real("hardmax with P", Gaussian, (600, 3), Model::hardmax().preconditioner(positive(3)?)?);
    }
    Ok(all)
}

/// A matrix that is not symmetric.
fn skew(d: usize) -> Result<Matrix> {
    dense(d, |r, c| f64::from(u8::from(r == c)) + if c == (r + 1) % d { 0.25 } else { 0.0 })
}

/// A symmetric positive definite matrix, full in its first row.
fn positive(d: usize) -> Result<Matrix> {
    dense(d, |r, c| {
        if r == c {
            1.5
        } else if r.min(c) == 0 {
            0.5 / d as f64
        } else {
            0.0
        }
    })
}

fn dense(d: usize, entry: impl Fn(usize, usize) -> f64) -> Result<Matrix> {
    Matrix::dense(&(0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect::<Vec<Vec<f64>>>())
}
