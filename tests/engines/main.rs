//! What every engine must do, written once and run on each: `cargo test --test engines`.
//!
//! A body takes a [`Factory`] and knows nothing of the engine behind it. An engine that this machine lacks is listed as
//! ignored, never as passed. A new engine is one more line in [`factories::all`].

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

/// What a second software driver runs.
pub(crate) const SECOND_DRIVER: [&str; 4] = [
    "worked_cases",
    "permuting_tokens_permutes_the_result",
    "a_zero_token_attends_to_all",
    "causal_rows_do_not_see_later_tokens",
];

/// What a tree runs on a software driver, where sorts of many small systems take minutes; `scale` adds larger ones.
pub(crate) const SOFTWARE_TREE: [&str; 7] = [
    "worked_cases",
    "late_states_have_the_bits_of_the_contract",
    "steps_in_one_call_are_the_steps_one_by_one",
    "permuting_tokens_permutes_the_result",
    "coincident_tokens_stay_coincident",
    "a_zero_token_attends_to_all",
    "causal_rows_do_not_see_later_tokens",
];

fn main() {
    let bodies: Vec<(&str, Body)> = [worked_cases::BODIES, parity::BODIES, theorems::BODIES].concat();
    let mut trials = Vec::new();
    for factory in factories::all() {
        for &(name, body) in bodies.iter().filter(|(name, _)| factory.only.is_none_or(|only| only.contains(name))) {
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
