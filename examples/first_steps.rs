//! First steps: a thousand tokens under localmax attention, until they come to rest or for 100
//! steps.
//!
//! ```console
//! $ cargo run --release --example first_steps
//! ```

use localmax::{Cloud, Engine, Model, Result, Simulation};

fn main() -> Result<()> {
    let model = Model::localmax(0.1)?;
    let tokens = Cloud::Gaussian.sample(1000, 3, 7)?;
    let mut run = Simulation::new(&model, &tokens, Engine::Auto)?;

    // Whom does token 0 attend to? A step moves it towards their mean.
    let strip = run.strip(0)?;
    println!("token 0 attends to tokens {:?}, whose scores are within 0.1 of {:.3}", strip.members, strip.max);

    let report = run.advance(100)?;
    let x = run.tokens()?;
    println!("in step {}, {} of {} tokens moved", report.t + 1, report.moved, x.n());
    println!("token 0 came from {:.3?} to {:.3?}", tokens.row(0), x.row(0));

    // The same bits on every engine, so two people compare a run by one line.
    println!("hash {}", run.hash()?);
    Ok(())
}
