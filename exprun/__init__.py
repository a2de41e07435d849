"""exprun runs DVC pipelines and experiments concurrently.

`open_runner` is where to begin. What happens is told in `exprun.events`, what goes wrong is in
`exprun.errors`.
"""

# Type checkers know the name. Importing `typing`, or anything else, would cost each command time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from exprun.model.experiment import (
        ExperimentResult,
        ExperimentSpec,
        OnError,
        ReproOptions,
        Selection,
        StageResult,
    )
    from exprun.model.job import CancelReason
    from exprun.runner.embedding import Runner, open_runner
    from exprun.runner.resources import Resources
    from exprun.runner.submitted import ExperimentHandle

__version__ = "0.1.0"

__all__ = [
    "CancelReason",
    "ExperimentHandle",
    "ExperimentResult",
    "ExperimentSpec",
    "OnError",
    "ReproOptions",
    "Resources",
    "Runner",
    "Selection",
    "StageResult",
    "__version__",
    "open_runner",
]

_MODULES = {
    "CancelReason": "exprun.model.job",
    "ExperimentHandle": "exprun.runner.submitted",
    "Resources": "exprun.runner.resources",
    "Runner": "exprun.runner.embedding",
    "open_runner": "exprun.runner.embedding",
}


if not TYPE_CHECKING:  # Or a type checker would believe that every name is there.

    def __getattr__(name: str) -> object:
        """Import what is asked for, the first time it is."""
        if name.startswith("_") or name not in __all__:
            raise AttributeError(f"module 'exprun' has no attribute '{name}'")
        from importlib import import_module

        found = getattr(import_module(_MODULES.get(name, "exprun.model.experiment")), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        """What `help` and completion show."""
        return sorted({*globals(), *__all__})
