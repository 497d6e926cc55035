"""What is said to the interviewer, or of the interview, and is no wish that was understood.

"Your voice is very low" answers no question about indexes. What speaks to the other, or of the
question, in hardly any words but those of such talk, is asked about rather than scored. What stands
in the question itself is no such word, nor is anything where one is asked what one says to others.
"""

from __future__ import annotations

import re

from services.interview.endpointing.moment import Asked
from services.interview.interviewer.words import content_words, stem
from services.interview.understanding import expected
from services.interview.understanding.wording import Utterance, read

MOST_WORDS, MOST_HANZI = 14, 20
"""Who says more than that says something."""
MOST_OTHERS, MOST_OTHER_HANZI = 1, 2
"""So many words may be none of talk."""

_SPOKEN_TO = re.compile(
    r"\b(?:(?:can|could|would|will|do|did|are|were|have|may|should) you|you (?:are|were) (?:too|so"
    r"|very|not|going|speaking|talking|breaking|cutting|asking)|you (?:just )?(?:said|asked|mean"
    r"|meant|speak|talk|sound|froze|ask me)|(?:hear|understand|follow|get|lost|tell|ask) you"
    r"|your (?:question|voice|sound|audio|connection|microphone|mic|line|accent|english|point))\b"
    r"|(?:您|你)(?!们)"
)
_SPOKEN_OF = re.compile(
    r"\b(?:the|this|that|your|another|next|last|first|a|one|of) (?:\w+ )?"
    r"(?:question|interview)\b"
    r"|题目|(?<![问标主课话])题|面试|(?:这|那|刚才|您|你)(?:个|的)?问题"
)
_OF_OTHERS = re.compile(r"\b(?:he|she|they|him|her|them|his|their)\b|他|她")
_TALK = """
    question questions interview interviewer answer answers answering repeat repeating rephrase
    say saying said speak speaking talk talking ask asking asked tell hear hearing heard listen
    understand understanding understood follow following mean meant meaning catch slow slower
    slowly fast faster quick quickly quiet quieter loud louder low voice sound audio microphone mic
    connection line volume english word words please sorry excuse pardon thanks thank hello hey hi
    okay ok yes no wait moment second minute skip next another different change stop end finish
    quit continue help give need want try start begin back time think sure maybe bit little lot
    much hard difficult easy easier simple simpler clear unclear sense understandable audible well
    good bad great wrong right sir madam let lets guess part last first idea
    """
_STEMS = frozenset(map(stem, _TALK.split()))
_TALK_ZH = re.compile(
    r"能不能|可不可以|可以|能|请|麻烦|说|讲|问|听|看|懂|明白|清楚|理解|慢|快|大|小|低|声音?|点|些|一下|再"
    r"|重复|刚才|刚刚|什么|啥|意思|怎么|吗|呢|啊|吧|呀|嘛|哦|了|的|得|是|不|没有?|有|我|您|你|太|很|有点|这|那"
    r"|个|道|题目?|问题|面试官?|老师|换|跳过|等|停|结束|继续|好|行|对|想|要|知道|会|回答|答|就|还|先|也|都|把"
    r"|到|见|跟|给|让|一|遍|次|来着|喂|嗯|呃|抱歉|不好意思|对不起|谢谢|帮|别|具体|简单|难|例子|哪|边"
)


def addresses(text: str, asked: Asked, about: str) -> bool:
    """Whether an utterance is said to the interviewer and holds hardly any of an answer.

    Args:
        text: What was said or typed.
        asked: The question.
        about: The question, and what else belongs to it.
    """
    if len(text) > 8 * MOST_WORDS:
        return False
    utterance = read(text)
    said = " ".join(utterance.clauses)
    question = asked.text.lower()
    if not 0 < len(utterance.words) <= (MOST_HANZI if utterance.chinese else MOST_WORDS):
        return False
    of = _SPOKEN_OF.search(said)
    spoken = _SPOKEN_TO.search(said) or (of and of[0].split()[-1] not in question)
    if not spoken or _OF_OTHERS.search(said) or expected.quotes(asked):
        return False
    return _empty_zh(said, about) if utterance.chinese else _empty(utterance, about)


def _empty(utterance: Utterance, about: str) -> bool:
    others = {word for word in content_words(" ".join(utterance.words)) if word not in _STEMS}
    return len(others) <= MOST_OTHERS and not others & content_words(about)


def _empty_zh(said: str, about: str) -> bool:
    others = _TALK_ZH.sub("", said).replace(" ", "")
    return len(others) <= MOST_OTHER_HANZI and not (others and others in about)
