"""What is refused before anything is done for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from services.embed.embedder import BatchLimits, Embedder, NotFinite, embedding
from services.embed.engines import Encoder, EngineInfo
from services.embed.tokenization import (
    NamedText,
    Overflow,
    Purpose,
    Tokenization,
    TokenizedText,
)
from services.runtime.batching import BatchScheduler
from services.runtime.errors import DeadlineTooShort, Overloaded, ResourceMissing
from services.runtime.request import Request, set_current_request


class Untouched(Tokenization):
    """Fails the test when it is asked to do anything."""

    def tokenize(
        self, texts: Sequence[NamedText], purpose: Purpose, overflow: Overflow
    ) -> NoReturn:
        raise AssertionError("tokenized although it was hopeless")


async def test_a_long_request_without_a_chance_is_refused_before_it_is_tokenized() -> None:
    def encode(batch: Sequence[TokenizedText]) -> Sequence[NDArray[np.float32]]:
        time.sleep(0.02)  # the model's time
        return [np.zeros(3, dtype=np.float32)] * len(batch)

    nothing = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenization = Untouched(nothing, max_tokens=256, instructions={})
    with ThreadPoolExecutor(1) as threads:
        async with BatchScheduler(
            encode, name="t", max_batch_size=8, cost=lambda text: len(text.ids)
        ) as scheduler:
            await scheduler.submit(TokenizedText((0,) * 16, (0,) * 16))
            embedder = Embedder(tokenization, scheduler, threads)
            soon = asyncio.get_running_loop().time() + 0.2
            set_current_request(Request(deadline=soon))
            texts = [NamedText(f"inputs[{n}]", f"{n} word " * 200) for n in range(100)]
            with pytest.raises(DeadlineTooShort):
                await embedder.embed(texts, purpose=Purpose.PASSAGE, overflow=Overflow.TRUNCATE)
            assert scheduler.waiting == 0


async def test_waiting_texts_hold_only_so_much_memory() -> None:
    held, run = threading.Event(), threading.Event()

    class Held:
        """An encoder that waits until it may go on."""

        info = EngineInfo("fake", "cpu", 0)

        def encode(self, batch: Sequence[TokenizedText]) -> NDArray[np.float32]:
            held.set()
            assert run.wait(timeout=30)
            return np.zeros((len(batch), 3), dtype=np.float32)

    words = Tokenizer(WordLevel({"[UNK]": 0, "word": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    tokenization = Tokenization(words, max_tokens=1000, instructions={})
    # One text of 500 tokens has 8 kB; three are more than one caller may have waiting.
    limits = BatchLimits(
        size=1, tokens=1000, seconds=1, wait=0, queue=100, queue_bytes=40_000, workers=1
    )
    run.set()
    async with embedding(cast("Encoder", Held()), tokenization, limits) as embedder:

        async def embed(texts: int) -> None:
            long = [NamedText(f"inputs[{n}]", "word " * (500 - n)) for n in range(texts)]
            set_current_request(Request())
            await embedder.embed(long, purpose=Purpose.PASSAGE, overflow=Overflow.TRUNCATE)

        run.clear()
        held.clear()
        running = asyncio.create_task(embed(1))
        await asyncio.to_thread(held.wait, 30)
        try:
            with pytest.raises(Overloaded, match="memory"):
                await embed(3)
        finally:
            run.set()
        await running
        await embed(2)


class Overflowing:
    """An encoder whose float16 is too small for some texts: those of more than a word, or all."""

    info = EngineInfo("fake", "cuda", 0)

    def __init__(self, most: int) -> None:
        self.most = most

    def encode(self, batch: Sequence[TokenizedText]) -> NDArray[np.float32]:
        rows = [np.nan if len(text.ids) > self.most else 1.0 for text in batch]
        return np.repeat(np.array(rows, dtype=np.float32)[:, None], 3, axis=1)


LIMITS = BatchLimits(
    size=8, tokens=1000, seconds=1, wait=0, queue=100, queue_bytes=40_000, workers=1
)


def words_up_to(most: int) -> Tokenization:
    words = Tokenizer(WordLevel({"[UNK]": 0, "word": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    return Tokenization(words, max_tokens=most, instructions={})


async def test_what_is_no_number_is_never_an_answer() -> None:
    encoder = Overflowing(most=60)
    set_current_request(Request())

    async def embed(embedder: Embedder, text: str) -> NDArray[np.float32]:
        texts = [NamedText("inputs[0]", text)]
        done = await embedder.embed(texts, purpose=Purpose.PASSAGE, overflow=Overflow.TRUNCATE)
        return done.vectors

    async with embedding(cast("Encoder", encoder), words_up_to(200), LIMITS) as embedder:
        assert np.isfinite(await embed(embedder, "word")).all()
        for _ in range(3):
            with pytest.raises(NotFinite):
                await embed(embedder, "word " * 100)
        assert not embedder.health.healthy


async def test_a_precision_that_is_too_small_for_a_model_ends_the_start() -> None:
    set_current_request(Request())
    with pytest.raises(ResourceMissing, match="VIVA_EMBED_COMPUTE_TYPE to bfloat16"):
        async with embedding(cast("Encoder", Overflowing(0)), words_up_to(200), LIMITS):
            pass
