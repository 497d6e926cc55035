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
    SpeechStarted,
    TurnResumed,
)

CONFIG = EndpointingConfig(min_silence=4, max_silence=9, max_turn=60)
SPEECH, SILENCE = 0.9, 0.05

probabilities = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0]), st.integers(1, 12)), max_size=40
).map(lambda runs: [value for value, length in runs for _ in range(length)])
configs = st.builds(
    lambda low, more, longest, onset: EndpointingConfig(
        min_silence=low, max_silence=low + more, max_turn=longest, onset=onset
    ),
    st.integers(1, 10),
    st.integers(0, 10),
    st.integers(5, 80),
    st.integers(1, 4),
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
        ("speaking", EagerEndOfTurn): "eager",
        ("eager", TurnResumed): "speaking",
        ("speaking", EndOfTurn): "idle",
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
