//! The scalar measures of a run's states, one after another: the rows of `measures.csv`.
//!
//! Distances, gaps and quiescent sets are those of all tokens while up to 2^16 are distinct, and of
//! that many evenly spaced ones before; [`nearest()`], [`Alignment`] and [`QuiescentSets`]
//! themselves take them all. Gaps are known without a hull too: they are maxima over all tokens, of
//! as many tokens as 2^32 multiply-adds allow.
//!
//! A row is a pure function of the states measured so far and their steps. From earlier rows it
//! takes only the ledger of support functions, which [`Observer::recall`] rebuilds.

use super::alignment::Alignment;
use super::energies::energy;
use super::hull::Hull;
use super::nearest::nearest;
use super::places::Places;
use super::points::{Distinct, Points, count_distinct};
use super::quiescent::QuiescentSets;
use super::rounding::Rounding;
use super::support::{Directions, SupportLedger};
use crate::exact::Grid;
use crate::model::Model;
use crate::num::{self, squared_distance};
use crate::real::{Linear, Steps};
use crate::tokens::Tokens;

/// Number of random directions beside those of the axes.
const DIRECTIONS: usize = 16;
/// Number of tokens up to which each is measured.
const SAMPLE: usize = 1 << 16;
/// Number of vertices up to which every pair is measured.
const MOST_PAIRED: usize = 2048;
/// Multiply-adds for gaps where the hull is not known: a second or so.
const GAPS: u64 = 1 << 32;

/// The measures of one state.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalars {
    /// Distinct tokens; beyond 2^16 counted by 64-bit hashes of their coordinates.
    pub distinct: usize,
    /// The largest magnitude of a coordinate.
    pub radius: f64,
    /// The largest rise of a support function above its lowest value in earlier rows, in units in
    /// the last place of the first row's radius; 0 if none rose, `None` in systems whose tokens may
    /// leave their hull.
    pub rise: Option<f64>,
    /// The largest rise up to this row; `None` as `rise`.
    pub largest_rise: Option<f64>,
    /// Number of tokens measured: all n, or 2^16 evenly spaced ones; without a hull as many as 2^32
    /// multiply-adds allow, and 0 under a mask.
    pub sampled: usize,
    /// Mean and largest alignment gap of the first head; `None` under a mask, or if A(t) has no
    /// value.
    pub gap: Option<[f64; 2]>,
    /// The measures that need the hull, where it is known.
    pub hull: Option<HullScalars>,
    /// h_u of this state in every direction of [`Observer::directions`].
    pub support: Vec<f64>,
    /// The largest distance of two tokens: exact where the hull is known with at most 2048
    /// vertices, else that of the tokens that attain `support`, a lower bound and at least 1/√d of
    /// it. `None` in rows that older versions wrote.
    pub diameter: Option<f64>,
    /// [`energy`] of the state; `None` beyond 2^16 distinct tokens.
    pub energy: Option<f64>,
}

/// The measures that need the vertices of K(t).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HullScalars {
    /// Number of vertices, places that stand out by more than rounding ([`Places`]).
    pub vertices: usize,
    /// The mean distance of these tokens to their nearest vertices.
    pub distance_mean: f64,
    /// The largest such distance.
    pub distance_max: f64,
    /// Number of these tokens in quiescent sets of the vertices at δ(t), in the rules with strips.
    pub quiescent: Option<u64>,
}

/// Measures states in their order.
#[derive(Clone, Debug)]
pub struct Observer<'a> {
    model: &'a Model,
    grid: Grid,
    directions: Directions,
    ledger: Option<SupportLedger>,
}

impl<'a> Observer<'a> {
    /// Starts before the first state of a run of `model` in R^d on `grid`.
    pub fn new(model: &'a Model, d: usize, grid: Grid) -> Self {
        Self { model, grid, directions: Directions::new(d, DIRECTIONS, 0), ledger: None }
    }

    /// The directions of [`Scalars::support`]: ±e_k, then 16 random ones.
    pub fn directions(&self) -> &Directions {
        &self.directions
    }

    /// Records the support functions of an earlier row.
    pub fn recall(&mut self, step: u64, radius: f64, support: &[f64]) {
        self.ledger(radius).record(step, support);
    }

    fn ledger(&mut self, radius: f64) -> &mut SupportLedger {
        self.ledger.get_or_insert_with(|| SupportLedger::new(radius, self.grid.precision))
    }

