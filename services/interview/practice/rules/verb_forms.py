"""The form of a verb after another: "can go", "didn't see", "have gone"."""

from __future__ import annotations

import re

from services.interview.practice import verbs
from services.interview.practice.rules.rule import KIN, OWN, PRONOUN, Place, any_of, group, rule

_BASE = f"(?P<base>{any_of(*verbs.BASES)})"
_MODAL = r"(?:can|could|will|would|should|must|may|might)"
_NOT_ALSO_BASES = set(verbs.BASE_OF_PAST) - {
    "found",
    "felt",
    "saw",
    "left",
    "fell",
    "thought",
    "used",
}
_PAST = f"(?P<past>{any_of(*_NOT_ALSO_BASES)})"
_THIRD = f"(?P<third>{any_of(*set(verbs.BASE_OF_THIRD) - {'needs'})})"
_BASE_OF_GERUND = {verbs.gerund(base): base for base in verbs.BASES}
_VERB_ONLY = any_of(
    *("likes", "wants", "knows", "goes", "has", "makes", "takes", "thinks", "understands", "eats"),
    *("gets", "gives", "comes", "says", "speaks", "sees", "needs", "lives"),
)
_OFTEN = " (?:never|already|just|also|always)"
_THIRDLESS = f"(?P<past>{any_of(*set(verbs.PARTICIPLES) - {'forgot'})})"
"""Pasts that are no third forms."""
_FELT = r"(?= (?:him|her|it|them|me|us|any|anything|my|that|what|a job|happy|home)\b)"
_DOER = rf"\b(?:{PRONOUN}|{OWN} {KIN}|who|that) $"
"""Before "did I" it makes it no question: "what I did I did for them"."""
_AFTER_MODAL = "After can, will and should the verb stays as in the dictionary."
_AFTER_DO = "After do and did the verb stays as in the dictionary."
_THIRD_FORM = "After have comes the third form of the verb."


def _from_past(found: re.Match[str]) -> str:
    return f"{found['lead']} {verbs.BASE_OF_PAST[group(found, 'past')]}"


def _from_third(found: re.Match[str]) -> str:
    return f"{found['lead']} {verbs.BASE_OF_THIRD[group(found, 'third')]}"


def _participle(found: re.Match[str]) -> str:
    return f"{found['lead']}{found['also']} {verbs.PARTICIPLES[group(found, 'past')]}"


def _of_base(found: re.Match[str]) -> str:
    return f"{found['lead']}{found['also']} {verbs.participle(group(found, 'base'))}"


def _agree(found: re.Match[str]) -> str:
    who, third = found["who"], group(found, "who") in {"he", "she"}
    before = group(found, "be") in {"was", "were"}
    if found["no"]:
        return f"{who} {'didn' if before else 'doesn' if third else 'don'}'t agree"
    return f"{who} {'agreed' if before else 'agrees' if third else 'agree'}"


def _without_be(found: re.Match[str]) -> str:
    base = group(found, "base")
    third = group(found, "who") in {"he", "she"}
    return f"{found['who']} {verbs.third_person(base) if third else base}"


