"""The two programs under comparison, behind one face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tests.support.forkserver import ForkServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from tests.support.environment import Place
    from tests.support.forkserver import Finished


class Runs(Protocol):
    """What a case needs of a tool."""

    @property
    def experiment_command(self) -> tuple[str, ...]: ...

    def run(self, args: Sequence[str], *, place: Place, cwd: str = ".") -> Finished: ...


class Tool:
    """DVC or exprun, preloaded; close it, or use it as a context."""

    def __init__(
        self,
        name: str,
        experiment_command: tuple[str, ...],
        *,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.experiment_command = experiment_command
        self._server = ForkServer(name, env=env)

    def wait_until_ready(self) -> None:
        """Return when the tool is preloaded."""
        self._server.wait_until_ready()

    def run(
        self,
        args: Sequence[str],
        *,
        place: Place,
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        timeout_s: float = 90,
    ) -> Finished:
        """Run the tool with `args` in directory `cwd` of the place's repository.

        After `timeout_s` it is killed, but not the stages that it runs.
        """
        streams = place.root / "streams"
        streams.mkdir(exist_ok=True)
        return self._server.run(
            args,
            cwd=place.repo / cwd,
            env={**place.environ(), **(env or {})},
            streams=streams,
            timeout_s=timeout_s,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.close()


def dvc_tool() -> Tool:
    """Real DVC."""
    return Tool("dvc", ("exp", "run"))


def exprun_tool(*, env: Mapping[str, str] | None = None) -> Tool:
    """The program this project makes."""
    return Tool("exprun", ("run",), env=env)
