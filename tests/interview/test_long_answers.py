"""An answer may be 20,000 characters of anything: reading it takes as long as it is long."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable

import pytest

from services.interview.endpointing import wording as endpointing
from services.interview.interviewer import analysing, assessing
from services.interview.interviewer.analysing import analyse
from services.interview.interviewer.assessing import assess
from services.interview.interviewer.coverage import compare_words
from services.interview.interviewer.declining import declined
from services.interview.interviewer.foreign import foreign
from services.interview.interviewer.guarding import acceptable, grounded
from services.interview.interviewer.polarity import marked
from services.interview.interviewer.structure import structure
from services.interview.interviewer.wording import wording
from services.interview.interviewer.words import content_words, count
from services.interview.practice.corrections import mistakes
from services.interview.practice.skills import practised
from services.interview.practice.vocabulary import vocabulary
from services.interview.record import Speaker, SpokenWord, Turn
from services.interview.reports.passages import sentences, texts
from services.interview.simplified import simplified
from services.interview.understanding.consent import END, SKIP, consent
from services.interview.understanding.intent import Situation, understand
from services.interview.understanding.wording import read
from tests.interview.stage import FakeEmbedder, question

LONGEST = 20_000
"""Characters: the most that may be typed."""
HARMLESS_SECONDS = 0.3
"""Of CPU. What takes no longer need not be looked at: nor what takes so little for a quarter that
the whole would take no longer, grew it with the square."""
HEAPS = {
    "digits": "1",
    "figures": "1,",
    "decimals": "1.5 ",
    "years": "in 1,1",
    "letters": "a",
    "hyphens": "a-",
    "apostrophes": "a'",
    "spaces": " ",
    "lines": "\n",
    "commas": ", ",
    "dots": ".",
    "quotes": "'",
    "brackets": "([",
    "stars": "*",
    "list": "1. a\n",
    "counting": "1) a 2) ",
    "words": "word ",
    "fillers": "um ",
    "pronouns": "i ",
    "verbs": "spent ",
    "negations": "can't not ",
    "clauses": "because i was ",
    "requests": "can you please just ",
    "refusals": "sorry i do not know ",
    "mistakes": "i go yesterday ",
    "politeness": "please ",
    "typed": "dont qustion 👍 ",
    "mixed scripts": "ok 好的 ",
    "traditional": "結束面試",
    "agreement": "so i is ",
    "learners": "He go to market and she have two book. I am agree with informations. ",
    "plain words": "very good ",
    "han": "我",
    "han numbers": "一",
    "han words": "请再说一遍",
    "han refusals": "我真的不知道",
    "kana": "か",
    "cyrillic": "ошибка ",
    "emoji": "😀",
    "combining": "e\u0301",
    "address": "http://a.",
    "another language": "el servidor de la base ",
    "pinyin": "zhe ge wen ti ",
    "one word of pinyin": "ian",
    "numbered lines": "1) ",
}
QUESTION = question(1)


def typed(text: str) -> Turn:
    return Turn("turn", Speaker.CANDIDATE, text, 0.0, 0.0, round=1, typed=True)


def heard(text: str) -> Turn:
    """With its words and their times, as recognition gives them."""
    words = tuple(SpokenWord(w, at / 2, at / 2 + 0.3) for at, w in enumerate(text.split()))
    end = words[-1].end if words else 0.0
    return Turn("turn", Speaker.CANDIDATE, text, 0.0, end, words, round=1)


READERS: dict[str, Callable[[str], object]] = {
    "understanding": lambda text: understand(text, Situation("en", None), final=True),
    "utterance": read,
    "consent": lambda text: (consent(text, END), consent(text, SKIP)),
    "declining": lambda text: declined(text, QUESTION.text),
    "endpointing": lambda text: endpointing.read(text, "en"),
    "endpointing in Chinese": lambda text: endpointing.read(text, "zh"),
    "words": lambda text: (content_words(text), count(text)),
    "languages": lambda text: (foreign(text, "en"), foreign(text, "zh")),
    "characters": simplified,
    "wording": lambda text: wording(QUESTION, text),
    "polarity": marked,
    "passages": texts,
    "structure": lambda text: structure(sentences([typed(text)])),
    "coverage": lambda text: compare_words(QUESTION, texts(text) or [text]),
    "drafts": lambda text: acceptable("What did you do then?", answer=text, asked=["Why?"]),
    "grounds": lambda text: grounded("What did you do then?", said=text, about="Databases"),
    "mistakes": mistakes,
    "vocabulary": lambda text: vocabulary([typed(text)]),
    "practice": lambda text: practised(1, QUESTION, "What do you like?", [typed(text)]),
    "spoken practice": lambda text: practised(1, QUESTION, "What do you like?", [heard(text)]),
}


def seconds(reader: Callable[[str], object], heap: str, length: int) -> float:
    """CPU time of this thread but the collector's, which looks through what other tests left."""
    text = (heap * (length // len(heap) + 1))[:length]
    gc.disable()
    try:
        began = time.thread_time()
        reader(text)
        return time.thread_time() - began
    finally:
        gc.enable()


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_reading_grows_with_the_length_and_not_with_its_square(reader: str) -> None:
    read_it = READERS[reader]
    seconds(read_it, "Warm. ", 100)
    slow = {}
    for name, heap in HEAPS.items():
        if 16 * seconds(read_it, heap, LONGEST // 4) <= HARMLESS_SECONDS:
            continue
        whole = seconds(read_it, heap, LONGEST)
        if whole > HARMLESS_SECONDS:
            half = seconds(read_it, heap, LONGEST // 2)
            if whole > 3 * half:
                # What others did to the caches meanwhile is not the reader's.
                whole = min(whole, seconds(read_it, heap, LONGEST))
            if whole > 3 * half:
                slow[name] = (half, whole)
    assert not slow


class _Threads:
    """Remembers in which threads a function ran."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self.seen: set[int] = set()

    def __call__(self, *args: object) -> object:
        self.seen.add(threading.get_ident())
        return self._function(*args)


@pytest.mark.parametrize(("length", "apart"), [(200, False), (LONGEST, True)])
def test_a_long_answer_is_assessed_and_scored_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, length: int, apart: bool
) -> None:
    """Meanwhile others are listened to."""
    watched = _Threads(wording)
    monkeypatch.setattr(assessing, "wording", watched)
    monkeypatch.setattr(analysing, "wording", watched)
    answer = ("I measured it and added an index. " * (length // 34 + 1))[:length]

    async def both() -> None:
        embedder = FakeEmbedder()
        assert (await assess(embedder, QUESTION, answer)).words > 0
        scored, _ = await analyse(
            embedder, round_number=1, question=QUESTION, asked="", turns=[typed(answer)]
        )
        assert scored.turn_ids == ("turn",)

    asyncio.run(both())
    assert (threading.get_ident() not in watched.seen) is apart
