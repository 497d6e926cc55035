"""What learners of English say, and how it is said: patterns of which each is one common mistake.

Only what is wrong wherever it stands is corrected; where a phrase may be right ("help my mother
cook"), its place in the sentence decides, and what stays open is left alone. The mistakes are those
that grammars for learners name (Swan, Practical English Usage, 4th edition; Parrott, Grammar for
English Language Teachers).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from services.interview.practice import verbs
from services.interview.practice.nouns import COUNTED, UNCOUNTED, plural

Mend = Callable[[re.Match[str]], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A mistake.

    Attributes:
        pattern: Finds it in a text in small letters.
        mend: How it is said; None where it is right after all.
        reason: Why, in a sentence.
    """

    pattern: re.Pattern[str]
    mend: Mend
    reason: str


def _any(*words: str) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


def _rule(pattern: str, mend: str | Mend, reason: str) -> Rule:
    compiled = re.compile(rf"(?<![\w'-]){pattern}(?![\w'-])")
    if isinstance(mend, str):
        template = mend
        return Rule(compiled, lambda found: found.expand(template), reason)
    return Rule(compiled, mend, reason)


_BASE = f"(?P<base>{_any(*verbs.BASES)})"
_SOME = f"(?P<base>{_any(*set(verbs.BASES) - {'come', 'run', 'become', 'read', 'put'})})"
_PAST = f"(?P<past>{_any(*set(verbs.IRREGULAR_PASTS) - {'was', 'fell', 'had', 'did'})})"
_NOUN = f"(?P<noun>{_any(*COUNTED)})"
_NUMBER = r"(?:two|three|four|five|six|seven|eight|nine|ten|several|\d+)"
_OPEN = r"(?:^|(?<=[.!?;,] )|(?<=\bbecause )|(?<=\bbut )|(?<=\bso )|(?<=\bwhen )|(?<=\bthink ))"
"""Where a clause begins, so that what follows is its subject."""
_NOUN_ENDS = (
    r"(?=$|[.!?;,]| (?:in|on|at|to|and|but|or|that|who|which|from|for|with|when|because|so|ago|is|"
    r"are|was|were|here|there|now|i|we|they|he|she|every)\b)"
)
"""What follows a noun that belongs to no further one: not "two day trip"."""
_AUXILIARY = frozenset(
    [
        *("do", "does", "did", "can", "could", "will", "would", "shall", "should", "may", "might"),
        *("must", "don't", "doesn't", "didn't", "can't", "won't", "and", "or", "that", "let"),
        *("make", "made", "help", "helped", "had", "have", "has", "why", "lest"),
    ]
)
"""Before a subject these leave the verb as it is: "does he go"."""
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_THEN = rf"(?:yesterday|last (?:night|week|month|year|weekend|summer|winter|{_DAYS}))"
_KIN = "mother|father|brother|sister|wife|husband|son|daughter|boss|teacher|grandmother|grandfather"
_DONE = (
    *("go", "come", "eat", "meet", "buy", "take", "visit", "watch", "play", "travel", "study"),
    *("stay", "make", "cook", "start", "finish", "move", "leave", "arrive", "call", "drive", "fly"),
)
"""Verbs of single events: with a time in the past they are in the past."""
_EVENT = f"(?P<base>{_any(*_DONE)})"


def _third(found: re.Match[str]) -> str | None:
    if (found["before"] or "").strip() in _AUXILIARY:
        return None
    return f"{found['who']} {verbs.third_person(found['base'])}"


def _unless_asked(better: str) -> Mend:
    def mend(found: re.Match[str]) -> str | None:
        return None if (found["before"] or "").strip() in _AUXILIARY else found.expand(better)

    return mend


def _gerund(found: re.Match[str]) -> str:
    return f"{found['lead']} {verbs.gerund(found['base'])}"


def _infinitive(found: re.Match[str]) -> str:
    return f"{found['lead']} {verbs.IRREGULAR_PASTS[found['past']]}"


def _plural(found: re.Match[str]) -> str:
    return f"{found['lead']} {plural(found['noun'])}"


