"""Measures of delivery, passages with their times, and the report put together."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import protovalidate
import pytest
from viva.interview.v1 import report_pb2

from services.interview.interviewer.analysing import analyse
from services.interview.interviewer.comparing import compare_reports
from services.interview.interviewer.foreign import foreign
from services.interview.interviewer.statements import shortened
from services.interview.interviewer.structure import structure
from services.interview.interviewer.summarising import Reviewer, compose, question_alone
from services.interview.interviewer.words import is_chinese
from services.interview.questions.bank import load_bank
from services.interview.record import (
    Category,
    Interview,
    InterviewSettings,
    Speaker,
    SpokenWord,
    Turn,
)
from services.interview.reports.delivery import measure
from services.interview.reports.passages import passages, sentences
from services.interview.reports.report import (
    Basis,
    Change,
    DeliveryFigures,
    DimensionScore,
    KeyPointResult,
    Progress,
    QuestionResult,
    Report,
    StoryShares,
)
from services.interview.wire.reports import report as wire
from tests.interview.stage import FakeEmbedder, question, spoken


def said(text: str, start: float = 5.0) -> Turn:
    words = spoken(text, start)
    return Turn("t1", Speaker.CANDIDATE, text, start, words[-1].end, words)


def interview(*turns: Turn) -> Interview:
    return Interview(
        id="i", user="u", settings=InterviewSettings(), plan=("q1",), created=datetime.now(UTC),
        turns=turns,
    )  # fmt: skip


def test_pace_fillers_and_pauses_are_measured() -> None:
    words = spoken("Um I mean we use you know that kind of index", 0.0)
    late = tuple(SpokenWord(w.text, w.start + 3, w.end + 3) for w in words[6:])
    delivery = measure([(*words[:6], *late)])
    assert delivery is not None
    assert [f.text for f in delivery.fillers] == ["Um", "i mean", "you know"]
    assert [pytest.approx(t) for t in delivery.pauses[0]] == [1.8, 4.8]
    assert delivery.words_per_minute == pytest.approx(60 * 11 / 6.3)
    calm = measure([spoken("We use an index on that table and it is fast", 0.0)])
    assert calm is not None
    assert delivery.fluency < calm.fluency


def test_too_few_words_say_nothing_about_delivery() -> None:
    assert measure([spoken("Yes indeed", 0.0)]) is None


def test_passages_carry_the_times_of_their_words() -> None:
    turn = said("First we look at it. Then we add an index.")
    one, two, both = passages([turn])
    assert one.quote == "First we look at it."
    assert one.start == pytest.approx(5.0)
    assert one.end == pytest.approx(6.5)
    assert two.quote == "Then we add an index."
    assert (both.start, both.end) == (one.start, two.end)
    assert {p.turn_id for p in (one, two, both)} == {"t1"}


def test_a_silence_ends_a_passage_without_punctuation() -> None:
    words = spoken("we look at the plan", 0.0)
    more = spoken("and then an index helps", 4.0)
    turn = Turn("t", Speaker.CANDIDATE, "", 0.0, 6.0, (*words, *more))
    assert [p.quote for p in passages([turn])][:2] == [
        "we look at the plan",
        "and then an index helps",
    ]


def typed(text: str) -> Turn:
    return Turn("t", Speaker.CANDIDATE, text, 0.0, 9.0, typed=True)


def test_what_is_typed_without_punctuation_is_cut_like_sentences() -> None:
    words = [f"word{number}" for number in range(62)]
    cut = sentences([typed(" ".join(words))])
    assert [len(part.quote.split()) for part in cut] == [15, 15, 15, 17]
    assert " ".join(part.quote for part in cut).split() == words
    short = " ".join(words[:30])
    assert [part.quote for part in sentences([typed(short)])] == [short]


def test_chinese_that_is_typed_without_punctuation_is_cut_too() -> None:
    text = "我们先看慢查询再加索引" * 12
    cut = [part.quote for part in sentences([typed(text)])]
    assert "".join(cut) == text
    assert max(map(len, cut)) <= 34


async def test_evidence_lies_inside_the_answer_and_is_quoted_from_it() -> None:
    turn = said("We watch slow queries and add the right index. The weather is fine today.")
    result, failure = await analyse(
        FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
    )
    assert failure is None
    point = result.key_points[0]
    assert point.covered
    assert point.evidence is not None
    assert point.evidence.quote in turn.text
    assert turn.start <= point.evidence.start < point.evidence.end <= turn.end
    for dimension in result.dimensions:
        assert dimension.evidence
        assert 0 <= dimension.score <= 100


async def test_a_report_names_what_was_said_and_what_was_missing() -> None:
    turn = said("We watch slow queries and add the right index.")
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
    )
    report = compose(interview(turn), [result])
    assert report.overall_score == pytest.approx(result.score)
    assert "watch slow queries" in report.strengths[0]
    assert any("plan capacity" in weakness for weakness in report.weaknesses)
    assert report.suggestions
    assert report.basis is Basis.RUBRIC_EMBEDDING


async def test_a_denied_point_is_told_as_the_opposite() -> None:
    turn = said("We never watch slow queries and we don't add the right index.")
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
    )
    point = result.key_points[0]
    assert (point.covered, point.denied) == (False, True)
    assert point.evidence is not None
    assert "never watch slow queries" in point.evidence.quote
    assert any("the opposite of" in told for told in compose(interview(turn), [result]).weaknesses)


async def test_of_a_good_answer_nothing_is_known_to_be_missing() -> None:
    good = (
        "I watch slow queries and add the right index: in March the orders table fell from 4 to 1"
        " milliseconds. I take backups and restore them as a test every Monday at 6, which"
        " took 40 minutes for 200 gigabytes last week."
    )
    for text, certain in (("I watch slow queries.", True), (good, False)):
        turn = replace(said(text), typed=True, words=())
        result, _ = await analyse(
            FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
        )
        missed = [point for point in result.key_points if not point.covered]
        assert missed
        assert {point.certain for point in missed} == {certain}


async def test_what_is_well_told_is_not_known_to_lack_what_it_seems_far_from() -> None:
    told = (
        "I boiled forty jars of plum jam in October with my aunt. The second pot burned"
        " because the copper was thin, so I moved the whole lot into the steel one, stirred for"
        " twenty minutes and added lemon."
    )
    behavioral = replace(question(1), category=Category.BEHAVIORAL)
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=behavioral, asked="How?", turns=[typed(told)]
    )
    assert result.score < 50
    assert not any(point.certain for point in result.key_points)


async def test_what_was_misheard_may_have_been_said() -> None:
    certain = replace(said("The weather is fine today and I like it."), typed=True, words=())
    heard = said("The weather is fine today and I like it.")
    words = tuple(replace(word, confidence=0.4) for word in heard.words)
    for turn, words_for_it in (
        (certain, "not mentioned"),
        (replace(heard, words=words), "not rec"),
    ):
        result, _ = await analyse(
            FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
        )
        weaknesses = compose(interview(turn), [result]).weaknesses
        assert any(words_for_it in weakness for weakness in weaknesses)


async def test_a_story_is_told_by_its_parts() -> None:
    told = replace(question(1), category=Category.BEHAVIORAL)
    turn = said(
        "Last year our import lost orders. I had to find out why. I talked to two teams and I wrote"
        " a check. In the end we lost no more orders."
    )
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=told, asked="How?", turns=[turn]
    )
    assert result.story is not None
    shares = (
        result.story.situation,
        result.story.task,
        result.story.action,
        result.story.result,
    )
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0.15
    assert "structure" in {dimension.name for dimension in result.dimensions}


@pytest.mark.parametrize(
    "outcome",
    [
        "That cut the build time from forty minutes to eight.",
        "The team lead and I added a cache, which cut the time by half.",
        "Support tickets dropped by 30 percent.",
        "There were no complaints for the rest of the year.",
        "We delivered it two weeks ahead of schedule.",
        "The customer renewed, which meant another year of work.",
    ],
)
def test_what_came_of_a_story_needs_no_word_that_announces_it(outcome: str) -> None:
    told = "Last year our import lost orders. I talked to two teams and I wrote a check. "
    assert structure(sentences([said(told + outcome)])).result > 0.15
    assert structure(sentences([said(told)])).result == 0.0


@pytest.mark.parametrize(
    "outcome",
    [
        "构建时间从四十分钟降到八分钟。",
        "我加了缓存，从而响应快了一倍。",
        "投诉减少了三成。",
        "再也没有出现过这个问题。",
        "项目按时上线，得到了客户的认可。",
    ],
)
def test_what_came_of_a_chinese_story_needs_none_either(outcome: str) -> None:
    told = "去年我们的导入经常丢订单。我找两个团队谈，我写了检查。"
    assert structure(sentences([typed(told + outcome)])).result > 0.15
    assert structure(sentences([typed(told)])).result == 0.0


@pytest.mark.parametrize(
    "setting",
    [
        "We had forty servers and a team of five.",
        "In 2019 I joined a company with 30 percent growth.",
        "It took two days to travel from Berlin to Rome.",
        "那时候我们有四十台服务器，五个人。",
    ],
)
def test_figures_of_the_setting_are_no_outcome(setting: str) -> None:
    assert structure(sentences([typed(setting)])).result == 0.0


CHINESE = "我先看慢查询，然后加上合适的索引，定期做备份并且演练恢复，磁盘快满之前就规划容量。"


async def test_an_answer_in_another_language_is_named_as_one() -> None:
    turn = typed(CHINESE)
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
    )
    assert not any(point.certain for point in result.key_points)
    report = compose(interview(turn), [result])
    assert report.weaknesses == (
        "Question 1: not recognised in English, the interview's language: you answered in Chinese.",
    )
    assert report.suggestions[0] == "Answer in English, the language of the interview."
    assert all("The answer was in Chinese" in each.rationale for each in result.dimensions)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (CHINESE, "en", "zh"),
        (CHINESE, "zh-CN", None),
        ("我们用 Redis 做缓存，用 Kubernetes 部署", "zh", None),
        ("I would watch the slow queries first.", "zh", "en"),
        ("I would watch the slow queries first.", "en-GB", None),
        ("Redis and Kafka", "zh", None),
        ("", "en", None),
    ],
)
def test_languages_are_told_apart_by_their_script(
    text: str, language: str, expected: str | None
) -> None:
    assert foreign(text, language) == expected


QUESTION = "How do you keep a database healthy?"


@pytest.mark.parametrize(
    ("heard", "quoted"),
    [
        (QUESTION, QUESTION),
        (f"Let's begin. {QUESTION}", QUESTION),
        (f"Thank you. That was clear. {QUESTION} Take your time.", QUESTION),
        ("Let's begin. How do you keep a", "How do you keep a"),
        ("Something else entirely?", "Something else entirely?"),
    ],
)
async def test_a_question_is_quoted_without_what_introduced_it(heard: str, quoted: str) -> None:
    assert question_alone(heard, QUESTION) == quoted
    asked = replace(question(1), text=QUESTION)
    turns = [replace(typed(heard), speaker=Speaker.INTERVIEWER), typed("By luck.")]
    async with asyncio.TaskGroup() as tasks:
        reviewer = Reviewer(FakeEmbedder())
        reviewer.begin(tasks, 1, asked, turns)
        report = await reviewer.report(interview(*turns))
    assert report.questions[0].question == quoted
    assert not [told for told in report.suggestions if "Let's begin" in told]


def test_every_question_of_the_bank_is_quoted_without_what_introduced_it() -> None:
    leads = {"en": "Thank you. My last question: ", "zh": "谢谢。最后一个问题："}
    kept = [
        q.text for q in load_bank() if question_alone(leads[q.language] + q.text, q.text) != q.text
    ]
    assert kept == []


def test_a_short_chinese_question_is_known_by_its_beginning() -> None:
    heard = "谢谢。最后一个问题：进程和线程有"
    assert question_alone(heard, "进程和线程有什么区别？") == "进程和线程有"


@pytest.mark.parametrize(
    ("quote", "shown"),
    [
        ("short", "short"),
        ("word " * 30, f"{'word ' * 18}".rstrip() + "…"),
        (
            "我们先看慢查询日志，找出最慢的语句，然后加上合适的索引，再看看执行计划有没有变化，最后把结果写进文档里面给大家看",
            "我们先看慢查询日志，找出最慢的语句，然后加上合适的索引，再看看执行计划有没有变化…",
        ),
        ("好" * 60, "好" * 45 + "…"),
    ],
)
def test_quotes_are_as_wide_in_every_script(quote: str, shown: str) -> None:
    assert shortened(quote) == shown


async def test_every_score_has_an_anchored_level_and_cites_speech() -> None:
    turn = said("We watch slow queries because the disk is small. Um we add the right index.")
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
    )
    for dimension in result.dimensions:
        assert dimension.level == round(dimension.score / 25) + 1
        assert dimension.evidence
        assert all(turn.start <= e.start < e.end <= turn.end for e in dimension.evidence)


async def report_of(text: str, language: str = "en") -> Report:
    turn = said(text)
    result, _ = await analyse(
        FakeEmbedder(), round_number=1, question=question(1), asked="How?", turns=[turn]
    )
    held = interview(turn)
    return compose(replace(held, settings=replace(held.settings, language=language)), [result])


async def test_this_time_is_told_against_last_time() -> None:
    poor = await report_of("I think you just do things and it is good.")
    good = await report_of(
        "We watch slow queries every Monday and add the right index. We take backups at night and"
        " restore them as a test. We plan capacity for six months before the disk is full."
    )
    progress = compare_reports(poor, good, "en")
    assert progress is not None
    assert progress.changes[0].now > progress.changes[0].before
    assert "points more" in progress.statements[0]
    back = compare_reports(good, poor, "zh")
    assert back is not None
    assert "上次" in back.statements[0]
    assert compare_reports(compose(interview(), []), good, "en") is None


async def test_a_report_speaks_the_interviews_language() -> None:
    report = await report_of("We watch slow queries and add the right index.", "zh")
    for text in (report.summary, *report.strengths, *report.weaknesses, *report.suggestions):
        assert is_chinese("".join(c for c in text if not c.isascii())), text


def test_a_report_on_the_wire_keeps_everything() -> None:
    progress = Progress("before", (Change("", 40.0, 60.0),), ("Better.",))
    result = QuestionResult(
        "q", 1, "Why?", Category.BEHAVIORAL, 60.0,
        (KeyPointResult("a point", 0.0, covered=False, denied=True, certain=True),),
        (DimensionScore("depth", 50.0, "Some detail.", level=3),), ("t",), Basis.LANGUAGE_MODEL,
        StoryShares(0.25, 0.25, 0.25, 0.25),
        DeliveryFigures(50, 120.0, 2, 1, 1.75, from_sound=True),
    )  # fmt: skip
    message = wire(replace(compose(interview(), [result]), progress=progress))
    protovalidate.validate(message)
    sent = message.questions[0]
    assert sent.basis == report_pb2.SCORING_BASIS_LANGUAGE_MODEL
    assert sent.key_points[0].denied
    assert sent.key_points[0].certain
    assert sent.dimensions[0].level == 3
    assert sent.story.action == pytest.approx(0.25)
    assert sent.delivery.longest_pause.ToTimedelta().total_seconds() == pytest.approx(1.75)
    assert sent.delivery.from_sound
    assert message.progress.changes[0].now == pytest.approx(60)


def test_without_an_answer_there_is_no_score() -> None:
    report = compose(interview(), [])
    assert report.overall_score is None
    assert report.questions == ()
    assert "nothing to score" in report.summary
