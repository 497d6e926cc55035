"""The OpenAI engine against a real HTTP server: the protocol, and what goes wrong with it."""

from __future__ import annotations

import asyncio
import base64
import email.utils
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from services.llm.chat import (
    ChatPrompt,
    Choice,
    Constraint,
    Delta,
    Finish,
    FinishReason,
    JsonSchema,
    Message,
    Regex,
    Role,
    Sampling,
    Thought,
)
from services.llm.engines.openai import OpenAiEngine, Remote, open_engine
from services.runtime.errors import (
    FailedPrecondition,
    InvalidField,
    Overloaded,
    ResourceMissing,
    Unavailable,
)
from tests.llm.model_server import DONE, ModelServer, Reply, answer, event, model_server, usage

KEY = "sk-not-to-be-shown"
PROMPT = ChatPrompt((Message(Role.USER, "Hello"),))
HELLO = Reply(answer("Hel", "lo", "!"))


@asynccontextmanager
async def chatting(
    *replies: Reply, **remote: Any
) -> AsyncIterator[tuple[OpenAiEngine, ModelServer]]:
    async with model_server(*replies) as server:
        settings = Remote(server.url, "small", api_key=KEY, read_seconds=5, **remote)
        async with open_engine(settings) as engine:
            yield engine, server


async def ask(engine: OpenAiEngine, prompt: ChatPrompt = PROMPT) -> tuple[list[str], Finish]:
    texts: list[str] = []
    async with aclosing(engine.chat(prompt)) as events:
        async for happened in events:
            match happened:
                case Delta(text=text):
                    texts.append(text)
                case Finish():
                    return texts, happened
    raise AssertionError("no finish")


async def test_pieces_come_as_they_are_sent_then_the_servers_usage() -> None:
    async with chatting(HELLO) as (engine, server):
        texts, finish = await ask(engine)
    assert texts == ["Hel", "lo", "!"]
    assert finish.reason is FinishReason.STOP
    assert (finish.usage.prompt_tokens, finish.usage.cached_tokens) == (11, 4)
    assert finish.usage.completion_tokens == 3
    assert server.authorizations == [f"Bearer {KEY}"]
    assert server.requests[0]["stream_options"] == {"include_usage": True}


async def test_a_password_in_the_servers_url_is_sent_and_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with model_server(HELLO) as server:
        url = server.url.replace("//", "//ann:hunter2@")
        async with open_engine(Remote(url, "small", read_seconds=5)) as engine:
            await ask(engine)
            assert "hunter2" not in engine.describe().device
    [sent] = server.authorizations
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"ann:hunter2"
    assert "chat/completions" in caplog.text
    assert "hunter2" not in caplog.text


async def test_what_a_request_leaves_open_is_sent_as_the_contract_says() -> None:
    prompt = replace(
        PROMPT,
        messages=(*PROMPT.messages, Message(Role.ASSISTANT, "Well")),
        max_tokens=7,
        sampling=Sampling(temperature=0.5, top_p=0.9, top_k=3, repetition_penalty=1.1, seed=9),
        stop=("\n",),
    )
    async with chatting(HELLO, default_max_tokens=99) as (engine, server):
        await ask(engine)
        await ask(engine, prompt)
    plain, full = server.requests
    assert (plain["max_tokens"], plain["temperature"], plain["top_p"]) == (99, 0.0, 1.0)
    assert (plain["top_k"], plain["repetition_penalty"]) == (-1, 1.0)
    assert not {"seed", "stop", "continue_final_message"} & set(plain)
    assert (full["max_tokens"], full["temperature"], full["seed"]) == (7, 0.5, 9)
    assert (full["top_p"], full["top_k"], full["stop"]) == (0.9, 3, ["\n"])
    assert (full["repetition_penalty"], full["continue_final_message"]) == (1.1, True)


async def test_only_vllm_is_sent_what_is_vllms() -> None:
    async with chatting(HELLO, dialect="openai") as (engine, server):
        await ask(engine)
    assert set(server.requests[0]) == {
        *("model", "messages", "stream", "stream_options"),
        *("max_tokens", "temperature", "top_p"),
    }


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        ("vllm", {"chat_template_kwargs": {"enable_thinking": bool, "thinking": bool}}),
        ("deepseek", {"thinking": {"type": str}}),
    ],
)
async def test_thinking_is_switched_off_unless_it_is_asked_for(
    wanted: bool, dialect: str, words: dict[str, Any]
) -> None:
    async with chatting(HELLO, dialect=dialect) as (engine, server):
        await ask(engine, replace(PROMPT, include_thinking=wanted))
    if dialect == "deepseek":
        expected: dict[str, Any] = {"thinking": {"type": "enabled" if wanted else "disabled"}}
    else:
        expected = {"chat_template_kwargs": {"enable_thinking": wanted, "thinking": wanted}}
    assert {key: server.requests[0][key] for key in words} == expected


