//! Measures of plain arrays. They see no engine.

use localmax::model::Matrix;
use localmax::observe::{self, Alignment, Clusters, Distinct, Hull, Points, RateFit, Sample};
use localmax::real::Linear;
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::tokens;
use crate::work::{raise, require_threads};

/// Clusters at a tolerance: the label of every token and the number of tokens of every cluster.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "two arrays")]
pub(crate) fn clusters<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    tolerance: f64,
) -> PyResult<(Bound<'py, PyArray1<u64>>, Bound<'py, PyArray1<u64>>)> {
    require_threads()?;
    if !(tolerance >= 0.0 && tolerance.is_finite()) {
        return Err(PyValueError::new_err(format!("tolerance is {tolerance}; it must be finite and at least 0")));
    }
    let tokens = tokens(x)?;
    let found = py.detach(|| Clusters::of(&tokens, tolerance));
    let array = |v: Vec<usize>| v.into_iter().map(|i| i as u64).collect::<Vec<_>>().into_pyarray(py);
    Ok((array(found.label), array(found.weight)))
}

/// Indices of the vertices of the hull, and of tokens that may be one (beyond three dimensions).
#[pyfunction]
#[expect(clippy::type_complexity, reason = "two arrays")]
pub(crate) fn vertices<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<u32>>)> {
    require_threads()?;
    let tokens = tokens(x)?;
    let hull = py.detach(|| Hull::of(&Points::of(&tokens)));
    Ok((hull.vertices.into_pyarray(py), hull.undecided.into_pyarray(py)))
}

/// For every token of `x`, the first of the nearest of `to`, and its distance.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "two arrays")]
pub(crate) fn nearest<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    to: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<f64>>)> {
    require_threads()?;
    let (x, to) = (tokens(x)?, tokens(to)?);
    if x.d() != to.d() {
        return Err(PyValueError::new_err(format!("x is in R^{} and to in R^{}", x.d(), to.d())));
    }
    let found = py.detach(|| observe::nearest(&Points::of(&x), &Points::of(&to)));
    let (index, distance): (Vec<u32>, Vec<f64>) = found.into_iter().map(|n| (n.index, n.distance)).unzip();
    Ok((index.into_pyarray(py), distance.into_pyarray(py)))
}

/// The alignment gap of every token, and the first token that attains the maximum; A from `rows`, or the
/// identity.
#[pyfunction]
#[pyo3(signature = (x, rows = None))]
#[expect(clippy::type_complexity, reason = "two arrays")]
pub(crate) fn gaps<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    rows: Option<Vec<Vec<f64>>>,
) -> PyResult<(Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<u32>>)> {
    require_threads()?;
    let tokens = tokens(x)?;
    let matrix = rows.map_or(Ok(Matrix::Identity), |rows| {
        let (found, d) = (rows.len(), tokens.d());
        if found != d || rows.iter().any(|row| row.len() != d) {
            let text = format!("a has {found} rows; tokens in R^{d} need {d} rows of {d} numbers");
            return Err(localmax::Error::input(text));
        }
        Matrix::dense(&rows)
    });
    let a = Linear { matrix: matrix.map_err(raise)?, factor: 1.0 };
    let found = py.detach(|| {
        let points = Points::of(&tokens);
        Alignment::of(&points, &a, &Hull::of(&points))
    });
    Ok((found.gap.into_pyarray(py), found.best.into_pyarray(py)))
}

/// The energy of Hegselmann-Krause type at a radius, and its standard error where pairs were drawn.
#[pyfunction]
pub(crate) fn hegselmann_krause(py: Python<'_>, x: &Bound<'_, PyAny>, radius: f64) -> PyResult<(f64, f64)> {
    require_threads()?;
    if radius.is_nan() || radius < 0.0 {
        return Err(PyValueError::new_err(format!("radius is {radius}; it must be at least 0")));
    }
    let tokens = tokens(x)?;
    let energy = py.detach(|| observe::hegselmann_krause(&Distinct::of(&Points::of(&tokens)), radius));
    Ok((energy.value, energy.standard_error))
}

/// The energy of attention on the sphere at β, and its standard error where pairs were drawn.
#[pyfunction]
pub(crate) fn sphere_energy(py: Python<'_>, x: &Bound<'_, PyAny>, beta: f64) -> PyResult<(f64, f64)> {
    require_threads()?;
    if !(beta > 0.0 && beta.is_finite()) {
        return Err(PyValueError::new_err(format!("beta is {beta}; it must be finite and above 0")));
    }
    let tokens = tokens(x)?;
    let energy = py.detach(|| observe::sphere_energy(&Distinct::of(&Points::of(&tokens)), beta, 0.0));
    Ok((energy.value, energy.standard_error))
}

/// The rate at which distances fall, fitted above the noise.
#[pyfunction]
pub(crate) fn rate(py: Python<'_>, steps: Vec<u64>, distances: Vec<f64>, noise: f64) -> PyResult<Bound<'_, PyDict>> {
    if steps.len() != distances.len() {
        let (t, y) = (steps.len(), distances.len());
        return Err(PyValueError::new_err(format!("{t} steps and {y} distances; give one distance a step")));
    }
    let samples: Vec<Sample> =
        steps.into_iter().zip(distances).map(|(step, distance)| Sample { step, distance }).collect();
    let fit = RateFit::of(&samples, noise).map_err(raise)?;
    let found = PyDict::new(py);
    found.set_item("rate", fit.rate)?;
    found.set_item("interval", (fit.interval[0], fit.interval[1]))?;
    found.set_item("window", (fit.window[0], fit.window[1]))?;
    found.set_item("samples", fit.samples)?;
    found.set_item("residual", fit.residual)?;
    found.set_item("curvature", (fit.curvature[0], fit.curvature[1]))?;
    found.set_item(
        "decay",
        match fit.decay() {
            observe::Decay::Geometric => "geometric",
            observe::Decay::SuperExponential => "super-exponential",
            observe::Decay::SubGeometric => "sub-geometric",
        },
    )?;
    Ok(found)
}

/// The rate 1/(1+α) of tokens in a quiescent set.
#[pyfunction]
pub(crate) fn contraction(alpha: f64) -> f64 {
    observe::contraction(alpha)
}
