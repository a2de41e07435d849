"""Events as JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from exprun import events
from exprun.model.experiment import StageResult
from exprun.model.job import CancelReason, FailureClass


def test_an_event_becomes_plain_values() -> None:
    event = events.StageFinished(
        seq=3,
        at=1.5,
        run="r",
        stage="train",
        result=StageResult.FAILED,
        failure=FailureClass.SIGNAL,
        duration_s=2.0,
    )
    plain = events.to_json(event)
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["event"], plain["stage"], plain["experiment"]) == ("StageFinished", "train", None)
    assert (plain["result"], plain["failure"]) == ("failed", "signal")


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