def thought(text: str, field: str) -> str:
    choice = {"index": 0, "delta": {field: text, "content": None}, "finish_reason": None}
    return f"data: {json.dumps({'choices': [choice]})}\n\n"


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize(
    "events",
    [
        [thought("Hm, ", "reasoning_content"), thought("hello?", "reasoning_content")],
        [thought("Hm, ", "reasoning"), thought("hello?", "reasoning")],
        [event("<thi"), event("nk>Hm, hello?</th"), event("ink>\n\n")],
    ],
    ids=["reasoning_content", "reasoning", "tags"],
)
async def test_what_the_model_thinks_is_never_its_answer(events: list[str], wanted: bool) -> None:
    reply = Reply([*events, *answer("Hel", "lo!")])
    thoughts: list[str] = []
    texts: list[str] = []
    async with chatting(reply) as (engine, _):
        async for happened in engine.chat(replace(PROMPT, include_thinking=wanted)):
            match happened:
                case Thought(text=text):
                    thoughts.append(text)
                case Delta(text=text):
                    texts.append(text)
    assert "".join(texts) == "Hello!"
    assert "".join(thoughts) == ("Hm, hello?" if wanted else "")


async def test_a_thought_that_the_chat_format_opened_is_none_of_the_answer() -> None:
    reply = Reply(answer("Hm.", "</think>", "Hello!"))
    async with chatting(reply, thinking_begun=True) as (engine, _):
        assert "".join((await ask(engine))[0]) == "Hello!"


async def test_usage_says_nothing_of_a_cache_the_server_says_nothing_of() -> None:
    counts = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    events = [event("x"), event(finish="stop"), f"data: {json.dumps(counts)}\n\n", DONE]
    async with chatting(Reply(events)) as (engine, _):
        assert (await ask(engine))[1].usage.cached_tokens is None


@pytest.mark.parametrize(
    ("dialect", "constraint", "sent"),
    [
        ("vllm", Regex("a+"), {"structured_outputs": {"regex": "a+"}}),
        ("vllm", Choice(("a", "b")), {"structured_outputs": {"choice": ["a", "b"]}}),
        ("vllm-guided", Regex("a+"), {"guided_regex": "a+"}),
        ("vllm-guided", Choice(("a", "b")), {"guided_choice": ["a", "b"]}),
        (
            "openai",
            JsonSchema('{"const": "a"}'),
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"const": "a"}, "strict": True},
                }
            },
        ),
        ("deepseek", JsonSchema('{"const": "a"}'), {"response_format": {"type": "json_object"}}),
    ],
)
async def test_constraints_are_passed_on_in_the_servers_words(
    dialect: str, constraint: Constraint, sent: dict[str, Any]
) -> None:
    said = '"a"' if isinstance(constraint, JsonSchema) else "a"
    async with chatting(Reply(answer(said)), dialect=dialect) as (engine, server):
        texts, _ = await ask(engine, replace(PROMPT, constraint=constraint))
    assert texts == [said]
    assert {k: v for k, v in server.requests[0].items() if k in sent} == sent


async def test_a_constraint_the_server_cannot_keep_is_refused() -> None:
    async with chatting(HELLO, dialect="openai") as (engine, server):
        with pytest.raises(InvalidField, match="regex"):
            await ask(engine, replace(PROMPT, constraint=Regex("a+")))
    assert server.requests == []


async def test_an_answer_that_breaks_its_constraint_fails() -> None:
    async with chatting(Reply(answer('{"a": ', finish="length"))) as (engine, _):
        with pytest.raises(FailedPrecondition, match="max_tokens") as failed:
            await ask(engine, replace(PROMPT, constraint=JsonSchema('{"type": "object"}')))
    assert failed.value.reason == "CONSTRAINT_UNFINISHED"


