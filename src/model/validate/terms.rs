//! Checks of what moves tokens beside attention, and of what is taken from it.

use super::refuse;
use crate::error::Result;
use crate::model::{Geometry, Integrator, Model, Rule, Scoring, Update};
use crate::num;

impl Model {
    pub(super) fn validate_noise(&self) -> Result<()> {
        let Some(noise) = &self.terms.noise else { return Ok(()) };
        match &self.update {
            Update::Flow { geometry: Geometry::Sphere, integrator: Integrator::Rk4, .. } => {
                refuse("integrator", "is rk4 but model.noise is given, which no order four holds for; take euler")
            }
            Update::Flow { geometry: Geometry::Sphere, .. } => Ok(()),
            Update::Flow { geometry: Geometry::Normalised(scheme), .. } => {
                let (kappa, name) = (&noise.kappa, scheme.name());
                refuse("noise", format!("is {kappa} but model.normalisation is {name}; it goes with post alone"))
            }
            _ => {
                let (kappa, name) = (&noise.kappa, self.name());
                refuse("noise", format!("is {kappa} but rule {name} has no sphere to move along; leave it out"))
            }
        }
    }

    pub(super) fn validate_perceptron(&self, d: usize) -> Result<()> {
        let Some(perceptron) = &self.terms.perceptron else { return Ok(()) };
        let units = perceptron.dimension();
        match &self.update {
            Update::Flow { geometry: Geometry::Sphere, .. } if units == d => Ok(()),
            Update::Flow { geometry: Geometry::Sphere, .. } => {
                refuse("perceptron.a", format!("has units in R^{units} but the tokens have d = {d}"))
            }
            Update::Flow { geometry: Geometry::Normalised(scheme), .. } => {
                let name = scheme.name();
                refuse("perceptron", format!("is given but model.normalisation is {name}; it goes with post alone"))
            }
            _ => refuse("perceptron", format!("is given but rule {} has no sphere; leave it out", self.name())),
        }
    }

    pub(super) fn validate_bias(&self) -> Result<()> {
        let (lambda, name) = (self.terms.bias, self.name());
        let given = || format!("is {}", num::short(lambda));
        match (&self.rule, &self.update) {
            _ if !(lambda.is_finite() && lambda >= 0.0) => {
                refuse("bias", format!("{}; it must be finite and at least 0", given()))
            }
            _ if lambda == 0.0 => Ok(()),
            _ if self.rule.beta().is_none() => refuse(
                "bias",
                format!("{} but rule {name} has no weights that a bias would shift; leave it out", given()),
            ),
            (_, Update::Flow { geometry: Geometry::Rescaled | Geometry::Ellipsoid(_), .. }) => {
                refuse("bias", format!("{} but rule {name} has no β; softmax, markov and sphere take it", given()))
            }
            _ if self.scoring == Scoring::Distance => {
                refuse("bias", format!("{} beside scores = \"distance\"; it goes with inner products", given()))
            }
            _ if !self.mask.causal => {
                let mend = "give causal = true";
                refuse("bias", format!("{} without a causal mask, where keys would lie on both sides; {mend}", given()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn validate_exclusive(&self) -> Result<()> {
        let heads = self.heads.len();
        match (&self.rule, &self.update) {
            _ if !self.terms.exclusive => Ok(()),
            _ if heads > 1 => {
                refuse("exclusive", format!("is true but there are {heads} heads; it goes with the value of one"))
            }
            (_, Update::Flow { geometry: Geometry::Rescaled, .. })
            | (Rule::FrankWolfe | Rule::Markov { .. }, Update::Average { .. }) => {
                let name = self.name();
                refuse("exclusive", format!("is true but rule {name} has no output with a value; leave it out"))
            }
            _ => Ok(()),
        }
    }

    /// Checks what goes with a truth: it has a share of what one head averages.
    pub(super) fn validate_truth(&self, d: usize) -> Result<()> {
        let Some(truth) = &self.terms.truth else { return Ok(()) };
        let (name, own) = (self.name(), truth.point.d());
        match (&self.rule, &self.update) {
            (
                Rule::Localmax { .. } | Rule::Softmax { .. } | Rule::Sparse { .. },
                Update::Average { preconditioner: None, .. },
            ) if own == d => Ok(()),
            (
                Rule::Localmax { .. } | Rule::Softmax { .. } | Rule::Sparse { .. },
                Update::Average { preconditioner: None, .. },
            ) => refuse("truth.point", format!("is in R^{own} but the tokens have d = {d}")),
            _ => refuse("truth", format!("is given but rule {name} has none; localmax and softmax take it")),
        }
    }
}
