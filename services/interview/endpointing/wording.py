"""What the words say about whether an answer is over."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from services.interview.endpointing.cues import CHINESE, ENGLISH, NUMBERS, Cues
from services.interview.simplified import simplified

_HAN = re.compile(r"[\u3400-\u9fff]")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+|(?<=[。？！])")
_WORD = re.compile(r"[A-Za-z0-9'’]+")
_CLAUSE = re.compile(r"[,，;；:：—]\s*")
_FINAL_MARKS = ".?!。？！"
_OPEN_MARKS = ",，、;；:：-—–…"
_STRIPPED = _FINAL_MARKS + _OPEN_MARKS + "\"'“”‘’()（） \t\n"
CHARACTERS_A_WORD = 1.6
"""Chinese characters that say as much as an English word."""
_ITEM_WORDS = 4.0
"""Words that one of several announced things has at least."""
_FRAGMENT_WORDS = 2.0
"""A last sentence of so few words, in a longer answer, may be the beginning of another."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What stands in an answer so far; every flag is about its end unless it says otherwise.

    Attributes:
        words: How many words it has; of Chinese, as many English ones as say as much.
        sentences: How many sentences it has, the last one included, finished or not.
        sentence_words: How many words its last sentence has, and
        clause_words: what stands behind the last comma of that.
        final_mark: Ends like a finished sentence, by the recogniser's punctuation.
        open_mark: Ends with a comma, a dash or dots.
        filler: "um", "嗯".
        dangling: A word that needs another: "because", "the", "因为".
        leaning: A word that mostly needs another: "so", "to", "的".
        repeated: The same word twice: a restart.
        thinking: "let me think", "怎么说呢".
        half: A subordinate clause without its main clause.
        fragment: A word or two after the end of a sentence.
        enumerating: Of the things announced some are still to come.
        enumerated: The last of the things announced has been told.
        announcing: A last sentence that promises another.
        declining: The last sentence says there is no answer: "I don't know".
        closing: The last sentence, or what stands behind its last comma, is nothing but "that's
            it", "就这些".
        concluding: A last sentence that tells how things came out.
        yes_no: The whole answer begins with yes or no.
    """

    words: float
    sentences: int
    sentence_words: float
    clause_words: float
    final_mark: bool
    open_mark: bool
    filler: bool
    dangling: bool
    leaning: bool
    repeated: bool
    thinking: bool
    half: bool
    fragment: bool
    enumerating: bool
    enumerated: bool
    announcing: bool
    declining: bool
    closing: bool
    concluding: bool
    yes_no: bool

    @property
    def unfinished(self) -> bool:
        """Whether more must come, by the words alone."""
        return self.filler or self.dangling or self.repeated or self.thinking


def read(text: str, language: str) -> Wording:
    """Reads an answer so far.

    Args:
        text: As recognised; without words it counts as unfinished.
        language: BCP 47 tag, where the text itself does not tell.
    """
    # The cues are in simplified characters, whatever the interview is written in.
    text = simplified(unicodedata.normalize("NFKC", text)).replace("。", ".").strip()
    chinese = bool(_HAN.search(text)) or (not text and language.lower().startswith("zh"))
    cues = CHINESE if chinese else ENGLISH
    sentences = [part for part in _split(text, chinese=chinese) if count_words(part)]
    last = _bare(sentences[-1]) if sentences else ""
    whole = _bare(text)
    filler = cues.fillers.search(last) is not None
    # What stood before a filler says more than the filler does.
    content = _bare(cues.fillers.sub("", last)) or last
    last_words = count_words(last)
    clauses = [clause for clause in _CLAUSE.split(last) if clause.strip()]
    half = cues.opening.search(last) is not None and len(clauses) <= 1
    enumerating, enumerated = _enumeration(whole, last, cues)
    dangling = cues.dangling.search(content) is not None and cues.elliptical.search(content) is None
    return Wording(
        words=count_words(text),
        sentences=len(sentences),
        sentence_words=last_words,
        clause_words=count_words(clauses[-1]) if clauses else 0.0,
        final_mark=text[-1:] in _FINAL_MARKS and text != "" and not text.endswith(("...", "..")),
        open_mark=(text[-1:] in _OPEN_MARKS and text != "") or text.endswith(".."),
        filler=filler or not whole,
        dangling=dangling,
        leaning=not dangling and cues.leaning.search(content) is not None,
        repeated=_repeated(content, chinese=chinese),
        thinking=cues.thinking.search(content) is not None,
        half=half,
        fragment=len(sentences) > 1 and last_words <= _FRAGMENT_WORDS,
        enumerating=enumerating,
        enumerated=enumerated,
        announcing=cues.announcing.search(last) is not None,
        declining=cues.declining.search(last) is not None,
        closing=cues.closing.search(last) is not None
        or (len(clauses) > 1 and cues.closing.search(_bare(clauses[-1])) is not None),
        concluding=cues.concluding.search(last) is not None,
        yes_no=cues.yes_no.search(whole) is not None,
    )


def count_words(text: str) -> float:
    """Words of a text; of Chinese, as many English ones as say as much."""
    return len(_WORD.findall(text)) + len(_HAN.findall(text)) / CHARACTERS_A_WORD


def _split(text: str, *, chinese: bool) -> list[str]:
    if chinese:
        return re.split(r"(?<=[.?!])", text)
    return _SENTENCE_END.split(text)


def _bare(text: str) -> str:
    return text.lower().replace("’", "'").strip(_STRIPPED)


def _repeated(text: str, *, chinese: bool) -> bool:
    if chinese:
        return False
    words = _WORD.findall(text)
    return len(words) > 1 and words[-1] == words[-2]


def _enumeration(whole: str, last: str, cues: Cues) -> tuple[bool, bool]:
    """Whether announced things are still to come, and whether the last of them has been told."""
    begun = [index for index, ordinal in enumerate(cues.ordinals) if ordinal.search(whole)]
    told = max(begun, default=-1) + 1
    announced = cues.count.search(whole)
    promised = NUMBERS[announced["n"]] if announced else 2 if 0 in begun else 0
    if not promised:
        return False, False
    ending = cues.last_ordinal.search(whole)
    reached = told >= promised or ending is not None
    if not reached:
        return True, False
    markers = [*cues.ordinals[promised - 1 : promised], cues.last_ordinal]
    places = [match.end() for marker in markers if (match := marker.search(last))]
    if places and count_words(last[max(places) :]) < _ITEM_WORDS:
        return True, False
    return False, True
