//! The parts of a system, set one by one.

use std::sync::Arc;

use super::{matrix, schedule};
use crate::error::{Error, Result};
use crate::model::{
    Geometry, Graph, Integrator, Matrix, Model, Noise, Operator, Perceptron, Rule, Scheme, Sparse, StripForm, Truth,
    Update,
};
use crate::schedule::Schedule;
use crate::tokens::Tokens;

/// What a rule leaves open.
impl Model {
    /// Sets what δ is measured in.
    ///
    /// # Errors
    /// A rule other than localmax.
    pub fn strip(mut self, form: StripForm) -> Result<Self> {
        match &mut self.rule {
            Rule::Localmax { strip, .. } => *strip = form,
            _ => return self.refuse("strip", "has no strip"),
        }
        Ok(self)
    }

    /// Sets A of the scores `<A x_i, x_j>`, in every head; `<A x_i, A x_j>` in [`Model::rescaled`].
    /// For queries Q x_i and keys K x_j it is [`Matrix::from_query_key`].
    ///
    /// # Errors
    /// No square matrix; an entry that is not finite.
    pub fn matrix(mut self, a: impl TryInto<Matrix, Error: Into<Error>>) -> Result<Self> {
        let a = matrix(a)?;
        let is_two_sided = matches!(self.update, Update::Flow { geometry: Geometry::Rescaled, .. });
        let scores = Operator::constant(if is_two_sided { a.square_form()? } else { a });
        self.heads.iter_mut().for_each(|head| head.scores = scores.clone());
        Ok(self)
    }

    /// Sets V, applied to what every head sums. A V other than the identity may take tokens out of
    /// their hull, so that the system runs in real numbers.
    ///
    /// # Errors
    /// No square matrix; an entry that is not finite.
    pub fn values(mut self, v: impl TryInto<Matrix, Error: Into<Error>>) -> Result<Self> {
        let values = Operator::constant(matrix(v)?);
        self.heads.iter_mut().for_each(|head| head.values = values.clone());
        Ok(self)
    }

    /// Sets P of `x_i' = x_i + γ·P(y_i − x_i)` (arXiv 2508.09628); the system runs in real numbers.
    ///
    /// # Errors
    /// No square matrix; a flow.
    pub fn preconditioner(mut self, p: impl TryInto<Matrix, Error: Into<Error>>) -> Result<Self> {
        match &mut self.update {
            Update::Average { preconditioner, .. } => *preconditioner = Some(Operator::constant(matrix(p)?)),
            Update::Flow { .. } => return self.refuse("p", "moves in time and has no P"),
        }
        Ok(self)
    }

    /// Lets token i see tokens 0 to i alone.
    #[must_use]
    pub fn causal(mut self) -> Self {
        self.mask.causal = true;
        self
    }

    /// Lets token i see tokens i − w to i + w alone, w at least 1; none after its own where it is causal.
    #[must_use]
    pub fn window(mut self, w: u32) -> Self {
        self.mask.window = Some(w);
        self
    }

    /// Lets no token see itself. One that then sees no token stays where it is.
    #[must_use]
    pub fn without_self(mut self) -> Self {
        self.mask.own = false;
        self
    }

    /// Has tokens attend to fixed keys in place of one another: cross attention, retrieval from a modern Hopfield
    /// network (softmax, γ = 1), mean shift on a fixed density (by distance). In rules that average.
    #[must_use]
    pub fn fixed_keys(mut self, keys: Tokens) -> Self {
        self.mask.fixed = u32::try_from(keys.n()).unwrap_or(u32::MAX);
        self.keys = Some(Arc::new(keys));
        self
    }

    /// Lets each token see the tokens of its edges alone, and itself.
    #[must_use]
    pub fn graph(mut self, graph: Graph) -> Self {
        (self.mask.graph, self.graph) = (true, Some(Arc::new(graph)));
        self
    }

    /// Sets the linear bias of position, λ in `S_ij = <A x_i, x_j> − λ(i − j)/n` (ALiBi); it goes with a causal mask.
    #[must_use]
    pub fn bias(mut self, lambda: f64) -> Self {
        self.terms.bias = lambda;
        self
    }

