"""The program's experiments. A study runs in a process of its own, so that Ctrl-C and its output are its own."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Claim(NamedTuple):
    """A sentence of the theory beside what was measured. `agrees` is the verdict: yes or no; or counted (a
    conjecture's cases), illustration or not reached, which are none."""

    claim: str
    source: str
    basis: str
    measured: str
    error: str
    agrees: str


class Study:
    """The folder of a study: `claims`, `table`, `report`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not (self.path / "claims.csv").is_file():
            raise FileNotFoundError(f"{self.path} has no finished study in it: there is no claims.csv")

    @property
    def claims(self) -> list[Claim]:
        """The theory's claims, each with what was measured and whether they agree."""
        with (self.path / "claims.csv").open(newline="", encoding="utf-8") as file:
            return [Claim(**row) for row in csv.DictReader(file)]

    @property
    def table(self) -> dict[str, Any]:
        """Columns of `table.csv`, a row each cell: numbers where a column has nothing else, else texts."""
        with (self.path / "table.csv").open(newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
        return {name: _numbers([row[at] for row in rows]) for at, name in enumerate(head)}

    @property
    def report(self) -> Path:
        """The page of the report."""
        return self.path / "report.html"

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(self.table)

    def __repr__(self) -> str:
        verdicts = [claim.agrees for claim in self.claims]
        counts = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts))
        return f"<localmax.Study: {len(verdicts)} claims ({counts}), {self.path}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(c.claim)}</td><td>{escape(c.source)}</td><td>{escape(c.measured)}</td>"
            f"<td>{escape(c.agrees)}</td></tr>"
            for c in self.claims
        )
        return f"<table><tr><th>claim</th><th>source</th><th>measured</th><th>agrees</th></tr>{rows}</table>"


def _numbers(cells: list[str]) -> Any:
    if set(cells) <= {"true", "false"}:
        return np.array([cell == "true" for cell in cells])
    if all(cell.isdecimal() for cell in cells):
        return np.array(cells, dtype=np.int64)
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return np.array(cells, dtype=np.str_)


def study(name: str, *, out: str | os.PathLike[str] | None = None, quick: bool = False, **options: Any) -> Study:
    """Runs an experiment of the program: `localmax study NAME`. It takes seconds (`quick`) to minutes, without a bar.
    `localmax.Study(path)` reads its folder again.

    Parameters
    ----------
    name : str
        quiescent, strip, vanishing, artefacts, cells, rates, consensus, asymmetric, lyapunov, phase, census,
        sweep;
        `localmax study --help` says what each asks.
    out : path, optional
        The folder; one that holds the same study goes on. Otherwise a temporary one, which stays.
    quick : bool
        Seconds instead of minutes.
    **options
        Its options, as on the command line: `seeds=5`, `alphas=[0.1, 1.0]`.

    Raises
    ------
    ValueError
        A study or an option that is not there, with the command line's text.
    """
    if name in ("compare", "resume") or Path(name).suffix:
        raise ValueError(f"{name} is no study; for `localmax study {name}` take the command line")
    folder = Path(tempfile.mkdtemp(prefix="localmax-study-")) if out is None else Path(out)
    words = [name, "--out", os.fspath(folder), *(["--quick"] if quick else [])]
    for option, value in options.items():
        flag = "--" + option.replace("_", "-")
        if isinstance(value, bool):
            words += [flag] if value else []
        elif isinstance(value, (list, tuple, range, np.ndarray)):
            words += [flag, ",".join(str(item) for item in value)]
        else:
            words += [flag, str(value)]
    # Not -m, which looks into the working folder first.
    program = "import sys; sys.path.pop(0); from localmax.__main__ import main; main()"
    command = [sys.executable, "-c", program, "study", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if out is None and not (folder / "study.toml").is_file():
            shutil.rmtree(folder, ignore_errors=True)
        said = done.stderr.strip().removeprefix("error: ") or f"the study ended with status {done.returncode}"
        raise (ValueError if done.returncode == 2 else RuntimeError)(said)
    return Study(folder)
