"""What all running stages may hold together: from ``--resources``, or `[resources]` of a file.

``exprun.toml`` lies at the project's root and in the user's configuration folder, because DVC
refuses keys that it does not know in its own files. The command line goes before the project, the
project before the user, resource by resource.
"""

from __future__ import annotations

import os
from itertools import takewhile
from typing import TYPE_CHECKING

from exprun.content import only_files
from exprun.errors import ConfigError, ExprunError, UsageError
from exprun.model.quantities import parse_size
from exprun.model.values import dataclass
from exprun.runner.needs import read_cpus
from exprun.scheduler.budget import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FILE = "exprun.toml"

_LARGEST_FILE = 1_000_000
_DESCRIPTORS_OF_A_JOB = 10
_OTHER_DESCRIPTORS = 30
_MOST_GPUS = 4096
_EXAMPLE = "for example: --resources gpus=2,cpus=8,mem=16G"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What running stages may hold together; None where nothing is said.

    `gpus` is how many there are, or the ids to hand out; `mem` is in bytes.
    """

    cpus: float | None = None
    gpus: int | tuple[str, ...] | None = None
    mem: int | None = None

    def or_else(self, other: Resources) -> Resources:
        """This budget, with that of `other` for what it says nothing of."""
        return Resources(
            cpus=other.cpus if self.cpus is None else self.cpus,
            gpus=other.gpus if self.gpus is None else self.gpus,
            mem=other.mem if self.mem is None else self.mem,
        )

    def limits(self, jobs: int, env: Mapping[str, str]) -> Limits:
        """The scheduler's limits.

        The GPUs are those that ``CUDA_VISIBLE_DEVICES`` leaves us, if it is set. Raises UsageError
        if it leaves fewer than the budget has.
        """
        return Limits(jobs=jobs, cpus=self.cpus, gpus=self._gpu_ids(env), mem=self.mem)

    def _gpu_ids(self, env: Mapping[str, str]) -> tuple[str, ...]:
        if isinstance(self.gpus, tuple):
            return tuple(dict.fromkeys(self.gpus))
        visible = env.get("CUDA_VISIBLE_DEVICES")
        if visible is None:
            return tuple(map(str, range(self.gpus or 0)))
        named = dict.fromkeys(part.strip() for part in visible.split(","))
        # What follows a number that is none is hidden from CUDA, too.
        ids = tuple(takewhile(lambda id: id not in ("", "-1"), named))
        if self.gpus is None:
            return ids
        if self.gpus > len(ids):
            raise UsageError(
                f"the budget has {self.gpus} GPUs, CUDA_VISIBLE_DEVICES names {len(ids)}",
                hint="name the ids themselves: --resources gpus=0:1",
            )
        return ids[: self.gpus]


def jobs_that_fit(jobs: int, warn: Callable[[str], None]) -> int:
    """At most `jobs`, and no more than there are descriptors for; `warn` is told if that is less.

    Running out of them where a stage is started is put off; elsewhere it would end the run.
    """
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(1, (limit - _OTHER_DESCRIPTORS) // _DESCRIPTORS_OF_A_JOB)
    if limit == resource.RLIM_INFINITY or jobs <= most:
        return jobs
    warn(f"no more than {most} jobs run at a time, for {limit} files may be open (ulimit -n)")
    return most


def parse_resources(text: str) -> Resources:
    """The budget that ``gpus=2,cpus=8,mem=16G`` spells; ``gpus=0:3:5`` names ids, ``3:`` one.

    Raises UsageError.
    """
    values: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or key not in _READERS:
            raise UsageError(f"--resources: '{part}' is no resource", hint=_EXAMPLE)
        values[key] = _number(value) if key != "mem" else value
    return _resources(
        values, lambda key, why: UsageError(f"--resources: '{key}': {why}", hint=_EXAMPLE)
    )


def load_resources(directories: Iterable[str]) -> Resources:
    """The budget of the files in `directories`, the first that says something counting.

    Raises ConfigError.
    """
    found = Resources()
    for directory in directories:
        found = found.or_else(_load(os.path.join(directory, FILE)))
    return found


def _load(path: str) -> Resources:
    try:
        with open(path, "rb", opener=only_files) as file:
            data = file.read(_LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Resources()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path) from None
    if len(data) > _LARGEST_FILE:
        raise ConfigError(f"is larger than {_LARGEST_FILE} bytes", where=path)
    import tomllib

    try:
        document = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"is no TOML document: {error}", where=path) from None
    for name in document.keys() - {"resources"}:
        raise ConfigError(f"'{name}' is not known", where=path, hint="it may hold: [resources]")
    section = document.get("resources", {})
    if not isinstance(section, dict):
        raise ConfigError("'resources' must be a table", where=path)
    for key in section.keys() - _READERS.keys():
        known = ", ".join(_READERS)
        raise ConfigError(f"[resources] has no '{key}'", where=path, hint=f"it may hold: {known}")
    return _resources(
        section, lambda key, why: ConfigError(f"[resources] {key}: {why}", where=path)
    )


def _resources(
    values: Mapping[str, object], refuse: Callable[[str, str], ExprunError]
) -> Resources:
    found: dict[str, object] = {}
    for key, value in values.items():
        try:
            found[key] = _READERS[key](value)
        except ValueError as error:
            raise refuse(key, str(error)) from None
    return Resources(**found)  # type: ignore[arg-type]  # The readers make what is expected.


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _read_gpus(value: object) -> int | tuple[str, ...]:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_GPUS:
        return value
    ids = value.split(":") if isinstance(value, str) else value
    if isinstance(ids, list) and all(isinstance(id, str | int) for id in ids):
        named = tuple(dict.fromkeys(name for id in ids if (name := str(id).strip())))
        if named and not any("," in name for name in named):
            return named
    raise ValueError("a number of GPUs, or ids such as 0:3:5, are expected")


_READERS: dict[str, Callable[[object], object]] = {
    "cpus": read_cpus,
    "gpus": _read_gpus,
    "mem": parse_size,
}
