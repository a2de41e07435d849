"""Parameter files as an experiment wants them, computed before anything is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.errors import UsageError
from exprun.model.files import OUT_OF_MEANS
from exprun.model.paths import Location, is_outside, join
from exprun.params.edits import apply_overrides
from exprun.params.overrides import DEFAULT_FILE
from exprun.params.pairs import parse_pairs
from exprun.params.parsing import parse_overrides
from exprun.runner.prepared import Edits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.model.experiment import ExperimentSpec
    from exprun.params.hydra import Composition
    from exprun.params.overrides import Override
    from exprun.runner.opening import Opened


def parse_edits(spec: ExperimentSpec) -> dict[str, tuple[Override, ...]]:
    """The overrides of ``--params`` and ``-S`` by file, as spelled. Raises UsageError."""
    overrides: dict[str, tuple[Override, ...]] = {}
    for each in (parse_pairs(spec.params), parse_overrides(spec.set_params)):
        for file, more in each.items():
            overrides[file] = overrides.get(file, ()) + more
    return overrides


def edit_params(
    opened: Opened, spec: ExperimentSpec, overrides: Mapping[str, tuple[Override, ...]]
) -> Edits:
    """The new contents of every parameters file that the experiment touches.

    Raises UsageError for overrides that do not fit, ParamsError for files that cannot be edited.
    """
    composed = _composed_file(opened, spec)
    edits = Edits()
    names: dict[str, list[Location]] = {}  # of each file, however it is spelled, behind links too
    for file in dict.fromkeys([*overrides, *([DEFAULT_FILE] if composed else [])]):
        location = _locate(file, opened, spec)
        ours = overrides.get(file, ())
        base = edits.bases[location] = _read(opened, location)
        known = names.setdefault(os.path.realpath(f"{opened.place.root}/{location}"), [])
        if composed is not None and file == DEFAULT_FILE:
            from exprun.params.hydra import compose

            content = compose(composed, ours)
        else:
            content = apply_overrides(edits.contents[known[0]] if known else base, location, ours)
        known.append(location)
        edits.contents.update(dict.fromkeys(known, content))
    return edits


def require_unchanged(opened: Opened, edits: Edits) -> None:
    """Raise UsageError if a file is no longer what it was when its new content was made."""
    for location, base in edits.bases.items():
        if _read(opened, location) != base:
            raise UsageError(
                f"'{location}' was changed while the experiment waited to start",
                hint="run it again",
            )


def _locate(file: str, opened: Opened, spec: ExperimentSpec) -> Location:
    if os.path.isabs(file):
        location = Location(os.path.relpath(file, opened.place.root))
    else:
        location = join(spec.options.selection.cwd, file)
    if is_outside(location):
        raise UsageError(f"'{file}' lies outside of the project and is not edited")
    return location


def _read(opened: Opened, location: Location) -> bytes | None:
    try:
        return opened.files.read(location)
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        raise UsageError(f"'{location}' is a directory, not a parameters file") from None
    except OSError as error:
        if error.errno in OUT_OF_MEANS:
            raise
        raise UsageError(f"'{location}' cannot be read: {error.strerror}") from None


def _composed_file(opened: Opened, spec: ExperimentSpec) -> Composition | None:
    """What Hydra makes a parameters file of, if the experiment has one made."""
    hydra = opened.config.hydra
    if not (hydra.enabled and spec.hydra):
        return None
    from exprun.params.hydra import composition

    return composition(opened.config.options.get(("hydra",), {}), root=opened.place.root)
