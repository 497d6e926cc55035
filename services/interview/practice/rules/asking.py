"""Questions, and questions inside a sentence: "I don't know where he is"."""

from __future__ import annotations

import re

from services.interview.practice import verbs
from services.interview.practice.rules.rule import END, OWN, Place, any_of, group, rule

_UNSURE = (
    r"(?P<lead>(?:don't know|do not know|do you know|didn't know|doesn't know|tell me|told me"
    r"|ask(?:ed)?"
    r" (?:me|him|her|us)|wonder|not sure|no idea|show me|don't remember|don't understand)"
)
_BASE = f"(?P<base>{any_of(*verbs.BASES)})"


def _stated(found: re.Match[str]) -> str:
    """With the subject before its verb."""
    match group(found, "do"):
        case "does":
            verb = verbs.third_person(group(found, "base"))
        case "did":
            verb = verbs.past(group(found, "base"))
        case _:
            verb = group(found, "base")
    return f"{found['lead']} {found['who']} {verb}"


ASKING = (
    rule(
        rf"{_UNSURE} (?:where|when|why|how)) (?P<be>is|are|was|were) "
        rf"(?P<who>(?:the|this|that|{OWN}) [\w-]+|he|she|they|it){END}",
        r"\g<lead> \g<who> \g<be>",
        "Inside a sentence the subject stands before the verb.",
    ),
    rule(
        rf"{_UNSURE} what) (?P<be>is|are|was|were) (?P<who>(?:{OWN}|the) (?:name|job|address|number"
        rf"|age|phone number|email|price|plan|plans)){END}",
        r"\g<lead> \g<who> \g<be>",
        "Inside a sentence the subject stands before the verb.",
    ),
    rule(
        rf"{_UNSURE} (?:where|when|why|how|what)) (?P<do>do|does|did) (?P<who>I|you|we|they|he"
        rf"|she|it)"
        rf" {_BASE}",
        _stated,
        "Inside a sentence the subject stands before the verb.",
    ),
    rule(
        r"(?P<lead>why) (?P<who>you|we|they|he|she|I) (?P<no>don't|didn't|doesn't|can't)"
        r"(?=[^.?!]{0,80}\?)",
        r"\g<lead> \g<no> \g<who>",
        "In a question the subject comes after don't.",
        at=Place.SENTENCE,
    ),
    rule(
        r"(?P<lead>where|what) (?P<who>you|we|they) (?P<base>live|work|go|come|study|want|buy|eat"
        r"|stay"
        r"|do|think|like)(?P<rest>(?: from| to)?)(?=\?)",
        r"\g<lead> do \g<who> \g<base>\g<rest>",
        "A question is asked with do.",
        at=Place.SENTENCE,
    ),
    rule(
        r"what means (?P<who>(?:this|that)(?: (?:word|sentence|phrase|sign|expression))?)(?=\?)",
        r"what does \g<who> mean",
        "A question is asked with do.",
        at=Place.SENTENCE,
    ),
    rule(
        r"how to (?P<base>say|call|spell|pronounce|translate)(?=[^.?!]{0,80}\?)",
        r"how do you \g<base>",
        "A question is asked with do: how do you say it?",
        at=Place.SENTENCE,
    ),
)
