"""Arithmetic on vectors: pooling, shortening, comparing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.embed.pooling import Pooling

Floats = NDArray[np.float32]


def pool(hidden: Floats, lengths: Sequence[int], pooling: Pooling) -> Floats:
    """One vector a text.

    Args:
        hidden: The last layer, float32 [n, longest, d]; rows beyond a text's length are padding.
        lengths: Tokens of each text, n of them, each at least 1.
        pooling: The mean of the text's tokens, or its first token.

    Returns:
        float32 [n, d].
    """
    if pooling is Pooling.CLS:
        return hidden[:, 0].copy()
    rows = zip(hidden, lengths, strict=True)
    return np.stack([row[:length].mean(axis=0, dtype=np.float32) for row, length in rows])


def normalized(vectors: Floats) -> Floats:
    """Each row at length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float32)
    unit: Floats = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


def shortened(vectors: Floats, dimensions: int | None, *, normalize: bool) -> Floats:
    """The first `dimensions` of each vector (Matryoshka), normalised after the cut if asked."""
    kept = vectors if dimensions is None else vectors[:, :dimensions]
    return normalized(kept) if normalize else kept


def cosines(one: Floats, others: Floats) -> Floats:
    """Cosine similarity of a vector [d] with each row of [n, d]: float32 [n] in [-1, 1]."""
    # Not a matrix product: BLAS adds in an order that depends on the row, and equal rows must tie.
    products = (normalized(others) * normalized(one[np.newaxis])).sum(axis=1)
    clipped: Floats = np.clip(products, -1.0, 1.0)
    return clipped
