"""The example service, started for real and called over HTTP."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.house.sources import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.runner.conftest import Project

pytestmark = pytest.mark.timeout(60)


@dataclass(frozen=True)
class Served:
    """A service that runs, and a client of it."""

    process: subprocess.Popen[str]
    client: httpx.Client

    def submit(self, **body: Any) -> str:
        answer = self.client.post("/experiments", json=body)
        assert answer.status_code == 202, answer.text
        return answer.headers["Location"]

    @contextmanager
    def following(self, experiment: str) -> Iterator[Iterator[tuple[str, Any]]]:
        with self.client.stream("GET", f"{experiment}/events") as response:
            assert response.headers["Content-Type"].startswith("text/event-stream")
            yield _events(response)


def _events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


@pytest.fixture
def served(project: Project) -> Iterator[Served]:
    """Connections are accepted from the start: they wait in the socket until it serves."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        descriptor = server.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.embedding.service", str(project.root), str(descriptor)],
            cwd=ROOT,
            env=project.env,
            pass_fds=[descriptor],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        port = server.getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
        try:
            yield Served(process, client)
        finally:
            process.terminate()
            said, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM or process.returncode == 0, said
    assert "Traceback" not in said, said


def test_an_experiment_is_queued_followed_and_stored(served: Served, project: Project) -> None:
    experiment = served.submit(name="posted", set_params=["mode=wait"])
    with served.following(experiment) as stream:
        project.gate.touch()
        told = list(stream)
    kinds = [kind for kind, _ in told]
    assert kinds[-2:] == ["ExperimentFinished", "Result"]
    assert ("StageFinished", "train", "succeeded") in [
        (kind, data.get("stage"), data.get("result")) for kind, data in told[:-1]
    ]
    result = told[-1][1]
    assert result["rev"] == project.git("rev-parse", result["ref"])
    assert served.client.get(experiment).json() == {"name": "posted", "result": result}
    with served.following(experiment) as stream:
        assert list(stream) == [("Result", result)]


def test_output_is_streamed_and_delete_stops_it(served: Served, project: Project) -> None:
    gated = served.submit(set_params=["mode=wait"])
    experiment = served.submit(set_params=["mode=hang"])
    with served.following(experiment) as stream:
        for kind, data in stream:
            if kind == "StageOutput" and "training hang" in data["data"]:
                break
        for _ in range(2):
            assert served.client.delete(experiment).status_code == 202
        *_, (kind, result) = stream
    assert (kind, result["rev"], result["reason"]) == ("Result", None, "cancelled")
    assert result["stages"]["train"] == "cancelled"
    project.gate.touch()
    with served.following(gated) as stream:
        *_, (_, result) = stream
    assert result["rev"]
    assert not project.processes()[1:], "only the service itself is left"


def test_requests_are_refused_with_their_reason(served: Served) -> None:
    assert served.client.get("/experiments/none").status_code == 404
    answer = served.client.post("/experiments", json={"set_params": ["lr"]})
    assert answer.status_code == 400
    assert answer.json()["error"]
    served.submit(name="twice")
    assert served.client.post("/experiments", json={"name": "twice"}).status_code == 409


def test_ending_the_service_leaves_no_process(served: Served, project: Project) -> None:
    experiment = served.submit(set_params=["mode=hang"])
    with served.following(experiment) as stream:
        for kind, data in stream:
            if kind == "StageOutput" and "training hang" in data["data"]:
                break
    assert len(project.processes()) > 1, "the service, and what it runs"
    served.process.terminate()
    served.process.wait(timeout=30)
    assert not project.processes()
