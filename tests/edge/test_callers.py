"""Who calls, as the servers behind Envoy see it."""

from __future__ import annotations

from pathlib import Path

import httpx
from viva.embed.v1 import embed_pb2, embed_pb2_grpc

from services.runtime.channel import open_channel
from tests.edge.backend import Backend, envoy, through_envoy

EMBED = "viva.embed.v1.EmbedService"
QUESTIONS = "viva.interview.v1.QuestionService"
REQUEST = embed_pb2.EmbedRequest(inputs=["hello"])


async def test_programs_that_do_not_say_who_they_are_are_told_apart(tmp_path: Path) -> None:
    backend = Backend()
    async with backend.serving(), envoy(tmp_path, backend.port) as mesh:
        await mesh.until_healthy(EMBED, backend.port)
        # Channels of equal settings in one process would share a connection.
        for limit in (1 << 20, 1 << 21):
            async with open_channel(mesh.address, max_message_bytes=limit) as channel:
                stub = embed_pb2_grpc.EmbedServiceStub(channel)
                await stub.Embed(REQUEST, timeout=10)
                await stub.Embed(REQUEST, timeout=10)
    callers = [sent["x-viva-caller"] for sent in backend.metadata]
    assert callers[0] == callers[1] != callers[2] == callers[3]
    assert all(caller.startswith("127.0.0.1:") for caller in callers)


async def test_a_program_of_the_mesh_says_itself_who_it_calls_for(tmp_path: Path) -> None:
    backend = Backend()
    said = {"x-viva-caller": "interview-1", "x-viva-user": "u1"}
    async with through_envoy(backend, tmp_path, EMBED) as channel:
        await embed_pb2_grpc.EmbedServiceStub(channel).Embed(
            REQUEST, timeout=10, metadata=tuple(said.items())
        )
    assert said.items() <= backend.metadata[0].items()


async def test_nobody_outside_says_who_he_is(tmp_path: Path) -> None:
    backend = Backend()
    async with (
        backend.serving(),
        envoy(tmp_path, backend.port) as mesh,
        httpx.AsyncClient() as client,
    ):
        await mesh.until_healthy(QUESTIONS, backend.port)
        answer = await client.get(
            f"{mesh.edge}/v1/questions",
            params={"query": "x"},
            headers={"x-viva-caller": "the-interview-server", "X-Viva-User": "somebody-else"},
        )
        assert answer.status_code == 200
    assert backend.metadata[0]["x-viva-caller"] == "127.0.0.1"
    assert "x-viva-user" not in backend.metadata[0]
