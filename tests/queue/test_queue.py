"""Order, states and claims, with real locks and real processes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import RefConflict, UsageError
from exprun.model.experiment import ExperimentSpec, OnError, ReproOptions, Selection
from exprun.model.job import FailureClass
from exprun.model.paths import Location
from exprun.model.values import replace
from exprun.queue import specs
from exprun.queue.attempts import Orchestrator
from exprun.queue.journal import seal
from exprun.queue.ledger import Ledger
from exprun.queue.queue import Draft, Names, Queue
from exprun.queue.records import AttemptRecord, State
from tests.queue.conftest import claim_next

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exprun.queue.records import Entry

BASELINE = "1" * 40
REV = "2" * 40


def make_up(is_taken: Callable[[str], bool]) -> str:
    return next(name for number in range(10_000) if not is_taken(name := f"made-{number}"))


NAMES = Names(taken=(), make=make_up)


def draft(name: str | None = None, *, baseline: str = BASELINE, batch: str = "b" * 16) -> Draft:
    return Draft(
        name=name, baseline=baseline, commit="3" * 40, batch=batch, spec=ExperimentSpec(name=name)
    )


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(str(tmp_path / "queue"))


@pytest.fixture(autouse=True)
def always_tidy(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short the journal is, `tidy` makes it compact."""
    monkeypatch.setattr("exprun.queue.queue._WORTH_TIDYING", -1)


def add(queue: Queue, *names: str) -> list[str]:
    return [entry.id for entry in queue.add([draft(name) for name in names], NAMES)]


def names(queue: Queue) -> list[str]:
    return [entry.name for entry in queue.entries()]


def states(queue: Queue) -> dict[str, str]:
    return {entry.name: entry.state.value for entry in queue.entries()}


# Names


def test_a_name_in_use_is_refused_and_nothing_is_queued(queue: Queue) -> None:
    add(queue, "one")
    with pytest.raises(RefConflict, match="'one' exists already"):
        add(queue, "two", "one")
    with pytest.raises(RefConflict, match="'stored' exists already"):
        list(queue.add([draft("stored")], Names(taken={"stored"}, make=make_up)))
    assert names(queue) == ["one"]


def test_a_name_that_another_takes_meanwhile_undoes_the_whole_command(tmp_path: Path) -> None:
    one, two = Queue(str(tmp_path)), Queue(str(tmp_path))
    adding = one.add([draft("a"), draft("b"), draft("c")], NAMES)
    assert next(adding).name == "a"
    add(two, "c")
    with pytest.raises(RefConflict, match="'c' exists already"):
        list(adding)
    assert names(two) == ["c"]


def test_two_commands_that_make_names_up_never_make_up_the_same(tmp_path: Path) -> None:
    adding = [Queue(str(tmp_path)).add([draft()] * 3, NAMES) for _ in range(2)]
    made = {next(each).name for _ in range(3) for each in adding}
    assert made == {f"made-{number}" for number in range(6)}


def test_the_same_name_on_another_baseline_is_another_experiment(queue: Queue) -> None:
    add(queue, "one")
    list(queue.add([draft("one", baseline="4" * 40)], NAMES))
    assert names(queue) == ["one", "one"]


def test_forced_an_experiment_takes_the_place_of_what_does_not_run(queue: Queue) -> None:
    waiting, running = add(queue, "waiting", "running")
    with Orchestrator(queue) as orchestrator:
        assert orchestrator.claim(running)
        list(queue.add([draft("waiting"), draft("running")], NAMES, force=True))
        assert [entry.name for entry in queue.entries()].count("running") == 2
    assert waiting not in {entry.id for entry in queue.entries()}


# Order and holding


def test_order(queue: Queue) -> None:
    a, b, c, d = add(queue, "a", "b", "c", "d")
    queue.first([c])
    queue.first([d, b])
    assert names(queue) == ["d", "b", "c", "a"]
    queue.tidy()
    assert names(Queue(queue.directory)) == ["d", "b", "c", "a"]
    queue.first([a])
    assert names(queue) == ["a", "d", "b", "c"]


