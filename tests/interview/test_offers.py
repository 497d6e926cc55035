"""What is said to "Shall I end the interview?" and "Shall we skip this question?"."""

from __future__ import annotations

from itertools import product

import pytest

from services.interview.conversation import events as e
from services.interview.interviewer import lines
from services.interview.record import Phase
from services.interview.understanding.consent import END, SKIP, consent
from tests.interview.test_ending_by_voice import asked_whether_to_end, closing, offered, says
from tests.interview.test_engine import asked
from tests.interview.world import World

REFUSALS = (
    *("No", "Nope", "Nah", "No thanks", "Not yet", "Please don't", "Don't", "I don't", "Never"),
    *("I don't want to", "I don't want that", "I'd rather not", "I would not", "I won't"),
    *("I can't", "I do not", "Not really", "No way", "I'm not done", "I wouldn't like to"),
    *("I don't wish to", "I don't need to"),
)
GOING_ON = (
    *("continue", "continue please", "go on", "please go on", "let's go on", "let's continue"),
    *("keep going", "carry on", "more questions", "more questions please", "next question"),
    *("I want to continue", "proceed", "resume", "go on with the interview", "keep asking"),
)
REFUSALS_ZH = (
    *("不", "不要", "不想", "不用", "别", "先别", "不是", "没有", "我不想", "我不要", "不行"),
    *("不可以", "还没有", "不能"),
)
GOING_ON_ZH = (
    *(
        "继续",
        "继续吧",
        "接着来",
        "我们继续",
        "请继续",
        "继续面试",
        "下一题",
        "继续问吧",
        "我想继续",
    ),
)


@pytest.mark.parametrize("between", [". ", ", ", "; ", " - ", " — ", "! ", "... ", "\n"])
def test_who_refuses_and_goes_on_ends_nothing(between: str) -> None:
    pairs = product(REFUSALS, GOING_ON)
    assert not [no + go for no, go in pairs if consent(f"{no}{between}{go}.", END)]


@pytest.mark.parametrize("between", ["，", "。", " ", "！", "——", "\n", "　"])
def test_nor_in_chinese(between: str) -> None:
    pairs = product(REFUSALS_ZH, GOING_ON_ZH)
    assert not [no + go for no, go in pairs if consent(f"{no}{between}{go}", END)]


@pytest.mark.parametrize(
    "text",
    [
        *("I don't. Go on.", "I don't want to. Continue, please.", "No. More questions, please."),
        *("I'd rather not. Keep going.", "I won't. Carry on.", "不要 继续吧", "我不想 继续"),
        *("Cancel", "Wrong button", "I changed my mind", "That wasn't what I meant", "取消"),
        *("手滑", "手滑了", "点错", "點錯了"),
    ],
)
@pytest.mark.parametrize("typed", [False, True])
def test_a_clear_no_has_the_question_asked_again(text: str, typed: bool) -> None:
    world = asked_whether_to_end()
    world.happen(e.Typed(text)) if typed else says(world, text)
    assert not closing(world)
    assert not world.state.ending
    assert world.state.floor is not None
    assert world.state.floor.line.step.phase is Phase.QUESTION
    assert not world.state.answered


