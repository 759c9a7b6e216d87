"""A run into a folder, and the reader of such folders."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from . import _arguments, _localmax, _tables

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Unpack

    from ._types import Communicator, Keywords, Progress


class Frames(Mapping[int, "NDArray[Any]"]):
    """The recorded states by step, read when asked for. `frames[0]`, `frames.steps`, `frames.stack()`."""

    def __init__(self, folder: Path, owner: object = None) -> None:
        self._owner = owner  # a temporary folder goes with its run
        self._paths = {int(path.stem.removeprefix("step_")): path for path in sorted(folder.glob("step_*.npy"))}

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps that have a frame, ascending."""
        return np.array(list(self._paths), dtype=np.int64)

    def stack(self) -> NDArray[Any]:
        """All frames, (frames, n, d)."""
        return np.stack(list(self.values()))

    def __getitem__(self, step: int) -> NDArray[Any]:
        if step not in self._paths:
            raise KeyError(f"no frame of step {step}; there are {_listed(self._paths)}")
        found: NDArray[Any] = np.load(self._paths[step])
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __repr__(self) -> str:
        return f"<frames of the steps {_listed(self._paths)}>"


def _listed(steps: Mapping[int, Path]) -> str:
    shown = [str(step) for step in steps]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:4], "...", *shown[-3:]])


