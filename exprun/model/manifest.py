"""A directory as DVC lists it, and the one hash that follows from the list.

The format is DVC 3's: a JSON list of ``{"md5", "relpath"}`` in code point order of the relative
path, in Python's default layout; the MD5 of these bytes, with ``.dir``, names the directory.
"""

from __future__ import annotations

import hashlib
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING

from exprun.model.lock import DIR_SUFFIX, Oid

if TYPE_CHECKING:
    from collections.abc import Mapping


def build_manifest(files: Mapping[str, Oid]) -> bytes:
    """The bytes of the manifest of a directory that holds `files`, by relative path."""
    entries = [
        f'{{"md5": "{oid}", "relpath": {quote(relpath)}}}' for relpath, oid in sorted(files.items())
    ]
    return f"[{', '.join(entries)}]".encode("ascii")


def manifest_oid(data: bytes) -> Oid:
    """The name of the directory whose manifest is `data`."""
    return Oid(hashlib.md5(data, usedforsecurity=False).hexdigest() + DIR_SUFFIX)
