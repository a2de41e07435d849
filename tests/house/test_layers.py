"""Imports go down only, and heavy libraries stay in the rooms that need them (see DESIGN.md)."""

from __future__ import annotations

import ast
import sys

from tests.house.sources import Module, modules, room_of

PUBLIC = {"", "content", "cores", "errors", "model", "room"}
PURE = {"model", "formats", "pipeline", "params", "lockfile", "scheduler"}
TOP = {"cli", "__main__"}

# What each room may import besides itself.
MAY_IMPORT = {
    "": {"model", "runner"},  # Only once a name is asked for; see test_startup.
    "errors": set[str](),
    "content": {"model"},
    "cores": set[str](),
    "room": set[str](),
    "model": {"errors"},
    "events": PUBLIC,
    "abc": PUBLIC,
    "testing": PUBLIC | {"abc", "events"},
    "formats": PUBLIC,
    "pipeline": PUBLIC | {"formats"},
    "params": PUBLIC | {"formats"},
    "lockfile": PUBLIC | {"formats"},
    "scheduler": PUBLIC,
    "store": PUBLIC,
    "git": PUBLIC | {"formats"},
    "project": PUBLIC | PURE,
    "executors": PUBLIC | {"abc", "events"},
    "queue": PUBLIC | {"git"},
    "workspaces": PUBLIC | {"store", "git"},
    "results": PUBLIC | PURE | {"git", "project", "queue", "runner", "store", "workspaces"},
    "demo": PUBLIC,
}

LIBRARIES = {
    "anyio": {"abc", "testing", "executors", "runner", "cli"},
    "fsspec": {"store"},
    "hydra": {"params"},
    "omegaconf": {"params"},
    "pygit2": {"git", "results"},
    "rich": {"cli"},
    "ruamel": {"lockfile", "params", "pipeline"},
    "structlog": {"cli"},
    "tomlkit": {"params", "formats"},
    "yaml": {"formats", "params", "lockfile"},
}

EFFECTS = {"fcntl", "pathlib", "shutil", "signal", "socket", "subprocess", "tempfile"}
EFFECTFUL = {"open", "print", "input", "exec", "eval"}
# It compiles methods, from text that it makes itself.
EXCEPT = {("exprun.model.lazy_dataclasses", "exec")}
PROCESS_WIDE = {"os.environ", "os.getenv", "os.chdir", "sys.exit", "sys.stdout", "sys.stderr"}


def test_imports_go_down_only() -> None:
    wrong = [
        f"{module.name} imports {name}"
        for module in modules()
        for name in module.imports()
        if name.split(".")[0] == "exprun" and not _may_import(module.room, room_of(name))
    ]
    assert not wrong


def _may_import(room: str, other: str) -> bool:
    if room == other or room in TOP:
        return True
    if room == "runner":
        return other not in TOP | {"results"}
    return other in MAY_IMPORT[room]


def test_libraries_are_used_in_their_rooms_only() -> None:
    wrong = [
        f"{module.name} imports {library}"
        for module in modules()
        for library in _libraries(module)
        if module.room not in LIBRARIES.get(library, ())
    ]
    assert not wrong


def test_anyio_is_used_instead_of_asyncio() -> None:
    assert not [module.name for module in modules() if "asyncio" in module.imports()]


def _libraries(module: Module) -> set[str]:
    names = {name.split(".")[0] for name in module.imports()}
    return names - sys.stdlib_module_names - {"exprun"}


def test_decisions_are_pure() -> None:
    wrong = []
    for module in modules():
        if module.room not in PURE:
            continue
        wrong += [
            f"{module.name} imports {name}" for name in EFFECTS.intersection(module.imports())
        ]
        wrong += [
            f"{module.name}:{node.lineno}: {node.func.id}()"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in EFFECTFUL
            and (module.name, node.func.id) not in EXCEPT
        ]
    assert not wrong


def test_only_the_command_line_reads_the_environment_prints_and_exits() -> None:
    wrong = [
        f"{module.name}:{node.lineno}: {word}"
        for module in modules()
        if module.room not in TOP
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and (word := ast.unparse(node)) in PROCESS_WIDE
    ]
    assert not wrong


def test_values_are_the_project_s_own_dataclasses() -> None:
    """The standard library's take too long to define (see `exprun.model.values`)."""
    wrong = [module.name for module in modules() if "dataclasses" in module.imports()]
    introspecting = {"exprun.events", "exprun.queue.specs"}
    assert set(wrong) <= {"exprun.model.values", "exprun.model.lazy_dataclasses"} | introspecting
