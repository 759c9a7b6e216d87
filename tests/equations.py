"""Every system in plain floats, written from docs/equations.md alone.

Reads one JSON system a line from standard input and prints its tokens after the last step, one JSON list a line:
  {"model": the table [model] of a config, "tokens": [[...], ...], "steps": T, "seed": s}
Rows of a matrix and lists of numbers are JSON lists; no file is read.
"""

import json
import math
import sys
from statistics import NormalDist

M = 0xFFFFFFFF
M64 = 2**64 - 1
NAMES = {name: getattr(math, name) for name in ["exp", "sin", "cos", "sqrt"]}


def dot(x, y):
    return sum(a * b for a, b in zip(x, y))


def add(x, factor, y):
    return [a + factor * b for a, b in zip(x, y)]


def apply(matrix, x):
    return [dot(row, x) for row in matrix]


def product(a, b):
    return [[dot(row, column) for column in zip(*b)] for row in a]


def transpose(a):
    return [list(column) for column in zip(*a)]


def identity(d):
    return [[float(r == c) for c in range(d)] for r in range(d)]


def scaled(c, a):
    return [[c * v for v in row] for row in a]


def exponential(a):
    """e^a by its series, a divided by 2^6 and squared 6 times, each of which doubles what was rounded."""
    term = total = identity(len(a))
    for k in range(1, 24):
        term = scaled(1 / k, product(term, scaled(2.0**-6, a)))
        total = [add(x, 1, y) for x, y in zip(total, term)]
    for _ in range(6):
        total = product(total, total)
    return total


def scalar(value, step, t, i=None):
    """A number, an expression in t, a table with a value a step, or a value a token."""
    if isinstance(value, dict):
        return value["tokens"][i] if "tokens" in value else value["table"][step]
    if isinstance(value, str):
        return eval(value.replace("^", "**"), {"__builtins__": {}}, {**NAMES, "t": t})
    return value


