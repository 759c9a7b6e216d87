//! A cell's row: where tokens ended, and how they came there.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::{Cell, Quiescent, RATE_ERROR, Row};
use crate::error::Result;
use crate::model::StripForm;
use crate::num::{evenly, norm};
use crate::observe::{Directions, Entries, Places, Points, QuiescentSets, RateFit, Sample, contraction};
use crate::study::common::{
    IDENTITY, TOGETHER, distance, ends_only, every_step, is_closed, is_still, largest, roundings, together,
};
use crate::study::{Asked, Look, Workbench};
use crate::tokens::Tokens;

/// Directions, beside the axes, in which K(t) must have come to K; how near, in radii of sets.
const SUPPORTED: usize = 62;
const SETTLED: f64 = 0.05;
/// Most members of a group whose masks are asked for at every step; most rates fitted in a cell.
const ASKED: usize = 8;
const MOST_RATES: usize = 200;
/// The share of the smallest ball that roundings may add up to and still be told from a mean that
/// moves.
const TOLD: f64 = 0.01;
/// Most tokens and frames of a pictured cell.
const PICTURED: usize = 12;
const MOST_FRAMES: u64 = 150;

/// A group of tokens at a vertex.
struct Group {
    /// The tokens, ascending.
    members: Vec<u32>,
    /// Their mean: the vertex.
    v: Vec<f64>,
}

/// The end of the first way.
struct Last {
    /// Steps taken, and whether the last one moved no bit.
    end: u64,
    settled: bool,
    /// The unit of the lattice.
    unit: f64,
    /// Closed groups at vertices.
    groups: Vec<Group>,
    /// h_u of the last state, which stands for K.
    limit: Vec<f64>,
}

