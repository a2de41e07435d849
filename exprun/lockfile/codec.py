"""dvc.lock, text to values and back, byte for byte as DVC writes it.

DVC parses the whole file with ruamel.yaml and dumps it again, once per stage. The text it leaves
behind is nearly always of one layout, a header and then one block of lines per stage. Where a file
has that layout, and no block can reach into the next one, blocks are decoded when asked for and
replaced one by one. Everything else goes the slow way, through `roundtrip`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from exprun.errors import LockfileError
from exprun.formats.blocks import read_mapping
from exprun.formats.emit import emit_mapping
from exprun.formats.plain import NotSimple, is_plain
from exprun.formats.reading import read_yaml
from exprun.formats.text import decode
from exprun.lockfile.entries import from_checked, to_data
from exprun.lockfile.layout import is_settled, is_written_so, read_entry
from exprun.lockfile.schema import VERSION, Unacceptable, check_entry, check_lock
from exprun.model.lock import LockedStage
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEADER = f"schema: '{VERSION}'\nstages:\n"

_BLOCK = pattern(r"  (?:([A-Za-z_][\w@.+/-]*)|'([^'\n]+)'):\n((?:    [^\n]*\n)+)", re.ASCII)
"""A stage: its name, and all lines that are indented further."""

_ODD = pattern(
    r"[|>#&*!%@`?\[{'\"\0-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff\U00010000-\U0010ffff]"
)
"""What may make a block reach past its lines when a scalar starts with it."""

_HARMLESS = pattern(r"""(?:'[^'\n]*'|"[^"\\\n]*"|\[\]|\{\})$""", re.MULTILINE)

_TIED = pattern(r"(?:^|\s)#|(?:^ *|- |: )[&*!<]", re.MULTILINE)
"""Comments, anchors, aliases, tags and merges: what ties a block to the rest of the document."""


def parse_lock(data: bytes, *, name: str) -> Lockfile:
    """The lock file `name` whose bytes are `data`.

    Raises LockfileError with file and line for what DVC refuses; for a fault inside an entry that
    is when the entry is first used.
    """
    text = decode(data, name=name, error=LockfileError)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _parse(text, name, data)


def absent_lock(*, name: str) -> Lockfile:
    """The lock file `name` that does not exist yet."""
    return Lockfile(name, raw=b"", text="", blocks={}, decoded={})


