"""A pipeline file that was loaded before is that of now, if all that it depends on is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import PipelineError
from exprun.model.paths import Location
from exprun.pipeline import recent as recent_module
from exprun.pipeline.graph import build_graph
from exprun.pipeline.load import load_pipeline
from exprun.pipeline.recent import RecentPipelines
from tests.pipeline.oracle import DictFiles

if TYPE_CHECKING:
    from exprun.pipeline.pipeline_file import PipelineFile
    from tests.pipeline.oracle import Sources

ROOT = "/project"

FOREACH = """\
vars: [names.yaml]
stages:
  s:
    foreach: ${names}
    do: {cmd: x, outs: ["${item}"]}
  train: {cmd: train, params: [lr]}
"""


class Loads:
    """Loads of one file after another, which know of those before."""

    def __init__(self) -> None:
        self.recent = RecentPipelines()

    def load(self, text: str, root: str = ROOT, **others: str) -> PipelineFile:
        """What `text` is now. It must be what it would be if it was loaded anew."""
        sources = {"dvc.yaml": text} | {f"{name}.yaml": body for name, body in others.items()}
        known = _load(sources, root, self.recent)
        assert repr(known) == repr(_load(sources, root, None))
        return known


def _load(sources: Sources, root: str, recent: RecentPipelines | None) -> PipelineFile:
    return load_pipeline(Location("dvc.yaml"), DictFiles(sources), root=root, recent=recent)


@pytest.fixture
def loads() -> Loads:
    return Loads()


def test_parameters_that_no_template_takes_make_no_difference(loads: Loads) -> None:
    first = loads.load(FOREACH, params="lr: 1", names="names: [a, b]")
    second = loads.load(FOREACH, "/elsewhere", params="lr: 2", names="names: [a, b]\nmore: 1")
    assert second is first


@pytest.mark.parametrize("names", ["[a, c]", "[b, a]", "[a]", "{a: x, b: y}"])
def test_parameters_that_a_template_takes_do(names: str, loads: Loads) -> None:
    first = loads.load(FOREACH, names="names: [a, b]")
    second = loads.load(FOREACH, names=f"names: {names}")
    assert second is not first
    assert loads.load(FOREACH, names="names: [a, b]") is first
    assert loads.load(FOREACH, names=f"names: {names}") is second


@pytest.mark.parametrize("value", ["1", "1.0", "true", "'1'", "'true'", "0x1", "[1]"])
def test_equal_values_of_another_type_are_other_values(value: str, loads: Loads) -> None:
    text = "artifacts: {m: {path: p, meta: '${a}'}}\nstages: {s: {cmd: 'x ${b}'}}"
    for other in ("1", "1.0", "true", "'1'"):
        loads.load(text, params=f"a: {other}\nb: 2")
    loads.load(text, params=f"a: {value}\nb: 2")


def test_who_gives_a_value_makes_a_difference(loads: Loads) -> None:
    text = "vars: [v.yaml]\nstages: {s: {cmd: 'x ${m.a} ${m.b}'}}"
    first = loads.load(text, params="m: {a: 1}", v="m: {b: 2}")
    second = loads.load(text, params="m: {b: 2}", v="m: {a: 1}")
    assert dict(first.stages[0].tracked) != dict(second.stages[0].tracked)


@pytest.mark.parametrize(
    "path", ["/one/a", "/two/a", "/one/../two/a", "${p}", "${p}/a", "../two/a", "x/../../two/a"]
)
def test_a_path_that_leaves_is_compared_with_the_root(path: str, loads: Loads) -> None:
    for text in (
        f"stages: {{s: {{cmd: x, deps: ['{path}']}}}}",
        f"stages: {{s: {{cmd: x, wdir: '{path}', outs: [o]}}}}",
        f"stages: {{s: {{cmd: x, params: [{{'{path}': [k]}}]}}}}",
        f"stages: {{s: {{cmd: x, outs: [{{'{path}': {{cache: false}}}}]}}}}",
    ):
        for root in ("/one", "/two", "/one"):
            loads.load(text, root, params="p: /two/p")


@pytest.mark.parametrize("params", ["- a", "a: [", "m: 1"])
def test_bad_parameters_are_refused_whatever_was_loaded(params: str, loads: Loads) -> None:
    text = "vars: [v.yaml]\nstages: {s: {cmd: x}}"
    loads.load(text, params="m: {a: 1}", v="m: {b: 1}")
    sources = {"dvc.yaml": text, "params.yaml": params, "v.yaml": "m: {b: 1}"}
    with pytest.raises(PipelineError) as anew:
        _load(sources, ROOT, None)
    with pytest.raises(PipelineError) as known:
        _load(sources, ROOT, loads.recent)
    assert str(known.value) == str(anew.value)


def test_variables_of_a_stage_are_read_each_time(loads: Loads) -> None:
    text = "stages: {s: {cmd: 'x ${a}', vars: [v.yaml]}}"
    for value in (1, 2, 1):
        assert loads.load(text, v=f"a: {value}").stages[0].cmd == f"x {value}"


def test_a_number_too_long_to_be_written_is_not_remembered(loads: Loads) -> None:
    text = "stages: {s: {cmd: x, meta: '${a}'}}"
    sources = {"dvc.yaml": text, "params.yaml": f"a: 0x{'f' * 5000}"}
    first = _load(sources, ROOT, loads.recent)
    assert first.stages[0].meta == _load(sources, ROOT, loads.recent).stages[0].meta
    loads.load(text, params="a: 1")
    assert _load(sources, ROOT, loads.recent).stages[0].meta == first.stages[0].meta


def test_what_was_loaded_longest_ago_is_forgotten(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_module, "_MOST", 10)
    text = "stages: {s: {cmd: 'x ${a}'}}"
    first = loads.load(text, params="a: 0")
    for value in range(1, 4):
        loads.load(text, params=f"a: {value}")
    assert loads.load(text, params="a: 0") is first
    loads.load("stages: {t: {foreach: [1, 2, 3, 4], do: {cmd: x}}}")
    assert loads.load(text, params="a: 0") is not first
    again = loads.load(text, params="a: 0")
    loads.load(text, params=f"a: {'x' * 9_000}")
    assert loads.load(text, params="a: 0") is not again
    for _ in range(2):
        loads.load("stages: {t: {foreach: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], do: {cmd: x}}}")


def test_the_same_stages_have_the_same_graph(loads: Loads) -> None:
    one = loads.load(FOREACH, names="names: [a, b]").stages
    two = loads.load(FOREACH, names="names: [a, c]").stages
    graph = loads.recent.graph(one, root=ROOT)
    assert loads.recent.graph(one, root=ROOT) is graph
    assert loads.recent.graph(one, root="/elsewhere") is not graph
    for stages in (two, one[:1], (one[0], *two[1:]), one[::-1]):
        assert tuple(loads.recent.graph(stages, root=ROOT).stages.values()) == stages


def test_stages_that_read_and_make_the_same_have_the_same_edges(loads: Loads) -> None:
    text = "stages: {b: {cmd: 'x ${n}', deps: [a], outs: [b]}, a: {cmd: x, outs: [a]}}"
    first, second = (loads.load(text, params=f"n: {n}").stages for n in (1, 2))
    graph, other = (loads.recent.graph(stages, root=ROOT) for stages in (first, second))
    assert first != second
    assert tuple(other.stages.values()) == second
    assert other == build_graph(second, root=ROOT)
    moved = loads.load(text.replace("deps: [a]", "deps: [c]"), params="n: 1").stages
    assert loads.recent.graph(moved, root=ROOT) == build_graph(moved, root=ROOT) != graph


def test_what_clashes_is_refused_each_time(loads: Loads) -> None:
    text = "stages: {a: {cmd: x, outs: [o]}, b: {cmd: x, outs: [o]}}"
    for _ in range(2):
        with pytest.raises(PipelineError, match="made by both"):
            loads.recent.graph(loads.load(text).stages, root=ROOT)


_VALUE = st.sampled_from(
    ["1", "1.0", "true", "null", "[1, 2]", "{x: 1}", "{y: 1}", "text", "/a", "../a/x"]
)
_NAMES = st.dictionaries(st.sampled_from(["a", "b"]), _VALUE, max_size=2)
_EXPRESSION = st.sampled_from(["${a}", "${b}", "${a.x}", "${a[0]}", "x", "${item}"])
_TEMPLATE = st.builds(
    "{{cmd: 'x {}', deps: ['{}']}}".format,
    _EXPRESSION,
    _EXPRESSION | st.sampled_from(["/project/d", "../project/d"]),
)
_STAGE = _TEMPLATE | st.builds("{{foreach: {}, do: {}}}".format, _EXPRESSION, _TEMPLATE)
_FILES = st.fixed_dictionaries(
    {
        "dvc.yaml": st.builds("vars: [v.yaml]\nstages: {{s: {}}}".format, _STAGE),
        "params.yaml": _NAMES.map(lambda names: "\n".join(f"{k}: {v}" for k, v in names.items())),
        "v.yaml": _NAMES.map(lambda names: "\n".join(f"{k}: {v}" for k, v in names.items())),
    }
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_FILES, min_size=1, max_size=3), st.lists(_FILES, min_size=1, max_size=3))
def test_any_file_is_what_it_is_when_it_is_loaded_anew(
    texts: list[Sources], params: list[Sources]
) -> None:
    recent = RecentPipelines()
    for text in texts:
        for others in (*params, *params):
            for root in (ROOT, "/a"):
                sources = others | {"dvc.yaml": text["dvc.yaml"]}
                assert _outcome(sources, root, recent) == _outcome(sources, root, None)


def _outcome(sources: Sources, root: str, recent: RecentPipelines | None) -> str:
    try:
        return repr(_load(sources, root, recent))
    except PipelineError as error:
        return f"{error} {error.where} {error.hint}"
