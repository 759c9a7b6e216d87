//! A cell's row: a cloud beside the exact solution, a token under attention, a Markov chain.

use std::ops::ControlFlow;

use super::{Cells, EDGE, GAMMA, NEAR, PLACES, Row, SAMPLED, START, rounding};
use crate::error::{Error, Result};
use crate::init::{Cloud, Kind};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule};
use crate::observe::{Points, RateFit, Sample};
use crate::rng::Stream;
use crate::schedule::Schedule;
use crate::study::common::{distance, evenly, every_step};
use crate::study::{Asked, Look, Workbench};
use crate::tokens::{Precision, Tokens};

/// Most steps, and most tokens, of a pictured cloud.
const PICTURED: u64 = 60;
const MOST_PICTURED: usize = 3000;

/// Follows a cloud beside the exact solution.
pub(super) fn cloud(
    asked: &Asked<Cells>,
    seed: u64,
    stretched: bool,
    growing: bool,
    work: &mut Workbench<'_>,
) -> Result<Row> {
    let (own, sizes) = (&asked.own, &asked.sizes);
    let (matrix, b) = diagonal(sizes.dim, stretched)?;
    let mut stream = Stream::new(seed, "cells", u64::from(stretched));
    let vertices = on_sphere(&b, own.vertices, &mut stream);
    let mut x = vertices.concat();
    (vertices.len()..sizes.tokens.max(vertices.len())).for_each(|_| x.extend(inside(&vertices, &mut stream)));
    let tokens = Tokens::from_f64(x.len() / sizes.dim, sizes.dim, x)?;

    let n = tokens.n();
    let (model, most) = (own.frank_wolfe(&matrix, growing)?, if growing { 60 } else { sizes.steps });
    let (mut way, mut frames) = (None, Vec::new());
    let pictured = seed == 1;
    let steps = work.simulate(&model, &tokens, most, every_step, |look| {
        if pictured && look.t <= PICTURED && n <= MOST_PICTURED {
            frames.push((look.t, look.tokens.clone()));
        }
        let (points, unit) = (Points::of(look.tokens), look.unit());
        let way =
            way.get_or_insert_with(|| Way::new(own, growing, &b, points.clone(), unit, rounding(sizes.precision)));
        way.compare(look.t, &points);
        way.look_at_keys(look, &points)?;
        Ok(ControlFlow::Continue(()))
    })?;

    let way = way.ok_or_else(|| Error::input("a cloud that was never looked at"))?;
    let (not_voronoi, not_convex) = geometry(&b, &vertices, &mut stream);
    if !frames.is_empty() {
        work.frames(&frames)?;
        let rows = way.owners.iter().map(|(v, _)| vec![*v as f64]).collect();
        work.series("owners", &["vertex"], rows)?;
    }
    if pictured {
        let falls = way.falls.iter().enumerate();
        let rows = falls.flat_map(|(k, fall)| fall.iter().map(move |s| vec![k as f64, s.step as f64, s.distance]));
        work.series("distance", &["token", "t", "distance"], rows.collect())?;
    }
    let (rate, theory) = way.rate(sizes.dim);
    Ok(Row {
        case: if growing { "growing" } else { "constant" }.into(),
        seed,
        b: if stretched { "stretched" } else { "identity" }.into(),
        steps,
        examined: n as u64,
        off_line: Some(way.off_line),
        off_vertex: Some(way.off_vertex),
        strayed: Some(way.strayed),
        not_voronoi: Some(not_voronoi),
        not_convex: Some(not_convex),
        rate,
        theory: Some(theory),
        ..Row::default()
    })
}

/// The way of a cloud beside the exact solution.
struct Way<'a> {
    own: &'a Cells,
    growing: bool,
    /// The unit of the lattice, and so many units within which places count as one.
    unit: f64,
    tolerance: f64,
    /// The first state, its vertices, and the vertex of every token with its lead over the next.
    start: Points,
    corners: Vec<Vec<f64>>,
    owners: Vec<(usize, f64)>,
    /// p_t after so many steps.
    left: f64,
    passed: u64,
    /// Largest distance from the exact solution, and of a vertex from its first place.
    off_line: f64,
    off_vertex: f64,
    /// Some tokens, the vertices they attended to at first, and how often they attended to others.
    sampled: Vec<usize>,
    first_keys: Vec<Option<usize>>,
    strayed: u64,
    /// Distances of these tokens to their vertices.
    falls: Vec<Vec<Sample>>,
}

