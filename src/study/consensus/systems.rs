//! The systems of the study.

use super::{Case, Cell, Consensus};
use crate::error::Result;
use crate::init::{Cloud, CloudSample};
use crate::io::config::Config;
use crate::model::{Geometry, Head, Integrator, Mask, Matrix, Model, Operator, Rule, Scoring, Terms, Update};
use crate::rng::Stream;
use crate::schedule::Schedule;
use crate::study::Asked;
use crate::tokens::{Precision, Tokens};

/// β under a causal mask.
pub(super) const CAUSAL_BETA: f64 = 1.5;

/// A model with its start.
pub(super) struct System {
    pub(super) model: Model,
    pub(super) cloud: Tokens,
    pub(super) steps: u64,
    /// Diagonal of W where the surface is an ellipsoid.
    pub(super) axes: Option<Vec<f64>>,
}

impl System {
    /// Sets up the system of a cell; none for the staircase, which no engine runs.
    pub(super) fn of(asked: &Asked<Consensus>, cell: &Cell) -> Result<Option<Self>> {
        let (d, dt, steps) = (asked.sizes.dim, asked.own.dt, asked.sizes.steps);
        let cloud = CloudSample::new(Cloud::Sphere, asked.sizes.tokens, d).tokens(cell.seed, Precision::F64)?;
        let on_sphere = |beta: f64| sphere(beta, dt, Operator::identity(), Mask::FULL);
        Ok(Some(match cell.case {
            Case::Sphere(beta) => Self { model: on_sphere(beta), cloud, steps, axes: None },
            Case::Hemisphere(beta) => Self { model: on_sphere(beta), cloud: hemisphere(&cloud)?, steps, axes: None },
            Case::Ellipsoid => {
                let (model, axes) = ellipsoid(d, dt, cell.seed)?;
                Self { model, cloud: hemisphere(&cloud)?, steps, axes: Some(axes) }
            }
            Case::Causal => {
                let mut stream = Stream::new(cell.seed, "queries", 0);
                let (q, k) = (near_identity(d, &mut stream), near_identity(d, &mut stream));
                let scores = Operator::constant(Matrix::from_query_key(&q, &k)?);
                Self { model: sphere(CAUSAL_BETA, dt, scores, Mask::CAUSAL), cloud, steps, axes: None }
            }
            Case::Plateau => {
                let config = Config::preset("sphere-metastable", &[])?;
                Self { cloud: config.load_tokens()?, steps: config.run.steps, model: config.model, axes: None }
            }
            Case::Staircase(_) => return Ok(None),
        }))
    }
}

/// Turns the first coordinate of every token positive, and away from the rim.
fn hemisphere(cloud: &Tokens) -> Result<Tokens> {
    let (n, d) = (cloud.n(), cloud.d());
    let mut x = cloud.to_f64();
    x.chunks_exact_mut(d).for_each(|row| row[0] = row[0].abs() + 0.05);
    Tokens::from_flat(n, d, x)
}

fn sphere(beta: f64, dt: f64, scores: Operator, mask: Mask) -> Model {
    Model {
        rule: Rule::Softmax { beta: Schedule::Constant(beta) },
        heads: vec![Head { scores, values: Operator::identity() }],
        mask,
        update: Update::Flow { dt, integrator: Integrator::Rk4, geometry: Geometry::Sphere },
        scoring: Scoring::Inner,
        omit: 0.0,
        terms: Terms::default(),
        keys: None,
        graph: None,
    }
}

/// Draws a matrix near the identity.
fn near_identity(d: usize, stream: &mut Stream) -> Vec<Vec<f64>> {
    (0..d).map(|r| (0..d).map(|c| f64::from(u8::from(r == c)) + 0.3 * stream.normal()).collect()).collect()
}

/// Makes the flow with two heads on the ellipsoid of W = diag(1, ..., d); returns W's diagonal too.
fn ellipsoid(d: usize, dt: f64, seed: u64) -> Result<(Model, Vec<f64>)> {
    let mut stream = Stream::new(seed, "heads", 0);
    let axes: Vec<f64> = (1..=d).map(|k| k as f64).collect();
    let w: Vec<Vec<f64>> = (0..d).map(|r| (0..d).map(|c| if r == c { axes[r] } else { 0.0 }).collect()).collect();
    let mut head = |factor: &str| -> Result<Head> {
        let p = Operator::scaled(Matrix::dense(&near_identity(d, &mut stream))?, Schedule::parse(factor)?);
        Ok(Head::bilinear(&p, Operator::identity()))
    };
    let model = Model {
        rule: Rule::Softmax { beta: Schedule::Constant(1.0) },
        heads: vec![head("1+0.5*sin(t)")?, head("1")?],
        mask: Mask::FULL,
        update: Update::Flow { dt, integrator: Integrator::Rk4, geometry: Geometry::Ellipsoid(Matrix::dense(&w)?) },
        scoring: Scoring::Inner,
        omit: 0.0,
        terms: Terms::default(),
        keys: None,
        graph: None,
    };
    Ok((model, axes))
}
