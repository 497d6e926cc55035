"""OpenAI's chat completions on the wire: the request, the server-sent events, the refusals.

https://platform.openai.com/docs/api-reference/chat and vLLM's additions,
https://docs.vllm.ai/en/latest/features/structured_outputs.html.
"""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import httpx

from services.llm.chat import (
    ChatPrompt,
    Choice,
    Constraint,
    JsonSchema,
    Message,
    Regex,
    Role,
    Usage,
)
from services.runtime.errors import (
    FailedPrecondition,
    InvalidField,
    Overloaded,
    ServiceError,
    Unavailable,
)

Dialect: TypeAlias = Literal["vllm", "vllm-guided", "openai", "deepseek"]

SERVER_UNUSABLE = frozenset(
    {"MODEL_SERVER_KEY_REFUSED", "MODEL_SERVER_UNPAID", "MODEL_SERVER_MODEL_MISSING"}
)
"""Reasons of refusals that every other request would meet too."""

_MOST_STOPS = 4
"""OpenAI's limit; further stop sequences are looked for here."""

_ALL_TOKENS = -1
"""vLLM's word for no `top_k`."""

_DONE = "[DONE]"
_LONGEST_REASON = 300
_DEFAULT_RETRY = 1.0


class MalformedStream(ValueError):
    """Events that are not what the protocol says."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of an answer.

    Attributes:
        text: Text to append.
        thinking: Text to append to what the model thinks.
        finish_reason: Why the answer ended, on its last piece.
        usage: Tokens used, on the last event.
    """

    text: str = ""
    thinking: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None


_CONTINUED = {"continue_final_message": True, "add_generation_prompt": False}
"""How vLLM is told that the answer goes on where the last message ends."""


def request_body(
    prompt: ChatPrompt, model: str, dialect: Dialect, default_max_tokens: int
) -> dict[str, Any]:
    """The JSON of a request.

    What the contract promises for absent fields is sent, for servers have defaults of their own:
    vLLM takes them from the model's generation_config.json. `top_k` and `repetition_penalty` are
    vLLM's; other servers are not sent them.

    Raises:
        InvalidField: The server has no way to keep the constraint.
    """
    vllm = dialect.startswith("vllm")
    sampling = prompt.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": _messages(prompt.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": prompt.max_tokens or default_max_tokens,
        "temperature": 0.0 if sampling.temperature is None else sampling.temperature,
        "top_p": 1.0 if sampling.top_p is None else sampling.top_p,
        "seed": sampling.seed,
        "stop": list(prompt.stop if vllm else prompt.stop[:_MOST_STOPS]) or None,
    }
    if vllm:
        body["top_k"] = sampling.top_k or _ALL_TOKENS
        body["repetition_penalty"] = sampling.repetition_penalty or 1.0
    body |= _thinking(dialect, wanted=prompt.include_thinking)
    if prompt.messages[-1].role is Role.ASSISTANT:
        if vllm:
            body |= _CONTINUED
        elif dialect == "deepseek":
            body["messages"][-1]["prefix"] = True
    if prompt.constraint is not None:
        body |= _constraint(prompt.constraint, dialect)
    return {key: value for key, value in body.items() if value is not None}


def _thinking(dialect: Dialect, *, wanted: bool) -> dict[str, Any]:
    """Switches thinking on or off in the server's words; empty where it has none."""
    match dialect:
        case "vllm" | "vllm-guided":
            # Qwen and GLM read the one, DeepSeek and Granite the other; templates ignore the rest.
            return {"chat_template_kwargs": {"enable_thinking": wanted, "thinking": wanted}}
        case "deepseek":
            return {"thinking": {"type": "enabled" if wanted else "disabled"}}
        case "openai":
            # A server that doesn't know a field refuses the request.
            return {}


def count_body(messages: Sequence[Message], model: str) -> dict[str, Any]:
    """The JSON of a request to vLLM's `/tokenize`: the prompt that a chat would have."""
    body: dict[str, Any] = {"model": model, "messages": _messages(messages)}
    return body | _CONTINUED if messages[-1].role is Role.ASSISTANT else body


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [{"role": m.role.value, "content": m.content} for m in messages]


def token_count(response: httpx.Response) -> int:
    """What `/tokenize` answers; raises Unavailable when that is no count."""
    try:
        return int(response.json()["count"])
    except (ValueError, TypeError, KeyError):
        raise Unavailable("the model's server counts in a way of its own") from None


