"""Removing outputs before a run, unprotecting, and clearing away unused ones."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exprun.store import NoSpace
from tests.support.deep import nest

from .oracle import picture

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Sandbox


def test_removes_whatever_is_there(box: Sandbox) -> None:
    store = box.store()
    data = box.write({"a": "1", "sub/deep/b": "2"}, "data")
    (data / "sub" / "deep" / "b").chmod(0o444)
    (data / "sub" / "deep").chmod(0o555)
    outside = box.base / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (data / "link").symlink_to(outside)
    (box.ws / "link").symlink_to(outside)
    (box.ws / "broken").symlink_to("nowhere")
    for name in ("data", "link", "broken", "absent", "absent/below"):
        store.remove_output(str(box.ws / name), root=box.root)
    assert os.listdir(box.ws) == []
    assert os.listdir(outside) == ["precious"]


def test_removes_however_deep_it_is(box: Sandbox) -> None:
    """Deeper than calls may nest, than descriptors may be open, and than a path may be long."""
    nest(box.ws, 2500, beside=True)
    box.store().remove_output(str(box.ws / "d"), root=box.root)
    assert os.listdir(box.ws) == ["e"]


@pytest.mark.skipif(os.getuid() != 0, reason="needs to become somebody else")
def test_removes_read_only_directories_without_privileges(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from exprun.store import Store, StoreConfig\n"
        "import exprun.store.removal\n"
        "root = sys.argv[1]\n"
        "store = Store(StoreConfig(cache_dir=root + '/cache'))\n"
        "os.setuid(65534)\n"
        "os.makedirs(root + '/data/sub/deep')\n"
        "open(root + '/data/sub/deep/f', 'w').close()\n"
        "for name in ('data/sub/deep', 'data/sub', 'data'): os.chmod(f'{root}/{name}', 0o500)\n"
        "os.chmod(root + '/data/sub/deep', 0)\n"
        "store.remove_output(root + '/data', root=root)\n"
        "print(os.listdir(root))\n"
    )
    root = "/tmp" if not os.path.isdir("/dev/shm") else "/dev/shm"
    directory = os.path.join(root, f"exprun-test-{os.getpid()}")
    os.mkdir(directory)
    os.chmod(directory, 0o777)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, directory], capture_output=True, text=True, timeout=60
        )
    finally:
        shutil.rmtree(directory)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("types", [("hardlink",), ("symlink",), ("copy",)])
@pytest.mark.parametrize("shared", [False, True])
def test_unprotect_gives_files_of_their_own(
    box: Sandbox, types: tuple[str, ...], shared: bool
) -> None:
    store = box.store(link_types=types, shared=shared)
    data = box.write({"a": "1", "sub/b": "2"}, "data")
    content = store.collect(str(data), root=box.root)
    store.unprotect(str(data), root=box.root)
    store.unprotect(str(box.ws / "absent"), root=box.root)
    mode = 0o664 if shared else 0o666 & ~store._modes.umask
    files = {k: v for k, v in picture(data).items() if v[0] != "directory"}
    assert files == {"a": ("file", mode, "1"), "sub/b": ("file", mode, "2")}
    (data / "a").write_text("changed")
    assert store.has(content, verify=True)


def test_unused_outputs_are_removed_if_unmodified(box: Sandbox) -> None:
    store = box.store()
    for name in ("used", "gone", "old", "edited", "moved"):
        store.collect(str(box.write({"x": name}, name)), root=box.root)
    (box.ws / "edited" / "x").write_text("by hand")
    store.remove_output(str(box.ws / "gone"), root=box.root)
    outside = box.base / "outside"
    os.rename(box.ws / "moved", outside)
    (box.ws / "moved").symlink_to(outside)
    box.write({"mine": "never an output"})
    other = box.base / "other"
    other.mkdir()
    old = store.content(str(box.ws / "old"))
    assert old is not None
    store.checkout(old, str(other / "old"), root=str(other))

    removed = box.store().remove_unused_outputs(box.root, [str(box.ws / "used")])
    assert removed == [str(box.ws / "old")]
    assert sorted(os.listdir(box.ws)) == ["edited", "mine", "moved", "used"]
    assert (outside / "x").exists()
    assert (other / "old").exists()
    assert box.store().remove_unused_outputs(box.root, [str(box.ws / "used")]) == []


def test_no_space_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    script = (
        "import resource, sys\n"
        "from exprun.store import NoSpace, Store, StoreConfig\n"
        "root = sys.argv[1]\n"
        "store = Store(StoreConfig(cache_dir=root + '/cache'))\n"
        "for name, size in (('small', 500_000), ('large', 3_000_000)):\n"
        "    with open(f'{root}/{name}', 'wb') as file: file.write(b'x' * size)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "for name in ('small', 'large'):\n"
        "    try: store.collect(f'{root}/{name}', root=root)\n"
        "    except NoSpace as error: print(error.message)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "contents = [store.collect(f'{root}/{name}', root=root) for name in ('small', 'large')]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "for content in contents:\n"
        "    try: store.checkout(content, root + '/again', root=root)\n"
        "    except NoSpace as error: print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "cannot collect: file too large",
        "cannot collect: file too large",
        "cannot check out: file too large",
        "cannot check out: file too large",
    ], done.stderr
    files = [p for p in tmp_path.rglob("*") if stat.S_ISREG(p.stat().st_mode)]
    assert len(files) == 4
    assert not any(p.name.endswith(".tmp") or p.name == "again" for p in files)
    assert issubclass(NoSpace, Exception)
