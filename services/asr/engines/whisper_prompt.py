"""What goes before a window's text in Whisper's decoder: hints, or what was said before.

Prompts have one of few lengths: the decoder takes only prompts of one length in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

SIZES = (0, 32, 64, 160)
"""Tokens of text in a prompt; Whisper takes up to 223 (Radford et al. 2022, section 2.3)."""
_LEAST_CONTEXT = 4
"""Tokens of context that are worth a prompt."""
_MOST_CONTEXT = 64


def fitted(hints: Sequence[int], context: Sequence[int], filler: int) -> list[int]:
    """The tokens of hints and context, cut and filled to one of `SIZES`.

    Hints are all kept as long as they fit; context is cut at its front, its newest words say most.

    Args:
        hints: Tokens of the phrase hints.
        context: Tokens of what was said before.
        filler: Stands in front where tokens are missing. A space changes least, as long as few are
            missing: hints said again are heard again, and after "<|endoftext|>" some windows have
            no text.
    """
    largest = SIZES[-1]
    kept = list(hints[:largest])
    if not kept and len(context) < _LEAST_CONTEXT:
        return []
    wanted = len(kept) or min(len(context), _MOST_CONTEXT)
    size = min(size for size in SIZES if size >= wanted)
    room = size - len(kept)
    tokens = kept + list(context[max(0, len(context) - room) :]) if room else kept
    return [filler] * (size - len(tokens)) + tokens
