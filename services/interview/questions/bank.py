"""The authored questions, read from `bank/*.yaml`, one file a subject."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.interview.record import Category, Difficulty

BANK = Path(__file__).parent / "bank"

_CATEGORIES = {
    "technical": Category.TECHNICAL,
    "behavioral": Category.BEHAVIORAL,
    "soft_skills": Category.SOFT_SKILLS,
    "self_introduction": Category.SELF_INTRODUCTION,
    "conversation": Category.CONVERSATION,
}
_DIFFICULTIES = {"easy": Difficulty.EASY, "medium": Difficulty.MEDIUM, "hard": Difficulty.HARD}


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what a good answer says.

    Attributes:
        aims: For each follow-up the place of the key point it asks for; None asks in general. May
            be shorter than `follow_ups`: the rest ask in general.
        own_trade: Asks about the candidate's own trade, whichever it is: it takes the place of a
            technical question where the bank has none for the position.
    """

    id: str
    text: str
    category: Category
    difficulty: Difficulty
    tags: tuple[str, ...]
    key_points: tuple[str, ...]
    follow_ups: tuple[str, ...]
    language: str = "en"
    aims: tuple[int | None, ...] = ()
    own_trade: bool = False

    @property
    def aimed(self) -> tuple[tuple[str, int | None], ...]:
        """The follow-ups, each with the place of the key point it asks for."""
        aims = (*self.aims, *(None for _ in self.follow_ups[len(self.aims) :]))
        return tuple(zip(self.follow_ups, aims, strict=True))

    @property
    def passage(self) -> str:
        """What it is found by: the question and its tags."""
        return f"{self.text} ({', '.join(self.tags)})"

    @property
    def digest(self) -> str:
        """Changes exactly when the passage does."""
        return hashlib.sha256(self.passage.encode()).hexdigest()


class Bank:
    """The questions in the order of their files, by id."""

    def __init__(self, questions: Sequence[Question]) -> None:
        """Takes the questions.

        Raises:
            ValueError: Two of them share an id.
        """
        self._questions = {question.id: question for question in questions}
        if len(self._questions) != len(questions):
            raise ValueError("two questions share an id")

    def __iter__(self) -> Iterator[Question]:
        return iter(self._questions.values())

    def __len__(self) -> int:
        return len(self._questions)

    def find(self, question_id: str) -> Question | None:
        """The question of this id."""
        return self._questions.get(question_id)


def load_bank(directory: Path = BANK) -> Bank:
    """Reads every file of a directory.

    Raises:
        ValueError: A file is not what it should be; the message names the question.
    """
    questions: list[Question] = []
    for path in sorted(directory.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        category = _CATEGORIES[content["category"]]
        language = content.get("language", "en")
        own_trade = content.get("own_trade", False)
        questions += [
            _question(entry, category, language, path.name, own_trade=own_trade)
            for entry in content["questions"]
        ]
    return Bank(questions)


def _question(
    entry: Mapping[str, Any], category: Category, language: str, source: str, *, own_trade: bool
) -> Question:
    try:
        key_points = tuple(map(str, entry["key_points"]))
        asked = [_follow_up(each, len(key_points)) for each in entry["follow_ups"]]
        return Question(
            id=str(entry["id"]),
            text=str(entry["text"]),
            category=category,
            difficulty=_DIFFICULTIES[entry["difficulty"]],
            tags=tuple(map(str, entry["tags"])),
            key_points=key_points,
            follow_ups=tuple(text for text, _ in asked),
            language=language,
            aims=tuple(aim for _, aim in asked),
            own_trade=own_trade,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source}: {entry.get('id', entry)}: {error}") from error


def _follow_up(entry: object, points: int) -> tuple[str, int | None]:
    """A text, or `NUMBER: text` with the number of the key point it asks for, from 1."""
    if not isinstance(entry, dict):
        return str(entry), None
    ((number, text),) = entry.items()
    if not 1 <= number <= points:
        raise ValueError(f"a follow-up asks for key point {number} of {points}")
    return str(text), number - 1
