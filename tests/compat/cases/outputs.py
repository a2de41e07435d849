"""Outputs, metrics and plots: kinds, options, modes, and what a run finds in their place."""

from __future__ import annotations

from tests.compat.case import case
from tests.compat.pipelines import TRAIN, TRAINED
from tests.support.project import (
    Chmod,
    Delete,
    MakeDirectory,
    commit,
    dvc,
    git,
    repro,
    run,
    write,
)

DIRECTORY_STAGE = """\
stages:
  s:
    cmd: mkdir -p d/Z d/a && echo 1 > d/Z/z && echo 2 > d/a/b && echo 3 > d/a-b && echo 4 > d/a.c
    deps: [in]
    outs: [d]
"""

CASES = (
    case(
        "out-options",
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: for f in a b c d e; do echo $f > $f; done
                outs:
                - a:
                    desc: the first
                    type: model
                    labels: [x, y]
                    meta: {any: thing}
                - b:
                    cache: false
                - c:
                    persist: true
                - d:
                    push: false
                - e
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "out-persist-is-kept",
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat in >> log\n    deps: [in]\n    outs:\n"
            "    - log: {persist: true}\n",
        ),
        commit(),
        steps=(run("-n", "a"), write("in", "2\n"), run("-n", "b"), Delete("log"), run("-n", "c")),
    ),
    case(
        "out-same-path-twice",
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: echo 1 > a\n    outs:\n    - a\n    - a: {cache: false}\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "out-directory",
        write("in", "1\n"),
        write("dvc.yaml", DIRECTORY_STAGE),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "out-directory-partly-damaged",
        write("in", "1\n"),
        write("dvc.yaml", DIRECTORY_STAGE),
        commit(),
        dvc("repro"),
        commit(),
        steps=(Delete("d/a"), write("d/extra", "x"), repro()),
    ),
    case(
        "out-directory-shrinks",
        write("in", "1\n"),
        write("dvc.yaml", DIRECTORY_STAGE),
        commit(),
        dvc("repro"),
        commit(),
        steps=(
            write("in", "2\n"),
            write("dvc.yaml", DIRECTORY_STAGE.replace("&& echo 3 > d/a-b && echo 4 > d/a.c", "")),
            run("-n", "e"),
        ),
    ),
    case(
        "out-empty-file-and-directory",
        write("in", ""),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: touch f; mkdir -p d/empty\n    deps: [in]\n    outs: [f, d]\n",
        ),
        commit(),
        steps=(run("-n", "a"), Delete("d"), Delete("f"), run("-n", "b")),
    ),
    case(
        "out-executable",
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: echo 'true' > tool; chmod +x tool\n    outs: [tool]\n"
            "  use:\n    cmd: ./tool && echo > used\n    deps: [tool]\n    outs: [used]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "out-executable-restored",
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp in tool; chmod +x tool\n    deps: [in]\n    outs: [tool]\n",
        ),
        commit(),
        dvc("repro"),
        commit(),
        steps=(Delete("tool"), run("-n", "e")),
    ),
    case(
        "out-directory-with-executables",
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: mkdir -p d && echo 1 > d/x && chmod +x d/x\n    outs: [d]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "out-symlinks",
        write("target", "t\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: mkdir -p d && echo 1 > d/x && ln -s x d/y && ln -s target l\n"
            "    outs: [d, l]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case("out-deleted", TRAINED, steps=(Delete("model.bin"), run("-n", "e"))),
    case("out-edited", TRAINED, steps=(write("model.bin", "mine"), run("-n", "e"))),
    case("out-edited-repro", TRAINED, steps=(write("model.bin", "mine"), repro())),
    case("metric-deleted", TRAINED, steps=(Delete("metrics.json"), run("-n", "e"))),
    case("metric-edited", TRAINED, steps=(write("metrics.json", '{"acc": 9}'), repro())),
    case("out-mode-changed", TRAINED, steps=(Chmod("model.bin", 0o755), run("-n", "e"))),
    case(
        "out-no-longer-executable",
        write("in", "1\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              build:
                cmd: printf '#!/bin/sh\\necho built\\n' > tool && chmod +x tool
                outs: [tool]
              use:
                cmd: ./tool > used && cat in >> used
                deps: [tool, in]
                outs: [used]
            """,
        ),
        dvc("repro"),
        commit(),
        steps=(Chmod("tool", 0o644), write("in", "2\n"), run("-n", "e")),
    ),
    case(
        "out-becomes-directory",
        TRAINED,
        steps=(Delete("model.bin"), write("model.bin/x", "1"), run("-n", "e")),
    ),
    case(
        "out-removed-from-pipeline",
        TRAINED,
        steps=(
            write("dvc.yaml", "stages:\n  other:\n    cmd: echo 1 > other\n    outs: [other]\n"),
            repro(),
        ),
    ),
    case(
        "outs-uncached-only",
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp in out\n    deps: [in]\n    outs:\n"
            "    - out: {cache: false}\n",
        ),
        commit(),
        steps=(run("-n", "a"), Delete("out"), run("-n", "b")),
    ),
    case(
        "outs-none",
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  deps_only:\n    cmd: cat in > log\n    deps: [in]\n"
            "  callback:\n    cmd: echo again >> log\n",
        ),
        commit(),
        steps=(run("-n", "a"), run("-n", "b")),
    ),
    case(
        "metrics-and-plots",
        write("in", "1\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd:
                - echo '{"a":1}' > cached.json && echo '{"b":2}' > plain.json
                - printf 'x,y\\n1,2\\n' > loss.csv && mkdir -p figs && echo 1 > figs/a.csv
                deps: [in]
                metrics:
                - cached.json
                - plain.json: {cache: false}
                plots:
                - loss.csv: {cache: false, x: x, y: y, title: Loss}
                - figs
            """,
        ),
        commit(),
        steps=(run("-n", "a"), Delete("plain.json"), Delete("figs"), run("-n", "b")),
    ),
    case(
        "metrics-and-plots-top-level",
        write(
            "dvc.yaml",
            """\
            metrics: [top.json]
            plots:
            - loss.csv
            - curve:
                x: x
                y: {curves/a.csv: y, curves/b.csv: [y]}
            stages:
              s:
                cmd:
                - mkdir -p curves && for f in a b unused; do echo x,y > curves/$f.csv; done
                - echo '{"m":1}' > top.json && echo x,y > loss.csv && echo 1 > out
                outs: [out]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "metrics-git-ignored",
        write(".gitignore", "*.json\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: echo '{\"a\":1}' > m.json\n    metrics:\n"
            "    - m.json: {cache: false}\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "artifacts",
        write(
            "dvc.yaml",
            "artifacts:\n  best:\n    path: model\n    type: model\n    labels: [a]\n"
            "stages:\n  s:\n    cmd: echo 1 > model\n    outs: [model]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "gitignore-exists",
        write(".gitignore", "od/\n*.tmp\n# no newline at end"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: mkdir -p od sub && echo > od/x && echo > a.tmp && echo > b && "
            "echo > sub/c\n    outs: [od, a.tmp, b, sub/c]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "gitignore-line-missing-for-unchanged",
        TRAINED,
        steps=(write(".gitignore", ""), run("-n", "e")),
    ),
    case(
        "gitignore-rolled-back-on-failure",
        write(
            "dvc.yaml",
            "stages:\n  a:\n    cmd: echo 1 > a\n    outs: [a]\n"
            "  b:\n    cmd: cat a && false\n    deps: [a]\n    outs: [b]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "out-tracked-by-git",
        write("out", "tracked\n"),
        write("dvc.yaml", "stages:\n  s:\n    cmd: echo 1 > out\n    outs: [out]\n"),
        commit(),
        steps=repro(),
    ),
    case(
        "out-in-new-directory",
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: mkdir -p new/dir && echo 1 > new/dir/o\n"
            "    outs: [new/dir/o]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "out-binary-and-large",
        write("in", bytes(range(256)) * 64),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat in in in > out; printf '\\r\\n' >> out\n    deps: [in]\n"
            "    outs: [out]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "always-changed",
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: echo 1 > o\n    always_changed: true\n    outs: [o]\n"
            "  t:\n    cmd: cp o p\n    deps: [o]\n    outs: [p]\n",
        ),
        commit(),
        steps=(run("-n", "a"), run("-n", "b")),
    ),
    case(
        "frozen",
        TRAINED,
        write("code.py", "changed"),
        dvc("freeze", "train"),
        commit(),
        steps=(run("-n", "a"), run("-n", "b", "-f")),
    ),
    case(
        "frozen-without-lock",
        TRAIN,
        write("model.bin", "made by hand"),
        write("metrics.json", "{}"),
        dvc("freeze", "train"),
        git("add", "dvc.yaml"),
        git("commit", "-qm", "frozen"),
        steps=repro(),
    ),
    case(
        "empty-directory-dependency",
        MakeDirectory("empty"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: ls empty > o\n    deps: [empty]\n    outs: [o]\n",
        ),
        commit(),
        steps=repro(),
    ),
)
