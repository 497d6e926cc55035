"""The words of a text that carry meaning, in English and Chinese.

English words are cut to a rough stem, so that inflections meet. Chinese is not written in words:
pairs of neighbouring characters stand for them, the usual unit of retrieval without a dictionary.
"""

from __future__ import annotations

import re

_STOP_WORDS = """
    a about above after again all also am an and any are as at be because been before being both
    but by can could did do does doing done down during each few for from further get got had
    has have having he her here hers him his how i if in into is it its itself just kind know
    like me more most my no nor not now of off on once one only or other our out over own quite
    really said same say she should so some such tell than that the their them then there these
    they thing things this those through to too under until up us use used using very was way we
    were what when where which while who whom why will with would you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

_CONTRACTED_WORDS = """
    aren't can't couldn't didn't doesn't don't hadn't hasn't haven't i'd i'll i'm i've isn't
    it's let's mustn't shouldn't that's there's they're wasn't we'd we'll we're we've weren't
    what's won't wouldn't you'd you'll you're you've
"""
CONTRACTED = frozenset(_CONTRACTED_WORDS.split())

_CHINESE_STOP = frozenset(
    "的了是在我你他她它们这那有和与就也都很不没会要到对把被让着过吗呢吧啊么什个一上下来去说以及或而但"
)

_SUFFIXES = (
    "ations",
    "ation",
    "ments",
    "ment",
    "ingly",
    "ings",
    "ing",
    "edly",
    "ies",
    "ers",
    "ed",
    "er",
    "es",
    "ly",
    "s",
    "e",
)

_MARKS = "\u0300-\u036f\u064b-\u065f\u0900-\u0dff\u0e00-\u0eff"
"""Signs that stand on letters, and letters of scripts that write vowels so."""
_LETTER = rf"(?:(?![\u4e00-\u9fff])[^\W\d_²³¹]|[{_MARKS}])"
_KANA_RANGE = "\u3040-\u30ff"
_WORD = re.compile(rf"{_LETTER}(?:{_LETTER}|['+#-])*(?:{_LETTER}|[+#])|[\u4e00-\u9fff]+")
_TOKEN = re.compile(
    rf"[\u4e00-\u9fff{_KANA_RANGE}]"
    rf"|(?:(?![{_KANA_RANGE}])(?:{_LETTER}|\d))(?:(?![{_KANA_RANGE}])(?:{_LETTER}|[\d'+#-]))*"
)
_HAN = re.compile(r"[\u4e00-\u9fff]")


def content_words(text: str) -> frozenset[str]:
    """The stems of the words that carry meaning; of Chinese text, pairs of characters."""
    found: set[str] = set()
    for word in _WORD.findall(text.lower().replace("’", "'")):
        if _HAN.match(word):
            found.update(_pairs(word))
        elif word not in STOP_WORDS and word not in CONTRACTED:
            found.add(stem(word.removesuffix("'s")))
    return frozenset(found)


def _pairs(run: str) -> list[str]:
    kept = "".join(" " if character in _CHINESE_STOP else character for character in run)
    return [
        part[at : at + 2]
        for part in kept.split()
        for at in range(max(1, len(part) - 1))
        if len(part) > 1 or len(run) == 1
    ]


def stem(word: str) -> str:
    """A word without its ending, where at least four letters are left."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


def tokens(text: str) -> list[str]:
    """The words in order, small letters; each Chinese character is one."""
    return _TOKEN.findall(text.lower().replace("’", "'"))


def is_chinese(text: str) -> bool:
    """Whether most of a text is Chinese."""
    return 2 * len(_HAN.findall(text)) > len(tokens(text))


def count(text: str) -> int:
    """How many words a text has; two Chinese characters count as three quarters of two words.

    A Chinese word has about one and a half characters in running text.
    """
    found = tokens(text)
    characters = sum(1 for token in found if _HAN.match(token))
    return len(found) - characters + round(characters / 1.5)
