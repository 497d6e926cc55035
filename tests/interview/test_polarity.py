"""What a text affirms and what it denies, and key points that hinge on it."""

from __future__ import annotations

import pytest

from services.interview.interviewer.coverage import compare_words
from services.interview.interviewer.polarity import agreement, marked
from services.interview.interviewer.words import content_words, count
from services.interview.questions.bank import load_bank
from tests.interview.stage import question


@pytest.mark.parametrize(
    ("said", "point"),
    [
        ("I blame my colleagues for it.", "takes responsibility instead of blaming colleagues"),
        ("I just run it again and ignore it.", "do not just run it again and ignore it"),
        ("We store them in plain text.", "never in plain text and never merely encrypted"),
        ("I apologised with plenty of excuses.", "no excuses"),
        ("An index doesn't let the database find rows.", "an index lets the database find rows"),
        ("I would never ask for an example.", "asks for an example"),
        ("Nobody talked to the other person.", "talked to the other person"),
        ("我不会打断别人，也没有重复重点", "打断别人"),
        ("索引不会让插入变慢", "每个索引都会让插入变慢"),
        ("我并非先重复重点", "先重复重点"),
        ("别重复重点", "重复重点"),
        ("I dont blame others.", "blames others"),
        ("We didnt add a test.", "add a test"),
        ("I cant ask for an example.", "asks for an example"),
        ("I stopped adding tests.", "add tests"),
        ("We quit bisecting the history.", "bisect the history"),
        ("I gave up on making the case small.", "make the case small"),
        ("We got rid of adding tests.", "add tests"),
        ("I see no point in forming a hypothesis.", "form a hypothesis"),
    ],
)
def test_the_opposite_is_seen(said: str, point: str) -> None:
    same, opposite = agreement(marked(said), marked(point))
    assert opposite > same


@pytest.mark.parametrize(
    ("said", "point"),
    [
        ("I didn't blame anybody.", "takes responsibility instead of blaming others"),
        ("I would not run it again and ignore it.", "do not just run it again and ignore it"),
        ("Not only the task matters, the result does.", "the task and the result"),
        ("I never give up without asking for help.", "asks for help"),
        ("I did not shout, but I talked to the other person.", "talked to the other person"),
        ("No doubt the index helps.", "the index helps"),
        ("I can't overstate how much the index helps.", "the index helps"),
        ("You can't stress enough that the index helps.", "the index helps"),
        ("You can never reproduce it too reliably.", "reproduce it reliably"),
        ("There is nothing better than to form a hypothesis.", "form a hypothesis"),
        ("I'm not done until I add a test.", "add a test"),
        ("I wouldn't dream of skipping the review.", "review"),
        ("I couldn't agree more with code review.", "code review"),
        ("不仅要听，还要重复重点", "重复重点"),
        ("分配太快，回收次数就上去了", "不可达的对象会被回收"),
        ("缺少索引，引起了全表扫描", "看有没有缺少索引或者全表扫描"),
        ("我确认了数据量变化", "确认数据量是不是变化"),
        ("我不打断对方", "不打断对方"),
        ("我特别重视重复重点", "重复重点"),
        ("我们分别重复重点", "重复重点"),
        ("我在高级别会议上重复重点", "重复重点"),
        ("我和别人一起重复重点", "重复重点"),
        ("未来我也会重复重点", "重复重点"),
        ("无论如何我都会重复重点", "重复重点"),
        ("无非就是重复重点", "重复重点"),
        ("我没问题重复重点", "重复重点"),
    ],
)
def test_the_same_is_seen(said: str, point: str) -> None:
    same, opposite = agreement(marked(said), marked(point))
    assert same > opposite


def test_a_denied_point_is_not_made_by_words_either() -> None:
    asked = question(1)
    said = compare_words(asked, ["We watch slow queries and add the right index."])
    denied = compare_words(asked, ["We never watch slow queries or add the right index."])
    assert said.points[0].covered
    assert denied.points[0].denied
    assert denied.points[0].strength == 0


def test_repeating_the_question_makes_no_point() -> None:
    asked = next(q for q in load_bank() if q.id == "tech-prog-concurrency-parallelism")
    compared = compare_words(asked, [asked.text])
    assert not any(point.covered for point in compared.points)


def test_the_bank_has_points_that_hinge_on_a_negation() -> None:
    hinging = [p for q in load_bank() for p in q.key_points if marked(p).denied]
    assert len(hinging) >= 60


def test_chinese_is_read_by_pairs_of_characters() -> None:
    assert content_words("缓存命中率") == {"缓存", "存命", "命中", "中率"}
    assert count("我们使用缓存") == 4
    assert count("We use a cache.") == 4
