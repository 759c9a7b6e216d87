//! Where the tokens of a state are: its places, which are vertices of K, and which lie outside S.
//!
//! At rest these are the limits of the run. A place lies in S where its alignment gap is rounding:
//! a token known within τ, as are the others, has a gap known within `|A x|·(τ + τ') +
//! |A|·(τ + τ')·|v − x|`, v the best token for it. A place at rest outside S is an artefact in the
//! sense of Remark 3.1 of arXiv 2509.15958. S is asked for where a rule is exact and every token
//! sees every other.

use super::alignment::Alignment;
use super::hull::Hull;
use super::places::Places;
use super::points::{Distinct, Points};
use super::rounding::Rounding;
use crate::exact::Grid;
use crate::model::{Mask, Model};
use crate::num::{norm, squared_distance};
use crate::real::{Linear, Steps};
use crate::tokens::Tokens;

/// Multiply-adds for gaps, and for strips, beyond which they are not computed.
const EFFORT: usize = 1 << 28;

/// A place of the last state.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Number of tokens.
    pub tokens: usize,
    /// Their mean.
    pub place: Vec<f64>,
    /// Whether it is a vertex of K; `None` where the hull is not known.
    pub vertex: Option<bool>,
    /// The alignment gap; `None` where S is not asked for, or too many places are.
    pub gap: Option<f64>,
    /// Whether the gap is rounding.
    pub in_s: Option<bool>,
    /// The number of other places in its strip; `None` in rules without strips.
    pub attends: Option<usize>,
}

/// The places of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Number of distinct tokens.
    pub distinct: usize,
    /// The length within which tokens are at one place.
    pub within: f64,
    /// The places, heaviest first, of equal ones by their coordinates.
    pub places: Vec<Limit>,
    /// Place of every token.
    pub label: Vec<usize>,
}

impl Limits {
    /// The most bytes that [`Limits::of`] takes of n tokens in R^d, as measured from d = 1 to 8 where all are distinct.
    pub fn memory(n: usize, d: usize) -> u64 {
        (n as u64).saturating_mul(48 * d as u64 + 290)
    }

    /// Looks at the state after `step` steps of a run of `model` on `grid`. O(n log n), and little
    /// once tokens coincide.
    pub fn of(model: &Model, grid: Grid, step: u64, tokens: &Tokens) -> Self {
        let points = Points::of(tokens);
        let (d, radius) = (points.d(), points.largest_magnitude());
        let cloud = Distinct::of(&points).in_order();
        let hull = Hull::of_few(&cloud.points, None);
        let rounding = Rounding::of(model, grid, d, step, radius);
        let places = Places::among(&cloud, hull.as_ref(), &rounding);
        let mut found: Vec<Limit> = (0..places.centres.n())
            .map(|p| Limit {
                tokens: places.members[p].len(),
                place: places.centres.row(p).to_vec(),
                vertex: hull.as_ref().map(|_| places.vertices.binary_search(&p).is_ok()),
                gap: None,
                in_s: None,
                attends: None,
            })
            .collect();
        let scores = Steps::new(model, d).at(step).ok().filter(|_| model.is_exact() && model.mask == Mask::FULL);
        if let Some(a) = scores.as_ref().and_then(|step| Some(&step.stages.first()?.heads.first()?.scores)) {
            let keys =
                hull.as_ref().map_or_else(|| cloud.points.clone(), |hull| cloud.points.select(&hull.candidates()));
            if model.has_gaps() && places.centres.n().saturating_mul(keys.coordinates().len()) <= EFFORT {
                let gaps = Alignment::beside(&places.centres, a, &keys);
                for (p, limit) in found.iter_mut().enumerate() {
                    let best = keys.row(gaps.best[p] as usize);
                    let slack = places.allowed[p] * known_within(a, &limit.place, best);
                    (limit.gap, limit.in_s) = (Some(gaps.gap[p]), Some(gaps.gap[p] <= slack));
                }
            }
            if places.centres.n().saturating_mul(cloud.points.coordinates().len()) <= EFFORT {
                let mut seen = vec![false; places.centres.n()];
                for (token, &i) in cloud.label.iter().enumerate() {
                    let p = places.label[token];
                    if !std::mem::replace(&mut seen[p], true) {
                        found[p].attends = rounding.attended(&cloud, i).map(|others| {
                            let place = |j: u32| places.label[cloud.first[j as usize] as usize];
                            let others = others.into_iter().map(place).filter(|&q| q != p);
                            others.collect::<std::collections::BTreeSet<_>>().len()
                        });
                    }
                }
            }
        }
        Self { distinct: cloud.len(), within: 2.0 * rounding.length(), places: found, label: places.label }
    }

    /// Number of vertices; `None` where the hull is not known.
    pub fn vertices(&self) -> Option<usize> {
        self.count(|place| place.vertex)
    }

    /// Number of places outside S; `None` where that is not asked for.
    pub fn outside(&self) -> Option<usize> {
        self.count(|place| place.in_s.map(|is| !is))
    }

    /// Number of places that attend to themselves alone: the leaders.
    pub fn leaders(&self) -> Option<usize> {
        self.count(|place| place.attends.map(|others| others == 0))
    }

    fn count(&self, holds: impl Fn(&Limit) -> Option<bool>) -> Option<usize> {
        self.places.iter().map(holds).map(|holds| holds.map(usize::from)).sum()
    }
}

/// The change of a gap at x, whose best token is v, over that of the tokens' places.
fn known_within(a: &Linear, x: &[f64], v: &[f64]) -> f64 {
    let d = x.len();
    let entry = |r: usize, c: usize| a.matrix.entry(r, c);
    let size = match &a.matrix {
        crate::model::Matrix::Dense { .. } => {
            (0..d).flat_map(|r| (0..d).map(move |c| (r, c))).map(|(r, c)| entry(r, c).powi(2)).sum::<f64>().sqrt()
        }
        _ => entry(0, 0).abs(),
    };
    norm(&a.apply(x)) + a.factor.abs() * size * squared_distance(x, v).sqrt()
}
