"""Thousands of cancelled streams: what they leave behind in the servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import grpc
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.interview.v1 import (
    conversation_pb2,
    interview_service_pb2,
    interview_service_pb2_grpc,
)
from viva.llm.v1 import llm_pb2, llm_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.cli.bench.frame import BenchResult, Figure
from services.cli.bench.running import Server, running_servers
from services.runtime.channel import open_channel

_FORMAT = serving_pb2.AudioFormat(
    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=16000
)
_PIECE_SECONDS = 0.02
_SILENCE = b"\0\0" * round(16000 * _PIECE_SECONDS)
# At a server's gauges, over three seconds.
_LOOKS = 30
_REST = 5


Start = Callable[[], grpc.aio.Call]


async def run(address: str, streams: int = 2000, concurrency: int = 8) -> BenchResult:
    """Cancels twice `streams` streams of every streaming method and measures the second half.

    Some are cancelled at once, some after an answer.

    Args:
        address: The mesh listener.
        streams: Cancelled streams a method.
        concurrency: Streams at the same time.
    """
    servers = running_servers()
    figures: list[Figure] = []
    async with open_channel(address) as channel:
        methods = await _methods(channel)
        for (server, method), start in methods.items():
            # What a first use loads stays: buffers, caches, arenas of the threads, which grow with
            # the largest batch so far. A leak grows as much in the second round as in the first.
            await _cancel_many(start, streams, concurrency)
            before = await _settled(servers[server])
            await _cancel_many(start, streams, concurrency)
            after = await _settled(servers[server])
            # A cache fills up to its limit, and is told apart from what is left behind.
            cached = after["viva_cache_bytes"] - before["viva_cache_bytes"]
            growth = (after["rss"] - before["rss"] - cached) / 2**20
            figures += [
                Figure(f"{method}: memory", growth, "MB", most=10),
                Figure(f"{method}: cached", cached / 2**20, "MB"),
                Figure(f"{method}: calls left", after["viva_rpc_running"], "", most=0),
                Figure(
                    f"{method}: tasks left", after["viva_tasks"] - before["viva_tasks"], "", most=0
                ),
            ]
    return BenchResult(
        "cancel",
        figures,
        notes=[f"{streams} streams a method after as many before, {concurrency} at the same time"],
    )


async def _methods(channel: grpc.aio.Channel) -> dict[tuple[str, str], Start]:
    asr = asr_pb2_grpc.AsrServiceStub(channel)
    tts = tts_pb2_grpc.TtsServiceStub(channel)
    llm = llm_pb2_grpc.LlmServiceStub(channel)
    interviews = interview_service_pb2_grpc.InterviewServiceStub(channel)
    created = await interviews.CreateInterview(
        interview_service_pb2.CreateInterviewRequest(), timeout=30
    )
    join = conversation_pb2.JoinInterview(interview_id=created.interview.id, input=_FORMAT)
    counter = iter(range(10**9))

    chunk = serving_pb2.AudioChunk(audio=_SILENCE)

    async def listen() -> AsyncIterator[asr_pb2.StreamingRecognizeRequest]:
        yield asr_pb2.StreamingRecognizeRequest(
            config=asr_pb2.StreamingRecognitionConfig(format=_FORMAT)
        )
        while True:
            yield asr_pb2.StreamingRecognizeRequest(audio=chunk)
            await asyncio.sleep(_PIECE_SECONDS)

    async def speak() -> AsyncIterator[tts_pb2.StreamingSynthesizeRequest]:
        yield tts_pb2.StreamingSynthesizeRequest(config=tts_pb2.SpeechConfig())
        number = next(counter)
        piece = tts_pb2.SegmentText(segment_id="s", text=f"Number {number}. And then more follows,")
        yield tts_pb2.StreamingSynthesizeRequest(text=piece)
        await asyncio.Event().wait()

    async def converse() -> AsyncIterator[interview_service_pb2.ConverseRequest]:
        yield interview_service_pb2.ConverseRequest(join=join)
        while True:
            message = conversation_pb2.CandidateMessage(
                audio=conversation_pb2.CandidateAudio(chunk=serving_pb2.AudioChunk(audio=_SILENCE))
            )
            yield interview_service_pb2.ConverseRequest(candidate=message)
            await asyncio.sleep(_PIECE_SECONDS)

    def chat() -> llm_pb2.ChatRequest:
        words = f"Count from {next(counter)} as far as you can."
        return llm_pb2.ChatRequest(
            messages=[llm_pb2.Message(role=llm_pb2.ROLE_USER, content=words)], max_tokens=64
        )

    return {
        ("asr", "StreamingRecognize"): lambda: asr.StreamingRecognize(listen(), timeout=600),
        ("tts", "Synthesize"): lambda: tts.Synthesize(
            tts_pb2.SynthesizeRequest(text=f"Number {next(counter)}, and more."), timeout=600
        ),
        ("tts", "StreamingSynthesize"): lambda: tts.StreamingSynthesize(speak(), timeout=600),
        ("llm", "Chat"): lambda: llm.Chat(chat(), timeout=600),
        ("interview", "Converse"): lambda: interviews.Converse(converse(), timeout=600),
        ("interview", "Listen"): lambda: interviews.Listen(
            interview_service_pb2.ListenRequest(join=join), timeout=600
        ),
    }


async def _cancel_many(start: Start, streams: int, concurrency: int) -> None:
    numbers = iter(range(streams))

    async def caller() -> None:
        for number in numbers:
            await _cancel_one(start(), wait=number % 4)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())


async def _cancel_one(call: Any, wait: int) -> None:
    """Cancels at once (0), or after a little while in which the server may have answered."""
    try:
        if wait:
            async with asyncio.timeout(0.02 * wait):
                await call.read()
    except (grpc.aio.AioRpcError, asyncio.CancelledError, TimeoutError):
        pass
    finally:
        call.cancel()


async def _settled(server: Server) -> dict[str, float]:
    """The server's memory, and its lowest gauges until they rest: some work comes and goes."""
    process = await asyncio.to_thread(server.process)
    lowest: dict[str, float] = {}
    looks: list[Mapping[str, float]] = []
    while len(looks) < _LOOKS and not _at_rest(looks):
        await asyncio.sleep(0.1)
        looks.append(gauges := await server.gauges())
        lowest = {name: min(value, lowest.get(name, value)) for name, value in gauges.items()}
    return {**lowest, "rss": float(process.memory_info().rss)}


def _at_rest(looks: Sequence[Mapping[str, float]]) -> bool:
    """Whether no call runs, and nothing has changed in the last looks."""
    last = looks[-_REST:]
    same = all(one == last[0] for one in last)
    return len(last) == _REST and same and not last[0]["viva_rpc_running"]
