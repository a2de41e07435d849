"""Targets and the options that choose, force or relax what is run."""

from __future__ import annotations

from tests.compat.case import case, flat
from tests.compat.pipelines import CHAIN, CHAINED, TRAIN, TRAINED
from tests.support.project import Delete, commit, dvc, repro, run, write

ANY_ORDER = {"lines order": "the order between pipeline files is that of the directory listing"}

REMOTE = write(
    ".dvc/config", "[core]\n    remote = r\n['remote \"r\"']\n    url = ../../outside/remote\n"
)

FAILING = flat(
    write(
        "dvc.yaml",
        """\
        stages:
          bad:
            cmd: exit 3
            outs: [bad]
          after_bad:
            cmd: echo > after
            deps: [bad]
            outs: [after]
          good:
            cmd: echo > good
            outs: [good]
          after_good:
            cmd: cp good after2
            deps: [good]
            outs: [after2]
        """,
    ),
    commit(),
)

# Two pipeline files; b reads what a makes.
TWO_FILES = flat(
    write("a/dvc.yaml", "stages:\n  s:\n    cmd: echo 1 > o\n    outs: [o]\n"),
    write(
        "b/dvc.yaml",
        "stages:\n  s:\n    cmd: cat ../a/o > o\n    deps: [../a/o]\n    outs: [o]\n",
    ),
    write("c/dvc.yaml", "stages:\n  s:\n    cmd: echo 3 > o\n    outs: [o]\n"),
    write("dvc.yaml", "stages:\n  top:\n    cmd: echo top > top\n    outs: [top]\n"),
    commit(),
)

