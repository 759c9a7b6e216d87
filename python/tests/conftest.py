"""What every test has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cloud() -> np.ndarray:
    """Forty tokens in the plane."""
    return np.random.default_rng(7).normal(size=(40, 2))


@pytest.fixture
def command() -> Callable[..., str]:
    """The command line of the package, as a user has it."""
    program = shutil.which("localmax", path=os.path.dirname(sys.executable))
    assert program, "the wheel brings the command"

    def run(*words: object) -> str:
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
