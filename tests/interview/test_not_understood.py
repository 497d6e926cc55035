"""Who spoke for long and was not understood is told so: a bad line or a noise is no silence."""

from __future__ import annotations

import pytest

from services.interview.clients.seams import SpeechBegan, TurnEnded
from services.interview.conversation import events as e
from services.interview.interviewer import lines
from tests.interview.test_ending_by_voice import offered, says
from tests.interview.test_engine import ANSWER, asked
from tests.interview.world import World


def makes_sounds(world: World, seconds: float) -> None:
    """Speech, by its sound, in which no word was understood."""
    began = world.now
    world.happen(e.Heard(SpeechBegan(began)))
    world.pass_time(seconds)
    world.happen(e.Heard(TurnEnded("", (), began, world.now)))


def said(world: World) -> str | None:
    return world.state.floor.line.text if world.state.floor is not None else None


def not_heard() -> str:
    return lines.line(lines.Said.NOT_HEARD, "en")


def test_a_long_answer_that_was_not_understood_is_asked_for_once_more() -> None:
    world = asked()
    makes_sounds(world, 6.0)
    assert said(world) == not_heard()
    assert "type" in not_heard()
    world.settle()
    world.play()
    world.settle()
    says(world, ANSWER)
    assert [turn.text for turn in world.state.place.answer.turns] == [ANSWER]


def test_a_noise_that_goes_on_is_like_silence() -> None:
    world = asked()
    for _ in range(3):
        makes_sounds(world, 6.0)
        heard = said(world)
        world.settle()
        if heard is not None:
            assert heard == not_heard()
            world.play()
            world.settle()
    assert heard is None
    while not world.state.offered:
        world.pass_time(60.0)
        world.settle()


def test_whoever_was_understood_in_between_is_asked_again() -> None:
    world = asked()
    for _ in range(2):
        makes_sounds(world, 6.0)
        assert said(world) == not_heard()
        world.settle()
        world.play()
        world.settle()
        says(world, "Could you repeat the question, please?")
        world.settle()
        world.play()
        world.settle()


@pytest.mark.parametrize("seconds", [0.5, 2.5])
def test_a_short_sound_is_nothing(seconds: float) -> None:
    world = asked()
    makes_sounds(world, seconds)
    assert said(world) is None
    assert world.state.quiet == 0


def test_nor_are_sounds_beside_words_or_after_an_offer() -> None:
    world = asked()
    says(world, ANSWER)
    makes_sounds(world, 6.0)
    assert said(world) != not_heard()
    world = offered()
    makes_sounds(world, 6.0)
    assert said(world) is None
