"""Data files (.dvc), imports, .dvcignore, and dependencies on what they bring."""

from __future__ import annotations

from textwrap import indent

from tests.compat.case import case, flat
from tests.support.project import (
    Chmod,
    Delete,
    MakeDirectory,
    commit,
    dvc,
    git,
    init_dvc,
    repro,
    run,
    write,
)

ADDED = flat(write("raw/a", "a\n"), write("raw/sub/b", "b\n"), dvc("add", "raw"))
READER_OF_ADDED = write(
    "dvc.yaml",
    "stages:\n  read:\n    cmd: cat raw/a raw/sub/* > all\n    deps: [raw]\n    outs: [all]\n",
)

# What `dvc push` to a versioned remote makes of what is recorded about a directory: a list.
VERSIONED = """\
  files:
  - relpath: a
    md5: 60b725f10c9c85c70d97880dfe8191b3
    size: 2
    cloud:
      s3:
        etag: e1ea1
        version_id: v1
  - relpath: sub/b
    md5: 3b5d5c3712955042212316173ccf37be
    size: 2
    cloud:
      s3:
        etag: e1ea2
        version_id: v2
"""
VERSIONED_LOCK = """\
schema: '2.0'
stages:
  make:
    cmd: mkdir -p d/sub && cp a d/a && cp b d/sub/b
    deps:
    - path: a
      hash: md5
      md5: 60b725f10c9c85c70d97880dfe8191b3
      size: 2
    - path: b
      hash: md5
      md5: 3b5d5c3712955042212316173ccf37be
      size: 2
    outs:
    - path: d
      hash: md5
""" + indent(VERSIONED, "    ")

# Somebody has taken the line of the data out of .gitignore, and forgotten the file beside `sub/e`.
DATA_NOT_IGNORED = (
    write("d", "1\n"),
    write("sub/e", "2\n"),
    dvc("add", "--quiet", "d", "sub/e"),
    write(".gitignore", "*.tmp"),
    Delete("sub/.gitignore"),
    write("dvc.yaml", "stages:\n  s:\n    cmd: cat d > o\n    deps: [d, sub/e]\n    outs: [o]\n"),
    git("add", "dvc.yaml", "d.dvc", "sub/e.dvc", ".dvc", ".dvcignore", ".gitignore"),
    git("commit", "--quiet", "-m", "start"),
)

