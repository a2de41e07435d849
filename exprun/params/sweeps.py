"""Sweeps: one request with several values becomes several experiments, as DVC queues them."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from exprun.errors import UsageError
from exprun.params.overrides import Override, Sweep
from exprun.params.parsing import parse_override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_EXPERIMENTS = 20_000


def is_sweep(overrides: Mapping[str, Sequence[Override]]) -> bool:
    """Whether any override of any file asks for several values."""
    return any(isinstance(one.value, Sweep) for each in overrides.values() for one in each)


def expand(
    overrides: Mapping[str, Sequence[Override]],
    *,
    limit: int = MAX_EXPERIMENTS,
    shuffle: Callable[[list[str]], None] | None = None,
) -> Iterator[dict[str, tuple[Override, ...]]]:
    """The overrides of each experiment: the product over all keys of all files.

    The last key varies fastest. A later override of a key replaces an earlier one but keeps its
    place. The texts are Hydra's spelling of the values, not the user's (``1e-4`` becomes
    ``0.0001``), because DVC queues those. Raises UsageError at once if there would be no
    experiment, or more than `limit`.
    """
    axes = [
        (file, target, texts)
        for file, each in overrides.items()
        for target, texts in _texts_by_target(each, shuffle).items()
    ]
    count = math.prod(len(texts) for _, _, texts in axes)
    if count == 0:
        empty = next(target for _, target, texts in axes if not texts)
        raise UsageError(f"Invalid `--set-param` value: the sweep over '{empty}' has no values")
    if count > limit:
        raise UsageError(
            f"Invalid `--set-param` value: the sweep has {count} experiments, "
            f"which is more than {limit}",
            hint="sweep over fewer values at a time",
        )
    places = [file for file, _, _ in axes]
    parsed = [tuple(map(parse_override, texts)) for _, _, texts in axes]
    return (
        {
            file: tuple(one for place, one in zip(places, each, strict=True) if place == file)
            for file in overrides
        }
        for each in itertools.product(*parsed)
    )


def names(prefix: str, count: int) -> list[str]:
    """The names of the experiments of a sweep that was given the name `prefix`."""
    return [f"{prefix}-{number}" for number in range(1, count + 1)]


def _texts_by_target(
    overrides: Sequence[Override], shuffle: Callable[[list[str]], None] | None
) -> dict[str, list[str]]:
    """What each key may be set to; in Hydra's order: by first mention, last mention wins."""
    texts: dict[str, list[str]] = {}
    for override in overrides:
        values = [override.spelling]
        if isinstance(override.value, Sweep):
            values = list(override.value.choices)
            if override.value.shuffled:
                (shuffle or _shuffle)(values)
        texts[override.target] = [f"{override.target}={value}" for value in values]
    return texts


def _shuffle(values: list[str]) -> None:
    import random  # rarely asked for, and not cheap at start-up

    random.shuffle(values)
