"""A run in memory: what it gives, threads, forks and Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

import localmax

PLAIN = {"alpha": 0.5, "delta": 0.2, "strip": "width"}


def test_a_step_moves_towards_the_strips_mean() -> None:
    x0 = np.random.default_rng(1).normal(size=(30, 3))
    simulation = localmax.Simulation(x0, engine="cpu", **PLAIN)
    strips, masks = [simulation.strip(i) for i in range(30)], simulation.masks(range(30))
    for i, strip in enumerate(strips):
        np.testing.assert_array_equal(strip.members, masks[i])
        np.testing.assert_allclose(strip.scores, x0 @ x0[i], rtol=1e-6)
        np.testing.assert_array_equal(strip.members, np.flatnonzero(strip.scores >= strip.threshold))
    means = np.stack([x0[strip.members].mean(axis=0) for strip in strips])
    simulation.step()
    np.testing.assert_allclose(simulation.tokens, x0 + (means - x0) / 3, atol=1e-9)
    argmax, count = simulation.strips
    assert [len(strip.members) for strip in strips] == count.tolist()
    assert argmax.tolist() == (x0 @ x0.T).argmax(axis=1).tolist()
    np.testing.assert_array_equal(simulation.strip(-1).members, simulation.strip(29).members)


def test_what_it_tells(cloud: np.ndarray) -> None:
    simulation = localmax.Simulation(cloud, engine="cpu", threads=1, **PLAIN)
    assert simulation.step(1000).t < 1000, "it came to rest"
    rest = simulation.t
    assert (
        simulation.at_rest and simulation.masks(np.arange(40) < 2)[1].tolist() == simulation.strip(1).members.tolist()
    )
    assert simulation.step(5, stop=False).t == rest + 5
    metrics = simulation.metrics
    assert metrics["step"].tolist() == list(range(1, rest + 6))
    assert metrics["moved"][rest - 1] == 0 and (metrics["moved"][: rest - 1] > 0).all()
    assert "n = 40, d = 2" in repr(simulation) and simulation.engine.startswith("cpu")
    assert simulation.verify()["passed"]
    assert len(simulation.to_pandas()) == len(simulation.to_polars()) == rest + 6
    with pytest.raises(IndexError, match="token 40 of 40; indices go from 0 to 39"):
        simulation.strip(40)
    for steps in (0, -1, 0.5):
        with pytest.raises(ValueError, match="steps is"):
            simulation.step(steps)
    one = simulation.tokens
    one[:] = 0
    assert simulation.tokens.any(), "an array is the caller's own"


def test_real_rules_and_their_errors(cloud: np.ndarray) -> None:
    simulation = localmax.Simulation(cloud, "softmax", alpha=1.0, beta=2.0, engine="cpu")
    assert simulation.unit is None and np.isnan(simulation.step(2).metrics["delta"]).all()
    assert (simulation.metrics["strip_min"] == -1).all()
    with pytest.raises(ArithmeticError, match="step 1: token 0 coordinate 0 became NaN"):
        localmax.Simulation(np.eye(2) * 1e300, "rescaled", v=10.0, dt=10.0, a=1.0, engine="cpu").step(500)


def test_threads_of_python_go_on_and_agree() -> None:
    """Long steps let other threads of Python run; two threads may ask one simulation."""
    simulation = localmax.Simulation(n=3000, d=3, kind="normal", engine="reference", plan="brute", **PLAIN)
    ticks = 0
    worker = threading.Thread(target=simulation.step, args=(2,))
    worker.start()
    while worker.is_alive():
        ticks += 1
        time.sleep(0.001)
    worker.join()
    assert ticks > 5
    seen: list[str] = []
    workers = [threading.Thread(target=lambda: seen.append(simulation.hash)) for _ in range(8)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    assert len(set(seen)) == 1 and len(seen) == 8


def test_ctrl_c_keeps_the_state() -> None:
    """A long step is left within half a second (four, where the machine is busy), and the state stays."""
    simulation = localmax.Simulation(n=40_000, d=3, kind="normal", engine="cpu", plan="brute", **PLAIN)
    before = simulation.hash
    asked: list[float] = []

    def interrupt() -> None:
        asked.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.7, interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            simulation.step(5000, stop=False)
    finally:
        timer.cancel()
    assert time.monotonic() - asked[0] < 4
    taken = simulation.t
    assert taken < 5000 and len(simulation.metrics) == taken
    assert simulation.hash == before or taken > 0
    assert simulation.verify(4)["passed"], "what was interrupted is over"
    small = localmax.Simulation(n=50, d=2, kind="normal", engine="cpu", **PLAIN)
    assert small.step(3).t == 3


def test_progress(cloud: np.ndarray) -> None:
    told: list[tuple[int, int]] = []
    localmax.Simulation(cloud, engine="cpu", **PLAIN).step(
        20, stop=False, progress=lambda t, moved: told.append((t, moved))
    )
    assert told[-1][0] == 20 and told == sorted(told)

    def fail(t: int, moved: int) -> None:
        raise RuntimeError("the caller's own")

    with pytest.raises(RuntimeError, match="the caller's own"):
        localmax.Simulation(cloud, engine="cpu", **PLAIN).step(20, progress=fail)


def child(answer: multiprocessing.Queue) -> None:
    try:
        answer.put(localmax.Simulation(n=2000, d=2, kind="normal", engine="cpu", **PLAIN).step(1).hash)
    except RuntimeError as error:
        answer.put(str(error))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork in a process with threads
def test_processes() -> None:
    """A forked child says so instead of waiting for threads that it does not have; a spawned one works."""
    expected = localmax.Simulation(n=2000, d=2, kind="normal", engine="cpu", **PLAIN).step(1).hash
    for method, wanted in (("spawn", expected), ("fork", "forked")):
        context = multiprocessing.get_context(method)
        answer = context.Queue()
        process = context.Process(target=child, args=(answer,))
        process.start()
        assert wanted in answer.get(timeout=60)
        process.join()
