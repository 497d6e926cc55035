"""The end-of-turn state machine, for every possible stream of probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.asr.endpointing import (
    Decision,
    EagerEndOfTurn,
    EndOfTurn,
    Endpointer,
    EndpointingConfig,
    EndReason,
    Pause,
    SpeechStarted,
    TurnResumed,
)

CONFIG = EndpointingConfig(min_silence=4, max_silence=9, max_turn=60)
SPEECH, SILENCE = 0.9, 0.05

probabilities = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0]), st.integers(1, 12)), max_size=40
).map(lambda runs: [value for value, length in runs for _ in range(length)])
configs = st.builds(
    lambda low, more, longest, onset, pause: EndpointingConfig(
        min_silence=low, max_silence=low + more, max_turn=longest, onset=onset, pause=pause
    ),
    st.integers(1, 10),
    st.integers(0, 10),
    st.integers(5, 80),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(1, 8)),
)


def decisions(stream: Sequence[float], config: EndpointingConfig = CONFIG) -> list[Decision]:
    endpointer = Endpointer(config)
    found = [d for probability in stream for d in endpointer.feed(probability)]
    return found + endpointer.end(EndReason.STREAM_ENDED)


@given(probabilities, configs)
def test_every_turn_is_told_in_order(stream: list[float], config: EndpointingConfig) -> None:
    state = "idle"
    allowed = {
        ("idle", SpeechStarted): "speaking",
        ("speaking", Pause): "paused",
        ("paused", Pause): "paused",
        ("eager", Pause): "eager",
        ("speaking", EagerEndOfTurn): "eager",
        ("paused", EagerEndOfTurn): "eager",
        ("paused", TurnResumed): "speaking",
        ("eager", TurnResumed): "speaking",
        ("speaking", EndOfTurn): "idle",
        ("paused", EndOfTurn): "idle",
        ("eager", EndOfTurn): "idle",
    }
    for decision in decisions(stream, config):
        assert (state, type(decision)) in allowed, (state, decision)
        state = allowed[state, type(decision)]
    assert state == "idle"


@given(probabilities, configs)
def test_times_only_go_forward(stream: list[float], config: EndpointingConfig) -> None:
    position = 0
    for decision in decisions(stream, config):
        match decision:
            case SpeechStarted(at) | TurnResumed(at):
                assert at >= position
                position = at
            case EagerEndOfTurn(end) | EndOfTurn(end, _):
                assert position <= end <= len(stream)
                position = end


@given(probabilities, configs)
def test_a_turn_ended_by_silence_ends_where_its_eager_end_was(
    stream: list[float], config: EndpointingConfig
) -> None:
    before: Decision | None = None
    for decision in decisions(stream, config):
        if isinstance(decision, Pause):
            continue
        if isinstance(decision, EndOfTurn) and decision.reason is EndReason.SILENCE:
            assert isinstance(before, EagerEndOfTurn)
            assert before.end == decision.end
        before = decision


@given(probabilities, configs)
def test_no_turn_is_longer_than_allowed(stream: list[float], config: EndpointingConfig) -> None:
    started = 0
    for decision in decisions(stream, config):
        match decision:
            case SpeechStarted(at):
                started = at
            case EndOfTurn(end, _):
                # The speech frames that show the start are told at once.
                assert end - started <= max(config.max_turn, config.onset)


def test_a_short_pause_does_not_end_the_turn() -> None:
    stream = [SPEECH] * 10 + [SILENCE] * 3 + [SPEECH] * 10
    assert decisions(stream) == [SpeechStarted(0), EndOfTurn(23, EndReason.STREAM_ENDED)]


def test_a_pause_past_the_minimum_is_eager_and_can_be_taken_back() -> None:
    stream = [SPEECH] * 10 + [SILENCE] * 6 + [SPEECH] * 5 + [SILENCE] * 9
    assert decisions(stream) == [
        SpeechStarted(0),
        EagerEndOfTurn(10),
        TurnResumed(16),
        EagerEndOfTurn(21),
        EndOfTurn(21, EndReason.SILENCE),
    ]


def test_a_click_neither_starts_a_turn_nor_ends_a_silence() -> None:
    assert decisions([SPEECH] * 2 + [SILENCE] * 20) == []
    stream = [SPEECH] * 5 + [SILENCE] * 5 + [SPEECH] * 2 + [SILENCE] * 2
    assert decisions(stream) == [
        SpeechStarted(0),
        EagerEndOfTurn(5),
        EndOfTurn(5, EndReason.SILENCE),
    ]


def test_silence_decides_nothing() -> None:
    assert decisions([SILENCE] * 1000) == []


@pytest.mark.parametrize("reason", [EndReason.FINALIZED, EndReason.STREAM_ENDED])
def test_ending_without_a_turn_does_nothing(reason: EndReason) -> None:
    assert Endpointer(CONFIG).end(reason) == []


def test_endless_speech_is_cut_into_turns() -> None:
    ends = [d for d in decisions([SPEECH] * 200) if isinstance(d, EndOfTurn)]
    assert [end.reason for end in ends[:-1]] == [EndReason.MAX_TURN] * 3
    assert [end.end for end in ends[:-1]] == [60, 120, 180]


def test_a_pause_is_told_soon_and_again_while_it_lasts() -> None:
    config = EndpointingConfig(min_silence=4, max_silence=9, max_turn=60, pause=3)
    stream = [SPEECH] * 10 + [SILENCE] * 3 + [SPEECH] * 4 + [SILENCE] * 9
    assert decisions(stream, config) == [
        SpeechStarted(0),
        Pause(10, 3),
        TurnResumed(13),
        Pause(17, 3),
        EagerEndOfTurn(17),
        Pause(17, 6),
        Pause(17, 9),
        EndOfTurn(17, EndReason.SILENCE),
    ]


def test_a_shorter_silence_asked_for_in_mid_turn_ends_it_at_once() -> None:
    endpointer = Endpointer(EndpointingConfig(min_silence=40, max_silence=90))
    for probability in [SPEECH] * 10 + [SILENCE] * 12:
        endpointer.feed(probability)
    assert endpointer.change(CONFIG) == [
        EagerEndOfTurn(10),
        EndOfTurn(10, EndReason.SILENCE),
    ]


def test_a_longer_silence_asked_for_in_mid_turn_keeps_it_open() -> None:
    endpointer = Endpointer(CONFIG)
    for probability in [SPEECH] * 10 + [SILENCE] * 8:
        endpointer.feed(probability)
    assert endpointer.change(EndpointingConfig(min_silence=40, max_silence=90)) == []
    assert [d for _ in range(60) for d in endpointer.feed(SILENCE)] == []
    assert endpointer.end(EndReason.FINALIZED) == [EndOfTurn(10, EndReason.FINALIZED)]
