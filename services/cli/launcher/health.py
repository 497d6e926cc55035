"""Whether a process takes calls."""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli.launcher.plan import Program
from services.runtime.channel import open_channel

POLL_SECONDS = 0.1


async def ready(program: Program) -> None:
    """Waits until the program takes calls, however long that is."""
    if program.health_service is None:
        while not await _connects(program.port):  # noqa: ASYNC110 - another process's event
            await asyncio.sleep(POLL_SECONDS)
        return
    async with open_channel(f"127.0.0.1:{program.port}") as channel:
        while await check(channel, program.health_service) != "SERVING":  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)


async def check(channel: grpc.aio.Channel, service: str, within: float = 2.0) -> str:
    """A service's health in a word: SERVING, NOT_SERVING, SERVICE_UNKNOWN or UNREACHABLE."""
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=service), timeout=within
        )
    except grpc.aio.AioRpcError as error:
        return "SERVICE_UNKNOWN" if error.code() is grpc.StatusCode.NOT_FOUND else "UNREACHABLE"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def _connects(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
