"""Types of arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypedDict

from numpy.typing import NDArray

Schedule = float | str | Sequence[float] | NDArray[Any] | dict[str, Any]
Matrix = float | str | Sequence[Sequence[float]] | NDArray[Any] | dict[str, Any]
Progress = bool | None | Callable[[int, int], object]
CloudProgress = bool | None | Callable[[int], object]


class Communicator(Protocol):
    """What a run needs of mpi4py's communicators."""

    def Get_rank(self) -> int: ...  # noqa: N802
    def Get_size(self) -> int: ...  # noqa: N802
    def allgather(self, sendobj: Any, /) -> list[Any]: ...
    def Allgatherv(self, sendbuf: Any, recvbuf: Any, /) -> None: ...  # noqa: N802


class Keywords(TypedDict, total=False):
    """Every key of a config. `help(localmax.run)` says what they mean."""

    seed: int
    file: str | os.PathLike[str]
    rows: Sequence[Sequence[float]]
    kind: str
    n: int
    clouds: int
    d: int
    scale: float
    clusters: int
    spread: float
    keys: str | os.PathLike[str] | Sequence[Sequence[float]]
    causal: bool
    mask: str | dict[str, Any]
    self: bool
    alpha: Schedule
    gamma: Schedule
    scores: str
    delta: Schedule
    epsilon: Schedule
    strip: str
    beta: Schedule
    bias: float
    weights: str
    omit: float
    a: Matrix
    q: Matrix
    k: Matrix
    v: Matrix
    exclusive: bool
    truth: dict[str, Any]
    p: Matrix
    w: Matrix
    heads: Sequence[dict[str, Any]] | dict[str, Any]
    normalized: bool
    origin: float
    normalisation: str
    switch: float
    speed: Schedule
    perceptron: dict[str, Any]
    noise: Schedule
    common: bool
    dt: float
    integrator: str
    steps: int
    engine: str
    plan: str
    precision: str
    tolerance: float
    record: str
    frames: str
    measures: str
    labels: bool
    checkpoint_seconds: float