class Run:
    """What a run came to, as its folder has it. `localmax.run` and `localmax.open` make one.

    Attributes
    ----------
    path : Path
        The folder. Without `out` it is a temporary one, which goes with this object; `save` keeps it.
    meta : dict
        Versions, engine, lattice, timings, what was found at the end (`meta.json`).
    notes : list of str
        What a person has to know: what the lattice lost, how the engine was chosen.
    """

    def __init__(self, path: str | os.PathLike[str], *, notes: list[str] | None = None) -> None:
        self.path = Path(path).absolute()
        self.notes = notes or []
        self._temporary: Any = None
        if not (self.path / "config.toml").is_file():
            raise FileNotFoundError(f"{self.path} has no run in it: there is no config.toml")
        self.meta: dict[str, Any] = json.loads((self.path / "meta.json").read_text("utf-8"))

    @property
    def tokens(self) -> NDArray[Any]:
        """The last state, (n, d), or (m, n, d) of m clouds. A new array each time."""
        if not (self.path / "final.npy").is_file():
            raise ValueError(
                f"the run in {self.path} has not ended; if it was killed, `localmax resume` goes on with it"
            )
        found: NDArray[Any] = np.load(self.path / "final.npy")
        return found

    @property
    def t(self) -> int:
        """Steps taken."""
        return int(self.meta["steps"])

    @property
    def hash(self) -> str:
        """blake3 of the last state: in the exact rules the same on every engine and machine."""
        return str(self.metrics["hash"][-1])

    @property
    def unit(self) -> float | None:
        """The spacing of the lattice that exact tokens live on; None in rules on real numbers."""
        grid = self.meta["grid"]
        return None if grid is None else float(grid["unit"])

    @property
    def at_rest(self) -> bool:
        """Whether no later step can move a token: a fixed point was reached."""
        return self.meta["fixed_point"] is not None

    @property
    def frames(self) -> Frames:
        """The recorded states by step."""
        return Frames(self.path / "frames", self)

    @property
    def metrics(self) -> NDArray[Any]:
        """`metrics.csv`: step, delta, gamma, moved, strip_min, strip_mean, strip_max, hash, a row each recorded
        step. Where there is no such thing there is NaN, or -1 among whole numbers."""
        return _tables.read(self.path / "metrics.csv")

    @property
    def measures(self) -> NDArray[Any]:
        """`measures.csv`: radius, vertices, gaps, diameter, energy and more, a row each measured step."""
        return self._recorded("measures.csv", "output.measures was never")

    @property
    def clouds(self) -> NDArray[Any]:
        """`clouds.csv` of a run of many clouds: rest, clusters, near, hash and more, a row a cloud at each measured
        step."""
        return self._recorded("clouds.csv", "it is of one cloud, or output.measures was never")

    @property
    def effort(self) -> NDArray[Any]:
        """`effort.csv`: the plan of each recorded step and what it counted."""
        return self._recorded("effort.csv", "its engine compares every pair")

    @property
    def labels(self) -> NDArray[np.int64]:
        """The cluster of every token of the last state, heaviest first; (m, n) of m clouds."""
        if not (self.path / "labels.npy").is_file():
            raise ValueError(f"the run is {self.meta['ended']} at step {self.t}: its clusters were not looked for")
        return np.asarray(np.load(self.path / "labels.npy"), dtype=np.int64)

    @property
    def clusters(self) -> list[dict[str, Any]] | None:
        """The clusters of the last state, heaviest first: tokens, place, vertex, gap, in_s, attends (the number of
        other clusters in its strip). Tokens are in one where they differ by rounding alone, `meta["limits"]["within"]`:
        before rest count them with `localmax.observe.clusters(run.tokens, tolerance)`. None for a run that was
        interrupted, and for one of many clouds."""
        limits = self.meta["limits"]
        return None if limits is None else list(limits["places"])

    @property
    def leaders(self) -> list[dict[str, Any]] | None:
        """The clusters that attend to themselves alone."""
        clusters = self.clusters
        return None if clusters is None else [cluster for cluster in clusters if cluster["attends"] == 0]

    @property
    def artefacts(self) -> list[dict[str, Any]] | None:
        """The clusters of a run at rest that lie outside S: artefacts in the sense of Remark 3.1 of arXiv 2509.15958.
        None where the run has not come to rest, or where S is not asked for."""
        clusters = self.clusters
        if not self.at_rest or clusters is None or any(cluster["in_s"] is None for cluster in clusters):
            return None
        return [cluster for cluster in clusters if not cluster["in_s"]]

    @property
    def config(self) -> str:
        """The config as TOML. Large arrays stand beside it: `localmax.run(config=run.path / "config.toml")`."""
        return (self.path / "config.toml").read_text("utf-8")

    def save(self, path: str | os.PathLike[str]) -> Run:
        """Copies the folder to a new place, and returns the run there."""
        shutil.copytree(self.path, path)
        return Run(path, notes=self.notes)

    def to_pandas(self, table: str = "metrics") -> Any:
        """A table (metrics, measures, clouds or effort) as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(_tables.columns(self._table(table)))

    def to_polars(self, table: str = "metrics") -> Any:
        """A table (metrics, measures, clouds or effort) as a polars DataFrame."""
        import polars

        return polars.DataFrame(_tables.columns(self._table(table)))

    def _recorded(self, file: str, otherwise: str) -> NDArray[Any]:
        if not (self.path / file).is_file():
            raise ValueError(f"the run has no {file}: {otherwise}")
        return _tables.read(self.path / file)

    def _table(self, name: str) -> NDArray[Any]:
        if name not in ("metrics", "measures", "clouds", "effort"):
            raise ValueError(f"there is no table {name!r}; there are metrics, measures, clouds and effort")
        found: NDArray[Any] = getattr(self, name)
        return found

    def plot(self, ax: Any = None, *, axes: tuple[int, ...] | None = None, most: int = 300, **options: Any) -> Any:
        """Paths of the tokens through the recorded states, coloured by the cluster they end in.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; otherwise a new figure.
        axes : tuple of 1 to 3 ints, optional
            The coordinates to show; otherwise the first three, or the two there are. One is drawn over the step.
        most : int
            Paths drawn, evenly among the tokens.
        **options
            For matplotlib's `plot`.

        Returns
        -------
        matplotlib Axes
        """
        from . import _plots

        return _plots.paths(self, ax, axes, most, **options)

    def animate(self, *, axes: tuple[int, ...] | None = None, most: int = 2000, interval: int = 200) -> Any:
        """The recorded states one after another, `interval` milliseconds each: a FuncAnimation of matplotlib's."""
        from . import _plots

        return _plots.animation(self, axes, most, interval)

    def report(self) -> Path:
        """Draws the program's own report, and returns the path of its page."""
        page = self.path / "plots" / "report.html"
        if not page.is_file():
            _localmax.draw(self.path)
        return page

    def __repr__(self) -> str:
        meta = self.meta
        state = "at rest" if self.at_rest else meta["ended"]
        return f"<localmax.Run: {meta['rule']}, n = {meta['n']}, d = {meta['d']}, {self.t} steps, {state}, {self.path}>"

    def _repr_html_(self) -> str:
        from html import escape

        page = escape(self.report().read_text("utf-8"), quote=True)
        return (
            f'<iframe srcdoc="{page}" style="width:100%;height:640px;border:0" title="{escape(repr(self))}"></iframe>'
        )

    def __reduce__(self) -> Any:
        if self._temporary is not None:
            raise TypeError(f"{self!r} lives in a temporary folder; give out=..., or send run.tokens")
        return Run, (self.path,)


@overload
def run(
    x0: ArrayLike | None = None,
    rule: str | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    preset: str | None = None,
    out: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    verify: int = 0,
    stop: bool = True,
    progress: Progress = None,
    comm: None = None,
    **keys: Unpack[Keywords],
) -> Run: ...


