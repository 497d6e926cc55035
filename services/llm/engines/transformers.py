"""Any Hugging Face causal language model on torch, on CPU or CUDA."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from services.llm.answer import AnswerText
from services.llm.chat import (
    ChatEvent,
    ChatPrompt,
    FinishReason,
    Message,
    Role,
    Sampling,
)
from services.llm.constraints import Matcher, Stuck, Vocabulary, compile_constraint
from services.llm.endings import finish_short, finish_whole
from services.llm.engines.engine import ModelDescription
from services.llm.generation import EventQueue, Generation, stream
from services.llm.sampling import Sampler
from services.llm.turns import Turns, cost
from services.runtime.batching import BatchScheduler
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import FailedPrecondition, InvalidField, ResourceMissing

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def cuda_devices() -> int:
    """How many torch finds."""
    return torch.cuda.device_count()


class TransformersEngine:
    """Chats with one model. Open it with `open_engine`."""

    def __init__(
        self,
        model: str,
        *,
        device: str,
        context_tokens: int,
        default_max_tokens: int,
        max_batch_size: int,
        max_queue: int,
    ) -> None:
        """Loads a model from a folder or by its Hugging Face name.

        Raises:
            ResourceMissing: It cannot be loaded, or has no chat template.
        """
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(model, padding_side="left")
            # CUDA takes the weights' own type; a CPU is fastest and surest with float32.
            dtype = torch.float32 if device == "cpu" else "auto"
            loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
        except (OSError, ValueError) as error:
            raise ResourceMissing(
                f"the model {model!r} cannot be loaded ({type(error).__name__})",
                "set VIVA_LLM_MODEL to a folder or a Hugging Face name",
            ) from error
        if not self._tokenizer.chat_template:
            raise ResourceMissing(f"{model!r} has no chat template", "take an instruct model")
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._model: Any = loaded.to(device).eval()
        self._name = model
        self._device = device
        ends = self._model.generation_config.eos_token_id
        listed = ends if isinstance(ends, list) else [ends]
        self._ends = {int(e) for e in (*listed, self._tokenizer.eos_token_id) if e is not None}
        most = getattr(self._model.config, "max_position_embeddings", context_tokens)
        self._context_tokens = min(context_tokens, most)
        self._default_max_tokens = default_max_tokens
        self._max_batch_size = max_batch_size
        self._vocabulary: Vocabulary | None = None
        self._turns = Turns()
        self.health = EngineHealth("llm", probe=self.answer_once, device=device)
        self.scheduler: BatchScheduler[Generation, None] = BatchScheduler(
            self.health.watched(self._run),
            name="llm",
            watch=self.health.report,
            max_batch_size=max_batch_size,
            max_queue=max_queue,
            cost=cost,
        )

    def describe(self) -> ModelDescription:
        """What runs where."""
        return ModelDescription(
            name=self._name,
            version=str(getattr(self._model.config, "_commit_hash", None) or ""),
            engine="transformers",
            device=self._device,
            languages=(),
            context_tokens=self._context_tokens,
            max_batch_size=self._max_batch_size,
            memory_bytes=self._model.get_memory_footprint(),
        )

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of a conversation up to where the answer begins, the chat format included."""
        return len(await asyncio.to_thread(self._tokenize, messages))

    def _tokenize(self, messages: Sequence[Message]) -> tuple[int, ...]:
        continued = messages[-1].role is Role.ASSISTANT
        text: str = self._tokenizer.apply_chat_template(
            [{"role": m.role.value, "content": self._plain(m.content)} for m in messages],
            tokenize=False,
            add_generation_prompt=not continued,
            continue_final_message=continued,
            # Templates of models that think read it; the rest don't.
            enable_thinking=False,
        )
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _plain(self, content: str) -> str:
        """Spells out control tokens, so that a message cannot close its own turn."""
        for token in self._tokenizer.all_special_tokens:
            if token in content and len(token) > 1:
                content = content.replace(token, f"{token[0]} {token[1:]}")
        return content

    async def chat(self, prompt: ChatPrompt) -> AsyncGenerator[ChatEvent, None]:
        """Answers token by token; closing the generator stops the model at its next token."""
        if prompt.constraint is not None and prompt.stop:
            raise InvalidField("stop", "a constrained answer ends by its constraint, not by a stop")
        tokens = await asyncio.to_thread(self._tokenize, prompt.messages)
        room = self._context_tokens - len(tokens)
        if room <= 0:
            raise InvalidField(
                "messages",
                f"{len(tokens)} tokens, model takes {self._context_tokens}, the answer included",
            )
        events = EventQueue()
        generation = Generation(
            prompt=tokens,
            reused=0,
            sampling=prompt.sampling,
            max_tokens=min(prompt.max_tokens or self._default_max_tokens, room),
            text=AnswerText(prompt.stop),
            emit=events.emit,
            caller=prompt.caller,
            priority=prompt.priority,
            deadline=prompt.deadline,
            matcher=await asyncio.to_thread(self._matcher, prompt),
            sampler=_sampler(prompt.sampling),
        )

        submit = partial(self._turns.submit, self.scheduler)
        async with aclosing(stream(generation, events, submit)) as answer:
            async for event in answer:
                yield event

    def _matcher(self, prompt: ChatPrompt) -> Matcher | None:
        if prompt.constraint is None:
            return None
        grammar = compile_constraint(prompt.constraint)
        if self._vocabulary is None:
            backend = self._tokenizer.backend_tokenizer.to_str()
            size = self._model.get_output_embeddings().weight.shape[0]
            self._vocabulary = Vocabulary(backend, size, sorted(self._ends))
        return self._vocabulary.matcher(grammar)

    def _run(self, batch: Sequence[Generation]) -> Sequence[Exception | None]:
        """Computes a turn of a batch, in the scheduler's thread."""
        for generation in batch:
            self._turns.begin(generation)
        rows = [_Row(generation, self._tokenizer, self._ends, self._turns) for generation in batch]
        inputs = self._tokenizer.pad(
            {"input_ids": [[*generation.prompt, *generation.answer] for generation in batch]},
            return_tensors="pt",
        ).to(self._device)
        self._model.generate(
            **inputs,
            max_new_tokens=max(generation.remaining for generation in batch),
            do_sample=False,
            # The checkpoint's own sampling would get in the way: requests choose theirs.
            temperature=None,
            top_p=None,
            top_k=None,
            repetition_penalty=1.0,
            eos_token_id=None,
            pad_token_id=self._tokenizer.pad_token_id,
            logits_processor=LogitsProcessorList([_Choosing(rows)]),
            stopping_criteria=StoppingCriteriaList([_Reading(rows)]),
        )
        return [row.end() for row in rows]

    async def answer_once(self) -> None:
        """Answers, to prove that it can."""
        prompt = ChatPrompt((Message(Role.USER, "Hello"),), max_tokens=2)
        async with aclosing(self.chat(prompt)) as events:
            async for _ in events:
                pass


