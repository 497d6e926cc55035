"""When the candidate's answer is awaited."""

from __future__ import annotations

from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import interview_pb2

ASKING = frozenset({interview_pb2.PHASE_QUESTION, interview_pb2.PHASE_FOLLOW_UP})
"""The parts of a conversation whose utterances are answered; an aside belongs to none."""


class Questions:
    """What the interviewer has asked, by the names of the utterances.

    An utterance's end is told when it is stored: the next one may have begun before that. A server
    that takes an interview over, or tells what it has kept, may tell it once more. What was asked
    before the server took what was typed last is answered by that, or not asked any more.

    Attributes:
        unanswered: Whether nothing was typed since a question was asked to its end.
    """

    def __init__(self) -> None:
        self.unanswered = False
        self._asking: set[str] = set()
        self._ended: set[str] = set()
        self._typed = 0
        self._kept = 0

    def typed(self, number: int) -> None:
        """A message with something typed goes out under this number."""
        self._typed = number
        self.unanswered = False

    def awaits_answer(self, event: pb.InterviewEvent) -> bool:
        """Whether with this event, the next one, a question has been asked to its end."""
        match event.WhichOneof("event"):
            case "utterance_started" if event.utterance_started.phase in ASKING:
                self._asking.add(event.utterance_started.utterance_id)
            case "audio_received":
                self._kept = max(self._kept, event.audio_received.message)
            case "utterance_ended":
                asked = self._asked(event.utterance_ended) and self._kept >= self._typed
                self.unanswered = self.unanswered or asked
                return asked
        return False

    def _asked(self, ended: pb.InterviewerUtteranceEnded) -> bool:
        first = ended.utterance_id not in self._ended
        self._ended.add(ended.utterance_id)
        return first and ended.utterance_id in self._asking and not ended.interrupted
