"""A candidate who asks to stop is asked first: what is misheard must not end an interview."""

from __future__ import annotations

import pytest

from services.interview.clients.seams import SpeechBegan, TurnEnded
from services.interview.conversation import events as e
from services.interview.conversation import speaking
from services.interview.conversation.scene import Scene
from services.interview.events import UtteranceEnded
from services.interview.interviewer import lines
from services.interview.record import Phase
from tests.interview.test_engine import ANSWER, asked, speaks
from tests.interview.world import World

QUESTION = lines.line(lines.Said.CONFIRM_END, "en")


def says(world: World, text: str) -> None:
    began = speaks(world, text)
    world.happen(e.Heard(TurnEnded(text, (), began, world.now)))


def asked_whether_to_end(text: str = "I want to end the interview.") -> World:
    world = asked()
    says(world, text)
    assert world.state.floor is not None
    assert world.state.floor.line.text == QUESTION
    world.settle()
    world.play()
    world.settle()
    return world


def closing(world: World) -> bool:
    floor = world.state.floor
    return floor is not None and floor.line.step.phase is Phase.CLOSING


@pytest.mark.parametrize("text", ["Can we stop?", "End the interview.", "Let's stop here."])
def test_a_wish_to_stop_is_asked_about(text: str) -> None:
    world = asked_whether_to_end(text)
    assert not closing(world)
    assert world.state.place.step.phase is Phase.QUESTION


