//! The worked cases of tests/cases: masks as listed, final tokens within 2e-5 (f32) and 1e-12
//! (f64).

use localmax::engine::Steps;
use localmax::exact::Grid;
use localmax::tokens::Precision;

use crate::worked::{NAMES, assert_near, case};
use crate::{Body, Factory};

pub(crate) const BODIES: &[(&str, Body)] = &[("worked_cases", worked_cases)];

/// If an engine strayed from these, every figure made with it would.
fn worked_cases(factory: &Factory) {
    for name in NAMES {
        let case = case(name);
        for (precision, tolerance) in [(Precision::F32, 2e-5), (Precision::F64, 1e-12)] {
            let grid = Grid::of(&case.x0, precision);
            let mut engine = factory.engine(&grid.snap(&case.x0).unwrap(), grid);
            let mut steps = Steps::new(&case.model, grid, case.x0.d());
            let rows: Vec<usize> = (0..case.x0.n()).collect();
            for t in 0..case.steps {
                let step = steps.at(t).unwrap();
                if let Some((_, masks)) = case.neighbourhoods.iter().find(|(at, _)| *at == t) {
                    assert_eq!(&engine.masks(&step, &rows).unwrap(), masks, "{name} step {t}");
                }
                engine.step(&[step]).unwrap();
            }
            assert_near(name, &engine.tokens().unwrap(), &case.x_final, tolerance);
        }
    }
}
