"""Who has nothing to say declines; who says it of something else answers."""

from __future__ import annotations

import pytest

from services.interview.interviewer.declining import declined


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
        *("I've never used indexes.", "I have never heard of a B-tree."),
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
    assert declined(text)


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
        *("没有做过，但我学得很快。", "换个问题角度看，它是机会。"),
    ],
)
def test_saying_it_of_something_else_answers(text: str) -> None:
    assert not declined(text)
