"""Topics by their name in the language of the questions: "docker" among Chinese ones is 部署.

Where no model that reads both languages embeds, questions are found by the words they share with
a topic, and two scripts share none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from services.interview.authored import read_authored
from services.interview.interviewer.personas import primary
from services.interview.simplified import simplified

_TOPICS = Path(__file__).parent / "topics.yaml"
_LONGEST = 3
"""Words of an English term."""
_WORD = re.compile(r"[a-z0-9][a-z0-9+#/-]*", re.ASCII)


def in_language(query: str, language: str) -> str:
    """A query with the topics that are named in the bank's other language named in this one."""
    query = simplified(query)
    match primary(language):
        case "zh":
            return _in_chinese(query)
        case "en":
            return _in_english(query)
        case _:
            return query


def _in_chinese(query: str) -> str:
    terms = _chinese_terms()
    small = query.lower()
    words = [match.span() for match in _WORD.finditer(small)]
    parts: list[str] = []
    done = at = 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            start, end = words[at][0], words[at + length - 1][1]
            term = terms.get(_singular(" ".join(small[start:end].split())))
            if term is not None:
                parts += [query[done:start], term]
                done, at = end, at + length
                break
        else:
            at += 1
    return "".join((*parts, query[done:]))


def _in_english(query: str) -> str:
    names = _english_names()
    return names[0].sub(lambda found: f" {names[1][found[0]]} ", query).strip()


@cache
def _topics() -> Mapping[str, list[str]]:
    topics: Mapping[str, list[str]] = read_authored(_TOPICS)
    return topics


@cache
def _chinese_terms() -> Mapping[str, str]:
    return {_singular(name): term for term, names in _topics().items() for name in names}


@cache
def _english_names() -> tuple[re.Pattern[str], Mapping[str, str]]:
    names = {term: names[0] for term, names in _topics().items()}
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile("|".join(longest_first)), names


def _singular(term: str) -> str:
    return term[:-1] if len(term) > 3 and term.endswith("s") and not term.endswith("ss") else term
