"""Any server that speaks OpenAI's chat completions: vLLM, DeepSeek, Ollama and others.

Until the first piece of text a request is tried again, with backoff and jitter or after the time
the server asks for. From then on it is not: an answer cannot be begun twice, so a stream that is
cut fails.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from services.llm.answer import AnswerText
from services.llm.chat import (
    ChatEvent,
    ChatPrompt,
    Delta,
    Finish,
    FinishReason,
    Message,
    Usage,
)
from services.llm.constraints import ConstraintBroken, Grammar, compile_constraint, verify
from services.llm.endings import UNFINISHED
from services.llm.engines.engine import ModelDescription
from services.llm.openai_protocol import (
    Chunk,
    Dialect,
    MalformedStream,
    context_tokens,
    count_body,
    read_chunks,
    refusal,
    request_body,
    token_count,
)
from services.runtime.errors import (
    FailedPrecondition,
    InvalidField,
    Overloaded,
    ResourceMissing,
    ServiceError,
    Unavailable,
)
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 8.0
_REASONS = {"length": FinishReason.LENGTH, "content_filter": FinishReason.CONTENT_FILTER}


@dataclass(frozen=True, slots=True)
class Remote:
    """Where the model runs and how to talk to it.

    Attributes:
        base_url: For example "http://localhost:8000/v1".
        model: The server's name of the model.
        api_key: Sent as a bearer token; None sends none.
        dialect: What the server understands beyond the common protocol.
        context_tokens: Reported unless the server says how many it takes.
        connect_seconds: To connect.
        read_seconds: Between two pieces.
        attempts: Tries before a request is given up.
        connections: Size of the connection pool.
    """

    base_url: str
    model: str
    api_key: str | None = None
    dialect: Dialect = "vllm"
    context_tokens: int = 4096
    connect_seconds: float = 5.0
    read_seconds: float = 60.0
    attempts: int = 4
    connections: int = 64


class OpenAiEngine:
    """Chats with one model elsewhere. Open it with `open_engine`."""

    def __init__(self, remote: Remote, client: httpx.AsyncClient) -> None:
        self._remote = remote
        self._client = client
        self._context_tokens = remote.context_tokens

    def describe(self) -> ModelDescription:
        """What runs where."""
        return ModelDescription(
            name=self._remote.model,
            version="",
            engine="openai",
            device=self._remote.base_url,
            languages=(),
            context_tokens=self._context_tokens,
            max_batch_size=0,
            memory_bytes=0,
        )

    async def greet(self) -> None:
        """Asks what the server has; a server that is not up yet may come later.

        Raises:
            ResourceMissing: It refuses the key.
        """
        try:
            response = await self._client.get("models")
        except httpx.HTTPError as error:
            log(_logger, logging.WARNING, "model server unreachable", error=type(error).__name__)
            return
        if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise ResourceMissing(
                f"{self._remote.base_url} refuses the key", "set VIVA_LLM_OPENAI_API_KEY"
            )
        if response.is_success:
            self._context_tokens = context_tokens(response, self._remote.model) or (
                self._context_tokens
            )

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of a conversation, by vLLM's tokenize endpoint.

        Raises:
            FailedPrecondition: The server has no such endpoint.
            Unavailable: It cannot be reached, or answers something else than a count.
        """
        if not self._remote.dialect.startswith("vllm"):
            raise FailedPrecondition(
                "COUNT_UNSUPPORTED", "this model's server does not count tokens in advance"
            )
        body = count_body(messages, self._remote.model)
        url = self._remote.base_url.removesuffix("/").removesuffix("/v1") + "/tokenize"
        try:
            response = await self._client.post(url, json=body)
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        if not response.is_success:
            raise refusal(response)
        return token_count(response)

    async def chat(self, prompt: ChatPrompt) -> AsyncGenerator[ChatEvent, None]:
        """Passes the conversation on and the answer back as it comes."""
        grammar = None
        if prompt.constraint is not None:
            if prompt.stop:
                raise InvalidField(
                    "stop", "a constrained answer ends by its constraint, not by a stop"
                )
            grammar = await asyncio.to_thread(compile_constraint, prompt.constraint)
        body = request_body(prompt, self._remote.model, self._remote.dialect)
        loop = asyncio.get_running_loop()
        started = loop.time()
        response, chunks = await self._begin(body, prompt.deadline)
        reading = _Reading(AnswerText(prompt.stop), grammar)
        try:
            async with aclosing(chunks):
                async for text in reading.texts(chunks):
                    yield Delta(text)
        except (httpx.HTTPError, MalformedStream) as error:
            raise Unavailable(
                f"the answer was cut off after it had begun ({_words(error)})"
            ) from None
        finally:
            await response.aclose()
        # A large schema takes its time to be compared with a large answer.
        reason = await asyncio.to_thread(reading.end)
        yield Finish(reason, reading.usage(), 0.0, loop.time() - started, batch_size=1)

    async def _begin(
        self, body: dict[str, Any], deadline: float | None
    ) -> tuple[httpx.Response, AsyncGenerator[Chunk, None]]:
        """Sends the request until there is a first chunk with text, or an end."""
        clock = asyncio.get_running_loop().time
        backoff = wait_exponential_jitter(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)

        def wait(state: RetryCallState) -> float:
            asked = getattr(state.outcome and state.outcome.exception(), "retry_after", 0.0)
            return max(asked if isinstance(asked, float) else 0.0, backoff(state))

        def too_late(state: RetryCallState) -> bool:
            pause = state.upcoming_sleep
            return pause > self._remote.read_seconds or (
                deadline is not None and clock() + pause >= deadline
            )

        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, Unavailable | Overloaded)),
            wait=wait,
            stop=stop_after_attempt(self._remote.attempts) | too_late,  # type: ignore[operator]
            reraise=True,
        ):
            with attempt:
                return await self._attempt(body)
        raise AssertionError("tenacity ends by a return or an error")

    async def _attempt(
        self, body: dict[str, Any]
    ) -> tuple[httpx.Response, AsyncGenerator[Chunk, None]]:
        try:
            request = self._client.build_request("POST", "chat/completions", json=body)
            response = await self._client.send(request, stream=True)
        except httpx.PoolTimeout:
            raise Overloaded("all connections to the model's server are taken") from None
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        if not response.is_success:
            raise await _refused(response)
        try:
            chunks = read_chunks(response.aiter_lines())
            early = [chunk async for chunk in _until_text(chunks)]
        except (httpx.HTTPError, MalformedStream) as error:
            await response.aclose()
            raise _unreachable(error) from None
        except BaseException:
            await response.aclose()
            raise
        return response, _chain(early, chunks)


