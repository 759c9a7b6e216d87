"""One trajectory, whoever runs it: the wheel's hash is the command line's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import localmax

SMALL = {"n": 60, "steps": 12}
RULES = {
    "localmax": {"alpha": 0.5, "delta": "1/(t+1)", "strip": "a-norm", "a": [[2.0, 0.5], [0.5, 1.0]]},
    "hardmax": {"gamma": 0.25, "v": [[0.9, 0.1], [-0.1, 0.9]]},
    "frank-wolfe": {"gamma": "1/(t+2)", "p": [[1.0, 0.1], [0.0, 1.0]]},
    "softmax": {"alpha": 1.0, "beta": 3.0, "q": [[1.0, 0.5], [0.0, 1.0]], "k": [[1.0, 0.0], [0.3, 1.0]]},
    "markov": {"alpha": 1.0, "beta": 2.0, "seed": 5},
    "sphere": {"beta": 4.0, "dt": 0.1},
    "ellipsoid": {"w": [[2.0, 0.0], [0.0, 1.0]], "heads": [{"p": [[1.0, 0.2], [0.2, 1.0]], "u": 0.5}], "dt": 0.1},
    "rescaled": {"a": [[1.0, 0.4], [0.4, 2.0]], "v": 0.3, "dt": 0.1},
}
ENGINES = ("cpu", "reference", "gpu")


def lines(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {lines(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(lines, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def last_hash(folder: Path) -> str:
    return (folder / "metrics.csv").read_text().splitlines()[-1].rsplit(",", 1)[1]


@pytest.mark.filterwarnings("ignore")  # a software GPU says that it is one
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule(rule: str, engine: str, command, tmp_path: Path) -> None:
    """Matrices and schedules go through the one reader: none may be placed otherwise than a config's."""
    keys = dict(RULES[rule])
    seed = keys.pop("seed", 3)
    model = "".join(f"{key} = {lines(value)}\n" for key, value in keys.items())
    config = tmp_path / "c.toml"
    config.write_text(
        f'seed = {seed}\n[tokens]\nkind = "normal"\nn = 60\nd = 2\n[model]\nrule = "{rule}"\n{model}[run]\nsteps = 12\n'
    )
    command("run", config, "--out", tmp_path / "r", "--engine", engine, "--no-plot")
    expected = last_hash(tmp_path / "r")
    arrays = {
        key: np.array(value) if isinstance(value, list) and key != "heads" else value for key, value in keys.items()
    }
    run = localmax.run(rule=rule, kind="normal", d=2, seed=seed, engine=engine, **SMALL, **arrays)
    assert run.hash == expected
    simulation = localmax.Simulation(rule=rule, kind="normal", d=2, seed=seed, engine=engine, **SMALL, **arrays)
    assert simulation.step(12, stop=False).hash == expected
    assert localmax.run(config=config, engine=engine).hash == expected
    assert localmax.hash(run.tokens) == run.hash


@pytest.mark.parametrize("preset", localmax.presets())
def test_every_preset(preset: str, command, tmp_path: Path) -> None:
    few = [word for key in ("tokens.n=50", "run.steps=5") for word in ("--set", key)]
    text = localmax.presets()[preset]
    may_shrink = "\nn = " in text and "{ tokens = [" not in text  # which has a value for each of n
    changes = {"n": 50, "steps": 5} if may_shrink else {"steps": 5}
    words = few if "n" in changes else few[2:]
    command("run", "--preset", preset, *words, "--out", tmp_path / "r", "--engine", "cpu", "--no-plot")
    run = localmax.run(preset=preset, engine="cpu", **changes)
    assert run.hash == last_hash(tmp_path / "r")
    assert localmax.run(config=run.path / "config.toml").hash == run.hash


def test_tokens_of_either_width(cloud: np.ndarray, command, tmp_path: Path) -> None:
    for width in (np.float32, np.float64):
        x0 = cloud.astype(width)
        np.save(tmp_path / "x0.npy", x0)
        words = [f"--set={key}" for key in (f'tokens.file="{tmp_path}/x0.npy"', "run.steps=9")]
        command(
            "run", "--preset", "default", *words, "--out", tmp_path / width.__name__, "--engine", "cpu", "--no-plot"
        )
        run = localmax.run(x0, preset="default", steps=9, engine="cpu")
        assert run.tokens.dtype == width
        assert run.hash == last_hash(tmp_path / width.__name__)
