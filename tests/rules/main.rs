//! The theorems and worked cases of the rules beside localmax and hardmax, written once and run on
//! every engine that has the rule: `cargo test --test rules`. A new engine is one more line in
//! [`factories::all`].

mod averaging;
mod bounds;
mod cases;
mod exclusive;
mod factories;
mod flows;
mod frank_wolfe;
mod markov;
mod noise;
mod normalisation;
mod perceptron;
mod sphere;
mod weights;
#[path = "../zoo/mod.rs"]
mod zoo;

use factories::Factory;
use libtest_mimic::{Arguments, Trial};
use localmax::tokens::Precision;

/// A test body: panics if the engine is wrong.
type Body = fn(&Factory);

fn main() {
    let bodies = [
        cases::BODIES,
        exclusive::BODIES,
        frank_wolfe::BODIES,
        averaging::BODIES,
        markov::BODIES,
        noise::BODIES,
        normalisation::BODIES,
        perceptron::BODIES,
        sphere::BODIES,
        flows::BODIES,
        weights::BODIES,
    ];
    let mut trials = Vec::new();
    let on_cpu = |factory: &Factory| factory.name.starts_with("cpu") && factory.make.is_some();
    let fastest = factories::all().into_iter().rfind(on_cpu).map(|factory| factory.name);
    for factory in factories::all() {
        // The CPU engine meets its bounds in tests/verify, all instruction sets at once.
        let more = if factory.precision == Precision::F32 {
            bounds::BODIES
        } else if Some(&factory.name) == fastest.as_ref() {
            noise::LAWS
        } else {
            &[]
        };
        for &(name, body) in bodies.iter().copied().flatten().chain(more) {
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