@pytest.mark.parametrize(
    "text",
    [
        *("Yes.", "Yes, please.", "Okay, stop.", "End the interview.", "Yes, I do.", "Yep."),
        *("Um, yes.", "Absolutely.", "Yes, that's right.", "I do.", "Right.", "Please do."),
        *("对。", "确定。", "嗯，好的。", "对，我想结束。", "行。"),
    ],
)
def test_yes_or_the_wish_again_ends_it(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert closing(world)


@pytest.mark.parametrize(
    "text",
    [
        *("No.", "No, let's go on.", "Please continue.", "Don't stop.", "Nope.", "Not at all."),
        *("No, I'd like to continue.", "No, that was a mistake.", "Sorry, no, I misspoke."),
        *("不，继续。", "没有，继续。", "不好意思，说错了，继续吧。"),
    ],
)
def test_no_has_the_question_asked_again(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert world.state.floor is not None
    assert world.state.floor.line.step.phase is Phase.QUESTION
    assert world.state.place.answer.turns == ()
    assert not world.state.ending


def test_an_answer_goes_on_with_the_interview() -> None:
    world = asked_whether_to_end()
    says(world, ANSWER)
    assert [turn.text for turn in world.state.place.answer.turns] == [ANSWER]
    assert not closing(world)


def test_silence_ends_nothing_and_a_later_wish_is_asked_about_again() -> None:
    world = asked_whether_to_end()
    world.pass_time(16.0)
    world.settle()
    assert not world.state.ending
    assert world.state.place.step.phase is Phase.QUESTION
    says(world, "Can we stop?")
    assert not closing(world)


def test_what_was_answered_before_is_not_replied_to_before_the_question_is_decided() -> None:
    world = asked()
    says(world, ANSWER)
    says(world, "Can we stop here?")
    world.settle()
    world.play()
    world.settle()
    assert world.state.ending
    says(world, "Yes.")
    assert closing(world)
    assert "ending" in world.state.to_json().decode()


@pytest.mark.parametrize(("language", "text"), [("en", "end the interview"), ("zh", "结束面试")])
def test_the_question_exists_in_both_languages(language: str, text: str) -> None:
    assert text in lines.line(lines.Said.CONFIRM_END, language)


@pytest.mark.parametrize("text", ["Maybe.", "We used Redis.", "No, please stop.", "我不确定。"])
def test_what_is_neither_yes_nor_no_is_asked_about_once_more(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert world.state.ending
    assert world.state.floor is not None
    assert world.state.floor.line.text == lines.line(lines.Said.CONFIRM_END_AGAIN, "en")
    assert world.state.place.answer.turns == ()
    world.play()
    world.settle()
    says(world, "Yes, I do.")
    assert closing(world)


def test_it_is_not_asked_a_third_time() -> None:
    world = asked_whether_to_end()
    says(world, "Maybe.")
    world.play()
    world.settle()
    says(world, "We used Redis.")
    assert not world.state.ending
    assert [turn.text for turn in world.state.place.answer.turns] == ["We used Redis."]


def test_a_question_at_the_question_is_none_to_the_interview() -> None:
    """Another wish than to stop takes its place."""
    world = asked_whether_to_end()
    says(world, "Could you repeat the question?")
    assert not world.state.ending
    assert world.state.place.answer.turns == ()


def offered() -> World:
    """Somebody who said nothing was offered to skip the question."""
    world = asked()
    while not world.state.offered:
        world.pass_time(60.0)
        world.settle()
        if world.state.floor is not None:
            world.play()
            world.settle()
    return world


@pytest.mark.parametrize(
    "text", ["Yes, please.", "Yep.", "Um, okay.", "Yes, let's skip it.", "好，跳过吧。"]
)
def test_yes_to_the_offer_skips_the_question(text: str) -> None:
    world = offered()
    says(world, text)
    world.settle()
    assert world.state.place.step.round == 2
    assert not world.state.offered


@pytest.mark.parametrize("text", ["No.", "No, I'd like to answer it.", "不用，我想想。"])
def test_no_to_the_offer_is_no_answer_and_leaves_time_for_one(text: str) -> None:
    world = offered()
    says(world, text)
    assert world.state.place.answer.turns == ()
    assert world.state.place.step.round == 1
    assert world.state.hold is not None


@pytest.mark.parametrize("text", ["Redis.", "No, we used Postgres.", "Yes, because of the index."])
def test_an_answer_at_the_offer_is_one(text: str) -> None:
    world = offered()
    says(world, text)
    assert [turn.text for turn in world.state.place.answer.turns] == [text]


@pytest.mark.parametrize(
    "text",
    [
        *("Let me finish.", "Let me wrap up.", "I want to finish the question.", "Wait, no."),
        *("I have enough time.", "End this question.", "Leave it.", "Stop, I am not done."),
        *("Okay, so", "Yes, well", "Okay...", "好，那", "I finish at ten.", "End?"),
        *("让我说完。", "结束这个问题。", "停一下。", "对吧？"),
    ],
)
@pytest.mark.parametrize("typed", [False, True])
def test_words_that_name_an_end_do_not_end_the_interview(text: str, typed: bool) -> None:
    world = asked_whether_to_end()
    says(world, text) if not typed else world.happen(e.Typed(text))
    assert not closing(world)
    world.settle()
    world.play()
    world.settle()
    assert not closing(world)
    assert not world.state.answered


@pytest.mark.parametrize("text", ["Let me finish.", "停一下。", "Wait a second.", "我先停一下。"])
def test_who_asks_for_time_instead_of_an_end_gets_it(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert world.state.hold is not None
    assert not world.state.ending


@pytest.mark.parametrize("text", ["Okay, next question.", "No, next question.", "好，下一题。"])
def test_who_wants_the_next_question_instead_of_an_end_gets_it(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert world.state.floor is not None
    assert world.state.floor.line.step.round == 2
    assert not world.state.ending


@pytest.mark.parametrize(
    "text",
    [
        *("Yes, I don't want to continue.", "Okay, no problem, end it.", "Yes, I have to go."),
        *(
            "Yes, my battery is dying.",
            "是的，我不想继续了。",
            "是的，結束吧。",
            "没问题，结束吧。",
        ),
    ],
)
def test_a_yes_with_its_reason_ends_it(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert closing(world)


@pytest.mark.parametrize("text", ["Mm-hmm.", "嗯。"])
def test_a_hum_ends_nothing_and_has_it_asked_again(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert world.state.ending
    assert not closing(world)
    world.play()
    world.settle()
    says(world, text)
    assert not closing(world)
    says(world, "Yes.")
    assert closing(world)


def test_an_unclear_wish_to_end_is_asked_about_as_often_as_it_is_said() -> None:
    world = asked_whether_to_end()
    for _ in range(3):
        says(world, "I want to finish.")
        assert world.state.ending
        assert not closing(world)
        world.play()
        world.settle()


@pytest.mark.parametrize("text", ["I have to go.", "Sorry, I need to leave.", "我得走了。"])
def test_who_has_to_go_is_asked(text: str) -> None:
    assert not closing(asked_whether_to_end(text))


@pytest.mark.parametrize(
    "text",
    [
        *("I think about the customer first.", "First I try to restart it.", "Yes, I have."),
        *("I stay calm and listen to them.", "Yes, we have that.", "Of course we have that."),
        *("We answer every mail within a day.", "Next to the till.", "I go to the next bed."),
        *(
            "我会耐心回答客人。",
            "我想一想用户需要什么。",
            "我会先试试重启。",
            "没有。",
            "是的，用过。",
        ),
    ],
)
def test_the_first_sentence_of_an_answer_at_the_offer_is_no_yes_or_no(text: str) -> None:
    world = offered()
    says(world, text)
    assert [turn.text for turn in world.state.place.answer.turns] == [text]


@pytest.mark.parametrize("text", ["嗯……", "Okay...", "Yes, so"])
def test_who_hesitates_at_the_offer_skips_nothing(text: str) -> None:
    world = offered()
    says(world, text)
    world.settle()
    assert world.state.place.step.round == 1


@pytest.mark.parametrize("text", ["I'll try.", "Let me think about it.", "让我试试。", "别跳过。"])
def test_who_would_try_is_left_time(text: str) -> None:
    world = offered()
    says(world, text)
    assert world.state.hold is not None
    assert world.state.place.step.round == 1


def says_at_once(world: World, text: str) -> None:
    """Its words are known only when it is over."""
    world.happen(e.Heard(SpeechBegan(world.now)))
    world.happen(e.Heard(TurnEnded(text, (), world.now, world.now)))


@pytest.mark.parametrize("text", ["Yes.", "Maybe.", "Next question.", "Can you repeat it?"])
def test_a_question_to_end_that_still_sounds_is_stopped_by_its_answer(text: str) -> None:
    world = asked()
    says(world, "I want to end the interview.")
    world.speak(3)
    question = world.state.floor
    assert question is not None
    assert question.started is not None
    says_at_once(world, text)
    world.store()
    ended = [event for event in world.told if isinstance(event, UtteranceEnded)]
    assert [event.interrupted for event in ended if event.utterance_id == question.id] == [True]
    assert question.id in world.hushed
    assert world.state.floor is not None
    assert world.state.floor.id != question.id


def test_an_offer_that_still_sounds_is_stopped_by_its_answer() -> None:
    world = asked()
    while not world.state.offered:
        world.settle()
        world.play()
        world.pass_time(1.0)
    world.speak(2)
    offer = world.state.floor
    assert offer is not None
    says_at_once(world, "No.")
    assert offer.id in world.hushed
    assert world.state.floor is None
    assert world.state.hold is not None


def test_nothing_is_said_while_something_else_is() -> None:
    world = asked()
    says(world, "I want to end the interview.")
    assert world.state.floor is not None
    scene = Scene(world.script, world.state, world.now)
    with pytest.raises(AssertionError):
        speaking.say(scene, world.state.floor.line)
