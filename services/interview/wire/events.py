"""Events of a live interview as messages of the contract, and audio's shape as a value."""

from __future__ import annotations

from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import interview_pb2
from viva.serving.v1 import serving_pb2

from services.interview import events as e
from services.interview.wire.records import turn
from services.interview.wire.reports import report
from services.runtime.stats import duration


def audio_format_from(message: serving_pb2.AudioFormat) -> e.AudioFormat:
    """A shape of raw samples."""
    return e.AudioFormat(
        encoding=e.Encoding(message.encoding or e.Encoding.PCM_S16LE),
        sample_rate_hz=message.sample_rate_hz if message.HasField("sample_rate_hz") else None,
        channels=message.channels if message.HasField("channels") else 1,
    )


def audio_format(shape: e.AudioFormat) -> serving_pb2.AudioFormat:
    """The shape as a message."""
    return serving_pb2.AudioFormat(
        encoding=serving_pb2.AudioEncoding.ValueType(shape.encoding),
        sample_rate_hz=shape.sample_rate_hz,
        channels=shape.channels,
    )


def event(entry: e.Entry, resume_token: str) -> pb.InterviewEvent:
    """An event with its number, its time and what a client joins again with after it."""
    message = _event(entry.event)
    message.seq = entry.seq
    message.at.CopyFrom(duration(entry.at))
    message.resume_token = resume_token
    return message


def _event(happened: e.Event) -> pb.InterviewEvent:
    match happened:
        case (
            e.UtteranceStarted()
            | e.InterviewerText()
            | e.InterviewerAudio()
            | e.UtteranceEnded()
            | e.PlaybackControl()
        ):
            return _interviewer_event(happened)
        case e.StateChanged() | e.ServiceDegraded() | e.TurnTimings() | e.ReportReady():
            return _state_event(happened)
        case _:
            return _candidate_event(happened)


def _state_event(
    happened: e.StateChanged | e.ServiceDegraded | e.TurnTimings | e.ReportReady,
) -> pb.InterviewEvent:
    match happened:
        case e.StateChanged():
            return pb.InterviewEvent(
                state_changed=pb.StateChanged(
                    state=interview_pb2.InterviewState.ValueType(happened.state),
                    phase=interview_pb2.Phase.ValueType(happened.phase),
                    round=happened.round or None,
                )
            )
        case e.ServiceDegraded():
            return pb.InterviewEvent(
                degraded=pb.ServiceDegraded(
                    service=happened.service,
                    recovered=happened.recovered,
                    message=happened.message,
                    remedy=pb.Remedy.ValueType(happened.remedy),
                )
            )
        case e.TurnTimings():
            return pb.InterviewEvent(timings=_timings(happened))
        case e.ReportReady():
            return pb.InterviewEvent(report_ready=pb.ReportReady(report=report(happened.report)))


def _candidate_event(happened: e.CandidateEvent) -> pb.InterviewEvent:
    match happened:
        case e.CandidateSpeechStarted():
            started = pb.CandidateSpeechStarted(start=duration(happened.start))
            return pb.InterviewEvent(speech_started=started)
        case e.CandidatePartial():
            partial = pb.CandidatePartial(stable=happened.stable, unstable=happened.unstable)
            return pb.InterviewEvent(partial=partial)
        case e.CandidateTurn():
            return pb.InterviewEvent(candidate_turn=pb.CandidateTurn(turn=turn(happened.turn)))
        case e.CandidateTurnReopened():
            return pb.InterviewEvent(
                turn_reopened=pb.CandidateTurnReopened(turn_id=happened.turn_id)
            )
        case e.TurnHeld():
            until = None if happened.until is None else duration(happened.until)
            return pb.InterviewEvent(turn_held=pb.TurnHeld(until=until))
        case e.AudioReceived():
            taken = pb.AudioReceived(offset=duration(happened.offset), message=happened.message)
            if happened.received is not None:
                taken.received.CopyFrom(duration(happened.received))
            return pb.InterviewEvent(audio_received=taken)


def _interviewer_event(
    happened: e.UtteranceStarted
    | e.InterviewerText
    | e.InterviewerAudio
    | e.UtteranceEnded
    | e.PlaybackControl,
) -> pb.InterviewEvent:
    name = happened.utterance_id
    match happened:
        case e.UtteranceStarted():
            return pb.InterviewEvent(
                utterance_started=pb.InterviewerUtteranceStarted(
                    utterance_id=name,
                    format=None if happened.format is None else audio_format(happened.format),
                    phase=interview_pb2.Phase.ValueType(happened.phase),
                )
            )
        case e.InterviewerText():
            return pb.InterviewEvent(text=pb.InterviewerText(utterance_id=name, text=happened.text))
        case e.InterviewerAudio():
            return pb.InterviewEvent(
                audio=pb.InterviewerAudio(
                    utterance_id=name,
                    offset=duration(happened.offset),
                    audio=happened.audio,
                    words=[
                        pb.SpokenWord(
                            text=word.text, start=duration(word.start), end=duration(word.end)
                        )
                        for word in happened.words
                    ],
                )
            )
        case e.UtteranceEnded():
            return pb.InterviewEvent(
                utterance_ended=pb.InterviewerUtteranceEnded(
                    utterance_id=name, turn=turn(happened.turn), interrupted=happened.interrupted
                )
            )
        case e.PlaybackControl():
            action = pb.PlaybackControl.Action.ValueType(happened.action)
            control = pb.PlaybackControl(utterance_id=name, action=action)
            return pb.InterviewEvent(playback_control=control)


def _timings(timings: e.TurnTimings) -> pb.TurnTimings:
    message = pb.TurnTimings(
        turn_id=timings.turn_id,
        speech_end=duration(timings.speech_end),
        prepared_eagerly=timings.prepared_eagerly,
    )
    optional = {
        "eager_end_of_turn": timings.eager_end_of_turn,
        "end_of_turn": timings.end_of_turn,
        "asr_final": timings.asr_final,
        "llm_first_token": timings.llm_first_token,
        "first_phrase": timings.first_phrase,
        "first_audio": timings.first_audio,
    }
    for name, value in optional.items():
        if value is not None:
            getattr(message, name).CopyFrom(duration(value))
    return message
