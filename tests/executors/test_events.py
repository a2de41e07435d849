"""Events as JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from exprun import events
from exprun.model.job import CancelReason, Exited, Leftover


def test_an_event_becomes_plain_values() -> None:
    left = Leftover(pid=7, name="sleep", ended_by="SIGTERM")
    event = events.StageFinished(
        seq=3,
        at=1.5,
        run="r",
        experiment=None,
        stage="train",
        state=events.StageState.SUCCEEDED,
        duration_s=2.0,
        outcome=Exited(code=0, duration_s=1.0, leftovers=(left,)),
    )
    plain = events.to_json(event)
    assert json.loads(json.dumps(plain)) == plain
    assert plain["event"] == "StageFinished"
    assert plain["state"] == "succeeded"
    outcome = plain["outcome"]
    assert isinstance(outcome, dict)
    assert (outcome["kind"], outcome["code"]) == ("Exited", 0)
    assert outcome["leftovers"][0]["name"] == "sleep"


def test_a_reason_is_told_by_name() -> None:
    event = events.StageStopping(experiment="e", stage="s", reason=CancelReason.INTERRUPTED)
    assert events.to_json(event)["reason"] == "interrupted"


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ("å\n".encode(), {"data": "å\n"}),
        (b"a\xff", {"data": "a�", "data_base64": "Yf8="}),
    ],
)
def test_output_is_text_and_exact(data: bytes, fields: dict[str, str]) -> None:
    event = events.StageOutput(experiment=None, stage="s", data=data, offset=0)
    plain = events.to_json(event)
    assert plain | fields == plain
    assert ("data_base64" in plain) == ("data_base64" in fields)


def test_every_event_is_a_frozen_fact_with_its_place() -> None:
    for value in vars(events).values():
        if isinstance(value, type) and issubclass(value, events.Event):
            names = [field.name for field in dataclasses.fields(value)]
            assert names[:3] == ["seq", "at", "run"]


def test_final_states_are_known() -> None:
    final = {state for state in events.StageState if state.is_final}
    assert {state for state in final if state.is_good} == {"unchanged", "restored", "succeeded"}
    assert len(final) == 6