pub(super) fn row(asked: &Asked<Quiescent>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (model, cloud, steps) = (cell.model(), cell.cloud(asked)?, asked.sizes.steps);
    let mut last = Last { end: 0, settled: false, unit: 0.0, groups: Vec::new(), limit: Vec::new() };
    let mut hull_groups = 0;
    last.end = work.simulate(&model, &cloud, steps, ends_only, |look| {
        if look.last {
            (last.unit, last.settled) = (look.unit(), is_still(look));
            last.limit = support(look.tokens);
            for group in at_vertices(look) {
                hull_groups += 1;
                if is_closed(look, &group.members, usize::MAX)? {
                    last.groups.push(group);
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let mut row = Row {
        case: if cell.seed == 0 { "constructed" } else { "cloud" }.to_owned(),
        seed: cell.seed,
        form: cell.form,
        alpha: cell.alpha,
        delta: cell.delta,
        steps: last.end,
        settled: last.settled,
        hull_groups,
        closed_groups: last.groups.len() as u64,
        vertex_norm: largest(&last.groups, |group| norm(&group.v)),
        theory: contraction(cell.alpha),
        ..Row::default()
    };
    if !last.groups.is_empty() {
        follow(cell, &cloud, &last, &mut row, work)?;
    }
    Ok(row)
}

/// Groups that are vertices of the hull of all groups, away from the origin.
fn at_vertices(look: &Look<'_>) -> Vec<Group> {
    let tolerance = TOGETHER * look.unit();
    let Places { centres, members, vertices: mut corners, .. } =
        Places::of(&Points::of(look.tokens), &together(look.unit()));
    corners.retain(|&c| centres.row(c).iter().any(|x| x.abs() > tolerance));
    corners.into_iter().map(|c| Group { members: members[c].clone(), v: centres.row(c).to_vec() }).collect()
}

/// h_u(t) in some directions.
fn support(tokens: &Tokens) -> Vec<f64> {
    let directions = Directions::new(tokens.d(), SUPPORTED, 0);
    directions.support(&Points::of(tokens)).iter().map(|support| support.value).collect()
}

/// Takes the cloud the same way again from the start, with the vertices known.
fn follow(cell: &Cell, cloud: &Tokens, last: &Last, row: &mut Row, work: &mut Workbench<'_>) -> Result<()> {
    let mut way = Way::new(cell, cloud, last)?;
    let mut frames = Vec::new();
    let pictured = cell.seed <= work.sizes.first_seed;
    let every = last.end.div_ceil(MOST_FRAMES).max(1);
    work.simulate(&cell.model(), cloud, last.end, every_step, |look| {
        let points = Points::of(look.tokens);
        way.compare_hulls(look, row);
        way.look_into_balls(look.t, &points, row);
        way.look_at_groups(look, &points, row)?;
        if pictured && (look.t % every == 0 || look.last) {
            frames.push((look.t, look.tokens.clone()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    way.sum_up(cell.alpha, row);
    // About its group's mean a rounding of half a unit a step and coordinate fades by 1/(1+α) a step;
    // the mean itself drifts.
    let fading = (cloud.d() as f64).sqrt() * ((1.0 + cell.alpha) / (2.0 * cell.alpha)).max(1.0);
    let noise = last.unit * (fading + row.drift);
    way.fit(noise, row);
    if pictured {
        way.keep(work)?;
        work.frames(&frames)?;
    }
    Ok(())
}

/// The second way: who is in which ball, and how far the tokens of groups are from their vertices.
struct Way<'a> {
    last: &'a Last,
    vertices: Points,
    sets: QuiescentSets,
    /// Sets of the radius as it is published, whatever the form.
    published: QuiescentSets,
    /// The group of every token; none for tokens that end elsewhere.
    home: Vec<Option<usize>>,
    /// Tokens whose rates are fitted, with their groups, and their distances at every step.
    tracked: Vec<(usize, usize)>,
    distances: Vec<Vec<f64>>,
    /// Whether K(t) is near K by now; the theorem is about these times.
    settled: bool,
    /// Entries into balls before that and after, and the steps of departures.
    early: Entries,
    entries: Entries,
    left: Vec<u64>,
    /// Tokens that were in a published ball and went elsewhere.
    lost: BTreeSet<usize>,
    /// The largest |mean(N) − v| at every step, in units of the lattice.
    drift: Vec<f64>,
    /// Starts of the tokens: see [`Way::first_distances`].
    starts: Vec<Vec<f64>>,
}

impl<'a> Way<'a> {
    fn new(cell: &Cell, cloud: &Tokens, last: &'a Last) -> Result<Self> {
        let (n, d, groups) = (cloud.n(), cloud.d(), &last.groups);
        let vertices = Points::new(d, groups.iter().flat_map(|group| group.v.clone()).collect())?;
        let sets = |form: StripForm| QuiescentSets::new(&vertices, &IDENTITY, form, cell.delta, cell.alpha);
        let (sets, published) = (sets(cell.form), sets(StripForm::Width));
        let mut home: Vec<Option<usize>> = vec![None; n];
        for (g, group) in groups.iter().enumerate() {
            group.members.iter().for_each(|&i| home[i as usize] = Some(g));
        }
        let all: Vec<(usize, usize)> = (0..n).filter_map(|i| Some((i, home[i]?))).collect();
        let tracked: Vec<(usize, usize)> = evenly(all.len(), MOST_RATES).map(|k| all[k]).collect();
        Ok(Self {
            last,
            vertices,
            sets,
            published,
            home,
            distances: vec![Vec::new(); tracked.len()],
            tracked,
            settled: false,
            early: Entries::new(n),
            entries: Entries::new(n),
            left: Vec::new(),
            lost: BTreeSet::new(),
            drift: Vec::new(),
            starts: Vec::new(),
        })
    }

    /// Sees whether K(t) is within a small part of the least radius of K.
    fn compare_hulls(&mut self, look: &Look<'_>, row: &mut Row) {
        if !self.settled {
            let least = self.least_radius();
            let rises = support(look.tokens).into_iter().zip(&self.last.limit).map(|(now, last)| now - last);
            self.settled = rises.fold(0.0, f64::max) <= SETTLED * least;
            row.hull_settled = look.t;
        }
    }

    /// Sees which tokens are in which ball.
    fn look_into_balls(&mut self, t: u64, points: &Points, row: &mut Row) {
        let labels = self.sets.label(points);
        let before = self.entries.departures;
        if self.settled { &mut self.entries } else { &mut self.early }.record(t, &labels);
        self.left.extend((before..self.entries.departures).map(|_| t));
        if t == 0 {
            row.inside_first = labels.iter().flatten().count() as u64;
            self.starts = self.first_distances(points);
        }
        if self.settled {
            let went_elsewhere = |&(i, at): &(usize, Option<u32>)| at.is_some_and(|v| self.home[i] != Some(v as usize));
            let published = self.published.label(points).into_iter().enumerate();
            self.lost.extend(published.filter(went_elsewhere).map(|(i, _)| i));
        }
    }

    /// Keeps distances to vertices; sees whether groups are closed and where their means are.
    fn look_at_groups(&mut self, look: &mut Look<'_>, points: &Points, row: &mut Row) -> Result<()> {
        let groups = &self.last.groups;
        for (&(i, g), out) in self.tracked.iter().zip(&mut self.distances) {
            out.push(distance(points.row(i), &groups[g].v));
        }
        let (mut closed, mut merged, mut farthest) = (true, true, 0.0f64);
        for (g, Group { members, v }) in groups.iter().enumerate() {
            let rows = || members.iter().map(|&i| points.row(i as usize));
            let radius = self.sets.radius(g).unwrap_or(0.0);
            // A few say that it still is; that it is from now on takes all.
            closed &= rows().all(|x| distance(x, v) <= radius)
                && is_closed(look, members, if row.closed_from == look.t { usize::MAX } else { ASKED })?;
            merged &= rows().all(|x| x == points.row(members[0] as usize));
            farthest = farthest.max(norm(&self.offset(points, members, v)));
        }
        self.drift.push(farthest);
        if !closed {
            row.closed_from = look.t + 1;
        }
        if !merged {
            row.merged_from = look.t + 1;
        }
        Ok(())
    }

    /// mean(N) − v in units of the lattice, summed in integers: a sum of floats would be rounded by
    /// as much as the mean itself.
    fn offset(&self, points: &Points, members: &[u32], v: &[f64]) -> Vec<f64> {
        let units = |i: u32, k: usize| ((points.row(i as usize)[k] - v[k]) / self.last.unit).round() as i128;
        let sum = |k: usize| members.iter().map(|&i| units(i, k)).sum::<i128>();
        (0..v.len()).map(|k| sum(k) as f64 / members.len() as f64).collect()
    }

    /// For every token the distance to the vertex whose ball it is deepest in or nearest to, over
    /// the ball's radius, and whether it ends there.
    fn first_distances(&self, points: &Points) -> Vec<Vec<f64>> {
        let ratio = |i: usize, v: usize| Some(distance(points.row(i), self.vertices.row(v)) / self.sets.radius(v)?);
        let least = |i: usize| {
            let all = (0..self.vertices.n()).filter_map(|v| Some((ratio(i, v)?, v)));
            all.min_by(|a, b| a.0.total_cmp(&b.0))
        };
        let stays = |i: usize, v: usize| f64::from(u8::from(self.home[i] == Some(v)));
        (0..points.n()).filter_map(|i| least(i).map(|(ratio, v)| vec![ratio, stays(i, v)])).collect()
    }

    fn sum_up(&self, alpha: f64, row: &mut Row) {
        row.inside_last = self.entries.in_s1().iter().filter(|&&inside| inside).count() as u64;
        (row.early_departures, row.departures) = (self.early.departures, self.entries.departures);
        row.lost = self.lost.len() as u64;
        row.late_departures = self.left.iter().filter(|t| **t > row.closed_from).count() as u64;
        row.drift = self.drift.iter().skip(row.closed_from as usize).copied().fold(0.0, f64::max);
        // The last mean, which stands for v, is rounded too.
        let (d, steps) = (self.vertices.d(), row.merged_from.saturating_sub(row.closed_from));
        let allowed = roundings(steps, alpha / (1.0 + alpha), d) + (d as f64).sqrt();
        row.drift_allowed = (allowed * self.last.unit <= TOLD * self.least_radius()).then_some(allowed);
    }

    fn least_radius(&self) -> f64 {
        (0..self.vertices.n()).filter_map(|g| self.sets.radius(g)).fold(f64::INFINITY, f64::min)
    }

    /// Fits the rate of every path of distances, from the step at which all groups are closed, and
    /// from the entry into the ball.
    fn fit(&self, noise: f64, row: &mut Row) {
        let rate = |k: usize, from: u64| {
            let samples = (0u64..).zip(&self.distances[k]).skip(from as usize);
            let samples = samples.map(|(step, &distance)| Sample { step, distance });
            RateFit::of(&samples.collect::<Vec<_>>(), noise).ok()
        };
        let tracked = 0..self.tracked.len();
        let fits: Vec<RateFit> = tracked.clone().filter_map(|k| rate(k, row.closed_from)).collect();
        let off = |fit: &RateFit| (fit.rate - row.theory).abs();
        if !fits.is_empty() {
            row.fitted = fits.len() as u64;
            row.rate = Some(fits.iter().map(|fit| fit.rate).sum::<f64>() / fits.len() as f64);
            row.worst = Some(largest(&fits, off));
            row.interval = Some(largest(&fits, |fit| (fit.interval[1] - fit.interval[0]) / 2.0));
        }
        let entry = |k: usize| self.entries.first[self.tracked[k].0];
        let fits: Vec<RateFit> = tracked.filter_map(|k| rate(k, entry(k)?)).collect();
        if !fits.is_empty() {
            row.entered = fits.len() as u64;
            row.entry_worst = Some(largest(&fits, off));
            row.entry_near = fits.iter().filter(|fit| off(fit) <= RATE_ERROR).count() as u64;
        }
    }

    /// Keeps the series of a pictured cell.
    fn keep(self, work: &mut Workbench<'_>) -> Result<()> {
        let lines = evenly(self.tracked.len(), PICTURED).flat_map(|k| {
            let token = self.tracked[k].0 as f64;
            (0u64..).zip(&self.distances[k]).map(move |(t, &distance)| vec![t as f64, token, distance])
        });
        work.series("distance", &["t", "token", "distance"], lines.collect())?;
        work.series("starts", &["ratio", "stays"], self.starts)?;
        let corners = self.vertices.rows().enumerate().map(|(g, v)| {
            let radius = |sets: &QuiescentSets| sets.radius(g).unwrap_or(0.0);
            vec![v[0], v.get(1).copied().unwrap_or(0.0), radius(&self.sets), radius(&self.published)]
        });
        work.series("vertices", &["x1", "x2", "radius", "published"], corners.collect())
    }
}
