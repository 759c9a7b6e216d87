"""The package itself: its names, its types, its documentation."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import localmax

ROOT = Path(__file__).resolve().parents[2]


def test_names() -> None:
    for name in localmax.__all__:
        found = getattr(localmax, name)
        assert isinstance(found, str) or found.__doc__, f"{name} has no docstring"
    assert set(localmax.__all__) <= set(dir(localmax))
    with pytest.raises(AttributeError, match="nothing"):
        _ = localmax.nothing


def test_the_command_line_loads_no_numpy() -> None:
    text = "import sys, localmax.__main__; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", text], check=True)


def test_types() -> None:
    for tool in (["mypy", "--strict", "-p", "localmax"], ["mypy.stubtest", "localmax"]):
        done = subprocess.run([sys.executable, "-m", *tool], capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["", "._run", "._simulation", "._batch", ".observe"])
def test_docstrings(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"localmax{name}"))
    assert found.attempted > 0 and found.failed == 0


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "python").glob("*.md")), ids=lambda path: path.stem)
def test_pages(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of the pages runs, in order, as a reader would run it."""
    import matplotlib

    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    blocks = page.read_text("utf-8").split("```python\n")[1:]
    assert blocks
    for block in blocks:
        exec(compile(block.split("```")[0], str(page), "exec"), names)


def test_the_notebook() -> None:
    import nbformat
    from nbclient import NotebookClient

    path = ROOT / "docs" / "python" / "strip.ipynb"
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without outputs"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd="/tmp")
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert len(pictures) == 3
