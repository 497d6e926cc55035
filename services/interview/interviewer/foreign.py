"""Which language an answer is in, where that is not the interview's.

By its script, as far as that tells. Latin letters are read by function words, which every text of
a few sentences has whatever it is about: terms, names, code and lists of keywords have those of
no language, so they are never taken to be in another one, and neither is English without articles.
Pinyin is told by its syllables. A language whose function words are not listed is not told.
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
OTHER_WORDS, OTHER_SHARE, TIMES_ENGLISH = 2, 0.15, 4.0
"""Of another language at least so many different words of two letters and more are its function
words, so many of all words, and so many times as many as are English ones. English without articles
has one by chance; of an English answer made of foreign names 0.37 are, 2.3 times as many."""
ENGLISH_WORDS, ENGLISH_SHARE = 2, 0.1
"""Of English among terms and code at least so many different words, and so many of all, are such
as no code has."""
SYLLABLES_SHARE, PARTICLES_SHARE = 0.75, 0.15
"""Of pinyin at least so many words are its syllables, and so many its commonest ones. Chinese
towns and names have the former alone."""
_KANA_SHARE = 0.1
"""Of Japanese at least so many characters are kana; Chinese has none."""
_OTHER_WORD = 4
"""Letters of a script that writes no spaces which stand for a word, as a lower bound."""

_HAN = re.compile(r"[\u4e00-\u9fff]")
_KANA = re.compile("[\u3040-\u30ff]")
_LANGUAGES = (
    *("es", "fr", "de", "pt", "it", "nl", "ca", "gl", "ro", "sv", "da", "no", "fi"),
    *("pl", "cs", "sk", "hu", "hr", "sl", "tr", "vi", "id", "ms", "tl", "sw", "af"),
)
_ENGLISH = (STOP_WORDS | CONTRACTED) - {"a"}
"""But "a", which is an article or a preposition of half the others too."""
_CODE_WORDS = """
    all and any as at between by do each else for from get having if in into is not off on or out
    over then this up until where while with
"""
_SPOKEN = _ENGLISH - frozenset(_CODE_WORDS.split())
_ROMANISED = {
    "hi": """
        hai hain hoon hun tha thi mein mai maine mujhe mera meri mere hum humein aap aapka
        yeh ye woh wo ko ki ka ke kaa se aur ya lekin phir bhi nahi nahin kya kyun kyunki
        karta karti karte karna kar raha rahi rahe ek bahut jab tab toh liye apna apni apne
    """,
    "ru": """
        ya ty my vy on ona oni eto chto kak kogda gde potomu esli ili dlya pri iz na po za ot do
        no ne net da uzhe eshche ochen tozhe takzhe menya mne moy moya moyu svoyu svoy svoi nas
        nam ego ee ih byl byla bylo byli vse vsegda snachala potom tolko mozhno nado
    """,
    "ja": """
        watashi watashitachi boku ore wa ga wo ni no de to mo kara made desu deshita masu imasu
        imashita arimasu shimasu shimashita suru shite shita kono sono ano kore sore soshite demo
        dakara totemo issho toshite node koto mono
    """,
    "ko": """
        jeoneun naneun jega naega jeo uri urineun geurigo geuraeseo hajiman geureonde eun neun
        eul reul eseo ege hago aju neomu maeil dongan isseoyo isseumnida itda issgo imnida ieyo
        haeyo hamnida hago haesseoyo ireul jigeum
    """,
    "ar": """
        ana enta enti howa heya ehna fi fe el wa lakin ashan illi elli kan kont kol mesh mish awi
        gedan lamma kaman min ila huwa hiya
    """,
}
"""Function words of languages with another script, as they are typed without it."""
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
            here = han >= FOREIGN_SHARE * len(found)
            return None if here else _elsewhere(latin) or _english(latin)
        case _ if is_chinese(text):
            return "zh"
        case _:
            return _elsewhere(latin) if len(latin) >= LEAST_WORDS else None


def _is_latin(character: str) -> bool:
    return unicodedata.name(character, "").startswith(("LATIN", "FULLWIDTH LATIN"))


def _english(words: Sequence[str]) -> str | None:
    """English, where a text with these words is neither terms nor code."""
    spoken = [word for word in words if word in _SPOKEN]
    enough = len(spoken) >= ENGLISH_SHARE * len(words)
    return "en" if enough and len(set(spoken)) >= ENGLISH_WORDS else None


def _elsewhere(words: Sequence[str]) -> str | None:
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
        theirs = {word for word in plain if language in known.get(word, ())} - _ENGLISH
        english = sum(language not in known.get(word, ()) for word in own)
        if (
            sum(len(word) > 1 for word in theirs) >= OTHER_WORDS
            and others >= OTHER_SHARE * len(words)
            and others >= TIMES_ENGLISH * english
        ):
            return OTHER
    return None


@cache
def _function_words() -> Mapping[str, frozenset[str]]:
    """The languages that each function word belongs to, by the word without its accents."""
    found: dict[str, set[str]] = {}
    listed = {language: stopwords(language) for language in _LANGUAGES}
    romanised = {language: words.split() for language, words in _ROMANISED.items()}
    for language, words in (*listed.items(), *romanised.items()):
        for word in words:
            if word.isalpha() and (plain := _plain(word)) != "a":
                found.setdefault(plain, set()).add(language)
    return {word: frozenset(languages) for word, languages in found.items()}


def _plain(word: str) -> str:
    """A word without its accents, as many people type it."""
    apart = unicodedata.normalize("NFD", word.replace("đ", "d").replace("ß", "ss"))
    return "".join(character for character in apart if not unicodedata.combining(character))
