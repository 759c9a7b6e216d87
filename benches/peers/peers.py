"""One localmax step in the tools a user could pick instead, beside localmax itself, on the same cores in the same run.

    bash benches/peers/run            sets up a virtual environment under target/ and prints a Markdown table
    PEERS="torch jax" bash benches/peers/run   with more tools than NumPy
    bash benches/peers/run --tokens 4096,16384 --dims 3,64 --tools numpy

Every tool computes x + gamma (mean over the strip - x) with the score strip, delta = 0.1, gamma = 1/2, f32, in row chunks
so that no n x n array is held. Tools take turns; medians of several rounds; results are compared with localmax's.
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

DELTA, GAMMA = 0.1, 0.5
CHUNK_BYTES = 64 << 20  # of one chunk's scores


def chunks(n):
    rows = max(1, min(n, CHUNK_BYTES // (4 * n)))
    return [(a, min(a + rows, n)) for a in range(0, n, rows)]


def numpy_step(x):
    out = np.empty_like(x)
    for a, b in chunks(len(x)):
        s = x[a:b] @ x.T
        mask = (s >= s.max(1, keepdims=True) - DELTA).astype(x.dtype)
        out[a:b] = x[a:b] + GAMMA * ((mask @ x) / mask.sum(1, keepdims=True) - x[a:b])
    return out


def torch_tool(threads):
    import torch

    torch.set_num_threads(threads)

    def step(x):
        x = torch.from_numpy(x)
        out = torch.empty_like(x)
        for a, b in chunks(len(x)):
            s = x[a:b] @ x.T
            mask = (s >= s.amax(1, keepdim=True) - DELTA).to(x.dtype)
            out[a:b] = x[a:b] + GAMMA * ((mask @ x) / mask.sum(1, keepdim=True) - x[a:b])
        return out.numpy()

    return step


def jax_tool(_threads):
    import jax
    import jax.numpy as jnp

    def row(x, q):
        s = x @ q
        mask = (s >= s.max() - DELTA).astype(x.dtype)
        return q + GAMMA * ((mask @ x) / mask.sum() - q)

    compiled = jax.jit(lambda x: jax.lax.map(lambda q: row(x, q), x, batch_size=256))
    return lambda x: np.asarray(compiled(jnp.asarray(x)))


TOOLS = {"numpy": lambda _threads: numpy_step, "torch": torch_tool, "jax": jax_tool}


def localmax_step(binary, folder, x):
    """The same step by localmax, for the answers."""
    np.save(folder / "x0.npy", x)
    config = f'[tokens]\nfile = "x0.npy"\n[model]\nrule = "localmax"\nalpha = 1.0\ndelta = {DELTA}\n[run]\nsteps = 1\n'
    (folder / "step.toml").write_text(config)
    out = folder / f"run-{len(x)}-{x.shape[1]}"
    subprocess.run([binary, "run", "step.toml", "--engine", "cpu", "--no-plot", "--out", out.name], cwd=folder, check=True, capture_output=True)
    return np.load(out / "final.npy")


def localmax_ms(binary, n, d):
    """Milliseconds a step and the share of the peak measured in the same call."""
    command = [binary, "bench", "--engines", "cpu", "--rules", "localmax", "--tokens", str(n), "--dims", str(d)]
    report = json.loads(subprocess.run([*command, "--rounds", "1", "--json"], check=True, capture_output=True).stdout)
    return report["rows"][0]["ms"], report["rows"][0]["share_of_peak"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/localmax")
    parser.add_argument("--tokens", default="4096,16384")
    parser.add_argument("--dims", default="2,3,16,64")
    parser.add_argument("--tools", default="numpy,torch,jax")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    binary = str(pathlib.Path(options.binary).resolve())
    tools = {}
    for name in options.tools.split(","):
        try:
            tools[name] = TOOLS[name](os.cpu_count())
        except ImportError as error:
            print(f"left out: {name} ({error})")

    print(f"\n| n | d | localmax ms | of peak | {' | '.join(f'{t} ms (ratio)' for t in tools)} | largest difference |")
    print("|--:|--:|--:|--:|" + "--:|" * len(tools) + "--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for d in map(int, options.dims.split(",")):
            for n in map(int, options.tokens.split(",")):
                x = np.random.default_rng(7).standard_normal((n, d), dtype=np.float32)
                ours = localmax_step(binary, folder, x)
                times = {tool: [] for tool in ["localmax", *tools]}
                shares, worst = [], 0.0
                for _ in range(options.rounds):
                    ms, share = localmax_ms(binary, n, d)
                    times["localmax"].append(ms)
                    shares.append(share)
                    for tool, step in tools.items():
                        start = time.perf_counter()
                        theirs = step(x)
                        times[tool].append((time.perf_counter() - start) * 1e3)
                        # Rows whose strips float scores decide otherwise are few; the rest agree to rounding.
                        worst = max(worst, float(np.quantile(np.abs(theirs - ours).max(1), 0.999)))
                mid = {tool: statistics.median(t) for tool, t in times.items()}
                cells = [f"{mid[t]:.0f} ({mid[t] / mid['localmax']:.1f}×)" for t in tools]
                share = statistics.median(shares)
                print(f"| {n} | {d} | {mid['localmax']:.1f} | {share:.0%} | {' | '.join(cells)} | {worst:.1e} |", flush=True)


if __name__ == "__main__":
    main()
