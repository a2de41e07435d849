from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exprun.errors import PipelineError, UsageError
from exprun.model.paths import Location
from exprun.pipeline.graph import build_graph
from exprun.pipeline.targets import Catalogue, Selector, Target, address, parse_target

from .build import stage

if TYPE_CHECKING:
    from exprun.pipeline.graph import Graph

PARSED = {
    "train": Target(name="train"),
    "build@us": Target(name="build@us"),
    "build@a:b": Target(name="build@a:b"),
    ":train": Target(name="train"),
    "dvc.yaml": Target(),
    "sub/dvc.yaml": Target(file="sub/dvc.yaml"),
    "sub/dvc.yaml:train": Target(file="sub/dvc.yaml", name="train"),
    "sub/dvc.yaml:build@us": Target(file="sub/dvc.yaml", name="build@us"),
    "sub/dvc.yaml:build@a/b": Target(file="sub/dvc.yaml", name="build@a/b"),
    "../dvc.yaml:x": Target(file="../dvc.yaml", name="x"),
    "a:b/dvc.yaml": Target(file="a:b/dvc.yaml"),
    "a:b/dvc.yaml:s": Target(file="a:b/dvc.yaml", name="s"),
    "data.dvc": Target(file="data.dvc"),
    "sub/data@1.dvc": Target(file="sub/data@1.dvc"),
    "data.dvc:name": Target(file="data.dvc", name="name"),
    "sub/data": Target(name="sub/data"),
    "train:": Target(name="train:"),
    "a:b:c": Target(file="a:b", name="c"),
    "@x": Target(),
    "a\\b:c\\d": Target(name="a\\b:c\\d"),
}


@pytest.mark.parametrize(("target", "parsed"), PARSED.items())
def test_targets_are_split_as_dvc_splits_them(target: str, parsed: Target) -> None:
    from dvc.utils import parse_target as dvc_parse_target

    assert parse_target(target) == parsed
    assert dvc_parse_target(target) in {
        (parsed.file, parsed.name),
        # DVC leaves the file open where it may still turn out to be an output.
        (None, parsed.name),
    }


@pytest.mark.parametrize("target", ["pre*", "sub/dvc.yaml:pre*", ":x?", "a:b:[c]", "sub/dvc.yaml:"])
def test_patterns_are_split_at_the_last_colon(target: str) -> None:
    from dvc.utils import parse_target as dvc_parse_target

    parsed = parse_target(target, glob=True)
    assert dvc_parse_target(target, isa_glob=True) == (parsed.file, parsed.name)


@pytest.mark.parametrize("target", ["dvc.lock", "sub/dvc.lock", "sub/dvc.lock:train"])
def test_a_lock_file_is_refused_with_the_file_meant(target: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(target)
    assert caught.value.hint == f"name the pipeline file: {target.replace('.lock', '.yaml')}"


STAGES = (
    stage("prepare", outs=["clean"]),
    stage("train@cnn", ["clean"], ["cnn"]),
    stage("train@xgb", ["clean"], ["xgb"]),
    stage("report", ["cnn", "xgb"], file="sub/dvc.yaml"),
    stage("deep", file="sub/deep/dvc.yaml"),
    stage(None, outs=["raw"], file="sub/raw.dvc"),
)


class SomeFiles:
    """The project's files as far as targets ask about them."""

    def read(self, location: Location) -> bytes:
        raise FileNotFoundError(location)

    def is_file(self, location: Location) -> bool:
        return location == "hidden/dvc.yaml"

    def is_dir(self, location: Location) -> bool:
        return location in {"sub", "sub/deep", "empty"}


def selector(cwd: str = ".") -> Selector:
    def graph() -> Graph:
        return build_graph(STAGES, root="/project")

    files = dict.fromkeys(value.file for value in STAGES)
    return Selector(
        catalogue=Catalogue(
            stages={file: [value for value in STAGES if value.file == file] for file in files},
            groups={Location("dvc.yaml"): {"train": ("train@cnn", "train@xgb"), "none": ()}},
            broken={Location("bad/dvc.yaml"): PipelineError("it is broken", where="bad/dvc.yaml")},
        ),
        files=SomeFiles(),
        root="/project",
        graph=graph,
        cwd=Location(cwd),
    )


def select(*targets: str, cwd: str = ".", recursive: bool = False, glob: bool = False) -> list[str]:
    found = selector(cwd).select(targets, recursive=recursive, glob=glob)
    return [address(value) for value in found]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ((), ["prepare", "train@cnn", "train@xgb"]),
        (("train",), ["train@cnn", "train@xgb"]),
        (("none",), []),
        (("train@xgb", "prepare", "train"), ["train@xgb", "prepare", "train@cnn"]),
        (("sub/dvc.yaml",), ["sub/dvc.yaml:report"]),
        (("./sub/../sub/dvc.yaml:report",), ["sub/dvc.yaml:report"]),
        (("/project/sub/dvc.yaml:report",), ["sub/dvc.yaml:report"]),
        (("sub/raw.dvc",), ["sub/raw.dvc"]),
        (("sub/raw.dvc:ignored",), ["sub/raw.dvc"]),
    ],
)
def test_what_targets_select(targets: tuple[str, ...], expected: list[str]) -> None:
    assert select(*targets) == expected


