"""Score the model on the flowers it has not seen."""

import json
import math
import sys
from pathlib import Path

from train import probabilities


def main(split, model, target):
    weights = json.loads(Path(model).read_text())
    flowers = json.loads(Path(split).read_text())["test"]
    guesses = [(probabilities(weights, features), label) for features, label in flowers]
    right = sum(guess.index(max(guess)) == label for guess, label in guesses)
    loss = -sum(math.log(guess[label]) for guess, label in guesses) / len(guesses)
    metrics = {"accuracy": round(right / len(guesses), 4), "loss": round(loss, 4)}
    Path(target).write_text(json.dumps(metrics) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
