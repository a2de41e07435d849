"""Requests and projects that must be refused, or fail, with one clear message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.compat.case import flat
from tests.support.project import Chmod, Symlink, commit, git, init_dvc, write

if TYPE_CHECKING:
    from tests.compat.case import Actions
    from tests.support.project import Action

REFUSED, FAILED = 2, 1
IN_PIPELINE = r"dvc\.yaml|stage"
AT_A_LINE = r"dvc\.yaml:\d+"

STAGE = "stages:\n  s:\n    cmd: echo 1 > o\n    outs: [o]\n"
PROJECT = flat(
    git("init", "--quiet", "-b", "main"),
    init_dvc(),
    write("params.yaml", "lr: 0.1\nm: {a: 1}\nlist: [1]\n"),
    write("p.json", '{"a": 1}'),
    write("dvc.yaml", "stages:\n  s:\n    cmd: echo 1 > o\n    params: [lr]\n    outs: [o]\n"),
    commit(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadInput:
    """A project, a command, and how it must end: exit code, and what the message names."""

    name: str
    start: Actions
    args: tuple[str, ...] = ("run", "-n", "e")
    exits: int = REFUSED
    names: str = IN_PIPELINE


def _project(
    name: str,
    *changes: Action,
    args: tuple[str, ...] = ("run", "-n", "e"),
    exits: int = REFUSED,
    names: str = IN_PIPELINE,
) -> BadInput:
    return BadInput(name=name, start=flat(PROJECT, *changes), args=args, exits=exits, names=names)


def _pipeline(name: str, text: str, names: str = IN_PIPELINE) -> BadInput:
    return _project(f"pipeline-{name}", write("dvc.yaml", text), names=names)


def _stage(name: str, body: str, names: str = IN_PIPELINE) -> BadInput:
    return _pipeline(name, f"stages:\n  s: {{{body}}}\n", names)


def _args(name: str, *args: str, names: str) -> BadInput:
    return _project(f"request-{name}", args=args, names=names)


def _name(label: str, name: str) -> BadInput:
    return _args(f"name-{label}", "run", "-n", name, names=r"name")


def _set(label: str, *overrides: str, names: str) -> BadInput:
    words = [word for override in overrides for word in ("-S", override)]
    return _args(f"set-{label}", "run", "-n", "e", *words, names=names)


def _lock(name: str, text: str, *args: str) -> BadInput:
    args = args or ("run", "-n", "e")
    return _project(f"lock-{name}", write("dvc.lock", text), args=args, names=r"dvc\.lock")


def _data(name: str, text: str) -> BadInput:
    args = ("run", "-n", "e", "x.dvc")
    return _project(f"data-{name}", write("x.dvc", text), args=args, names=r"x\.dvc")


def _fails(name: str, body: str, names: str) -> BadInput:
    pipeline = f"stages:\n  broken: {{{body}}}\n"
    return _project(f"stage-{name}", write("dvc.yaml", pipeline), exits=FAILED, names=names)


def _stages(**bodies: str) -> str:
    return "stages:\n" + "".join(f"  {name}: {{{body}}}\n" for name, body in bodies.items())


LAUGHS = "".join(
    f"  x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10) if n else '1'}]\n" for n in range(10)
)

SYNTAX = (
    _pipeline("unclosed", "stages: {a: [\n", AT_A_LINE),
    _pipeline("tab", "stages:\n\ts: 1\n", AT_A_LINE),
    _pipeline("duplicate-key", STAGE + "    outs: [p]\n", AT_A_LINE),
    _pipeline("duplicate-stage", STAGE + "  s:\n    cmd: x\n", AT_A_LINE),
    _pipeline("conflict", f"<<<<<<< HEAD\n{STAGE}=======\n>>>>>>> other\n", AT_A_LINE),
    _pipeline("unknown-alias", "stages:\n  s: *nope\n", AT_A_LINE),
    _project("pipeline-not-utf8", write("dvc.yaml", b"stages:\n  s: {cmd: '\xff\xfe'}\n")),
    _project("pipeline-nul", write("dvc.yaml", b"stages:\x00\n")),
    _pipeline("two-documents", f"{STAGE}---\n{STAGE}"),
    _pipeline("object-tag", "stages:\n  s: !!python/object/apply:os.system ['touch pwned']\n"),
    _pipeline("name-tag", "stages:\n  s: {cmd: !!python/name:os.system ''}\n"),
    _pipeline("unknown-tag", "stages:\n  s: {cmd: !mine x}\n"),
    _pipeline("laughs", f"vars:\n- \n{LAUGHS.replace('  x', '    x')}{STAGE}"),
    _pipeline("deep", "stages:\n  s: {cmd: x, meta: " + "[" * 5000 + "]" * 5000 + "}\n"),
    _pipeline("deep-maps", "stages: " + "{a: " * 3000 + "1" + "}" * 3000),
    _pipeline("large", STAGE + "# " + "x" * 11_000_000 + "\n"),
)

SCHEMA = (
    _pipeline("is-a-list", "- a\n"),
    _pipeline("is-text", "hello\n"),
    _pipeline("unknown-key", f"{STAGE}stagess: {{}}\n"),
    _pipeline("stages-null", "stages:\n"),
    _pipeline("stages-list", "stages: [s]\n"),
    _pipeline("stage-text", "stages: {s: echo}\n"),
    _pipeline("stage-null", "stages: {s: }\n"),
    _pipeline("at-in-name", "stages: {'a@b': {cmd: x}}\n"),
    _stage("cmd-missing", "outs: [o]"),
    _stage("cmd-map", "cmd: {a: 1}"),
    _stage("stage-key-unknown", "cmd: x, out: [o]"),
    _stage("deps-text", "cmd: x, deps: in"),
    _stage("deps-null", "cmd: x, deps: "),
    _stage("outs-text", "cmd: x, outs: o"),
    _stage("outs-null-option", "cmd: x, outs: [{o: {cache: }}]"),
    _stage("outs-unknown-option", "cmd: x, outs: [{o: {cached: true}}]"),
    _stage("outs-wrong-type", "cmd: x, outs: [{o: {cache: 'no'}}]"),
    _stage("params-map", "cmd: x, params: {lr: 1}"),
    _stage("wdir-list", "cmd: x, wdir: [a]"),
    _stage("frozen-text", "cmd: x, frozen: 'yes'"),
    _stage("plots-unknown-option", "cmd: x, plots: [{p: {z: 1}}]"),
    _pipeline("metrics-text", f"metrics: m.json\n{STAGE}"),
    _pipeline("vars-map", f"vars: {{a: 1}}\n{STAGE}"),
    _pipeline("artifact-without-path", f"artifacts: {{a: {{type: model}}}}\n{STAGE}"),
    _stage("foreach-and-matrix", "foreach: [1], matrix: {a: [1]}, do: {cmd: x}, cmd: x"),
    _stage("foreach-without-do", "foreach: [1]"),
    _stage("foreach-number", "foreach: 3, do: {cmd: x}"),
    _stage("foreach-plain-text", "foreach: abc, do: {cmd: x}"),
    _stage("foreach-bad-do", "foreach: [1], do: {cmd: x, nope: 1}"),
    _stage("matrix-list", "matrix: [1], cmd: x"),
)

TEMPLATES = (
    _stage("unresolved", "cmd: 'echo ${nope}'"),
    _stage("unresolved-part", "cmd: 'echo ${m.b}'"),
    _stage("unresolved-in-another-key", "cmd: x, outs: ['${nope}']"),
    _stage("empty-expression", "cmd: 'echo ${}'"),
    _stage("nested-expression", "cmd: 'echo ${${lr}}'"),
    _stage("list-in-command", "cmd: 'echo ${list}'"),
    _stage("unresolved-group", "foreach: '${nope}', do: {cmd: x}"),
    _pipeline("vars-clash", f"vars: [{{lr: 2}}]\n{STAGE}"),
    _pipeline("vars-no-file", f"vars: [nope.yaml]\n{STAGE}"),
    _pipeline("vars-no-key", f"vars: ['p.json:b']\n{STAGE}"),
    _pipeline("vars-templated", f"vars: ['${{lr}}.yaml']\n{STAGE}"),
    _stage("vars-take-item", "foreach: [1], do: {cmd: x, vars: [{item: 2}]}"),
    _project("params-broken", write("params.yaml", "lr: [\n"), names=r"params\.yaml:\d+"),
    _project("params-a-list", write("params.yaml", "- 1\n"), names=r"params\.yaml"),
    _project("params-with-a-date", write("params.yaml", "lr: 2020-01-01\n"), names="params"),
)

GRAPH = (
    _pipeline("cycle", _stages(a="cmd: x, deps: [b], outs: [a]", b="cmd: x, deps: [a], outs: [b]")),
    _stage("own-output", "cmd: x, deps: [o], outs: [o]"),
    _pipeline("duplicate-output", _stages(a="cmd: x, outs: [o]", b="cmd: x, outs: [o]")),
    _stage("duplicate-kinds", "cmd: x, outs: [o], metrics: [o]"),
    _stage("duplicate-spelling", "cmd: x, outs: [o, ./d/../o]"),
    _pipeline("overlap", _stages(a="cmd: x, outs: [d]", b="cmd: x, outs: [d/f]")),
    _stage("overlap-in-one", "cmd: x, outs: [d, d/f]"),
    _stage("output-named-dvc", "cmd: x, outs: [o.dvc]"),
    _stage("output-named-pipeline", "cmd: x, outs: [dvc.yaml]"),
    _project("output-ignored", write(".dvcignore", "o\n"), names=r"'o'|dvc\.yaml|stage"),
    _project(
        "output-of-data-too",
        write("o.dvc", "outs:\n- path: o\n  hash: md5\n  md5: b026324c6904b2a9cb4b88d6d61c81d1\n"),
    ),
    _stage("output-absolute", "cmd: x, outs: [/etc/exprun-test]"),
    _stage("output-above", "cmd: x, outs: [../outside/o]"),
    _stage("output-in-git", "cmd: x, outs: [.git/hooks/o]"),
    _stage("output-is-git", "cmd: x, outs: [.git]"),
    _stage("output-is-everything", "cmd: x, outs: [.]"),
    _project(
        "output-through-a-link",
        Symlink("link", "../outside"),
        write("dvc.yaml", "stages:\n  s: {cmd: x, outs: [link/o]}\n"),
    ),
)

LOCKS = (
    _lock("empty", ""),
    _lock("broken", "schema: '2.0'\nstages: [\n"),
    _lock("conflict", "<<<<<<< HEAD\nschema: '2.0'\n=======\n>>>>>>> x\n"),
    _lock("conflict-for-repro", "<<<<<<< HEAD\nschema: '2.0'\n=======\n>>>>>>> x\n", "repro"),
    _lock("a-list-for-repro", "schema: '2.0'\nstages:\n  s: [1]\n", "repro", "-k"),
    _lock("unknown-schema", "schema: '9.0'\nstages: {}\n"),
    _lock("unknown-key", "schema: '2.0'\nmore: {}\n"),
    _lock("a-list", "- 1\n"),
    _lock("without-cmd", "schema: '2.0'\nstages:\n  s:\n    outs:\n    - path: o\n"),
    _lock(
        "hash-is-a-path",
        "schema: '2.0'\nstages:\n  s:\n    cmd: x\n    outs:\n"
        "    - {path: o, hash: md5, md5: ../../../../etc/passwd}\n",
    ),
    _data("broken", "outs: [\n"),
    _project(
        "data-tracked-by-git",
        write("d", "1\n"),
        git("add", "d"),
        write("d.dvc", "outs:\n- {path: d, hash: md5, md5: b026324c6904b2a9cb4b88d6d61c81d1}\n"),
        args=("run", "-n", "e", "-S", "lr=5", "s", "d.dvc"),
        names="git rm.* d ",
    ),
    _data("unknown-key", "outs:\n- path: x\nnope: 1\n"),
    _data("hash-is-a-path", "outs:\n- {path: x, hash: md5, md5: ../../../outside/secret}\n"),
    _data("output-above", "outs:\n- {path: ../outside/x, md5: b026324c6904b2a9cb4b88d6d61c81d1}\n"),
)

PLACES = (
    BadInput(name="place-no-git", start=flat(init_dvc(), write("dvc.yaml", STAGE)), names="[Gg]it"),
    BadInput(
        name="place-no-project",
        start=flat(git("init", "-q"), write("dvc.yaml", STAGE), commit()),
        names="DVC|dvc init",
    ),
    BadInput(
        name="place-no-commit",
        start=flat(git("init", "-q"), init_dvc(), write("dvc.yaml", STAGE)),
        names="commit",
    ),
    BadInput(
        name="place-sha256",
        start=flat(
            git("init", "-q", "--object-format=sha256"),
            init_dvc(),
            write("dvc.yaml", STAGE),
            commit(),
        ),
        names="objectformat = sha256",
    ),
    _project("place-no-pipeline", git("rm", "-q", "dvc.yaml")),
    _project("config-broken", write(".dvc/config", "[core\n"), names=r"\.dvc/config"),
    _project("config-unknown", write(".dvc/config", "[core]\n    nope = 1\n"), names="nope"),
    _project(
        "config-wrong-type", write(".dvc/config", "[core]\n    autostage = 7x\n"), names="autostage"
    ),
    _project(
        "config-link-type", write(".dvc/config", "[cache]\n    type = teleport\n"), names="teleport"
    ),
)

REQUESTS = (
    _args("unknown-command", "rnu", names="rnu"),
    _args("unknown-option", "run", "--nope", names="--nope"),
    _args("no-value", "run", "-n", names="-n"),
    _args("no-directory", "--cd", "nope", "run", names="nope"),
    _args("target-unknown", "run", "-n", "e", "nope", names="nope"),
    _args("target-output", "repro", "o", names="'?o'?"),
    _args("target-lock", "repro", "dvc.lock", names=r"dvc\.yaml"),
    _args("target-no-file", "repro", "nope/dvc.yaml", names="nope"),
    _args("target-in-unknown-group", "repro", "s@x", names="s@x"),
    _args("copy-of-nothing", "run", "-n", "e", "--temp", "-C", "nope", names="nope"),
    _name("with-slash", "a/b"),
    _name("with-space", "a b"),
    _name("with-dots", "a..b"),
    _name("hidden", ".a"),
    _name("lock", "a.lock"),
    _name("with-colon", "a:b"),
    _name("reflog", "a@{b"),
    _name("too-long", "x" * 201),
    _name("a-hash", "0123456789" * 4),
    _name("head", "HEAD"),
    _name("head-as-a-sign", "@"),
    _name("empty", ""),
    _args("name-like-an-option", "run", "--name=-x", names="name"),
    _set("unparsable", "lr=[1", names="lr"),
    _set("without-value", "lr", names="lr"),
    _set("unknown-key", "nope=1", names="nope"),
    _set("below-a-number", "lr.x=1", names="lr"),
    _set("delete-unknown", "~nope", names="nope"),
    _set("no-file", "nope.yaml:lr=1", names=r"nope\.yaml|lr"),
    _set("file-above", "../outside/p.yaml:+lr=1", names="outside"),
    _set("json-unknown-key", "p.json:b=1", names="b"),
    _set("one-good-one-bad", "lr=5", "nope=1", names="nope"),
    _project(
        "request-set-broken-json",
        write("p.json", "{"),
        args=("run", "-n", "e", "-S", "p.json:a=1"),
        names=r"p\.json",
    ),
    _project(
        "request-set-broken-toml",
        write("p.toml", "a = \n"),
        args=("run", "-n", "e", "-S", "p.toml:a=1"),
        names=r"p\.toml",
    ),
    _project(
        "request-set-list-file",
        write("params.yaml", "[1, 2]\n"),
        args=("run", "-n", "e", "-S", "lr=1"),
        names=r"params\.yaml",
    ),
)

STAGES = (
    _fails("nonzero", "cmd: exit 3, outs: [o]", "broken.*3"),
    _fails("killed", "cmd: kill -9 $$, outs: [o]", "broken.*(9|SIGKILL|[Kk]illed)"),
    _fails("command-not-found", "cmd: no-such-program, outs: [o]", "broken.*127"),
    _fails("no-output", "cmd: 'true', outs: [o]", "broken.*'?o'?"),
    _fails("command-is-a-number", "cmd: '${lr}', outs: [o]", r"broken.*0\.1"),
    _fails("command-is-a-map", "cmd: '${m}', outs: [o]", "broken.*text"),
    _fails("tracked-output", "cmd: echo > p.json, outs: [p.json]", r"p\.json"),
    _project(
        "stage-dependency-missing",
        write("dvc.yaml", "stages:\n  broken: {cmd: x, deps: [nope], outs: [o]}\n"),
        exits=FAILED,
        names="nope",
    ),
    _project(
        "stage-parameter-missing",
        write("dvc.yaml", "stages:\n  broken: {cmd: x, params: [nope], outs: [o]}\n"),
        exits=FAILED,
        names="nope",
    ),
    _project(
        "stage-directory-missing",
        write("dvc.yaml", "stages:\n  broken: {cmd: 'true', wdir: nope, outs: [o]}\n"),
        args=("repro",),
        exits=FAILED,
        names="nope",
    ),
    _project(
        "stage-not-executable",
        write("run.sh", "echo\n"),
        Chmod("run.sh", 0o644),
        write("dvc.yaml", "stages:\n  broken: {cmd: ./run.sh, outs: [o]}\n"),
        exits=FAILED,
        names="broken.*126",
    ),
)

BAD_INPUTS = (
    *SYNTAX, *SCHEMA, *TEMPLATES, *GRAPH, *LOCKS, *PLACES, *REQUESTS, *STAGES,
)  # fmt: skip
