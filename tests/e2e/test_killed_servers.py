"""Servers that die in mid-interview: it goes on, or says what is wrong, and never hangs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import turn_pb2

from services.cli.held import Held
from services.cli.live_interview import LiveInterview, hold
from tests.real_mesh import RealMesh
from tests.recordings import librivox

PICKED = (0, 3)
"""Recordings with whole sentences, 7.1 and 6.1 s."""
LONGEST_SECONDS = 150
When = Callable[[pb.InterviewEvent], bool]


def interview(
    mesh: RealMesh, victims: Mapping[str, When], *, rounds: int, follow_ups: int = 0
) -> Held:
    """Holds an interview; each victim is killed at the first event its condition holds for."""
    alive = {
        server["name"]: server["pid"]
        for server in mesh.json("status")["servers"]
        if server["name"] in victims
    }

    def notice(event: pb.InterviewEvent) -> None:
        for server in [name for name in alive if victims[name](event)]:
            os.kill(alive.pop(server), signal.SIGKILL)

    options = LiveInterview(
        address=mesh.address,
        answers=[librivox()[number].path for number in PICKED],
        rounds=rounds,
        follow_ups=follow_ups,
    )

    async def held() -> Held:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await hold(options, notice)

    try:
        return asyncio.run(held())
    finally:
        mesh.wait_until_healthy()
        assert not alive, f"never killed: {list(alive)}"


def answering(answer: int, after: int = 0) -> When:
    """While the candidate gives an answer, counted from 1; `after` so many words of it."""
    begun = [0]

    def when(event: pb.InterviewEvent) -> bool:
        begun[0] += event.HasField("speech_started")
        understood = (event.partial.stable + event.partial.unstable).split()
        return begun[0] == answer and event.HasField("partial") and len(understood) >= after

    return when


def answers(held: Held) -> list[turn_pb2.Turn]:
    return [turn for turn in held.turns if turn.speaker == turn_pb2.SPEAKER_CANDIDATE]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", text.lower()))


def assert_understood(held: Held, count: int) -> None:
    said = answers(held)
    assert len(said) == count
    for number, turn in enumerate(said):
        expected = words(librivox()[PICKED[number % len(PICKED)]].transcript)
        assert len(expected & words(turn.text)) >= 0.7 * len(expected)


def test_model_servers_may_die_while_the_candidate_speaks(mesh: RealMesh) -> None:
    victims = {
        "asr": answering(1),
        "llm": answering(2),
        "tts": answering(3),
        "embed": answering(4),
    }
    held = interview(mesh, victims, rounds=2, follow_ups=1)
    assert_understood(held, 4)
    assert held.report is not None
    assert [question.round for question in held.report.questions] == [1, 2]
    assert {told.service for told in held.degraded} <= {"asr", "llm", "tts", "embed"}


def test_envoy_and_postgres_may_die_and_the_client_comes_back_to_the_same_interview(
    mesh: RealMesh,
) -> None:
    held = interview(mesh, {"envoy": answering(1), "postgres": answering(2)}, rounds=2)
    assert_understood(held, 2)
    assert held.report is not None


@dataclass(frozen=True)
class Lost:
    """Two interviews whose server was killed in mid-answer; `viva interview` held one of them."""

    held: Held
    command_status: int
    command_said: str


@pytest.fixture(scope="module")
def lost(mesh: RealMesh) -> Lost:
    answer = str(librivox()[PICKED[0]].path)
    short = ("--rounds", "1", "--follow-ups", "0", "--out", str(mesh.scratch / "lost"))
    with mesh.start("interview", "--answers", answer, *short) as command:
        assert command.stderr is not None
        assert "welcome" in command.stderr.readline()
        held = interview(mesh, {"interview": answering(1, after=8)}, rounds=2)
        _, said = command.communicate(timeout=LONGEST_SECONDS)
    return Lost(held, command.returncode, said)


def test_of_an_answer_under_way_nothing_is_lost_with_the_interview_server(lost: Lost) -> None:
    """Nor of one that is over by the time the interview goes on."""
    held = lost.held
    assert_understood(held, 2)
    assert held.report is not None
    assert [question.round for question in held.report.questions] == [1, 2]
    # The content of a question was heard: it is not asked again.
    asked = [turn for turn in held.turns if turn.speaker == turn_pb2.SPEAKER_INTERVIEWER]
    assert len([turn for turn in asked if turn.round]) == 2


def test_the_command_goes_on_as_well(lost: Lost) -> None:
    assert lost.command_status == 0, lost.command_said
    assert "The connection broke" in lost.command_said
    assert "Traceback" not in lost.command_said


def test_an_interview_can_be_disturbed_from_the_command_line(mesh: RealMesh) -> None:
    answers = [str(librivox()[number].path) for number in PICKED]
    out = mesh.scratch / "disturbed"
    held = mesh.run(
        *("interview", "--answers", *answers, "--rounds", "1", "--follow-ups", "0"),
        *("--out", str(out), "--interrupt-at", "2", "--drop-connection-at", "9"),
        *("--kill", "embed@5", "--hang", "llm@4+3"),
    )
    mesh.wait_until_healthy()
    assert held.returncode == 0, held.stderr
    for told in ("over the interviewer", "connection is cut", "joining again", "embed is killed"):
        assert told in " ".join(held.stderr.split())
    assert "llm hangs for 3 s" in held.stderr
    assert "llm goes on" in held.stderr
    assert json.loads((out / "report.json").read_text())
    said = json.loads((out / "transcript.json").read_text())["turns"]
    assert "candidate" in {turn["speaker"] for turn in said}
