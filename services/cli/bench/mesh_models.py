"""Which models a mesh answers with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import grpc
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.llm.v1 import llm_pb2, llm_pb2_grpc
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.runtime.channel import outgoing

CALL_SECONDS = 10.0


async def mesh_models(channel: grpc.aio.Channel) -> Mapping[str, str]:
    """The default model of each server.

    Raises:
        grpc.aio.AioRpcError: A server does not answer.
    """
    asr, tts, llm, embed = await asyncio.gather(
        asr_pb2_grpc.AsrServiceStub(channel).ListModels(
            asr_pb2.ListModelsRequest(), **outgoing(CALL_SECONDS)
        ),
        tts_pb2_grpc.TtsServiceStub(channel).ListModels(
            tts_pb2.ListModelsRequest(), **outgoing(CALL_SECONDS)
        ),
        llm_pb2_grpc.LlmServiceStub(channel).ListModels(
            llm_pb2.ListModelsRequest(), **outgoing(CALL_SECONDS)
        ),
        embed_pb2_grpc.EmbedServiceStub(channel).ListModels(
            embed_pb2.ListModelsRequest(), **outgoing(CALL_SECONDS)
        ),
    )
    return {
        "asr": _default(asr.models),
        "tts": _default(tts.models),
        "llm": _default(llm.models),
        "embed": _default(embed.models),
    }


def _default(models: Sequence[serving_pb2.ModelInfo]) -> str:
    chosen = [model.name for model in models if model.is_default] or [m.name for m in models]
    return chosen[0] if chosen else "none"
