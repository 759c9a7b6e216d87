//! A system as pure data. Nothing here executes a step.
//!
//! Every system is made of the same parts. Heads h = 1..H score each pair of tokens and carry
//! values, a rule turns the scores of the keys that row i sees into weights, and an update moves
//! the token:
//!
//! ```text
//! S^h_ij = <A_h(t) x_i, x_j>          w^h_i = rule(S^h_i·)          y_i = Σ_h V_h(t) Σ_j w^h_ij x_j
//! average:  x_i' = x_i + γ(t)·P(t)(y_i − x_i)            flow:  dx_i/dt = y_i, brought back to the geometry
//! ```
//!
//! Scores may be distances instead, `S_ij = −|x_i − x_j|²/2` ([`Scoring`]).
//!
//! | system | rule | update | arXiv |
//! |---|---|---|---|
//! | localmax (Eq. 5 of arXiv 2509.15958, reconstructed) | [`Rule::Localmax`] | average | 2509.15958 |
//! | hardmax | [`Rule::Hardmax`] | average | 2407.01602 |
//! | SA_inf, Frank–Wolfe | [`Rule::FrankWolfe`] | average, P if given | 2508.09628 |
//! | SA_beta | [`Rule::Softmax`] | average | 2508.09628 |
//! | SA_P | [`Rule::Markov`] | average | 2508.09628 |
//! | Hegselmann–Krause | [`Rule::Localmax`], distances | average, γ = 1 | 1406.0819 |
//! | blurring mean shift | [`Rule::Softmax`], distances | average, γ = 1 | 2512.01868 |
//! | attention on an ellipsoid, several heads | [`Rule::Softmax`] | flow, [`Geometry::Ellipsoid`] | 2412.02682 |
//! | SA, CSA; USA | [`Rule::Softmax`]; [`Rule::Exponential`] | flow, [`Geometry::Sphere`] | 2312.10794, 2410.06833, 2411.04990 |
//! | sparsemax, entmax; linear attention | [`Rule::Sparse`]; [`Rule::Linear`] | average or flow; flow | 1602.02068, 1905.05702, 2607.18584 |
//! | pre-, peri-, mixed norm, nGPT, CoD | [`Rule::Softmax`] | flow, [`Geometry::Normalised`] | 2510.22026 |
//! | z = e^{−tV}x | [`Rule::Softmax`] | flow, [`Geometry::Rescaled`] | 2305.05465 |

mod build;
mod clouds;
pub(crate) mod graph;
mod mask;
mod matrix;
mod moment;
mod parts;
mod perceptron;
mod random;
mod scheme;
mod sparse;
mod strip_form;
mod terms;
mod title;
mod validate;

pub use graph::Graph;
pub use mask::Mask;
pub use matrix::Matrix;
pub use moment::Moment;
pub use parts::{Gain, Geometry, Head, Integrator, Operator, Rule, Scores, Scoring, Source, Update};
pub use perceptron::{Activation, Perceptron};
pub use random::{Ensemble, Random};
pub use scheme::Scheme;
pub use sparse::Sparse;
pub use strip_form::StripForm;
pub use terms::{Noise, Terms, Truth};

use std::sync::Arc;

use crate::error::Result;
use crate::model::moment::checked;
use crate::schedule::Schedule;
use crate::tokens::Tokens;

/// The largest dimension: a gap of two scores, 2·d·2^(2b), then never exceeds the clamp of strip
/// widths, 2^62 at b = 24.
pub const MAX_DIMENSION: usize = 1 << 13;

/// The largest dimension where scores are distances: a square of a distance, d·(2·2^b)², then never
/// exceeds 2^62 at b = 24, either.
pub const MAX_DISTANCE_DIMENSION: usize = MAX_DIMENSION / 2;

/// A system.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The map from scores to weights.
    pub rule: Rule,
    /// The score of a pair of tokens.
    pub scoring: Scoring,
    /// Scores and values; at least one.
    pub heads: Vec<Head>,
    /// Which keys a row sees.
    pub mask: Mask,
    /// The move of a token towards its row's output.
    pub update: Update,
    /// The largest share of a row's softmax mass that an engine may leave out. The row's mean is
    /// then off by at most twice this share of the cloud's radius. 0, which leaves out nothing, in
    /// every other rule.
    pub omit: f64,
    /// What moves tokens beside attention.
    pub terms: Terms,
    /// Fixed keys in R^d, which tokens attend to in place of one another; [`Mask::fixed`] has their number.
    pub keys: Option<Arc<Tokens>>,
    /// Whom each token attends to, where [`Mask::graph`] says so.
    pub graph: Option<Arc<Graph>>,
}

