"""Answers that decline to answer.

A clause declines by a phrase ("I don't know") after which nothing of weight follows ("how to answer
that one"), or what follows is what was asked about ("what an index is"): of anything else one may
well know nothing, and answer by saying so ("I have never used force"). Each clause is read once,
from its beginning: no repetition in a pattern gives back what it took.
"""

from __future__ import annotations

import re

from services.interview.interviewer.words import content_words, count
from services.interview.questions.bank import Question
from services.interview.simplified import simplified

SHORT_WORDS = 12
"""A declining answer with more words than this says something after all."""

_CLAUSE_ENDS = re.compile(r"[.,;:!?…。，；：！？、]+|\s[-–—]\s|\bbecause\b|因为|所以")
_EXPANSIONS = (
    (re.compile(r"\b(do|does|did|is|have|has|had|could|would|ca)nt\b"), r"\1n't"),
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(that|it)'s\b"), r"\1 is"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'d\b"), " would"),
)


def _words(*alternatives: str) -> str:
    """One of these words or phrases, none of which is the beginning of a longer word."""
    return rf"(?:{'|'.join(alternatives)})(?![\w'+#-])"


# English.

_FILLERS = _words(
    *("um+", "uh+", "er+", "hm+", "well", "so", "oh", "sorry", "i am (?:so |very )?sorry"),
    *("i apologi[sz]e", "honestly", "to be (?:perfectly |quite )?(?:honest|fair)", "tbh"),
    *("actually", "okay", "ok", "please", "thanks", "thank you", "i think", "i guess"),
    *("i am afraid(?: that)?", "unfortunately", "yeah", "yes", "but", "and", "then", "again"),
    *("(?:right )?now", "maybe", "really", "just", "even", "ever", "absolutely", "quite"),
    *("completely", "here", "at the moment", "at all", "yet", "either", "lol", "man", "bro"),
    *("off the top of my head", "whatsoever"),
)
_FILLED = re.compile(rf"(?<!\S){_FILLERS}\s*+")
_INTRODUCED = re.compile(
    r"(?:no )?i (?:would |must |have to |would have to )(?:say|admit)(?: that)? "
)
_EMPTY = _words(
    *("about", "of", "on", "to", "with", "for", "in", "like", "how", "what", "that", "which"),
    *("i", "it", "this", "these", "those", "any", "anything", "one", "ones", "them", "such", "a"),
    *("an", "the", "my", "you", "me", "specific", "particular", "single", "good", "real"),
    *("clear", "concrete", "similar", "case", "cases", "situations?", "times?", "things?"),
    *("moment", "questions?", "answer", "topic", "subject", "area", "examples?", "instance"),
    *("story", "experience", "word", "term", "concept", "kind", "can", "could", "have", "do"),
    *("deal", "remember", "recall", "think", "say", "respond", "tell", "describe", "come"),
    *("comes", "came", "springs?", "mind", "means?", "mean", "is", "want", "ask", "asking"),
    *("are"),
)
_REST = rf"(?: {_EMPTY})*+"
"""What is spoken of is the question, not something else: "I don't know fear" answers."""
_NOUN = r" (?P<noun>[^\n]+)"
"""What one knows nothing of; it declines if it was asked about."""
_NOT = "(?:i )?(?:do|can|could|would|have|will) ?not"
_KNOWING = _words(
    "know", "remember", "recall", "think of", "come up with", "answer", "say", "tell you"
)
_THOUGHTS = _words(
    *("ideas?", "clue", "comments?", "answer", "experience", "opinion", "examples?", "knowledge"),
    *("thoughts", "anything to say", "much to say", "nothing to say"),
)
_SMALL = _words(
    *("a", "an", "any", "the", "one", "enough", "faintest", "slightest", "good", "real", "clear"),
    *("specific", "such", "relevant", "work", "working", "much(?! to)"),
)
_HAVING = rf"(?:have|got)(?: {_SMALL})*+(?: {_THOUGHTS}{_REST})?"
_TRIED = _words(
    *("done", "had", "used", "heard", "tried", "seen", "thought", "been", "come across"),
    *("worked", "dealt", "faced", "experienced", "learn(?:ed|t)", "studied"),
)
_NEVER = "(?:(?:i have )?never|(?:i )?have not)"
_ENGLISH = re.compile(
    "|".join(
        f"(?:{each})"
        for each in (
            # I don't know.
            rf"{_NOT} {_KNOWING}{_REST}",
            rf"{_NOT} {_HAVING}",
            rf"{_NOT} (?:(?:a|an|any) (?:clue|idea)|the (?:faintest|slightest)(?: (?:clue|idea))?)",
            rf"{_NOT} understand{_REST}",
            rf"(?:i )?do not think i (?:(?:can|could|will|would) )?(?:{_KNOWING}{_REST}|{_HAVING})",
            rf"(?:i )?(?:dunno|idk){_REST}",
            rf"(?:(?:i )?(?:have (?:got )?))?no(?: {_SMALL})*+ {_THOUGHTS}{_REST}",
            rf"(?:i (?:have |have got |know )|got )?(?:nothing|none){_REST}",
            rf"(?:i am )?not (?:sure|certain|able to|qualified to|familiar with|aware of){_REST}",
            rf"(?:that is |it is )?(?:hard|difficult|tough|tricky) to (?:say|answer|tell){_REST}",
            rf"(?:i would have to|let me) think{_REST}",
            rf"not(?: a clue)?|not that i {_EMPTY}{_REST}|n/a|na|no one",
            # It was never so.
            rf"{_NEVER}(?: {_TRIED}{_REST})?",
            r"(?:that|this|it) (?:has )?never happened(?: to me)?",
            r"i did not (?:have|use) (?:that|this|one|any)",
            # It is gone, or beyond me.
            r"(?:i )?(?:have )?(?:forgot|forgotten)(?: (?:it|that))?|(?:it|that) slipped my mind",
            (
                r"(?:my mind (?:is|went|has gone|goes)|i am|i am drawing|drawing|it is all)"
                r"(?: a)? (?:blank|blanking|clueless|stumped)(?: on (?:this|that))?"
            ),
            r"(?:that |it )?beats me|(?:you )?(?:have )?(?:got|stumped) me(?: there| on that)?",
            (
                r"(?:(?:that|it|this) is )?(?:way |far )?(?:beyond|outside|above) "
                r"(?:me|my (?:knowledge|expertise|experience|area|pay grade))"
            ),
            rf"(?:that|it|this) is not something i know(?: much)?{_REST}",
            # I'd rather not.
            r"i give up|i plead the fifth",
            (
                r"(?:can we|could we|let us|i would like to|i want to) (?:skip|move on|go on|go)"
                rf"(?: (?:next|{_EMPTY}))*+"
            ),
            rf"(?:i (?:will |would )?)?(?:pass|skip){_REST}|(?:the )?next (?:question|one)",
            (
                r"i (?:would )?(?:rather not|prefer not to)"
                rf"(?: (?:say|answer|talk|speak){_REST})?"
            ),
            (
                r"i do not (?:want|wish|like|feel comfortable) ?(?:to )?"
                rf"(?:answer(?:ing)?{_REST}|(?:say|talk|speak)(?:ing)? {_EMPTY}{_REST})"
            ),
        )
    )
)
_ENGLISH_OF = tuple(
    re.compile(each)
    for each in (
        rf"{_NOT} (?:know (?:anything|much|a lot) about|understand){_NOUN}",
        rf"{_NOT} (?:remember|recall|think of|have|know) (?:any|such an?|a specific){_NOUN}",
        r"(?:i )?do not know what (?P<noun>.+) (?:is|are|means?|does|do)",
        rf"(?:i (?:have |have got ))?no(?: {_SMALL})*+ {_THOUGHTS} (?:with|in|of|about){_NOUN}",
        rf"i know nothing (?:about|of){_NOUN}",
        rf"i am not (?:familiar with|aware of|experienced in){_NOUN}",
        (
            rf"{_NEVER} (?:heard of|used|worked with|come across|dealt with|studied"
            rf"|learn(?:ed|t)(?: about)?|had any experience (?:with|in|of)){_NOUN}"
        ),
    )
)
_LEADING = re.compile(rf"(?:{_EMPTY} )*+")
_DESCRIBED = re.compile(r" (?:at|by|from|in|for|of|on|to|with|without|during|before|after)(?: |$)")

