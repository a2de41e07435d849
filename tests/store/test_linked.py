"""Whether the cache holds all that a directory of many links names, as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from exprun.model.lock import Content
    from exprun.store import Store
    from tests.store.conftest import Sandbox

NAMES = [f"{number % 7}/{number}" for number in range(400)]


@pytest.fixture
def content(box: Sandbox) -> Content:
    """The directory `data`, of which there are records of all kinds."""
    store = open_again(box)
    data = box.write({f"data/{name}": name for name in NAMES}) / "data"
    content = store.collect(str(data), root=box.root)
    for _ in range(3):
        assert holds(box, store, content)
    return content


def open_again(box: Sandbox) -> Store:
    return box.store(link_types=("hardlink",))


def holds(box: Sandbox, store: Store, content: Content) -> bool:
    """Asks as an experiment does, which looks at its data first."""
    assert store.content(str(box.ws / "data")) == content
    return store.has(content)


def an_object(box: Sandbox, store: Store, content: Content) -> tuple[str, Path]:
    oid = store.files(content)[NAMES[5]]
    return oid, box.cache / "files" / "md5" / oid[:2] / oid[2:]


@pytest.mark.parametrize("again", [False, True])
def test_an_object_that_goes_and_comes_back_shows(
    box: Sandbox, content: Content, again: bool
) -> None:
    store = open_again(box)
    assert holds(box, store, content)
    oid, path = an_object(box, store, content)
    path.rename(box.base / "away")
    store = open_again(box) if again else store
    assert not holds(box, store, content)
    assert store.missing(content) == (oid,)
    (box.base / "away").rename(path)
    store = open_again(box) if again else store
    assert holds(box, store, content)


def test_another_file_for_an_object_shows(box: Sandbox, content: Content) -> None:
    store = open_again(box)
    assert holds(box, store, content)
    oid, path = an_object(box, store, content)
    path.unlink()
    path.write_text("another")
    assert not holds(box, store, content)
    assert store.missing(content) == (oid,)


def test_a_directory_of_the_cache_that_goes_shows(box: Sandbox, content: Content) -> None:
    store = open_again(box)
    assert holds(box, store, content)
    oid, path = an_object(box, store, content)
    path.parent.rename(box.base / "away")
    assert oid in store.missing(content)


def test_other_objects_do_not_matter(box: Sandbox, content: Content) -> None:
    store = open_again(box)
    other = box.write({name: f"other {name}" for name in NAMES}, "other")
    store.collect(str(other), root=box.root)
    for _ in range(2):
        assert holds(box, store, content)
        store = open_again(box)
