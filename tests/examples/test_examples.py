"""The examples do what they say."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import soundfile
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2, report_pb2

from edge.envoy.contracts import descriptor_set
from tests.cli.scripted_interview import Requests, begins, ended, reported, scripted
from tests.foreign.conftest import HERE as FOREIGN
from tests.foreign.conftest import packages
from tests.foreign.edge import running
from tests.server_process import free_port

__all__ = ["packages"]

EXAMPLES = Path(__file__).parents[2] / "examples"
GUARD_SECONDS = 60.0

pytestmark = pytest.mark.slow


async def ran(*command: str | Path, said: str = "", status: int = 0, **variables: str) -> str:
    """What a program printed; with a status other than 0, what it complained of."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if status else None,
    )
    try:
        async with asyncio.timeout(GUARD_SECONDS):
            printed, complained = await process.communicate(said.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == status
    return (complained if status else printed).decode()


async def test_what_fails_is_one_line() -> None:
    nobody = f"127.0.0.1:{free_port()}"
    complained = await ran(sys.executable, EXAMPLES / "interview.py", nobody, status=1)
    assert complained.startswith("UNAVAILABLE: ")
    assert len(complained.splitlines()) == 1
    complained = await ran(sys.executable, EXAMPLES / "transcribe.py", "nofile.wav", status=1)
    assert "nofile.wav" in complained
    assert len(complained.splitlines()) == 1


async def test_a_written_interview() -> None:
    typed: list[str] = []

    async def script(requests: Requests) -> AsyncIterator[cpb.InterviewEvent]:
        yield begins("u1", interview_pb2.PHASE_OPENING)
        # The next line begins before the end of the last one is told.
        yield begins("u2", interview_pb2.PHASE_QUESTION)
        yield ended("u1", "Hello, and welcome.")
        yield ended("u2")
        async for request in requests:
            typed.append(request.candidate.typed.text)
            break
        event = reported()
        event.report_ready.report.CopyFrom(report_pb2.Report(summary="Clear."))
        yield event

    async with scripted(script) as (address, server):
        printed = await ran(
            sys.executable, EXAMPLES / "interview.py", address, said="I built a bridge.\n"
        )
    assert printed.splitlines() == [
        "Interviewer: Hello, and welcome.",
        "Interviewer: What did you do?",
        "Report: Clear.",
    ]
    assert typed == ["I built a bridge."]
    assert server.joined[0].text_only


class Ears(asr_pb2_grpc.AsrServiceServicer):
    """Says how much it heard, when the stream is over."""

    async def StreamingRecognize(
        self, request_iterator: AsyncIterator[asr_pb2.StreamingRecognizeRequest], context: Any
    ) -> AsyncIterator[asr_pb2.StreamingRecognizeResponse]:
        heard = b""
        async for request in request_iterator:
            heard += request.audio.audio
        seconds = len(heard) / 32_000
        turn = asr_pb2.EndOfTurn(text=f"{seconds:.1f} seconds")
        yield asr_pb2.StreamingRecognizeResponse(turn=1, end_of_turn=turn)


async def test_a_recording_is_written_down(tmp_path: Path) -> None:
    recording = tmp_path / "answer.wav"
    soundfile.write(recording, np.zeros(44_100 * 2), 44_100)
    server = grpc.aio.server()
    asr_pb2_grpc.add_AsrServiceServicer_to_server(Ears(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        printed = await ran(
            sys.executable,
            EXAMPLES / "transcribe.py",
            recording,
            VIVA_ADDRESS=f"127.0.0.1:{port}",
        )
    finally:
        await server.stop(0)
    # A second of silence is added.
    assert printed == "3.0 seconds\n"


async def test_a_page_that_talks(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        printed = await ran(
            Path(sys.executable).with_name("node"),
            Path(__file__).with_name("page.js"),
            PAGE=str(EXAMPLES / "talk.html"),
            EDGE=edge.address,
            TOKEN=edge.token,
            SCRATCH=str(tmp_path / "talk.mjs"),
        )
        typing, speaking = edge.backend.joins
    answer = "You: At home, in a café."
    welcome = "Interviewer: Welcome to one."
    # What was typed, and what the server understood.
    assert json.loads(printed) == [welcome, answer, answer, welcome, "You: 1280 bytes"]
    # Whoever types is not taken for silent.
    assert not typing.HasField("input")
    assert speaking.input.sample_rate_hz == 16_000
    assert speaking.resume_token == "token-2"


async def test_an_interview_over_grpc_web(packages: None, tmp_path: Path) -> None:
    program = tmp_path / "grpc_web.mjs"
    program.write_bytes((EXAMPLES / "grpc_web.mjs").read_bytes())
    (tmp_path / "node_modules").symlink_to(FOREIGN / "node_modules")
    descriptors = tmp_path / "contracts.binpb"
    descriptors.write_bytes(descriptor_set().SerializeToString())
    async with running(tmp_path) as edge:
        printed = await ran(
            Path(sys.executable).with_name("node"),
            program,
            EDGE=edge.address,
            TOKEN=edge.token,
            DESCRIPTORS=str(descriptors),
        )
    assert [line.strip() for line in printed.splitlines()] == ["en", "1", "2", "3"]
