"""Windows and hypotheses on their way to Triton and back."""

from __future__ import annotations

import json
from dataclasses import replace

from services.asr.engines.engine import Hypothesis, HypothesisWord, Window
from services.asr.engines.triton_wire import (
    hypothesis_from_json,
    hypothesis_to_json,
    options_to_json,
    window_from_json,
)
from tests.asr.audio import silence


def test_a_window_arrives_as_it_was_sent() -> None:
    window = Window(
        silence(0.1),
        languages=("en", "zh"),
        language_prior=(("en", 1.0), ("", 0.01)),
        hints=("Kafka",),
        context=" What was said.",
        word_offsets=True,
        final=False,
    )
    arrived = window_from_json(window.samples, json.loads(options_to_json(window)))
    names = ("language", "languages", "language_prior", "hints", "context", "word_offsets", "final")
    for name in names:
        assert getattr(arrived, name) == getattr(window, name)


def test_a_hypothesis_comes_back_as_it_was() -> None:
    words = (HypothesisWord(" Yes.", 0.1, 0.4, 0.9),)
    plain = Hypothesis(" Yes.", words, "en", 0.9, 0.8, detected=(("en", 0.9), ("de", 0.05)))
    for hypothesis in (plain, replace(plain, text="", words=(), reliable=False)):
        assert hypothesis_from_json(json.loads(hypothesis_to_json(hypothesis))) == hypothesis
