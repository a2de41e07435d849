"""What Git converts between a file and its blob: line ends, ``$Id$``, encodings, filter programs.

Most files are stored as they are. Whether one is not depends on its attributes and its bytes; only
then is the git command asked to convert it, so every rule and filter is Git's own.
"""

from __future__ import annotations

import os
import stat
from functools import cached_property
from typing import TYPE_CHECKING

from exprun.content import only_files, read_file, require_file
from exprun.git.command import run_git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exprun.git.objects import ObjectStore
    from exprun.git.repository import Repository

ATTRIBUTES_FILE = ".gitattributes"
_SYSTEM_ATTRIBUTES = "/etc/gitattributes"
_STREAM_FROM = 32 << 20
_LINE_ENDS = b"\r\n"
_CONTROL = bytes({*range(32), 127} - set(b"\b\t\n\f\r\x1b"))


class Conversion:
    """Conversions in one worktree, as its attributes and configuration are now."""

    def __init__(
        self,
        repository: Repository,
        *,
        has_attributes: bool,
        blob_in_index: Callable[[str], bytes | None] = lambda _: None,
    ) -> None:
        """`has_attributes`: whether the index or tree at hand holds a ``.gitattributes``."""
        self._blob_in_index = blob_in_index
        self._repository = repository
        self._has_attributes = has_attributes
        self._directories: dict[str, bool] = {}

    def store_file(self, path: str, size: int, objects: ObjectStore) -> str:
        """Store the worktree's file at `path` as a blob, as ``git add`` would; its name."""
        full = os.path.join(self._repository.workdir, path)
        if size < _STREAM_FROM:
            return self.store(path, read_file(full), objects)
        if self._is_cleaned(path, None):
            oid = self._hash_object(["--", path], b"")
            objects.copy_from(self._repository.objects, oid)
            return oid
        return objects.write_file(full)

    def store(self, path: str, data: bytes, objects: ObjectStore) -> str:
        """Store `data`, as a file at `path` would hold it, as a blob; its name."""
        if not self._is_cleaned(path, data):
            return objects.write("blob", data)
        oid = self._hash_object(["--stdin", f"--path={path}"], data)
        objects.copy_from(self._repository.objects, oid)
        return oid

    @cached_property
    def is_identity_on_checkout(self) -> bool:
        """Whether no blob of the tree at hand can look different in the worktree."""
        return not (
            self._has_attributes
            or self._has_distant_attributes
            or self._autocrlf == "true"
            or self._wants_crlf
        )

    def is_smudged(self, path: str, data: bytes) -> bool:
        """Whether a blob may look different when it is checked out at `path`."""
        return (
            self._line_ends_change(path, data)
            or (b"$Id" in data and self._attribute(path, "ident") is True)
            or self._is_encoded(path)
            or self._has_filter(path, "smudge")
        )

    def with_line_ends(self, path: str, data: bytes) -> bytes:
        """`data` with the line ends that Git gives what it checks out at `path`."""
        if not self._line_ends_change(path, data):
            return data
        return data.replace(_LINE_ENDS, b"\n").replace(b"\n", _LINE_ENDS)

    def _is_cleaned(self, path: str, data: bytes | None) -> bool:
        if self._autocrlf is None and not self._may_have_attributes(path.rpartition("/")[0]):
            return False
        return (
            ((data is None or b"\r\n" in data) and self._loses_cr(path))
            or ((data is None or b"$Id" in data) and self._attribute(path, "ident") is True)
            or self._is_encoded(path)
            or self._has_filter(path, "clean")
        )

    def _loses_cr(self, path: str) -> bool:
        if not self._is_text(path):
            return False
        if self._is_declared_text(path):
            return True
        # Git leaves a file it only guesses to be text alone once CRLF is in the index.
        old = self._blob_in_index(path)
        return old is None or b"\r\n" not in old or _looks_binary(old)

    def _is_text(self, path: str) -> bool:
        """Whether line ends are Git's business: declared to be, or if it looks like text."""
        text = self._text_attribute(path)
        if text is not None:
            return text is not False
        return self._attribute(path, "eol") is not None or self._autocrlf is not None

    def _is_declared_text(self, path: str) -> bool:
        text = self._text_attribute(path)
        if text is None:
            return self._attribute(path, "eol") is not None
        return text is not False and text != "auto"

    def _text_attribute(self, path: str) -> str | bool | None:
        text = self._attribute(path, "text")
        return self._attribute(path, "crlf") if text is None else text

    def _line_ends_change(self, path: str, data: bytes) -> bool:
        if b"\n" not in data or self._text_attribute(path) is False:
            return False
        eol = self._attribute(path, "eol")
        if eol is not None:
            return eol == "crlf"
        wants_crlf = self._autocrlf == "true" or (self._autocrlf is None and self._wants_crlf)
        return wants_crlf and self._is_text(path)

    @cached_property
    def _wants_crlf(self) -> bool:
        return (self._repository.config.get("core.eol") or "").lower() == "crlf"

    @cached_property
    def _autocrlf(self) -> str | None:
        """``true`` or ``input``; None when off."""
        value = self._repository.config.get("core.autocrlf")
        if value is not None and value.lower() == "input":
            return "input"
        return "true" if self._repository.config.is_true("core.autocrlf") else None

    def _is_encoded(self, path: str) -> bool:
        return isinstance(self._attribute(path, "working-tree-encoding"), str)

    def _has_filter(self, path: str, direction: str) -> bool:
        driver = self._attribute(path, "filter")
        if not isinstance(driver, str):
            return False
        config = self._repository.config
        return bool(
            config.get(f"filter.{driver}.{direction}") or config.get(f"filter.{driver}.process")
        )

    def _attribute(self, path: str, name: str) -> str | bool | None:
        if not self._may_have_attributes(path.rpartition("/")[0]):
            return None
        return self._repository.libgit2.get_attr(os.fsencode(path), name)

    def _may_have_attributes(self, directory: str) -> bool:
        known = self._directories.get(directory)
        if known is None:
            above = directory != "" and self._may_have_attributes(directory.rpartition("/")[0])
            here = _is_there(f"{self._repository.workdir}/{directory}/{ATTRIBUTES_FILE}")
            known = here or above or self._has_attributes or self._has_distant_attributes
            self._directories[directory] = known
        return known

    @cached_property
    def _has_distant_attributes(self) -> bool:
        """Whether attributes are given outside the worktree."""
        return any(map(os.path.exists, _distant_attributes(self._repository))) or (
            self._repository.config.get("core.attributesfile") is not None
        )

    def _hash_object(self, args: list[str], data: bytes) -> str:
        # safecrlf would refuse what DVC stores; the conversion itself is the same.
        text = run_git(
            self._repository.workdir,
            self._repository.env,
            ["-c", "core.safecrlf=false", "hash-object", "-w", *args],
            data,
        )
        return text.decode("ascii").strip()


