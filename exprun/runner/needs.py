"""What a stage asks of exprun under ``meta: {exprun: …}``, where stock DVC lets anything stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.errors import PipelineError, UsageError
from exprun.model.quantities import parse_duration, parse_size
from exprun.model.values import dataclass, field
from exprun.scheduler.budget import Budget
from exprun.scheduler.vocabulary import Needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exprun.model.files import Files
    from exprun.model.stage import Stage
    from exprun.scheduler.budget import Limits

KEY = "exprun"

_MOST_RETRIES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """How a stage is to run: what it holds meanwhile, for how long, and how often it may fail."""

    needs: Needs = field(default_factory=Needs)
    retries: int = 0
    timeout_s: float | None = None
    allow_daemons: bool = False


_NOTHING = Requirements()


def requirements_of(stage: Stage) -> Requirements:
    """What `stage` asks for. Raises PipelineError for a key or a value that makes no sense."""
    if not isinstance(stage.meta, dict) or stage.meta.get(KEY) is None or not stage.cmd:
        return _NOTHING
    asked = stage.meta[KEY]
    if not isinstance(asked, dict):
        raise _wrong(stage, "must be a map", hint=f"it may hold: {', '.join(_READERS)}")
    return _requirements({str(key): _read(stage, str(key), asked[key]) for key in asked})


def require_fit(stages: Iterable[Stage], limits: Limits | None, files: Files) -> None:
    """Raise PipelineError if a stage asks for something in a wrong way, and UsageError if one could
    never run within `limits`, naming the place in the project's `files`.
    """
    budget = Budget(limits) if limits else None
    for stage in stages:
        try:
            needs = requirements_of(stage).needs
        except PipelineError as error:
            where = _place(stage, files)
            raise PipelineError(error.message, where=where, hint=error.hint) from None
        refusal = budget.refusal(needs) if budget else None
        if refusal is not None:
            raise UsageError(
                f"stage '{stage.name}' can never run here: {refusal}",
                where=_place(stage, files),
                hint="give more with --resources, or in exprun.toml",
            )


def _place(stage: Stage, files: Files) -> str:
    """Where in its file a stage asks for something, with the line."""
    from exprun.formats.lines import line_of

    try:
        text = files.read(stage.file).decode(errors="replace")
    except OSError:
        return stage.file
    entry = ("stages", (stage.name or "").partition("@")[0])
    asked = ("meta", KEY)
    # In what foreach repeats it is a step further down.
    line = max(line_of(text, (*entry, *asked)), line_of(text, (*entry, "do", *asked)))
    return f"{stage.file}:{line}"


def _requirements(values: Mapping[str, object]) -> Requirements:
    held = {key: values[key] for key in ("cpus", "gpus", "mem") if key in values}
    return Requirements(
        needs=Needs(**held, mutexes=values.get("mutex", ())),  # type: ignore[arg-type]
        retries=values.get("retries", 0),  # type: ignore[arg-type]
        timeout_s=values.get("timeout"),  # type: ignore[arg-type]
        allow_daemons=values.get("allow_daemons", False),  # type: ignore[arg-type]
    )


def _read(stage: Stage, key: str, value: object) -> object:
    reader = _READERS.get(key)
    if reader is None:
        raise _wrong(stage, f"has no '{key}'", hint=_suggestion(key))
    try:
        return reader(value)
    except ValueError as error:
        raise _wrong(stage, f"'{key}' is {value!r}, but {error}") from None


def _wrong(stage: Stage, what: str, *, hint: str | None = None) -> PipelineError:
    name = f"stage '{stage.name}': " if stage.name else ""
    return PipelineError(f"{name}meta.{KEY} {what}", where=stage.file, hint=hint)


def _suggestion(key: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(key, _READERS, n=1)
    return f"did you mean '{close[0]}'?" if close else f"it may hold: {', '.join(_READERS)}"


def read_cpus(value: object) -> float:
    """CPUs, parts of one too. Raises ValueError, as the readers below."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6:
        return value
    raise ValueError("a number of CPUs is expected")


def _read_gpus(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("a number of GPUs is expected")


def _read_retries(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_RETRIES:
        return value
    raise ValueError(f"a number from 0 to {_MOST_RETRIES} is expected")


def _read_mutexes(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and all(isinstance(name, str) and name for name in names):
        return tuple(dict.fromkeys(names))
    raise ValueError("a name or a list of names is expected")


def _read_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("true or false is expected")


_READERS: dict[str, Callable[[object], object]] = {
    "cpus": read_cpus,
    "gpus": _read_gpus,
    "mem": parse_size,
    "timeout": parse_duration,
    "retries": _read_retries,
    "mutex": _read_mutexes,
    "allow_daemons": _read_flag,
}
