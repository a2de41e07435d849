"""What the scheduler asks for, step by step."""

from __future__ import annotations

import pytest

from exprun.model.experiment import OnError
from exprun.model.job import CancelReason
from exprun.scheduler import vocabulary as words
from exprun.scheduler.budget import Budget, Limits
from exprun.scheduler.machine import InvalidTransition, Scheduler
from exprun.scheduler.vocabulary import (
    ExperimentPlan,
    ExperimentVerdict,
    Needs,
    PlannedStage,
    StageKey,
    StageState,
    Verdict,
)
from tests.scheduler.driver import Driver


def chain(length: int, **options: object) -> ExperimentPlan:
    stages = tuple(PlannedStage(upstream=(i - 1,) if i else ()) for i in range(length))
    return ExperimentPlan(stages=stages, **options)  # type: ignore[arg-type]


def independent(count: int, needs: Needs | None = None, **options: object) -> ExperimentPlan:
    stages = (PlannedStage(needs=needs or Needs()),) * count
    return ExperimentPlan(stages=stages, **options)  # type: ignore[arg-type]


def states(driver: Driver, experiment: str) -> list[StageState]:
    return list(driver.finished[experiment].states)


def test_a_chain_is_checked_run_and_saved_stage_by_stage() -> None:
    scheduler = Scheduler(Limits(jobs=1))
    key = StageKey("e", 0)
    assert scheduler.handle(words.ExperimentsOffered(("e",))) == [words.OpenExperiment("e")]
    opened = scheduler.handle(words.ExperimentOpened("e", chain(1)))
    assert opened == [words.CheckStage(key, forced=False)]
    checked = scheduler.handle(words.StageChecked(key, Verdict.MUST_RUN))
    assert checked == [words.RunStage(key, (), 1)]
    assert scheduler.handle(words.StageRan(key, True)) == [words.SaveStage(key)]
    assert scheduler.handle(words.StageSaved(key, True)) == [
        words.FinishExperiment("e", ExperimentVerdict.SUCCEEDED, (StageState.SUCCEEDED,))
    ]
    assert not scheduler.is_idle
    assert scheduler.handle(words.ExperimentClosed("e", True)) == []
    assert scheduler.is_idle


def test_an_unexpected_stimulus_is_refused_and_changes_nothing() -> None:
    scheduler = Scheduler(Limits(jobs=1))
    scheduler.handle(words.ExperimentsOffered(("e",)))
    with pytest.raises(InvalidTransition, match="not open"):
        scheduler.handle(words.StageRan(StageKey("e", 0), True))
    scheduler.handle(words.ExperimentOpened("e", chain(1)))
    with pytest.raises(InvalidTransition, match="not being opened"):
        scheduler.handle(words.ExperimentOpened("e", chain(1)))
    with pytest.raises(InvalidTransition, match="CHECKING"):
        scheduler.handle(words.StageRan(StageKey("e", 0), True))
    assert scheduler.handle(words.StageChecked(StageKey("e", 0), Verdict.UNCHANGED))


def test_independent_stages_fill_the_job_slots() -> None:
    driver = Driver({"e": independent(10)}, Limits(jobs=4))
    driver.start()
    widest = 0
    while driver.effects:
        driver.answer(driver.effects[0])
        widest = max(widest, len(driver.running))
    assert widest == 4
    assert states(driver, "e") == [StageState.SUCCEEDED] * 10


def test_a_serial_plan_has_one_stage_in_hand_in_plan_order() -> None:
    upstream = ((), (), (0,), (0,), (1, 2))
    plan = ExperimentPlan(
        stages=tuple(PlannedStage(upstream=stages) for stages in upstream), serial=True
    )
    driver = Driver({"e": plan}, Limits(jobs=4))
    driver.start()
    while driver.effects:
        assert len(driver.effects) == 1
        driver.answer(driver.effects[0])
    assert [key.stage for key in driver.started] == [0, 1, 2, 3, 4]


