"""Practice in speaking, from the choice of the tutor to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from viva.interview.v1 import interview_pb2, persona_service_pb2

from services.interview.events import InterviewerText, ReportReady
from services.interview.interviewer.asking import Context, may_be_asked, prompt
from services.interview.interviewer.personas import load_personas
from services.interview.questions.bank import load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.questions.planning import plan
from services.interview.record import Category, InterviewSettings, Mode, Phase
from services.interview.reports.report import Basis
from services.runtime.channel import outgoing
from tests.interview.calls import Wire
from tests.interview.stage import PATIENCE, FakeEmbedder, stage
from tests.refusals import fields

ANN = {"user": "ann"}
TOPICS = [question for question in load_bank() if question.category is Category.CONVERSATION]
TUTOR = "english-tutor"


async def test_the_tutor_is_listed_with_what_it_is_for(wire: Wire) -> None:
    async def modes(language: str) -> dict[str, int]:
        request = persona_service_pb2.ListPersonasRequest(language=language)
        response = await wire.personas.ListPersonas(request, **outgoing(PATIENCE, **ANN))
        return {persona.id: persona.mode for persona in response.personas}

    english = await modes("en")
    assert english.pop(TUTOR) == interview_pb2.MODE_SPEAKING_PRACTICE
    assert set(english.values()) == {interview_pb2.MODE_INTERVIEW}
    assert TUTOR not in await modes("zh")


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        ({"persona": TUTOR}, Mode.SPEAKING_PRACTICE),
        ({"persona": TUTOR, "categories": [5]}, Mode.SPEAKING_PRACTICE),
        ({}, Mode.INTERVIEW),
        ({"categories": [1, 2]}, Mode.INTERVIEW),
    ],
)
async def test_what_it_is_for_is_told(wire: Wire, settings: dict[str, Any], mode: Mode) -> None:
    made = await wire.create(**settings)
    got = await wire.get(made.id)
    assert [Mode(each.mode) for each in (made, got)] == [mode, mode]


@pytest.mark.parametrize("mode", Mode)
async def test_the_tutor_asks_about_topics_and_interviewers_never_do(
    mode: Mode, tmp_path: Path
) -> None:
    index = QuestionIndex(load_bank(), FakeEmbedder(), tmp_path)
    planned = await plan(InterviewSettings(mode=mode, rounds=10), index, (), "seed")
    assert len(planned) == 10
    assert {question in TOPICS for question in planned} == {mode is Mode.SPEAKING_PRACTICE}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"persona": TUTOR, "categories": [1]}, "settings.categories"),
        ({"categories": [5]}, "settings.categories"),
        ({"persona": TUTOR, "question_ids": ["tech-data-index"]}, "settings.question_ids[0]"),
        ({"question_ids": ["talk-hobby"]}, "settings.question_ids[0]"),
        ({"persona": TUTOR, "language": "zh"}, "settings.persona"),
    ],
)
async def test_what_does_not_fit_the_persona_is_named(
    wire: Wire, settings: dict[str, Any], field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.create(**settings)
    assert fields(error.value) == [field]


async def test_the_same_creation_again_gives_the_same_practice(wire: Wire) -> None:
    one = await wire.create(key="once", persona=TUTOR, rounds=1)
    assert (await wire.create(key="once", persona=TUTOR, rounds=1)).id == one.id


async def test_a_conversation_with_the_tutor_ends_with_corrections() -> None:
    async with stage(questions=TOPICS[:2], mode=Mode.SPEAKING_PRACTICE) as s:
        s.model.pieces = ("do", " you", " spend", " the", " evening?")
        s.join()
        await s.to_first_question()
        said = "My brother he go to work at six and I am agree with him about early mornings."
        for number in range(4):
            await s.answer(said)
            follows = (Phase.FOLLOW_UP, Phase.QUESTION, Phase.FOLLOW_UP, Phase.CLOSING)
            await s.play_out(follows[number])
        report = (await s.until(ReportReady)).report
        lines = [e.event.text for e in s.seen if isinstance(e.event, InterviewerText)]
    assert not [line for line in lines if "interview" in line.lower()]
    assert {each.name for each in report.dimensions} == {"fluency", "grammar", "vocabulary"}
    # No points were compared with anything.
    assert {report.basis, *(each.basis for each in report.questions)} == {Basis.SPEECH}
    assert [question.round for question in report.questions] == [1, 2]
    better = {each.better for question in report.questions for each in question.corrections}
    assert better == {"he goes", "I agree"}
    for question in report.questions:
        for each in question.corrections:
            assert each.evidence.turn_id in question.turn_ids
            assert each.evidence.start < each.evidence.end


def test_the_model_is_told_to_talk_like_a_tutor() -> None:
    context = Context(TOPICS[0], "I get up at six.", (), (), (), ())
    system = prompt(context)[0].content
    assert "tutor" in system
    assert "interviewer" not in system


@pytest.mark.parametrize(
    ("follow_up", "asked"),
    [
        ("How did you meet your two sister in the city?", False),
        ("How did you meet your two sisters in the city?", True),
    ],
)
def test_a_tutor_does_not_say_a_mistake_again(follow_up: str, *, asked: bool) -> None:
    answer = "I meet my two sister in the city every week."
    context = Context(TOPICS[0], answer, (), (), (), ())
    assert may_be_asked(follow_up, context) is asked


def test_there_is_a_tutor_and_enough_to_talk_about() -> None:
    tutors = [p for p in load_personas().all() if p.mode is Mode.SPEAKING_PRACTICE]
    assert [tutor.id for tutor in tutors] == [TUTOR]
    assert len(TOPICS) >= 20
    assert len({question.difficulty for question in TOPICS}) == 3
