"""What a verb or an adjective takes: "enjoy going", "want to go", "let me go"."""

from __future__ import annotations

import re

from services.interview.practice import verbs
from services.interview.practice.rules.rule import (
    END,
    KIN,
    OWN,
    PRONOUN,
    Place,
    any_of,
    group,
    rule,
)

_BASE = f"(?P<base>{any_of(*verbs.BASES)})"
_WITH_MORE = (
    r"go(?= (?:to|there|home|back|out|on|abroad|with|for|shopping)\b)|live(?= (?:in|with|here|there"
    r"|alone|abroad)\b)|(?:make|read|leave|open|clean)(?= (?:an?|the|my|your|his|her|our|their|it"
    r"|this|that|some|new|more|books?|money|friends|mistakes)\b)"
)
"""Verbs that are other words as well ("interested in live music"): with what goes with the verb."""
_DOUBTFUL = {"go", "live", "make", "read", "leave", "open", "clean"}
_PURE = f"(?P<base>{any_of(*set(verbs.PURE) - _DOUBTFUL, 'cook', 'sing', 'swim')}|{_WITH_MORE})"
_ALSO_THINGS = {"change", "work", "travel", "help", "love", "play", "talk", "study", "practice"}
_HABIT = f"(?P<base>{any_of(*set(verbs.BASES) - _ALSO_THINGS - _DOUBTFUL)}|{_WITH_MORE})"
_ACT = any_of("go", "eat", "learn", "become", "speak", "write", "see", "do", "get", "have", "say")
_SOMEBODY = "(?P<whom>me|him|us|them|her|you)"
_SUBJECT = {"me": "I", "him": "he", "us": "we", "them": "they", "her": "she", "you": "you"}
_OBJECT = {"i": "me", "he": "him", "we": "us", "they": "them", "she": "her", "you": "you"}
_ALSO = r"(?: (?:really|also|always|often|usually|never))?"
_ING = "After this comes the form with -ing."


def _gerund(found: re.Match[str]) -> str:
    return f"{found['lead']} {verbs.gerund(group(found, 'base'))}"


def _want(found: re.Match[str]) -> str:
    told = f"{found['lead']} {_OBJECT[group(found, 'who')]} to"
    if not (after := group(found, "verb").strip()):
        return told
    base = verbs.BASE_OF_THIRD.get(after, after)
    return f"{told} {base}"


def _suggest(found: re.Match[str]) -> str:
    return f"{found['lead']} that {_SUBJECT[group(found, 'whom')]} {found['base']}"


def _hope(found: re.Match[str]) -> str:
    return f"{found['who']} hope {found['who']} {found['can']}"