def test_a_failure_ends_what_has_not_started() -> None:
    driver = Driver({"e": chain(3)}, Limits(jobs=2), fails=lambda key, _: key.stage == 1)
    driver.start()
    driver.finish()
    assert states(driver, "e") == [StageState.SUCCEEDED, StageState.FAILED, StageState.BLOCKED]
    assert driver.finished["e"].verdict is ExperimentVerdict.FAILED


@pytest.mark.parametrize("serial", [False, True])
def test_keep_going_blocks_only_dependents(serial: bool) -> None:
    plan = ExperimentPlan(
        stages=(
            PlannedStage(),
            PlannedStage(upstream=(0,)),
            PlannedStage(upstream=(1,)),
            PlannedStage(),
        ),
        on_error=OnError.KEEP_GOING,
        serial=serial,
    )
    driver = Driver({"e": plan}, Limits(jobs=2), fails=lambda key, _: key.stage == 0)
    driver.start()
    driver.finish()
    final = [StageState.FAILED, StageState.BLOCKED, StageState.BLOCKED, StageState.SUCCEEDED]
    assert states(driver, "e") == final
    assert driver.finished["e"].verdict is ExperimentVerdict.FAILED


def test_ignored_errors_let_dependents_run() -> None:
    plan = chain(2, on_error=OnError.IGNORE)
    driver = Driver({"e": plan}, Limits(jobs=1), fails=lambda key, _: key.stage == 0)
    driver.start()
    driver.finish()
    assert states(driver, "e") == [StageState.IGNORED, StageState.SUCCEEDED]
    assert driver.finished["e"].verdict is ExperimentVerdict.SUCCEEDED


def test_force_downstream_forces_what_follows_a_stage_that_ran() -> None:
    driver = Driver(
        {"e": chain(3, force_downstream=True)},
        Limits(jobs=1),
        unchanged=lambda key: key.stage > 0,
    )
    driver.start()
    driver.finish()
    assert [key.stage for key in driver.started] == [0, 1, 2]


def test_identical_work_runs_once() -> None:
    plans = {f"e{i}": chain(2) for i in range(16)}
    driver = Driver(
        plans,
        Limits(jobs=8),
        max_open=16,
        flight=lambda key: "shared" if key.stage == 0 else None,
    )
    driver.start()
    driver.finish(lambda count: count - 1)
    shared = [key for key in driver.started if key.stage == 0]
    assert len(shared) == 1
    assert all(f.verdict is ExperimentVerdict.SUCCEEDED for f in driver.finished.values())


def test_a_follower_takes_over_when_the_leader_fails() -> None:
    driver = Driver(
        {"a": chain(1), "b": chain(1)},
        Limits(jobs=4),
        flight=lambda key: "shared",
        fails=lambda key, _: key.experiment == "a",
    )
    driver.start()
    driver.finish()
    assert states(driver, "a") == [StageState.FAILED]
    assert states(driver, "b") == [StageState.SUCCEEDED]


def test_identical_work_that_fails_is_not_done_again() -> None:
    """Sixteen experiments waited sixteen times for the same failure."""
    driver = Driver(
        {f"e{i}": chain(2) for i in range(16)},
        Limits(jobs=8),
        max_open=16,
        flight=lambda key: "shared",
        fails=lambda key, _: True,
        conclusive=lambda key: True,
    )
    driver.start()
    answer_all_but_runs(driver)
    driver.finish()
    assert len(driver.started) == 1
    assert all(f.verdict is ExperimentVerdict.FAILED for f in driver.finished.values())


@pytest.mark.parametrize(
    "other",
    [
        ExperimentPlan(stages=(PlannedStage(retries=1),)),
        ExperimentPlan(stages=(PlannedStage(),), on_error=OnError.IGNORE),
    ],
    ids=["has more tries", "needs what it leaves behind"],
)
def test_who_may_fare_better_does_the_work_again(other: ExperimentPlan) -> None:
    driver = Driver(
        {"a": chain(1), "b": other, "c": chain(1)},
        Limits(jobs=4),
        flight=lambda key: "shared",
        fails=lambda key, _: key.experiment == "a",
        conclusive=lambda key: True,
    )
    driver.start()
    driver.finish()
    assert [key.experiment for key in driver.started] == ["a", "b"]
    assert states(driver, "c") == [StageState.FAILED]


