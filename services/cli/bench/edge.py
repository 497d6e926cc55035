"""What the edge costs: a unary call direct, where Envoy alone decides, where the gateway is asked.

The edge measured is one of its own, before the servers of the mesh that runs here: the same
configuration but for the rate limits, which would be measured otherwise.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import httpx
import psutil
from viva.account.v1 import account_service_pb2, account_service_pb2_grpc
from viva.interview.v1 import (
    interview_service_pb2,
    interview_service_pb2_grpc,
    persona_service_pb2,
    persona_service_pb2_grpc,
)

from edge.envoy import binary, bootstrap
from edge.envoy.identity import KEYS_PATH
from edge.envoy.settings import EnvoySettings
from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.running import Server, running_servers
from services.cli.launcher.addresses import free
from services.runtime.channel import open_channel

_WARM_UP = 100
_READY_SECONDS = 30.0
_UNLIMITED = 1_000_000
_FIRST_PORT = 7700

Call = Callable[[], Awaitable[object]]
Code = grpc.StatusCode


async def run(calls: int = 1000) -> BenchResult:
    """Calls ListPersonas, which is public, and ListInterviews, which is the caller's own.

    Args:
        calls: Sequential calls a way, interleaved.

    Raises:
        LookupError: No mesh with interviews and accounts runs here.
    """
    servers = running_servers()
    for name in ("interview", "gateway"):
        if name not in servers:
            raise LookupError(f"no {name} server runs here; `viva up` starts one")
    async with (
        _edge(servers) as address,
        open_channel(address) as edge,
        open_channel(servers["interview"].address) as straight,
    ):
        token = await _guest(edge)
        ways = _ways(edge, straight, token)
        times: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(calls + _WARM_UP):
            for way, call in ways.items():
                started = time.perf_counter()
                await call()
                if turn >= _WARM_UP:
                    times[way].append((time.perf_counter() - started) * 1000)
    p50 = {way: percentile(values, 50) for way, values in times.items()}
    # The second method asks the database: what the edge adds to it is compared with the first.
    asked = p50["public direct"] + p50["own edge"] - p50["own direct"]
    return BenchResult(
        "edge",
        [
            Figure("public method p50, direct", p50["public direct"], "ms"),
            Figure("public method p50, edge", p50["public edge"], "ms"),
            Figure("public method p99, edge", percentile(times["public edge"], 99), "ms"),
            Figure("own method p50, direct", p50["own direct"], "ms"),
            Figure("own method p50, edge", p50["own edge"], "ms"),
            Figure("own method p99, edge", percentile(times["own edge"], 99), "ms"),
            Figure(
                "Envoy alone decides / direct",
                p50["public edge"] / p50["public direct"],
                "x",
                most=3.0,
            ),
            Figure("the gateway is asked / direct", asked / p50["public direct"], "x", most=6.0),
        ],
        notes=[
            f"{calls} calls a way, interleaved, gRPC",
            "own: ListInterviews, which asks the database; compared is what the edge adds to it",
        ],
    )


def _ways(edge: grpc.aio.Channel, straight: grpc.aio.Channel, token: str) -> Mapping[str, Call]:
    personas = persona_service_pb2.ListPersonasRequest()
    interviews = interview_service_pb2.ListInterviewsRequest()
    bearer = (("authorization", f"Bearer {token}"),)
    nobody = (("x-viva-user", "00000000-0000-7000-8000-000000000000"),)

    def public(channel: grpc.aio.Channel) -> Call:
        stub: persona_service_pb2_grpc.PersonaServiceAsyncStub = (
            persona_service_pb2_grpc.PersonaServiceStub(channel)
        )
        return lambda: stub.ListPersonas(personas, timeout=10)

    def own(channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...]) -> Call:
        stub: interview_service_pb2_grpc.InterviewServiceAsyncStub = (
            interview_service_pb2_grpc.InterviewServiceStub(channel)
        )
        return lambda: stub.ListInterviews(interviews, timeout=10, metadata=metadata)

    return {
        "public direct": public(straight),
        "public edge": public(edge),
        "own direct": own(straight, nobody),
        "own edge": own(edge, bearer),
    }


async def _guest(edge: grpc.aio.Channel) -> str:
    """A guest's token, once the edge takes it."""
    stub: account_service_pb2_grpc.AccountServiceAsyncStub = (
        account_service_pb2_grpc.AccountServiceStub(edge)
    )
    request = account_service_pb2.CreateGuestRequest(want_refresh_token=True)
    made = await stub.CreateGuest(request, timeout=10, wait_for_ready=True)
    token = str(made.credentials.access_token)
    metadata = (("authorization", f"Bearer {token}"),)
    why = ""
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while True:  # Envoy reads the keys when it likes
                try:
                    await stub.GetAccount(
                        account_service_pb2.GetAccountRequest(), timeout=5, metadata=metadata
                    )
                except grpc.aio.AioRpcError as refused:
                    if refused.code() not in {Code.UNAUTHENTICATED, Code.UNAVAILABLE}:
                        raise
                    why = refused.details() or refused.code().name
                    await asyncio.sleep(0.1)
                else:
                    return token
    except TimeoutError:
        raise TimeoutError(f"the edge took no token in {_READY_SECONDS:g} s: {why}") from None


async def keys_address(gateway: Server) -> str:
    """Which of the gateway's ports shows the keys of tokens; its metrics' answers any path.

    Raises:
        LookupError: None does.
    """
    host = gateway.address.rpartition(":")[0]
    async with httpx.AsyncClient(timeout=2) as client:
        for connection in gateway.process().net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            address = f"{host}:{connection.laddr.port}"
            try:
                answer = await client.get(f"http://{address}{KEYS_PATH}")
                if answer.is_success and "keys" in answer.json():
                    return address
            except (httpx.HTTPError, ValueError):  # another of its ports
                pass
    raise LookupError("the gateway that runs here shows no keys")


@asynccontextmanager
async def _edge(servers: Mapping[str, Server]) -> AsyncIterator[str]:
    """An edge without rate limits before the running servers; yields its address."""
    ports = iter(port for port in range(_FIRST_PORT, _FIRST_PORT + 200) if free("127.0.0.1", port))
    gateway = servers["gateway"].address
    keys = await keys_address(servers["gateway"])
    with tempfile.TemporaryDirectory(prefix="viva-edge-") as scratch:
        folder = Path(scratch)
        settings = EnvoySettings(
            listeners=("edge",),
            edge_port=next(ports),
            admin_port=next(ports),
            bridge_address=None,
            keys_address=keys,
            endpoints={
                "interview": [servers["interview"].address],
                "gateway": [gateway],
            },
            edge_requests_per_second=_UNLIMITED,
            edge_request_burst=_UNLIMITED,
            edge_requests_per_minute=_UNLIMITED,
            edge_shared_requests_per_minute=_UNLIMITED,
            access_log=str(folder / "access.log"),
        )
        configuration = bootstrap.write(settings, folder)
        with (folder / "envoy.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *binary.arguments(configuration), stdout=log, stderr=log
            )
            try:
                await _healthy(f"http://127.0.0.1:{settings.edge_port}/healthz")
                yield f"127.0.0.1:{settings.edge_port}"
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()


async def _healthy(url: str) -> None:
    async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.TransportError:  # not there yet
                pass
            await asyncio.sleep(0.1)