    /// Takes from every row's output what lies along its own value (XSA, arXiv 2603.09078); the system runs in real
    /// numbers.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.terms.exclusive = true;
        self
    }

    /// Draws tokens to a point τ, which takes the share w in [0, 1] of what a row averages (Hegselmann and Krause 2006);
    /// w may have a value a token. In localmax and softmax.
    ///
    /// # Errors
    /// A text that is no expression in t; a coordinate of τ that is not finite.
    pub fn truth(mut self, point: &[f64], weight: impl TryInto<Schedule, Error: Into<Error>>) -> Result<Self> {
        let point = Arc::new(Tokens::from_flat(1, point.len(), point.to_vec())?);
        self.terms.truth = Some(Truth { point, weight: schedule(weight)? });
        Ok(self)
    }

    /// Lets an engine leave out a share ω in [0, 1) of every row's softmax mass, which moves a mean
    /// by at most 2ωR, R the radius of the cloud.
    #[must_use]
    pub fn omit(mut self, share: f64) -> Self {
        self.omit = share;
        self
    }

    /// Sets the scheme of a flow.
    ///
    /// # Errors
    /// A rule that averages.
    pub fn integrator(mut self, scheme: Integrator) -> Result<Self> {
        match &mut self.update {
            Update::Flow { integrator, .. } => *integrator = scheme,
            Update::Average { .. } => return self.refuse("integrator", "moves in steps, not in time"),
        }
        Ok(self)
    }

    /// USA in place of SA (arXiv 2312.10794): weights `e^{β (S_ij − origin)} / m`, m the number of
    /// keys that row i sees, which need not sum to 1. USA itself has origin 0; another one only
    /// measures time in other units.
    ///
    /// # Errors
    /// A rule other than [`Model::sphere`]'s.
    pub fn unnormalized(mut self, origin: f64) -> Result<Self> {
        self.rule = match (&self.update, self.rule.clone()) {
            (Update::Flow { geometry: Geometry::Sphere, .. }, Rule::Softmax { beta }) => {
                Rule::Exponential { beta, origin }
            }
            _ => return self.refuse("origin", "has weights of sum 1"),
        };
        Ok(self)
    }

    /// Noise of inverse temperature κ(t) > 0 along the sphere, drawn from a seed; one field for all tokens if it
    /// is `common`.
    ///
    /// # Errors
    /// A text that is no expression in t; a rule other than [`Model::sphere`]'s.
    pub fn noise(mut self, kappa: impl TryInto<Schedule, Error: Into<Error>>, seed: u64, common: bool) -> Result<Self> {
        if !matches!(&self.update, Update::Flow { geometry: Geometry::Sphere, .. }) {
            return self.refuse("noise", "has no sphere to move along");
        }
        self.terms.noise = Some(Noise { kappa: schedule(kappa)?, common, seed });
        Ok(self)
    }

    /// A scheme of normalisation in place of post-norm, which the sphere is (arXiv 2510.22026). Where lengths change
    /// tokens are in R^d, and the integrator becomes [`Integrator::Euler`].
    ///
    /// # Errors
    /// A rule other than [`Model::sphere`]'s.
    pub fn normalisation(mut self, scheme: Scheme) -> Result<Self> {
        match &mut self.update {
            Update::Flow { geometry: geometry @ Geometry::Sphere, integrator, .. } => {
                if !scheme.keeps_length() {
                    *integrator = Integrator::Euler;
                }
                *geometry = Geometry::Normalised(scheme);
            }
            _ => return self.refuse("normalisation", "has no directions"),
        }
        Ok(self)
    }

    /// A perceptron beside attention: f = P(y + Σ_k ω_k σ(<a_k, x>) a_k) (arXiv 2601.21366).
    ///
    /// # Errors
    /// A rule other than [`Model::sphere`]'s.
    pub fn perceptron(mut self, perceptron: Perceptron) -> Result<Self> {
        if !matches!(&self.update, Update::Flow { geometry: Geometry::Sphere, .. }) {
            return self.refuse("perceptron", "has no sphere to move along");
        }
        self.terms.perceptron = Some(perceptron);
        Ok(self)
    }

    /// Sparse weights in place of softmax's, at its β.
    ///
    /// # Errors
    /// A rule other than [`Model::softmax`]'s and [`Model::sphere`]'s.
    pub fn sparse(mut self, form: Sparse) -> Result<Self> {
        self.rule = match self.rule.clone() {
            Rule::Softmax { beta } if !self.is_fixed_at_one() => Rule::Sparse { beta, form },
            _ => return self.refuse("weights", "has weights of its own"),
        };
        Ok(self)
    }

    /// Weights `β S_ij / m` in place of softmax's, or `max(0, β S_ij) / m`, m the number of keys that row i
    /// sees (arXiv 2607.18584 has β = 1). They need not sum to 1.
    ///
    /// # Errors
    /// A rule other than [`Model::sphere`]'s.
    pub fn linear(mut self, rectified: bool) -> Result<Self> {
        self.rule = match (&self.update, self.rule.clone()) {
            (Update::Flow { geometry: Geometry::Sphere, .. }, Rule::Softmax { beta }) => {
                Rule::Linear { beta, rectified }
            }
            _ => return self.refuse("weights", "has weights of sum 1"),
        };
        Ok(self)
    }
}
