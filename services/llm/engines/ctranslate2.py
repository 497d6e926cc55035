"""The default engine: llama models with int8 weights on CTranslate2."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ctranslate2

from services.llm import gguf_conversion
from services.llm.answer import AnswerText
from services.llm.chat import (
    ChatEvent,
    ChatPrompt,
    Constraint,
    FinishReason,
    Message,
    Role,
    Sampling,
)
from services.llm.chatml import TokenizedPrompt, tokenize
from services.llm.constraints import Matcher, Vocabulary, compile_constraint
from services.llm.engines.engine import ModelDescription
from services.llm.generation import EventQueue, Generation, stream
from services.llm.generator_cache import GeneratorCache, Lease
from services.llm.guidance import Guide
from services.llm.prefixes import PrefixPolicy
from services.llm.tokenizer import ByteLevelTokenizer
from services.llm.turns import Turns, cost
from services.runtime.batching import BatchScheduler
from services.runtime.device import Device
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import InvalidField, ResourceMissing

_SHARED_PROMPT_TOKENS = 768
"""Longer prompts run alone: a batch copies the reused prefix for each of its requests."""

_LENGTH_BUCKET = 16
"""Prompts of a batch differ by fewer tokens than this: CTranslate2 feeds the difference one token
a step, which costs each extra token of the longer prompt a decoding step."""

_COMPANY_SECONDS = 0.01
"""Longer than the scheduler's default: who misses a batch waits for all of its answers."""

_CHEAP_TOKENS = 32
"""Prompt tokens that may be computed again for each call of a guided answer."""

_OFF_LOOP_CHARACTERS = 4000
"""Longer conversations are tokenized in a thread, about 2 ms of work and more."""


