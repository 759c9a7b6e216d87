//! A cell's row: a cloud beside the exact solution, a token under attention, a Markov chain.

use std::ops::ControlFlow;

use super::{Cells, FAR, GAMMA, NEAR, Row, SAMPLED, START};
use crate::error::Result;
use crate::init::{Cloud, CloudSample};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule};
use crate::num::{dot, evenly, norm};
use crate::observe::{FLOOR, Points, RateFit, Sample};
use crate::rng::Stream;
use crate::schedule::Schedule;
use crate::study::common::{distance, every_step};
use crate::study::{Asked, Workbench};
use crate::tokens::{Precision, Tokens};

/// Most steps, and most tokens, of a pictured cloud.
const PICTURED: u64 = 60;
const MOST_PICTURED: usize = 3000;

/// Roundings are told from another solution while they add up to less than this share of the radius.
const TOLD: f64 = 0.01;

/// A token drawn as the mean of one vertex with itself is that vertex to so many units: its weights are
/// rounded.
const COPY: f64 = 8.0;

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
    let tokens = filled(&vertices, sizes.tokens, &mut stream)?;
    let (n, pictured) = (tokens.n(), seed == sizes.first_seed);
    let (model, most) = (own.frank_wolfe(&matrix, growing)?, if growing { 60 } else { sizes.steps });
    let sampled: Vec<usize> = evenly(n, SAMPLED).collect();
    let mut falls: Vec<Vec<Sample>> = vec![Vec::new(); sampled.len()];
    let (mut first, mut frames): (Option<First>, _) = (None, Vec::new());
    let (mut off_line, mut off_vertex, mut strayed, mut not_voronoi, mut unit) = (0.0f64, 0.0f64, 0, 0, 0.0);
    let a_step = a_step(&b, &vertices, own.gamma(growing, 0));
    let steps = work.simulate(&model, &tokens, most, every_step, |look| {
        if pictured && look.t <= PICTURED && n <= MOST_PICTURED {
            frames.push((look.t, look.tokens.clone()));
        }
        let points = Points::of(look.tokens);
        unit = look.unit();
        // Scores change by what both of a pair of vertices may move by.
        let edge = || 2.0 * b[b.len() - 1] * points.largest_magnitude() * most as f64 * a_step * unit;
        let first = first.get_or_insert_with(|| First::of(&points, own.vertices, &b, edge()));
        off_line = off_line.max(first.off_line(&points, own.left(growing, look.t)) / unit);
        off_vertex = off_vertex.max(first.off_vertex(&points) / unit);
        let masks = look.masks(&sampled)?;
        let sure = sampled.iter().zip(&masks).filter(|(i, _)| first.is_sure(**i));
        strayed += sure.clone().filter(|(i, mask)| first.strays(**i, mask)).count() as u64;
        if look.t == 0 {
            let off = |(i, mask): &(&usize, &Vec<u32>)| !first.is_nearest(&b, **i, mask, COPY * unit);
            not_voronoi = sure.filter(off).count() as u64;
        }
        for (&i, fall) in sampled.iter().zip(&mut falls).filter(|(i, _)| first.is_sure(**i)) {
            let vertex = &first.vertices[first.owners[i].0];
            fall.push(Sample { step: look.t, distance: distance(points.row(i), vertex) });
        }
        Ok(ControlFlow::Continue(()))
    })?;

    let near_edge = first.as_ref().map(|first| (0..n).filter(|&i| !first.is_sure(i)).count() as u64);
    if let Some(First { owners, .. }) = first.filter(|_| !frames.is_empty()) {
        work.frames(&frames)?;
        work.series("owners", &["vertex"], owners.iter().map(|(v, _)| vec![*v as f64]).collect())?;
    }
    if pictured {
        let rows = falls.iter().enumerate();
        let rows = rows.flat_map(|(k, fall)| fall.iter().map(move |s| vec![k as f64, s.step as f64, s.distance]));
        work.series("distance", &["token", "t", "distance"], rows.collect())?;
    }
    let fading = (sizes.dim as f64).sqrt() / own.gamma(growing, 0);
    let noise = unit * (off_vertex + fading) * (FAR / FLOOR);
    let theory = if growing { -own.rate / 2.0 } else { 1.0 - own.gamma };
    let allowed = steps as f64 * a_step + fading;
    Ok(Row {
        case: if growing { "growing" } else { "constant" }.into(),
        seed,
        b: if stretched { "stretched" } else { "identity" }.into(),
        steps,
        examined: n as u64,
        near_edge,
        allowed: Some(allowed),
        told: allowed * unit <= TOLD * tokens.largest_magnitude(),
        off_line: Some(off_line),
        off_vertex: Some(off_vertex),
        strayed: Some(strayed),
        not_voronoi: Some(not_voronoi),
        rate: farthest_rate(&falls, noise, growing, theory),
        theory: Some(theory),
        ..Row::default()
    })
}

/// The most that roundings move a vertex by in a step, in units of the lattice.
///
/// A token y of the vertex's cell lies on its line to the vertex v but for ρ/γ a coordinate, ρ =
/// max(1/2, 1 − γ) a step, which fade by 1 − γ. It draws v only where it outscores it: `c|Bv||v − y|
/// <= <Bv, v − y>` on the line, c the least `<Bv, v − w>/(|Bv||v − w|)` over other vertices w, so that
/// |v − y| <= √d·ρ/(γc); v then moves by γ of that, or by a unit a coordinate.
fn a_step(b: &[f64], vertices: &[Vec<f64>], gamma: f64) -> f64 {
    let mut sharpest = 1.0f64;
    for v in vertices {
        let query: Vec<f64> = b.iter().zip(v).map(|(b, v)| b * v).collect();
        for w in vertices.iter().filter(|w| *w != v) {
            let to: Vec<f64> = v.iter().zip(w).map(|(v, w)| v - w).collect();
            sharpest = sharpest.min(dot(&query, &to) / (norm(&query) * norm(&to)));
        }
    }
    (b.len() as f64).sqrt() * ((1.0 - gamma).max(0.5) / sharpest).max(1.0)
}