class _Reading:
    """An answer on its way in."""

    def __init__(self, text: AnswerText, grammar: Grammar | None) -> None:
        self._text = text
        self._grammar = grammar
        self._whole: list[str] = []
        self._pieces = 0
        self._reason: str | None = None
        self._usage: Usage | None = None

    async def texts(self, chunks: AsyncIterator[Chunk]) -> AsyncGenerator[str, None]:
        async for chunk in chunks:
            self._reason = chunk.finish_reason or self._reason
            self._usage = chunk.usage or self._usage
            if chunk.text:
                self._pieces += 1
                self._whole.append(chunk.text)
                if said := self._text.push_text(chunk.text):
                    yield said
            if self._text.stopped:
                return
        if self._reason is None:
            raise MalformedStream("the stream ended before the answer did")
        if said := self._text.finish():
            yield said

    def end(self) -> FinishReason:
        """Why the answer ended.

        Raises:
            FailedPrecondition: The server did not keep to the constraint.
        """
        reason = _REASONS.get(self._reason or "stop", FinishReason.STOP)
        if self._grammar is not None:
            try:
                verify(self._grammar, "".join(self._whole))
            except ConstraintBroken as error:
                advice = "; raise max_tokens" if reason is FinishReason.LENGTH else ""
                raise FailedPrecondition(UNFINISHED, f"{error}{advice}") from None
        return reason

    def usage(self) -> Usage:
        """What the server says, or at least the pieces that came."""
        return self._usage or Usage(0, 0, self._pieces)


async def _refused(response: httpx.Response) -> ServiceError:
    try:
        await response.aread()
    except httpx.HTTPError as error:
        return _unreachable(error)
    finally:
        await response.aclose()
    return refusal(response)


async def _until_text(chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[Chunk, None]:
    async for chunk in chunks:
        yield chunk
        if chunk.text or chunk.finish_reason:
            return
    raise MalformedStream("the stream ended before it began")


async def _chain(
    early: Sequence[Chunk], rest: AsyncGenerator[Chunk, None]
) -> AsyncGenerator[Chunk, None]:
    async with aclosing(rest):
        for chunk in early:
            yield chunk
        async for chunk in rest:
            yield chunk


def _unreachable(error: Exception) -> ServiceError:
    return Unavailable(f"the model's server cannot be reached ({_words(error)})")


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, MalformedStream) else type(error).__name__


@asynccontextmanager
async def open_engine(remote: Remote) -> AsyncIterator[OpenAiEngine]:
    """Opens the connection pool and yields the engine.

    Raises:
        ResourceMissing: The server refuses the key.
    """
    headers = {"authorization": f"Bearer {remote.api_key}"} if remote.api_key else {}
    async with httpx.AsyncClient(
        base_url=remote.base_url.removesuffix("/") + "/",
        headers=headers,
        timeout=httpx.Timeout(
            remote.read_seconds, connect=remote.connect_seconds, pool=remote.connect_seconds
        ),
        limits=httpx.Limits(
            max_connections=remote.connections, max_keepalive_connections=remote.connections
        ),
    ) as client:
        engine = OpenAiEngine(remote, client)
        await engine.greet()
        yield engine
