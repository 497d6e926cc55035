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
}
_DIFFICULTIES = {"easy": Difficulty.EASY, "medium": Difficulty.MEDIUM, "hard": Difficulty.HARD}


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what a good answer says."""

    id: str
    text: str
    category: Category
    difficulty: Difficulty
    tags: tuple[str, ...]
    key_points: tuple[str, ...]
    follow_ups: tuple[str, ...]
    language: str = "en"

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
        questions += [_question(entry, category, path.name) for entry in content["questions"]]
    return Bank(questions)


def _question(entry: Mapping[str, Any], category: Category, source: str) -> Question:
    try:
        return Question(
            id=str(entry["id"]),
            text=str(entry["text"]),
            category=category,
            difficulty=_DIFFICULTIES[entry["difficulty"]],
            tags=tuple(map(str, entry["tags"])),
            key_points=tuple(map(str, entry["key_points"])),
            follow_ups=tuple(map(str, entry["follow_ups"])),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{source}: {entry.get('id', entry)}: {error}") from error
