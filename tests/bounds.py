"""The bounds of `localmax verify`, written from their derivations alone (src/verify/real.rs and src/verify/exact.rs).

Reads cases from standard input, one JSON object a line, and prints for each a JSON list of numbers. A case is a step of the
contract if it has a "grid", else one in real numbers; "rows" says which numbers are wanted, see `contract` and `real`.
A linear map is {"factor": c, "entries": null | c | [[...]]}: c·I, c·(entries·I) or c·entries.
"""

import json
import math
import sys
from math import inf, log, sqrt

EPSILON = 2.0**-53


def exp(x):
    try:
        return math.exp(x)
    except OverflowError:
        return inf


def dot(x, y):
    return sum(a * b for a, b in zip(x, y))


def length(x):
    return sqrt(dot(x, x))


def dense(entries, d):
    """The d rows of a matrix."""
    if isinstance(entries, list):
        return entries
    value = 1.0 if entries is None else entries
    return [[value * (r == c) for c in range(d)] for r in range(d)]


def apply(linear, x):
    return [linear["factor"] * dot(row, x) for row in dense(linear["entries"], len(x))]


def magnitude(linear, x):
    """||A||x||, entry by entry."""
    return [abs(linear["factor"]) * sum(abs(a * v) for a, v in zip(row, x)) for row in dense(linear["entries"], len(x))]


def norm(linear):
    """|A|: Frobenius, enlarged by its own rounding; exact for multiples of the identity."""
    entries = linear["entries"]
    if isinstance(entries, list):
        return abs(linear["factor"]) * 1.01 * length([a for row in entries for a in row])
    return abs(linear["factor"]) * abs(1.0 if entries is None else entries)


def eigenvalues(w):
    """Of a diagonal matrix, or of a symmetric one of two rows."""
    if all(v == 0 for r, row in enumerate(w) for c, v in enumerate(row) if r != c):
        return [row[r] for r, row in enumerate(w)]
    (a, b), (_, c) = w
    half = sqrt(((a - c) / 2) ** 2 + b * b)
    return [(a + c) / 2 - half, (a + c) / 2 + half]


def bounded(bound):
    """A bound; where infinity was multiplied by nothing, there is none."""
    return inf if math.isnan(bound) else bound


