"""A Hypothesis strategy for small pipelines and the things users do to them between runs."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.compat.case import Case, case, flat
from tests.compat.deviations import GENERATED
from tests.support.project import Action, Chmod, Delete, commit, dvc, repro, run, write

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

KEYS = ("lr", "epochs", "m.x", "l.0", "m")
OTHER_FILES = ({"p.json": ["k"]}, {"p.toml": ["t.x"]}, {"p.py": ["A"]}, {"vars.yaml": None})
SOURCES = ("in0", "in1", "raw", "tree")
VALUES: SearchStrategy[str] = st.sampled_from(
    ["1", "0.1", "1e-3", "true", "null", "text", "'1'", "[1, 2]", "a b"]
)
GROUPS: tuple[dict[str, object] | None, ...] = (
    None, None, None, None,
    {"foreach": ["a", "b"]},
    {"foreach": {"a": 1, "b": 2}},
    {"foreach": "${items}"},
    {"matrix": {"x": ["a", "b"]}},
)  # fmt: skip
OPTIONS = (
    (), (), (), (), (), ("-f",), ("-k",), ("--ignore-errors",), ("--force-downstream",),
    ("--allow-missing",), ("-P",), ("-P",),
)  # fmt: skip
FOLDERS = ("", "", "", "sub")
CONFIGS = tuple(
    f"{cache}[core]\n    remote = r\n['remote \"r\"']\n    url = ../../outside/remote\n"
    for cache in ("", "", "[cache]\n    type = hardlink\n", "[cache]\n    type = symlink\n")
)
REPRO_OPTIONS = ((), ("--no-run-cache",), ("--no-commit",))
RUN_OPTIONS = ((), (), ("--temp",))
TARGET_OPTIONS = ((), ("-s",), ("-p",), ("--downstream",))


@dataclass(frozen=True, slots=True)
class Stage:
    """A generated stage, or a group of them: it puts what it reads into each of its outputs.

    The outputs of stage `s0` are called `s0_<kind>`, those of `s0@a` `s0_<kind>-a`. It stands in
    the `dvc.yaml` of `folder`.
    """

    name: str
    folder: str
    deps: tuple[str, ...]
    params: tuple[object, ...]
    outs: tuple[tuple[str, str], ...]
    options: tuple[str, ...]
    wdir: str
    word: str
    group: dict[str, object] | None

    def as_yaml(self) -> dict[str, object]:
        commands = [self._command(path) for path, _ in self.outs]
        entry: dict[str, object] = {"cmd": commands if len(commands) > 1 else commands[0]}
        if self.wdir:
            entry["wdir"] = self.wdir
        if self.deps:
            entry["deps"] = [self._spelled(dep) for dep in self.deps]
        if self.params:
            entry["params"] = [self._params(each) for each in self.params]
        for kind in ("outs", "metrics", "plots"):
            if entries := [self._out(path, how) for path, how in self.outs if _list(how) == kind]:
                entry[kind] = entries
        entry |= dict.fromkeys(self.options, True)
        if self.group is None:
            return entry
        if "matrix" in self.group:
            return {**self.group, **entry}
        return {**self.group, "do": entry}

    @property
    def file(self) -> str:
        return posixpath.join(self.folder, "dvc.yaml")

    @property
    def names(self) -> tuple[str, ...]:
        """What the stages are called on the command line."""
        names = (self.name, f"{self.name}@a") if self.group else (self.name,)
        return tuple(f"{self.file}:{name}" for name in names) if self.folder else names

    @property
    def made(self) -> tuple[str, ...]:
        """The outputs, from the project's root."""
        ends = ("-a", "-b") if self.group else ("",)
        return tuple(
            posixpath.join(self._directory, path + end) for path, _ in self.outs for end in ends
        )

    @property
    def is_pushed_whole(self) -> bool:
        """Whether all that is made goes to a remote."""
        return all(how not in ("uncached", "metric", "plot") for _, how in self.outs)

    @property
    def _directory(self) -> str:
        return posixpath.join(self.folder, self.wdir)

    def _suffix(self) -> str:
        match self.group:
            case None:
                return ""
            case {"foreach": dict()}:
                return "-${key}"
            case {"matrix": _}:
                return "-${item.x}"
        return "-${item}"

    def _spelled(self, path: str) -> str:
        return posixpath.relpath(path, self._directory or ".")

    def _params(self, entry: object) -> object:
        if not self._directory:
            return entry
        files = entry if isinstance(entry, dict) else {"params.yaml": [entry]}
        return {self._spelled(file): keys for file, keys in files.items()}

    def _out(self, path: str, how: str) -> object:
        options = {
            "uncached": {"cache": False},
            "metric": {"cache": False},
            "plot": {"cache": False, "title": "a plot"},
            "persist": {"persist": True},
        }
        path += self._suffix()
        return {path: options[how]} if how in options else path

    def _command(self, path: str) -> str:
        reads = " ".join(
            self._spelled(f"{dep}/f" if _is_directory(dep) else dep) for dep in self.deps
        )
        path += self._suffix()
        text = f"{{ cat {reads} /dev/null; echo {self.name} {self.word}; }}"
        return (
            f"mkdir -p {path} && {text} > {path}/f" if _is_directory(path) else f"{text} > {path}"
        )


