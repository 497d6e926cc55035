"""Subject and verb: "he goes", "they were"."""

from __future__ import annotations

import re

from services.interview.practice import verbs
from services.interview.practice.nouns import COUNTED, MANY_THINGS
from services.interview.practice.rules.rule import (
    ENDS,
    KIN,
    NUMBER,
    OWN,
    Place,
    any_of,
    group,
    rule,
)

_BARE = (
    r"\b(?:\w+'d|do|does|did|can|could|will|would|shall|should|may|might|must|need|dare|cannot|let|lets"
    r"|and"
    r"|or|nor|than|rather|whether|make|made|help|helped|\w+n't|better)(?: not)? $|[/&] ?$"
    r"|\b(?:suggest|insist|demand|ask|recommend|propos|request|requir|urg|advis|order|command"
    r"|prefer"
    r"|desir|wish|essential|important|necessary|vital|crucial|imperative|critical|lest|condition)"
)
"""What leaves the verb as it is: the first right before the subject ("does he go"), the rest
anywhere before it ("they suggested he go")."""
_STEADY = any_of(*set(verbs.BASES) - {"come", "run", "become", "read", "put"})
"""Bases that are no pasts."""
_OFTEN = r"(?P<also>(?: (?:also|always|usually|often|never|sometimes|really|still|just|only))?)"
_STATES = any_of(
    "know",
    r"like(?! (?:you|me|him|her|us|them|that|this)\b)",
    "want",
    "need",
    "love",
    "think",
    "live",
    "understand",
    "prefer",
)
_THIRDS = any_of(
    *(verbs.third_person(base) for base in ("think", "like", "want", "live", "go", "say", "know")),
    *(
        verbs.third_person(base)
        for base in ("believe", "get", "come", "speak", "eat", "have", "do")
    ),
    *("is", "was", "doesn't", "isn't", "wasn't"),
)
_TO_PLURAL = {
    "is": "are", "was": "were", "doesn't": "don't", "isn't": "aren't", "wasn't": "weren't",
}  # fmt: skip
_ALL_THIRDS = any_of(*set(verbs.BASE_OF_THIRD) - {"has", "needs"})
_FEELINGS = (
    r"(?:very|so|too|really|always|usually|more|friendly|nice|kind|happy|busy|poor|rich|warm|polite"
    r"|different|tired|afraid|not \w+|\w+ing)"
)


def _third(found: re.Match[str]) -> str:
    return f"{found['who']}{found['also']} {verbs.third_person(group(found, 'base'))}"


def _base(found: re.Match[str]) -> str:
    return f"{found['who']}{found['also']} {verbs.BASE_OF_THIRD[group(found, 'verb')]}"


def _many(found: re.Match[str]) -> str:
    verb = group(found, "verb")
    return f"{found['who']} {_TO_PLURAL.get(verb) or verbs.BASE_OF_THIRD[verb]}"


def _were(found: re.Match[str]) -> str:
    return f"{found['who']} {_TO_PLURAL[group(found, 'verb')]}"


_S = "the verb takes an s."

