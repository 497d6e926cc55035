"""In, on, at, to, of, with: which one goes with a word, and which words take none."""

from __future__ import annotations

import re

from services.interview.practice.rules.rule import (
    CAPITAL,
    END,
    ENDS,
    KIN,
    OWN,
    PRONOUN,
    Place,
    any_of,
    group,
    rule,
)

_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_DATE = r"(?:[12]?\d|3[01])(?:st|nd|rd|th)?(?!,\d)"
_IN_OR_AT = (
    "be|come|came|coming|stay|sle[ep]|get|got|weigh|check|call|drop|fl[ey]|go|hand|kick|log|look|aim"
    "|mov|sign|step|stop|turn|went|work"
)
"""With these in and at go together: "we slept in Sunday morning", "looking at Monday"."""
_SPOUSE = any_of(
    *("wife", "husband", "boyfriend", "girlfriend", "doctor", "teacher", "nurse", "lawyer", "man"),
    *("woman", "foreigner", "engineer", "colleague", "classmate", "girl", "boy", "guy"),
)
_SOMEONE = rf"(?P<whom>me|him|someone|somebody|(?:{OWN}|an?) (?:\w+ )?{_SPOUSE})"
_HELPING = (
    r"(?: (?:can|could|will|would|should|must|always|often|usually|also|never|want to|need to|are"
    r"|were"
    r"|have|had|had to|are going to)|'ve|'ll|'re){0,2}"
)
_ROOMS = "room|house|building|office|shop|university|school|class|classroom|company|kitchen"
_PLACES = (
    r"(?:airport|station|train station|hotel|office|school|university|company|restaurant|beach"
    r"|party"
    r"|meeting|bus stop|museum|hospital)"
)
_MINE = {"me": "mine", "him": "his", "us": "ours", "them": "theirs"}


def _married(found: re.Match[str]) -> str:
    be = found["be"]
    return f"{be} married to {found['whom']}" if be else f"married {found['whom']}"


def _on_day(found: re.Match[str]) -> str:
    return f"on {found['day'].capitalize()}"


