"""What is over is told in the past."""

from __future__ import annotations

import re

from services.interview.practice import verbs
from services.interview.practice.rules.rule import NUMBER, Place, any_of, group, rule

_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_THEN = rf"(?:yesterday|last (?:night|week|month|year|weekend|summer|winter|{_DAYS}))"
_AGO = rf"(?:{NUMBER}|an?|a few|some|many) (?:days?|weeks?|months?|years?) ago"
_EVENTS = (
    *("go", "come", "eat", "meet", "buy", "take", "visit", "watch", "play", "travel", "study"),
    *("stay", "make", "cook", "start", "finish", "move", "leave", "arrive", "call", "drive", "fly"),
    *("see", "write", "have", "get", "learn", "work", "walk", "talk", "spend", "lose", "find"),
    *("begin", "join", "give", "tell", "ask"),
)
"""Verbs of single events: with a time in the past they are in the past."""
_EVENT = f"(?P<base>{any_of(*_EVENTS)})"
_DONE = any_of(*verbs.BASE_OF_PARTICIPLE)
_OVER = rf"(?= (?:{_THEN}|{_AGO})(?:$|[.,!?;]| (?:and|but|with|because|when|in|at)\b))"
_PLACE = (
    r"(?: (?:him|her|it|them|you|there|it there|home|here)"
    r"| (?:to|in|at) (?:the |my )?[\w-]+"
    r"| (?:a|an|the|my|your|his|our|their)(?: (?:good|new|great|nice|old|big))? \w+"
    r"(?: (?:to|in|at|with) (?:the |my )?\w+)?)"
)
_COMPARED = r"\b(?:than|as|like|since|from|until|by|compared)\b"
_REASON = "What is over is told in the past."


def _past(found: re.Match[str]) -> str:
    return found["lead"] + verbs.past(group(found, "base"))


def _simple(found: re.Match[str]) -> str:
    who, base = group(found, "who"), verbs.BASE_OF_PARTICIPLE[group(found, "done")]
    if base == "be":
        if group(found, "place").startswith(" to "):
            told = "went"
        else:
            told = "was" if who in {"i", "he", "she", "it"} else "were"
    else:
        told = verbs.past(base)
    return f"{found['who']} {told}"


def _present(found: re.Match[str]) -> str:
    base, third = group(found, "base"), group(found, "who") in {"he", "she", "it"}
    return f"{found['lead']} {found['who']} {verbs.third_person(base) if third else base}"


def _until_now(found: re.Match[str]) -> str:
    has = "has" if group(found, "who") in {"he", "she"} else "have"
    return f"{found['who']} {has} been {found['what']} since"


TENSES = (
    rule(
        rf"(?P<then>(?:{_THEN}|{_AGO}),? )(?P<who>I|we|they|he|she)(?: have| has|'ve)(?P<place>) "
        rf"(?P<done>{_DONE})",
        lambda found: f"{found['then']}{_simple(found)}",
        "With a time that is over: the simple past, without have.",
        at=Place.SENTENCE,
    ),
    rule(
        rf"(?P<lead>(?:{_THEN}|{_AGO}),? (?:I|we|they|he|she) ){_EVENT}",
        _past,
        _REASON,
        at=Place.SENTENCE,
    ),
    rule(
        rf"(?P<lead>(?:I|we|they) ){_EVENT}(?:{_PLACE})?{_OVER}",
        lambda found: _past(found) + found[0][found.end("base") - found.start() :],
        _REASON,
        at=Place.CLAUSE,
        unless=_COMPARED,
    ),
    rule(
        rf"(?P<who>(?:I|we|they|you)(?= have|'ve)|(?:he|she)(?= has))(?: have| has|'ve) "
        rf"(?P<done>(?!forgotten\b){_DONE})(?={_PLACE}?{_OVER})(?=(?P<place>{_PLACE}?))",
        _simple,
        "With a time that is over: the simple past, without have.",
        at=Place.CLAUSE,
        unless=_COMPARED,
    ),
    rule(
        r"(?P<lead>when|as soon as|after|before|until) (?P<who>I|we|they|you|he|she|it) will "
        rf"(?P<base>{any_of(*verbs.BASES)})(?=[^.?!;]{{0,80}}, (?:I|we|they|he|she|you|it)(?:'ll|"
        rf" will| can))",
        _present,
        "After when and before the present stands for the future.",
        at=Place.SENTENCE,
    ),
    rule(
        r"(?P<lead>if) (?P<who>I|it) will "
        rf"(?P<base>(?!help\b){any_of(*verbs.BASES)})"
        rf"(?=[^.?!;]{{0,80}}, (?:I|we|they|he|she|you|it)(?:'ll|"
        rf" will| can))",
        _present,
        "After if the present stands for the future.",
        at=Place.SENTENCE,
    ),
    rule(
        r"if (?P<who>I|we|they|you|he|she|it) would have (?P<what>(?:more |enough )?(?:money|time)"
        r"|a (?:car|house|million)|children)(?=[^.?!;]{0,80}, (?:I|we|they|he|she|you|it)(?:'d|"
        r" would| could))",
        r"if \g<who> had \g<what>",
        "After if the past stands for what is only thought.",
        at=Place.SENTENCE,
    ),
    rule(
        r"(?P<who>I|we|they|you|he|she)(?: (?:am|are|is)|'m|'re|'s) (?P<what>(?:living|working"
        r"|studying) (?:here|there|(?:in|at) \w+)) since(?= (?:(?:19|20)\d\d|last \w+|I was"
        r"|childhood"
        rf"|{NUMBER} (?:years|months|weeks))\b)",
        _until_now,
        "What began before and goes on: have been.",
        at=Place.CLAUSE,
    ),
)
