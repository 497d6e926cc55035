"""Written text to what is said: numbers, money, signs and acronyms become words.

A text is a row of written words, each with its place in the segment; a written word may be spoken
as several ("$5" is "five dollars"). What cannot be spoken (control characters, emoji, stray signs)
is dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from services.tts import number_words as words


@dataclass(frozen=True, slots=True)
class Token:
    """A written word and how it is said.

    Attributes:
        written: As it stands in the text.
        offset: Where it begins in the segment's text, in Unicode code points.
        spoken: What is said: words of letters, apostrophes and hyphens, parted by spaces.
        after: The mark that follows it, one of `, . ? ! ; : … —`, or nothing.
    """

    written: str
    offset: int
    spoken: str
    after: str = ""

    @property
    def is_han(self) -> bool:
        """Whether it is said in Mandarin."""
        return has_han(self.spoken)


@dataclass(frozen=True, slots=True)
class Utterance:
    """What an engine speaks at once.

    Attributes:
        tokens: Its words in order; never empty.
    """

    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """The words as said, with their marks, for engines that take text."""
        return "".join(_joined(self.tokens)).strip()

    @property
    def ending(self) -> str:
        """The mark at the end, or nothing."""
        return self.tokens[-1].after


def _joined(tokens: tuple[Token, ...]) -> Iterator[str]:
    previous_han = False
    for token in tokens:
        if not (previous_han and token.is_han):
            yield " "
        yield token.spoken + token.after
        previous_han = token.is_han and not token.after


# Characters as a regular expression's class has them, the zero of years (二〇二六) among them.
HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_HAN_PATTERN = re.compile(f"[{HAN}]")


def has_han(text: str) -> bool:
    """Whether Chinese characters are in the text."""
    return _HAN_PATTERN.search(text) is not None


def is_speakable(text: str) -> bool:
    """Whether at least one letter or digit is in the text."""
    return any(character.isalnum() for character in text)


def can_be_said(text: str) -> bool:
    """Whether a text with a letter or digit in it has something `normalize` finds to say.

    It looks no further than the first.
    """
    if not is_speakable(text):
        return False
    style = _Style.of(text)
    for match in _PIECE.finditer(text):
        kind = match.lastgroup or "other"
        if kind not in {"space", "mark"} and _clean(_speak(kind, match, style)[0]):
            return True
    return False


# Signs inside a written word that are not said: "GPT-4", "and/or".
_JOINTS = "-_/"
_MARKS = {
    ",": ",", "，": ",", "、": ",", ".": ".", "。": ".", "．": ".", "?": "?", "？": "?", "!": "!",
    "！": "!", ";": ";", "；": ";", ":": ":", "：": ":", "…": "…", "—": "—", "–": "—", "―": "—",
}  # fmt: skip
_STRENGTH = ",—:;….!?"

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents", "美元"),
    "€": ("euro", "euros", "cent", "cents", "欧元"),
    "£": ("pound", "pounds", "penny", "pence", "英镑"),
    "¥": ("yuan", "yuan", "fen", "fen", "元"),
    "￥": ("yuan", "yuan", "fen", "fen", "元"),
}
_SIGNS = {
    "%": "percent", "‰": "per mille", "&": "and", "+": "plus", "=": "equals", "@": "at",
    "#": "hash", "°": "degrees", "×": "times", "÷": "divided by", "<": "less than",
    ">": "greater than", "≈": "about", "≤": "at most", "≥": "at least", "±": "plus or minus",
}  # fmt: skip
_HAN_SIGNS = {"&": "和", "+": "加", "=": "等于", "@": "at", "°": "度", "×": "乘", "÷": "除以"}
_ABBREVIATIONS = {
    "mr.": "mister", "mrs.": "missis", "ms.": "miz", "dr.": "doctor", "prof.": "professor",
    "st.": "saint", "jr.": "junior", "sr.": "senior", "vs.": "versus", "vs": "versus",
    "etc.": "et cetera", "e.g.": "for example", "i.e.": "that is", "approx.": "approximately",
    "no.": "number", "dept.": "department", "fig.": "figure", "inc.": "incorporated",
    "ltd.": "limited", "co.": "company", "w/": "with", "w/o": "without",
}  # fmt: skip
# Written in capitals, said as words.
_WORD_ACRONYMS = """
NASA NATO RAM ROM JSON REST CRUD ACID CAP SOLID AJAX LAMP YAML TOML SCRUM AGILE BERT GAN LAN WAN
SCALA OK LASER RADAR SARS AIDS PIN SIM GIF JPEG SAP NOSQL DRY KISS ASAP
"""
_SAID_AS_WORDS = frozenset(_WORD_ACRONYMS.split())
_LETTERS = {
    "A": "eigh", "B": "bee", "C": "see", "D": "dee", "E": "ee", "F": "ef", "G": "jee", "H": "aitch",
    "I": "eye", "J": "jay", "K": "kay", "L": "el", "M": "em", "N": "en", "O": "oh", "P": "pee",
    "Q": "cue", "R": "are", "S": "ess", "T": "tee", "U": "you", "V": "vee", "W": "double you",
    "X": "ex", "Y": "why", "Z": "zee",
}  # fmt: skip

_KNOWN = "|".join(re.escape(word) for word in sorted(_ABBREVIATIONS, key=len, reverse=True))
# One Han character, a number with what belongs to it, a word, or one other sign.
_PIECE = re.compile(
    rf"(?P<han>[{HAN}])"
    r"|(?P<money>[$€£¥￥]\d+(?:,\d{3})*(?:\.\d+)?(?:\s?(?:thousand|million|billion|trillion|[kKmMbB])\b)?)"
    r"|(?P<clock>(?<!\d)(?:[01]?\d|2[0-3]):[0-5]\d(?!\d))"
    r"|(?P<percent>[-−]?\d+(?:,\d{3})*(?:\.\d+)?[%％])"
    r"|(?P<ordinal>(?<![\w.])\d{1,6}(?:st|nd|rd|th)\b)"
    r"|(?P<number>(?:(?<![\w.])[-−])?\d+(?:,\d{3})*(?:\.\d+)?(?![\d]))"
    rf"|(?P<abbreviation>(?:[A-Za-z]\.){{2,}}|(?<!\w)(?i:{_KNOWN})(?!\w))"
    rf"|(?P<word>[^\W\d_{HAN}]+(?:['’\-‑][^\W\d_{HAN}]+)*(?:['’](?!\w))?)"
    r"|(?P<mark>\.{2,}|[,，、.。．?？!！;；:：…—–―]+)"
    r"|(?P<space>\s+)"
    r"|(?P<other>.)",
    re.DOTALL,
)


def normalize(text: str, offset: int = 0) -> Utterance | None:
    """How a phrase is said; None when nothing in it can be.

    Args:
        text: The phrase.
        offset: Where it begins in its segment, in Unicode code points.
    """
    tokens: list[Token] = []
    written_end = -1
    style = _Style.of(text)
    for match in _PIECE.finditer(text):
        kind = match.lastgroup or "other"
        piece = match.group()
        if kind == "space":
            continue
        if kind == "mark":
            if tokens:
                tokens[-1] = _marked(tokens[-1], piece)
            continue
        spoken, after = _speak(kind, match, style)
        spoken = _clean(spoken)
        start = offset + match.start()
        glued = kind != "han" and match.start() == written_end and not tokens[-1].after
        if not spoken:
            if glued and piece in _JOINTS and text[match.end() : match.end() + 1].isalnum():
                last = tokens[-1]
                tokens[-1] = Token(last.written + piece, last.offset, last.spoken)
                written_end = match.end()
            continue
        if glued and not tokens[-1].is_han:
            # One written word in several pieces: "v2", "C++", "GPT-4".
            last = tokens[-1]
            tokens[-1] = Token(last.written + piece, last.offset, f"{last.spoken} {spoken}", after)
        else:
            tokens.append(Token(piece, start, spoken, after))
        written_end = match.end()
    return Utterance(tuple(tokens)) if tokens else None


def _marked(token: Token, marks: str) -> Token:
    """The token with the strongest of the marks that follow it."""
    if marks.startswith(".."):
        marks = "…"
    kinds = [kind for kind in (token.after, *map(_MARKS.get, marks)) if kind]
    strongest = max(kinds, key=_STRENGTH.index, default="")
    return Token(token.written, token.offset, token.spoken, strongest)


@dataclass(frozen=True, slots=True)
class _Style:
    """What of a whole text decides how its pieces are read.

    Attributes:
        chinese: Whether Chinese characters are in it.
        shouted: Whether all of it is in capitals, which then mean nothing.
    """

    chinese: bool
    shouted: bool

    @classmethod
    def of(cls, text: str) -> _Style:
        return cls(has_han(text), _is_shouted(text))


def _speak(kind: str, match: re.Match[str], style: _Style) -> tuple[str, str]:
    """What a piece is spoken as, and the mark it carries itself."""
    piece, text = match.group(), match.string
    # A number takes the language of its neighbours.
    han = style.chinese and _han_nearby(match)
    after = ""
    match kind:
        case "han":
            spoken = piece.replace("〇", "零")
        case "money":
            spoken = _money(piece, han=han)
        case "clock":
            spoken = _clock(piece, han=han)
        case "percent":
            spoken = _percent(piece, han=han)
        case "ordinal":
            spoken = words.ordinal(int(piece[:-2]))
        case "number":
            spoken = _number(match, han=han)
        case "abbreviation":
            spoken = _abbreviation(piece)
            after = "." if piece.endswith(".") and _SPACE_ONLY.fullmatch(text, match.end()) else ""
        case "word":
            spoken = _word(piece.lower() if style.shouted else piece)
        case _:
            spoken = (_HAN_SIGNS if han else _SIGNS).get(piece) or _other(piece)
    return spoken, after


_SPACE_ONLY = re.compile(r"\s*")
_HAN_FOLLOWS = re.compile(rf"\s*[{HAN}]")
_FARTHEST_NEIGHBOUR = 8


def _han_nearby(match: re.Match[str]) -> bool:
    text, start = match.string, match.start()
    before = text[max(0, start - _FARTHEST_NEIGHBOUR) : start].rstrip()[-1:]
    return has_han(before) or _HAN_FOLLOWS.match(text, match.end()) is not None


def _money(piece: str, *, han: bool) -> str:
    one, many, cent, cents, han_name = _CURRENCIES[piece[0]]
    amount = piece[1:].replace(",", "").rstrip("abcdefghijklmnopqrstuvwxyzKMB ")
    scale = piece[1:].lstrip("0123456789,. ").lower()
    if han and not scale:
        return words.han_number(amount) + han_name
    scale = {"k": "thousand", "m": "million", "b": "billion"}.get(scale, scale)
    whole, _, fraction = amount.partition(".")
    if scale or (fraction and len(fraction) != 2):
        return f"{words.decimal(amount)} {scale} {many}"
    head = f"{words.integer(whole)} {one if whole == '1' else many}"
    if not fraction or int(fraction) == 0:
        return head
    return f"{head} and {words.cardinal(int(fraction))} {cent if fraction == '01' else cents}"


def _clock(piece: str, *, han: bool) -> str:
    hour, minute = piece.split(":")
    if han:
        tail = "" if minute == "00" else words.han_number(minute.lstrip("0")) + "分"
        return words.han_number(str(int(hour))) + "点" + tail
    if minute == "00":
        tail = "o'clock" if 1 <= int(hour) <= 12 else "hundred"
    else:
        tail = (
            f"oh {words.cardinal(int(minute))}" if minute[0] == "0" else words.cardinal(int(minute))
        )
    return f"{words.cardinal(int(hour))} {tail}"


def _percent(piece: str, *, han: bool) -> str:
    amount = piece[:-1].replace(",", "")
    minus = amount[0] in "-−"
    amount = amount.lstrip("-−")
    if han:
        return ("负" if minus else "") + "百分之" + words.han_number(amount)
    return f"{'minus ' if minus else ''}{words.decimal(amount)} percent"


def _number(match: re.Match[str], *, han: bool) -> str:
    piece, text = match.group(), match.string
    minus = piece[0] in "-−"
    plain = piece.lstrip("-−")
    digits = plain.replace(",", "")
    if han:
        if text[match.end() : match.end() + 1] == "年" and len(digits) == 4:
            return words.han_digits(digits)
        return ("负" if minus else "") + words.han_number(digits)
    is_year = len(plain) == 4 and plain.isdigit() and 1100 <= int(plain) <= 2099 and not minus
    if is_year and not text.startswith((" %", "°"), match.end()):
        return words.year(int(plain))
    return f"{'minus ' if minus else ''}{words.decimal(digits)}"


def _abbreviation(piece: str) -> str:
    return _ABBREVIATIONS.get(piece.lower()) or _spell(piece.replace(".", "").upper())


def _word(piece: str) -> str:
    return "-".join(_simple_word(part) for part in piece.replace("‑", "-").split("-"))


def _simple_word(word: str) -> str:
    plain = word.replace("’", "'")
    stem, _, ending = plain.partition("'")
    plural = stem.endswith("s") and stem[:-1].isupper() and len(stem) > 2
    if plural:
        stem, ending = stem[:-1], "s"
    if _is_acronym(stem):
        return _spell(stem) + (f"'{ending}" if ending else "")
    if plural:
        return word
    return plain.lower() if plain.isupper() and len(plain) > 1 else plain


def _is_acronym(word: str) -> bool:
    """Whether capitals are initials, said one by one; not emphasis, and not said as a word."""
    if not (word.isascii() and word.isalpha() and word.isupper()):
        return False
    short = 2 <= len(word) <= 4 or (len(word) == 5 and not _VOWELS.intersection(word))
    return short and word not in _SAID_AS_WORDS and word not in _SHOUTED


_VOWELS = frozenset("AEIOUY")


def _is_shouted(text: str) -> bool:
    """Whether all of a text is in capitals, which then mean nothing."""
    words_in = re.findall(r"[^\W\d_]{2,}", text) if text.isupper() else []
    return len(words_in) > 2 and any(len(word) > 5 or word in _SHOUTED for word in words_in)


_SHORT_WORDS = """
NO YES NOT AND OR BUT THE ALL ANY YOU WE HE SHE ME MY ONE TWO VERY MUST NEVER ONLY STOP HOW WHY
WHAT WHEN WHO DO DID IS ARE WAS TO IN ON OF IF SO GO HELLO HI THIS THAT NOW NEW OLD GOOD BAD BIG
WELL THEN
THEY THEM HERE THERE WITH FROM HAVE HAS HAD WILL CAN MAY BE BY AT AS AN FOR
"""
_SHOUTED = frozenset(_SHORT_WORDS.split())


def _spell(letters: str) -> str:
    """Letters by their names, which every voice pronounces."""
    return " ".join(_LETTERS[letter] for letter in letters)


def _other(piece: str) -> str:
    # A letter or digit of another script or shape, by its plain form if it has one.
    plain = unicodedata.normalize("NFKC", piece)
    if plain != piece and plain.isalnum() and plain.isascii():
        return words.decimal(plain) if plain.isdigit() else plain
    return piece if piece.isalpha() else ""


def _clean(spoken: str) -> str:
    """Without what no engine can say, and with single spaces."""
    kept = "".join(c for c in spoken if c.isalpha() or c in " '-" or unicodedata.combining(c))
    return " ".join(kept.split()).strip("-' ") if any(c.isalpha() for c in kept) else ""
