"""A program that writes, as docs/python-client.md does it, with the interview server itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from viva.interview.v1 import turn_pb2

from services.client import Viva
from services.interview.questions.bank import load_bank
from services.interview.store.memory import MemoryStore
from tests.interview.orchestrators import orchestrator

ANSWER = "I measured the query, and added an index."
GUARD_SECONDS = 20.0

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("typed", "answers"),
    [
        (["Give me a moment, please."], 2),
        (["等一下，让我想想。", "Give me another minute."], 2),
        (["Could you repeat the question, please?"], 2),
        (["What do you mean by that?"], 2),
        (["next question please"], 1),
        ([ANSWER, "Can we stop the interview here?", "Yes."], 1),
        (["Can we stop the interview here?", "No, let's go on."], 2),
    ],
)
async def test_the_loop_comes_to_the_report_whatever_is_asked_for(
    typed: list[str], answers: int, tmp_path: Path
) -> None:
    said = list(typed)
    async with (
        asyncio.timeout(GUARD_SECONDS),
        orchestrator(MemoryStore(100), load_bank(), tmp_path) as running,
        Viva(f"127.0.0.1:{running.port}", user="ann") as viva,
    ):
        interview = await viva.create_interview(rounds=2, follow_ups=0)
        async with viva.conversation(interview.id, text_only=True) as conversation:
            async for _ in conversation.events():
                if conversation.awaits_answer:
                    await conversation.answer(said.pop(0) if said else ANSWER)
        turns = await viva.turns(interview.id)
    assert not said
    spoken = [turn for turn in turns if turn.speaker == turn_pb2.SPEAKER_CANDIDATE]
    assert [turn.text for turn in spoken if turn.round] == answers * [ANSWER]
