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


spots = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)))


@st.composite
def worlds(draw: st.DrawFn) -> Driver:
    """Experiments, limits, and what goes wrong."""
    batch = draw(st.lists(plans(), max_size=6))
    failing = draw(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 3))))
    unchanged, spoilt, refused, conclusive = draw(spots), draw(spots), draw(spots), draw(spots)

    def is_spoilt(effect: words.Instruction) -> bool:
        is_save = isinstance(effect, words.SaveStage)
        assert isinstance(effect, words.CheckStage | words.SaveStage)
        # Most are good, or nothing would ever go far.
        return effect.key.stage % 2 == is_save and place(effect.key) in spoilt

    return Driver(
        {str(i): plan for i, plan in enumerate(batch)},
        Limits(jobs=draw(st.integers(1, 4)), cpus=2, gpus=("0", "1"), mem=10),
        max_open=draw(st.none() | st.integers(1, 4)),
        max_failures=draw(st.none() | st.integers(1, 3)),
        fail_fast=draw(st.booleans()),
        fails=lambda key, attempt: (*place(key), attempt) in failing,
        refuses=lambda experiment, time: (int(experiment), time) in refused,
        spoils=is_spoilt,
        room=draw(st.none() | st.integers(0, 3)),
        conclusive=lambda key: place(key) in conclusive,
        flight=lambda key: f"work-{key.stage % 2}" if key.stage < 4 else None,
        unchanged=lambda key: place(key) in unchanged,
    )


def place(key: words.StageKey) -> tuple[int, int]:
    return int(key.experiment), key.stage


def disturbance(event: int, number: int, target: str) -> words.Stimulus | None:
    """What comes from outside, now and then."""
    match event:
        case 0:
            return words.CancelRequested(_REASONS[number % len(_REASONS)], target)
        case 1 if number % 2:
            return words.ExperimentsOrdered((target,))
        case 1:
            return words.ExperimentsOffered((target,))
        case 2:
            return words.ExperimentWithdrawn(target)
        case 3 if number % 8 == 0:
            return words.CancelRequested(_REASONS[number % len(_REASONS)])
        case 4 if number % 8 == 0:
            return words.DrainRequested()
        case _:
            return None


@given(
    driver=worlds(),
    # Drawn at once: drawing in the loop costs Hypothesis a minute.
    choices=st.lists(st.tuples(st.integers(0, 24), st.integers(0, 255)), max_size=150),
)
@settings(max_examples=300, deadline=None)
def test_promises_hold_in_every_history(driver: Driver, choices: list[tuple[int, int]]) -> None:
    """What the driver checks at each step, and: every experiment ends once for each opening."""
    driver.start()
    disturbed: set[str] = set()
    history = iter(choices)
    while driver.effects:
        event, number = next(history, (24, 0))
        target = str(number % len(driver.plans))
        stimulus = disturbance(event, number, target)
        if stimulus is None:
            driver.answer(driver.effects[number % len(driver.effects)])
            continue
        is_for_all = stimulus == words.DrainRequested() or stimulus == words.CancelRequested(
            _REASONS[number % len(_REASONS)]
        )
        disturbed |= set(driver.plans) if is_for_all else {target}
        driver.send(stimulus)

    assert driver.scheduler.is_idle
    assert driver.scheduler.running == 0
    assert driver.opened == driver.ended
    if driver.max_failures is None and not driver.fail_fast:
        assert set(driver.opened) >= set(driver.plans) - disturbed, "nobody is forgotten"
    for name, finish in driver.finished.items():
        plan = driver.plans[name]
        assert all(state.is_final for state in finish.states)
        for stage, state in zip(plan.stages, finish.states, strict=True):
            upstream_met = all(finish.states[i].satisfies for i in stage.upstream)
            assert upstream_met or not state.satisfies
        if finish.verdict is ExperimentVerdict.CANCELLED and not driver.fail_fast:
            assert name in disturbed
