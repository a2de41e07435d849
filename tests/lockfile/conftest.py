"""A project made once, and DVC's Repo for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lockfile.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    root = tmp_path_factory.mktemp("project").resolve()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME", "DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.chdir(root)
        scenario = Scenario(root)
        yield scenario
        scenario.repo.close()
