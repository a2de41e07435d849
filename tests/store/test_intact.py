"""What was checked out and is still just that; everything that can have been done to it shows."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from exprun.store import Store
from tests.store.test_collect import Only

if TYPE_CHECKING:
    from pathlib import Path

    from exprun.model.lock import Content
    from exprun.store.walk import IgnoreRules
    from tests.store.conftest import Sandbox

FILES = {"a": "1", "d/b": "2", "d/e/c": "3"}


def checked_out(box: Sandbox, store: Store) -> tuple[Content, Content]:
    """A directory `data` and a file `file`, checked out where nothing was."""
    box.write({**{f"data/{name}": text for name, text in FILES.items()}, "file": "4"})
    contents = []
    for name in ("data", "file"):
        path = str(box.ws / name)
        content = store.collect(path, root=box.root)
        store.remove_output(path, root=box.root)
        store.checkout(content, path, root=box.root)
        contents.append(content)
    return contents[0], contents[1]


@pytest.mark.parametrize("kind", ["copy", "hardlink", "symlink"])
def test_what_was_just_checked_out_is_intact(box: Sandbox, kind: str) -> None:
    store = box.store(link_types=(kind,))
    directory, file = checked_out(box, store)
    assert store.intact(directory, str(box.ws / "data"), root=box.root)
    assert store.intact(file, str(box.ws / "file"), root=box.root)


CHANGES = {
    "a file that counts for nothing": "touch data/d/.cache",
    "an empty directory": "mkdir data/empty",
    "a missing file": "rm data/d/e/c",
    "a missing directory": "rm -r data/d",
    "a directory instead of a file": "rm data/a && mkdir data/a",
    "another mode": "chmod 755 data/a",
    "another mode of a directory": "chmod 700 data/d",
    "another mode of it all": "chmod 700 data",
    "a link to another file": "ln -sf ../file data/a",
    "another name for a file": "ln data/a name",
    "a link to it all": "mv data moved && ln -s moved data",
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_was_done_to_a_directory_shows(box: Sandbox, change: str) -> None:
    store = box.store(link_types=("copy",))
    directory, _ = checked_out(box, store)
    subprocess.run(["sh", "-c", CHANGES[change]], cwd=box.ws, check=True)
    assert not store.intact(directory, str(box.ws / "data"), root=box.root)


CHANGES_OF_LINKS = CHANGES | {
    "another name for a file": "ln data/a data/name",
    "two files of each other's names": "mv data/a c && mv data/d/b data/a && mv c data/d/b",
    "a file for its object's link": "cp data/a c && mv -f c data/a",
    "another file written to": "chmod 644 data/a && echo more >> data/a && chmod 444 data/a",
}


@dataclass
class Beside:
    """A workspace beside the one whose links into the cache have just been looked at."""

    box: Sandbox
    user: Store
    data: Content

    @property
    def slot(self) -> Path:
        return self.box.base / "slot"

    def look(self) -> None:
        """Looks twice: only the second time there is a record."""
        for _ in range(2):
            self.user.content(str(self.box.ws / "data"))

    def is_intact(self, ignore: IgnoreRules | None = None) -> bool:
        store = Store(replace(self.user.config, ignore=ignore), neighbour=self.user)
        return store.intact(self.data, str(self.slot / "data"), root=str(self.slot)) is not None


@pytest.fixture
def beside(box: Sandbox) -> Beside:
    user = box.store(link_types=("hardlink",))
    data, file = checked_out(box, user)
    made = Beside(box, user, data)
    made.slot.mkdir()
    store = Store(user.config, neighbour=user)
    for name, content in (("data", data), ("file", file)):
        store.checkout(content, str(made.slot / name), root=str(made.slot))
    return made


@pytest.mark.parametrize("change", CHANGES_OF_LINKS)
def test_what_was_done_to_links_shows_beside_those_just_seen(beside: Beside, change: str) -> None:
    beside.look()
    assert beside.is_intact()
    subprocess.run(["sh", "-c", CHANGES_OF_LINKS[change]], cwd=beside.slot, check=True)
    beside.look()
    assert not beside.is_intact()


def test_what_is_ignored_shows_beside_links_just_seen(beside: Beside) -> None:
    beside.look()
    assert not beside.is_intact(ignore=Only("c"))


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_a_copy_instead_of_a_link_shows(box: Sandbox, kind: str) -> None:
    store = box.store(link_types=(kind,))
    directory, file = checked_out(box, store)
    for name in ("data/a", "file"):
        path = box.ws / name
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
    assert not store.intact(directory, str(box.ws / "data"), root=box.root)
    assert not store.intact(file, str(box.ws / "file"), root=box.root)


def test_empty_files_are_copies_whatever_links_there_are(box: Sandbox) -> None:
    store = box.store(link_types=("hardlink",))
    box.write({"data/a": "1", "data/empty": ""})
    path = str(box.ws / "data")
    content = store.collect(path, root=box.root)
    store.remove_output(path, root=box.root)
    store.checkout(content, path, root=box.root)
    assert store.intact(content, path, root=box.root)


@pytest.mark.parametrize("mode", [0o600, 0o444, 0o755])
def test_the_mode_of_a_file_shows(box: Sandbox, mode: int) -> None:
    store = box.store(link_types=("copy",))
    _, file = checked_out(box, store)
    (box.ws / "file").chmod(mode)
    assert not store.intact(file, str(box.ws / "file"), root=box.root)
