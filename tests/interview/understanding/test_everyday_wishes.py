"""Wishes in everyday words, at an open question; and answers in the same words."""

from __future__ import annotations

import pytest

from services.interview.endpointing.moment import Asked
from services.interview.record import Phase
from services.interview.understanding.intent import Intent, Situation, understand

OPEN = "Tell me about a typical day in your work."


def meant(text: str, question: str = OPEN, *, typed: bool = False) -> Intent:
    asked = Asked(question, Phase.QUESTION, None, "en")
    return understand(text, Situation("en", None, asked=asked, typed=typed), final=True)


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize(
    ("intent", "text"),
    [
        *(
            (Intent.REPEAT, text)
            for text in (
                *(
                    "听得到吗？",
                    "听得见吗？",
                    "能听到吗？",
                    "在吗？",
                    "喂，听得到吗？",
                    "您听得到吗？",
                ),
                *("还在吗？", "听得到吗", "r u there?", "Am I audible?", "Can you hear me at all?"),
                *("sorry my connection dropped, can you ask again", "could u say tht again"),
                *(
                    "you broke up there",
                    "再问一遍呗",
                    "刚刚网卡了，您说啥？",
                    "Don't end the interview.",
                ),
                *("不要结束面试", "Let's continue."),
            )
        ),
        *(
            (Intent.HOLD, text)
            for text in (
                *("hang on, the doorbell", "让我组织一下语言", "我接个电话", "等我一下，快递来了"),
                *("hold that thought, I need water", "听得到。", "在的。", "我在听。"),
            )
        ),
        *(
            (Intent.SKIP, text)
            for text in (
                *("I'd prefer not to answer that", "算了，问别的吧", "能不能不回答这个"),
                *("这个我不想说", "Can we talk about something else?"),
            )
        ),
        *(
            (Intent.END, text)
            for text in (
                *("I'm done with the interview.", "I'm finished with the interview"),
                *("I am done with this interview.", "im done with the interview", "不聊了"),
                *("I don't want to do this anymore", "别問了，我不想繼續了", "没时间了，得走了"),
            )
        ),
    ],
)
def test_a_wish_is_understood(intent: Intent, text: str, typed: bool) -> None:
    assert meant(text, typed=typed) is intent


@pytest.mark.parametrize("text", ["bye", "Bye!", "goodbye", "good bye", "再见", "拜拜", "ok bye"])
def test_who_types_goodbye_wants_to_end_and_who_is_heard_to_say_it_may_not(text: str) -> None:
    assert meant(text, typed=True) is Intent.END
    assert meant(text) is not Intent.END


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Bye.", "What do you say at the end of a call?"),
        ("再见。", "客人走的时候，你会说什么？"),
        ("Can you hear me?", "What do you say when the line is bad?"),
        ("I don't want to do this anymore.", "Why did you leave your last job?"),
        ("聊点别的。", "客人不高兴的时候，你怎么办？"),
        ("I'm done with the ward by eight.", OPEN),
        ("I'd rather not be late.", OPEN),
        ("The doorbell never stops.", OPEN),
        ("I don't want to end up in an office.", OPEN),
        ("I can't do this job alone.", OPEN),
        ("听不见客人说话。", OPEN),
        ("R is there, and Python.", OPEN),
        ("我们继续做下去。", OPEN),
        ("继续。", OPEN),
        ("Don't stop.", OPEN),
    ],
)
def test_an_answer_in_such_words_is_one(text: str, question: str, typed: bool) -> None:
    assert meant(text, question, typed=typed) is Intent.SPEECH
