"""One and many: "two sisters", "some advice", "for three years"."""

from __future__ import annotations

import re

from services.interview.practice.nouns import (
    COUNTED,
    NO_ARTICLE,
    PLAIN_PLURALS,
    SINGULAR_OF,
    UNCOUNTED,
    plural,
)
from services.interview.practice.rules.rule import (
    END,
    ENDS,
    KIN,
    NUMBER,
    OWN,
    Place,
    any_of,
    group,
    rule,
)

_NOUN = f"(?P<noun>{any_of(*COUNTED)})"
_PLURALS = any_of(*SINGULAR_OF)
_NOT_A_NAME = (
    r"\b(?:an?|per|each|every|one|top|number|no\.?) $|(?<!^)(?<![.!?] )\b(?-i:[A-Z])\w* $"
    r"|\b(?:war|part|phase|grade|level|type|room|chapter|year|unit|step|version|page|day|week"
    r"|question|section|line|gate|round|stage|class|group|team)s? $|(?<=\w[.] )$(?<!^)"
)
"""Before a number these make it a name or a part of a measure: "Python 3", "a two day trip"."""
_SPAN = rf"(?:(?:{NUMBER}|a few|many|an?) (?:hours?|days?|weeks?|months?|years?)|a long time)"
_IRREGULAR = {"childs": "children", "womans": "women", "tooths": "teeth", "foots": "feet"}
_ONE = {"these": "this", "those": "that"}
_OF_ONE = {" have": " has", " are": " is", " were": " was", " do": " does"}


def _plural(found: re.Match[str]) -> str | None:
    if found["noun"][0].isupper():
        return None  # A name: "61 Apple computers".
    return f"{found['lead']} {plural(group(found, 'noun'))}"


def _singular(found: re.Match[str]) -> str:
    return f"{found['lead']} {SINGULAR_OF[group(found, 'plural')]}"


def _uncounted(found: re.Match[str]) -> str:
    what = found["what"]
    match group(found, "lead").strip():
        case "":
            return what
        case "many" | "several" | "a lot of":
            return f"a lot of {what}"
        case "these" | "those" as lead:
            return f"{_ONE[lead]} {what}"
        case _:
            return f"some {what}"


def _much(found: re.Match[str]) -> str:
    lead = group(found, "lead").strip()
    return f"{found['lead']}much {found['what']}" if lead else f"a lot of {found['what']}"


