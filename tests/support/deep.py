"""Directories so deep that their paths are longer than the system takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def nest(directory: Path, depth: int, *, beside: bool = False) -> None:
    """Make ``d/d/…/f`` in `directory`, of `depth` directories and a file; with an ``e`` each."""
    at = os.open(directory, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=at)
        if beside:
            os.mkdir("e", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=at))
    os.close(at)