CASES = (
    case("data-added", ADDED, READER_OF_ADDED, commit(), steps=run("-n", "e")),
    case(
        "data-edited",
        ADDED,
        READER_OF_ADDED,
        commit(),
        steps=(
            run("-n", "a"),
            write("raw/a", "changed\n"),
            write("raw/new", "n\n"),
            run("-n", "b"),
        ),
    ),
    case(
        "data-edited-repro",
        ADDED,
        READER_OF_ADDED,
        commit(),
        steps=(repro(), write("raw/a", "changed\n"), repro()),
    ),
    case(
        "data-deleted",
        ADDED,
        READER_OF_ADDED,
        dvc("repro"),
        commit(),
        steps=(Delete("raw"), Delete("all"), run("-n", "e")),
    ),
    case(
        "data-deleted-and-not-cached",
        ADDED,
        READER_OF_ADDED,
        dvc("repro"),
        commit(),
        steps=(Delete("raw"), Delete(".dvc/cache"), run("-n", "e")),
    ),
    case(
        "data-file-executable",
        write("tool", "#!/bin/sh\necho tool\n", 0o755),
        dvc("add", "tool"),
        write("dvc.yaml", "stages:\n  s:\n    cmd: ./tool > o\n    deps: [tool]\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "data-file-mode-changed",
        write("on", "#!/bin/sh\n"),
        write("off", "#!/bin/sh\n", 0o755),
        dvc("add", "on", "off"),
        write("dvc.yaml", "stages:\n  s:\n    cmd: ls > o\n    deps: [on, off]\n    outs: [o]\n"),
        commit(),
        steps=(Chmod("on", 0o755), Chmod("off", 0o644), run("-n", "t", "--temp"), run("-n", "e")),
    ),
    case(
        "data-file-as-target",
        ADDED,
        READER_OF_ADDED,
        commit(),
        steps=(write("raw/a", "new\n"), repro("raw.dvc")),
    ),
    case(
        "data-temp",
        ADDED,
        READER_OF_ADDED,
        commit(),
        steps=(write("raw/a", "new\n"), run("-n", "e", "--temp")),
    ),
    case(
        "data-file-with-comments",
        write("one.csv", "1\n"),
        dvc("add", "one.csv"),
        write(
            "one.csv.dvc",
            "# about\nouts:\n- md5: b026324c6904b2a9cb4b88d6d61c81d1 # hash\n  size: 2\n"
            "  hash: md5\n"
            "  path: one.csv\n  desc: described\nmeta: {k: v}\n",
        ),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: cp one.csv o\n    deps: [one.csv]\n    outs: [o]\n"
        ),
        commit(),
        steps=(write("one.csv", "2\n"), run("-n", "e")),
    ),
    case(
        "data-inside-dependency-directory",
        write("raw/x/one", "1\n"),
        write("raw/plain", "p\n"),
        dvc("add", "raw/x"),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: ls -R raw > o\n    deps: [raw]\n    outs: [o]\n"
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "data-dependency-inside-data",
        ADDED,
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp raw/sub/b o\n    deps: [raw/sub/b]\n    outs: [o]\n",
        ),
        commit(),
        steps=(run("-n", "a"), write("raw/a", "unrelated\n"), run("-n", "b")),
    ),
    case(
        "data-edited-beside-hardlinks",
        write(".dvc/config", "[cache]\n    type = hardlink\n"),
        ADDED,
        write("tool", "echo tool\n"),
        dvc("add", "tool"),
        write(
            "dvc.yaml",
            "stages:\n  run:\n    cmd: raw/tool > o; cat raw/a >> o; ./tool >> o\n"
            "    deps: [raw, tool]\n    outs: [o]\n",
        ),
        commit(),
        Delete("tool"),
        steps=(
            write("raw/tool", "echo in raw\n", 0o755),
            write("tool", "echo other tool\n", 0o755),
            run("-n", "e"),
        ),
    ),
    case(
        "versioned-directory",
        ADDED,
        READER_OF_ADDED,
        write("raw.dvc", "outs:\n- hash: md5\n  path: raw\n" + VERSIONED),
        commit(),
        steps=(
            run("-n", "a"),
            write("raw/a", "changed\n"),
            write("raw/new", "new\n", 0o755),
            run("-n", "b"),
            run("-n", "c", "--temp"),
        ),
    ),
    case(
        "versioned-output",
        write("a", "a\n"),
        write("b", "b\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              make:
                cmd: mkdir -p d/sub && cp a d/a && cp b d/sub/b
                deps: [a, b]
                outs: [d]
              read:
                cmd: cat d/a > o
                deps: [d]
                outs: [o]
            """,
        ),
        dvc("repro", "--quiet"),
        write("dvc.lock", VERSIONED_LOCK),
        commit(),
        steps=(
            run("-n", "a"),
            Delete("d"),
            run("-n", "b"),
            write("b", "changed\n"),
            run("-n", "c"),
        ),
    ),
    case(
        "import-url",
        write("../outside/source.txt", "1\n"),
        dvc("import-url", "../outside/source.txt", "imported.txt"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp imported.txt o\n    deps: [imported.txt]\n    outs: [o]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "import-url-source-changed",
        write("../outside/source.txt", "1\n"),
        dvc("import-url", "../outside/source.txt", "imported.txt"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp imported.txt o\n    deps: [imported.txt]\n    outs: [o]\n",
        ),
        commit(),
        write("../outside/source.txt", "2\n"),
        steps=run("-n", "e"),
    ),
    case(
        "import-from-repository",
        git("init", "-q", "-b", "main", "../outside/lib"),
        *(init_dvc("../outside/lib"),),
        write("../outside/lib/model", "m\n"),
        dvc("add", "model", cwd="../outside/lib"),
        git("add", "-A", cwd="../outside/lib"),
        git("commit", "-qm", "lib", cwd="../outside/lib"),
        dvc("import", "../outside/lib", "model"),
        write("dvc.yaml", "stages:\n  s:\n    cmd: cp model o\n    deps: [model]\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "dependency-outside-the-repository",
        write("../outside/ext.txt", "1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp ../outside/ext.txt o\n"
            "    deps: [../outside/ext.txt]\n    outs: [o]\n",
        ),
        commit(),
        steps=(run("-n", "a"), write("../outside/ext.txt", "2\n"), run("-n", "b")),
    ),
    case(
        "dvcignore",
        write(".dvcignore", "*.tmp\n/raw/skip\n"),
        write("raw/a", "1\n"),
        write("raw/b.tmp", "2\n"),
        write("raw/skip/c", "3\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: mkdir -p d && cp raw/a d/a && cp raw/a d/x.tmp\n"
            "    deps: [raw]\n"
            "    outs: [d]\n",
        ),
        commit(),
        steps=(run("-n", "a"), write("raw/b.tmp", "changed\n"), run("-n", "b")),
    ),
    case(
        "dvcignored-dependency-by-name",
        write(".dvcignore", "*.tmp\n"),
        write("a.tmp", "1\n"),
        write("dvc.yaml", "stages:\n  s:\n    cmd: cp a.tmp o\n    deps: [a.tmp]\n    outs: [o]\n"),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "gitignored-dependency",
        write(".gitignore", "secret\n"),
        write("secret", "1\n"),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: cp secret o\n    deps: [secret]\n    outs: [o]\n"
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "dependency-directory-with-odd-files",
        write("raw/.hidden", "1\n"),
        write("raw/.gitignore", "x\n"),
        write("raw/x", "ignored by git\n"),
        write("raw/Üm läut", "2\n"),
        MakeDirectory("raw/empty"),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: ls -A raw > o\n    deps: [raw]\n    outs: [o]\n"
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "legacy-lock",
        write("in.txt", "a\r\nb\r\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat in.txt > out.txt\n    deps: [in.txt]\n"
            "    outs: [out.txt]\n",
        ),
        write(
            "dvc.lock",
            "schema: '2.0'\nstages:\n  s:\n    cmd: cat in.txt > out.txt\n    deps:\n"
            "    - path: in.txt\n      md5: dd8c6a395b5dd36c56d23275028f526c\n      size: 6\n"
            "    outs:\n    - path: out.txt\n      md5: dd8c6a395b5dd36c56d23275028f526c\n"
            "      size: 6\n",
        ),
        write(".gitignore", "/out.txt\n"),
        write(".dvc/cache/dd/8c6a395b5dd36c56d23275028f526c", "a\r\nb\r\n", 0o444),
        write("out.txt", "a\r\nb\r\n"),
        commit(),
        steps=(run("-n", "a"), run("-n", "b", "-f"), write("in.txt", "c\r\n"), run("-n", "c")),
    ),
    case(
        "legacy-lock-without-objects",
        write("in.txt", "a\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp in.txt out.txt\n    deps: [in.txt]\n    outs: [out.txt]\n",
        ),
        write(
            "dvc.lock",
            "schema: '2.0'\nstages:\n  s:\n    cmd: cp in.txt out.txt\n    deps:\n"
            "    - path: in.txt\n      md5: 60b725f10c9c85c70d97880dfe8191b3\n      size: 2\n"
            "    outs:\n    - path: out.txt\n      md5: 60b725f10c9c85c70d97880dfe8191b3\n"
            "      size: 2\n",
        ),
        commit(),
        steps=(run("-n", "a"), run("-n", "b")),
    ),
    case(
        "legacy-metrics",
        write("params.yaml", "p: 1\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: echo 1 > m.json; echo ${p} > o\n    params: [p]\n"
            "    outs: [o]\n    metrics: [m.json: {cache: false}]\n",
        ),
        write(
            "dvc.lock",
            "schema: '2.0'\nstages:\n  s:\n    cmd: echo 1 > m.json; echo 0 > o\n"
            "    params:\n      params.yaml:\n        p: 0\n    outs:\n    - path: m.json\n"
            "      md5: b026324c6904b2a9cb4b88d6d61c81d1\n      size: 2\n    - path: o\n"
            "      md5: 897316929176464ebc9ad085f31e7284\n      size: 2\n",
        ),
        commit(),
        steps=(run("-n", "a"), run("-S", "p=2", "-n", "b")),
    ),
    case(
        "legacy-directory",
        write("in/a", "a\n"),
        write("in/b", "a\r\n"),
        write("dvc.yaml", "stages:\n  s:\n    cmd: cp in/a o\n    deps: [in]\n    outs: [o]\n"),
        write(
            "dvc.lock",
            "schema: '2.0'\nstages:\n  s:\n    cmd: cp in/a o\n    deps:\n    - path: in\n"
            "      md5: 4d326c4b95ec964f37d0385750740610.dir\n      size: 5\n      nfiles: 2\n"
            "    outs:\n    - path: o\n      md5: 60b725f10c9c85c70d97880dfe8191b3\n"
            "      size: 2\n",
        ),
        commit(),
        steps=(run("-n", "a"), write("in/b", "b\r\n"), run("-n", "b")),
        differs={"cache": "DVC leaves a listing of the dependency in the old cache"},
    ),
    case(
        "legacy-data-file",
        write("in.txt", "a\r\nb\r\n"),
        write(
            "in.txt.dvc",
            "outs:\n- md5: dd8c6a395b5dd36c56d23275028f526c\n  size: 6\n  path: in.txt\n",
        ),
        write(".gitignore", "/in.txt\n"),
        write(".dvc/cache/dd/8c6a395b5dd36c56d23275028f526c", "a\r\nb\r\n", 0o444),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: cp in.txt o\n    deps: [in.txt]\n    outs: [o]\n"
        ),
        commit(),
        steps=(run("-n", "a"), write("in.txt", "c\r\n"), run("-n", "b")),
    ),
    case(
        "legacy-data-without-object",
        write("in.txt", "a\n"),
        write(
            "in.txt.dvc",
            "outs:\n- md5: 60b725f10c9c85c70d97880dfe8191b3\n  size: 2\n  path: in.txt\n",
        ),
        write(".gitignore", "/in.txt\n"),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: cp in.txt o\n    deps: [in.txt]\n    outs: [o]\n"
        ),
        commit(),
        steps=run("-n", "a"),
    ),
    case(
        "data-not-cached-option",
        write("in.txt", "a\n"),
        write(
            "in.txt.dvc",
            "outs:\n- md5: 60b725f10c9c85c70d97880dfe8191b3\n  size: 2\n  hash: md5\n"
            "  cache: false\n  path: in.txt\n",
        ),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: cp in.txt o\n    deps: [in.txt]\n    outs: [o]\n"
        ),
        commit(),
        steps=(write("in.txt", "b\n"), run("-n", "a")),
    ),
    case(
        "data-touched-by-a-stage",
        write("in.txt", "a\n"),
        dvc("add", "in.txt"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cp in.txt o && echo more >> in.txt\n    deps: [in.txt]\n"
            "    outs: [o]\n",
        ),
        commit(),
        steps=(run("-n", "a"), run("-n", "b")),
    ),
    case(
        "data-symlinked-cache",
        write(".dvc/config", "[cache]\n    type = symlink\n"),
        ADDED,
        READER_OF_ADDED,
        commit(),
        steps=(run("-n", "a"), Delete("raw/a"), write("raw/a", "new\n"), run("-n", "b")),
    ),
    case("data-not-yet-ignored", DATA_NOT_IGNORED, steps=run("-n", "e")),
    case(
        "data-not-yet-ignored-temp",
        DATA_NOT_IGNORED,
        steps=run("-n", "e", "--temp"),
        differs=dict.fromkeys(
            ("files", "status"), "an isolated run writes nothing in the user's workspace"
        ),
    ),
    case(
        "data-not-yet-ignored-and-fails",
        DATA_NOT_IGNORED,
        write("dvc.yaml", "stages:\n  s:\n    cmd: exit 3\n    deps: [d]\n    outs: [o]\n"),
        steps=run("-n", "e"),
    ),
)
