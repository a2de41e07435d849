"""Objects read from packs, as Git has them; what is not to be had is left to libgit2."""

from __future__ import annotations

import os
import struct
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from exprun.git import pack_reading
from exprun.git.objects import ObjectStore
from exprun.git.pack_reading import Packs

if TYPE_CHECKING:
    from pathlib import Path


def _git(repo: Path, *args: str) -> bytes:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(
        ["git", *identity, *args], cwd=repo, check=True, capture_output=True, timeout=60
    ).stdout


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "--quiet")
    (tmp_path / "noise").write_bytes(os.urandom(70_000))
    (tmp_path / "empty").touch()
    text = "".join(f"line {number}\n" for number in range(2_000))
    for turn in range(2):
        (tmp_path / "text").write_text(text + f"{turn}\n")
        _git(tmp_path, "add", ".")
        _git(tmp_path, "commit", "--quiet", "-m", str(turn))
    _git(tmp_path, "repack", "-adq")
    return tmp_path


def test_every_object_is_what_git_says(repo: Path) -> None:
    packs = Packs(str(repo / ".git/objects/pack"))
    listed = _git(repo, "cat-file", "--batch-all-objects", "--batch-check").decode()
    assert packs.look()
    whole = 0
    for oid, kind, _ in map(str.split, listed.splitlines()):
        expected = _git(repo, "cat-file", kind, oid)
        found = packs.read(oid)
        whole += found is not None
        assert found in (None, (kind, expected))
        assert ObjectStore(str(repo / ".git/objects")).read(oid, kind) == expected  # type: ignore[arg-type]
    assert 0 < whole < len(listed.splitlines()), "one is stored as a difference"
    assert packs.read("0" * 40) is None
    assert packs.read("f" * 40) is None
    assert not packs.look()


def test_what_is_packed_later_is_found(repo: Path) -> None:
    objects = ObjectStore(str(repo / ".git/objects"))
    head = _git(repo, "rev-parse", "HEAD").decode().strip()
    objects.read(head, "commit")
    (repo / "text").write_text("new\n")
    _git(repo, "commit", "--quiet", "-am", "new")
    new = _git(repo, "rev-parse", "HEAD").decode().strip()
    objects.read(new, "commit")
    tree = _git(repo, "rev-parse", "HEAD^{tree}").decode().strip()
    _git(repo, "gc", "--quiet", "--prune=now")

    assert objects.read(tree, "tree") == _git(repo, "cat-file", "tree", tree)


def test_of_too_many_packs_none_is_read(repo: Path) -> None:
    directory = repo / ".git/objects/pack"
    head = _git(repo, "rev-parse", "HEAD").decode().strip()
    for number in range(50):
        (directory / f"pack-{number}.idx").touch()
    packs = Packs(str(directory))
    packs.look()

    assert packs.read(head) is None


def test_not_all_of_many_packs_stay_open(repo: Path) -> None:
    names = []
    for number in range(150):
        (repo / "text").write_text(f"{number}\n")
        names.append(_git(repo, "hash-object", "-w", "text").decode().strip())
        listed = f"{names[-1]}\n".encode()
        pack = ("git", "pack-objects", "--quiet", ".git/objects/pack/pack")
        subprocess.run(pack, cwd=repo, input=listed, check=True, capture_output=True, timeout=60)
    _git(repo, "prune-packed")
    objects = ObjectStore(str(repo / ".git/objects"))
    for number, name in enumerate(names):
        assert objects.read(name, "blob") == f"{number}\n".encode()

    opened = [os.path.realpath(f"/dev/fd/{name}") for name in os.listdir("/dev/fd")]
    assert sum(path.startswith(str(repo)) for path in opened) <= 100


def test_a_damaged_pack_is_left_to_libgit2(repo: Path) -> None:
    directory = repo / ".git/objects/pack"
    (pack,) = directory.glob("*.pack")
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:13])
    head = _git(repo, "rev-parse", "HEAD").decode().strip()
    packs = Packs(str(directory))
    packs.look()
    assert packs.read(head) is None


def test_an_index_that_is_none_is_left_to_libgit2(repo: Path) -> None:
    directory = repo / ".git/objects/pack"
    for name, content in (("a", b""), ("b", b"junk"), ("c", b"\xfftOc\0\0\0\x02\xff")):
        (directory / f"pack-{name}.idx").write_bytes(content)
        (directory / f"pack-{name}.pack").touch()
    head = _git(repo, "rev-parse", "HEAD").decode().strip()
    packs = Packs(str(directory))
    packs.look()

    assert packs.read(head) is not None
    assert packs.read("a" * 40) is None


@pytest.mark.parametrize("window", [1, 2, 400])
def test_a_name_is_found_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(pack_reading, "_WINDOW", window)
    first = bytes.fromhex("aa" + 18 * "00" + "aa")
    second = bytes.fromhex("aa01" + 18 * "02")
    # It begins with the last byte of the first name, and goes on as the second.
    third = first[-1:] + second[:-1]
    names = [first, second, third]
    fan_out = [len(names) if byte >= 0xAA else 0 for byte in range(256)]
    objects = [bytes([3 << 4 | 1]) + zlib.compress(bytes([65 + at])) for at in range(3)]
    offsets = [sum(map(len, objects[:at])) for at in range(3)]
    (tmp_path / "pack-x.pack").write_bytes(b"".join(objects))
    (tmp_path / "pack-x.idx").write_bytes(
        struct.pack(">4sI256I", b"\xfftOc", 2, *fan_out)
        + b"".join(names)
        + bytes(4 * len(names))
        + struct.pack(">3I", *offsets)
    )
    packs = Packs(str(tmp_path))
    packs.look()

    assert [packs.read(name.hex()) for name in names] == [
        ("blob", b"A"), ("blob", b"B"), ("blob", b"C"),
    ]  # fmt: skip
    assert packs.read((second[-1:] + third[:-1]).hex()) is None
    assert packs.read((first[:-1] + b"\xab").hex()) is None
