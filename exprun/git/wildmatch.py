"""Patterns of .gitignore as regular expressions over bytes (gitignore(5), ``wildmatch.c``)."""

from __future__ import annotations

import re

from exprun.model.values import dataclass

_CLASSES = {
    b"alnum": rb"0-9A-Za-z", b"alpha": rb"A-Za-z", b"blank": rb" \t", b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9", b"graph": rb"!-~", b"lower": rb"a-z", b"print": rb" -~",
    b"punct": rb"!-/:-@\[-`{-~", b"space": rb" \t\n\r\f\v", b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One line: what it matches, and whether it ignores or (``!``) re-includes it."""

    regex: re.Pattern[bytes]
    negated: bool
    only_directories: bool
    on_name: bool

    def matches(self, path: bytes, *, is_dir: bool) -> bool:
        """Whether it matches `path`, relative to the directory of its file."""
        if self.only_directories and not is_dir:
            return False
        return self.regex.fullmatch(path.rpartition(b"/")[2] if self.on_name else path) is not None


def parse_patterns(text: bytes, *, ignore_case: bool = False) -> tuple[Pattern, ...]:
    """The patterns of a file, in order."""
    patterns = []
    for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        pattern = _parse(line.removesuffix(b"\r"), re.IGNORECASE if ignore_case else re.NOFLAG)
        if pattern is not None:
            patterns.append(pattern)
    return tuple(patterns)


def _parse(line: bytes, flags: re.RegexFlag) -> Pattern | None:
    if line.startswith(b"#"):
        return None
    glob = _trim(line)
    negated = glob.startswith(b"!")
    glob = glob[negated:]
    only_directories = glob.endswith(b"/")
    glob = glob.removesuffix(b"/")
    on_name = b"/" not in glob
    regex = _translate(glob.removeprefix(b"/"), crosses_slash=on_name)
    if not glob or regex is None:
        return None
    return Pattern(
        regex=re.compile(regex, flags | re.DOTALL),
        negated=negated,
        only_directories=only_directories,
        on_name=on_name,
    )


def _trim(line: bytes) -> bytes:
    """Without trailing spaces, unless they are escaped."""
    kept = line.rstrip(b" ")
    backslashes = len(kept) - len(kept.rstrip(b"\\"))
    return line[: len(kept) + 1] if backslashes % 2 and len(kept) < len(line) else kept


def _translate(glob: bytes, *, crosses_slash: bool) -> bytes | None:
    """The regular expression; None for a pattern that matches nothing."""
    parts = []
    at = 0
    while at < len(glob):
        char = glob[at : at + 1]
        if char == b"*":
            part, at = _translate_stars(glob, at, crosses_slash)
        elif char == b"?":
            part, at = (b"." if crosses_slash else b"[^/]"), at + 1
        elif char == b"[":
            bracket = _translate_bracket(glob, at)
            if bracket is None:
                return None
            part, at = bracket
        else:
            at += char == b"\\"
            if at == len(glob):
                return None
            part, at = re.escape(glob[at : at + 1]), at + 1
        parts.append(part)
    return b"".join(parts)


def _translate_stars(glob: bytes, at: int, crosses_slash: bool) -> tuple[bytes, int]:
    end = at
    while glob[end : end + 1] == b"*":
        end += 1
    starts = at == 0 or glob[at - 1 : at] == b"/"
    after = glob[end : end + 1]
    if end - at >= 2 and starts and not crosses_slash:
        if after == b"/":
            return rb"(?:.*/)?", end + 1
        if not after:
            return rb".*", end
    return (b".*" if crosses_slash else b"[^/]*"), end


def _translate_bracket(glob: bytes, at: int) -> tuple[bytes, int] | None:
    """A bracket expression, which never matches a slash, and where it ends."""
    at += 1
    negated = glob[at : at + 1] in (b"!", b"^")
    at += negated
    items: list[bytes] = []
    first = True
    while first or glob[at : at + 1] != b"]":
        first = False
        if glob[at : at + 2] == b"[:":
            end = glob.find(b":]", at)
            named = _CLASSES.get(glob[at + 2 : end]) if end > 0 else None
            if named is None:
                return None
            items.append(named)
            at = end + 2
            continue
        low, at = _bracket_char(glob, at)
        high = low
        if glob[at : at + 1] == b"-" and glob[at + 1 : at + 2] not in (b"]", b""):
            high, at = _bracket_char(glob, at + 1)
        if not low or not high:
            return None
        if low <= high:
            items.append(re.escape(low) + b"-" + re.escape(high))
    inner = b"".join(items)
    if negated:
        return b"[^/" + inner + b"]", at + 1
    return (b"(?!/)[" + inner + b"]" if inner else b"(?!)"), at + 1


def _bracket_char(glob: bytes, at: int) -> tuple[bytes, int]:
    at += glob[at : at + 1] == b"\\"
    return glob[at : at + 1], at + 1
