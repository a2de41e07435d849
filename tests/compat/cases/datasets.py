"""Dependencies on datasets: what the lock file says of them, as `dvc dataset` writes it."""

from __future__ import annotations

from tests.compat.case import Actions, Case, case
from tests.support.project import Action, Delete, Write, commit, repro, run, write

PIPELINE = """\
datasets:
- name: one
  url: ../repo
  type: dvc
  path: data
- {name: files, url: "s3://bucket/dir", type: url}
- {name: chain, url: "dc://cats@v1", type: dc}
stages:
  s:
    wdir: sub
    cmd: echo ${lr} > o; echo ran >> ../../outside/runs
    deps: ["ds://one", "ds://files", "ds://chain", in]
    params: [../params.yaml: [lr]]
    outs: [o]
"""
LOCK = """\
schema: '2.0'
datasets:
- name: one
  url: ../repo
  type: dvc
  path: data
  rev_lock: 442e6035638ddecb3dca6e8e899c993147f5d96c
- name: files
  url: s3://bucket/dir
  type: url
  meta:
    isdir: true
    size: 3
    nfiles: 1
  files:
  - relpath: a
    meta:
      size: 3
      version_id: v1
      etag: e1
- name: chain
  url: dc://cats@v1
  type: dc
  version: 1
  created_at: '2024-05-06T07:08:09+00:00'
stages: {}
"""
PARAMS = write("params.yaml", "lr: 1\n")
IN = write("sub/in", "1\n")


def _case(
    name: str, *more: Action | Actions, steps: Actions | Action, lock: str | None = LOCK
) -> Case:
    locked = () if lock is None else (write("dvc.lock", lock),)
    begin = (write("dvc.yaml", PIPELINE), PARAMS, IN, *locked)
    return case(f"dataset-{name}", *begin, *more, commit(), steps=steps)


def _edited(text: str, old: str, new: str, *, to: str = "dvc.yaml") -> Write:
    assert old in text
    return write(to, text.replace(old, new))


CASES = (
    _case("run", steps=(run("-n", "one"), run("-n", "two", "-S", "lr=2"), repro())),
    _case("temp", steps=run("--temp", "-n", "one", "-S", "lr=2")),
    _case(
        "updated",
        steps=(repro(), _edited(LOCK, "442e", "552e", to="dvc.lock"), repro(), repro()),
    ),
    _case("defined-otherwise", _edited(PIPELINE, "path: data", "path: more"), steps=repro()),
    _case("pinned", _edited(PIPELINE, "path: data", "rev: main"), steps=run("-n", "one")),
    _case("not-locked", steps=(repro(), run("-n", "one")), lock=None),
    _case("unknown", _edited(PIPELINE, "ds://one", "ds://two"), steps=repro()),
    _case("of-no-type", _edited(PIPELINE, "type: dc}", "type: zip}"), steps=repro()),
    _case("templated", _edited(PIPELINE, "path: data", "path: ${dir}"),
        write("params.yaml", "lr: 1\ndir: data\n"), steps=(run("-n", "one"), repro())),
    _case(
        "of-another-file",
        write("lower/dvc.yaml", PIPELINE.partition("stages:")[0]),
        write("lower/dvc.lock", LOCK),
        _edited(PIPELINE, PIPELINE.partition("stages:")[0], ""),
        Delete("dvc.lock"),
        steps=(repro(), run("-n", "one")),
    ),
    _case(
        "restored",
        steps=(repro(), Delete("sub/o"), run("-n", "one")),
    ),
)  # fmt: skip