VERB_FORMS = (
    rule(
        rf"(?P<who>{PRONOUN})(?: (?P<be>am|is|are|was|were)|'m|'re|'s)(?P<no> not)? agree",
        _agree,
        "Agree is a verb by itself, without am, is or are.",
    ),
    rule(
        rf"(?P<lead>(?:{PRONOUN}|people|students|children|everyone) {_MODAL}(?: not|n't)?) to "
        r"(?!(?:the|an?|some|any|my|your|his|her|its|our|their|this|that|which|whom|me|him|us|them|you"
        r"|it)\b)"
        r"(?P<base>[a-z]+)",
        r"\g<lead> \g<base>",
        "After can, must and should there is no to.",
        at=Place.CLAUSE,
        unless=r"\b(?:when|if|while) $",
    ),
    rule(r"can able to", "can", "Either can or am able to, not both."),
    rule(rf"(?P<lead>didn't|did not) {_PAST}", _from_past, _AFTER_DO),
    rule(
        rf"(?P<lead>did (?:you|he|she|we|they|I|{OWN} {KIN})) {_PAST}",
        _from_past,
        _AFTER_DO,
        unless=_DOER,
    ),
    rule(rf"(?P<lead>didn't|did not) (?P<past>saw|found|left|felt){_FELT}", _from_past, _AFTER_DO),
    rule(
        r"(?P<lead>did (?:you|he|she|we|they|I)) (?P<past>saw|found|left|felt)" + _FELT,
        _from_past,
        _AFTER_DO,
        unless=_DOER,
    ),
    rule(r"(?P<lead>did you) (?P<past>saw)(?= the\b)", _from_past, _AFTER_DO),
    rule(r"(?P<lead>didn't|did not) (?P<past>thought|fell)", _from_past, _AFTER_DO),
    rule(
        rf"(?P<lead>doesn't|does not|don't|do not|does (?:he|she|it"
        rf"|{OWN} {KIN}|any(?:one|body)|every(?:one|body)|some(?:one|body))) "
        rf"(?P<third>{_VERB_ONLY})",
        _from_third,
        _AFTER_DO,
        unless=r"\b(?:who|which|that|one|whatever|whoever|what|(?:any|some|every|no)thing) $",
    ),
    rule(
        rf"(?P<lead>{PRONOUN} (?:{_MODAL} not|can't|couldn't|won't|wouldn't|shouldn't|cannot)) "
        rf"(?:{_PAST}|{_THIRD})",
        lambda found: _from_past(found) if found["past"] else _from_third(found),
        _AFTER_MODAL,
    ),
    rule(
        rf"(?P<lead>{PRONOUN} {_MODAL}) (?:{_PAST}|{_THIRD})",
        lambda found: _from_past(found) if found["past"] else _from_third(found),
        _AFTER_MODAL,
        at=Place.CLAUSE,
        unless=r"\b(?:when|if|while) $",
    ),
    rule(
        rf"(?P<lead>{PRONOUN} {_MODAL}) (?P<ing>{any_of(*_BASE_OF_GERUND)})",
        lambda found: f"{found['lead']} {_BASE_OF_GERUND[group(found, 'ing')]}",
        _AFTER_MODAL,
        at=Place.CLAUSE,
        unless=r"\b(?:when|if|while) $",
    ),
    rule(
        rf"(?P<lead>(?:I|we|they|you) have|(?:he|she|it) has)(?P<also>) "
        rf"{_THIRDLESS}",
        _participle,
        _THIRD_FORM,
        at=Place.CLAUSE,
    ),
    rule(
        rf"(?P<lead>(?:I|we|they|you)'ve|haven't|hasn't|hadn't)(?P<also>(?:{_OFTEN})?)"
        rf" {_THIRDLESS}",
        _participle,
        _THIRD_FORM,
    ),
    rule(
        rf"(?P<lead>(?:I|we|they|you) have|(?:he|she|it) has)(?P<also>{_OFTEN}) {_THIRDLESS}",
        _participle,
        _THIRD_FORM,
        unless=r"\b(?:the|an?|my|our|your|his|her|their|this|that)(?: \w+){1,2} $",
    ),
    rule(
        r"(?P<lead>(?:I|we|they|you) have|(?:he|she) has)(?P<also>) (?P<base>go|eat|see|write"
        r"|speak)"
        r"(?= (?:to|the|my|a|an|in|at|with|this|that|there|it|him|her|them|english|chinese)\b)",
        _of_base,
        _THIRD_FORM,
        at=Place.CLAUSE,
    ),
    rule(
        r"(?P<who>I|you|we|they)(?: am| are|'m|'re) (?P<base>work(?= (?:in|at|for|as|with)\b)"
        r"|live(?= in (?:an?|the)\b(?! (?:minute|moment|second|few|hour)\b))"
        r"|study|want|go|come|think|know|play|learn|speak|need|have)",
        _without_be,
        "Without am and are, or with the form with -ing: I work, I am working.",
        at=Place.CLAUSE,
    ),
    rule(
        r"(?P<who>he|she) is (?P<base>work(?= (?:in|at|for|as|with)\b)|want|go|think|know|learn"
        r"|speak|need|have)",
        _without_be,
        "Without is, or with the form with -ing: he works, he is working.",
        at=Place.CLAUSE,
    ),
    rule(
        rf"(?P<who>I|we|they) no {_BASE}",
        r"\g<who> don't \g<base>",
        "The negative: I don't.",
        at=Place.CLAUSE,
    ),
    rule(
        rf"(?P<who>he|she) no {_BASE}",
        r"\g<who> doesn't \g<base>",
        "The negative: he doesn't.",
        at=Place.CLAUSE,
    ),
    rule(
        r"(?P<lead>(?:don't|didn't|doesn't) (?:know|have|see|want|need|hear|understand|buy|tell)"
        r"|(?:can't|couldn't) (?:see|hear|find|understand|remember)) "
        r"(?P<none>nothing|nobody|nowhere)",
        lambda found: f"{found['lead']} any{group(found, 'none').removeprefix('no')}",
        "One negative is enough: anything, anybody, anywhere.",
    ),
    rule(
        r"(?P<lead>(?:don't|didn't|doesn't|can't|couldn't) (?:have|want|need|speak|know|see)) no "
        r"(?P<what>(?!one\b|as\b|for\b)\w+)",
        r"\g<lead> any \g<what>",
        "One negative is enough: any.",
    ),
)
