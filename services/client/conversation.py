"""One live conversation, held together over as many connections as it takes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import grpc
from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import interview_pb2, interview_service_pb2
from viva.serving.v1 import serving_pb2

from services.client.outbox import Outbox
from services.client.pieces import RATE_HZ
from services.client.questions import Questions
from services.runtime.errors import reasons, retry_seconds
from services.runtime.stats import duration, seconds
from services.runtime.stream_status import tell_readers_alone

SILENCE_SECONDS = 600.0
"""Without any event for so long an interview has failed; the server has its own patience."""
REJOIN_SECONDS = 90.0
"""How long a broken connection is tried again: a server that hangs is found out after 30 s, started
anew, and has its models to load."""
JOIN_SECONDS = 30.0
"""The same for whoever was never let in: nobody may listen at that address."""
REJOIN_PAUSE_SECONDS = 0.5
STALE = "RESUME_TOKEN_STALE"
"""Why a join is refused after which the conversation goes on without its token."""
BROKEN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
"""What a call ends with when its connection does: refused, reset, closed without a status."""

Call = grpc.aio.StreamStreamCall[
    interview_service_pb2.ConverseRequest, interview_service_pb2.ConverseResponse
]


_Coming = tuple[pb.InterviewEvent, bool]
"""An event, and whether it was missed first."""


class _Events(AsyncIterator[pb.InterviewEvent]):
    """Events one by one. No generator: that would be over with the first reader who gives up."""

    def __init__(self, following: Callable[[], Awaitable[pb.InterviewEvent | None]]) -> None:
        self._following = following

    async def __anext__(self) -> pb.InterviewEvent:
        """The next one."""
        if (event := await self._following()) is None:
            raise StopAsyncIteration
        return event


class InterviewFailed(RuntimeError):
    """The interview could not be held to its end."""


class Conversation:
    """`InterviewService.Converse` as one stream of events, whatever happens to connections.

    One task reads `events`; any may write.

    Attributes:
        silence_seconds: Without any event for so long it has failed.
        late: Whether the last event was missed first and came after joining again: it tells
            nothing about the clock.
        awaits_answer: Whether the last event ended something that the candidate is to answer now:
            a question, a follow-up, whether to end or to skip. Not where an answer was typed since.
    """

    def __init__(
        self,
        converse: Callable[[], Call],
        interview_id: str,
        *,
        output_hz: int | None = None,
        text_only: bool = False,
        silence_seconds: float | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Takes the interview; nothing is sent before the scope is entered.

        Args:
            converse: Opens a call.
            interview_id: Which interview to join.
            output_hz: The rate of the interviewer's audio; None for the voice's own.
            text_only: No audio either way: the candidate reads, types, and is not asked whether
                they are still there, except after time to think that they have asked for.
            silence_seconds: Without any event for so long it has failed. None for
                `SILENCE_SECONDS`, and with `text_only` for no limit while an answer is awaited.
            note: Told in a sentence when the connection breaks.
        """

        def opened() -> Call:
            call = converse()
            # Whoever joins again waits for whoever writes.
            tell_readers_alone(call)
            return call

        self._converse = opened
        self._call = opened()
        self._interview_id = interview_id
        self._output_hz = output_hz
        self._text_only = text_only
        self._client = uuid.uuid4().hex
        self.silence_seconds = SILENCE_SECONDS if silence_seconds is None else silence_seconds
        self._thinks = text_only and silence_seconds is None
        self._note = note
        self._resume_token: str | None = None
        self._outbox = Outbox()
        self._questions = Questions()
        self._joined = False
        self._let_in = False
        self._broken_since: float | None = None
        self._missing = False
        self._cut_off = False
        self._cancelled = False
        self._over = False
        self._loop = asyncio.get_running_loop()
        # grpc.aio takes one write at a time.
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._coming: asyncio.Task[_Coming | None] | None = None
        # Since when an event is read, or owed, on the loop's clock; None while there is no call.
        self._silent_since: float | None = None
        self._position: pb.CandidateMessage | None = None
        self.late = False
        self.awaits_answer = False

    async def __aenter__(self) -> Self:
        """Joins."""
        async with self._writing:
            await self._write(self._join())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves; the interview waits for whoever joins next."""
        self._call.cancel()
        left = [task for task in (self._writer, self._coming) if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def events(self) -> AsyncIterator[pb.InterviewEvent]:
        """Every event once, in order, up to the report, or to the end if nothing was answered.

        Where the server has lost what was told last, what it has kept comes once more. Whoever
        reads may be cancelled, or run out of time, and read on, here or in other `events`: nothing
        is lost.

        Raises:
            TimeoutError: Nothing came for `silence_seconds`.
            InterviewFailed: The stream ended before the interview did, or the server has lost the
                interview.
            grpc.aio.AioRpcError: The server refused, or stayed away for too long.
        """
        return _Events(self._event)

    async def _event(self) -> pb.InterviewEvent | None:
        """The next event; None behind the last."""
        if self._over or (coming := await self._next_event()) is None:
            self._over = True
            return None
        event, self.late = coming
        self.awaits_answer = self._questions.awaits_answer(event)
        self._over = event.HasField("report_ready")
        return event

    async def _next_event(self) -> _Coming | None:
        """The next event, read by a task of its own: grpc.aio ends a call whose reader is gone."""
        coming = self._coming = self._coming or asyncio.create_task(self._read())
        while not coming.done():
            left = self.silence_seconds - self._silent_for()
            if left <= 0:
                self._silent_since = self._loop.time()
                raise TimeoutError(f"nothing came for {self.silence_seconds:g} s")
            await asyncio.wait([coming], timeout=left)
        self._coming = None
        return coming.result()

    def _silent_for(self) -> float:
        """How long an event has been owed, in seconds."""
        if self._silent_since is None or (self._thinks and self._questions.unanswered):
            return 0.0
        return self._loop.time() - self._silent_since

    async def _read(self) -> _Coming | None:
        """The next event, over as many connections as it takes, and whether it was missed first.

        None where the interview has ended without anything to report.
        """
        while True:
            call = self._call
            self._silent_since = self._loop.time()
            try:
                response = await call.read()
            except grpc.aio.AioRpcError as error:
                self._silent_since = None
                await self._join_again(error)
                continue
            except asyncio.CancelledError:
                # A call that is cut by its own side is read as cancelled.
                task = asyncio.current_task()
                if not self._cut_off or (task is not None and task.cancelling()):
                    raise
                async with self._writing:
                    self._cut_off = False
                continue
            if not isinstance(response, interview_service_pb2.ConverseResponse):
                if self._cancelled:
                    return None
                raise InterviewFailed("the conversation ended without a report")
            event = response.event
            self._broken_since, self._let_in = None, True
            # Not of the join's own answer: of what was missed, if there is anything.
            late = self._missing and not event.HasField("audio_received")
            self._missing = self._missing and event.HasField("audio_received")
            self._resume_token = event.resume_token or self._resume_token
            if event.HasField("audio_received"):
                await self._received(event.audio_received, call)
            if event.HasField("state_changed"):
                ended = event.state_changed.state == interview_pb2.INTERVIEW_STATE_CANCELLED
                self._cancelled = ended
            return event, late

    async def _received(self, told: pb.AudioReceived, call: Call) -> None:
        self._outbox.forget(seconds(told.offset), told.message)
        if call is self._call and not self._joined:
            # The join's answer: until it came nobody knew where new audio begins.
            self._outbox.begin_at(seconds(told.received))
            self._joined = True
            await self._flush()

    async def speak(self, samples: bytes) -> None:
        """Sends the candidate's next audio: 16-bit mono at `RATE_HZ`, in any pieces.

        What is said while there is no connection waits, up to two minutes of it. Live audio: a
        server ends a conversation of which 5 s more have come than time has passed.
        """
        self._outbox.speak(samples)
        await self._flush()

    async def say(self, message: pb.CandidateMessage) -> None:
        """Sends anything else, after the audio before it; after a broken connection once more."""
        number = self._outbox.say(message)
        if message.HasField("typed"):
            self._questions.typed(number)
            if self._silent_since is not None:
                self._silent_since = self._loop.time()
        await self._flush()

    async def answer(self, text: str) -> None:
        """Types an answer."""
        await self.say(pb.CandidateMessage(typed=pb.TypedAnswer(text=text)))

    async def _flush(self) -> None:
        """Waits until what there is to say is written, by one task for all who wait.

        Whoever waits may be cancelled. What writes is not: grpc.aio would end the call.
        """
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        writer = self._writer
        await asyncio.wait([writer])
        if not writer.cancelled():
            writer.result()

    async def _write_all(self) -> None:
        # Chosen only when it can be written: joining again changes what is next.
        async with self._writing:
            while self._joined and (message := self._next()) is not None:
                if not await self._write(interview_service_pb2.ConverseRequest(candidate=message)):
                    return

    def _next(self) -> pb.CandidateMessage | None:
        position, self._position = self._position, None
        return position or self._outbox.next()

    async def heard(self, utterance_id: str, position: float, *, finished: bool) -> None:
        """Acknowledges what was played of the interviewer's audio.

        Args:
            utterance_id: Of which utterance.
            position: How much was heard, in seconds.
            finished: Whether all that has arrived was.
        """
        playback = pb.PlaybackPosition(
            utterance_id=utterance_id,
            position=duration(position),
            finished=finished,
            client_time=duration(self._loop.time()),
        )
        self._position = pb.CandidateMessage(playback=playback)
        await self._flush()

    async def cut(self, away_seconds: float) -> None:
        """Cuts the connection on purpose and joins again after so long; nobody writes meanwhile."""
        async with self._writing:
            self._cut_off, self._broken_since = True, self._loop.time()
            self._call.cancel()
            await asyncio.sleep(away_seconds)
            await self._open_again()

    def _join(self) -> interview_service_pb2.ConverseRequest:
        join = pb.JoinInterview(
            interview_id=self._interview_id,
            # Without it the server expects typed answers.
            input=(
                None
                if self._text_only
                else serving_pb2.AudioFormat(
                    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE,
                    sample_rate_hz=RATE_HZ,
                    channels=1,
                )
            ),
            output=(
                serving_pb2.AudioFormat(sample_rate_hz=self._output_hz, channels=1)
                if self._output_hz is not None
                else None
            ),
            resume_token=self._resume_token,
            text_only=self._text_only,
            client=self._client,
        )
        return interview_service_pb2.ConverseRequest(join=join)

    async def _write(self, request: interview_service_pb2.ConverseRequest) -> bool:
        # A write that finds the call over says less than the read that will find it, too.
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            await self._call.write(request)
            return True
        return False

    async def _join_again(self, error: grpc.aio.AioRpcError) -> None:
        """Opens the conversation anew after its connection broke; raises what is no such break."""
        now = self._loop.time()
        again = self._broken_since is not None
        if again and error.code() is grpc.StatusCode.NOT_FOUND:
            raise InterviewFailed(
                "the interview server was started again and no longer knows the interview"
            )
        self._broken_since = self._broken_since or now
        patience = REJOIN_SECONDS if self._let_in else min(JOIN_SECONDS, REJOIN_SECONDS)
        left = self._broken_since + patience - now
        if self._resume_token is not None and STALE in reasons(error):
            # Nothing that was said is lost with it: only what was shown once.
            self._resume_token = None
        elif not self._passes(error) or left < 0:
            raise error
        if not again:
            self._note("The connection broke; joining again.")
        pause = max(REJOIN_PAUSE_SECONDS if again else 0.0, retry_seconds(error) or 0.0)
        # Who is told to come later than it is tried at all comes at the end of that time.
        await asyncio.sleep(min(pause, max(0.0, left)))
        async with self._writing:
            self._call.cancel()
            await self._open_again()

    def _passes(self, error: grpc.aio.AioRpcError) -> bool:
        """Whether joining again can help."""
        if error.code() in BROKEN:
            return True
        # Whoever has lost their place waits for one; to anybody else a refusal is an answer.
        return self._let_in and retry_seconds(error) is not None

    async def _open_again(self) -> None:
        self._call, self._joined, self._missing = self._converse(), False, True
        # Out of date by now.
        self._position = None
        self._outbox.rewind()
        await self._write(self._join())
