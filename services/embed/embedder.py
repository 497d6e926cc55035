"""Texts to vectors, in batches shared by all callers."""

from __future__ import annotations

import asyncio
import bisect
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.embed.engines import CrossEncoder, Encoder
from services.embed.tokenization import NamedText, Overflow, Purpose, Tokenization, TokenizedText
from services.runtime.batching import BatchScheduler, Priority
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import ResourceMissing
from services.runtime.request import current_request

ResultT = TypeVar("ResultT")

# Tokenizing this many characters takes about a millisecond; more goes to a thread, in such pieces
# that a request given up stops soon.
_INLINE_CHARACTERS = 4096
_PIECE = 32
# Words and parts of words of natural text are shorter on average (English: 4 to 5), so this many
# characters to a token makes an estimate that is rather too low.
_CHARACTERS_PER_TOKEN = 8

# Texts share a batch with texts of about their length: the longest sets the time of all. Against
# steps of 1.5 these make batches 1.5 times as large at the same cost a text (docs/embed.md); one
# class for all would cost twice as much.
_LENGTHS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How batches are made.

    Attributes:
        size: Most texts in a batch.
        tokens: Most tokens in a batch, unless one text alone has more.
        seconds: Longest that a batch of several texts is predicted to take.
        wait: Seconds a text waits for company while the model is free.
        queue: Most texts waiting.
        queue_bytes: Most memory that their tokens hold.
        workers: Batches that run at the same time.
    """

    size: int
    tokens: int
    seconds: float
    wait: float
    queue: int
    queue_bytes: int
    workers: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request cost: the times of the text that was done last, in seconds.

    Attributes:
        queue_time: From submission to the model.
        compute_time: In the model, for the whole batch.
        batch_size: Texts that shared the batch.
    """

    queue_time: float
    compute_time: float
    batch_size: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """Embedded texts.

    Attributes:
        vectors: float32 [n, d] in the order of the texts, not normalised.
        texts: What the model read.
        usage: What it cost.
    """

    vectors: NDArray[np.float32]
    texts: Sequence[TokenizedText]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Scored:
    """Scored documents.

    Attributes:
        scores: float32 [n] in the order of the documents; higher is better.
        usage: What it cost.
    """

    scores: NDArray[np.float32]
    usage: Usage


class Embedder:
    """An encoder behind its queue."""

    def __init__(
        self,
        tokenization: Tokenization,
        scheduler: BatchScheduler[TokenizedText, NDArray[np.float32]],
        tokenizing: ThreadPoolExecutor,
        device: str = "cpu",
    ) -> None:
        self._tokenization = tokenization
        self._scheduler = scheduler
        self._tokenizing = tokenizing
        self.health = EngineHealth("embed", probe=self._probe, device=device)

    async def _probe(self) -> None:
        texts = [NamedText("", "ready")]
        await self.embed(texts, purpose=Purpose.PASSAGE, overflow=Overflow.TRUNCATE)

    async def embed(
        self,
        texts: Sequence[NamedText],
        *,
        purpose: Purpose,
        overflow: Overflow,
        priority: Priority = Priority.INTERACTIVE,
    ) -> Embedded:
        """Embeds texts; equal ones are embedded once, so that they get equal vectors.

        Raises:
            InvalidFields: Texts the model can't take.
            Overloaded: Not all can be done by the request's deadline.
            DeadlineTooShort: Not even an idle server could.
            DeadlineExpired: The deadline passed first.
        """
        tokenized = await self.tokenize(texts, purpose, overflow, priority=priority)
        return await self.embed_tokenized(tokenized, priority=priority)

    async def embed_tokenized(
        self, texts: Sequence[TokenizedText], *, priority: Priority = Priority.INTERACTIVE
    ) -> Embedded:
        """Embeds what `tokenize` made; raises what `embed` does of deadlines."""
        vectors, usage = await _submit_all(self._scheduler, texts, priority)
        return Embedded(np.stack(vectors), texts, usage)

    async def tokenize(
        self,
        texts: Sequence[NamedText],
        purpose: Purpose,
        overflow: Overflow,
        *,
        priority: Priority = Priority.INTERACTIVE,
    ) -> list[TokenizedText]:
        """What the model would read; raises as `embed` does."""
        return await _in_pieces(
            self._tokenizing,
            texts,
            lambda piece: self._tokenization.tokenize(piece, purpose, overflow),
            lambda: _refuse_hopeless(
                self._scheduler, texts, self._tokenization.max_tokens, priority
            ),
        )


