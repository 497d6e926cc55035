"""Answers that decline to answer."""

from __future__ import annotations

import re

from services.interview.interviewer.words import count
from services.interview.simplified import simplified

_CLAUSE_ENDS = re.compile(r"[.,;:!?…。，；：！？、]+|\s[-–—]\s")
_REALLY = r"(?:(?:really|honestly|just|even|actually|ever|absolutely|quite|so|completely) )*"
_ABOUT = (
    r"(?:(?:(?: (?:about|of|on|to|with|for|in|like|how to|what to|that i))*"
    r" (?:answer(?: (?:it|that|this|the question|this question|that question))?|say(?: here)?"
    r"|respond|it|that|this|these|those|any|anything(?: like (?:that|this))?|one|them"
    r"|(?:such )?an? (?:case|situation|time|thing)|such (?:a |an )?(?:case|situation|time|thing)"
    r"|(?:that|this|the|such a) (?:question|one|answer|topic|subject|area|situation)"
    r"|(?:the |an )?answer(?: to (?:it|that|this))?|an? example|can (?:remember|recall)))+)"
)
"""What is spoken of is the question, not something else: "I don't know fear" answers."""
_NOUN = r" (?!\w+ing )(?:[\w+#'-]+ ){0,3}[\w+#'-]+"
"""What one knows nothing of may be anything; but "I am not familiar with giving up" answers."""
_KNOWING = (
    r"(?:know|remember|recall|think of|answer|say|tell you|come up with"
    r"|have (?:much|anything) to say"
    r"|have (?:a|an|any|the|much|one|enough)? ?(?:faintest |slightest |good |clear )?"
    r"(?:clue|idea|answer|example|opinion|experience|knowledge|comment|one))"
)
_NOTHING = (
    r"(?:idea|clue|comment|answer|experience|opinion|example|knowledge|thoughts)(?: whatsoever)?"
)
_ENGLISH = (
    rf"(?:i )?{_REALLY}(?:do|can|could|would|have|will) ?not {_REALLY}"
    rf"(?:know (?:anything|much|a lot) about{_NOUN}|know what{_NOUN} (?:is|are|means?|does|do)"
    rf"|understand(?: (?:what you (?:mean|want|ask|are asking)|what (?:this|that|it) means"
    rf"|the (?:word|term|concept){_NOUN}))?"
    rf"|{_KNOWING}|an?y? (?:clue|idea)|got an?y? (?:clue|idea)|the (?:faintest|slightest)"
    rf"(?: (?:clue|idea))?){_ABOUT}?"
    rf"|(?:i )?do not think i (?:(?:can|could|will|would) )?{_KNOWING}{_ABOUT}?"
    rf"|(?:i )?{_REALLY}dunno{_ABOUT}?|idk|not a clue"
    rf"|(?:that |it )?beats me|(?:you )?got me (?:there|on that)"
    rf"|(?:i )?{_REALLY}(?:have )?(?:forgot|forgotten)(?: (?:it|that))?|(?:it|that) slipped my mind"
    rf"|(?:i (?:have|have got) )?{_REALLY}no (?:(?:work|working|real|such|relevant) )?{_NOTHING}"
    rf"(?:{_ABOUT}| (?:with|in|of|about){_NOUN})?|(?:i (?:have|know) )?nothing"
    rf"(?: (?:comes|came) to (?:my )?mind|{_ABOUT}| about{_NOUN})?|i give up"
    rf"|(?:can we|could we|let us|i would like to|i want to) (?:please )?"
    rf"(?:skip|move on|go on)(?: (?:this|that|it|to)?(?: ?(?:the )?(?:next )?(?:question|one))?)?"
    rf"|(?:(?:i (?:will |would )?)?pass|(?:i (?:will|would) )?skip)(?: on)?(?:{_ABOUT})?"
    rf"|(?:the )?next (?:question|one)"
    rf"|i (?:would )?{_REALLY}(?:rather not|prefer not to)(?: (?:say|answer|talk|speak){_ABOUT}?)?"
    rf"|i do not {_REALLY}(?:want|wish|like|feel comfortable) ?(?:to )?"
    rf"(?:answer(?:ing)?{_ABOUT}?|(?:say|talk|speak)(?:ing)?{_ABOUT})"
    rf"|i am not {_REALLY}(?:sure|able to|familiar with|aware of|experienced in)(?: what to"
    rf"| how to)?{_ABOUT}?|i am not {_REALLY}(?:familiar with|aware of|experienced in){_NOUN}"
    rf"|not really|not that i (?:know|remember|recall|can remember)"
    rf"|(?:no )?(?:i {_REALLY}have )?{_REALLY}never(?: {_REALLY}"
    rf"(?:done|had|used|heard|tried|seen|thought|been|come across|worked|dealt|faced"
    rf"|experienced){_ABOUT}?)?"
    rf"|(?:i )?have (?:never|not) {_REALLY}(?:heard of|used|worked with|come across|dealt with"
    rf"|learn(?:ed|t)|studied|had any experience (?:with|in|of)){_NOUN}"
    rf"|(?:i )?have not {_REALLY}(?:done|had|used|tried|seen|heard|been|experienced){_ABOUT}"
    rf"|(?:that|this|it) (?:has )?{_REALLY}never happened(?: to me)?"
    rf"|i did not {_REALLY}(?:ever )?(?:have|use) (?:that|this|one|any)"
    r"|(?:my mind (?:is|went|has gone|goes)|i am|i am drawing a|drawing a|it is all a)"
    rf" {_REALLY}(?:a )?(?:blank|blanking|clueless|stumped)(?: (?:here|on this|on that))?"
    r"|(?:that is|it is|this is) (?:way |far )?(?:beyond me|beyond my knowledge"
    r"|not something i know)"
)
_CHINESE = (
    r"(?:不(?:太|是很|大|怎么)?(?:知道|清楚|了解|懂|会(?:做|答|回答)?|记得|熟悉|确定)"
    r"|没(?:有|什么|有什么)?(?:过|相关|任何|这方面|这种|这样|类似)?的?(?:经验|经历|想法|思路|概念|头绪|例子|印象|了解|可说的|好说的)"
    r"|没(?:有)?(?:听说过|听过|想过|思考过|考虑过|接触过|了解过|学过|做过|用过|遇到过|碰到过|经历过|想好)"
    r"|没(?:有)?(?:听说过|接触过|了解过|学过|用过)[^不没就才也]{1,8}"
    r"|不(?:太|大|是很)?(?:了解|熟悉)[^不没就才也]{1,6}"
    r"|对[^不没就才也]{1,8}(?:不(?:太|大|是很)?(?:了解|熟悉|清楚|懂)"
    r"|没(?:有)?(?:什么|任何)?(?:经验|了解|概念))"
    r"|不(?:太|大|是很)?(?:想|愿意?|方便)(?:回答|说|讲|谈|聊)|无可奉告"
    r"|想不(?:太)?(?:起来|到|出来?)|(?:答|说|回答)不(?:太)?(?:上来|出来?|清楚?|了|好)|不好说"
    r"|(?:都|给)?忘(?:记|掉)?|(?:脑子|大脑|脑袋)里?(?:是|都)?一?片?空白)"
    r"(?:怎么(?:回答|说|做|讲)|答案|这些?(?:个|种|方面)?(?:情况|事情?|问题)?|该说什么|说什么)?"
    r"|跳过|下一(?:个问题|题)|换一?(?:个问题|题|道题)|过"
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
_TAIL = (
    r"(?: (?:please|thanks|thank you|sorry|then|now|here|at all|right now|yet|honestly|either"
    r"|lol))*"
)
_LEAD_ZH = (
    rf"(?:{_WORDS_ZH}|我们?|真的?|也|还|就|可能|暂时|一下子|一时|其实|完全|从来|根本|实在|确实"
    r"|对(?:这|此|它)(?:个|方面|块)?|这方面|这种情况"
    r"|能不能|能|可以|请|想|要|直接|先|问|看)*"
)
_TAIL_ZH = r"(?:这个问题|这道?题|这个|了|吧|啊|呢|吗|好吗|可以吗|怎么回答|谢谢| )*"
_DECLINES = re.compile(
    f"{_LEAD}(?:{_ENGLISH}){_TAIL}|{_LEAD_ZH}(?:{_CHINESE}){_TAIL_ZH}",
)
_EXPANSIONS = (
    (re.compile(r"\b(do|does|did|is|have|has|had|could|would|ca)nt\b"), r"\1n't"),
    (re.compile(r"\bcan't\b"), "can not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(that|it)'s\b"), r"\1 is"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'d\b"), " would"),
)
SHORT_WORDS = 12
"""A declining answer with more words than this says something after all."""


def declined(answer: str) -> bool:
    """Whether the candidate has nothing to say or wants to go on.

    Every clause must decline or be polite: "I don't know Rust, but I keep backups" answers.
    """
    words = answer.lower().replace("’", "'").strip()
    if count(words) > SHORT_WORDS:
        return False
    words = simplified(words)
    for contraction, expansion in _EXPANSIONS:
        words = contraction.sub(expansion, words)
    clauses = [clause.strip() for clause in _CLAUSE_ENDS.split(words)]
    saying = [clause for clause in clauses if clause and not _POLITE.fullmatch(clause)]
    return bool(saying) and all(_DECLINES.fullmatch(clause) for clause in saying)
