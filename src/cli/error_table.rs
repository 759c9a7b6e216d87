//! The table of errors that `localmax verify --table` prints: every engine of this machine beside
//! the reference, over systems that reach from the first step to late, merged states.

use anyhow::Result;

use crate::choice::Plan;
use crate::engine::{self, Engine};
use crate::exact::Grid;
use crate::init::{Cloud, CloudSample};
use crate::model::{Gain, Geometry, Head, Integrator, Mask, Matrix, Model, Operator, Rule, StripForm, Update};
use crate::schedule::Schedule;
use crate::tokens::{Precision, Tokens};
use crate::verify::{Findings, Verifier};

const STEPS: u64 = 20;
/// Steps of rules in real numbers: checks of rk4 need every row of every stage.
const REAL_STEPS: u64 = 3;
/// Normal tokens in R^64 hardly see one another; clusters do.
const SHAPES: [(usize, usize, Cloud); 2] = [(1000, 3, Cloud::Gaussian), (300, 64, Cloud::Clusters)];

type Open = Box<dyn Fn(&Model, &Tokens, Grid) -> crate::error::Result<Box<dyn Engine>>>;

/// A rule in real numbers of each kind, by name.
fn real_rules() -> Vec<(&'static str, Model)> {
    let beta = || Schedule::Constant(4.0);
    let gain = || Gain::Alpha(Schedule::Constant(0.5));
    let average = |rule| Model::averaging(rule, Operator::identity(), Mask::Full, gain());
    let flow = |rule, mask, integrator, geometry| Model {
        rule,
        heads: vec![Head { scores: Operator::identity(), values: Operator::identity() }],
        mask,
        update: Update::Flow { dt: 0.1, integrator, geometry },
        omit: 0.0,
    };
    let softmax = || Rule::Softmax { beta: beta() };
    let sphere = |rule, mask, integrator| flow(rule, mask, integrator, Geometry::Sphere);
    vec![
        ("softmax", average(softmax())),
        ("markov", average(Rule::Markov { beta: beta(), seed: 7 })),
        ("sphere, SA, euler-renorm", sphere(softmax(), Mask::Full, Integrator::EulerRenorm)),
        ("sphere, causal, rk4", sphere(softmax(), Mask::Causal, Integrator::Rk4)),
        ("sphere, USA", sphere(Rule::Exponential { beta: beta(), origin: 1.0 }, Mask::Full, Integrator::Euler)),
        ("ellipsoid", flow(softmax(), Mask::Full, Integrator::Euler, Geometry::Ellipsoid(Matrix::Multiple(4.0)))),
        ("rescaled", flow(softmax(), Mask::Full, Integrator::Euler, Geometry::Rescaled)),
    ]
}

/// The rules of the table by name; A is the identity but for the a-norm, whose A is symmetric with
/// a full first row.
fn rules(d: usize) -> Result<Vec<(&'static str, Model)>> {
    let rows: Vec<Vec<f64>> = (0..d)
        .map(|r| {
            (0..d)
                .map(|c| {
                    if r == c {
                        1.5
                    } else if r.min(c) == 0 {
                        0.5 / d as f64
                    } else {
                        0.0
                    }
                })
                .collect()
        })
        .collect();
    let model = |rule, matrix| {
        let scores = Operator { matrix, factor: Schedule::Constant(1.0) };
        Model::averaging(rule, scores, Mask::Full, Gain::Alpha(Schedule::Constant(0.5)))
    };
    let localmax = |strip| Rule::Localmax { delta: Schedule::Constant(0.3), strip };
    Ok(vec![
        ("hardmax", model(Rule::Hardmax, Matrix::Identity)),
        ("localmax, score", model(localmax(StripForm::Score), Matrix::Identity)),
        ("localmax, width", model(localmax(StripForm::Width), Matrix::Identity)),
        ("localmax, a-norm, dense A", model(localmax(StripForm::ANorm), Matrix::dense(&rows)?)),
    ])
}

/// Every engine of this machine.
fn engines() -> Result<Vec<(String, Open)>> {
    let mut all: Vec<(String, Open)> = vec![
        ("reference".into(), Box::new(|model, tokens, grid| engine::on_reference(Plan::Auto, model, tokens, grid))),
        ("cpu".into(), Box::new(|model, tokens, grid| engine::on_cpu(Plan::Auto, model, tokens, grid))),
    ];
    add_gpus(&mut all)?;
    Ok(all)
}

