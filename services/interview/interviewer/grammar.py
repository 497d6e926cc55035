"""Whether a line is built like a question, without a parser.

English questions have a fixed frame: a question word, an auxiliary, a subject, a verb in its base
form. Small models leave it in a few known ways, and those are looked for.
"""

from __future__ import annotations

import re
from itertools import pairwise

from services.interview.interviewer.words import is_chinese

_AUXILIARIES_WORDS = """
    do does did can could will would should is are was were have has had might may must
"""
_AUXILIARIES = frozenset(_AUXILIARIES_WORDS.split())
_DO_WORDS = """
    do does did can could will would should might may must
"""
_DO = frozenset(_DO_WORDS.split())
_QUESTION_WORDS_WORDS = """
    how what why when where which who whom whose
"""
_QUESTION_WORDS = frozenset(_QUESTION_WORDS_WORDS.split())
_SUBJECTS_WORDS = """
    i you he she it we they that this there
"""
_SUBJECTS = frozenset(_SUBJECTS_WORDS.split())
_DETERMINERS_WORDS = """
    the a an your my his her its our their these those
"""
_DETERMINERS = frozenset(_DETERMINERS_WORDS.split())
_NOT_VERBS_WORDS = """
    of to and or but in on at by with from for is are was were am been being did does do you i
    he she we they me him them us if than as because your yours mine into about
"""
_NOT_VERBS = _DETERMINERS | frozenset(_NOT_VERBS_WORDS.split())
_BASE_IN_ED_WORDS = """
    need feed speed embed proceed succeed exceed seed breed shed wed bleed lead read heed
"""
_BASE_IN_ED = frozenset(_BASE_IN_ED_WORDS.split())
_NO_LAST_WORDS = """
    the a an and or but your my his her its our their because if than as is are was were am be
    very so which who when while although i he she we they not do does did can could would
    will
"""
_NO_LAST = frozenset(_NO_LAST_WORDS.split())
_ADVERBS_WORDS = """
    first then finally usually normally really actually also ever still always often even
"""
_ADVERBS = frozenset(_ADVERBS_WORDS.split())
_CHINESE_ASKS = re.compile(
    r"什么|怎么|怎样|如何|为什么|哪|谁|吗|呢|多少|几|是否|能不能|有没有|会不会|是不是"
)


def well_formed(question: str) -> bool:
    """Whether a question may be spoken as it stands."""
    if is_chinese(question):
        return bool(_CHINESE_ASKS.search(question)) and not _stutters(list(question))
    if re.search(r"[.!:;]\s|\.\.|…|--|\s[,.]", question) or question.count('"') % 2:
        return False
    words = re.findall(r"[a-z0-9][a-z0-9'+#.-]*", question.lower().rstrip("?").strip())
    if len(words) < 2 or words[-1] in _NO_LAST or _stutters(words):
        return False
    if words.count("how") > 1 or "would you like" in question.lower():
        return False  # "How would you describe how you would …", "How would you like to be …"
    first = words[0]
    if first in _QUESTION_WORDS:
        return _asks(words)
    return first in _AUXILIARIES and _clause(words, 0)


def _asks(words: list[str]) -> bool:
    """A question word, then soon an auxiliary, or the verb of "what made you …"."""
    place = next((i for i, word in enumerate(words[1:7], 1) if word in _AUXILIARIES), None)
    if place is None:
        return words[0] in {"what", "which", "who"} and words[1] not in _NOT_VERBS
    measure = words[0] == "how" and words[1] not in _NOT_VERBS | _SUBJECTS
    if words[0] in {"how", "why", "when", "where"} and place > 1 and not measure:
        return False  # "How the team did"; "how much time did" is fine
    return _clause(words, place)


def _clause(words: list[str], at: int) -> bool:
    """An auxiliary at `at`, its subject and, after "do" and modals, a verb in its base form."""
    auxiliary, rest = words[at], words[at + 1 :]
    if not rest:
        return False
    if auxiliary not in _DO:
        return rest[0] not in {"of", "to", "and", "or"}
    if rest[0] in _NOT_VERBS - _DETERMINERS - _SUBJECTS:
        return False
    if rest[0] not in _SUBJECTS:
        # "did the team agree", "did your manager say"; "what would happen" has no subject there.
        return len(rest) >= (3 if rest[0] in _DETERMINERS else 1)
    verbs = [word for word in rest[1:3] if word not in _ADVERBS]
    return bool(verbs) and _base_form(verbs[0])


def _base_form(word: str) -> bool:
    if word in _NOT_VERBS - {"do"}:
        return False
    if word.endswith("ing") and word not in {"bring", "sing", "ring", "swing", "string"}:
        return False
    return not (word.endswith("ed") and word not in _BASE_IN_ED)


def _stutters(words: list[str]) -> bool:
    if any(one == other for one, other in pairwise(words)):
        return True
    trigrams = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    return len(set(trigrams)) < len(trigrams)
