"""What is left of an interview that was held."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import interview_pb2, report_pb2, turn_pb2

from services.cli.sound_card import Loudspeaker, Microphone

if TYPE_CHECKING:
    # Loads the sound system, for those who talk themselves.
    from services.cli.sound_devices import DeviceLoudspeaker, DeviceMicrophone


@dataclass(slots=True)
class AnswerTimes:
    """One answer on the interview's clock, in seconds, as the client measured it."""

    recording: str
    speech_end: float
    first_audio: float | None = None
    server: pb.TurnTimings | None = None

    @property
    def latency(self) -> float | None:
        """From the end of speech to the interviewer's first audio."""
        return None if self.first_audio is None else self.first_audio - self.speech_end


@dataclass(slots=True)
class Held:
    """A finished interview."""

    interview: interview_pb2.Interview = field(default_factory=interview_pb2.Interview)
    turns: list[turn_pb2.Turn] = field(default_factory=list)
    report: report_pb2.Report | None = None
    answers: list[AnswerTimes] = field(default_factory=list)
    degraded: list[pb.ServiceDegraded] = field(default_factory=list)
    microphone: Microphone | DeviceMicrophone | None = None
    loudspeaker: Loudspeaker | DeviceLoudspeaker | None = None
    zero: float = 0.0
    """The loop's time at which the interview's clock started."""
