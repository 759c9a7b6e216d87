//! The verifier must pass the reference and catch an engine that is wrong by one entry or one unit.

mod extremes;
mod findings;
mod real_rules;
#[path = "../zoo/mod.rs"]
mod zoo;

use localmax::engine::{Engine, ExactReference, Step};
use localmax::error::Result;
use localmax::exact::Grid;
use localmax::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::outcome::{Description, StepReport, Strips};
use localmax::schedule::Schedule;
use localmax::tokens::{Coordinates, Precision, Tokens};
use localmax::verify::Verifier;
use proptest::prelude::*;

/// The maximiser alone, with Frank–Wolfe's own gain.
fn frank_wolfe(matrix: Matrix) -> Model {
    let gain = Gain::Gamma(Schedule::parse("2/(t+2)").unwrap());
    Model::averaging(Rule::FrankWolfe, Operator::constant(matrix), Mask::FULL, gain)
}

fn model(delta: f64, strip: StripForm, matrix: Matrix, alpha: f64) -> Model {
    let gain = Gain::Alpha(Schedule::Constant(alpha));
    let rule = Rule::Localmax { delta: Schedule::Constant(delta), strip };
    Model::averaging(rule, Operator::constant(matrix), Mask::FULL, gain)
}

type Fault = fn(&mut Vec<f32>, &mut Strips, &mut Vec<Vec<u32>>);

/// A reference with one thing wrong.
struct Faulty {
    inner: ExactReference,
    fault: Fault,
}

impl Engine for Faulty {
    fn description(&self) -> Description {
        Description::default()
    }
    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        self.inner.step(steps)
    }
    fn tokens(&mut self) -> Result<Tokens> {
        let tokens = self.inner.tokens()?;
        let Coordinates::F32(mut x) = tokens.coordinates().clone() else { unreachable!("f32 tests") };
        if self.inner.strips().is_ok() {
            (self.fault)(&mut x, &mut Strips::default(), &mut Vec::new());
        }
        Tokens::from_flat(tokens.n(), tokens.d(), Coordinates::F32(x))
    }
    fn strips(&mut self) -> Result<Strips> {
        let mut strips = self.inner.strips()?;
        (self.fault)(&mut Vec::new(), &mut strips, &mut Vec::new());
        Ok(strips)
    }
    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let mut masks = self.inner.masks(step, rows)?;
        (self.fault)(&mut Vec::new(), &mut Strips::default(), &mut masks);
        Ok(masks)
    }
}

/// If the verifier passed any of these, `verified` would mean nothing.
#[test]
fn one_wrong_unit_count_argmax_or_entry_is_a_breach() {
    let cloud = Tokens::from_flat(4, 2, vec![1.0, 0.3, -0.5, 0.8, 0.1, -0.9, -0.7, -0.4]).unwrap();
    let grid = Grid::of(&cloud, Precision::F32);
    let model = model(0.3, StripForm::Width, Matrix::Identity, 0.5);
    let faults: [Fault; 5] = [
        |_, _, _| {},
        |x, _, _| x.iter_mut().skip(5).take(1).for_each(|v| *v += 2f32.powi(-24)),
        |_, s, _| s.count.iter_mut().take(1).for_each(|c| *c += 1),
        |_, s, _| s.argmax.iter_mut().skip(2).take(1).for_each(|a| *a = 1),
        |_, _, m| m.iter_mut().skip(3).take(1).for_each(|m| m.push(0)),
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        let mut engine = Faulty { inner: ExactReference::new(&cloud, grid), fault };
        let mut verifier = Verifier::new(&model, grid, 4, 2, None);
        verifier.step(&mut engine, 0).unwrap();
        assert_eq!(verifier.findings.passed(), index == 0, "fault {index}: {}", verifier.findings);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    /// The contract may stray from the mathematics by the stated bound and no more, over shapes,
    /// ties, matrices, scales and both precisions: what a paper would quote.
    #[test]
    fn the_contract_stays_within_its_bounds(
        n in 1usize..14, d in 1usize..6, seed in any::<u64>(), form in 0usize..4, matrix_kind in 0usize..4,
        delta in prop_oneof![Just(0.0), 1e-9..3.0f64, Just(1e6)], alpha in 0.01f64..20.0,
        scale in -20i32..20, tied in any::<bool>(), wide in any::<bool>(), matrix_scale in -12i32..12,
    ) {
        let mut state = seed | 1;
        let mut draw = || {
            state ^= state << 13; state ^= state >> 7; state ^= state << 17;
            let unit = (state >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0;
            if tied { (unit * 3.0).round() } else { unit }
        };
        let s = f64::from(scale).exp2();
        let cloud = Tokens::from_flat(n, d, (0..n * d).map(|_| draw() * s).collect::<Vec<f64>>()).unwrap();
        let m = f64::from(matrix_scale).exp2();
        let matrix = match matrix_kind {
            0 => Matrix::Identity,
            1 => Matrix::multiple(0.7 * m).unwrap(),
            2 => Matrix::dense(&(0..d).map(|_| (0..d).map(|_| draw() * m).collect()).collect::<Vec<_>>()).unwrap(),
            _ => {
                let g: Vec<Vec<f64>> = (0..d).map(|_| (0..d).map(|_| draw()).collect()).collect();
                Matrix::from_query_key(&g, &g).unwrap()
            }
        };
        let model = if form == 3 {
            frank_wolfe(matrix)
        } else {
            let form = StripForm::OF_PRODUCTS[form].0;
            let delta = if form == StripForm::Score { delta * s * s * m } else { delta * s };
            model(delta, form, matrix, alpha)
        };
        let grid = Grid::of(&cloud, if wide { Precision::F64 } else { Precision::F32 });
        let mut engine = ExactReference::new(&grid.snap(&cloud).unwrap(), grid);
        let mut verifier = Verifier::new(&model, grid, n, d, None);
        for t in 0..6 {
            verifier.step(&mut engine, t).unwrap();
        }
        prop_assert!(verifier.findings.passed(), "{}", verifier.findings);
    }
}