PREPOSITIONS = (
    rule(
        rf"(?P<lead>(?:I|we|they|you|he|she|let's){_HELPING} discuss(?:ed|ing|es)?) about"
        r"(?! (?:\d|two|three|four|five|six|seven|eight|nine|ten|twenty|half|an? (?:dozen"
        r"|hundred)))",
        r"\g<lead>",
        "To discuss something, without about.",
        at=Place.CLAUSE,
    ),
    rule(
        rf"(?P<be>(?:am|is|are|was|were|be|get|gets|got|getting|'m|'s|'re)) married with"
        rf" {_SOMEONE}",
        _married,
        "Married to somebody.",
    ),
    rule(
        rf"(?P<be>)(?<!get )(?<!got )married with {_SOMEONE}",
        _married,
        "To marry somebody, to be married to somebody.",
        unless=r"(?:\b(?:am|is|are|was|were|be|been|being|not|n't)|'m|'s|'re) $",
    ),
    rule(
        r"(?P<lead>depend|depends|depended) of(?! course)",
        r"\g<lead> on",
        "To depend on something.",
    ),
    rule(
        r"(?P<lead>depend|depends|depended) from(?! \w+ to\b)",
        r"\g<lead> on",
        "To depend on something.",
    ),
    rule(
        r"interested (?:on|about)(?! (?:the (?:first|last|second)|\d|two"
        r"|three|four|five|six|seven|eight|nine|ten|first|an? "
        rf"(?:year|month|week)|{_DAYS}))",
        "interested in",
        "Interested in something.",
    ),
    rule(
        rf"(?P<lead>(?:(?:I|you|he|she|we)(?: am| are| is| was| were|'m|'re|'s)|{OWN} {KIN} is)"
        r"(?: not| very| really| so| pretty)*) good in (?P<what>english|maths?|cooking|languages"
        rf"|singing|drawing|sports?|physics|computers){ENDS}",
        r"\g<lead> good at \g<what>",
        "Good at something.",
    ),
    rule(
        r"afraid from(?! (?:day|that|the (?:start|beginning|first|moment|very))\b)",
        "afraid of",
        "Afraid of something.",
    ),
    rule(
        rf"(?P<lead>arriv(?:e|es|ed|ing)) to (?P<where>(?:the |our |my |a )?{_PLACES}){ENDS}",
        r"\g<lead> at \g<where>",
        "To arrive at a place, in a city.",
    ),
    rule(
        rf"(?P<lead>arriv(?:e|es|ed|ing)) to (?P<where>the city|the country|{CAPITAL}){ENDS}",
        r"\g<lead> in \g<where>",
        "To arrive at a place, in a city.",
    ),
    rule(
        r"(?P<lead>go|goes|went|going|gone|come|came) to (?P<where>(?-i:home|there|abroad"
        r"|downtown))"
        rf"(?! (?:in on|is|are|was|were|has|had)\b){ENDS}",
        r"\g<lead> \g<where>",
        "Home, there and abroad stand without to.",
    ),
    rule(r"in abroad", "abroad", "Abroad stands without in."),
    rule(
        r"(?P<lead>(?:I|we|they|you|he|she) (?:go|goes|went)) to (?P<what>shopping|swimming|fishing"
        r"|camping|hiking|skiing|dancing|jogging)(?=$|[.!?;,]| (?:with|on|every|at|in|yesterday"
        r"|last)\b)",
        r"\g<lead> \g<what>",
        "To go shopping, without to.",
        at=Place.CLAUSE,
    ),
    rule(
        rf"(?:in|at) (?P<day>(?:{_DAYS})s?)"
        rf"(?:{ENDS}|(?= (?:morning|afternoon|evening|night){ENDS}| at\b))",
        _on_day,
        "On a day.",
        unless=rf"\b(?:{_IN_OR_AT}|this|it|him|her|them)\w* $|\b(?:not|only)(?: \w+)? $|'m $",
    ),
    rule(
        rf"in (?P<day>{_DATE} )?(?:of )?(?P<month>{_MONTHS})(?(day)|(?P<after> {_DATE}))"
        rf"(?:{END}|(?= (?:19|20)\d\d{END}))",
        lambda found: f"on {found['day'] or ''}{found['month']}{found['after'] or ''}",
        "On a date.",
    ),
    rule(
        rf"at the (?P<when>morning|afternoon|evening){ENDS}",
        r"in the \g<when>",
        "In the morning, in the evening.",
    ),
    rule(
        r"(?:in|on) (?P<when>(?:next|last) (?:week|month|year|weekend|summer|winter|night)),? "
        r"(?P<who>I|we|they|he|she|my|the)",
        r"\g<when> \g<who>",
        "Next week and last year stand without in or on.",
        at=Place.SENTENCE,
    ),
    rule(
        rf"in (?P<when>(?:next|last) (?:week|month|year|weekend)){END}",
        r"\g<when>",
        "Next week and last year stand without in.",
        unless=rf"\b(?:interest|believ|invest|confiden|play)|\b(?:{_IN_OR_AT}|br[eo]ak?|brok)\w* $"
        r"|\b(?:gave|give|hand|turn|br[io][nu])\w*(?: \w+){1,3} $",
    ),
    rule(
        r"(?P<lead>(?:was|were) born|graduated|moved (?:here|there)|got married|met|started|came"
        r" here)"
        r" (?:on|at) (?P<year>(?:19|20)\d\d)(?=$|[.!?;,]| (?:and|when|because|in)\b)",
        r"\g<lead> in \g<year>",
        "In a year.",
        unless=r"\bat $",
    ),
    rule(rf"in the weekends?{ENDS}", "at the weekend", "At or on the weekend."),
    rule(rf"in nowadays{ENDS}", "nowadays", "Nowadays stands without in."),
    rule(
        rf"(?P<lead>(?:{PRONOUN}|{OWN} {KIN}) enter(?:s|ed)?) to (?P<where>(?:the|a|my|our|this"
        rf"|his)"
        rf" (?:{_ROOMS}))",
        r"\g<lead> \g<where>",
        "To enter a place, without to.",
        at=Place.CLAUSE,
    ),
    rule(r"despite of", "despite", "Despite, or in spite of."),
    rule(
        r"(?P<what>(?:friend|friends|classmate|colleague)) of (?P<whom>me|him|us|them)"
        r"(?! (?:and|all|both)\b)",
        lambda found: f"{found['what']} of {_MINE[group(found, 'whom')]}",
        "A friend of mine.",
    ),
    rule(
        rf"by (?P<own>{OWN} own){END}",
        r"on \g<own>",
        "On one's own, by oneself.",
        unless=r"\bnot $",
    ),
)
