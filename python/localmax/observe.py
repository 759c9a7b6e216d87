"""Measures of plain (n, d) arrays. They know nothing of how a state came about.

>>> import localmax
>>> square = [[0, 0], [1, 0], [0, 1], [1, 1], [0.5, 0.5]]
>>> localmax.observe.vertices(square).tolist()
[0, 1, 2, 3]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _arguments, _localmax

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Rate",
    "clusters",
    "contraction",
    "gaps",
    "hegselmann_krause",
    "nearest",
    "rate",
    "sphere_energy",
    "vertices",
]


class Rate(NamedTuple):
    """A fitted rate.

    Attributes
    ----------
    rate : float
        The factor of the distance in one step.
    interval : (float, float)
        Its 95 % interval.
    window : (int, int)
        First and last step of the fit.
    samples : int
        Samples used.
    residual : float
        Root mean square of the logarithm about the line.
    curvature : (float, float)
        The coefficient of t squared in log y, and half its 95 % interval.
    decay : str
        geometric, super-exponential or sub-geometric.
    """

    rate: float
    interval: tuple[float, float]
    window: tuple[int, int]
    samples: int
    residual: float
    curvature: tuple[float, float]
    decay: str


def clusters(x: ArrayLike, tolerance: float = 0.0) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Tokens joined by chains of neighbours at most `tolerance` apart, in the tokens' unit.

    Returns
    -------
    labels : (n,)
        The cluster of every token, heaviest first.
    weights : (clusters,)
        Tokens of every cluster.
    """
    return _localmax.clusters(_arguments.tokens(x, name="x"), float(tolerance))


def vertices(x: ArrayLike) -> NDArray[np.uint32]:
    """Indices of the vertices of the convex hull, exact in up to three dimensions. Beyond, tokens that could not
    be decided are among them."""
    known, undecided = _localmax.vertices(_arguments.tokens(x, name="x"))
    return np.sort(np.concatenate([known, undecided]))


def nearest(x: ArrayLike, to: ArrayLike) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """For every token of `x` the first of the nearest of `to`, and the distance to it."""
    return _localmax.nearest(_arguments.tokens(x, name="x"), _arguments.tokens(to, name="to"))


def gaps(x: ArrayLike, a: ArrayLike | None = None) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
    """The alignment gap of every token, max_j <A x_i, x_j - x_i>, and the first token that attains it.

    A gap of 0 means that the token lies in the maximal alignment set S (arXiv 2509.15958).

    Parameters
    ----------
    x : (n, d)
        The tokens.
    a : (d, d), optional
        A; otherwise the identity.
    """
    rows = None if a is None else _arguments.tokens(a, name="a").tolist()
    return _localmax.gaps(_arguments.tokens(x, name="x"), rows)


def hegselmann_krause(x: ArrayLike, radius: float) -> tuple[float, float]:
    """The energy of Hegselmann-Krause type, sum over pairs of min(|x_i - x_j|^2, radius^2), and its standard error:
    0 unless the cloud is so large that pairs were drawn."""
    return _localmax.hegselmann_krause(_arguments.tokens(x, name="x"), float(radius))


def sphere_energy(x: ArrayLike, beta: float) -> tuple[float, float]:
    """The energy of attention on the sphere (arXiv 2312.10794), and its standard error."""
    return _localmax.sphere_energy(_arguments.tokens(x, name="x"), float(beta))


def rate(steps: ArrayLike, distances: ArrayLike, noise: float) -> Rate:
    """The rate at which distances fall with the steps, with its interval.

    Parameters
    ----------
    steps, distances : (k,)
        Ascending steps, and a distance at each.
    noise : float
        The resolution of a distance, such as sqrt(d) times `Simulation.unit`. Distances below 32 times this are
        rounding, and left out.

    Raises
    ------
    ValueError
        Fewer than 4 distances above that.
    """
    t = [int(step) for step in np.asarray(steps).ravel()]
    y = [float(value) for value in np.asarray(distances, dtype=float).ravel()]
    found: dict[str, Any] = _localmax.rate(t, y, float(noise))
    return Rate(**found)


def contraction(alpha: float) -> float:
    """1/(1 + alpha): the rate of tokens in a quiescent set (arXiv 2509.15958, Theorem 4.1)."""
    return _localmax.contraction(float(alpha))
