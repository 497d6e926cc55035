"""Words and phrases that say whether a speaker has more to say, in English and in Chinese.

Collected from grammars of spoken language (fillers, discourse markers, closed word classes), not
from the answers that judge.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cues:
    """One language's cues; the patterns are searched in lower-case text without end marks.

    Attributes:
        fillers: A text that ends with one of these hesitates.
        dangling: A text that ends with one of these cannot be complete.
        elliptical: A text that ends so is complete though its last word dangles: "than it was".
        leaning: A text that ends with one of these is seldom complete.
        thinking: Ends with the speaker asking for time.
        announcing: A last sentence that promises another.
        declining: A last sentence that says that there is no answer.
        closing: A last sentence or clause that says nothing but that this was all.
        concluding: A last sentence that sums up, or tells how things came out.
        opening: A last sentence that begins so and has one clause only is half of a sentence.
        yes_no: A text that begins so answers a closed question.
        count: Announces so many things; group "n" says how many.
        ordinals: What introduces the first, second and third of several things.
        last_ordinal: What introduces the last of several things.
    """

    fillers: re.Pattern[str]
    dangling: re.Pattern[str]
    elliptical: re.Pattern[str]
    leaning: re.Pattern[str]
    thinking: re.Pattern[str]
    announcing: re.Pattern[str]
    declining: re.Pattern[str]
    closing: re.Pattern[str]
    concluding: re.Pattern[str]
    opening: re.Pattern[str]
    yes_no: re.Pattern[str]
    count: re.Pattern[str]
    ordinals: tuple[re.Pattern[str], ...]
    last_ordinal: re.Pattern[str]


_NEVER = re.compile(r"(?!)")


def _last_words(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|[^\w'’])(?:{words})$")


def _within(phrases: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|[^\w'’])(?:{phrases})(?![\w'’])")


def _first_words(words: str) -> re.Pattern[str]:
    return re.compile(rf"^(?:{words})(?![\w'’])")


def _whole(lead: str, core: str, tail: str) -> re.Pattern[str]:
    """A sentence that is nothing else; it may say so twice: "so yeah, that's it"."""
    once = f"(?:{lead})*(?:{core})(?:{tail})*"
    return re.compile(rf"^{once}(?:[, ]+{once})?$")


_EN_PRONOUN = "i|we|he|she|they"
_EN_DANGLING = (
    "and|or|but|because|cause|nor|plus|although|though|while|whereas|unless|if|whether|as|than|"
    # Determiners and possessives.
    "a|an|the|my|your|our|their|its|every|another|some other|these|those|whose|"
    # Prepositions that nearly always take something after them.
    "of|at|from|into|onto|upon|per|by|during|without|within|towards?|among|against|"
    "via|despite|like a|such as|instead of|because of|"
    # Subjects and what is contracted to them.
    f"{_EN_PRONOUN}|i'm|we're|they're|you're|he's|she's|it's|that's|there's|what's|who's|let's|"
    "i've|we've|they've|i'd|we'd|they'd|i'll|we'll|there was|there were|there is|there are|"
    # Verbs that take something after them.
    "is|are|was|were|am|be|been|being|means|meant|makes|let|say|"
    "which|who|very|really|quite|most|especially|mostly|mainly|usually|basically|just|"
    "(?:and|so|but|because|that|if|when) (?:then|now|there|it|this|that)|"
    "(?:want|wanted|like|able|going|had|have|has|try|tried|used|need|needed|decided|started|began|"
    "asked (?:me|him|her|them)|order) to|for example|for instance|first of all|second|secondly|"
    "third|thirdly|finally|and then|even|only|kind of|sort of|you know|i mean|in fact"
)
_EN_LEANING = (
    "so|to|in|on|for|with|about|over|before|after|since|until|when|where|what|how|why|that|it|this|"
    "have|had|has|do|did|does|can|could|will|would|should|may|might|must|not|one|two|three|"
    "you|then|more|too|between|through|i think|i guess|"
    "said|told|asked|thought|noticed|found|saw|well|actually|also|maybe|perhaps|probably|like"
)

_EN_CLOSING_LEAD = (
    r"(?:so|and|but|well|yeah|yep|yes|okay|ok|right|um|uh|basically|i think|i guess|i mean),? "
)
_EN_CLOSING = (
    r"(?:that(?:'s| is| was|'d be| would be|'ll be| will be)|this is)"
    r" (?:(?:basically|pretty much|really|about|more or less|probably|just) )?"
    r"(?:all|it|everything|me|what (?:i|we) did"
    r"|my (?:answer|story|background|example)|the (?:whole )?story)"
    r"|that's about the size of it|(?:i'm|i am) (?:all )?(?:done|finished)|done"
    r"|(?:i'll|i will|let me) (?:stop|end|leave it)(?: it)? (?:here|there|at that)"
    r"|over to you|back to you|end of story|nothing (?:else|more)(?: to (?:add|say))?"
    r"|nothing to add|that's all i (?:have|had|wanted to say|can say|know)"
    r"|(?:i )?hope (?:that|this) answers (?:it|that|your question)"
    r"|does that answer (?:it|that|your question)"
    r"|(?:thank you|thanks)(?: (?:very much|so much|a lot|for (?:listening|your time|having me)))*"
    r"|yeah|so,? (?:yeah|yes)|something like that|and so on|(?:things|stuff) like that|let's go"
)
_EN_CLOSING_TAIL = (
    r",? (?:from me|for now|from my side|i guess|i think|really|basically|i'd say|here|now|yeah"
    r"|thanks|thank you)"
)

ENGLISH = Cues(
    fillers=_last_words("u+m+|u+h+|e+r+|e+rm|h+m+|m+|ah+|eh|uhm"),
    dangling=_last_words(_EN_DANGLING),
    elliptical=_last_words(
        r"(?:than|as|how|what|where|who|whatever|the way) (?:[\w'’]+ ){1,3}(?:is|are|was|were|am)"
    ),
    leaning=_last_words(_EN_LEANING),
    thinking=_last_words(
        "let me (?:think|see)(?: for a (?:second|moment))?|let's see|"
        "how (?:can|should|do) i (?:put|say) "
        "(?:it|that|this)|what's the word|(?:give me|just|one) a? ?(?:second|moment|minute)|"
        "(?:that's a )?(?:good|tough|hard|difficult|interesting) question|where was i|"
        "it depends|that depends|yes and no|hold on"
    ),
    announcing=_within(
        "for example|for instance|an example|one example|here's (?:what|how|why)|it (?:went|goes) "
        "like this|i'll (?:tell|give|explain|show)|let me (?:tell|give|explain|start|begin)|"
        "there (?:was|were|is|are) (?:this|a|an|one|two|three|four|some|several)|"
        "(?:i|we) had the problem|the problem was|i remember|one of (?:them|those|the)|"
        "(?:i|we) did (?:two|three|several|a few) things|what happened was|"
        "it was (?:a|an|last|in|on|"
        "at|about)|that was (?:last|at|in|on|when)|i once|last (?:year|spring|summer|autumn|fall|"
        "winter|month|week)|(?:two|three|four|five|some|a few) years ago|imagine|at first|"
        "in the beginning|to begin with|i(?:'d| would) start|i start"
    ),
    declining=_within(
        "i don't know(?! much)|i do not know|no idea|i'm not sure|i can't (?:remember|say|think)|"
        "i don't (?:remember(?! the details| names)|recall|think so|have (?:one|any))|"
        "nothing comes to mind|i dunno|idk|not a clue|i haven't a clue|beats me|i forgot$|"
        # "I called and said sorry" tells a story.
        "(?:never|not) heard of|(?<![a-z] )sorry|i'm sorry|i'd have to pass|let's skip"
    ),
    closing=_whole(_EN_CLOSING_LEAD, _EN_CLOSING, _EN_CLOSING_TAIL),
    concluding=_within(
        "since then|ever since|from then on|in the end|at the end of the day|finally|eventually|"
        "nowadays|these days|today|now|as a result|that way|what i(?:'ve)? learned|"
        "i(?:'ve)? learned|"
        "the lesson|looking back|it (?:all )?worked|overall|it turned out|turned out|after that|"
        "it pays off|i(?:'d| would) do it (?:again|the same)|still|always|never|ever|again|"
        "i liked that|i could live with that|everybody|everyone|nobody|at the moment|in total|"
        "altogether|afterwards|"
        "later|instead|much (?:better|faster|easier)|better|solved|fixed"
    ),
    opening=_first_words(
        "(?:and |so |but |then )*(?:when|whenever|if|because|although|though|while|once|as soon as|"
        "since|before|after|as|unless|until|instead of|in order to|to|by|with|without|for)"
    ),
    yes_no=_first_words(
        "(?:well |um |uh |oh )*(?:yes|yeah|yep|no|nope|sure|of course|absolutely|not)"
    ),
    count=_within(
        "(?P<n>two|three|four|five|several|some|a few|a couple of) "
        "(?:main |big |important |simple )?"
        "(?:reasons?|things?|ways?|points?|steps?|questions?|parts?|kinds?|options?|aspects?|types?|"
        "rules?|methods?|topics?|examples?|phases?|projects?)"
    ),
    ordinals=(
        _within("first|firstly|first of all|the first|one is|to begin with|on the one hand"),
        _within("second|secondly|the second|next|the other|another|then|on the other hand|also"),
        _within("third|thirdly|the third"),
        _within("fourth|the fourth"),
    ),
    last_ordinal=_within("finally|lastly|last but not least|and last|the last|on the other hand"),
)

_ZH_DANGLING = (
    "和|跟|与|以及|或者|还是|但是|但|可是|不过|因为|由于|所以|于是|然后|接着|就是|就是说|也就是|比如|比如说|例如|像|"
    "如果|假如|要是|虽然|尽管|而且|并且|另外|还有|此外|首先|其次|第一|第二|第三|最后|一方面|另一方面|"
    "一个|一些|一种|一位|一家|这个|那个|这种|那种|某个|每个|在|把|被|给|从|向|往|由|让|使|为|为了|关于|按照|根据|"
    "是|应该|需要|必须|主要|主要是|特别是|尤其是|的时候|之后|以后|之前|以前|一开始|当时|后来|"
    "我|我们|也|都|就|才|还|又|再|很|非常|最|更|比较|特别|太|有点|一般|通常|其实|"
    "觉得|认为|发现|告诉我|告诉他|写着|变成|负责|差不多|大概|只|只有|一直|我觉得|我想|我认为|而是|而不是"
)
_ZH_LEANING = (
    "用|对|要|想|会|能|可能|说|问|先|叫|你|他|她|它|你们|他们|她们|大家|"
    "自己|的|地|得|有|到|做|可以|时候|去|来|等|好|上|里|下|完|过|那|这|嘛|每次|每天|以|会先"
)

_ZH_CLOSING_LEAD = (
    "嗯|呃|好的?|那么?|所以|我觉得|我想|大概|差不多|基本上?|暂时|目前|先|也|对|行|以上|[, ]"
)
_ZH_CLOSING = (
    "就?(?:这些|这样子?|是这些|是这样子?|酱)|就是这么(?:多|些|回事)"
    "|我?的?(?:回答|介绍|情况)?(?:说|讲|答|介绍|回答)?(?:完毕|完[了啦]|好了)"
    "|我?的?(?:回答|介绍|情况)?(?:就|先)*(?:说|讲)?到(?:这里|这儿|此|此为止)(?:为止)?"
    "|以上(?:就是)?(?:我的)?(?:回答|介绍|情况|全部)?|这就是我的?(?:回答|介绍|情况|想法|看法|经历|故事)"
    "|(?:就|先)*想到这些|没有?了|没(?:有其他|有?别|有?什么)的?(?:问题|要?补充的?|要说的)?"
    "|没有问题|没问题|仅此而已|谢谢(?:您|你们?|老师|面试官|大家)?|开始吧"
)
_ZH_CLOSING_TAIL = "吧|了|啦|呢|哈|老师|谢谢|[, ]"

CHINESE = Cues(
    fillers=re.compile(r"(?:嗯+|呃+|额+|唔+|啊这|那个那个|这个这个|就是那个)$"),
    dangling=re.compile(rf"(?:{_ZH_DANGLING})$"),
    elliptical=_NEVER,
    leaning=re.compile(rf"(?:{_ZH_LEANING})$"),
    thinking=re.compile(
        r"(?:(?:让|容)?我(?:先)?(?:想|想想|想一想|想一下|考虑一下|看看|看一下|回忆一下)|怎么说(?:呢|好呢)?|"
        r"等一下|等等|稍等(?:一下)?|要看情况|这个问题(?:很|挺)?(?:好|难)|不好说|看情况)$"
    ),
    announcing=re.compile(
        r"比如|例如|举个例子|举一个例子|有一次|有一个|有一位|我记得|那次|当时|一开始|刚开始|我(?:曾经|以前)|去年|前年|今年|"
        r"上个月|(?:一|两|三|几)年前|情况是这样|事情是这样|是这样的|首先|我先|我会先|问题是|原来"
    ),
    declining=re.compile(
        r"不知道|不清楚|不太清楚|不了解|没听说过|想不起来|记不清|不记得|没有想过|(?<![说了声])(?:抱歉|不好意思)|没用过"
    ),
    closing=_whole(_ZH_CLOSING_LEAD, _ZH_CLOSING, _ZH_CLOSING_TAIL),
    concluding=re.compile(
        r"从那以后|从此|最后|最终|结果|后来|现在|总之|总的来说|所以|学到|体会|收获|到现在|终于|解决|成功|以后每|每次|"
        r"一直|再也|都会|而且没有|可以接受|很喜欢|值得|更|好了|变"
    ),
    opening=re.compile(
        r"^(?:但是|不过|所以|然后|而且)?(?:因为|由于|虽然|尽管|如果|要是|当|为了|不但|不仅|除了|一方面|"
        r"(?:[^,，]{0,12}(?:的时候|以后|之后|以前|之前)$))"
    ),
    yes_no=re.compile(
        r"^(?:嗯|呃|啊)*[，,]?(?:是的?|对|有的?|没有|没|可以|能|不|好的?|行|会|用过|准备好|当然|听得|清楚|愿意|习惯)"
    ),
    count=re.compile(
        r"(?P<n>两|二|三|四|五|几)(?:个|点|种|方面|件|步|条|类)(?:主要)?(?:的)?(?:原因|方法|办法|方面|理由|问题|事情|事|步骤|"
        r"部分|阶段|建议|例子|项目|特点|好处)?"
    ),
    ordinals=(
        re.compile(r"首先|第一|一是|一方面"),
        re.compile(r"其次|第二|二是|另一方面|然后|接着|再|另外|另一个"),
        re.compile(r"第三|三是"),
        re.compile(r"第四"),
    ),
    last_ordinal=re.compile(r"最后|另一方面"),
)

NUMBERS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "several": 2, "some": 2, "a few": 2,
    "a couple of": 2, "两": 2, "二": 2, "三": 3, "四": 4, "五": 5, "几": 2,
}  # fmt: skip
