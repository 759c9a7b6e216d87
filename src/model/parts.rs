//! The parts that models are made of.

use crate::choice::named;
use crate::error::Result;
use crate::model::matrix::Matrix;
use crate::model::moment::{Moment, checked};
use crate::model::random::Random;
use crate::model::scheme::Scheme;
use crate::model::sparse::Sparse;
use crate::model::strip_form::StripForm;
use crate::schedule::Schedule;

/// The map from the scores of the keys that a row sees to their weights.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// Uniform over the δ-strip `C_i = { j : max_l S_il − S_ij <= δ(t)·s_i }` (Eq. 5 of arXiv
    /// 2509.15958).
    Localmax {
        /// Alignment sensitivity δ(t) >= 0.
        delta: Schedule,
        /// Unit of δ.
        strip: StripForm,
    },
    /// Uniform over the exact maximisers, localmax at δ = 0 (arXiv 2407.01602).
    Hardmax,
    /// All weight on the maximiser of lowest index (SA_inf of arXiv 2508.09628).
    FrankWolfe,
    /// `e^{β S_ij} / Σ_l e^{β S_il}` (arXiv 2508.09628 and 2312.10794).
    Softmax {
        /// Inverse temperature β(t) >= 0.
        beta: Schedule,
    },
    /// `e^{β (S_ij − origin)} / m`, m the number of keys that the row sees (USA of arXiv
    /// 2312.10794).
    ///
    /// USA itself has origin 0. Counting scores from another origin only measures time in units of
    /// `e^{−β·origin}`: at β in the thousands, where `e^β` overflows, origin 1 gives the
    /// `e^{β(cos−1)}` of arXiv 2410.06833. With a causal mask m = i + 1, so that no row feels how
    /// many tokens come after it (ours: no paper defines a causal USA).
    Exponential {
        /// Inverse temperature β(t) >= 0.
        beta: Schedule,
        /// The score that weighs 1/m.
        origin: f64,
    },
    /// β·S_ij projected on weights of sum 1, most of them 0: sparsemax and entmax.
    Sparse {
        /// Inverse temperature β(t) >= 0.
        beta: Schedule,
        /// Which of them.
        form: Sparse,
    },
    /// `β S_ij / m`, m the number of keys that the row sees (linear attention), or `max(0, β S_ij) / m`.
    Linear {
        /// The factor β(t) >= 0.
        beta: Schedule,
        /// True for max(0, ·).
        rectified: bool,
    },
    /// All weight on one key, drawn with the probabilities of softmax (SA_P of arXiv 2508.09628).
    Markov {
        /// Inverse temperature β(t) >= 0.
        beta: Schedule,
        /// Seed of the draws.
        seed: u64,
    },
}

impl Rule {
    /// The name used in configs and files where the rule averages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Localmax { .. } => "localmax",
            Self::Hardmax => "hardmax",
            Self::FrankWolfe => "frank-wolfe",
            Self::Softmax { .. } | Self::Sparse { .. } => "softmax",
            Self::Linear { .. } => "linear",
            Self::Exponential { .. } => "exponential",
            Self::Markov { .. } => "markov",
        }
    }

    /// β; `None` in the rules that are its limit.
    pub(crate) fn beta(&self) -> Option<&Schedule> {
        match self {
            Self::Localmax { .. } | Self::Hardmax | Self::FrankWolfe => None,
            Self::Softmax { beta }
            | Self::Exponential { beta, .. }
            | Self::Sparse { beta, .. }
            | Self::Linear { beta, .. }
            | Self::Markov { beta, .. } => Some(beta),
        }
    }

    /// The name of the weights in configs, where they are not softmax's.
    pub fn weights(&self) -> Option<&'static str> {
        match self {
            Self::Sparse { form, .. } => Some(form.name()),
            Self::Linear { rectified, .. } => Some(if *rectified { "relu" } else { "linear" }),
            _ => None,
        }
    }
}

/// The score of a pair of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scoring {
    /// `<A x_i, x_j>`.
    #[default]
    Inner,
    /// `−|x_i − x_j|²/2`: the nearest keys score most, a token itself 0. Localmax then averages a
    /// ball (Hegselmann–Krause bounded confidence, arXiv 1406.0819), softmax is Gaussian blurring
    /// mean shift (Cheng 1995).
    Distance,
}

named!(Scoring, "scores", [Inner = "inner", Distance = "distance"]);

/// Where the matrix of an operator comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// One matrix for all steps.
    Constant(Matrix),
    /// Drawn.
    Random(Random),
}

/// A linear map in time, `factor(t) · matrix`.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// The matrix.
    pub source: Source,
    /// The factor in time; 1 if none was given.
    pub factor: Schedule,
}

/// A of the scores `<A(t) x_i, x_j>`.
pub type Scores = Operator;

impl Operator {
    /// An operator that does not change in time.
    pub fn constant(matrix: Matrix) -> Self {
        Self::scaled(matrix, Schedule::Constant(1.0))
    }

    /// A matrix times a factor in time.
    pub fn scaled(matrix: Matrix, factor: Schedule) -> Self {
        Self { source: Source::Constant(matrix), factor }
    }

    /// The identity operator.
    pub fn identity() -> Self {
        Self::constant(Matrix::Identity)
    }

    /// True if this is the identity at every time.
    pub fn is_identity(&self) -> bool {
        self.matrix() == Some(&Matrix::Identity) && self.factor == Schedule::Constant(1.0)
    }

