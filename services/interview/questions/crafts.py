"""Whether the bank's technical questions fit a position, by the words of its title.

Titles are short: a word that only one craft has ("nurse", "backend", 会计) tells of them in every
language, and without an embedding server. Such words are learned from authored names of occupations
(`crafts.yaml`). One word of the bank's own craft settles a title, and what is not clear stays open:
a programmer who is asked nothing technical loses more than a nurse who is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from services.interview.authored import read_authored

CRAFTS = Path(__file__).parent / "crafts.yaml"

_LATIN = re.compile(r"\.?[a-z0-9]+(?:\.[a-z]+|[+#]+)?")
"""Also ".net", "node.js", "c++" and "c#"."""
_PLURAL = re.compile(r"(?<=\w\w[^sj])s$")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_NOTHING = re.compile(r"(?!)")
_FILLERS = frozenset(("a", "an", "and", "at", "for", "in", "of", "on", "the", "to", "with"))
_ENGINEERS = frozenset(("engineer", "engineering", "工程师"))


class Craft(Enum):
    """Whose craft a position is of."""

    OURS = "ours"
    ANOTHER = "another"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Crafts:
    """Words of positions.

    Attributes:
        ours: Those that only positions of the bank's craft have.
        others: Those that only positions of other crafts have.
        engineers: The words of each engineer of another craft ("civil engineer"): engineers are
            mostly of the bank's, and what they build ("engineer, logistics") does not change that.
        general: Finds in Chinese, which has no spaces, what every craft has.
    """

    ours: frozenset[str]
    others: frozenset[str]
    engineers: tuple[frozenset[str], ...]
    general: re.Pattern[str]

    @classmethod
    def learned(
        cls, inside: Sequence[str], outside: Sequence[str], general: Sequence[str]
    ) -> Crafts:
        """The words of names of positions: of the bank's craft, of others, and of any."""
        # The longest first: 产品经理 before 经理.
        plain = sorted(filter(_HAN.search, general), key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, plain)))
        ours, others = (
            {word for name in names for word in _words(name, pattern)}
            for names in (inside, outside)
        )
        # A Chinese name of a trade may tell it by its last character alone: 焊工, 牙医.
        others.update(name for name in outside if len(name) == 1)
        shared = {word for name in general for word in _words(name)} | _FILLERS | _ENGINEERS
        return cls(
            ours=frozenset(ours - others - shared),
            others=frozenset(others - ours - shared),
            engineers=tuple(
                words for name in outside if (words := _words(name, pattern)) & _ENGINEERS
            ),
            general=pattern,
        )

    def of(self, title: str) -> Craft:
        """Whose craft the position of a title is of."""
        words = _words(title, self.general) | set(_HAN.findall(title[-1:]))
        if words & self.ours:
            return Craft.OURS
        if not words & self.others:
            return Craft.UNSURE
        if words & _ENGINEERS and not any(name <= words for name in self.engineers):
            return Craft.UNSURE
        return Craft.ANOTHER


def _words(title: str, general: re.Pattern[str] = _NOTHING) -> frozenset[str]:
    """Latin words in the singular; of Chinese, pairs of neighbouring characters.

    What `general` finds parts two runs of Chinese, so that no pair reaches over it.
    """
    text = title.lower().replace("’", "'").replace("'s", "")
    found = {_PLURAL.sub("", word) for word in _LATIN.findall(text)}
    found.update(word for word in _ENGINEERS if word in text)
    for run in _HAN.findall(general.sub(" ", text)):
        found.update(run[at : at + 2] for at in range(len(run) - 1))
    return frozenset(found)


@cache
def load_crafts() -> Crafts:
    """Reads the names of positions, once."""
    content: Mapping[str, Mapping[str, str]] = read_authored(CRAFTS)
    names = {
        side: [name.strip() for names in languages.values() for name in names.split(",")]
        for side, languages in content.items()
    }
    return Crafts.learned(**names)