def matrix(value, d, step, t, key, seed):
    if isinstance(value, dict) and "random" in value:
        return scaled(scalar(value.get("factor", 1), step, t), drawn(value, d, step // value.get("every", M), key, seed))
    if isinstance(value, dict):
        return scaled(scalar(value.get("factor", 1), step, t), matrix(value["matrix"], d, step, t, key, seed))
    if value == "identity":
        return identity(d)
    return value if isinstance(value, list) else scaled(value, identity(d))


def drawn(law, d, index, key, seed):
    """Matrix `index` of a key."""
    hash = 0xCBF29CE484222325
    for byte in key.encode():
        hash = (hash ^ byte) * 0x100000001B3 & M64
    rows = [normals(seed ^ hash, index, row, d) for row in range(2 * d)]
    g, s = rows[:d], law.get("scale", 1)
    if law["random"] == "product":
        return scaled(s * s, product(g, transpose(rows[d:])))
    if law["random"] == "gaussian":
        return scaled(s, g)
    if law["random"] == "ginibre":
        return scaled(s / math.sqrt(d), g)
    return scaled(s / math.sqrt(2 * d), [add(r, 1, c) for r, c in zip(g, transpose(g))])


def uniform(seed, t, i):
    """The draw of token i at step t: Philox4x32-10."""
    c = philox([t & M, t >> 32, i & M, i >> 32], [seed & M, seed >> 32])
    return (((c[1] << 32) | c[0]) >> 11) * 2.0**-53


def philox(c, k):
    low, high = (lambda x: x & M), (lambda x: x >> 32)
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [high(q) ^ c[1] ^ k[0], low(q), high(p) ^ c[3] ^ k[1], low(p)]
        k = [low(k[0] + 0x9E3779B9), low(k[1] + 0xBB67AE85)]
    return c


def normals(seed, t, i, d):
    """The draws of token i at step t, by inverting the tail."""
    words = [w for block in range(1, d // 4 + 2) for w in philox([t & M, t >> 32, i, block], [seed & M, seed >> 32])]
    draws = []
    for word in words[:d]:
        bits = max(word & 0x7FFFFFFF, 1)
        z = 31 - bits.bit_length()
        f = ((((bits << z) & 0x3FFFFFFF) >> 7) + 0.5) / 2**23
        x = -NormalDist().inv_cdf(2.0 ** -(z + 2) * (1 + f))
        draws.append(-x if word >> 31 else x)
    return draws


class System:
    def __init__(self, given):
        self.model, self.seed = given["model"], given["seed"]
        self.rule, self.d = self.model["rule"], len(given["tokens"][0])
        self.causal = self.model.get("causal", False)
        self.flows = self.rule in ["sphere", "ellipsoid", "rescaled"]
        lengths = self.model.get("normalisation") in ("pre", "peri", "mix")
        default = {"sphere": "euler" if lengths else "euler-renorm", "ellipsoid": "rk4", "rescaled": "euler"}.get(self.rule)
        self.integrator = self.model.get("integrator", default)

    def scalar(self, key, default, step, t, i=None):
        return scalar(self.model.get(key, default), step, t, i)

    def matrix(self, key, step, t):
        return matrix(self.model.get(key, "identity"), self.d, step, t, key, self.seed)

    def scores(self, step, t):
        """A of S_ij = <A x_i, x_j>."""
        if "q" in self.model or "k" in self.model:
            return product(transpose(self.matrix("k", step, t)), self.matrix("q", step, t))
        return self.matrix("a", step, t)

    def weights(self, s, i, query, x, step, t):
        """w_ij for the keys that row i sees; s are their scores."""
        top = max(s)
        uniformly = lambda chosen: [float(c) / sum(chosen) for c in chosen]
        if self.rule == "localmax":
            if "epsilon" in self.model:
                reach = self.scalar("epsilon", None, step, t, i)
                return uniformly([math.sqrt(-2 * v) <= reach for v in s])
            form = self.model.get("strip", "score")
            widths = {"score": 1, "width": math.sqrt(dot(query, query)), "a-norm": math.sqrt(max(0, dot(query, x)))}
            return uniformly([top - v <= self.scalar("delta", None, step, t, i) * widths[form] for v in s])
        if self.rule == "hardmax":
            return uniformly([v == top for v in s])
        if self.rule == "frank-wolfe":
            return [float(j == s.index(top)) for j in range(len(s))]
        beta = self.scalar("beta", 1, step, t)
        kind = self.model.get("weights", "softmax")
        if kind in ("linear", "relu"):
            return [(beta * v if kind == "linear" else max(0, beta * v)) / len(s) for v in s]
        if kind in ("sparsemax", "entmax15"):
            half, power = (1, 1) if kind == "sparsemax" else (0.5, 2)
            weigh = lambda tau: [max(0, half * beta * v - tau) ** power for v in s]
            low, high = half * beta * top - 1, half * beta * top
            for _ in range(100):
                tau = (low + high) / 2
                low, high = (tau, high) if sum(weigh(tau)) > 1 else (low, tau)
            return weigh(low)
        if not self.model.get("normalized", True):
            return [math.exp(beta * (v - self.model.get("origin", 0))) / len(s) for v in s]
        e = [math.exp(beta * (v - top)) for v in s]
        if self.rule != "markov":
            return [v / sum(e) for v in e]
        level, drawn, total = uniform(self.seed, step, i) * sum(e), 0, e[0]
        while total <= level:
            drawn += 1
            total += e[drawn]
        return [float(j == drawn) for j in range(len(s))]

    def seen(self, i, n):
        """N(i)."""
        mask, w = self.model.get("mask", "full"), n
        own = self.model.get("self", True)
        if isinstance(mask, dict) and "graph" in mask:
            return [j for j in range(n) if [i, j] in mask["graph"] and i != j or i == j and own]
        if isinstance(mask, dict):
            w = mask["window"]
        last = i if self.causal or mask == "causal" else i + w
        return [j for j in range(n) if i - w <= j <= last and (j != i or own)]

    def mean(self, a, i, x, step, t, points):
        """sum_j w_ij points_j, the scores being <a x_i, x_j>."""
        seen = self.seen(i, len(x))
        if not seen:
            return [0.0] * self.d
        query = apply(a, x[i])
        score = lambda y: dot(query, y)
        if self.model.get("scores", "inner") == "distance":
            score = lambda y: -dot(add(x[i], -1, y), add(x[i], -1, y)) / 2
        bias = self.model.get("bias", 0)
        w = self.weights([score(x[j]) - bias * (i - j) / len(x) for j in seen], i, query, x[i], step, t)
        return [sum(v * points[j][k] for v, j in zip(w, seen)) for k in range(self.d)]

    def output(self, x, i, step, t):
        """y_i before any projection."""
        if self.rule != "ellipsoid":
            y = self.mean(self.scores(step, t), i, x, step, t, x)
            v = self.matrix("v", step, t)
            y = self.exclusive(apply(v, y), apply(v, x[i]))
            kind = self.model.get("normalisation", "post")
            by = math.sqrt(dot(y, y))
            by = by or 1
            by = {"peri": 1 / by, "ngpt": self.scalar("speed", 1, step, t) / by, "cod": (t + 1) ** -0.5}.get(kind, 1)
            return self.perceived(x[i], [by * v for v in y])
        y = [0.0] * self.d
        heads = self.model["heads"]
        heads = heads if isinstance(heads, list) else [heads] * heads["count"]
        for h, head in enumerate(heads):
            of = lambda key: matrix(head.get(key, "identity"), self.d, step, t, f"heads[{h}].{key}", self.seed)
            p, u = of("p"), of("u")
            a = p if isinstance(head.get("p"), dict) and "random" in head["p"] else transpose(p)
            y = add(y, 1, apply(u, self.mean(a, i, x, step, t, x)))
        return self.exclusive(y, apply(u, x[i]))

    def exclusive(self, y, v):
        """y without what lies along v."""
        if not self.model.get("exclusive", False) or dot(v, v) == 0:
            return y
        return add(y, -dot(y, v) / dot(v, v), v)

    def perceived(self, x, y):
        p = self.model.get("perceptron")
        if p:
            sigma = math.tanh if p.get("activation") == "tanh" else lambda s: max(0, s)
            weights = p["omega"] if isinstance(p["omega"], list) else [p["omega"]] * len(p["a"])
            for omega, a in zip(weights, p["a"]):
                y = add(y, omega * sigma(dot(a, x)), a)
        return y

    def field(self, x, step, t):
        """f of every token."""
        f = []
        if self.has_lengths(step * self.model["dt"]):
            theta = [[v / math.sqrt(dot(z, z)) for v in z] for z in x]
            return [self.output(theta, i, step, t) for i in range(len(x))]
        for i, token in enumerate(x):
            if self.rule == "rescaled":
                v = self.matrix("v", step, t)
                y = [apply(exponential(scaled(t, v)), z) for z in x]
                a = self.matrix("a", step, t)
                two_sided = product(transpose(a), a) if "q" not in self.model else self.scores(step, t)
                away = [add(z, -1, token) for z in x]
                f.append(apply(v, self.mean(two_sided, i, y, step, t, away)))
                continue
            y = self.output(x, i, step, t)
            if self.rule == "sphere":
                f.append(add(y, -dot(token, y), token))
            else:
                wx = apply(self.matrix("w", step, t), token)
                f.append(add(y, -dot(wx, y) / dot(wx, token), token))
        return f

    def retract(self, x, time=0):
        if self.rule == "rescaled":
            return x
        w = self.matrix("w", 0, 0)
        if self.has_lengths(time):
            return x
        return [[v / math.sqrt(dot(apply(w, token), token)) for v in token] for token in x]

    def has_lengths(self, time):
        """Whether a step that starts at a time leaves tokens their lengths."""
        kind = self.model.get("normalisation", "post")
        return kind in ("pre", "peri") or (kind == "mix" and time >= self.model["switch"] * (1 - 1e-12))

    def shaken(self, x, moved, step):
        if "noise" not in self.model:
            return moved
        dt = self.model["dt"]
        strength = math.sqrt(2 * dt / self.scalar("noise", None, step, step * dt))
        out = []
        for i, (token, y) in enumerate(zip(x, moved)):
            xi = normals(self.seed, step, M if self.model.get("common", False) else i, self.d)
            out.append(add(y, strength, add(xi, -dot(token, xi), token)))
        return out

    def gain(self, i, step):
        if "gamma" in self.model:
            return self.scalar("gamma", None, step, step, i)
        alpha = self.scalar("alpha", None, step, step, i)
        return alpha / (1 + alpha)

    def step(self, x, step):
        if not self.flows:
            gammas = [self.gain(i, step) for i in range(len(x))]
            p = self.matrix("p", step, step)
            ys = [self.output(x, i, step, step) for i in range(len(x))]
            if "truth" in self.model:
                tau, w = self.model["truth"]["point"], self.model["truth"]["weight"]
                ys = [add(y, scalar(w, step, step, i), add(tau, -1, y)) for i, y in enumerate(ys)]
            moved = [add(token, gamma, apply(p, add(y, -1, token))) for token, y, gamma in zip(x, ys, gammas)]
            return [y if self.seen(i, len(x)) else x[i] for i, y in enumerate(moved)]
        dt = self.model["dt"]
        t = step * dt
        ahead = lambda by, f: [add(token, by, k) for token, k in zip(x, f)]
        if self.integrator == "euler-renorm":
            return self.retract(self.shaken(x, ahead(dt, [self.output(x, i, step, t) for i in range(len(x))]), step))
        k1 = self.field(x, step, t)
        if self.integrator == "euler":
            return self.retract(self.shaken(x, ahead(dt, k1), step), t)
        k2 = self.field(ahead(dt / 2, k1), step, t + dt / 2)
        k3 = self.field(ahead(dt / 2, k2), step, t + dt / 2)
        k4 = self.field(ahead(dt, k3), step, t + dt)
        along = [
            [(a + 2 * b + 2 * c + e) / 6 for a, b, c, e in zip(*rows)] for rows in zip(k1, k2, k3, k4)
        ]
        return self.retract(ahead(dt, along), t)


for line in sys.stdin:
    given = json.loads(line)
    system, x = System(given), given["tokens"]
    if system.flows:
        x = system.retract(x)
    for step in range(given["steps"]):
        x = system.step(x, step)
    print(json.dumps(x))
