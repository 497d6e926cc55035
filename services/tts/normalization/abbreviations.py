"""Abbreviations, with what around them says which word they are."""

from __future__ import annotations

import re

from services.tts.normalization.letters import spell
from services.tts.normalization.rule import GREETINGS, Context, Piece, Reading, Rule

_WORDS = {
    "mr.": "mister", "mrs.": "missis", "prof.": "professor", "jr.": "junior", "sr.": "senior",
    "vs.": "versus", "vs": "versus", "etc.": "et cetera", "etc": "et cetera",
    "e.g.": "for example", "i.e.": "that is", "approx.": "approximately", "dept.": "department",
    "inc.": "incorporated", "ltd.": "limited", "corp.": "corporation", "cf.": "compare",
    "w/": "with", "w/o": "without", "b/c": "because", "max.": "maximum", "avg.": "average",
    "est.": "established", "ave.": "avenue", "blvd.": "boulevard", "mt.": "mount",
    "gov.": "governor", "gen.": "general", "al.": "al", "misc.": "miscellaneous",
    "incl.": "including",
    "ph.d.": None, "b.sc.": None,
    "m.sc.": None, "assoc.": "associate", "govt.": "government", "mgr.": "manager",
    "eng.": "engineering", "dev.": "development", "univ.": "university",
}  # fmt: skip
# Before a number only; "no." ends a sentence otherwise.
_NUMBERING = {
    "no": "number", "nos": "numbers", "fig": "figure", "figs": "figures", "sec": "section",
    "vol": "volume", "ch": "chapter", "eq": "equation", "p": "page", "pp": "pages",
    "art": "article",
    "ver": "version", "ex": "example",
}  # fmt: skip
# In capitals these are zones of time.
_ZONES = frozenset(["EST.", "MT."])
_KNOWN = "|".join(re.escape(word) for word in sorted(_WORDS, key=len, reverse=True))
_NUMBERED = "|".join(sorted(_NUMBERING, key=len, reverse=True))
_SPACE_ONLY = re.compile(r"\s*[\"'”’)]*\s*$")
_NAME_NEXT = re.compile(r"\s+[A-Z]")
_NAME_BEFORE = re.compile(r"[A-Z][a-z]+\s$")


def _said(match: re.Match[str], spoken: str) -> Reading:
    """An abbreviation's point ends the text where nothing follows it."""
    ends = match.group().endswith(".") and _SPACE_ONLY.match(match.string, match.end())
    return [Piece(*match.span(), spoken, "." if ends else "")]


def _known(match: re.Match[str], context: Context) -> Reading:
    word = match.group().lower()
    if match.group() in _ZONES and not context.shouted:
        return None
    return _said(match, _WORDS[word] or spell(word.replace(".", "")))


def _numbered(match: re.Match[str], context: Context) -> Reading:
    return [Piece(match.start(), match.end(), _NUMBERING[match["word"].lower()])]


def _miz(match: re.Match[str], context: Context) -> Reading:
    return [Piece(*match.span(), "miz")]


def _experience(match: re.Match[str], context: Context) -> Reading:
    """Of "5 yrs. of exp."; elsewhere exp is a function."""
    if context.before(match.start()) not in _EXPERIENCED:
        return None
    return _said(match, "experience")


_EXPERIENCED = frozenset(["of", "year", "years", "yrs", "work", "working", "industry"])


def _saint_or_street(match: re.Match[str], context: Context) -> Reading:
    greeted = context.before(match.start()) in GREETINGS
    if not greeted and _NAME_BEFORE.search(context.text[: match.start()]):
        return _said(match, "street")
    return (
        _said(match, "saint")
        if _NAME_NEXT.match(context.text, match.end())
        else _said(match, "street")
    )


def _doctor_or_drive(match: re.Match[str], context: Context) -> Reading:
    name_next = _NAME_NEXT.match(context.text, match.end())
    named = _NAME_BEFORE.search(context.text[: match.start()])
    return _said(match, "drive" if named and not name_next else "doctor")


def _initials(match: re.Match[str], context: Context) -> Reading:
    """U.S., Ph.D., a.m."""
    return _said(match, spell(match.group().replace(".", "")))


RULES = (
    Rule("l", re.compile(rf"(?<![\w/])(?i:{_KNOWN})(?![\w/])"), _known),
    Rule("l", re.compile(rf"(?<!\w)(?i:(?P<word>{_NUMBERED}))\.(?=\s?\d)"), _numbered),
    Rule("l", re.compile(r"(?<!\w)Ms\.(?=\s[A-Z])"), _miz),
    Rule("l", re.compile(r"(?<!\w)[Ee]xp\.(?!\w)"), _experience),
    Rule("l", re.compile(r"(?<!\w)St\.(?!\w)"), _saint_or_street),
    Rule("l", re.compile(r"(?<!\w)Dr\.(?!\w)"), _doctor_or_drive),
    Rule("l", re.compile(r"(?<!\w)(?:[A-Za-z]\.){2,}"), _initials),
)
