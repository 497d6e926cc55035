"""More and most, very and enough, -ing and -ed."""

from __future__ import annotations

import re

from services.interview.practice.rules.rule import END, Place, any_of, group, rule

_COMPARATIVES = {
    "old": "older", "tall": "taller", "big": "bigger", "small": "smaller", "cheap": "cheaper",
    "fast": "faster", "young": "younger", "strong": "stronger", "rich": "richer",
    "short": "shorter", "long": "longer", "hot": "hotter", "cold": "colder", "nice": "nicer",
    "easy": "easier", "happy": "happier", "busy": "busier", "hard": "harder", "high": "higher",
    "low": "lower", "good": "better", "bad": "worse", "simple": "simpler", "healthy": "healthier",
    "cool": "cooler", "warm": "warmer", "quick": "quicker", "slow": "slower", "safe": "safer",
    "early": "earlier",
}  # fmt: skip
_SUPERLATIVES = (
    *(
        "best",
        "worst",
        "easiest",
        "happiest",
        "busiest",
        "biggest",
        "hottest",
        "nicest",
        "simplest",
    ),
    *("healthiest", "earliest", "safest", "smartest"),
    *(
        f"{base}est"
        for base in ("old", "tall", "small", "cheap", "fast", "young", "strong", "rich")
    ),
    *(f"{base}est" for base in ("short", "long", "cold", "hard", "high", "low", "cool", "warm")),
)
_PREDICATE = r"(?=$|[.!?;,]| (?:than|and more|to|for|if|when|because|now|every|with|in)\b)"
"""Behind it no noun follows, of which there may be more: "more older people"."""
_THAN_ONE = r"than (?:me|my|him|his|her|us|our|them|their|you|your|I|before|last|it|other|mine)"
_ED = {
    "boring": "bored", "exciting": "excited", "tiring": "tired", "surprising": "surprised",
    "confusing": "confused", "disappointing": "disappointed", "interesting": "interested",
}  # fmt: skip
_FEELS = r"(?P<lead>I am|I'm|I was|we are|we're|we were)(?P<how>(?: very| so| really| too)?)"
_MANY = "students|people|children|kids|countries|companies|shops"


def _felt(found: re.Match[str]) -> str:
    return f"{found['lead']}{found['how']} {_ED[group(found, 'what')]}"


_FEELING = "What somebody feels ends in -ed, what causes it in -ing."

COMPARING = (
    rule(
        rf"more (?P<what>{any_of(*_COMPARATIVES.values())}){_PREDICATE}",
        r"\g<what>",
        "The ending -er already says more.",
    ),
    rule(
        rf"more (?P<what>{any_of(*_COMPARATIVES)})(?= {_THAN_ONE}\b)",
        lambda found: _COMPARATIVES[group(found, "what")],
        "A short adjective takes -er.",
        unless=r"\b(?:do|does|did|done|doing) $",
    ),
    rule(
        rf"most (?P<what>{any_of(*_SUPERLATIVES)})",
        r"\g<what>",
        "The ending -est already says most.",
    ),
    rule(
        rf"the most of (?P<what>{_MANY})",
        r"most \g<what>",
        "Most people, most of them, without the.",
        at=Place.CLAUSE,
    ),
    rule(
        r"the most of (?P<what>the|them|us|my|our|their)",
        r"most of \g<what>",
        "Most of, without the.",
        at=Place.SENTENCE,
    ),
    rule(
        rf"almost (?P<what>{_MANY})",
        r"almost all \g<what>",
        "Almost all, or most.",
        at=Place.SENTENCE,
    ),
    rule(
        r"(?P<who>I|we|they|you|he|she) very (?P<what>likes?|loves?|enjoys?|wants?|hates?|needs?"
        r"|miss(?:es)?)",
        r"\g<who> really \g<what>",
        "Very stands with adjectives, not verbs.",
    ),
    rule(
        r"too much (?P<what>expensive|big|small|difficult|tired|late|far|heavy|old|young)"
        r"(?=$|[.!?;,]| (?:for|to)\b)",
        r"too \g<what>",
        "Too with an adjective, too much with a noun.",
    ),
    rule(
        r"(?P<lead>(?:is|are|am|was|were|'m|'s|'re)(?: not)?|isn't|wasn't|aren't) enough "
        rf"(?P<what>good|big|old|strong|tall|rich|easy|fast|cheap){END}",
        r"\g<lead> \g<what> enough",
        "Enough stands after the adjective.",
        unless=r"\bthere $",
    ),
    rule(
        rf"{_FEELS} (?P<what>interesting)(?= in (?!many\b|some\b|every\b|several\b|a\b|an\b|its"
        rf"|this"
        r"|that|real|person))",
        _felt,
        _FEELING,
    ),
    rule(rf"{_FEELS} (?P<what>exciting)(?= about\b)", _felt, _FEELING),
    rule(
        rf"{_FEELS} (?P<what>boring|tiring)(?= (?:in|at) (?:the|my) (?:lesson|class|job|school|work"
        r"|office|meeting)\b)",
        _felt,
        _FEELING,
    ),
    rule(
        rf"{_FEELS} (?P<what>surprising|disappointing)(?= (?:that|when I (?:saw|heard|found)|to"
        rf" (?:see"
        r"|hear|find))\b)",
        _felt,
        _FEELING,
    ),
    rule(
        r"(?P<lead>I feel|I felt|we felt|we feel)(?P<how>(?: very| so| really| too)?) "
        r"(?P<what>boring|exciting|tiring|confusing|surprising)"
        r"(?=$|[.!?;,]| (?:at|in|when|because|about|and)\b)",
        _felt,
        _FEELING,
    ),
    rule(r"(?P<lead>is|are|was|were|looks?|'s) same as", r"\g<lead> the same as", "The same as."),
    rule(
        r"prefers? (?P<one>(?!more|other|better|less|rather|anything|nothing)\w+) than"
        r" (?P<other>\w+)",
        lambda found: f"{found[0].split()[0]} {found['one']} to {found['other']}",
        "To prefer one thing to another.",
    ),
    rule(
        rf"(?P<lead>(?:I|we|they|you) (?:like|love|enjoy)) very much (?P<what>(?:my|this|that"
        rf"|your|our|the)"
        rf" \w+){END}",
        r"\g<lead> \g<what> very much",
        "Very much stands after what is liked.",
    ),
)
