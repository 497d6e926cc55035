"""`viva models`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import grpc
from rich.markup import escape
from rich.table import Table
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.llm.v1 import llm_pb2, llm_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.cli.calls import (
    DEFAULT_ADDRESS,
    Address,
    AsJson,
    Timeout,
    explain,
    fail,
    out,
    print_json,
    run,
)
from services.runtime.channel import open_channel, outgoing

_SHOWN_LANGUAGES = 6
Models = Sequence[serving_pb2.ModelInfo]


async def list_models(address: str, timeout: float) -> dict[str, Models | grpc.aio.AioRpcError]:
    """Asks every model server behind `address` for its models; an error stands in its place."""
    async with open_channel(address) as channel:
        options = outgoing(timeout)
        asked: dict[str, Awaitable[Any]] = {
            "asr": asr_pb2_grpc.AsrServiceStub(channel).ListModels(
                asr_pb2.ListModelsRequest(), **options
            ),
            "tts": tts_pb2_grpc.TtsServiceStub(channel).ListModels(
                tts_pb2.ListModelsRequest(), **options
            ),
            "llm": llm_pb2_grpc.LlmServiceStub(channel).ListModels(
                llm_pb2.ListModelsRequest(), **options
            ),
            "embed": embed_pb2_grpc.EmbedServiceStub(channel).ListModels(
                embed_pb2.ListModelsRequest(), **options
            ),
        }

        async def answer(server: str) -> Models | grpc.aio.AioRpcError:
            try:
                return list((await asked[server]).models)
            except grpc.aio.AioRpcError as error:
                return error

        answers = await asyncio.gather(*(answer(server) for server in asked))
    return dict(zip(asked, answers, strict=True))


def models(
    address: Address = DEFAULT_ADDRESS, timeout: Timeout = 10, as_json: AsJson = False
) -> None:
    """List the models of every server."""
    found = run(list_models(address, timeout))
    if all(isinstance(answer, grpc.aio.AioRpcError) for answer in found.values()):
        first = next(iter(found.values()))
        assert isinstance(first, grpc.aio.AioRpcError)  # noqa: S101 - for the type checker
        fail(first)
    if as_json:
        print_json({server: _plain(answer) for server, answer in found.items()})
        return
    table = Table(
        "server", "model", "engine", "device", "memory", "languages", box=None, pad_edge=False
    )
    for server, answer in found.items():
        if isinstance(answer, grpc.aio.AioRpcError):
            table.add_row(server, escape("; ".join(explain(answer)[0])))
            continue
        for model in answer:
            table.add_row(
                server,
                f"[bold]{escape(model.name)}[/]" if model.is_default else escape(model.name),
                escape(model.engine),
                escape(model.device),
                f"{model.memory_bytes / 2**20:.0f} MB" if model.memory_bytes else "",
                _languages(model.languages),
            )
    out.print(table)


def _languages(tags: Sequence[str]) -> str:
    more = len(tags) - _SHOWN_LANGUAGES
    return " ".join(tags[:_SHOWN_LANGUAGES]) + (f" and {more} more" if more > 0 else "")


def _plain(answer: Models | grpc.aio.AioRpcError) -> object:
    if isinstance(answer, grpc.aio.AioRpcError):
        return {"error": answer.details()}
    return [
        {
            "name": model.name,
            "version": model.version,
            "engine": model.engine,
            "device": model.device,
            "languages": list(model.languages),
            "limits": {limit.name: limit.value for limit in model.limits},
            "memory_bytes": model.memory_bytes if model.HasField("memory_bytes") else None,
            "ready": model.ready,
            "default": model.is_default,
        }
        for model in answer
    ]