class Lockfile(Mapping[str, LockedStage]):
    """A lock file: the entries of its stages by name. Never changes; `with_stage` gives another.

    Safe to share between threads.
    """

    __slots__ = ("_blocks", "_decoded", "_fresh", "_raw", "_text", "_unsettled", "datasets", "name")

    def __init__(
        self,
        name: str,
        *,
        raw: bytes | None = None,
        text: str | None = None,
        blocks: dict[str, str] | None = None,
        decoded: dict[str, LockedStage],
        datasets: Sequence[Any] = (),
        unsettled: frozenset[str] = frozenset(),
        fresh: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.datasets = datasets
        self._raw = raw
        self._text = text
        self._blocks = blocks  # None where the text is not of the one layout
        self._decoded = decoded  # without blocks: every entry
        self._unsettled = unsettled  # whose text another write by DVC may change
        self._fresh = fresh  # that were new since the file was read

    def __getitem__(self, stage: str) -> LockedStage:
        decoded = self._decoded.get(stage)
        if decoded is None:
            if self._blocks is None:
                raise KeyError(stage)
            decoded = self._decoded[stage] = self._decode(stage, self._blocks[stage])
        return decoded

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded if self._blocks is None else self._blocks)

    def __len__(self) -> int:
        return len(self._decoded if self._blocks is None else self._blocks)

    def __contains__(self, stage: object) -> bool:
        return stage in (self._decoded if self._blocks is None else self._blocks)

    @property
    def is_absent(self) -> bool:
        """Whether there is no file yet, so that DVC says it generates one."""
        return self._blocks == {} and self._raw == b""

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = _HEADER + "".join((self._blocks or {}).values())
        return self._text

    def to_bytes(self) -> bytes:
        """The content of the file; of an absent one nothing."""
        return self.text.encode() if self._raw is None else self._raw

    def records(self, stage: str, entry: LockedStage) -> bool:
        """Whether the file says `entry` about `stage` already; DVC tells when it does not."""
        return stage in self and to_data(self[stage]) == to_data(entry)

    def with_stage(
        self, stage: str, entry: LockedStage, *, ranks: Mapping[str, int] | None = None
    ) -> Lockfile:
        """The file after DVC has written the entry of a stage, replacing the one it had.

        A new stage comes last. With `ranks`, the place of each stage in the plan, it comes before
        the stages that were new too but are due later: then the order in which stages end that run
        side by side makes no difference. Raises LockfileError for a file that DVC refuses.
        """
        later = self._due_after(stage, ranks or {})
        fresh = self._fresh if stage in self else self._fresh | {stage}
        settled = self._settle(stage)
        if settled is None:
            return self._rewritten(stage, entry, later, fresh)
        blocks, unsettled = settled
        block, is_stable = _render(stage, to_data(entry))
        decoded = self._decoded.copy()  # in one step: other threads may be adding to it
        for name in (*unsettled, stage):
            decoded.pop(name, None)
        if is_stable:
            decoded[stage] = entry  # otherwise the text may not say quite the same
        return Lockfile(
            self.name,
            blocks=_placed(blocks, stage, block, later),
            decoded=decoded,
            unsettled=frozenset(unsettled if is_stable else unsettled | {stage}),
            fresh=fresh,
        )

    def _due_after(self, stage: str, ranks: Mapping[str, int]) -> frozenset[str]:
        if stage in self or stage not in ranks:
            return frozenset()
        rank = ranks[stage]
        return frozenset(other for other in self._fresh if ranks.get(other, -1) > rank)

    def _settle(self, stage: str) -> tuple[dict[str, str], set[str]] | None:
        """The blocks as DVC leaves them when it writes `stage`, and which of them it changed.

        None where they cannot be taken one by one.
        """
        if self._blocks is None:
            return None
        if not self._unsettled:
            return self._blocks, set()
        blocks, changed = dict(self._blocks), set()
        for name in self._unsettled:
            block = blocks[name]
            if _TIED.search(block):
                return None
            if name == stage or self._is_stable(name, block):
                continue
            blocks[name] = _round_trip(block, self.name)
            if blocks[name] != block:
                changed.add(name)
        return blocks, changed

    def _is_stable(self, stage: str, block: str) -> bool:
        body = _body(block)
        if is_settled(body):
            return True
        entry = self[stage]
        if is_written_so(body, entry):
            return True
        try:
            return emit_mapping({stage: to_data(entry)}, 2, stable=True) == block
        except NotSimple:
            return False

    def _rewritten(
        self, stage: str, entry: LockedStage, later: frozenset[str], fresh: frozenset[str]
    ) -> Lockfile:
        """As `with_stage`, by way of ruamel.yaml's round trip of the whole file."""
        from exprun.lockfile.roundtrip import replace_stage

        text = replace_stage(self.text, stage, to_data(entry), before=later, name=self.name)
        lock = _parse(text, self.name, raw=None)
        lock._fresh = fresh
        return lock

    def _decode(self, stage: str, block: str) -> LockedStage:
        entry = read_entry(_body(block))
        if entry is not None:
            return entry
        data = _read_block(block)
        if data is None:
            document = read_yaml(block, name=self.name, error=LockfileError)
            data = document[stage]  # type: ignore[index]
        try:
            check_entry(data, ("stages", stage))
        except Unacceptable as failure:
            raise failure.to_error(self.text, name=self.name) from None
        return from_checked(data)


