"""What stays of experiments that failed or were stopped, and trying them again."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.live.conftest import Project

FAILING = """\
echo "of $1" && echo $1 > m.json && echo half > untracked.txt
test -e ${FLAG} || test $1 != 2 || exit 9
echo $1 > out.txt
"""


def failing(project: Project) -> str:
    """A script that fails for 2 until a file is there; its path."""
    flag = str(project.place.root / "flag")
    project.setup(FAILING.replace("${FLAG}", flag))
    return flag


def test_a_failed_experiment_keeps_its_files_and_can_be_tried_again(project: Project) -> None:
    flag = failing(project)
    project.run("run", "--queue", "-S", "x=1,2")
    before = project.git("status", "--porcelain")
    assert project.run("run", "--run-all", "-j", "2").code == 1
    failed = project.queue()["2"]
    assert (failed["status"], failed["reason"], failed["exit_code"]) == ("failed", "stage-exit", 9)

    kept = failed["kept"]
    ref = f"refs/exprun/failed/{failed['id']}"
    assert project.git("rev-parse", ref).strip() == kept
    assert project.git("rev-parse", f"{kept}^").strip() == failed["baseline"]
    assert project.git("show", f"{kept}:params.yaml") == "x: 2\n"
    # The metrics belong into the cache, which has them only of stages that have succeeded.
    assert project.git("show", f"{kept}:m.json") == "2\n"
    assert project.git("status", "--porcelain") == before

    assert project.run("retry", failed["name"]).code == 1
    again = project.queue()["2"]
    assert (again["status"], again["attempts"]) == ("failed", 2)
    open(flag, "w").close()
    assert project.run("retry", failed["name"]).code == 0
    assert project.queue()["2"]["status"] == "success"
    assert "refs/exprun/failed" not in project.git("for-each-ref")
    assert "failed" not in project.run("list").stdout + project.run("show", "--json").stdout


def test_what_has_not_failed_is_not_tried_again(project: Project) -> None:
    failing(project)
    project.run("run", "--queue", "-S", "x=1", "-n", "one")
    done = project.run("retry", "one")
    assert done.code == 2
    assert "experiment 'one' has not failed: it is queued" in done.stderr
    assert project.run("retry", "none").code == 2


def test_removing_a_failed_experiment_lets_go_of_its_files(project: Project) -> None:
    failing(project)
    assert project.run("run", "-S", "x=1,2").code == 1
    assert "refs/exprun/failed" in project.git("for-each-ref")
    assert project.run("queue", "remove", "--failed").code == 0
    assert "refs/exprun/failed" not in project.git("for-each-ref")


def test_what_is_interrupted_keeps_its_files_and_is_queued_again(project: Project) -> None:
    project.setup("echo 7 > m.json; echo started; exec sleep 60\n")
    project.run("run", "--queue", "-S", "x=1")
    process = project.start("run", "--run-all", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    with process.stdout:
        while b"started" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert process.wait(30) == 130
    assert b"interrupted; what has not finished stays in the queue" in said
    entry = project.queue()["1"]
    assert entry["status"] == "interrupted"
    assert project.git("show", f"{entry['kept']}:m.json") == "7\n"


def test_logs_are_shown_of_those_named_or_of_the_latest(project: Project) -> None:
    failing(project)
    assert project.run("logs").stdout == ""
    assert project.run("run", "-S", "x=1,2", "-n", "e").code == 1
    assert project.run("logs", "e-2").stdout == "==> train <==\nof 2\n"
    assert project.run("retry", "e-2").code == 1
    assert project.run("logs", "-f").stdout == "==> train <==\nof 2\n"
    both = project.run("logs", "e-1", "e-2", "--stage", "train").stdout
    assert both == "==> e-1: train <==\nof 1\n\n==> e-2: train <==\nof 2\n"
    assert project.run("logs", "e-1", "--stage", "other").stdout == ""
    assert "Experiment 'e-2': failed to reproduce 'train'" in project.run("logs", "e-2").stderr


def test_failing_fast_stops_the_others_which_stay_in_the_queue(project: Project) -> None:
    fifo = project.place.root / "fifo"
    # The failing one waits until another runs, and the others end only by being stopped.
    project.setup(
        f"if [ $1 = 1 ]; then read line < {fifo}; exit 1; fi\n"
        f"if [ $1 = 2 ]; then echo go > {fifo}; fi\nexec sleep 60\n"
    )
    subprocess.run(["mkfifo", str(fifo)], check=True)
    done = project.run("run", "-S", "x=1,2,3", "-j", "3", "--fail-fast")
    assert done.code == 1, done.stderr
    states = {value: row["status"] for value, row in project.queue().items()}
    assert states["1"] == "failed"
    others = {states["2"], states["3"]}
    assert "interrupted" in others and others <= {"queued", "interrupted"}


def test_after_so_many_failures_nothing_more_is_started(project: Project) -> None:
    project.setup("exit 1\n")
    done = project.run("run", "-S", "x=range(0,20)", "--max-failures", "1")
    assert done.code == 1
    states = [row["status"] for row in project.queue().values()]
    assert 1 <= states.count("failed") <= 4
    assert set(states) == {"failed", "queued"}


@pytest.mark.parametrize("options", [(), ("--temp",)], ids=["workspace", "temp"])
def test_what_failed_when_run_directly_is_kept_by_name(
    project: Project, options: tuple[str, ...]
) -> None:
    flag = failing(project)
    done = project.run("run", "-n", "bad", "-S", "x=2", "-C", "train.sh", *options)
    assert done.code == 1
    assert "exprun retry bad" in done.stderr
    failed = project.queue()["2"]
    assert (failed["status"], failed["reason"], failed["exit_code"]) == ("failed", "stage-exit", 9)
    assert project.git("show", f"{failed['kept']}:m.json") == "2\n"
    assert project.run("logs", "bad").stdout == "==> train <==\nof 2\n"
    assert "params.yaml  x" in project.run("diff", "HEAD", "bad").stdout

    project.git("checkout", "-qf", "HEAD")
    assert project.run("apply", "bad").code == 0
    assert (project.place.repo / "params.yaml").read_text() == "x: 2\n"
    assert (project.place.repo / "m.json").read_text() == "2\n"
    project.git("checkout", "-qf", "HEAD")

    # A second failure takes the place of the first.
    assert project.run("run", "-n", "bad", "-S", "x=2", *options).code == 1
    [again] = json.loads(project.run("queue", "status", "--json").stdout)
    assert again["id"] != failed["id"]

    project.git("checkout", "-qf", "HEAD")
    open(flag, "w").close()
    assert project.run("retry", "bad").code == 0
    assert project.git("show", f"{rev_of(project, 'bad')}:params.yaml") == "x: 2\n"


@pytest.mark.parametrize("options", [(), ("--temp",), ("--queue",)], ids=lambda words: words)
def test_a_name_that_is_taken_meanwhile_loses_nothing(
    project: Project, options: tuple[str, ...]
) -> None:
    flag, repo = project.place.root / "flag", project.place.repo
    project.setup(
        f"test -e {flag} || git -C {repo} update-ref $(cat {flag}.ref) HEAD\n"
        f"touch {flag}; echo 7 > m.json; echo $1 > out.txt\n"
    )
    head = project.git("rev-parse", "HEAD").strip()
    ref = f"refs/exps/{head[:2]}/{head[2:]}/e"
    flag.with_suffix(".ref").write_text(ref)

    done = project.run("run", "-n", "e", "-S", "x=1", *options)
    if options == ("--queue",):
        done = project.run("run", "--run-all")
    else:
        hint = "first rename or remove the other one\n  what there was: exprun apply e;"
        assert hint in done.stderr

    assert done.code == 1, "some stages have run, so this is no refusal"
    assert "conflicts with existing experiment 'e'\n" in done.stdout + done.stderr
    assert project.git("rev-parse", ref).strip() == head
    failed = project.queue()["1"]
    assert (failed["status"], failed["reason"]) == ("failed", "setup")
    assert project.git("show", f"{failed['kept']}:params.yaml") == "x: 1\n"
    assert project.run("rename", "e", "other").code == 0
    assert project.run("retry", "e").code == 0
    assert project.git("show", f"{ref}:params.yaml") == "x: 1\n"


def test_what_has_no_result_is_handled_like_what_has(project: Project) -> None:
    failing(project)
    assert project.run("run", "--temp", "-n", "bad", "-S", "x=2").code == 1
    failed = project.queue()["2"]

    assert project.run("branch", "bad", "looked-at").code == 0
    assert project.git("rev-parse", "looked-at").strip() == failed["kept"]
    done = project.run("rename", "bad", "worse")
    assert done.code == 2
    assert "'bad' has no result to be renamed: it is failed" in done.stderr
    again = project.run("run", "--queue", "-n", "bad", "-S", "x=3")
    assert again.code == 2
    assert "'bad' exists already" in again.stderr
    assert project.queue().keys() == {"2"}
    assert project.run("run", "--queue", "-f", "-n", "bad", "-S", "x=3").code == 0
    assert project.queue().keys() == {"3"}
    assert "it is queued" in project.run("rename", "bad", "worse").stderr
    assert project.run("run", "--run-all").code == 0
    assert project.git("show", f"{rev_of(project, 'bad')}:params.yaml") == "x: 3\n"
    assert "refs/exprun/failed" not in project.git("for-each-ref")


def test_a_success_takes_the_place_of_a_failure(project: Project) -> None:
    flag = failing(project)
    assert project.run("run", "-n", "bad", "-S", "x=2").code == 1
    open(flag, "w").close()
    assert project.run("run", "-n", "bad", "-S", "x=2").code == 0
    assert project.queue() == {}


def test_a_workspace_run_that_is_stopped_is_held(project: Project) -> None:
    project.setup("echo 7 > m.json; echo started; test ! -e out.txt && exec sleep 60\n")
    process = project.start(
        "run", "-n", "long", "-S", "x=1", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    with process.stdout:
        while b"started\n" != process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
    assert process.wait(30) == 130
    assert b"interrupted; what was finished before is kept\n  logs: /" in said
    assert b"\n  what there was: exprun apply long; to run it again: exprun retry long\n" in said
    entry = project.queue()["1"]
    assert (entry["status"], entry["reason"]) == ("held", "interrupted")
    assert project.git("show", f"{entry['kept']}:m.json") == "7\n"
    # Whoever runs the queue does not start it; whoever asks for it does.
    assert project.run("run", "--run-all").code == 0
    assert " [long] interrupted\n" in project.run("list").stdout


def test_failures_are_removed_by_name_or_all_at_once(project: Project) -> None:
    failing(project)
    for name in ("one", "two", "three"):
        project.run("run", "--temp", "-n", name, "-S", "x=2")
    done = project.run("remove", "on")
    assert done.code == 2
    assert "did you mean 'one'" in done.stderr
    assert project.run("remove", "one").stdout == "Removed experiments: 'one'\n"
    assert project.run("remove", "--failed").stdout == "Removed experiments: 'two' and 'three'\n"
    assert "refs/exprun" not in project.git("for-each-ref")
    assert project.queue() == {}


def test_what_is_proposed_can_be_pasted_whatever_the_name_is(project: Project) -> None:
    failing(project)
    name, word = "it's;x$y", "'it'\"'\"'s;x$y'"

    failed = project.run("run", "-n", name, "-S", "x=2")
    ran = project.run("run", "--temp", "-n", name, "-S", "x=1", "-f")
    project.run("run", "-n", "one", "-S", "x=3")
    renamed = project.run("rename", "one", name)

    assert f"exprun apply {word}; to run it again: exprun retry {word}\n" in failed.stderr
    assert f"\texprun apply {word}\n" in ran.stdout
    assert f"exprun rename -f one {word}\n" in renamed.stderr


def rev_of(project: Project, name: str) -> str:
    refs = project.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").split("\n")
    return next(line.split()[0] for line in refs if line.endswith(f"/{name}"))


def test_what_is_to_be_kept_is_kept(project: Project) -> None:
    failing(project)
    assert project.run("run", "-S", "x=1,2,3", "-n", "e").code == 1
    for options in (("--failed", "--keep"), ("--queue", "--keep")):
        assert project.run("remove", *options).code == 2
    assert project.run("remove", "--keep", "e-1", "e-2").stdout == "Removed experiments: 'e-3'\n"
    left = project.run("list").stdout
    assert [name in left for name in ("[e-1]", "[e-2]", "[e-3]")] == [True, True, False]


def test_names_that_come_near_are_suggested_together(project: Project) -> None:
    failing(project)
    assert project.run("run", "-S", "x=1,2", "-n", "e").code == 1
    said = project.run("apply", "e-3").stderr
    assert said.count("did you mean") == 1
    assert "'e-1' or 'e-2'" in said or "'e-2' or 'e-1'" in said


def test_the_logs_of_a_stage_that_did_not_run_are_refused(project: Project) -> None:
    failing(project)
    assert project.run("run", "-n", "e").code == 0
    done = project.run("logs", "e", "--stage", "trian")
    assert (done.code, done.stdout) == (2, "")
    assert "stage 'trian' has written nothing" in done.stderr


def test_a_queue_without_anything_to_run_says_what_there_is(project: Project) -> None:
    failing(project)
    assert project.run("logs").stderr == "No experiment of the queue has run yet.\n"
    assert project.run("run", "--run-all").stdout == "No experiments are queued.\n"
    project.run("run", "--queue", "-S", "x=1,2", "-n", "e")
    project.run("queue", "hold", "e-1")
    assert project.run("run", "--run-all").code == 1
    assert project.run("run", "--run-all").stdout.splitlines() == [
        "No experiments are queued.",
        "1 held, to let them run: exprun queue release NAME",
        "1 failed, to run them again: exprun run --run-all --retry-failed",
    ]
