"""Windows' options and hypotheses as JSON, on the way to Triton and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from services.asr.engines.engine import Float32, Hypothesis, HypothesisWord, Window


def options_to_json(window: Window) -> str:
    """All of a window but its samples and what is made of them."""
    return json.dumps(
        {
            "language": window.language,
            "languages": window.languages,
            "language_prior": window.language_prior,
            "hints": window.hints,
            "context": window.context,
            "word_offsets": window.word_offsets,
            "final": window.final,
        }
    )


def window_from_json(samples: Float32, options: dict[str, Any]) -> Window:
    """The window again."""
    lists = {name: tuple(options[name]) for name in ("languages", "hints")}
    prior = tuple((code, weight) for code, weight in options["language_prior"])
    return Window(samples, **{**options, **lists, "language_prior": prior})


def hypothesis_to_json(hypothesis: Hypothesis) -> str:
    """A hypothesis as an object with its attributes' names."""
    return json.dumps(asdict(hypothesis))


def hypothesis_from_json(fields: dict[str, Any]) -> Hypothesis:
    """The hypothesis again."""
    words = tuple(HypothesisWord(**word) for word in fields["words"])
    detected = tuple((code, probability) for code, probability in fields["detected"])
    return Hypothesis(**{**fields, "words": words, "detected": detected})
