"""Many clouds side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _arguments, _localmax

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Unpack

    from ._types import CloudProgress, Keywords


class Batch(NamedTuple):
    """The ends of m clouds.

    Attributes
    ----------
    tokens : (m, n, d)
        The last states; float64 if one cloud needed it.
    steps : (m,) uint64
        Steps taken.
    at_rest : (m,) bool
        Whether no later step can move a token.
    hashes : list of str
        blake3 of each last state in its own width, as a run of that cloud has it.
    """

    tokens: NDArray[Any]
    steps: NDArray[np.uint64]
    at_rest: NDArray[np.bool_]
    hashes: list[str]


def batch(
    x0: ArrayLike | None = None,
    rule: str | None = None,
    *,
    seeds: Sequence[int] | None = None,
    config: str | os.PathLike[str] | None = None,
    preset: str | None = None,
    threads: int | None = None,
    stop: bool = True,
    progress: CloudProgress = None,
    **keys: Unpack[Keywords],
) -> Batch:
    """Takes m clouds to their last step, or to rest, side by side: a thread each, on the CPU unless `engine` says
    otherwise. Nothing is recorded on the way.

    Parameters
    ----------
    x0 : (m, n, d) array-like, optional
        The clouds. Each is a run of its own, with the hash that it would have alone.
    rule, config, preset, threads, stop, **keys
        As in `localmax.run`.
    seeds : sequence of int, optional
        Instead of `x0`: a cloud for each seed. With `x0`, the seed of each cloud's draws (markov).
    progress : bool, None or callable
        A bar of tqdm's, or a function of the number of clouds that are done.

    Examples
    --------
    >>> import localmax
    >>> ends = localmax.batch(n=32, d=2, seeds=range(5), alpha=1.0, delta=0.1, steps=1000)
    >>> ends.tokens.shape
    (5, 32, 2)
    """
    threads = None if threads is None else _arguments.whole("threads", threads, 1)
    if seeds is not None and "seed" in keys:
        raise ValueError("seed and seeds are both given; leave out one")
    clouds = None if x0 is None else _arguments.tokens(x0, axes=(3,))
    if clouds is None and not len(seeds or ()):
        raise ValueError("neither x0 nor seeds is given; give an (m, n, d) array, or seeds=range(m) and n, d")
    if clouds is not None and seeds is not None and len(clouds) != len(seeds):
        raise ValueError(f"x0 has {len(clouds)} clouds and there are {len(seeds)} seeds; give one a cloud")
    given = None if clouds is None else clouds[0]
    each: list[dict[str, Any]] = (
        [{}] if seeds is None else [{"seed": _arguments.whole("a seed", seed, 0)} for seed in seeds]
    )
    configs = [_arguments.config(given, rule, config, preset, {**keys, **one}) for one in each]
    call, bar = _arguments.bar(progress, len(configs) if clouds is None else len(clouds), "cloud")
    try:
        ends = Batch(*_localmax.batch(configs, clouds, threads, stop, call))
    finally:
        if bar is not None:
            bar.close()
    if call is not None and bar is None:
        call(len(ends.steps))
    return ends
