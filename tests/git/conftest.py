from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.git.project import GitProject

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def git_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(
        "[user]\n\tname = A U Thor\n\temail = author@example.com\n"
        '[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n'
        "[commit]\n\tgpgsign = false\n[gc]\n\tauto = 0\n"
    )
    return {
        "HOME": str(home),
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "GIT_CONFIG_NOSYSTEM": "1",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def project(tmp_path: Path, git_env: dict[str, str]) -> GitProject:
    root = tmp_path / "project"
    root.mkdir()
    made = GitProject(root, git_env)
    made.git("init", "-q")
    return made
