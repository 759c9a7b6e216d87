//! The systems of the self-test: small clouds that meet ties, wide and narrow strips, every rule,
//! every unit of δ, a mask, and matrices of every kind.

use crate::error::Result;
use crate::exact::Grid;
use crate::init::{Cloud, CloudSample};
use crate::model::{
    Gain, Geometry, Head, Integrator, Mask, Matrix, Model, Operator, Rule, Scoring, StripForm, Terms, Update,
};
use crate::schedule::Schedule;
use crate::tokens::{Precision, Tokens};

/// Number of tokens: several windows of every kernel, and no multiple of any width.
const N: usize = 613;

/// A system and its first state.
#[derive(Debug)]
pub(crate) struct System {
    /// Its name, which `hashes.txt` lists.
    pub name: String,
    /// Whether the engines may be asked for the tree.
    pub has_tree: bool,
    pub model: Model,
    pub tokens: Tokens,
    pub grid: Grid,
}

impl System {
    /// A model on the first state that a cloud of n tokens in R^d gives.
    ///
    /// # Errors
    /// A model that does not take these tokens.
    pub(crate) fn new(
        name: &str,
        model: Model,
        (n, d): (usize, usize),
        cloud: Cloud,
        precision: Precision,
    ) -> Result<Self> {
        let tokens = CloudSample::new(cloud, n, d).tokens(7, precision)?;
        let tokens = model.start(&tokens, precision)?;
        let grid = Grid::of(&tokens, precision);
        let tokens = if model.is_exact() { grid.snap(&tokens)? } else { tokens };
        let has_tree = model.is_exact() && model.mask == Mask::FULL && d <= 16;
        Ok(Self { name: format!("{name}, d = {d}, {}", precision.name()), has_tree, model, tokens, grid })
    }
}

/// A matrix with no symmetry, whose entries are exact.
fn dense(d: usize) -> Result<Matrix> {
    let entry = |r: usize, c: usize| ((r * 7 + c * 13 + 5) % 16) as f64 / 16.0 - 0.375 + if r == c { 1.0 } else { 0.0 };
    Matrix::dense(&rows(d, entry))
}

/// A symmetric positive matrix.
fn positive(d: usize) -> Result<Matrix> {
    Matrix::dense(&rows(d, |r, c| if r == c { 1.5 } else { 0.25 / (d + r + c) as f64 }))
}