class Reranker:
    """A cross-encoder behind its queue."""

    def __init__(
        self,
        tokenization: Tokenization,
        scheduler: BatchScheduler[TokenizedText, float],
        tokenizing: ThreadPoolExecutor,
        device: str = "cpu",
    ) -> None:
        self._tokenization = tokenization
        self._scheduler = scheduler
        self._tokenizing = tokenizing
        self.health = EngineHealth("rerank", probe=self.probe, device=device)

    async def probe(self) -> None:
        """Scores a pair."""
        pair = NamedText("", "ready"), [NamedText("", "steady")]
        await self.score(*pair, overflow=Overflow.TRUNCATE)

    async def score(
        self,
        query: NamedText,
        documents: Sequence[NamedText],
        *,
        overflow: Overflow,
        priority: Priority = Priority.INTERACTIVE,
    ) -> Scored:
        """Scores each document beside the query; raises as `Embedder.embed` does."""
        tokenized = await _in_pieces(
            self._tokenizing,
            documents,
            lambda piece: self._tokenization.tokenize_pairs(query, piece, overflow),
            lambda: _refuse_hopeless(
                self._scheduler, documents, self._tokenization.max_tokens, priority
            ),
            beside=query.content,
        )
        scores, usage = await _submit_all(self._scheduler, tokenized, priority)
        return Scored(np.array(scores, dtype=np.float32), usage)


@asynccontextmanager
async def embedding(
    encoder: Encoder, tokenization: Tokenization, limits: BatchLimits
) -> AsyncIterator[Embedder]:
    """Runs an encoder behind a queue, warmed up, until the scope ends."""

    def run(batch: Sequence[TokenizedText]) -> Sequence[NDArray[np.float32] | Exception]:
        vectors = encoder.encode(batch)
        return _finite(list(vectors), np.asarray(np.isfinite(vectors).all(axis=1)))

    def watch(error: BaseException | None) -> None:
        embedder.health.report(error)

    def watched(batch: Sequence[TokenizedText]) -> Sequence[NDArray[np.float32] | Exception]:
        return embedder.health.watched(run)(batch)

    async with _scheduler("embed", watched, limits, watch) as scheduler:
        with ThreadPoolExecutor(1, thread_name_prefix="tokenize") as tokenizing:
            embedder = Embedder(tokenization, scheduler, tokenizing, encoder.info.device)
            with _told_at_the_start():
                await scheduler.warm_up(partial(_embed_some, embedder, limits))
            yield embedder


@asynccontextmanager
async def reranking(
    model: CrossEncoder, tokenization: Tokenization, limits: BatchLimits
) -> AsyncIterator[Reranker]:
    """Runs a cross-encoder behind a queue, warmed up, until the scope ends."""

    def run(batch: Sequence[TokenizedText]) -> Sequence[float | Exception]:
        scores = model.score(batch)
        return _finite([float(score) for score in scores], np.asarray(np.isfinite(scores)))

    def watch(error: BaseException | None) -> None:
        reranker.health.report(error)

    def watched(batch: Sequence[TokenizedText]) -> Sequence[float | Exception]:
        return reranker.health.watched(run)(batch)

    async with _scheduler("rerank", watched, limits, watch) as scheduler:
        with ThreadPoolExecutor(1, thread_name_prefix="tokenize") as tokenizing:
            reranker = Reranker(tokenization, scheduler, tokenizing, model.info.device)
            with _told_at_the_start():
                await scheduler.warm_up(reranker.probe)
            yield reranker


class NotFinite(ArithmeticError):
    """The model computed what is no number: its layers pass what the precision can hold."""

    def __init__(self) -> None:
        super().__init__("the model computes numbers too large for its precision")


def _finite(results: Sequence[ResultT], finite: NDArray[np.bool_]) -> Sequence[ResultT | Exception]:
    """The results that are numbers; the rest is an error of the engine's, if it is all.

    Raises:
        NotFinite: None is.
    """
    if not finite.any():
        raise NotFinite
    return [result if good else NotFinite() for result, good in zip(results, finite, strict=True)]


