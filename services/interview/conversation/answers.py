"""What the candidate has answered to the step, turn by turn. A turn that is over may yet go on."""

from __future__ import annotations

import uuid
from dataclasses import replace

from services.interview.clients.seams import TurnEnded
from services.interview.conversation.chronicle import Chronicle
from services.interview.conversation.progress import Step
from services.interview.events import CandidateTurn, CandidateTurnReopened
from services.interview.record import Speaker, Turn


class Answers:
    """The turns that answer the interviewer's last line.

    A spoken turn that was told is taken back when the candidate goes on before a reply was heard,
    and told again, whole, when it is over. A turn that is held open is told when it no longer is.
    """

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self.turns: list[Turn] = []
        self._reopened = False
        self._held: Turn | None = None

    @property
    def unfinished(self) -> bool:
        """Whether something was said that is not told yet, or was taken back."""
        return self._reopened or self._held is not None

    def whole(self, more: str = "") -> str:
        """All that was answered, and `more`."""
        told = self.turns[:-1] if self._reopened and self._held else self.turns
        parts = [turn.text for turn in told]
        parts += [self._held.text] if self._held else []
        return " ".join(part for part in (*parts, more.strip()) if part)

    def reopen(self) -> None:
        """The candidate goes on: the last spoken turn, if there is one, is taken back."""
        if self.turns and not self.turns[-1].typed and not self._reopened:
            self._reopened = True
            self._chronicle.emit(CandidateTurnReopened(self.turns[-1].id))

    def spoken(self, event: TurnEnded, step: Step, question_id: str) -> Turn:
        """The turn a stretch of speech belongs to, whole."""
        turn = Turn(
            id=uuid.uuid4().hex,
            speaker=Speaker.CANDIDATE,
            text=event.text.strip(),
            start=event.start,
            end=event.end,
            words=event.words,
            round=step.asked_round,
            question_id=question_id,
        )
        before = self._held or (self.turns[-1] if self._reopened else None)
        if before is None:
            return turn
        return replace(
            before,
            text=f"{before.text} {turn.text}",
            end=turn.end,
            words=before.words + turn.words,
        )

    def typed(self, text: str, step: Step, question_id: str) -> Turn:
        """A typed turn."""
        now = self._chronicle.clock.now()
        return Turn(
            id=uuid.uuid4().hex,
            speaker=Speaker.CANDIDATE,
            text=text.strip(),
            start=now,
            end=now,
            round=step.asked_round,
            question_id=question_id,
            typed=True,
        )

    def hold(self, turn: Turn) -> None:
        """The turn stays open although there is silence."""
        self._held = turn

    async def over(self, turn: Turn, *, answers: bool) -> None:
        """The turn is over: it is kept and told; `answers` says that the step asked something."""
        if self._reopened and turn.id == self.turns[-1].id:
            self.turns[-1] = turn
            await self._chronicle.revise(turn)
        else:
            if answers:
                self.turns.append(turn)
            await self._chronicle.add(turn)
        self._reopened, self._held = False, None
        self._chronicle.emit(CandidateTurn(turn))

    async def settle(self, *, answers: bool) -> None:
        """Nothing more came: what is unfinished is over as it is."""
        if self._held is not None:
            await self.over(self._held, answers=answers)
        elif self._reopened:
            await self.over(self.turns[-1], answers=answers)
