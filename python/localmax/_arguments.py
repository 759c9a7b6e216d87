"""Keyword arguments as keys of a config, and arrays as its values. Nothing is checked here but shapes: the program's
own reader does the rest, with its own messages."""

from __future__ import annotations

import difflib
import operator
import os
import reprlib
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from . import _localmax

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ._types import CloudProgress, Progress

Documented = TypeVar("Documented")

TABLES = {name: table for table, name, _, _ in _localmax.keys()}
SCHEDULES = ("alpha", "gamma", "delta", "epsilon", "beta", "noise", "speed")
OWN = ("x0", "rule", "config", "preset", "out", "threads", "verify", "stop", "progress", "seeds")


def plain(value: Any, name: str = "") -> Any:
    """Arrays and NumPy's scalars as Python's own; one axis where a schedule stands is a table, a value a step."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {key: plain(item, "factor" if key == "factor" else "") for key, item in value.items()}
    if isinstance(value, str) or not (hasattr(value, "__array__") or isinstance(value, Sequence)):
        return value
    if isinstance(value, Sequence) and name not in (*SCHEDULES, "factor"):
        return [plain(item) for item in value]
    array = np.asarray(value)
    if array.ndim == 0:
        return array.item()
    if array.ndim == 1 and name in (*SCHEDULES, "factor"):
        return {"table": array.tolist()}
    return array.tolist()


def shown(name: str, value: Any) -> str:
    """A keyword as its user wrote it, shortened."""
    if isinstance(value, np.ndarray):
        return f"{name}=<array of shape {value.shape}>"
    return f"{name}={reprlib.repr(value)}"


def keywords(given: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Keywords as the reader takes them; those that are None are left out."""
    found = []
    for name, value in given.items():
        if name in OWN and name != "rule":
            raise ValueError(f"{shown(name, value)}: {name} is no keyword of this function")
        if name not in TABLES:
            known = [*TABLES, *OWN]
            nearest = difflib.get_close_matches(name, known, 1, 0.0) or known
            raise ValueError(f"{shown(name, value)}: unknown key {name!r}; the nearest known key is {nearest[0]!r}")
        table = TABLES[name]
        if value is not None:
            found.append((shown(name, value), f"{table}.{name}" if table else name, plain(value, name)))
    return found


def tokens(x0: ArrayLike, axes: tuple[int, ...] = (2,), name: str = "x0") -> NDArray[Any]:
    """Anything array-like on the host: nested lists, NumPy, and what speaks DLPack (torch, JAX, CuPy). float32
    stays as it is, all else becomes float64."""
    x: Any = x0
    if isinstance(x, (str, os.PathLike)):
        raise ValueError(f"{name} is {os.fspath(x)!r}, a path; give file={os.fspath(x)!r}")
    if np.ma.isMaskedArray(x) and np.ma.getmaskarray(x).any():
        raise ValueError(f"{name} has masked entries; every coordinate must be given")
    if not isinstance(x, np.ndarray) and hasattr(x, "__dlpack__"):
        x = x.detach() if hasattr(x, "detach") else x
        try:
            x = np.from_dlpack(x)
        except (BufferError, RuntimeError, TypeError):
            x = x.get() if hasattr(x, "get") else x.cpu() if hasattr(x, "cpu") else x
    array = np.asarray(x)
    wanted = {2: "(n, d), a row each token", 3: "(m, n, d), for m clouds"}
    if array.ndim not in axes:
        raise ValueError(f"{name} has shape {array.shape}; expected {' or '.join(wanted[a] for a in axes)}")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} has dtype {array.dtype}; expected numbers, float32 or float64")
    if array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; there must be a token and a coordinate")
    width = np.float32 if array.dtype == np.float32 else np.float64
    return np.ascontiguousarray(array, dtype=width)


def config(
    x0: NDArray[Any] | None,
    rule: str | None,
    source: str | os.PathLike[str] | None,
    preset: str | None,
    given: Mapping[str, Any],
) -> _localmax.Config:
    """The config of these arguments; with nothing given, the preset that the command line runs."""
    if source is not None and preset is not None:
        raise ValueError("config and preset are both given; leave out one")
    keys: dict[str, Any] = {"rule": rule, **given}
    text, path = None, None
    if source is not None:
        is_file = isinstance(source, os.PathLike) or source.endswith(".toml") or "=" not in source
        text, path = (None, os.fspath(source)) if is_file else (os.fspath(source), None)
    elif preset is None:
        has_tokens = any(keys.get(key) is not None for key in ("file", "rows", "kind", "n", "d"))
        if x0 is None and not has_tokens:
            preset = "default"
        else:
            keys = {"rule": "localmax" if rule is None else rule, **{k: v for k, v in keys.items() if k != "rule"}}
            if keys.get("steps") is None:
                keys["steps"] = 100
            if keys["rule"] == "localmax":
                if keys.get("alpha") is None and keys.get("gamma") is None:
                    keys["alpha"] = 0.5
                if keys.get("delta") is None and keys.get("epsilon") is None:
                    keys["delta"] = "1/(t+1)"
            if x0 is None and all(keys.get(key) is None for key in ("file", "rows", "kind")):
                keys["kind"] = "normal"
    return _localmax.Config(x0, keywords(keys), text, path, preset)


def whole(name: str, value: Any, least: int) -> int:
    """A whole number, or an error that names the argument."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if not least <= number < 2**63:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}")
    return number


def documented(function: Documented) -> Documented:
    """Puts the table of keys at the mark in a docstring, whose indent Python takes away from 3.13 on."""
    lines, last = [], None
    for table, name, meaning, default in _localmax.keys():
        if name == "rule":
            continue
        if table != last:
            lines.append(f"[{table}]" if table else "[at the top]")
            last = table
        lines.append(f"    {name} = {default}")
        lines.append(f"        {meaning}")
    told = function.__doc__ or ""
    mark = next((line for line in told.splitlines() if line.strip() == "KEYS"), "KEYS")
    indent = mark.removesuffix("KEYS")
    function.__doc__ = told.replace(mark, "\n".join(indent + line for line in lines))
    return function


def bar(progress: Progress | CloudProgress, total: int, unit: str = "step", initial: int = 0) -> tuple[Any, Any]:
    """What to call with the progress, and what to close: a bar of tqdm's in a terminal or a notebook, if there is
    one; nothing where nobody looks."""
    if callable(progress):
        return progress, None
    if progress is None:
        import sys

        notebook = "ipykernel" in sys.modules
        progress = notebook or sys.stderr.isatty()
    if not progress:
        return None, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a notebook without widgets gets a bar of text
            from tqdm.auto import tqdm
    except ImportError:
        return None, None
    shown_bar = tqdm(total=total, initial=initial, unit=unit, leave=False, delay=0.5)

    def call(t: int, moved: int | None = None) -> None:
        if moved is not None:
            shown_bar.set_postfix(moved=moved, refresh=False)
        shown_bar.update(t - shown_bar.n)

    return call, shown_bar
