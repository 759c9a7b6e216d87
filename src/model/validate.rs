//! Checks before the first step: every parameter against its domain.

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

    /// Checks the mask against the number of tokens.
    ///
    /// # Errors
    /// One token that does not see itself; more tokens and keys than there are numbers for.
    pub fn validate_count(&self, n: usize) -> Result<()> {
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

    fn validate_noise(&self) -> Result<()> {
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

    fn validate_perceptron(&self, d: usize) -> Result<()> {
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

    fn validate_bias(&self) -> Result<()> {
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

    fn validate_exclusive(&self) -> Result<()> {
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
fn refuse(key: &str, text: impl Into<String>) -> Result<()> {
    Err(Error::at_key(format!("model.{key}"), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Gain, Head, Mask, Operator, Terms};
    use crate::schedule::Schedule;

    fn schedule(text: &str) -> Schedule {
        Schedule::parse(text).unwrap()
    }

    fn averaging(rule: Rule, gain: Gain) -> Model {
        Model::averaging(rule, Operator::identity(), Mask::FULL, gain)
    }

    fn softmax(beta: &str) -> Rule {
        Rule::Softmax { beta: schedule(beta) }
    }

    fn flow(rule: Rule, dt: f64, integrator: Integrator, geometry: Geometry) -> Model {
        let heads = vec![Head { scores: Operator::identity(), values: Operator::identity() }];
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

    fn dense(rows: &[&[f64]]) -> Matrix {
        Matrix::dense(&rows.iter().map(|r| r.to_vec()).collect::<Vec<_>>()).unwrap()
    }

    /// A person must be able to mend a parameter from the message alone, before the first step.
    #[test]
    fn bad_parameters_are_named_with_value_step_and_domain() {
        let gamma = |text| Gain::Gamma(schedule(text));
        let sphere = |dt, integrator| flow(softmax("1"), dt, integrator, Geometry::Sphere);
        let ellipsoid = |w| flow(softmax("1"), 0.1, Integrator::Rk4, Geometry::Ellipsoid(w));
        let preconditioned = |matrix, factor| {
            let mut model = averaging(Rule::FrankWolfe, gamma("1"));
            let p = Operator::scaled(matrix, schedule(factor));
            model.update = Update::Average { gain: gamma("1"), preconditioner: Some(p) };
            model
        };
        let three = dense(&[&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]);
        let mut heads = ellipsoid(Matrix::Identity);
        heads.heads.push(Head { scores: Operator::constant(three.clone()), values: Operator::identity() });
        let mut growing = flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Rescaled);
        growing.heads[0].values.factor = schedule("1+t");
        let mut empty = sphere(0.1, Integrator::Euler);
        empty.heads.clear();
        let mut several = ellipsoid(Matrix::Identity);
        several.heads.push(several.heads[0].clone());
        let mut drawn = averaging(Rule::Markov { beta: schedule("1"), seed: 1 }, gamma("0.5"));
        drawn.heads.push(drawn.heads[0].clone());
        for (model, wanted) in [
            (averaging(softmax("-1"), gamma("0.5")), "model.beta is -1 at step 0; it must be finite and at least 0"),
            (averaging(softmax("3-t"), gamma("0.5")), "model.beta is -1 at step 4; it must be"),
            (flow(softmax("3-t"), 0.5, Integrator::Rk4, Geometry::Sphere), "model.beta is -0.25 at step 6 (t = 3.25)"),
            (averaging(softmax("1"), gamma("1")), "model.gamma is 1 at step 0; it must be above 0 and below 1"),
            (averaging(Rule::FrankWolfe, gamma("0")), "model.gamma is 0 at step 0; it must be above 0 and at most 1"),
            (averaging(Rule::FrankWolfe, gamma("0.5+t/10")), "model.gamma is 1.1 at step 6"),
            (
                averaging(Rule::Hardmax, Gain::Alpha(schedule("1-t"))),
                "model.alpha is 0 at step 1; it must be finite and above 0",
            ),
            (sphere(0.0, Integrator::Euler), "model.dt is 0; it must be finite and above 0"),
            (sphere(f64::NAN, Integrator::Euler), "model.dt is NaN"),
            (flow(Rule::Hardmax, 0.1, Integrator::Rk4, Geometry::Sphere), "rule hardmax moves in steps"),
            (flow(softmax("1"), 0.1, Integrator::EulerRenorm, Geometry::Rescaled), "rule rescaled has no norm"),
            (
                averaging(Rule::Exponential { beta: schedule("1"), origin: 0.0 }, gamma("0.5")),
                "model.normalized is false",
            ),
            (ellipsoid(dense(&[&[1.0, 2.0], &[2.0, 1.0]])), "model.w has the eigenvalue -1"),
            (ellipsoid(dense(&[&[1.0, 0.5], &[0.25, 1.0]])), "model.w has 0.25 at (1, 0) and 0.5 at (0, 1)"),
            (ellipsoid(Matrix::multiple(-2.0).unwrap()), "model.w is -2 times the identity"),
            (ellipsoid(three.clone()), "model.w is 3×3 but the tokens have d = 2; it must be 2×2"),
            (heads, "model.heads[1].p is 3×3 but the tokens have d = 2"),
            (preconditioned(three.clone(), "1"), "model.p is 3×3"),
            (preconditioned(Matrix::Identity, "1/(2-t)"), "model.p.factor is inf at step 2"),
            (growing, "a v that is constant in time"),
            (empty, "model.heads is empty"),
            (drawn, "model.heads has 2 heads; rule markov draws from one"),
            (
                averaging(Rule::FrankWolfe, gamma("0.5")).exclusive(),
                "model.exclusive is true but rule frank-wolfe has no",
            ),
            (
                flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Rescaled).exclusive(),
                "model.exclusive is true but rule rescaled has no output with a value; leave it out",
            ),
            (
                averaging(Rule::Hardmax, gamma("0.5")).causal().bias(1.0),
                "model.bias is 1 but rule hardmax has no weights",
            ),
            (averaging(softmax("1"), gamma("0.5")).bias(1.0), "model.bias is 1 without a causal mask"),
            (
                averaging(softmax("1"), gamma("0.5")).causal().bias(-1.0),
                "model.bias is -1; it must be finite and at least 0",
            ),
            (
                averaging(softmax("1"), gamma("0.5")).causal().distances().bias(1.0),
                "model.bias is 1 beside scores = \"distance\"",
            ),
            (ellipsoid(Matrix::Identity).causal().bias(1.0), "model.bias is 1 but rule ellipsoid has no β"),
            (several.exclusive(), "model.exclusive is true but there are 2 heads; it goes with the value of one"),
        ] {
            let error = model.validate(2, 10).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error:?} lacks {wanted:?}");
            assert!(!error.contains('\n'));
        }
        assert!(averaging(Rule::FrankWolfe, gamma("2/(t+2)")).validate(2, 10).is_ok());
        assert!(preconditioned(Matrix::Identity, "1").validate(2, 10).is_ok());
    }

    /// A token without a direction has no place on a sphere; on R^d it has.
    #[test]
    fn starts_are_on_the_geometry() {
        let cloud = Tokens::from_flat(2, 2, vec![3.0, 4.0, 0.0, 0.0]).unwrap();
        let sphere = flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Sphere);
        let error = sphere.start(&cloud, Precision::F64).unwrap_err().to_string();
        assert!(error.contains("token 1 is [0.0, 0.0]"), "{error}");
        let flat = flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Flat);
        assert_eq!(flat.start(&cloud, Precision::F64).unwrap(), cloud);
        let one = Tokens::from_flat(1, 2, vec![3.0, 4.0]).unwrap();
        assert_eq!(sphere.start(&one, Precision::F64).unwrap().to_f64(), [0.6, 0.8]);
        let w = flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Ellipsoid(Matrix::multiple(4.0).unwrap()));
        assert_eq!(w.start(&one, Precision::F64).unwrap().to_f64(), [0.3, 0.4]);
        let huge = Tokens::from_flat(1, 2, vec![1e200, 1e200]).unwrap();
        assert!(sphere.start(&huge, Precision::F64).unwrap_err().to_string().contains("finite norm"));
    }

    /// Only what averages tokens inside their hull may run on the lattice.
    #[test]
    fn the_contract_covers_what_stays_in_the_hull() {
        let gain = || Gain::Gamma(schedule("0.5"));
        assert!(averaging(Rule::Hardmax, gain()).is_exact() && averaging(Rule::FrankWolfe, gain()).is_exact());
        assert!(!averaging(softmax("1"), gain()).is_exact());
        let mut values = averaging(Rule::Hardmax, gain());
        values.heads[0].values.factor = schedule("1+t");
        assert!(!values.is_exact() && !values.is_autonomous());
        assert!(!flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Rescaled).is_autonomous());
        assert!(flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Sphere).is_autonomous());
    }
}
