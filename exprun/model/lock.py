"""What a stage read and made when it last ran: an entry of dvc.lock, or of a .dvc file."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NewType

from exprun.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Mapping


def _nothing() -> Mapping[str, object]:
    return MappingProxyType({})


def _no_params() -> Mapping[str, Mapping[str, object]]:
    return MappingProxyType({})


Oid = NewType("Oid", str)
"""The name of an object in the DVC cache: 32 hex digits, with ``.dir`` for a directory."""

DIR_SUFFIX = ".dir"


def is_dir_oid(oid: Oid) -> bool:
    """Whether `oid` names a directory's manifest."""
    return oid.endswith(DIR_SUFFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a path holds. `size` in bytes; `nfiles` only for directories.

    A `legacy` oid is DVC 2's ``md5-dos2unix`` (CRLF in text folded to LF), kept in another layout.
    """

    oid: Oid
    size: int | None = None
    nfiles: int | None = None
    isexec: bool = False
    legacy: bool = False

    @property
    def is_dir(self) -> bool:
        return is_dir_oid(self.oid)

    @property
    def is_empty(self) -> bool:
        """A directory of empty files is not: what counts there are its files."""
        return self.nfiles == 0 if self.is_dir else self.size == 0

    def same_data(self, other: Content | None) -> bool:
        """Whether both hold the same bytes, as far as their hashes can tell."""
        return other is not None and (self.oid, self.legacy) == (other.oid, other.legacy)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPath:
    """A dependency or output as recorded; `content` is None where only the path was.

    `extra` keeps the keys of other protocols (``etag``, ``cloud``, ``files``, ``dataset``, …).
    """

    path: str
    content: Content | None = None
    extra: Mapping[str, object] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedStage:
    """One entry of dvc.lock. `params` maps a file, as spelled, to its tracked keys and values."""

    cmd: str | tuple[str, ...] | None = None
    deps: tuple[LockedPath, ...] = ()
    params: Mapping[str, Mapping[str, object]] = field(default_factory=_no_params)
    outs: tuple[LockedPath, ...] = ()
