"""A cache and a workspace for each test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from exprun.store import Store, StoreConfig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Sandbox:
    """A workspace `ws`, a cache beside it, and the stores opened on them."""

    base: Path
    warnings: list[str] = field(default_factory=list)
    opened: list[Store] = field(default_factory=list)

    @property
    def ws(self) -> Path:
        return self.base / "ws"

    @property
    def cache(self) -> Path:
        return self.base / "cache"

    @property
    def root(self) -> str:
        return str(self.ws)

    def store(self, **options: Any) -> Store:
        """A new store, as another process would open it once those before have ended."""
        for other in self.opened:
            other.close()
        options.setdefault("records", str(self.base / "records"))
        store = Store(StoreConfig(cache_dir=str(self.cache), **options), warn=self.warnings.append)
        self.opened.append(store)
        return store

    def write(self, files: dict[str, str], under: str = "") -> Path:
        """Writes files into the workspace; the directory they are under."""
        directory = self.ws / under
        directory.mkdir(parents=True, exist_ok=True)
        for relpath, text in files.items():
            path = directory / relpath
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return directory

    def objects(self) -> set[str]:
        """The names of all objects of the cache."""
        root = self.cache / "files" / "md5"
        return {p.parent.name + p.name for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path)
    sandbox.ws.mkdir()
    yield sandbox
    for store in sandbox.opened:
        store.close()


@dataclass
class HashCount:
    """The paths that were read to be hashed."""

    paths: list[str] = field(default_factory=list)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> HashCount:
    """Notes every file that is hashed."""
    from exprun.store import collecting, hashing, inspecting, transfer

    count = HashCount()
    original = hashing.hash_file
    read = hashing.read_file

    def hash_file(path: str, *, legacy: bool = False) -> Any:
        count.paths.append(path)
        return original(path, legacy=legacy)

    def read_file(path: str) -> Any:
        count.paths.append(path)
        return read(path)

    for module in (hashing, inspecting, transfer):
        monkeypatch.setattr(module, "hash_file", hash_file)
    monkeypatch.setattr(collecting, "read_file", read_file)
    return count


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes even the smallest files worth a record."""
    from exprun.store import clock

    monkeypatch.setattr(clock, "WORTH_WAITING", 0)
