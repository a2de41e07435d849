"""What stands in every file, and what in none."""

from __future__ import annotations

import ast
import pickle
import re
from typing import TYPE_CHECKING

import pytest

from exprun import errors
from exprun.errors import ExprunError
from tests.house.sources import ROOT, modules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIXES = {".py", ".md", ".toml", ".yaml", ".json", ".sh", ""}

# Home and scratch directories of whoever wrote the file.
MACHINE_PATH = re.compile(r"(?<![\w.>/}-])/(?:home|root|Users|farm|work|tmp/(?:wt|dev))/\w")


def _files() -> Iterator[Path]:
    tops = ("exprun", "tests", "benchmarks", ".ci", "README.md", "CHANGELOG.md", "pyproject.toml")
    for top in tops:
        path = ROOT / top
        inside = path.rglob("*") if path.is_dir() else iter([path])
        for file in inside:
            if file.is_file() and file.suffix in SUFFIXES and "__pycache__" not in file.parts:
                yield file


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in _files()
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert not found


def test_every_module_says_what_it_is_for() -> None:
    assert not [module.name for module in modules() if not ast.get_docstring(module.tree)]


def _kinds(kind: type[ExprunError] = ExprunError) -> Iterator[type[ExprunError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


PUBLIC_KINDS = [kind for kind in _kinds() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", PUBLIC_KINDS, ids=lambda kind: kind.__name__)
def test_errors_survive_pickling(kind: type[ExprunError]) -> None:
    error = kind("it broke", where="dvc.yaml:3", hint="mend it")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "dvc.yaml:3: it broke"
    assert vars(again) == vars(error)
    assert again.args == error.args


def test_the_docstring_of_errors_draws_the_whole_tree() -> None:
    drawn = re.findall(r"^(.*?)(\w+)(?:$|  )", errors.__doc__ or "", re.MULTILINE)
    depths = {name: len(edge) // 4 for edge, name in drawn if name in vars(errors)}
    inherited = {kind.__name__: len(kind.__mro__) - 4 for kind in _kinds()}
    assert depths == {name: depth for name, depth in inherited.items() if name in vars(errors)}
