"""Where the project lies, unusual names, temporary runs and failing ones."""

from __future__ import annotations

from tests.compat.case import case, flat
from tests.compat.pipelines import CHAIN, CHAINED, TRAIN, TRAINED
from tests.support.project import Delete, MakeDirectory, commit, git, init_dvc, repro, run, write

SIMPLE = "stages:\n  s:\n    cmd: cat params.yaml > o\n    params: [lr]\n    outs: [o]\n"

SUB_PROJECT = flat(
    git("init", "-q", "-b", "main"),
    write("outer.txt", "tracked by git only\n"),
    init_dvc("project"),
    write("project/params.yaml", "lr: 1\n"),
    write("project/dvc.yaml", SIMPLE),
    write(
        "project/work/dvc.yaml",
        "stages:\n  w:\n    cmd: cp ../o o\n    deps: [../o]\n    outs: [o]\n",
    ),
    commit(),
)

CASES = (
    case(
        "subdir-project", SUB_PROJECT, steps=run("-n", "e", "-S", "lr=2", cwd="project"), bare=True
    ),
    case("subdir-project-deeper", SUB_PROJECT, steps=run("-n", "e", cwd="project/work"), bare=True),
    case(
        "subdir-project-temp", SUB_PROJECT, steps=run("-n", "e", "--temp", cwd="project"), bare=True
    ),
    case(
        "subdir-project-outside-changes",
        SUB_PROJECT,
        write("outer.txt", "changed\n"),
        steps=run("-n", "e", cwd="project"),
        bare=True,
    ),
    case("not-a-project", SUB_PROJECT, steps=run("-n", "e"), bare=True),
    case(
        "nested-project",
        write("params.yaml", "lr: 1\n"),
        write("dvc.yaml", SIMPLE),
        init_dvc("inner"),
        write("inner/params.yaml", "lr: 1\n"),
        write("inner/dvc.yaml", SIMPLE),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "nested-project-inside",
        write("params.yaml", "lr: 1\n"),
        write("dvc.yaml", SIMPLE),
        init_dvc("inner"),
        write("inner/params.yaml", "lr: 1\n"),
        write("inner/dvc.yaml", SIMPLE),
        commit(),
        steps=run("-n", "e", cwd="inner"),
    ),
    case(
        "nested-project-is-written-into",
        init_dvc("inner"),
        write("inner/kept", "1\n"),
        write("in", "1\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              make:
                cmd: mkdir -p inner/d && cp in inner/d/x && cp in inner/o && cp in inner/m
                deps: [in]
                outs:
                - inner/d
                - inner/o
                - inner/m: {cache: false}
              read:
                cmd: cat inner/d/x inner/o > o
                deps: [inner/d, inner/o]
                outs: [o]
            """,
        ),
        commit(),
        steps=(run("-n", "a"), write("in", "2\n"), run("-n", "b"), run("-n", "c", "--temp")),
    ),
    case(
        "top-level-files-from-sub-directory",
        write(
            "sub/dvc.yaml", "metrics: [m.json]\n" + SIMPLE.replace("> o", "> o; echo '{}' > m.json")
        ),
        write("sub/params.yaml", "lr: 1\n"),
        commit(),
        steps=run("-n", "e", "sub/dvc.yaml"),
    ),
    case(
        "top-level-files-run-in-sub-directory",
        write("dvc.yaml", "metrics: [m.json]\n" + SIMPLE.replace("> o", "> o; echo '{}' > m.json")),
        write("params.yaml", "lr: 1\n"),
        write("sub/x", ""),
        commit(),
        steps=run("-n", "e", "../dvc.yaml", cwd="sub"),
        differs={"experiments": "deviation 14: resolved against their dvc.yaml", "dvc says": "so"},
    ),
    case(
        "names-unusual",
        write("in put/ä ö.txt", "1\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              "my stage: №1":
                cmd: cat 'in put/ä ö.txt' > 'we ird[1]*.txt'; echo > '#h'; echo > '!b'; echo > 'q?'
                deps: ["in put/ä ö.txt"]
                outs: ["we ird[1]*.txt", "#h", "!b", "q?"]
              é:
                cmd: cp '#h' "it's"
                deps: ['#h']
                outs: ["it's"]
            """,
        ),
        commit(),
        steps=(run("-n", "a"), Delete("we ird[1]*.txt"), run("-n", "b")),
    ),
    case(
        "paths-as-written",
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: mkdir -p d; cp in d/x; cp in o\n    deps: [./in, sub/../in]\n"
            "    outs: [d/, ./o]\n",
        ),
        MakeDirectory("sub"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "stage-names-like-numbers",
        write(
            "dvc.yaml",
            "stages:\n  '1':\n    cmd: echo > a\n    outs: [a]\n  yes:\n    cmd: echo > b\n"
            "    outs: [b]\n  'null':\n    cmd: echo > c\n    outs: [c]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "no-pipeline",
        commit(),
        steps=run("-n", "e"),
        differs={"lines": "a request is checked whole before anything is announced"},
    ),
    case(
        "no-stages",
        write("dvc.yaml", "metrics: [m.json]\n"),
        write("m.json", "{}"),
        commit(),
        steps=run("-n", "e"),
    ),
    case("no-stages-empty-file", write("dvc.yaml", ""), commit(), steps=run("-n", "e")),
    case("temp", CHAIN, steps=run("-n", "e", "--temp", "-S", "lr=2")),
    case(
        "temp-after-run",
        CHAINED,
        steps=(run("-n", "a", "-S", "lr=2"), run("-n", "b", "--temp", "-S", "lr=2")),
    ),
    case("temp-target", CHAINED, steps=run("-n", "e", "--temp", "-S", "lr=2", "train")),
    case(
        "temp-fails",
        CHAINED,
        write("dvc.yaml", "stages:\n  s:\n    cmd: 'false'\n    outs: [o]\n"),
        steps=run("-n", "e", "--temp"),
    ),
    case(
        "temp-environment",
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd:
                - test "$DVC_ROOT" != "$(pwd)" && test -d "$DVC_ROOT/.dvc"
                - echo $DVC_STAGE $DVC_EXP_NAME > o
                outs: [o]
            """,
        ),
        commit(),
        steps=run("-n", "e", "--temp"),
    ),
    case(
        "temp-copies-paths",
        write(".gitignore", "local\nlocal.env\n"),
        write("local/a", "1\n"),
        write("local.env", "2\n"),
        write("dvc.yaml", "stages:\n  s:\n    cmd: cat local/a local.env > o\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e", "--temp", "-C", "local", "-C", "local.env"),
    ),
    case("temp-copy-of-nothing", TRAIN, steps=run("-n", "e", "--temp", "-C", "nosuch")),
    case(
        "temp-untracked-is-absent",
        write("dvc.yaml", "stages:\n  s:\n    cmd: ls > o\n    outs: [o]\n"),
        commit(),
        write("untracked", "1\n"),
        steps=run("-n", "e", "--temp"),
    ),
    case(
        "temp-staged-directory-for-a-file",
        write("thing", "file\n"),
        write("dvc.yaml", "stages:\n  s:\n    cmd: ls thing > o\n    outs: [o]\n"),
        commit(),
        Delete("thing"),
        write("thing/inside", "1\n"),
        git("add", "--all"),
        steps=run("-n", "e", "--temp"),
    ),
    case(
        "temp-subdirectory",
        write("sub/dvc.yaml", "stages:\n  s:\n    cmd: echo 1 > o\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e", "--temp", cwd="sub"),
    ),
    case(
        "temp-symlinks",
        write(".dvc/config", "[cache]\n    type = symlink\n"),
        CHAIN,
        steps=run("-n", "e", "--temp"),
    ),
    case(
        "fails-nonzero",
        write("dvc.yaml", "stages:\n  s:\n    cmd: echo half > o; exit 3\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "fails-killed",
        write("dvc.yaml", "stages:\n  s:\n    cmd: kill -9 $$\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "fails-without-output",
        write("dvc.yaml", "stages:\n  s:\n    cmd: echo 1 > o\n    outs: [o, missing]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "fails-without-dependency",
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: echo 1 > o\n    deps: [missing]\n    outs: [o]\n"
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "fails-in-the-middle",
        CHAINED,
        steps=(
            write("params.yaml", "split: 3\nlr: 0.1\n"),
            write(
                "dvc.yaml",
                CHAIN_BROKEN := (
                    "stages:\n  prepare:\n    cmd: mkdir -p prepared && cp data.txt prepared/a\n"
                    "    deps: [data.txt]\n    params: [split]\n    outs: [prepared]\n"
                    "  train:\n    cmd: cat prepared/a > model && exit 1\n"
                    "    deps: [prepared]\n    outs: [model]\n"
                ),
            ),
            run("-n", "e"),
            write("dvc.yaml", CHAIN_BROKEN.replace(" && exit 1", "")),
            run("-n", "e"),
        ),
    ),
    case("fails-in-the-middle-repro", CHAINED, steps=(write("dvc.yaml", CHAIN_BROKEN), repro())),
    case(
        "fails-with-set",
        TRAINED,
        write("code.py", ""),
        steps=(
            write("dvc.yaml", "stages:\n  s:\n    cmd: exit 1\n    params: [lr]\n    outs: [o]\n"),
            run("-n", "e", "-S", "lr=9"),
        ),
    ),
    case(
        "dvclive-in-a-stage",
        write(
            "train.py",
            """\
            from dvclive import Live

            with Live("live", save_dvc_exp=False, report=None, monitor_system=False) as live:
                live.log_param("lr", 0.5)
                for step in range(2):
                    live.log_metric("acc", step / 2, timestamp=False)
                    live.next_step()
            """,
        ),
        write(
            "dvc.yaml",
            """\
            stages:
              train:
                cmd: python train.py
                deps: [train.py]
                outs:
                - live/plots:
                    cache: false
                metrics:
                - live/metrics.json:
                    cache: false
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "definition-order-reversed",
        write(
            "dvc.yaml",
            """\
            stages:
              last:
                cmd: cat left right > last
                deps: [right, left]
                outs: [last]
              right:
                cmd: cp first right
                deps: [first]
                outs: [right]
              left:
                cmd: cp first left
                deps: [first]
                outs: [left]
              first:
                cmd: echo 1 > first
                outs: [first]
              alone:
                cmd: echo 1 > alone
                outs: [alone]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "dependency-on-parent-and-child-of-outputs",
        write(
            "dvc.yaml",
            """\
            stages:
              sum:
                cmd: cat results/a results/b > sum
                deps: [results]
                outs: [sum]
              b:
                cmd: mkdir -p results && echo b > results/b
                outs: [results/b]
              a:
                cmd: mkdir -p results && echo a > results/a
                outs: [results/a]
              tree:
                cmd: mkdir -p tree/deep && echo t > tree/deep/leaf
                outs: [tree]
              leaf:
                cmd: cp tree/deep/leaf leaf
                deps: [tree/deep/leaf]
                outs: [leaf]
            """,
        ),
        commit(),
        steps=(run("-n", "a"), run("-n", "b")),
    ),
    case(
        "stage-description-and-meta",
        write(
            "dvc.yaml",
            """\
            # a comment
            stages:
              s:
                desc: what it does
                meta: {owner: me, 1: [2]}
                cmd: echo 1 > o
                outs: [o]
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "lock-git-ignored",
        TRAIN,
        write(".gitignore", "dvc.lock\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "pipeline-files-ignored-elsewhere",
        CHAIN,
        write(".gitignore", "ignored/\n"),
        write(".dvcignore", "hidden\n"),
        write("ignored/dvc.yaml", "not: [valid\n"),
        write("hidden/dvc.yaml", "not: [valid\n"),
        commit(),
        steps=run("-n", "e", "lone"),
    ),
    case(
        "pipeline-file-inside-an-output",
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: mkdir -p d && echo 'not [' > d/dvc.yaml\n    deps: [in]\n"
            "    outs: [d]\n",
        ),
        commit(),
        steps=(run("-n", "a"), run("-n", "b")),
    ),
    case(
        "broken-file-elsewhere",
        CHAIN,
        write("other/dvc.yaml", "stages: [not, a, map]\n"),
        commit(),
        steps=run("-n", "e", "lone"),
        differs=dict.fromkeys(
            ("lines", "exit", "experiments", "files", "cache", "run_cache", "status", "dvc says"),
            "deviation 16: stages of other files that do not need it still run",
        ),
    ),
    case(
        "pipeline-inside-a-dependency",
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: cat sub/* > o\n    deps: [sub]\n    outs: [o]\n"
        ),
        write("sub/dvc.yaml", "stages:\n  t:\n    cmd: echo 1 > p\n    outs: [p]\n"),
        commit(),
        steps=run("-n", "e", "--temp"),
    ),
    case(
        "foreign-lock-entries",
        CHAINED,
        write("dvc.yaml", "stages:\n  lone:\n    cmd: echo new > lone.txt\n    outs: [lone.txt]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "temp-untracked-lock",
        CHAIN,
        steps=(repro(), run("-n", "e", "--temp")),
    ),
    case(
        "temp-workspace-and-forced-are-one-tree",
        CHAINED,
        steps=(
            run("-n", "w", "-S", "lr=3"),
            run("-n", "t", "--temp"),
            run("-n", "f", "-f"),
            run("-n", "g", "-f", "--temp"),
        ),
    ),
)
