"""Attention as a dynamical system: n tokens in R^d move, step by step, towards an average of those they attend to.

>>> import localmax
>>> run = localmax.run(n=300, d=2, kind="normal", alpha=0.5, delta="1/(t+1)", strip="width", steps=200)
>>> run.tokens.shape
(300, 2)

`run` takes tokens to the last step or to rest and keeps everything; `Simulation` goes step by step in memory;
`batch` takes many clouds at once; `open` reads the folder of a run; `study` runs an experiment of the program;
`observe` measures plain arrays. Keyword arguments are the keys of a config: `help(localmax.run)` lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._localmax import DeviceError, __version__

if TYPE_CHECKING:
    from . import observe
    from ._batch import Batch, batch
    from ._run import Run, load, open, run
    from ._simulation import Simulation, Strip, hash, presets
    from ._study import Claim, Study, study

__all__ = [
    "Batch",
    "Claim",
    "DeviceError",
    "Run",
    "Simulation",
    "Strip",
    "Study",
    "__version__",
    "batch",
    "hash",
    "load",
    "observe",
    "open",
    "presets",
    "run",
    "study",
]

_HOMES = {
    "_batch": ("Batch", "batch"),
    "_run": ("Run", "load", "open", "run"),
    "_simulation": ("Simulation", "Strip", "hash", "presets"),
    "_study": ("Claim", "Study", "study"),
}


def __getattr__(name: str) -> object:
    """Loads NumPy, and what stands on it, when it is first asked for: the command line starts without."""
    from importlib import import_module

    if name == "observe":
        return import_module(".observe", __name__)
    for home, names in _HOMES.items():
        if name in names:
            module = import_module(f".{home}", __name__)
            globals().update({each: getattr(module, each) for each in names})
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(__all__) | set(globals()))
