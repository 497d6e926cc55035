"""The recognition server's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from viva.asr.v1 import asr_pb2, asr_pb2_grpc

from services.asr.engines.selection import load_recognizers
from services.asr.models import serving_models
from services.asr.servicer import AsrServicer
from services.asr.settings import AsrSettings
from services.runtime.server import Service, run
from services.runtime.settings import load

SERVICE = asr_pb2.DESCRIPTOR.services_by_name["AsrService"].full_name


@asynccontextmanager
async def build(settings: AsrSettings) -> AsyncIterator[Sequence[Service]]:
    """Loads the models, warms them up and yields the service.

    Raises:
        ResourceMissing: A package, the weights or a device is not there.
    """
    recognizers = await asyncio.to_thread(load_recognizers, settings)
    async with serving_models(recognizers, settings) as models:
        servicer = AsrServicer(models, settings)
        yield [
            Service(
                SERVICE,
                lambda server: asr_pb2_grpc.add_AsrServiceServicer_to_server(servicer, server),
                [model.health for model in models.models.values()],
            )
        ]


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    settings = load(AsrSettings)
    run(settings, "asr", lambda: build(settings))
