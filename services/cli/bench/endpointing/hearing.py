"""What our recognition server would report of a recording's pauses: the same parts, no mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.asr import endpointing
from services.asr.endpointing import Endpointer, EndpointingConfig
from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.asr.turn_completion import COMPLETION_SECONDS, TurnCompletion
from services.asr.vad import FRAME, SileroVad

TOLD_AFTER = 0.2
"""Seconds of silence after which the server tells of a pause and judges its sound."""
_NEVER = 1_000_000
_PRE_ROLL = round(0.3 * SAMPLE_RATE)
_BEHIND = round(1.0 * SAMPLE_RATE)
"""Silence heard behind the recording, so that its last pause is told."""


@dataclass(frozen=True, slots=True)
class HeardPause:
    """A pause in a recording; times in seconds.

    Attributes:
        start: Where the speech before it ended, as voice activity has it.
        length: How long it lasted; None when nothing was said after it.
        sound: Smart Turn's probability that the turn is complete, judged when the pause was told.
        speech: The answer so far, its pauses included.
    """

    start: float
    length: float | None
    sound: float
    speech: float


def heard_pauses(samples: Float32, vad: SileroVad, judge: TurnCompletion) -> Sequence[HeardPause]:
    """The pauses of a recording of one answer, 16 kHz mono."""
    # Its last frames again, backwards: what a quiet room sounds like.
    room = samples[-round(0.1 * SAMPLE_RATE) :]
    samples = np.concatenate([samples, np.resize(np.concatenate([room[::-1], room]), _BEHIND)])
    frames = -(-round(TOLD_AFTER * SAMPLE_RATE) // FRAME)
    endpointer = Endpointer(EndpointingConfig(_NEVER, _NEVER, _NEVER, pause=frames))
    probabilities = vad.stream().feed(samples)
    begun: int | None = None
    silence: int | None = None
    found: list[HeardPause] = []
    for probability in probabilities:
        for decision in endpointer.feed(float(probability)):
            match decision:
                case endpointing.SpeechStarted(start):
                    begun = start * FRAME
                case endpointing.Pause(start, _) if start != silence and begun is not None:
                    silence = start
                    position = endpointer.frame * FRAME
                    first = max(begun - _PRE_ROLL, position - COMPLETION_SECONDS * SAMPLE_RATE, 0)
                    sound = judge.probability(samples[first:position])
                    speech = (start * FRAME - begun) / SAMPLE_RATE
                    found.append(HeardPause(start * FRAME / SAMPLE_RATE, None, sound, speech))
                case endpointing.TurnResumed(start) if silence is not None:
                    last = found[-1]
                    length = start * FRAME / SAMPLE_RATE - last.start
                    found[-1] = HeardPause(last.start, length, last.sound, last.speech)
                    silence = None
                case _:
                    pass
    return found
