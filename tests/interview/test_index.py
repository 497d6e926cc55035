"""Finding questions by meaning and by words, and choosing an interview's."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from services.interview.clients.embed import EmbedClient
from services.interview.interviewer.words import content_words
from services.interview.questions import index
from services.interview.questions.bank import Question, load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.questions.planning import plan
from services.interview.questions.topics import in_language
from services.interview.record import Category, Difficulty, InterviewSettings
from tests.interview.stage import FakeEmbedder

BANK = load_bank()


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="session")
async def test_questions_are_found_by_meaning(embedder: EmbedClient, tmp_path: Path) -> None:
    index = QuestionIndex(BANK, embedder, tmp_path)
    await index.build()
    queries = {
        "making database lookups faster": "tech-data-slow-query",
        "dealing with furious clients": "beh-work-unhappy-customer",
        "software that runs on tiny chips": "tech-craft-embedded-limits",
        "blind users and screen readers": "tech-craft-accessibility",
    }
    for query, expected in queries.items():
        found = await index.search(query, lambda _: True, 5)
        assert expected in [result.question.id for result in found]
        scores = [r.score for r in found if r.score is not None]
        assert len(scores) == 5
        assert scores == sorted(scores, reverse=True)


async def test_words_are_searched_until_the_vectors_are_there(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    assert not index.ready
    found = await index.search("deadlock", lambda _: True, 1)
    assert found[0].question.id == "tech-prog-deadlock"


async def test_a_search_by_words_reads_no_question_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    read: list[str] = []

    def noted(text: str) -> frozenset[str]:
        read.append(text)
        return content_words(text)

    monkeypatch.setattr(index, "content_words", noted)
    await found.search("deadlock", english, 1)
    assert read == ["deadlock"]


def chinese(question: Question) -> bool:
    return question.language == "zh"


def english(question: Question) -> bool:
    return question.language == "en" and question.category is not Category.CONVERSATION


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("docker", "zh-sys-container"),
        ("Unit Tests", "zh-craft-unit-test"),
        ("code review", "zh-craft-code-review"),
        ("python", "zh-prog-gc"),
        ("team conflict", "zh-beh-conflict"),
        ("Redis 缓存", "zh-tech-cache"),
        ("SQL injection", "zh-data-sql-injection"),
    ],
)
async def test_english_topics_find_chinese_questions(
    tmp_path: Path, topic: str, expected: str
) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    await index.build()
    found = await index.search(topic, chinese, 5)
    assert expected in [result.question.id for result in found]
    assert found[0].score


async def test_what_the_model_does_not_read_is_not_found_by_it(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    await index.build()
    for query, accepts in (("pottery", chinese), ("驯兽师", english), ("Медсестра", english)):
        found = await index.search(query, accepts, 500)
        assert {result.score for result in found} == {0.0}, query


async def test_chinese_topics_find_english_questions(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    await index.build()
    found = await index.search("数据库索引", english, 4)
    assert "tech-data-index" in [result.question.id for result in found]


async def test_a_model_that_reads_both_is_asked_for_both(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    embedder.model = "bge-m3"
    index = QuestionIndex(BANK, embedder, tmp_path)
    await index.build()
    embedder.calls.clear()
    await index.search("驯兽师", lambda _: True, 5)
    assert embedder.calls == [["驯兽师"]] * 2


async def test_in_all_languages_the_querys_own_leads(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    await index.build()
    for query, own in (("database", "en"), ("数据库", "zh")):
        found = await index.search(query, lambda _: True, 10)
        assert {result.question.language for result in found} == {own}


async def test_a_title_that_nothing_is_near_draws_from_the_whole_bank(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    await index.build()
    settings = InterviewSettings(rounds=5, job_title="驯兽师")
    without = replace(settings, job_title=None)
    drawn: set[str] = set()
    for seed in "abcdefgh":
        planned = await plan(settings, index, [], seed=seed)
        assert planned == await plan(without, index, [], seed=seed)
        drawn.update(question.id for question in planned)
    assert len(drawn) > 25


async def test_topics_are_named_as_the_bank_names_them() -> None:
    passages = [question.passage for question in BANK if question.language == "zh"]
    for name in (
        "unit test",
        "TLS",
        "microservices",
        "Git",
        "deadlocks",
        "front-end",
        "data analyst",
    ):
        term = in_language(name, "zh")
        assert any(term in passage for passage in passages), name


async def test_a_failing_embedder_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.interview.questions.index.FIRST_BACKOFF", 0.01)
    embedder = FakeEmbedder()
    embedder.broken = "embed"
    index = QuestionIndex(BANK, embedder, tmp_path)
    building = asyncio.create_task(index.build())
    await asyncio.wait({building}, timeout=0.03)
    embedder.broken = None
    async with asyncio.timeout(5):
        await building
    assert index.ready


async def test_vectors_are_kept_by_content(tmp_path: Path) -> None:
    first, second = FakeEmbedder(), FakeEmbedder()
    await QuestionIndex(BANK, first, tmp_path).build()
    await QuestionIndex(BANK, second, tmp_path).build()
    assert sum(len(call) for call in first.calls) == len(BANK) + 1
    assert sum(len(call) for call in second.calls) == 1


@pytest.mark.parametrize("left", [0, 8, 1000])
async def test_a_damaged_cache_is_made_again(tmp_path: Path, left: int) -> None:
    await QuestionIndex(BANK, FakeEmbedder(), tmp_path).build()
    file = tmp_path / "questions-words.npz"
    file.write_bytes(file.read_bytes()[:left])
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    await index.build()
    assert index.ready


async def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path / "file" / "cache")
    await index.build()
    assert index.ready


async def test_a_plan_asks_the_embedder_once(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    index = QuestionIndex(BANK, embedder, tmp_path)
    await index.build()
    embedder.calls.clear()
    await plan(InterviewSettings(rounds=10, topics=("databases",)), index, [], seed="one")
    assert embedder.calls == [["databases"]]


async def test_a_plan_begins_with_the_candidate_and_repeats_nothing(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    questions = await plan(InterviewSettings(rounds=10), index, [], seed="one")
    assert questions[0].category is Category.SELF_INTRODUCTION
    assert len({question.id for question in questions}) == 10


async def test_a_plan_keeps_to_categories_difficulty_and_chosen_questions(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    chosen = BANK.find("beh-work-failure")
    assert chosen is not None
    settings = InterviewSettings(
        rounds=4, categories=(Category.TECHNICAL,), difficulty=Difficulty.EASY
    )
    questions = await plan(settings, index, [chosen], seed="one")
    assert questions[0] == chosen
    for question in questions[1:]:
        assert question.category is Category.TECHNICAL
        assert question.difficulty is Difficulty.EASY


async def test_topics_steer_the_plan(tmp_path: Path) -> None:
    index = QuestionIndex(BANK, FakeEmbedder(), tmp_path)
    settings = InterviewSettings(
        rounds=2, categories=(Category.TECHNICAL,), topics=("kubernetes", "containers")
    )
    for seed in "abc":
        ids = {q.id for q in await plan(settings, index, [], seed=seed)}
        assert ids & {"tech-sys-containers", "tech-sys-kubernetes-probes"}