    /// The measures of the state after `step` steps.
    pub fn measure(&mut self, step: u64, tokens: &Tokens) -> Scalars {
        let all = Points::of(tokens);
        let few = Distinct::up_to(&all, SAMPLE).map(Distinct::in_order);
        let distinct = few.as_ref().map_or_else(|| count_distinct(&all), Distinct::len);
        let points = few.as_ref().map_or(&all, |cloud| &cloud.points);
        let radius = points.largest_magnitude();
        let (support, extremes): (Vec<f64>, Vec<u32>) =
            self.directions.support(points).into_iter().map(|s| (s.value, s.token)).unzip();
        let has_hull = self.model.stays_in_hull();
        let ledger = self.ledger(radius);
        let rise = Some(ledger.record(step, &support)).filter(|_| has_hull);
        let largest_rise = Some(ledger.largest().map_or(0.0, |rise| rise.ulps)).filter(|_| has_hull);
        let outermost = points.select(&extremes);
        let hull = Hull::of_few(points, Some(extremes));
        let corners = hull.as_ref().filter(|hull| hull.undecided.is_empty()).map(|hull| hull.points(points));
        let diameter = diameter(corners.as_ref().filter(|v| v.n() <= MOST_PAIRED).unwrap_or(&outermost));
        let scores = self.scores(step, points.d());
        let at = self.model.moment(step, 0.0);
        let energy = few.as_ref().and_then(|few| energy(few, self.model, scores.as_ref()?, at));
        let a = scores.filter(|_| self.model.has_gaps());
        let keys = hull.as_ref().map_or_else(|| points.clone(), |hull| points.select(&hull.candidates()));
        let most = if hull.is_some() {
            SAMPLE
        } else {
            (GAPS / keys.coordinates().len() as u64).clamp(1, SAMPLE as u64) as usize
        };
        let sample = Sample::of(points, few.as_ref().map(|cloud| &cloud.weight[..]), most);
        let gap = a.map(|a| sample.mean_and_largest(&Alignment::beside(&sample.points, &a, &keys).gap));
        let sampled = if hull.is_some() || gap.is_some() { sample.tokens() } else { 0 };
        let hull = hull.map(|hull| {
            let rounding = Rounding::of(self.model, self.grid, points.d(), step, radius);
            let places = match &few {
                Some(cloud) => Places::among(cloud, Some(&hull), &rounding),
                None => Places::of(&keys, &rounding),
            };
            self.by_vertices(step, &sample, &places.points(&places.vertices))
        });
        Scalars { distinct, radius, rise, largest_rise, sampled, gap, hull, support, diameter: Some(diameter), energy }
    }

    /// Measures points beside the vertices.
    fn by_vertices(&self, step: u64, sample: &Sample, vertices: &Points) -> HullScalars {
        let distances: Vec<f64> = nearest(&sample.points, vertices).into_iter().map(|n| n.distance).collect();
        let [distance_mean, distance_max] = sample.mean_and_largest(&distances);
        let quiescent = self.scores(step, vertices.d()).and_then(|a| {
            let at = self.model.moment(step, 0.0);
            let (delta, gamma) = (self.model.delta_at(at).ok()?, self.model.gamma_at(at).ok()?);
            let is_theirs = self.model.has_strips() && self.model.has_gaps() && self.model.own_key().is_none();
            let has_sets = is_theirs && self.model.is_exact() && gamma < 1.0;
            has_sets.then(|| {
                let sets = QuiescentSets::new(vertices, &a, self.model.strip_form(), delta, gamma / (1.0 - gamma));
                let labels = sets.label(&sample.points);
                labels.iter().zip(&sample.weight).filter(|(l, _)| l.is_some()).map(|(_, &w)| u64::from(w)).sum()
            })
        });
        HullScalars { vertices: vertices.n(), distance_mean, distance_max, quiescent }
    }

    /// A of the first head in the step from this state.
    fn scores(&self, step: u64, d: usize) -> Option<Linear> {
        let step = Steps::new(self.model, d).at(step).ok()?;
        Some(step.stages.first()?.heads.first()?.scores.clone())
    }
}

