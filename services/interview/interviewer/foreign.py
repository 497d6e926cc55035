"""Which language an answer is in, where that is not the interview's.

By its script, as far as that tells. Latin letters are read by function words, which every text of
a few sentences has whatever it is about: terms, names, code and lists of keywords have those of
no language, so they are never taken to be in another one. Pinyin is told by its syllables; running
text without English function words is in none of the languages that are known by theirs.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from stopwordsiso import stopwords

from services.interview.interviewer.personas import primary
from services.interview.interviewer.words import CONTRACTED, STOP_WORDS, is_chinese, tokens

PINYIN = "zh-latn"
"""Chinese in Latin letters (BCP 47)."""
OTHER = "other"
"""Another language, or none."""

FEW_TOKENS = 4
"""A shorter text may be a name or a term in any language."""
LEAST_WORDS = 12
"""With fewer words than these in Latin letters an answer is taken to be in English."""
FOREIGN_SHARE = 0.1
"""Of Chinese at least so many words are characters."""
OTHER_SHARE, TIMES_ENGLISH = 0.25, 4.0
"""Of another language at least so many words are its function words, and so many times as many as
are English ones. Of an English answer made of foreign names 0.37 are, 2.3 times as many."""
SYLLABLES_SHARE, PARTICLES_SHARE = 0.75, 0.15
"""Of pinyin at least so many words are its syllables, and so many its commonest ones. Chinese
towns and names have the former alone."""
RUNNING_WORDS, RUNNING_SHARE = 5.0, 0.12
"""Running text has at least so many words between two signs, lists at most 4.5 of them; with a
smaller share of English function words it is not English. Of a beginner's English 0.24 are."""
_KANA_SHARE = 0.1
"""Of Japanese at least so many characters are kana; Chinese has none."""
_OTHER_WORD = 4
"""Letters of a script that writes no spaces which stand for a word, as a lower bound."""

_HAN = re.compile(r"[\u4e00-\u9fff]")
_KANA = re.compile("[\u3040-\u30ff]")
_SIGNS = re.compile(r"[^\w\s'’+#-]+|\n|\s[-–—]\s")
_LANGUAGES = (
    *("es", "fr", "de", "pt", "it", "nl", "ca", "gl", "ro", "sv", "da", "no", "fi"),
    *("pl", "cs", "sk", "hu", "hr", "sl", "tr", "vi", "id", "ms", "tl", "sw", "af"),
)
_ENGLISH = (STOP_WORDS | CONTRACTED) - {"a"}
"""But "a", which is an article or a preposition of half the others too."""
_SYLLABLES = re.compile(
    r"(?>(?:[zcs]h|[bpmfdtnlgkhjqxrzcsyw])?"
    r"(?:i?ang|i?ong|uang|eng|ing|i?ao|i?an|uai|uan|[aeu]i|ou|[aeiu]n|er|i[aeu]|u[aeo]|[aeiouv])'?)++"
)
"""The longest first and none twice: a word is looked at once."""
_PARTICLE_WORDS = """
    de le shi wo ni ta bu zai yi jiu hui ge zhe na dao zuo xiang yong dou hen ye shang xia neng
    hao mei rang gei kan lai qu dui tai zhi xian wode women tamen nimen xianzai shenme suoyi
    yinwei ranhou meiyou zhege
"""
_PARTICLES = frozenset(_PARTICLE_WORDS.split())


def foreign(text: str, language: str) -> str | None:
    """The language of a text that is not in `language`; None where it may be in it.

    "en", "zh", "zh-latn" for pinyin, "ja", or "other". Names and terms in Latin letters make no
    English of Chinese.
    """
    found = tokens(text)
    kana, written = len(_KANA.findall(text)), len(_HAN.findall(text))
    letters = [character for character in text if character.isalpha()]
    other = sum(not _is_latin(character) for character in letters) - kana - written
    if max(len(found), other // _OTHER_WORD) < FEW_TOKENS:
        return None
    if kana > _KANA_SHARE * (kana + written) and 2 * (kana + written) > len(letters):
        return "ja"
    if 2 * other > len(letters):
        return OTHER
    han = sum(1 for token in found if _HAN.match(token))
    latin = [token for token in found if token[0].isalpha() and not _HAN.match(token)]
    match primary(language):
        case "zh":
            return (_elsewhere(text, latin) or "en") if han < FOREIGN_SHARE * len(found) else None
        case _ if is_chinese(text):
            return "zh"
        case _:
            return _elsewhere(text, latin) if len(latin) >= LEAST_WORDS else None


def _is_latin(character: str) -> bool:
    return unicodedata.name(character, "").startswith(("LATIN", "FULLWIDTH LATIN"))


def _elsewhere(text: str, words: Sequence[str]) -> str | None:
    """What a text with these words in Latin letters is in if not in English: pinyin or "other"."""
    plain = [_plain(word) for word in words]
    # As written: without their accents many Vietnamese words are English ones.
    own = [word for word in words if word in _ENGLISH]
    syllables = sum(_SYLLABLES.fullmatch(word) is not None for word in plain)
    particles = sum(word in _PARTICLES for word in plain)
    if (
        syllables >= SYLLABLES_SHARE * len(words)
        and particles >= PARTICLES_SHARE * len(words)
        and particles > len(own)
    ):
        return PINYIN
    known = _function_words()
    found = Counter(
        language for word in plain if word not in _ENGLISH for language in known.get(word, ())
    )
    for language, others in found.most_common(1):
        english = sum(language not in known.get(word, ()) for word in own)
        if others >= max(OTHER_SHARE * len(words), TIMES_ENGLISH * english):
            return OTHER
    return OTHER if _runs(text, len(words)) and len(own) < RUNNING_SHARE * len(words) else None


def _runs(text: str, words: int) -> bool:
    """Whether a text is sentences, as far as its length and its signs tell, and no list."""
    clauses = sum(any(map(str.isalnum, clause)) for clause in _SIGNS.split(text))
    return words >= max(LEAST_WORDS, RUNNING_WORDS * clauses)


@cache
def _function_words() -> Mapping[str, frozenset[str]]:
    """The languages that each function word belongs to, by the word without its accents."""
    found: dict[str, set[str]] = {}
    for language in _LANGUAGES:
        for word in stopwords(language):
            if len(word) > 1:
                found.setdefault(_plain(word), set()).add(language)
    return {word: frozenset(languages) for word, languages in found.items()}


def _plain(word: str) -> str:
    """A word without its accents, as many people type it."""
    apart = unicodedata.normalize("NFD", word.replace("đ", "d").replace("ß", "ss"))
    return "".join(character for character in apart if not unicodedata.combining(character))
