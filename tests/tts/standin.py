"""A synthesiser that costs nothing: every word is a tone of its own; it remembers its requests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from services.tts.speech import Gender, Model, Speech, SpeechRequest, TokenSpan, Voice

RATE = 16_000
_WORD_SECONDS = 0.1


def voice(name: str) -> Voice:
    return Voice(
        name, name.title(), "A tone.", ("en-US",), Gender.UNSPECIFIED, RATE,
        voice_cloning=True, loudness_lufs=-20.0,
    )  # fmt: skip


class Tones:
    """Two voices; the word "broken" breaks it, and "refused" it refuses."""

    def __init__(self) -> None:
        self.requests: list[SpeechRequest] = []

    @property
    def model(self) -> Model:
        return Model("tones", "1", "standin", "cpu", ("en-US",), 1)

    @property
    def voices(self) -> Sequence[Voice]:
        return (voice("alto"), voice("bass"))

    @property
    def max_batch_size(self) -> int:
        return 1

    def synthesize(self, requests: Sequence[SpeechRequest]) -> Sequence[Speech | Exception]:
        self.requests += requests
        return [self._speak(request) for request in requests]

    def _speak(self, request: SpeechRequest) -> Speech | Exception:
        said = [token.spoken.lower() for token in request.utterance.tokens]
        if "broken" in said:
            return RuntimeError("the engine broke")
        size = round(_WORD_SECONDS * RATE / request.delivery.speed)
        times = np.arange(size) / RATE
        words = [0.2 * np.sin(2 * np.pi * _pitch(word) * times) for word in said]
        spans = tuple(TokenSpan(n, n * size, (n + 1) * size) for n in range(len(said)))
        return Speech(np.concatenate(words).astype(np.float32), RATE, spans)


def _pitch(word: str) -> float:
    return 200.0 + hashlib.sha256(word.encode()).digest()[0] * 10
