//! Checks before the first step: every parameter against its domain.

mod terms;
#[cfg(test)]
mod tests;

use super::{
    Geometry, Integrator, MAX_DIMENSION, MAX_DISTANCE_DIMENSION, Mask, Matrix, Model, Operator, Rule, Scheme, Scoring,
    StripForm, Update,
};
use crate::error::{Error, Result};
use crate::num;
use crate::tokens::{Coordinates, Precision, Tokens};

impl Model {
    /// Checks the shapes against tokens in R^d, the parts against one another, and every schedule
    /// at the steps `0..steps`.
    ///
    /// # Errors
    /// The first parameter outside its domain, with name, value, step and domain.
    pub fn validate(&self, d: usize, steps: u64) -> Result<()> {
        if d > MAX_DIMENSION {
            return Err(Error::input(format!("d = {d} exceeds the largest dimension, {MAX_DIMENSION}")));
        }
        if self.heads.is_empty() {
            return refuse("heads", "is empty; it must have at least one head { p, u }");
        }
        for (h, head) in self.heads.iter().enumerate() {
            square(&self.scores_name(h), &head.scores, d)?;
            square(&self.values_name(h), &head.values, d)?;
        }
        self.validate_mask()?;
        self.validate_keys(d)?;
        self.validate_rule()?;
        self.validate_scoring(d)?;
        self.validate_noise()?;
        self.validate_perceptron(d)?;
        self.validate_exclusive()?;
        self.validate_bias()?;
        self.validate_truth(d)?;
        match &self.update {
            Update::Average { preconditioner: Some(p), .. } => square("p", p, d)?,
            Update::Average { .. } => {}
            Update::Flow { dt, integrator, geometry } => self.validate_flow(d, *dt, *integrator, geometry)?,
        }
        let last = if self.is_autonomous() { steps.min(1) } else { steps };
        (0..last).try_for_each(|t| self.validate_step(t))
    }

