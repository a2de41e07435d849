"""Command forms, working directories and what commands see."""

from __future__ import annotations

from tests.compat.case import case
from tests.compat.pipelines import TRAIN
from tests.support.project import MakeDirectory, commit, repro, run, write

CASES = (
    case("cmd-string", TRAIN, steps=run("-n", "one")),
    case(
        "cmd-multiline-string",
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: |
                  x=1; echo "x is $x" > out

                  echo "x is still [$x]" >> out
                  mkdir -p d && cd d
                  pwd | sed 's,.*/,,' >> out2 && mv out2 d
                outs: [out, d]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "cmd-folded-string",
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: >-
                  echo a long command that is folded over several lines of the file
                  and is one line for the shell, longer than the eighty columns of the lock
                  > out
                outs: [out]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "cmd-list",
        write(
            "dvc.yaml",
            """\
            stages:
              one:
                cmd: [echo 1 > one]
                outs: [one]
              many:
                cmd:
                - echo first > many
                - "y=2\\necho \\"y is $y\\" >> many"
                - cat one >> many
                deps: [one]
                outs: [many]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "cmd-list-stops-at-failure",
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: [echo 1 > a, 'false', echo 2 > b]\n    outs: [a, b]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "cmd-empty",
        write("dvc.yaml", "stages:\n  s:\n    cmd: ''\n    deps: [in]\n  t:\n    cmd: echo > t\n"),
        write("in", "x"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "cmd-empty-with-outputs",
        write("dvc.yaml", "stages:\n  s:\n    cmd: ''\n    deps: [in]\n    outs: [o]\n"),
        write("in", "x"),
        commit(),
        steps=(run("-n", "a"), write("o", "1"), run("-n", "b"), write("in", "y"), run("-n", "c")),
        differs={
            "files": "DVC takes it for an import and copies the dependency over the output",
            "cache": "so",
            "lines": "so",
            "dvc says": "so",
        },
    ),
    case(
        "cmd-quoting",
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: >-
                  printf '%s\\n' "it's" '"q"' "a: b # c" '$HOME' 'é ☃' > out
                outs: [out]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "cmd-environment",
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: echo "$DVC_STAGE $DVC_EXP_NAME $DVC_EXP_BASELINE_REV" > out
                outs: [out]
              'n':
                cmd: test "$DVC_ROOT" = "$(pwd)" && echo $DVC_STAGE > root
                outs: [root]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "repro-environment",
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: echo "$DVC_STAGE [$DVC_EXP_NAME]" > out
                outs: [out]
            """,
        ),
        commit(),
        steps=repro(),
    ),
    case(
        "cmd-stdin-is-at-end",
        write("dvc.yaml", "stages:\n  s:\n    cmd: cat > out\n    outs: [out]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "cmd-changed",
        TRAIN,
        steps=(
            run("-n", "a"),
            write(
                "dvc.yaml",
                "stages:\n  train:\n    cmd: cp code.py model.bin\n    deps: [code.py]\n"
                "    outs: [model.bin]\n",
            ),
            run("-n", "b"),
        ),
    ),
    case(
        "cmd-string-becomes-list",
        write("dvc.yaml", "stages:\n  s:\n    cmd: echo 1 > o\n    outs: [o]\n"),
        commit(),
        steps=(
            repro(),
            write("dvc.yaml", "stages:\n  s:\n    cmd: [echo 1 > o]\n    outs: [o]\n"),
            repro(),
        ),
    ),
    case(
        "wdir",
        write("work/params.yaml", "k: 1\n"),
        write("work/in", "in\n"),
        write("params.yaml", "k: 2\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                wdir: work
                cmd: cat in params.yaml > out
                deps: [in, ../params.yaml]
                params: [k]
                outs: [out]
              t:
                cmd: cp work/out copy
                deps: [work/out]
                outs: [copy]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "wdir-templated",
        write("params.yaml", "dir: sub/deeper\n"),
        MakeDirectory("sub/deeper"),
        write("sub/deeper/.keep", ""),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    wdir: ${dir}\n    cmd: echo 1 > o\n    outs: [o]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "wdir-missing",
        write("dvc.yaml", "stages:\n  s:\n    wdir: nowhere\n    cmd: echo 1 > o\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "wdir-outside",
        write("../outside/.keep", ""),
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                wdir: ../outside
                cmd: echo 1 > ../repo/o
                outs: [../repo/o]
            """,
        ),
        commit(),
        steps=(repro(), run("-n", "e")),
    ),
    case(
        "paths-that-leave-and-come-back",
        write("in", "1\n"),
        write("sub/.keep", ""),
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: cp in o && cp in m
                deps: [../repo/in]
                outs: [sub/../../repo/o]
                metrics: [../repo/m: {cache: false}]
              t:
                wdir: ../repo/sub
                cmd: cp ../o copy
                deps: [../../repo/o]
                outs: [copy]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "command-edits-its-own-dependency",
        write("in", "one\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp in out; echo two >> in\n    deps: [in]\n    outs: [out]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "command-makes-other-files",
        write("tracked", "1\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd:
                - echo 1 > out; echo 2 > untracked; echo 2 > tracked
                - echo 3 > added; git add added
                outs: [out]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
)
