//! One of every kind of rule in real numbers, over clouds that are random, clustered, tied and
//! duplicated: what engines are held to their bounds on.

use localmax::engine::{Engine, Rounding, Step};
use localmax::error::Result;
use localmax::exact::Grid;
use localmax::model::{
    self, Activation, Ensemble, Gain, Geometry, Head, Integrator, Mask, Matrix, Model, Operator, Perceptron, Rule,
    Scheme, Scoring, Source, Sparse, StripForm, Terms, Update,
};
use localmax::outcome::{Description, StepReport, Strips};
use localmax::schedule::Schedule;
use localmax::tokens::Tokens;
use localmax::verify::{Findings, Verifier};

/// A small fixed generator (splitmix64).
struct Random(u64);

impl Random {
    fn signed(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn vector(&mut self, d: usize) -> Vec<f64> {
        (0..d).map(|_| self.signed()).collect()
    }
}

/// Random, clustered, tied, duplicated.
pub(crate) fn cloud(kind: usize, n: usize, d: usize) -> Tokens {
    let mut random = Random((kind * 1_000_000 + n * 1000 + d) as u64);
    let few: Vec<Vec<f64>> = (0..n.div_ceil(4)).map(|_| random.vector(d)).collect();
    let rows: Vec<Vec<f64>> = (0..n)
        .map(|i| match kind {
            0 => random.vector(d),
            1 => few[i % few.len().min(5)].iter().map(|c| c + 1e-5 * random.signed()).collect(),
            2 => random
                .vector(d)
                .iter()
                .enumerate()
                .map(|(k, x)| (2.0 * x).round() + f64::from(u8::from(k == 0)) * 4.0)
                .collect(),
            _ => few[i * 7 % few.len()].clone(),
        })
        .collect();
    Tokens::from_flat(n, d, rows.concat()).expect("a cloud")
}

fn matrix(seed: u64, d: usize) -> Operator {
    let mut random = Random(seed);
    let scale = (d as f64).sqrt().recip();
    let rows: Vec<Vec<f64>> = (0..d).map(|_| random.vector(d).iter().map(|x| scale * x).collect()).collect();
    Operator::constant(Matrix::dense(&rows).expect("a matrix"))
}

fn random(ensemble: Ensemble, d: usize, key: &str) -> Operator {
    let scale = if ensemble == Ensemble::Gaussian { (d as f64).sqrt().recip() } else { 0.8 };
    let random = model::Random::new(ensemble, scale, Some(2), 5, key).expect("a law");
    Operator { source: Source::Random(random), factor: Schedule::Constant(1.0) }
}

/// How many kinds there are.
pub(crate) const RULES: usize = 27;

/// The k-th kind of rule.
pub(crate) fn model(k: usize, beta: f64, d: usize, mask: Mask) -> Model {
    let (b, one) = (Schedule::Constant(beta), Schedule::Constant);
    let softmax = Rule::Softmax { beta: b.clone() };
    let average = |rule, scores| Model::averaging(rule, scores, mask, Gain::Gamma(one(0.4)));
    let two = || (1..3).map(|h| Head { scores: matrix(h, d), values: matrix(h + 10, d) }).collect::<Vec<_>>();
    let identity = || vec![Head { scores: Operator::identity(), values: Operator::identity() }];
    let flow = |rule, heads, integrator, geometry| Model {
        rule,
        heads,
        mask,
        update: Update::Flow { dt: 0.05, integrator, geometry },
        scoring: Scoring::Inner,
        omit: 0.0,
        terms: Terms::default(),
        keys: None,
        graph: None,
    };
    match k {
        0 => average(softmax, Operator::identity()),
        1 => {
            let mut model = average(softmax, matrix(5, d));
            model.heads = two();
            model
        }
        2 => average(Rule::Markov { beta: b, seed: 3 }, Operator::identity()),
        3 => {
            let mut model =
                average(Rule::Localmax { delta: one(0.3), strip: StripForm::OF_PRODUCTS[d % 3].0 }, matrix(5, d));
            model.heads[0].values = matrix(6, d);
            model
        }
        4 => {
            let mut model = average(Rule::Hardmax, Operator::identity());
            model.heads = two();
            model
        }
        5 => {
            let mut model = average(Rule::FrankWolfe, matrix(5, d));
            model.update = Update::Average { gain: Gain::Gamma(one(0.4)), preconditioner: Some(matrix(8, d)) };
            model
        }
        6 => flow(softmax, identity(), Integrator::EulerRenorm, Geometry::Sphere),
        7 => flow(Rule::Exponential { beta: b, origin: 1.0 }, identity(), Integrator::Euler, Geometry::Sphere),
        8 => {
            let rows: Vec<Vec<f64>> = (0..d)
                .map(|r| (0..d).map(|c| if r == c { 1.0 + r as f64 / d as f64 } else { 0.0 }).collect())
                .collect();
            let w = Matrix::dense(&rows).expect("a matrix");
            flow(softmax, two(), Integrator::Rk4, Geometry::Ellipsoid(w))
        }
        10 => average(Rule::Sparse { beta: b, form: Sparse::Sparsemax }, matrix(5, d)),
        11 => {
            let mut model = average(Rule::Sparse { beta: b, form: Sparse::Entmax15 }, Operator::identity());
            model.heads = two();
            model
        }
        12 => flow(Rule::Linear { beta: b, rectified: true }, two(), Integrator::Euler, Geometry::Sphere),
        13 | 14 => {
            let integrator = [Integrator::Euler, Integrator::EulerRenorm][k - 13];
            let noisy = flow(softmax, identity(), integrator, Geometry::Sphere);
            noisy.noise(4.0, 11, k == 14).expect("a sphere")
        }
        15..19 => {
            let speed = one(0.7);
            let scheme = [Scheme::Pre, Scheme::Peri, Scheme::Ngpt { speed }, Scheme::Cod][k - 15].clone();
            let integrator = [Integrator::Rk4, Integrator::Euler, Integrator::EulerRenorm, Integrator::Rk4][k - 15];
            flow(softmax, two(), integrator, Geometry::Normalised(scheme))
        }
        19 => {
            let units: Vec<Vec<f64>> = (0..3).map(|k| Random(k + 20).vector(d)).collect();
            let activation = Activation::ALL[d % 2].0;
            let perceptron = Perceptron::new(vec![0.5, -1.0, 2.0], &units, activation).expect("a perceptron");
            flow(softmax, identity(), Integrator::Rk4, Geometry::Sphere).perceptron(perceptron).expect("a sphere")
        }
        25 => {
            let mut model = average(softmax, random(Ensemble::Gaussian, d, "a"));
            model.heads[0].values = random(Ensemble::Goe, d, "v");
            model
        }
        26 => {
            let head = |key: &str| Head {
                scores: random(Ensemble::Product, d, key),
                values: random(Ensemble::Ginibre, d, key),
            };
            let heads = ["heads[0].p", "heads[1].p"].map(head).to_vec();
            flow(softmax, heads, Integrator::EulerRenorm, Geometry::Ellipsoid(Matrix::Identity))
        }
        22 => average(softmax, Operator::identity()).causal().bias(1.5),
        23 => average(Rule::Markov { beta: b, seed: 3 }, matrix(5, d)).causal().bias(0.7),
        24 => {
            let rule = Rule::Exponential { beta: b, origin: 1.0 };
            flow(rule, identity(), Integrator::Rk4, Geometry::Sphere).causal().without_self().bias(3.0)
        }
        20 | 21 => {
            let heads = vec![Head { scores: matrix(5, d), values: matrix(6, d) }];
            let apart = if k == 20 {
                Model { heads, ..average(softmax, Operator::identity()) }
            } else {
                flow(softmax, heads, Integrator::Rk4, Geometry::Sphere)
            };
            apart.exclusive()
        }
        _ => {
            let heads = vec![Head { scores: Operator::identity(), values: matrix(6, d) }];
            flow(softmax, heads, Integrator::Rk4, Geometry::Rescaled)
        }
    }
}

/// Steps of an engine beside the reference, on so many rows.
pub(crate) fn verify(
    engine: &mut dyn Engine,
    model: &Model,
    tokens: &Tokens,
    steps: u64,
    rows: Option<usize>,
) -> Findings {
    let grid = Grid::of(tokens, tokens.precision());
    let mut verifier = Verifier::new(model, grid, tokens.n(), tokens.d(), rows);
    for t in 0..steps {
        verifier.step(engine, t).expect("a step");
    }
    verifier.findings
}

/// An engine that runs another model than it says.
pub(crate) struct Other<'a> {
    pub(crate) inner: Box<dyn Engine>,
    pub(crate) model: &'a Model,
}

impl Engine for Other<'_> {
    fn description(&self) -> Description {
        Description::default()
    }
    fn rounding(&self) -> Rounding {
        self.inner.rounding()
    }
    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let tokens = self.inner.tokens()?;
        let field = localmax::real::Steps::new(self.model, tokens.d());
        let steps: Vec<Step> = steps.iter().map(|s| Ok(field.at(s.t())?.into())).collect::<Result<_>>()?;
        self.inner.step(&steps)
    }
    fn tokens(&mut self) -> Result<Tokens> {
        self.inner.tokens()
    }
    fn strips(&mut self) -> Result<Strips> {
        self.inner.strips()
    }
    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.inner.masks(step, rows)
    }
}
