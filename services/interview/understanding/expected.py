"""What the question makes of a short utterance: "Two minutes." answers "How long did it take?"."""

from __future__ import annotations

import re

from services.interview.endpointing.expectation import Kind, kind
from services.interview.endpointing.moment import Asked
from services.interview.understanding.wording import Utterance

_AMOUNT = (
    r"(?:(?:a|one|1|another|half a|a little|some|a bit of|a few|a couple of|two|2|a short"
    r"|about a) )?"
    r"(?:more |longer )?(?:seconds?|secs?|minutes?|mins?|time|while|bit)(?: longer)?"
    r"|(?:a )?(?:few|couple of|little) (?:more )?(?:moments|time)|a moment|(?:a )?(?:bit )?longer"
)
_BARE = re.compile(
    rf"(?:{_AMOUNT}|pass|wait|pause|again|once more|one more time|next|stop|quit|exit|end|finish"
    r"|here|almost|过|暂停|等|重复|停|在|退出"
    r"|(?:大概|约)?(?: ?\d{1,2} ?|[一两几])(?:分钟|秒钟?|会儿))"
)
"""Words that are a wish by themselves, and a fact where one is asked for."""
_HERE = re.compile(
    r"i am (?:right )?here|(?:i (?:can )?)?(?:still )?hear you(?: (?:well|fine|clearly))?"
    r"|here|我?(?:(?:还|仍然?)?在的?|能?听得?(?:到|见))|(?:i am )?still (?:here|there)"
)
_HESITATION = re.compile(
    r"\b(?:u+h+|u+m+|e+r+m?|h+m+|m+|a+h+|o+h+|w+o+w+|ooh+|(?:ha)+h?|(?:he)+h?|heh|huh)\b"
    r"|[嗯哦噢喔呃额啊哎唔嘿哈呵 ]"
)
_CHOICE = re.compile(r"\bor\b|还是")


_ADDRESSED = re.compile(
    r"\b(?:question|interview|you|sorry|pardon|excuse me)\b|问题|题|面试|[您你]|不好意思|抱歉"
)
"""Who says this speaks to the interviewer, not of what was asked about."""
_THINKS = re.compile(
    r".*\b(?:let me|(?:give|allow) me|i (?:need|have|want) to think|thinking)\b.*"
    r"|.*(?:想想|想一|给我).*"
)
_PERCEPTION = (
    r"(?:get|got|understand|understood|follow|hear|catch|miss|missed|confused)|听|懂|明白|理解|清楚"
)
_PERCEIVED = re.compile(_PERCEPTION)
_STATEMENT = re.compile(
    r"(?:(?:no|yes|yeah|well) )*(?:"
    r"(?:i )?(?:did|could|was|am|do) (?:not )?.*\b(?:it|them|confused)\b.*|i missed it"
    r"|i (?:did|do) not"
    r"|(?:yes )?(?:again|once more)(?: yes)?"
    r"|(?:i am )?(?:still |almost |not )+(?:quite |really )?"
    r"(?:on it|working on .*|done|finished|ready)"
    r"(?: yet)?|(?:no )?(?:that is (?:all|enough|it)) for (?:today|now))"
    r"|我?(?:还|仍然?)?(?:没|不|还在).*|(?:已经)?(?:结束|停|过|终止|暂停)了"
)
"""A statement of how something is or was; no request."""
_ENDED = re.compile(
    r"(?:已经|就|就这样|我们|都)?(?:结束|停|停止|终止|中止|暂停|跳过|过|不继续|不想继续|不想做|走)了"
    r"|(?:we|they|it|i)(?: \w+){0,3}"
    r"|i do not want to (?:continue|go on|carry on|do (?:this|it)).*"
    r"|i (?:have|need) to (?:go|leave|stop).*"
    r"|i want(?:ed)? (?:to (?:move on|stop|leave|go)|.*(?:else|different|new)).*"
    r"|我?(?:不想(?:做|干|继续)了?|(?:得|要|该)走了?|想停一下)"
)
_THING = re.compile(
    r"(?:the |a |an |some |to )*(?:(?:next|different|other|another|new) (?:one|topic)|another one"
    r"|something else|(?:little )?more time.*|time|break|moments?|example|repeat(?: it)?"
    r"|i need (?:more|some) (?:more )?time)"
    r"|(?:换一?个(?:方式|说法)?|多?一?点时间|下一个|别的(?:问题)?|重复(?:一遍|一次)?|停止|再说一遍|跳过)"
)
_STEP_ZH = re.compile(
    r"(?:我们?|就|会|先){0,4}(?:跳过(?:它|去)?|重复(?:一遍|一次)?|再等(?:一下|等|一会儿?)|等一等|等一会儿?|停止|换一个|停|停下来|过|不继续|再来一次|退出|聊点别的|慢一?点(?:说)?|大声一?点|组织语言)了?"
)
_STEP = re.compile(
    r"(?:(?:i|we)(?: would| will)? )?(?:(?:just|then|simply|first|maybe) ){0,2}"
    r"(?:pause|stop|wait|move on|moving on|skip (?:it|this|that)|pass|try again|again|ask again"
    r"|start (?:again|over)|repeat(?: it)?|come back to (?:it|that) later|something else|quit|exit"
    r"|take a (?:short )?break|end it|next|finish|slow down(?: a (?:bit|little))?|speak up|slower"
    r"|louder)"
)
_WISH = re.compile(r"i (?:want|would like|need|wish|hope) to (?!skip\b).*")
_SAYING = re.compile(
    r"\bwhat (?:else )?(?:do|does|did|would|will|should|could|have|has|had)\b.*\b"
    r"(?:say|said|tell|told|reply|answer|respond|write)\b(?! (?:is|was|are|were)\b)"
    r"|(?:说|讲|问|告诉|回答|回复|写)了?(?:些)?什么"
    r"|怎么(?:说|回答|回复|讲|问|答)"
)
_NEEDING = re.compile(
    r"\b(?:what|which)\b.*\b"
    r"(?:need|want|ask for|miss|prefer|like|choose|accept|take|request|lack)\b"
    r"|(?:需要|要求|想要|缺|希望|喜欢|想)的?(?:是)?(?:什么|哪)"
)
_HAPPENING = re.compile(
    r"\b(?:how|when) (?:did|does|do)\b.*\b(?:end|finish|go|turn out)\b"
    r"|\bwhat (?:was|were) the (?:outcome|result)|\bwhat happened\b"
    r"|\bwhy (?:did|do|have|are|were)\b|怎么样|后来|结果|为什么|怎么了"
)
_DOING = re.compile(
    r"\bwhat (?:do|would|will|should|did|can|could|must) (?:you|we|one|they)\b.*\bdo\b"
    r"|\bwhat (?:do|would|should) you do\b|\bwhat happens\b"
    r"|\bhow (?:do|would|did|should|can|will) (?:you|we|one) (?:react|respond|deal|handle|cope"
    r"|proceed|go about|help|calm|manage|finish|end)\b"
)
_WANTING = re.compile(r"\bwhat (?:do|would|did) you (?:most )?(?:want|like|wish|need|hope) to\b")
_DOING_ZH = re.compile(r"怎么(?:办|处理|应对|解决|做)|如何(?:处理|应对|解决)")
_CASES = (
    (_NEEDING, _THING),
    (_HAPPENING, _ENDED),
    (_DOING_ZH, _STEP_ZH),
    (_DOING, _STEP),
    (_WANTING, _WISH),
)
"""Questions, and the short answers to them that elsewhere are wishes."""


