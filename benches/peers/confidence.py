"""Bounded confidence beside NDlib and a loop in NumPy, and mean shift beside scikit-learn: localmax to rest, on the same cores.

    bash benches/peers/run --help                     sets up target/peers, and builds localmax
    target/peers/bin/pip install scikit-learn ndlib six future dynetx
    target/peers/bin/python benches/peers/confidence.py

Opinions, n = 2000 evenly spread over [0, 1], epsilon = 0.1: every agent takes the mean of those within epsilon. NumPy loops over agents
to the same last state. NDlib's agents are the nodes of a complete graph; it does not stop, and one of its iterations is timed
against one step.
Points, in eight clusters of R^3: localmax moves all of them by the mean of those within the bandwidth until nothing moves;
scikit-learn's MeanShift climbs from every point, or, with bin_seeding, from the middles of bins, over points that stay where they
are. All must find the same clusters.
Seconds, medians of several rounds with the least and the largest; opening and files are not timed.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

CONFIG = """
[tokens]
file = "x0.npy"
[model]
rule = "localmax"
scores = "distance"
gamma = 1.0
epsilon = {epsilon}
[run]
steps = 100000
precision = "f64"
engine = "cpu"
[output]
record = "never"
frames = "never"
measures = "never"
"""


def localmax(x0, epsilon, binary):
    """The last state, steps to it, and seconds in steps."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "x0.npy", x0)
        (folder / "my.toml").write_text(CONFIG.format(epsilon=epsilon))
        subprocess.run(
            [binary, "run", "my.toml", "--out", "r", "--no-plot"], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        meta = json.loads((folder / "r" / "meta.json").read_text())
        return np.load(folder / "r" / "final.npy"), meta["steps"], meta["timings"]["step_seconds"]


def numpy(x, epsilon, steps):
    start = time.perf_counter()
    for _ in range(steps):
        x = np.array([x[np.abs(x - opinion) <= epsilon].mean() for opinion in x])
    return x, time.perf_counter() - start


def ndlib(n, epsilon):
    """Seconds of an iteration."""
    import ndlib.models.ModelConfig as configs
    import ndlib.models.opinions as opinions
    import networkx

    model = opinions.HKModel(networkx.complete_graph(n))
    config = configs.Configuration()
    config.add_model_parameter("epsilon", epsilon)
    model.set_initial_status(config)
    model.iteration()  # the first only tells the state
    start = time.perf_counter()
    model.iteration()
    return time.perf_counter() - start


def mean_shift(x, bandwidth, bins, threads):
    from sklearn.cluster import MeanShift

    start = time.perf_counter()
    found = MeanShift(bandwidth=bandwidth, bin_seeding=bins, n_jobs=threads).fit(x)
    return found.labels_, time.perf_counter() - start


def same_clusters(a, b):
    pairs = np.unique(np.stack([a, b]), axis=1).shape[1]
    return pairs == len(np.unique(a)) == len(np.unique(b))


def shown(values):
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def row(what, tool, seconds, own):
    ratio = statistics.median(seconds) / statistics.median(own)
    print(f"| {what} | {tool} | {shown(seconds)} | {ratio:.3g}× |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=2000)
    parser.add_argument("--points", default="10000,100000", help="with bin_seeding; others need hours")
    parser.add_argument("--every-point", default="10000", help="from every point")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--binary", default="target/release/localmax")
    arguments = parser.parse_args()
    binary = os.path.abspath(arguments.binary)
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
    rounds = range(arguments.rounds)
    print("| system | tool | seconds | against localmax |\n|---|---|--:|--:|")

    x0 = np.random.default_rng(1).random((arguments.agents, 1))
    own, loops = [], []
    for _ in rounds:
        end, steps, seconds = localmax(x0, 0.1, binary)
        own.append(seconds)
        looped, seconds = numpy(x0[:, 0], 0.1, steps)
        loops.append(seconds)
        assert np.abs(np.sort(end[:, 0]) - np.sort(looped)).max() < 1e-6, "NumPy ends elsewhere"
    what = f"{arguments.agents} opinions, {steps} steps to rest"
    row(what, "localmax", own, own)
    row(what, "NumPy", loops, own)
    a_step = [seconds / steps for seconds in own]
    row("one step of them", "localmax", a_step, a_step)
    row("one step of them", "NDlib", [ndlib(arguments.agents, 0.1) for _ in rounds], a_step)

    centres = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    every_point = arguments.every_point.split(",")
    for n in arguments.points.split(","):
        draw = np.random.default_rng(2)
        x0 = centres[draw.integers(8, size=int(n))] + 0.05 * draw.normal(size=(int(n), 3))
        own, others = [], {"scikit-learn, bins": [], "scikit-learn": []}
        for _ in rounds:
            end, steps, seconds = localmax(x0, 0.3, binary)
            own.append(seconds)
            _, labels = np.unique(end, axis=0, return_inverse=True)
            for tool, times in others.items():
                if tool != "scikit-learn" or n in every_point:
                    found, seconds = mean_shift(x0, 0.3, tool != "scikit-learn", arguments.threads)
                    times.append(seconds)
                    assert same_clusters(labels.ravel(), found), f"{tool}: other clusters"
        what = f"{n} points, {steps} steps to rest, {labels.max() + 1} clusters"
        row(what, "localmax", own, own)
        for tool, times in others.items():
            if times:
                row(what, tool, times, own)


main()
