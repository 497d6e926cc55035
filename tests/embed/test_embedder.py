"""What is refused before anything is done for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from services.embed.embedder import Embedder
from services.embed.tokenization import (
    NamedText,
    Overflow,
    Purpose,
    Tokenization,
    TokenizedText,
)
from services.runtime.batching import BatchScheduler
from services.runtime.errors import DeadlineTooShort
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
