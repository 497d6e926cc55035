"""Records, events and reports as messages of the contract, and requests as values."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from viva.interview.v1 import interview_pb2, question_pb2, report_pb2
from viva.serving.v1 import serving_pb2

from services.interview import events as e
from services.interview.questions.bank import Question
from services.interview.record import (
    Category,
    Difficulty,
    Interview,
    InterviewSettings,
    SpokenWord,
    Turn,
)
from services.interview.reports.report import (
    DimensionScore,
    Evidence,
    KeyPointResult,
    QuestionResult,
    Report,
)
from services.runtime.stats import duration


def settings_from(message: interview_pb2.InterviewSettings) -> InterviewSettings:
    """How an interview is to be held, defaults filled in."""
    default = InterviewSettings()
    return InterviewSettings(
        language=message.language or default.language,
        rounds=message.rounds or default.rounds,
        follow_ups=message.follow_ups if message.HasField("follow_ups") else default.follow_ups,
        categories=tuple(Category(category) for category in message.categories),
        job_title=message.job_title or None,
        topics=tuple(message.topics),
        candidate_name=message.candidate_name or None,
        voice=message.voice or None,
        question_ids=tuple(message.question_ids),
        difficulty=Difficulty(message.difficulty) if message.difficulty else None,
    )


def _settings(settings: InterviewSettings) -> interview_pb2.InterviewSettings:
    return interview_pb2.InterviewSettings(
        language=settings.language,
        rounds=settings.rounds,
        follow_ups=settings.follow_ups,
        categories=[report_pb2.QuestionCategory.ValueType(c) for c in settings.categories],
        job_title=settings.job_title,
        topics=settings.topics,
        candidate_name=settings.candidate_name,
        voice=settings.voice,
        question_ids=settings.question_ids,
        difficulty=report_pb2.Difficulty.ValueType(settings.difficulty or 0),
    )


def interview(record: Interview, *, with_turns: bool = True) -> interview_pb2.Interview:
    """An interview."""
    return interview_pb2.Interview(
        id=record.id,
        state=interview_pb2.InterviewState.ValueType(record.state),
        settings=_settings(record.settings),
        round=record.round,
        phase=interview_pb2.Phase.ValueType(record.phase),
        create_time=_timestamp(record.created),
        start_time=_timestamp(record.started),
        end_time=_timestamp(record.ended),
        turns=[turn(kept) for kept in record.turns] if with_turns else [],
        last_seq=record.last_seq,
    )


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def turn(record: Turn) -> report_pb2.Turn:
    """A turn."""
    return report_pb2.Turn(
        id=record.id,
        speaker=report_pb2.Speaker.ValueType(record.speaker),
        text=record.text,
        start=duration(record.start),
        end=duration(record.end),
        words=[
            report_pb2.TurnWord(
                text=word.text,
                start=duration(word.start),
                end=duration(word.end),
                confidence=word.confidence,
            )
            for word in record.words
        ],
        round=record.round,
        question_id=record.question_id,
        typed=record.typed,
    )


def question(record: Question) -> question_pb2.Question:
    """A question of the bank."""
    return question_pb2.Question(
        id=record.id,
        text=record.text,
        category=report_pb2.QuestionCategory.ValueType(record.category),
        difficulty=report_pb2.Difficulty.ValueType(record.difficulty),
        tags=record.tags,
        key_points=record.key_points,
        follow_ups=record.follow_ups,
        language=record.language,
    )


def audio_format_from(message: serving_pb2.AudioFormat) -> e.AudioFormat:
    """A shape of raw samples."""
    return e.AudioFormat(
        encoding=e.Encoding(message.encoding or e.Encoding.PCM_S16LE),
        sample_rate_hz=message.sample_rate_hz or None,
        channels=message.channels or 1,
    )


def _audio_format(shape: e.AudioFormat | None) -> serving_pb2.AudioFormat | None:
    if shape is None:
        return None
    return serving_pb2.AudioFormat(
        encoding=serving_pb2.AudioEncoding.ValueType(shape.encoding),
        sample_rate_hz=shape.sample_rate_hz,
        channels=shape.channels,
    )


def event(entry: e.Entry) -> interview_pb2.InterviewEvent:
    """An event with its number and time."""
    message = _event(entry.event)
    message.seq = entry.seq
    message.at.CopyFrom(duration(entry.at))
    return message


def _event(happened: e.Event) -> interview_pb2.InterviewEvent:
    match happened:
        case (
            e.UtteranceStarted()
            | e.InterviewerText()
            | e.InterviewerAudio()
            | e.UtteranceEnded()
            | e.PlaybackControl()
        ):
            return _interviewer_event(happened)
        case e.CandidateSpeechStarted() | e.CandidatePartial() | e.CandidateTurn():
            return _candidate_event(happened)
        case e.StateChanged():
            return interview_pb2.InterviewEvent(
                state_changed=interview_pb2.StateChanged(
                    state=interview_pb2.InterviewState.ValueType(happened.state),
                    phase=interview_pb2.Phase.ValueType(happened.phase),
                    round=happened.round,
                )
            )
        case e.ServiceDegraded():
            return interview_pb2.InterviewEvent(
                degraded=interview_pb2.ServiceDegraded(
                    service=happened.service,
                    recovered=happened.recovered,
                    message=happened.message,
                    remedy=interview_pb2.Remedy.ValueType(happened.remedy),
                )
            )
        case e.TurnTimings():
            return interview_pb2.InterviewEvent(timings=_timings(happened))
        case e.ReportReady():
            ready = interview_pb2.ReportReady(report=report(happened.report))
            return interview_pb2.InterviewEvent(report_ready=ready)


def _candidate_event(
    happened: e.CandidateSpeechStarted | e.CandidatePartial | e.CandidateTurn,
) -> interview_pb2.InterviewEvent:
    match happened:
        case e.CandidateSpeechStarted():
            started = interview_pb2.CandidateSpeechStarted(start=duration(happened.start))
            return interview_pb2.InterviewEvent(speech_started=started)
        case e.CandidatePartial():
            partial = interview_pb2.CandidatePartial(
                stable=happened.stable, unstable=happened.unstable
            )
            return interview_pb2.InterviewEvent(partial=partial)
        case e.CandidateTurn():
            over = interview_pb2.CandidateTurn(turn=turn(happened.turn))
            return interview_pb2.InterviewEvent(candidate_turn=over)


def _interviewer_event(
    happened: e.UtteranceStarted
    | e.InterviewerText
    | e.InterviewerAudio
    | e.UtteranceEnded
    | e.PlaybackControl,
) -> interview_pb2.InterviewEvent:
    name = happened.utterance_id
    match happened:
        case e.UtteranceStarted():
            return interview_pb2.InterviewEvent(
                utterance_started=interview_pb2.InterviewerUtteranceStarted(
                    utterance_id=name,
                    format=_audio_format(happened.format),
                    phase=interview_pb2.Phase.ValueType(happened.phase),
                )
            )
        case e.InterviewerText():
            text = interview_pb2.InterviewerText(utterance_id=name, text=happened.text)
            return interview_pb2.InterviewEvent(text=text)
        case e.InterviewerAudio():
            return interview_pb2.InterviewEvent(
                audio=interview_pb2.InterviewerAudio(
                    utterance_id=name,
                    offset=duration(happened.offset),
                    audio=happened.audio,
                    words=[_spoken_word(word) for word in happened.words],
                )
            )
        case e.UtteranceEnded():
            return interview_pb2.InterviewEvent(
                utterance_ended=interview_pb2.InterviewerUtteranceEnded(
                    utterance_id=name, turn=turn(happened.turn), interrupted=happened.interrupted
                )
            )
        case e.PlaybackControl():
            action = interview_pb2.PlaybackControl.Action.ValueType(happened.action)
            control = interview_pb2.PlaybackControl(utterance_id=name, action=action)
            return interview_pb2.InterviewEvent(playback_control=control)


def _spoken_word(word: SpokenWord) -> interview_pb2.SpokenWord:
    return interview_pb2.SpokenWord(
        text=word.text, start=duration(word.start), end=duration(word.end)
    )


def _timings(timings: e.TurnTimings) -> interview_pb2.TurnTimings:
    message = interview_pb2.TurnTimings(
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


def report(made: Report) -> report_pb2.Report:
    """A report."""
    return report_pb2.Report(
        interview_id=made.interview_id,
        overall_score=made.overall_score,
        dimensions=[_dimension(dimension) for dimension in made.dimensions],
        questions=[_result(result) for result in made.questions],
        strengths=made.strengths,
        weaknesses=made.weaknesses,
        suggestions=made.suggestions,
        basis=report_pb2.ScoringBasis.ValueType(made.basis),
        summary=made.summary,
        duration=duration(made.duration),
    )


def _evidence(evidence: Evidence) -> report_pb2.Evidence:
    return report_pb2.Evidence(
        turn_id=evidence.turn_id,
        start=duration(evidence.start),
        end=duration(evidence.end),
        quote=evidence.quote,
    )


def _dimension(dimension: DimensionScore) -> report_pb2.DimensionScore:
    return report_pb2.DimensionScore(
        name=dimension.name,
        score=dimension.score,
        rationale=dimension.rationale,
        evidence=[_evidence(evidence) for evidence in dimension.evidence],
    )


def _key_point(point: KeyPointResult) -> report_pb2.KeyPointResult:
    return report_pb2.KeyPointResult(
        key_point=point.key_point,
        coverage=point.coverage,
        covered=point.covered,
        evidence=_evidence(point.evidence) if point.evidence else None,
    )


def _result(result: QuestionResult) -> report_pb2.QuestionResult:
    return report_pb2.QuestionResult(
        question_id=result.question_id,
        round=result.round,
        question=result.question,
        category=report_pb2.QuestionCategory.ValueType(result.category),
        score=result.score,
        key_points=[_key_point(point) for point in result.key_points],
        dimensions=[_dimension(dimension) for dimension in result.dimensions],
        turn_ids=result.turn_ids,
    )