class Real:
    """A step in real numbers, src/verify/real.rs."""

    def __init__(self, case):
        self.case = case
        self.states = case["states"]
        self.d = len(self.states[0][0])
        single = case["precision"] == "f32"
        self.r, self.cut = (2.0**-24, 80.0) if single else (EPSILON, 700.0)
        on_gpu = case["rounding"] == "single"
        if on_gpu:
            self.r *= 2
        self.rho = self.r if on_gpu else EPSILON
        self.terms = 144.0 if on_gpu else 128.0
        self.lag = (25 * self.r, 3.7 * self.r) if on_gpu else (0.0, 0.0)
        self.kappa, self.smallest, self.products = 1.0, 1.0, 1.0
        motion = case["motion"]
        if motion.get("geometry") == "ellipsoid":
            w = motion["w"]
            if isinstance(w, list):
                values = eigenvalues(w)
                self.kappa = 1.01 * sqrt(max(values) / min(values))
                self.smallest = 0.99 * sqrt(min(values))
                self.products = sqrt(self.d)
            else:
                self.smallest = sqrt(1.0 if w is None else w)
        self.keys_at = []
        self.stages()

    def stages(self):
        """X, R and eta of each stage; the errors of all directions where there are more stages than one."""
        self.at, self.directions = [], []
        eta = 0.0
        for s, tokens in enumerate(self.states):
            state, turned = tokens, eta
            if self.case["directions"]:
                state = [[v / length(x) for v in x] for x in tokens]
                turned = 2 * eta / min(map(length, tokens)) + 2 * (self.d + 8) * self.rho
            self.keys_at.append(state)
            centre = [sum(column) / len(state) for column in zip(*state)]
            radius = max(length([x - c for x, c in zip(row, centre)]) for row in state)
            self.at.append((max(map(length, state)), 1.01 * radius, turned))
            if len(self.states) == 1:
                break
            errors = [self.direction(s, i, None) for i in range(len(state))]
            self.directions.append(errors)
            if s < 3:
                share = [0.5, 0.5, 1.0][s]
                reach = max(max(map(length, self.states[s + 1])), max(map(length, tokens)))
                eta = 1.01 * share * self.case["motion"]["dt"] * max(errors) + 8 * self.rho * reach

    def seen(self, i):
        w, last = self.case["window"], i if self.case["causal"] else math.inf
        near = lambda j: j <= last and (w is None or abs(i - j) <= w)
        return [j for j in range(len(self.states[0])) if near(j) and (j != i or self.case["own"])]

    def bias(self, i, j):
        return self.case["bias"] * ((i - j) / len(self.states[0]))

    def keys(self, i):
        return len(self.seen(i))

    def score(self, s, head, i):
        """Delta."""
        if self.case["distance"]:
            return 0.0
        x, (X, _, eta), d = self.keys_at[s][i], self.at[s], self.d
        A, q, terms = norm(head["scores"]), length(apply(head["scores"], x)), length(magnitude(head["scores"], x))
        return bounded(
            1.01
            * (
                (A * eta + 2 * (d + 2) * self.rho * terms) * (X + eta)
                + q * eta
                + (d + 4) * self.r * (q + A * eta) * (X + eta)
                + 8 * self.case["bias"] * self.r
            )
        )

    def share(self):
        """sigma."""
        return 1.01 * (self.d + 6) * (self.r + EPSILON) if self.case["distance"] else 0.0

    def threshold(self, head, i):
        weights, x = dict(self.case["stages"][0]["weights"]), self.keys_at[0][i]
        if self.case["by_row"] and "delta" in weights:
            weights["delta"] = self.case["by_row"]["deltas"][i]
        error = 2 * self.score(0, head, i)
        if weights["rule"] != "strip":
            return error
        query = apply(head["scores"], x)
        largest = max((dot(query, self.keys_at[0][j]) - self.bias(i, j) for j in self.seen(i)), default=0.0)
        c = 4 * (self.d + 4) * self.rho
        terms = length(magnitude(head["scores"], x))
        if self.case["distance"]:
            largest = 0.0
        if weights["form"] == "score":
            scale, off = 1.0, c
        elif weights["form"] == "radius":
            scale, off = weights["delta"] / 2, c * weights["delta"] / 2
        elif weights["form"] == "width":
            scale, off = length(query), c * terms
        else:
            square = c * terms * length(x)
            scale, off = sqrt(max(dot(query, x), 0.0)), sqrt(square) + square
        delta = weights["delta"]
        return error + (3 * self.r + 2 * self.share()) * (abs(largest) + delta * scale) + delta * off

    def variation(self, s, head, i):
        """V, Lambda, tau and L."""
        beta, m = self.case["stages"][s]["weights"]["beta"], self.keys(i)
        shift = beta * self.score(s, head, i)
        spread = shift + 4 * self.r + 4 * (m / self.terms + 2) * EPSILON + self.lag[0]
        if self.case["distance"] and not self.case["own"]:
            x = self.keys_at[s]
            nearest = min(length([a - b for a, b in zip(x[i], x[j])]) for j in self.seen(i))
            spread += beta * self.share() * nearest * nearest / 2
        slope = 3.1 * self.r + 3 * EPSILON + self.lag[1] + self.share()
        most = spread + slope * (self.cut + 2 * shift)
        off = 2 * exp(2 * most) * (spread + slope * log(m)) + 2 * m * exp(2 * most - self.cut)
        return min(2.0, off), spread, slope, most

    def sparse(self, s, head, i):
        """V of sparse weights."""
        weights, x, m = self.case["stages"][s]["weights"], self.keys_at[s], self.keys(i)
        beta, a = weights["beta"], {"sparsemax": 2.0, "entmax15": 1.5}[weights["rule"]]
        query = apply(head["scores"], x[i])
        scores = [dot(query, x[j]) - self.bias(i, j) for j in self.seen(i)]
        u = [(a - 1) * beta * (v - max(scores)) for v in scores]
        low, high = -1.0, 0.0  # the sum of the weights falls from 1 or more to 0
        for _ in range(200):
            tau = (low + high) / 2
            total = math.fsum(max(0.0, v - tau) ** (1 / (a - 1)) for v in u)
            low, high = (tau, high) if total > 1 else (low, tau)
        shift = beta * self.score(s, head, i)
        spread = 1.01 * shift + 12 * self.rho * (1 + 2 * shift)
        terms = 32 + m / 1024 if self.lag[0] else m
        sums = 2 * (terms + 8) * self.rho + 2 * (m + 8) * EPSILON
        near = 2 * (a - 1) * spread + 2 * sums
        k = sum(v > tau - near for v in u)
        return min(2.0, 1.01 * (2 * spread * (k if a == 2 else sqrt(k)) + 4 * sums))

    def level(self, head, i):
        rest = 2.02 * (self.terms + 3) * self.r + 2 * (self.keys(i) + 8) * EPSILON + 16 * self.rho
        return self.variation(0, head, i)[0] + rest

    def mean(self, s, head, i):
        """E and M."""
        weights, (X, R, eta), m = self.case["stages"][s]["weights"], self.at[s], self.keys(i)
        if m == 0:
            return 0.0, 0.0
        mu = X + eta
        sums = 2.02 * (min(m, self.terms) + 3) * self.r + 2 * (m + m / self.terms + 8) * EPSILON + 16 * self.rho
        S = sums * mu
        if weights["rule"] == "strip":
            return S + eta, 1.0
        if weights["rule"] in ("argmax", "drawn"):
            return eta + 2 * self.rho * mu, 1.0
        if weights["rule"] in ("sparsemax", "entmax15"):
            return self.sparse(s, head, i) * R + S + eta, 1.0
        if weights["rule"] == "linear":
            shift = weights["beta"] * self.score(s, head, i)
            M = weights["beta"] * (length(apply(head["scores"], self.keys_at[s][i])) * X + self.case["bias"])
            return (1.01 * shift + 8 * self.rho * M) * mu + M * (S + eta), M
        V, spread, slope, most = self.variation(s, head, i)
        if weights["rule"] == "softmax":
            return (V + 2.02 * self.case["omit"]) * R + S + eta, 1.0
        beta, origin = weights["beta"], weights["origin"]
        top = length(apply(head["scores"], self.keys_at[s][i])) * X
        M = exp(beta * (top - origin))
        more = 4 * self.rho * beta * (top + self.case["bias"] + abs(origin))
        return M * ((exp(most + more) * (spread + more + slope) + exp(-self.cut)) * mu + S + eta), M

    def direction(self, s, i, undecided):
        """The error of a direction."""
        (X, _, eta), heads = self.at[s], self.case["stages"][s]["heads"]
        mu = X + eta
        D = Y = values = 0.0
        for h, head in enumerate(heads):
            E, M = self.mean(s, head, i)
            V = norm(head["values"])
            D += V * (2 * X if undecided and undecided[h] else E)
            Y += V * M * X
            values += V
        c = 8 * (self.d + 4) * self.rho
        if self.case["exclusive"]:
            own = length(apply(heads[0]["values"], self.keys_at[s][i]))
            D += Y * (values * (eta + c * mu) / own + c) if own > 0 else (inf if Y > 0 else 0)
        if self.case["length"] is not None:
            c, wanted, y = 8 * (self.d + 4) * self.rho, abs(self.case["length"]), self.case["outputs"][s][i]
            D = wanted * ((2 * (D + c * (Y + X)) / y if y > 0 else inf) + c)
            Y = wanted
        for omega, a in self.case["units"] or []:
            omega, a, K = abs(omega), length(a), len(self.case["units"])
            D += omega * a * (a * (eta + (2 * self.d + 24 + K) * self.rho * mu) + 8 * self.rho)
            Y += omega * a * a * mu
        if self.case["kappa"] is not None:
            draws = next(length(row["draws"]) for row in self.case["rows"] if row["token"] == i)
            strength, square = sqrt(2 / (self.case["kappa"] * self.case["motion"]["dt"])), 1 + mu * mu
            D += strength * (106 * sqrt(self.d) + 4 * (self.d + 4) * draws) * self.rho * square
            Y += strength * draws * square
        c = 8 * (self.d + 4) * self.rho
        D += c * (Y + X)
        motion = self.case["motion"]
        if motion["kind"] == "average" or (motion["geometry"] == "rescaled" and motion["integrator"] != "euler-renorm"):
            D += (1 + values) * (eta + c * mu)
            if motion["kind"] == "average" and self.case["by_row"]:
                by_row = self.case["by_row"]
                D = (1 - by_row["weights"][i]) * D + c * (length(by_row["point"]) + Y + mu)
            return D
        if motion["integrator"] == "euler-renorm" or motion["geometry"] == "flat":
            return D
        if motion["geometry"] == "sphere":
            return D * (1 + mu * mu) + 2.02 * mu * Y * eta + c * Y * (1 + mu * mu)
        k, room = self.kappa, max(length(self.states[s][i]) - eta, 0.0)
        bent = 4 * k * k * Y * eta
        bent = bent / room if room > 0 else inf
        return D * (1 + k) + bent + self.products * c * Y * (1 + k * k)

    def token(self, row):
        i, motion, d, rho = row["token"], self.case["motion"], self.d, self.rho
        before, after, x = length(row["before"]), length(row["after"]), length(self.states[0][i])
        if motion["kind"] == "average":
            P = norm(motion["preconditioner"])
            gamma = self.case["by_row"]["gammas"][i] if self.case["by_row"] else motion["gamma"]
            error = gamma * P * self.direction(0, i, row["undecided"])
            error += 8 * (d + 4) * rho * (1 + P) * (before + x)
        else:
            if self.directions:
                k1, k2, k3, k4 = (stage[i] for stage in self.directions)
                D = (k1 + 2 * k2 + 2 * k3 + k4) / 6
            else:
                D = self.direction(0, i, None)
            error = 1.01 * motion["dt"] * D + 16 * rho * (before + x)
            if motion["geometry"] in ("sphere", "ellipsoid"):
                k, smallest = self.kappa, self.smallest
                error = 2 * k * error / (smallest * before) + self.products * 2 * (d + 8) * rho * k * k / smallest
        bound = error + 1.01 * self.r * (after + error) + d * 2.0**-126 * self.r
        return bounded(bound)


