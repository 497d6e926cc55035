"""The lines that are known before they are needed, spoken ahead while the candidate talks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.interview.clients.seams import Style, Synthesiser, VoiceConfig
from services.interview.conversation.floor import Line
from services.interview.conversation.progress import Step
from services.interview.conversation.speech import PreparedSpeech
from services.interview.events import AudioFormat
from services.interview.interviewer import lines
from services.interview.interviewer.personas import Cast
from services.interview.questions.bank import Question
from services.interview.record import InterviewSettings, Phase

SPARE_FOLLOW_UPS = (
    "Could you give me a concrete example of that?",
    "What would you do differently if you did it again?",
    "What did you learn from it?",
)
"""For rounds with more follow-ups than the bank has for the question."""


class Voice:
    """Turns lines into speech in the candidate's format; without a format, into text only."""

    def __init__(
        self,
        synthesiser: Synthesiser,
        config: VoiceConfig | None,
        styles: Mapping[Phase, Style],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._synthesiser = synthesiser
        self._config = config
        self._styles = styles
        self._tasks = tasks

    def say(self, text: str, phase: Phase, *, ahead: bool) -> PreparedSpeech | None:
        """Starts making the speech of a text; None when only text is wanted."""
        if self._config is None:
            return None
        speech = PreparedSpeech(text, self._tasks)
        style = self._styles.get(phase, Style.NEUTRAL)
        speech.synthesise(self._synthesiser, replace(self._config, style=style, ahead=ahead))
        return speech


def voice_for(
    settings: InterviewSettings,
    cast: Cast,
    output: AudioFormat | None,
    synthesiser: Synthesiser,
    tasks: asyncio.TaskGroup,
) -> Voice:
    """The interviewer's voice in a client's format; without one it only writes."""
    config = None if output is None else VoiceConfig(settings.language, cast.voice, output)
    return Voice(synthesiser, config, cast.styles, tasks)


class Stock:
    """The opening, the questions, their own follow-ups, the closing."""

    def __init__(self, settings: InterviewSettings, plan: Sequence[Question], voice: Voice) -> None:
        self._settings = settings
        self._plan = plan
        self._voice = voice
        self._made: dict[Step, Line] = {}

    def question(self, step: Step) -> Question | None:
        """The bank's question a step belongs to."""
        return self._plan[step.round - 1] if step.asks else None

    def question_id(self, step: Step) -> str:
        """That question's id; empty for none."""
        question = self.question(step)
        return question.id if question else ""

    def text(self, step: Step) -> str:
        """What the bank and the fixed lines have the interviewer say at a step."""
        match step.phase:
            case Phase.OPENING:
                return lines.opening(self._settings)
            case Phase.QUESTION:
                question = self._plan[step.round - 1]
                return lines.question(question.text, step.round, len(self._plan))
            case Phase.FOLLOW_UP:
                own = self._plan[step.round - 1].follow_ups
                spare = (*own, *SPARE_FOLLOW_UPS)
                return spare[min(step.follow_up, len(spare)) - 1]
            case _:
                return lines.closing(self._settings)

    def line(self, step: Step, *, ahead: bool = False) -> Line:
        """The line of a step. Made ahead it is ready when its moment comes."""
        made = self._made.get(step)
        if made is None or (made.speech is not None and not made.speech.usable):
            text = self.text(step)
            speech = self._voice.say(text, step.phase, ahead=ahead)
            made = Line(step, text, speech, self.question_id(step))
            self._made[step] = made
        return made

    def clear(self, voice: Voice) -> None:
        """Throws everything away, for another voice or format."""
        for line in self._made.values():
            if line.speech is not None:
                line.speech.discard()
        self._made.clear()
        self._voice = voice