def test_what_is_held_is_not_started(queue: Queue) -> None:
    a, b = add(queue, "a", "b")
    queue.hold([a])
    assert states(queue) == {"a": "held", "b": "queued"}
    with Orchestrator(queue) as orchestrator:
        assert orchestrator.claim(a) is None
        claimed = claim_next(queue, orchestrator)
        assert claimed is not None and claimed.entry.id == b
        assert claim_next(queue, orchestrator) is None
        queue.release([a])
        claimed = claim_next(queue, orchestrator)
        assert claimed is not None and claimed.entry.id == a


def test_finding_by_name_or_id(queue: Queue) -> None:
    a, b = add(queue, "a", "b")
    assert [entry.id for entry in queue.find(["b", a, b])] == [b, a]
    with pytest.raises(UsageError, match="no experiment 'c'"):
        queue.find(["a", "c"])


# Attempts


def test_how_an_attempt_ends(queue: Queue) -> None:
    add(queue, "good", "bad", "stopped", "silent")
    with Orchestrator(queue) as orchestrator:
        good, bad, stopped, _ = [claim_next(queue, orchestrator) for _ in range(4)]
        assert set(states(queue).values()) == {"running"}
        assert good and bad and stopped
        good.succeed(REV)
        bad.fail(FailureClass.STAGE_EXIT, "failed to run: x", exit_code=3)
        stopped.interrupt("Ctrl-C")
    assert states(queue) == {
        "good": "success", "bad": "failed", "stopped": "interrupted", "silent": "interrupted",
    }  # fmt: skip
    by_name = {entry.name: entry for entry in Queue(queue.directory).entries()}
    last = by_name["bad"].last
    assert last is not None
    assert (by_name["bad"].reason, last.exit_code) == ("stage-exit", 3)
    assert last.message == "failed to run: x"
    assert by_name["good"].last and by_name["good"].last.rev == REV
    assert by_name["silent"].reason == by_name["stopped"].reason == "interrupted"


def test_interrupted_experiments_are_run_again_in_their_place(queue: Queue) -> None:
    a, _ = add(queue, "a", "b")
    with Orchestrator(queue) as orchestrator:
        first = claim_next(queue, orchestrator)
        assert first is not None
    with Orchestrator(queue) as orchestrator:
        again = claim_next(queue, orchestrator)
        assert again is not None and again.entry.id == a
        assert again.entry.attempts == (first.record.id,)
        assert again.record.id != first.record.id
        first.succeed(REV)
        assert states(queue)["a"] == "running", "an old attempt has nothing to tell any more"


def test_failed_ones_wait_for_a_retry(queue: Queue) -> None:
    [a] = add(queue, "a")
    with Orchestrator(queue) as orchestrator:
        attempt = orchestrator.claim(a)
        assert attempt is not None
        attempt.fail(FailureClass.TIMEOUT)
        assert claim_next(queue, orchestrator) is None
        with pytest.raises(RefConflict):
            add(queue, "a")
        queue.retry([a])
        assert states(queue) == {"a": "queued"}
        assert claim_next(queue, orchestrator) is not None


