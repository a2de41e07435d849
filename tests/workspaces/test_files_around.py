from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dvc.config import Config

from exprun.errors import UsageError
from exprun.workspaces.config_local import isolated_config
from exprun.workspaces.copying import copy_path

if TYPE_CHECKING:
    from pathlib import Path

SHARED = """\
[core]
    remote = near
['remote "near"']
    url = ../storage
['remote "cloud"']
    url = s3://bucket/path
"""
LOCAL = """\
# mine
[cache]
    dir = "../my cache"
    type = symlink
['remote "cloud"']
    access_key_id = key  # secret
['remote "key"']
    url = ssh://host/path
    keyfile = ../id # here
"""


def test_dvc_reads_the_copy_as_it_reads_the_original(tmp_path: Path) -> None:
    here, there = tmp_path / "here/.dvc", tmp_path / "there/deep/.dvc"
    for directory in (here, there):
        directory.mkdir(parents=True)
        (directory / "config").write_text(SHARED)
    (here / "config.local").write_text(LOCAL)
    text = isolated_config(LOCAL, SHARED, directory=str(here), cache_dir=str(here / "cache"))
    (there / "config.local").write_text(text)
    original, copy = Config(str(here)), Config(str(there))
    assert copy["cache"]["dir"] == str(here / "cache")
    assert copy["cache"]["type"] == original["cache"]["type"]
    assert copy["core"]["remote"] == "near"
    assert copy["remote"] == original["remote"]


def test_no_local_file_is_needed(tmp_path: Path) -> None:
    (tmp_path / "config.local").write_text(
        isolated_config("", "", directory="/x", cache_dir='/a "b"/c#d')
    )
    assert Config(str(tmp_path))["cache"]["dir"] == '/a "b"/c#d'


def test_copies(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    (source / "d/e").mkdir(parents=True)
    (source / "d/e/file").write_text("1")
    (source / "file").write_text("2")
    (source / "link").symlink_to("file")
    (root / "there").mkdir(parents=True)
    for path in ("file", "link", "d"):
        copy_path(path, source=str(source), root=str(root))
    assert (root / "d/e/file").read_text() == "1"
    assert (root / "link").read_text() == "2"
    assert not (root / "link").is_symlink()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nothing", "not a file or directory"),
        ("there", "unable to copy"),
        ("missing/parent", "unable to copy"),
        ("../source/file", "outside"),
        (".", "outside"),
        ("way/file", "outside"),
        ("taken", "may not be replaced"),
        (".git/config", "may not be replaced"),
    ],
)
def test_what_cannot_be_copied(tmp_path: Path, path: str, reason: str) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    for directory in ("there", "missing", "way", ".git"):
        (source / directory).mkdir(parents=True)
    for file in ("file", "missing/parent", "way/file", "taken", ".git/config"):
        (source / file).write_text("x")
    (root / "there").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "way").symlink_to(tmp_path)
    (root / "taken").symlink_to(tmp_path / "victim")
    with pytest.raises(UsageError, match=reason):
        copy_path(path, source=str(source), root=str(root))
    assert not (tmp_path / "victim").exists()
    assert not (tmp_path / "file").exists()