# Chinese.

_HARDLY = "不(?:太|大|是很|怎么|是特别|很)?"
_LEAD_ZH = (
    "(?:嗯|呃|额|啊|哦|唔|好像|好的?|对不起|抱歉|不好意思|谢谢|老师|说实话|说真的|老实说|坦白说|其实|似乎"
    "|真的?|也|还|就|都|给|可能|暂时|目前|现在|一下子|一时|完全|从来|根本|实在|确实|一点[都也儿]?|我们?"
    "|对?(?:这|此|它)(?:个|些|道|方面|种|块)?(?:情况|问题|题|知识点|事情?)?|那个?| )*+"
)
_TAIL_ZH = (
    "(?:这个问题|这道?题|这个|这块|这方面"
    "|[了吧啊呢吗嘛啦哦噢诶欸哎唉呀哈耶喔哟]|好吗|可以吗|怎么回答|谢谢| )*+"
)
_REST_ZH = (
    "(?:怎么(?:回答|说|做|讲|答)|该?(?:说|讲)什么|有?什么|答案|特别|具体|合适|类似|相关|这些?|个|种|块|方面|的"
    "|情况|事情?|问题|例子|经历|经验)*+"
)
_THOUGHTS_ZH = "(?:经验|经历|想法|思路|概念|头绪|例子|印象|了解|答案|研究|可说的|好说的)"
_TRIED_ZH = "(?:听说|听|想|思考|考虑|接触|了解|学|做|用|处理|遇到|碰到|经历|见)过"
_CHINESE = re.compile(
    f"{_LEAD_ZH}(?:"
    + "|".join(
        (
            f"{_HARDLY}(?:知道|清楚|了解|懂|晓得|会(?:做|答|回答)?|记得|熟悉|确定|好说|好讲){_REST_ZH}",
            "不知|不造|(?:啥|什么)[都也]?不(?:会|懂|知道)|唔(?:知道?|识|清楚)",
            "没有?(?:什么|啥|特别|具体|合适|类似|相关|任何|工作|过|这方面|这种|这样|的)*+"
            + _THOUGHTS_ZH,
            f"没有?(?:{_TRIED_ZH}|想好){_REST_ZH}",
            "毫无" + _THOUGHTS_ZH + "|一(?:无所知|窍不通|头雾水)",
            "记不(?:太)?(?:清楚?|得|起来|住)|想不(?:太)?(?:起来|到|出来?)" + _REST_ZH,
            "(?:答|说|回答|讲)不(?:太)?(?:上来|出来?|清楚?|了|好)" + _REST_ZH,
            f"{_HARDLY}(?:想|愿意?|方便)(?:回答|说|讲|谈|聊){_REST_ZH}|无可奉告",
            "忘(?:记|掉)?|(?:(?:脑子|大脑|脑袋)里?(?:是|都)?)?一?片?空白|超纲|(?:触及)?知识盲区",
            (
                "(?:能不能|可以|能|想|请|要)?(?:直接|先)?"
                "(?:跳过|(?:问|看)?下一(?:个问题|道?题)|换一?(?:个问题|题|道题)|过)"
            ),
        )
    )
    + f"){_TAIL_ZH}"
    # Of itself 没有 says no, which may well answer.
    + "|我?(?:(?:目前|暂时|现在|这个|真的?|确实|好像|似乎)++)没有"
    + _TAIL_ZH
)
_NOUN_ZH = "(?P<noun>[^不没就才也的]{1,8})"
_CHINESE_OF = tuple(
    re.compile(_LEAD_ZH + each + _TAIL_ZH)
    for each in (
        f"没有?{_TRIED_ZH}{_NOUN_ZH}",
        f"{_HARDLY}(?:了解|熟悉|懂|清楚|知道){_NOUN_ZH}",
        f"对{_NOUN_ZH}(?:{_HARDLY}(?:了解|熟悉|清楚|懂)|没有?(?:什么|任何|啥)?{_THOUGHTS_ZH})",
    )
)
_POLITE_ZH = re.compile(f"{_LEAD_ZH}(?:没听(?:清楚?|懂|明白))?{_TAIL_ZH}")


