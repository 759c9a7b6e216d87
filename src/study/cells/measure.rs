//! What a cell measures: a cloud beside the exact solution, a token under attention at β, a chain on corners.

use std::ops::ControlFlow;

use super::{Cells, EDGE, GAMMA, NEAR, PLACES, Row, SAMPLED, START, rounding};
use crate::error::Result;
use crate::init::{Cloud, CloudSample};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule};
use crate::observe::{Points, RateFit, Sample};
use crate::rng::Stream;
use crate::schedule::Schedule;
use crate::study::{Asked, Workbench};
use crate::tokens::{Precision, Tokens};

/// A cloud beside the exact solution.
pub(super) fn cloud(
    asked: &Asked<Cells>,
    seed: u64,
    stretched: bool,
    growing: bool,
    work: &mut Workbench<'_>,
) -> Result<Row> {
    let (own, d) = (&asked.own, asked.sizes.dim);
    let (matrix, b) = diagonal(d, stretched)?;
    let mut stream = Stream::new(seed, "cells", u64::from(stretched));
    let vertices = on_sphere(&b, own.vertices, &mut stream);
    let count = vertices.len();
    let mut x = vertices.concat();
    (count..asked.sizes.tokens.max(count)).for_each(|_| x.extend(inside(&vertices, &mut stream)));
    let n = x.len() / d;
    let tokens = Tokens::from_flat(n, d, x)?;

    let sampled: Vec<usize> = (0..n.min(SAMPLED)).map(|k| k * n / n.min(SAMPLED)).collect();
    let pictured = seed == 1;
    let mut first: Option<Points> = None;
    let mut corners: Vec<Vec<f64>> = Vec::new();
    let mut owners: Vec<(usize, f64)> = Vec::new();
    let (mut off, mut strayed, mut moved) = (0.0f64, 0, 0.0f64);
    let mut falls: Vec<Vec<Sample>> = vec![Vec::new(); sampled.len()];
    let (mut left, mut passed, mut unit) = (1.0, 0, 0.0);
    let (mut frames, mut at_first) = (Vec::new(), Vec::new());
    let most = if growing { 60 } else { asked.sizes.steps };
    let steps = work.simulate(
        &own.frank_wolfe(&matrix, growing)?,
        &tokens,
        most,
        |_| true,
        |look| {
            let points = Points::of(look.tokens);
            unit = look.unit();
            if pictured && look.t <= 60 && n <= 3000 {
                frames.push((look.t, look.tokens.clone()));
            }
            while passed < look.t {
                left *= 1.0 - own.gamma(growing, passed);
                passed += 1;
            }
            let start = first.get_or_insert_with(|| points.clone());
            if look.t == 0 {
                corners = (0..count).map(|k| points.row(k).to_vec()).collect();
                owners = points.rows().map(|x| owner(&b, x, &corners)).collect();
            }
            for (i, &(v, margin)) in owners.iter().enumerate() {
                if margin > EDGE {
                    let line = |k: usize| left * start.row(i)[k] + (1.0 - left) * corners[v][k];
                    off = off.max((0..d).map(|k| (points.row(i)[k] - line(k)).abs()).fold(0.0, f64::max) / unit);
                }
            }
            let gone = |(k, v): (usize, &Vec<f64>)| distance(points.row(k), v) / unit;
            moved = corners.iter().enumerate().map(gone).fold(moved, f64::max);
            // Each token's key, by the vertex that it is, or lies at but for rounding.
            let masks = look.masks(&sampled)?;
            let at = |j: u32| {
                let near = |v: &Vec<f64>| distance(points.row(j as usize), v) <= rounding(asked.sizes.precision) * unit;
                corners.iter().position(near)
            };
            let keys: Vec<Option<usize>> = masks.iter().map(|mask| mask.first().and_then(|&j| at(j))).collect();
            if look.t == 0 {
                at_first.clone_from(&keys);
            }
            strayed += keys.iter().zip(&at_first).filter(|(now, then)| now != then || now.is_none()).count() as u64;
            for (&i, fall) in sampled.iter().zip(&mut falls) {
                fall.push(Sample { step: look.t, distance: distance(points.row(i), &corners[owners[i].0]) });
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;

    let noise = unit * (d as f64).sqrt() * (1.0 / own.gamma(growing, 0)).max(1.0);
    let theory = if growing { -own.rate / 2.0 } else { 1.0 - own.gamma };
    let fits = falls.iter().filter_map(|fall| RateFit::of(fall, noise).ok());
    let rates = fits.map(|fit| if growing { fit.curvature[0] } else { fit.rate });
    let worst = rates.max_by(|a, b| (a - theory).abs().total_cmp(&(b - theory).abs()));
    let (not_voronoi, not_convex) = geometry(&b, &vertices, &mut stream);
    if !frames.is_empty() {
        work.frames(&frames)?;
        let rows = owners.iter().map(|(v, _)| vec![*v as f64]).collect();
        work.series("owners", &["vertex"], rows)?;
    }
    if pictured {
        let rows = falls
            .iter()
            .enumerate()
            .flat_map(|(k, fall)| fall.iter().map(move |s| vec![k as f64, s.step as f64, s.distance]));
        work.series("distance", &["token", "t", "distance"], rows.collect())?;
    }
    Ok(Row {
        case: if growing { "growing" } else { "constant" }.into(),
        seed,
        b: if stretched { "stretched" } else { "identity" }.into(),
        steps,
        examined: n as u64,
        off_line: Some(off),
        off_vertex: Some(moved),
        strayed: Some(strayed),
        not_voronoi: Some(not_voronoi),
        not_convex: Some(not_convex),
        rate: worst,
        theory: Some(theory),
        ..Row::default()
    })
}

/// Points of K that are not in the cell of their nearest vertex, and pairs of one cell whose middle is in another.
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

/// A token inside a corner under attention at β.
pub(super) fn soft(asked: &Asked<Cells>, beta: f64, work: &mut Workbench<'_>) -> Result<Row> {
    let mut x = CloudSample::new(Cloud::Polygon, asked.own.corners, 2).tokens(0, Precision::F64)?.to_f64();
    let corner = [x[0], x[1]];
    x.extend(corner.map(|x| (1.0 - START) * x));
    let tokens = Tokens::from_flat(asked.own.corners + 1, 2, x)?;
    let rule = Rule::Softmax { beta: Schedule::Constant(beta) };
    let model = Model::averaging(rule, Operator::identity(), Mask::Full, Gain::Gamma(Schedule::Constant(GAMMA)));
    let (mut time, mut rows) = (None, Vec::new());
    let steps = work.simulate(
        &model,
        &tokens,
        asked.sizes.steps,
        |_| true,
        |look| {
            let away = distance(&look.tokens.row(asked.own.corners), &corner);
            rows.push(vec![look.t as f64, away]);
            if away <= NEAR && time.is_none() {
                time = Some(look.t as f64);
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    work.series("distance", &["t", "distance"], rows)?;
    Ok(Row { case: "attention".into(), beta: Some(beta), steps, examined: 1, time, ..Row::default() })
}

/// First exits from the corners under the Markov chain at β.
pub(super) fn chain(asked: &Asked<Cells>, beta: f64, work: &mut Workbench<'_>) -> Result<Row> {
    let own = &asked.own;
    let tokens = CloudSample::new(Cloud::Polygon, own.corners, 2).tokens(0, Precision::F64)?;
    // The first of κ tokens that each leave with probability p.
    let any = -libm::expm1(own.corners as f64 * libm::log1p(-own.exit(beta)));
    let most = (100.0 / any).ceil() as u64;
    let (mut total, mut rows, mut steps) = (0.0, Vec::new(), 0);
    for run in 1..=own.runs {
        let rule = Rule::Markov { beta: Schedule::Constant(beta), seed: run };
        let model = Model::averaging(rule, Operator::identity(), Mask::Full, Gain::Gamma(Schedule::Constant(GAMMA)));
        let exit = work.simulate(
            &model,
            &tokens,
            most,
            |_| true,
            |look| {
                let moved = look.report.is_some_and(|report| report.moved > 0);
                Ok(if moved { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        )?;
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

/// The vertex that x scores highest with, and by how much more than with the next.
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

/// Vertices on the unit sphere of the norm of B.
fn on_sphere(b: &[f64], count: usize, stream: &mut Stream) -> Vec<Vec<f64>> {
    let vertex = |stream: &mut Stream| {
        let x: Vec<f64> = b.iter().map(|_| stream.normal()).collect();
        let norm = form(b, &x, &x).sqrt();
        x.iter().map(|x| x / norm).collect()
    };
    (0..count).map(|_| vertex(stream)).collect()
}

/// A point of the hull: the mean of d + 1 vertices with random weights.
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

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}