def test_what_somebody_else_tries_again_is_not_tried_twice(queue: Queue) -> None:
    [a] = add(queue, "a")
    with Orchestrator(queue) as orchestrator:
        attempt = orchestrator.claim(a)
        assert attempt
        attempt.fail(FailureClass.STAGE_EXIT)
        with open(os.path.join(queue.directory, "journal.jsonl.lock")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

            def be_quicker(_: str) -> None:
                lock.close()
                queue.retry([a])
                assert orchestrator.claim(a)

            Queue(queue.directory, warn=be_quicker).retry([a])
        assert states(queue) == {"a": "running"}


def test_what_runs_is_not_removed_and_what_succeeded_frees_its_name(queue: Queue) -> None:
    [a] = add(queue, "a")
    with Orchestrator(queue) as orchestrator:
        attempt = orchestrator.claim(a)
        assert attempt is not None
        with pytest.raises(UsageError, match="'a' is running"):
            queue.remove([a])
        attempt.succeed(REV)
    add(queue, "a")
    assert sorted(entry.state for entry in queue.entries()) == [State.QUEUED, State.SUCCESS]
    queue.remove([a])
    assert states(queue) == {"a": "queued"}


def test_wishes_reach_the_orchestrator(queue: Queue) -> None:
    [a] = add(queue, "a")
    with Orchestrator(queue) as orchestrator:
        attempt = orchestrator.claim(a)
        assert attempt
        before = queue.stamp()
        Queue(queue.directory).wish_stop([a])
        assert queue.stamp() != before
        entry = queue.entry(a)
        assert entry is not None and entry.last is not None and entry.last.stop_wished
        attempt.interrupt()
        entry = queue.entry(a)
        assert entry is not None and entry.last is not None and entry.last.stop_wished
        assert not orchestrator.is_draining
        assert queue.drain() == 1
        assert orchestrator.is_draining
    assert queue.drain() == 0


def test_threads_claim_each_experiment_once(queue: Queue) -> None:
    ids = add(queue, *(f"e{number}" for number in range(60)))
    claimed: list[str] = []

    def work() -> None:
        own = Queue(queue.directory)
        with Orchestrator(own) as orchestrator:
            while attempt := claim_next(own, orchestrator):
                claimed.append(attempt.entry.id)
                attempt.succeed(REV)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(ids)


CLAIMER = """
import sys
from exprun.queue.attempts import Orchestrator
from exprun.queue.queue import Queue
queue = Queue(sys.argv[1])
orchestrator = Orchestrator(queue)
ids = [entry.id for entry in queue.unfinished()]
attempt = next(filter(None, map(orchestrator.claim, ids)))
print(attempt.entry.name, flush=True)
sys.stdin.read()
"""


def start_claimer(queue: Queue) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIMER, queue.directory], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": _root()},
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def _root() -> str:
    import exprun

    return os.path.dirname(os.path.dirname(exprun.__file__))


def test_two_processes_share_the_work_and_a_killed_one_leaves_its_part(queue: Queue) -> None:
    add(queue, "a", "b", "c")
    one, first = start_claimer(queue)
    two, second = start_claimer(queue)
    with one, two:
        assert [first, second] == ["a", "b"]
        assert states(queue) == {"a": "running", "b": "running", "c": "queued"}
        one.send_signal(signal.SIGKILL)
        one.wait(timeout=10)
        assert states(queue) == {"a": "interrupted", "b": "running", "c": "queued"}
        with Orchestrator(queue) as orchestrator:
            claimed = [claim_next(queue, orchestrator) for _ in range(3)]
        assert [each.entry.name for each in claimed if each] == ["a", "c"]
        two.kill()


# Damage


def test_a_damaged_record_is_named_once_and_hides_no_other(tmp_path: Path) -> None:
    warnings: list[str] = []
    queue = Queue(str(tmp_path / "queue"), warn=warnings.append)
    ids = add(queue, "a", "b", "c")
    journal = tmp_path / "queue" / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b'"baseline":"1', b'"baseline":"z')
    journal.write_bytes(b"\n".join(lines))
    damaged = Queue(queue.directory, warn=warnings.append)
    assert names(damaged) == names(damaged) == ["a", "c"]
    assert len(warnings) == 1
    assert f"{journal}:3:" in warnings[0]
    damaged.hold([ids[1]])
    damaged.tidy()
    assert names(Queue(queue.directory, warn=warnings.append)) == ["a", "c"]
    assert len(warnings) == 1
    assert b'"name":"b"' in (tmp_path / "queue" / "damaged").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../x"}, {"name": ""}, {"name": "a/b"}, {"name": "a\n"}, {"name": 1},
        {"baseline": "HEAD"}, {"commit": None}, {"batch": "/"}, {"created": "now"},
        {"created": True}, {"spec": None}, {"spec": {"unknown": 1}}, {"spec": {"name": 1}},
        {"spec": {"options": {"force": "yes"}}}, {"spec": {"options": {"on_error": "x"}}},
        {"spec": {"options": {"selection": {"targets": "a"}}}}, {"held": 1},
        {"attempts": ["?"]}, {"last": {}}, {"last": []}, {"op": "unknown"}, {"op": None},
    ],
)  # fmt: skip
def test_a_record_with_anything_odd_in_it_counts_as_damaged(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "v": 1, "op": "entry", "id": "a" * 8, "name": "n", "baseline": BASELINE,
        "commit": REV, "batch": "b" * 16, "created": 1.5, "spec": {},
    }  # fmt: skip
    assert Ledger().take(dict(good))
    assert not Ledger().take(good | change)