impl Model {
    /// A model that averages with one head and V = I: localmax, hardmax, Frank–Wolfe, SA_beta,
    /// SA_P.
    pub fn averaging(rule: Rule, scores: Operator, mask: Mask, gain: Gain) -> Self {
        let heads = vec![Head { scores, values: Operator::identity() }];
        let update = Update::Average { gain, preconditioner: None };
        let (scoring, terms) = (Scoring::Inner, Terms::default());
        Self { rule, scoring, heads, mask, update, omit: 0.0, terms, keys: None, graph: None }
    }

    /// The name of the system in configs (docs/equations.md).
    pub fn name(&self) -> &'static str {
        match &self.update {
            Update::Average { .. } => self.rule.name(),
            Update::Flow { geometry, .. } => geometry.name(),
        }
    }

    /// True if the system runs in exact lattice arithmetic: it compares scores and averages tokens
    /// inside their hull.
    ///
    /// Localmax, hardmax and Frank–Wolfe do, as long as they average the tokens themselves (one
    /// head, V = I) and every coordinate moves by one gain (no P). Otherwise tokens may leave the
    /// hull, the lattice has no bound, and the system runs in floats like the rules that need
    /// `exp`.
    pub fn is_exact(&self) -> bool {
        matches!(self.rule, Rule::Localmax { .. } | Rule::Hardmax | Rule::FrankWolfe) && self.averages()
    }

    /// True if tokens move towards averages of the tokens themselves, so that K(t+1) ⊂ K(t): one
    /// head, V = I, no P, weights that sum to 1, nothing taken from the average, and no truth that draws them.
    pub fn stays_in_hull(&self) -> bool {
        self.keys.is_none() && self.terms.truth.is_none() && self.averages()
    }

    /// True if tokens move towards averages of keys, with weights that sum to 1: inside the hull of tokens and keys.
    fn averages(&self) -> bool {
        matches!(&self.heads[..], [head] if head.values.is_identity())
            && matches!(self.update, Update::Average { preconditioner: None, .. })
            && !matches!(self.rule, Rule::Exponential { .. } | Rule::Linear { .. })
            && !self.terms.exclusive
    }

    /// True if a row averages the tokens of a strip with equal weights: localmax and hardmax.
    pub fn has_strips(&self) -> bool {
        matches!(self.rule, Rule::Localmax { .. } | Rule::Hardmax)
    }

    /// True if rows have alignment gaps: every token sees every other, and scores are inner products of the tokens
    /// themselves, neither distances, by which a token is its own nearest key, nor products of directions alone.
    pub fn has_gaps(&self) -> bool {
        let of_directions = matches!(&self.update, Update::Flow { geometry: Geometry::Normalised(scheme), .. }
            if !scheme.keeps_length());
        self.mask == Mask::FULL && self.scoring == Scoring::Inner && !of_directions
    }

    /// True if every state of `other` is one of this system: on the same geometry.
    pub(crate) fn takes_states_of(&self, other: &Self) -> bool {
        let (Update::Flow { geometry: now, dt, .. }, Update::Flow { geometry: was, dt: dt_was, .. }) =
            (&self.update, &other.update)
        else {
            return matches!((&self.update, &other.update), (Update::Average { .. }, Update::Average { .. }));
        };
        match (now, was) {
            // z = e^{−tV}x is another x under another V or t.
            (Geometry::Rescaled, Geometry::Rescaled) => dt == dt_was && self.heads[0].values == other.heads[0].values,
            (Geometry::Normalised(_), Geometry::Sphere) => true,
            (Geometry::Sphere, Geometry::Normalised(was)) => was.keeps_length(),
            (Geometry::Normalised(now), Geometry::Normalised(was)) => {
                now == was || was.keeps_length() || matches!((now, was), (Scheme::Pre | Scheme::Peri, _))
            }
            (now, was) => now == was,
        }
    }

    /// Of the tokens, the fixed keys and the truth those with the largest coordinate, which a lattice has to hold.
    pub(crate) fn widest<'a>(&'a self, tokens: &'a Tokens) -> &'a Tokens {
        let wider = |one: &'a Tokens, other: &'a Tokens| {
            if other.largest_magnitude() > one.largest_magnitude() { other } else { one }
        };
        self.beside().fold(tokens, wider)
    }

    /// What lies on the lattice beside the tokens: the fixed keys and the truth.
    pub(crate) fn beside(&self) -> impl Iterator<Item = &Tokens> {
        let truth = self.terms.truth.as_ref().map(|truth| &*truth.point);
        self.keys.as_deref().into_iter().chain(truth)
    }

    /// A of the first head.
    pub fn scores(&self) -> &Operator {
        &self.heads[0].scores
    }

    /// The moment a fraction of a step after the start of step t.
    pub fn moment(&self, t: u64, fraction: f64) -> Moment {
        match self.update {
            Update::Average { .. } => Moment::of_step(t),
            Update::Flow { dt, .. } => Moment { step: t, time: t as f64 * dt + fraction * dt },
        }
    }

    /// γ, checked, the least of gains by token; 1 in a flow, which has none.
    ///
    /// # Errors
    /// α not above 0, γ not in (0, 1): γ = 1 is allowed in Frank–Wolfe, whose 2/(t+2) starts there,
    /// beside a P, and where scores are distances.
    pub fn gamma_at(&self, at: Moment) -> Result<f64> {
        let gamma = self.first_gamma_at(at)?;
        Ok(self.gammas().map_or(gamma, |all| all.iter().copied().fold(gamma, f64::min)))
    }

    /// γ of each token, where tokens have gains of their own.
    pub fn gammas(&self) -> Option<Arc<[f64]>> {
        match &self.update {
            Update::Average { gain: Gain::Gamma(gamma), .. } => gamma.by_token().cloned(),
            Update::Average { gain: Gain::Alpha(alpha), .. } => {
                alpha.by_token().map(|all| all.iter().map(|a| a / (1.0 + a)).collect())
            }
            Update::Flow { .. } => None,
        }
    }

    fn first_gamma_at(&self, at: Moment) -> Result<f64> {
        let Update::Average { gain, preconditioner } = &self.update else { return Ok(1.0) };
        match gain {
            Gain::Alpha(alpha) => {
                let a = checked("alpha", alpha, at, "finite and above 0", |a| a > 0.0)?;
                Ok(a / (1.0 + a))
            }
            Gain::Gamma(gamma)
                if self.rule == Rule::FrankWolfe
                    || preconditioner.is_some()
                    || self.scoring == Scoring::Distance
                    || self.keys.is_some() =>
            {
                checked("gamma", gamma, at, "above 0 and at most 1", |g| g > 0.0 && g <= 1.0)
            }
            Gain::Gamma(gamma) => checked("gamma", gamma, at, "above 0 and below 1", |g| g > 0.0 && g < 1.0),
        }
    }

    /// δ, checked, the radius ε in [`StripForm::Radius`], the largest of those by token; 0 in every other rule than
    /// localmax.
    ///
    /// # Errors
    /// δ below 0 or not finite.
    pub fn delta_at(&self, at: Moment) -> Result<f64> {
        let Rule::Localmax { delta, strip } = &self.rule else { return Ok(0.0) };
        let first = checked(strip.key(), delta, at, "finite and at least 0", |v| v >= 0.0)?;
        Ok(self.deltas().map_or(first, |all| all.iter().copied().fold(first, f64::max)))
    }

    /// δ of each token, where tokens have widths of their own.
    pub fn deltas(&self) -> Option<&Arc<[f64]>> {
        if let Rule::Localmax { delta, .. } = &self.rule { delta.by_token() } else { None }
    }

    /// The key of what tokens have of their own or are drawn to, for which rows are moved one by one.
    pub fn own_key(&self) -> Option<String> {
        let by_token = self.schedules().into_iter().find(|(_, schedule)| schedule.by_token().is_some());
        by_token.map(|(key, _)| key).or_else(|| self.terms.truth.as_ref().map(|_| "model.truth".to_owned()))
    }

    /// β, checked; infinite in the rules that are its limit.
    ///
    /// # Errors
    /// β below 0 or not finite.
    pub fn beta_at(&self, at: Moment) -> Result<f64> {
        let Some(beta) = self.rule.beta() else { return Ok(f64::INFINITY) };
        checked("beta", beta, at, "finite and at least 0", |b| b >= 0.0)
    }

    /// The factor of A_h, checked.
    ///
    /// # Errors
    /// A factor that is not finite.
    pub fn score_factor(&self, head: usize, at: Moment) -> Result<f64> {
        self.heads[head].scores.factor_at(&self.scores_name(head), at)
    }

    /// The factor of V_h, checked.
    ///
    /// # Errors
    /// A factor that is not finite.
    pub fn value_factor(&self, head: usize, at: Moment) -> Result<f64> {
        self.heads[head].values.factor_at(&self.values_name(head), at)
    }

    /// The key of A_h.
    fn scores_name(&self, head: usize) -> String {
        if self.has_named_heads() { format!("heads[{head}].p") } else { "a".into() }
    }

    /// The key of V_h.
    fn values_name(&self, head: usize) -> String {
        if self.has_named_heads() { format!("heads[{head}].u") } else { "v".into() }
    }

    fn has_named_heads(&self) -> bool {
        self.heads.len() > 1 || matches!(&self.update, Update::Flow { geometry: Geometry::Ellipsoid(_), .. })
    }

    /// The strip's form; [`StripForm::Score`] for rules without a width.
    pub fn strip_form(&self) -> StripForm {
        if let Rule::Localmax { strip, .. } = &self.rule { *strip } else { StripForm::Score }
    }

    /// Every parameter in time, with its key.
    pub(crate) fn schedules(&self) -> Vec<(String, &Schedule)> {
        let mut all = Vec::new();
        match &self.rule {
            Rule::Localmax { delta, strip } => all.push((format!("model.{}", strip.key()), delta)),
            rule => all.extend(rule.beta().map(|beta| ("model.beta".to_owned(), beta))),
        }
        if let Update::Average { gain, preconditioner } = &self.update {
            all.push(match gain {
                Gain::Alpha(alpha) => ("model.alpha".to_owned(), alpha),
                Gain::Gamma(gamma) => ("model.gamma".to_owned(), gamma),
            });
            all.extend(preconditioner.as_ref().map(|p| ("model.p.factor".to_owned(), &p.factor)));
        }
        all.extend(self.terms.noise.as_ref().map(|noise| ("model.noise".to_owned(), &noise.kappa)));
        all.extend(self.terms.truth.as_ref().map(|truth| ("model.truth.weight".to_owned(), &truth.weight)));
        if let Update::Flow { geometry: Geometry::Normalised(Scheme::Ngpt { speed }), .. } = &self.update {
            all.push(("model.speed".to_owned(), speed));
        }
        for (h, head) in self.heads.iter().enumerate() {
            all.push((format!("model.{}.factor", self.scores_name(h)), &head.scores.factor));
            all.push((format!("model.{}.factor", self.values_name(h)), &head.values.factor));
        }
        all
    }

    /// Every operator: A and V of every head, and P.
    pub(crate) fn operators(&self) -> impl Iterator<Item = &Operator> {
        let p = match &self.update {
            Update::Average { preconditioner, .. } => preconditioner.as_ref(),
            Update::Flow { .. } => None,
        };
        self.heads.iter().flat_map(|head| [&head.scores, &head.values]).chain(p)
    }

    /// True if steps draw, so that runs of two seeds differ.
    pub fn draws(&self) -> bool {
        matches!(self.rule, Rule::Markov { .. })
            || self.terms.noise.is_some()
            || self.operators().any(|operator| operator.random().is_some())
    }

    /// True if every step applies one and the same map, so that a state that a step does not move
    /// is a fixed point.
    pub fn is_autonomous(&self) -> bool {
        let is_drawn_anew = |operator: &Operator| operator.random().is_some_and(|random| random.every().is_some());
        !matches!(self.rule, Rule::Markov { .. })
            && self.terms.noise.is_none()
            && !self.operators().any(is_drawn_anew)
            && !matches!(
                &self.update,
                Update::Flow { geometry: Geometry::Normalised(Scheme::Mix { .. } | Scheme::Cod), .. }
            )
            && !matches!(&self.update, Update::Flow { geometry: Geometry::Rescaled, .. })
            && self.schedules().iter().all(|(_, schedule)| schedule.is_constant())
    }
}
