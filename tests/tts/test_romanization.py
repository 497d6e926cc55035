"""Chinese in a text of another language, for a voice that does not know it."""

from __future__ import annotations

import pytest

from services.tts.normalization import is_mostly_han, normalize
from services.tts.romanization import romanized


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello, 王小明, welcome.", "Hello, wang xiao ming, welcome."),
        # Each character as its word asks: the bank's 行 and the walker's.
        ("At 银行 and 步行街.", "At yin hang and bu xing jie."),
        ("No name at all.", "No name at all."),
    ],
)
def test_characters_are_said_by_their_pinyin(text: str, said: str) -> None:
    written = normalize(text)
    assert written is not None
    spoken = romanized(written)
    assert spoken.text == said
    assert [(t.written, t.offset) for t in spoken.tokens] == [
        (t.written, t.offset) for t in written.tokens
    ]


def test_a_character_without_a_reading_takes_none_from_its_neighbours() -> None:
    written = normalize("For 王㐧明 only")
    assert written is not None
    said = romanized(written).text
    assert said.startswith("For wang ")
    assert said.endswith(" ming only")


@pytest.mark.parametrize(
    ("text", "mostly"),
    [("王小明", True), ("Hello 世界", True), ("Hello there, 王明.", False), ("Hello.", False)],
)
def test_a_name_in_a_sentence_makes_no_chinese_text(text: str, mostly: bool) -> None:
    assert is_mostly_han(text) is mostly
