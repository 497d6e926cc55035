"""How an answer was delivered: pace, fillers, pauses, from the words' times and the recording."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.interview.record import SpokenWord
from services.interview.reports.passages import closed_up
from services.interview.reports.sound import Sound, hesitations, pauses_in

PACE = (110.0, 170.0)
"""Comfortable words per minute; presentations and audiobooks lie between 100 and 180."""
CHINESE_PACE = (160.0, 260.0)
"""Comfortable characters per minute; news is read at about 250 to 300, conversation is slower."""
LONG_PAUSE_SECONDS = 1.5
"""A silence inside an answer that a listener notices."""
FILLERS = frozenset({"um", "umm", "uh", "uhh", "uhm", "er", "erm", "hmm", "eh", "嗯", "呃", "额"})
FILLER_PHRASES = (
    ("you", "know"),
    ("i", "mean"),
    ("sort", "of"),
    ("kind", "of"),
    ("那个", "那个"),
    tuple("那个那个"),
    tuple("这个这个"),
    ("就是", "就是"),
    tuple("就是就是"),
)
"""Of Chinese a word as the recogniser cuts it, and single characters."""
HEARD = "(um)"
"""A hesitation that was heard and not recognised."""
MIN_WORDS = 5
"""Fewer words say nothing about delivery."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Measures of one or more turns; times in seconds on the interview's clock.

    Attributes:
        words_per_minute: Over the speaking time, pauses inside an answer included; of Chinese,
            characters.
        fillers: The filler words and phrases; those only heard have the text "(um)".
        pauses: The long silences, as their start and end.
        pace: The comfortable pace for the language.
        from_sound: Whether the recording was measured too.
    """

    words: int
    words_per_minute: float
    fillers: tuple[SpokenWord, ...]
    pauses: tuple[tuple[float, float], ...]
    pace: tuple[float, float] = PACE
    from_sound: bool = False

    @property
    def filler_share(self) -> float:
        """Fillers per word."""
        return len(self.fillers) / self.words

    @property
    def longest_pause(self) -> float:
        """Seconds; 0 without a long pause."""
        return max((end - start for start, end in self.pauses), default=0.0)

    @property
    def fluency(self) -> float:
        """0 to 100: full marks for a comfortable pace without fillers and long pauses."""
        slow, fast = self.pace
        pace = self.words_per_minute
        off = max(0.0, slow - pace, pace - fast) * PACE[0] / slow
        minutes = self.words / max(pace, 1.0)
        pauses_per_minute = len(self.pauses) / max(minutes, 0.25)
        score = 100 - 0.6 * off - 400 * self.filler_share - 5 * pauses_per_minute
        return min(100.0, max(0.0, score))


def measure(
    turns: Sequence[Sequence[SpokenWord]], sounds: Sequence[Sound | None] = ()
) -> Delivery | None:
    """Measures the words of some turns; None when too few were spoken.

    Recognition leaves out most hesitations and stretches words over silences. With the recording
    of a turn both are looked for where they sound.

    Args:
        turns: The words of each turn.
        sounds: The recording of each turn, where there is one.
    """
    count = sum(map(_units, (word for words in turns for word in words)))
    if count < MIN_WORDS:
        return None
    seconds = sum(words[-1].end - words[0].start for words in turns if words)
    characters = sum(_units(word) for words in turns for word in words if _chinese(word.text))
    fillers: list[SpokenWord] = []
    pauses: list[tuple[float, float]] = []
    heard = [*sounds, *([None] * (len(turns) - len(sounds)))]
    for words, sound in zip(turns, heard, strict=True):
        written = _fillers(words)
        fillers += written
        if sound is None:
            pauses += [
                (one.end, other.start)
                for one, other in pairwise(words)
                if other.start - one.end >= LONG_PAUSE_SECONDS
            ]
            continue
        pauses += pauses_in(sound, words, LONG_PAUSE_SECONDS)
        fillers += [
            SpokenWord(HEARD, start, end)
            for start, end in hesitations(sound, words)
            if not any(w.start < end and start < w.end for w in written)
        ]
    return Delivery(
        words=count,
        words_per_minute=60.0 * count / max(seconds, 0.5),
        fillers=tuple(sorted(fillers, key=lambda word: word.start)),
        pauses=tuple(pauses),
        pace=CHINESE_PACE if 2 * characters > count else PACE,
        from_sound=any(sound is not None for sound in heard),
    )


def _chinese(text: str) -> bool:
    return bool(re.search(r"[\u4e00-\u9fff]", text))


def _units(word: SpokenWord) -> int:
    return len(re.findall(r"[\u4e00-\u9fff]", word.text)) or 1


def _fillers(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    plain = [re.sub(r"[^a-z'\u4e00-\u9fff]", "", word.text.lower()) for word in words]
    found: list[SpokenWord] = []
    index = 0
    while index < len(words):
        length = 1 if plain[index] in FILLERS else _phrase_at(plain, index)
        if length:
            said = plain[index : index + length]
            text = words[index].text if length == 1 else closed_up(" ".join(said))
            found.append(SpokenWord(text, words[index].start, words[index + length - 1].end))
        index += length or 1
    return found


def _phrase_at(plain: Sequence[str], index: int) -> int:
    """How many words the filler phrase takes that begins here; 0 without one."""
    # "kind of" is a filler, "what kind of" is not.
    if index > 0 and plain[index - 1] in {"what", "which", "this", "that", "some", "a", "the"}:
        return 0
    for phrase in FILLER_PHRASES:
        if tuple(plain[index : index + len(phrase)]) == phrase:
            return len(phrase)
    return 0