@dataclass(frozen=True, slots=True)
class Model:
    """A prepared model folder."""

    folder: Path
    name: str
    context_tokens: int
    end_token: str
    default_system_prompt: str | None
    languages: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path, name: str) -> Model:
        """Reads the description that the conversion wrote."""
        description = json.loads((folder / gguf_conversion.DESCRIPTION_FILE).read_text())
        return cls(
            folder=folder,
            name=name,
            context_tokens=description["context_tokens"],
            end_token=description["end_token"],
            default_system_prompt=description["default_system_prompt"],
            languages=tuple(description["languages"]),
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an engine takes on.

    Attributes:
        compute_type: CTranslate2's; "default" is the weights' own.
        threads: Threads of one batch.
        parallel: Batches at the same time.
        max_batch_size: Requests in a batch.
        max_queue: Requests waiting.
        context_tokens: Tokens of a conversation, answer included.
        default_max_tokens: Longest answer when a request does not say.
        prefix_cache_tokens: Tokens of prefixes kept computed.
    """

    compute_type: str = "default"
    threads: int = 1
    parallel: int = 2
    max_batch_size: int = 8
    max_queue: int = 128
    context_tokens: int = 4096
    default_max_tokens: int = 512
    prefix_cache_tokens: int = 1536


class Ctranslate2Engine:
    """Chats with one model. Open it with `open_engine`."""

    def __init__(self, model: Model, device: str, limits: Limits) -> None:
        self._model = model
        self._device = device
        self._limits = limits
        self._context_tokens = min(limits.context_tokens, model.context_tokens)
        self._tokenizer = ByteLevelTokenizer(model.folder / gguf_conversion.TOKENIZER_FILE)
        self._end = self._tokenizer.special(model.end_token)
        self._prefixes = PrefixPolicy(largest=limits.prefix_cache_tokens // 2)
        self._generators = GeneratorCache(self._load, limits.prefix_cache_tokens)
        self._guided_generators = GeneratorCache(self._load, limits.prefix_cache_tokens)
        self._vocabulary = Vocabulary(self._tokenizer.json, self._tokenizer.size, [self._end])
        self._turns = Turns()
        self.health = EngineHealth("llm", probe=self.answer_once, device=device)
        self.scheduler: BatchScheduler[Generation, None] = BatchScheduler(
            self.health.watched(self._run),
            name="llm",
            watch=self.health.report,
            max_batch_size=limits.max_batch_size,
            max_queue=limits.max_queue,
            max_wait=_COMPANY_SECONDS,
            cost=cost,
            key=_key,
            workers=limits.parallel,
        )

    def load(self) -> None:
        """Loads the weights; blocks for as long as that takes.

        Raises:
            ResourceMissing: They cannot be loaded there, or not in that type of computation.
        """
        try:
            self._generators.lease(())
        except (RuntimeError, ValueError) as error:
            raise ResourceMissing(
                f"{self._model.name} does not load on {self._device}: {error}",
                "check VIVA_LLM_MODEL, VIVA_LLM_DEVICE and VIVA_LLM_COMPUTE_TYPE",
            ) from None

    def _load(self) -> Any:
        place = Device.parse(self._device)
        return ctranslate2.Generator(
            str(self._model.folder),
            device=place.kind,
            device_index=place.index,
            compute_type=self._limits.compute_type,
            inter_threads=self._limits.parallel,
            intra_threads=self._limits.threads,
        )

    def describe(self) -> ModelDescription:
        """What runs where."""
        return ModelDescription(
            name=self._model.name,
            version=gguf_conversion.VERSION,
            engine="ctranslate2",
            device=self._device,
            languages=self._model.languages,
            context_tokens=self._context_tokens,
            max_batch_size=self._limits.max_batch_size,
            memory_bytes=(self._model.folder / "model.bin").stat().st_size,
        )

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of a conversation up to where the answer begins, the chat format included."""
        return len((await self._tokenize(messages)).tokens)

    async def _tokenize(self, messages: Sequence[Message]) -> TokenizedPrompt:
        arguments = (messages, self._tokenizer, self._model.default_system_prompt)
        if sum(len(message.content) for message in messages) > _OFF_LOOP_CHARACTERS:
            return await asyncio.to_thread(tokenize, *arguments)
        return tokenize(*arguments)

    async def chat(self, prompt: ChatPrompt) -> AsyncGenerator[ChatEvent, None]:
        """Answers token by token; closing the generator stops the model at its next token."""
        tokenized = await self._tokenize(prompt.messages)
        room = self._context_tokens - len(tokenized.tokens)
        if room <= 0:
            raise InvalidField(
                "messages",
                f"{len(tokenized.tokens)} tokens, model takes {self._context_tokens},"
                " the answer included",
            )
        matcher = await self._matcher(prompt)
        events = EventQueue()
        generation = Generation(
            prompt=tokenized.tokens,
            reused=self._reused(tokenized, prompt.sampling),
            sampling=_with_defaults(prompt.sampling),
            max_tokens=min(prompt.max_tokens or self._limits.default_max_tokens, room),
            text=AnswerText(prompt.stop),
            emit=events.emit,
            caller=prompt.caller,
            priority=prompt.priority,
            deadline=prompt.deadline,
            matcher=matcher,
        )

        submit = partial(self._turns.submit, self.scheduler)
        async with aclosing(stream(generation, events, submit)) as answer:
            async for event in answer:
                yield event

    def _reused(self, prompt: TokenizedPrompt, sampling: Sampling) -> int:
        if sampling.seed is not None:
            # A prefix computed apart rounds otherwise, which int8 turns into other words: what is
            # repeatable must not depend on what happens to be kept.
            return 0
        return self._prefixes.choose(prompt.tokens, prompt.boundaries)

    async def _matcher(self, prompt: ChatPrompt) -> Matcher | None:
        if prompt.constraint is None:
            return None
        if prompt.stop:
            raise InvalidField("stop", "a constrained answer ends by its constraint, not by a stop")

        def compiled(constraint: Constraint) -> Matcher:
            return self._vocabulary.matcher(compile_constraint(constraint))

        return await asyncio.to_thread(compiled, prompt.constraint)

    def _run(self, batch: Sequence[Generation]) -> Sequence[Exception | None]:
        """Computes a batch of one key, in a thread of the scheduler."""
        lease = self._lease(batch[0])
        for generation in batch:
            self._turns.begin(generation)
            if generation.cached is None:
                generation.cached = lease.reused
        if batch[0].guided:
            Guide(batch[0], self._tokenizer, self._end).run(lease, self._turns)
        else:
            self._decode(lease, batch)
        return [None] * len(batch)

    def _lease(self, generation: Generation) -> Lease:
        whole = len(generation.prompt) - 1
        rest = whole - generation.reused
        if generation.guided and rest > _CHEAP_TOKENS and whole <= self._limits.prefix_cache_tokens:
            # Every call of a guided answer begins with the prompt: compute all of it once. Kept
            # apart, so that prompts nobody will use again don't push out those that many share.
            return self._guided_generators.lease(generation.prompt[:whole])
        return self._generators.lease(generation.prompt[: generation.reused])

    def _decode(self, lease: Lease, batch: Sequence[Generation]) -> None:
        begun = [len(generation.answer) for generation in batch]
        prefix = lease.prefix

        def step(result: Any) -> bool:
            lease.mark_computed()
            generation = batch[result.batch_id]
            if generation.cancelled:
                return True
            token = int(result.token_id)
            if token == self._end:
                generation.finish(FinishReason.STOP)
            else:
                generation.append(token, self._tokenizer.token_bytes(token))
            turn = len(generation.answer) - begun[result.batch_id]
            return generation.stopped or self._turns.over(generation, turn)

        lease.generator.generate_batch(
            [self._tokenizer.tokens([*g.prompt[len(prefix) :], *g.answer]) for g in batch],
            static_prompt=self._tokenizer.tokens(prefix) or None,
            include_prompt_in_result=False,
            max_length=max(generation.remaining for generation in batch),
            callback=step,
            **_sampling_options(batch[0].sampling),
        )

    async def answer_once(self) -> None:
        """Answers, to prove that it can."""
        prompt = ChatPrompt((Message(Role.USER, "Hello"),), max_tokens=2)
        async with aclosing(self.chat(prompt)) as events:
            async for _ in events:
                pass


@asynccontextmanager
async def open_engine(
    model: Model, *, device: str, limits: Limits
) -> AsyncIterator[Ctranslate2Engine]:
    """Loads a model, warms it up and yields its engine."""
    engine = await asyncio.to_thread(Ctranslate2Engine, model, device, limits)
    # Not in the first batch: admission would take the load for what an answer takes.
    await asyncio.to_thread(engine.load)
    async with engine.scheduler:
        await engine.scheduler.warm_up(engine.answer_once)
        yield engine


def _with_defaults(sampling: Sampling) -> Sampling:
    return Sampling(
        temperature=0.0 if sampling.temperature is None else sampling.temperature,
        top_p=1.0 if sampling.top_p is None else sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty or 1.0,
        seed=sampling.seed,
    )


def _sampling_options(sampling: Sampling) -> dict[str, Any]:
    """CTranslate2's arguments; its `sampling_topk` of 1 is greedy and 0 is the whole vocabulary."""
    options: dict[str, Any] = {"repetition_penalty": sampling.repetition_penalty}
    if sampling.temperature:
        options["sampling_temperature"] = sampling.temperature
        options["sampling_topk"] = sampling.top_k or 0
        options["sampling_topp"] = sampling.top_p
    return options


def _key(generation: Generation) -> Hashable:
    """What requests of one batch have in common."""
    length = len(generation.prompt) + len(generation.answer)
    sampling = generation.sampling
    # Company changes the rounding too, so what is repeatable runs alone.
    alone = generation.guided or sampling.seed is not None
    if alone or length > _SHARED_PROMPT_TOKENS:
        return id(generation)
    rest = length - generation.reused
    if sampling.repetition_penalty == 1.0:
        # Otherwise the tokens fed one a step would be penalised as if they were the answer's.
        rest //= _LENGTH_BUCKET
    return (generation.prompt[: generation.reused], rest, sampling)
