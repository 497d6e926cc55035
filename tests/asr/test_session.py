"""One live stream, with a model that hears exactly which half seconds it was given.

The audio of these tests is its own clock: sample n has the value n / RATE, so the model in `hear`
says which half seconds of the stream a window holds, as words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.asr.decoding import Ticket
from services.asr.endpointing import EndpointingConfig, EndReason
from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, HypothesisWord, Window
from services.asr.margins import PRE_ROLL
from services.asr.session import Complete, Session, StreamConfig
from services.asr.stream_input import ChangeEndpointing, FinalizeTurn, Heard, Input
from services.asr.transcript import (
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Finalized,
    Partial,
    Pause,
    SpeechStarted,
    TurnEvent,
    TurnResumed,
)
from services.asr.vad import FRAME
from services.runtime.batching import Priority, Scheduled
from services.runtime.draining import until_finished
from services.runtime.errors import (
    DeadlineExpired,
    DeadlineTooShort,
    Draining,
    InvalidField,
    Overloaded,
)
from services.runtime.request import Request, set_current_request
from tests.runtime.virtual_time import run

ENDPOINTING = EndpointingConfig(min_silence=8, max_silence=19)
FRAME_SECONDS = FRAME / SAMPLE_RATE
WORD_SECONDS = 0.5


def hear(window: Window) -> Hypothesis:
    if not len(window.samples):
        return Hypothesis("")
    last = float(window.samples[-1])
    # Below 0 where the window holds the quiet before the stream.
    first = last - (len(window.samples) - 1) / SAMPLE_RATE
    heard = []
    number = int(first / WORD_SECONDS + 0.999)
    while (number + 1) * WORD_SECONDS <= last + 1e-3:
        start = number * WORD_SECONDS - first
        heard.append(HypothesisWord(f" w{number}x", start, start + 0.4, 0.9))
        number += 1
    text = "".join(word.text for word in heard)
    words = tuple(heard) if window.word_offsets else ()
    return Hypothesis(text, words, "en", 0.99, 0.9)


@dataclass
class Model:
    """Decodes with `hear`; counts windows and how many run at once.

    `fails` says what goes wrong with the nth decode, counted by class; `stuck` whether it waits for
    the model for ever.
    """

    windows: list[Window] = field(default_factory=list)
    classes: list[Priority] = field(default_factory=list)
    patience: list[float | None] = field(default_factory=list)
    running: int = 0
    most: int = 0
    fails: Callable[[Priority, int], Exception | None] = lambda _priority, _number: None
    stuck: Callable[[Priority, int], bool] = lambda _priority, _number: False
    withdrawn: int = 0

    async def __call__(
        self,
        window: Window,
        *,
        priority: Priority = Priority.INTERACTIVE,
        patience: float | None = None,
        ticket: Ticket | None = None,
    ) -> Scheduled[Hypothesis]:
        self.windows.append(window)
        self.classes.append(priority)
        self.patience.append(patience)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.stuck(priority, self.classes.count(priority)):
                await asyncio.Event().wait()
            if ticket:
                ticket.started = True
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.withdrawn += 1
            raise
        finally:
            self.running -= 1
        if error := self.fails(priority, self.classes.count(priority)):
            raise error
        return Scheduled(hear(window), 0.001, 0.0, 1)


Piece = tuple[bool, int] | EndpointingConfig | None
"""Frames of speech or of silence; None finalizes, a config changes the endpointing."""


async def feed(pieces: Sequence[Piece], message: int = 2) -> AsyncGenerator[Input, None]:
    position = 0
    for piece in pieces:
        if piece is None:
            yield FinalizeTurn()
            continue
        if isinstance(piece, EndpointingConfig):
            yield ChangeEndpointing(piece)
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
    pieces: Sequence[Piece],
    model: Model | None = None,
    message: int = 2,
    complete: Complete | None = None,
    **config: object,
) -> list[TurnEvent]:
    chosen = StreamConfig(endpointing=ENDPOINTING, preview_interval=0.3)
    for name, value in config.items():
        object.__setattr__(chosen, name, value)
    async with Session(chosen, feed(pieces, message), model or Model(), complete) as session:
        return [event async for event in session.events()]


def of_type(events: Sequence[TurnEvent], kind: type) -> list[object]:
    return [told.event for told in events if isinstance(told.event, kind)]


PAUSES = EndpointingConfig(min_silence=8, max_silence=19, pause=6)
BRISK = EndpointingConfig(min_silence=3, max_silence=5)

streams = st.lists(
    st.one_of(
        st.tuples(st.booleans(), st.integers(1, 60)), st.none(), st.sampled_from([PAUSES, BRISK])
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=80)
@given(streams, st.sampled_from([1, 3, 40]), st.booleans(), st.sampled_from([ENDPOINTING, PAUSES]))
def test_whatever_is_said_the_events_keep_their_promises(
    pieces: list[Piece], message: int, words: bool, config: EndpointingConfig
) -> None:
    model = Model()
    events = asyncio.run(listen(pieces, model, message, word_offsets=words, endpointing=config))
    assert model.most <= 1
    turn, stable, eager, paused, state = 0, "", None, False, "over"
    finalized = 0
    for told in events:
        match told.event:
            case SpeechStarted():
                assert state == "over"
                turn, stable, eager, paused, state = turn + 1, "", None, False, "speaking"
            case Partial(now, _, _, stable_words):
                assert state != "over"
                assert now.startswith(stable)
                stable = now
                assert " ".join(w.text for w in stable_words) == (now if words else "")
            case Pause(silence, speech_end, completion):
                assert state != "over"
                assert silence > 0
                assert speech_end > 0
                assert completion is None
                paused = True
            case EagerEndOfTurn(transcript):
                assert state == "speaking"
                assert transcript.text.startswith(stable)
                eager, state = transcript, "eager"
            case TurnResumed():
                assert state == "eager" or paused
                eager, paused, state = None, False, "speaking"
            case EndOfTurn(transcript, _, delay, _):
                assert state != "over"
                assert eager is None or transcript == eager
                assert transcript.text.startswith(stable)
                assert delay >= 0
                assert " ".join(w.text for w in transcript.words) == (
                    transcript.text if words else ""
                )
                state = "over"
            case Finalized(turn_ended):
                assert state == "over"
                assert told.turn == (turn if turn_ended else None)
                finalized += 1
                continue
        assert told.turn == turn
    assert state == "over"
    assert finalized == pieces.count(None)


async def test_the_text_is_there_when_the_end_is_decided() -> None:
    events = await listen([(False, 20), (True, 60), (False, 40)])
    kinds = [type(told.event) for told in events]
    assert kinds.index(EagerEndOfTurn) < kinds.index(EndOfTurn)
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.reason is EndReason.SILENCE
    assert end.transcript.text == "w1x w2x w3x w4x"


async def test_a_stream_that_begins_with_speech_is_decoded_with_the_quiet_before_it() -> None:
    model = Model()
    [end] = of_type(await listen([(True, 60), (False, 30)], model, word_offsets=True), EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.transcript.start == 0
    assert [word.start for word in end.transcript.words] == pytest.approx(
        [0, 0.5, 1, 1.5], abs=0.01
    )
    for window in model.windows:
        assert not window.samples[:PRE_ROLL].any()
        assert window.samples[PRE_ROLL + 1] == pytest.approx(1 / SAMPLE_RATE)


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
    numbers = [told.turn or 0 for told in events]
    assert numbers == sorted(numbers)


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


TURN: list[Piece] = [(True, 60), (False, 30)]


def broken(*classes: Priority, first: int = 10**9) -> Callable[[Priority, int], Exception | None]:
    """The first decodes of these classes fail, refused and gone wrong in turn."""

    def fails(priority: Priority, number: int) -> Exception | None:
        if priority not in classes or number > first:
            return None
        return Overloaded("full", 0.01) if number % 2 else RuntimeError("CUDA says no")

    return fails


async def test_previews_that_fail_cost_the_stream_nothing_but_themselves() -> None:
    model = Model(fails=broken(Priority.PREVIEW))
    events = await listen(TURN, model)
    assert Priority.PREVIEW in model.classes
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.transcript.text == "w0x w1x w2x w3x"


async def test_a_failed_final_is_tried_again_before_it_is_told() -> None:
    pieces: list[Piece] = [(True, 60), None]
    model = Model(fails=broken(Priority.INTERACTIVE, first=2))
    [end] = of_type(await listen(pieces, model), EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.transcript.text == "w0x w1x w2x"

    with pytest.raises(ExceptionGroup) as caught:
        await listen(pieces, Model(fails=broken(Priority.INTERACTIVE)))
    assert isinstance(caught.value.exceptions[0], Overloaded)


async def test_a_final_whose_deadline_was_too_short_gets_a_longer_one() -> None:
    def slow(priority: Priority, number: int) -> Exception | None:
        if priority is Priority.PREVIEW or number > 2:
            return None
        return DeadlineTooShort(30.0, 10.0) if number == 1 else DeadlineExpired()

    model = Model(fails=slow)
    assert of_type(await listen([(True, 20), None], model), EndOfTurn)
    assert model.patience[-3:] == [10.0, 60.0, 120.0]


async def test_finals_go_before_previews() -> None:
    model = Model()
    await listen([*TURN, (True, 60), None], model)
    for window, priority, patience in zip(
        model.windows, model.classes, model.patience, strict=True
    ):
        assert patience is not None
        if not (window.final or window.word_offsets):
            assert priority is Priority.PREVIEW
    assert model.classes[-1] is Priority.INTERACTIVE


async def test_a_preview_that_waits_gives_way_to_the_final() -> None:
    model = Model(stuck=lambda priority, _: priority is Priority.PREVIEW)
    async with asyncio.timeout(10):
        events = await listen(TURN, model)
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.transcript.text == "w0x w1x w2x w3x"
    assert model.withdrawn >= 1
    assert model.most == 1


async def test_the_text_of_a_pause_that_is_over_is_not_waited_for() -> None:
    model = Model(stuck=lambda priority, n: priority is Priority.INTERACTIVE and n == 1)
    hasty = EndpointingConfig(min_silence=3, max_silence=19)
    pieces: list[Piece] = [(True, 40), (False, 12), (True, 60), None]
    async with asyncio.timeout(30):
        events = await listen(pieces, model, endpointing=hasty, partials=False)
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.transcript.text
    assert model.withdrawn == 1


# Pauses, finalizes, endpointing in mid-stream.


async def test_pauses_are_told_with_the_probability_that_the_turn_is_complete() -> None:
    judged: list[Float32] = []

    async def complete(samples: Float32) -> float:
        judged.append(samples)
        await asyncio.sleep(0)
        return 0.25 * len(judged)

    pieces: list[Piece] = [(False, 20), (True, 300), (False, 7), (True, 30), (False, 40)]
    events = await listen(pieces, complete=complete, endpointing=PAUSES)
    told = [e for e in of_type(events, Pause) if isinstance(e, Pause)]
    assert [p.completion for p in told] == [0.25, 0.5, 0.5, 0.5]
    assert [round(p.silence / FRAME_SECONDS) for p in told] == [6, 6, 12, 18]
    assert [p.speech_end for p in told][:2] == [
        pytest.approx(320 * FRAME_SECONDS),
        pytest.approx(357 * FRAME_SECONDS),
    ]
    # The last eight seconds of the turn, the pause included, not the last stretch of speech.
    for samples, end in zip(judged, (326, 363), strict=True):
        assert samples[-1] == pytest.approx(end * FRAME_SECONDS, abs=1e-3)
        assert len(samples) == 8 * SAMPLE_RATE
    kinds = [type(e.event) for e in events if not isinstance(e.event, Partial)]
    assert kinds[:3] == [SpeechStarted, Pause, TurnResumed]


async def test_a_short_turn_is_judged_from_its_beginning() -> None:
    judged: list[Float32] = []

    async def complete(samples: Float32) -> float:
        judged.append(samples)
        return 1.0

    await listen([(False, 100), (True, 30), (False, 30)], complete=complete, endpointing=PAUSES)
    [samples] = judged
    assert samples[0] == pytest.approx(100 * FRAME_SECONDS - 0.3, abs=0.01)


async def test_every_finalize_is_answered_once() -> None:
    events = await listen([None, (True, 40), None, None, (False, 5), None])
    told = [
        (e.turn, type(e.event).__name__, getattr(e.event, "turn_ended", None))
        for e in events
        if isinstance(e.event, EndOfTurn | Finalized)
    ]
    assert told == [
        (None, "Finalized", False),
        (1, "EndOfTurn", None),
        (1, "Finalized", True),
        (None, "Finalized", False),
        (None, "Finalized", False),
    ]


async def test_a_finalize_is_answered_behind_the_final_that_is_still_awaited() -> None:
    # The turn is over by its silence, but its text is not there yet.
    model = Model(fails=broken(Priority.INTERACTIVE, Priority.PREVIEW, first=1))
    events = await listen([(True, 40), (False, 19), None], model, message=100)
    kinds = [type(e.event) for e in events]
    assert kinds[-2:] == [EndOfTurn, Finalized]


async def test_patience_can_change_while_someone_speaks() -> None:
    patient = EndpointingConfig(min_silence=60, max_silence=90)
    events = await listen([(True, 40), patient, (False, 50), (True, 20), BRISK, (False, 7)])
    [end] = of_type(events, EndOfTurn)
    assert isinstance(end, EndOfTurn)
    assert end.reason is EndReason.SILENCE
    assert of_type(events, TurnResumed) == []
    assert end.transcript.end == pytest.approx(110 * FRAME_SECONDS)


async def test_stable_words_come_with_their_times() -> None:
    events = await listen([(True, 900), (False, 30)], word_offsets=True)
    partials = [e for e in of_type(events, Partial) if isinstance(e, Partial) and e.stable]
    assert partials
    for partial in partials:
        assert partial.language == "en" or partial.heard < 3
        for word in partial.words:
            number = int(word.text[1:-1])
            assert word.start == pytest.approx(number * WORD_SECONDS, abs=0.01)


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


def test_a_server_that_drains_finishes_a_turn_that_it_could_not_tell_of_yet() -> None:
    async def main() -> list[type[Event]]:
        draining, decodable = asyncio.Event(), asyncio.Event()
        set_current_request(Request(draining=draining))

        async def decode(window: Window, **_: object) -> Scheduled[Hypothesis]:
            await decodable.wait()
            return Scheduled(hear(window), 0.0, 0.0, 1)

        async def inputs() -> AsyncGenerator[Input, None]:
            async for message in feed([(False, 10), (True, 40), (False, 40), (True, 20)]):
                yield message
            draining.set()
            await asyncio.sleep(5)
            decodable.set()
            async for message in feed([(True, 20), (False, 40)]):
                yield message
            await asyncio.Event().wait()

        told: list[type[Event]] = []
        config = StreamConfig(endpointing=ENDPOINTING, partials=False)
        async with Session(config, inputs(), decode) as session:
            with pytest.raises(Draining):
                async for event in until_finished(session.events(), lambda: session.unfinished):
                    told.append(type(event.event))  # noqa: PERF401 - an error ends it
        return told

    told = [kind for kind in run(main()) if kind in {SpeechStarted, EndOfTurn}]
    assert told == [SpeechStarted, EndOfTurn, SpeechStarted, EndOfTurn]
