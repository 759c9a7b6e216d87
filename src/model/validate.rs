//! What is checked before the first step: parameter, value, domain.

use super::{Geometry, Integrator, MAX_DIMENSION, Matrix, Model, Rule, Update};
use crate::error::{Error, Result};
use crate::tokens::{Coordinates, Precision, Tokens};

impl Model {
    /// Checks shapes against tokens in R^d, that the parts fit one another, and every schedule at the steps `0..steps`.
    ///
    /// # Errors
    /// The first parameter outside its domain, with name, value, step and domain.
    pub fn validate(&self, d: usize, steps: u64) -> Result<()> {
        if d > MAX_DIMENSION {
            return Err(Error::input(format!("d = {d} exceeds the largest dimension, {MAX_DIMENSION}")));
        }
        if self.heads.is_empty() {
            return Err(Error::input("model.heads is empty; it must have at least one head { p, u }"));
        }
        for (h, head) in self.heads.iter().enumerate() {
            square(&self.scores_name(h), &head.scores.matrix, d)?;
            square(&self.values_name(h), &head.values.matrix, d)?;
        }
        self.validate_rule()?;
        match &self.update {
            Update::Average { preconditioner: Some(p), .. } => square("p", &p.matrix, d)?,
            Update::Average { .. } => {}
            Update::Flow { dt, integrator, geometry } => self.validate_flow(d, *dt, *integrator, geometry)?,
        }
        let last = if self.is_autonomous() { steps.min(1) } else { steps };
        (0..last).try_for_each(|t| self.validate_step(t))
    }

    /// Every schedule at every stage of step t.
    fn validate_step(&self, t: u64) -> Result<()> {
        let stages = if let Update::Flow { integrator, .. } = &self.update { integrator.stages() } else { &[0.0] };
        for &fraction in stages {
            let at = self.moment(t, fraction);
            self.gamma(at)?;
            self.delta(at)?;
            self.beta(at)?;
            for h in 0..self.heads.len() {
                self.score_factor(h, at)?;
                self.value_factor(h, at)?;
            }
            if let Update::Average { preconditioner: Some(p), .. } = &self.update {
                p.factor_at("p", at)?;
            }
        }
        Ok(())
    }

    fn validate_rule(&self) -> Result<()> {
        let name = self.rule.name();
        let flows = matches!(self.update, Update::Flow { .. });
        match &self.rule {
            Rule::Localmax { .. } | Rule::Hardmax | Rule::FrankWolfe | Rule::Markov { .. } if flows => {
                Err(Error::input(format!(
                    "model.integrator is given but rule {name} moves in steps, not in time; leave out integrator and dt"
                )))
            }
            Rule::Exponential { .. } if !flows => {
                Err(Error::input("model.normalized is false but the rule averages; it needs weights that sum to 1"))
            }
            Rule::Exponential { origin, .. } if !origin.is_finite() => {
                Err(Error::input(format!("model.origin is {origin}; it must be finite")))
            }
            Rule::Markov { .. } if self.heads.len() > 1 => {
                let heads = self.heads.len();
                Err(Error::input(format!("model.heads has {heads} heads; rule markov draws from one")))
            }
            _ => Ok(()),
        }
    }

    fn validate_flow(&self, d: usize, dt: f64, integrator: Integrator, geometry: &Geometry) -> Result<()> {
        if !(dt.is_finite() && dt > 0.0) {
            return Err(Error::input(format!("model.dt is {dt}; it must be finite and above 0")));
        }
        if integrator == Integrator::EulerRenorm && matches!(geometry, Geometry::Flat | Geometry::Rescaled) {
            return Err(Error::input(format!(
                "model.integrator is euler-renorm but rule {} has no norm to return to; it must be euler or rk4",
                geometry.name()
            )));
        }
        match geometry {
            Geometry::Ellipsoid(w) => {
                square("w", w, d)?;
                w.require_positive_definite("w")
            }
            Geometry::Rescaled => match &self.heads[..] {
                [head] if matches!(self.rule, Rule::Softmax { .. }) && head.values.factor.is_constant() => Ok(()),
                _ => {
                    Err(Error::input("rule rescaled needs one head, softmax weights and a v that is constant in time"))
                }
            },
            Geometry::Flat | Geometry::Sphere => Ok(()),
        }
    }

    /// The cloud as a run of this model starts from it, in the stored width: moved onto the sphere or the ellipsoid along its rays, and otherwise as
    /// it is. (A system of the contract starts from its lattice instead, [`crate::contract::Grid::snap`].)
    ///
    /// # Errors
    /// A token at the origin, or so large that its norm overflows, on a geometry that has no place for it.
    pub fn start(&self, tokens: &Tokens, precision: Precision) -> Result<Tokens> {
        let (n, d) = (tokens.n(), tokens.d());
        let mut x = tokens.to_f64();
        if let Update::Flow { geometry, .. } = &self.update {
            for (i, row) in x.chunks_exact_mut(d).enumerate() {
                geometry.retract(row);
                if row.iter().any(|v| !v.is_finite())
                    || row.iter().all(|&v| v == 0.0) && *geometry != Geometry::Flat && *geometry != Geometry::Rescaled
                {
                    return Err(Error::input(format!(
                        "token {i} is {:?}, which has no direction; every token of rule {} must be nonzero with a finite norm",
                        tokens.row(i),
                        geometry.name()
                    )));
                }
            }
        }
        let coordinates = match precision {
            Precision::F32 => Coordinates::F32(x.iter().map(|&v| v as f32).collect()),
            Precision::F64 => Coordinates::F64(x),
        };
        Tokens::new(n, d, coordinates)
    }
}

fn square(name: &str, matrix: &Matrix, d: usize) -> Result<()> {
    match matrix.dimension() {
        Some(rows) if rows != d => {
            Err(Error::input(format!("model.{name} is {rows}×{rows} but the tokens have d = {d}; it must be {d}×{d}")))
        }
        _ => Ok(()),
    }
}
