"""The names that others may build on. Changing this list is a change for users: say so in
CHANGELOG.md."""

from __future__ import annotations

from importlib import import_module

import pytest

NAMES = {
    "exprun": {
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
    },
    "exprun.abc": {
        "Executor",
        "NoOutput",
        "OutputSink",
        "StopRequest",
        "Workspace",
        "WorkspaceProvider",
    },
    "exprun.errors": {
        "ConfigError",
        "ExecutorError",
        "ExperimentFailed",
        "ExprunError",
        "GitError",
        "IndexConflict",
        "LockfileError",
        "MissingDependency",
        "NotAProject",
        "ParamsError",
        "PipelineError",
        "ProjectError",
        "RefConflict",
        "StoreError",
        "UnknownRepository",
        "UsageError",
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_public_names(name: str) -> None:
    module = import_module(name)
    defined = {
        word
        for word, value in vars(module).items()
        if not word.startswith("_") and getattr(value, "__module__", None) == name
    }
    assert defined | set(getattr(module, "__all__", ())) == NAMES[name]
    assert all(hasattr(module, word) for word in NAMES[name])
