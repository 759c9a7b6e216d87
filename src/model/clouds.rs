//! The systems of many clouds in one run: one model, whose parameters may have a value a cloud, and
//! whose draws have a seed a cloud.

use super::{Gain, Geometry, Model, Operator, Rule, Scheme, Source, Update};
use crate::error::{Error, Result};
use crate::schedule::Schedule;

impl Model {
    /// The system of cloud c: parameters by cloud have its value, and draws the seed `seed + c`.
    #[must_use]
    pub fn of_cloud(&self, c: usize) -> Self {
        let mut model = self.clone();
        for schedule in model.schedules_mut() {
            *schedule = schedule.of_cloud(c);
        }
        if let Rule::Markov { seed, .. } = &mut model.rule {
            *seed = seed.wrapping_add(c as u64);
        }
        if let Some(noise) = &mut model.terms.noise {
            noise.seed = noise.seed.wrapping_add(c as u64);
        }
        for operator in model.operators_mut() {
            if let Source::Random(random) = &mut operator.source {
                *random = random.with_seed(random.seed().wrapping_add(c as u64));
            }
        }
        model
    }

    /// True if the clouds of a run have systems of their own.
    pub fn is_by_cloud(&self) -> bool {
        self.draws() || self.schedules().iter().any(|(_, schedule)| schedule.by_cloud().is_some())
    }

    /// Checks that parameters by cloud have a value for each of m clouds.
    ///
    /// # Errors
    /// The first with another number of them; one by cloud where a run has no clouds.
    pub fn validate_clouds(&self, m: Option<usize>) -> Result<()> {
        for (key, schedule) in self.schedules() {
            if let (Some(_), Some(m)) = (schedule.by_token(), m) {
                let mend = "take one cloud, or a value for all tokens";
                return Err(Error::at_key(
                    key,
                    format!("is by token, and tokens.clouds = {m} makes many clouds; {mend}"),
                ));
            }
            let Some(values) = schedule.by_cloud() else { continue };
            match (values.len(), m) {
                (found, Some(m)) if found == m => {}
                (found, Some(m)) => {
                    let text = format!("has {found} values by cloud for tokens.clouds = {m}; it needs one a cloud");
                    return Err(Error::at_key(key, text));
                }
                (found, None) => {
                    let text =
                        format!("has {found} values by cloud, and there is one cloud; tokens.clouds = m makes m");
                    return Err(Error::at_key(key, text));
                }
            }
        }
        Ok(())
    }

    /// Every parameter in time, as [`Model::schedules`] lists them.
    fn schedules_mut(&mut self) -> Vec<&mut Schedule> {
        let mut all = Vec::new();
        match &mut self.rule {
            Rule::Localmax { delta, .. } => all.push(delta),
            Rule::Hardmax | Rule::FrankWolfe => {}
            Rule::Softmax { beta }
            | Rule::Exponential { beta, .. }
            | Rule::Sparse { beta, .. }
            | Rule::Linear { beta, .. }
            | Rule::Markov { beta, .. } => all.push(beta),
        }
        match &mut self.update {
            Update::Average { gain: Gain::Alpha(gain) | Gain::Gamma(gain), preconditioner } => {
                all.push(gain);
                all.extend(preconditioner.as_mut().map(|p| &mut p.factor));
            }
            Update::Flow { geometry: Geometry::Normalised(Scheme::Ngpt { speed }), .. } => all.push(speed),
            Update::Flow { .. } => {}
        }
        all.extend(self.terms.noise.as_mut().map(|noise| &mut noise.kappa));
        all.extend(self.terms.truth.as_mut().map(|truth| &mut truth.weight));
        for head in &mut self.heads {
            all.extend([&mut head.scores.factor, &mut head.values.factor]);
        }
        all
    }

    /// Every operator, as [`Model::operators`] lists them.
    fn operators_mut(&mut self) -> impl Iterator<Item = &mut Operator> {
        let p = match &mut self.update {
            Update::Average { preconditioner, .. } => preconditioner.as_mut(),
            Update::Flow { .. } => None,
        };
        self.heads.iter_mut().flat_map(|head| [&mut head.scores, &mut head.values]).chain(p)
    }
}

#[cfg(test)]
mod tests {
    /// A parameter that is left out here would have the value of cloud 0 in every cloud.
    #[test]
    fn every_parameter_can_vary_by_cloud() {
        let parsed = |text: &str| crate::io::config::Config::parse(text, "t", "t", std::path::Path::new(""), &[]);
        let tokens = "[tokens]\nkind = \"sphere\"\nn = 5\nd = 2\nclouds = 3\n[run]\nsteps = 2\n[model]\n";
        let by_cloud = "{ clouds = [0.1, 0.2, 0.3] }";
        for (rule, keys) in [
            ("localmax", &["alpha", "delta"][..]),
            ("hardmax", &["gamma"]),
            ("frank-wolfe", &["gamma"]),
            ("softmax", &["gamma", "beta"]),
            ("markov", &["alpha", "beta"]),
            ("sphere", &["beta", "noise"]),
            ("sphere\"\nnormalisation = \"ngpt", &["beta", "speed"]),
        ] {
            let dt = if rule.starts_with("sphere") { "dt = 0.1\n" } else { "" };
            let lines: Vec<String> = keys.iter().map(|key| format!("{key} = {by_cloud}\n")).collect();
            let lines = lines.concat();
            let config = parsed(&format!("{tokens}rule = \"{rule}\"\n{dt}{lines}"));
            let model = config.unwrap_or_else(|e| panic!("{rule}: {e}")).model;
            let listed = model.schedules().len();
            assert_eq!(model.clone().schedules_mut().len(), listed, "{rule}");
            assert_eq!(model.schedules().iter().filter(|(_, s)| s.by_cloud().is_some()).count(), keys.len());
            for c in 0..3 {
                let of = model.of_cloud(c);
                let values: Vec<f64> = of.schedules().iter().map(|(_, schedule)| schedule.at(0, 0.0)).collect();
                let want = [0.1, 0.2, 0.3][c];
                assert_eq!(values.iter().filter(|v| **v == want).count(), keys.len(), "{rule}, cloud {c}: {values:?}");
                of.validate_clouds(None).unwrap();
            }
        }
    }
}
