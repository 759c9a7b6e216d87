"""What the equations say of a run on a lattice, in exact numbers, written from docs/equations.md alone.

Reads JSON objects from standard input and prints a JSON list for each, a line each.
A run, {"x0": [[...]], "unit": u, "gamma": g, "strips": [[[key, ...], ...], ...], "states": [[[...], ...], ...]}: for every
state, how far each token is from the equations over the strips of the run, in units, coordinate by coordinate the largest.
Strips, {"x": [[...]], "a": [[...]], "delta": d}: for every token and key, by how much the key's score lies below the threshold
of an a-norm strip; a key is inside where it does not lie below it.
"""

import json
import sys
from fractions import Fraction
from math import isqrt

# Bits after the point: each step rounds down at the last of them.
BITS = 1400


def run(case):
    fixed = lambda v: int(Fraction(v) * 2**BITS)
    gamma = Fraction(case["gamma"])
    unit = fixed(case["unit"])
    x = [[fixed(v) for v in row] for row in case["x0"]]
    distances = []
    for t, state in enumerate(case["states"]):
        apart = [[abs(v - unit * c) / unit for v, c in zip(row, on)] for row, on in zip(x, state)]
        distances.append([max(row) for row in apart])
        if t == len(case["strips"]):
            return distances
        moved = []
        for row, keys in zip(x, case["strips"][t]):
            means = [sum(x[j][k] for j in keys) // len(keys) for k in range(len(row))]
            step = lambda v, mean: v + (mean - v) * gamma.numerator // gamma.denominator
            moved.append([step(v, mean) for v, mean in zip(row, means)])
        x = moved


def strips(case):
    x, a = ([[Fraction(v) for v in row] for row in case[name]] for name in ("x", "a"))
    dot = lambda p, q: sum(v * w for v, w in zip(p, q))
    below = []
    for row in x:
        query = [dot(line, row) for line in a]
        scores = [dot(query, other) for other in x]
        square = Fraction(case["delta"]) ** 2 * max(Fraction(0), dot(query, row))
        # To 600 bits, whatever its size.
        shift = 2 * (600 + abs(square.numerator.bit_length() - square.denominator.bit_length()))
        width = Fraction(isqrt((square.numerator << shift) // square.denominator), 1 << shift // 2)
        below.append([float(max(scores) - width - score) for score in scores])
    return below


for line in sys.stdin:
    case = json.loads(line)
    print(json.dumps(run(case) if "strips" in case else strips(case)))
