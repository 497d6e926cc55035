"""Interviews, turns and questions as messages of the contract, and settings as values."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from viva.interview.v1 import interview_pb2, question_pb2, turn_pb2

from services.interview.questions.bank import Question
from services.interview.record import (
    Category,
    Difficulty,
    Failure,
    Interview,
    InterviewSettings,
    Patience,
    Turn,
)
from services.runtime.errors import DOMAIN
from services.runtime.stats import duration


def settings_from(message: interview_pb2.InterviewSettings) -> InterviewSettings:
    """How an interview is to be held, defaults filled in."""
    default = InterviewSettings()

    def optional(name: str) -> str | None:
        return getattr(message, name) if message.HasField(name) else None  # type: ignore[arg-type]

    return InterviewSettings(
        language=message.language or default.language,
        rounds=message.rounds if message.HasField("rounds") else default.rounds,
        follow_ups=message.follow_ups if message.HasField("follow_ups") else default.follow_ups,
        categories=tuple(Category(category) for category in message.categories),
        job_title=optional("job_title"),
        topics=tuple(message.topics),
        candidate_name=optional("candidate_name"),
        voice=optional("voice"),
        question_ids=tuple(message.question_ids),
        difficulty=Difficulty(message.difficulty) if message.difficulty else None,
        persona=message.persona or default.persona,
        patience=Patience(message.patience or Patience.NORMAL),
    )


def _settings(settings: InterviewSettings) -> interview_pb2.InterviewSettings:
    return interview_pb2.InterviewSettings(
        language=settings.language,
        rounds=settings.rounds,
        follow_ups=settings.follow_ups,
        categories=[question_pb2.QuestionCategory.ValueType(c) for c in settings.categories],
        job_title=settings.job_title,
        topics=settings.topics,
        candidate_name=settings.candidate_name,
        voice=settings.voice,
        question_ids=settings.question_ids,
        difficulty=question_pb2.Difficulty.ValueType(settings.difficulty or 0),
        persona=settings.persona,
        patience=interview_pb2.Patience.ValueType(settings.patience),
    )


def interview(record: Interview, turn_count: int) -> interview_pb2.Interview:
    """An interview, without its turns, of which there are so many."""
    return interview_pb2.Interview(
        id=record.id,
        state=interview_pb2.InterviewState.ValueType(record.state),
        settings=_settings(record.settings),
        round=record.round or None,
        phase=interview_pb2.Phase.ValueType(record.phase),
        create_time=_timestamp(record.created),
        start_time=_timestamp(record.started),
        end_time=_timestamp(record.ended),
        turn_count=turn_count,
        overall_score=record.overall_score,
        failure=_failure(record.failure),
        mode=interview_pb2.Mode.ValueType(record.settings.mode),
    )


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _failure(failure: Failure | None) -> status_pb2.Status | None:
    if failure is None:
        return None
    status = status_pb2.Status(code=failure.code, message=failure.message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=failure.reason, domain=DOMAIN))
    return status


def turn(record: Turn) -> turn_pb2.Turn:
    """A turn."""
    return turn_pb2.Turn(
        id=record.id,
        speaker=turn_pb2.Speaker.ValueType(record.speaker),
        text=record.text,
        start=duration(record.start),
        end=duration(record.end),
        words=[
            turn_pb2.TurnWord(
                text=word.text,
                start=duration(word.start),
                end=duration(word.end),
                confidence=word.confidence,
            )
            for word in record.words
        ],
        round=record.round or None,
        question_id=record.question_id or None,
        typed=record.typed,
    )


def question(record: Question) -> question_pb2.Question:
    """A question of the bank."""
    return question_pb2.Question(
        id=record.id,
        text=record.text,
        category=question_pb2.QuestionCategory.ValueType(record.category),
        difficulty=question_pb2.Difficulty.ValueType(record.difficulty),
        tags=record.tags,
        key_points=record.key_points,
        follow_ups=record.follow_ups,
        language=record.language,
    )
