//! Tokens from NumPy and into it.

use localmax::{Coordinates, Error, Tokens};
use numpy::{Element, IntoPyArray, PyArrayMethods, PyReadonlyArray2, PyReadonlyArray3, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::work::raise;

/// An (n, d) array as tokens. They are copied once: Python may change its array while an engine works.
///
/// # Errors
/// Neither float32 nor float64, not two axes, a coordinate that is not finite.
pub(crate) fn tokens(x: &Bound<'_, PyAny>) -> PyResult<Tokens> {
    if let Ok(array) = x.extract::<PyReadonlyArray2<'_, f32>>() {
        let [n, d] = [array.shape()[0], array.shape()[1]];
        return Tokens::from_flat(n, d, Coordinates::F32(flat(&array))).map_err(raise);
    }
    let Ok(array) = x.extract::<PyReadonlyArray2<'_, f64>>() else {
        return Err(PyTypeError::new_err("expected an (n, d) array of float32 or float64"));
    };
    let [n, d] = [array.shape()[0], array.shape()[1]];
    Tokens::from_flat(n, d, Coordinates::F64(flat(&array))).map_err(raise)
}

fn flat<T: Element + Copy>(array: &PyReadonlyArray2<'_, T>) -> Vec<T> {
    array.as_slice().map_or_else(|_| array.as_array().iter().copied().collect(), <[T]>::to_vec)
}

/// An (m, n, d) array as m clouds.
///
/// # Errors
/// As [`tokens`].
pub(crate) fn clouds(x: &Bound<'_, PyAny>) -> PyResult<Vec<Tokens>> {
    if let Ok(array) = x.extract::<PyReadonlyArray3<'_, f32>>() {
        return split(&array, Coordinates::F32);
    }
    let Ok(array) = x.extract::<PyReadonlyArray3<'_, f64>>() else {
        return Err(PyTypeError::new_err("expected an (m, n, d) array of float32 or float64"));
    };
    split(&array, Coordinates::F64)
}

fn split<T: Element + Copy>(
    array: &PyReadonlyArray3<'_, T>,
    of: impl Fn(Vec<T>) -> Coordinates,
) -> PyResult<Vec<Tokens>> {
    let [n, d] = [array.shape()[1], array.shape()[2]];
    let cloud = |(index, rows): (usize, numpy::ndarray::ArrayView2<'_, T>)| {
        let tokens = Tokens::from_flat(n, d, of(rows.iter().copied().collect()));
        tokens.map_err(|error| raise(of_cloud(index, error)))
    };
    array.as_array().outer_iter().enumerate().map(cloud).collect()
}

/// An input error names the cloud.
pub(crate) fn of_cloud(index: usize, error: Error) -> Error {
    match error {
        Error::Input { .. } => Error::input(format!("cloud {index}: {error}")),
        error => error,
    }
}

/// Coordinates moved into a NumPy array of this shape.
///
/// # Errors
/// Not so many coordinates.
pub(crate) fn into_numpy<'py>(
    py: Python<'py>,
    coordinates: Coordinates,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match coordinates {
        Coordinates::F32(x) => x.into_pyarray(py).reshape(shape)?.into_any(),
        Coordinates::F64(x) => x.into_pyarray(py).reshape(shape)?.into_any(),
    })
}
