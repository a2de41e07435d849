"""What the user's workspace, index and HEAD hold when an experiment starts."""

from __future__ import annotations

from tests.compat.case import case, flat
from tests.compat.pipelines import CHAINED, TRAIN, TRAINED
from tests.support.project import Chmod, Delete, Symlink, commit, dvc, git, repro, run, write

BUSY = flat(
    write("keep.txt", "1\n"),
    write("del.txt", "1\n"),
    write("mode.sh", "true\n"),
    TRAINED,
    write("keep.txt", "2\n"),
    git("add", "keep.txt"),
    write("keep.txt", "3\n"),
    Delete("del.txt"),
    Chmod("mode.sh", 0o755),
    write("staged.txt", "staged\n"),
    git("add", "staged.txt"),
    write("untracked.txt", "untracked\n"),
)

CASES = (
    case("workspace-busy", BUSY, steps=run("-n", "e", "-S", "lr=3")),
    case("workspace-busy-repro", BUSY, write("code.py", "new\n"), steps=repro()),
    case("workspace-busy-temp", BUSY, steps=run("-n", "e", "-S", "lr=3", "--temp")),
    case(
        "workspace-busy-failure",
        BUSY,
        write("dvc.yaml", "stages:\n  s:\n    cmd: exit 1\n    outs: [o]\n"),
        steps=run("-n", "e"),
    ),
    case("staged-deletion", BUSY, git("rm", "-q", "--cached", "mode.sh"), steps=run("-n", "e")),
    case(
        "staged-rename",
        TRAINED,
        git("mv", "code.py", "code2.py"),
        steps=run("-n", "e", "--allow-missing"),
    ),
    case(
        "untracked-dependency",
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat dep dir/* > o\n    deps: [dep, dir]\n    outs: [o]\n"
            "  t:\n    cmd: echo > t\n    outs: [t]\n",
        ),
        commit(),
        steps=(
            write("dep", "1\n"),
            write("dir/a", "a\n"),
            write("dir/ignored.log", "b\n"),
            write(".git/info/exclude", "*.log\n"),
            run("-n", "e"),
        ),
    ),
    case(
        "untracked-dependency-of-a-skipped-stage",
        write("dvc.yaml", "stages:\n  s:\n    cmd: cat dep > o\n    deps: [dep]\n    outs: [o]\n"),
        commit(),
        steps=(write("dep", "1\n"), repro(), run("-n", "e")),
    ),
    case(
        "untracked-pipeline",
        commit(),
        write("dvc.yaml", "stages:\n  s:\n    cmd: echo 1 > o\n    outs: [o]\n"),
        steps=run("-n", "e"),
    ),
    case(
        "executable-dependency",
        write("run.sh", "echo 1\n", 0o755),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: ./run.sh > o\n    deps: [run.sh]\n    outs: [o]\n"
        ),
        commit(),
        steps=(run("-n", "a"), Chmod("run.sh", 0o644), run("-n", "b"), Chmod("run.sh", 0o755)),
    ),
    case(
        "symlinked-dependency",
        write("real.txt", "1\n"),
        Symlink("link.txt", "real.txt"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat link.txt > o\n    deps: [link.txt]\n    outs: [o]\n",
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "detached-head",
        CHAINED,
        git("checkout", "-q", "--detach"),
        steps=run("-n", "e", "-S", "lr=2"),
    ),
    case(
        "on-a-branch",
        CHAINED,
        git("checkout", "-q", "-b", "work/x"),
        git("tag", "v1"),
        steps=run("-n", "e"),
    ),
    case(
        "baseline-moves",
        TRAINED,
        steps=(run("-n", "e", "-S", "lr=2"), git("commit", "-qam", "next"), run("-n", "e")),
    ),
    case(
        "stash-is-kept",
        TRAINED,
        write("code.py", "stashed\n"),
        git("stash", "-q"),
        steps=run("-n", "e", "-S", "lr=2"),
    ),
    case(
        "autostage",
        write(".dvc/config", "[core]\n    autostage = true\n"),
        TRAIN,
        steps=run("-n", "e"),
    ),
    case(
        "autostage-repro",
        write(".dvc/config", "[core]\n    autostage = true\n"),
        TRAIN,
        steps=repro(),
    ),
    case(
        "autostage-what-was-written",
        write(".dvc/config", "[core]\n    autostage = true\n"),
        TRAIN,
        dvc("repro", "-q"),
        git("reset", "-q"),
        steps=repro("-f"),
    ),
    case(
        "file-becomes-directory",
        TRAINED,
        write("thing", "file\n"),
        commit(),
        Delete("thing"),
        write("thing/inside", "1\n"),
        steps=run("-n", "e", "-S", "lr=2"),
        differs={"files": "DVC deletes the untracked file", "status": "so"},
    ),
    case(
        "crlf-and-attributes",
        write(".gitattributes", "*.txt text eol=lf\n*.bin -text\n"),
        write("a.txt", "one\r\ntwo\r\n"),
        write(
            "dvc.yaml",
            """\
            stages:
              s:
                cmd: cp a.txt o.txt; printf '{"a":1}\\r\\n' > m.json
                deps: [a.txt]
                outs: [o.txt]
                metrics:
                - m.json: {cache: false}
            """,
        ),
        commit(),
        steps=(write("a.txt", "one\r\nthree\r\n"), run("-n", "e")),
        differs=dict.fromkeys(
            ("files", "experiments", "cache", "run_cache", "status", "dvc says"),
            "DVC's stash rewrites the user's file with other line ends (deviation 1)",
        ),
    ),
    case(
        "submodule",
        git("init", "-q", "-b", "main", "../outside/sub"),
        write("../outside/sub/f", "1\n"),
        git("add", "f", cwd="../outside/sub"),
        git("commit", "-qm", "sub", cwd="../outside/sub"),
        git("submodule", "--quiet", "add", "../outside/sub", "sub"),
        write(
            "dvc.yaml", "stages:\n  s:\n    cmd: cat sub/f > o\n    deps: [sub/f]\n    outs: [o]\n"
        ),
        commit(),
        steps=run("-n", "e"),
    ),
    case(
        "git-hooks",
        TRAIN,
        write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n", 0o755),
        write(".git/hooks/commit-msg", "#!/bin/sh\nexit 1\n", 0o755),
        steps=run("-n", "e"),
    ),
    case(
        "hidden-from-git",
        TRAINED,
        git("update-index", "--skip-worktree", "code.py"),
        steps=(write("code.py", "changed\n"), run("-n", "e", "-S", "lr=3")),
    ),
    case(
        "hidden-from-git-and-no-dependency",
        TRAINED,
        write("notes", "old\n"),
        commit(),
        git("update-index", "--skip-worktree", "notes"),
        steps=(write("notes", "new\n"), run("-n", "e", "-S", "lr=3")),
    ),
    case(
        "untracked-dependencies-behind-links",
        write("real/.keep", ""),
        write(".gitignore", "gg/\nhh\n"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat dd/a > o\n    deps: [dd, real, uu/a, gg, hh/a]\n"
            "    outs: [o]\n",
        ),
        commit(),
        steps=(
            write("real/a", "1\n"),
            write("../outside/u/a", "1\n"),
            Symlink("real/sub", "../.dvc"),
            Symlink("real/l", "a"),
            Symlink("dd", "real"),
            Symlink("uu", "../outside/u"),
            Symlink("gg", "real"),
            Symlink("hh", "real"),
            run("-n", "a"),
        ),
    ),
    case(
        "dependency-behind-a-tracked-link",
        write("real/a", "1\n"),
        write("real/b", "2\n"),
        Symlink("link", "real"),
        write(
            "dvc.yaml",
            "stages:\n  s:\n    cmd: cat link/a > o\n    deps: [link/a]\n    outs: [o]\n",
        ),
        commit(),
        steps=(run("-n", "a"), write("real/a", "9\n"), run("-n", "b")),
        differs={"experiments": "DVC puts files in the place of the link"},
    ),
    case(
        "modes-that-git-does-not-trust",
        git("config", "core.filemode", "false"),
        TRAINED,
        steps=(Chmod("code.py", 0o755), run("-n", "e", "-S", "lr=3")),
        differs={"experiments": "DVC takes the modes over"},
    ),
    case(
        "unresolved-conflicts",
        TRAINED,
        git("checkout", "-q", "-b", "other"),
        write("z", "1\n"),
        commit(),
        git("checkout", "-q", "main"),
        write("z", "2\n"),
        commit(),
        git("config", "alias.try", "!git merge -q other || true"),
        git("try"),
        steps=run("-n", "e", "-S", "lr=3"),
        differs={"lines": "the line that tells what begins comes before Git's index is looked at"},
    ),
)
