"""Split the flowers into a training and a test part, scaled by the training part."""

import csv
import json
import random
import statistics
import sys
from pathlib import Path

SPECIES = ["setosa", "versicolor", "virginica"]


def param(section, key):
    """Read one parameter; the standard library has no YAML, and ours needs little of it."""
    inside = section is None
    for line in Path("params.yaml").read_text().splitlines():
        name, _, value = line.partition("#")[0].strip().partition(":")
        if section is not None and not line.startswith(" "):
            inside = name == section
        elif inside and name == key:
            return float(value)
        if section is None and name == key:
            return float(value)
    raise SystemExit(f"params.yaml has no {key}")


def main(source, target):
    with open(source, newline="") as lines:
        rows = [
            (
                [float(value) for name, value in row.items() if name != "species"],
                SPECIES.index(row["species"]),
            )
            for row in csv.DictReader(lines)
        ]
    random.Random(param(None, "seed")).shuffle(rows)
    cut = round(len(rows) * param("prepare", "test_share"))
    test, train = rows[:cut], rows[cut:]

    columns = list(zip(*(features for features, _ in train), strict=True))
    means = [statistics.fmean(column) for column in columns]
    scales = [statistics.stdev(column) for column in columns]

    def scaled(part):
        return [
            [[(x - m) / s for x, m, s in zip(features, means, scales, strict=True)], label]
            for features, label in part
        ]

    Path(target).parent.mkdir(exist_ok=True)
    Path(target).write_text(json.dumps({"train": scaled(train), "test": scaled(test)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