AGREEMENT = (
    rule(
        rf"(?P<who>he|she){_OFTEN} (?P<base>{_STEADY})(?! (?:not|no|only|but|have)\b)",
        _third,
        f"After he, she and it {_S}",
        unless=_BARE,
    ),
    rule(
        rf"(?P<who>he|she|it){_OFTEN} (?P<base>have)(?! (?:to do with|not)\b)",
        _third,
        "After he, she and it: has.",
        at=Place.CLAUSE,
        unless=_BARE,
    ),
    rule(
        rf"(?P<who>it|that){_OFTEN} (?P<base>make|mean|depend|seem)",
        _third,
        f"After he, she and it {_S}",
        at=Place.SENTENCE,
    ),
    rule(
        rf"(?P<who>it){_OFTEN} (?P<base>make|take|mean|look|feel|depend|help|work|sound|seem)",
        _third,
        f"After he, she and it {_S}",
        at=Place.CLAUSE,
        unless=_BARE,
    ),
    rule(
        rf"(?P<who>{OWN} {KIN}){_OFTEN} (?P<base>{_STEADY})(?! not\b)",
        _third,
        f"After one person {_S}",
        at=Place.CLAUSE,
        unless=rf"{_BARE}|\b(?:{OWN} \w+|with|for|to), $",
    ),
    rule(
        rf"(?P<who>every(?:one|body)|some(?:one|body)|no(?:body| one)){_OFTEN} (?P<base>{_STATES})",
        _third,
        f"Everyone, somebody and nobody are one person: {_S}",
        at=Place.CLAUSE,
        unless=_BARE,
    ),
    rule(
        r"(?P<who>every(?:one|body)|some(?:one|body)|no(?:body| one))(?P<also>) (?P<base>have)"
        r"(?! (?:fun|a (?:good|great|nice|seat|look))\b)",
        _third,
        f"Everyone, somebody and nobody are one person: {_S}",
        at=Place.CLAUSE,
        unless=_BARE,
    ),
    rule(
        r"(?P<who>he|she) don't",
        r"\g<who> doesn't",
        "After he, she and it: doesn't.",
        unless=r"\b(?:and|or|nor|like) $",
    ),
    rule(
        rf"(?P<who>it|{OWN} {KIN}) don't",
        r"\g<who> doesn't",
        "After he, she and it: doesn't.",
        at=Place.CLAUSE,
    ),
    rule(
        r"(?P<who>we|they) doesn't",
        r"\g<who> don't",
        "After I, you, we and they: don't.",
    ),
    rule(
        r"(?P<who>I|you) doesn't",
        r"\g<who> don't",
        "After I, you, we and they: don't.",
        at=Place.CLAUSE,
    ),
    rule(
        r"(?P<who>we|they) (?P<verb>is|was|isn't|wasn't)",
        _were,
        "After we and they: are and were.",
    ),
    rule(
        r"(?P<who>you) (?P<verb>is|was|isn't|wasn't)",
        _were,
        "After you: are and were.",
        at=Place.CLAUSE,
        unless=r"\bthank $",
    ),
    rule(
        rf"(?P<who>we|they){_OFTEN} (?P<verb>{_ALL_THIRDS})",
        _base,
        "After I, you, we and they the verb takes no s.",
    ),
    rule(
        rf"(?P<who>I|you){_OFTEN} (?P<verb>{_ALL_THIRDS})",
        _base,
        "After I, you, we and they the verb takes no s.",
        at=Place.CLAUSE,
        unless=r"\b(?:and|but) $",
    ),
    rule(
        r"(?P<who>he|she|it) (?P<verb>are|aren't)",
        lambda found: found["who"] + {"are": " is", "aren't": " isn't"}[group(found, "verb")],
        "After he, she and it: is.",
        at=Place.SENTENCE,
    ),
    rule(
        r"(?P<who>he|she) were",
        r"\g<who> was",
        "After he and she: was.",
        at=Place.SENTENCE,
    ),
    rule(r"(?P<who>I) are", r"\g<who> am", "I am, you are, he is.", at=Place.SENTENCE),
    rule(r"(?P<who>we|they) has", r"\g<who> have", "After I, you, we and they: have."),
    rule(
        r"(?P<who>I|you) has",
        r"\g<who> have",
        "After I, you, we and they: have.",
        at=Place.CLAUSE,
        unless=r"\b(?:and|but) $",
    ),
    rule(
        r"(?P<who>I) is",
        r"\g<who> am",
        "I am, you are, he is.",
        at=Place.CLAUSE,
        unless=r"\band $",
    ),
    rule(
        rf"(?P<who>(?:many |most |some |the )?(?:people|children|men|women)) (?P<verb>is|was)"
        rf"(?= {_FEELINGS}\b)",
        _were,
        "People and children are many: the verb is in the plural.",
        at=Place.CLAUSE,
        unless=r"\b(?:think|while|if) $",
    ),
    rule(
        rf"(?P<who>(?:(?:many|most|some|all) )?people|{OWN} (?:parents|children|friends|brothers"
        rf"|sisters|colleagues|classmates|students|kids)) (?P<verb>(?!is|was){_THIRDS})",
        _many,
        "More than one person: the verb takes no s.",
        at=Place.CLAUSE,
        unless=r"\band $",
    ),
    rule(
        rf"(?P<who>{OWN} (?:parents|children|friends|brothers|sisters|colleagues|classmates"
        r"|students|kids)) (?P<verb>is|was)",
        _were,
        "More than one person: are and were.",
        at=Place.CLAUSE,
        unless=r"\band $",
    ),
    rule(
        rf"there is (?P<what>many(?! an?\b)|several|(?:a lot of|some|lots of|{NUMBER}) "
        rf"{any_of(*MANY_THINGS)})(?! (?:high|long|wide|tall|deep|old|away)\b)",
        r"there are \g<what>",
        "There are, before more than one.",
    ),
    rule(
        rf"there was (?P<what>many(?! an?\b)|several|(?:a lot of|some|lots of|{NUMBER}) "
        rf"{any_of(*MANY_THINGS)})",
        r"there were \g<what>",
        "There were, before more than one.",
    ),
    rule(
        rf"there is (?P<what>{any_of(*MANY_THINGS)}){ENDS}",
        r"there are \g<what>",
        "There are, before more than one.",
        at=Place.CLAUSE,
    ),
    rule(
        rf"there are (?P<what>an? (?:(?:big|small|new|good|serious|little) )?{any_of(*COUNTED)})"
        rf"{ENDS}",
        r"there is \g<what>",
        "There is, before one.",
    ),
    rule(
        r"there ha(?:ve|s) (?P<what>many|some|several|a lot of|lots of|no)",
        r"there are \g<what>",
        "What is somewhere: there is, there are.",
        at=Place.SENTENCE,
    ),
)
