"""Checking the files of a tree out into an isolated workspace, submodules included."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from exprun.git.command import run_git
from exprun.git.conversion import ATTRIBUTES_FILE, Conversion, attribute_files
from exprun.git.index_file import IndexEntry, format_index, stat_of
from exprun.git.isolated_git import create_isolated_git, isolated_settings
from exprun.git.promised import fetch_promised
from exprun.git.repository import git_dir_of, open_repository
from exprun.git.tree import GITLINK, SYMLINK, Entry
from exprun.workspaces.baselines import read_baseline
from exprun.workspaces.materialise import Writer
from exprun.workspaces.workspace_index import UNKNOWN, write_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.git.repository import Repository


def write_files(
    repository: Repository,
    source: Repository,
    wanted: Mapping[str, Entry],
    present: set[str],
    *,
    over: Mapping[str, int] | None = None,
) -> dict[str, IndexEntry]:
    """Write what is not present, over what `over` has; Git itself writes what it converts."""
    objects = source.objects
    over = over or {}
    writer = Writer(repository.workdir, objects, over=over)
    written: dict[str, IndexEntry] = {}
    missing = sorted(wanted.keys() - present)
    blobs = (wanted[path] for path in missing)
    fetch_promised(source, (entry.oid for entry in blobs if entry.mode != GITLINK))
    attributes = attribute_files(wanted)
    if attributes:  # They say how the others are written.
        missing.sort(key=lambda path: not path.endswith(ATTRIBUTES_FILE))
    conversion = Conversion(repository, has_attributes=bool(attributes))
    converted: list[str] = []
    for path in missing:
        entry = wanted[path]
        if entry.mode in (GITLINK, SYMLINK) or conversion.is_identity_on_checkout:
            written[path] = writer.write(path, entry)
        elif conversion.is_smudged(path, objects.read(entry.oid, "blob")):
            converted.append(path)
        else:
            written[path] = writer.write(path, entry)
    if converted:
        for path in over.keys() & converted:
            os.unlink(f"{repository.workdir}/{path}")
        written |= _check_out_with_git(repository, {path: wanted[path] for path in converted})
    return written


def _check_out_with_git(
    repository: Repository, entries: Mapping[str, Entry]
) -> dict[str, IndexEntry]:
    """Files with converted line ends, or that filters make, from an index of their own."""
    index = os.path.join(repository.git_dir, "exprun-index")
    unknown = [IndexEntry(path, *entry, UNKNOWN) for path, entry in entries.items()]
    with open(index, "wb") as file:
        file.write(format_index(unknown, {}))
    run_git(
        repository.workdir,
        repository.env,
        [f"--git-dir={repository.git_dir}", "checkout-index", "--all"],
        index_file=index,
    )
    os.unlink(index)
    return {
        path: IndexEntry(path, *entry, stat_of(os.lstat(f"{repository.workdir}/{path}")))
        for path, entry in entries.items()
    }


def write_submodules(root: str, source: Repository, wanted: Mapping[str, Entry]) -> None:
    """Check out, without network, each submodule that the user's worktree has."""
    for path, entry in wanted.items():
        if entry.mode != GITLINK:
            continue
        directory = os.path.join(source.workdir, path)
        if git_dir_of(directory) is None or os.path.realpath(directory) != directory:
            continue
        inner = open_repository(directory, env=source.env)
        if not inner.objects.contains(entry.oid):
            continue
        target = os.path.join(root, path)
        baseline = read_baseline(inner, entry.oid)
        repository = create_isolated_git(
            target, inner, commit=entry.oid, settings=isolated_settings(inner)
        )
        written = write_files(repository, inner, baseline.files, set())
        write_submodules(target, inner, baseline.files)
        write_index(repository, written, baseline, tree=baseline.tree)
