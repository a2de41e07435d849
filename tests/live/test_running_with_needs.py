"""Stages that ask for something, run by the real command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.live.conftest import Project

OK = "echo $1 > out.txt; echo 1 > m.json\n"


def test_a_stage_is_tried_again_with_a_log_for_each_try(project: Project) -> None:
    flag = project.place.root / "tried"
    project.setup(
        f"if [ -e {flag} ]; then {OK.strip()}; else echo first; touch {flag}; exit 1; fi\n",
        meta="{retries: 1}",
    )
    done = project.run("run", "--temp", "--events", str(project.place.root / "events"))
    assert done.code == 0, done.stderr
    kinds = [(e["event"], e.get("result")) for e in project.events() if "stage" in e]
    assert [kind for kind in kinds if kind[0] in ("StageRetrying", "StageFinished")] == [
        ("StageFinished", "failed"),
        ("StageRetrying", None),
        ("StageFinished", "succeeded"),
    ]
    started = [e for e in project.events() if e["event"] == "StageStarted"]
    assert [event["attempt"] for event in started] == [1, 2]
    logs = [Path(event["log"]).read_text() for event in started]
    assert logs == ["first\n", ""]


def test_a_stage_that_runs_too_long_is_stopped(project: Project) -> None:
    project.setup("sleep 60\n", meta="{timeout: 0.2}")
    done = project.run("repro", "--grace", "1")
    assert done.code == 1
    assert "stopped after its limit of 0.2 s" in done.stderr


@pytest.mark.parametrize(
    ("command", "meta", "message"),
    [
        (("run",), "{gpus: 2}", "stage 'train' can never run here: it needs 2 GPUs, the budget"),
        (("repro",), "{mem: 2G}", "it needs 2G of memory, the budget has 1G"),
        (("run", "--temp"), "{gpu: 1}", "stage 'train': meta.exprun has no 'gpu'"),
        (("run", "--queue"), "{retries: often}", "stage 'train': meta.exprun 'retries' is 'often'"),
        (("run", "-S", "x=1,2"), "{cpus: 9}", "it needs 9 CPUs, the budget has 8"),
    ],
)
def test_what_can_never_run_is_refused(
    project: Project, command: tuple[str, ...], meta: str, message: str
) -> None:
    project.setup(OK, meta=meta)
    project.write("exprun.toml", "[resources]\ngpus = 1\nmem = '1G'\n")
    user = Path(project.place.environ()["HOME"]) / ".config/exprun/exprun.toml"
    user.parent.mkdir(parents=True, exist_ok=True)
    user.write_text("[resources]\ncpus = 8\nmem = '9G'\n")
    before = project.git("status", "--porcelain"), project.git("for-each-ref")
    changes = ("-S", "x=5") if command[0] == "run" and "-S" not in command else ()
    done = project.run(*command, *changes)
    assert done.code == 2
    assert message in done.stderr and "dvc.yaml:8: " in done.stderr
    assert (project.git("status", "--porcelain"), project.git("for-each-ref")) == before
    assert project.run("queue", "status", "--json").stdout == "[]\n"


def test_gpus_are_handed_out_by_id_and_never_twice(project: Project) -> None:
    held = project.place.root / "held"
    held.mkdir()
    project.setup(
        f"mkdir {held}/$CUDA_VISIBLE_DEVICES || exit 7\n{OK}"
        f"echo $CUDA_VISIBLE_DEVICES\nrmdir {held}/$CUDA_VISIBLE_DEVICES\n",
        meta="{gpus: 1}",
    )
    done = project.run(
        "run", "-S", "x=1,2,3,4,5", "-j", "4", "--resources", "gpus=3:8",
        "--events", str(project.place.root / "events"),
    )  # fmt: skip
    assert done.code == 0, done.stdout + done.stderr
    output = [e["data"].strip() for e in project.events() if e["event"] == "StageOutput"]
    assert len(output) == 5 and set(output) <= {"3", "8"}


def test_two_processes_share_the_queue_and_its_mutexes(project: Project) -> None:
    held, ran = project.place.root / "held", project.place.root / "ran"
    project.setup(
        f"mkdir {held} || exit 7\necho $1 >> {ran}\nsleep 0.2\n{OK}rmdir {held}\n",
        meta="{mutex: db}",
    )
    project.run("run", "--queue", "-S", "x=1,2,3,4,5,6")
    both = [project.start("run", "--run-all", "-j", "2") for _ in range(2)]
    assert [process.wait(40) for process in both] == [0, 0]
    assert sorted(ran.read_text().split()) == ["1", "2", "3", "4", "5", "6"]
    assert {row["status"] for row in project.queue().values()} == {"success"}


def test_a_mutex_is_held_by_one_at_a_time(project: Project) -> None:
    held = project.place.root / "held"
    project.setup(f"mkdir {held} || exit 7\n{OK}rmdir {held}\n", meta="{mutex: db}")
    done = project.run("run", "-S", "x=1,2,3,4", "-j", "4")
    assert done.code == 0, done.stdout + done.stderr
