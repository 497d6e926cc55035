"""Which voice an interviewer has: the one asked for, the persona's, or the synthesiser's own."""

from __future__ import annotations

from services.interview.clients.seams import DependencyFailed, Synthesiser, VoiceInfo
from services.interview.interviewer.personas import Cast, Personas, primary
from services.interview.record import Interview, InterviewSettings, Mode
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
            InvalidField: A persona or a voice that does not exist, or not in the language; or a
                language that no voice speaks.
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
            voices = await self._synthesiser.voices()
        except DependencyFailed:
            return settings.voice
        speaking = sorted(voice.id for voice in voices if _speaks(voice, settings.language))
        if not speaking:
            raise InvalidField("settings.language", f"no voice here speaks {settings.language!r}")
        if settings.voice is None:
            return own if own in speaking else None
        if settings.voice not in speaking:
            exists = any(voice.id == settings.voice for voice in voices)
            fault = f"does not speak {settings.language!r}" if exists else "does not exist"
            raise InvalidField(
                "settings.voice",
                f"voice {settings.voice!r} {fault}; there are {', '.join(speaking)}",
            )
        return settings.voice

    def mode(self, settings: InterviewSettings) -> Mode:
        """What an interview is for: the persona's mode."""
        persona = self._personas.find(settings.persona)
        return settings.mode if persona is None else persona.mode

    def cast(self, interview: Interview) -> Cast:
        """Who speaks in an interview."""
        persona = self._personas.find(interview.settings.persona)
        return Cast(interview.voice) if persona is None else Cast(interview.voice, persona.styles)


def _speaks(voice: VoiceInfo, language: str) -> bool:
    return primary(language) in map(primary, voice.languages)
