"""Many small clouds on a sphere: localmax beside the authors' scheme (arXiv 2312.10794) in PyTorch and in NumPy.

    bash benches/peers/run --help                     sets up target/peers, and builds localmax
    target/peers/bin/python benches/peers/clouds.py

2048 clouds of 32 tokens, f64, beta = 1, dt = 0.1, on as many threads as there are cores, all tools in turn, several
rounds: milliseconds a step by the clock and of processor time, medians with the least and the largest. Opening, drawing
and files are not timed. The last states are compared.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

CONFIG = """
[tokens]
file = "x0.npy"
clouds = {m}
[model]
rule = "sphere"
beta = 1.0
dt = 0.1
[run]
steps = {steps}
engine = "cpu"
[output]
record = "never"
frames = "never"
measures = "never"
"""


def localmax(x0, steps, binary):
    """Its own seconds in steps; the processor's less those of a run of no step, which opens and ends as the whole."""

    def run(folder, steps):
        (folder / "my.toml").write_text(CONFIG.format(m=len(x0), steps=steps))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [binary, "run", "my.toml", "--out", f"r{steps}", "--no-plot"],
            cwd=folder, check=True, stdout=subprocess.DEVNULL,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "x0.npy", x0)
        processor = run(folder, steps) - run(folder, 0)
        meta = json.loads((folder / f"r{steps}" / "meta.json").read_text())
        return np.load(folder / f"r{steps}" / "final.npy"), meta["timings"]["step_seconds"], processor


def timed(step, x, steps):
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(steps):
        x = step(x)
    return x, time.perf_counter() - wall, time.process_time() - processor


def torch(x0, steps, _):
    import torch

    torch.set_num_threads(int(os.environ["RAYON_NUM_THREADS"]))

    def step(x):
        weights = torch.softmax(torch.bmm(x, x.transpose(1, 2)), -1)
        x = x + 0.1 * torch.bmm(weights, x)
        return x / torch.linalg.norm(x, dim=-1, keepdim=True)

    with torch.inference_mode():
        step(torch.from_numpy(x0))
        x, *seconds = timed(step, torch.from_numpy(x0), steps)
    return x.numpy(), *seconds


def numpy(x0, steps, _):
    def step(x):
        weights = np.exp(x @ x.transpose(0, 2, 1) - 1)
        x = x + 0.1 * (weights @ x) / weights.sum(-1, keepdims=True)
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    return timed(step, x0, steps)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clouds", type=int, default=2048)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--dim", type=int, default=2)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--tools", default="torch,numpy")
    parser.add_argument("--binary", default="target/release/localmax")
    arguments = parser.parse_args()
    binary = os.path.abspath(arguments.binary)
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
    x0 = np.random.default_rng(1).normal(size=(arguments.clouds, arguments.tokens, arguments.dim))
    x0 /= np.linalg.norm(x0, axis=-1, keepdims=True)
    names = ["localmax", *arguments.tools.split(",")]
    tools = {"localmax": localmax, "torch": torch, "numpy": numpy}
    times = {name: [] for name in names}
    for _ in range(arguments.rounds):
        ends = {}
        for name in names:
            ends[name], *seconds = tools[name](x0, arguments.steps, binary)
            times[name].append([1e3 * s / arguments.steps for s in seconds])
        for name, end in ends.items():
            # Clouds that are about to part may go either way by roundings.
            off = np.abs(end - ends["localmax"]).max(axis=(1, 2)) > 1e-9
            assert off.mean() < 1e-2, f"{name}: {off.sum()} clouds end elsewhere"

    def shown(values):
        return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"

    print("| tool | ms a step | of processor time | against localmax |\n|---|--:|--:|--:|")
    for name in names:
        wall, processor = zip(*times[name])
        own = zip(*times["localmax"])
        ratio = [statistics.median(t) / statistics.median(o) for t, o in zip((wall, processor), own)]
        print(f"| {name} | {shown(wall)} | {shown(processor)} | {ratio[0]:.1f}×, {ratio[1]:.1f}× |")


main()
