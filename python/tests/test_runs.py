"""A run's folder, batches, studies, pictures."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import localmax

matplotlib.use("agg")
PLAIN = {"alpha": 0.5, "delta": 0.2, "strip": "width"}


def test_a_folder_is_the_command_lines(cloud: np.ndarray, command, tmp_path: Path) -> None:
    run = localmax.run(cloud, out=tmp_path / "a", engine="cpu", steps=300, verify=10, **PLAIN)
    assert run.at_rest and run.t < 300
    command("run", tmp_path / "a" / "config.toml", "--out", tmp_path / "b", "--no-plot")
    again = localmax.open(tmp_path / "b")
    assert again.hash == run.hash
    assert (tmp_path / "a" / "metrics.csv").read_bytes() == (tmp_path / "b" / "metrics.csv").read_bytes()
    np.testing.assert_array_equal(again.measures["gap_max"], run.measures["gap_max"])
    np.testing.assert_array_equal(again.tokens, run.tokens)
    command("plot", tmp_path / "a")
    command("verify", tmp_path / "a" / "config.toml", "--steps", 3)
    command("resume", tmp_path / "a", "--steps", 5)
    with pytest.raises(ValueError, match="has a run in it"):
        localmax.run(cloud, out=tmp_path / "a", **PLAIN)
    with pytest.raises(FileNotFoundError, match="no run in it"):
        localmax.open(tmp_path)


class Threads:
    """A communicator of mpi4py's form whose ranks are threads of this process."""

    def __init__(self, rank: int, size: int, barrier: threading.Barrier, given: list[object]) -> None:
        self.rank, self.size, self.barrier, self.given = rank, size, barrier, given

    def Get_rank(self) -> int:  # noqa: N802
        return self.rank

    def Get_size(self) -> int:  # noqa: N802
        return self.size

    def allgather(self, mine: object) -> list[object]:
        self.given[self.rank] = mine
        self.barrier.wait(60)
        found = list(self.given)
        self.barrier.wait(60)
        return found

    def Allgatherv(self, mine: bytes, into: tuple[bytearray, list[int]]) -> None:  # noqa: N802
        all_bytes, counts = into
        found = self.allgather(bytes(mine))
        assert [len(part) for part in found] == counts
        all_bytes[:] = b"".join(found)


@pytest.mark.parametrize("plan", ["auto", "opened"])
def test_ranks_of_a_communicator_share_a_run(cloud: np.ndarray, tmp_path: Path, plan: str) -> None:
    barrier, given, ends = threading.Barrier(3), [None] * 3, [None] * 3

    def rank(index: int) -> None:
        comm = Threads(index, 3, barrier, given)
        out, config = tmp_path / "three", {**PLAIN, "plan": plan}
        ends[index] = localmax.run(cloud, out=out, steps=20, threads=1, comm=comm, **config)

    ranks = [threading.Thread(target=rank, args=(index,)) for index in range(3)]
    for thread in ranks:
        thread.start()
    for thread in ranks:
        thread.join()
    one = localmax.run(cloud, out=tmp_path / "one", steps=20, engine="cpu", **PLAIN)
    assert ends[1:] == [None, None] and ends[0].hash == one.hash
    assert (tmp_path / "one" / "metrics.csv").read_bytes() == (tmp_path / "three" / "metrics.csv").read_bytes()
    assert "on each of 3 ranks" in (tmp_path / "three" / "meta.json").read_text()


def test_what_a_run_tells(cloud: np.ndarray, tmp_path: Path) -> None:
    run = localmax.run(cloud, engine="cpu", steps=300, **PLAIN)
    assert run.metrics["step"].tolist() == list(range(run.t + 1)) and run.metrics["moved"][0] == -1
    assert run.metrics["hash"][-1] == localmax.hash(run.tokens)
    np.testing.assert_array_equal(run.frames[run.t], run.tokens)
    np.testing.assert_array_equal(run.frames[0], localmax.Simulation(cloud, engine="cpu", **PLAIN).tokens)
    assert run.frames.stack().shape == (len(run.frames), 40, 2)
    with pytest.raises(KeyError, match="no frame of step 7; there are 0, 1, 2"):
        run.frames[7]
    assert sum(cluster["tokens"] for cluster in run.clusters) == 40 and run.labels.shape == (40,)
    assert len(run.leaders) == len(run.clusters) and run.artefacts == []
    assert run.measures["vertices"][0] > 2 and run.effort["plan"][0] in ("brute", "tree")
    assert len(run.to_pandas("measures")) == len(run.measures) == len(run.to_polars("measures"))
    with pytest.raises(ValueError, match="no table 'frames'"):
        run.to_pandas("frames")
    with pytest.raises(TypeError, match="temporary"):
        pickle.dumps(run)
    kept = run.save(tmp_path / "kept")
    assert pickle.loads(pickle.dumps(kept)).hash == run.hash
    path = run.path
    del run
    gc.collect()
    assert not path.exists() and kept.tokens.shape == (40, 2)


def test_a_run_that_fails_leaves_nothing(cloud: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="model.alpha"):
        localmax.run(cloud, out=tmp_path / "r", alpha="1-t", delta=0.1, steps=5)
    assert not (tmp_path / "r").exists()
    with pytest.raises(ArithmeticError, match="the state after step 1 is kept in") as caught:
        localmax.run(cloud, "softmax", alpha=1.0, beta=1.0, v=1e300, steps=50)
    folder = str(caught.value).split("kept in ")[1].split("/final.npy")[0]
    assert localmax.open(folder).t == 1
    quiet = localmax.run(cloud, steps=2, measures="never", **PLAIN)
    with pytest.raises(ValueError, match="no measures.csv: output.measures was never"):
        _ = quiet.measures
    frames = localmax.run(cloud, steps=2, **PLAIN).frames
    gc.collect()
    assert frames[0].shape == (40, 2), "frames keep their run"


