"""localmax from Python beside the same dynamics in NumPy, JAX and KeOps, in one process: time a step and lines of code.

    bash benches/peers/run --help                                    sets up target/peers
    maturin build --release -m python/Cargo.toml
    target/peers/bin/pip install target/wheels/localmax-*.whl
    target/peers/bin/python benches/peers/wheel.py

Ten steps (from 10^4 tokens on: two) of one cloud of normal tokens in R^3, f32, gamma = 1/2, score strip of delta = 0.1,
all tools in turn, several rounds; the median with the fastest and the slowest. Compilation and opening are not timed.
The first step of each is compared with localmax's.
"""

import argparse
import inspect
import os
import statistics
import time

import numpy as np
import peers

import localmax


def localmax_opened(x):
    return localmax.Simulation(x, alpha=1.0, delta=0.1)


def lines(function):
    """Lines of a step, without its name and what opens the tool."""
    return sum(1 for line in inspect.getsource(function).splitlines() if line.strip())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", default="300,3000,30000")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    threads = os.cpu_count()
    opened = {
        name: (function(threads, 0.1), lines(function))
        for name, function in (
            ("numpy", peers.numpy_strip),
            ("jax", peers.jax_strip),
            ("keops", peers.keops_strip),
        )
    }
    print(
        "| n | tool | ms a step | from, to | against localmax | lines |\n|--:|---|--:|--:|--:|--:|"
    )
    for n in map(int, arguments.tokens.split(",")):
        steps = 10 if n < 10_000 else 2
        x0 = np.random.default_rng(7).normal(size=(n, 3)).astype(np.float32)
        expected = localmax_opened(x0).step(1, stop=False).tokens
        times = {name: [] for name in ("localmax", *opened)}
        for name, (step, _) in opened.items():
            off = np.abs(step(x0) - expected).max(axis=1) > 1e-5
            assert off.mean() < 2e-3, (
                f"{name}: {off.sum()} of {n} tokens differ"
            )  # scores at the edge of a strip
        for _ in range(arguments.rounds):
            for name, taken in times.items():
                if name == "localmax":
                    sim = localmax_opened(x0)
                    start = time.perf_counter()
                    for _ in range(steps):
                        sim.step(1, stop=False)
                    sim.tokens  # noqa: B018, the state comes back as it does from the others
                else:
                    x, step = x0, opened[name][0]
                    start = time.perf_counter()
                    for _ in range(steps):
                        x = step(x)
                taken.append((time.perf_counter() - start) * 1e3 / steps)
        best = statistics.median(times["localmax"])
        for name, taken in times.items():
            ms = statistics.median(taken)
            count = 2 if name == "localmax" else opened[name][1]
            print(
                f"| {n} | {name} | {ms:.3g} | {min(taken):.3g}, {max(taken):.3g} | {ms / best:.1f} | {count} |"
            )


if __name__ == "__main__":
    main()
