"""A Hypothesis strategy for small pipelines and the things users do to them between runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.compat.case import Case, case
from tests.compat.deviations import GENERATED
from tests.support.project import Action, Chmod, Delete, commit, dvc, repro, run, write

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

KEYS = ("lr", "epochs", "m.x", "l.0")
SOURCES = ("in0", "in1")
VALUES: SearchStrategy[str] = st.sampled_from(
    ["1", "0.1", "1e-3", "true", "null", "text", "'1'", "[1, 2]", "a b"]
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One generated stage: it concatenates what it reads into each of its outputs."""

    name: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[tuple[str, str], ...]
    options: tuple[str, ...] = ()

    def as_yaml(self) -> dict[str, object]:
        reads = " ".join(dep + ("/f" if dep.endswith("_d") else "") for dep in self.deps)
        commands = [_command(path, reads, self.name) for path, _ in self.outs]
        entry: dict[str, object] = {"cmd": commands if len(commands) > 1 else commands[0]}
        if self.deps:
            entry["deps"] = list(self.deps)
        if self.params:
            entry["params"] = list(self.params)
        for kind in ("outs", "metrics"):
            if entries := [_out(path, how) for path, how in self.outs if _list_of(how) == kind]:
                entry[kind] = entries
        return entry | dict.fromkeys(self.options, True)


def _list_of(how: str) -> str:
    return "metrics" if how == "metric" else "outs"


def _out(path: str, how: str) -> object:
    options = {
        "uncached": {"cache": False},
        "metric": {"cache": False},
        "persist": {"persist": True},
    }
    return {path: options[how]} if how in options else path


def _command(path: str, reads: str, name: str) -> str:
    source = f"cat {reads} /dev/null" if reads else "printf ''"
    if path.endswith("_d"):
        return f"mkdir -p {path} && {{ {source}; echo {name}; }} > {path}/f"
    return f"{{ {source}; echo {name}; }} > {path}"


@st.composite
def _stages(draw: DrawFn) -> tuple[Stage, ...]:
    available = list(SOURCES)
    stages = []
    for number in range(draw(st.integers(1, 4))):
        name = f"s{number}"
        kinds = draw(
            st.lists(
                st.sampled_from(["cached", "directory", "uncached", "metric", "persist"]),
                min_size=1,
                max_size=2,
                unique=True,
            )
        )
        outs = tuple((f"{name}_{'d' if kind == 'directory' else kind}", kind) for kind in kinds)
        stages.append(
            Stage(
                name=name,
                deps=tuple(draw(st.lists(st.sampled_from(available), max_size=3, unique=True))),
                params=tuple(draw(st.lists(st.sampled_from(KEYS), max_size=2, unique=True))),
                outs=outs,
                options=tuple(draw(st.sampled_from([(), (), (), (), ("always_changed",)]))),
            )
        )
        available += [path for path, _ in outs]
    return tuple(draw(st.permutations(stages)))


def _edits(stages: tuple[Stage, ...]) -> SearchStrategy[Action]:
    outs = [path for stage in stages for path, how in stage.outs if how != "directory"]
    return st.one_of(
        st.builds(write, st.sampled_from(SOURCES), st.sampled_from(["x\n", "y\n", ""])),
        st.builds(
            lambda lr, x: write("params.yaml", f"lr: {lr}\nepochs: 3\nm: {{x: {x}}}\nl: [1]\n"),
            VALUES,
            VALUES,
        ),
        st.builds(
            Delete,
            st.sampled_from([*(path for s in stages for path, _ in s.outs), "dvc.lock"]),
            missing_ok=st.just(True),
        ),
        st.builds(write, st.sampled_from(outs or ["other"]), st.just("by hand\n")),
        st.builds(Chmod, st.sampled_from(SOURCES), st.sampled_from([0o755, 0o644])),
    )


@st.composite
def _steps(draw: DrawFn, stages: tuple[Stage, ...]) -> tuple[Action, ...]:
    steps: list[Action] = list(draw(st.lists(_edits(stages), max_size=3, unique_by=repr)))
    targets = draw(st.lists(st.sampled_from([stage.name for stage in stages]), max_size=1))
    options = draw(st.sampled_from([(), (), (), ("-f",), ("-k",), ("--temp",), ("-s",)]))
    sets = draw(st.lists(st.tuples(st.sampled_from(["lr", "epochs", "m.x"]), VALUES), max_size=2))
    overrides = [word for key, value in sets for word in ("-S", f"{key}={value}")]
    if draw(st.booleans()) and options != ("--temp",):
        steps.append(repro(*options, *targets))
    else:
        steps.append(run("-n", "e", *options, *overrides, *targets))
    return tuple(steps)


@st.composite
def cases(draw: DrawFn) -> Case:
    """A case: a pipeline, perhaps run and committed already, then edits and one command."""
    stages = draw(_stages())
    document = {"stages": {stage.name: stage.as_yaml() for stage in stages}}
    ran = draw(st.sampled_from([(), (dvc("repro"),), (dvc("repro"), *commit())]))
    return case(
        GENERATED,
        write("in0", "a\n"),
        write("in1", "b\n"),
        write("params.yaml", "lr: 0.1  # rate\nepochs: 3\nm: {x: 1}\nl: [1]\n"),
        write("dvc.yaml", json.dumps(document, indent=1)),
        commit(),
        ran,
        steps=draw(_steps(stages)),
    )
