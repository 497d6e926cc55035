"""What is made of short utterances in four states of an interview, by rules not tuned on them.

Costly is what can't be taken back: an interview ended, a question skipped or an answer dropped that
should not be. Cheap is what is asked again, or a wish that is taken for an answer.

Before the rules were rewritten 43 of the 707 errors were costly and 160 cheap; at the first judging
of the new rules, written by the same hand, none and 10.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from services.interview.authored import read_authored
from services.interview.conversation import events as e
from services.interview.endpointing.moment import Asked
from services.interview.record import Phase
from services.interview.understanding.intent import Intent, Situation, understand
from tests.interview.test_ending_by_voice import asked_whether_to_end, closing, offered, says
from tests.interview.world import World

OPEN = {
    "en": "Tell me about a time you had to explain something difficult.",
    "zh": "请讲一次你解释难题的经历。",
}
WISHES = {"REPEAT", "REPHRASE", "HOLD", "SKIP", "END"}
STATES = ("open", "there", "end", "skip")
CHEAP_SHARE = 0.03


@dataclass(frozen=True)
class Sample:
    """An utterance, when and how it was made, and what may come of it."""

    state: str
    language: str
    typed: bool
    question: str
    text: str
    means: frozenset[str]

    @property
    def found(self) -> str:
        if self.state in {"open", "there"}:
            return self._understood()
        return _at_end(self) if self.state == "end" else _at_skip(self)

    def _understood(self) -> str:
        asked = Asked(self.question, Phase.QUESTION, None, self.language)
        situation = Situation(self.language, None, asked=asked, typed=self.typed)
        meant = understand(self.text, situation, final=True)
        # What is typed and no wish is an answer, however little it says.
        return meant.name if not self.typed or meant.name in WISHES else Intent.SPEECH.name

    @property
    def costly(self) -> bool:
        """Whether what comes of it can't be taken back, and should not have come of it."""
        if self.found in self.means:
            return False
        if self.state == "end":
            return self.found == "yes"
        if self.state == "skip":
            return self.found == "yes" or self.means == {"answer"}
        return self.found == "SKIP" or self.means == {"SPEECH"}


@cache
def _asked_to_end() -> World:
    return asked_whether_to_end()


@cache
def _offered_to_skip() -> World:
    return offered()


def _twin(world: World) -> World:
    """A world of its own, as far as another has come; its state never changes."""
    twin = copy(world)
    for name, value in vars(world).items():
        if isinstance(value, (list, dict, set)):
            setattr(twin, name, copy(value))
    return twin


def _after(world: World, sample: Sample) -> World:
    world = _twin(world)
    if sample.typed:
        world.happen(e.Typed(sample.text))
    else:
        says(world, sample.text)
    return world


def _at_end(sample: Sample) -> str:
    world = _after(_asked_to_end(), sample)
    if closing(world):
        return "yes"
    return "neither" if world.state.ending else _otherwise(world, nothing="no")


def _at_skip(sample: Sample) -> str:
    world = _after(_offered_to_skip(), sample)
    if world.state.offered and world.state.pressed:
        return "neither"
    found = _otherwise(world, nothing="nothing")
    return {"SKIP": "yes", "HOLD": "no"}.get(found, found)


def _otherwise(world: World, *, nothing: str) -> str:
    floor = world.state.floor
    if world.state.place.step.round > 1 or (floor is not None and floor.line.step.round > 1):
        return "SKIP"
    if world.state.hold is not None:
        return "HOLD"
    return "answer" if world.state.place.answer.turns else nothing


def _samples(name: str) -> Iterator[Sample]:
    file = Path(__file__).with_name(name)
    for group in read_authored(file)["groups"]:
        state, language = group["state"], group["language"]
        question = group.get("question", OPEN[language])
        means = frozenset(group["means"].split("|"))
        for text in group["texts"]:
            yield Sample(state, language, group.get("typed", False), question, text, means)


SAMPLES: Sequence[Sample] = tuple(_samples("wishes.yaml"))
REFUSALS: Sequence[Sample] = tuple(_samples("refusals.yaml"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("state", STATES)
def test_nothing_is_lost_by_a_misunderstanding_and_little_asked_again(
    state: str, language: str
) -> None:
    here = [s for s in SAMPLES if (s.state, s.language) == (state, language)]
    assert len(here) >= 60
    wrong = [(s.text, s.found) for s in here if s.found not in s.means]
    assert not [(s.text, s.found) for s in here if s.costly]
    assert len(wrong) <= CHEAP_SHARE * len(here), wrong


@pytest.mark.parametrize("state", STATES)
def test_refusals_reasons_and_everyday_words_cost_nothing_either(state: str) -> None:
    here = [s for s in REFUSALS if s.state == state]
    wrong = [(s.text, s.found) for s in here if s.found not in s.means]
    assert not [(s.text, s.found) for s in here if s.costly]
    assert len(wrong) <= CHEAP_SHARE * len(here), wrong


def test_the_second_set_is_large() -> None:
    assert len(REFUSALS) >= 300
