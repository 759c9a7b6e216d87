//! How much do ranks that hold a part of the tokens each tell one another? Prints a row for each cloud, width and
//! number of ranks, which are threads of this process.
//!
//! `cargo bench --bench ranks -- [n=1000000] [d=3] [delta=0,0.01] [ranks=4,16,64] [steps=1] [strip=score]
//! [cloud=normal] [plan=opened]`. δ is in units of the largest |x|², or of the largest |x| for other strips than
//! scores. Bytes are the most that a rank received in a step, calls those that all make together; a gather of all
//! keys is 4·n·d bytes.
//!
//! Built with feature `mpi` and started by mpirun, ranks are its processes: for times.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use localmax::choice::Plan;
use localmax::cpu::{Dealt, OpenedCpu, Options};
use localmax::engine::{Engine, Steps, first_state, on_ranks};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Model, StripForm};
use localmax::ranks::{Inside, Shared};
#[cfg(feature = "mpi")]
use localmax::ranks::{World, launched};
use localmax::tokens::Precision;

fn given(name: &str, default: &str) -> String {
    let prefix = format!("{name}=");
    std::env::args().find_map(|a| a.strip_prefix(&prefix).map(str::to_owned)).unwrap_or_else(|| default.to_owned())
}

fn list<T: std::str::FromStr>(name: &str, default: &str) -> Vec<T> {
    given(name, default).split(',').filter_map(|value| value.parse().ok()).collect()
}

/// The processes that mpirun has started, if it has.
fn processes() -> Option<Shared> {
    #[cfg(feature = "mpi")]
    return launched().map(|(size, by)| Arc::new(World::join(size, by).expect("the ranks of MPI")) as _);
    #[cfg(not(feature = "mpi"))]
    None
}

fn main() {
    let world = processes();
    let strip = StripForm::parse(&given("strip", "score")).expect("score, width or a-norm");
    let cloud = Cloud::parse(&given("cloud", "normal")).expect("a cloud");
    let plan = Plan::parse(&given("plan", "opened")).expect("a plan");
    let steps: u64 = list("steps", "1")[0];
    println!("| n | d | δ | ranks | step | bytes | calls | keys a row | boxes a row | s |");
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for n in list::<usize>("n", "1000000") {
        for d in list::<usize>("d", "3") {
            let tokens = CloudSample::new(cloud, n, d).tokens(7, Precision::F32).expect("a cloud");
            let square = |i: usize| (0..d).map(|k| tokens.get(i, k).powi(2)).sum::<f64>();
            let largest = (0..n).map(square).fold(0.0, f64::max);
            let unit = if strip == StripForm::Score { largest } else { largest.sqrt() };
            for delta in list::<f64>("delta", "0,0.01") {
                let model = Model::localmax(delta * unit).and_then(|model| model.strip(strip)?.alpha(1.0));
                let model = model.expect("a model");
                let (first, grid) = first_state(&model, &tokens, Precision::F32).expect("tokens on a lattice");
                let sizes = world.as_ref().map_or_else(|| list("ranks", "4,16,64"), |ranks| vec![ranks.size()]);
                for size in sizes {
                    let work = |ranks: Shared| {
                        let mut engine: Box<dyn Engine> = if plan == Plan::Opened && world.is_none() {
                            // Threads: what many of them hear is not asked to fit into one machine beforehand.
                            let dealt = Dealt::of(&first, ranks.as_ref()).expect("a part");
                            let options = Options::default();
                            Box::new(
                                OpenedCpu::new(ranks.clone(), dealt, grid, model.mask, options).expect("an engine"),
                            )
                        } else {
                            on_ranks(&ranks, plan, &model, &first, grid).expect("an engine")
                        };
                        let mut steps_of = Steps::new(&model, grid, d);
                        let one = |t| {
                            let start = Instant::now();
                            engine.step(&[steps_of.at(t).expect("a step")]).expect("a step");
                            (engine.effort().expect("an effort"), start.elapsed().as_secs_f64())
                        };
                        let taken: Vec<_> = (0..steps).map(one).collect();
                        ranks.all_gather(&[]).expect("all ranks"); // no one ends before the others
                        taken
                    };
                    let taken: Vec<Vec<_>> = match &world {
                        Some(ranks) => vec![work(ranks.clone())], // of which each sees its own bytes alone
                        None => thread::scope(|scope| {
                            let begin = |ranks| scope.spawn(|| work(Arc::new(ranks)));
                            let begun: Vec<_> = Inside::of(size).into_iter().map(begin).collect();
                            begun.into_iter().map(|rank| rank.join().expect("a rank")).collect()
                        }),
                    };
                    if world.as_ref().is_some_and(|ranks| ranks.rank() > 0) {
                        continue;
                    }
                    for t in 0..steps as usize {
                        let bytes = taken.iter().map(|rank| rank[t].0.traffic.bytes).max().unwrap_or(0);
                        let (effort, seconds) = &taken[0][t];
                        println!(
                            "| {n} | {d} | {delta} | {size} | {t} | {bytes} | {} | {:.1} | {:.1} | {seconds:.3} |",
                            effort.traffic.calls, effort.keys_a_row, effort.boxes_a_row
                        );
                    }
                }
            }
        }
    }
}
