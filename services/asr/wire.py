"""The domain's transcripts and events as messages of `viva.asr.v1`."""

from __future__ import annotations

from collections.abc import Sequence

from viva.asr.v1 import asr_pb2
from viva.serving.v1 import serving_pb2

from services.asr import transcript
from services.asr.endpointing import EndReason
from services.asr.recognition import Recognised
from services.asr.tags import NamedLanguages
from services.asr.transcript import Cost, TimedWord, TurnEvent
from services.runtime.stats import duration, stats

_REASONS = {
    EndReason.SILENCE: asr_pb2.END_REASON_SILENCE,
    EndReason.FINALIZED: asr_pb2.END_REASON_FINALIZED,
    EndReason.STREAM_ENDED: asr_pb2.END_REASON_STREAM_ENDED,
    EndReason.MAX_TURN: asr_pb2.END_REASON_MAX_TURN,
}


def recognised_response(
    recognised: Recognised, model: str, languages: NamedLanguages
) -> asr_pb2.RecognizeResponse:
    """The answer about a whole recording."""
    return asr_pb2.RecognizeResponse(
        text=recognised.text,
        segments=[
            asr_pb2.Segment(
                text=segment.text,
                start=duration(segment.start),
                end=duration(segment.end),
                confidence=segment.confidence,
                words=_words(segment.words),
            )
            for segment in recognised.segments
        ],
        language=languages.tag(recognised.language),
        language_confidence=recognised.language_confidence,
        duration=duration(recognised.seconds),
        stats=_stats(model, recognised.cost),
    )


def event_response(
    told: TurnEvent, model: str, languages: NamedLanguages
) -> asr_pb2.StreamingRecognizeResponse:
    """An event of a stream."""
    response = asr_pb2.StreamingRecognizeResponse(turn=told.turn)
    match told.event:
        case transcript.SpeechStarted(start):
            response.speech_started.start.CopyFrom(duration(start))
        case transcript.Partial():
            response.partial.CopyFrom(_partial(told.event, languages))
        case transcript.Pause(silence, speech_end, completion):
            response.pause.CopyFrom(
                asr_pb2.Pause(
                    silence=duration(silence),
                    speech_end=duration(speech_end),
                    completion_probability=completion,
                )
            )
        case transcript.EagerEndOfTurn(said):
            response.eager_end_of_turn.CopyFrom(
                asr_pb2.EagerEndOfTurn(
                    text=said.text,
                    words=_words(said.words),
                    language=languages.tag(said.language),
                    confidence=said.confidence,
                    start=duration(said.start),
                    end=duration(said.end),
                )
            )
        case transcript.TurnResumed(start):
            response.turn_resumed.start.CopyFrom(duration(start))
        case transcript.EndOfTurn():
            response.end_of_turn.CopyFrom(_end_of_turn(told.event, model, languages))
        case transcript.Finalized(turn_ended):
            response.finalized.CopyFrom(asr_pb2.Finalized(turn_ended=turn_ended))
    return response


def _partial(partial: transcript.Partial, languages: NamedLanguages) -> asr_pb2.Partial:
    return asr_pb2.Partial(
        stable=partial.stable,
        unstable=partial.unstable,
        heard=duration(partial.heard),
        stable_words=_words(partial.words),
        language=languages.tag(partial.language) if partial.language else None,
    )


def _end_of_turn(
    end: transcript.EndOfTurn, model: str, languages: NamedLanguages
) -> asr_pb2.EndOfTurn:
    said = end.transcript
    return asr_pb2.EndOfTurn(
        text=said.text,
        words=_words(said.words),
        language=languages.tag(said.language),
        language_confidence=said.language_confidence,
        confidence=said.confidence,
        start=duration(said.start),
        end=duration(said.end),
        reason=_REASONS[end.reason],
        finalization=duration(end.finalization),
        stats=_stats(model, end.cost),
    )


def _words(words: Sequence[TimedWord]) -> list[asr_pb2.Word]:
    return [
        asr_pb2.Word(
            text=word.text,
            start=duration(word.start),
            end=duration(word.end),
            confidence=word.confidence,
        )
        for word in words
    ]


def _stats(model: str, cost: Cost) -> serving_pb2.Stats:
    return stats(
        model,
        queue_time=cost.queue_time,
        compute_time=cost.compute_time,
        batch_size=cost.batch_size,
    )
