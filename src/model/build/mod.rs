//! Systems in code: a constructor for each rule, and what it leaves open.
//!
//! A scalar parameter is anything that becomes a [`Schedule`]: a number, a text in t such as
//! `"1/(t+1)"`, or a schedule itself. A matrix is anything that becomes a [`Matrix`]: an array of
//! rows, a number for its multiple of the identity, or a matrix itself. Values are checked against
//! their domains where a run starts.

mod parts;

use super::{Gain, Geometry, Head, Integrator, Mask, Matrix, Model, Operator, Rule, Scoring, StripForm, Terms, Update};
use crate::error::{Error, Result};
use crate::schedule::Schedule;

/// The constructors of every rule; α = 1, A = V = I, no mask.
impl Model {
    /// Localmax attention (Eq. 5 of arXiv 2509.15958, as reconstructed), with alignment sensitivity
    /// δ(t) >= 0:
    ///
    /// ```text
    /// x_i' = x_i + α/(1+α)·(mean of x_j over C_i − x_i),   C_i = { j : max_l S_il − S_ij <= δ·s_i },   S_ij = <A x_i, x_j>
    /// ```
    ///
    /// The strip C_i is measured in scores, s_i = 1, unless [`Model::strip`] says otherwise.
    ///
    /// # Errors
    /// A text that is no expression in t.
    pub fn localmax(delta: impl TryInto<Schedule, Error: Into<Error>>) -> Result<Self> {
        Ok(Self::average(Rule::Localmax { delta: schedule(delta)?, strip: StripForm::Score }))
    }

    /// Hardmax attention (arXiv 2407.01602): the mean over the exact maximisers of S_i, localmax at
    /// δ = 0.
    pub fn hardmax() -> Self {
        Self::average(Rule::Hardmax)
    }

    /// SA_inf, the Frank–Wolfe map (arXiv 2508.09628), with γ(t) in (0, 1]: `x_i' = x_i + γ·(x_j −
    /// x_i)` for the j of lowest index that maximises S_ij.
    ///
    /// # Errors
    /// A text that is no expression in t.
    pub fn frank_wolfe(gamma: impl TryInto<Schedule, Error: Into<Error>>) -> Result<Self> {
        Self::average(Rule::FrankWolfe).gamma(gamma)
    }

    /// SA_β, softmax attention (arXiv 2508.09628), with inverse temperature β(t) >= 0:
    /// `x_i' = x_i + α/(1+α)·(Σ_j w_ij x_j − x_i)`, `w_ij = e^{β S_ij} / Σ_l e^{β S_il}`.
    ///
    /// # Errors
    /// A text that is no expression in t.
    pub fn softmax(beta: impl TryInto<Schedule, Error: Into<Error>>) -> Result<Self> {
        Ok(Self::average(Rule::Softmax { beta: schedule(beta)? }))
    }

    /// SA_P (arXiv 2508.09628): x_i moves by α/(1+α) of the way towards one x_j, drawn with
    /// softmax's probabilities at β(t) >= 0. Equal seeds give equal draws.
    ///
    /// # Errors
    /// A text that is no expression in t.
    pub fn markov(beta: impl TryInto<Schedule, Error: Into<Error>>, seed: u64) -> Result<Self> {
        Ok(Self::average(Rule::Markov { beta: schedule(beta)?, seed }))
    }

    /// SA on the unit sphere (arXiv 2312.10794), with β(t) >= 0: `dx_i/dt = y_i − <x_i, y_i>x_i`,
    /// `y_i = V Σ_j w_ij x_j` with softmax's weights, in steps of length dt by the authors' scheme,
    /// [`Integrator::EulerRenorm`]. [`Model::causal`] makes it CSA (arXiv 2411.04990),
    /// [`Model::unnormalized`] USA.
    ///
    /// # Errors
    /// A text that is no expression in t.
    pub fn sphere(beta: impl TryInto<Schedule, Error: Into<Error>>, dt: f64) -> Result<Self> {
        Ok(flow(Rule::Softmax { beta: schedule(beta)? }, one_head(), dt, Integrator::EulerRenorm, Geometry::Sphere))
    }

    /// Attention of several heads on the ellipsoid xᵀWx = 1 (arXiv 2412.02682), W symmetric
    /// positive definite: `dx_i/dt = y_i − x_i·(x_iᵀW y_i)`, `y_i = Σ_h U_h Σ_j w^h_ij x_j`,
    /// `w^h_ij ∝ e^{x_iᵀ P_h x_j}`, in steps of length dt by [`Integrator::Rk4`].
    /// [`Head::bilinear`] makes a head of P and U.
    ///
    /// # Errors
    /// A W that is no square matrix.
    pub fn ellipsoid(w: impl TryInto<Matrix, Error: Into<Error>>, heads: Vec<Head>, dt: f64) -> Result<Self> {
        let rule = Rule::Softmax { beta: Schedule::Constant(1.0) };
        Ok(flow(rule, heads, dt, Integrator::Rk4, Geometry::Ellipsoid(matrix(w)?)))
    }