def test_a_cancelled_leader_tells_nothing_of_the_work() -> None:
    driver = Driver(
        {"a": chain(1), "b": chain(1)},
        Limits(jobs=4),
        flight=lambda key: "shared",
        conclusive=lambda key: True,
    )
    driver.start()
    answer_all_but_runs(driver)
    driver.send(words.CancelRequested(CancelReason.REQUESTED, "a"))
    driver.finish()
    assert states(driver, "a") == [StageState.CANCELLED]
    assert states(driver, "b") == [StageState.SUCCEEDED]


def test_followers_of_what_ends_the_run_are_not_failed() -> None:
    driver = Driver(
        {"a": chain(1), "b": chain(1)},
        Limits(jobs=4),
        fail_fast=True,
        flight=lambda key: "shared",
        fails=lambda key, _: True,
        conclusive=lambda key: True,
    )
    driver.start()
    driver.finish()
    verdicts = {finish.verdict for finish in driver.finished.values()}
    assert verdicts == {ExperimentVerdict.FAILED, ExperimentVerdict.CANCELLED}


def test_a_failed_stage_is_tried_again() -> None:
    plan = ExperimentPlan(stages=(PlannedStage(retries=2),))
    driver = Driver({"e": plan}, Limits(jobs=1), fails=lambda key, attempt: attempt < 3)
    driver.start()
    driver.finish()
    assert driver.runs[StageKey("e", 0)] == 3
    assert states(driver, "e") == [StageState.SUCCEEDED]


def test_cancelling_stops_what_runs_and_starts_nothing_more() -> None:
    driver = Driver({"a": chain(2), "b": chain(2)}, Limits(jobs=1), max_open=1)
    driver.start()
    driver.answer(driver.effects[0])
    driver.answer(driver.effects[0])
    stop = driver.send(words.CancelRequested(CancelReason.INTERRUPTED))
    assert stop == [words.StopStage(StageKey("a", 0), CancelReason.INTERRUPTED)]
    harder = driver.send(words.CancelRequested(CancelReason.KILLED))
    assert harder == [words.StopStage(StageKey("a", 0), CancelReason.KILLED)]
    assert driver.send(words.CancelRequested(CancelReason.INTERRUPTED)) == []
    driver.finish()
    assert states(driver, "a") == [StageState.CANCELLED, StageState.CANCELLED]
    assert driver.finished["a"].verdict is ExperimentVerdict.CANCELLED
    assert "b" not in driver.opened


def test_what_is_being_checked_when_it_is_cancelled_does_not_run() -> None:
    driver = Driver({"a": chain(1)}, Limits(jobs=1))
    driver.start()
    driver.answer(words.OpenExperiment("a"))
    driver.send(words.CancelRequested(CancelReason.REQUESTED, "a"))
    driver.finish()
    assert states(driver, "a") == [StageState.CANCELLED]
    assert not driver.started


def test_a_cancelled_stage_is_not_tried_again() -> None:
    plan = ExperimentPlan(stages=(PlannedStage(retries=2),))
    driver = Driver({"a": plan}, Limits(jobs=1))
    driver.start()
    answer_all_but_runs(driver)
    driver.send(words.CancelRequested(CancelReason.REQUESTED, "a"))
    [ended] = driver.answer(driver.effects[0])
    assert isinstance(ended, words.FinishExperiment)
    assert ended.verdict is ExperimentVerdict.CANCELLED


def test_the_first_experiment_that_cannot_be_stored_ends_the_others() -> None:
    driver = Driver({name: chain(1) for name in "ab"}, Limits(jobs=2), fail_fast=True)
    driver.start()
    answer_all_but_runs(driver)
    driver.answer(driver.effects[0])
    driver.answer(words.SaveStage(StageKey("a", 0)))
    stop = driver.send(words.ExperimentClosed("a", succeeded=False))
    assert stop == [words.StopStage(StageKey("b", 0), CancelReason.STAGE_FAILED)]


