"""Chinese in the characters that the caller's tag names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.asr.agreement import StableText
from services.asr.chinese import in_named_script
from services.asr.engines.engine import Hypothesis, HypothesisWord
from services.asr.tags import NamedLanguages
from services.runtime.errors import InvalidField

KNOWN = ("en", "zh", "de")
MIXED = "我們后天去台灣討論软件的發展，然後喝乾杯，著名的 Kafka 为什么这么快？"


def named(*tags: str) -> NamedLanguages:
    return NamedLanguages.of(tags, KNOWN, "languages")


def hypothesis(text: str, language: str = "zh") -> Hypothesis:
    words = tuple(HypothesisWord(c, i / 10, i / 10 + 0.1, 0.9) for i, c in enumerate(text))
    return Hypothesis(text, words, language, 0.9, 0.9)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ((), "我们后天去台湾讨论软件的发展，然后喝干杯，著名的 Kafka 为什么这么快？"),
        (("zh",), "我们后天去台湾讨论软件的发展，然后喝干杯，著名的 Kafka 为什么这么快？"),
        (("zh-CN",), "我们后天去台湾讨论软件的发展，然后喝干杯，著名的 Kafka 为什么这么快？"),
        (
            ("en", "zh-Hans-TW"),
            "我们后天去台湾讨论软件的发展，然后喝干杯，著名的 Kafka 为什么这么快？",
        ),
        (("zh-TW",), "我們後天去臺灣討論軟件的發展，然後喝乾杯，著名的 Kafka 為什麼這麼快？"),
        (("zh-Hant",), "我們後天去臺灣討論軟件的發展，然後喝乾杯，著名的 Kafka 為什麼這麼快？"),
        (("zh-HK",), "我們後天去台灣討論軟件的發展，然後喝乾杯，著名的 Kafka 為什麼這麼快？"),
    ],
)
def test_the_tag_decides_how_chinese_is_written(tags: tuple[str, ...], expected: str) -> None:
    rewritten = in_named_script(named(*tags))(hypothesis(MIXED))
    assert rewritten.text == expected
    assert "".join(word.text for word in rewritten.words) == expected


def test_marks_behind_chinese_characters_are_chinese() -> None:
    rewritten = in_named_script(named("zh"))(hypothesis("因为,缺少索引!Redis, 为什么?对:1,000"))
    assert rewritten.text == "因为，缺少索引！Redis, 为什么？对：1,000"
    assert "".join(word.text for word in rewritten.words) == rewritten.text


def test_other_languages_are_left_alone() -> None:
    japanese = Hypothesis("発展と台湾の話", (), "ja", 0.9, 0.9)
    assert in_named_script(named("zh-TW"))(japanese) is japanese


@given(st.lists(st.integers(1, len(MIXED)), max_size=8), st.sampled_from(["zh", "zh-TW", "zh-HK"]))
def test_stable_text_only_grows_whatever_script_the_model_writes(ends: list[int], tag: str) -> None:
    rewrite = in_named_script(named(tag))
    text = StableText()
    stable = ""
    for end in sorted(ends):
        text.update(rewrite(hypothesis(MIXED[:end])).text)
        assert text.stable.startswith(stable)
        stable = text.stable
    final = text.settle(rewrite(hypothesis(MIXED)).text)
    assert final.startswith(stable)
    assert final == rewrite(hypothesis(final)).text


def test_languages_are_named_by_the_callers_tags() -> None:
    languages = named("zh-TW", "en", "en-GB")
    assert languages.codes == ("zh", "en")
    assert languages.only is None
    assert languages.tag("zh") == "zh-TW"
    assert languages.tag("de") == "de"
    assert named("en-GB").only == "en"
    assert named().codes == ()


def test_an_unknown_language_is_refused_by_its_place() -> None:
    with pytest.raises(InvalidField) as caught:
        named("en", "tlh")
    assert caught.value.violations[0][0] == "languages[1]"
