"""Gitignore patterns as Git reads them, compiled only as far as they need to be.

Most patterns are a plain path or ``*.suffix``; these are compared as strings, the others become
regular expressions the first time they are asked. Syntax: ``gitignore(5)``.
"""

from __future__ import annotations

import re
from functools import lru_cache

from exprun.model.values import dataclass

_MAGIC = frozenset("*?[\\")
_NEVER = "(?!)"
_MOST_DOUBLE_STARS = 6


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern: `glob` is what is left once ``!``, a leading and a trailing slash are taken off.

    An `anchored` pattern matches from the directory of its file, others at any depth below.
    """

    glob: str
    negated: bool
    anchored: bool
    only_directories: bool
    ignore_case: bool = False

    def matches(self, path: str, *, is_dir: bool) -> bool:
        """Whether it names `path`, relative to the directory of the pattern's file."""
        if self.only_directories and not is_dir:
            return False
        subject = path if self.anchored else path[path.rfind("/") + 1 :]
        if self.ignore_case:
            return _compile(self.glob, re.IGNORECASE | re.ASCII).fullmatch(subject) is not None
        if _MAGIC.isdisjoint(self.glob):
            return subject == self.glob
        if self.glob[0] == "*" and not self.anchored and _MAGIC.isdisjoint(self.glob[1:]):
            return subject.endswith(self.glob[1:])
        return _compile(self.glob).fullmatch(subject) is not None

    @property
    def is_about_contents(self) -> bool:
        """Whether it names what a directory holds, as ``dir/*`` does."""
        return self.glob.endswith(("/*", "/**"))


@lru_cache(maxsize=64)
def parse_patterns(text: str, *, ignore_case: bool = False) -> tuple[Pattern, ...]:
    """The patterns of a ``.gitignore`` file, in order."""
    patterns = (_parse(line.removesuffix("\r"), ignore_case) for line in text.split("\n"))
    return tuple(pattern for pattern in patterns if pattern is not None)


def _parse(line: str, ignore_case: bool) -> Pattern | None:
    if line.startswith("#"):
        return None
    line = _trim(line)
    negated = line.startswith("!")
    glob = line[1:] if negated else line
    only_directories = glob.endswith("/")
    glob = glob.removesuffix("/")
    anchored = "/" in glob
    glob = glob.removeprefix("/")
    return Pattern(glob, negated, anchored, only_directories, ignore_case) if glob else None


def _trim(line: str) -> str:
    """Without trailing spaces, unless they are escaped."""
    kept = line.rstrip(" ")
    backslashes = len(kept) - len(kept.rstrip("\\"))
    return line[: len(kept) + 1] if backslashes % 2 else kept


@lru_cache(maxsize=4096)
def _compile(glob: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    try:
        return re.compile(_to_regex(glob), flags | re.DOTALL)
    except re.error:
        return re.compile(_NEVER)


def _to_regex(glob: str) -> str:
    """`glob` as a regular expression: ``*`` and ``?`` stop at slashes, ``**`` does not.

    What follows a ``*``, up to the next one, is matched at the earliest place and for good
    (``fnmatch`` does the same), so that no pattern takes exponential time.
    """
    runs: list[tuple[str, list[str]]] = [("", [])]
    at = 0
    while at < len(glob):
        starts_segment = at == 0 or glob[at - 1] == "/"
        if starts_segment and glob.startswith("**/", at):
            runs.append(("(?:.*/)?", []))
            at += 3
        elif starts_segment and glob[at:] == "**":
            runs.append((".*" if at == 0 else ".+", []))
            at += 2
        elif glob[at] == "*":
            runs.append(("[^/]*", []))
            at += 1
        else:
            token, at = _read_token(glob, at)
            runs[-1][1].append(token)
    if sum(star == "(?:.*/)?" for star, _ in runs) > _MOST_DOUBLE_STARS:
        return _NEVER
    *early, (last_star, last) = runs
    parts = [_atomic(star, "".join(tokens)) for star, tokens in early]
    return "".join([*parts, last_star, *last])


def _atomic(star: str, following: str) -> str:
    return f"(?>{star}?{following})" if star == "[^/]*" else star + following


def _read_token(glob: str, at: int) -> tuple[str, int]:
    """The expression for what stands at `at`, and where the next thing begins."""
    char = glob[at]
    if char == "[":
        end = _class_end(glob, at)
        return (_to_class(glob[at + 1 : end]), end + 1) if end else (_NEVER, len(glob))
    if char == "\\":
        escaped = glob[at + 1 : at + 2]
        return (re.escape(escaped), at + 2) if escaped else (_NEVER, at + 1)
    return "[^/]" if char == "?" else re.escape(char), at + 1


def _class_end(glob: str, start: int) -> int:
    """Where the ``]`` is that closes the ``[`` at `start`; 0 if nothing closes it."""
    at = start + 1
    if glob[at : at + 1] in ("!", "^"):
        at += 1
    if glob[at : at + 1] == "]":
        at += 1
    while at < len(glob):
        if glob[at] == "]":
            return at
        if glob.startswith("[:", at) and ":]" in glob[at + 2 :]:
            at = glob.index(":]", at + 2) + 1
        at += 2 if glob[at] == "\\" else 1
    return 0


_POSIX = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "graph": "!-~",
    "print": " -~",
    "xdigit": "0-9A-Fa-f",
    "punct": r"!-/:-@\[-`{-~",
}


def _to_class(body: str) -> str:
    inverted = body[:1] in ("!", "^")
    body = body[1:] if inverted else body
    for name, members in _POSIX.items():
        body = body.replace(f"[:{name}:]", members)
    body = re.sub(r"\[", r"\\[", body).replace("&&", r"&\&").replace("||", r"|\|")
    body = r"\]" + body[1:] if body.startswith("]") else body
    return f"(?!/)[{'^' if inverted else ''}{body}]"