@contextmanager
def _told_at_the_start() -> Iterator[None]:
    try:
        yield
    except NotFinite as error:
        raise ResourceMissing(
            str(error), "set VIVA_EMBED_COMPUTE_TYPE to bfloat16 or float32"
        ) from None


def _scheduler(
    name: str,
    run: Callable[[Sequence[TokenizedText]], Sequence[ResultT | Exception]],
    limits: BatchLimits,
    watch: Callable[[BaseException | None], None],
) -> BatchScheduler[TokenizedText, ResultT]:
    return BatchScheduler(
        run,
        name=name,
        max_batch_size=limits.size,
        max_batch_cost=limits.tokens,
        max_batch_seconds=limits.seconds,
        max_queue=limits.queue,
        max_bytes=limits.queue_bytes,
        max_wait=limits.wait,
        cost=lambda text: len(text.ids),
        key=lambda text: length_class(len(text.ids)),
        size=lambda text: sys.getsizeof(text.ids) + sys.getsizeof(text.types),
        workers=limits.workers,
        watch=watch,
    )


def length_class(tokens: int) -> int:
    """The length up to which texts share batches with one of this many tokens."""
    place = bisect.bisect_left(_LENGTHS, tokens)
    return _LENGTHS[place] if place < len(_LENGTHS) else tokens


async def _embed_some(embedder: Embedder, limits: BatchLimits) -> None:
    """Runs short and longer batches on every worker, so that admission knows the model's speed."""
    for words in (4, 48):
        texts = [
            NamedText("", " ".join(f"{number}" for number in range(first, first + words)))
            for first in range(4 * limits.workers)
        ]
        await embedder.embed(texts, purpose=Purpose.PASSAGE, overflow=Overflow.TRUNCATE)


async def _submit_all(
    scheduler: BatchScheduler[TokenizedText, ResultT],
    texts: Sequence[TokenizedText],
    priority: Priority,
) -> tuple[list[ResultT], Usage]:
    """Submits the distinct texts all at once and puts the results back in the texts' order."""
    request = current_request()
    distinct = list(dict.fromkeys(texts))

    results = await scheduler.submit_all(
        distinct, caller=request.caller, priority=priority, deadline=request.deadline
    )
    done = dict(zip(distinct, results, strict=True))
    last = max(done.values(), key=lambda result: result.queue_time + result.compute_time)
    usage = Usage(last.queue_time, last.compute_time, last.batch_size)
    return [done[text].value for text in texts], usage


def _refuse_hopeless(
    scheduler: BatchScheduler[TokenizedText, ResultT],
    texts: Sequence[NamedText],
    max_tokens: int,
    priority: Priority,
) -> None:
    """Raises what admission would where even fewer tokens than there will be were too late."""
    request = current_request()
    lengths = [len(content) for content in {text.content for text in texts}]
    tokens = [min(max_tokens, max(1, length // _CHARACTERS_PER_TOKEN)) for length in lengths]
    with scheduler.promise(
        [TokenizedText((0,) * count, ()) for count in tokens],
        caller=request.caller,
        priority=priority,
        deadline=request.deadline,
    ):
        pass


async def _in_pieces(
    threads: ThreadPoolExecutor,
    texts: Sequence[NamedText],
    tokenize: Callable[[Sequence[NamedText]], list[TokenizedText]],
    before_long: Callable[[], None],
    beside: str = "",
) -> list[TokenizedText]:
    """Tokenizes on the event loop when it is quick, else in a thread, piece by piece.

    `before_long` may refuse what would take long. `beside` is read with every piece.
    """
    if len(beside) + sum(len(text.content) for text in texts) <= _INLINE_CHARACTERS:
        return tokenize(texts)
    before_long()
    loop = asyncio.get_running_loop()
    done: list[TokenizedText] = []
    for piece in _pieces(texts):
        done += await loop.run_in_executor(threads, tokenize, piece)
    return done


def _pieces(texts: Sequence[NamedText]) -> Iterable[Sequence[NamedText]]:
    iterator = iter(texts)
    while piece := list(itertools.islice(iterator, _PIECE)):
        yield piece
