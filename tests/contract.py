"""The contract, version 2, in Python's big integers, written from its text alone (docs/arithmetic.md).

Reads one JSON system from standard input and prints the lattice coordinates of every state, one JSON list a line:
  {"precision": "f32"|"f64", "x0": [[...]], "matrix": null|[[...]], "strip": "score"|"width"|"a-norm"|"hardmax"|
   "frank-wolfe"|"distance"|"radius", "gamma": [a value a step], "delta": [a value a step], "causal": false,
   "window": null|w, "self": true, "graph": null|[[i, j], ...], "own": null|{"gamma": [a value a token], "delta": ...},
   "truth": null|{"point": [...], "weights": [a value a token]}}
Floats become exact fractions before anything is done with them; nothing is rounded but where the contract rounds.
"""

import json
import sys
from fractions import Fraction
from math import ceil, floor, isqrt


def rne(x):
    """To nearest, half to even (Python's round of a Fraction does that)."""
    return round(Fraction(x))


def power(e):
    """2^e as a fraction."""
    return Fraction(2) ** e


def exponent_above(m):
    """The least integer e with m <= 2^e; 0 for 0."""
    if m == 0:
        return 0
    e = m.numerator.bit_length() - m.denominator.bit_length() - 1
    while power(e) < m:
        e += 1
    return e


def row_sum(row):
    """In f64, from left to right: Python's own sum may compensate."""
    total = 0.0
    for value in row:
        total += abs(value)
    return Fraction(total)


def run(system):
    b, bits, clamp_bits = {"f32": (24, 32, 62), "f64": (53, 64, 126)}[system["precision"]]
    clamp = 1 << clamp_bits
    x0 = [[Fraction(v) for v in row] for row in system["x0"]]
    n, d = len(x0), len(x0[0])
    truth, own = system.get("truth"), system.get("own") or {}
    tau = [Fraction(v) for v in truth["point"]] if truth else []
    e = exponent_above(max(abs(v) for row in [*x0, tau] for v in row))
    unit = power(e - b)
    state = [[rne(v / unit) for v in row] for row in x0]
    yield state

    matrix, e_a = None, 0
    if system["matrix"] is not None:
        a = [[Fraction(v) for v in row] for row in system["matrix"]]
        e_a = exponent_above(max(row_sum(row) for row in system["matrix"]))
        matrix = [[rne(v * power(b - e_a)) for v in row] for row in a]

    for gamma, delta in zip(system["gamma"], system["delta"]):
        following = []
        for i, x in enumerate(state):
            share = lambda w: min(rne(Fraction(w) * power(bits)), (1 << bits) - 1)
            gain = share(own["gamma"][i] if "gamma" in own else gamma)
            delta = Fraction(own["delta"][i] if "delta" in own else delta)
            factor = rne(delta / unit)
            q = x
            if matrix is not None:
                q = [(sum(a * v for a, v in zip(row, x)) + (1 << (b - 1))) >> b for row in matrix]
            places = [j for j in range(n) if j <= i or not system["causal"]]
            if system.get("window") is not None:
                places = [j for j in places if abs(i - j) <= system["window"]]
            if system.get("graph") is not None:
                places = [j for j in range(n) if [i, j] in system["graph"] or i == j]
            if not system.get("self", True):
                places = [j for j in places if j != i]
            if not places:
                following.append(x)
                continue
            visible = [state[j] for j in places]
            scores = [sum(a * v for a, v in zip(q, y)) for y in visible]
            if system["strip"] in ("distance", "radius"):
                scores = [-sum((a - v) ** 2 for a, v in zip(x, y)) for y in visible]
            if system["strip"] in ("hardmax", "frank-wolfe"):
                width = 0
            elif system["strip"] == "distance":
                width = floor(2 * delta / (unit * unit))
            elif system["strip"] == "radius":
                width = min(ceil(delta / unit), 1 << (clamp_bits // 2)) ** 2
            elif system["strip"] == "score":
                width = floor(delta / (unit * unit * power(e_a)))
            elif system["strip"] == "width":
                width = factor * isqrt(sum(a * a for a in q))
            else:
                parity = e_a % 2
                scaled = rne(delta / (unit * power((e_a + parity) // 2)))
                width = scaled * isqrt(2**parity * max(0, sum(a * v for a, v in zip(q, x))))
            threshold = max(scores) - min(width, clamp)
            members = [y for y, s in zip(visible, scores) if s >= threshold]
            if system["strip"] == "frank-wolfe":
                members = members[:1]
            moved = []
            for k in range(d):
                mean = rne(Fraction(sum(y[k] for y in members), len(members)))
                if truth:
                    apart = rne(tau[k] / unit) - mean
                    pull = (abs(apart) * share(truth["weights"][i]) + (1 << (bits - 1))) >> bits
                    mean += pull if apart > 0 else -pull
                towards = mean - x[k]
                if towards == 0:
                    moved.append(x[k])
                    continue
                length = max(1, (abs(towards) * gain + (1 << (bits - 1))) >> bits)
                moved.append(x[k] + (length if towards > 0 else -length))
            following.append(moved)
        state = following
        yield state


if __name__ == "__main__":
    for state in run(json.load(sys.stdin)):
        print(json.dumps(state))
