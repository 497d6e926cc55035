"""Answers that decline to answer.

Every clause says of the speaker that they do not know, have not done, cannot or will not say (of
nothing, or of what was asked about) or gives a reason: who they are, what they never learned.
Of anything else one may well know nothing, and answer by saying so ("I have never used force"). A
bare "never" or "not really" answers a question that asks yes or no. Each clause is read once, from
its beginning: no repetition in a pattern gives back what it took.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from enum import Enum

from services.interview.interviewer.words import content_words, count
from services.interview.questions.bank import Question
from services.interview.simplified import simplified

SHORT_WORDS = 20
"""A declining answer with more words than this says something after all."""

_CLAUSE_ENDS = re.compile(
    r"[.,;:!?…。，；：！？、]+|\s[-–—]\s|\bbecause\b|因为|所以|但是?|不过"
    r"|\b(?:and|but|so|since)\b(?= (?:i|i'\w+|it|that|this|my|we|never|can not|do not|no)\b)"
)
_EXPANSIONS = (
    (re.compile(r"\b(do|does|did|is|are|was|have|has|had|could|would|ca)nt\b"), r"\1n't"),
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(that|it)'s\b"), r"\1 is"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'d\b"), " would"),
)


class _Clause(Enum):
    DECLINES = "declines"
    REASON = "reason"
    """Declines beside a clause that does."""
    NEGATION = "negation"
    """Declines where no yes or no was asked for."""
    SAYS = "says"


def _words(*alternatives: str) -> str:
    """One of these words or phrases, none of which is the beginning of a longer word."""
    return rf"(?:{'|'.join(alternatives)})(?![\w'+#-])"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


# English.

_FILLERS = _words(
    *("um+", "uh+", "er+", "hm+", "well", "so", "oh", "sorry", "i am (?:so |very )?sorry"),
    *("i apologi[sz]e", "honestly", "to be (?:perfectly |quite )?(?:honest|fair)", "tbh"),
    *("actually", "okay", "ok", "please", "thanks", "thank you", "i think", "i guess"),
    *("i am afraid(?: that)?", "unfortunately", "yeah", "yes", "but", "and", "then", "again"),
    *("(?:right )?now", "maybe", "really", "just", "even", "ever", "absolutely", "quite"),
    *("completely", "here", "at the moment", "at all", "yet", "either", "lol", "man"),
    *("mate", "bro", "exactly"),
    *("off the top of my head", "whatsoever", "still", "only", "totally", "simply"),
)
_FILLED = re.compile(rf"(?<!\S){_FILLERS}\s*+")
_INTRODUCED = re.compile(
    r"(?:no )?i (?:would |must |have to |would have to )(?:say|admit)(?: that)? "
)
_EMPTY_WORDS = """
    about of on to with for in at from like how what that which where when why whether if as it
    its this these those any anything anyone anybody one ones them such a an the i we my you me
    specific particular single good real clear concrete similar different same case cases situation
    situations time times thing things moment question questions answer topic subject area example
    examples instance story stories experience word words term concept kind sort can could would
    should will have has do does did done deal remember recall think say put respond tell explain
    describe come comes came spring springs mind mean means meant is are was be being been want ask
    asked asking called work works start begin starting english properly right try tried use used
    between difference
    """
_EMPTY = frozenset(_EMPTY_WORDS.split())
"""What says nothing of its own: "I don't know how to put that"."""
_STRESSED = frozenset(
    ("no", "yes", "not", "never", "without", "everything", "everyone", "all", "sorry")
)
"""With one of these something is told after all: "I can't say no to colleagues"."""
_QUESTION_WORDS = frozenset(
    ("how", "what", "which", "where", "when", "who", "why", "whether", "if")
)
_DESCRIBING = frozenset(
    (
        *("at", "by", "from", "in", "for", "of", "on", "to", "with"),
        *("without", "during", "before", "after", "between", "than", "like"),
    )
)
_SMALL = _words(
    *("a", "an", "any", "the", "one", "enough", "faintest", "slightest", "good", "real", "clear"),
    *("specific", "such", "relevant", "work", "working", "much(?! to)", "proper", "formal"),
)
_THOUGHTS = _words(
    *("ideas?", "clue", "comments?", "answer", "experience", "opinion", "examples?", "knowledge"),
    *("thoughts", "anything to say", "much to say", "nothing to say", "words", "vocabulary"),
    *("training", "background(?! noise)", "stor(?:y|ies)"),
)
_MUCH = r"(?: (?:anything|much|too much|that much|a lot|a thing|the first thing|enough)(?= about))?"
_SAYING = _words(
    *("answer", "say", "tell you", "tell", "explain", "describe", "talk", "speak", "discuss"),
    *("comment", "go into", "share", "express", "help you", "help"),
)
_KNOWING = _words(f"know{_MUCH}", "remember", "recall", "think of", "come up with", "understand")
_LEARNT = _words("studied", "learn(?:ed|t)", "been taught", "taught", "trained(?: in)?")
_TRIED = _words(
    *("done", "had(?: anything to do with)?", "used", "heard(?: of)?", "tried", "seen", "thought"),
    *("been(?! \\w+$)", "come across", "worked", "dealt", "faced", "experienced", "touched"),
    *("needed", "read about", "had any experience", _LEARNT),
)
_I = "(?:(?:i|we) )?"
_NEVER = f"(?:(?:(?:i|we) have )?never|{_I}have not)"
_UNKNOWN = _any(
    # I don't know, I couldn't explain.
    rf"{_I}(?:(?:do|can|could|would|will|did|am) )?not (?:be able to )?{_KNOWING}|i no know",
    rf"{_I}(?:can|could|would|will) not (?:be able to )?{_SAYING}",
    rf"{_I}do not (?:want|wish|like(?= \w+ \w+ about)|feel comfortable|feel like)"
    rf" (?:to )?(?:{_SAYING}|(?:answer|say|talk|speak|shar|discuss|explain)ing)",
    rf"{_I}(?:would )?(?:rather not|prefer not to)(?: {_SAYING})?",
    rf"{_I}do not think i (?:(?:can|could|will|would) )?(?:{_KNOWING}|{_SAYING})",
    rf"{_I}(?:dunno|idk)(?![\w'])",
    r"i know (?:nothing|(?:very )?little) (?:about|of)(?![\w'])",
    # I have no idea.
    rf"{_I}(?:do not (?:think i )?have|have not(?: got)?|have(?: got)? no|got no|lack|no)"
    rf"(?: {_SMALL})*+ {_THOUGHTS}(?! (?:is|are|was)\b)",
    rf"{_I}(?:do not|did not|have not) (?:have|had|got) (?:any|such an?|a specific)(?![\w'])",
    rf"{_I}(?:have not|do not have) the (?:faintest|slightest|foggiest)(?! \w)",
    # I have never done it.
    rf"{_NEVER} {_TRIED}|{_I}never worked with",
    rf"{_I}(?:(?:was|were|have) )?(?:never|not) {_LEARNT}",
    rf"{_I}(?:did not|never) (?:cover|learn|study)(?:ed)? (?=\w)",
    # I'm not familiar with it.
    rf"(?:i am )?not (?:sure|certain|able to|qualified to|familiar with|aware of|into"
    rf"|comfortable(?: with| to)?|allowed to|supposed to|an expert (?:in|on|at)"
    rf"|experienced (?:in|with))(?: {_SAYING})?(?![\w'])",
)
"""After it comes nothing, or what was asked about."""
_NO_MORE = _any(
    rf"{_I}do not (?:get|follow|say|answer)",
    rf"{_I}(?:do not think i have|do not have|have not(?: got)?)(?: {_SMALL})*+(?! ?\w)",
    r"(?:that is |it is )?(?:hard|difficult|tough|tricky) to (?:say|answer|tell)",
    r"(?:i (?:have |have got |got |know )|got )?(?:nothing|none)",
    r"(?:i would have to|let me) think",
    r"not a clue|n/a|na",
    r"(?:that|this|it) (?:has )?never happened",
    r"i did not (?:have|use) (?:that|this|one|any)",
    # It is gone, or beyond me.
    r"(?:i )?(?:have )?(?:forgot(?:ten)?)(?: everything)?|(?:it|that) slipped",
    (
        r"(?:(?:my mind (?:is|went|has gone|goes)|i am|i am drawing|drawing|it is all) )?"
        r"(?:a )?(?:blank(?:ing)?|clueless|stumped)|i am (?:lost|out of my depth)"
    ),
    r"(?:that |it )?beats me|(?:you )?(?:have )?(?:got|stumped) me(?: there)?",
    r"(?:way |far )?(?:beyond|outside|above) (?:me|my \w+)",
    # I'd rather not.
    r"i give up|i plead the fifth",
    (
        r"(?:can we|could we|let us|i would like to|i want to) (?:skip|move on|go on|go)"
        r"(?: to)?(?: the)?(?: next)?"
    ),
    r"(?:i (?:will |would )?)?(?:pass|skip)|(?:the )?next (?:question|one)",
    r"i (?:would (?:rather|prefer to) |prefer to )?keep (?:that|it|this) (?:to myself|private)",
    r"my english is (?:not|too)(?: \w+){1,2}(?= (?:to|for) )",
    r"(?:confidential|private|classified|none of your business)",
)
"""After it comes nothing."""
_ANY_NOUN = r"(?!(?:to|from|how|the|my|much|anything)\b)\w+(?: (?!how|to|from|than)\w+)?"
_TRADE = (
    "(?:field|area|department|subject|speciali?ty|expertise|domain|profession|trade|line of work)"
)
_OF_IT = _any(
    rf" (?:is|are) not (?:within |in |part of )?my (?:thing|world|cup of tea|{_TRADE})",
    r" (?:is|are) (?:way |far )?(?:beyond|outside|above|over) (?:me|my [\w ]+)",
    rf" is not something i (?:know(?: (?:much|anything|a lot)(?: about)?)?|have {_TRIED})",
    r" (?:is|are) (?:way |far |much )?too (?:hard|difficult|complicated|technical)(?: for me)?",
    r" is (?:(?:too|very|a|an|rather|company|strictly|under) )*+(?:private|personal|confidential"
    r"|secret|classified|nda)(?: (?:for me|matter|information))?",
    rf" i (?:do not|would not|can not|could not) (?:{_KNOWING}|{_SAYING})",
)
"""Before it stands nothing, or what was asked about."""
_FIELD = _any(
    rf"{_I}(?:have )?(?:never|not) {_LEARNT}(?: about)? {_ANY_NOUN}",
    rf"{_ANY_NOUN} (?:is|are) not my {_TRADE}",
)
"""Of a subject of study it is said whatever was asked."""
_NEGATION = _any(
    "not",
    "never",
    "none",
    "no one",
    "nothing",
    r"not that i (?:can |could )?(?:remember|recall|think of|say)",
    _NEVER,
    rf"{_I}(?:can|could) not",
)
_REASON = _any(
    r"(?:i|we) (?:am|was|were|have been) (?:a|an|new|from|not an?|in|no)\b[\w' -]{0,40}",
    rf"(?:i|we) (?:(?:have|had|was|were) )?(?:never|not) (?:{_LEARNT}|worked|had)\b.{{0,40}}",
    r"(?:i|we) did not (?:study|learn|cover|do)\b.{0,40}",
    r"i (?:have )?(?:work(?:ed)?|drive|teach|study|cook|clean|sell)(?: \w+){1,6}",
    r"i (?:have )?(?:started|began|joined|finished|graduated|left school)(?: \w+){0,4}",
    r"(?:it|that) (?:is|was|has been|is been) (?:too |so |very )?(?:long|years|ages"
    r"|a (?:long )?(?:time|while))(?: ago)?",
    r"i (?:used to|did|once) kn[eo]w(?: \w+){0,2}|i knew (?:it|that|this)(?: once| before)?",
    r"i (?:have )?(?:heard|know) (?:of )?(?:the |this |that )?(?:word|term|name|it)?(?: \w+)?",
    r"my (?:english|memory|spanish|chinese) is(?: \w+){1,4}|i have a (?:bad|poor) memory",
    r"english is not my (?:first|native|mother) (?:language|tongue)",
    r"i (?:have )?signed an? [\w -]{1,30}",
)
"""Why the speaker does not say: who they are, what they have not done."""

# Chinese.

_HARDLY = "不(?:太|大|是很|怎么|是特别|很)?"
_LEAD_ZH = (
    "(?:嗯|呃|额|啊|哦|唔|好像|好的?|对不起|抱歉|不好意思|谢谢|老师|说实话|说真的|老实说|坦白说|其实|似乎"
    "|真的?|也|还|就|都|给|可能|暂时|目前|现在|一下子|一时|完全|从来|根本|实在|确实|一点[都也儿]?|我们?"
    "|对?(?:这|此|它)(?:个|些|道|方面|种|块)?(?:情况|问题|题|知识点|事情?)?|那个?|应该|只|全| )*+"
)
_TAIL_ZH = (
    "(?:这个问题|这道?题|这个|这块|这方面"
    "|[了吧啊呢吗嘛啦哦噢诶欸哎唉呀哈耶喔哟]|好吗|可以吗|怎么回答|谢谢| )*+"
)
_REST_ZH = (
    "(?:(?:该|要)?(?:怎么|如何)(?:回答|说|做|讲|答|办|用)|该?(?:说|讲)(?:什么|啥)|有?(?:什么|啥)|答案|特别|具体"
    "|该?从(?:哪|何)[儿里]?(?:开始)?[说讲答]?起?|合适|类似|相关|这些?|个|种|块|方面|的"
    "|情况|事情?|问题|例子|经历|经验)*+"
)
_THOUGHTS_ZH = "(?:经验|经历|想法|思路|概念|头绪|例子|印象|了解|答案|研究|可说的|好说的)"
_TRIED_ZH = "(?:听说|听|想|思考|考虑|接触|了解|学|做|用|处理|遇到|碰到|经历|见)过"
_NOUN_ZH = "(?P<{}>[^不没就才也]{{1,14}}?)"
_KNOWING_ZH = "(?:知道|清楚|了解|懂|晓得|明白|熟悉|熟|会(?:做|答|回答)?|记得|确定|好说|好讲)"
_FORGOTTEN_ZH = "忘(?:记|掉|光|完|得(?:一干二净|差不多))?"
_PRIVATE_ZH = "(?:个人|公司|商业|工作)?(?:隐私|机密|秘密|私事|内部信息)"
_DECLINING_ZH = "|".join(
    (
        f"{_HARDLY}{_KNOWING_ZH}{_REST_ZH}",
        "不知|不造|(?:啥|什么)[都也]?不(?:会|懂|知道)|唔(?:知道?|识|清楚)",
        "没有?(?:什么|啥|特别|具体|合适|类似|相关|任何|工作|过|这方面|这种|这样|的)*+"
        + _THOUGHTS_ZH,
        f"没有?(?:{_TRIED_ZH}|想好){_REST_ZH}",
        "毫无" + _THOUGHTS_ZH + "|一(?:无所知|窍不通|头雾水)",
        "记不(?:太)?(?:清楚?|得|起来|住)|想不(?:太)?(?:起来|到|出来?)" + _REST_ZH,
        "(?:答|说|回答|讲)不(?:太)?(?:上来|出来?|清楚?|了|好)" + _REST_ZH,
        f"{_HARDLY}(?:想|愿意?|方便|能|可以)(?:回答|说|讲|谈|聊|透露){_REST_ZH}|无可奉告",
        f"{_FORGOTTEN_ZH}|(?:(?:脑子|大脑|脑袋)里?(?:是|都)?)?一?片?空白|超纲|(?:触及)?(?:我的)?知识盲区",
        f"(?:是|属于|涉及)?{_PRIVATE_ZH}",
        "(?:对我来说)?太(?:难|深|专业)|超出了?我的(?:知识|能力)(?:范围)?",
        (
            "(?:能不能|可以|能|想|请|要)?(?:直接|先)?"
            "(?:跳过|(?:问|看)?下一(?:个问题|道?题)|换一?(?:个问题|题|道题|个)|过)"
        ),
    )
)
_CHINESE = re.compile(f"(?:{_LEAD_ZH}(?:{_DECLINING_ZH}){_TAIL_ZH}){{1,3}}")
# Of itself 没有 says no, which may well answer.
_NEGATION_ZH = re.compile(
    f"{_LEAD_ZH}{_HARDLY}会{_TAIL_ZH}"
    f"|我?(?:(?:目前|暂时|现在|这个|真的?|确实|好像|似乎)++)没有{_TAIL_ZH}"
)
_CHINESE_OF = re.compile(
    _LEAD_ZH
    + "(?:"
    + "|".join(
        (
            f"没有?(?!想|思考|考虑){_TRIED_ZH}{_NOUN_ZH.format('tried')}",
            f"{_HARDLY}(?!会){_KNOWING_ZH}{_NOUN_ZH.format('known')}",
            f"{_HARDLY}会(?P<able>[a-z][a-z+# ]*)",
            f"对{_NOUN_ZH.format('of')}{_LEAD_ZH}{_HARDLY}{_KNOWING_ZH}",
            f"对{_NOUN_ZH.format('on')}没有?(?:什么|任何|啥)?{_THOUGHTS_ZH}",
            f"{_NOUN_ZH.format('topic')}我?{_LEAD_ZH}{_HARDLY}(?:了解|懂|清楚|熟悉|熟)",
            f"{_NOUN_ZH.format('field')}不是我的?(?:专业|强项|领域|方向|本行|工作)",
        )
    )
    + f"){_TAIL_ZH}"
)
_FIELD_ZH = re.compile(f"{_LEAD_ZH}没有?学过[^的不没就]{{2,6}}{_TAIL_ZH}")
_REASON_ZH = re.compile(
    _LEAD_ZH
    + "(?:"
    + "|".join(
        (
            "(?:刚刚?|才)(?:毕业|入行|入职|工作|开始|学|来).{0,4}",
            "没有?[^就才]{2,10}",
            "(?:以前|之前|曾经)?(?:学|听|听说|看|用)过.{0,6}",
            "(?:英语|中文|普通话|记性|记忆力)(?:不太?好|太?差|不行)",
            "签[了过]?保密协议|(?:时间)?(?:太|好)[久长]",
        )
    )
    + f"){_TAIL_ZH}|(?:其实|抱歉|不好意思|对不起)?我们?(?:只|就|还|也|不)?是.{{1,9}}"
)
_POLITE_ZH = re.compile(f"{_LEAD_ZH}(?:没听(?:清楚?|懂|明白))?{_TAIL_ZH}")

# What asks for yes or no.

_YES_OR_NO = re.compile(
    r"(?:^|[.!?,:;] |\b(?:and|but|so) )"
    r"(?:do|does|did|is|are|was|were|have|has|had|would|will|should"
    r"|(?:can|could)(?! (?:you|we|i) (?:please )?(?:tell|give|name|describe|explain|recall"
    r"|remember|think|share|back|show|say))) [^.!?]*\?"
)
_YES_OR_NO_ZH = re.compile(
    r"(?:^|[，。？！,?!])[^，。？！,?!怎如何为什哪谁多能]*"
    r"(?:有没有|会不会|是不是|是否|愿不愿|要不要|吗[，。？！,?!])"
)


def declined(answer: str, question: str, asked: str | None = None) -> bool:
    """Whether the candidate has nothing to say or wants to go on.

    Every clause must decline, give a reason or be polite: "I don't know Rust, but I keep backups"
    answers.

    Args:
        answer: What was said.
        question: What was asked, and what else belongs to it: `subject` of a question of the bank.
        asked: What was asked alone; None for the whole of `question`.
    """
    words = answer.lower().replace("’", "'").strip()
    if count(words) > SHORT_WORDS:
        return False
    words = simplified(words)
    for contraction, expansion in _EXPANSIONS:
        words = contraction.sub(expansion, words)
    known = content_words(simplified(question))
    clauses = [_bare(clause) for clause in _CLAUSE_ENDS.split(words)]
    found = {_read(clause, known) for clause in clauses if clause}
    if _Clause.NEGATION in found and not _asks_yes_or_no(question if asked is None else asked):
        found = found - {_Clause.NEGATION} | {_Clause.DECLINES}
    return _Clause.DECLINES in found and found <= {_Clause.DECLINES, _Clause.REASON}


def subject(question: Question) -> str:
    """What a question of the bank is about, in its own words."""
    return " ".join((question.text, *question.key_points, *question.follow_ups))


def _asks_yes_or_no(asked: str) -> bool:
    return bool(_YES_OR_NO.search(asked.lower()) or _YES_OR_NO_ZH.search(asked))


def _bare(clause: str) -> str:
    """A clause without what is said before or beside it; nothing of one that is only polite."""
    said = _INTRODUCED.sub("", " ".join(_FILLED.sub("", clause).split()))
    return "" if said == "no" or _POLITE_ZH.fullmatch(said) else said


def _read(clause: str, asked: Set[str]) -> _Clause:
    if _NEGATION.fullmatch(clause) or _NEGATION_ZH.fullmatch(clause):
        return _Clause.NEGATION
    if _declines(clause, asked) or _declines_in_chinese(clause, asked):
        return _Clause.DECLINES
    topic = clause.split(" ", 1)[0] in _QUESTION_WORDS and _asked_about(clause, asked)
    if topic or _is_empty(clause) or _REASON.fullmatch(clause) or _REASON_ZH.fullmatch(clause):
        return _Clause.REASON
    return _Clause.SAYS


def _declines(clause: str, asked: Set[str]) -> bool:
    if (unknown := _UNKNOWN.match(clause)) and _asked_about(clause[unknown.end() :], asked):
        return True
    if (more := _NO_MORE.match(clause)) and _is_empty(clause[more.end() :]):
        return True
    of_it = _OF_IT.search(clause)
    if of_it and _is_empty(clause[of_it.end() :]) and _asked_about(clause[: of_it.start()], asked):
        return True
    return _FIELD.fullmatch(clause) is not None


def _is_empty(text: str) -> bool:
    return all(word in _EMPTY for word in text.split())


def _asked_about(text: str, asked: Set[str]) -> bool:
    """Whether it says nothing, or is what was asked about."""
    words = text.split()
    telling = [word for word in words if word not in _EMPTY]
    if not telling:
        return True
    if not _STRESSED.isdisjoint(words):
        return False
    known = [word for word in telling if not content_words(word).isdisjoint(asked)]
    first = next(word for word in words if word not in {"about", "of"})
    if first in _QUESTION_WORDS:
        return 2 * len(known) >= len(telling)
    return all(word in known for word in _noun(words))


def _noun(words: Sequence[str]) -> list[str]:
    """The noun itself, without what follows it: "force" of "any force at work"."""
    start = next(place for place, word in enumerate(words) if word not in _EMPTY)
    end = next(
        (place for place in range(start, len(words)) if words[place] in _DESCRIBING), len(words)
    )
    return [word for word in words[start:end] if word not in _EMPTY]


def _declines_in_chinese(clause: str, asked: Set[str]) -> bool:
    if _CHINESE.fullmatch(clause) or _FIELD_ZH.fullmatch(clause):
        return True
    match = _CHINESE_OF.fullmatch(clause)
    pairs = content_words("".join(noun or "" for noun in match.groups())) if match else frozenset()
    return bool(pairs) and 2 * len(pairs & asked) >= len(pairs)
