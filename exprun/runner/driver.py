"""Carries out what the scheduler asks for: instruction in, effect, stimulus back."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, assert_never

import anyio

from exprun.model.values import dataclass
from exprun.scheduler import vocabulary as words

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from exprun.runner.reproduction import Reproduction
    from exprun.scheduler.machine import Scheduler
    from exprun.scheduler.vocabulary import Instruction, StageState, Stimulus

_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Closed:
    """How an experiment ended, as it was told: `rev` is its commit if it has one, and `reason` why
    it has not succeeded.
    """

    succeeded: bool
    rev: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NotOpened:
    """An experiment does not run; whether that is a failure, and how it has `ended` if it has."""

    failed: bool
    ended: Closed | None = None


class Source(Protocol):
    """Where the driver's experiments come from and go to."""

    async def open(self, experiment: str) -> tuple[Reproduction, words.ExperimentPlan] | NotOpened:
        """Make an experiment ready to run, if it can be and is to be."""

    async def close(
        self,
        reproduction: Reproduction,
        verdict: words.ExperimentVerdict,
        states: tuple[StageState, ...],
    ) -> Closed:
        """Publish a finished experiment, or keep what is left of it."""


class Driver:
    """Runs a scheduler until it is idle. Every effect lives in the task group of `run`.

    A `lasting` one goes on when it is idle, until it was told to drain or to cancel everything.
    """

    def __init__(self, scheduler: Scheduler, source: Source, *, lasting: bool = False) -> None:
        self._scheduler = scheduler
        self._source = source
        self._lasting = lasting
        self._open: dict[str, Reproduction] = {}
        self._waits: dict[words.StageKey, anyio.CancelScope] = {}
        self._send, self._receive = anyio.create_memory_object_stream["Stimulus"](float("inf"))

    def tell(self, stimulus: Stimulus) -> None:
        """Give the scheduler a stimulus from outside. To be called on the event loop's thread.

        Once `run` has ended there is nobody to tell.
        """
        with suppress(anyio.ClosedResourceError):
            self._send.send_nowait(stimulus)

    async def run(self) -> None:
        """Carry out instructions until nothing is left to do.

        Being cancelled cancels the effects: their jobs are stopped before this returns.
        """
        with self._send, self._receive:
            async with anyio.create_task_group() as effects:
                async for stimulus in self._receive:
                    effects.start_soon(self._carry_out, self._instructions(stimulus), effects)

    def _instructions(self, stimulus: Stimulus) -> list[Instruction]:
        """What a stimulus makes the scheduler ask for; what has no answer is seen to at once."""
        effects: list[Instruction] = []
        stimuli = deque([stimulus])
        while stimuli:
            for instruction in self._scheduler.handle(stimuli.popleft()):
                answer = self._answer_at_once(instruction)
                if answer is not None:
                    stimuli.append(answer)
                elif not isinstance(instruction, (words.StopStage, words.FailStage)):
                    effects.append(instruction)
        if self._is_over:
            self._send.close()
        return effects

    def _answer_at_once(self, instruction: Instruction) -> Stimulus | None:
        """See to what needs no task, or must not wait for one; the answer, if there is one now."""
        match instruction:
            case words.StopStage():
                self._stop(instruction)
            case words.FailStage(key, leader):
                self._open[key.experiment].fails_as(key, self._open[leader.experiment], leader)
            case words.WaitToRetry(key):
                # A stop may come before the task has begun.
                self._waits[key] = anyio.CancelScope()
            case words.CheckStage(key, forced):
                return self._open[key.experiment].check_at_once(key, forced=forced)
            case _:
                pass
        return None

    @property
    def _is_over(self) -> bool:
        return self._scheduler.is_idle and (self._scheduler.is_draining or not self._lasting)

    def _stop(self, instruction: words.StopStage) -> None:
        wait = self._waits.get(instruction.key)
        if wait is not None:
            wait.cancel()
        else:
            self._open[instruction.key.experiment].stop(instruction.key, instruction.reason)

    async def _wait_to_retry(self, key: words.StageKey, attempt: int) -> None:
        delay_s = min(_FIRST_WAIT_S * 2.0 ** (attempt - 1), _LONGEST_WAIT_S)
        self._open[key.experiment].waits_to_retry(key, delay_s)
        with self._waits[key]:
            await anyio.sleep(delay_s)
        del self._waits[key]

    async def _carry_out(self, instructions: list[Instruction], effects: TaskGroup) -> None:
        """Carry out instructions and what comes of them: the first one here, others beside it."""
        while instructions:
            first, *others = instructions
            for other in others:
                effects.start_soon(self._carry_out, [other], effects)
            instructions = self._instructions(await self._effect(first))

    async def _effect(self, instruction: Instruction) -> Stimulus:
        match instruction:
            case words.OpenExperiment(experiment):
                opened = await self._source.open(experiment)
                if isinstance(opened, NotOpened):
                    return words.ExperimentNotOpened(experiment, opened.failed)
                self._open[experiment], plan = opened
                return words.ExperimentOpened(experiment, plan)
            case words.CheckStage(key, forced):
                return await self._open[key.experiment].check(key, forced=forced)
            case words.RunStage(key, gpus, attempt, may_wait):
                return await self._open[key.experiment].run(
                    key, gpus=gpus, attempt=attempt, may_wait=may_wait
                )
            case words.SaveStage(key):
                return await self._open[key.experiment].save(key)
            case words.WaitToRetry(key, attempt):
                await self._wait_to_retry(key, attempt)
                return words.RetryDue(key)
            case words.FinishExperiment(experiment, verdict, states):
                reproduction = self._open.pop(experiment)
                closed = await self._source.close(reproduction, verdict, states)
                return words.ExperimentClosed(experiment, closed.succeeded)
            case words.StopStage() | words.FailStage():
                raise AssertionError("is carried out at once")
            case _:
                assert_never(instruction)
