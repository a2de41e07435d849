"""Whatever happens in whatever order, the scheduler keeps its promises."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.model.experiment import OnError
from exprun.model.job import CancelReason
from exprun.scheduler import vocabulary as words
from exprun.scheduler.budget import Limits
from exprun.scheduler.vocabulary import ExperimentPlan, ExperimentVerdict, Needs, PlannedStage
from tests.scheduler.driver import Driver

_REASONS = tuple(CancelReason)

needs = st.builds(
    Needs,
    cpus=st.sampled_from([0, 0.5, 1, 2]),
    gpus=st.integers(0, 2),
    mem=st.integers(0, 10),
    mutexes=st.sampled_from([(), ("a",), ("a", "b")]),
)


@st.composite
def plans(draw: st.DrawFn) -> ExperimentPlan:
    size = draw(st.integers(0, 6))
    stages = tuple(
        PlannedStage(
            upstream=tuple(sorted(draw(st.sets(st.integers(0, i - 1), max_size=3)))) if i else (),
            forced=draw(st.booleans()),
            needs=draw(needs),
            retries=draw(st.integers(0, 2)),
            expected_s=draw(st.sampled_from([0.0, 1.0, 5.0])),
        )
        for i in range(size)
    )
    return ExperimentPlan(
        stages=stages,
        on_error=draw(st.sampled_from(OnError)),
        force_downstream=draw(st.booleans()),
        serial=draw(st.booleans()),
    )


@given(
    batch=st.lists(plans(), max_size=6),
    jobs=st.integers(1, 4),
    max_open=st.none() | st.integers(1, 4),
    failing=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 3))),
    unchanged=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))),
    # Drawn at once: drawing in the loop costs Hypothesis a minute.
    choices=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 255)), max_size=150),
)
@settings(max_examples=300, deadline=None)
def test_promises_hold_in_every_history(
    batch: list[ExperimentPlan],
    jobs: int,
    max_open: int | None,
    failing: set[tuple[int, int, int]],
    unchanged: set[tuple[int, int]],
    choices: list[tuple[int, int]],
) -> None:
    """Slots and budgets are kept, each experiment ends once, and nothing is left over."""
    driver = Driver(
        {str(i): plan for i, plan in enumerate(batch)},
        Limits(jobs=jobs, cpus=2, gpus=("0", "1"), mem=10),
        max_open=max_open,
        fails=lambda key, attempt: (int(key.experiment), key.stage, attempt) in failing,
        flight=lambda key: f"work-{key.stage % 2}" if key.stage < 4 else None,
        unchanged=lambda key: (int(key.experiment), key.stage) in unchanged,
    )
    driver.start()
    cancelled: set[str] = set()
    history = iter(choices)
    while driver.effects:
        event, number = next(history, (1, 0))
        if event == 0:
            target, reason = str(number % len(batch)), _REASONS[number % len(_REASONS)]
            cancelled.add(target)
            driver.send(words.CancelRequested(reason, target))
            continue
        driver.answer(driver.effects[number % len(driver.effects)])

    assert driver.scheduler.is_idle
    assert driver.scheduler.running == 0
    assert set(driver.finished) >= set(driver.plans) - cancelled
    for name, finish in driver.finished.items():
        plan = driver.plans[name]
        assert all(state.is_final for state in finish.states)
        for stage, state in zip(plan.stages, finish.states, strict=True):
            upstream_met = all(finish.states[i].satisfies for i in stage.upstream)
            assert upstream_met or not state.satisfies
        if finish.verdict is ExperimentVerdict.CANCELLED:
            assert name in cancelled
