"""A run in memory, step by step."""

from __future__ import annotations

import operator
import os
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _arguments, _localmax, _tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self, Unpack

    from ._types import Keywords, Progress


class Strip(NamedTuple):
    """The tokens that one token attends to.

    Attributes
    ----------
    members : (k,) int64
        Indices of the tokens attended to, ascending, as the engine decides them.
    scores : (m,) float64
        The score of each token that it sees, in the square of the tokens' unit.
    threshold, largest : float
        Where the strip ends, and the largest score.
    query : (d,) float64
        A x_i.
    delta : float
        The width at this step, in the unit of the strip's form; 0 in rules without strips.
    keys : (m,) int64
        Indices of the tokens that it sees, ascending.
    """

    members: NDArray[np.int64]
    scores: NDArray[np.float64]
    threshold: float
    largest: float
    query: NDArray[np.float64]
    delta: float
    keys: NDArray[np.int64]


class Simulation:
    """n tokens in R^d, stepped in memory. Nothing is recorded but `metrics`; `localmax.run` records.

    Threads of Python may share one; each call waits for the one before it. For a copy start anew from `tokens`.

    Parameters
    ----------
    x0 : (n, d) array-like, optional
        The tokens, a row each; float32 stays float32, all else is taken as float64. Without it, `kind`, `n` and
        `d` draw a cloud, or the config or preset says.
    rule : str
        localmax, hardmax, frank-wolfe, softmax, markov, ellipsoid, sphere, rescaled.
    config : str or path, optional
        A config for the command line: TOML or the path of a file. Keywords change it.
    preset : str, optional
        A preset's name (`localmax.presets()`), instead of a config.
    threads : int, optional
        Threads of its own; otherwise all simulations share one a core.
    **keys
        Keys of a config, as in `help(localmax.run)`.

    Raises
    ------
    ValueError
        A key, value or shape that does not fit, with the command line's text.
    OSError, MemoryError, DeviceError
        A file, the memory or the engine asked for is not there.

    Examples
    --------
    >>> import localmax
    >>> sim = localmax.Simulation([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.2]], alpha=1.0, delta=0.1)
    >>> sim.step(10).t <= 10
    True
    >>> sim.strip(0).members.tolist()
    [0]
    """

    def __init__(
        self,
        /,
        x0: ArrayLike | None = None,
        rule: str | None = None,
        *,
        config: str | os.PathLike[str] | None = None,
        preset: str | None = None,
        threads: int | None = None,
        **keys: Unpack[Keywords],
    ) -> None:
        given = None if x0 is None else _arguments.tokens(x0)
        threads = None if threads is None else _arguments.whole("threads", threads, 1)
        self._inner = _localmax.Simulation(_arguments.config(given, rule, config, preset, keys), threads)
        for note in self._inner.notes:
            warnings.warn(note, stacklevel=2)

    def step(self, steps: int = 1, *, stop: bool = True, progress: Progress = False) -> Self:
        """Takes some steps, or fewer where no token moves any more (`at_rest` says so).

        Ctrl-C ends it after the steps that were taken whole, and the simulation can go on.

        Parameters
        ----------
        steps : int
            Steps to take.
        stop : bool
            End where no later step can move a token. False counts on.
        progress : bool, None or callable
            A bar of tqdm's, or a function of (t, moved) that is called 20 times a second; it must not ask this
            simulation, which is at work. None: a bar where somebody looks.

        Raises
        ------
        ArithmeticError
            A token that stops being finite.
        """
        steps = _arguments.whole("steps", steps, 1)
        if progress is False:
            self._inner.step(steps, stop)
            return self
        call, bar = _arguments.bar(progress, self.t + steps, initial=self.t)
        try:
            self._inner.step(steps, stop, call)
        finally:
            if bar is not None:
                bar.close()
        return self

    @property
    def t(self) -> int:
        """Steps taken."""
        return self._inner.t

    @property
    def at_rest(self) -> bool:
        """Whether the last step moved no token and no later one can."""
        return self._inner.at_rest

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d)."""
        return self._inner.shape

    @property
    def tokens(self) -> NDArray[Any]:
        """The state, (n, d) in the stored width. A new array each time, which is yours."""
        return self._inner.tokens

    @property
    def hash(self) -> str:
        """blake3 of the state: in the exact rules the same on every engine and machine, and in `metrics.csv`."""
        return self._inner.hash

    @property
    def rule(self) -> str:
        """The rule's name."""
        return self._inner.rule

    @property
    def unit(self) -> float | None:
        """The spacing of the lattice that exact tokens live on; None in rules on real numbers."""
        return self._inner.unit

    @property
    def engine(self) -> str:
        """Engine and device."""
        engine, device, _ = self._inner.engine
        return f"{engine} ({device})"

    @property
    def config(self) -> str:
        """The config as TOML. Large arrays are named as files, which `localmax.run(..., out=...)` writes."""
        return self._inner.toml

    @property
    def metrics(self) -> NDArray[Any]:
        """One structured row a step taken: step, delta, gamma, moved, strip_min, strip_mean, strip_max. Where a
        rule has no such thing there is NaN, or -1 among whole numbers."""
        return _tables.structured(self._inner.columns())

    @property
    def strips(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Argmax and size of every token's strip in the last step."""
        return self._inner.strips()

    def strip(self, token: int) -> Strip:
        """The strip of a token in the current state. Negative indices count from the end."""
        return Strip(**self._inner.strip(operator.index(token)))

    def masks(self, rows: Sequence[int]) -> list[NDArray[np.int64]]:
        """Whom each of some tokens attends to in the current state."""
        if isinstance(rows, np.ndarray) and rows.dtype == np.bool_:
            rows = np.flatnonzero(rows).tolist()
        return self._inner.masks([operator.index(row) for row in rows])

    def verify(self, rows: int | None = None) -> dict[str, Any]:
        """Takes a step and holds some of its rows to the plain reference and to derived bounds.

        Returns
        -------
        dict
            `passed`, `rows` checked, `largest_error` and its `bound` (in units of the lattice under exact rules),
            `breaches`.
        """
        return self._inner.verify(None if rows is None else _arguments.whole("rows", rows, 1))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the tokens as `.npy`, which a config's `tokens.file` reads."""
        np.save(path, self.tokens)

    def to_pandas(self) -> Any:
        """`metrics` as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(self._inner.columns())

    def to_polars(self) -> Any:
        """`metrics` as a polars DataFrame."""
        import polars

        return polars.DataFrame(self._inner.columns())

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """The tokens as points; see `localmax.Run.plot`. Returns matplotlib's Axes."""
        from . import _plots

        return _plots.points(self.tokens, f"{self.rule}, t = {self.t}", ax, **options)

    def __repr__(self) -> str:
        n, d = self.shape
        return f"<localmax.Simulation: {self.rule}, n = {n}, d = {d}, t = {self.t}, {self.engine}>"


def hash(x: ArrayLike) -> str:
    """blake3 of an (n, d) array of float32 or float64, as in `metrics.csv`."""
    return _localmax.hash(_arguments.tokens(x, name="x"))


def presets() -> dict[str, str]:
    """The presets by name, as TOML."""
    return dict(_localmax.presets())
