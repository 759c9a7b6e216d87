//! Quiescent sets: the balls B(v, ε) around non-zero vertices of K in which tokens stay and
//! converge at rate 1/(1+α).
//!
//! ```text
//! ε(v) = s(v)/(2 + 2α),      s(v) = δ·s_v/|A v|: the geometric width of the strip that a token at v sees
//! score: s_v = 1    width: s_v = |A v|, so s(v) = δ    a-norm: s_v = sqrt(<A v, v>)
//! ```
//!
//! The radius is derived for any form of the strip: the radius δ/(2+2α) is the paper's (Theorem 4.1,
//! read in a summary), that it belongs to the width form is a derivation, and that form of Eq. (5)
//! is **reconstructed**; in the score form the published radius holds as it stands only where |v| <
//! 2 + 2α. For a time-varying δ take its infimum. In a-norm the formula is the derivation's,
//! applied to the width that this form has at v.
//!
//! S_1 are the tokens that end in quiescent sets, S_2 the others (arXiv 2509.15958: S_2 from the
//! summary, S_1 inferred).

use super::nearest;
use super::points::Points;
use crate::model::StripForm;
use crate::num;
use crate::real::Linear;

/// The unit s of δ for a token x with the query Ax: a strip holds the scores within δ·s of the
/// largest. A radius, which only distances have, counts as it is.
pub fn width_unit(form: StripForm, query: &[f64], x: &[f64]) -> f64 {
    match form {
        StripForm::Score | StripForm::Radius => 1.0,
        StripForm::Width => num::norm(query),
        StripForm::ANorm => num::dot(query, x).max(0.0).sqrt(),
    }
}

/// ε(v); `None` where A v = 0, a vertex that the theorem excludes.
///
/// `delta` is in the unit of its strip form, `alpha` above 0; the radius is in the tokens' unit.
pub fn quiescent_radius(v: &[f64], a: &Linear, strip: StripForm, delta: f64, alpha: f64) -> Option<f64> {
    let query = a.apply(v);
    let norm = num::norm(&query);
    // The width form is exactly δ/(2 + 2α), whatever the rounding of |A v|.
    let width = if strip == StripForm::Width { delta } else { delta * width_unit(strip, &query, v) / norm };
    (norm > 0.0).then_some(width / (2.0 + 2.0 * alpha))
}

/// The quiescent sets of some vertices.
#[derive(Clone, Debug, PartialEq)]
pub struct QuiescentSets {
    centres: Points,
    /// ε(v), negative where there is none.
    radii: Vec<f64>,
}

impl QuiescentSets {
    /// Makes B(v, ε(v)) for every vertex v.
    pub fn new(vertices: &Points, a: &Linear, strip: StripForm, delta: f64, alpha: f64) -> Self {
        let radius = |v: &[f64]| quiescent_radius(v, a, strip, delta, alpha).unwrap_or(-1.0);
        Self { centres: vertices.clone(), radii: vertices.rows().map(radius).collect() }
    }

    /// The vertices.
    pub fn centres(&self) -> &Points {
        &self.centres
    }

    /// ε(v) of every vertex; `None` where there is no such set.
    pub fn radius(&self, vertex: usize) -> Option<f64> {
        (self.radii[vertex] >= 0.0).then_some(self.radii[vertex])
    }

    /// For every token, the vertex whose (closed) quiescent set holds it, as an index into
    /// [`QuiescentSets::centres`]; of several sets the one that it lies deepest in.
    pub fn label(&self, tokens: &Points) -> Vec<Option<u32>> {
        let with: Vec<u32> = (0..self.radii.len() as u32).filter(|&v| self.radii[v as usize] >= 0.0).collect();
        if with.is_empty() {
            return vec![None; tokens.n()];
        }
        let radii: Vec<f64> = with.iter().map(|&v| self.radii[v as usize]).collect();
        let found = nearest::power(tokens, &self.centres.select(&with), &radii);
        found.least.into_iter().map(|(index, power)| (power <= 0.0).then(|| with[index as usize])).collect()
    }
}

/// Entries of tokens into quiescent sets, and their departures.
#[derive(Clone, Debug, PartialEq)]
pub struct Entries {
    /// For every token, the first recorded step inside a set, if any.
    pub first: Vec<Option<u64>>,
    /// For every token, the set that held it at the last record.
    pub label: Vec<Option<u32>>,
    /// Number of departures: a token was in a set at one record and in another set or none at the
    /// next. By Theorem 4.1 there are none for sets of K's own vertices.
    pub departures: u64,
    /// Step and token of the first departure: the record that missed the token.
    pub first_departure: Option<(u64, u32)>,
}

impl Entries {
    /// Starts without a record, for n tokens.
    pub fn new(n: usize) -> Self {
        Self { first: vec![None; n], label: vec![None; n], departures: 0, first_departure: None }
    }

