"""A server that has health and nothing else, in place of a real one: `standin.py NAME`.

Environment: STANDIN_STOPS, a file it adds its name to when it is stopped; STANDIN_BROKEN, the name
of the server that cannot start.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from edge.envoy.contracts import contracts


async def serve(name: str) -> None:
    if os.environ.get("STANDIN_BROKEN") == name:
        sys.stderr.write(f"viva {name}: the model is not there; run make setup\n")
        sys.exit(2)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for contract in contracts():
        if contract.server == name:
            await health.set(contract.name, health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(f"127.0.0.1:{os.environ[f'VIVA_{name.upper()}_PORT']}")
    await server.start()
    await stop.wait()
    _note_stop(name)
    await server.stop(0)


def _note_stop(name: str) -> None:
    with Path(os.environ["STANDIN_STOPS"]).open("a") as stops:
        stops.write(f"{name}\n")


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
