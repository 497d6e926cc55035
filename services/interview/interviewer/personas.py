"""Who can interview, read from `personas.yaml`, and how each speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from services.interview.authored import read_authored
from services.interview.clients.seams import Style
from services.interview.record import DEFAULT_PERSONA, Mode, Phase

CATALOGUE = Path(__file__).parent / "personas.yaml"
ENGLISH = "en"

USUAL_STYLES: Mapping[Phase, Style] = {
    Phase.OPENING: Style.WELCOMING,
    Phase.QUESTION: Style.NEUTRAL,
    Phase.FOLLOW_UP: Style.ENCOURAGING,
    Phase.CLOSING: Style.THANKFUL,
}


def primary(language: str) -> str:
    """The language of a BCP 47 tag, without script and region."""
    return language.split("-", maxsplit=1)[0].lower()


@dataclass(frozen=True, slots=True)
class Cast:
    """Who speaks: a voice, None for the synthesiser's own, and the style of each phase."""

    voice: str | None = None
    styles: Mapping[Phase, Style] = field(default_factory=lambda: USUAL_STYLES)


@dataclass(frozen=True, slots=True)
class Persona:
    """An interviewer; names, descriptions and voices by language."""

    id: str
    names: Mapping[str, str]
    descriptions: Mapping[str, str]
    voices: Mapping[str, str]
    styles: Mapping[Phase, Style]
    mode: Mode = Mode.INTERVIEW

    @property
    def languages(self) -> Sequence[str]:
        """The languages it interviews in: those it has a voice for."""
        return list(self.voices)

    def speaks(self, language: str) -> bool:
        """Whether it interviews in a language."""
        return primary(language) in self.voices

    def name(self, language: str) -> str:
        """Its name for people, in English where it has none in the language."""
        return self.names.get(primary(language), self.names[ENGLISH])

    def description(self, language: str) -> str:
        """What it is like, in English where that is not told in the language."""
        return self.descriptions.get(primary(language), self.descriptions[ENGLISH])


class Personas:
    """The catalogue, the default first."""

    def __init__(self, personas: Sequence[Persona]) -> None:
        """Takes the personas.

        Raises:
            ValueError: Two share an id, or the default is not the first.
        """
        self._personas = {persona.id: persona for persona in personas}
        if len(self._personas) != len(personas):
            raise ValueError("two personas share an id")
        if not personas or personas[0].id != DEFAULT_PERSONA:
            raise ValueError(f"the first persona has to be {DEFAULT_PERSONA}")

    def all(self, language: str | None = None) -> list[Persona]:
        """The personas that interview in a language; None for all."""
        return [p for p in self._personas.values() if language is None or p.speaks(language)]

    def find(self, persona_id: str) -> Persona | None:
        """The persona of this id."""
        return self._personas.get(persona_id)


@cache
def load_personas() -> Personas:
    """Reads the catalogue, once.

    Raises:
        ValueError: An entry is not what it should be; the message names it.
    """
    return Personas([_persona(entry) for entry in read_authored(CATALOGUE)])


def _persona(entry: Mapping[str, Any]) -> Persona:
    try:
        styles = {
            Phase[phase.upper()]: Style[style.upper()]
            for phase, style in entry.get("styles", {}).items()
        }
        return Persona(
            id=str(entry["id"]),
            names={ENGLISH: entry["names"][ENGLISH], **entry["names"]},
            descriptions={ENGLISH: entry["descriptions"][ENGLISH], **entry["descriptions"]},
            voices=dict(entry["voices"]),
            styles={**USUAL_STYLES, **styles},
            mode=Mode[entry.get("mode", Mode.INTERVIEW.name).upper()],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"persona {entry.get('id', entry)}: {error!r}") from error
