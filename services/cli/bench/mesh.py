"""What the mesh listener costs: the same unary call direct and through Envoy, interleaved."""

from __future__ import annotations

import asyncio
import time

from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.cli.bench.frame import BenchResult, Figure, percentile
from services.cli.bench.running import running_servers
from services.runtime.channel import open_channel


async def run(
    address: str, direct: str | None, calls: int = 2000, concurrency: int = 32
) -> BenchResult:
    """Calls ListVoices, whose answer takes about 1 KB, on both ways.

    Args:
        address: The mesh listener.
        direct: The TTS server itself; None takes the one of the mesh that runs here.
        calls: Sequential calls a way.
        concurrency: Callers at the same time in the throughput part.

    Raises:
        LookupError: No mesh runs here, and `direct` is not given.
    """
    direct = direct or running_servers()["tts"].address
    async with open_channel(address) as mesh, open_channel(direct) as straight:
        stubs = {"mesh": tts_pb2_grpc.TtsServiceStub(mesh)}
        stubs["direct"] = tts_pb2_grpc.TtsServiceStub(straight)
        request = tts_pb2.ListVoicesRequest()
        size = 0
        times: dict[str, list[float]] = {"mesh": [], "direct": []}
        for turn in range(calls + 100):
            for way, stub in stubs.items():
                started = time.perf_counter()
                answer = await stub.ListVoices(request, timeout=10)
                if turn >= 100:  # the first hundred warm up
                    times[way].append((time.perf_counter() - started) * 1000)
                size = answer.ByteSize()
        rates = {}
        for way, stub in stubs.items():
            started = time.perf_counter()

            async def caller(stub: tts_pb2_grpc.TtsServiceAsyncStub) -> None:
                for _ in range(calls // concurrency):
                    await stub.ListVoices(request, timeout=30)

            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(caller(stub))
            taken = time.perf_counter() - started
            rates[way] = calls // concurrency * concurrency / taken
    p50 = {way: percentile(values, 50) for way, values in times.items()}
    return BenchResult(
        "mesh",
        [
            Figure("unary p50, direct", p50["direct"], "ms"),
            Figure("unary p99, direct", percentile(times["direct"], 99), "ms"),
            Figure("unary p50, mesh", p50["mesh"], "ms"),
            Figure("unary p99, mesh", percentile(times["mesh"], 99), "ms"),
            Figure("mesh p50 / direct p50", p50["mesh"] / p50["direct"], "x", most=2.2),
            Figure(f"{concurrency} callers, direct", rates["direct"], "calls/s"),
            Figure(f"{concurrency} callers, mesh", rates["mesh"], "calls/s"),
        ],
        notes=[f"{calls} calls a way, interleaved; the answer takes {size} bytes"],
    )