def test_what_has_succeeded_is_looked_into_when_it_is_asked_for(tmp_path: Path) -> None:
    warnings: list[str] = []
    queue = Queue(str(tmp_path / "queue"), warn=warnings.append)
    good, odd, _ = add(queue, "good", "odd", "waits")
    with Orchestrator(queue) as orchestrator:
        attempts = [attempt for id in (good, odd) if (attempt := orchestrator.claim(id))]
        for attempt in attempts:
            attempt.succeed(REV)
    log = attempts[0].log_dir
    os.makedirs(log)
    queue.tidy()
    assert os.path.isdir(log)
    journal = tmp_path / "queue" / "journal.jsonl"
    lines = journal.read_bytes().splitlines()
    assert b'"sealed"' in lines[3]
    lines[3] = seal({"op": "entry", "id": odd, "name": 7}, odd, [])
    journal.write_bytes(b"".join(line + b"\n" for line in lines))

    reader = Queue(queue.directory, warn=warnings.append)
    assert [entry.name for entry in reader.unfinished()] == ["waits"]
    assert warnings == []
    assert reader.entry(good)
    assert names(reader) == names(reader) == ["waits", "good"]
    assert [warning.partition(": ")[0] for warning in warnings] == [f"{journal}:4"]
    reader.tidy()
    assert b'"name":7' in (tmp_path / "queue" / "damaged").read_bytes()
    assert names(Queue(queue.directory, warn=warnings.append)) == ["waits", "good"]
    assert len(warnings) == 1


# Direct runs


def direct(orchestrator: str) -> AttemptRecord:
    return AttemptRecord(id="a" * 12, orchestrator=orchestrator, started=1.0, direct=True)


def test_a_direct_run_is_running_for_as_long_as_its_lease(queue: Queue) -> None:
    with queue.lease() as lease:
        queue.begin(draft("e"), direct(lease.id))
        assert states(Queue(queue.directory)) == {"e": "running"}
        with pytest.raises(RefConflict, match="'e' exists already"):
            queue.begin(draft("e"), direct(lease.id))
        with pytest.raises(RefConflict, match="'e' exists already"):
            queue.check_name(BASELINE, "e")
    assert states(Queue(queue.directory)) == {"e": "interrupted"}


def test_what_is_left_of_a_direct_run_gives_way_to_the_next(queue: Queue) -> None:
    with queue.lease() as lease:
        first = queue.begin(draft("e"), direct(lease.id))
    queue.check_name(BASELINE, "e")
    with queue.lease() as lease:
        second = queue.begin(draft("e"), direct(lease.id))
    assert first != second
    assert [entry.id for entry in queue.entries()] == [second]


def test_what_is_queued_gives_way_to_a_direct_run_by_force_alone(queue: Queue) -> None:
    add(queue, "e")
    with queue.lease() as lease:
        with pytest.raises(RefConflict, match="'e' exists already"):
            queue.begin(draft("e"), direct(lease.id))
        queue.begin(draft("e"), direct(lease.id), force=True)
        assert states(queue) == {"e": "running"}


def test_a_result_about_to_be_stored_is_no_success(queue: Queue) -> None:
    with queue.lease() as lease:
        attempt = direct(lease.id)
        id = queue.begin(draft("e"), attempt)
        queue.store(id, replace(attempt, rev=REV))
        assert states(queue) == {"e": "running"}
    for _ in range(2):
        [entry] = Queue(queue.directory).entries()
        assert entry.state is State.INTERRUPTED
        assert entry.last is not None
        assert entry.last.rev == REV
        queue.tidy()