/// The largest distance of two points.
fn diameter(points: &Points) -> f64 {
    let from = |i: usize| (0..i).map(|j| squared_distance(points.row(i), points.row(j))).fold(0.0, f64::max);
    (0..points.n()).map(from).fold(0.0, f64::max).sqrt()
}

/// Points that are measured, each for some tokens.
struct Sample {
    points: Points,
    weight: Vec<u32>,
}

impl Sample {
    /// At most `most` points, evenly spaced.
    fn of(points: &Points, weight: Option<&[u32]>, most: usize) -> Self {
        let some: Vec<u32> = num::evenly(points.n(), most).map(|i| i as u32).collect();
        let weight = some.iter().map(|&i| weight.map_or(1, |weight| weight[i as usize])).collect();
        Self { points: points.select(&some), weight }
    }

    fn tokens(&self) -> usize {
        self.weight.iter().map(|&w| w as usize).sum()
    }

    fn mean_and_largest(&self, values: &[f64]) -> [f64; 2] {
        let sum: f64 = values.iter().zip(&self.weight).map(|(v, &w)| v * f64::from(w)).sum();
        [sum / self.tokens() as f64, values.iter().copied().fold(0.0, f64::max)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Gain, Mask, Operator, Rule, StripForm};
    use crate::schedule::Schedule;
    use crate::tokens::Precision;

    fn grid(precision: Precision) -> Grid {
        Grid { exponent: 1, precision }
    }

    fn model(mask: Mask) -> Model {
        Model::averaging(
            Rule::Localmax { delta: Schedule::Constant(0.5), strip: StripForm::Width },
            Operator::identity(),
            mask,
            Gain::Alpha(Schedule::Constant(1.0)),
        )
    }

    /// The counterexample constructed for Remark 3.1 of arXiv 2509.15958: four vertices, three more
    /// tokens on one of them, one far away.
    #[test]
    fn a_state_is_measured_by_hand() {
        let rows =
            [[1.0, 1.0], [1.1, -1.0], [-1.2, 0.9], [-1.0, -1.1], [1.05, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]];
        let tokens = Tokens::from_flat(8, 2, rows.concat()).unwrap();
        let measure = |mask| Observer::new(&model(mask), 2, grid(Precision::F64)).measure(0, &tokens);
        let found = measure(Mask::FULL);
        assert_eq!((found.distinct, found.radius, found.rise), (5, 1.2, Some(0.0)));
        assert_eq!(found.support[..4], [1.1, 1.2, 1.0, 1.1]);
        // From (1.1, −1) to (−1.2, 0.9).
        assert!((found.diameter.unwrap() - 2.983_286_778_035_26).abs() < 1e-12 && found.energy.is_none());
        let hull = found.hull.unwrap();
        assert_eq!((hull.vertices, hull.quiescent), (4, Some(7)));
        assert!((hull.distance_max - 1.001_249_219_725_039_3).abs() < 1e-12, "{hull:?}");
        assert!((hull.distance_mean - hull.distance_max / 8.0).abs() < 1e-12);
        let [mean, largest] = found.gap.unwrap();
        assert!((largest - 0.0525).abs() < 1e-12 && mean >= largest / 8.0 - 1e-15, "{hull:?}");
        assert_eq!(measure(Mask::CAUSAL).gap, None);
    }

    /// If recalled rows gave another ledger, a resumed run would not write an uninterrupted one's
    /// bytes.
    #[test]
    fn recalled_rows_are_as_good_as_measured_ones() {
        let model = model(Mask::FULL);
        let states: Vec<Tokens> = (0..6)
            .map(|s| {
                let x: Vec<f64> = (0..40).map(|i| ((i * i + 3 * s) % 17) as f64 / 17.0 - 0.4).collect();
                Tokens::from_flat(20, 2, x).unwrap()
            })
            .collect();
        let mut whole = Observer::new(&model, 2, grid(Precision::F32));
        let rows: Vec<Scalars> = (0..).zip(&states).map(|(s, x)| whole.measure(s, x)).collect();
        for cut in 1..6 {
            let mut resumed = Observer::new(&model, 2, grid(Precision::F32));
            (0..).zip(&rows[..cut]).for_each(|(s, row)| resumed.recall(s, row.radius, &row.support));
            for s in cut..6 {
                assert_eq!(resumed.measure(s as u64, &states[s]), rows[s]);
            }
        }
        assert!(rows[5].largest_rise > Some(0.0));
    }
}