@pytest.mark.parametrize("withdrawn", [False, True])
@pytest.mark.parametrize("refused", [False, True])
def test_what_is_offered_while_it_is_in_hand_is_opened_again(
    refused: bool, withdrawn: bool
) -> None:
    """Another process may give an experiment back just when it turns out not to be ours."""
    driver = Driver(
        {"e": chain(1)}, Limits(jobs=2), refuses=lambda experiment, time: refused and time == 1
    )
    driver.start()
    assert driver.start() == [], "it is in hand"
    if withdrawn:
        driver.send(words.ExperimentWithdrawn("e"))
    driver.finish()
    assert driver.opened == {"e": 1 if withdrawn else 2}


def test_a_stage_that_finished_despite_the_cancel_is_kept() -> None:
    driver = Driver({"a": chain(1)}, Limits(jobs=1))
    driver.start()
    driver.answer(driver.effects[0])
    driver.answer(driver.effects[0])
    driver.send(words.CancelRequested(CancelReason.INTERRUPTED))
    driver.stopping.clear()
    driver.finish()
    assert driver.finished["a"].verdict is ExperimentVerdict.SUCCEEDED


def test_gpus_are_handed_out_by_id_and_mutexes_held_once() -> None:
    needs = Needs(gpus=1, mutexes=("db",))
    driver = Driver({"e": independent(3, needs)}, Limits(jobs=4, gpus=("3", "5")))
    driver.start()
    driver.finish()
    assert states(driver, "e") == [StageState.SUCCEEDED] * 3


def test_where_the_machine_has_no_room_fewer_run_at_a_time() -> None:
    driver = Driver({"e": independent(12)}, Limits(jobs=4), room=2)
    driver.start()
    while others := [e for e in driver.effects if not isinstance(e, words.RunStage)]:
        driver.answer(others[0])
    assert len(driver.running) == 4
    for refused in [effect for effect in driver.effects if isinstance(effect, words.RunStage)][2:]:
        driver.answer(refused)
    assert len(driver.running) == 2
    driver.room = None
    driver.finish()
    assert states(driver, "e") == [StageState.SUCCEEDED] * 12
    assert driver.runs.total() == 14


def test_after_a_while_more_run_at_a_time_again() -> None:
    budget = Budget(Limits(jobs=3))
    budget.take(Needs())
    budget.narrow()
    assert budget.free_jobs == 0
    budget.widen()
    assert budget.free_jobs == 1
    budget.widen()
    assert budget.free_jobs == 1
    for _ in range(10):
        budget.widen()
    assert budget.free_jobs == 2


def test_a_stage_for_which_there_is_never_room_fails_in_the_end() -> None:
    driver = Driver({"e": chain(1)}, Limits(jobs=2), room=0)
    driver.fails = lambda key, attempt: True
    driver.start()
    driver.finish()
    assert states(driver, "e") == [StageState.FAILED]
    assert driver.runs.total() == 5


@pytest.mark.parametrize("scarce", [Needs(gpus=1), Needs(mutexes=("m",))], ids=["gpu", "mutex"])
def test_stages_that_wait_for_a_resource_are_in_nobodys_way(scarce: Needs) -> None:
    """However many there are, within an experiment or before it."""
    many = (PlannedStage(needs=scarce, expected_s=9),) * 20
    plans = {
        "both": ExperimentPlan(stages=(*many, PlannedStage(), PlannedStage())),
        "other": independent(1),
    }
    driver = Driver(plans, Limits(jobs=4, gpus=("0",)))
    driver.start()
    answer_all_but_runs(driver)
    assert {key for key in driver.running if key.experiment == "other" or key.stage >= 20} == {
        StageKey("both", 20), StageKey("both", 21), StageKey("other", 0),
    }  # fmt: skip
    assert len(driver.running) == 4
    driver.finish()
    assert states(driver, "both") == [StageState.SUCCEEDED] * 22


