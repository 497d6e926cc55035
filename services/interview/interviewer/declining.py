"""Answers that decline to answer."""

from __future__ import annotations

import re

from services.interview.interviewer.words import count

_CLAUSE_ENDS = re.compile(r"[.,;:!?…。，；：！？、]+|\s[-–—]\s")
_NOT_ME = r"i (?:really |honestly |just )?"
_ABOUT = (
    r"(?: (?:about |of |on |to |how to )?(?:answer )?(?:it|that|this|these|those|any|anything|one"
    r"|such a (?:case|situation|time)|(?:that|this|the) (?:question|one|answer|topic)"
    r"|the answer to (?:it|that|this)))"
)
_ENGLISH = (
    rf"{_NOT_ME}(?:do not|dont) (?:really |even |actually )?"
    rf"(?:know|remember|recall)(?:{_ABOUT}| what to say"
    rf"| (?!much\b|(?:the )?(?:details|names?)\b)(?:\w+ ){{0,2}}\w+)?"
    rf"|{_NOT_ME}dunno{_ABOUT}?|dunno{_ABOUT}?|idk|not a clue|(?:that |it )?beats me"
    rf"|{_NOT_ME}(?:have not|do not have) (?:a|any) (?:clue|idea)(?: about{_ABOUT})?"
    rf"|{_NOT_ME}(?:have )?(?:forgot|forgotten)(?: (?:it|that))?|(?:it|that) slipped my mind"
    rf"|{_NOT_ME}(?:do not|dont) have (?:an answer|one|any|an example)(?: (?:to|for|of){_ABOUT})?"
    rf"|{_NOT_ME}(?:can ?not) (?:really )?(?:think of|remember|recall|answer|say){_ABOUT}?"
    rf"|(?:i have |i have got )?no (?:idea|clue|comment|answer|experience)"
    rf"(?: (?:about|of|on|with|to|for){_ABOUT}| at all)?|nothing(?: comes to (?:my )?mind)?"
    rf"|(?:can we|could we|let us|i would like to|i want to) (?:please )?"
    rf"(?:skip|move on|go on)(?: (?:this|that|it|to)?(?: ?(?:the )?(?:next )?(?:question|one))?)?"
    rf"|(?:(?:i (?:will |would )?)?pass|(?:i (?:will|would) )?skip)(?: on)?(?:{_ABOUT})?"
    rf"|(?:the )?next (?:question|one)|{_NOT_ME}would rather not(?: (?:say|answer){_ABOUT}?)?"
    rf"|i am not (?:really )?sure(?: what to (?:say|answer)|{_ABOUT})?|not really|not that i know"
    rf"|(?:no )?(?:i )?(?:have )?never(?: (?:really )?(?:done|had|used|heard|tried|seen){_ABOUT}?)?"
    rf"|i (?:have not|did not) (?:really )?(?:ever )?(?:done|do|had|have|used|use|tried){_ABOUT}"
)
_CHINESE = (
    r"(?:不知道|不(?:太|是很)?清楚|没(?:有)?想过|不记得|不(?:太)?了解|没听说过).{0,6}"
    r"|想不起来|想不(?:到|出来)|不太?会(?:回答)?|答不上来|没(?:有)?(?:做过|用过|遇到过|经验|思路|想法)"
    r"|没什么(?:可|好)说的|跳过|下一(?:个问题|题)|换一?(?:个问题|题|道题)|过"
)
_WORDS = (
    r"(?:um+|uh+|er+|hm+|well|so|oh|no|sorry|i am (?:so |very )?sorry|i apologi[sz]e|honestly"
    r"|to be honest|actually|okay|ok|please|thanks|thank you|i think|i guess|i am afraid(?: that)?"
    r"|unfortunately|yeah|yes|but|and|then|again|now|maybe)"
)
_WORDS_ZH = (
    r"(?:嗯|呃|额|啊|哦|唔|好的?|对不起|抱歉|不好意思|谢谢|老师|说实话|这个问题|这道?题"
    r"|这个|那个?| )"
)
_POLITE = re.compile(f"(?:{_WORDS}(?: |$))+|{_WORDS_ZH}+")
_LEAD = f"(?:{_WORDS} )*"
_TAIL = r"(?: (?:please|thanks|thank you|sorry|then|now|at all|right now|yet|honestly|either))*"
_LEAD_ZH = (
    rf"(?:{_WORDS_ZH}|我们?|真的?|也|还|就|可能|暂时|一下子|其实|完全"
    r"|能不能|能|可以|请|想|要|直接|先|问|看)*"
)
_TAIL_ZH = r"(?:这个问题|这道?题|这个|了|吧|啊|呢|吗|好吗|可以吗|怎么回答|谢谢| )*"
_DECLINES = re.compile(
    f"{_LEAD}(?:{_ENGLISH}){_TAIL}|{_LEAD_ZH}(?:{_CHINESE}){_TAIL_ZH}",
)
_EXPANSIONS = (
    (re.compile(r"\bcan't\b"), "can not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'d\b"), " would"),
)
SHORT_WORDS = 12
"""A declining answer with more words than this says something after all."""


_FILLERS = frozenset(
    [
        *("i", "have", "got", "that", "it", "really", "honestly", "sorry", "well", "so", "okay"),
        *("yeah", "oh", "um", "uh", "er", "hmm", "我", "这个", "抱歉"),
    ]
)
_WORD = re.compile(r"[\w']+")


def declined(answer: str) -> bool:
    """Whether the candidate has nothing to say or wants to go on.

    Every clause must decline or be polite: "I don't know Rust, but I keep backups" answers.
    """
    words = answer.lower().replace("’", "'").strip()
    if count(words) > SHORT_WORDS:
        return False
    for contraction, expansion in _EXPANSIONS:
        words = contraction.sub(expansion, words)
    clauses = [clause.strip() for clause in _CLAUSE_ENDS.split(words)]
    saying = [clause for clause in clauses if clause and not _POLITE.fullmatch(clause)]
    return bool(saying) and all(_DECLINES.fullmatch(clause) for clause in saying)
