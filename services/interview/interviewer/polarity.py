"""Whether a text affirms or denies what its words name.

Sentence embeddings hardly see a negation: "never blame others" and "blame others" are neighbours.
So the words in the scope of a negation are marked, and two texts that share words agree or
contradict each other by the marks. The scope follows the cue to the end of its clause, the rule
that NegEx uses for clinical notes (Chapman et al. 2001).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.interview.interviewer.words import STOP_WORDS, content_words, is_chinese, stem

_CUES_WORDS = """
    not never no without nobody nothing none neither nor cannot hardly barely rarely seldom
    instead avoid avoids avoided avoiding refuse refuses refused fails failed unable unlikely
    forget forgot lack lacks impossible useless pointless nonsense wrong false myth skip
    skips skipped skipping
"""
_CUES = frozenset(_CUES_WORDS.split())
_NOUN_SCOPE = frozenset({"no", "without", "lack", "lacks"})
"""These deny the words that follow at once, not the rest of the clause."""
NOUN_WORDS = 4

_EMPTY_WORDS = """
    use used using know tell say said get like same own more most few off
"""
_EMPTY = STOP_WORDS - frozenset(_EMPTY_WORDS.split())
"""Verbs that mean little by themselves can be what is denied: "may not use them"."""

_ENDS_WORDS = """
    but however because so although though while since unless until before after when if then
    instead who which whereas except
"""
_ENDS = frozenset(_ENDS_WORDS.split())
_SUBJECTS_WORDS = """
    i we you he she they it this that there these those
