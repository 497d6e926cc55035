"""Which voice an interviewer has: the one asked for, the persona's, or the synthesiser's own."""

from __future__ import annotations

from services.interview.clients.seams import DependencyFailed, Synthesiser
from services.interview.interviewer.personas import Cast, Personas, primary
from services.interview.record import Interview, InterviewSettings
from services.runtime.errors import InvalidField


class Casting:
    """Chooses voices of those there are."""

    def __init__(self, personas: Personas, synthesiser: Synthesiser) -> None:
        self._personas = personas
        self._synthesiser = synthesiser

    async def voice(self, settings: InterviewSettings) -> str | None:
        """The voice of an interview.

        A persona's voice that is not installed is not asked for: another speaks in its place. While
        the synthesiser is away nothing is known; the voice asked for is taken on trust.

        Raises:
            InvalidField: A persona or a voice that does not exist, or not in the language.
        """
        persona = self._personas.find(settings.persona)
        if persona is None:
            known = ", ".join(each.id for each in self._personas.all())
            raise InvalidField(
                "settings.persona", f"no persona {settings.persona!r}; there are {known}"
            )
        if not persona.speaks(settings.language):
            spoken = ", ".join(persona.languages)
            raise InvalidField(
                "settings.persona", f"{settings.persona!r} interviews in {spoken} only"
            )
        own = persona.voices[primary(settings.language)]
        try:
            there = {voice.id for voice in await self._synthesiser.voices()}
        except DependencyFailed:
            return settings.voice
        if settings.voice is None:
            return own if own in there else None
        if settings.voice not in there:
            raise InvalidField(
                "settings.voice",
                f"no voice {settings.voice!r}; there are {', '.join(sorted(there))}",
            )
        return settings.voice

    def cast(self, interview: Interview) -> Cast:
        """Who speaks in an interview."""
        persona = self._personas.find(interview.settings.persona)
        return Cast(interview.voice) if persona is None else Cast(interview.voice, persona.styles)