def context_tokens(response: httpx.Response, model: str) -> int | None:
    """The most tokens a model takes, as vLLM's `/models` says; None where it does not."""
    try:
        listed = {entry.get("id"): entry.get("max_model_len") for entry in response.json()["data"]}
        return int(listed[model]) if listed.get(model) else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _constraint(constraint: Constraint, dialect: Dialect) -> dict[str, Any]:
    match constraint, dialect:
        case JsonSchema(), "deepseek":
            # DeepSeek promises JSON, not a schema; the answer is verified when it is whole.
            return {"response_format": {"type": "json_object"}}
        case JsonSchema(text=text), _:
            schema = {"name": "answer", "schema": json.loads(text), "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        case Regex(pattern=pattern), "vllm":
            return {"structured_outputs": {"regex": pattern}}
        case Choice(options=options), "vllm":
            return {"structured_outputs": {"choice": list(options)}}
        case Regex(pattern=pattern), "vllm-guided":
            return {"guided_regex": pattern}
        case Choice(options=options), "vllm-guided":
            return {"guided_choice": list(options)}
        case Regex(), _:
            raise InvalidField("regex", "this model's server takes only JSON schemas")
        case _:
            raise InvalidField("choice", "this model's server takes only JSON schemas")


async def read_chunks(lines: AsyncIterator[str]) -> AsyncGenerator[Chunk, None]:
    """The chunks of a stream of server-sent events, up to `[DONE]` or the connection's end.

    Raises:
        MalformedStream: An event is not a chunk, or is the server's report of an error.
    """
    async for line in lines:
        field, _, value = line.partition(":")
        if field != "data":
            continue  # Blank lines, comments that keep the connection alive, other fields.
        value = value.strip()
        if value == _DONE:
            return
        try:
            yield _chunk(json.loads(value))
        except MalformedStream:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise MalformedStream("an event that is not the protocol's") from None


def _chunk(event: dict[str, Any]) -> Chunk:
    if "error" in event:
        raise MalformedStream("the server reported an error")
    usage = None
    if counts := event.get("usage"):
        details = counts.get("prompt_tokens_details") or {}
        cached = details.get("cached_tokens")
        usage = Usage(
            prompt_tokens=int(counts["prompt_tokens"]),
            cached_tokens=None if cached is None else int(cached),
            completion_tokens=int(counts.get("completion_tokens") or 0),
        )
    choices = event["choices"]
    if not choices:
        return Chunk(usage=usage)
    delta = choices[0].get("delta") or {}
    text = delta.get("content") or ""
    # vLLM's word, and that of DeepSeek and of vLLM before 0.12.
    thinking = delta.get("reasoning") or delta.get("reasoning_content") or ""
    if not isinstance(text, str) or not isinstance(thinking, str):
        raise TypeError(delta)
    return Chunk(text, thinking, choices[0].get("finish_reason"), usage)


def refusal(response: httpx.Response) -> ServiceError:
    """The error of an answer that is not a success; its body has been read. Never the key."""
    status = response.status_code
    match status:
        case 401 | 403:
            return FailedPrecondition(
                "MODEL_SERVER_KEY_REFUSED",
                f"the model's server refused the key ({status}): check VIVA_LLM_OPENAI_API_KEY",
            )
        case 402:
            return FailedPrecondition("MODEL_SERVER_UNPAID", "the account's balance is used up")
        case 404:
            return FailedPrecondition(
                "MODEL_SERVER_MODEL_MISSING",
                "the model's server does not have it (404): check VIVA_LLM_MODEL and"
                " VIVA_LLM_OPENAI_BASE_URL",
            )
        case 429:
            return Overloaded(
                "the model's server takes no more requests now",
                retry_after(response) or _DEFAULT_RETRY,
            )
        case _ if status == 408 or status >= 500:
            return Unavailable(
                f"the model's server failed ({status})", retry_after(response) or _DEFAULT_RETRY
            )
    return InvalidField("messages", f"the model's server refused the request: {_said(response)}")


def retry_after(response: httpx.Response) -> float:
    """Seconds the server asks to wait (RFC 9110, 10.2.3: seconds or a date); 0 if it does not."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, date.timestamp() - time.time())


def _said(response: httpx.Response) -> str:
    try:
        body = response.json()
        error = body.get("error", body)
        message = error.get("message") if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        message = None
    return str(message or response.status_code)[:_LONGEST_REASON]