CASES = (
    case("target-one", CHAIN, steps=run("-n", "e", "train")),
    case("target-several", CHAIN, steps=run("-n", "e", "lone", "prepare")),
    case("target-with-file", CHAIN, steps=run("-n", "e", "dvc.yaml:train")),
    case("target-colon", CHAIN, steps=run("-n", "e", ":prepare")),
    case("target-file", CHAIN, steps=run("-n", "e", "dvc.yaml")),
    case("target-unknown", CHAIN, steps=run("-n", "e", "nosuch")),
    case("target-output-path", CHAINED, steps=repro("model")),
    case("target-lock-file", CHAINED, steps=repro("dvc.lock")),
    case("single-item", CHAINED, write("data.txt", "new\n"), steps=repro("-s", "train")),
    case("single-item-without-deps", CHAIN, steps=run("-n", "e", "-s", "train")),
    case("pipeline", CHAIN, steps=run("-n", "e", "-p", "train")),
    case("all-pipelines", TWO_FILES, steps=run("-n", "e", "-P"), differs=ANY_ORDER),
    case("default-target-is-here", TWO_FILES, steps=run("-n", "e")),
    case("other-file", TWO_FILES, steps=run("-n", "e", "b/dvc.yaml")),
    case("other-file-stage", TWO_FILES, steps=run("-n", "e", "b/dvc.yaml:s")),
    case("recursive", TWO_FILES, steps=run("-n", "e", "-R", "b")),
    case("recursive-everything", TWO_FILES, steps=repro("-R", "."), differs=ANY_ORDER),
    case("from-a-sub-directory", TWO_FILES, steps=run("-n", "e", cwd="b")),
    case("from-a-sub-directory-upwards", TWO_FILES, steps=repro("../dvc.yaml:top", cwd="b")),
    case(
        "downstream",
        CHAINED,
        steps=(write("data.txt", "x\ny\nz\n"), run("-n", "e", "--downstream", "train")),
    ),
    case(
        "force-downstream",
        CHAINED,
        steps=(
            write("data.txt", "one\ntwo\nthree\nfour\n\n"),
            repro("--force-downstream", "evaluate"),
        ),
    ),
    case(
        "upstream-changes-to-the-same",
        CHAINED,
        steps=(write("data.txt", "one\ntwo\nmore\nthree\nfour\n"), run("-n", "e")),
    ),
    case("force", CHAINED, steps=run("-n", "e", "-f")),
    case("force-one", CHAINED, steps=repro("-f", "-s", "train")),
    case("force-replaces", TRAINED, steps=(run("-n", "e"), run("-n", "e", "-f", "-S", "lr=5"))),
    case("glob", CHAIN, steps=repro("--glob", "pre*")),
    case("keep-going", FAILING, steps=run("-n", "e", "-k")),
    case("keep-going-repro", FAILING, steps=repro("-k")),
    case("ignore-errors", FAILING, steps=run("-n", "e", "--ignore-errors", "good", "bad")),
    case("fail-fast", FAILING, steps=repro()),
    case("no-commit", CHAIN, steps=repro("--no-commit")),
    case(
        "no-commit-then-commit",
        TRAINED,
        steps=(
            write("code.py", "new\n"),
            repro("--no-commit"),
            repro(),
        ),
    ),
    case(
        "no-run-cache",
        TRAINED,
        steps=(
            write("code.py", "new\n"),
            repro(),
            write("code.py", "print('train')\n"),
            repro("--no-run-cache"),
        ),
    ),
    case(
        "dry",
        CHAINED,
        steps=(write("data.txt", "new\n"), repro("--dry")),
        differs={"lines": "DVC also calls cached what it judged by the old dependency"},
    ),
    case(
        "allow-missing",
        CHAINED,
        Delete("prepared"),
        Delete("model"),
        steps=repro("--allow-missing"),
    ),
    case(
        "allow-missing-cache-gone",
        CHAINED,
        Delete(".dvc/cache"),
        Delete("prepared"),
        Delete("model"),
        steps=run("-n", "e", "--allow-missing"),
    ),
    case(
        "allow-missing-data",
        write("big.csv", "1,2\n"),
        dvc("add", "big.csv"),
        write(
            "dvc.yaml",
            "stages:\n  a:\n    cmd: wc -l big.csv > a\n    deps: [big.csv]\n    outs: [a]\n"
            "  b:\n    cmd: cat a p > b\n    deps: [a, p]\n    outs: [b]\n",
        ),
        write("p", "1\n"),
        dvc("repro"),
        commit(),
        Delete("big.csv"),
        Delete(".dvc/cache"),
        steps=(repro("--allow-missing"), write("p", "2\n"), run("-n", "e", "--allow-missing")),
    ),
    case(
        "pull",
        REMOTE,
        write("in", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  a:\n    cmd: cp in a\n    deps: [in]\n    outs: [a]\n"
            "  b:\n    cmd: cat a p > b\n    deps: [a, p]\n    outs: [b]\n",
        ),
        write("p", "1\n"),
        dvc("repro"),
        dvc("push", "-q", "--run-cache"),
        commit(),
        Delete(".dvc/cache"),
        Delete("a"),
        Delete("b"),
        steps=(write("p", "2\n"), run("-n", "e", "--pull")),
    ),
    case(
        "pull-nothing-to-run",
        REMOTE,
        CHAIN,
        dvc("repro"),
        dvc("push", "-q"),
        commit(),
        Delete(".dvc/cache"),
        Delete("model"),
        Delete("prepared"),
        steps=repro("--pull"),
    ),
    case(
        "pull-over-data-that-is-nowhere-else",
        REMOTE,
        write("d/x", "1\n"),
        write("d/y", "2\n"),
        write("f", "3\n"),
        dvc("add", "-q", "d", "f"),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: cat d/x f > o\n    deps: [d, f]\n    outs: [o]\n"
        ),
        dvc("repro", "-q"),
        dvc("push", "-q"),
        commit(),
        Delete(".dvc/cache"),
        Delete("d/x"),
        steps=(
            repro("--pull"),
            write("f", "by hand\n"),
            Delete(".dvc/cache"),
            repro("--pull"),
            run("-n", "e", "--pull"),
            write("f", "3\n"),
            write("d/new", "by hand\n"),
            Delete(".dvc/cache"),
            repro("--pull"),
            write("o", "by hand\n"),
            Delete("d/new"),
            repro("--pull", "-s", "s"),
        ),
    ),
    case(
        "pull-over-an-edited-output",
        REMOTE,
        CHAINED,
        dvc("push", "-q"),
        Delete(".dvc/cache"),
        write("prepared/b", "by hand\n"),
        steps=(repro("--pull"), run("-n", "e", "--pull")),
    ),
    case(
        "pull-from-a-place-in-another-remote",
        write(
            ".dvc/config",
            "[core]\n    remote = Inner\n"
            "['remote \"inner\"']\n    url = remote://Middle/in/side\n"
            "['remote \"middle\"']\n    url = remote://outer/mid\n"
            "['remote \"outer\"']\n    url = ../../outside/remote\n",
        ),
        write(
            "dvc.yaml",
            "stages:\n  a:\n    cmd: cp in a; cp in b\n    deps: [in]\n"
            "    outs: [a, {b: {remote: OUTER}}]\n",
        ),
        write("in", "1\n"),
        dvc("repro"),
        dvc("push", "-q"),
        commit(),
        Delete(".dvc/cache"),
        Delete("a"),
        Delete("b"),
        steps=run("-n", "e", "--pull"),
    ),
    case(
        "pull-from-a-remote-that-is-not-configured",
        write(".dvc/config", "[core]\n    remote = nope\n"),
        CHAINED,
        Delete(".dvc/cache"),
        Delete("prepared"),
        Delete("model"),
        steps=(write("data.txt", "x\ny\n"), repro("--pull", "prepare"), repro("--pull", "lone")),
    ),
    case(
        "interactive-by-configuration",
        write(".dvc/config", "[core]\n    interactive = true\n"),
        TRAIN,
        steps=(repro(), run("-n", "e"), run("-n", "t", "--temp")),
    ),
    case("unchanged", CHAINED, steps=run("-n", "e")),
    case("unchanged-repro", CHAINED, steps=repro()),
    case("random-name", TRAINED, steps=run("-S", "lr=7")),
    case("message", TRAINED, steps=run("-n", "e", "-S", "lr=7", "-m", "my words\n\nand more")),
    case("message-by-its-old-option", TRAINED, steps=run("-n", "e", "-M", "my words")),
    case("name-exists", TRAINED, steps=(run("-n", "e"), run("-n", "e", "-S", "lr=2"))),
    case("name-invalid", TRAINED, steps=run("-n", "a/b")),
    case("name-unusual", TRAINED, steps=run("-n", "é.1-X_@")),
    case(
        "two-experiments",
        TRAINED,
        steps=(
            run("-n", "a", "-S", "lr=1"),
            run("-n", "b", "-S", "lr=2"),
            run("-n", "c", "-S", "lr=1"),
        ),
    ),
)
