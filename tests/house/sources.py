"""The project's own modules, and what each of them imports."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

# The demo's scripts are data: they are copied into the project that it makes.
_DATA = ROOT / "exprun" / "demo" / "project"


@dataclass(frozen=True, slots=True)
class Module:
    """A module of exprun. Imports under TYPE_CHECKING count for layers, not for start-up."""

    path: Path
    tree: ast.Module

    @property
    def name(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The room's name; the package itself is the room without a name."""
        return room_of(self.name)

    def imports(self) -> Iterator[str]:
        """Every module named by an import statement, wherever that stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.module and node.level == 0, f"{self.name}: relative import"
                yield node.module


def room_of(module: str) -> str:
    """The room that a module of exprun belongs to."""
    return module.split(".")[1] if "." in module else ""


@cache
def modules() -> tuple[Module, ...]:
    """All modules of exprun."""
    paths = sorted(p for p in (ROOT / "exprun").rglob("*.py") if _DATA not in p.parents)
    return tuple(Module(path, ast.parse(path.read_text())) for path in paths)
