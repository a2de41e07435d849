"""DVC itself, in the same process, as the judge of what a dvc.yaml means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.oracle import Oracle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def _dvc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("DVC_NO_ANALYTICS", "1")
        for name in ("GLOBAL", "SYSTEM"):
            patch.setenv(f"DVC_{name}_CONFIG_DIR", str(home / name))
        patch.setenv("DVC_SITE_CACHE_DIR", str(home / "site"))
        yield Oracle.create(tmp_path_factory.mktemp("project"))


@pytest.fixture
def oracle(_dvc: Oracle, monkeypatch: pytest.MonkeyPatch) -> Iterator[Oracle]:
    monkeypatch.chdir(_dvc.root)
    yield _dvc
    _dvc.clear()


@pytest.fixture
def project_root(_dvc: Oracle) -> Path:
    return _dvc.root