#[cfg(not(feature = "gpu"))]
fn add_gpus(_: &mut Vec<(String, Open)>) -> Result<()> {
    Ok(())
}

#[cfg(feature = "gpu")]
fn add_gpus(all: &mut Vec<(String, Open)>) -> Result<()> {
    for adapter in crate::gpu::Adapter::all_named()? {
        if let Ok(device) = crate::gpu::Device::open(&adapter) {
            let open = move |model: &Model, tokens: &Tokens, grid: Grid| {
                engine::on_gpu(&device, Plan::Auto, model, tokens, grid)
            };
            all.push((format!("gpu: {}", adapter.name()), Box::new(open)));
        }
    }
    Ok(())
}

/// One line of the table.
fn line(system: &str, n: usize, d: usize, precision: Precision, engine: &str, findings: &Findings) -> String {
    format!(
        "| {system} | {n} | {d} | {} | {engine} | {} of {} | {:.3} | {:.3} | {} | {} |\n",
        precision.name(),
        findings.rows_off_contract,
        findings.rows,
        findings.max_error,
        findings.max_error_bound,
        findings.worst,
        findings.entries_inside,
    )
}

/// The table in Markdown, and whether nothing was breached.
pub(super) fn table(mut progress: impl FnMut(u64, u64)) -> Result<(String, bool)> {
    let mut text = String::from(
        "| system | n | d | width | engine | rows off the contract | max error (units) | its bound | where | entries \
         inside the bound |\n|---|--:|--:|---|---|--:|--:|--:|---|--:|\n",
    );
    let engines = engines()?;
    let exact = SHAPES.len() * 2 * 4 * engines.len();
    let (mut passed, mut done, total) = (true, 0, (exact + SHAPES.len() * 2 * 7 * engines.len()) as u64);
    for (n, d, kind) in SHAPES {
        for precision in [Precision::F32, Precision::F64] {
            let cloud = CloudSample::new(kind, n, d).tokens(11, precision)?;
            let grid = Grid::of(&cloud, precision);
            let cloud = grid.snap(&cloud)?;
            for (name, model) in rules(d)? {
                for (engine, open) in &engines {
                    let mut engine_at_work = open(&model, &cloud, grid)?;
                    let mut verifier = Verifier::new(&model, grid, n, d, Some(100));
                    for t in 0..STEPS {
                        verifier.step(engine_at_work.as_mut(), t)?;
                    }
                    passed &= verifier.findings.passed();
                    text += &line(name, n, d, precision, engine, &verifier.findings);
                    done += 1;
                    progress(done, total);
                }
            }
        }
    }
    text += "\nRules in real numbers, in the tokens' own units:\n\n\
             | system | n | d | width | engine | max error of a step | its bound | where | largest share of a bound |\n\
             |---|--:|--:|---|---|--:|--:|---|--:|\n";
    for (n, d, kind) in SHAPES {
        for precision in [Precision::F32, Precision::F64] {
            let cloud = CloudSample::new(kind, n, d).tokens(11, precision)?;
            for (name, model) in real_rules() {
                let start = model.start(&cloud, precision)?;
                let grid = Grid::of(&start, precision);
                for (engine, open) in &engines {
                    done += 1;
                    progress(done, total);
                    // A GPU runs these at f32 alone.
                    if precision == Precision::F64 && engine.starts_with("gpu") {
                        continue;
                    }
                    let mut engine_at_work = open(&model, &start, grid)?;
                    let mut verifier = Verifier::new(&model, grid, n, d, Some(100));
                    for t in 0..REAL_STEPS {
                        verifier.step(engine_at_work.as_mut(), t)?;
                    }
                    let findings = &verifier.findings;
                    passed &= findings.passed();
                    text += &format!(
                        "| {name} | {n} | {d} | {} | {engine} | {:.2e} | {:.2e} | {} | {:.3} |\n",
                        precision.name(),
                        findings.max_error,
                        findings.max_error_bound,
                        findings.worst,
                        findings.max_share,
                    );
                }
            }
        }
    }
    Ok((text, passed))
}
