"""Who has nothing to say declines; who says it of something else answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services.interview.interviewer.declining import declined, subject
from services.interview.questions.bank import load_bank

ASKED = "What is an index in a database? 数据库的索引是什么？"
HELD_OUT = [
    block
    for name in ("declining_held_out.yaml", "declining_held_out_later.yaml")
    for block in yaml.safe_load(Path(__file__).with_name(name).read_text("utf-8"))
]


@pytest.mark.parametrize(
    "text",
    [
        *("Honestly I have never thought about that.", "Can't think of one right now."),
        *("That's beyond me.", "No idea whatsoever.", "I haven't the faintest idea."),
        *("I don't have experience with that.", "I have nothing to say about this."),
        *("I wouldn't know.", "I'm drawing a blank.", "I don't have much to say here."),
        *("My mind is blank.", "You got me there.", "I am not familiar with it."),
        *("我没有什么经验。", "这个我真不会。", "我一时想不起来。", "这个问题我没有思考过。"),
        *("I am not familiar with databases.", "I'd rather not talk about that."),
        *("I don't understand the question.", "I don't understand the word index."),
        *("I've never used indexes.", "I have never heard of indexes."),
        *("I don't know what an index is.", "I don't know anything about databases."),
        *("I don't feel comfortable answering that.", "I prefer not to talk about it."),
        *("I haven't experienced that.", "That has never happened to me.", "i dont know"),
        *("I have not been in such a situation.", "I have no work experience yet."),
        *("Hmm, I don't think I have an example.", "I give up.", "idk lol", "cant remember"),
        *(
            "没有这种经历。",
            "没学过。",
            "没学过这个。",
            "我不想回答。",
            "不方便说。",
            "我没用过数据库。",
        ),
        *("没想好。", "無可奉告。", "我對數據庫不太熟悉。"),
        *("完全没概念。", "我脑子一片空白。", "说不上来。", "我不懂这个。", "没听过。"),
    ],
)
def test_saying_of_the_question_that_one_cannot_answer_declines(text: str) -> None:
    assert declined(text, ASKED)


@pytest.mark.parametrize(
    "text",
    [
        *("I don't know fear.", "I do not recall failing.", "I did not do it.", "I never used it."),
        *("I don't know everything.", "I do not know any shortcuts."),
        *("I do not remember ever giving up.", "I can't say no to colleagues."),
        *("I don't like saying no.", "I never used excuses.", "I don't like to talk behind backs."),
        *("I don't understand people who lie.", "I am not familiar with giving up."),
        *("I'm not familiar with it, so I read the docs.", "I would rather not shout."),
        *("不想说假话。", "不方便的时候我会说。", "没学过的我就去学。", "我不熟悉就问同事。"),
        *("不知道疲倦。", "没想过放弃。", "我没想过要离开。", "我不了解情况就不发言。"),
        *("I don't know, I do not use force.", "Lost it.", "Nobody.", "I don't know a better one."),
        *("没有做过，但我学得很快。", "换个问题角度看，它是机会。"),
    ],
)
def test_saying_it_of_something_else_answers(text: str) -> None:
    assert not declined(text, ASKED)


@pytest.mark.parametrize(
    "text",
    [
        *("I don't know to be honest.", "Not sure.", "I can't think of any example right now."),
        *("No idea tbh", "None that I remember", "I'd have to say I don't know", "Hard to say"),
        *("n/a", "You've stumped me there.", "That's above my pay grade, I can't answer."),
        *(
            "不知道啦",
            "不清楚哦",
            "没啥经验",
            "记不清了",
            "不晓得",
            "暂时没有",
            "毫无头绪",
            "一片空白",
        ),
    ],
)
def test_it_is_said_in_many_ways(text: str) -> None:
    assert declined(text, ASKED)


@pytest.mark.parametrize(
    "text",
    [
        *("I have never used force.", "I don't know what fear is.", "I don't have time."),
        *("Nothing about this job scares me.", "I have never heard of complaints"),
        *(
            "Go.",
            "Move on.",
            "Skip breakfast.",
            "I have never used force at work.",
            "I have never used the wrong drug.",
        ),
        *("我没用过暴力", "我没用过假货。", "没有用过过期的食材。", "对客户不了解。"),
    ],
)
def test_knowing_nothing_of_what_was_not_asked_about_answers(text: str) -> None:
    assert not declined(
        text, "How do you deal with difficult people at your work? 你怎么保证质量？"
    )


def test_what_is_known_nothing_of_is_what_was_asked_about() -> None:
    assert declined("I have never used force.", "When did you last use force?")
    assert declined("I've never heard of B-trees.", "What is an index? it is often a B-tree")
    assert declined("对客户投诉不了解。", "请讲一个客户投诉的例子。")


NEGATIONS = ("Never.", "Not really.", "Not yet.", "No, never.", "不会。", "我不会", "应该不会。")


@pytest.mark.parametrize("text", NEGATIONS)
@pytest.mark.parametrize(
    "asked",
    [
        "Have you ever been asked to do something you thought was wrong?",
        "You left after a year. Would you live there again?",
        "Did others start to use it as well, and who?",
        "Can a single core be concurrent?",
        "您会在自己的代码里返回空值吗？",
        "有没有一次您不同意上级的决定，您是怎么做的？",
    ],
)
def test_a_bare_no_answers_what_asks_yes_or_no(text: str, asked: str) -> None:
    assert not declined(text, asked)


@pytest.mark.parametrize("text", NEGATIONS)
@pytest.mark.parametrize(
    "asked",
    [
        "What is an index?",
        "What do you do when it is slow, and what would you change?",
        "Can you tell me about a moment when that strength showed?",
        "什么是索引？",
        "您怎么知道一个索引有没有被用到？",
        "能举一个例子吗？",
    ],
)
def test_a_bare_no_tells_nothing_where_something_is_to_be_told(text: str, asked: str) -> None:
    assert declined(text, asked)


def test_what_was_asked_alone_decides_whether_a_bare_no_answers() -> None:
    about = "What is an index? Have you ever added one?"
    assert declined("Never.", about, "What is an index?")
    assert not declined("Never.", about, "Have you ever added one?")


@pytest.mark.parametrize(
    "text",
    [
        *("I don't know, I'm a nurse.", "I work in a shop, so I have no idea."),
        *("I've never studied computing, I can't say.", "我是司机，不懂。", "刚毕业，不知道。"),
    ],
)
def test_a_reason_beside_it_declines_too(text: str) -> None:
    assert declined(text, ASKED)


@pytest.mark.parametrize("text", ["I'm a nurse.", "I work in a shop.", "我是司机。", "刚毕业。"])
def test_a_reason_alone_answers(text: str) -> None:
    assert not declined(text, ASKED)


def test_lines_that_nothing_was_learned_from_are_told_apart() -> None:
    lines = [
        (line, declined(line, block["question"]) is (kind == "declines"))
        for block in HELD_OUT
        for kind in ("declines", "answers")
        for line in block[kind]
    ]
    assert len(lines) >= 230
    assert sum(right for _, right in lines) / len(lines) >= 0.95


def test_no_key_point_or_question_of_the_bank_declines() -> None:
    for question in load_bank():
        for text in (question.text, *question.key_points, *question.follow_ups):
            assert not declined(text, subject(question)), text
