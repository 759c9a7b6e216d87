"""Pictures in matplotlib, in the program's colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _localmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._run import Run

# Okabe and Ito's colours without black and yellow, and grey for the rest: as in the program's own pictures.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
GREY = "#8c8c8c"


def colours(run: Run) -> list[str]:
    """A colour a token, by the cluster it ends in, as the program's own pictures have it: one for each of the heaviest
    clusters, at a tolerance of 2/1000 of the cloud."""
    extent = float(np.ptp(run.frames[0], axis=0).max()) if 0 in run.frames else float(np.ptp(run.tokens, axis=0).max())
    labels, weights = _localmax.clusters(run.tokens, 2e-3 * extent)
    least = 1 if len(labels) <= 12 else max(2, -(-len(labels) // 100))
    heavy = int(np.sum(weights[: len(COLOURS)] >= least))
    return [COLOURS[label] if label < heavy else GREY for label in labels]


def shown_axes(d: int, axes: tuple[int, ...] | None) -> tuple[int, ...]:
    """The coordinates to show."""
    found = tuple(range(min(d, 3))) if axes is None else tuple(axes)
    if not 1 <= len(found) <= 3 or any(not 0 <= axis < d for axis in found):
        raise ValueError(f"axes is {axes!r}; give one to three of the coordinates 0 to {d - 1}")
    return found


def prepared(ax: Any, axes: tuple[int, ...]) -> Any:
    """Axes with their labels, on a new figure if none are given."""
    if ax is not None and len(axes) == 3 and not hasattr(ax, "set_zlabel"):
        raise ValueError("ax has two dimensions; give axes=(0, 1), or an ax with projection='3d'")
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(layout="constrained")
        ax = figure.add_subplot(projection="3d" if len(axes) == 3 else None)
    if len(axes) == 1:
        ax.set(xlabel="step", ylabel=f"x{axes[0]}")
        return ax
    ax.set(xlabel=f"x{axes[0]}", ylabel=f"x{axes[1]}")
    ax.set_aspect("equal", adjustable="datalim" if len(axes) == 2 else None)
    if len(axes) == 3:
        ax.set_zlabel(f"x{axes[2]}")
    return ax


def points(x: NDArray[Any], title: str, ax: Any = None, axes: tuple[int, ...] | None = None, **options: Any) -> Any:
    """The tokens of one state."""
    chosen = shown_axes(x.shape[1], axes)
    ax = prepared(ax, chosen if len(chosen) > 1 else (chosen[0],))
    style = {"s": 6, "color": COLOURS[0], "alpha": 0.7, "linewidths": 0} | options
    columns = [x[:, axis] for axis in chosen]
    ax.scatter(*([np.zeros(len(x)), *columns] if len(chosen) == 1 else columns), **style)
    ax.set_title(title)
    return ax


def paths(run: Run, ax: Any, axes: tuple[int, ...] | None, most: int, **options: Any) -> Any:
    """Paths through the recorded states, with dots where they end."""
    frames = run.frames
    chosen = shown_axes(run.meta["d"], axes)
    ax = prepared(ax, chosen)
    colour = colours(run)
    tokens = np.unique(np.linspace(0, run.meta["n"] - 1, most).astype(int))
    states = np.stack([frame[tokens][:, list(chosen)] for frame in frames.values()])
    for at, token in enumerate(tokens):
        path = states[:, at].T
        style = {"color": colour[token], "linewidth": 0.6, "alpha": 0.5} | options
        ax.plot(*([frames.steps, *path] if len(chosen) == 1 else path), **style)
    ends = states[-1].T
    last = np.full(len(tokens), frames.steps[-1])
    kinds = [colour[token] for token in tokens]
    ax.scatter(*([last, *ends] if len(chosen) == 1 else ends), c=kinds, s=14, zorder=3, linewidths=0)
    ax.set_title(f"{run.meta['rule']}, n = {run.meta['n']}, {run.t} steps")
    return ax


def animation(run: Run, axes: tuple[int, ...] | None, most: int, interval: int) -> Any:
    """The recorded states one after another."""
    from matplotlib.animation import FuncAnimation

    frames = run.frames
    chosen = shown_axes(run.meta["d"], axes)
    tokens = np.unique(np.linspace(0, run.meta["n"] - 1, most).astype(int))
    states = np.stack([frame[tokens][:, list(chosen)] for frame in frames.values()])
    if len(chosen) == 1:
        states = np.concatenate([states, np.zeros_like(states)], axis=2)
    ax = prepared(None, (*chosen, 0)[: max(2, len(chosen))])
    if len(chosen) < 3:
        ax.set_aspect("equal", adjustable="box")
    kinds = [colours(run)[token] for token in tokens]
    dots = ax.scatter(*states[0].T, c=kinds, s=8, linewidths=0)
    low, high = states.min(axis=(0, 1)), states.max(axis=(0, 1))
    margin = 0.05 * (high - low).max() + 1e-300
    ax.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    if len(chosen) == 3:
        ax.set(zlim=(low[2] - margin, high[2] + margin))

    def draw(at: int) -> list[Any]:
        if len(chosen) == 3:
            dots._offsets3d = tuple(states[at].T)
        else:
            dots.set_offsets(states[at])
        ax.set_title(f"step {frames.steps[at]}")
        return [dots]

    return FuncAnimation(ax.figure, draw, frames=len(states), interval=interval)
