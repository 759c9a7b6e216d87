"""Tables of a run as structured arrays."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHOLE = (
    *("moved", "strip_min", "strip_max", "distinct", "vertices", "sampled", "quiescent", "rows"),
    *("cloud", "rest", "clusters", "outside_s", "leaders"),
)
TEXT = ("hash", "plan", "support")


def structured(columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Columns of one length as an array with a field each."""
    rows = len(next(iter(columns.values()), ()))
    table = np.empty(rows, dtype=[(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    return table


def columns(table: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The fields of a structured array."""
    return {name: table[name] for name in table.dtype.names or ()}


def read(path: Path) -> NDArray[Any]:
    """A CSV file of a run: an empty cell is NaN, or -1 among whole numbers."""
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    return structured({name: _column(name, [row[at] for row in rows]) for at, name in enumerate(head)})


def _column(name: str, cells: list[str]) -> NDArray[Any]:
    if name == "step":
        return np.array(cells, dtype=np.int64)
    if name in TEXT:
        return np.array(cells, dtype=np.str_)
    if name in WHOLE and all("." not in cell for cell in cells):
        return np.array([int(cell) if cell else -1 for cell in cells], dtype=np.int64)
    return np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
