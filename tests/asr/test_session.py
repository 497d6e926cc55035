"""One live stream, with a model that hears exactly which half seconds it was given.

The audio of these tests is its own clock: sample n has the value n / RATE, so the model in `hear`
says which half seconds of the stream a window holds, as words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.asr.decoding import Ticket
from services.asr.endpointing import EndpointingConfig, EndReason
from services.asr.engines.engine import SAMPLE_RATE, Hypothesis, HypothesisWord, Window
from services.asr.session import FinalizeTurn, Heard, Input, Session, StreamConfig
from services.asr.transcript import (
    EagerEndOfTurn,
    EndOfTurn,
    Partial,
    SpeechStarted,
    TurnEvent,
    TurnResumed,
)
from services.asr.vad import FRAME
from services.runtime.batching import Priority, Scheduled
from services.runtime.errors import InvalidField, Overloaded

ENDPOINTING = EndpointingConfig(min_silence=8, max_silence=19)
FRAME_SECONDS = FRAME / SAMPLE_RATE
WORD_SECONDS = 0.5


def hear(window: Window) -> Hypothesis:
    if not len(window.samples):
        return Hypothesis("")
    first, last = float(window.samples[0]), float(window.samples[-1])
    heard = []
    number = int(first / WORD_SECONDS + 0.999)
    while (number + 1) * WORD_SECONDS <= last + 1e-3:
        start = number * WORD_SECONDS - first
        heard.append(HypothesisWord(f" w{number}x", start, start + 0.4, 0.9))
        number += 1
    text = "".join(word.text for word in heard)
    words = tuple(heard) if window.word_offsets else ()
    return Hypothesis(text, words, "en", 0.9, 0.9)


@dataclass
class Model:
    """Decodes with `hear`; counts windows and how many run at once."""

    windows: list[Window] = field(default_factory=list)
    running: int = 0
    most: int = 0
    error: Exception | None = None

    async def __call__(
        self,
        window: Window,
        *,
        priority: Priority = Priority.INTERACTIVE,
        patience: float | None = None,
        ticket: Ticket | None = None,
    ) -> Scheduled[Hypothesis]:
        if ticket:
            ticket.started = True
        self.windows.append(window)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        if self.error and patience is None:
            raise self.error
        return Scheduled(hear(window), 0.001, 0.002, 1)


Piece = tuple[bool, int] | None
"""Frames of speech or of silence; None finalizes."""


async def feed(pieces: Sequence[Piece], message: int = 2) -> AsyncGenerator[Input, None]:
    position = 0
    for piece in pieces:
        if piece is None:
            yield FinalizeTurn()
            continue
        speech, frames = piece
        while frames > 0:
            count = min(message, frames)
            frames -= count
            samples = np.arange(position, position + count * FRAME, dtype=np.float32)
            samples /= np.float32(SAMPLE_RATE)
            position += count * FRAME
            yield Heard(samples, np.full(count, 0.9 if speech else 0.1, dtype=np.float32))
            await asyncio.sleep(0)


async def listen(
    pieces: Sequence[Piece], model: Model | None = None, message: int = 2, **config: object
) -> list[TurnEvent]:
    chosen = StreamConfig(endpointing=ENDPOINTING, preview_interval=0.3)
    for name, value in config.items():
        object.__setattr__(chosen, name, value)
    async with Session(chosen, feed(pieces, message), model or Model()) as session:
        return [event async for event in session.events()]


def of_type(events: Sequence[TurnEvent], kind: type) -> list[object]:
    return [told.event for told in events if isinstance(told.event, kind)]


streams = st.lists(st.one_of(st.tuples(st.booleans(), st.integers(1, 60)), st.none()), max_size=12)


@settings(deadline=None, max_examples=60)
@given(streams, st.sampled_from([1, 3, 40]), st.booleans())
def test_whatever_is_said_the_events_keep_their_promises(
    pieces: list[Piece], message: int, words: bool
) -> None:
    model = Model()
    events = asyncio.run(listen(pieces, model, message, word_offsets=words))
    assert model.most <= 1
    turn, stable, eager, state = 0, "", None, "over"
    for told in events:
        match told.event:
            case SpeechStarted():
                assert state == "over"
                turn, stable, eager, state = turn + 1, "", None, "speaking"
            case Partial(now):
                assert state != "over"
                assert now.startswith(stable)
                stable = now
            case EagerEndOfTurn(transcript):
                assert state == "speaking"
                assert transcript.text.startswith(stable)
                eager, state = transcript, "eager"
            case TurnResumed():
                assert state == "eager"
                eager, state = None, "speaking"
            case EndOfTurn(transcript, _, delay, _):
                assert state != "over"
                assert eager is None or transcript == eager
                assert transcript.text.startswith(stable)
                assert delay >= 0
                assert " ".join(w.text for w in transcript.words) == (
                    transcript.text if words else ""
                )
                state = "over"
        assert told.turn == turn
    assert state == "over"


async def test_the_text_is_there_when_the_end_is_decided() -> None:
    events = await listen([(False, 20), (True, 60), (False, 40)])
    kinds = [type(told.event) for told in events]
    assert kinds.index(EagerEndOfTurn) < kinds.index(EndOfTurn)
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.reason is EndReason.SILENCE
    assert end.transcript.text == "w1x w2x w3x w4x"


async def test_nothing_is_decoded_or_told_in_silence() -> None:
    model = Model()
    assert await listen([(False, 2000)], model) == []
    assert model.windows == []


async def test_a_resumed_turn_is_told_whole() -> None:
    events = await listen([(True, 40), (False, 12), (True, 40), (False, 30)])
    kinds = [type(told.event) for told in events if not isinstance(told.event, Partial)]
    assert kinds == [SpeechStarted, EagerEndOfTurn, TurnResumed, EagerEndOfTurn, EndOfTurn]
    first, second = of_type(events, EagerEndOfTurn)
    assert isinstance(first, EagerEndOfTurn)
    assert isinstance(second, EagerEndOfTurn)
    assert second.transcript.text.startswith(first.transcript.text)
    assert len(second.transcript.text) > len(first.transcript.text)


async def test_finalize_ends_the_turn_in_the_middle_of_speech() -> None:
    events = await listen([(True, 40), None, (False, 5)])
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.reason is EndReason.FINALIZED
    assert end.transcript.text == "w0x w1x"


async def test_closing_the_stream_ends_the_turn() -> None:
    [end] = of_type(await listen([(True, 40)]), EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.reason is EndReason.STREAM_ENDED


async def test_a_single_turn_ends_the_stream() -> None:
    turns = [(True, 40), (False, 30)] * 3
    for message in (2, 500):
        events = await listen(turns, message=message, single_turn=True)
        assert len(of_type(events, EndOfTurn)) == 1
        assert len(of_type(events, SpeechStarted)) == 1


@pytest.mark.parametrize("partials", [True, False])
@pytest.mark.parametrize("message", [2, 400])
async def test_a_long_turn_is_decoded_in_windows_that_fit(partials: bool, message: int) -> None:
    model = Model()
    frames = round(90 / FRAME_SECONDS)
    events = await listen(
        [(True, frames), (False, 30)], model, message, partials=partials, word_offsets=True
    )
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert max(window.seconds for window in model.windows) <= 26
    said = end.transcript.text.split()
    assert said == [f"w{i}x" for i in range(len(said))]
    assert len(said) == 180
    starts = [word.start for word in end.transcript.words]
    assert starts == pytest.approx([i * WORD_SECONDS for i in range(180)], abs=0.01)
    assert bool(of_type(events, Partial)) == partials


async def test_fast_audio_waits_for_the_model_and_loses_nothing() -> None:
    pieces: list[Piece] = [(True, 100), (False, 25)] * 20
    events = await listen(pieces, message=3000)
    ends = of_type(events, EndOfTurn)
    assert len(ends) == 20
    assert all(isinstance(end, EndOfTurn) and end.transcript.text for end in ends)
    assert [told.turn for told in events] == sorted(told.turn for told in events)


@pytest.mark.parametrize("speech", [94, 2000], ids=["after a silence", "all of it speech"])
@pytest.mark.parametrize("silence", [1, 6, 10])
async def test_a_message_of_a_minute_that_ends_in_a_pause_holds_nothing_up(
    speech: int, silence: int
) -> None:
    async def inputs() -> AsyncGenerator[Input, None]:
        frames = np.concatenate(
            [np.full(1900, 0.1), np.full(speech, 0.9), np.full(silence, 0.1)]
        ).astype(np.float32)
        samples = np.arange(len(frames) * FRAME, dtype=np.float32) / np.float32(SAMPLE_RATE)
        yield Heard(samples, frames)
        quiet = np.full(30, 0.1, dtype=np.float32)
        yield Heard(samples[-1] + samples[: 30 * FRAME], quiet)

    async with (
        asyncio.timeout(30),
        Session(StreamConfig(ENDPOINTING), inputs(), Model()) as session,
    ):
        events = [event async for event in session.events()]
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.reason is EndReason.SILENCE
    assert end.transcript.text


async def test_a_sound_without_words_has_no_eager_end_and_an_empty_text() -> None:
    events = await listen([(True, 4), (False, 30)])
    assert [type(told.event) for told in events] == [SpeechStarted, EndOfTurn]
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert (end.transcript.text, end.transcript.language) == ("", "")


async def test_an_overloaded_model_costs_previews_first_and_then_tells() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await listen([(True, 60), (False, 30)], Model(error=Overloaded("full", 1.0)))
    assert isinstance(caught.value.exceptions[0], Overloaded)


async def test_bad_input_ends_the_stream_with_its_error() -> None:
    async def inputs() -> AsyncGenerator[Input, None]:
        async for piece in feed([(True, 10)]):
            yield piece
        raise InvalidField("config", "again")

    async with Session(StreamConfig(ENDPOINTING), inputs(), Model()) as session:
        with pytest.raises(ExceptionGroup) as caught:
            async for _ in session.events():
                pass
    assert isinstance(caught.value.exceptions[0], InvalidField)


async def test_leaving_early_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    closed = asyncio.Event()

    async def inputs() -> AsyncGenerator[Input, None]:
        try:
            async for piece in feed([(True, 30)]):
                yield piece
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with Session(StreamConfig(ENDPOINTING), inputs(), Model()) as session:
        async for _ in session.events():
            break
    assert closed.is_set()
    assert asyncio.all_tasks() == before
