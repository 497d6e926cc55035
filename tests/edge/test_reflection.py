"""Reflection and health of the whole mesh, by its server alone and through Envoy."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from edge.envoy.contracts import REFLECTION_SERVICES, contracts
from edge.envoy.endpoints import publish
from edge.envoy.settings import Endpoint, EnvoySettings, Replicas
from edge.reflection.replicas import Whereabouts
from edge.reflection.server import serving
from edge.reflection.settings import ReflectionSettings
from services.runtime.channel import open_channel
from tests.edge.backend import SERVERS, STATUS, Backend, envoy
from tests.server_process import free_port, until

EMBED = "viva.embed.v1.EmbedService"


def mesh_of(port: int) -> EnvoySettings:
    servers = (*SERVERS, "gateway")
    return EnvoySettings(endpoints={server: [f"127.0.0.1:{port}"] for server in servers})


async def listed(channel: grpc.aio.Channel, version: str) -> set[str]:
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )(timeout=10)  # type: ignore[call-arg]
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    await call.done_writing()
    answer = await call.read()
    assert isinstance(answer, reflection_pb2.ServerReflectionResponse)
    return {service.name for service in answer.list_services_response.service}


async def status(channel: grpc.aio.Channel, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=10)
    return int(answer.status)


async def test_every_service_is_listed_in_both_versions() -> None:
    async with (
        serving(ReflectionSettings(port=0), mesh_of(free_port())) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        expected = {contract.name for contract in contracts()} | set(REFLECTION_SERVICES)
        assert await listed(channel, "v1") == expected
        assert await listed(channel, "v1alpha") == expected


async def test_health_sums_up_the_servers_as_they_come_and_go() -> None:
    backend = Backend()
    async with (
        backend.serving(),
        serving(ReflectionSettings(port=0), mesh_of(backend.port)) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):

        async def overall(expected: int) -> None:
            async def so() -> bool:
                return await status(channel, "") == expected

            await until(so)

        await overall(STATUS.SERVING)
        await backend.health.set(EMBED, STATUS.NOT_SERVING)
        await overall(STATUS.NOT_SERVING)
        assert await status(channel, EMBED) == STATUS.NOT_SERVING
        assert await status(channel, "viva.asr.v1.AsrService") == STATUS.SERVING
        await backend.health.set(EMBED, STATUS.SERVING)
        await overall(STATUS.SERVING)


async def test_watching_does_not_hold_up_a_server_that_stops() -> None:
    backend = Backend()
    async with (
        backend.serving() as server,
        serving(ReflectionSettings(port=0), mesh_of(backend.port)) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):

        async def watched() -> bool:
            return bool(await status(channel, "") == STATUS.SERVING)

        await until(watched)
        await backend.health.enter_graceful_shutdown()
        async with asyncio.timeout(30):
            await server.stop(grace=600)


async def test_a_mesh_without_servers_is_not_serving() -> None:
    async with (
        serving(ReflectionSettings(port=0), mesh_of(free_port())) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        assert await status(channel, "") == STATUS.NOT_SERVING


@pytest.mark.slow
async def test_health_follows_the_files_of_endpoints(tmp_path: Path) -> None:
    old, new = Backend("old"), Backend("new")
    async with old.serving(), new.serving():
        everywhere = mesh_of(old.port)
        await new.health.set(EMBED, STATUS.NOT_SERVING)
        mesh = everywhere.model_copy(update={"endpoints_folder": tmp_path})
        async with (
            serving(ReflectionSettings(port=0), mesh) as port,
            open_channel(f"127.0.0.1:{port}") as channel,
        ):

            async def becomes(service: str, expected: int) -> None:
                async def so() -> bool:
                    return await status(channel, service) == expected

                await until(so)

            await becomes("", STATUS.SERVING)
            publish("embed", Replicas((Endpoint("127.0.0.1", new.port),)), tmp_path)
            await becomes(EMBED, STATUS.NOT_SERVING)
            await becomes("", STATUS.NOT_SERVING)
            publish("embed", Replicas((Endpoint("127.0.0.1", old.port),)), tmp_path)
            await becomes("", STATUS.SERVING)
            # A file that names nobody leaves a service without anybody to call.
            publish("embed", Replicas(()), tmp_path)
            await becomes("", STATUS.NOT_SERVING)


async def test_who_is_left_out_by_settings_is_missed_by_nobody() -> None:
    backend = Backend()
    async with backend.serving():
        mesh = EnvoySettings(endpoints={**mesh_of(backend.port).endpoints, "embed": []})
        async with (
            serving(ReflectionSettings(port=0), mesh) as port,
            open_channel(f"127.0.0.1:{port}") as channel,
        ):

            async def all_is_well() -> bool:
                return bool(await status(channel, "") == STATUS.SERVING)

            await until(all_is_well)
            assert await status(channel, EMBED) == STATUS.NOT_SERVING


@pytest.mark.parametrize("content", ["", '{"resou', "{}", '{"resources": [{}]}', "\udcff"])
async def test_a_broken_file_of_endpoints_changes_nothing_and_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    [asr] = [contract for contract in contracts() if contract.server == "asr"]
    places = Whereabouts([asr], EnvoySettings(endpoints_folder=tmp_path))
    publish("asr", Replicas((Endpoint("10.0.0.1", 1),)), tmp_path)
    before = await places.now()
    assert before == {asr.name: {Endpoint("10.0.0.1", 1)}}
    (tmp_path / "asr.json").write_text(content, errors="surrogateescape")
    for _ in range(3):
        assert await places.now() == before
    [record] = caplog.records
    assert record.__dict__["fields"] == {"file": str(tmp_path / "asr.json")}
    publish("asr", Replicas((Endpoint("10.0.0.2", 1),)), tmp_path)
    assert await places.now() == {asr.name: {Endpoint("10.0.0.2", 1)}}


async def test_a_name_stands_for_all_its_addresses() -> None:
    [asr] = [contract for contract in contracts() if contract.server == "asr"]
    mesh = EnvoySettings(endpoints={"asr": ["localhost:7102", "nowhere.invalid:7102"]})
    found = set((await Whereabouts([asr], mesh).now())[asr.name])
    assert Endpoint("127.0.0.1", 7102) in found
    assert Endpoint("nowhere.invalid", 7102) in found
    assert Endpoint("localhost", 7102) not in found


async def test_health_is_watched_through_an_envoy_that_traces(tmp_path: Path) -> None:
    backend = Backend()
    async with (
        backend.serving(),
        serving(ReflectionSettings(port=0), mesh_of(backend.port)) as port,
        envoy(
            tmp_path, {"reflection": (port,)}, otlp_endpoint=f"http://127.0.0.1:{free_port()}"
        ) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await mesh.until_healthy("reflection", port)
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=EMBED), timeout=30
        )
        async for answer in watch:
            if answer.status == STATUS.SERVING:
                break
        watch.cancel()


@pytest.mark.slow
async def test_grpcurl_lists_and_calls_every_service_at_the_mesh_address(tmp_path: Path) -> None:
    grpcurl = shutil.which("grpcurl", path=str(Path(sys.executable).parent))
    assert grpcurl is not None, "install requirements/test.txt"
    backend = Backend()

    async def run(*arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            grpcurl,
            "-plaintext",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return output.decode()

    async with (
        backend.serving(),
        serving(ReflectionSettings(port=0), mesh_of(backend.port)) as port,
        envoy(
            tmp_path,
            {**dict.fromkeys((*SERVERS, "gateway"), (backend.port,)), "reflection": (port,)},
        ) as mesh,
    ):
        for contract in contracts():
            await mesh.until_healthy(contract.name, backend.port)
        await mesh.until_healthy("reflection", port)
        names = {contract.name for contract in contracts()}
        assert names <= set((await run(mesh.address, "list")).split())
        answer = await run("-d", '{"inputs": ["x"]}', mesh.address, f"{EMBED}/Embed")
        assert '"model": "backend"' in answer
        assert "SERVING" in await run(mesh.address, "grpc.health.v1.Health/Check")
        listed = (await run(mesh.address, "list")).split()
        described = await run(mesh.address, "describe")
        for name in listed:
            assert f"{name} is a service" in described
            assert "rpc " in await run(mesh.address, "describe", name)