def test_what_is_up_to_date_waits_for_no_resource() -> None:
    gpu = PlannedStage(needs=Needs(gpus=1))
    plans = {"busy": ExperimentPlan(stages=(gpu,)), "done": ExperimentPlan(stages=(gpu, gpu))}
    driver = Driver(
        plans, Limits(jobs=2, gpus=("0",)), unchanged=lambda key: key.experiment == "done"
    )
    driver.start()
    answer_all_but_runs(driver)
    assert {key.experiment for key in driver.running} == {"busy"}
    assert states(driver, "done") == [StageState.UNCHANGED] * 2
    driver.finish()


def test_a_large_stage_is_not_starved_by_small_ones() -> None:
    plan = ExperimentPlan(
        stages=(
            PlannedStage(needs=Needs(cpus=1), expected_s=9),
            PlannedStage(needs=Needs(cpus=2), expected_s=8),
            *(PlannedStage(needs=Needs(cpus=1), expected_s=1) for _ in range(6)),
        )
    )
    driver = Driver({"e": plan}, Limits(jobs=2, cpus=2))
    driver.start()
    driver.finish()
    assert [key.stage for key in driver.started][:2] == [0, 1]


@pytest.mark.parametrize("one", [Needs(gpus=1), Needs(mem=1)])
def test_a_stage_that_waits_keeps_what_it_needs_from_smaller_ones(one: Needs) -> None:
    plan = ExperimentPlan(
        stages=(
            PlannedStage(needs=one, expected_s=9),
            PlannedStage(needs=Needs(gpus=2 * one.gpus, mem=2 * one.mem), expected_s=8),
            PlannedStage(needs=one, expected_s=1),
        )
    )
    driver = Driver({"e": plan}, Limits(jobs=3, gpus=("0", "1"), mem=2))
    driver.start()
    driver.finish()
    assert [key.stage for key in driver.started] == [0, 1, 2]


def test_parts_of_cpus_add_up() -> None:
    # 1.1 + 2.2 is more than 3.3, if one counts as machines do.
    budget = Budget(Limits(jobs=9, cpus=3.3))
    budget.take(Needs(cpus=1.1))
    assert budget.fits(Needs(cpus=2.2))
    assert not budget.fits(Needs(cpus=2.21))


def test_who_needs_all_cpus_has_them_after_those_who_needed_parts() -> None:
    parts = [PlannedStage(needs=Needs(cpus=cpus)) for cpus in (0.2, 0.4, 0.3)]
    whole = PlannedStage(upstream=(0, 1, 2), needs=Needs(cpus=1))
    plan = ExperimentPlan(stages=(*parts, whole))
    driver = Driver({"e": plan}, Limits(jobs=3, cpus=1))
    driver.start()
    driver.finish()
    assert states(driver, "e") == [StageState.SUCCEEDED] * 4


def test_what_can_never_fit_is_named() -> None:
    budget = Budget(Limits(jobs=1, cpus=4, gpus=("0",), mem=100))
    assert budget.refusal(Needs(cpus=4, gpus=1, mem=100)) is None
    assert "2 GPUs" in str(budget.refusal(Needs(gpus=2)))
    assert "8 CPUs" in str(budget.refusal(Needs(cpus=8)))
    assert "memory" in str(budget.refusal(Needs(mem=101)))


def test_few_experiments_are_open_at_once() -> None:
    driver = Driver({f"e{i}": chain(2) for i in range(50)}, Limits(jobs=2))
    driver.start()
    most = 0
    while driver.effects:
        most = max(most, len(driver.opened) - len(driver.finished))
        driver.answer(driver.effects[0])
    assert most <= 6
    assert len(driver.finished) == 50


def test_no_other_gets_the_only_job_slot_before_the_first() -> None:
    driver = Driver({name: chain(1) for name in "abc"}, Limits(jobs=1), max_open=3)
    driver.start()
    assert driver.effects == [words.OpenExperiment("a")]
    answer_all_but_runs(driver)
    # Now something runs, so there is time to make the next one ready.
    assert {key.experiment for key in driver.running} == {"a"}
    driver.finish()
    assert [key.experiment for key in driver.started] == ["a", "b", "c"]