COMPLEMENTS = (
    rule(
        rf"(?P<lead>enjoy|enjoys|enjoyed|enjoying) to {_BASE}",
        _gerund,
        _ING,
        unless=r"\bto $",
    ),
    rule(
        rf"(?P<lead>(?:{PRONOUN}|{OWN} {KIN}|people){_ALSO} (?:avoid|avoids|avoided|finish|finishes"
        rf"|finished|suggest|suggested|recommend|recommended|consider|considered|give up|gave up))"
        rf" to {_BASE}",
        _gerund,
        _ING,
        at=Place.CLAUSE,
    ),
    rule(
        rf"(?P<lead>look(?:s|ed|ing)? forward to|interested in|good at|bad at|instead of|without"
        rf"|thank you for|thanks for) {_PURE}",
        _gerund,
        _ING,
    ),
    rule(
        r"(?P<lead>thank you for|thanks for|thank you so much for) (?P<base>help)(?= (?:me|us"
        r"|him)\b)",
        _gerund,
        _ING,
    ),
    rule(rf"(?P<lead>before|after) (?P<base>{_ACT})", _gerund, _ING, at=Place.SENTENCE),
    rule(
        r"for to (?P<base>learn|see|make|study|improve|find|get|visit|meet|work)",
        r"to \g<base>",
        "What it is for: to learn, or for learning.",
        unless=r"\b(?:look\w*|wait\w*|ask\w*|pa(?:y|id)|hop\w+|car(?:e|ed)) $",
    ),
    rule(
        r"for (?P<base>learn|improve|become|speak|understand)(?= \w)",
        r"to \g<base>",
        "What it is for: to learn, or for learning.",
    ),
    rule(
        rf"(?P<lead>I(?: am|'m| got)|we(?: are|'re| got)) used to {_HABIT}",
        lambda found: f"{found['lead']} used to {verbs.gerund(group(found, 'base'))}",
        "To be used to something: the form with -ing.",
        at=Place.CLAUSE,
    ),
    rule(
        r"(?P<lead>spen[dt](?:ing|s)? (?:a lot of|much|too much|so much|some|more|most of|my|all)"
        r"(?: (?:my|the|free|spare))* time) to (?P<base>play|watch|study|read|talk|chat|listen"
        r"|cook)",
        _gerund,
        "To spend time doing something.",
    ),
    rule(
        r"(?P<lead>ha(?:ve|s|d)(?: some| a lot of| great| much| no)? (?:difficulty|trouble)) to "
        r"(?P<base>understand|speak|find|learn|sleep|read|write|remember|hear|follow)",
        _gerund,
        "To have difficulty doing something.",
    ),
    rule(
        rf"(?P<lead>(?:I(?: am|'m| was)|we(?: are|'re| were)) thinking) to {_BASE}",
        lambda found: f"{found['lead']} of {verbs.gerund(group(found, 'base'))}",
        "To think of doing something.",
    ),
    rule(
        rf"(?P<lead>(?:{PRONOUN}|{OWN} {KIN}){_ALSO} (?:want|wants|wanted|decide|decided|hope|hoped"
        r"|plan|planned|would like)) (?P<base>go|eat|learn|buy|become|be|find|get|speak|meet"
        r"|improve"
        r"|have|take|know|do|tell|give|make|see)",
        r"\g<lead> to \g<base>",
        "After this verb comes to.",
        at=Place.CLAUSE,
        unless=r"\b(?:think|if|when) $",
    ),
    rule(
        r"(?P<lead>(?:I|we|they|you|he|she) needs?) (?P<base>buy|go|get|find|learn|eat|see|speak"
        r"|meet|improve|practise|practice)(?! (?:no|only|not)\b)",
        r"\g<lead> to \g<base>",
        "After this verb comes to.",
        at=Place.CLAUSE,
        unless=r"\b(?:think|if|when) $",
    ),
    rule(
        r"(?P<who>I|we) hope (?P<can>can|could)",
        _hope,
        "Say who: I hope I can.",
        at=Place.CLAUSE,
    ),
    rule(
        rf"(?P<lead>(?:{PRONOUN}|{OWN} (?:{KIN}|parents)) (?:want|wants|wanted)) that "
        r"(?P<who>I|you|they|we|he|she)(?P<verb>(?: [a-z]+)?)",
        _want,
        "To want somebody to do something.",
        at=Place.CLAUSE,
    ),
    rule(
        rf"(?P<lead>(?:made|make|makes) (?:me|him|us)) to {_BASE}",
        r"\g<lead> \g<base>",
        "To make somebody do something, without to.",
        unless=r"\bgod $",
    ),
    rule(
        rf"(?P<lead>(?:let|lets) {_SOMEBODY}) to {_BASE}",
        r"\g<lead> \g<base>",
        "To let somebody do something, without to.",
    ),
    rule(
        rf"(?P<lead>suggest|suggests|suggested) {_SOMEBODY} to {_BASE}",
        _suggest,
        "To suggest that somebody does something.",
    ),
    rule(
        r"(?P<lead>explain|explained|explains) (?P<whom>me|him|us|you) "
        rf"(?P<what>(?:the|an?|this|that|my|your|his|everything|it)(?: \w+)?){END}",
        r"\g<lead> \g<what> to \g<whom>",
        "To explain something to somebody.",
    ),
    rule(
        r"(?P<lead>explain|explained|explains) (?P<whom>me|him|us|you)(?= (?:the|an?|how|what|why"
        r"|this|that|my|your|his|everything|it|where|when|some)\b)",
        r"\g<lead> to \g<whom>",
        "To explain something to somebody.",
    ),
    rule(
        r"(?P<lead>say|said|says) (?P<whom>me|him|us|them)(?= (?:that|hello|about|what|how|he|she"
        r"|it"
        r"|they)\b)",
        lambda found: (
            f"{ {'say': 'tell', 'said': 'told', 'says': 'tells'}[group(found, 'lead')] }"
            f" {found['whom']}"
        ),
        "To tell somebody something; to say something.",
        unless=r"\bwho\b|\?",
    ),
    rule(
        rf"(?P<lead>(?:{PRONOUN}|{OWN} {KIN}|{OWN} parents) (?:told|tells|tell)) to "
        r"(?P<whom>me|him|her|us|them)",
        r"\g<lead> \g<whom>",
        "To tell somebody something.",
        at=Place.CLAUSE,
    ),
    rule(
        r"(?P<lead>listen|listens|listened|listening) (?P<what>music|songs|podcasts|the radio)",
        r"\g<lead> to \g<what>",
        "To listen to something.",
    ),
    rule(
        r"(?P<lead>wait|waits|waited|waiting) (?P<whom>me|him|them|us)(?! (?:out|too)\b)",
        r"\g<lead> for \g<whom>",
        "To wait for somebody.",
    ),
    rule(
        r"borrow me (?P<what>your|an?|some|the|his|her)",
        r"lend me \g<what>",
        "To borrow from somebody; to lend to somebody.",
    ),
)
