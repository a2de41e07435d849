"""Imports of local paths that are not frozen: both tools copy again when the source has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.compat.case import case
from tests.compat.deviations import disagreement
from tests.compat.play import play
from tests.support.project import Delete, commit, dvc, repro, run, write

if TYPE_CHECKING:
    from tests.compat.case import Case
    from tests.support.project import Builder
    from tests.support.tools import Tool

IMPORTED = (
    write("../outside/source", "one\n", 0o755),
    write("../outside/tree/a", "a\n"),
    write("../outside/tree/sub/b", "b\n"),
    dvc("import-url", "../outside/source", "file"),
    dvc("import-url", "../outside/tree", "tree"),
    dvc("unfreeze", "file.dvc", "tree.dvc"),
    *commit(),
)
CHANGED = (write("../outside/source", "two\n"), write("../outside/tree/sub/c", "c\n"))

EXECUTABLE = """\
frozen: true
deps:
- {path: ../outside/source, hash: md5, md5: 5bbf5a52328e7439ae6e719dfe712200, size: 4, isexec: true}
outs:
- {path: file, hash: md5, md5: 5bbf5a52328e7439ae6e719dfe712200, size: 4}
"""

CASES = (
    case("unchanged", IMPORTED, steps=repro("file.dvc", "tree.dvc")),
    case("changed", IMPORTED, CHANGED, steps=repro("file.dvc", "tree.dvc")),
    case(
        "lost-but-cached",
        (*IMPORTED, Delete("file"), Delete("tree")),
        steps=repro("file.dvc", "tree.dvc"),
    ),
    case(
        "executable",
        IMPORTED,
        write("file.dvc", EXECUTABLE),
        commit(),
        steps=(
            run("-n", "t", "--temp", "file.dvc"),
            run("-n", "e", "file.dvc"),
            run("-n", "f", "file.dvc"),
        ),
    ),
    case("in-an-experiment", IMPORTED, CHANGED, steps=run("-n", "e", "file.dvc", "tree.dvc")),
)


@pytest.mark.parametrize("each", CASES, ids=lambda each: each.name)
def test_imports_agree(each: Case, exprun: Tool, dvc: Tool, builder: Builder) -> None:
    expected = play(each, tool=dvc, dvc=dvc, builder=builder)
    found = play(each, tool=exprun, dvc=dvc, builder=builder)
    difference = disagreement(each, dvc=expected, exprun=found)
    assert not difference, difference