def test_the_order_of_what_waits_may_change() -> None:
    driver = Driver({name: chain(1) for name in "abcd"}, Limits(jobs=1), max_open=1)
    driver.start()
    driver.send(words.ExperimentsOrdered(("d", "a", "gone", "c")))
    driver.finish()
    assert [key.experiment for key in driver.started] == ["a", "d", "c", "b"]


def test_draining_finishes_what_has_begun() -> None:
    driver = Driver({f"e{i}": chain(2) for i in range(5)}, Limits(jobs=1), max_open=1)
    driver.start()
    answer_all_but_runs(driver)
    driver.send(words.DrainRequested())
    driver.finish()
    assert {name: finish.verdict for name, finish in driver.finished.items()} == {
        "e0": ExperimentVerdict.SUCCEEDED
    }


@pytest.mark.parametrize("when", ["opening", "ready"])
def test_draining_gives_back_what_was_only_made_ready(when: str) -> None:
    driver = Driver({name: chain(2) for name in "abc"}, Limits(jobs=1), max_open=3)
    driver.start()
    opening = words.OpenExperiment("b")
    while opening not in driver.effects:
        driver.answer(driver.effects[0])
    if when == "ready":
        answer_all_but_runs(driver)
    driver.send(words.DrainRequested())
    driver.finish()
    assert {name: finish.verdict for name, finish in driver.finished.items()} == {
        "a": ExperimentVerdict.SUCCEEDED,
        "b": ExperimentVerdict.NOT_BEGUN,
    }
    assert {key.experiment for key in driver.started} == {"a"}


def test_what_was_only_made_ready_has_not_failed() -> None:
    driver = Driver({name: chain(1) for name in "abc"}, Limits(jobs=2), fail_fast=True)
    driver.start()
    answer_all_but_runs(driver)
    driver.send(words.DrainRequested())
    driver.finish(lambda count: count - 1)
    assert {name: finish.verdict for name, finish in driver.finished.items()} == {
        "a": ExperimentVerdict.SUCCEEDED,
        "b": ExperimentVerdict.SUCCEEDED,
        "c": ExperimentVerdict.NOT_BEGUN,
    }


def test_no_experiment_begins_after_the_last_failure_allowed() -> None:
    driver = Driver(
        {name: chain(1) for name in "abc"},
        Limits(jobs=1),
        max_open=3,
        max_failures=1,
        fails=lambda key, attempt: True,
    )
    driver.start()
    answer_all_but_runs(driver)
    driver.finish()
    assert [key.experiment for key in driver.started] == ["a"]


def lasting(*expected_s: float) -> ExperimentPlan:
    """Independent stages that are expected to take so long."""
    return ExperimentPlan(stages=tuple(PlannedStage(expected_s=seconds) for seconds in expected_s))


def answer_all_but_runs(driver: Driver) -> None:
    while others := [e for e in driver.effects if not isinstance(e, words.RunStage)]:
        driver.answer(others[0])


@pytest.mark.parametrize(("jobs", "next_one"), [(2, "long"), (1, "short")])
def test_the_longest_goes_first_over_all_experiments(jobs: int, next_one: str) -> None:
    """But one at a time, experiments run in their order: it takes as long in any."""
    plans = {"busy": lasting(*[9] * jobs), "short": lasting(1), "long": lasting(5)}
    driver = Driver(plans, Limits(jobs=jobs), max_open=3)
    driver.start()
    answer_all_but_runs(driver)
    assert {key.experiment for key in driver.running} == {"busy"}
    driver.finish()
    assert driver.started[jobs].experiment == next_one


def test_a_stage_is_as_urgent_as_all_that_waits_for_it() -> None:
    chain = (PlannedStage(expected_s=1), PlannedStage(upstream=(2,), expected_s=6))
    plan = ExperimentPlan(stages=(*[PlannedStage(expected_s=5)] * 2, *chain))
    driver = Driver({"e": plan}, Limits(jobs=2))
    driver.start()
    driver.finish()
    assert [key.stage for key in driver.started][:2] == [2, 0]
