//! Every engine of this build by name, and a run of a model on one.

use std::sync::{Arc, OnceLock};

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, RealCpu};
use localmax::cpu::{InstructionSet, Options};
use localmax::engine::{self, Engine, ExactReference, RealReference, Step, Steps};
use localmax::error::Result;
use localmax::exact::Grid;
use localmax::gpu::{Adapter, Device, Wanted};
use localmax::model::Model;
use localmax::tokens::{Precision, Tokens};

/// Makes an engine that holds the given tokens, in the arithmetic of the model.
type Make = dyn Fn(&Model, &Tokens, Grid) -> Result<Box<dyn Engine>> + Send + Sync;

/// A named engine; `make` is `None` where this machine lacks it.
#[derive(Clone)]
pub(crate) struct Factory {
    pub(crate) name: String,
    pub(crate) make: Option<Arc<Make>>,
    /// The width of the tokens in its runs.
    pub(crate) precision: Precision,
}

/// Every engine.
pub(crate) fn all() -> Vec<Factory> {
    let reference: Arc<Make> = Arc::new(|model, tokens, grid| {
        let exact = model.is_exact();
        Ok(if exact { Box::new(ExactReference::new(tokens, grid)) } else { Box::new(RealReference::new(tokens)) })
    });
    let mut all = vec![Factory { name: "reference".into(), make: Some(reference), precision: Precision::F64 }];
    // Sets of other processor families are no engines of this build.
    let family =
        |set| (set == InstructionSet::Neon) == cfg!(target_arch = "aarch64") || set == InstructionSet::Portable;
    for set in InstructionSet::ALL.into_iter().filter(|&set| family(set)) {
        let options = Options { set: Some(set), threads: Some(2), ..Options::default() };
        let make: Arc<Make> = Arc::new(move |model, tokens, grid| {
            let exact = model.is_exact();
            Ok(if exact {
                Box::new(ExactCpu::new(tokens, grid, options)?)
            } else {
                Box::new(RealCpu::new(tokens, options)?)
            })
        });
        let make = set.is_available().then_some(make);
        all.push(Factory { name: format!("cpu_{}", set.name()), make, precision: Precision::F64 });
    }
    // The adapter that a run takes, a software one too. One device, opened by the first trial.
    let adapter = Adapter::choose(Wanted::Any).ok();
    let device: OnceLock<Device> = OnceLock::new();
    let make = adapter.map(|adapter| -> Arc<Make> {
        Arc::new(move |model, tokens, grid| {
            let device = device.get_or_init(|| Device::open(&adapter).unwrap_or_else(|e| panic!("{e}")));
            engine::on_gpu(device, Plan::Brute, model, tokens, grid)
        })
    });
    all.push(Factory { name: "gpu".into(), make, precision: Precision::F32 });
    all
}

impl Factory {
    /// A tolerance in f64, or in f32 where the engine runs in that.
    pub(crate) fn within(&self, double: f64, single: f64) -> f64 {
        if self.precision == Precision::F64 { double } else { single }
    }

    /// 2^-52 or 2^-23.
    pub(crate) fn unit(&self) -> f64 {
        self.within(f64::EPSILON, f64::from(f32::EPSILON))
    }

    /// A run of a valid model from a cloud, in the engine's widest width.
    pub(crate) fn run(&self, model: &Model, rows: &[Vec<f64>]) -> Run {
        self.run_at(model, rows, self.precision)
    }

    /// A run of a valid model from a cloud.
    pub(crate) fn run_at(&self, model: &Model, rows: &[Vec<f64>], precision: Precision) -> Run {
        let (n, d) = (rows.len(), rows[0].len());
        let cloud = Tokens::from_flat(n, d, rows.concat()).expect("a cloud");
        model.validate(d, 10).expect("a valid model");
        let cloud = model.start(&cloud, precision).expect("a start");
        let grid = Grid::of(&cloud, precision);
        let make = self.make.as_ref().expect("ignored trials do not run");
        let engine = make(model, &cloud, grid).unwrap_or_else(|e| panic!("{} cannot be made: {e}", self.name));
        Run { engine, steps: Steps::new(model, grid, d), n, t: 0 }
    }
}

/// A run in progress.
pub(crate) struct Run {
    pub(crate) engine: Box<dyn Engine>,
    steps: Steps,
    n: usize,
    pub(crate) t: u64,
}

impl Run {
    /// Takes steps.
    pub(crate) fn advance(&mut self, count: u64) -> &mut Self {
        self.try_advance(count).expect("steps");
        self
    }

    /// Takes steps, or says why not.
    pub(crate) fn try_advance(&mut self, count: u64) -> Result<()> {
        let steps: Vec<Step> = (self.t..self.t + count).map(|t| self.steps.at(t)).collect::<Result<_>>()?;
        self.t += count;
        self.engine.step(&steps).map(drop)
    }

    /// The tokens.
    pub(crate) fn rows(&mut self) -> Vec<Vec<f64>> {
        let tokens = self.engine.tokens().expect("tokens");
        (0..self.n).map(|i| tokens.row(i)).collect()
    }

    /// Whom every row attends to in the step to come.
    pub(crate) fn masks(&mut self) -> Vec<Vec<u32>> {
        let step = self.steps.at(self.t).expect("a step");
        self.engine.masks(&step, &(0..self.n).collect::<Vec<_>>()).expect("masks")
    }
}

/// A small fixed generator (splitmix64), so that a failing case is the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Uniform in [-1, 1).
    pub(crate) fn signed(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub(crate) fn rows(&mut self, n: usize, d: usize) -> Vec<Vec<f64>> {
        (0..n).map(|_| (0..d).map(|_| self.signed()).collect()).collect()
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// The largest distance between two tokens.
pub(crate) fn spread(rows: &[Vec<f64>]) -> f64 {
    rows.iter().flat_map(|a| rows.iter().map(move |b| distance(a, b))).fold(0.0, f64::max)
}

/// Fails unless every coordinate is within the tolerance.
pub(crate) fn assert_near(what: &str, got: &[Vec<f64>], want: &[Vec<f64>], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        for (k, (g, w)) in g.iter().zip(w).enumerate() {
            let error = (g - w).abs();
            assert!(error <= tolerance, "{what}: token {i} coordinate {k} is {g}, not {w} (off by {error:e})");
        }
    }
}

/// Vertex k of the regular polygon on the unit circle.
pub(crate) fn vertex(k: usize, of: usize) -> Vec<f64> {
    let angle = std::f64::consts::TAU * k as f64 / of as f64;
    vec![angle.cos(), angle.sin()]
}
