"""Any document passes or fails the checks as it does DVC's schema."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.pipeline.datafile_schema import check_data_file
from exprun.pipeline.problem import Problem
from exprun.pipeline.schema import check_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

A = "aab7e3691d8e56dbebe8c22e116a21f4"

_PIPELINE_KEYS = st.sampled_from(
    """stages vars params metrics plots artifacts foreach do matrix cmd wdir deps outs frozen meta
    desc always_changed cache persist checkpoint remote push type labels x y x_label y_label title
    template header path a b 1""".split()
) | st.sampled_from([1, True, None])
_DATA_KEYS = st.sampled_from(
    """md5 wdir deps outs locked frozen meta always_changed desc checksum etag size nfiles isexec
    version_id path persist cloud hash files relpath fs_config repo url rev rev_lock config remote
    db query connection file_format table type labels cache push cmd a""".split()
)
_SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    ["text", "", A, f"{A}.dir", 1, 0, 1.5, True, False, None, datetime.date(2020, 1, 1), [], {}]
)


def _documents(keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        _SCALARS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=8,
    )


_PIPELINE_PARTS = _documents(_PIPELINE_KEYS)
_DATA_PARTS = _documents(_DATA_KEYS)


def _some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A map with some of these keys, nearly all of them as they should be."""
    return st.fixed_dictionaries({}, optional=parts)


_TEXTS = st.lists(st.sampled_from(["a", "b"]), max_size=2)
_FLAG = st.booleans()
_ANNOTATIONS = {"desc": st.just("d"), "type": st.just("t"), "labels": _TEXTS, "meta": _SCALARS}
_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    **_ANNOTATIONS,
    **dict.fromkeys(("cache", "persist", "checkpoint", "push"), _FLAG),
    "remote": st.just("r"),
}
_PROPS = {**_OPTIONS, "header": _FLAG, "x": st.just("x"), "y": _SCALARS, "template": st.just("t")}
_OUTS = st.lists(st.just("o") | st.dictionaries(st.just("o"), _some(**_OPTIONS)), max_size=2)
_PLOTS = st.lists(
    st.just("p")
    | st.dictionaries(st.just("p"), _some(**_PROPS) | st.lists(_some(**_PROPS), max_size=2)),
    max_size=2,
)
_STAGE = _some(
    cmd=st.just("x") | _TEXTS,
    wdir=_SCALARS,
    deps=_TEXTS,
    params=st.lists(st.just("p") | _PIPELINE_PARTS, max_size=2),
    outs=_OUTS,
    metrics=_OUTS,
    plots=_PLOTS,
    vars=st.lists(st.just("v") | st.dictionaries(st.just("v"), _SCALARS), max_size=2),
    frozen=_FLAG,
    always_changed=_FLAG,
    matrix=st.dictionaries(st.sampled_from(["a", "b"]), _TEXTS | _SCALARS, max_size=2),
    desc=_SCALARS,
    meta=_SCALARS,
)
_FOREACH = _some(foreach=_SCALARS | _TEXTS, do=_STAGE)
_AXIS = st.just("a") | st.dictionaries(st.just("f"), st.just("c") | _TEXTS) | _TEXTS
_PLOT = _some(x=_AXIS, y=_AXIS, title=st.just("t")) | st.none()
_PIPELINE = _some(
    stages=st.dictionaries(st.sampled_from(["s", "t"]), _STAGE | _FOREACH, max_size=2),
    vars=st.lists(_SCALARS, max_size=1),
    params=_TEXTS,
    metrics=_TEXTS,
    plots=st.lists(st.just("p") | st.dictionaries(st.just("p"), _PLOT, max_size=2), max_size=2),
    artifacts=st.dictionaries(st.just("a"), _some(path=st.just("p"), **_ANNOTATIONS)),
)
_META = _some(
    md5=st.sampled_from([A, None, ""]),
    size=_SCALARS,
    nfiles=st.just(1),
    isexec=_FLAG,
    version_id=st.just("v"),
    etag=_SCALARS,
    relpath=st.just("r"),
)
_ENTRY: dict[str, st.SearchStrategy[Any]] = {
    "path": st.just("p"),
    "md5": st.sampled_from([A, None, ""]),
    "hash": st.just("md5"),
    "size": st.just(1),
    "persist": _FLAG,
    "cloud": st.dictionaries(st.sampled_from(["a", "b"]), _META, max_size=2),
    "files": st.lists(_META, max_size=1),
    "fs_config": _SCALARS,
}
_REPO = _some(url=st.just("u"), rev=_SCALARS, config=_SCALARS)
_DATA = _some(
    md5=_SCALARS,
    wdir=_SCALARS,
    frozen=_FLAG,
    locked=_FLAG,
    deps=st.none() | st.lists(_some(**_ENTRY, repo=_REPO, db=_some(query=_SCALARS)), max_size=1),
    outs=st.none() | st.lists(_some(**_ENTRY, **_ANNOTATIONS, cache=_FLAG), max_size=1),
    desc=_SCALARS,
    meta=_SCALARS,
)


def _passes(check: Callable[[object], None], document: object) -> bool:
    try:
        check(document)
    except Problem:
        return False
    return True


def _passes_dvc(schema: Callable[[object], object], document: object) -> bool:
    from voluptuous import Invalid

    try:
        schema(document)
    except Invalid:
        return False
    return True


@settings(max_examples=250, deadline=None)
@given(_PIPELINE | _PIPELINE_PARTS | st.fixed_dictionaries({"stages": _PIPELINE_PARTS}))
def test_pipeline_files(document: object) -> None:
    from dvc.schema import COMPILED_MULTI_STAGE_SCHEMA

    assert _passes(check_pipeline, document) == _passes_dvc(COMPILED_MULTI_STAGE_SCHEMA, document)


@settings(max_examples=250, deadline=None)
@given(_DATA | _DATA_PARTS | st.fixed_dictionaries({"outs": st.lists(_DATA_PARTS, max_size=1)}))
def test_data_files(document: object) -> None:
    from dvc.schema import COMPILED_SINGLE_STAGE_SCHEMA

    theirs = _passes_dvc(COMPILED_SINGLE_STAGE_SCHEMA, document)
    ours = _passes(check_data_file, document)
    assert ours == theirs or (theirs and _names_an_odd_object(document))


def _names_an_odd_object(document: Any) -> bool:
    """Whether an MD5 is not one, which only DVC accepts."""
    if isinstance(document, list):
        return any(map(_names_an_odd_object, document))
    if not isinstance(document, dict):
        return False
    md5 = document.get("md5")
    return bool(md5 and md5 not in (A, f"{A}.dir")) or any(
        map(_names_an_odd_object, document.values())
    )
