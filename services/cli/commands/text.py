"""`viva chat`, `viva embed`, `viva similarity`, `viva rerank`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from viva.embed.v1 import embed_pb2
from viva.embed.v1.embed_pb2_grpc import EmbedServiceStub
from viva.llm.v1 import llm_pb2, llm_pb2_grpc

from services.cli.calls import (
    DEFAULT_ADDRESS,
    Address,
    AsJson,
    Timeout,
    call,
    err,
    out,
    print_json,
    read_text,
    refuse,
    run,
)
from services.runtime.channel import open_channel, outgoing
from services.runtime.stats import seconds

_Text = Annotated[str, typer.Argument(help="The text; - for standard input, @FILE for a file.")]
_Texts = Annotated[list[str], typer.Argument(help="Texts; @FILE for a file.")]
_Truncate = Annotated[bool, typer.Option("--truncate", help="Cut texts that are too long.")]
_Model = Annotated[str | None, typer.Option(help="Model; see `viva models`.")]


def chat(
    prompt: Annotated[
        str | None, typer.Argument(help="What to say; none starts a conversation; - reads input.")
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    system: Annotated[str | None, typer.Option(help="Instructions for the model.")] = None,
    model: _Model = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer, in tokens.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the answer repeatable.")] = None,
    schema: Annotated[
        str | None, typer.Option(help="JSON Schema the answer fits; @FILE for a file.")
    ] = None,
    regex: Annotated[str | None, typer.Option(help="Expression the answer matches.")] = None,
    choice: Annotated[list[str] | None, typer.Option(help="Allowed answer; repeatable.")] = None,
    thinking: Annotated[
        bool, typer.Option("--thinking", help="Show what the model thinks, if it does.")
    ] = False,
    timeout: Timeout = 120,
    as_json: AsJson = False,
) -> None:
    """Talk with the language model."""
    if sum(bool(constraint) for constraint in (schema, regex, choice)) > 1:
        refuse("--schema, --regex and --choice exclude each other")
    request = llm_pb2.ChatRequest(
        model=model,
        sampling=llm_pb2.Sampling(temperature=temperature, seed=seed),
        max_tokens=max_tokens,
        choice=llm_pb2.Choice(options=choice) if choice else None,
        include_thinking=thinking,
    )
    if schema:
        request.json_schema = read_text(schema)
    if regex:
        request.regex = regex
    if system:
        request.messages.add(role=llm_pb2.ROLE_SYSTEM, content=system)
    if prompt is not None:
        request.messages.add(role=llm_pb2.ROLE_USER, content=read_text(prompt))
        run(_answer(address, request, timeout, as_json=as_json))
        return
    err.print("[dim]an empty line or Ctrl-D ends the conversation[/]")
    while line := _ask():
        request.messages.add(role=llm_pb2.ROLE_USER, content=line)
        said = run(_answer(address, request, timeout, as_json=as_json))
        if said:
            request.messages.add(role=llm_pb2.ROLE_ASSISTANT, content=said)


def _ask() -> str:
    try:
        return err.input("[bold]> [/]").strip()
    except EOFError:
        return ""


async def _answer(
    address: str, request: llm_pb2.ChatRequest, timeout: float, *, as_json: bool
) -> str:
    text = thinking = ""
    finish = llm_pb2.Finish()
    async with open_channel(address) as channel:
        answer = llm_pb2_grpc.LlmServiceStub(channel).Chat(request, **outgoing(timeout))
        async for message in answer:
            if message.HasField("delta"):
                text += message.delta.text
                thinking += message.delta.thinking
                if message.delta.thinking and not as_json:
                    err.print(f"[dim]{escape(message.delta.thinking)}[/]", end="")
                if not as_json:
                    sys.stdout.write(message.delta.text)
                    sys.stdout.flush()
            else:
                finish = message.finish
    usage = finish.usage
    if as_json:
        reason = llm_pb2.FinishReason.Name(finish.reason).removeprefix("FINISH_REASON_").lower()
        print_json(
            {
                "text": text,
                "thinking": thinking,
                "reason": reason,
                "prompt_tokens": usage.prompt_tokens,
                "cached_tokens": usage.cached_tokens if usage.HasField("cached_tokens") else None,
                "completion_tokens": usage.completion_tokens,
                "time_to_first_token": seconds(finish.time_to_first_token),
                "model": finish.stats.model,
            }
        )
    else:
        sys.stdout.write("\n")
        err.print(
            f"[dim]{usage.prompt_tokens} + {usage.completion_tokens} tokens, the first after"
            f" {seconds(finish.time_to_first_token):.2f} s ({finish.stats.model})[/]"
        )
    return text


def embed(
    texts: _Texts,
    address: Address = DEFAULT_ADDRESS,
    model: _Model = None,
    query: Annotated[bool, typer.Option("--query", help="They are queries, not passages.")] = False,
    dimensions: Annotated[
        int | None, typer.Option(help="Keep the first dimensions only.", min=1)
    ] = None,
    truncate: _Truncate = False,
    timeout: Timeout = 60,
    as_json: AsJson = False,
) -> None:
    """Turn texts into vectors."""
    request = embed_pb2.EmbedRequest(
        model=model,
        inputs=[read_text(text) for text in texts],
        purpose=embed_pb2.PURPOSE_QUERY if query else embed_pb2.PURPOSE_PASSAGE,
        dimensions=dimensions,
        overflow=_overflow(truncate=truncate),
    )
    call(
        address,
        lambda channel: EmbedServiceStub(channel).Embed,
        request,
        timeout,
        as_json=as_json,
        show=_show_vectors,
    )


def _show_vectors(answer: embed_pb2.EmbedResponse) -> None:
    for embedding in answer.embeddings:
        head = " ".join(f"{value:+.3f}" for value in embedding.values[:8])
        more = " …" if len(embedding.values) > 8 else ""
        size = f"{answer.dimensions} dimensions, {embedding.tokens} tokens"
        out.print(f"\\[{head}{more}] [dim]{size}[/]", soft_wrap=True)


def similarity(
    text: _Text,
    others: _Texts,
    address: Address = DEFAULT_ADDRESS,
    model: _Model = None,
    truncate: _Truncate = False,
    timeout: Timeout = 60,
    as_json: AsJson = False,
) -> None:
    """Say how alike a text is to others."""
    request = embed_pb2.SimilarityRequest(
        model=model,
        text=read_text(text),
        others=[read_text(other) for other in others],
        overflow=_overflow(truncate=truncate),
    )

    def show(answer: embed_pb2.SimilarityResponse) -> None:
        out.print(_scores(zip(answer.scores, others, strict=True)))

    call(
        address,
        lambda channel: EmbedServiceStub(channel).Similarity,
        request,
        timeout,
        as_json=as_json,
        show=show,
    )


def rerank(
    query: _Text,
    documents: _Texts,
    address: Address = DEFAULT_ADDRESS,
    model: _Model = None,
    top: Annotated[int | None, typer.Option(help="Only the best.", min=1)] = None,
    truncate: _Truncate = False,
    timeout: Timeout = 60,
    as_json: AsJson = False,
) -> None:
    """Order documents by how well they answer a query."""
    request = embed_pb2.RerankRequest(
        model=model,
        query=read_text(query),
        documents=[read_text(document) for document in documents],
        top_n=top,
        overflow=_overflow(truncate=truncate),
    )

    def show(answer: embed_pb2.RerankResponse) -> None:
        out.print(_scores((result.score, documents[result.index]) for result in answer.results))

    call(
        address,
        lambda channel: EmbedServiceStub(channel).Rerank,
        request,
        timeout,
        as_json=as_json,
        show=show,
    )


def _scores(scored: Iterable[tuple[float, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for score, text in scored:
        table.add_row(f"[bold]{score:+.3f}[/]", escape(text))
    return table


def _overflow(*, truncate: bool) -> embed_pb2.Overflow.ValueType:
    return embed_pb2.OVERFLOW_TRUNCATE if truncate else embed_pb2.OVERFLOW_REFUSE