def _is_there(path: str) -> bool:
    """Whether there is a file, which libgit2 will read. Raises OSError for a FIFO or a device."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return os.path.lexists(path)
    if not stat.S_ISDIR(mode):
        require_file(mode, path)
    return True


def attribute_files(paths: Iterable[str]) -> list[str]:
    """Those of the paths that give attributes."""
    return [path for path in paths if path.endswith(ATTRIBUTES_FILE)]


def conversion_state(repository: Repository) -> bytes:
    """What decides, besides the attributes in a tree, how Git converts: the settings, whoever made
    them, and the attributes outside the worktree.
    """
    settings = [f"{key}={value}" for _, key, value in repository.config.settings]
    state = ["\n".join(settings).encode(errors="surrogateescape")]
    for path in _distant_attributes(repository):
        try:
            with open(path, "rb", opener=only_files) as file:
                state.append(os.fsencode(path) + b"\n" + file.read())
        except OSError:
            continue
    return b"\0".join(state)


def _distant_attributes(repository: Repository) -> list[str]:
    """Where attributes may be given outside the worktree."""
    env = repository.env
    home = env.get("HOME", "")
    config_home = env.get("XDG_CONFIG_HOME") or f"{home}/.config"
    files = [
        f"{repository.common_dir}/info/attributes",
        f"{config_home}/git/attributes",
        _SYSTEM_ATTRIBUTES,
    ]
    named = repository.config.get("core.attributesfile")
    if named is not None:
        files.append(os.path.join(home, named[2:]) if named.startswith("~/") else named)
    return files


def _looks_binary(data: bytes) -> bool:
    """Git's guess (``convert.c``): a NUL, a lone CR, or more than one control byte in 128."""
    if b"\0" in data or data.count(b"\r") != data.count(_LINE_ENDS):
        return True
    data = data.removesuffix(b"\x1a").translate(None, _LINE_ENDS)
    printable = len(data.translate(None, _CONTROL))
    return printable // 128 < len(data) - printable
