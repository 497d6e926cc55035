"""Any server that speaks OpenAI's chat completions: vLLM, DeepSeek, Ollama and others.

Until the first piece of text a request is tried again, with backoff and jitter or after the time
the server asks for. From then on it is not: an answer cannot be begun twice, so a stream that is
cut fails. No more requests are sent at once than the server is said to take; others wait here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
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
    Role,
    Thought,
    Usage,
)
from services.llm.constraints import ConstraintBroken, Grammar, compile_constraint, verify
from services.llm.endings import UNFINISHED
from services.llm.engines.engine import ModelDescription
from services.llm.openai_protocol import (
    SERVER_UNUSABLE,
    Chunk,
    Dialect,
    MalformedStream,
    context_tokens,
    count_body,
    read_chunks,
    refusal,
    request_body,
    retry_after,
    token_count,
)
from services.llm.thinking import Piece, ThinkingSplitter
from services.llm.upstream import Upstream
from services.runtime.engine_health import EngineHealth
from services.runtime.errors import (
    FailedPrecondition,
    InvalidField,
    Overloaded,
    ResourceMissing,
    ServiceError,
    Unavailable,
)
from services.runtime.settings import without_user

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 8.0
_OTHER_CONNECTIONS = 4
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
        connections: Most requests at once.
        max_queue: Most requests that wait for one of these to end.
        default_max_tokens: Longest answer when a request does not say.
        thinking_begun: The model's chat format opens a thought, so answers begin inside it.
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
    max_queue: int = 128
    default_max_tokens: int = 512
    thinking_begun: bool = False


class OpenAiEngine:
    """Chats with one model elsewhere. Open it with `open_engine`."""

    def __init__(self, remote: Remote, client: httpx.AsyncClient) -> None:
        self._remote = remote
        self._client = client
        self._context_tokens = remote.context_tokens
        self._greeted = False
        self._upstream = Upstream(remote.connections, remote.max_queue)
        self._health = EngineHealth("llm", probe=self._probe)

    @property
    def health(self) -> EngineHealth:
        """Whether the server works."""
        return self._health

    def describe(self) -> ModelDescription:
        """What runs where."""
        return ModelDescription(
            name=self._remote.model,
            version="",
            engine="openai",
            device=without_user(self._remote.base_url),
            languages=(),
            context_tokens=self._context_tokens,
            max_batch_size=0,
            memory_bytes=0,
        )

    async def greet(self) -> None:
        """Asks what the server has; one that is not up yet is out of service until it is.

        Raises:
            ResourceMissing: It refuses the key.
        """
        try:
            await self._greet()
        except Unavailable as error:
            self._health.take_out(error)

    async def _greet(self) -> None:
        try:
            response = await self._client.get("models")
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise ResourceMissing(
                f"{without_user(self._remote.base_url)} refuses the key",
                "set VIVA_LLM_OPENAI_API_KEY",
            )
        if response.is_server_error:
            # A proxy whose server still loads its model.
            raise refusal(response)
        if response.is_success:
            self._context_tokens = context_tokens(response, self._remote.model) or (
                self._context_tokens
            )
        self._greeted = True

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
        remote = self._remote
        body = request_body(prompt, remote.model, remote.dialect, remote.default_max_tokens)
        reading = _Reading(prompt, grammar, thinking_begun=remote.thinking_begun)
        place = self._upstream.place(
            caller=prompt.caller, priority=prompt.priority, deadline=prompt.deadline
        )
        async with place as queue_time:
            loop = asyncio.get_running_loop()
            started = loop.time()
            try:
                async with aclosing(self._read(body, prompt, reading)) as events:
                    async for event in events:
                        yield event
            except ServiceError as error:
                self._health.report(_as_failure(error))
                raise
            seconds = loop.time() - started
        self._health.report(None)
        if not self._greeted:
            # It came up between two probes.
            with suppress(Unavailable, ResourceMissing):
                await self._greet()
        # A large schema takes its time to be compared with a large answer.
        reason = await asyncio.to_thread(reading.end)
        yield Finish(reason, reading.usage(), queue_time, seconds, batch_size=1)

    async def _read(
        self, body: dict[str, Any], prompt: ChatPrompt, reading: _Reading
    ) -> AsyncGenerator[ChatEvent, None]:
        response, chunks = await self._begin(body, prompt)
        try:
            async with aclosing(chunks):
                async for event in reading.events(chunks):
                    yield event
        except (httpx.HTTPError, MalformedStream) as error:
            raise Unavailable(
                f"the answer was cut off after it had begun ({_words(error)})"
            ) from None
        finally:
            await response.aclose()

    async def _begin(
        self, body: dict[str, Any], prompt: ChatPrompt
    ) -> tuple[httpx.Response, AsyncGenerator[Chunk, None]]:
        """Sends the request until there is a first chunk with text, or an end."""
        clock = asyncio.get_running_loop().time
        backoff = wait_exponential_jitter(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)

        def wait(state: RetryCallState) -> float:
            return max(_asked_pause(state), backoff(state))

        def too_late(state: RetryCallState) -> bool:
            pause = state.upcoming_sleep
            return pause > self._remote.read_seconds or (
                prompt.deadline is not None and clock() + pause >= prompt.deadline
            )

        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(_Fault),
                wait=wait,
                stop=stop_after_attempt(self._remote.attempts) | too_late,  # type: ignore[operator]
                reraise=True,
            ):
                with attempt:
                    return await self._attempt(body, thinking=prompt.include_thinking)
        except _Fault as fault:
            raise fault.error from None
        raise AssertionError("tenacity ends by a return or an error")

    async def _attempt(
        self, body: dict[str, Any], *, thinking: bool
    ) -> tuple[httpx.Response, AsyncGenerator[Chunk, None]]:
        """One try; raises _Fault where another can help."""
        try:
            request = self._client.build_request("POST", "chat/completions", json=body)
            response = await self._client.send(request, stream=True)
        except httpx.PoolTimeout as error:
            # Waiting for the pool again would only make the queue longer.
            raise _unreachable(error) from None
        except httpx.HTTPError as error:
            raise _Fault(_unreachable(error)) from None
        if not response.is_success:
            raise await self._refused(response)
        try:
            chunks = read_chunks(response.aiter_lines())
            early = [chunk async for chunk in _until_text(chunks, thinking=thinking)]
        except (httpx.HTTPError, MalformedStream) as error:
            await response.aclose()
            raise _Fault(_unreachable(error)) from None
        except BaseException:
            await response.aclose()
            raise
        return response, _chain(early, chunks)

    async def _refused(self, response: httpx.Response) -> Exception:
        """The error of an answer that is not a success."""
        try:
            await response.aread()
        except httpx.HTTPError as error:
            return _Fault(_unreachable(error))
        finally:
            await response.aclose()
        refused = refusal(response)
        pause = retry_after(response)
        if isinstance(refused, Overloaded) and pause:
            self._upstream.pause(pause)
        again = isinstance(refused, Overloaded | Unavailable)
        return _Fault(refused, pause) if again else refused

    async def _probe(self) -> None:
        """Has the model say one token; raises while it cannot.

        First it is asked again what it has: another may have been started in its place.
        """
        await self._greet()
        prompt = ChatPrompt((Message(Role.USER, "Hello"),), max_tokens=1)
        body = request_body(prompt, self._remote.model, self._remote.dialect, 1)
        try:
            response, chunks = await self._attempt(body, thinking=True)
        except _Fault as fault:
            if isinstance(fault.error, Overloaded):
                return  # Busy is not broken.
            raise fault.error from None
        await chunks.aclose()
        await response.aclose()


class _Fault(Exception):
    """A try that failed where another may not.

    Attributes:
        error: What the caller is told if there is no other.
        pause: Seconds the server asks to wait; 0 if it does not.
    """

    def __init__(self, error: ServiceError, pause: float = 0.0) -> None:
        super().__init__(error.message)
        self.error = error
        self.pause = pause


def _asked_pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.pause if isinstance(error, _Fault) else 0.0


class _Reading:
    """An answer on its way in."""

    def __init__(
        self, prompt: ChatPrompt, grammar: Grammar | None, *, thinking_begun: bool
    ) -> None:
        self._text = AnswerText(prompt.stop)
        self._thinking = ThinkingSplitter(begun=thinking_begun, leading_only=grammar is not None)
        self._include_thinking = prompt.include_thinking
        self._grammar = grammar
        self._whole: list[str] = []
        self._pieces = 0
        self._reason: str | None = None
        self._usage: Usage | None = None

    async def events(self, chunks: AsyncIterator[Chunk]) -> AsyncGenerator[Delta | Thought, None]:
        async for chunk in chunks:
            self._reason = chunk.finish_reason or self._reason
            self._usage = chunk.usage or self._usage
            self._pieces += bool(chunk.text)
            if chunk.thinking and self._include_thinking:
                yield Thought(chunk.thinking)
            for event in self._said(self._thinking.push(chunk.text)):
                yield event
            if self._text.stopped:
                return
        if self._reason is None:
            raise MalformedStream("the stream ended before the answer did")
        for event in self._said(self._thinking.finish()):
            yield event
        if said := self._text.finish():
            yield Delta(said)

    def _said(self, pieces: Sequence[Piece]) -> Iterator[Delta | Thought]:
        for piece in pieces:
            if not piece.thinking:
                self._whole.append(piece.text)
                if said := self._text.push_text(piece.text):
                    yield Delta(said)
            elif self._include_thinking:
                yield Thought(piece.text)

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
        return self._usage or Usage(0, None, self._pieces)


async def _until_text(
    chunks: AsyncGenerator[Chunk, None], *, thinking: bool
) -> AsyncGenerator[Chunk, None]:
    """The chunks up to the first that tells the caller something; of those before, the usage."""
    async for chunk in chunks:
        told = bool(chunk.text or chunk.finish_reason or (thinking and chunk.thinking))
        if told or chunk.usage:
            yield chunk
        if told:
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


def _as_failure(error: ServiceError) -> ServiceError:
    """What an error says of the server: one that takes no key serves nobody."""
    return Unavailable(error.message) if error.reason in SERVER_UNUSABLE else error


def _unreachable(error: Exception) -> ServiceError:
    if isinstance(error, httpx.PoolTimeout):
        return Overloaded("all connections to the model's server are taken")
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
    url = httpx.URL(remote.base_url.removesuffix("/") + "/")
    async with httpx.AsyncClient(
        # What a URL says of its user would be in the log with each request.
        base_url=url.copy_with(userinfo=b""),
        auth=(url.username, url.password) if url.userinfo else None,
        headers=headers,
        timeout=httpx.Timeout(
            remote.read_seconds, connect=remote.connect_seconds, pool=remote.connect_seconds
        ),
        limits=httpx.Limits(
            # Beside the chats: counting tokens, probing.
            max_connections=remote.connections + _OTHER_CONNECTIONS,
            max_keepalive_connections=remote.connections,
        ),
    ) as client:
        engine = OpenAiEngine(remote, client)
        await engine.greet()
        yield engine
