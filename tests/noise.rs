//! The order parameter under noise beside an independent program, tests/noise.py: the scheme's own at a length of a step, which
//! the law's is the limit of.

use std::path::Path;
use std::process::Command;

use localmax::choice::Plan;
use localmax::engine::{Steps, on_cpu};
use localmax::exact::Grid;
use localmax::model::{Integrator, Model};
use localmax::tokens::{Precision, Tokens};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// d, κ, dt, R of the law, and R of euler and of euler-renorm.
fn computed(given: &[&str]) -> Vec<[f64; 6]> {
    let output = Command::new("python3").arg(Path::new(ROOT).join("tests/noise.py")).args(given).output();
    let output = output.expect("python3 runs (tests/run.sh installs it)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("JSON");
    text.lines().map(|line| serde_json::from_str(line).expect("six numbers a line")).collect()
}

/// A user subtracts what the page says that a step adds.
#[test]
fn the_page_has_the_shifts_of_a_step() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/equations.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .skip_while(|line| !line.starts_with("| d, κ |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 4);
    let given: Vec<String> = rows.iter().map(|row| row[0].replace(' ', "")).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    for (row, [d, kappa, dt, law, euler, renorm]) in rows.iter().zip(computed(&given)) {
        let shift = |r: f64| format!("{:.2}", (r - law) / dt);
        assert_eq!(row[1..], [format!("{law:.4}"), shift(euler), shift(renorm)], "d = {d}, κ = {kappa}");
    }
}

/// n tokens rest at the R of the scheme, within 2/n and four standard errors over seeds, and for euler-renorm far from that
/// of the law.
#[test]
fn a_run_has_the_order_of_its_scheme() {
    let (n, seeds) = (256, 6);
    for [d, kappa, dt, law, euler, renorm] in computed(&["5,8,0.1", "3,4,0.1"]) {
        let d = d as usize;
        for (integrator, wanted) in [(Integrator::Euler, euler), (Integrator::EulerRenorm, renorm)] {
            let means: Vec<f64> = (0..seeds).map(|seed| mean(d, kappa, dt, integrator, n, seed)).collect();
            let mean = means.iter().sum::<f64>() / seeds as f64;
            let square: f64 = means.iter().map(|m| (m - mean) * (m - mean)).sum();
            let error = (square / (seeds - 1) as f64 / seeds as f64).sqrt();
            println!("d = {d}, κ = {kappa}, {}: {mean:.4} ± {error:.4}, {wanted:.4}, {law:.4}", integrator.name());
            assert!(error < 0.006, "± {error} says nothing");
            assert!((mean - wanted).abs() < 4.0 * error + 2.0 / n as f64, "{mean} ± {error} beside {wanted}");
            assert!(integrator == Integrator::Euler || mean - law > 4.0 * error, "{mean} ± {error} beside {law}");
        }
    }
}

/// The mean length of the tokens' mean at rest.
fn mean(d: usize, kappa: f64, dt: f64, integrator: Integrator, n: usize, seed: u64) -> f64 {
    let model = Model::sphere(0.0, dt).unwrap().unnormalized(0.0).unwrap();
    let model = model.integrator(integrator).unwrap().noise(kappa, seed, false).unwrap();
    // From the first axis, around which noise spreads them.
    let rows: Vec<f64> = (0..n).flat_map(|_| (0..d).map(|k| if k == 0 { 1.0 } else { 0.0 })).collect();
    let tokens = Tokens::from_flat(n, d, rows).unwrap();
    let grid = Grid::of(&tokens, Precision::F64);
    let mut engine = on_cpu(Plan::Auto, &model, &tokens, grid).unwrap();
    let mut steps = Steps::new(&model, grid, d);
    let (begun, end) = ((20.0 / dt) as u64, (70.0 / dt) as u64);
    let (mut sum, mut count) = (0.0, 0.0);
    for t in 0..end {
        engine.step(&[steps.at(t).unwrap()]).unwrap();
        if t >= begun && t % 5 == 0 {
            let x = engine.tokens().unwrap();
            let mean = |k: usize| (0..n).map(|i| x.get(i, k)).sum::<f64>() / n as f64;
            sum += (0..d).map(|k| mean(k).powi(2)).sum::<f64>().sqrt();
            count += 1.0;
        }
    }
    sum / count
}