COUNTING = (
    rule(
        rf"(?P<lead>(?:(?:many|several|a lot of|these|those|a few|some|an?) )?)"
        rf"(?P<what>(?:(?:good|new|useful|important) )?{any_of(*UNCOUNTED)})s"
        rf"(?P<verb>(?: (?:are|were|have)(?!\w))?)",
        lambda found: _uncounted(found) + _OF_ONE.get(group(found, "verb"), ""),
        "This cannot be counted: it has no s.",
    ),
    rule(
        rf"an? (?P<what>(?:good |bad |useful |important |new )?{any_of(*NO_ARTICLE)})(?!,){ENDS}",
        r"some \g<what>",
        "This cannot be counted: some, or a piece of.",
    ),
    rule(
        rf"an? (?P<what>(?!little|bit|lot)\w+ (?:advice|information|homework|furniture"
        rf"|luggage)){ENDS}",
        r"some \g<what>",
        "This cannot be counted: some, or a piece of.",
    ),
    rule(
        rf"(?P<lead>(?:(?:how|so|too|as) )?)many (?P<what>money|information|advice|homework"
        rf"|furniture"
        rf"|knowledge|luggage|traffic|water|food|equipment|feedback){ENDS}",
        _much,
        "Much or a lot of, where nothing is counted.",
    ),
    rule(
        rf"(?P<lead>(?:so|too|very|not|have|has|had|are|were|know|make|made)) much "
        rf"(?P<what>(?:people|{_PLURALS})){ENDS}",
        r"\g<lead> many \g<what>",
        "Many, where it can be counted.",
        unless=r"\bthank|\bnot so $|\bnot $"
        r"|\b(?:talk|rain|laugh|snow|cr[iy]|smil|complain|worr[iy]|drank|slept)\w* $",
    ),
    rule(
        rf"(?P<lead>how) much (?P<what>people|{_PLURALS})(?= (?:are|were|live|came|there|in|do"
        rf"|did|will)"
        rf"\b[^.!?]{{0,80}}\?)",
        r"\g<lead> many \g<what>",
        "Many, where it can be counted.",
        at=Place.SENTENCE,
    ),
    rule(
        rf"(?P<lead>{NUMBER}) {_NOUN}{ENDS}",
        _plural,
        "More than one: the plural.",
        unless=rf"{_NOT_A_NAME}|\b(?:(?:I|he|she|we|they|you) (?:was|were)|turned|at|aged?) $",
    ),
    rule(rf"(?P<lead>many|a few) {_NOUN}(?!,){ENDS}", _plural, "More than one: the plural."),
    rule(
        rf"(?P<lead>one of (?:{OWN}|these|those)(?: (?:best|good|old|favou?rite|closest))?) "
        rf"(?P<noun>{any_of(*set(COUNTED) - {'family', 'class', 'company', 'day', 'week'})}){ENDS}",
        _plural,
        "One of several: the plural.",
    ),
    rule(
        rf"(?P<lead>one of the (?:best|biggest|most \w+|oldest|happiest|worst)) {_NOUN}{ENDS}",
        _plural,
        "One of several: the plural.",
    ),
    rule(
        rf"(?P<lead>every|each) (?P<plural>(?!sports){_PLURALS})"
        rf"(?:(?P<verb> (?:have|are|were|do))(?!\w)|{ENDS}|(?= (?:has|had|is|was|can|will|should"
        rf"|must|wants?|needs?|likes?|knows?|goes?|does)\b))",
        lambda found: _singular(found) + _OF_ONE.get(group(found, "verb"), ""),
        "After every and each: one.",
    ),
    rule(
        rf"this (?P<what>{any_of(*PLAIN_PLURALS)}){ENDS}",
        r"these \g<what>",
        "This one, these many.",
        unless=r"\b(?:before|after|at|with|from|like|despite|of|do|did|does) $",
    ),
    rule(
        rf"this (?P<what>{_PLURALS})(?= (?:are|were)\b)",
        r"these \g<what>",
        "This one, these many.",
        at=Place.SENTENCE,
    ),
    rule(
        any_of(*_IRREGULAR) + r"(?! (?:the|that|this|my|our) bills?\b)",
        lambda found: _IRREGULAR[found[0].lower()],
        "The plural is irregular.",
    ),
    rule(
        rf"since (?P<span>{_SPAN})(?! (?:ago|before|earlier|back|is|are|was|were|would|seems?|isn't"
        rf"|wasn't|aren't|weren't|ha[ds])\b)",
        r"for \g<span>",
        "For a length of time; since a point in time.",
        unless=r"\b(?:die[sd]?|left|arrived?|started|began|finished|happened)\b[^,;]*$",
    ),
    rule(
        rf"during (?P<span>{_SPAN}){END}",
        r"for \g<span>",
        "For a length of time; during something that happens.",
    ),
    rule(
        rf"(?P<lead>(?:I am|I'm|he is|she is|he's|she's) (?:{NUMBER}|twenty|thirty|forty|fifty)"
        rf"(?:-\w+)? years){END}",
        r"\g<lead> old",
        "Years old, of age.",
        at=Place.CLAUSE,
    ),
    rule(
        r"(?P<who>I|he|she) ha(?:ve|s) (?P<age>[\w-]+) years old",
        lambda found: (
            f"{found['who']} {'am' if group(found, 'who') == 'i' else 'is'} "
            f"{found['age']} years old"
        ),
        "Age is with to be: I am twenty years old.",
    ),
    rule(
        r"(?P<lead>a lot of|many) works to do",
        "a lot of work to do",
        "This cannot be counted: it has no s.",
    ),
    rule(
        r"(?P<lead>when (?:I|he|she) was) (?P<noun>child|kid|student|teenager|baby|boy|girl)"
        rf"{END}",
        r"\g<lead> a \g<noun>",
        "One person or thing: with a or an.",
    ),
    rule(
        rf"(?P<lead>(?:I(?: am|'m)|(?:he|she)(?: is|'s)|{OWN} {KIN} is)) (?P<noun>student|teacher"
        r"|engineer|doctor|nurse|driver|lawyer|programmer|developer|accountant|designer|farmer"
        r"|waiter|dentist)(?=$|[.!?;,]| (?:in an?|at an?|at the|from|in the)\b)",
        lambda found: (
            f"{found['lead']} {'an' if group(found, 'noun')[0] in 'ae' else 'a'} {found['noun']}"
        ),
        "What somebody is by profession: with a or an.",
        at=Place.CLAUSE,
    ),
)
