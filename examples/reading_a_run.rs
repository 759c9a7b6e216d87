//! The folder that `localmax run` leaves, read again: its config, its rows of numbers, its tokens.
//!
//! ```console
//! $ localmax run --out r
//! $ cargo run --release --example reading_a_run r
//! ```

use std::path::Path;

use localmax::{Engine, Error, Result, RunDir, Simulation};

fn main() -> Result<()> {
    let Some(folder) = std::env::args().nth(1) else {
        return Err(Error::input("name the folder of a run, e.g. reading_a_run runs/default-1"));
    };
    let run = RunDir::open(Path::new(&folder))?;
    let config = run.config()?;
    println!("{}: {} tokens in R^{} under {}", config.name, config.n(), config.d(), config.model.name());

    // A row a recorded step; what belongs to a step is absent in row 0, the start.
    for row in run.metrics()?.iter().take(5) {
        let moved = row.taken.map_or("-".into(), |step| step.moved.to_string());
        println!("step {:3}: moved {moved:>5}, hash {}", row.step, &row.hash[..16]);
    }
    for (step, path) in run.frames()?.iter().take(3) {
        println!("the tokens at step {step} are in {}", path.display());
    }

    // A complete run of an exact rule can be taken again from its config, in memory, to the same
    // bits.
    let last = run.final_tokens()?;
    let mut again = Simulation::new(&config.model, &run.frame(0)?, Engine::Cpu)?;
    again.advance(config.run.steps)?;
    println!("{}", if again.hash()? == last.hash().to_string() { "again: the same bits" } else { "again: other bits" });
    Ok(())
}
