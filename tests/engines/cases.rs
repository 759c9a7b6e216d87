//! Clouds, models and small systems made of them.

use localmax::engine::{Step, Steps};
use localmax::exact::Grid;
use localmax::model::{Gain, Mask, Matrix, Model, Rule, Scores, StripForm};
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};

/// A small fixed generator (splitmix64), so that a failing case is the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Uniform in [-1, 1).
    pub(crate) fn signed(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub(crate) fn vector(&mut self, d: usize) -> Vec<f64> {
        (0..d).map(|_| self.signed()).collect()
    }
}

/// The kinds of cloud that engines have been wrong on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Uniform in a cube.
    Random,
    /// Five tight clusters.
    Clustered,
    /// Small integers: many exact ties.
    Tied,
    /// Every token several times, scattered.
    Duplicated,
    /// All on one line through the origin.
    Line,
    /// All at the origin.
    Zero,
    /// One token 10^6 times farther out than the rest.
    Outlier,
}

impl Shape {
    pub(crate) const ALL: [Self; 7] =
        [Self::Random, Self::Clustered, Self::Tied, Self::Duplicated, Self::Line, Self::Zero, Self::Outlier];

    pub(crate) fn cloud(self, n: usize, d: usize, seed: u64) -> Tokens {
        let mut random = Random(seed);
        let centres: Vec<Vec<f64>> = (0..5).map(|_| random.vector(d)).collect();
        let few: Vec<Vec<f64>> = (0..n.div_ceil(4)).map(|_| random.vector(d)).collect();
        let direction = random.vector(d);
        let mut rows: Vec<Vec<f64>> = (0..n)
            .map(|_| match self {
                Self::Random | Self::Outlier => random.vector(d),
                Self::Clustered => {
                    let centre = &centres[random.below(centres.len())];
                    centre.iter().map(|c| c + 1e-5 * random.signed()).collect()
                }
                Self::Tied => (0..d).map(|_| random.below(5) as f64 - 2.0).collect(),
                Self::Duplicated => few[random.below(few.len())].clone(),
                Self::Line => {
                    let at = random.signed();
                    direction.iter().map(|v| at * v).collect()
                }
                Self::Zero => vec![0.0; d],
            })
            .collect();
        if self == Self::Outlier {
            rows[n / 2].iter_mut().for_each(|x| *x *= 1e6);
        }
        Tokens::from_flat(n, d, rows.concat()).expect("a finite cloud")
    }
}

/// Matrices A that take different ways through an engine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Identity,
    Multiple(f64),
    Symmetric,
    General,
}

impl Form {
    pub(crate) const ALL: [Self; 8] = [
        Self::Identity,
        Self::General,
        Self::Multiple(-0.7),
        Self::Symmetric,
        Self::Multiple(3e-9),
        Self::Identity,
        Self::Multiple(5e7),
        Self::Multiple(0.0),
    ];

    fn matrix(self, d: usize) -> Matrix {
        let mut random = Random(d as u64);
        match self {
            Self::Identity => Matrix::Identity,
            Self::Multiple(c) => Matrix::multiple(c).expect("finite"),
            Self::Symmetric | Self::General => {
                let drawn: Vec<Vec<f64>> = (0..d).map(|_| random.vector(d)).collect();
                let symmetric = matches!(self, Self::Symmetric);
                let entry = |r: usize, c: usize| match (symmetric, r == c) {
                    (false, _) => drawn[r][c],
                    (true, false) => drawn[r.min(c)][r.max(c)],
                    (true, true) => drawn[r][r] + d as f64,
                };
                let rows: Vec<Vec<f64>> = (0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect();
                Matrix::dense(&rows).expect("square and finite")
            }
        }
    }
}

/// A model in one line; `delta: None` is hardmax, a negative δ Frank–Wolfe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    pub(crate) delta: Option<f64>,
    pub(crate) strip: StripForm,
    pub(crate) form: Form,
    pub(crate) mask: Mask,
    pub(crate) alpha: f64,
    /// Whether alpha, delta and A change with t.
    pub(crate) scheduled: bool,
}

impl System {
    pub(crate) const PLAIN: Self = Self {
        delta: Some(0.1),
        strip: StripForm::Width,
        form: Form::Identity,
        mask: Mask::FULL,
        alpha: 0.5,
        scheduled: false,
    };

    fn model(&self, d: usize, t: u64) -> Model {
        let swing = if self.scheduled { 1.0 + 0.5 * (t as f64).sin() } else { 1.0 };
        let constant = Schedule::Constant;
        let rule = match self.delta {
            None => Rule::Hardmax,
            Some(..0.0) => Rule::FrankWolfe,
            Some(delta) => Rule::Localmax { delta: constant(delta * swing), strip: self.strip },
        };
        let scores = Scores::scaled(self.form.matrix(d), constant(swing));
        Model::averaging(rule, scores, self.mask, Gain::Alpha(constant(self.alpha * swing)))
    }

    /// The integers of the steps 0..count.
    pub(crate) fn steps(&self, grid: Grid, d: usize, count: u64) -> Vec<Step> {
        (0..count).map(|t| Steps::new(&self.model(d, t), grid, d).at(t).expect("a step in its domain")).collect()
    }
}

/// Widths from none to everything, and the lowest maximiser alone, in the cloud's own scale (radius
/// about 1).
pub(crate) const DELTAS: [Option<f64>; 6] = [None, Some(0.0), Some(1e-6), Some(0.2), Some(1e9), Some(-1.0)];

/// A cloud, a model and a number of steps.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) tokens: Tokens,
    pub(crate) grid: Grid,
    pub(crate) steps: Vec<Step>,
}

impl Case {
    pub(crate) fn new(shape: Shape, n: usize, d: usize, precision: Precision, system: System, steps: u64) -> Self {
        let tokens = shape.cloud(n, d, (n * 1000 + d) as u64);
        let grid = Grid::of(&tokens, precision);
        Self {
            name: format!("{shape:?} n={n} d={d} {} {system:?}", precision.name()),
            steps: system.steps(grid, d, steps),
            tokens,
            grid,
        }
    }
}

/// The k-th combination of options that do not depend on one another; over many k all pairs occur.
pub(crate) fn combination(k: usize) -> (Shape, Precision, System) {
    let pick = |at: usize, of: usize| (k / at + k) % of;
    let system = System {
        delta: DELTAS[pick(3, 6)],
        strip: StripForm::OF_PRODUCTS[pick(7, 3)].0,
        form: Form::ALL[pick(2, 8)],
        mask: if pick(5, 4) == 0 { Mask::CAUSAL } else { Mask::FULL },
        alpha: [0.5, 1e-3, 50.0][pick(11, 3)],
        scheduled: pick(13, 2) == 1,
    };
    (Shape::ALL[k % 7], if pick(17, 5) < 3 { Precision::F32 } else { Precision::F64 }, system)
}
