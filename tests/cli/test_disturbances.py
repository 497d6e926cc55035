"""What `viva interview` does to an interview on purpose, and what its client makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from viva.interview.v1 import conversation_pb2 as cpb

from services.cli.bench.simulated.delays import Delays
from services.cli.bench.simulated.engines import engines
from services.cli.bench.simulated.work import Work
from services.cli.disturbances import HANG_SECONDS, Disturbance, Disturbances, Fault, fault
from services.cli.held import Held
from services.cli.live_interview import LiveInterview, hold
from services.runtime.server import serving
from services.runtime.settings import ServerSettings
from tests.cli.scripted_interview import Requests, ended, loud, reported, says, scripted
from tests.cli.test_errors import viva
from tests.server_process import server_process

PATIENCE = 60.0


def speech(folder: Path, seconds: float) -> Path:
    path = folder / f"answer-{seconds:g}.wav"
    tone = 0.5 * np.sin(np.arange(round(16_000 * seconds)) / 10)
    soundfile.write(path, tone, 16_000)
    return path


async def held(
    address: str, recording: Path, disturbances: Disturbances, notes: list[str]
) -> tuple[Held, list[cpb.InterviewEvent]]:
    events: list[cpb.InterviewEvent] = []
    options = LiveInterview(address, [recording], rounds=1, follow_ups=0, disturbances=disturbances)
    async with asyncio.timeout(PATIENCE):
        return await hold(options, events.append, notes.append), events


@pytest.mark.parametrize(
    ("what", "written", "read"),
    [
        (Disturbance.KILL, "asr@20", Fault(Disturbance.KILL, "asr", 20.0)),
        (Disturbance.STOP, "tts@0.5", Fault(Disturbance.STOP, "tts", 0.5)),
        (Disturbance.HANG, "llm@7", Fault(Disturbance.HANG, "llm", 7.0, HANG_SECONDS)),
        (Disturbance.HANG, "llm@7+2.5", Fault(Disturbance.HANG, "llm", 7.0, 2.5)),
    ],
)
def test_a_fault_is_read(what: Disturbance, written: str, read: Fault) -> None:
    assert fault(what, written) == read


@pytest.mark.parametrize(
    "written", ["asr", "asr@", "@3", "asr@-1", "asr@nan", "asr@3+4", "asr@1e9"]
)
def test_what_is_no_fault_says_how_to_write_one(written: str) -> None:
    with pytest.raises(ValueError, match=r"write SERVER@SECONDS, as asr@20"):
        fault(Disturbance.KILL, written)


def test_servers_fail_only_where_a_mesh_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVA_DATA_DIR", str(tmp_path))
    recording = str(speech(tmp_path, 0.5))
    arguments = ("interview", "--answers", recording, "--out", str(tmp_path), "--kill")
    malformed = viva(*arguments, "asr")
    assert malformed.returncode == 2
    assert "write SERVER@SECONDS" in malformed.stderr
    nowhere = viva(*arguments, "asr@1")
    assert nowhere.returncode == 3
    assert "no mesh runs on this machine" in nowhere.stderr


async def test_an_interview_that_ends_during_an_answer_ends_its_client(tmp_path: Path) -> None:
    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        for event in says("u1", 0.1):
            yield event
        yield ended("u1")
        await loud(requests)
        yield reported()

    async with scripted(script) as (address, _):
        left, _ = await held(address, speech(tmp_path, 50.0), Disturbances(), [])
    assert left.report is not None
    assert left.answers == []  # it was not given to its end


async def test_the_candidate_speaks_over_a_line_once_they_have_heard_a_little(
    tmp_path: Path,
) -> None:
    notes: list[str] = []

    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        for event in says("u1", 10.0):
            yield event
        # The line has not ended: only an interruption is heard.
        await loud(requests)
        yield reported()

    async with scripted(script) as (address, _):
        left, _ = await held(
            address, speech(tmp_path, 5.0), Disturbances(interruptions=[0.0]), notes
        )
    assert left.loudspeaker is not None
    assert 0.8 <= left.loudspeaker.played[0].heard < 10.0
    assert len(notes) == 1
    assert "the candidate speaks over the interviewer: answer-5.wav" in notes[0]


async def test_a_cut_connection_is_joined_again_with_its_token(tmp_path: Path) -> None:
    notes: list[str] = []
    joins = 0

    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        nonlocal joins
        joins += 1
        if joins == 1:
            for event in says("u1", 0.1):
                yield event
            async for _ in requests:
                pass  # until it is cut
        yield reported()

    async with scripted(script) as (address, server):
        left, _ = await held(address, speech(tmp_path, 1.0), Disturbances(cuts=[0.2]), notes)
    assert left.report is not None
    assert [join.resume_token for join in server.joined] == ["", "2"]
    assert ["cut" in notes[0], "joining again" in notes[1]] == [True, True]


@pytest.mark.slow
async def test_a_disturbed_interview_ends_with_its_report(tmp_path: Path) -> None:
    """The real interview server, with engines that are simulated."""
    notes: list[str] = []
    settings = ServerSettings(lame_duck_seconds=0, drain_seconds=1)
    build = engines(Delays(), Work(), word_seconds=0.12)
    async with serving(settings, "engines", build) as running:
        address = f"127.0.0.1:{running.port}"
        partners = {f"{name}_ADDRESS": address for name in ("ASR", "TTS", "LLM", "EMBED")}
        async with server_process(
            "interview",
            "viva.interview.v1.InterviewService",
            STORE="memory",
            VIVA_DATA_DIR=str(tmp_path),
            **partners,
        ) as interview:
            async with interview.channel():
                pass
            disturbances = Disturbances(interruptions=[0.0], cuts=[2.0])
            left, events = await held(interview.address, speech(tmp_path, 2.0), disturbances, notes)
    assert left.report is not None
    actions = {event.playback_control.action for event in events}
    assert cpb.PlaybackControl.ACTION_STOP in actions
    assert any("over the interviewer" in note for note in notes)
    assert any("connection is cut" in note for note in notes)
    assert any(turn.words for turn in left.turns)
