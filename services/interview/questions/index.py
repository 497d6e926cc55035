"""Finding questions: by meaning once their vectors are there, by words until then.

Chinese is found by pairs of characters, unless the embedding model reads it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from services.interview.clients.seams import DependencyFailed, Embedder
from services.interview.interviewer.coverage import reads
from services.interview.interviewer.words import content_words, is_chinese
from services.interview.questions.bank import Bank, Question
from services.interview.questions.topics import in_language
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

FIRST_BACKOFF = 0.5
LAST_BACKOFF = 30.0
"""Seconds between attempts to embed the bank, doubling."""
BATCH = 32
_OTHER = "other"
"""Any other language than the bank's; only models that read many read it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A question and its similarity to the query, -1 to 1; None without a query."""

    question: Question
    score: float | None


class QuestionIndex:
    """The bank with its vectors, which are kept on disk by the content they were made from."""

    def __init__(self, bank: Bank, embedder: Embedder, cache: Path) -> None:
        """Takes the folder of the vectors as `cache`."""
        self._questions = list(bank)
        # Once: whoever searches, logged in or not, does so on the event loop.
        self._words = [_passage_words(question.passage) for question in self._questions]
        self._embedder = embedder
        self._cache = cache
        self._vectors: npt.NDArray[np.float32] | None = None
        self._model = ""

    def __len__(self) -> int:
        """How many questions there are."""
        return len(self._questions)

    @property
    def ready(self) -> bool:
        """Whether questions are found by meaning."""
        return self._vectors is not None

    async def build(self) -> None:
        """Embeds what the cache does not have; tries until it succeeds."""
        backoff = FIRST_BACKOFF
        while not self.ready:
            try:
                await self._embed()
            except DependencyFailed as failure:
                log(_logger, logging.WARNING, "bank not embedded", reason=failure.reason)
                await asyncio.sleep(backoff)
                backoff = min(LAST_BACKOFF, 2 * backoff)
        log(_logger, logging.INFO, "bank embedded", questions=len(self._questions))

    async def _embed(self) -> None:
        # Which model answers is known only from an answer, so one question is always asked.
        model = (await self._embedder.embed(["model"], query=False, background=True)).model
        known = await asyncio.to_thread(self._load, model)
        missing = [q for q in self._questions if q.digest not in known]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            passages = [question.passage for question in batch]
            made = await self._embedder.embed(passages, query=False, background=True)
            if made.model != model:
                raise DependencyFailed("embed", "the model changed")
            known.update(zip((q.digest for q in batch), made.values, strict=True))
        if missing:
            try:
                await asyncio.to_thread(self._save, model, known)
            except OSError as error:  # the next start embeds them again
                log(_logger, logging.WARNING, "vectors not kept", error=type(error).__name__)
        self._model = model
        self._vectors = np.stack([known[question.digest] for question in self._questions])

    def _path(self, model: str) -> Path:
        name = "".join(c if c.isalnum() or c in "-." else "_" for c in model)
        return self._cache / f"questions-{name}.npz"

    def _load(self, model: str) -> dict[str, npt.NDArray[np.float32]]:
        path = self._path(model)
        if not path.exists():
            return {}
        try:
            # A file of our own: numpy leaves one open whose content it cannot read.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                digests, vectors = kept["digests"], kept["vectors"].astype(np.float32)
            return {str(digest): vector for digest, vector in zip(digests, vectors, strict=True)}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return {}  # it is made again

    def _save(self, model: str, known: dict[str, npt.NDArray[np.float32]]) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        current = [question.digest for question in self._questions]
        scratch = self._path(model).with_suffix(".tmp.npz")
        np.savez(scratch, digests=np.array(current), vectors=np.stack([known[d] for d in current]))
        scratch.replace(self._path(model))

    async def search(
        self, query: str | None, accepts: Callable[[Question], bool], limit: int
    ) -> Sequence[Found]:
        """The questions that are accepted, best first; without a query in the bank's order."""
        fitting = [index for index, q in enumerate(self._questions) if accepts(q)]
        if query is None:
            return [Found(self._questions[index], None) for index in fitting[:limit]]
        own = _language(query)
        scores: dict[int, float] = {}
        for language in dict.fromkeys(self._questions[index].language for index in fitting):
            there = [index for index in fitting if self._questions[index].language == language]
            scores |= zip(there, await self._scores(query, language, there), strict=True)
        # What was found by words is not as near by the same number: the query's language leads.
        mixed = not (self.ready and reads(self._model, _OTHER))
        fitting.sort(
            key=lambda index: (mixed and self._questions[index].language != own, -scores[index])
        )
        return [Found(self._questions[i], scores[i]) for i in fitting[:limit]]

    def like(self, question: Question, accepts: Callable[[Question], bool]) -> Sequence[Found]:
        """The accepted questions by their nearness to another one, best first; asks no model."""
        fitting = [index for index, q in enumerate(self._questions) if accepts(q)]
        places = {each.id: place for place, each in enumerate(self._questions)}
        own = places.get(question.id)
        if self._vectors is None or own is None or not reads(self._model, question.language):
            near = by_words(question.passage, (self._words[place] for place in fitting))
        else:
            near = self._vectors[fitting] @ self._vectors[own]
        scores = dict(zip(fitting, map(float, near), strict=True))
        fitting.sort(key=lambda index: -scores[index])
        return [Found(self._questions[i], scores[i]) for i in fitting]

    async def _scores(self, query: str, language: str, places: Sequence[int]) -> list[float]:
        """The nearness of the questions at these places, which are in one language."""
        query = in_language(query, language)
        # The model has to read both: of what it cannot read the nearest is the nearest by chance.
        if self._vectors is not None and all(
            reads(self._model, each) for each in (language, _language(query))
        ):
            try:
                vectors = await self._embedder.embed([query], query=True, background=False)
            except DependencyFailed as failure:
                log(_logger, logging.WARNING, "searching by words", reason=failure.reason)
            else:
                if vectors.model == self._model:
                    return list(map(float, self._vectors[places] @ vectors.values[0]))
        return list(map(float, by_words(query, (self._words[place] for place in places))))


def _language(query: str) -> str:
    """What a query is in, by its script: "en", "zh" or "other"."""
    if is_chinese(query):
        return "zh"
    return (
        "en" if any(character.isalpha() for character in query if character.isascii()) else _OTHER
    )


def by_words(query: str, passages: Iterable[Set[str]]) -> npt.NDArray[np.float32]:
    """The share of the query's content words among each passage's."""
    wanted = content_words(query)
    shares = [len(wanted & words) / max(1, len(wanted)) for words in passages]
    return np.asarray(shares, dtype=np.float32)


@lru_cache(2048)
def _passage_words(passage: str) -> frozenset[str]:
    """Of one of the bank's passages, once a process: there are few."""
    return content_words(passage)
