"""What goes before a window's text in Whisper's decoder: hints and what was said before.

Prompts have one of few lengths: the decoder takes only prompts of one length in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

SIZES = (0, 16, 48, 160)
"""Tokens of text in a prompt; Whisper takes up to 223 (Radford et al. 2022, section 2.3)."""
_MOST_CONTEXT = 48


def fitted(hints: Sequence[int], context: Sequence[int]) -> list[int]:
    """The tokens of hints and context, cut and filled to one of `SIZES`.

    Hints are all kept as long as they fit; context is cut at its front, its newest words say most.
    What is missing behind hints is filled by saying them again, which changes little; context too
    short to fill a prompt is left out, as saying that again invites the model to do so too.
    """
    largest = SIZES[-1]
    if not hints:
        size = max(size for size in SIZES if size <= min(len(context), _MOST_CONTEXT))
        return list(context[len(context) - size :])
    kept = list(hints[:largest])
    size = min(size for size in SIZES if size >= len(kept))
    missing = size - len(kept)
    newest = list(context[max(0, len(context) - missing) :])
    again = missing - len(newest)
    repeated = [kept[i % len(kept)] for i in range(-again, 0)]
    return [*repeated, *kept, *newest]
