"""Finding questions by meaning and by words, and choosing an interview's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.interview.clients.embed import EmbedClient
from services.interview.questions.bank import load_bank
from services.interview.questions.index import QuestionIndex
from services.interview.questions.planning import plan
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
