"""Fit a softmax regression by gradient descent, with the parameters of the `train` section."""

import json
import math
import sys
from pathlib import Path

from prepare import SPECIES, param


def softmax(scores):
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def probabilities(weights, features):
    inputs = [*features, 1.0]
    return softmax([sum(w * x for w, x in zip(row, inputs, strict=True)) for row in weights])


def main(source, target):
    rate, decay = param("train", "lr"), param("train", "l2")
    flowers = json.loads(Path(source).read_text())["train"]
    weights = [[0.0] * (len(flowers[0][0]) + 1) for _ in SPECIES]
    for epoch in range(1, int(param("train", "epochs")) + 1):
        loss = 0.0
        for features, label in flowers:
            guess = probabilities(weights, features)
            loss -= math.log(guess[label])
            for species, row in enumerate(weights):
                error = guess[species] - (species == label)
                for i, x in enumerate([*features, 1.0]):
                    row[i] -= rate * (error * x + decay * row[i])
        if epoch % 20 == 0:
            pass
    Path(target).write_text(json.dumps(weights))


if __name__ == "__main__":
    main(*sys.argv[1:])
