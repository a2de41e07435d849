"""What a PipelineFile offers besides its stages, and how a bad dvc.yaml is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exprun.errors import PipelineError
from exprun.model.paths import Location
from exprun.pipeline.load import load_pipeline
from tests.pipeline.oracle import DictFiles, Oracle, load, load_file

if TYPE_CHECKING:
    from pathlib import Path

    from exprun.pipeline.pipeline_file import PipelineFile
    from tests.pipeline.oracle import Sources

ROOT = "/project"


def _load(text: str, **others: str) -> PipelineFile:
    sources = {"dvc.yaml": text} | {name.replace("_", "."): body for name, body in others.items()}
    return load_pipeline(Location("dvc.yaml"), DictFiles(sources), root=ROOT)


def test_groups_know_their_stages() -> None:
    pipeline = _load(
        """
stages:
  a: {cmd: x}
  b: {foreach: [1, 2], do: {cmd: x}}
  c: {matrix: {x: [1, 2], y: [3]}, cmd: x}
  d: {foreach: [], do: {cmd: x}}
"""
    )
    assert pipeline.groups == {"b": ("b@1", "b@2"), "c": ("c@1-3", "c@2-3"), "d": ()}
    assert [stage.name for stage in pipeline.stages] == ["a", "b@1", "b@2", "c@1-3", "c@2-3"]


def test_what_was_read_is_known() -> None:
    sources = {
        "s/dvc.yaml": "vars: [../v.yaml]\nstages: {s: {cmd: x, wdir: w, vars: [x.yaml]}}",
        "v.yaml": "a: 1",
        "s/w/x.yaml": "b: 1",
    }
    pipeline = load_pipeline(Location("s/dvc.yaml"), DictFiles(sources), root=ROOT)
    assert pipeline.read == {"s/params.yaml", "v.yaml", "s/w/x.yaml"}


def test_top_level_files_of_a_pipeline_in_a_directory() -> None:
    sources = {"s/dvc.yaml": "metrics: [m.json]\nparams: [../p.yaml]\nplots: [a.csv, {b: }]\n"}
    pipeline = load_pipeline(Location("s/dvc.yaml"), DictFiles(sources), root=ROOT)
    assert pipeline.metrics == ("s/m.json",)
    assert pipeline.params == ("p.yaml",)
    assert pipeline.plots == ("s/a.csv", "s/b")


PLOTS = [
    "plots: [a.csv, d/b.csv, a.csv]",
    "plots: [{a.csv: {x: s, y: [l, m]}}, {b.csv: }]",
    "plots: [{p: {y: {f.csv: l, g.csv: [m]}}}]",
    "plots: [{p: {x: {h.csv: s}, y: {f.csv: l}}}, {q: {x: {h.csv: s}, y: l}}]",
    "plots: [{p: {x: s, y: {../f.csv: l}}}, {a: {}, b: {}}]",
]


@pytest.mark.parametrize("text", PLOTS)
def test_plot_sources(text: str, oracle: Oracle) -> None:
    sources = {"sub/dvc.yaml": text}
    assert set(load_file(sources, oracle.root, "sub/dvc.yaml").plots) == set(
        oracle.plot_sources(sources)
    )


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("stages:\n  a:\n    cmd: x\n    dep: [y]\n", 4, "unknown key 'dep' in a stage"),
        ("stages:\n  a:\n    deps: [y]\n", 2, "required key 'cmd' is missing"),
        ("stages:\n  a:\n    cmd: x\n    deps:\n    - y\n    - 1\n", 6, "expected text"),
        ("stages:\n  a:\n    cmd: x ${nope}\n", 3, "failed to parse 'stages.a.cmd'"),
        ("stages:\n  a:\n    cmd: x ${nope.b}\n", 3, "could not find 'nope.b'"),
        ("stages:\n  a:\n    cmd: ${}\n", 3, "invalid expression '${}'"),
        ("stages:\n  a:\n    cmd: x\n    desc: y\n    meta:\n      k: ${z}\n", 5, "could not find"),
        ("stages:\n  a:\n    foreach: x\n    do:\n      cmd: y\n", 3, "expected list/dictionary"),
        ("stages:\n  a:\n    foreach: [x]\n    do:\n      cmd: ${y}\n", 5, "'stages.a@x.cmd'"),
        ("stages:\n  a:\n    matrix:\n      x: ${y}\n    cmd: z\n", 3, "could not find 'y'"),
        ("stages:\n  a@b:\n    cmd: z\n", 2, "cannot be the name of a stage"),
        ("stages:\n  a:\n    cmd: z\n    outs:\n    - b.dvc\n", 5, "DVC file 'b.dvc' cannot be"),
        ("vars:\n- a: 1\n- a: 2\nstages: {}\n", 1, "cannot redefine 'a'"),
        ("vars:\n- nope.yaml\nstages: {}\n", 1, "'nope.yaml' does not exist"),
        ("stages:\n  a:\n    cmd: x\n    vars: [nope.yaml]\n", 4, "'nope.yaml' does not exist"),
        ("metrics:\n- a\n- ${b}\n", 3, "failed to parse 'metrics.1'"),
        ("artifacts:\n  a:\n    path: ${b}\n", 2, "failed to parse 'artifacts.a'"),
        ("stages:\n  a: [\n", 3, "invalid YAML"),
        ("1: x\n", 1, "unknown key '1' in dvc.yaml"),
    ],
)
def test_errors_name_the_line(text: str, line: int, part: str) -> None:
    with pytest.raises(PipelineError) as caught:
        _load(text)
    assert caught.value.where == f"dvc.yaml:{line}"
    assert part in caught.value.message


def test_a_broken_parameters_file_is_named_itself() -> None:
    with pytest.raises(PipelineError) as caught:
        _load("stages: {}", params_yaml="a: 1\nb: [\n")
    assert caught.value.where == "params.yaml:3"


def test_a_date_in_the_parameters_is_named() -> None:
    with pytest.raises(PipelineError) as caught:
        _load("stages: {}", params_yaml="a:\n  b: [x, 2020-01-01]\n")
    assert "'params.yaml.a.b.1' is of type 'date'" in caught.value.message
    assert caught.value.hint


def test_a_missing_file() -> None:
    with pytest.raises(PipelineError) as caught:
        load_pipeline(Location("dvc.yaml"), DictFiles({}), root=ROOT)
    assert caught.value.where == "dvc.yaml"


def _numbers(count: int) -> str:
    return str(list(range(count)))


TOO_MUCH = {
    "a large matrix": "stages:\n s:\n  cmd: x\n  matrix:\n"
    + "".join(f"   {axis}: {_numbers(1000)}\n" for axis in "abc"),
    "a large foreach": f"stages: {{s: {{foreach: {_numbers(20_001)}, do: {{cmd: x}}}}}}",
    "many groups": "stages:\n"
    + "".join(f" s{n}: {{foreach: {_numbers(3_000)}, do: {{cmd: x}}}}\n" for n in range(7)),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_many_stages(name: str) -> None:
    started = time.process_time()
    with pytest.raises(PipelineError) as caught:
        _load(TOO_MUCH[name])
    assert "more than 20,000 stages" in caught.value.message
    assert time.process_time() - started < 2


def test_too_much_text_from_templates() -> None:
    started = time.process_time()
    with pytest.raises(PipelineError) as caught:
        _load(
            f"stages: {{s: {{foreach: {_numbers(10_000)}, do: {{cmd: 'x ${{item}} ${{big}}'}}}}}}",
            params_yaml=f"big: {'x' * 1_000_000}",
        )
    assert "expand to more text" in caught.value.message
    assert time.process_time() - started < 2


_WORD = st.sampled_from(["a", "b", "c", "l", "0", "1", "-1", "item", "key", "x y"])
_EXPRESSION = st.lists(_WORD, min_size=1, max_size=3).map(".".join).map("${{{}}}".format)
_TEXT = st.lists(
    _EXPRESSION | st.sampled_from(["x", " ", "\\${a}", "$", "${", "}", "'q'", "é"]),
    min_size=1,
    max_size=4,
).map("".join)
_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10**20)
    | st.floats(allow_nan=False)
    | st.sampled_from(["s", "two words", "", "it's", "1", "true"])
)
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORD, inner, max_size=3),
    max_leaves=6,
)
_PARAMS = st.fixed_dictionaries(
    {
        "a": _SCALAR,
        "b": st.dictionaries(_WORD, _VALUE, max_size=3),
        "l": st.lists(_VALUE, max_size=3),
        "c": _VALUE,
    }
)
_TEMPLATE = st.fixed_dictionaries(
    {"cmd": _TEXT | st.lists(_TEXT, min_size=1, max_size=2)},
    optional={"desc": _TEXT, "deps": st.lists(_TEXT, max_size=2), "meta": st.lists(_TEXT)},
)
_SOURCE = st.sampled_from(["${l}", "${b}", "${c}", "${b.l}"]) | st.lists(
    _SCALAR | _EXPRESSION | st.dictionaries(_WORD, _SCALAR | _EXPRESSION, max_size=2), max_size=3
)
_STAGE = (
    _TEMPLATE
    | st.fixed_dictionaries({"foreach": _SOURCE, "do": _TEMPLATE})
    | st.builds(
        lambda axes, template: {"matrix": axes} | template,
        st.dictionaries(st.sampled_from(["a", "b"]), _SOURCE, min_size=1, max_size=2),
        _TEMPLATE,
    )
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(stage=_STAGE, params=_PARAMS)
def test_any_template_means_what_it_means_to_dvc(
    stage: object, params: object, oracle: Oracle
) -> None:
    import json

    sources: Sources = {
        "dvc.yaml": json.dumps({"stages": {"s": stage}}, ensure_ascii=False),
        "params.yaml": json.dumps(params, ensure_ascii=False),
    }
    assert load(sources, oracle.root) == oracle.load(sources)


def test_paths_keep_their_spelling(project_root: Path) -> None:
    pipeline = load_file(
        {"dvc.yaml": "stages: {s: {cmd: x, wdir: w, deps: [./a, d/, ../b], outs: [c/../o]}}"},
        project_root,
    )
    (stage,) = pipeline.stages
    assert [(dep.path, dep.location) for dep in stage.deps] == [
        ("./a", "w/a"),
        ("d/", "w/d"),
        ("../b", "b"),
    ]
    assert [(out.path, out.location) for out in stage.outs] == [("c/../o", "w/o")]
