"""One method of each shape of each service: how a call to it begins, and what ends it well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf.message import Message
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.interview.v1 import (
    conversation_pb2,
    interview_pb2,
    interview_service_pb2,
    interview_service_pb2_grpc,
    persona_service_pb2,
    persona_service_pb2_grpc,
    question_service_pb2,
    question_service_pb2_grpc,
)
from viva.llm.v1 import llm_pb2, llm_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.runtime.audio import pcm
from tests.faults.tones import WORDS, spoken
from tests.server_process import GUARD_SECONDS, until

# grpc.aio's calls of every shape: `code`, `cancel`, and `read` or being awaited.
Call: TypeAlias = Any


class Shape(Enum):
    """How many messages go which way."""

    UNARY = "unary"
    SERVER_STREAM = "server-stream"
    BIDI = "bidi"


class Break(Enum):
    """What a caller sees of a method whose engine breaks."""

    FAILS = "the call ends with INTERNAL"
    TOLD = "the stream tells of it and goes on"
    MANAGES = "it does without the engine"
    IDLE = "the engine has no part in it"


@dataclass(frozen=True)
class Method:
    """A method, and calls of it.

    Attributes:
        server: Who serves it.
        service: The full name of its service.
        name: Its name.
        shape: Its shape.
        engine: The model server whose engine works while the call runs.
        begin: Begins a call that the engine is needed for, with a deadline in seconds.
        wrong: Begins a call that is the caller's mistake.
        field: What is wrong with that one.
        broken: What becomes of the call while the engine is broken.
        end: Lets a stream end well that the caller ends.
    """

    server: str
    service: str
    name: str
    shape: Shape
    engine: str
    begin: Callable[[grpc.aio.Channel, float], Awaitable[Call]]
    wrong: Callable[[grpc.aio.Channel], Awaitable[Call]]
    field: str
    broken: Break = Break.FAILS
    end: Callable[[grpc.aio.Channel, Call], Awaitable[None]] | None = None

    @property
    def full(self) -> str:
        """The label of its metrics."""
        return f"/{self.service}/{self.name}"

    def __str__(self) -> str:
        return f"{self.server}-{self.name}"


def _unary(stub: Any, method: str, right: Message, wrong: Message) -> dict[str, Any]:
    """A method with one request, whatever it answers."""

    async def begin(channel: grpc.aio.Channel, seconds: float) -> Call:
        return getattr(stub(channel), method)(right, timeout=seconds)

    async def begin_wrong(channel: grpc.aio.Channel) -> Call:
        return getattr(stub(channel), method)(wrong, timeout=GUARD_SECONDS)

    return {"name": method, "begin": begin, "wrong": begin_wrong}


def _stream(stub: Any, method: str, right: list[Any], wrong: Any) -> dict[str, Any]:
    """A method with many requests: these, and then the caller says nothing for a while."""

    async def opened(channel: grpc.aio.Channel, seconds: float, requests: list[Any]) -> Call:
        call = getattr(stub(channel), method)(timeout=seconds)
        # A write that finds the call over says less than the read that will find it, too.
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            for request in requests:
                await call.write(request)
        return call

    async def begin(channel: grpc.aio.Channel, seconds: float) -> Call:
        return await opened(channel, seconds, right)

    async def begin_wrong(channel: grpc.aio.Channel) -> Call:
        return await opened(channel, GUARD_SECONDS, [wrong])

    async def end(_: grpc.aio.Channel, call: Call) -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.done_writing()

    return {"name": method, "begin": begin, "wrong": begin_wrong, "end": end}


SAID = pcm.s16le_from_float(spoken(WORDS[:3]))
PAUSE = bytes(2 * 16_000)
_RAW = serving_pb2.AudioFormat(
    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=16_000, channels=1
)


def _heard(config: asr_pb2.StreamingRecognitionConfig) -> list[asr_pb2.StreamingRecognizeRequest]:
    request = asr_pb2.StreamingRecognizeRequest
    audio = serving_pb2.AudioChunk(audio=SAID + PAUSE)
    return [request(config=config), request(audio=audio)]


def _said(segment: str) -> list[tts_pb2.StreamingSynthesizeRequest]:
    request = tts_pb2.StreamingSynthesizeRequest
    text = tts_pb2.SegmentText(segment_id=segment, text="Good morning.", last=True)
    return [request(config=tts_pb2.SpeechConfig()), request(text=text)]


_MUTE = tts_pb2.StreamingSynthesizeRequest(config=tts_pb2.SpeechConfig(speed=9))
_QUESTION = llm_pb2.Message(role=llm_pb2.ROLE_USER, content="Why?")
_ASR: dict[str, Any] = {"server": "asr", "service": "viva.asr.v1.AsrService", "engine": "asr"}
_TTS: dict[str, Any] = {"server": "tts", "service": "viva.tts.v1.TtsService", "engine": "tts"}
_LLM: dict[str, Any] = {"server": "llm", "service": "viva.llm.v1.LlmService", "engine": "llm"}
_EMBED: dict[str, Any] = {
    "server": "embed",
    "service": "viva.embed.v1.EmbedService",
    "engine": "embed",
}


MODEL_METHODS = (
    Method(
        **_ASR,
        **_unary(
            asr_pb2_grpc.AsrServiceStub,
            "Recognize",
            asr_pb2.RecognizeRequest(audio=SAID, format=_RAW),
            asr_pb2.RecognizeRequest(),
        ),
        shape=Shape.UNARY,
        field="audio",
    ),
    Method(
        **_ASR,
        **_stream(
            asr_pb2_grpc.AsrServiceStub,
            "StreamingRecognize",
            _heard(asr_pb2.StreamingRecognitionConfig(format=_RAW)),
            _heard(asr_pb2.StreamingRecognitionConfig())[0],
        ),
        shape=Shape.BIDI,
        field="config.format",
    ),
    Method(
        **_TTS,
        **_unary(
            tts_pb2_grpc.TtsServiceStub,
            "ListVoices",
            tts_pb2.ListVoicesRequest(),
            tts_pb2.ListVoicesRequest(language="!"),
        ),
        shape=Shape.UNARY,
        field="language",
        broken=Break.IDLE,
    ),
    Method(
        **_TTS,
        **_unary(
            tts_pb2_grpc.TtsServiceStub,
            "Synthesize",
            tts_pb2.SynthesizeRequest(text="Good morning."),
            tts_pb2.SynthesizeRequest(),
        ),
        shape=Shape.SERVER_STREAM,
        field="text",
    ),
    Method(
        **_TTS,
        **_stream(tts_pb2_grpc.TtsServiceStub, "StreamingSynthesize", _said("line"), _MUTE),
        shape=Shape.BIDI,
        field="config.speed",
        broken=Break.TOLD,
    ),
    Method(
        **_LLM,
        **_unary(
            llm_pb2_grpc.LlmServiceStub,
            "CountTokens",
            llm_pb2.CountTokensRequest(messages=[_QUESTION]),
            llm_pb2.CountTokensRequest(),
        ),
        shape=Shape.UNARY,
        field="messages",
    ),
    Method(
        **_LLM,
        **_unary(
            llm_pb2_grpc.LlmServiceStub,
            "Chat",
            llm_pb2.ChatRequest(messages=[_QUESTION]),
            llm_pb2.ChatRequest(),
        ),
        shape=Shape.SERVER_STREAM,
        field="messages",
    ),
    *(
        Method(
            **_EMBED,
            **_unary(embed_pb2_grpc.EmbedServiceStub, name, right, wrong),
            shape=Shape.UNARY,
            field=field,
        )
        for name, right, wrong, field in (
            ("Embed", embed_pb2.EmbedRequest(inputs=["a"]), embed_pb2.EmbedRequest(), "inputs"),
            (
                "Similarity",
                embed_pb2.SimilarityRequest(text="a", others=["b"]),
                embed_pb2.SimilarityRequest(others=["b"]),
                "text",
            ),
            (
                "Rerank",
                embed_pb2.RerankRequest(query="a", documents=["b"]),
                embed_pb2.RerankRequest(documents=["b"]),
                "query",
            ),
        )
    ),
)


def _joining(interview_id: str) -> conversation_pb2.JoinInterview:
    return conversation_pb2.JoinInterview(
        interview_id=interview_id,
        input=_RAW,
        output=serving_pb2.AudioFormat(sample_rate_hz=16_000, channels=1),
    )


async def _created(channel: grpc.aio.Channel) -> str:
    stub = interview_service_pb2_grpc.InterviewServiceStub(channel)
    created = await stub.CreateInterview(
        interview_service_pb2.CreateInterviewRequest(), timeout=GUARD_SECONDS
    )
    return str(created.interview.id)


async def until_searching(channel: grpc.aio.Channel) -> None:
    """Waits until an interview server finds questions by meaning: then it needs the model."""
    stub = question_service_pb2_grpc.QuestionServiceStub(channel)
    # A word that is in no question.
    request = question_service_pb2.SearchQuestionsRequest(query="xyzzy")

    async def by_meaning() -> bool:
        found = await stub.SearchQuestions(request, timeout=GUARD_SECONDS)
        return bool(found.results[0].score > 0)

    await until(by_meaning)


class Conversations:
    """Calls that live as long as an interview; it ends them by ending the interview."""

    def __init__(self) -> None:
        self.interviews: list[str] = []
        self.undisturbed: grpc.aio.Channel | None = None
        """Where interviews are created and ended, if not where the call is made."""

    async def converse(self, channel: grpc.aio.Channel, seconds: float) -> Call:
        """A conversation of which the first event is there."""
        self.interviews.append(await _created(self.undisturbed or channel))
        stub: Any = interview_service_pb2_grpc.InterviewServiceStub(channel)
        call = stub.Converse(timeout=seconds)
        join = _joining(self.interviews[-1])
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.write(interview_service_pb2.ConverseRequest(join=join))
        return call

    async def listen(self, channel: grpc.aio.Channel, seconds: float) -> Call:
        """The way down of one."""
        self.interviews.append(await _created(self.undisturbed or channel))
        request = interview_service_pb2.ListenRequest(join=_joining(self.interviews[-1]))
        stub = interview_service_pb2_grpc.InterviewServiceStub(channel)
        return stub.Listen(request, timeout=seconds)

    async def finish(self, channel: grpc.aio.Channel, call: Call) -> None:
        """Ends the interviews once they are live, or the call was lost."""
        stub = interview_service_pb2_grpc.InterviewServiceStub(self.undisturbed or channel)

        async def live() -> bool:
            if call.done():
                return True
            request = interview_service_pb2.GetInterviewRequest(interview_id=self.interviews[-1])
            got = await stub.GetInterview(request, timeout=GUARD_SECONDS)
            return bool(got.interview.state == interview_pb2.INTERVIEW_STATE_LIVE)

        await until(live)
        await self.end_all(channel)

    async def end_all(self, channel: grpc.aio.Channel) -> None:
        """Ends every interview that was begun."""
        stub = interview_service_pb2_grpc.InterviewServiceStub(self.undisturbed or channel)
        while self.interviews:
            request = interview_service_pb2.EndInterviewRequest(interview_id=self.interviews.pop())
            await stub.EndInterview(request, timeout=GUARD_SECONDS)


_wanted = interview_pb2.InterviewSettings
_FINISH = conversation_pb2.CandidateMessage(finish_turn=conversation_pb2.FinishTurn())
_INTERVIEW: dict[str, Any] = {"server": "interview"}


def interview_methods(conversations: Conversations) -> tuple[Method, ...]:
    """The interview's; what they need of a model is asked of the model servers."""
    service = "viva.interview.v1.InterviewService"
    searching = _unary(
        question_service_pb2_grpc.QuestionServiceStub,
        "SearchQuestions",
        question_service_pb2.SearchQuestionsRequest(query="deadlock"),
        question_service_pb2.SearchQuestionsRequest(page_size=1000),
    )
    voices = _unary(
        persona_service_pb2_grpc.PersonaServiceStub,
        "ListVoices",
        persona_service_pb2.ListVoicesRequest(),
        persona_service_pb2.ListVoicesRequest(language="!"),
    )
    creating = _unary(
        interview_service_pb2_grpc.InterviewServiceStub,
        "CreateInterview",
        interview_service_pb2.CreateInterviewRequest(settings=_wanted(topics=["deadlocks"])),
        interview_service_pb2.CreateInterviewRequest(settings=_wanted(rounds=99)),
    )
    converse = _stream(
        interview_service_pb2_grpc.InterviewServiceStub,
        "Converse",
        [],
        interview_service_pb2.ConverseRequest(candidate=_FINISH),
    )
    listen = _unary(
        interview_service_pb2_grpc.InterviewServiceStub,
        "Listen",
        interview_service_pb2.ListenRequest(),
        interview_service_pb2.ListenRequest(),
    )
    live = {"begin": conversations.converse, "end": conversations.finish}
    down = {"begin": conversations.listen, "end": conversations.finish}
    unary = Method(
        **_INTERVIEW,
        **searching,
        service="viva.interview.v1.QuestionService",
        shape=Shape.UNARY,
        engine="embed",
        field="page_size",
        broken=Break.MANAGES,
    )
    return (
        unary,
        replace(unary, **creating, service=service, field="settings.rounds"),
        replace(
            unary,
            **voices,
            service="viva.interview.v1.PersonaService",
            engine="tts",
            field="language",
            broken=Break.IDLE,
        ),
        Method(
            **_INTERVIEW,
            **{**listen, **down},
            service=service,
            shape=Shape.SERVER_STREAM,
            engine="tts",
            field="join",
            broken=Break.TOLD,
        ),
        Method(
            **_INTERVIEW,
            **{**converse, **live},
            service=service,
            shape=Shape.BIDI,
            engine="tts",
            field="join",
            broken=Break.TOLD,
        ),
    )


ALWAYS = {"Recognize", "Synthesize", "Converse"}
"""One method of each shape, for what takes its time; `make test-faults` takes them all."""


def each_of(methods: Iterable[Method], *, quick: bool = True) -> pytest.MarkDecorator:
    """A row of the matrix; where it takes its time, most of it is left to `make test-faults`."""
    return pytest.mark.parametrize(
        "method",
        [
            pytest.param(
                method,
                id=str(method),
                marks=[] if quick or method.name in ALWAYS else [pytest.mark.whole],
            )
            for method in methods
        ],
    )
