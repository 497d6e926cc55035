"""Yes or no to an offer of the interviewer's: "Shall I end the interview?", "Shall we skip it?".

Judged by polarity. The first word that is no filler says yes or no, or the words name what is
offered or its contrary; whatever else is said must be short, and for a yes without content of its
own: "Yes, we used Redis" is no consent. Who contradicts themselves has said neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.interview.understanding.wording import Utterance, read

MOST_WORDS = 9
MOST_HANZI = 14
"""Who says more than that says something else."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered.

    Attributes:
        act: The words that name it.
        contrary: Those that name the other course.
        question: Whether a question may be answered instead. Then a "no" with content of its own
            answers that: "No, we used Postgres."
    """

    act: re.Pattern[str]
    contrary: re.Pattern[str]
    question: bool = False


def _named(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


END = Offer(
    act=_named(
        r"\b(?:end|stop|finish|quit|leave|wrap|enough|done)\b|结束|停|走了|到这|到此|就这样|再见"
    ),
    contrary=_named(
        r"\b(?:continue|go(?:ing)? on|carry(?:ing)? on|keep(?: on)? going|keep(?: on)? talking)\b"
        r"|继续|接着|还没完"
    ),
)
SKIP = Offer(
    act=_named(r"\b(?:skip|next|move on|another|different)\b|跳过|下一|换|进入|放下"),
    contrary=_named(r"\b(?:answer|try|stay|attempt|think)\b|回答|答|试|想想|想一|继续"),
    question=True,
)

_FILLERS = frozenset(
    [
        *("um", "uh", "er", "erm", "hmm", "hm", "ah", "oh", "well", "so", "sorry", "actually"),
        *("and", "hey", "please", "thanks", "i", "am", "think", "guess", "honestly"),
    ]
)
_YES = re.compile(
    r"(?:yes|yeah|yep|yup|ya|sure|of course|absolutely|definitely|certainly|totally|exactly"
    r"|correct|right|true|indeed|affirmative|agreed|alright|all right|fine|okay|ok|please do"
    r"|go ahead|do it|do that|i do|i would|i am|it is|that is (?:right|correct|true|fine|it|enough)"
    r"|i am afraid so|why not|mhm|mm+hm+|uhhuh|please)\b"
)
_NO = re.compile(r"(?:no|nope|nah|not|never|do not|i do not|i would not|negative|let us not)\b")
_UNSURE = re.compile(
    r"\b(?:not (?:really |so )?sure|not know|maybe|perhaps|depends|what|which|how|why|who|later)\b"
)
_NOT = re.compile(r"\b(?:not|never)\b")
_PLAIN_WORDS = """
    a again all am and are at be bit can could day did do done early end enough ending finish for
    go going had has have here i if in interview is it just leave let like may me more my need now
    of off okay ok out over please point quit really right session should so stop sure talk thank
    thanks that the then there things this time to today too up us want was we well will wish wrap
    would yes yeah yep you skip next one move on question another different correct fine very much
    exactly absolutely definitely true good great why not afraid think