def _answers_in_kind(said: str, asked: Asked, expected: Kind) -> bool:
    """Whether what elsewhere is a wish is of the kind that this question asks for."""
    question = re.split(r"(?<=[.!。！])\s*", asked.text.lower().rstrip(".!。！ "))[-1]
    if _SAYING.search(question):
        # What was said to somebody else is quoted; thoughts are still the candidate's own.
        return not _THINKS.fullmatch(said) and not _ADDRESSED.search(_REQUESTED.sub("", said))
    if _ADDRESSED.search(said):
        return False
    if expected is Kind.CLOSED and _STATEMENT.fullmatch(said):
        perceived = _PERCEIVED.search(said)
        return (
            perceived is None
            or re.search(r"\b(?:it|them)\b|^(?:no|yes)\b", said) is not None
            or bool(set(_PERCEIVED.findall(question)) & set(_PERCEIVED.findall(said)))
        )
    return any(asks.search(question) and fits.fullmatch(said) for asks, fits in _CASES)


_REQUESTED = re.compile(
    r"\b(?:can|could|would|will) you\b|what do you mean"
    r"|[您你](?:是什么意思|能|可以|可不可以|再|先|稍)|(?:请|麻烦|能|可以|可不可以|能不能)[您你]"
)
"""Whoever is quoted asks for something in the same words."""


def quotes(asked: Asked) -> bool:
    """Whether it asks what one says or does: then a request may be what is said to others."""
    question = asked.text.lower()
    return any(pattern.search(question) for pattern in (_SAYING, _DOING, _DOING_ZH))


def answers(utterance: Utterance, asked: Asked | None) -> bool:
    """Whether what elsewhere is a wish, or next to nothing, answers the question."""
    if asked is None or not utterance.words:
        return False
    said = " ".join(utterance.clauses)
    expected = kind(asked)
    if expected in {Kind.FACT, Kind.CLOSED} and _BARE.fullmatch(said):
        return True
    if expected is Kind.CLOSED and _HERE.fullmatch(said):
        return True
    if _answers_in_kind(said, asked, expected):
        return True
    return _chosen(utterance, asked) or (expected is Kind.FACT and said in {"it", "a", "i"})


def assents(utterance: Utterance, asked: Asked | None) -> bool:
    """Whether a sign of listening says yes to the question; "um" does not."""
    if asked is None or kind(asked) is not Kind.CLOSED:
        return False
    return _HESITATION.sub("", " ".join(utterance.words) + " ").strip() != ""


def _chosen(utterance: Utterance, asked: Asked) -> bool:
    """Whether the question lets choose between things, and this names one of them."""
    question = re.split(r"(?<=[.!。！])\s*", asked.text.lower())[-1]
    if not _CHOICE.search(question):
        return False
    there = set(re.findall(r"[\w']+", question)) if not utterance.chinese else set(question)
    named = [word for word in utterance.words if word not in {"an", "the"}]
    return 0 < len(named) <= 2 and there.issuperset(named)
