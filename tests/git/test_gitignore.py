from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scmrepo.git import Git

from exprun.git.gitignore import add_line, ignore_line, remove_line

if TYPE_CHECKING:
    from tests.git.project import GitProject

NAMES = ["out", "a b", "we ird[1]*.txt", "#h", "!x", "q?", "ö", "back\\slash", "od"]
TEXTS = ["", "x\n", "x", "/out\n", "/out", "x\r\ny\r\n", "\n\n", "/od/\n"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", TEXTS)
def test_lines_are_added_as_dvc_does(project: GitProject, name: str, text: str) -> None:
    file = project.root / ".gitignore"
    file.write_bytes(text.encode())
    oracle = Git(str(project.root))
    oracle._add_entry_to_gitignore("/" + name, str(file))  # type: ignore[no-untyped-call]
    oracle.close()  # type: ignore[no-untyped-call]
    assert add_line(text, name).encode() == file.read_bytes()


def test_added_lines_ignore_exactly_that(project: GitProject) -> None:
    text = ""
    for name in NAMES:
        text = add_line(text, name)
    project.write(".gitignore", text)
    for name in NAMES:
        project.write(name)
        project.git("check-ignore", "-q", name)
    project.write("we ird1x.txt")
    assert project.git("ls-files", "-o", "--exclude-standard", "we*") == "we ird1x.txt"


@pytest.mark.parametrize("text", ["", "x\n", "x", "\n", "x\n\ny\n"])
@pytest.mark.parametrize("name", NAMES)
def test_removing_undoes_adding(project: GitProject, name: str, text: str) -> None:
    added = add_line(text, name)
    kept = remove_line(added, name)
    newline = "" if not text or text.endswith("\n") else "\n"
    assert (kept or "") == text + newline
    file = project.root / ".gitignore"
    file.write_text(added)
    oracle = Git(str(project.root))
    oracle.ignore_remove(str(project.root / name))
    oracle.close()  # type: ignore[no-untyped-call]
    if ignore_line(name) == "/" + name:
        assert (file.read_text() if file.exists() else None) == kept


def test_every_copy_of_a_line_goes() -> None:
    assert remove_line("/o\nx\n  /o \n", "o") == "x\n"
    assert remove_line("/o\n", "o") is None


def test_a_line_comes_before_those_that_are_due_later() -> None:
    assert add_line("/x\n/c\n/d\n", "b", before=["c", "d", "x[1]"]) == "/x\n/b\n/c\n/d\n"
    assert add_line("/c\n/x\n", "b", before=["c"]) == "/c\n/x\n/b\n"
    assert add_line("x\n/c\\*\n", "b", before=["c*"]) == "x\n/b\n/c\\*\n"
