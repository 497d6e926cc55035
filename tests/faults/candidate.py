"""A candidate who speaks tones, plays what comes, joins again when cut off, and notes it all."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import grpc
from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import interview_pb2, interview_service_pb2_grpc, report_pb2, turn_pb2
from viva.interview.v1 import interview_service_pb2 as service
from viva.serving.v1 import serving_pb2

from services.runtime.audio import pcm
from services.runtime.stats import duration, seconds
from services.runtime.stream_status import tell_readers_alone
from tests.faults.history import OVER, Answer, History, Received, Stored, joined, within
from tests.faults.tones import read, spoken

ResultT = TypeVar("ResultT")

CHUNK_SECONDS = 0.1
RATE_HZ = 16_000
CALL_SECONDS = 10.0
PAUSE_SECONDS = 0.1
"""Between tries of what is not there at the moment."""
DEAF_SECONDS = 4.0
"""A server that has not taken the audio for so long is not there, whatever the connection says."""
AGAIN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""What may be tried again; everything else is an answer."""

_SHAPE = serving_pb2.AudioFormat(
    encoding=serving_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hz=RATE_HZ, channels=1
)
_ASKING = {interview_pb2.PHASE_QUESTION, interview_pb2.PHASE_FOLLOW_UP}


class Player:
    """A loudspeaker in real time: how far each utterance has been heard."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.utterance = ""
        self._length = 0.0
        self._heard = 0.0
        self._since: float | None = None

    def add(self, utterance: str, length: float) -> None:
        """Audio has come."""
        if utterance != self.utterance:
            self.utterance, self._length, self._heard = utterance, 0.0, 0.0
            self._since = self._loop.time()
        self._length += length

    def pause(self) -> None:
        """Stops and keeps the rest."""
        self._heard, self._since = self.position, None

    def resume(self) -> None:
        """Goes on."""
        self._since = self._loop.time() if self._since is None else self._since

    def stop(self) -> None:
        """Throws the rest away."""
        self.pause()
        self._length = self._heard

    @property
    def position(self) -> float:
        """Seconds of the utterance that have been heard."""
        if self._since is None:
            return self._heard
        return min(self._length, self._heard + self._loop.time() - self._since)

    @property
    def finished(self) -> bool:
        """Whether everything was heard that has come."""
        return self.position >= self._length


class Candidate:
    """One interview, from its creation to its report.

    Attributes:
        history: What was done and seen.
        interview_id: The interview; empty until it is created.
        changed: Notified of every event; for tests that wait for something to be told.
        reads: Whether it reads what comes.
    """

    def __init__(
        self,
        address: str,
        vocabulary: Iterator[str],
        *,
        words: int = 4,
        user: str = "local",
        **settings: Any,
    ) -> None:
        """Takes where the interview is held, and the words to say, each of them once."""
        self._address = address
        self._words = words
        self._vocabulary = vocabulary
        self._metadata = (("x-viva-user", user),)
        self._client = uuid.uuid4().hex
        self._settings = interview_pb2.InterviewSettings(**({"follow_ups": 0} | settings))
        self.history = History()
        self.interview_id = ""
        self.changed = asyncio.Condition()
        self.reads = asyncio.Event()
        self.reads.set()
        self._player = Player()
        self._phases: dict[str, int] = {}
        self._audio = bytearray()
        self._next = 0
        self._taken = 0
        self._token: str | None = None
        self._connection = 0
        self._call: Any = None
        self._channel: grpc.aio.Channel | None = None
        self._writing = asyncio.Lock()
        self._deaf = False
        self._owes = False
        self._saying: list[bytes] = []
        self._typing: pb.CandidateMessage | None = None
        self._typed_on = 0
        self._number = 0
        self._quiet_since = 0.0

    async def run(self) -> None:
        """Holds the interview until it is over."""
        async with asyncio.TaskGroup() as tasks:
            await self._create()
            around = [tasks.create_task(self._talk()), tasks.create_task(self._acknowledge())]
            try:
                while not self._over:
                    await self._connected()
                    await asyncio.sleep(0 if self._over else PAUSE_SECONDS)
            finally:
                for task in around:
                    task.cancel()
                await self.close()

    async def close(self) -> None:
        """Closes its connection."""
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = None

    @property
    def _over(self) -> bool:
        told = self.history.told("state_changed")
        return bool(told) and told[-1].state_changed.state in OVER

    async def until(self, told: Callable[[pb.InterviewEvent], bool]) -> pb.InterviewEvent:
        """Waits until an event of a kind has been told."""
        async with self.changed:
            while True:
                for got in self.history.events:
                    if told(got.event):
                        return got.event
                await self.changed.wait()

    async def _create(self) -> None:
        key = uuid.uuid4().hex
        request = service.CreateInterviewRequest(settings=self._settings, idempotency_key=key)
        created = await self.call("CreateInterview", request)
        self.interview_id = created.interview.id

    def _open(self) -> interview_service_pb2_grpc.InterviewServiceAsyncStub:
        # A pool of its own: a connection that is no use is never used again.
        self._channel = grpc.aio.insecure_channel(
            self._address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        return interview_service_pb2_grpc.InterviewServiceStub(self._channel)

    async def call(self, method: str, request: Any) -> Any:
        """Calls a unary method until it answers."""

        async def once(stub: Any) -> Any:
            return await getattr(stub, method)(
                request, timeout=CALL_SECONDS, metadata=self._metadata
            )

        return await self._patiently(once)

    async def _patiently(self, attempt: Callable[[Any], Awaitable[ResultT]]) -> ResultT:
        while True:
            try:
                async with grpc.aio.insecure_channel(
                    self._address, options=[("grpc.use_local_subchannel_pool", 1)]
                ) as channel:
                    return await attempt(interview_service_pb2_grpc.InterviewServiceStub(channel))
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _connected(self) -> None:
        """One connection, to its end."""
        await self.close()
        stub: Any = self._open()
        self._connection += 1
        try:
            async with self._writing, asyncio.timeout(DEAF_SECONDS):
                self._quiet_since = asyncio.get_running_loop().time()
                self._call = stub.Converse(timeout=3600, metadata=self._metadata)
                tell_readers_alone(self._call)
                self._next = self._taken
                join = pb.JoinInterview(
                    interview_id=self.interview_id,
                    input=_SHAPE,
                    output=_SHAPE,
                    resume_token=self._token,
                    client=self._client,
                )
                await self._call.write(service.ConverseRequest(join=join))
            while response := await self._call.read():
                await self._take(response.event)
                await self.reads.wait()
        except grpc.aio.AioRpcError as error:
            if error.code() not in AGAIN:
                raise
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if self._call is None or not self._call.cancelled() or _ending():
                raise
        finally:
            if self._call is not None:
                self._call.cancel()

    async def _take(self, event: pb.InterviewEvent) -> None:
        self._token = event.resume_token
        self._react(event)
        async with self.changed:
            self.history.events.append(Received(event, self._connection))
            self.changed.notify_all()

    def _react(self, event: pb.InterviewEvent) -> None:
        match event.WhichOneof("event"):
            case "utterance_started":
                started = event.utterance_started
                self._phases[started.utterance_id] = started.phase
            case "audio":
                self._player.add(event.audio.utterance_id, len(event.audio.audio) / 2 / RATE_HZ)
            case "playback_control":
                self._control(event.playback_control.action)
            case "utterance_ended":
                self._heard_out(event.utterance_ended)
            case "candidate_turn":
                self._owes = False
            case "audio_received":
                self._taken = round(seconds(event.audio_received.offset) * RATE_HZ) * 2
                self._quiet_since = asyncio.get_running_loop().time()
                if event.audio_received.message >= self._number:
                    self._typing = None
            case "degraded" if event.degraded.service == "asr":
                self._deafness(event.degraded)

    def _control(self, action: int) -> None:
        match action:
            case pb.PlaybackControl.ACTION_PAUSE:
                self._player.pause()
            case pb.PlaybackControl.ACTION_RESUME:
                self._player.resume()
            case _:
                self._player.stop()

    def _heard_out(self, ended: pb.InterviewerUtteranceEnded) -> None:
        self.history.played.setdefault(ended.utterance_id, self._player.position)
        # What belongs to no round is an aside: nobody answers it. Nor twice what is told twice.
        asks = self._phases.pop(ended.utterance_id, None) in _ASKING and ended.turn.round > 0
        if asks and not ended.interrupted:
            self._answer()

    def _deafness(self, told: pb.ServiceDegraded) -> None:
        was, self._deaf = self._deaf, not told.recovered
        if self._owes and not was and self._deaf:
            # What was said may be lost: it is told, and answered anew in the way that is left.
            last = self.history.answers.pop()
            self.history.answers.append(Answer(last.words, last.typed, faulty=True))
            self._saying.clear()
            self._answer()

    def _answer(self) -> None:
        """Says or types the next words, each of which is said only once."""
        chosen = tuple(next(self._vocabulary) for _ in range(self._words))
        self.history.answers.append(Answer(chosen, typed=self._deaf))
        self._owes = True
        if self._deaf:
            self._number += 1
            self._typed_on = 0
            typed = pb.TypedAnswer(text=" ".join(chosen))
            self._typing = pb.CandidateMessage(typed=typed, number=self._number)
            return
        audio = pcm.s16le_from_float(spoken(chosen))
        step = round(CHUNK_SECONDS * RATE_HZ) * 2
        self._saying += [audio[place : place + step] for place in range(0, len(audio), step)]

    async def _talk(self) -> None:
        """A microphone: a chunk of audio every tenth of a second, silence where nothing is said."""
        silence = bytes(round(CHUNK_SECONDS * RATE_HZ) * 2)
        loop = asyncio.get_running_loop()
        following = loop.time()
        while True:
            following += CHUNK_SECONDS
            self._audio += self._saying.pop(0) if self._saying else silence
            await self._send_audio()
            await self._type()
            if not self.reads.is_set():
                self._quiet_since = loop.time()
            elif loop.time() - self._quiet_since > DEAF_SECONDS and self._call is not None:
                self._quiet_since = loop.time()
                self._call.cancel()
            await asyncio.sleep(max(0.0, following - loop.time()))

    async def _type(self) -> None:
        """Sends what is typed on every connection, until it is told to be kept."""
        on = self._connection
        if self._typing is not None and self._typed_on != on and await self._say(self._typing):
            self._typed_on = on

    async def _send_audio(self) -> None:
        if self._writing.locked():
            return
        async with self._writing:
            size = round(CHUNK_SECONDS * RATE_HZ) * 2
            while self._call is not None and self._next < len(self._audio):
                piece = bytes(self._audio[self._next : self._next + 5 * size])
                chunk = serving_pb2.AudioChunk(
                    audio=piece, offset=duration(self._next / 2 / RATE_HZ)
                )
                message = pb.CandidateMessage(audio=pb.CandidateAudio(chunk=chunk))
                if not await self._written(message):
                    return
                self._next += len(piece)
                self.history.sent = max(self.history.sent, self._next / 2 / RATE_HZ)

    async def _say(self, message: pb.CandidateMessage) -> bool:
        async with self._writing:
            return await self._written(message)

    async def _written(self, message: pb.CandidateMessage) -> bool:
        if self._call is None or self._call.done():
            return False
        # A write that finds the call over says less than the read that will find it, too.
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            async with asyncio.timeout(DEAF_SECONDS):
                await self._call.write(service.ConverseRequest(candidate=message))
            return True
        return False

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(CHUNK_SECONDS)
            if self._player.utterance:
                position = pb.PlaybackPosition(
                    utterance_id=self._player.utterance,
                    position=duration(self._player.position),
                    finished=self._player.finished,
                    client_time=duration(asyncio.get_running_loop().time()),
                )
                await self._say(pb.CandidateMessage(playback=position))

    async def stored(self) -> Stored:
        """Reads all that the server keeps of the interview."""
        named = {"interview_id": self.interview_id}
        got = await self.call("GetInterview", service.GetInterviewRequest(**named))
        turns = (
            await self.call("ListTurns", service.ListTurnsRequest(**named, page_size=200))
        ).turns
        report: report_pb2.Report | None = None
        if got.interview.state == interview_pb2.INTERVIEW_STATE_COMPLETED:
            report = (await self.call("GetReport", service.GetReportRequest(**named))).report
        return Stored(got.interview, turns, report, await self._recorded(turns))

    async def _recorded(self, turns: Any) -> dict[str, list[str]]:
        request = service.ReadRecordingRequest(
            interview_id=self.interview_id, speaker=turn_pb2.SPEAKER_CANDIDATE
        )

        async def read_all(stub: Any) -> list[tuple[float, bytes]]:
            call = stub.ReadRecording(request, timeout=CALL_SECONDS, metadata=self._metadata)
            return [(seconds(piece.start), piece.audio) async for piece in call]

        tones = read(joined(await self._patiently(read_all), RATE_HZ))
        return {
            turn.id: within(tones, seconds(turn.start), seconds(turn.end))
            for turn in turns
            if turn.speaker == turn_pb2.SPEAKER_CANDIDATE and not turn.typed
        }


def _ending() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