class _Row:
    """One generation of a batch, step by step."""

    def __init__(
        self, generation: Generation, tokenizer: Any, ends: set[int], turns: Turns
    ) -> None:
        self.generation = generation
        self._tokenizer = tokenizer
        self._ends = ends
        self._turns = turns
        self._begun = len(generation.answer)
        # Of earlier turns; the beginning of a character was not said.
        self._said = self._text().rstrip(_REPLACEMENT)
        self._turn_over = False
        self._failure: Exception | None = None

    @property
    def over(self) -> bool:
        return self._failure is not None or self.generation.stopped or self._turn_over

    def choose(self, scores: Any) -> int | None:
        """The token to take from logits [vocabulary]; None leaves it to the likeliest."""
        generation = self.generation
        if self.over or (generation.matcher is None and generation.sampler is None):
            return None
        try:
            allowed = generation.matcher.allowed() if generation.matcher else None
            sampler = generation.sampler or Sampler(Sampling())
            logits = scores.float().cpu().numpy().astype(np.float32, copy=False)
            return sampler.choose(logits, generation.answer, allowed)
        except Exception as error:  # noqa: BLE001 - the row's answer; the others go on
            self._fail(error)
            return None

    def take(self, token: int) -> None:
        """Takes the token of a step."""
        if self.over:
            return
        try:
            self._take(token)
        except Exception as error:  # noqa: BLE001 - the row's answer; the others go on
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        generation = self.generation
        if isinstance(error, Stuck) and generation.matcher is not None:
            try:
                self._complete(generation, generation.matcher)
            except FailedPrecondition as failure:
                error = failure
            else:
                return
        self._failure = error

    def _take(self, token: int) -> None:
        generation = self.generation
        if token in self._ends:
            finish_whole(generation, self._text().encode())
            return
        if generation.matcher is not None:
            generation.matcher.accept(token)
        generation.append(token, self._new_text(token))
        if generation.matcher is not None and not generation.stopped:
            if generation.matcher.over:
                finish_whole(generation, self._text().encode())
            elif generation.remaining <= 0:
                self._complete(generation, generation.matcher)
        tokens = len(generation.answer) - self._begun
        self._turn_over = not generation.stopped and self._turns.over(generation, tokens)

    def _complete(self, generation: Generation, matcher: Matcher) -> None:
        finish_short(
            generation,
            matcher,
            self._text().rstrip(_REPLACEMENT).encode(),
            lambda text: self._tokenizer(text, add_special_tokens=False)["input_ids"],
        )

    def _text(self) -> str:
        text: str = self._tokenizer.decode(
            self.generation.answer, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def _new_text(self, token: int) -> str:
        """What a token adds; nothing while a character is incomplete."""
        self.generation.answer.append(token)
        whole = self._text()
        self.generation.answer.pop()
        if whole.endswith(_REPLACEMENT) or not whole.startswith(self._said):
            return ""
        new = whole[len(self._said) :]
        self._said = whole
        return new

    def end(self) -> Exception | None:
        """The row's failure, if it has one, once the batch is done."""
        if self._failure is None and not self.generation.cancelled and not self._turn_over:
            self.generation.finish(FinishReason.LENGTH)
        return self._failure


class _Choosing(LogitsProcessor):
    """Leaves only the token that a row's constraint and sampling choose."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        for index, row in enumerate(self._rows):
            token = row.choose(scores[index])
            if token is not None:
                scores[index] = -torch.inf
                scores[index, token] = 0.0
        return scores


class _Reading(StoppingCriteria):
    """Hands each row its new token and says which rows are over."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self._rows = rows

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        for row, token in zip(self._rows, input_ids[:, -1].tolist(), strict=True):
            row.take(token)
        over = [row.over for row in self._rows]
        return torch.tensor(over, dtype=torch.bool, device=input_ids.device)


def _sampler(sampling: Sampling) -> Sampler | None:
    """None where the likeliest token is the choice."""
    plain = not sampling.temperature and (sampling.repetition_penalty or 1.0) == 1.0
    return None if plain else Sampler(sampling)


@asynccontextmanager
async def open_engine(
    model: str,
    *,
    device: str,
    context_tokens: int,
    default_max_tokens: int,
    max_batch_size: int,
    max_queue: int,
) -> AsyncIterator[TransformersEngine]:
    """Loads a model, warms it up and yields its engine.

    Raises:
        ResourceMissing: It cannot be loaded.
    """

    def load() -> TransformersEngine:
        return TransformersEngine(
            model,
            device=device,
            context_tokens=context_tokens,
            default_max_tokens=default_max_tokens,
            max_batch_size=max_batch_size,
            max_queue=max_queue,
        )

    engine = await asyncio.to_thread(load)
    async with engine.scheduler:
        await engine.scheduler.warm_up(engine.answer_once)
        yield engine
