//! Tokens of one's own, parameters that change in time, and a look at every step.
//!
//! ```console
//! $ cargo run --release --example own_tokens_and_schedule
//! ```

use std::f64::consts::TAU;

use localmax::model::StripForm;
use localmax::{Engine, Model, Result, Schedule, Simulation, Tokens};

fn main() -> Result<()> {
    // 12 tokens on an ellipse, one after the other in one vector: f64, so the run is in f64.
    let around = |i: u32| [2.0 * (TAU * f64::from(i) / 12.0).cos(), (TAU * f64::from(i) / 12.0).sin()];
    let coordinates: Vec<f64> = (0..12).flat_map(around).collect();
    let tokens = Tokens::from_flat(12, 2, coordinates)?;

    // δ falls with the step's number t; α has a value for each of the first steps, and keeps the
    // last.
    let delta = "0.8/(t+1)".parse::<Schedule>()?;
    let alpha = Schedule::table(&[0.25, 0.5, 1.0])?;
    let model = Model::localmax(delta)?.alpha(alpha)?.strip(StripForm::Width)?.matrix([[1.0, 0.2], [0.2, 1.0]])?;

    let mut run = Simulation::new(&model, &tokens, Engine::Cpu)?;
    println!("step  moved  smallest strip  largest strip");
    while run.t() < 30 {
        let report = run.advance(1)?;
        println!("{:4}  {:5}  {:14}  {:13}", run.t(), report.moved, report.strip_min, report.strip_max);
    }
    for (i, row) in run.tokens()?.rows().enumerate() {
        println!("token {i:2} ends at {row:.4?}");
    }
    Ok(())
}
