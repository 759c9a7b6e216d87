//! A cell's row: a cloud beside the exact solution, a token under attention, a Markov chain.

use std::ops::ControlFlow;

use super::{Cells, EDGE, GAMMA, NEAR, PLACES, Row, SAMPLED, START, rounding};
use crate::error::Result;
use crate::init::{Cloud, CloudSample};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule};
use crate::num::evenly;
use crate::observe::{Points, RateFit, Sample};
use crate::rng::Stream;
use crate::schedule::Schedule;
use crate::study::common::{distance, every_step};
use crate::study::{Asked, Workbench};
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
    let tokens = filled(&vertices, sizes.tokens, &mut stream)?;
    let (n, pictured) = (tokens.n(), seed == 1);
    let (model, most) = (own.frank_wolfe(&matrix, growing)?, if growing { 60 } else { sizes.steps });
    let sampled: Vec<usize> = evenly(n, SAMPLED).collect();
    let mut falls: Vec<Vec<Sample>> = vec![Vec::new(); sampled.len()];
    let (mut first, mut first_keys, mut frames) = (None, Vec::new(), Vec::new());
    let (mut off_line, mut off_vertex, mut strayed, mut unit) = (0.0f64, 0.0f64, 0, 0.0);
    let steps = work.simulate(&model, &tokens, most, every_step, |look| {
        if pictured && look.t <= PICTURED && n <= MOST_PICTURED {
            frames.push((look.t, look.tokens.clone()));
        }
        let points = Points::of(look.tokens);
        unit = look.unit();
        let first = first.get_or_insert_with(|| First::of(&points, own.vertices, &b));
        off_line = off_line.max(first.off_line(&points, own.left(growing, look.t)) / unit);
        off_vertex = off_vertex.max(first.off_vertex(&points) / unit);
        let keys = first.keys(&points, &look.masks(&sampled)?, rounding(sizes.precision) * unit);
        if look.t == 0 {
            first_keys.clone_from(&keys);
        }
        strayed += keys.iter().zip(&first_keys).filter(|(now, then)| now != then || now.is_none()).count() as u64;
        for (&i, fall) in sampled.iter().zip(&mut falls) {
            let vertex = &first.vertices[first.owners[i].0];
            fall.push(Sample { step: look.t, distance: distance(points.row(i), vertex) });
        }
        Ok(ControlFlow::Continue(()))
    })?;

    let (not_voronoi, not_convex) = geometry(&b, &vertices, &mut stream);
    if let Some(First { owners, .. }) = first.filter(|_| !frames.is_empty()) {
        work.frames(&frames)?;
        work.series("owners", &["vertex"], owners.iter().map(|(v, _)| vec![*v as f64]).collect())?;
    }
    if pictured {
        let rows = falls.iter().enumerate();
        let rows = rows.flat_map(|(k, fall)| fall.iter().map(move |s| vec![k as f64, s.step as f64, s.distance]));
        work.series("distance", &["token", "t", "distance"], rows.collect())?;
    }
    let noise = unit * (sizes.dim as f64).sqrt() * (1.0 / own.gamma(growing, 0)).max(1.0);
    let theory = if growing { -own.rate / 2.0 } else { 1.0 - own.gamma };
    Ok(Row {
        case: if growing { "growing" } else { "constant" }.into(),
        seed,
        b: if stretched { "stretched" } else { "identity" }.into(),
        steps,
        examined: n as u64,
        off_line: Some(off_line),
        off_vertex: Some(off_vertex),
        strayed: Some(strayed),
        not_voronoi: Some(not_voronoi),
        not_convex: Some(not_convex),
        rate: farthest_rate(&falls, noise, growing, theory),
        theory: Some(theory),
        ..Row::default()
    })
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
    /// The vertex of every token, with its lead over the next.
    owners: Vec<(usize, f64)>,
}

impl First {
    fn of(points: &Points, count: usize, b: &[f64]) -> Self {
        let vertices: Vec<Vec<f64>> = points.rows().take(count).map(<[f64]>::to_vec).collect();
        let owners = points.rows().map(|x| owner(b, x, &vertices)).collect();
        Self { points: points.clone(), vertices, owners }
    }

    /// Largest distance from the exact solution, at p_t = `left`.
    fn off_line(&self, points: &Points, left: f64) -> f64 {
        let off = |(i, (v, margin)): (usize, &(usize, f64))| {
            let line = self.points.row(i).iter().zip(&self.vertices[*v]).map(|(x, v)| left * x + (1.0 - left) * v);
            let off = points.row(i).iter().zip(line).map(|(x, line)| (x - line).abs()).fold(0.0, f64::max);
            if *margin > EDGE { off } else { 0.0 }
        };
        self.owners.iter().enumerate().map(off).fold(0.0, f64::max)
    }

    /// Largest distance of a vertex from its first place.
    fn off_vertex(&self, points: &Points) -> f64 {
        points.rows().zip(&self.vertices).map(|(x, v)| distance(x, v)).fold(0.0, f64::max)
    }

    /// The vertices within `tolerance` of the keys of some tokens.
    fn keys(&self, points: &Points, masks: &[Vec<u32>], tolerance: f64) -> Vec<Option<usize>> {
        let vertex = |j: u32| self.vertices.iter().position(|v| distance(points.row(j as usize), v) <= tolerance);
        masks.iter().map(|mask| mask.first().and_then(|&j| vertex(j))).collect()
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