    /// Checks every schedule at every stage of step t.
    fn validate_step(&self, t: u64) -> Result<()> {
        let stages = if let Update::Flow { integrator, .. } = &self.update { integrator.stages() } else { &[0.0] };
        for &fraction in stages {
            let at = self.moment(t, fraction);
            self.gamma_at(at)?;
            self.delta_at(at)?;
            self.beta_at(at)?;
            if let Update::Flow { geometry: Geometry::Normalised(scheme), .. } = &self.update {
                scheme.length_at(at)?;
            }
            self.terms.noise.as_ref().map_or(Ok(0.0), |noise| noise.kappa_at(at))?;
            self.terms.truth.as_ref().map_or(Ok(0.0), |truth| truth.weight_at(at))?;
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
        if !(0.0..1.0).contains(&self.omit) {
            return refuse("omit", format!("is {}; it must be at least 0 and below 1", num::short(self.omit)));
        }
        let on_sphere = matches!(&self.update, Update::Flow { geometry: Geometry::Sphere, .. });
        if self.omit > 0.0 && !(matches!(self.rule, Rule::Softmax { .. }) && (!flows || on_sphere)) {
            let omit = num::short(self.omit);
            let only = "only softmax weights that sum to 1, in rules softmax and sphere, may be left out";
            return refuse("omit", format!("is {omit}: {only}; take it away"));
        }
        match &self.rule {
            Rule::Localmax { .. } | Rule::Hardmax | Rule::FrankWolfe | Rule::Markov { .. } if flows => {
                let wanted = "leave out integrator and dt";
                refuse("integrator", format!("is given but rule {name} moves in steps, not in time; {wanted}"))
            }
            Rule::Exponential { .. } if !flows => {
                refuse("normalized", "is false but the rule averages; it needs weights that sum to 1")
            }
            Rule::Linear { .. } if !flows => {
                let given = self.rule.weights().unwrap_or_default();
                refuse("weights", format!("is {given} but the rule averages; it needs weights that sum to 1"))
            }
            Rule::Exponential { origin, .. } if !origin.is_finite() => {
                refuse("origin", format!("is {origin}; it must be finite"))
            }
            Rule::Markov { .. } if self.heads.len() > 1 => {
                let heads = self.heads.len();
                refuse("heads", format!("has {heads} heads; rule markov draws from one"))
            }
            _ => Ok(()),
        }
    }

    /// Checks what goes with distances, and what with inner products alone.
    fn validate_scoring(&self, d: usize) -> Result<()> {
        let form = self.strip_form();
        if self.scoring == Scoring::Inner {
            let wanted = "is a distance, as strip = \"radius\" is; it goes with scores = \"distance\"";
            return if form == StripForm::Radius { refuse("epsilon", wanted) } else { Ok(()) };
        }
        let only = "localmax, softmax and markov have it";
        match (&self.rule, &self.update) {
            (Rule::Hardmax | Rule::FrankWolfe, Update::Average { .. }) => {
                let (name, mend) = (self.rule.name(), "take localmax with epsilon");
                let why = format!("but under {name} a token would follow only itself, and never move");
                return refuse("scores", format!("is distance {why}; {mend}"));
            }
            (_, Update::Flow { geometry: Geometry::Sphere, .. }) => {
                let why = "but on a sphere inner products give the same weights";
                return refuse("scores", format!("is distance {why}; leave it out"));
            }
            (Rule::Localmax { .. } | Rule::Softmax { .. } | Rule::Markov { .. }, Update::Average { .. }) => {}
            (Rule::Sparse { form, .. }, _) => {
                let given = format!("model.weights is {}", form.name());
                return refuse("scores", format!("is distance but {given}; distances go with softmax weights"));
            }
            _ => return refuse("scores", format!("is distance but rule {} has inner products; {only}", self.name())),
        }
        if d > MAX_DISTANCE_DIMENSION {
            let most = format!("; distances have at most d = {MAX_DISTANCE_DIMENSION}");
            return refuse("scores", format!("is distance and d = {d}{most}"));
        }
        if !self.heads.iter().all(|head| head.scores.is_identity()) {
            let mend = "put a factor into beta or delta, and transform the tokens for another metric";
            return refuse("a", format!("is given beside scores = \"distance\", which has no A; {mend}"));
        }
        if !matches!(form, StripForm::Score | StripForm::Radius) {
            let mend = "it must be score, or give epsilon instead of delta";
            return refuse("strip", format!("is {form}, which measures queries, beside scores = \"distance\"; {mend}"));
        }
        Ok(())
    }

    fn validate_mask(&self) -> Result<()> {
        if self.mask.window == Some(0) {
            let mend = "it must be at least 1, or leave mask out";
            return refuse("mask.window", format!("is 0, where a token sees itself at most; {mend}"));
        }
        if self.mask.graph != self.graph.is_some() {
            return refuse(
                "mask.graph",
                "is said to be there without a graph, or is there and not said; take Model::graph",
            );
        }
        if self.mask.graph && (Mask { graph: false, own: true, ..self.mask }) != Mask::FULL {
            let mend = "a graph says whom a token attends to; leave the other out";
            return refuse("mask.graph", format!("is given beside model.causal, a window or tokens.keys; {mend}"));
        }
        let (name, has_ball) = (self.rule.name(), self.rule.beta().is_none());
        if !self.mask.own && self.scoring == Scoring::Distance && has_ball {
            let why = format!("scores = \"distance\", where {name} counts from the token itself");
            return refuse("self", format!("is false beside {why}; leave it out"));
        }
        Ok(())
    }

    fn validate_keys(&self, d: usize) -> Result<()> {
        let refuse = |text: String| Err(Error::at_key("tokens.keys", text));
        let count = self.keys.as_ref().map_or(0, |keys| keys.n());
        if self.mask.fixed as usize != count {
            return refuse(format!("has {count} keys where the mask has {}; take Model::fixed_keys", self.mask.fixed));
        }
        let Some(keys) = &self.keys else { return Ok(()) };
        let alone = Mask { fixed: self.mask.fixed, ..Mask::FULL };
        if keys.d() != d {
            return refuse(format!("has keys in R^{} but the tokens have d = {d}", keys.d()));
        }
        if let Update::Flow { .. } = self.update {
            let only = "localmax, hardmax, frank-wolfe, softmax and markov take fixed keys";
            return refuse(format!("is given but rule {} moves in time; {only}", self.name()));
        }
        if self.scoring == Scoring::Distance && self.rule.beta().is_none() {
            let why = "scores = \"distance\" in localmax, whose strip begins at the token itself";
            return refuse(format!("is given beside {why}; softmax takes both"));
        }
        if self.mask != alone {
            return refuse("is given beside model.causal, mask or self; every token sees all fixed keys".into());
        }
        Ok(())
    }

    /// Checks the mask, and parameters by token, against the number of tokens.
    ///
    /// # Errors
    /// One token that does not see itself; more tokens and keys than there are numbers for; another number of values;
    /// values by token of a parameter that all tokens have in common.
    pub fn validate_count(&self, n: usize) -> Result<()> {
        const OWN: [&str; 5] = ["model.alpha", "model.gamma", "model.delta", "model.epsilon", "model.truth.weight"];
        for (key, schedule) in self.schedules() {
            let Some(values) = schedule.by_token() else { continue };
            if !OWN.contains(&key.as_str()) {
                let only = "alpha, gamma, delta, epsilon and the weight of a truth may be";
                return Err(Error::at_key(key, format!("is by token, and all tokens have one; {only}")));
            }
            if values.len() != n {
                let (found, mend) = (values.len(), "it needs one a token");
                return Err(Error::at_key(
                    key,
                    format!("has {found} values by token, and there are {n} tokens; {mend}"),
                ));
            }
        }
        let keys = self.mask.fixed as usize;
        if n.saturating_add(keys) > u32::MAX as usize {
            let most = u32::MAX;
            return Err(Error::at_key(
                "tokens.keys",
                format!("has {keys} keys beside {n} tokens; at most {most} in all"),
            ));
        }
        if let Some(graph) = &self.graph {
            let (count, alone) = (graph.n(), graph.alone().filter(|_| !self.mask.own));
            if count != n {
                return refuse("mask.graph", format!("is a graph of {count} tokens, and there are {n}"));
            }
            if let Some(i) = alone {
                let why = "no edge to another, and model.self is false, so that it attends to none";
                return refuse("mask.graph", format!("leaves token {i} with {why}; give it an edge"));
            }
        }
        if n == 1 && !self.mask.own {
            return refuse("self", "is false and there is one token, which then sees none; leave it out");
        }
        Ok(())
    }

    fn validate_flow(&self, d: usize, dt: f64, integrator: Integrator, geometry: &Geometry) -> Result<()> {
        if !(dt.is_finite() && dt > 0.0) {
            return refuse("dt", format!("is {}; it must be finite and above 0", num::short(dt)));
        }
        if integrator == Integrator::EulerRenorm && matches!(geometry, Geometry::Flat | Geometry::Rescaled) {
            let name = geometry.name();
            let wanted = "it must be euler or rk4";
            return refuse("integrator", format!("is euler-renorm but rule {name} has no norm to return to; {wanted}"));
        }
        match geometry {
            Geometry::Ellipsoid(w) => {
                is_square("w", w.dimension(), d)?;
                w.require_positive_definite("w")
            }
            Geometry::Rescaled => match &self.heads[..] {
                _ if self.draws() => Err(Error::input("rule rescaled takes no random matrices")),
                [head] if matches!(self.rule, Rule::Softmax { .. }) && head.values.factor.is_constant() => Ok(()),
                _ => {
                    Err(Error::input("rule rescaled needs one head, softmax weights and a v that is constant in time"))
                }
            },
            Geometry::Normalised(scheme) => validate_scheme(scheme, integrator),
            Geometry::Flat | Geometry::Sphere => Ok(()),
        }
    }

    /// The cloud that a run of this model starts from, in the stored width: moved onto the sphere
    /// or the ellipsoid along its rays, and otherwise as it is. (An exact rule starts from its
    /// lattice instead, [`crate::exact::Grid::snap`].)
    ///
    /// # Errors
    /// A token at the origin, or so large that its norm overflows, on a sphere or an ellipsoid.
    pub fn start(&self, tokens: &Tokens, precision: Precision) -> Result<Tokens> {
        let (n, d) = (tokens.n(), tokens.d());
        let mut x = tokens.to_f64();
        if let Update::Flow { geometry, .. } = &self.update {
            for (i, row) in x.chunks_exact_mut(d).enumerate() {
                geometry.retract(row);
                // A zero norm gives NaN, one that overflows a zero token.
                let lost = row.iter().any(|v| !v.is_finite()) || row.iter().all(|&v| v == 0.0);
                let round = matches!(geometry, Geometry::Sphere | Geometry::Ellipsoid(_) | Geometry::Normalised(_));
                if lost && round {
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
        Tokens::from_flat(n, d, coordinates)
    }
}

fn validate_scheme(scheme: &Scheme, integrator: Integrator) -> Result<()> {
    let name = scheme.name();
    match scheme {
        Scheme::Mix { switch } if !switch.is_finite() => refuse("switch", format!("is {switch}; it must be finite")),
        _ if integrator == Integrator::EulerRenorm && !scheme.keeps_length() => {
            let why = format!("is euler-renorm but {name} normalisation has no norm to return to");
            refuse("integrator", format!("{why}; it must be euler or rk4"))
        }
        _ => Ok(()),
    }
}

fn square(name: &str, operator: &Operator, d: usize) -> Result<()> {
    is_square(name, operator.matrix().and_then(Matrix::dimension), d)
}

fn is_square(name: &str, rows: Option<usize>, d: usize) -> Result<()> {
    match rows {
        Some(rows) if rows != d => {
            refuse(name, format!("is {rows}×{rows} but the tokens have d = {d}; it must be {d}×{d}"))
        }
        _ => Ok(()),
    }
}

/// Fails at a key of the table `model`.
pub(super) fn refuse(key: &str, text: impl Into<String>) -> Result<()> {
    Err(Error::at_key(format!("model.{key}"), text))
}
