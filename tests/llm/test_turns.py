"""Whose turn is over, and when."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from services.llm.answer import AnswerText
from services.llm.chat import Finish, FinishReason, Sampling
from services.llm.generation import EventQueue, Generation, stream
from services.llm.turns import TURN_TOKENS, Turns
from services.runtime.batching import Priority, Scheduled
from services.runtime.errors import DeadlineExpired, Overloaded


def generation(
    priority: Priority = Priority.INTERACTIVE, deadline: float | None = None
) -> Generation:
    return Generation(
        prompt=(1,),
        reused=0,
        sampling=Sampling(),
        max_tokens=10,
        text=AnswerText(),
        emit=lambda _: None,
        priority=priority,
        deadline=deadline,
    )


@pytest.mark.parametrize("running", list(Priority))
@pytest.mark.parametrize("waiting", list(Priority))
@pytest.mark.parametrize("tokens", [1, TURN_TOKENS])
def test_a_turn_ends_for_the_more_urgent_at_once_and_for_equals_after_a_while(
    running: Priority, waiting: Priority, tokens: int
) -> None:
    now = 0.0
    turns = Turns(lambda: now)
    with turns.waiting(generation(waiting)):
        now = 1.0
        long_enough = tokens >= TURN_TOKENS and waiting == running
        assert turns.over(generation(running), tokens) == (waiting < running or long_enough)


def test_who_only_waits_for_company_ends_no_turn() -> None:
    now = 0.0
    turns = Turns(lambda: now)
    with turns.waiting(generation()):
        assert not turns.over(generation(Priority.BATCH), TURN_TOKENS)
        now = 0.1
        assert turns.over(generation(Priority.BATCH), 1)


def test_who_runs_or_has_left_ends_no_turn() -> None:
    now = 0.0
    turns = Turns(lambda: now)
    urgent = generation()
    with ExitStack() as stack:
        stack.enter_context(turns.waiting(urgent))
        turns.begin(urgent)
        now = 1.0
        assert not turns.over(generation(Priority.BATCH), TURN_TOKENS)
    with turns.waiting(generation()):
        pass
    assert not turns.over(generation(Priority.BATCH), TURN_TOKENS)


async def test_an_answer_that_has_begun_is_not_refused_any_more() -> None:
    loop = asyncio.get_running_loop()
    answered = generation(deadline=loop.time() + 20)
    asked: list[float | None] = []

    async def compute(running: Generation, deadline: float | None) -> Scheduled[None]:
        asked.append(deadline)
        if len(asked) == 2:
            raise Overloaded("full", retry_after=0.001)
        if len(asked) == 3:
            running.finish(FinishReason.STOP)
        return Scheduled(None, 0.0, 0.0, 1)

    events = [event async for event in stream(answered, EventQueue(), compute)]
    assert isinstance(events[-1], Finish)
    assert asked == [answered.deadline, None, None]


async def test_an_answer_that_goes_on_is_held_to_its_deadline() -> None:
    late = generation(deadline=asyncio.get_running_loop().time() + 0.05)
    turns = 0

    async def compute(running: Generation, deadline: float | None) -> Scheduled[None]:
        nonlocal turns
        turns += 1
        if turns > 1:
            await asyncio.Event().wait()
        return Scheduled(None, 0.0, 0.0, 1)

    with pytest.raises(DeadlineExpired):
        async for _ in stream(late, EventQueue(), compute):
            pass
