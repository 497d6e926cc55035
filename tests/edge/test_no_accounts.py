"""An edge without a gateway: what is public is served, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.edge import grpc_web
from tests.edge.backend import Mesh, envoy
from tests.edge.every_method import request_type
from tests.security.door import GUARDED, INTERVIEWS, OPEN, behind

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICES = (INTERVIEWS, "viva.interview.v1.PersonaService", "viva.interview.v1.QuestionService")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    folder = tmp_path_factory.mktemp("no-accounts")
    async with (
        behind() as servers,
        envoy(folder, servers.port, edge_requests_per_minute=10_000) as found,
    ):
        for name in SERVICES:
            await found.until_healthy(name, servers.port)
        yield found


async def test_what_is_public_is_served(mesh: Mesh) -> None:
    own = [method for method in OPEN if method.path.startswith("/viva.interview.")]
    async with httpx.AsyncClient(base_url=mesh.edge) as client:
        for method in own:
            _, frames = await grpc_web.call(client, method.path, request_type(method)())
            assert frames[-1].trailers is not None
            assert frames[-1].trailers["grpc-status"] == "0"
        assert (await client.get("/healthz")).status_code == 200


async def test_nobody_can_sign_in_and_a_token_helps_nobody(mesh: Mesh) -> None:
    async with httpx.AsyncClient(base_url=mesh.edge) as client:
        for method in GUARDED:
            for headers in ({}, {"authorization": "Bearer x.y.z"}):
                request = request_type(method)()
                response, _ = await grpc_web.call(client, method.path, request, headers)
                assert response.headers["grpc-status"] == "16"
        refused = await client.get("/v1/interviews")
    assert refused.status_code == 401
    assert "no gateway runs" in refused.json()["message"]


async def test_without_a_bridge_there_is_no_page(mesh: Mesh) -> None:
    async with httpx.AsyncClient(base_url=mesh.edge) as client:
        assert (await client.get("/")).status_code == 404
