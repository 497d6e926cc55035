"""Text of an answer: whole characters, and never a part of a stop sequence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.llm.answer import AnswerText

# Few letters, so that stop sequences do occur and overlap.
words = st.text(alphabet="ab<é🙂", max_size=30)
stops = st.lists(st.text(alphabet="ab<é🙂", min_size=1, max_size=4), max_size=3)


def cut(data: bytes, lengths: list[int]) -> list[bytes]:
    pieces = []
    for length in lengths:
        pieces.append(data[:length])
        data = data[length:]
    return [*pieces, data]


@given(text=st.text(max_size=40), lengths=st.lists(st.integers(0, 5), max_size=40))
def test_characters_survive_any_cut_of_their_bytes(text: str, lengths: list[int]) -> None:
    answer = AnswerText()
    pieces = [answer.push(piece) for piece in cut(text.encode(), lengths)]
    assert "".join(pieces) + answer.finish() == text
    assert all("�" not in piece for piece in pieces if "�" not in text)


@given(text=words, stop=stops, lengths=st.lists(st.integers(0, 5), max_size=40))
def test_the_answer_ends_before_the_first_stop_however_it_is_cut(
    text: str, stop: list[str], lengths: list[int]
) -> None:
    answer = AnswerText(stop)
    said = [answer.push(piece) for piece in cut(text.encode(), lengths)]
    whole = "".join(said) + answer.finish()
    ends = [text.find(s) for s in stop if s in text]
    assert whole == text[: min(ends, default=len(text))]
    assert answer.stopped == bool(ends)


@given(text=words, stop=stops, lengths=st.lists(st.integers(1, 5), max_size=40))
def test_nothing_said_has_to_be_taken_back(text: str, stop: list[str], lengths: list[int]) -> None:
    ends = [text.find(s) for s in stop if s in text]
    allowed = text[: min(ends, default=len(text))]
    answer, said = AnswerText(stop), ""
    for piece in cut(text.encode(), lengths):
        said += answer.push(piece)
        assert allowed.startswith(said)


def test_half_a_character_at_the_end_is_left_out() -> None:
    answer = AnswerText()
    assert answer.push("né".encode()[:-1]) == "n"
    assert answer.finish() == ""


def test_a_beginning_of_a_stop_is_said_once_it_is_none() -> None:
    answer = AnswerText(["<|end|>"])
    assert answer.push(b"a <|en") == "a "
    assert answer.push(b"g") == "<|eng"
    assert not answer.stopped