def test_ctrl_c_leaves_a_run_to_go_on_with(command, tmp_path: Path) -> None:
    keys = {"n": 50_000, "d": 3, "kind": "normal", "engine": "cpu", "plan": "brute", "record": "every 1"}
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt, match="the state is kept in .*go on with `localmax resume"):
        localmax.run(out=tmp_path / "r", steps=400, stop=False, **keys, **PLAIN)
    timer.cancel()
    run = localmax.open(tmp_path / "r")
    assert run.meta["ended"] == "interrupted" and run.t < 400
    assert run.clusters is None and run.leaders is None and run.artefacts is None
    with pytest.raises(ValueError, match="interrupted at step"):
        _ = run.labels
    command("resume", tmp_path / "r", "--plan", "tree")
    assert localmax.open(tmp_path / "r").t == 400 and run.frames[0].shape == (50_000, 3)


def test_batches() -> None:
    """Each cloud of a batch is a run of its own."""
    x0 = np.random.default_rng(3).normal(size=(7, 25, 2))
    ends = localmax.batch(x0, steps=500, **PLAIN)
    assert ends.tokens.shape == (7, 25, 2) and ends.at_rest.all()
    for cloud, end, steps, found in zip(x0, ends.tokens, ends.steps, ends.hashes, strict=True):
        alone = localmax.Simulation(cloud, **PLAIN).step(500)
        assert (alone.hash, alone.t) == (found, steps)
        np.testing.assert_array_equal(alone.tokens, end)
    seeded = localmax.batch(n=25, d=2, seeds=range(4), steps=50, threads=1, **PLAIN)
    assert seeded.hashes == [localmax.run(n=25, d=2, kind="normal", seed=s, steps=50, **PLAIN).hash for s in range(4)]
    done: list[int] = []
    localmax.batch(x0, steps=1, progress=done.append, **PLAIN)
    assert done[-1] == 7
    with pytest.raises(ValueError, match="neither x0 nor seeds"):
        localmax.batch(**PLAIN)
    with pytest.raises(ValueError, match="7 clouds and there are 2 seeds"):
        localmax.batch(x0, seeds=[1, 2], **PLAIN)
    with pytest.raises(ValueError, match="seed and seeds are both given"):
        localmax.batch(seed=1, seeds=[1], **PLAIN)
    x0[3, 2, 1] = np.inf
    with pytest.raises(ValueError, match="cloud 3: token 2 coordinate 1"):
        localmax.batch(x0, **PLAIN)


def test_observing() -> None:
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5], [1.0, 1.0]])
    assert localmax.observe.vertices(x).tolist() == [0, 1, 2, 3]
    labels, weights = localmax.observe.clusters(x)
    assert weights.tolist() == [2, 1, 1, 1, 1] and labels[3] == labels[5] == 0
    index, distance = localmax.observe.nearest(x, x[:1])
    assert (index == 0).all() and distance[3] == pytest.approx(np.sqrt(2))
    gaps, best = localmax.observe.gaps(x)
    assert gaps.tolist() == [0.0, 0.0, 0.0, 0.0, 0.5, 0.0] and best[4] == 3
    assert localmax.observe.gaps(x, -np.eye(2))[0][3] == 2.0
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    assert localmax.observe.hegselmann_krause(x, 1.0)[0] == pytest.approx(np.minimum(squares, 1.0).sum())
    steps = np.arange(30)
    rate = localmax.observe.rate(steps, 0.5**steps, 1e-9)
    assert rate.rate == pytest.approx(0.5) and rate.decay == "geometric" and rate.interval[0] <= 0.5
    assert localmax.observe.contraction(1.0) == 0.5
    for failing, message in (
        (lambda: localmax.observe.gaps(x, np.eye(3)), "R\\^2 need 2 rows"),
        (lambda: localmax.observe.nearest(x, np.eye(3)), "x is in R\\^2 and to in R\\^3"),
        (lambda: localmax.observe.clusters(x, -1.0), "tolerance is -1"),
        (lambda: localmax.observe.rate([1, 2], [0.5], 1e-9), "2 steps and 1 distances"),
        (lambda: localmax.observe.rate([1, 2, 3], [1, 0.5, 0.2], 1e-9), "a rate needs 4"),
        (lambda: localmax.observe.sphere_energy(x, 0.0), "beta is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            failing()


def test_a_study(tmp_path: Path) -> None:
    study = localmax.study("quiescent", out=tmp_path / "q", quick=True, seeds=1)
    assert study.claims and all(claim.agrees != "no" for claim in study.claims)
    assert len(study.to_pandas()) == len(next(iter(study.table.values()))) > 0
    assert study.report.is_file() and "claims" in repr(study) and "<table>" in study._repr_html_()
    with pytest.raises(ValueError, match="did you mean 'quiescent'"):
        localmax.study("quiescend")


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_pictures(d: int) -> None:
    from matplotlib import pyplot as plt

    run = localmax.run(np.random.default_rng(2).normal(size=(20, d)), engine="cpu", steps=30, **PLAIN)
    axes = run.plot()
    assert run.plot(axes) is axes and len(axes.lines) == 40
    run.animate()._init_draw()
    localmax.Simulation(run.tokens, **PLAIN).plot()
    if d > 1:
        assert run.plot(axes=(0, 1)).get_aspect() == 1.0
    with pytest.raises(ValueError, match=f"coordinates 0 to {d - 1}"):
        run.plot(axes=(d,))
    page = run._repr_html_()
    assert page.startswith("<iframe srcdoc=") and page.count('"') == 6
    plt.close("all")
