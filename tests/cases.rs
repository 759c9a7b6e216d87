//! The mathematics in f64 against the worked cases; every engine meets them in `tests/engines`.

mod worked;

use localmax::real;
use localmax::reference;
use localmax::tokens::Tokens;
use worked::{NAMES, assert_near, case};

/// Against the same cases: the f64 mathematics that the contract is measured by.
#[test]
fn the_mathematics_gives_the_worked_cases() {
    for name in NAMES {
        let case = case(name);
        let mut state = reference::real::State::new(&case.x0);
        for t in 0..case.steps {
            let step = real::Steps::new(&case.model, case.x0.d()).at(t).unwrap();
            let (stage, head) = (&step.stages[0], &step.stages[0].heads[0]);
            if let Some((_, masks)) = case.neighbourhoods.iter().find(|(at, _)| *at == t) {
                for (i, mask) in masks.iter().enumerate() {
                    let attended = state.attention(&step, stage, head, i);
                    let members: Vec<u32> = attended.weights.iter().map(|(j, _)| *j as u32).collect();
                    assert_eq!(&members, mask, "{name} step {t} token {i}");
                }
            }
            state = state.step(&step).0;
        }
        let got = Tokens::from_flat(state.n, state.d, state.x).unwrap();
        assert_near(name, &got, &case.x_final, 1e-12);
    }
}