    /// Attention in rescaled coordinates z = e^{−tV}x (arXiv 2305.05465): `dz_i/dt = V Σ_j w_ij
    /// (z_j − z_i)`, `w_ij ∝ e^{<A e^{tV} z_i, A e^{tV} z_j>}`, in steps of length dt by
    /// [`Integrator::Euler`]. A stands on both sides of a score.
    ///
    /// # Errors
    /// A V that is no square matrix.
    pub fn rescaled(v: impl TryInto<Matrix, Error: Into<Error>>, dt: f64) -> Result<Self> {
        let heads = vec![Head { scores: Operator::identity(), values: Operator::constant(matrix(v)?) }];
        let rule = Rule::Softmax { beta: Schedule::Constant(1.0) };
        Ok(flow(rule, heads, dt, Integrator::Euler, Geometry::Rescaled))
    }

    /// Hegselmann–Krause bounded confidence (2002; arXiv 1406.0819) with radius ε(t) >= 0: `x_i' = mean
    /// of x_j with |x_i − x_j| <= ε`. It is localmax whose scores are distances, at γ = 1.
    ///
    /// # Errors
    /// A text that is no expression in t.
    pub fn hegselmann_krause(epsilon: impl TryInto<Schedule, Error: Into<Error>>) -> Result<Self> {
        Self::localmax(epsilon)?.strip(StripForm::Radius)?.distances().gamma(1.0)
    }

    /// Gaussian blurring mean shift (Cheng 1995; arXiv 2512.01868) with bandwidth h > 0: `x_i' = Σ_j w_ij
    /// x_j`, `w_ij ∝ e^{−|x_i − x_j|²/(2h²)}`. It is softmax whose scores are distances, at β = 1/h²
    /// and γ = 1.
    ///
    /// # Errors
    /// h not finite and above 0.
    pub fn blurring_mean_shift(h: f64) -> Result<Self> {
        if !(h.is_finite() && h > 0.0) {
            return Err(Error::input(format!("the bandwidth h is {h}; it must be finite and above 0")));
        }
        Self::softmax(1.0 / (h * h))?.distances().gamma(1.0)
    }

    /// Scores pairs by distance, `S_ij = −|x_i − x_j|²/2`, in localmax, softmax and markov; γ may then
    /// be 1.
    #[must_use]
    pub fn distances(mut self) -> Self {
        self.scoring = Scoring::Distance;
        self
    }

    /// Sets the step size α(t) > 0, γ = α/(1+α).
    ///
    /// # Errors
    /// A text that is no expression in t; a flow, whose steps have a length instead.
    pub fn alpha(self, alpha: impl TryInto<Schedule, Error: Into<Error>>) -> Result<Self> {
        self.gain("alpha", Gain::Alpha(schedule(alpha)?))
    }

    /// Sets γ(t) in (0, 1) itself, in place of α.
    ///
    /// # Errors
    /// As [`Model::alpha`].
    pub fn gamma(self, gamma: impl TryInto<Schedule, Error: Into<Error>>) -> Result<Self> {
        self.gain("gamma", Gain::Gamma(schedule(gamma)?))
    }

    fn gain(mut self, key: &str, given: Gain) -> Result<Self> {
        match &mut self.update {
            Update::Average { gain, .. } => *gain = given,
            Update::Flow { .. } => return self.refuse(key, "moves in time, by dt"),
        }
        Ok(self)
    }

    /// True where scores have no β.
    fn is_fixed_at_one(&self) -> bool {
        matches!(&self.update, Update::Flow { geometry: Geometry::Ellipsoid(_) | Geometry::Rescaled, .. })
    }

    fn average(rule: Rule) -> Self {
        Self::averaging(rule, Operator::identity(), Mask::FULL, Gain::Alpha(Schedule::Constant(1.0)))
    }

    fn refuse(&self, key: &str, why: &str) -> Result<Self> {
        Err(Error::at_key(format!("model.{key}"), format!("is given but rule {} {why}; leave it out", self.name())))
    }
}

fn flow(rule: Rule, heads: Vec<Head>, dt: f64, integrator: Integrator, geometry: Geometry) -> Model {
    let update = Update::Flow { dt, integrator, geometry };
    Model {
        rule,
        scoring: Scoring::Inner,
        heads,
        mask: Mask::FULL,
        update,
        omit: 0.0,
        terms: Terms::default(),
        keys: None,
        graph: None,
    }
}

fn one_head() -> Vec<Head> {
    vec![Head { scores: Operator::identity(), values: Operator::identity() }]
}

fn schedule(given: impl TryInto<Schedule, Error: Into<Error>>) -> Result<Schedule> {
    given.try_into().map_err(Into::into)
}

fn matrix(given: impl TryInto<Matrix, Error: Into<Error>>) -> Result<Matrix> {
    given.try_into().map_err(Into::into)
}