def test_a_journal_is_made_compact_once_it_is_worth_it(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exprun.queue.queue._WORTH_TIDYING", 10)
    journal = f"{queue.directory}/journal.jsonl"
    [id] = add(queue, "e")
    for _ in range(4):
        queue.hold([id])
        queue.release([id])
    long = os.path.getsize(journal)
    queue.tidy()
    assert os.path.getsize(journal) == long
    for _ in range(2):
        queue.hold([id])
        queue.release([id])
    queue.tidy()
    assert os.path.getsize(journal) < long


def test_direct_runs_that_are_over_do_not_pile_up(queue: Queue) -> None:
    journal = f"{queue.directory}/journal.jsonl"
    longest = 0
    with queue.lease() as lease:
        for _ in range(300):
            queue.discard(queue.begin(draft("e"), direct(lease.id)))
            with open(journal, "rb") as file:
                longest = max(longest, len(file.readlines()))
    assert longest < 250
    assert states(Queue(queue.directory)) == {}


# Round trips

TEXTS = st.lists(st.text(max_size=5), max_size=2).map(tuple)
FLAGS = st.booleans()
SPECS = st.builds(
    ExperimentSpec,
    name=st.none() | st.text(max_size=5),
    set_params=TEXTS,
    message=st.none() | st.text(max_size=5),
    copy_paths=TEXTS,
    hydra=FLAGS,
    options=st.builds(
        ReproOptions,
        selection=st.builds(
            Selection, targets=TEXTS, cwd=st.sampled_from([Location("."), Location("a/b")])
        ),
        force=FLAGS,
        run_cache=FLAGS,
        on_error=st.sampled_from(OnError),
    ),
)


@settings(max_examples=60)
@given(SPECS)
def test_requests_survive_the_journal(spec: ExperimentSpec) -> None:
    import json

    data = json.loads(json.dumps(specs.to_fields(spec)))
    assert specs.is_spec(data)
    assert specs.from_fields(data) == spec


def test_no_part_of_a_request_is_forgotten() -> None:
    for kind, known in (
        (ExperimentSpec, specs._SPEC),
        (ReproOptions, specs._OPTIONS),
        (Selection, specs._SELECTION),
    ):
        assert [field.name for field in fields(kind)] == list(known)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            "add hold release first remove retry claim stop good bad die begin store".split()
        ),
        st.integers(0, 4),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_any_history_reads_the_same_from_a_compact_journal(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, int]]
) -> None:
    queue = Queue(str(tmp_path_factory.mktemp("queue")))
    orchestrator = Orchestrator(queue)
    attempts = []
    begun: tuple[str, AttemptRecord] | None = None
    for what, number in steps:
        entries = queue.entries()
        match what:
            case "add":
                list(queue.add([draft()], NAMES))
            case "begin":
                id = queue.begin(draft(f"direct-{number}"), direct(orchestrator.id), force=True)
                begun = (id, direct(orchestrator.id))
            case "store" if begun:
                queue.store(begun[0], replace(begun[1], rev=REV))
            case "claim":
                attempts += [claimed] if (claimed := claim_next(queue, orchestrator)) else []
            case "good" if attempts:
                attempts.pop().succeed(REV)
            case "bad" if attempts:
                attempts.pop().fail(FailureClass.SIGNAL)
            case "die":
                orchestrator.close()
                orchestrator, attempts = Orchestrator(queue), []
            case "hold" | "release" | "first" | "retry":
                getattr(queue, what)([entry.id for entry in entries[number : number + 2]])
            case "stop":
                running = [e.id for e in entries if e.state is State.RUNNING]
                queue.wish_stop(running[number : number + 1])
            case "remove":
                idle = [e.id for e in entries[number:] if e.state is not State.RUNNING]
                queue.remove(idle[:1])
    before = [_told(entry) for entry in queue.entries()]
    queue.tidy()
    assert [_told(entry) for entry in Queue(queue.directory).entries()] == before
    orchestrator.close()


def _told(entry: Entry) -> tuple[object, ...]:
    return entry.id, entry.name, entry.state, entry.held, entry.attempts, entry.last
