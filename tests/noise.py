"""The order parameter under noise of the scheme in docs/equations.md at beta = 0 and n = infinity, in plain floats.

    python3 tests/noise.py 2,3 5,8,0.1    for each d,kappa[,dt] a JSON list: d, kappa, dt (0.025 unless given), R of the law, and
                                          R of the schemes euler and euler-renorm

One token in the field R·e_1 is a Markov chain of z = <x, e_1>: with the draws h along the meridian and r across it, s^2 = 2dt/kappa,
z' = (a·z + w·sqrt(1 - z^2))/sqrt(a^2 + w^2 + s^2·r^2), w = dt·R·sqrt(1 - z^2) + s·h, a = 1 (euler) or 1 + dt·R·z (euler-renorm).
Its mean at rest is R. Functions of z are polynomials through Chebyshev's nodes, means over draws the rule of trapezia.
"""

import json
import math
import sys

NODES = 32


def law(d, kappa):
    """R > 0 of R = I_{d/2}(kappa R)/I_{d/2-1}(kappa R), by its continued fraction."""
    r = 1.0
    for _ in range(5000):
        below = 0.0
        for k in range(80, -1, -1):
            below = 1 / ((d + 2 * k) / (kappa * r) + below)
        r = below
    return r


def draws(d):
    """Draws (h, r^2) and their probabilities: a normal, and a chi of d - 2 degrees."""
    normal = [(0.5 * k, math.exp(-0.125 * k * k)) for k in range(-12, 13)]
    free = d - 2
    across = [(0.0, 1.0)]
    if free == 1:
        across = [(h * h, p) for h, p in normal]
    elif free > 1:
        chi = [math.exp(0.3 * k) for k in range(-100 // free - 1, 8)]
        across = [(r * r, r**free * math.exp(-r * r / 2)) for r in chi]
    all = [(h, r2, p * q) for h, p in normal for r2, q in across if p * q > 1e-14]
    total = sum(p for _, _, p in all)
    return [(h, r2, p / total) for h, r2, p in all]


def solve(matrix, right):
    """By elimination, with the largest pivots."""
    rows = [row + [v] for row, v in zip(matrix, right)]
    n = len(rows)
    for k in range(n):
        top = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[top] = rows[top], rows[k]
        for i in range(k + 1, n):
            by = rows[i][k] / rows[k][k]
            rows[i] = [v - by * w if j >= k else v for j, (v, w) in enumerate(zip(rows[i], rows[k]))]
    found = [0.0] * n
    for k in reversed(range(n)):
        found[k] = (rows[k][n] - sum(rows[k][j] * found[j] for j in range(k + 1, n))) / rows[k][k]
    return found


def mean(kappa, dt, field, renorm, all):
    """The mean of z at rest in a field: mu_k = E T_k(z) has mu = mu·M, M_jk = E of T_k(z') given T_j."""
    s = math.sqrt(2 * dt / kappa)
    angles = [math.pi * (i + 0.5) / NODES for i in range(NODES)]
    after = []
    for angle in angles:
        z, across = math.cos(angle), math.sin(angle)
        sums = [0.0] * NODES
        a = 1 + dt * field * z if renorm else 1.0
        for h, r2, p in all:
            w = dt * field * across + s * h
            to = max(-1.0, min(1.0, (a * z + w * across) / math.sqrt(a * a + w * w + s * s * r2)))
            before, now = p, p * to
            sums[0] += before
            for k in range(1, NODES):
                sums[k] += now
                before, now = now, 2 * to * now - before
        after.append(sums)
    # E(T_k(z') | z) = sum_j C_kj T_j(z), so that mu_k = sum_j C_kj mu_j and mu_0 = 1.
    matrix, right = [], []
    for k in range(1, NODES):
        column = [after[i][k] for i in range(NODES)]
        c = [(1 if j == 0 else 2) / NODES * sum(v * math.cos(j * t) for v, t in zip(column, angles)) for j in range(NODES)]
        matrix.append([float(j == k) - c[j] for j in range(1, NODES)])
        right.append(c[0])
    return solve(matrix, right)[0]


def scheme(d, kappa, dt, renorm):
    """R = mean(R), by secants from two guesses above the law."""
    all = draws(d)
    off = lambda r: mean(kappa, dt, r, renorm, all) - r
    one, two = law(d, kappa), law(d, kappa) + 0.02
    f, g = off(one), off(two)
    while abs(two - one) > 1e-7:
        one, two, f = two, two - g * (two - one) / (g - f), g
        g = off(two)
    return two


for given in sys.argv[1:]:
    d, kappa, dt = [float(number) for number in (given + ",0.025").split(",")[:3]]
    d = int(d)
    schemes = [scheme(d, kappa, dt, renorm) for renorm in (False, True)]
    print(json.dumps([d, kappa, dt, law(d, kappa), *schemes]), flush=True)
