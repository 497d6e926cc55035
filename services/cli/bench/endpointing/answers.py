"""The written answers that are spoken for the benchmark, and where their speakers may pause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from services.interview.endpointing.deciding import Asked
from services.interview.record import Category, Phase

Half = Literal["fitted", "judged"]
LANGUAGES = ("en", "zh")

_FOLDER = Path(__file__).parent
_CATEGORIES = {
    "technical": Category.TECHNICAL,
    "behavioral": Category.BEHAVIORAL,
    "soft_skills": Category.SOFT_SKILLS,
    "self_introduction": Category.SELF_INTRODUCTION,
}
_PHASES = {
    "opening": Phase.OPENING,
    "question": Phase.QUESTION,
    "follow_up": Phase.FOLLOW_UP,
    "closing": Phase.CLOSING,
}
_SENTENCE = re.compile(r"[^.?!。？！]*[.?!。？！]+")
_MARK = re.compile(r"\s*\|\s*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and the offsets inside it (in characters) where its speaker may pause."""

    text: str
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question, sentence by sentence."""

    id: str
    half: Half
    asked: Asked
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return self.separator.join(sentence.text for sentence in self.sentences)

    @property
    def separator(self) -> str:
        """What stands between two sentences."""
        return "" if self.asked.language == "zh" else " "


@cache
def answers() -> Mapping[str, Answer]:
    """Every written answer by its id, English first."""
    return {
        answer.id: answer
        for language in LANGUAGES
        for answer in _read(_FOLDER / f"answers_{language}.yaml")
    }


def _read(file: Path) -> Iterator[Answer]:
    # Only what judges answers needs it: `viva` itself starts without.
    from services.interview.authored import read_authored

    content = read_authored(file)
    language = str(content["language"])
    for index, entry in enumerate(content["answers"]):
        half: Half = "judged" if index % 2 else "fitted"
        yield Answer(
            f"{language}-{index + 1:02}", half, _asked(entry, language), sentences(entry["say"])
        )


def _asked(entry: Mapping[str, Any], language: str) -> Asked:
    category = entry.get("category")
    return Asked(
        text=str(entry["ask"]),
        phase=_PHASES[entry.get("phase", "question")],
        category=None if category is None else _CATEGORIES[category],
        language=language,
    )


def sentences(marked: str) -> tuple[Sentence, ...]:
    """The sentences of a text with `|` where its speaker may pause."""
    found = []
    for match in _SENTENCE.finditer(marked):
        text, places = "", []
        for piece in _MARK.split(match.group().strip()):
            if not text:
                text = piece
                continue
            places.append(len(text))
            text += piece if _han(text[-1]) else f" {piece}"
        found.append(Sentence(text, tuple(places)))
    return tuple(found)


def _han(character: str) -> bool:
    return character > "\u2e80"
