"""Words that do not go together, and words said twice over."""

from __future__ import annotations

import re

from services.interview.practice.rules.rule import END, ENDS, KIN, OWN, PRONOUN, Place, group, rule

_WHO = rf"(?P<who>I|he|she|we|they|it|{OWN} \w+)"
_TAKE = {"make": "take", "makes": "takes", "made": "took", "making": "taking"}
_MAKE = {"do": "make", "does": "makes", "did": "made", "doing": "making"}
_DO = {"make": "do", "makes": "does", "made": "did"}
_GAIN = {"learn": "gain", "learned": "gained", "learnt": "gained", "learns": "gains"}
_EAT = {"eat": "take", "ate": "took", "eating": "taking"}
_MISTAKES = r"(?P<what>(?:(?:a|the|some|many|a lot of|this|that|my)(?: \w+)? )?mistakes?)"
_GOES = r"(?P<also>(?: (?:also|always|often|usually|never|sometimes))?)"
_SPOKEN_ON = (
    r"(?=$|[.!?;,]| (?:every|on|after|when|with|before|yesterday|and|at (?:home|school))\b)"
)


def _switched(found: re.Match[str]) -> str:
    return f"turn {'on' if group(found, 'lead') == 'open' else 'off'} the {found['what']}"


WORDING = (
    rule(
        rf"(?P<lead>although|even though) (?P<what>[^.?!;]{{4,80}}?), but {_WHO}",
        r"\g<lead> \g<what>, \g<who>",
        "Either although or but, not both.",
        at=Place.SENTENCE,
    ),
    rule(
        rf"because (?P<what>[^.?!;]{{4,80}}?), so {_WHO}(?! seems)",
        r"because \g<what>, \g<who>",
        "Either because or so, not both.",
        at=Place.SENTENCE,
    ),
    rule(
        rf"(?P<who>{OWN} {KIN}) (?:he|she) (?P<verb>is|was|has|likes|works|lives|can|will)",
        r"\g<who> \g<verb>",
        "The subject is said once.",
        at=Place.SENTENCE,
    ),
    rule(
        rf"(?P<who>{PRONOUN}){_GOES} (?P<lead>do|does|did) {_MISTAKES}{ENDS}",
        lambda found: (
            f"{found['who']}{found['also']} {_MAKE[group(found, 'lead')]} {found['what']}"
        ),
        "To make a mistake.",
        at=Place.CLAUSE,
    ),
    rule(
        r"to do (?P<what>(?:(?:a|some|many|fewer|less) )?mistakes?)",
        r"to make \g<what>",
        "To make a mistake.",
    ),
    rule(
        r"(?P<lead>make|makes|made|making) (?P<what>(?:a |some |many )?photos?)"
        r"(?=$|[.!?;,]| (?:of|with|and|in|there|here)\b)",
        lambda found: f"{_TAKE[group(found, 'lead')]} {found['what']}",
        "To take a photo.",
    ),
    rule(
        rf"(?P<who>{PRONOUN}){_GOES} (?P<lead>make|makes|made) (?P<what>(?:my |the |some |a lot"
        rf" of )?"
        rf"(?:homework|sports?|housework)){_SPOKEN_ON}",
        lambda found: f"{found['who']}{found['also']} {_DO[group(found, 'lead')]} {found['what']}",
        "To do homework, to do sport.",
        at=Place.CLAUSE,
    ),
    rule(
        r"(?P<lead>open|close) the (?P<what>lights?|tv|television)"
        r"(?=$|[.!?;,]| (?:please|because|when|for me)\b)",
        _switched,
        "To turn something on or off.",
    ),
    rule(
        rf"(?P<lead>learn|learns|learned|learnt) (?P<what>(?:(?:a lot of|some|new|much|more)"
        rf" )?knowledge)"
        rf"{ENDS}",
        lambda found: f"{_GAIN[group(found, 'lead')]} {found['what']}",
        "To gain knowledge, to learn something.",
    ),
    rule(
        rf"(?P<lead>eat|ate|eating) (?P<what>(?:(?:some|my|the) )?(?:medicine|pills)){ENDS}",
        lambda found: f"{_EAT[group(found, 'lead')]} {found['what']}",
        "To take medicine.",
        unless=r"\b(?:the|an?|my|our|your|his|her|their) \w+ $",
    ),
    rule(
        r"according to (?:me|my opinion)",
        "in my opinion",
        "In my opinion; according to somebody else.",
    ),
    rule(
        r"in my point of view",
        "from my point of view",
        "From a point of view.",
        at=Place.CLAUSE,
    ),
    rule(
        r"as I know(?=,)",
        "as far as I know",
        "As far as I know.",
        at=Place.SENTENCE,
    ),
    rule(
        rf"thanks God{END}",
        "thank God",
        "Thank God, without s.",
    ),
)
