//! The table of errors that `localmax verify --table` prints: every engine of this machine beside
//! the reference, over systems that reach from the first step to late, merged states.

use std::iter;

use anyhow::Result;

use super::selftest;
use crate::choice::Plan;
use crate::engine;
use crate::exact::Grid;
use crate::init::{Cloud, CloudSample};
use crate::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use crate::schedule::Schedule;
use crate::selftest::{Open, Tested, real_rules};
use crate::tokens::Precision;
use crate::verify::{Findings, Verifier};

const STEPS: u64 = 20;
/// Steps of rules in real numbers: checks of rk4 need every row of every stage.
const REAL_STEPS: u64 = 3;
/// Normal tokens in R^64 hardly see one another; clusters do.
const SHAPES: [(usize, usize, Cloud); 2] = [(1000, 3, Cloud::Gaussian), (300, 64, Cloud::Clusters)];

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
        let scores = Operator::constant(matrix);
        Model::averaging(rule, scores, Mask::FULL, Gain::Alpha(Schedule::Constant(0.5)))
    };
    let localmax = |strip| Rule::Localmax { delta: Schedule::Constant(0.3), strip };
    Ok(vec![
        ("hardmax", model(Rule::Hardmax, Matrix::Identity)),
        ("localmax, score", model(localmax(StripForm::Score), Matrix::Identity)),
        ("localmax, width", model(localmax(StripForm::Width), Matrix::Identity)),
        ("localmax, a-norm, dense A", model(localmax(StripForm::ANorm), Matrix::dense(&rows)?)),
    ])
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
    let open: Open = Box::new(engine::on_reference);
    let reference = Tested { name: "reference".into(), real: &[Precision::F32, Precision::F64], open: Ok(open) };
    let engines: Vec<(String, Open, &[Precision])> = iter::once(reference)
        .chain(selftest::engines()?)
        .filter_map(|Tested { name, real, open }| Some((name, open.ok()?, real)))
        .collect();
    let exact = SHAPES.len() * 2 * 4 * engines.len();
    let (mut passed, mut done, total) = (true, 0, (exact + SHAPES.len() * 2 * 7 * engines.len()) as u64);
    for (n, d, kind) in SHAPES {
        for precision in [Precision::F32, Precision::F64] {
            let cloud = CloudSample::new(kind, n, d).tokens(11, precision)?;
            let grid = Grid::of(&cloud, precision);
            let cloud = grid.snap(&cloud)?;
            for (name, model) in rules(d)? {
                for (engine, open, _) in &engines {
                    let mut engine_at_work = open(Plan::Auto, &model, &cloud, grid)?;
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
                for (engine, open, real) in &engines {
                    done += 1;
                    progress(done, total);
                    if !real.contains(&precision) {
                        continue;
                    }
                    let mut engine_at_work = open(Plan::Auto, &model, &start, grid)?;
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
