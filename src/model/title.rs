//! A system on one line, as pictures and reports head it.

use crate::model::{Gain, Geometry, Mask, Model, Rule, Scoring, StripForm, Update};
use crate::num;

impl Model {
    /// Rule and parameters on one line.
    pub fn title(&self) -> String {
        let what = match (&self.rule, &self.update) {
            (_, Update::Flow { geometry: Geometry::Ellipsoid(_), .. }) => match self.heads.len() {
                1 => String::new(),
                count => format!(", {count} heads"),
            },
            (_, Update::Flow { geometry: Geometry::Rescaled, .. }) | (Rule::Hardmax | Rule::FrankWolfe, _) => {
                String::new()
            }
            (Rule::Localmax { delta, strip: StripForm::Radius }, _) => format!(", ε = {delta}"),
            (Rule::Localmax { delta, strip }, _) => format!(", {} strip, δ = {delta}", strip.name()),
            (rule @ (Rule::Sparse { beta, .. } | Rule::Linear { beta, .. }), _) => {
                format!(", {}, β = {beta}", rule.weights().unwrap_or_default())
            }
            (Rule::Exponential { beta, .. }, _) => format!(", unnormalised, β = {beta}"),
            (Rule::Softmax { beta } | Rule::Markov { beta, .. }, _) => format!(", β = {beta}"),
        };
        let how = match &self.update {
            Update::Average { gain: Gain::Alpha(alpha), .. } => format!(", α = {alpha}"),
            Update::Average { gain: Gain::Gamma(gamma), .. } => format!(", γ = {gamma}"),
            Update::Flow { dt, integrator, .. } => format!(", {} with dt = {}", integrator.name(), num::short(*dt)),
        };
        let distance = if self.scoring == Scoring::Distance { " by distance" } else { "" };
        let units = self
            .terms
            .perceptron
            .as_ref()
            .map_or(String::new(), |perceptron| format!(", perceptron of {}", perceptron.omega.len()));
        let scheme = match &self.update {
            Update::Flow { geometry: Geometry::Normalised(scheme), .. } => format!(", {} normalisation", scheme.name()),
            _ => String::new(),
        };
        let noise = self.terms.noise.as_ref().map_or(String::new(), |noise| {
            format!(", {}noise κ = {}", if noise.common { "common " } else { "" }, noise.kappa)
        });
        let Mask { causal, window, own, fixed, graph: _ } = self.mask;
        let is_random = self.operators().any(|operator| operator.random().is_some());
        let random = if is_random { ", random matrices" } else { "" };
        let truth = self.terms.truth.as_ref().map_or(String::new(), |truth| format!(", truth w = {}", truth.weight));
        let exclusive = if self.terms.exclusive { ", exclusive" } else { "" };
        let bias = match self.terms.bias {
            0.0 => String::new(),
            lambda => format!(", bias λ = {}", num::short(lambda)),
        };
        let causal = if causal { ", causal" } else { "" };
        let window = window.map_or(String::new(), |w| format!(", window {w}"));
        let graph =
            self.graph.as_ref().map_or(String::new(), |graph| format!(", graph of {} edges", graph.edges().count()));
        let own = if own { "" } else { ", without self" };
        let fixed = if fixed == 0 { String::new() } else { format!(", {fixed} fixed keys") };
        let name = match self.name() {
            "frank-wolfe" => "Frank–Wolfe".to_owned(),
            "rescaled" => "Rescaled, z = exp(−tV)x".to_owned(),
            name => format!("{}{}", name[..1].to_uppercase(), &name[1..]),
        };
        format!(
            "{name}{scheme}{distance}{what}{how}{units}{truth}{random}{exclusive}{noise}{bias}{causal}{window}{graph}{own}{fixed}"
        )
    }
}
