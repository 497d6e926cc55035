"""The words of a text that Whisper's cross-attention has timed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from faster_whisper.tokenizer import Tokenizer

from services.asr.engines.engine import Float32, HypothesisWord

TIMESTAMP_SECONDS = 0.02
"""Seconds an encoder frame, and a timestamp token."""
_UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})


def timed_words(
    splitter: Tokenizer, tokens: list[int], result: Any, seconds: float
) -> tuple[HypothesisWord, ...]:
    """Groups tokens into words and times them.

    Args:
        splitter: Knows where words begin in the text's language.
        tokens: The text's tokens.
        result: What CTranslate2's `align` said of them.
        seconds: Length of the speech; no word ends later.
    """
    texts, groups = splitter.split_to_word_tokens([*tokens, splitter.eot])
    if len(groups) <= 1 or not result.alignments:
        return ()
    text_indices, time_indices = np.array(result.alignments).T
    jumps = np.pad(np.diff(text_indices), (1, 0), constant_values=1).astype(bool)
    moments: Float32 = time_indices[jumps] * np.float32(TIMESTAMP_SECONDS)
    bounds = np.pad(np.cumsum([len(group) for group in groups[:-1]]), (1, 0))
    words: list[HypothesisWord] = []
    for text, first, last in zip(texts[:-1], bounds[:-1], bounds[1:], strict=True):
        start, end = (
            round(min(seconds, float(moments[min(i, len(moments) - 1)])), 2) for i in (first, last)
        )
        probability = float(np.mean(result.text_token_probs[first:last]))
        if words and _belongs_to_previous(text, words[-1].text, splitter.language_code):
            previous = words[-1]
            spoken = any(c.isalnum() for c in text)
            words[-1] = replace(
                previous,
                text=previous.text + text,
                end=max(previous.end, end) if spoken else previous.end,
            )
        else:
            words.append(HypothesisWord(text, start, max(start, end), probability))
    return tuple(words)


def _belongs_to_previous(text: str, previous: str, language: str) -> bool:
    if not any(c.isalnum() for c in previous):
        return True  # An opening quote waits for its word.
    if not any(c.isalnum() for c in text):
        return not text.startswith(" ")
    return not text.startswith(" ") and language not in _UNSPACED
