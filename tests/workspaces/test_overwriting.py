from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.workspaces.overwriting import overwrite

if TYPE_CHECKING:
    from pathlib import Path


def test_files_are_written_over_unless_they_have_another_name(tmp_path: Path) -> None:
    plain, linked = tmp_path / "plain", tmp_path / "linked"
    for path in (plain, linked):
        path.write_text("before")
        path.chmod(0o644)
    other = tmp_path / "other"
    os.link(linked, other)
    inode = plain.stat().st_ino
    assert overwrite(str(plain), b"after", 0o644)
    assert (plain.read_text(), plain.stat().st_ino) == ("after", inode)
    assert not overwrite(str(linked), b"after", 0o644)
    assert not linked.exists()
    assert other.read_text() == "before"


def test_only_a_file_of_the_right_permissions_is_written_over(tmp_path: Path) -> None:
    secret, outside = tmp_path / "secret", tmp_path / "outside"
    secret.write_text("before")
    secret.chmod(0o600)
    outside.write_text("before")
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(outside)
    os.mkfifo(pipe)
    for path in (secret, link, pipe):
        assert not overwrite(str(path), b"after", 0o644)
        assert not os.path.lexists(path)
    assert outside.read_text() == "before"
    assert not overwrite(str(tmp_path / "absent"), b"after")
