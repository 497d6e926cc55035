"""The server as a process: what it says when it can't start, and what its callers when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.runtime.channel import open_channel
from tests.edge.backend import envoy
from tests.server_process import server_process, until

ROOT = Path(__file__).parents[2]


def start(data_dir: Path, missing: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m services.embed`, without one package if `missing` names it."""
    code = "import runpy, sys\n"
    if missing:
        code += f"sys.modules[{missing!r}] = None\n"
    code += "runpy.run_module('services.embed', run_name='__main__')"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
        "VIVA_DATA_DIR": str(data_dir),
        "VIVA_EMBED_PORT": "0",
        **settings,
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("missing", "engine", "remedy"),
    [
        ("tokenizers", "ctranslate2", "install viva-mesh[embed]"),
        ("ctranslate2", "ctranslate2", "install viva-mesh[embed]"),
        ("torch", "transformers", "install viva-mesh[torch]"),
        ("ml_dtypes", "triton", "install viva-mesh[triton]"),
    ],
)
def test_a_missing_package_is_named_with_its_remedy(
    tmp_path: Path, missing: str, engine: str, remedy: str
) -> None:
    done = start(tmp_path, missing, VIVA_EMBED_ENGINE=engine)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("viva embed: ")
    assert missing in line
    assert remedy in line


def test_a_missing_model_is_named_with_its_variable(tmp_path: Path) -> None:
    done = start(tmp_path, VIVA_EMBED_MODEL="/none")
    assert done.returncode == 2
    assert done.stderr.startswith("viva embed: there is no model folder /none; set VIVA_EMBED_")


def test_a_wrong_setting_is_named_by_its_variable(tmp_path: Path) -> None:
    done = start(tmp_path, VIVA_EMBED_POOLING="max")
    assert done.returncode == 2
    assert done.stderr.startswith("VIVA_EMBED_POOLING: ")


SERVICE = "viva.embed.v1.EmbedService"
REQUEST = embed_pb2.EmbedRequest(inputs=["What is a deadlock?"])


@pytest.mark.slow
async def test_a_killed_servers_calls_are_unavailable_or_answered_by_another(
    data_dir: Path, tmp_path: Path
) -> None:
    async with (
        server_process("embed", SERVICE, DATA_DIR=str(data_dir)) as doomed,
        server_process("embed", SERVICE, DATA_DIR=str(data_dir)) as healthy,
        envoy(tmp_path, {"embed": [doomed.port, healthy.port]}) as mesh,
        doomed.channel() as direct,
        open_channel(mesh.address) as through_envoy,
    ):
        await mesh.until_healthy(SERVICE, doomed.port, healthy.port)
        alone = embed_pb2_grpc.EmbedServiceStub(direct)
        balanced = embed_pb2_grpc.EmbedServiceStub(through_envoy)
        await alone.Embed(REQUEST, timeout=20)
        # A stopped process takes calls and answers none: they are in flight for certain.
        doomed.process.send_signal(signal.SIGSTOP)
        lost = alone.Embed(REQUEST, timeout=60)
        calls = [balanced.Embed(REQUEST, timeout=60) for _ in range(16)]

        async def in_flight() -> bool:
            return await mesh.running(SERVICE, doomed.port) > 0

        await until(in_flight)
        doomed.process.kill()
        async with asyncio.timeout(20):
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await lost
            assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
            answers = await asyncio.gather(*calls)
        assert {len(answer.embeddings) for answer in answers} == {1}


@pytest.mark.slow
async def test_a_server_that_was_stopped_twice_answers_short_deadlines_at_once_afterwards(
    data_dir: Path,
) -> None:
    async with (
        server_process("embed", SERVICE, DATA_DIR=str(data_dir)) as server,
        server.channel() as channel,
    ):
        stub = embed_pb2_grpc.EmbedServiceStub(channel)

        async def caller(over: asyncio.Event) -> None:
            while not over.is_set():
                await stub.Embed(REQUEST, timeout=60)

        for _ in range(2):
            over = asyncio.Event()
            async with asyncio.TaskGroup() as callers:
                for _ in range(16):
                    callers.create_task(caller(over))
                served = await server.metric("viva_batch_size_count")

                async def under_load(before: float = served) -> bool:
                    return await server.metric("viva_batch_size_count") > before

                await until(under_load)
                server.process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(4)  # as long as it is stopped, not a wait for anything
                server.process.send_signal(signal.SIGCONT)
                over.set()
        for _ in range(30):
            await stub.Embed(REQUEST, timeout=1)