@overload
def run(
    x0: ArrayLike | None = None,
    rule: str | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    preset: str | None = None,
    out: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    verify: int = 0,
    stop: bool = True,
    progress: Progress = None,
    comm: Communicator,
    **keys: Unpack[Keywords],
) -> Run | None: ...


@_arguments.documented
def run(
    x0: ArrayLike | None = None,
    rule: str | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    preset: str | None = None,
    out: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    verify: int = 0,
    stop: bool = True,
    progress: Progress = None,
    comm: Communicator | None = None,
    **keys: Unpack[Keywords],
) -> Run | None:
    """Takes tokens to the last step, or to rest, and keeps everything, as `localmax run` does.

    Ctrl-C is heard at once: the folder keeps the run, and `localmax resume` goes on with it.

    Parameters
    ----------
    x0 : (n, d) array-like, optional
        The tokens, a row each; float32 stays float32, all else is taken as float64. Without it, `kind`, `n` and
        `d` draw a cloud, or the config or preset says; with nothing at all the preset "default" runs. For many
        clouds at once see `localmax.batch`.
    rule : str
        localmax (if there is no config or preset), hardmax, frank-wolfe, softmax, markov, ellipsoid, sphere,
        rescaled.
    config : str or path, optional
        A config for the command line: TOML or the path of a file. Keywords change it.
    preset : str, optional
        A preset's name (`localmax.presets()`), instead of a config.
    out : path, optional
        The folder of the run, new or empty; otherwise a temporary one that goes with the result. It is written
        so that a power cut loses nothing, which takes some 10 to 100 ms: for thousands of small runs take
        `localmax.batch`.
    threads : int, optional
        Threads of its own; otherwise all runs share one a core.
    verify : int
        Check sampled rows against the reference every so many steps; 0: never.
    stop : bool
        End where no later step can move a token. False goes on to the last step.
    progress : bool, None or callable
        A bar of tqdm's, or a function of (t, moved) that is called 20 times a second. None: a bar where somebody
        looks.
    comm : mpi4py communicator, optional
        `MPI.COMM_WORLD`: its processes share the rows of every step on the CPU engine, with the bits of one. All
        give the same arguments; rank 0 writes the folder and has the result, all others have None.
    **keys
        Keys of a config with their defaults, or an example where they have none. Arrays stand for matrices and,
        with one axis, for a value a step. Where neither config nor preset says, `steps` is 100, and localmax
        has `alpha` 0.5 and `delta` 1/(t+1).

    KEYS

    Returns
    -------
    Run, or None on a rank other than 0

    Raises
    ------
    ValueError
        A key, value or shape that does not fit, with the command line's text.
    OSError, MemoryError, DeviceError, ArithmeticError
        A file, the memory or the engine asked for is not there; a token that stops being finite.

    Examples
    --------
    >>> import localmax
    >>> run = localmax.run([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.2]], "hardmax", alpha=1.0, steps=20)
    >>> run.at_rest, len(run.clusters)
    (True, 3)
    """
    given = None if x0 is None else _arguments.tokens(x0)
    return _take(_arguments.config(given, rule, config, preset, keys), out, threads, verify, stop, progress, comm)


def _take(
    config: _localmax.Config,
    out: str | os.PathLike[str] | None,
    threads: int | None,
    verify: int,
    stop: bool,
    progress: Progress,
    comm: Communicator | None,
) -> Run | None:
    threads = None if threads is None else _arguments.whole("threads", threads, 1)
    verify = _arguments.whole("verify", verify, 0)
    if comm is not None and comm.Get_rank() > 0:
        _localmax.record(config, "", threads, verify, stop, None, comm)
        return None
    folder = Path(tempfile.mkdtemp(prefix="localmax-")) if out is None else Path(out)
    call, bar = _arguments.bar(progress, config.steps)
    try:
        notes = _localmax.record(config, folder, threads, verify, stop, call, comm)
    except BaseException as error:
        if out is None and str(folder) not in str(error):
            shutil.rmtree(folder, ignore_errors=True)  # its message names a folder that keeps something
        raise
    finally:
        if bar is not None:
            bar.close()
    found = Run(folder, notes=notes)
    if out is None:
        found._temporary = weakref.finalize(found, shutil.rmtree, folder, ignore_errors=True)
    if call is not None and bar is None:
        call(found.t, int(found.metrics["moved"][-1]))
    for note in notes:
        warnings.warn(note, stacklevel=3)
    return found


def load(config: str | os.PathLike[str], **keys: Unpack[Keywords]) -> Run:
    """Runs a config of the command line: `localmax.run(config=...)`."""
    return run(config=config, **keys)


def open(path: str | os.PathLike[str]) -> Run:
    """The run in a folder, whoever made it."""
    return Run(path)
