"""Thinking is told from the answer however the text is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.llm.thinking import ThinkingSplitter


def split(*bits: str, begun: bool = False, leading_only: bool = False) -> tuple[str, str]:
    """The answer and the thinking."""
    splitter = ThinkingSplitter(begun=begun, leading_only=leading_only)
    pieces = [piece for bit in bits for piece in splitter.push(bit)] + splitter.finish()
    assert all(piece.text for piece in pieces)
    return (
        "".join(p.text for p in pieces if not p.thinking),
        "".join(p.text for p in pieces if p.thinking),
    )


@pytest.mark.parametrize(
    ("text", "answer", "thinking"),
    [
        ("Hello.", "Hello.", ""),
        (" Hello. ", " Hello. ", ""),
        ("<think>\nHm.\n</think>\n\nHello.", "Hello.", "\nHm.\n"),
        ("\n<think></think>\n\nHello.", "Hello.", ""),
        ("One. <think>Two?</think>Three.", "One. Three.", "Two?"),
        ("<think>cut off", "", "cut off"),
        ("a < b and <thin", "a < b and <thin", ""),
        ("  ", "  ", ""),
        ("", "", ""),
    ],
)
def test_however_it_is_cut(text: str, answer: str, thinking: str) -> None:
    assert split(text) == (answer, thinking)
    assert split(*text) == (answer, thinking)
    for at in range(len(text)):
        assert split(text[:at], text[at:]) == (answer, thinking)


def test_a_thought_the_prompt_opened_ends_with_its_tag() -> None:
    assert split(*"Hm.</think>\nHello.", begun=True) == ("Hello.", "Hm.")


def test_a_constrained_answer_keeps_what_looks_like_a_thought() -> None:
    text = '<think>Hm.</think>{"tag": "<think>x</think>"}'
    assert split(*text, leading_only=True) == ('{"tag": "<think>x</think>"}', "Hm.")
    assert split('"<think>"', leading_only=True) == ('"<think>"', "")


@given(st.lists(st.sampled_from(["<think>", "</think>", "a", " ", "<", "<thi", "k>"])))
def test_what_is_said_does_not_depend_on_the_cut(bits: list[str]) -> None:
    assert split(*bits) == split("".join(bits)) == split(*itertools.chain.from_iterable(bits))
