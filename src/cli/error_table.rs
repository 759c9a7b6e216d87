//! The table of errors that `localmax verify --table` prints: every engine of this machine beside the reference, over
//! systems that reach from the first step to late, merged states.

use anyhow::Result;

use crate::choice::Plan;
use crate::contract::Grid;
use crate::cpu;
use crate::engine::{CpuEngine, Engine, GpuEngine, ReferenceEngine};
use crate::gpu::{Adapter, Device};
use crate::init::{Cloud, Kind};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use crate::schedule::Schedule;
use crate::tokens::{Precision, Tokens};
use crate::verify::{Findings, Verifier};

const STEPS: u64 = 20;
/// Normal tokens in R^64 hardly see one another; clusters do.
const SHAPES: [(usize, usize, Kind); 2] = [(1000, 3, Kind::Normal), (300, 64, Kind::Clusters)];

type Open = Box<dyn Fn(&Tokens, Grid) -> crate::error::Result<Box<dyn Engine>>>;

/// The rules of the table by name; A is the identity but for the a-norm, whose A is symmetric with a full first row.
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
fn engines() -> Vec<(String, Open)> {
    let mut all: Vec<(String, Open)> = vec![
        ("reference".into(), Box::new(|tokens, grid| Ok(Box::new(ReferenceEngine::new(tokens, grid))))),
        ("cpu".into(), Box::new(|tokens, grid| Ok(Box::new(CpuEngine::new(tokens, grid, cpu::Options::default())?)))),
    ];
    for adapter in Adapter::all() {
        if let Ok(device) = Device::open(&adapter) {
            let name = format!("gpu: {}", adapter.name());
            all.push((
                name,
                Box::new(move |tokens, grid| Ok(Box::new(GpuEngine::new(&device, tokens, grid, true, Plan::Auto)?))),
            ));
        }
    }
    all
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
    let engines = engines();
    let (mut passed, mut done, total) = (true, 0, (SHAPES.len() * 2 * 4 * engines.len()) as u64);
    for (n, d, kind) in SHAPES {
        for precision in [Precision::F32, Precision::F64] {
            let cloud = Cloud::new(kind, n, d).tokens(11, precision)?;
            let grid = Grid::of(&cloud, precision);
            let cloud = grid.snap(&cloud)?;
            for (name, model) in rules(d)? {
                for (engine, open) in &engines {
                    let mut engine_at_work = open(&cloud, grid)?;
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
    Ok((text, passed))
}