fn rows(d: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
    (0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect()
}

/// The systems under the contract, at both precisions.
///
/// # Errors
/// None that the list as it stands meets.
pub(super) fn exact() -> Result<Vec<System>> {
    use Precision::{F32, F64};
    let averaging = |rule, matrix, mask, alpha| {
        Model::averaging(rule, Operator::constant(matrix), mask, Gain::Alpha(Schedule::Constant(alpha)))
    };
    let localmax = |delta, strip| Rule::Localmax { delta: Schedule::Constant(delta), strip };
    let score = |delta, mask| averaging(localmax(delta, StripForm::Score), Matrix::Identity, mask, 0.5);
    let width = |d, delta| {
        Ok::<_, crate::error::Error>(averaging(localmax(delta, StripForm::Width), dense(d)?, Mask::FULL, 1.0))
    };
    let norm = |d, delta| {
        Ok::<_, crate::error::Error>(averaging(localmax(delta, StripForm::ANorm), positive(d)?, Mask::FULL, 0.25))
    };
    let hardmax = |matrix| averaging(Rule::Hardmax, matrix, Mask::FULL, 1.0);
    let frank_wolfe = |matrix| averaging(Rule::FrankWolfe, matrix, Mask::FULL, 0.5);
    let all: [(&str, Model, usize, Cloud, Precision); 17] = [
        ("localmax, score, normal", score(0.5, Mask::FULL), 3, Cloud::Gaussian, F32),
        ("localmax, score, normal", score(0.5, Mask::FULL), 3, Cloud::Gaussian, F64),
        ("localmax, score, ties", score(0.25, Mask::FULL), 2, Cloud::Ties, F32),
        ("localmax, score, wide", score(4.0, Mask::FULL), 1, Cloud::Gaussian, F32),
        ("localmax, score, causal", score(1.0, Mask::CAUSAL), 4, Cloud::Gaussian, F32),
        ("localmax, score, clusters", score(0.1, Mask::FULL), 64, Cloud::Clusters, F32),
        ("localmax, width, normal", width(3, 0.3)?, 3, Cloud::Gaussian, F32),
        ("localmax, width, clusters", width(17, 0.3)?, 17, Cloud::Clusters, F32),
        ("localmax, width, ball", width(8, 0.2)?, 8, Cloud::Ball, F64),
        ("localmax, a-norm, normal", norm(3, 0.3)?, 3, Cloud::Gaussian, F32),
        ("localmax, a-norm, clusters", norm(33, 0.3)?, 33, Cloud::Clusters, F64),
        ("hardmax, normal", hardmax(Matrix::Identity), 3, Cloud::Gaussian, F32),
        ("hardmax, ties", hardmax(Matrix::Identity), 3, Cloud::Ties, F64),
        ("hardmax, dense A", hardmax(dense(5)?), 5, Cloud::Ball, F32),
        ("hardmax, A = -1", hardmax(Matrix::Multiple(-1.0)), 2, Cloud::Gaussian, F32),
        ("frank-wolfe, ties", frank_wolfe(Matrix::Identity), 2, Cloud::Ties, F32),
        ("frank-wolfe, dense A", frank_wolfe(dense(9)?), 9, Cloud::Gaussian, F64),
    ];
    all.into_iter()
        .map(|(name, model, d, cloud, precision)| System::new(name, model, (N, d), cloud, precision))
        .collect()
}

/// A rule in real numbers of each kind, by name.
pub(crate) fn real_rules() -> Vec<(&'static str, Model)> {
    let beta = || Schedule::Constant(4.0);
    let average = |rule| Model::averaging(rule, Operator::identity(), Mask::FULL, Gain::Alpha(Schedule::Constant(0.5)));
    let flow = |rule, mask, integrator, geometry| Model {
        rule,
        heads: vec![Head { scores: Operator::identity(), values: Operator::identity() }],
        mask,
        update: Update::Flow { dt: 0.1, integrator, geometry },
        scoring: Scoring::Inner,
        omit: 0.0,
        terms: Terms::default(),
        keys: None,
        graph: None,
    };
    let softmax = || Rule::Softmax { beta: beta() };
    let sphere = |rule, mask, integrator| flow(rule, mask, integrator, Geometry::Sphere);
    vec![
        ("softmax", average(softmax())),
        ("markov", average(Rule::Markov { beta: beta(), seed: 7 })),
        ("sphere, SA, euler-renorm", sphere(softmax(), Mask::FULL, Integrator::EulerRenorm)),
        ("sphere, causal, rk4", sphere(softmax(), Mask::CAUSAL, Integrator::Rk4)),
        ("sphere, USA", sphere(Rule::Exponential { beta: beta(), origin: 1.0 }, Mask::FULL, Integrator::Euler)),
        ("ellipsoid", flow(softmax(), Mask::FULL, Integrator::Euler, Geometry::Ellipsoid(Matrix::Multiple(4.0)))),
        ("rescaled", flow(softmax(), Mask::FULL, Integrator::Euler, Geometry::Rescaled)),
    ]
}

/// The systems in real numbers at a precision. Normal tokens in R^64 hardly see one another;
/// clusters do.
///
/// # Errors
/// None that the list as it stands meets.
pub(super) fn real(precision: Precision) -> Result<Vec<System>> {
    let few = real_rules().into_iter().map(|(name, model)| (name, model, 3, Cloud::Gaussian));
    let many = real_rules().into_iter().take(1).map(|(name, model)| (name, model, 64, Cloud::Clusters));
    few.chain(many).map(|(name, model, d, cloud)| System::new(name, model, (N, d), cloud, precision)).collect()
}
