"""One localmax step in the tools a user could pick instead, beside localmax itself, on the same cores in the same run.

    bash benches/peers/run                                     sets up a virtual environment under target/, prints a table
    bash benches/peers/run --tokens 16384 --dims 3,64 --tools numpy
    bash benches/peers/run --rule hardmax --tools faiss,scipy  delta = 0, where an index of nearest keys will do
    bash benches/peers/run --rule softmax --tools torch        beside scaled_dot_product_attention

Every tool computes x + gamma (mean - x), gamma = 1/2, f32: the mean over the score strip of delta = 0.1 (hardmax:
delta = 0), in row chunks so that no n x n array is held, or the softmax mean at beta = 1/sqrt(d). All take the first
--steps steps of one cloud of normal tokens, in turn; medians of several rounds, with the fastest and the slowest; the
results of the first step are compared with localmax's. A tool leaves a dimension once n would cost it more than
--seconds a step, judged by its last n.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np

GAMMA = 0.5
DELTAS = {"localmax": 0.1, "hardmax": 0.0}
CHUNK_BYTES = 64 << 20  # of one chunk's scores


def chunks(n):
    rows = max(1, min(n, CHUNK_BYTES // (4 * n)))
    return [(a, min(a + rows, n)) for a in range(0, n, rows)]


def numpy_strip(_threads, delta):
    def step(x):
        out = np.empty_like(x)
        for a, b in chunks(len(x)):
            s = x[a:b] @ x.T
            mask = (s >= s.max(1, keepdims=True) - delta).astype(x.dtype)
            out[a:b] = x[a:b] + GAMMA * ((mask @ x) / mask.sum(1, keepdims=True) - x[a:b])
        return out

    return step


def torch_strip(threads, delta):
    import torch

    torch.set_num_threads(threads)

    def step(x):
        x = torch.from_numpy(x)
        out = torch.empty_like(x)
        for a, b in chunks(len(x)):
            s = x[a:b] @ x.T
            mask = (s >= s.amax(1, keepdim=True) - delta).to(x.dtype)
            out[a:b] = x[a:b] + GAMMA * ((mask @ x) / mask.sum(1, keepdim=True) - x[a:b])
        return out.numpy()

    return step


def jax_strip(_threads, delta):
    import jax
    import jax.numpy as jnp

    def row(x, q):
        s = x @ q
        mask = (s >= s.max() - delta).astype(x.dtype)
        return q + GAMMA * ((mask @ x) / mask.sum() - q)

    compiled = jax.jit(lambda x: jax.lax.map(lambda q: row(x, q), x, batch_size=256))
    return lambda x: np.asarray(compiled(jnp.asarray(x)))


def keops_strip(threads, delta):
    import torch
    from pykeops.torch import LazyTensor

    torch.set_num_threads(threads)

    def step(x):
        x = torch.from_numpy(x)
        keys = LazyTensor(x[None, :, :])
        scores = LazyTensor(x[:, None, :]) | keys
        threshold = scores.max(dim=1) - delta
        mask = (scores - LazyTensor(threshold[:, None, :])).step()
        mean = (mask * keys).sum(dim=1) / mask.sum(dim=1)
        return (x + GAMMA * (mean - x)).numpy()

    return step


def faiss_argmax(threads, delta):
    if delta != 0:
        raise KeyError("faiss")
    import faiss

    faiss.omp_set_num_threads(threads)

    def step(x):
        index = faiss.IndexFlatIP(x.shape[1])
        index.add(x)
        _, best = index.search(x, 1)
        return x + GAMMA * (x[best[:, 0]] - x)

    return step


def scipy_argmax(threads, delta):
    if delta != 0:
        raise KeyError("scipy")
    from scipy.spatial import cKDTree

    def step(x):
        # The key nearest to (q, 0) is the one of the largest product, once a coordinate makes all keys as long.
        square = (x.astype(np.float64) ** 2).sum(1)
        tree = cKDTree(np.column_stack([x, np.sqrt(square.max() - square)]))
        _, best = tree.query(np.column_stack([x, np.zeros(len(x))]), workers=threads)
        return x + x.dtype.type(GAMMA) * (x[best] - x)

    return step


def numpy_softmax(_threads, _delta):
    def step(x):
        beta, out = x.dtype.type(1 / np.sqrt(x.shape[1])), np.empty_like(x)
        for a, b in chunks(len(x)):
            s = beta * (x[a:b] @ x.T)
            w = np.exp(s - s.max(1, keepdims=True))
            out[a:b] = x[a:b] + GAMMA * ((w @ x) / w.sum(1, keepdims=True) - x[a:b])
        return out

    return step


def torch_softmax(threads, _delta):
    import torch

    torch.set_num_threads(threads)
    attention = torch.nn.functional.scaled_dot_product_attention

    def step(x):
        x = torch.from_numpy(x)
        head = x[None, None]  # its default scale is 1/sqrt(d)
        return (x + GAMMA * (attention(head, head, head)[0, 0] - x)).numpy()

    return step


STRIPS = {
    "numpy": numpy_strip,
    "torch": torch_strip,
    "jax": jax_strip,
    "keops": keops_strip,
    "faiss": faiss_argmax,
    "scipy": scipy_argmax,
}
TOOLS = {"localmax": STRIPS, "hardmax": STRIPS, "softmax": {"numpy": numpy_softmax, "torch": torch_softmax}}


def open_tools(names, rule):
    tools = {}
    for name in names:
        try:
            tools[name] = TOOLS[rule][name](os.cpu_count(), DELTAS.get(rule))
        except KeyError:
            print(f"left out: {name} (cannot do {rule})")
        except ImportError as error:
            print(f"left out: {name} ({error})")
    return tools


def localmax_step(binary, folder, rule, x):
    """The same step by localmax, for the answers."""
    np.save(folder / "x0.npy", x)
    parameter = {"localmax": f"delta = {DELTAS['localmax']}", "softmax": f"beta = {1 / np.sqrt(x.shape[1])}"}.get(rule, "")
    config = f'[tokens]\nfile = "x0.npy"\n[model]\nrule = "{rule}"\nalpha = 1.0\n{parameter}\n[run]\nsteps = 1\n'
    (folder / "step.toml").write_text(config)
    out = folder / f"run-{len(x)}-{x.shape[1]}"
    command = [binary, "run", "step.toml", "--engine", "cpu", "--no-plot", "--out", out.name]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return np.load(out / "final.npy")


def localmax_ms(binary, rule, plan, file, steps):
    """Milliseconds a step of the cloud in the file, and the share of the peak measured in the same call."""
    command = [binary, "bench", "--engines", "cpu", "--rules", rule, "--plan", plan, "--file", file]
    command += ["--steps", str(steps), "--rounds", "1", "--seconds", "0.001", "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return report["rows"][0]["ms"], report["rows"][0]["share_of_peak"]


def measure(binary, rule, plan, tools, rounds, steps, n, d):
    """Milliseconds a step of every tool by rounds, localmax's shares of the peak, and the largest difference."""
    x = np.random.default_rng(7).standard_normal((n, d), dtype=np.float32)
    times = {name: [] for name in ["localmax", *tools]}
    shares, worst = [], 0.0
    for step in tools.values():
        step(x[:256])  # what compiles, compiles before the clock runs
    with tempfile.TemporaryDirectory() as folder:
        ours = localmax_step(binary, pathlib.Path(folder), rule, x)
        for _ in range(rounds):
            ms, share = localmax_ms(binary, rule, plan, pathlib.Path(folder) / "x0.npy", steps)
            times["localmax"].append(ms)
            shares.append(share)
            for name, step in tools.items():
                state, start = x, time.perf_counter()
                for t in range(steps):
                    state = step(state)
                    if t == 0:
                        theirs = state
                times[name].append((time.perf_counter() - start) * 1e3 / steps)
                # Rows whose strips float scores decide otherwise are few; the rest agree to rounding.
                worst = max(worst, float(np.quantile(np.abs(theirs - ours).max(1), 0.999)))
    return times, statistics.median(share or 0.0 for share in shares), worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/localmax")
    parser.add_argument("--tokens", default="4096,16384,65536,1000000")
    parser.add_argument("--dims", default="2,3,8,16,64")
    parser.add_argument("--rule", choices=TOOLS, default="localmax")
    parser.add_argument("--plan", default="auto", help="localmax's: auto, brute, norm or tree")
    parser.add_argument("--tools", default="numpy,torch,jax,keops,faiss,scipy")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1, help="steps of the cloud that are timed, from the first on")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    binary = str(pathlib.Path(options.binary).resolve())
    tools = open_tools(options.tools.split(","), options.rule)

    what = "the first step" if options.steps == 1 else f"mean of the first {options.steps} steps"
    print(f"\n{options.rule}, {what}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, ms a step: median (from-to), times localmax's\n")
    print(f"| n | d | localmax | of peak | {' | '.join(tools)} | largest difference |")
    print("|--:|--:|--:|--:|" + "--:|" * len(tools) + "--:|")
    for d in map(int, options.dims.split(",")):
        last = {}
        for n in sorted(map(int, options.tokens.split(","))):
            fit = {t: s for t, s in tools.items() if t not in last or last[t][1] * (n / last[t][0]) ** 2 < 1e3 * options.seconds}
            times, share, worst = measure(binary, options.rule, options.plan, fit, options.rounds, options.steps, n, d)
            mid = {name: statistics.median(t) for name, t in times.items()}
            last.update({t: (n, mid[t]) for t in fit})
            spread = {name: f"{mid[name]:.3g} ({min(t):.3g}-{max(t):.3g})" for name, t in times.items()}
            cells = [f"{spread[t]}, {mid[t] / mid['localmax']:.3g}×" if t in mid else "–" for t in tools]
            difference = f"{worst:.1e}" if fit else "–"
            print(f"| {n} | {d} | {spread['localmax']} | {share:.0%} | {' | '.join(cells)} | {difference} |", flush=True)


if __name__ == "__main__":
    main()
