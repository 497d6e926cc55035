"""An utterance as words and clauses: annotations, fillers and signs of listening told apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.interview.simplified import simplified
from services.interview.understanding.chat import spelled_out

_ANNOTATION = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|（[^（）]*）|【[^【】]*】|\*[^*]+\*|[♪♫]+")
"""What Whisper writes for sounds that are no speech."""
_LAUGHTER = re.compile(r"laugh|chuckl|giggl|笑")
_DRAWN_OUT = re.compile(r"([^\W\d]{1,2}?)\1{3,}")
"""A sound on and on. It means what it means three times, and costs the patterns less."""
_CLAUSE_ENDS = re.compile(r"[.?!,;:…—。？！，；：、]+|\s[-–]+\s")
_HYPHEN = re.compile(r"(?<![\s-])-|-(?![\s-])")
"""Unlike a dash it has no blanks on both sides."""
_LETTER = r"(?:(?![\u4e00-\u9fff])[^\W_])"
_WORD = re.compile(rf"{_LETTER}+(?:'{_LETTER}+)*|[\u4e00-\u9fff]")
"""Of any script: who answers in Russian says something, too."""
_INVENTED = re.compile(
    r"(?:thanks?(?: you)?(?: so much| very much)? for watching"
    r"|(?:please )?(?:like and )?subscribe(?: to (?:my|our|the) channel)?"
    r"|subtitles? (?:made )?by(?: \w+){1,4}|(?:\w+ ){0,4}amara org(?: \w+){0,2}"
    r"|see you (?:in the )?next (?:time|video)|(?:bye ?)+"
    r"|(?:谢谢|感谢)(?:大家)?(?:的)?(?:观看|收看|收听|聆听)|请不吝点赞.{0,20}|.{0,12}明镜.{0,4}栏目"
    r"|(?:中文)?字幕(?:由.{1,14}(?:提供|制作)|(?:提供|制作人?|志愿者)[^我是的]{0,14}| by .{1,14})?"
    r"|(?:请|欢迎)?(?:大家)?(?:点赞)?订阅(?:我|我们|本|这个)?的?频道)"
)
"""Credits from Whisper's training data, which it writes for noise and silence. Whole ones alone:
an answer may begin like one."""
_EXPANSIONS = (
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"\b(that|what|it|there|here|he|she|who|where|someone|somebody)'s\b"), r"\1 is"),
)

_VOCAL = re.compile(
    r"m+h+m+|m{2,}|h+m+|u+h+|u+m+|e+r+m?|a+h+|o+h+|aha+|uhhuh|huh|mhm|w+o+w+|(?:ha)+h?|(?:he)+h?"
    r"|ooh+|tsk|oof|ugh|ahem|achoo|phew"
)
_LAUGH = re.compile(r"(?:ha)+h?|(?:he){2,}h?|heh|[哈呵嘿]")
_SOUND = re.compile(r"tsk|oof|ugh|ahem|achoo|phew")
"""Whisper's words for throats and breath."""
_LISTENING = re.compile(
    r"(?:that )?makes(?: total| perfect)? sense|i see|(?:i )?got it|gotcha|sounds good|understood"
    r"|thank you(?: very much| so much)?|thanks|all right|alright|no (?:problem|worries)"
    r"|i understand|that is okay|okay|ok|right"
)
_AGREEING = re.compile(
    r"yeah|yep|yes|yup|sure(?: thing)?|of course|absolutely|definitely|certainly|totally"
    r"|exactly|true|correct|indeed|fair enough|good point|i know"
    r"|that is (?:right|true|great|good|fine|interesting)|very|really"
    r"|good|great|cool|nice|fine|interesting|perfect|wonderful|awesome"
)
"""These listen while somebody speaks, and answer where an answer is expected."""
_LISTENING_ZH = re.compile(
    r"明白了?|知道了?|了解了?|懂了|原来如此|原来是这样|没问题|好的?(?:呀|啊|吧)?|嗯哼?|哦|噢|喔|呃|额|啊|哎|唔|嘿"
    r"|谢谢|行|不错|有道理|这样啊|ok"
)
_AGREEING_ZH = re.compile(r"是的?|对的?|没错|当然|可以")
_INTERRUPTS = frozenset(
    {"stop", "wait", "no", "sorry", "excuse", "actually", "but", "question", "pause", "hello"}
    | {"listen", "however", "pardon", "hold", "hang"}
)
"""Words that take the floor by themselves."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said.

    Attributes:
        words: English words in lower case, contractions written out; Chinese character by
            character.
        clauses: The same, cut at punctuation; each a string with spaces between English words.
        contents: The words that are no sign of listening, laughter or hesitation.
        chinese: Whether half of it and more is in Chinese characters.
        laughs: Whether somebody laughs.
        agrees: Whether it says "yes", "exactly", "great" or the like somewhere.
        asks: Whether it ends with a question mark.
        invented: Whether the recogniser made it up.
    """

    words: tuple[str, ...]
    clauses: tuple[str, ...]
    contents: tuple[str, ...]
    chinese: bool
    laughs: bool
    agrees: bool
    asks: bool
    invented: bool

    @property
    def interrupts(self) -> bool:
        """Whether a word of it takes the floor by itself."""
        return not _INTERRUPTS.isdisjoint(self.contents)