def _list(how: str) -> str:
    return {"metric": "metrics", "plot": "plots"}.get(how, "outs")


def _is_directory(path: str) -> bool:
    return path == "tree" or posixpath.basename(path).partition("-")[0].endswith("_d")


@st.composite
def pipelines(draw: DrawFn) -> tuple[Stage, ...]:
    available = list(SOURCES)
    stages = []
    for number in range(draw(st.integers(1, 4))):
        kinds = st.sampled_from(["cached", "cached", "d", "uncached", "metric", "plot", "persist"])
        params = st.sampled_from([*KEYS, *OTHER_FILES])
        stage = Stage(
            name=f"s{number}",
            folder=draw(st.sampled_from(FOLDERS)) if number else "",
            deps=tuple(draw(st.lists(st.sampled_from(available), max_size=3, unique=True))),
            params=tuple(draw(st.lists(params, max_size=2, unique_by=str))),
            outs=tuple(
                (f"s{number}_{kind}", kind)
                for kind in draw(st.lists(kinds, min_size=1, max_size=2, unique=True))
            ),
            options=draw(st.sampled_from([(), (), (), (), (), ("always_changed",), ("frozen",)])),
            wdir=draw(st.sampled_from(["", "", "", "w"])),
            word=draw(st.sampled_from(["", "", "${lr}", "${v.a}", "${w}"])),
            group=draw(st.sampled_from(GROUPS)),
        )
        stages.append(stage)
        available += stage.made
    return tuple(draw(st.permutations(stages)))


def _replace(path: str, content: str) -> tuple[Action, ...]:
    """Another file in the place of one that may be a link into the cache."""
    return Delete(path, missing_ok=True), write(path, content)


def _edits(stages: tuple[Stage, ...]) -> SearchStrategy[tuple[Action, ...]]:
    made = [path for stage in stages for path in stage.made]
    files = [path for path in made if not _is_directory(path)]
    lost = [*made, "raw", "tree"]
    if not any("frozen" in stage.options for stage in stages):
        # Else DVC deletes what a frozen stage made, as no lock records it, and then misses it.
        lost.append("dvc.lock")
    texts = st.sampled_from(["x\n", "y\n", ""])
    replaced = st.one_of(
        st.builds(_replace, st.sampled_from(["in0", "in1", "raw", "tree/f", "tree/new"]), texts),
        st.builds(_replace, st.sampled_from(files or ["other"]), st.just("by hand\n")),
    )
    others: SearchStrategy[Action] = st.one_of(
        st.builds(
            lambda lr, x: write("params.yaml", f"lr: {lr}\nepochs: 3\nm: {{x: {x}}}\nl: [1]\n"),
            st.sampled_from(["1", "0.1", "1e-3", "text"]),
            VALUES,
        ),
        st.builds(lambda k: write("p.json", f'{{"k": {k}}}'), st.sampled_from(["1", "1.0", "[]"])),
        st.builds(lambda t: write("p.toml", f"t.x = {t}\n"), st.sampled_from(["1", "'a'"])),
        st.builds(lambda a: write("p.py", f"A = {a}\n"), st.sampled_from(["1", "'a'"])),
        st.builds(lambda w: write("vars.yaml", _vars(w)), st.sampled_from(["1", "2", "1.0"])),
        st.builds(Delete, st.sampled_from(lost), missing_ok=st.just(True)),
        st.builds(Chmod, st.sampled_from(["in0", "in1"]), st.sampled_from([0o755, 0o644])),
    )
    return st.one_of(replaced, others.map(flat))


def _vars(word: str) -> str:
    return f"w: {word}\nitems: [a, b]\n"


