"""Arithmetic on vectors."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.embed.pooling import Pooling
from services.embed.vectors import cosines, normalized, pool, shortened

rows = arrays(np.float32, (3, 8), elements=st.floats(-100, 100, width=32))


def test_padding_does_not_enter_the_mean() -> None:
    hidden = np.array([[[1, 2], [3, 4], [900, 900]]], dtype=np.float32)
    assert pool(hidden, [2], Pooling.MEAN).tolist() == [[2, 3]]


def test_cls_pooling_takes_the_first_token() -> None:
    hidden = np.array([[[1, 2], [3, 4]]], dtype=np.float32)
    assert pool(hidden, [2], Pooling.CLS).tolist() == [[1, 2]]


@given(rows)
def test_normalised_rows_have_length_one_or_are_zero(vectors: np.ndarray) -> None:
    for before, after in zip(vectors, np.linalg.norm(normalized(vectors), axis=1), strict=True):
        tiny = np.linalg.norm(before) < 1e-15
        assert tiny or abs(after - 1) < 1e-3


@given(rows, st.integers(1, 8))
def test_a_shortened_vector_is_normalised_after_the_cut(
    vectors: np.ndarray, dimensions: int
) -> None:
    cut = shortened(vectors, dimensions, normalize=True)
    assert cut.shape == (3, dimensions)
    assert np.array_equal(cut, normalized(vectors[:, :dimensions]))
    assert np.array_equal(shortened(vectors, None, normalize=False), vectors)


@given(rows, st.integers(2, 40))
def test_equal_rows_have_equal_cosines_within_bounds(vectors: np.ndarray, copies: int) -> None:
    scores = cosines(vectors[0], np.repeat(vectors[1:2], copies, axis=0))
    assert len(set(scores.tolist())) == 1
    assert -1 <= scores[0] <= 1
