"""A small server in place of a real one: `standin.py NAME`. It has health, and three methods.

`EmbedService/Embed` answers with its process id, `TtsService/Synthesize` streams it five times,
`AsrService/StreamingRecognize` sends back whatever comes. Messages are bytes as they are.

Files in the data folder change how it behaves: NAME.broken, it cannot start; NAME.slow, it never
gets ready; SERVICE.missing, it does not know the service. `stops` has the names of those that were
stopped, in order. SIGUSR1 ends it with the status of a lost device.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from edge.envoy.claims import AUTHORIZATION_SERVICE
from edge.envoy.contracts import GATEWAY, contracts
from services.runtime.exit_statuses import EXIT_DEVICE_LOST

# So that calls are running whenever somebody looks.
PACE_SECONDS = 0.02

Context = grpc.aio.ServicerContext[bytes, bytes]
DATA = Path(os.environ["VIVA_DATA_DIR"])


async def embed(_: bytes, __: Context) -> bytes:
    await asyncio.sleep(PACE_SECONDS)
    return str(os.getpid()).encode()


async def synthesize(_: bytes, __: Context) -> AsyncIterator[bytes]:
    for _number in range(5):
        await asyncio.sleep(PACE_SECONDS)
        yield str(os.getpid()).encode()


async def recognize(requests: AsyncIterator[bytes], _: Context) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


HANDLERS: dict[str, tuple[str, str, grpc.RpcMethodHandler[Any, Any]]] = {
    "embed": (
        "viva.embed.v1.EmbedService",
        "Embed",
        grpc.unary_unary_rpc_method_handler(embed),
    ),
    "tts": (
        "viva.tts.v1.TtsService",
        "Synthesize",
        grpc.unary_stream_rpc_method_handler(synthesize),
    ),
    "asr": (
        "viva.asr.v1.AsrService",
        "StreamingRecognize",
        grpc.stream_stream_rpc_method_handler(recognize),
    ),
}


async def serve(name: str) -> None:
    if (DATA / f"{name}.broken").exists():
        sys.stderr.write(f"viva {name}: the model is not there; run make setup\n")
        sys.exit(2)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, os._exit, EXIT_DEVICE_LOST)
    if (DATA / f"{name}.slow").exists():
        print("loading the weights", flush=True)  # noqa: T201 - what the launcher reads
        await stop.wait()
    server = grpc.aio.server()
    if name in HANDLERS:
        service, method, handler = HANDLERS[name]
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, {method: handler})]
        )
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for contract in contracts():
        if contract.server == name and not (DATA / f"{contract.name}.missing").exists():
            await health.set(contract.name, health_pb2.HealthCheckResponse.SERVING)
    if name == GATEWAY:
        await health.set(AUTHORIZATION_SERVICE, health_pb2.HealthCheckResponse.SERVING)
    host = os.environ.get(f"VIVA_{name.upper()}_HOST", "127.0.0.1")
    server.add_insecure_port(f"{host}:{os.environ[f'VIVA_{name.upper()}_PORT']}")
    await server.start()
    print("serving", flush=True)  # noqa: T201 - what the launcher reads
    await stop.wait()
    with (DATA / "stops").open("a") as stops:
        stops.write(f"{name}\n")
    await health.enter_graceful_shutdown()
    await asyncio.sleep(float(os.environ[f"VIVA_{name.upper()}_LAME_DUCK_SECONDS"]))
    await server.stop(float(os.environ["VIVA_DRAIN_SECONDS"]))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