    /// Records [`QuiescentSets::label`] of the state after `step` steps, for the sets of all
    /// records.
    pub fn record(&mut self, step: u64, labels: &[Option<u32>]) {
        for (i, &now) in labels.iter().enumerate() {
            if now.is_some() && self.first[i].is_none() {
                self.first[i] = Some(step);
            }
            if self.label[i].is_some() && self.label[i] != now {
                self.departures += 1;
                self.first_departure = self.first_departure.or(Some((step, i as u32)));
            }
            self.label[i] = now;
        }
    }

    /// Whether each token is in S_1: in a quiescent set at the last record; all others are in S_2.
    pub fn in_s1(&self) -> Vec<bool> {
        self.label.iter().map(Option::is_some).collect()
    }
}

/// Whether `group` is quiescent in the operational sense of arXiv 2509.15958: `C_i = group` for
/// every i in it. `strips` are the C_i of its members in the same order, as
/// [`crate::engine::Engine::masks`] gives them; the group ascends.
pub fn is_closed_group(group: &[u32], strips: &[Vec<u32>]) -> bool {
    group.len() == strips.len() && strips.iter().all(|strip| strip == group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Matrix;
    use crate::rng::Stream;
    use proptest::prelude::*;

    fn linear(factor: f64) -> Linear {
        Linear { factor, matrix: Matrix::Identity }
    }

    /// The radii by hand: α = 0.5, δ = 1, |v| = 10: 1/3 in width, 1/30 in
    /// score.
    #[test]
    fn radii_by_hand() {
        let v = [6.0, 8.0];
        let radius = |a: f64, form| quiescent_radius(&v, &linear(a), form, 1.0, 0.5).unwrap();
        assert_eq!(radius(1.0, StripForm::Width), 1.0 / 3.0);
        assert!((radius(1.0, StripForm::Score) - 1.0 / 30.0).abs() < 1e-16);
        assert!((radius(1.0, StripForm::ANorm) - 1.0 / 3.0).abs() < 1e-15);
        // A = 4: scores are four times as large, a score strip a quarter as wide, an a-norm strip
        // half.
        assert_eq!(radius(4.0, StripForm::Width), 1.0 / 3.0);
        assert!((radius(4.0, StripForm::Score) - 1.0 / 120.0).abs() < 1e-16);
        assert!((radius(4.0, StripForm::ANorm) - 1.0 / 6.0).abs() < 1e-15);
        assert_eq!(quiescent_radius(&[0.0, 0.0], &linear(1.0), StripForm::Width, 1.0, 0.5), None);
    }

    proptest! {
        /// If a token in a small ball were looked for only at its nearest vertex, the larger balls
        /// of short vertices in the score form would lose their tokens.
        #[test]
        fn labels_are_those_of_the_balls(d in 1usize..4, n in 1usize..100, m in 1usize..12, seed in any::<u64>(), score in any::<bool>()) {
            let mut stream = Stream::new(seed, "cloud", 0);
            let mut draw = |count: usize| {
                Points::new(d, (0..count * d).map(|_| stream.below(7) as f64 - 3.0).collect()).unwrap()
            };
            let (tokens, vertices) = (draw(n), draw(m));
            let form = if score { StripForm::Score } else { StripForm::Width };
            let sets = QuiescentSets::new(&vertices, &linear(1.0), form, 6.0, 1.0);
            for (i, label) in sets.label(&tokens).into_iter().enumerate() {
                let power = |v: usize| {
                    let square: f64 = tokens.row(i).iter().zip(vertices.row(v)).map(|(a, b)| (a - b).powi(2)).sum();
                    sets.radius(v).map(|r| square - r * r)
                };
                let least = (0..m).filter_map(power).fold(f64::INFINITY, f64::min);
                prop_assert_eq!(label.is_some(), least <= 0.0);
                if let Some(v) = label {
                    prop_assert_eq!(power(v as usize), Some(least));
                }
            }
        }
    }

    /// If a departure went unseen, the theorem would be confirmed by a run that breaks it.
    #[test]
    fn entries_and_departures_are_told() {
        let mut entries = Entries::new(3);
        entries.record(0, &[None, Some(1), None]);
        entries.record(4, &[Some(0), Some(1), None]);
        assert_eq!((entries.departures, entries.in_s1()), (0, vec![true, true, false]));
        entries.record(7, &[Some(0), Some(2), None]);
        assert_eq!(entries.first, [Some(4), Some(0), None]);
        assert_eq!((entries.departures, entries.first_departure), (1, Some((7, 1))));
        assert!(is_closed_group(&[1, 4], &[vec![1, 4], vec![1, 4]]));
        assert!(!is_closed_group(&[1, 4], &[vec![1, 4], vec![1, 3, 4]]));
    }
}
