"""Whether the bank's technical questions fit a position, by the words of its title.

Titles are short: a word that only one craft has ("nurse", "backend", 会计) tells of them in every
language, and without an embedding server. Such words are learned from authored names of occupations
(`crafts.yaml`). Of a title with words of both crafts the last one tells, as the noun that the
others describe ("mobile nurse", 网络主播), unless a word of the bank's craft settles it ("Java
tutor"). What is not clear stays open, and titles in other languages are not: who has such a one is
asked about both and told so, since a programmer who is asked nothing technical loses more than a
nurse who is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from services.interview.authored import read_authored
from services.interview.simplified import simplified

CRAFTS = Path(__file__).parent / "crafts.yaml"

_HAN = "\u4e00-\u9fff"
_WORD = re.compile(rf"(?P<latin>\.?[a-z0-9]+(?:\.[a-z]+|[+#]+)?)|[{_HAN}]+")
"""Latin also ".net", "node.js", "c++" and "c#"."""
_PLURAL = re.compile(r"(?<=\w\w[^sj])s$")
_FILLERS = frozenset(("a", "an", "and", "at", "for", "in", "of", "on", "the", "to", "with"))
_MAKERS = frozenset(("engineer", "engineering", "developer", "architect", "工程师", "开发", "研发"))
"""Who makes something is mostly of the bank's craft; what they make it for does not change that.
Architects may be of either."""
_TEACHERS = re.compile(
    r"\b(?:teacher|tutor|lecturer|instructor|trainer|professor|educator|coach)(?:e?s)?\b"
    "|教师|老师|讲师|培训师|教授|教练|导师"
)
"""Who teaches something of the bank's craft knows it, wherever they teach it."""
_PARTS = re.compile(rf"\s[-–—]\s|(?<=[{_HAN}])[-–—]|[,;:/|，、；：·]")
_TAIL = re.compile(r"[(（]|\s(?:at|for|in|of|on|to|with)\s|\b(?:consultant|manager|specialist)s?\s")
"""Where what describes a noun follows it: "head of IT", "tester (cosmetics)", "ERP consultant
retail"."""

Name = tuple[str, ...]
"""The words of a name, in order."""


class Craft(Enum):
    """Whose craft a position is of."""

    OURS = "ours"
    ANOTHER = "another"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Crafts:
    """Names of positions and words of them.

    Attributes:
        settling: Names of the bank's craft that tell whatever else a title says.
        ours: All names of the bank's craft.
        others: Names of other crafts, and each of their words that only they have.
        longest: Words of the longest name.
        general: Finds in Chinese, which has no spaces, what every craft has.
    """

    settling: frozenset[Name]
    ours: frozenset[Name]
    others: frozenset[Name]
    longest: int
    general: re.Pattern[str]

    @classmethod
    def learned(
        cls,
        settling: Sequence[str],
        inside: Sequence[str],
        outside: Sequence[str],
        general: Sequence[str],
    ) -> Crafts:
        """From names of the bank's craft, which tell as wholes, of others, and of any."""
        chinese = [name for name in (*general, *_MAKERS) if re.search(f"[{_HAN}]", name)]
        # The longest first: 产品经理 before 经理.
        pattern = re.compile(f"({'|'.join(sorted(chinese, key=len, reverse=True))})")

        def named(names: Sequence[str]) -> frozenset[Name]:
            found = (_words(name, pattern) if len(name) > 1 else (name,) for name in names)
            return frozenset(name for name in found if name)

        settled, ours, others = map(named, (settling, inside, outside))
        single = {name[0] for name in settled | ours if len(name) == 1}
        shared = single | _MAKERS | {word for name in general for word in _words(name, pattern)}
        words = {word for name in others for word in name} - shared
        wholes = {name for name in others if len(name) > 1}
        return cls(
            settling=settled,
            ours=settled | ours,
            others=frozenset(wholes | {(word,) for word in words}),
            longest=max(map(len, settled | ours | others)),
            general=pattern,
        )

    def of(self, title: str) -> Craft:
        """Whose craft the position of a title is of."""
        text = simplified(title).lower().replace("’", "'").replace("'s", "")
        taught = _TEACHERS.sub(" ", text)
        if taught != text and self._of(taught) is Craft.OURS:
            return Craft.OURS
        return self._of(text)

    def _of(self, text: str) -> Craft:
        words = _words(text, self.general)
        others = [name for name, _ in self._names(words, self.others)]
        settling = [name for name, _ in self._names(words, self.settling)]
        # But not within a longer name of another craft: 编程 in 数控编程.
        if any(not any(set(name) < set(other) for other in others) for name in settling):
            return Craft.OURS
        found = {self._part(part) for part in _PARTS.split(text)}
        if Craft.OURS in found:
            return Craft.OURS
        if (makers := _MAKERS & set(words)) and not any(makers & set(name) for name in others):
            return Craft.UNSURE if makers == {"architect"} else Craft.OURS
        return Craft.ANOTHER if Craft.ANOTHER in found else Craft.UNSURE

    def _part(self, part: str) -> Craft:
        """Whose craft a part of a title is of: its noun tells, else what follows that."""
        tail = _TAIL.search(part)
        noun = self._last(part[: tail.start()] if tail else part)
        return self._last(part) if tail and noun is Craft.UNSURE else noun

    def _last(self, text: str) -> Craft:
        """Whose craft the last name is of that is known; of two that end there, the longer one.

        A Chinese name of a trade may tell it by its last character alone: 焊工, 牙医.
        """
        words = (*_words(text, self.general), *re.findall(f"[{_HAN}]$", text.rstrip()))
        ours, others = (
            max(((end, len(name)) for name, end in self._names(words, names)), default=(-1, 0))
            for names in (self.ours, self.others)
        )
        if ours == others:
            return Craft.UNSURE
        return Craft.OURS if ours > others else Craft.ANOTHER

    def _names(self, words: Name, known: Collection[Name]) -> Iterator[tuple[Name, int]]:
        """Each known name that stands in the words, and where it ends."""
        for end in range(len(words)):
            for start in range(max(0, end + 1 - self.longest), end + 1):
                if (name := words[start : end + 1]) in known:
                    yield name, end


def _words(text: str, general: re.Pattern[str]) -> Name:
    """In order, Latin words in the singular; of Chinese, pairs of neighbouring characters.

    What `general` finds parts two runs of Chinese, so that no pair reaches over it.
    """
    found: list[str] = []
    for piece in general.split(text.lower()):
        if piece in _MAKERS:
            found.append(piece)
        if general.fullmatch(piece):
            continue
        for match in _WORD.finditer(piece):
            run = match.group()
            pairs = (run[at : at + 2] for at in range(len(run) - 1))
            found.extend((_PLURAL.sub("", run),) if match["latin"] else pairs)
    return tuple(word for word in found if word not in _FILLERS)


@cache
def load_crafts() -> Crafts:
    """Reads the names of positions, once."""
    content: Mapping[str, Mapping[str, str]] = read_authored(CRAFTS)
    names = {
        side: [name.strip() for names in languages.values() for name in names.split(",")]
        for side, languages in content.items()
    }
    return Crafts.learned(**names)