def declined(answer: str, question: str) -> bool:
    """Whether the candidate has nothing to say or wants to go on.

    Every clause must decline or be polite: "I don't know Rust, but I keep backups" answers.

    Args:
        answer: What was said.
        question: What was asked, and what else belongs to it: `subject` of a question of the bank.
    """
    words = answer.lower().replace("’", "'").strip()
    if count(words) > SHORT_WORDS:
        return False
    words = simplified(words)
    for contraction, expansion in _EXPANSIONS:
        words = contraction.sub(expansion, words)
    clauses = [_bare(clause) for clause in _CLAUSE_ENDS.split(words)]
    saying = [clause for clause in clauses if clause]
    return bool(saying) and all(_declines(clause, question) for clause in saying)


def subject(question: Question) -> str:
    """What a question of the bank is about, in its own words."""
    return " ".join((question.text, *question.key_points, *question.follow_ups))


def _bare(clause: str) -> str:
    """A clause without what is said before or beside it; nothing of one that is only polite."""
    said = _INTRODUCED.sub("", " ".join(_FILLED.sub("", clause).split()))
    return "" if said == "no" or _POLITE_ZH.fullmatch(said) else said


def _declines(clause: str, question: str) -> bool:
    if _ENGLISH.fullmatch(clause) or _CHINESE.fullmatch(clause):
        return True
    matches = (pattern.fullmatch(clause) for pattern in (*_ENGLISH_OF, *_CHINESE_OF))
    nouns = [_noun(match["noun"]) for match in matches if match]
    if not nouns:
        return False
    asked = content_words(simplified(question))
    return any(content_words(noun) & asked for noun in nouns)


def _noun(text: str) -> str:
    """The noun itself, without what describes it: "force" of "any force at work"."""
    described = _DESCRIBED.split(_LEADING.sub("", text, count=1), maxsplit=1)[0]
    return described.split(" ")[-1]
