//! Many clouds side by side, one thread each.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use localmax::engine::Until;
use localmax::interrupt::Interrupt;
use localmax::io::config::{self, TokenSource};
use localmax::threads::Pool;
use localmax::{Coordinates, Engine, Error, Simulation};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::arrays;
use crate::config::Config;
use crate::work::{require_threads, watched};

/// The end of one cloud.
struct End {
    coordinates: Coordinates,
    shape: [usize; 2],
    t: u64,
    at_rest: bool,
    hash: String,
}

type Ends<'py> = (Bound<'py, PyAny>, Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<bool>>, Vec<String>);

/// Takes every cloud to its last step or to rest: the clouds of the (m, n, d) array `x0` under the configs in
/// turn, or those of the configs. Their last states, steps, whether they came to rest, and hashes.
#[pyfunction]
#[pyo3(signature = (configs, x0 = None, threads = None, stop = true, progress = None))]
pub(crate) fn batch<'py>(
    py: Python<'py>,
    configs: Vec<PyRef<'py, Config>>,
    x0: Option<&Bound<'py, PyAny>>,
    threads: Option<usize>,
    stop: bool,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Ends<'py>> {
    require_threads()?;
    let mut all: Vec<config::Config> = configs.iter().map(|config| config.inner.clone()).collect();
    if let Some(x0) = x0 {
        let clouds = arrays::clouds(x0)?.into_iter();
        let of = |(cloud, config): (_, config::Config)| config::Config { tokens: TokenSource::Rows(cloud), ..config };
        all = clouds.zip(all.into_iter().cycle()).map(of).collect();
    }
    let (interrupt, done) = (Interrupt::default(), AtomicU64::new(0));
    let look = || progress.map_or(Ok(()), |call| call.call1((done.load(Ordering::Relaxed),)).map(drop));
    let ends = watched(py, &interrupt, look, || {
        let pool = Pool::start(threads)?;
        all.iter_mut().for_each(on_the_cpu);
        all.first().map_or(Ok(()), |config| config.preflight(localmax::engine::When::Begin, &mut |_| {}))?;
        let one = |(index, config): (usize, config::Config)| {
            let end = take(config, stop, &interrupt).map_err(|error| arrays::of_cloud(index, error));
            done.fetch_add(1, Ordering::Relaxed);
            end
        };
        pool.install(|| all.into_par_iter().enumerate().with_max_len(1).map(one).collect::<Result<Vec<End>, Error>>())
    })?;
    let shape = ends.first().map_or([0, 0], |end| end.shape);
    let (steps, rest): (Vec<u64>, Vec<bool>) = ends.iter().map(|end| (end.t, end.at_rest)).unzip();
    let hashes = ends.iter().map(|end| end.hash.clone()).collect();
    let tokens = arrays::into_numpy(py, stacked(ends), &[steps.len(), shape[0], shape[1]])?;
    Ok((tokens, steps.into_pyarray(py), rest.into_pyarray(py), hashes))
}

/// A card has nothing to share out in a cloud that one thread takes.
fn on_the_cpu(config: &mut config::Config) {
    if config.run.engine == Engine::Auto {
        config.run.engine = Engine::Cpu;
    }
}

/// Takes a cloud to its end.
fn take(mut config: config::Config, stop: bool, interrupt: &Interrupt) -> Result<End, Error> {
    let start = config.start()?;
    let shape = [start.tokens.n(), start.tokens.d()];
    let mut engine = config.open_engine(&start.tokens, start.grid, &mut |_| {})?;
    engine.heed(interrupt);
    let mut run = Simulation::from_state(&config.model, start.grid, shape.into(), engine, 0);
    let mut at_rest = false;
    if config.run.steps > 0 {
        let until = Until { end: config.run.steps, past_fixed_point: !stop };
        run.run(
            until,
            |_| false,
            Simulation::take,
            |_, standing| {
                at_rest |= standing.fixed_point.is_some();
                Ok(if interrupt.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        )?;
    }
    let tokens = run.tokens()?;
    let hash = tokens.hash().to_hex().to_string();
    Ok(End { coordinates: tokens.into_coordinates(), shape, t: run.t(), at_rest, hash })
}

/// All clouds in one array, in f64 if one of them is.
fn stacked(ends: Vec<End>) -> Coordinates {
    let single = ends.iter().all(|end| matches!(end.coordinates, Coordinates::F32(_)));
    if single {
        let flat = |end: End| if let Coordinates::F32(x) = end.coordinates { x } else { Vec::new() };
        return Coordinates::F32(ends.into_iter().flat_map(flat).collect());
    }
    let flat = |end: End| match end.coordinates {
        Coordinates::F32(x) => x.into_iter().map(f64::from).collect(),
        Coordinates::F64(x) => x,
    };
    Coordinates::F64(ends.into_iter().flat_map(flat).collect())
}
