"""A whole spoken interview in real time, with recordings or a person as the candidate.

The client talks to `InterviewService.Converse` as a browser would: a microphone that never stops, a
loudspeaker that acknowledges what it has played, and a candidate who waits for the interviewer to
finish before answering. When the connection breaks it joins again with the last event it saw, and
says again what the server had not acknowledged of the candidate's audio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viva.interview.v1 import conversation_pb2 as pb

from services.cli.disturbances import NOTHING, Disturbances
from services.cli.held import Held
from services.cli.live_session import SILENCE_SECONDS, Session
from services.cli.live_sound import Sound, live_sound
from services.cli.sound_card import Answer, read_answer
from services.client import Viva
from services.client.conversation import SILENCE_SECONDS as LIVE_SILENCE_SECONDS


@dataclass(frozen=True, slots=True)
class LiveInterview:
    """What to hold.

    Attributes:
        address: The interview server or the mesh, host:port.
        answers: Recordings, used in turn, and again from the first when there are more questions.
            Without any, whoever sits before this machine's microphone is the candidate.
        rounds: Questions; None for as many as there are recordings (at most 10), or the server's
            default.
        follow_ups: Follow-ups after each answer.
        topics, job_title, candidate_name, voice, persona, language, question_ids: As in
            `InterviewSettings`.
        user: Whose interview it is.
        disturbances: What is done to it on purpose.
    """

    address: str
    answers: Sequence[Path]
    rounds: int | None = None
    follow_ups: int = 1
    topics: Sequence[str] = ()
    job_title: str | None = None
    candidate_name: str | None = None
    voice: str | None = None
    persona: str | None = None
    language: str | None = None
    question_ids: Sequence[str] = ()
    user: str = "local"
    disturbances: Disturbances = NOTHING


async def hold(
    options: LiveInterview,
    notify: Callable[[pb.InterviewEvent], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> Held:
    """Holds an interview to its report.

    Args:
        options: What to hold.
        notify: Sees every event as it comes.
        note: Told in a sentence of what else happens: a broken connection, a disturbance.

    Raises:
        BadRecording: An answer cannot be played.
        NoSoundDevice: There are no answers, and this machine has no microphone or no loudspeaker.
        InterviewFailed: Nothing came for too long, the stream ended before the report, or the
            server has lost the interview.
        grpc.aio.AioRpcError: A call failed.
    """
    answers = [await asyncio.to_thread(read_answer, path) for path in options.answers]
    # A machine without a microphone says so before an interview is begun.
    with live_sound(live=not answers) as sound:
        return await _hold(options, answers, sound, notify, note)


async def _hold(
    options: LiveInterview,
    answers: Sequence[Answer],
    sound: Sound,
    notify: Callable[[pb.InterviewEvent], None],
    note: Callable[[str], None],
) -> Held:
    async with Viva(options.address, user=options.user) as viva:
        created = await viva.create_interview(**_settings(options))
        conversation = viva.conversation(
            created.id,
            output_hz=sound.loudspeaker_hz,
            silence_seconds=SILENCE_SECONDS if answers else LIVE_SILENCE_SECONDS,
            note=note,
        )
        held = await Session(conversation, answers, sound, notify, note, options.disturbances).run()
        held.interview = await viva.interview(created.id)
        held.turns = await viva.turns(created.id)
        return held


def _settings(options: LiveInterview) -> Mapping[str, Any]:
    return {
        "rounds": options.rounds or min(10, len(options.answers)) or None,
        "follow_ups": options.follow_ups,
        "topics": options.topics,
        "job_title": options.job_title,
        "candidate_name": options.candidate_name,
        "voice": options.voice,
        "persona": options.persona,
        "language": options.language,
        "question_ids": options.question_ids,
    }
