"""The answers' sentences, spoken: each once a voice, kept on disk for the next run.

The packaged voices are split between the halves, so that none judges what it was fitted on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.cli.bench.endpointing.answers import Answer, Sentence
from services.tts.normalization import normalize
from services.tts.server import load_engines
from services.tts.settings import TtsSettings
from services.tts.speech import Delivery, Synthesizer
from services.tts.speech import SpeechRequest as Request

VOICES: Mapping[tuple[str, str], Sequence[Sequence[str]]] = {
    ("en", "fitted"): (("joe",), ("jf_alpha", "jf_nezumi", "jf_gongitsune")),
    ("en", "judged"): (("jm_kumo", "jf_tebukuro"),),
    ("zh", "fitted"): (("jf_gongitsune",),),
    ("zh", "judged"): (("jm_kumo",),),
}
"""By language and half: every answer is spoken by one voice of each group, in turn."""
_QUIET_DB = 38.0
"""Decibels under the peak from which a sentence's ends are silence."""
_FRAME = 160


@dataclass(frozen=True, slots=True)
class SpokenToken:
    """A word: where it ends in the sentence, and its place in the audio, in seconds."""

    text_end: int
    start: float
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class SpokenSentence:
    """A sentence: float32 mono samples at 16 kHz without silence at the ends, and its words."""

    samples: Float32
    tokens: tuple[SpokenToken, ...]


def voices_of(answer: Answer, number: int) -> list[str]:
    """Who speaks the answer that is the `number`th of its half."""
    groups = VOICES[answer.asked.language, answer.half]
    return [group[number % len(group)] for group in groups]


class Voices:
    """The packaged voices, and the sentences they have spoken."""

    def __init__(self, folder: Path) -> None:
        """Keeps what was spoken in `folder`."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._engines: dict[str, Synthesizer] | None = None

    def speak(self, sentence: Sentence, voice: str) -> SpokenSentence:
        """The sentence as the voice says it, with a comma wherever its speaker may pause."""
        written, moved = _with_commas(sentence)
        digest = hashlib.sha256(f"{voice}\n{written}".encode()).hexdigest()[:24]
        kept = self._folder / f"{digest}.npz"
        if not kept.is_file():
            made, spans = self._synthesize(written, voice)
            np.savez(kept, samples=(made * 32767).astype(np.int16), tokens=spans)
        with np.load(kept) as stored:
            samples: Float32 = stored["samples"].astype(np.float32) / np.float32(32768)
            places = stored["tokens"]
        tokens = tuple(
            SpokenToken(int(end) - sum(place < end for place in moved), float(start), float(stop))
            for end, start, stop in places
        )
        return SpokenSentence(samples, tokens)

    def _synthesize(self, text: str, voice: str) -> tuple[Float32, npt.NDArray[np.float64]]:
        if self._engines is None:
            engines = load_engines(TtsSettings())
            self._engines = {each.id: engine for engine in engines for each in engine.voices}
        utterance = normalize(text)
        if utterance is None:
            raise ValueError(f"nothing can be said of {text!r}")
        request = Request(utterance, voice, Delivery())
        [speech] = self._engines[voice].synthesize([request])
        if isinstance(speech, Exception):
            raise speech
        samples = np.asarray(
            soxr.resample(speech.samples, speech.sample_rate_hz, SAMPLE_RATE), dtype=np.float32
        )
        samples = samples / max(1e-6, float(np.abs(samples).max())) * np.float32(0.5)
        first, last = _sounding(samples)
        rate = speech.sample_rate_hz
        tokens = [
            (
                utterance.tokens[span.token].offset + len(utterance.tokens[span.token].written),
                max(0.0, span.start / rate - first / SAMPLE_RATE),
                max(0.0, span.end / rate - first / SAMPLE_RATE),
            )
            for span in speech.spans
        ]
        return samples[first:last], np.array(tokens, dtype=np.float64)


def _with_commas(sentence: Sentence) -> tuple[str, list[int]]:
    """The sentence with a comma at each place that has no mark, and where commas were put."""
    text, moved, shift = sentence.text, [], 0
    for place in sentence.places:
        if text[place + shift - 1].isalnum():
            comma = "，" if text[place + shift - 1] > "\u2e80" else ","
            text = text[: place + shift] + comma + text[place + shift :]
            moved.append(place + shift)
            shift += 1
    return text, moved


def _sounding(samples: Float32) -> tuple[int, int]:
    """Where its first sound begins and its last one ends."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    level = np.sqrt(np.mean(frames**2, axis=1))
    loud = np.flatnonzero(level > level.max() * 10 ** (-_QUIET_DB / 20))
    return int(loud[0]) * _FRAME, (int(loud[-1]) + 1) * _FRAME