impl<'a> Way<'a> {
    fn new(own: &'a Cells, growing: bool, b: &[f64], start: Points, unit: f64, tolerance: f64) -> Self {
        let sampled: Vec<usize> = evenly(start.n(), SAMPLED).collect();
        let corners: Vec<Vec<f64>> = start.rows().take(own.vertices).map(<[f64]>::to_vec).collect();
        let owners = start.rows().map(|x| owner(b, x, &corners)).collect();
        let falls = vec![Vec::new(); sampled.len()];
        let (first_keys, strayed, passed) = (Vec::new(), 0, 0);
        let (left, off_line, off_vertex) = (1.0, 0.0, 0.0);
        Self {
            own,
            growing,
            tolerance,
            sampled,
            start,
            corners,
            owners,
            unit,
            left,
            passed,
            off_line,
            off_vertex,
            first_keys,
            strayed,
            falls,
        }
    }

    /// Compares a state with the exact solution.
    fn compare(&mut self, t: u64, points: &Points) {
        while self.passed < t {
            self.left *= 1.0 - self.own.gamma(self.growing, self.passed);
            self.passed += 1;
        }
        let left = self.left;
        for (i, &(v, margin)) in self.owners.iter().enumerate() {
            if margin > EDGE {
                let line = self.start.row(i).iter().zip(&self.corners[v]).map(|(x, v)| left * x + (1.0 - left) * v);
                let off = points.row(i).iter().zip(line).map(|(x, line)| (x - line).abs()).fold(0.0, f64::max);
                self.off_line = self.off_line.max(off / self.unit);
            }
        }
        let gone = points.rows().zip(&self.corners).map(|(x, v)| distance(x, v) / self.unit);
        self.off_vertex = gone.fold(self.off_vertex, f64::max);
        for (&i, fall) in self.sampled.iter().zip(&mut self.falls) {
            fall.push(Sample { step: t, distance: distance(points.row(i), &self.corners[self.owners[i].0]) });
        }
    }

    /// Finds the vertex at which the key of each sampled token lies, but for rounding.
    fn look_at_keys(&mut self, look: &mut Look<'_>, points: &Points) -> Result<()> {
        let vertex = |j: u32| {
            let is_near = |v: &Vec<f64>| distance(points.row(j as usize), v) <= self.tolerance * self.unit;
            self.corners.iter().position(is_near)
        };
        let masks = look.masks(&self.sampled)?;
        let keys: Vec<Option<usize>> = masks.iter().map(|mask| mask.first().and_then(|&j| vertex(j))).collect();
        if look.t == 0 {
            self.first_keys.clone_from(&keys);
        }
        let strayed = keys.iter().zip(&self.first_keys).filter(|(now, first)| now != first || now.is_none());
        self.strayed += strayed.count() as u64;
        Ok(())
    }

    /// The fitted rate, or coefficient of t², that is farthest from theory; and theory's.
    fn rate(&self, d: usize) -> (Option<f64>, f64) {
        let Self { own, growing, .. } = *self;
        let noise = self.unit * (d as f64).sqrt() * (1.0 / own.gamma(growing, 0)).max(1.0);
        let theory = if growing { -own.rate / 2.0 } else { 1.0 - own.gamma };
        let fits = self.falls.iter().filter_map(|fall| RateFit::of(fall, noise).ok());
        let rates = fits.map(|fit| if growing { fit.curvature[0] } else { fit.rate });
        (rates.max_by(|a, b| (a - theory).abs().total_cmp(&(b - theory).abs())), theory)
    }
}

/// Counts points outside the cell of their nearest vertex, and pairs of a cell with middles
/// outside.
fn geometry(b: &[f64], vertices: &[Vec<f64>], stream: &mut Stream) -> (u64, u64) {
    let (mut not_voronoi, mut not_convex) = (0, 0);
    let mut last: Vec<Option<Vec<f64>>> = vec![None; vertices.len()];
    for _ in 0..PLACES {
        let x = inside(vertices, stream);
        let (own, margin) = owner(b, &x, vertices);
        let apart = |v: &[f64]| {
            let to: Vec<f64> = x.iter().zip(v).map(|(x, v)| x - v).collect();
            form(b, &to, &to)
        };
        let nearest = vertices.iter().map(|v| apart(v)).fold(f64::INFINITY, f64::min);
        not_voronoi += u64::from(margin > EDGE && apart(&vertices[own]) > nearest + EDGE);
        if let Some(other) = &last[own] {
            let middle: Vec<f64> = x.iter().zip(other).map(|(a, b)| (a + b) / 2.0).collect();
            let (of_middle, margin) = owner(b, &middle, vertices);
            not_convex += u64::from(of_middle != own && margin > EDGE);
        }
        last[own] = Some(x);
    }
    (not_voronoi, not_convex)
}

fn at_finite_beta(rule: Rule) -> Model {
    Model::averaging(rule, Operator::identity(), Mask::Full, Gain::Gamma(Schedule::Constant(GAMMA)))
}