@pytest.mark.parametrize(
    "text",
    [
        *("Yes I really want to end it", "Yes, I have to pick up my kids", "Go ahead"),
        *("Yes, because I have to go", "I'm afraid so", "Damn it, yes", "Yes, my kids need me"),
        *("Yes, it was nice talking to you but I must go.", "是，快点结束", "我说了结束"),
        *("是的，我要去接孩子", "对，家里有急事"),
    ],
)
def test_a_clear_yes_ends_it(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert closing(world)


OF_SOMETHING_ELSE = (
    *("Yes, the kettle is on fire!", "Yes, we used Redis.", "Yes, I am a nurse.", "Yes, after it."),
    *("Yes, I led that project.", "Yes, but one more question.", "Go ahead, ask me.", "Yes, but"),
    *("Okay, I have more to say.", "Sure, I know that one.", "I can't hear", "Yes, because"),
    *("Yes, the line is fine again.", "Okay, my headset works now.", "Yes, I can see you."),
    *(
        "Yes, I need to find a pen.",
        "Yes, I have to go back to my example.",
        "Sure, I am all ears.",
    ),
    *(
        "Yes, I want to go through it step by step.",
        "Yes, I am off the phone.",
        "Yes, I said that.",
    ),
    *(
        "Yes, I'm late with my answer.",
        "Yes, my train was late.",
        "Yes, my time at the bank was good.",
    ),
    *(
        "Yes, it was nice of them.",
        "Yes, I'm tired of legacy code.",
        "Yes, I have got the question.",
    ),
    *("Yes, I want to stop the pump.", "Okay, I must leave the door open.", "Yes, I'm here."),
    *("Yes, I am listening.", "Yes, there is enough time.", "Yes, in a minute.", "Yes, ready."),
    *(
        "是的，炉子上还煮着汤。",
        "是的，我用过。",
        "对，我是护士。",
        "是的，等这题答完。",
        "是的，因为",
    ),
    *(
        "好的，我这边修好了。",
        "是的，我去开一下窗。",
        "对，我说过这个。",
        "好，我有时间。",
        "是的，我在听。",
    ),
    *("是的，我有点想法。", "好的，我要去客户那里看看。", "对，我有约束条件要说。"),
)


@pytest.mark.parametrize("text", OF_SOMETHING_ELSE)
@pytest.mark.parametrize("typed", [False, True])
def test_a_yes_with_anything_else_ends_nothing_however_often_it_is_asked(
    text: str, typed: bool
) -> None:
    assert not consent(text, END)
    world = asked_whether_to_end()
    for _ in range(2):
        world.happen(e.Typed(text)) if typed else says(world, text)
        assert not closing(world)
        world.settle()
        world.play()
        world.settle()
    assert not closing(world)


@pytest.mark.parametrize(
    "text",
    [
        *("Yes yes yes, please, thank you.", "Yes, I'm sure.", "Yes, end it.", "Gotta run, yes."),
        *("Yes, let's stop.", "Yes, I'm out of time.", "Yes, I've got to get my daughter."),
        *(
            "Okay, my taxi is here.",
            "Yes, I need to go home now.",
            "Sure, I have to catch a train.",
        ),
        *("Yes, it was a pleasure to talk to you, but I have to leave.", "Yes, dinner is ready."),
        *("好，结束吧", "我得走了，是的", "对，我赶时间", "是的，我要去开会了", "好的，孩子在叫我"),
    ],
)
def test_a_yes_that_is_one_to_its_end_ends_it(text: str) -> None:
    assert consent(text, END)


def test_what_is_asked_again_leaves_no_doubt_what_ends_it() -> None:
    world = asked_whether_to_end()
    says(world, "Yes, the kettle is on fire!")
    assert world.state.ending
    assert world.state.floor is not None
    assert world.state.floor.line.text == lines.line(lines.Said.CONFIRM_END_AGAIN, "en")
    world.play()
    world.settle()
    says(world, "Yes.")
    assert closing(world)


@pytest.mark.parametrize("text", ["Wait a second.", "等一下。"])
@pytest.mark.parametrize("no", ["Don't end it.", "No, let's continue.", "不要結束", "继续面试吧"])
def test_a_no_after_a_moment_is_no_answer(text: str, no: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert world.state.hold is not None
    says(world, no)
    assert world.state.floor is not None
    assert world.state.floor.line.step.phase is Phase.QUESTION
    assert not world.state.answered


def replied(text: str, *, typed: bool = False) -> World:
    world = offered()
    world.happen(e.Typed(text)) if typed else says(world, text)
    world.settle()
    return world


@pytest.mark.parametrize(
    "text",
    [
        *("Not really.", "I'd rather not.", "I don't want to.", "Of course not.", "Definitely."),
        *("我不想", "Yes, let's continue.", "I'd like that.", "不太想", "没错"),
    ],
)
@pytest.mark.parametrize("typed", [False, True])
def test_an_unclear_reply_to_the_offer_has_it_made_once_more(text: str, typed: bool) -> None:
    world = replied(text, typed=typed)
    assert world.state.offered
    assert world.state.pressed
    assert world.state.place.step.round == 1
    assert not world.state.answered


def test_it_is_made_no_third_time() -> None:
    world = replied("Not really.")
    world.play()
    world.settle()
    says(world, "Not really.")
    assert not world.state.offered
    assert [turn.text for turn in world.state.place.answer.turns] == ["Not really."]


def test_a_clear_reply_to_the_second_offer_counts() -> None:
    world = replied("Definitely.")
    world.play()
    world.settle()
    says(world, "Yes, skip it.")
    world.settle()
    assert world.state.place.step.round == 2


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("No, let's continue.", False),
        ("Yes, I'll continue with this question.", False),
        ("Yes, let's go on to the next question.", True),
        ("Yes, of course.", True),
        ("我还在想", False),
        ("我正在思考", False),
        ("嗯，换吧", True),
    ],
)
def test_what_is_clear_is_not_asked_about(text: str, meant: bool) -> None:
    assert consent(text, SKIP) is meant


def test_the_world_of_an_open_question_has_no_offer() -> None:
    world = asked()
    says(world, "Not really.")
    assert not world.state.offered
    assert [turn.text for turn in world.state.place.answer.turns] == ["Not really."]
