"""Answers as they might be spoken: which pauses are made, and how long they are.

Pauses after complete and incomplete sentences are drawn from the same distribution: log-normal in
two groups, medium (0.2 to 1 s) and long (above), as in the spontaneous speech of Campione & Véronis
(2002), every speaker a little quicker or slower than the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.cli.bench.endpointing.answers import Answer
from services.cli.bench.endpointing.speaking import SpokenSentence, SpokenToken

LONG_SHARE = 0.18
MEDIUM_SECONDS, MEDIUM_SPREAD = 0.45, 0.45
LONG_SECONDS, LONG_SPREAD = 1.5, 0.35
SPEAKER_SPREAD = 0.2
_SHORTEST = 0.05
_AFTER_SENTENCE, _WITHIN_SENTENCE = 0.85, 0.7
"""How often a place to pause is used; unused ones are joined without a gap, or with a small one."""
_JOIN_SECONDS = 0.08
LEAD_SECONDS, TAIL_SECONDS = 0.5, 0.6
_TONE_DBFS = (-66.0, -52.0)
_SEARCHED = round(0.06 * SAMPLE_RATE)
_FRAME = 80


@dataclass(frozen=True, slots=True)
class PlacedToken:
    """A word: where the answer's text ends with it, and its place in the recording in seconds."""

    text_end: int
    start: float
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """An answer as it was spoken once: 16 kHz mono, its words, and where the last of them ends."""

    samples: Float32
    tokens: tuple[PlacedToken, ...]
    end: float


def perform(
    answer: Answer, spoken: list[SpokenSentence], chance: np.random.Generator
) -> Performance:
    """Speaks an answer with pauses drawn by chance, over the tone of a quiet room."""
    slowness = float(np.exp(chance.normal(0, SPEAKER_SPREAD)))
    pieces: list[Float32] = [np.zeros(round(LEAD_SECONDS * SAMPLE_RATE), np.float32)]
    tokens: list[PlacedToken] = []
    position = len(pieces[0])
    offset = 0
    for sentence, audio in zip(answer.sentences, spoken, strict=True):
        cuts = [_cut(audio, place) for place in sentence.places]
        used = [cut for cut in cuts if cut is not None and chance.random() < _WITHIN_SENTENCE]
        last = len(audio.samples)
        bounds = [0, *sorted(used), last]
        for begin, end in pairwise(bounds):
            piece = _faded(audio.samples[begin:end])
            tokens += [
                PlacedToken(
                    offset + token.text_end,
                    (position - begin) / SAMPLE_RATE + token.start,
                    (position - begin) / SAMPLE_RATE + token.end,
                )
                for token in audio.tokens
                if begin <= _middle(token) < end or (end == last and _middle(token) >= end)
            ]
            after_sentence = end == last
            paused = not after_sentence or chance.random() < _AFTER_SENTENCE
            seconds = _pause(chance) * slowness if paused else _JOIN_SECONDS
            gap = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
            pieces += [piece, gap]
            position += len(piece) + len(gap)
        offset += len(sentence.text) + len(answer.separator)
    ended = (position - len(pieces[-1])) / SAMPLE_RATE
    pieces[-1] = np.zeros(round(TAIL_SECONDS * SAMPLE_RATE), np.float32)
    return Performance(_in_room(np.concatenate(pieces), chance), tuple(tokens), ended)


def _pause(chance: np.random.Generator) -> float:
    is_long = chance.random() < LONG_SHARE
    median, spread = (LONG_SECONDS, LONG_SPREAD) if is_long else (MEDIUM_SECONDS, MEDIUM_SPREAD)
    return max(_SHORTEST, float(np.exp(chance.normal(np.log(median), spread))))


def _middle(token: SpokenToken) -> float:
    return (token.start + token.end) / 2 * SAMPLE_RATE


def _cut(audio: SpokenSentence, place: int) -> int | None:
    """The quietest sample where the words before and behind a place in the text meet."""
    before = [token for token in audio.tokens if token.text_end <= place]
    behind = [token for token in audio.tokens if token.text_end > place]
    if not before or not behind:
        return None
    first = round(before[-1].end * SAMPLE_RATE) - 2 * _SEARCHED
    last = round(behind[0].start * SAMPLE_RATE) + _SEARCHED
    found = audio.samples[max(0, first) : max(first + 4 * _SEARCHED, last)]
    frames = found[: len(found) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(frames):
        return None
    return max(0, first) + int(np.argmin(np.mean(frames**2, axis=1))) * _FRAME


def _faded(samples: Float32) -> Float32:
    faded = samples.copy()
    length = min(len(faded) // 2, _FRAME)
    if length:
        ramp = np.linspace(0, 1, length, dtype=np.float32)
        faded[:length] *= ramp
        faded[-length:] *= ramp[::-1]
    return faded


def _in_room(samples: Float32, chance: np.random.Generator) -> Float32:
    """With the low noise of a room all along: no microphone hears zeros."""
    spectrum = np.fft.rfft(chance.normal(0, 1, len(samples)))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(20, np.arange(len(spectrum)))), len(samples))
    level = 10 ** (chance.uniform(*_TONE_DBFS) / 20)
    return np.asarray(samples + pink / pink.std() * level, dtype=np.float32)
