"""How a text's vector comes from its tokens' vectors: what a setting says, without arithmetic."""

from __future__ import annotations

from enum import StrEnum


class Pooling(StrEnum):
    """The mean of the text's tokens, or its first token."""

    MEAN = "mean"
    CLS = "cls"