/// Follows a token inside a corner under attention at β.
pub(super) fn soft(asked: &Asked<Cells>, beta: f64, work: &mut Workbench<'_>) -> Result<Row> {
    let mut x = Cloud::new(Kind::Polygon, asked.own.corners, 2).tokens(0, Precision::F64)?.to_f64();
    let corner = [x[0], x[1]];
    x.extend(corner.map(|x| (1.0 - START) * x));
    let tokens = Tokens::from_f64(asked.own.corners + 1, 2, x)?;
    let model = at_finite_beta(Rule::Softmax { beta: Schedule::Constant(beta) });
    let (mut time, mut rows) = (None, Vec::new());
    let steps = work.simulate(&model, &tokens, asked.sizes.steps, every_step, |look| {
        let away = distance(&look.tokens.row(asked.own.corners), &corner);
        rows.push(vec![look.t as f64, away]);
        if away <= NEAR && time.is_none() {
            time = Some(look.t as f64);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    work.series("distance", &["t", "distance"], rows)?;
    Ok(Row { case: "attention".into(), beta: Some(beta), steps, examined: 1, time, ..Row::default() })
}

/// Waits for first exits from the corners under the Markov chain at β.
pub(super) fn chain(asked: &Asked<Cells>, beta: f64, work: &mut Workbench<'_>) -> Result<Row> {
    let own = &asked.own;
    let tokens = Cloud::new(Kind::Polygon, own.corners, 2).tokens(0, Precision::F64)?;
    // The first of κ tokens that each leave with probability p.
    let any = -libm::expm1(own.corners as f64 * libm::log1p(-own.exit(beta)));
    let most = (100.0 / any).ceil() as u64;
    let (mut total, mut rows, mut steps) = (0.0, Vec::new(), 0);
    for run in 1..=own.runs {
        let model = at_finite_beta(Rule::Markov { beta: Schedule::Constant(beta), seed: run });
        let exit = work.simulate(&model, &tokens, most, every_step, |look| {
            let moved = look.report.is_some_and(|report| report.moved > 0);
            Ok(if moved { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        total += exit as f64;
        steps = steps.max(exit);
        rows.push(vec![exit as f64]);
    }
    work.series("exits", &["step"], rows)?;
    Ok(Row {
        case: "chain".into(),
        beta: Some(beta),
        steps,
        examined: own.runs,
        time: Some(total / own.runs as f64),
        expected: Some(1.0 / any),
        standard_error: Some((1.0 - any).sqrt() / any / (own.runs as f64).sqrt()),
        ..Row::default()
    })
}

fn diagonal(d: usize, stretched: bool) -> Result<(Matrix, Vec<f64>)> {
    let entries: Vec<f64> = (1..=d).map(|k| if stretched { k as f64 } else { 1.0 }).collect();
    if !stretched {
        return Ok((Matrix::Identity, entries));
    }
    let rows: Vec<Vec<f64>> = (0..d).map(|r| (0..d).map(|c| if r == c { entries[r] } else { 0.0 }).collect()).collect();
    Ok((Matrix::dense(&rows)?, entries))
}

/// <Bx, y>.
fn form(b: &[f64], x: &[f64], y: &[f64]) -> f64 {
    b.iter().zip(x).zip(y).map(|((b, x), y)| b * x * y).sum()
}

/// The vertex that x scores highest with, and its lead over the next.
fn owner(b: &[f64], x: &[f64], vertices: &[Vec<f64>]) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for (k, v) in vertices.iter().enumerate() {
        let score = form(b, x, v);
        if score > best.1 {
            best = (k, score, best.1);
        } else {
            best.2 = best.2.max(score);
        }
    }
    (best.0, best.1 - best.2)
}

/// Draws vertices on the unit sphere of the norm of B.
fn on_sphere(b: &[f64], count: usize, stream: &mut Stream) -> Vec<Vec<f64>> {
    let vertex = |stream: &mut Stream| {
        let x: Vec<f64> = b.iter().map(|_| stream.normal()).collect();
        let norm = form(b, &x, &x).sqrt();
        x.iter().map(|x| x / norm).collect()
    };
    (0..count).map(|_| vertex(stream)).collect()
}

/// Draws a point of the hull: the mean of d + 1 vertices with random weights.
fn inside(vertices: &[Vec<f64>], stream: &mut Stream) -> Vec<f64> {
    let d = vertices[0].len();
    let (mut x, mut total) = (vec![0.0; d], 0.0);
    for _ in 0..=d {
        let weight = -libm::log(1.0 - stream.uniform());
        let v = &vertices[stream.below(vertices.len() as u64) as usize];
        x.iter_mut().zip(v).for_each(|(x, v)| *x += weight * v);
        total += weight;
    }
    x.iter().map(|x| x / total).collect()
}
