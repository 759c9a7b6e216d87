//! What every engine must do, written once and run on each: `cargo test --test engines`.
//!
//! A body takes a [`Factory`] and knows nothing of the engine behind it. An engine that this
//! machine lacks is listed as ignored, never as passed. A new engine is one more line in
//! [`factories::all`].

mod cases;
mod factories;
mod parity;
mod theorems;
#[path = "../worked/mod.rs"]
mod worked;
mod worked_cases;

use factories::Factory;
use libtest_mimic::{Arguments, Trial};

/// A test body: panics if the engine is wrong.
type Body = fn(&Factory);

fn main() {
    let bodies: Vec<(&str, Body)> = [worked_cases::BODIES, parity::BODIES, theorems::BODIES].concat();
    let mut trials = Vec::new();
    for factory in factories::all() {
        for &(name, body) in bodies.iter().filter(|(name, _)| factory.runs(name)) {
            let factory = factory.clone();
            let (title, missing) = (format!("{}::{name}", factory.name), factory.make.is_none());
            let run = move || {
                body(&factory);
                Ok(())
            };
            trials.push(Trial::test(title, run).with_ignored_flag(missing));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