@pytest.mark.parametrize(
    "fault",
    [
        Reply(status=429, headers={"retry-after": "0"}),
        Reply(status=429, headers={"retry-after": email.utils.formatdate(0)}),
        Reply(status=500, events=["oops"]),
        Reply(status=503),
        Reply(cut=True),
        Reply([event(), event()], cut=True),
        Reply(["data: {not json\n\n"]),
        Reply(['data: {"error": {"message": "out of memory"}}\n\n']),
        Reply([DONE]),
    ],
    ids=["429", "429-date", "500", "503", "cut", "cut-before-text", "malformed", "error", "empty"],
)
async def test_a_fault_before_the_first_text_is_tried_again(fault: Reply) -> None:
    async with chatting(fault, HELLO) as (engine, server):
        texts, _ = await ask(engine)
    assert "".join(texts) == "Hello!"
    assert len(server.requests) == 2


async def test_the_time_the_server_asks_for_is_waited() -> None:
    busy = Reply(status=429, headers={"retry-after": "1"})
    async with chatting(busy, HELLO) as (engine, _):
        began = time.monotonic()
        await ask(engine)
    assert time.monotonic() - began >= 1


async def test_a_wait_past_the_deadline_is_not_waited() -> None:
    busy = Reply(status=429, headers={"retry-after": "3"})
    async with chatting(busy, HELLO) as (engine, server):
        deadline = asyncio.get_running_loop().time() + 2
        with pytest.raises(Overloaded) as refused:
            await ask(engine, replace(PROMPT, deadline=deadline))
    assert refused.value.retry_after == 3
    assert len(server.requests) == 1


async def test_a_refusal_without_a_time_to_wait_tells_one_all_the_same() -> None:
    async with chatting(Reply(status=429), attempts=1) as (engine, _):
        with pytest.raises(Overloaded) as refused:
            await ask(engine)
    assert refused.value.retry_after == 1


async def test_the_pause_one_request_is_told_holds_for_all() -> None:
    busy = Reply(status=429, headers={"retry-after": "30"})
    async with chatting(busy, HELLO, attempts=1) as (engine, server):
        with pytest.raises(Overloaded):
            await ask(engine)
        deadline = asyncio.get_running_loop().time() + 5
        with pytest.raises(Overloaded) as refused:
            await ask(engine, replace(PROMPT, deadline=deadline))
    assert 25 < refused.value.retry_after <= 30
    assert len(server.requests) == 1


async def test_no_more_is_sent_at_once_than_the_server_takes() -> None:
    async with chatting(Reply([event("Hel")], hold=True), HELLO, connections=1) as (engine, server):
        first = engine.chat(PROMPT)
        await anext(first)
        deadline = asyncio.get_running_loop().time() + 0.01
        with pytest.raises(Overloaded):
            await ask(engine, replace(PROMPT, deadline=deadline))
        second = asyncio.create_task(ask(engine))
        assert len(server.requests) == 1
        await first.aclose()
        assert "".join((await second)[0]) == "Hello!"


async def test_a_pool_that_is_taken_is_not_asked_again() -> None:
    held = Reply([event("Hel")], hold=True)
    async with chatting(held, connections=1, connect_seconds=0.2) as (engine, server):
        async with AsyncExitStack() as stack:
            for _ in range(5):
                streaming = engine._client.stream("POST", "chat/completions", json={})
                await stack.enter_async_context(streaming)
            with pytest.raises(Overloaded, match="connections"):
                await ask(engine)
            with pytest.raises(Overloaded, match="connections"):
                await engine.count_tokens(PROMPT.messages)
        assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("status", "error"), [(429, Overloaded), (500, Unavailable)], ids=["429", "500"]
)
async def test_a_lasting_fault_is_told_in_the_end(status: int, error: type[Exception]) -> None:
    async with chatting(Reply(status=status), attempts=2) as (engine, server):
        with pytest.raises(error):
            await ask(engine)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Reply([event("Hel")], cut=True),
        Reply([event("Hel")]),
        Reply([event("Hel"), "data: ]\n\n"]),
        Reply([event("Hel"), 'data: {"choices": [{"delta": {"content": 3}}]}\n\n']),
        Reply([event("Hel"), 'data: {"error": "gone"}\n\n']),
    ],
    ids=["cut", "no-end", "malformed", "not-text", "error"],
)
async def test_a_stream_that_breaks_after_text_fails_and_is_not_begun_again(fault: Reply) -> None:
    async with chatting(fault, HELLO) as (engine, server):
        texts: list[str] = []
        with pytest.raises(Unavailable, match="cut off"):
            async for happened in engine.chat(PROMPT):
                assert isinstance(happened, Delta)
                texts.append(happened.text)
    assert texts == ["Hel"]
    assert len(server.requests) == 1