"""
_SUBJECTS = frozenset(_SUBJECTS_WORDS.split())
_TOKEN = re.compile(r"n't\b|[a-z][a-z+#'-]*|[,.;:?!()–—\n]")
_AFFIRMED = re.compile(
    r"\bnot only\b|(?<!do )(?<!don't )\bnot just\b|\bno (doubt|matter|wonder|problem)\b"
    r"|\bnot to mention\b|\bwhy not\b|\bcan(no|')t wait\b|\bwhether or not\b"
)
_NOT = r"(?:not|never|n't)"
_CANNOT = r"(?:can't|cant|cannot|(?:can|could) (?:not|never)|could(?:n't|nt))"
_EMPHATIC = re.compile(
    rf"{_CANNOT} (?:\w+ )?(?:over(?:state|stress|emphasi[sz]e|estimate|rate)"
    r"|(?:stress|emphasi[sz]e|recommend|praise)(?: \w+){0,3} enough)(?: (?:how|that|the))*"
    rf"|{_CANNOT} (?:agree|care) more(?: (?:with|that))?"
    r"|(?:there (?:is|'s) |there's )?nothing(?: is)? (?:better|beats|like|more \w+)"
    r"(?: than)?(?: to)?"
    rf"|\b{_NOT} (?:\w+ )?(?:done|finished|complete|over|ready)(?= (?:until|unless|before|without))"
    rf"|(?<=\bcan )never(?= (?:[\w'-]+ ){{0,6}}too )"
    rf"|(?<=\bcan)(?:not|'t| not)(?= (?:[\w'-]+ ){{0,6}}(?:too (?!long)|enough))"
)
"""Says much, and denies nothing: "I can't overstate it", "you can never test it too well"."""
_GIVEN_UP = re.compile(
    r"\b(?:stop(?:s|ped|ping)?|quit(?:s|ting)?|g[ai]ve(?:s|n)? up(?: on)?|g[eo]ts? rid of"
    r"|(?:see |saw |there is |there's )?no (?:point|sense|use) in)\s+(?=[a-z]+ing\b)"
)
"""What is stopped is not done."""
_BARE_NOT = re.compile(
    r"\b(do|does|did|is|are|was|were|have|has|had|could|should|would|must|ai)nt\b"
)
"""Typed without the apostrophe."""
_RATHER = re.compile(r"\b(rather than|as opposed to|in place of|anything but)\b")

_CHINESE_AFFIRMED = re.compile(
    r"不仅|不但|不只|不过|不同|不断|不错|差不多|没关系|没问题|不得不|不管"
    # A question denies nothing: 看有没有缺少索引, 问是不是.
    r"|有没有|([\u4e00-\u9fff])不\1"
)
_CHINESE_CUE = re.compile(
    r"而不是|从不|没有|不要|不会|不能|避免|拒绝|并非|不|没"
    r"|(?<![特分级识区个辨鉴类性告])别(?![人的处])|无(?![论非])|未(?!来)"
)
"""Some of their characters are parts of other words: 特别, 别人, 无论, 未来."""
_CHINESE_QUALITY = re.compile(r"不([\u4e00-\u9fff]{2})的(?=[\u4e00-\u9fff])")
"""不可达的对象: what something is like is denied, and nothing of what is said of it."""
_CHINESE_CLAUSE = re.compile(r"[，。；！？、,.;!?\n]|但是|而是|因为|所以|然后")


@dataclass(frozen=True, slots=True)
class Marked:
    """The words of a text by how they are meant; a word can be both."""

    affirmed: frozenset[str]
    denied: frozenset[str]


def marked(text: str) -> Marked:
    """The content words of a text, each affirmed or denied."""
    return _chinese(text) if is_chinese(text) else _english(text)


def agreement(said: Marked, point: Marked) -> tuple[float, float]:
    """The weight of the words that two texts share and mean alike, and of those meant otherwise.

    What a point denies weighs twice: "without excuses" is about the excuses.
    """
    same = opposite = 0.0
    for word in (said.affirmed | said.denied) & (point.affirmed | point.denied):
        weight = 2.0 if word in point.denied else 1.0
        if word in said.affirmed & point.affirmed or word in said.denied & point.denied:
            same += weight
        else:
            opposite += weight
    return same, opposite


def _english(text: str) -> Marked:
    plain = text.lower().replace("’", "'")
    plain = re.sub(r"\b(ca|wo)nt\b", r"\1n't", _BARE_NOT.sub(r"\1n't", plain))
    plain = _GIVEN_UP.sub(" not ", _EMPHATIC.sub(" ", plain))
    plain = _RATHER.sub(" instead ", _AFFIRMED.sub(" ", plain))
    plain = re.sub(r"\bcan't\b", "can not", plain).replace("won't", "will not")
    plain = re.sub(r"n't\b", " not", plain)
    affirmed: set[str] = set()
    denied: set[str] = set()
    sign, left = 1, 0
    words = _TOKEN.findall(plain)
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if word in _CUES:
            sign, left = -sign, NOUN_WORDS if word in _NOUN_SCOPE else 99
            continue
        if word in _ENDS or not word[0].isalpha() or _new_clause(word, following):
            sign, left = 1, 0
            continue
        if word in _EMPTY:
            continue
        (denied if sign < 0 else affirmed).add(_key(word))
        if sign < 0:
            left -= 1
            if left <= 0:
                sign = 1
    return Marked(frozenset(affirmed), frozenset(denied))


def _key(word: str) -> str:
    """A stem that also lets short verbs meet: "uses" and "used", "asks" and "asked"."""
    word = stem(word.removesuffix("'s"))
    for suffix in ("ing", "ed", "es", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 2 and not word.endswith("ss"):
            return word[: -len(suffix)]
    return word


def _new_clause(word: str, following: str) -> bool:
    """Whether "and" begins a clause, as before "I" and "talked", or goes on: "and ignore it"."""
    if word not in {"and", "or"}:
        return False
    return following in _SUBJECTS or (following.endswith("ed") and len(following) > 4)


def _chinese(text: str) -> Marked:
    affirmed: set[str] = set()
    denied: set[str] = set()
    plain = _CHINESE_AFFIRMED.sub(" ", text)
    for quality in _CHINESE_QUALITY.findall(plain):
        _add(quality, denied)
    plain = _CHINESE_QUALITY.sub(" ", plain)
    for clause in _CHINESE_CLAUSE.split(plain):
        start, sign = 0, 1
        for cue in _CHINESE_CUE.finditer(clause):
            _add(clause[start : cue.start()], affirmed if sign > 0 else denied)
            start, sign = cue.end(), -sign
        _add(clause[start:], affirmed if sign > 0 else denied)
    return Marked(frozenset(affirmed), frozenset(denied))


def _add(part: str, words: set[str]) -> None:
    words.update(content_words(part))
