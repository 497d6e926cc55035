"""An interview server that follows a script, for what a client does with its events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_status import rpc_status
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2, interview_service_pb2_grpc, turn_pb2
from viva.interview.v1 import interview_service_pb2 as pb
from viva.serving.v1 import serving_pb2

from services.runtime.errors import ServiceError, to_status
from services.runtime.stats import duration

INTERVIEW = interview_pb2.Interview(id="scripted")
Requests = AsyncIterator[pb.ConverseRequest]
Script = Callable[[Requests], AsyncIterator[cpb.InterviewEvent]]


class ScriptedInterview(interview_service_pb2_grpc.InterviewServiceServicer):
    """Every conversation is what the script makes of what the client says.

    Attributes:
        joined: Every join.
        received: Up to where audio was taken before, in seconds.
        refusals: What the next joins are refused with.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self.joined: list[cpb.JoinInterview] = []
        self.received = 0.0
        self.refusals: list[ServiceError] = []
        self._seq = 0

    async def CreateInterview(self, request: Any, context: Any) -> pb.CreateInterviewResponse:
        return pb.CreateInterviewResponse(interview=INTERVIEW)

    async def GetInterview(self, request: Any, context: Any) -> pb.GetInterviewResponse:
        return pb.GetInterviewResponse(interview=INTERVIEW)

    async def ListTurns(self, request: Any, context: Any) -> pb.ListTurnsResponse:
        return pb.ListTurnsResponse()

    async def Converse(
        self, request_iterator: Requests, context: Any
    ) -> AsyncIterator[pb.ConverseResponse]:
        first = await anext(aiter(request_iterator))
        self.joined.append(first.join)
        try:
            if self.refusals:
                raise self.refusals.pop(0)
            # Every join that is let in is answered, first of all.
            received = cpb.AudioReceived(received=duration(self.received))
            yield pb.ConverseResponse(event=cpb.InterviewEvent(audio_received=received))
            async for event in self._script(request_iterator):
                self._seq += 1
                event.seq, event.resume_token = self._seq, str(self._seq)
                yield pb.ConverseResponse(event=event)
        except ServiceError as error:
            await context.abort_with_status(rpc_status.to_status(to_status(error)))


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[tuple[str, ScriptedInterview]]:
    """Serves it; its address, and what was asked of it."""
    servicer = ScriptedInterview(script)
    server = grpc.aio.server()
    interview_service_pb2_grpc.add_InterviewServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", servicer
    finally:
        await server.stop(0)


def says(utterance: str, seconds: float, *, rate: int = 16_000) -> list[cpb.InterviewEvent]:
    """The events of a question of so many seconds, but for its end."""
    return [
        cpb.InterviewEvent(
            utterance_started=cpb.InterviewerUtteranceStarted(
                utterance_id=utterance,
                format=serving_pb2.AudioFormat(sample_rate_hz=rate, channels=1),
                phase=interview_pb2.PHASE_QUESTION,
            )
        ),
        cpb.InterviewEvent(
            audio=cpb.InterviewerAudio(
                utterance_id=utterance, audio=bytes(2 * round(rate * seconds)), offset=duration(0.0)
            )
        ),
    ]


def begins(utterance: str, phase: interview_pb2.Phase.ValueType) -> cpb.InterviewEvent:
    """An utterance of which there is only text begins."""
    started = cpb.InterviewerUtteranceStarted(utterance_id=utterance, phase=phase)
    return cpb.InterviewEvent(utterance_started=started)


def ended(utterance: str, text: str = "What did you do?") -> cpb.InterviewEvent:
    turn = turn_pb2.Turn(text=text, speaker=turn_pb2.SPEAKER_INTERVIEWER)
    return cpb.InterviewEvent(
        utterance_ended=cpb.InterviewerUtteranceEnded(utterance_id=utterance, turn=turn)
    )


def reported() -> cpb.InterviewEvent:
    return cpb.InterviewEvent(report_ready=cpb.ReportReady())


async def loud(requests: Requests) -> None:
    """Waits until the candidate speaks."""
    async with asyncio.timeout(20):
        async for request in requests:
            if any(request.candidate.audio.chunk.audio):
                return
