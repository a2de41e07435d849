"""What is told of a commit from another that differs little is what its own files say."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.results.test_show import in_order, states
from tests.support.program import git as git_of
from tests.support.project import commit, git, init_dvc, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.environment import Place
    from tests.support.project import Builder
    from tests.support.tools import Tool

PIPELINE = """\
stages:
  s:
    cmd: echo
    params:
    - lr
    - deep/more.yaml:
    metrics: [out/m.json, kept.json]
    outs: [data]
metrics: [many]
"""
LOCK = """\
schema: '2.0'
stages:
  s:
    cmd: echo
    outs:
    - path: data
      hash: md5
      md5: d3b07384d113edec49eaa6238ad5ff00
      size: 4
"""
TEMPLATED = """\
vars: [vars.yaml]
stages:
  t:
    cmd: echo ${x}
    outs: ["${out}"]
"""
FILES = {
    "dvc.yaml": PIPELINE,
    "dvc.lock": LOCK,
    "params.yaml": "lr: 1\n",
    "deep/more.yaml": "a: 1\n",
    "out/m.json": '{"m": 1}',
    "kept.json": '{"k": 1}',
    "many/1.json": '{"one": 1}',
    "templated/dvc.yaml": TEMPLATED,
    "templated/vars.yaml": "x: 1\nout: o\n",
    "templated/o/x.dvc": "outs:\n- path: y\n",
    "templated/p/x.dvc": "outs:\n- path: z\n",
    "code.py": "pass\n",
}

Edit = dict[str, str | None]

EDITS: list[Edit] = [
    {"params.yaml": "lr: 2\n", "out/m.json": '{"m": 2}'},
    {"params.yaml": "lr: 3\n", "out/m.json": '{"m": 3}'},
    {"params.yaml": "[1]\n"},
    {"params.yaml": None},
    {"deep/more.yaml": "a: 2\n"},
    {"deep/more.yaml": None},
    {"out/m.json": None},
    {"kept.json": "no JSON"},
    {"dvc.lock": LOCK.replace("d3b0", "d3b1")},
    {"dvc.lock": "nonsense"},
    {"dvc.lock": None},
    {"dvc.yaml": PIPELINE.replace("[data]", "[other]")},
    {"dvc.yaml": PIPELINE.replace("lr, ", "")},
    {"dvc.yaml": "stages: ["},
    {"many/2.json": '{"two": 2}'},
    {"many/1.json": None, "many/below/3.json": "{}"},
    {"code.py": "print()\n"},
    {"code.py": None, "new.py": "1\n"},
    {"templated/vars.yaml": "x: 2\nout: o\n"},
    {"templated/vars.yaml": "x: 1\nout: p\n"},
    {".dvcignore": "templated\n"},
    {"another/dvc.yaml": TEMPLATED},
    {"another.dvc": "outs:\n- path: another\n"},
    {"templated/.dvc/config": ""},
    {".dvc/config": "# another\n"},
]


def _link(root: Path) -> None:
    (root / "out/m.json").unlink()
    (root / "out/m.json").symlink_to("../kept.json")


def _link_to_directory(root: Path) -> None:
    os.rename(root / "out", root / "elsewhere")
    (root / "out").symlink_to("elsewhere")


def _link_to_another(root: Path) -> None:
    _link(root)
    (root / "kept.json").write_text('{"k": 5}')


def _execute(root: Path) -> None:
    (root / "params.yaml").chmod(0o755)


OTHERS: list[Callable[[Path], None]] = [_link_to_directory, _execute]


def _apply(root: Path, edit: Edit) -> None:
    for path, text in edit.items():
        if text is None:
            (root / path).unlink()
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)


@pytest.mark.parametrize("below", [".", "below"])
def test_each_commit_is_as_if_it_were_alone(
    builder: Builder, tmp_path: Path, exprun: Tool, below: str
) -> None:
    start = (
        git("init", "-q"),
        *init_dvc(below),
        *(write(os.path.join(below, path), text) for path, text in FILES.items()),
        *commit("start"),
    )
    place = builder.build(start, into=tmp_path / "place")
    revs = _commit_edits(place, below)

    together = states(exprun, place, "--force", "-A", "--hide-workspace", cwd=below)

    found = {state["rev"]: _told(state) for state in together}
    for rev in revs:
        [alone] = states(exprun, place, "--force", "--hide-workspace", "--rev", rev, cwd=below)
        assert found[rev] == _told(alone)
    assert 3 <= sum(state["error"] is not None for state in together) <= 6
    assert len(found) == len(revs) + 1


def _commit_edits(place: Place, below: str) -> list[str]:
    """Commits with one edit each, so that any two differ by two at most; in disorder."""
    edits: list[Callable[[Path], None]] = [
        *OTHERS,
        *(lambda root, edit=edit: _apply(root, edit) for edit in EDITS),
    ]
    random.Random(7).shuffle(edits)
    edits += [_link, _link_to_another]
    head = git_of(place, "rev-parse", "HEAD").strip()
    revs = []
    for number, edit in enumerate(edits):
        git_of(place, "checkout", "-q", "-B", f"b{number}", head)
        edit(place.repo / below)
        git_of(place, "add", "-A", "-f", ".")
        git_of(place, "commit", "-q", "--allow-empty", "-m", str(number))
        revs.append(git_of(place, "rev-parse", "HEAD").strip())
    return revs


def _told(state: Any) -> Any:
    return in_order({"data": state["data"], "error": state["error"]})