"""
_PLAIN = frozenset(_PLAIN_WORDS.split())
"""Words with which a yes goes on and still says nothing else."""

_FILLERS_ZH = re.compile(
    r"^(?:那个|那么|那|呃|额|啊|哦|噢|喔|唔|不好意思|抱歉|对不起|其实|谢谢|算了|嗯(?=.))+"
)
_YES_ZH = re.compile(
    r"是|对(?!不)|好|行(?!不)|可以|嗯|要(?!不)|想|确定|确认|当然|同意|没错|没问题|我确定|我同意|麻烦"
)
_NO_ZH = re.compile(
    r"不(?!知道|确定|清楚|好意思|过|懂|明白)|没(?!错|问题|听|明白|懂)|别|还不|还没|先不|我不(?!知道|确定|清楚|懂|明白)"
)
_NOS_ZH = re.compile(r"不|没有?|别")
_UNSURE_ZH = re.compile(
    r"不确定|不知道|不清楚|也许|可能|随便|看情况|什么|哪|几|为什么|怎么|等会|一会|[你您]说"
)
_NOT_ZH = re.compile(r"不|没(?!错|问题|有)|别")
_PLAIN_ZH = re.compile(
    r"(?:是|对|好|行|可以|嗯|要|想|确定|确认|当然|同意|没错|没问题|的|我|我们|就|到|这里|这儿|此|为止"
    r"|结束|停止?|面试|本次|这次|今天|吧|了|啊|呀|呢|哦|嘛|谢谢|您|你|再见|先|那|这样|走|得|有事|麻烦"
    r"|跳过|下一|下|一|个|问题|题|换|道|进入|它|这|请|不想|不用|继续|再|吗|直接)*"
)


def consent(text: str, offer: Offer) -> bool | None:
    """Whether the words say yes to an offer; None if they say neither yes nor no."""
    utterance = read(text)
    length = len(utterance.words)
    if not length or length > (MOST_HANZI if utterance.chinese else MOST_WORDS):
        return None
    return (_chinese if utterance.chinese else _english)(utterance, text, offer)


def _english(utterance: Utterance, _text: str, offer: Offer) -> bool | None:
    words = " ".join(utterance.clauses).split()
    if _UNSURE.search(" ".join(words)):
        return None
    named = _named_in(utterance, offer, _NOT, 14)
    while len(words) > 1 and words[0] in _FILLERS and not _says(" ".join(words)):
        del words[0]
    said = " ".join(words)
    if (no := _NO.match(said)) is not None:
        if offer.question and named is None and not _PLAIN.issuperset(said[no.end() :].split()):
            return None
        return _refused(named=named, plain=no[0] in {"no", "nope", "nah"})
    yes = _YES.match(said)
    rest = said[yes.end() :].split() if yes is not None else words
    if _NO.match(" ".join(rest)):  # "Absolutely not", "okay, no"
        return False
    if named is False:
        return None if yes is not None and yes[0].startswith("y") else False
    consents = yes is not None or named is True
    return True if consents and _PLAIN.issuperset(rest) else None


def _says(said: str) -> bool:
    return bool(_YES.match(said) or _NO.match(said))


def _refused(*, named: bool | None, plain: bool) -> bool | None:
    """What "no" or "I don't" says; "No, end it" contradicts itself, "I don't go on" does not."""
    if named is not True:
        return False
    return None if plain else True


def _chinese(utterance: Utterance, text: str, offer: Offer) -> bool | None:
    said = "".join(utterance.clauses)
    if _UNSURE_ZH.search(said):
        return None
    named = _named_in(utterance, offer, _NOT_ZH, 4)
    rest = _FILLERS_ZH.sub("", said) or said
    if _NO_ZH.match(rest):
        if offer.question and named is None and not _PLAIN_ZH.fullmatch(_NOS_ZH.sub("", rest)):
            return None
        alone = _NO_ZH.match(utterance.clauses[0]) and len(utterance.clauses) > 1
        return _refused(named=named, plain=bool(alone))
    yes = _YES_ZH.match(rest)
    if named is False:
        return None if yes is not None and yes[0] in {"是", "对", "没错", "可以"} else False
    hesitates = set(said) <= {"嗯"} and text.rstrip().endswith(("…", "..."))
    if (yes is None and named is None) or hesitates:
        return None
    return True if _PLAIN_ZH.fullmatch(rest) else None


def _named_in(
    utterance: Utterance, offer: Offer, negation: re.Pattern[str], reach: int
) -> bool | None:
    """What the words say of what is offered, by name; None if nothing, or both.

    A negation reaches so many letters on in its clause.
    """
    verdicts: set[bool] = set()
    for clause in utterance.clauses:
        for pattern, means in ((offer.act, True), (offer.contrary, False)):
            for found in pattern.finditer(clause):
                denied = negation.search(clause[max(0, found.start() - reach) : found.start()])
                verdicts.add(means is not bool(denied))
    return verdicts.pop() if len(verdicts) == 1 else None
