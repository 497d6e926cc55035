"""The reply that is being prepared: said once the candidate has finished, and it is ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from services.interview.conversation import messages as m
from services.interview.conversation.floor import Line
from services.interview.conversation.following_up import FollowUps
from services.interview.conversation.progress import Step
from services.interview.conversation.replying import Replier, Reply
from services.interview.conversation.stock import Stock, Voice
from services.interview.conversation.timing import TurnClock, turn_timings


class PendingReply:
    """At most one reply at a time.

    Args:
        replier: Prepares replies.
        follow_ups: Whose drafts a reply may use up.
        patience: Seconds after the end of turn that a reply may still take.
        later: Sends a message in so many seconds.
    """

    def __init__(
        self,
        replier: Replier,
        follow_ups: FollowUps,
        patience: float,
        later: Callable[[float, m.Message], None],
    ) -> None:
        self._replier = replier
        self._follow_ups = follow_ups
        self._patience = patience
        self._later = later
        self._reply: Reply | None = None
        # Set once the candidate's turn is over and the reply may be said.
        self.released: TurnClock | None = None

    def prepare(self, answer: str, step: Step, stock: Stock, voice: Voice, *, eager: bool) -> None:
        """Begins a reply to `answer`, in the place of another."""
        self.drop()
        self._reply = self._replier.prepare(answer, step, stock, voice, eager=eager)

    def drop(self) -> None:
        """Throws the reply away without trace."""
        if self._reply is not None:
            self._reply.discard()
        self._reply = self.released = None

    def release(
        self, clock: TurnClock, answer: str, step: Step, stock: Stock, voice: Voice
    ) -> None:
        """The candidate has finished: the reply is said as soon as it is there."""
        if self._reply is None or self._reply.answer != answer:
            self.prepare(answer, step, stock, voice, eager=False)
        assert self._reply is not None  # noqa: S101 - just prepared
        self.released = clock
        if self._reply.line is not None:
            self._later(0.0, m.ReplyReady(self._reply))
        else:
            self._later(self._patience, m.PatienceOver(self._reply))

    def due(self, message: m.ReplyReady | m.PatienceOver, *, goes_on: bool) -> Line | None:
        """The line to say now, if there is one, and the candidate does not go on."""
        reply = message.reply
        if reply is not self._reply:
            return None
        if reply.line is None:
            reply.hurry.set()
            return None
        # Words after the end of turn: the candidate goes on, and the turn will end again.
        if self.released is None or goes_on:
            return None
        clock, self._reply, self.released = self.released, None, None
        if reply.own_words is not None:
            self._follow_ups.keep(reply.own_words)
        self._follow_ups.forget()
        return replace(reply.line, timings=turn_timings(reply, clock))
