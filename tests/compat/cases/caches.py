"""The cache, its link types and places, the run cache, and damaged or missing objects."""

from __future__ import annotations

from tests.compat.case import Case, case, flat
from tests.compat.pipelines import CHAIN, CHAINED, TRAIN, TRAINED
from tests.support.project import Delete, commit, dvc, repro, run, write

LINKED = flat(
    write("in", "1\n"),
    write(
        "dvc.yaml",
        """\
        stages:
          make:
            cmd: mkdir -p d && cp in d/x && cp in file && touch empty && cp in plain
            deps: [in]
            outs:
            - d
            - file
            - empty
            - plain: {cache: false}
          use:
            cmd: cat d/x file > used
            deps: [d, file]
            outs: [used]
        """,
    ),
    commit(),
)


def _links(kind: str) -> Case:
    return case(
        f"cache-type-{kind.replace(',', '-')}",
        write(".dvc/config", f"[cache]\n    type = {kind}\n"),
        LINKED,
        steps=(
            run("-n", "a"),
            write("in", "2\n"),
            run("-n", "b"),
            write("in", "1\n"),
            run("-n", "c"),
        ),
    )


CASES = (
    _links("hardlink"),
    _links("symlink"),
    _links("copy"),
    _links("reflink,hardlink,copy"),
    case(
        "cache-hardlink-persist",
        write(".dvc/config", "[cache]\n    type = hardlink\n"),
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat in >> log\n    deps: [in]\n    outs:\n"
            "    - log: {persist: true}\n",
        ),
        commit(),
        steps=(repro(), write("in", "2\n"), repro()),
    ),
    case(
        "cache-dir-elsewhere",
        write(".dvc/config", "[cache]\n    dir = ../../outside/cache\n"),
        TRAIN,
        steps=run("-n", "e"),
    ),
    case(
        "cache-dir-local-config",
        TRAIN,
        write(".dvc/config.local", "[cache]\n    dir = ../../outside/cache\n    type = symlink\n"),
        steps=run("-n", "e"),
    ),
    case(
        "cache-is-a-remote",
        write(
            ".dvc/config",
            "[cache]\n    local = Shared\n    dir = nowhere\n    type = hardlink\n"
            "['remote \"shared\"']\n    url = ../../outside/cache\n    type = symlink\n",
        ),
        TRAIN,
        steps=run("-n", "e"),
    ),
    case(
        "run-cache-hit",
        TRAINED,
        steps=(
            run("-n", "a", "-S", "lr=2"),
            run("-n", "b", "-S", "lr=0.1"),
            run("-n", "c", "-S", "lr=2"),
        ),
    ),
    case(
        "run-cache-hit-repro",
        CHAINED,
        steps=(
            write("data.txt", "1\n2\n3\n"),
            repro(),
            write("data.txt", "one\ntwo\nthree\nfour\n"),
            repro(),
        ),
    ),
    case(
        "run-cache-without-lock",
        CHAINED,
        Delete("dvc.lock"),
        Delete("model"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "run-cache-objects-gone",
        TRAINED,
        steps=(
            run("-n", "a", "-S", "lr=2"),
            Delete(".dvc/cache/files"),
            run("-n", "b", "-S", "lr=0.1"),
        ),
    ),
    case(
        "run-cache-side-effects",
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp in o; cp in tracked\n    deps: [in]\n    outs: [o]\n",
        ),
        write("tracked", "0\n"),
        commit(),
        steps=(
            run("-n", "a"),
            write("tracked", "9\n"),
            Delete("o"),
            Delete("dvc.lock"),
            run("-n", "b"),
        ),
    ),
    case(
        "run-cache-shared-by-stages",
        write("a/in", "1\n"),
        write("b/in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n"
            "  a:\n    wdir: a\n    cmd: cp in o && echo x > m\n    deps: [in]\n    outs: [o, m]\n"
            "  b:\n    wdir: b\n    cmd: cp in o && echo x > m\n    deps: [in]\n    outs: [m, o]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "cache-gone",
        CHAINED,
        Delete(".dvc/cache"),
        steps=run("-n", "e"),
    ),
    case(
        "cache-gone-and-outs-too",
        CHAINED,
        Delete(".dvc/cache"),
        Delete("model"),
        Delete("prepared"),
        steps=run("-n", "e"),
    ),
    case(
        "everything-deleted",
        CHAINED,
        Delete("model"),
        Delete("prepared"),
        Delete("score.txt"),
        Delete("lone.txt"),
        steps=run("-n", "e"),
    ),
    case(
        "everything-deleted-repro",
        CHAINED,
        Delete("model"),
        Delete("prepared"),
        Delete("score.txt"),
        Delete("lone.txt"),
        steps=repro(),
    ),
    case("lock-deleted", CHAINED, Delete("dvc.lock"), steps=run("-n", "e")),
    case(
        "lock-with-comments-and-flow",
        CHAIN,
        dvc("repro", "lone"),
        write(
            "dvc.lock",
            """\
            # mine
            schema: "2.0"
            stages:
              lone: # a comment
                cmd: echo lone > lone.txt
                outs:
                - {path: lone.txt, hash: md5, md5: 22967c8eeb60c3cf80e5b8c7ac3ee8a9, size: 5}
              gone:
                cmd: rm -rf nothing
            """,
        ),
        commit(),
        steps=run("-n", "e", "prepare"),
    ),
    case(
        "lock-entry-older-than-stage",
        TRAINED,
        write(
            "dvc.yaml",
            """\
            stages:
              train:
                cmd: cat params.yaml code.py > model.bin; echo '{"acc":0.5}' > metrics.json
                deps: [code.py]
                params: [lr, epochs]
                outs: [model.bin]
                metrics:
                - metrics.json:
                    cache: false
            """,
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "cache-shared-group",
        write(".dvc/config", "[cache]\n    shared = group\n"),
        TRAIN,
        steps=run("-n", "e"),
    ),
    case(
        "cache-hardlink-executable",
        write(".dvc/config", "[cache]\n    type = hardlink\n"),
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp in tool; chmod +x tool\n    deps: [in]\n    outs: [tool]\n",
        ),
        commit(),
        steps=(run("-n", "a"), run("-n", "b")),
    ),
    case(
        "cache-symlink-executable-used",
        write(".dvc/config", "[cache]\n    type = symlink\n"),
        write("in", "echo 1\n"),
        write(
            "dvc.yaml",
            "stages:\n  make:\n    cmd: cp in tool; chmod +x tool\n    deps: [in]\n"
            "    outs: [tool]\n  use:\n    cmd: ./tool > used\n    deps: [tool]\n"
            "    outs: [used]\n",
        ),
        commit(),
        steps=(run("-n", "a"), write("in", "echo 2\n"), run("-n", "b", "--temp")),
    ),
    case(
        "cache-hardlink-executable-shared-by-outputs",
        write(".dvc/config", "[cache]\n    type = hardlink\n"),
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp in tool; chmod +x tool; mkdir -p d; cp tool d/x\n"
            "    deps: [in]\n    outs: [tool, d]\n",
        ),
        commit(),
        steps=(repro(), write("in", "2\n"), repro(), write("in", "1\n"), repro()),
    ),
)