    /// The matrix of all steps; `None` where it is drawn.
    pub fn matrix(&self) -> Option<&Matrix> {
        match &self.source {
            Source::Constant(matrix) => Some(matrix),
            Source::Random(_) => None,
        }
    }

    /// What draws the matrix; `None` where it is given.
    pub fn random(&self) -> Option<&Random> {
        match &self.source {
            Source::Constant(_) => None,
            Source::Random(random) => Some(random),
        }
    }

    /// The matrix of step t for tokens in R^d.
    pub fn matrix_at(&self, t: u64, d: usize) -> Matrix {
        match &self.source {
            Source::Constant(matrix) => matrix.clone(),
            Source::Random(random) => random.at(t, d),
        }
    }

    /// True if the matrix has d×d entries of its own.
    pub fn is_dense(&self) -> bool {
        self.matrix().is_none_or(|matrix| matrix.dimension().is_some())
    }

    /// The transpose, where the matrix is given.
    pub(crate) fn transposed(&self) -> Self {
        let source = match &self.source {
            Source::Constant(matrix) => Source::Constant(matrix.transpose()),
            drawn @ Source::Random(_) => drawn.clone(),
        };
        Self { source, factor: self.factor.clone() }
    }

    /// The factor at a moment, checked; `name` is the key of the operator.
    ///
    /// # Errors
    /// A factor that is not finite.
    pub fn factor_at(&self, name: &str, at: Moment) -> Result<f64> {
        checked(&format!("{name}.factor"), &self.factor, at, "finite", |_| true)
    }
}

/// One head: the matrix of its scores, and the values that its keys carry.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// A_h of the scores `<A_h x_i, x_j>`; `KᵀQ` for queries Q x_i and keys K x_j.
    pub scores: Operator,
    /// V_h, applied to the weighted sum of tokens (U_h in arXiv 2412.02682).
    pub values: Operator,
}

impl Head {
    /// A head scored by the bilinear form `x_iᵀ P x_j` (arXiv 2412.02682), so A = Pᵀ. A drawn P, whose law is that of
    /// its transpose, is drawn as A.
    pub fn bilinear(p: &Operator, u: Operator) -> Self {
        Self { scores: p.transposed(), values: u }
    }
}

/// The gain: how far a token moves towards its row's output. The two forms are alternatives.
#[derive(Clone, Debug, PartialEq)]
pub enum Gain {
    /// α(t) > 0, γ = α/(1+α).
    Alpha(Schedule),
    /// γ(t) itself.
    Gamma(Schedule),
}

/// The update of a token from its row's output y_i.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Update {
    /// `x_i' = x_i + γ(t)·P(t)(y_i − x_i)`.
    Average {
        /// γ.
        gain: Gain,
        /// P; the identity if `None`. With another P the hull of the tokens may grow (arXiv
        /// 2508.09628).
        preconditioner: Option<Operator>,
    },
    /// A differential equation with right-hand side y_i, kept on its geometry.
    Flow {
        /// Length of a step, above 0; the time of step t is t·dt.
        dt: f64,
        /// The scheme.
        integrator: Integrator,
        /// The geometry that the tokens stay on.
        geometry: Geometry,
    },
}

/// Integration schemes for flows, by their map of x; f is the output y projected on the geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Integrator {
    /// `x ← retract(x + dt·f(x))`.
    Euler,
    /// The classical scheme of order four; stages are not retracted, the step is.
    Rk4,
    /// `x ← retract(x + dt·y(x))`: no projection, the authors' own (arXiv 2312.10794, their code).
    EulerRenorm,
}

named!(Integrator, "integrator", [Euler = "euler", Rk4 = "rk4", EulerRenorm = "euler-renorm"]);

impl Integrator {
    /// The times at which the stages of a step are evaluated, in units of dt from its start.
    pub fn stages(self) -> &'static [f64] {
        match self {
            Self::Euler | Self::EulerRenorm => &[0.0],
            Self::Rk4 => &[0.0, 0.5, 0.5, 1.0],
        }
    }
}

/// The geometry that the tokens of a flow stay on, and its field f.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Geometry {
    /// R^d: f = y.
    Flat,
    /// |x| = 1: f = y − <x, y>x, retraction x/|x|.
    Sphere,
    /// xᵀWx = 1, W symmetric positive definite: f = y − x·(xᵀWy)/(xᵀWx), retraction x/sqrt(xᵀWx).
    Ellipsoid(Matrix),
    /// The directions x/|x|, under a scheme of normalisation: on the sphere, or in R^d.
    Normalised(Scheme),
    /// z = e^{−tV}x in R^d: f = V Σ_j w_ij (z_j − z_i) with the scores of x = e^{tV}z; no
    /// retraction.
    Rescaled,
}

impl Geometry {
    /// The name of the system on this geometry.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Sphere | Self::Normalised(_) => "sphere",
            Self::Ellipsoid(_) => "ellipsoid",
            Self::Rescaled => "rescaled",
        }
    }

    /// Moves x onto the geometry at the start of a run along its ray. The result for a zero token, which has no ray, is
    /// not finite.
    pub fn retract(&self, x: &mut [f64]) {
        let square = match self {
            Self::Flat | Self::Rescaled => return,
            Self::Normalised(scheme) if !scheme.is_on_sphere(0.0) => return,
            Self::Sphere | Self::Normalised(_) => x.iter().map(|v| v * v).sum::<f64>(),
            Self::Ellipsoid(w) => w.apply(x).iter().zip(x.iter()).map(|(a, b)| a * b).sum(),
        };
        let norm = square.sqrt();
        for v in x {
            *v /= norm;
        }
    }
}
