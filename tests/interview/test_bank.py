"""The authored questions: enough, complete, speakable, none twice."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from services.interview.clients.embed import EmbedClient
from services.interview.interviewer.guarding import content_words
from services.interview.questions.bank import Bank, load_bank, read_bank
from services.interview.questions.index import BATCH
from services.interview.record import Category, Difficulty

BANK = load_bank()


def test_there_are_enough_questions_of_every_category() -> None:
    counts = Counter(question.category for question in BANK)
    assert len(BANK) >= 200
    assert counts[Category.TECHNICAL] >= 80
    assert counts[Category.BEHAVIORAL] >= 60
    assert counts[Category.SOFT_SKILLS] >= 40
    assert counts[Category.SELF_INTRODUCTION] >= 20


def test_every_question_is_complete() -> None:
    for question in BANK:
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", question.id), question.id
        assert len(question.id) <= 64
        assert 3 <= len(question.key_points) <= 5, question.id
        assert 2 <= len(question.follow_ups) <= 4, question.id
        assert sum(aim is not None for _, aim in question.aimed) >= 2, question.id
        assert question.tags, question.id
        assert len(set(question.key_points)) == len(question.key_points)


def test_every_question_can_be_spoken() -> None:
    for question in BANK:
        for text in (question.text, *question.follow_ups):
            assert text[-1] in ("？。" if question.language == "zh" else "?."), text
            assert not re.search(r"[`{}<>\[\]#*_=|\\/]", text), text
            assert len(text.split()) <= 40, text


def test_no_two_questions_share_most_of_their_words() -> None:
    words = [(question.id, content_words(question.text)) for question in BANK]
    for i, (one, mine) in enumerate(words):
        for other, theirs in words[:i]:
            overlap = len(mine & theirs) / max(1, len(mine | theirs))
            assert overlap < 0.6, (one, other)


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="session")
async def test_no_two_questions_mean_the_same(embedder: EmbedClient) -> None:
    questions = list(BANK)
    questions = [question for question in questions if question.language == "en"]
    texts = [question.text for question in questions]
    # In the index's pieces: all at once are more than a busy server promises to do in time.
    made = [
        (await embedder.embed(texts[at : at + BATCH], query=False, background=True)).values
        for at in range(0, len(texts), BATCH)
    ]
    vectors = np.concatenate(made)
    alike = vectors @ vectors.T - 2 * np.eye(len(texts), dtype=np.float32)
    i, j = divmod(int(alike.argmax()), len(texts))
    assert alike[i, j] < 0.85, (questions[i].id, questions[j].id)


def test_a_file_with_a_mistake_names_the_question(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("category: technical\nquestions:\n  - id: one-two\n    text: Why?\n")
    with pytest.raises(ValueError, match=r"broken\.yaml: one-two"):
        read_bank(tmp_path)


def test_every_follow_up_is_worth_asking() -> None:
    for question in BANK:
        texts = [question.text, *question.follow_ups]
        assert len(set(texts)) == len(texts), question.id
        for text in question.follow_ups:
            words = text.split() if question.language == "en" else list(text)
            assert len(words) <= (20 if question.language == "en" else 40), text


def test_a_follow_up_names_the_point_it_asks_for(tmp_path: Path) -> None:
    entry = (
        "category: technical\nquestions:\n  - id: one-two\n    text: Why?\n    difficulty: easy\n"
        "    tags: [x]\n    key_points: [first, second]\n"
        "    follow_ups:\n      - Any?\n      - 2: Second?\n"
    )
    path = tmp_path / "bank.yaml"
    path.write_text(entry)
    (question,) = read_bank(tmp_path)
    assert question.aimed == (("Any?", None), ("Second?", 1))
    path.write_text(entry.replace("2: Second", "3: Second"))
    with pytest.raises(ValueError, match="one-two: a follow-up asks for key point 3 of 2"):
        read_bank(tmp_path)


def test_there_are_enough_questions_in_chinese_of_every_category() -> None:
    chinese = [question for question in BANK if question.language == "zh"]
    counts = Counter(question.category for question in chinese)
    assert len(chinese) >= 300
    assert counts[Category.TECHNICAL] >= 120
    assert counts[Category.BEHAVIORAL] >= 90
    assert counts[Category.SOFT_SKILLS] >= 60
    assert counts[Category.SELF_INTRODUCTION] >= 30
    assert {question.difficulty for question in chinese} == set(Difficulty)
    assert len({question.text for question in chinese}) == len(chinese)


def test_an_id_is_used_once() -> None:
    question = next(iter(BANK))
    with pytest.raises(ValueError, match="share an id"):
        Bank([question, question])
