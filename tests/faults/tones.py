"""Speech that can be checked to the word: every word of a small language is a tone of its own.

A candidate says words as tones, the cheap recogniser reads them back, and whatever was recorded can
be read back in the same way: what was said, understood, stored and recorded can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.asr.vad import FRAME

WORD_SECONDS = 0.2
"""A tone and the gap behind it."""
_TONE_SECONDS = 0.16
_LEAST_SECONDS = 0.11
"""A shorter piece of a tone is a word that was cut."""
_LOWEST_HZ, _STEP_HZ = 400, 20
_LEVEL = 0.2
_AUDIBLE = 0.01
_HOP = 80

_CONSONANTS, _VOWELS = "bdfglmnrstvz", "aeiou"
_SYLLABLES = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
WORDS = tuple(
    _SYLLABLES[number % 60] + _SYLLABLES[(number * 7 + 11) % 60] + _SYLLABLES[number // 60]
    for number in range(160)
)
"""The language, "baledo" say; a word's place is its pitch."""
_PLACES = {word: place for place, word in enumerate(WORDS)}


@dataclass(frozen=True, slots=True)
class Tone:
    """A word that was found in audio; seconds from its beginning."""

    word: str
    start: float
    end: float


def spoken(words: Sequence[str]) -> Float32:
    """Words as float32 samples, mono, 16 kHz."""
    times = np.arange(round(_TONE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    gap = np.zeros(round((WORD_SECONDS - _TONE_SECONDS) * SAMPLE_RATE))
    pieces = [np.zeros(0)]
    for word in words:
        pitch = _LOWEST_HZ + _STEP_HZ * _PLACES[word]
        pieces += [_LEVEL * np.sin(2 * np.pi * pitch * times), gap]
    return np.concatenate(pieces).astype(np.float32)


def read(samples: Float32) -> list[Tone]:
    """The words in samples (mono, 16 kHz); what is cut at either end is left out."""
    hops = samples[: len(samples) // _HOP * _HOP].reshape(-1, _HOP)
    loud = np.concatenate(([False], np.abs(hops).max(axis=1, initial=0.0) > _AUDIBLE, [False]))
    edges = np.flatnonzero(loud[1:] != loud[:-1]) * _HOP
    tones = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if end - start >= _LEAST_SECONDS * SAMPLE_RATE:
            word = _word(samples[start:end])
            if word is not None:
                tones.append(Tone(word, start / SAMPLE_RATE, end / SAMPLE_RATE))
    return tones


def _word(tone: Float32) -> str | None:
    # Ten times longer than it is, so that the highest bin is the pitch to a few hertz.
    size = 10 * len(tone)
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), size))
    place = round((spectrum.argmax() * SAMPLE_RATE / size - _LOWEST_HZ) / _STEP_HZ)
    return WORDS[place] if 0 <= place < len(WORDS) else None


class ToneVad:
    """Voice activity of such speech, in place of a model."""

    def stream(self) -> ToneVad:
        """A fresh stream."""
        return ToneVad()

    def __init__(self) -> None:
        self._rest = np.zeros(0, dtype=np.float32)

    def feed(self, samples: Float32) -> Float32:
        """1 for each frame in which something sounds, else 0."""
        self._rest = np.concatenate((self._rest, samples))
        whole = len(self._rest) // FRAME * FRAME
        frames = self._rest[:whole].reshape(-1, FRAME)
        self._rest = self._rest[whole:]
        loud = np.abs(frames).max(axis=1, initial=0.0) > _AUDIBLE
        return np.asarray(loud, dtype=np.float32)