def _parse(text: str, name: str, raw: bytes | None) -> Lockfile:
    blocks = _split(text)
    if blocks is not None:
        unsettled = frozenset(blocks)
        return Lockfile(name, raw=raw, text=text, blocks=blocks, decoded={}, unsettled=unsettled)
    data: Any = read_yaml(text, name=name, error=LockfileError) or {}
    try:
        check_lock(data)
    except Unacceptable as failure:
        raise failure.to_error(text, name=name) from None
    decoded = {stage: from_checked(entry) for stage, entry in data.get("stages", {}).items()}
    datasets = data.get("datasets") or ()
    return Lockfile(name, raw=raw, text=text, decoded=decoded, datasets=datasets)


def _split(text: str) -> dict[str, str] | None:
    """The block of each stage; None where the text cannot be cut into blocks without doubt."""
    if not text.startswith(_HEADER):
        return None
    blocks: dict[str, str] = {}
    at = len(_HEADER)
    while match := _BLOCK.match(text, at):
        stage = match[1] or match[2]
        if stage in blocks or (match[1] and not is_plain(stage)):
            return None
        blocks[stage] = match[0]
        at = match.end()
    if at != len(text) or not blocks:
        return None
    odd = {stage for stage in _odd_blocks(text, blocks) if not _stands_alone(stage, blocks[stage])}
    return None if odd else blocks


def _odd_blocks(text: str, blocks: Mapping[str, str]) -> Iterator[str]:
    """The stages in whose block a scalar may start that does not end on its line."""
    hits = [hit.start() for hit in _ODD.finditer(text) if _is_odd(text, hit.start())]
    if not hits:
        return
    at = len(_HEADER)
    pending = iter(hits)
    hit: int | None = next(pending)
    for stage, block in blocks.items():
        at += len(block)
        if hit is not None and hit < at:
            yield stage
            while hit is not None and hit < at:
                hit = next(pending, None)


def _is_odd(text: str, at: int) -> bool:
    if text[at] not in "|>#&*!%@`?[{'\"":
        return True
    if text[at - 1] != " ":
        return False
    before = text[text.rfind("\n", 0, at) + 1 : at].rstrip(" ")
    starts_scalar = not before or before.endswith((":", "-", "?"))
    return text[at] == "#" or (starts_scalar and not _HARMLESS.match(text, at))


def _stands_alone(stage: str, block: str) -> bool:
    """Whether a block is a document by itself; then the next block cannot be a part of it."""
    if _read_block(block) is not None:
        return True
    try:
        document = read_yaml(block, name="", error=LockfileError)
    except LockfileError:
        return False
    return isinstance(document, dict) and list(document) == [stage]


def _body(block: str) -> str:
    return block[block.index("\n") + 1 :]


def _read_block(block: str) -> dict[str, object] | None:
    """The entry in a block, None where it takes a YAML parser to tell."""
    try:
        return read_mapping(_body(block), 4)
    except NotSimple:
        return None


def _round_trip(block: str, name: str) -> str:
    from exprun.lockfile.roundtrip import round_trip

    return round_trip(_HEADER + block, name=name).removeprefix(_HEADER)


def _render(stage: str, data: dict[str, object]) -> tuple[str, bool]:
    """The block of a stage, and whether DVC would write it so for ever."""
    for stable in (True, False):
        try:
            return emit_mapping({stage: data}, 2, stable=stable), stable
        except NotSimple:
            continue
    from exprun.lockfile.roundtrip import dump

    text = dump({"schema": VERSION, "stages": {stage: data}})
    return text.removeprefix(_HEADER), False


def _placed(
    blocks: Mapping[str, str], stage: str, block: str, later: frozenset[str]
) -> dict[str, str]:
    """`blocks` with one replaced, or added ahead of those in `later`."""
    placed = {name: text for name, text in blocks.items() if name not in later}
    placed[stage] = block
    for name in blocks:
        if name in later:
            placed[name] = blocks[name]
    return placed