/// The fitted rate, or coefficient of t², that is farthest from theory.
fn farthest_rate(falls: &[Vec<Sample>], noise: f64, growing: bool, theory: f64) -> Option<f64> {
    let fits = falls.iter().filter_map(|fall| RateFit::of(fall, noise).ok());
    let rates = fits.map(|fit| if growing { fit.curvature[0] } else { fit.rate });
    rates.max_by(|a, b| (a - theory).abs().total_cmp(&(b - theory).abs()))
}

/// The first state as the engine has it, beside which later ones are compared.
struct First {
    points: Points,
    vertices: Vec<Vec<f64>>,
    /// The vertex of every token, and whether its lead over the next is more than rounding takes back.
    owners: Vec<(usize, bool)>,
}

impl First {
    fn of(points: &Points, count: usize, b: &[f64], edge: f64) -> Self {
        let vertices: Vec<Vec<f64>> = points.rows().take(count).map(<[f64]>::to_vec).collect();
        let found: Vec<(usize, f64)> = points.rows().map(|x| owner(b, x, &vertices)).collect();
        // A token is as sure as its vertex, which another one may draw away.
        let owners = found.iter().map(|&(v, lead)| (v, lead.min(found[v].1) > edge)).collect();
        Self { points: points.clone(), vertices, owners }
    }

    fn is_sure(&self, i: usize) -> bool {
        self.owners[i].1
    }

    /// Largest distance of a sure token from the exact solution, at p_t = `left`.
    fn off_line(&self, points: &Points, left: f64) -> f64 {
        let off = |(i, (v, _)): (usize, &(usize, bool))| {
            let line = self.points.row(i).iter().zip(&self.vertices[*v]).map(|(x, v)| left * x + (1.0 - left) * v);
            points.row(i).iter().zip(line).map(|(x, line)| (x - line).abs()).fold(0.0, f64::max)
        };
        self.owners.iter().enumerate().filter(|(_, owner)| owner.1).map(off).fold(0.0, f64::max)
    }

    /// Largest distance of a sure vertex from its first place.
    fn off_vertex(&self, points: &Points) -> f64 {
        let sure = (0..self.vertices.len()).filter(|&v| self.is_sure(v));
        sure.map(|v| distance(points.row(v), &self.vertices[v])).fold(0.0, f64::max)
    }

    /// True if the key of token i is a token of another cell, or there is none.
    fn strays(&self, i: usize, mask: &[u32]) -> bool {
        let other = |&j: &u32| self.is_sure(j as usize) && self.owners[j as usize].0 != self.owners[i].0;
        mask.first().is_none_or(other)
    }

    /// True if the key of token i is the vertex nearest to it in the norm of B, or a copy of it.
    fn is_nearest(&self, b: &[f64], i: usize, mask: &[u32], copy: f64) -> bool {
        let apart = |v: &Vec<f64>| {
            let to: Vec<f64> = self.points.row(i).iter().zip(v).map(|(x, v)| x - v).collect();
            form(b, &to, &to)
        };
        let nearest = self.vertices.iter().min_by(|v, w| apart(v).total_cmp(&apart(w)));
        let key = mask.first().map(|&j| self.points.row(j as usize));
        nearest.zip(key).is_some_and(|(v, key)| distance(key, v) <= copy)
    }
}

fn at_finite_beta(rule: Rule) -> Model {
    Model::averaging(rule, Operator::identity(), Mask::FULL, Gain::Gamma(Schedule::Constant(GAMMA)))
}

/// Follows a token inside a corner under attention at β.
pub(super) fn soft(asked: &Asked<Cells>, beta: f64, work: &mut Workbench<'_>) -> Result<Row> {
    let mut x = CloudSample::new(Cloud::Polygon, asked.own.corners, 2).tokens(0, Precision::F64)?.to_f64();
    let corner = [x[0], x[1]];
    x.extend(corner.map(|x| (1.0 - START) * x));
    let tokens = Tokens::from_flat(asked.own.corners + 1, 2, x)?;
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
    let tokens = CloudSample::new(Cloud::Polygon, own.corners, 2).tokens(0, Precision::F64)?;
    // The first of κ tokens that each leave with probability p.
    let any = -libm::expm1(own.corners as f64 * libm::log1p(-own.exit(beta)));
    let most = (100.0 / any).ceil() as u64;
    let (mut total, mut rows, mut steps) = (0.0, Vec::new(), 0);
    for run in 0..own.runs {
        let seed = asked.sizes.first_seed + run;
        let model = at_finite_beta(Rule::Markov { beta: Schedule::Constant(beta), seed });
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

/// The vertices as tokens, and as many more inside their hull as make `count`.
fn filled(vertices: &[Vec<f64>], count: usize, stream: &mut Stream) -> Result<Tokens> {
    let (n, mut x) = (count.max(vertices.len()), vertices.concat());
    (vertices.len()..n).for_each(|_| x.extend(inside(vertices, stream)));
    Tokens::from_flat(n, vertices[0].len(), x)
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
