"""Copying the paths of ``-C`` into an isolated workspace."""

from __future__ import annotations

import os

from exprun.errors import UsageError
from exprun.model.files import NO_SPACE, OUT_OF_MEANS
from exprun.store.failures import store_error


def copy_path(path: str, *, source: str, root: str) -> None:
    """Copy `path`, relative to `source` (the user's directory), to the same place below `root`.

    As DVC: links are followed; a missing source, an existing target directory and a missing parent
    are errors. Raises UsageError, also if the target would lie outside `root`, and StoreError if
    the disk is full, or the like.
    """
    origin = os.path.abspath(os.path.join(source, path))
    target = os.path.abspath(os.path.join(root, path))
    if os.path.isfile(origin) and os.path.isdir(target):
        target = os.path.join(target, os.path.basename(origin))
    real_root = os.path.realpath(root)
    parent = os.path.realpath(os.path.dirname(target))
    if os.path.commonpath([real_root, parent]) != real_root or target == os.path.abspath(root):
        raise UsageError(f"'{path}' would be copied outside of the workspace")
    inner = os.path.relpath(os.path.join(parent, os.path.basename(target)), real_root)
    if ".git" in inner.lower().split(os.sep) or os.path.islink(target):
        raise UsageError(f"'{path}' may not be replaced in the workspace")
    import shutil  # Few experiments need what that imports.

    try:
        if os.path.isfile(origin):
            shutil.copy(origin, target)
        elif os.path.isdir(origin):
            shutil.copytree(origin, target, copy_function=_copy_within)
        else:
            raise UsageError(f"unable to copy '{path}': it is not a file or directory")
    except OSError as error:
        _require_means(error, target)
        raise UsageError(f"unable to copy '{path}' to '{target}': {error}") from error


def _copy_within(source: str, target: str) -> None:
    """Copy a file of a directory, which goes on with the next one after an OSError."""
    import shutil

    try:
        shutil.copy2(source, target)
    except OSError as error:
        _require_means(error, target)
        raise


def _require_means(error: OSError, target: str) -> None:
    if error.errno in OUT_OF_MEANS | NO_SPACE:
        # It would name what is copied as the culprit.
        raise store_error(OSError(error.errno, error.strerror), "copy", target) from error