def _in_the_past(found: re.Match[str]) -> str:
    return found[0].replace(found["base"], verbs.past(found["base"]), 1)


_ED = {
    "boring": "bored", "exciting": "excited", "tiring": "tired", "surprising": "surprised",
    "confusing": "confused", "disappointing": "disappointed", "interesting": "interested",
}  # fmt: skip
_SOUNDS_LIKE_A_CONSONANT = r"(?:uni|use|usu|euro|one|once|u-)"
_SMALL_WORDS = _any(
    *("and", "or", "is", "as", "in", "on", "at", "are", "i", "it", "if", "of", "also", "about"),
    *("after", "all", "are", "even", "every", "our", "under", "until", "over", "into", "am"),
)

_AGREEMENT = (
    _rule(rf"(?P<before>[\w']+ )?(?P<who>he|she) {_SOME}", _third,
          "After he, she and it the verb takes an s."),
    _rule(rf"{_OPEN}(?P<before>)(?P<who>(?:my|his|her|our|their) (?:{_KIN})) {_SOME}", _third,
          "After one person the verb takes an s."),
    _rule(rf"{_OPEN}(?P<before>)(?P<who>everyone|everybody|someone|somebody|nobody) {_SOME}",
          _third, "Everyone, somebody and nobody are one person: the verb takes an s."),
    _rule(r"(?P<before>[\w']+ )?(?P<who>he|she|it) don't", _unless_asked(r"\g<who> doesn't"),
          "After he, she and it: doesn't."),
    _rule(rf"{_OPEN}it have", "it has", "After he, she and it: has."),
    _rule(r"(?P<who>i|you|we|they) doesn't", r"\g<who> don't", "After I, you, we and they: don't."),
    _rule(r"(?P<who>we|they) (?:is|was)", lambda f: f"{f['who']} " + (
        "are" if f[0].endswith("is") else "were"), "After we and they: are and were."),
    _rule(r"(?P<who>i|we|they) has", r"\g<who> have", "After I, you, we and they: have."),
    _rule(r"i is", "I am", "I am, you are, he is."),
    _rule(rf"{_OPEN}(?P<who>(?:many |most |some |the )?(?:people|children|men|women)) "
          r"(?P<verb>is|was|has|doesn't)",
          lambda f: f"{f['who']} " + {"is": "are", "was": "were", "has": "have",
                                      "doesn't": "don't"}[f["verb"]],
          "People and children are many: the verb is in the plural."),
    _rule(rf"there (?:is|'s) (?P<what>many|several|a lot of people|some people|{_NUMBER} \w+s)",
          r"there are \g<what>", "There are, before more than one."),
    _rule(rf"there was (?P<what>many|several|a lot of people|some people|{_NUMBER} \w+s)",
          r"there were \g<what>", "There were, before more than one."),
)  # fmt: skip
_VERB_FORMS = (
    _rule(r"(?:(?P<who>i|we|they|you|he|she) (?:am|is|are|was|were)|(?P<short>i)'m) agree",
          lambda f: f"{f['who'] or f['short']} " + (
              "agrees" if f["who"] in {"he", "she"} else "agree"),
          "Agree is a verb by itself, without am, is or are."),
    _rule(r"(?P<lead>can|could|must|should|may|might|(?:i|we|they|you|he|she) (?:will|would)) to "
          rf"{_BASE}", r"\g<lead> \g<base>", "After can, must and should there is no to."),
    _rule(r"can able to", "am able to", "Either can or am able to, not both."),
    _rule(rf"(?P<lead>did|didn't|did not|did (?:i|you|he|she|we|they)) {_PAST}", _infinitive,
          "After did the verb stays as in the dictionary."),
    _rule(r"(?P<lead>(?:i|we|they|you|he|she) (?:can|could|will|would|should|must)(?: not)?) "
          rf"(?!saw|left|found|felt|thought){_PAST}", _infinitive,
          "After can, will and should the verb stays as in the dictionary."),
    _rule(rf"{_OPEN}(?P<lead>(?:i|we|they|you) have|(?:he|she) has|(?:i|we|they|you)'ve)"
          r"(?P<also>(?: (?:never|already|just|also|always))?) "
          rf"(?P<past>{_any(*verbs.PARTICIPLES)})",
          lambda f: f"{f['lead']}{f['also']} {verbs.PARTICIPLES[f['past']]}",
          "After have comes the third form of the verb."),
    _rule(rf"{_THEN},? (?P<who>i|we|they|he|she) {_EVENT}", _in_the_past,
          "What is over is told in the past."),
    _rule(rf"(?:{_NUMBER}|a) (?:days?|weeks?|months?|years?) ago,? (?P<who>i|we|they|he|she) "
          rf"{_EVENT}", _in_the_past, "What is over is told in the past."),
    _rule(rf"(?P<who>{_OPEN}(?:i|we|they) ){_EVENT}(?: (?!that|who|which|i|we|he|she|they|you)"
          rf"[\w']+){{0,3}} {_THEN}", _in_the_past, "What is over is told in the past."),
    _rule(rf"(?P<lead>enjoy|enjoys|enjoyed|avoid|avoided|finish|finished|suggest|suggested|consider"
          rf"|give up|gave up) to {_BASE}", _gerund, "After this verb comes the form with -ing."),
    _rule(rf"(?P<lead>look(?:ing)? forward to|interested in|good at|bad at|thank you for) {_BASE}",
          _gerund, "After this comes the form with -ing."),
    _rule(rf"(?P<lead>i(?: am|'m| was| got) used to) {_BASE}", _gerund,
          "To be used to something: the form with -ing."),
    _rule(r"(?P<lead>spen[dt](?:ing|s)? (?:[\w']+ ){0,3}time) to "
          rf"{_BASE}", _gerund, "To spend time doing something."),
    _rule(r"(?P<lead>want|wants|wanted|decide|decided|hope|plan|would like) "
          r"(?P<base>go|eat|learn|buy|become|be|find|get|speak|meet|improve|have|take|know|do|tell"
          r"|give|make)", r"\g<lead> to \g<base>", "After this verb comes to."),
    _rule(r"(?P<lead>want|wants|wanted) that (?P<who>you|they|we|he|she)",
          lambda f: f"{f['lead']} " + {"they": "them", "we": "us", "he": "him", "she": "her"}.get(
              f["who"], f["who"]) + " to", "To want somebody to do something."),
    _rule(r"(?:(?P<who>i) am|(?P<short>i)'m) (?P<base>work|live|study|want|go|come|think|have|know"
          r"|play|cook|learn|speak|need)", r"I \g<base>",
          "Without am, or with the form with -ing: I work, I am working."),
    _rule(rf"(?P<who>i|we|they) no {_BASE}", r"\g<who> don't \g<base>", "The negative: I don't."),
    _rule(rf"(?P<who>he|she) no {_BASE}", r"\g<who> doesn't \g<base>",
          "The negative: he doesn't."),
    _rule(r"(?P<lead>(?:don't|didn't|doesn't|can't|couldn't|never) \w+) "
          r"(?P<none>nothing|nobody|nowhere)",
          lambda f: f"{f['lead']} any{f['none'].removeprefix('no')}",
          "One negative is enough: anything, anybody, anywhere."),
)  # fmt: skip
_NUMBERS = (
    _rule(rf"(?P<what>{_any(*UNCOUNTED)})s", r"\g<what>", "This cannot be counted: it has no s."),
    _rule(rf"an? (?P<what>(?:good |bad |useful |important )?(?:{_any(*UNCOUNTED)}))"
          r"(?! \w+(?:ing|er|or|company|shop|store|system|app|tool|agency|report|channel)\b)"
          + _NOUN_ENDS, r"some \g<what>", "This cannot be counted: some, or a piece of."),
    _rule(r"many (?P<what>money|information|advice|homework|traffic|furniture|knowledge|water|food"
          r"|work|fun|luggage)", r"a lot of \g<what>", "A lot of, where nothing is counted."),
    _rule(r"much (?P<what>people|friends|books|things|students|countries|problems|places|children"
          r"|colleagues|hobbies|words)", r"many \g<what>", "Many, where it can be counted."),
    _rule(rf"(?P<lead>{_NUMBER}|many|a few) {_NOUN}{_NOUN_ENDS}", _plural,
          "More than one: the plural."),
    _rule(rf"(?P<lead>one of (?:my|the|his|her|our|their)(?: \w+)?) {_NOUN}{_NOUN_ENDS}", _plural,
          "One of several: the plural."),
    _rule(rf"since (?P<span>(?:{_NUMBER}|a few|many|a) (?:hours?|days?|weeks?|months?|years?))"
          r"(?! ago)", r"for \g<span>", "For a length of time; since a point in time."),
    _rule(r"(?P<lead>(?:i am|i'm|he is|she is|he's|she's) [\w-]+ years)(?=$|[.!?;,]| and\b)",
          r"\g<lead> old", "Years old, of age."),
    _rule(r"i have (?P<age>[\w-]+) years old", r"I am \g<age> years old",
          "Age is with to be: I am twenty years old."),
)  # fmt: skip
_COMPARING = (
    _rule(r"more (?P<what>better|easier|cheaper|faster|bigger|smaller|happier|harder|stronger|older"
          r"|younger|higher|lower|worse|simpler|healthier|busier)", r"\g<what>",
          "The ending -er already says more."),
    _rule(r"most (?P<what>easiest|best|cheapest|fastest|biggest|smallest|happiest|hardest|strongest"
          r"|oldest|youngest|highest|worst)", r"\g<what>", "The ending -est already says most."),
    _rule(r"the most of", "most of", "Most of, without the."),
    _rule(r"(?P<who>i|we|they|you|he|she) very (?P<what>likes?|loves?|enjoys?|wants?|hates?|needs?"
          r"|miss(?:es)?)", r"\g<who> really \g<what>", "Very stands with adjectives, not verbs."),
    _rule(rf"(?P<lead>i am|i'm|i was|i feel|i felt)(?P<how>(?: very| so| really| too)?) "
          rf"(?P<what>{_any(*_ED)})",
          lambda f: f"{f['lead']}{f['how']} {_ED[f['what']]}",
          "What somebody feels ends in -ed, what causes it in -ing."),
)  # fmt: skip
_TELL = {"say": "tell", "said": "told", "says": "tells"}
_PREPOSITIONS = (
    _rule(r"(?P<lead>discuss|discussed|discussing) about", r"\g<lead>",
          "To discuss something, without about."),
    _rule(r"(?P<lead>explain|explained|explains) (?P<who>me|him|us|them)", r"\g<lead> to \g<who>",
          "To explain something to somebody."),
    _rule(r"(?P<lead>listen|listens|listened|listening) (?P<what>music|songs|podcasts|the radio)",
          r"\g<lead> to \g<what>", "To listen to something."),
    _rule(r"married with", "married to", "Married to somebody."),
    _rule(r"(?P<lead>depend|depends|depended) (?:of|from)", r"\g<lead> on",
          "To depend on something."),
    _rule(r"(?:interested (?:on|about|for)|interesting in)", "interested in",
          "Interested in something."),
    _rule(r"exciting about", "excited about", "Excited about something."),
    _rule(r"good in (?P<what>english|maths?|cooking|sports?|languages|singing|drawing)",
          r"good at \g<what>", "Good at something."),
    _rule(r"afraid from", "afraid of", "Afraid of something."),
    _rule(r"(?P<lead>arrive|arrives|arrived) to", r"\g<lead> at",
          "To arrive at a place, in a city."),
    _rule(r"(?P<lead>wait|waits|waited|waiting) (?P<who>me|him|them|us)", r"\g<lead> for \g<who>",
          "To wait for somebody."),
    _rule(r"(?P<lead>go|goes|went|going|come|came) to (?P<where>home|there|here|abroad|downtown)",
          r"\g<lead> \g<where>", "Home, there and abroad stand without to."),
    _rule(rf"(?:in|at) (?P<day>(?:{_DAYS})s?)", r"on \g<day>", "On a day."),
    _rule(r"at the (?P<when>morning|afternoon|evening)", r"in the \g<when>",
          "In the morning, in the evening."),
    _rule(r"(?:in|on|at) (?P<when>(?:next|last) (?:week|month|year|weekend))", r"\g<when>",
          "Next week and last year stand without in or on."),
    _rule(r"on (?P<year>(?:19|20)\d\d)", r"in \g<year>", "In a year."),
    _rule(r"in the weekends?", "at the weekend", "At or on the weekend."),
    _rule(r"in nowadays", "nowadays", "Nowadays stands without in."),
    _rule(r"(?P<lead>told|tell|tells) to (?P<who>me|him|her|us|them)", r"\g<lead> \g<who>",
          "To tell somebody something."),
    _rule(r"(?P<lead>say|said|says) (?P<who>me|him|us|them)(?! (?:and|or|too)\b)",
          lambda f: f"{_TELL[f['lead']]} {f['who']}",
          "To tell somebody something; to say something."),
)  # fmt: skip
_WORDS = (
    _rule(rf"a (?!(?:{_SMALL_WORDS})\b|{_SOUNDS_LIKE_A_CONSONANT})(?P<what>[aeiou][a-z]{{2,}})",
          r"an \g<what>", "An, before a vowel that is heard."),
    _rule(r"an (?!hour|honest|hono|heir)(?P<what>[bcdfghjklmnpqrstvwyz][a-z]{2,})", r"a \g<what>",
          "A, before a consonant."),
    _rule(r"(?P<lead>although|even though) (?P<what>[^.?!;]{4,80}?),? but (?P<who>i|he|she|we|they"
          r"|it|my)", r"\g<lead> \g<what>, \g<who>", "Either although or but, not both."),
    _rule(r"(?:^|(?<=[.!?] ))because (?P<what>[^.?!;]{4,80}?),? so (?P<who>i|he|she|we|they|it|my)",
          r"because \g<what>, \g<who>", "Either because or so, not both."),
    _rule(r"make (?P<what>a photo|photos|a picture of)", r"take \g<what>", "To take a photo."),
    _rule(r"(?P<lead>do|did|does) (?P<what>a mistake|mistakes)",
          lambda f: f"{ {'do': 'make', 'did': 'made', 'does': 'makes'}[f['lead']]} {f['what']}",
          "To make a mistake."),
    _rule(r"(?P<lead>make|made|makes) (?P<what>(?:my |the |some )?(?:homework|sports?|housework))",
          lambda f: f"{ {'make': 'do', 'made': 'did', 'makes': 'does'}[f['lead']]} {f['what']}",
          "To do homework, to do sport."),
    _rule(r"(?P<lead>open|close) the (?P<what>lights?|tv|television|computer|music)",
          lambda f: f"turn {'on' if f['lead'] == 'open' else 'off'} the {f['what']}",
          "To turn something on or off."),
    _rule(r"(?P<lead>learn|learned|learnt) (?P<what>(?:a lot of |some |new )?knowledge)",
          lambda f: f"{'gain' if f['lead'] == 'learn' else 'gained'} {f['what']}",
          "To gain knowledge, to learn something."),
    _rule(r"eat (?P<what>(?:some )?(?:medicine|pills?))", r"take \g<what>", "To take medicine."),
    _rule(r"according to me", "in my opinion", "In my opinion; according to somebody else."),
    _rule(r"in my point of view", "from my point of view", "From a point of view."),
    _rule(r"(?<!far )(?<!soon )(?<!long )(?<!much )as i know", "as far as I know",
          "As far as I know."),
    _rule(r"how to say(?=[,.?]|$| (?:it|that|this)\b)", "how do you say", "How do you say it?"),
)  # fmt: skip

RULES = (*_AGREEMENT, *_VERB_FORMS, *_NUMBERS, *_COMPARING, *_PREPOSITIONS, *_WORDS)
