"""A small web service around a project: POST queues an experiment, GET streams it, DELETE stops it.

    python -m tests.embedding.service PROJECT SOCKET

serves on a listening socket that it inherited as the descriptor SOCKET.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from exprun import ExperimentHandle, ExperimentResult, ExperimentSpec, Runner, events, open_runner
from exprun.errors import ExprunError, RefConflict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.requests import Request


class Service:
    """The routes of one project. It keeps the handle of each experiment by id."""

    def __init__(self, repo: str, env: Mapping[str, str]) -> None:
        self._repo = repo
        self._env = env
        self._runner: Runner
        self._handles: dict[str, ExperimentHandle] = {}

    def app(self) -> Starlette:
        """The service as an ASGI application."""
        one = "/experiments/{id}"
        return Starlette(
            lifespan=self._lifespan,
            routes=[
                Route("/experiments", self.submit, methods=["POST"]),
                Route(one, self.show, methods=["GET"]),
                Route(one, self.cancel, methods=["DELETE"]),
                Route(f"{one}/events", self.follow, methods=["GET"]),
            ],
            exception_handlers={ExprunError: refused},
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async with open_runner(self._repo, jobs=2, env=self._env, grace_s=1.0) as self._runner:
            yield
            # What has not finished stays queued, instead of being waited for.
            self._runner.cancel()

    async def submit(self, request: Request) -> Response:
        """Queue an experiment: ``{"name": …, "set_params": […]}``."""
        body = await request.json()
        spec = ExperimentSpec(name=body.get("name"), set_params=tuple(body.get("set_params", ())))
        handle = await self._runner.submit(spec)
        self._handles[handle.id] = handle
        place = {"Location": f"/experiments/{handle.id}"}
        return JSONResponse({"id": handle.id, "name": handle.name}, 202, headers=place)

    async def show(self, request: Request) -> Response:
        """How an experiment ended, if it has."""
        handle = self._handle(request)
        return JSONResponse({"name": handle.name, "result": _plain(handle.result)})

    async def cancel(self, request: Request) -> Response:
        """Stop an experiment; any number of times."""
        self._handle(request).cancel()
        return Response(status_code=202)

    async def follow(self, request: Request) -> Response:
        """What happens from now on, as server-sent events, with the result last."""
        return StreamingResponse(
            self._stream(self._handle(request)), media_type="text/event-stream"
        )

    async def _stream(self, handle: ExperimentHandle) -> AsyncIterator[str]:
        # Kinds are given, so that output is among them; subscribed to before looking for the end.
        async with self._runner.subscribe(events.Event) as stream:
            if handle.result is None:
                yield ": following\n\n"
                async for event in stream:
                    if getattr(event, "experiment", None) == handle.name:
                        yield _sent(type(event).__name__, events.to_json(event))
                    if isinstance(event, events.ExperimentFinished) and _is_of(event, handle):
                        break
            yield _sent("Result", _plain(await handle.wait()))

    def _handle(self, request: Request) -> ExperimentHandle:
        try:
            return self._handles[request.path_params["id"]]
        except KeyError:
            raise HTTPException(404) from None


async def refused(request: Request, error: Exception) -> Response:
    """The answer to a request that exprun refuses."""
    hint = error.hint if isinstance(error, ExprunError) else None
    status = 409 if isinstance(error, RefConflict) else 400
    return JSONResponse({"error": str(error), "hint": hint}, status)


def _is_of(event: events.ExperimentFinished, handle: ExperimentHandle) -> bool:
    return event.experiment == handle.name


def _plain(result: ExperimentResult | None) -> dict[str, Any] | None:
    if result is None:
        return None
    stages = {name: stage.value for name, stage in result.stages.items()}
    return asdict(result) | {"stages": stages}


def _sent(kind: str, data: object) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def main(repo: str, descriptor: str) -> None:
    """Serve until a signal asks for the end."""
    service = Service(repo, os.environ)
    config = uvicorn.Config(service.app(), log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(descriptor))])


if __name__ == "__main__":
    main(*sys.argv[1:])
