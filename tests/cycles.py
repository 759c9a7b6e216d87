"""Takes every cycle of a census again in big integers: python3 tests/cycles.py FOLDER/cycles.csv

A cycle is right if the state after `found` steps is the one `period` steps before, and none between is. The states come
from tests/contract.py, which shares nothing with the engines."""

import csv
import json
import sys
from itertools import islice

import contract


def system(row):
    """A line of cycles.csv as tests/contract.py takes it."""
    steps = int(row["found"])
    matrix = None if row["matrix"] == "I" else json.loads(row["matrix"])
    return {
        "precision": row["precision"],
        "x0": json.loads(row["x0"]),
        "matrix": matrix,
        "strip": row["rule"],
        "gamma": [float(row["gamma"])] * steps,
        "delta": [float(row["delta"] or 0)] * steps,
        "causal": False,
    }


def is_right(row):
    found, period = int(row["found"]), int(row["period"])
    states = list(islice(contract.run(system(row)), found - period, found + 1))
    return states[0] == states[-1] and len(states) == period + 1 and states[0] not in states[1:-1] and period > 1


def main():
    csv.field_size_limit(1 << 30)
    with open(sys.argv[1], newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = [row for row in rows if not is_right(row)]
    for row in wrong:
        print(f"no cycle: {row['rule']}, A: {row['family']}, seed {row['seed']}, cloud {row['index']}")
    print(f"{len(rows) - len(wrong)} of {len(rows)} cycles come again in big integers")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
