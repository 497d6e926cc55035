"""Our own interviews as a system: a candidate answers in real time and times what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import grpc
from viva.interview.v1 import conversation_pb2 as pb

from services.cli.bench.candidates import Answer, Candidate
from services.cli.bench.spoken import Spoken
from services.cli.bench.turn.heard import Heard
from services.runtime.stats import seconds

STAGES = {
    "end_of_turn": "end of turn",
    "asr_final": "final text",
    "llm_first_token": "first token",
    "first_phrase": "first phrase",
    "first_audio": "first audio sent",
}
MOST_ROUNDS = 10
MOST_ANSWERS = 10
"""Of an interview, with a follow-up each: twice as many turns as there are answers."""
SESSION_SECONDS = 900.0


class Interviews:
    """Interviews on a channel. Every other answer is to a follow-up, which the model writes."""

    def __init__(self, name: str, channel: grpc.aio.Channel) -> None:
        self.name = name
        self._channel = channel

    async def __call__(self, recordings: Sequence[Spoken]) -> AsyncIterator[Heard]:
        """Holds interviews until each recording was an answer.

        Raises:
            TimeoutError: An interview does not end.
            grpc.aio.AioRpcError: A call failed.
        """
        for start in range(0, len(recordings), MOST_ANSWERS):
            part = recordings[start : start + MOST_ANSWERS]
            candidate = Candidate(
                self._channel,
                part,
                # More than there are answers: one that is cut is taken for several.
                rounds=min(MOST_ROUNDS, len(part)),
                follow_ups=1,
                most=len(part),
                user="bench",
                hurried=True,
            )
            async with asyncio.timeout(SESSION_SECONDS):
                answers = await candidate.hold()
            for answer in answers[: len(part)]:
                yield _heard(answer)


def _heard(answer: Answer) -> Heard:
    return Heard(
        answer.spoken,
        answer.to_sound,
        answer.to_content,
        answer.cuts,
        _stages(answer.timings) if answer.timings is not None else {},
    )


def _stages(timings: pb.TurnTimings) -> dict[str, float]:
    told = {field.name for field, _ in timings.ListFields()}
    return {
        words: seconds(getattr(timings, name)) for name, words in STAGES.items() if name in told
    }
