//! The self-test of every user's machine, tested: `cargo test --test selftest`.

use std::fmt::Write;

use localmax::choice::Plan;
use localmax::engine;
use localmax::gpu::{Adapter, Device, Wanted};
use localmax::selftest::{Contender, Line, hash, kept, run, systems};
use localmax::tokens::Precision;

/// A hash that was typed in, or that another engine made, would let every engine be wrong in the way
/// that this one is. `LOCALMAX_KEEP_HASHES=1` writes them anew.
#[test]
fn the_kept_hashes_are_the_references() {
    let (mut text, mut wrong) = (String::new(), Vec::new());
    for system in systems().unwrap().iter().filter(|system| system.model.is_exact()) {
        let (tokens, grid) = system.start().unwrap();
        let mut engine = engine::on_reference(Plan::Brute, &system.model, &tokens, grid).unwrap();
        let found = hash(system, grid, engine.as_mut()).unwrap();
        writeln!(text, "{found}  {}", system.name).unwrap();
        if kept(&system.name) != Some(&*found) {
            wrong.push(format!("{}: {found}, and {:?} is kept", system.name, kept(&system.name)));
        }
    }
    if std::env::var("LOCALMAX_KEEP_HASHES").is_ok_and(|value| value == "1") {
        return std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/selftest/hashes.txt"), text).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The lines of an adapter on systems with this in their names, with one text of the shaders replaced.
fn faulty(only: &str, right: &'static str, wrong: &'static str) -> Vec<Line> {
    let adapter = Adapter::choose(Wanted::Any).expect("`bash tests/run.sh drivers` installs a software driver");
    let device = Device::open(&adapter).unwrap().with_fault(right, wrong);
    let contender = Contender {
        name: adapter.name().into(),
        takes: |system, plan| match plan {
            Plan::Brute => system.model.is_exact(),
            Plan::Auto => !system.model.is_exact() && system.precision == Precision::F32,
            _ => false,
        },
        open: Box::new(move |plan, model, tokens, grid| engine::on_gpu(&device, plan, model, tokens, grid)),
    };
    let mut systems = systems().unwrap();
    systems.retain(|system| system.name.starts_with(only));
    run(&contender, &systems, |_| Ok(())).unwrap()
}

/// A self-test that cannot fail says nothing of a card: one bit of one constant is found, in the lines
/// of the rules that it is in and in no other, and the line says where.
#[test]
fn one_bit_of_one_constant_is_found() {
    let right = faulty("markov, d = 3", "0xd2511f53u", "0xd2511f53u");
    assert!(!right.is_empty() && right.iter().all(|line| line.passed), "{right:#?}");
    // Philox's multiplier: draws alone.
    let drawn = faulty("markov, d = 3", "0xd2511f53u", "0xd2511f51u");
    assert!(!drawn.is_empty() && drawn.iter().all(|line| !line.passed), "{drawn:#?}");
    assert!(drawn[0].detail.contains("token"), "{}", drawn[0].detail);
    let others = faulty("softmax, d = 3", "0xd2511f53u", "0xd2511f51u");
    // The lower half of a coordinate, in exact scores.
    let exact = faulty("localmax, d = 3", "let al = a & 4095;", "let al = a & 2047;");
    assert!(!exact.is_empty() && exact.iter().all(|line| !line.passed && line.detail.contains("token")), "{exact:#?}");
    assert!(!others.is_empty() && others.iter().all(|line| line.passed), "{others:#?}");
}
