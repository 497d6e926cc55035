"""What is said to "Shall I end the interview?" and "Shall we skip this question?"."""

from __future__ import annotations

from itertools import product

import pytest

from services.interview.conversation import events as e
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


@pytest.mark.parametrize("text", ["Yes, the kettle is on fire!", "是的，炉子上还煮着汤。"])
def test_a_yes_with_any_reason_ends_it_when_it_is_asked_again(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert world.state.ending
    world.play()
    world.settle()
    says(world, text)
    assert closing(world)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Yes, we used Redis.",
            "Yes, I am a nurse.",
            "Yes, I led that project.",
            "Yes, after it.",
        ),
        *("Yes, but one more question.", "Go ahead, ask me.", "是的，我用过。", "对，我是护士。"),
        *(
            "Okay, I have more to say.",
            "是的，等这题答完。",
            "Sure, I know that one.",
            "I can't hear",
        ),
    ],
)
@pytest.mark.parametrize("pressed", [False, True])
def test_a_yes_that_tells_of_something_else_or_sets_a_condition_is_none(
    text: str, pressed: bool
) -> None:
    assert not consent(text, END, pressed=pressed)


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