def real(case):
    """By row: the scores' bound by stage and head, the thresholds' by head, the draws' by head, the token's."""
    bounds = Real(case)
    numbers = []
    for row in case["rows"]:
        i = row["token"]
        for s, stage in enumerate(case["stages"]):
            numbers += [bounds.score(s, head, i) for head in stage["heads"]]
        first = case["stages"][0]
        numbers += [bounds.threshold(head, i) for head in first["heads"]]
        if first["weights"]["rule"] == "drawn" and bounds.keys(i):
            numbers += [bounds.level(head, i) for head in first["heads"]]
        numbers.append(bounds.token(row))
    return numbers


def contract(case):
    """By row: the threshold's bound, and each coordinate's, src/verify/exact.rs."""
    grid, weights, scores = case["grid"], case["weights"], case["scores"]
    u, b, K, scale = grid["unit"], grid["state_bits"], grid["gain_bits"], 2.0 ** case["matrix_exponent"]
    X, d = case["lattice"], len(case["lattice"][0])
    x = [[v * u for v in row] for row in X]
    sizes = [float(sum(map(abs, row))) for row in X]
    columns = [max(abs(row[k]) for row in x) for k in range(d)]
    numbers = []
    for row in case["rows"]:
        i = row["token"]
        delta = case["deltas"][i] if case["deltas"] else weights.get("delta", 0.0)
        kappa = 0.0 if case["identity"] else 0.5 * sizes[i] / 2.0**b + 0.5
        query, large = apply(scores, x[i]), magnitude(scores, x[i])
        c = (2 * d + 4) * EPSILON
        score = c * dot(large, columns)
        # No case leaves the range of f64, where the bound would be infinite.
        if case["distance"]:
            most = delta**2 / 2 if weights["form"] == "radius" else delta
            lattice = (delta + u / 2) * u if weights["form"] == "radius" else u * u / 2
            numbers += [lattice + (2 * d + 8) * EPSILON * (most + lattice)]
        elif weights["rule"] == "argmax" or weights["form"] == "score":
            width, rounding = 1.0, c
        elif weights["form"] == "width":
            root, change = length(query) / u / scale, kappa * sqrt(d)
            width, rounding = 0.5 * (root + change) + delta / u * (1 + change), c * length(large)
        else:
            k = case["matrix_exponent"] % 2
            h = (case["matrix_exponent"] + k) // 2
            root = sqrt(max(0.0, dot(query, x[i]))) * 2.0 ** (k - h) / u
            under = 2**k * kappa * sizes[i]
            change = min(sqrt(under), under / root if root > 0 else inf) + 1
            width, rounding = 0.5 * (root + change) + delta / u / 2.0**h * change, sqrt(score)
        if not case["distance"]:
            units = 2 * kappa * max(sizes) + width
            numbers.append(units * u * u * scale + 2 * score + delta * rounding)
        for k in range(d):
            members = row["members"]
            spread = max([abs(x[j][k] - x[i][k]) for j in members], default=0.0) / u
            f64 = (len(members) + 4) * EPSILON * (spread + abs(x[i][k]) / u)
            bound = 1.5 + 1.5 * 2.0**-K * spread + f64
            if case["truth"]:
                apart = abs(case["truth"][k] - x[i][k]) / u
                bound += 0.5 + 1.5 * 2.0**-K * (2 * apart + spread) + 8 * EPSILON * (apart + spread + abs(x[i][k]) / u)
            numbers.append(bound)
    return numbers


for line in sys.stdin:
    case = json.loads(line)
    numbers = (contract if "grid" in case else real)(case)
    if any(math.isnan(v) for v in numbers):
        raise ValueError("a bound is not a number")
    print(json.dumps([None if v == inf else v for v in numbers]))