def test_targets_are_relative_to_the_current_directory() -> None:
    assert select(cwd="sub") == ["sub/dvc.yaml:report"]
    assert select("report", "raw.dvc", cwd="sub") == ["sub/dvc.yaml:report", "sub/raw.dvc"]
    assert select("../dvc.yaml:prepare", cwd="sub") == ["prepare"]


def test_a_directory_selects_what_is_beneath_it_in_execution_order() -> None:
    assert select("sub", recursive=True) == [
        "sub/dvc.yaml:report",
        "sub/deep/dvc.yaml:deep",
        "sub/raw.dvc",
    ]
    assert select(".", recursive=True, cwd="sub/deep") == ["sub/deep/dvc.yaml:deep"]
    assert select("empty", recursive=True) == []
    assert select("prepare", recursive=True) == ["prepare"]


def test_patterns_match_the_names_of_one_file() -> None:
    assert select("*r*@*", glob=True) == ["train@cnn", "train@xgb"]
    assert select("sub/dvc.yaml:re*", glob=True) == ["sub/dvc.yaml:report"]
    assert select("nothing*", glob=True) == []
    assert select("train", glob=True) == ["train@cnn", "train@xgb"]


@pytest.mark.parametrize(
    ("target", "cwd", "message", "hint"),
    [
        ("prepar", ".", "stage 'prepar' not found inside 'dvc.yaml' file", "'prepare'?"),
        ("report", ".", "stage 'report' not found", "'sub/dvc.yaml:report'?"),
        ("prepare", "sub", "not found inside 'dvc.yaml'", "'../dvc.yaml:prepare'?"),
        ("zzzzzz", ".", "stage 'zzzzzz' not found", "see `exprun stages`"),
        ("clean", ".", "stage 'clean' not found", "'clean' is an output; its stage is prepare"),
        ("x/dvc.yaml", ".", "'x/dvc.yaml' does not exist", ""),
        ("prepare", "sub/deep", "'prepare' not found inside", "'../../dvc.yaml:prepare'?"),
        ("prepare", "empty", "stage 'prepare' not found: there is no 'dvc.yaml'", "prepare'?"),
        ("dvc.yaml", "empty", "'dvc.yaml' does not exist here", "with -P"),
        ("hidden/dvc.yaml", ".", "not part of the project", "ignored"),
        ("bad/dvc.yaml", ".", "it is broken", ""),
        ("x.yaml:prepare", ".", "'x.yaml' does not exist", ""),
    ],
)
def test_a_target_that_names_nothing_is_refused_with_a_suggestion(
    target: str, cwd: str, message: str, hint: str
) -> None:
    with pytest.raises((UsageError, PipelineError)) as caught:
        select(target, cwd=cwd)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_addresses_are_relative_to_the_current_directory() -> None:
    shown = [address(value, Location("sub")) for value in STAGES]
    assert shown == [
        "../dvc.yaml:prepare",
        "../dvc.yaml:train@cnn",
        "../dvc.yaml:train@xgb",
        "report",
        "deep/dvc.yaml:deep",
        "raw.dvc",
    ]
