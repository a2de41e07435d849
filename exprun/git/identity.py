"""Who and when a commit says it is from, found the way DVC (dulwich) finds it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exprun.errors import GitError
from exprun.model.patterns import pattern
from exprun.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.git.config import GitConfig
    from exprun.git.repository import Repository

_INTERNAL = pattern(r"@?[0-9]+ ([+-])([0-9]{0,4})")
# With a time before it: the day of a date alone is no zone.
_ISO_OFFSET = pattern(r"[:T][0-9:.]*[0-9] ?([+-])([0-9]{2})(?::(?=[0-9]{2}))?([0-9]{2})?$")
_ISO_UTC = pattern(r"[:T][0-9:.]*[0-9]Z$")
_NOT_ALLOWED = pattern(r"[<>\n\0]")
_LOGIN_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """An author or committer: `time` since the epoch and `offset` east of UTC in seconds."""

    name: str
    email: str
    time: int
    offset: int

    def __str__(self) -> str:
        minutes = abs(self.offset) // 60
        zone = f"{'-' if self.offset < 0 else '+'}{minutes // 60:02}{minutes % 60:02}"
        return f"{self.name} <{self.email}> {self.time} {zone}"


def signature(
    role: str, *, env: Mapping[str, str], config: GitConfig, now: int, local_offset: int
) -> Signature:
    """The ``AUTHOR`` or ``COMMITTER`` of a commit made now.

    Name and e-mail come from ``GIT_<role>_*``, else Git's configuration, else are guessed from the
    user and the host. Of ``GIT_<role>_DATE`` only the time zone counts, a quirk of DVC's.
    Raises GitError if that date has none.
    """
    name = env.get(f"GIT_{role}_NAME") or config.get("user.name") or _login(env)
    email = env.get(f"GIT_{role}_EMAIL") or config.get("user.email") or _guess_email(env)
    date = env.get(f"GIT_{role}_DATE")
    return Signature(
        name=_NOT_ALLOWED.sub("", name).strip(),
        email=_NOT_ALLOWED.sub("", email).strip(),
        time=now,
        offset=zone_offset(date) if date else local_offset,
    )


def signatures(env: Mapping[str, str], config: GitConfig) -> tuple[Signature, Signature]:
    """The author and the committer of a commit made now. Raises GitError."""
    now = int(time.time())
    offset = time.localtime(now).tm_gmtoff
    author, committer = (
        signature(role, env=env, config=config, now=now, local_offset=offset)
        for role in ("AUTHOR", "COMMITTER")
    )
    return author, committer


def committer(repository: Repository) -> Signature:
    """Who makes the commits that only exprun sees.

    Raises GitError if there will be no telling who makes, or is the author of, experiments, or if
    Git does not trust the repository.
    """
    repository.require_trust()
    return signatures(repository.env, repository.config)[1]


def zone_offset(date: str) -> int:
    """The time zone of a date in Git's internal, RFC 2822 or ISO 8601 format, in seconds."""
    if match := _INTERNAL.fullmatch(date):
        digits = int(match[2] or 0)
        return (1 if match[1] == "+" else -1) * (digits // 100 * 3600 + digits % 100 * 60)
    from email.utils import parsedate_tz

    parsed = parsedate_tz(date)
    if parsed is not None and parsed[9] is not None:
        return parsed[9]
    if match := _ISO_OFFSET.search(date):
        seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
        return seconds if match[1] == "+" else -seconds
    if _ISO_UTC.search(date):
        return 0
    raise GitError(f"invalid Git timestamp {date!r}", hint="end it with a time zone, as +0000")


def _login(env: Mapping[str, str]) -> str:
    for name in _LOGIN_NAMES:
        if value := env.get(name):
            return value
    return _account()


def _guess_email(env: Mapping[str, str]) -> str:
    import socket

    return env.get("EMAIL") or f"{_login(env)}@{socket.gethostname()}"


def _account() -> str:
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