def read(text: str) -> Utterance:
    """Reads text that was recognised, or typed."""
    annotations = "".join(_ANNOTATION.findall(text)).lower()
    spoken = _ANNOTATION.sub(" ", text).lower().replace("’", "'")
    spoken = _HYPHEN.sub("", spoken)
    spoken = _DRAWN_OUT.sub(r"\1\1\1", spelled_out(simplified(spoken)))
    for contraction, expansion in _EXPANSIONS:
        spoken = contraction.sub(expansion, spoken)
    clauses = tuple(
        joined(words) for part in _CLAUSE_ENDS.split(spoken) if (words := words_of(part))
    )
    return _utterance(
        clauses,
        laughs=bool(_LAUGHTER.search(annotations)),
        asks=spoken.rstrip().endswith(("?", "？")),
    )


def _utterance(clauses: tuple[str, ...], *, laughs: bool, asks: bool) -> Utterance:
    words = tuple(word for clause in clauses for word in words_of(clause))
    hanzi = sum(is_hanzi(word) for word in words)
    contents, agrees = _contents(joined(words))
    return Utterance(
        words=tuple(word for word in words if not _SOUND.fullmatch(word)),
        clauses=clauses,
        contents=contents,
        chinese=2 * hanzi >= len(words) > 0,
        laughs=laughs or any(_LAUGH.fullmatch(word) for word in words),
        agrees=agrees,
        asks=asks,
        invented=bool(_INVENTED.fullmatch(joined(words))),
    )


def kept(utterance: Utterance, words: Sequence[str]) -> Utterance:
    """The utterance with these words alone."""
    clauses = (joined(words),) if words else ()
    return _utterance(clauses, laughs=utterance.laughs, asks=utterance.asks)


def words_of(text: str) -> list[str]:
    """The words of text that is in lower case already."""
    return _WORD.findall(text)


def is_hanzi(word: str) -> bool:
    """Whether the word is a Chinese character."""
    return "\u4e00" <= word[0] <= "\u9fff"


def joined(words: Sequence[str]) -> str:
    """Words as text: spaces between English words, none between Chinese characters."""
    text = ""
    for word in words:
        apart = text and not (is_hanzi(word) and is_hanzi(text[-1]))
        text += f" {word}" if apart else word
    return text


_SIGNS = re.compile(rf"\b(?:(?P<yes>{_AGREEING.pattern})|{_LISTENING.pattern}|{_VOCAL.pattern})\b")
_SIGNS_ZH = re.compile(rf"(?P<yes>{_AGREEING_ZH.pattern})|{_LISTENING_ZH.pattern}|[哈呵嘿]")


def _contents(text: str) -> tuple[tuple[str, ...], bool]:
    """The words of an utterance that are no sign of listening; whether it agrees.

    Chinese signs count only where nothing else is said: their characters are parts of other words.
    """
    agrees = any(match["yes"] for match in _SIGNS.finditer(text))
    rest = words_of(_SIGNS.sub(" ", text))
    hanzi = "".join(word for word in rest if is_hanzi(word))
    if hanzi and re.fullmatch(f"(?:{_SIGNS_ZH.pattern})+", hanzi):
        agrees = agrees or any(match["yes"] for match in _SIGNS_ZH.finditer(hanzi))
        rest = [word for word in rest if not is_hanzi(word)]
    return tuple(rest), agrees