@st.composite
def _command(draw: DrawFn, stages: tuple[Stage, ...], name: str, *, pushed: bool) -> Action:
    options = draw(st.sampled_from(OPTIONS))
    if pushed and all(stage.is_pushed_whole for stage in stages) and draw(st.booleans()):
        options += ("--pull",)
    targets: tuple[str, ...] = ()
    if draw(st.integers(0, 2)) == 0:
        names = [
            name
            for stage in stages
            for name in (*stage.names, f"{stage.file}:{stage.name}", stage.file)
        ]
        targets = (draw(st.sampled_from([*names, "raw.dvc"])),)
        # With -P, DVC checks out what the target names, and reproduces everything.
        options = tuple(option for option in options if option != "-P")
        options += draw(st.sampled_from(TARGET_OPTIONS))
    elif any(stage.folder for stage in stages):
        # The order of those of one file is that of a hash (deviation 6).
        options += ("-P",)
    if draw(st.booleans()):
        more = draw(st.sampled_from(REPRO_OPTIONS))
        if any(stage.group for stage in stages):
            # What is not in the cache when an experiment begins is deleted by DVC. Here it is up to
            # date if another member of its group has brought the same into the cache since.
            more = tuple(option for option in more if option != "--no-commit")
        return repro(*options, *more, *targets)
    sets = draw(st.lists(st.tuples(st.sampled_from(["lr", "epochs", "m.x"]), VALUES), max_size=2))
    overrides = [word for key, value in sets for word in ("-S", f"{key}={value}")]
    where = draw(st.sampled_from(RUN_OPTIONS))
    return run("-n", name, *options, *where, *overrides, *targets)


@st.composite
def _steps(draw: DrawFn, stages: tuple[Stage, ...], *, pushed: bool) -> tuple[Action, ...]:
    steps: list[Action] = []
    for number in range(draw(st.sampled_from([1, 1, 2]))):
        steps += flat(*draw(st.lists(_edits(stages), max_size=3, unique_by=repr)))
        steps.append(draw(_command(stages, f"e{number}", pushed=pushed)))
    return tuple(steps)


def start_of(
    stages: tuple[Stage, ...], config: str = "", *, frozen: bool = False
) -> tuple[Action, ...]:
    """A committed project with these stages; unless `frozen`, all of them can run."""
    return flat(
        write(".dvc/config", config),
        write("in0", "a\n"),
        write("in1", "b\n"),
        write("raw", "r\n"),
        write("tree/f", "f\n"),
        dvc("add", "--quiet", "raw", "tree"),
        write("params.yaml", "lr: 0.1  # rate\nepochs: 3\nm: {x: 1}\nl: [1]\n"),
        write("p.json", '{"k": 0}'),
        write("p.toml", "t.x = 0\n"),
        write("p.py", "A = 0\n"),
        write("vars.yaml", _vars("0")),
        write("w/.keep", ""),
        write("sub/w/.keep", ""),
        _pipeline(stages, frozen=frozen),
        commit(),
    )


def _pipeline(stages: tuple[Stage, ...], *, frozen: bool) -> tuple[Action, ...]:
    files = []
    for folder in sorted({stage.folder for stage in stages}):
        named = [posixpath.relpath(path, folder or ".") for path in ("vars.yaml", "params.yaml")]
        document = {
            "vars": [{"v": {"a": 1}}, *named],
            "stages": {stage.name: stage.as_yaml() for stage in stages if stage.folder == folder},
        }
        text = json.dumps(document, indent=1)
        text = text if frozen else text.replace('"frozen": true', '"frozen": false')
        files.append(write(posixpath.join(folder, "dvc.yaml"), text))
    return tuple(files)


@st.composite
def cases(draw: DrawFn) -> Case:
    """A case: a pipeline, perhaps run and committed already, then edits and a command or two."""
    stages = draw(pipelines())
    # What is frozen before it has ever run cannot be reproduced.
    reproduced = dvc("repro", "-P")
    pushed = (reproduced, dvc("push", "-q"), *commit())
    ran = draw(st.sampled_from([(), (reproduced,), (reproduced, *commit()), pushed]))
    # DVC can leave links where restored outputs are not to be cached.
    only_cached = all(stage.is_pushed_whole for stage in stages)
    config = draw(st.sampled_from(CONFIGS if only_cached else CONFIGS[:1]))
    return case(
        GENERATED,
        start_of(stages, config, frozen=not ran),
        ran,
        _pipeline(stages, frozen=True),
        steps=draw(_steps(stages, pushed=ran is pushed)),
    )