async def test_a_server_that_falls_silent_is_given_up() -> None:
    async with model_server(Reply([event("Hel")], hold=True)) as server:
        remote = Remote(server.url, "small", read_seconds=0.2)
        async with open_engine(remote) as engine:
            with pytest.raises(Unavailable, match="ReadTimeout"):
                await ask(engine)


async def test_a_refused_key_names_the_setting_and_not_the_key() -> None:
    async with chatting(Reply([f"bad key {KEY}"], status=401)) as (engine, server):
        with pytest.raises(FailedPrecondition, match="VIVA_LLM_OPENAI_API_KEY") as refused:
            await ask(engine)
    assert KEY not in refused.value.message
    assert len(server.requests) == 1


async def test_a_refused_key_stops_the_start() -> None:
    async with model_server(HELLO) as server:
        server.models = Reply(status=401)
        with pytest.raises(ResourceMissing, match="VIVA_LLM_OPENAI_API_KEY"):
            async with open_engine(Remote(server.url, "small", api_key=KEY)):
                pass


async def test_a_request_the_server_refuses_is_the_callers_fault() -> None:
    said = '{"error": {"message": "maximum context length is 512 tokens"}}'
    async with chatting(Reply([said], status=400)) as (engine, server):
        with pytest.raises(InvalidField, match="maximum context length"):
            await ask(engine)
    assert len(server.requests) == 1


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with open_engine(Remote("http://127.0.0.1:9/v1", "small", attempts=2)) as engine:
        with pytest.raises(Unavailable, match="cannot be reached"):
            await ask(engine)


async def test_an_answer_nobody_waits_for_is_given_up_at_the_server() -> None:
    async with chatting(Reply([event("Hel")], hold=True)) as (engine, server):
        async with aclosing(engine.chat(PROMPT)) as events:
            assert await anext(events) == Delta("Hel")
        async with asyncio.timeout(5):
            await server.closed.wait()


async def test_a_stop_sequence_is_kept_back_even_if_the_server_sends_it() -> None:
    async with chatting(Reply(answer("one <", "/end> two")), dialect="openai") as (engine, _):
        texts, finish = await ask(engine, replace(PROMPT, stop=("w", "x", "y", "z", "</end>")))
    assert "".join(texts) == "one "
    assert finish.reason is FinishReason.STOP


async def test_finish_reasons_and_comments_are_understood() -> None:
    held = [": keep-alive\n\n", event("x"), event(finish="content_filter"), usage(1, 1), DONE]
    async with chatting(Reply(held), Reply(answer("x", finish="length"))) as (engine, _):
        assert (await ask(engine))[1].reason is FinishReason.CONTENT_FILTER
        assert (await ask(engine))[1].reason is FinishReason.LENGTH


async def test_the_servers_context_and_count_are_used() -> None:
    async with model_server(HELLO) as server:
        server.models = Reply(['{"data": [{"id": "small", "max_model_len": 512}]}'])
        async with open_engine(Remote(server.url, "small")) as engine:
            assert engine.describe().context_tokens == 512
            assert await engine.count_tokens(PROMPT.messages) == 42
        async with open_engine(Remote(server.url, "small", dialect="deepseek")) as engine:
            with pytest.raises(FailedPrecondition, match="does not count"):
                await engine.count_tokens(PROMPT.messages)


async def test_a_conversation_is_counted_as_it_would_be_continued() -> None:
    async with chatting(HELLO) as (engine, server):
        await engine.count_tokens(PROMPT.messages)
        await engine.count_tokens((*PROMPT.messages, Message(Role.ASSISTANT, "Well")))
    plain, continued = server.counted
    assert "continue_final_message" not in plain
    assert (continued["continue_final_message"], continued["add_generation_prompt"]) == (
        True,
        False,
    )


@pytest.mark.parametrize("answer", ["[]", "{}", "<html>", '{"count": "many"}', '{"count": null}'])
async def test_a_count_that_is_none_is_unavailable(answer: str) -> None:
    async with chatting(HELLO) as (engine, server):
        server.count = Reply([answer])
        with pytest.raises(Unavailable, match="counts"):
            await engine.count_tokens(PROMPT.messages)


@pytest.mark.parametrize(
    "answer", ["[]", "{}", "<html>", '{"data": null}', '{"data": [{}]}', '{"data": [7]}']
)
async def test_a_list_of_models_that_is_none_does_not_stop_the_start(answer: str) -> None:
    async with model_server(HELLO) as server:
        server.models = Reply([answer])
        async with open_engine(Remote(server.url, "small", context_tokens=777)) as engine:
            assert engine.describe().context_tokens == 777
