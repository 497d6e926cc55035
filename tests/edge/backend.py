"""Small servers that speak the contracts, and a real Envoy in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.embed.v1 import embed_pb2, embed_pb2_grpc
from viva.interview.v1 import (
    conversation_pb2,
    interview_pb2,
    interview_service_pb2,
    interview_service_pb2_grpc,
    persona_service_pb2,
    persona_service_pb2_grpc,
    question_pb2,
    question_service_pb2,
    question_service_pb2_grpc,
)
from viva.serving.v1 import serving_pb2

from edge.envoy.binary import arguments
from edge.envoy.bootstrap import ADMIN_SOCKET, ENDPOINTS, write
from edge.envoy.contracts import contracts
from edge.envoy.endpoints import publish
from edge.envoy.settings import Endpoint, EnvoySettings, Replicas
from services.runtime.channel import open_channel
from services.runtime.errors import InvalidField, ServiceError, Unavailable, to_status
from tests.edge.identity import Gateway
from tests.edge.stand_in_bridge import Bridge
from tests.server_process import free_port, until

STATUS = health_pb2.HealthCheckResponse
UPLOAD_LIMIT = 160 * 1024 * 1024


@dataclass
class Backend(
    embed_pb2_grpc.EmbedServiceServicer,
    interview_service_pb2_grpc.InterviewServiceServicer,
    question_service_pb2_grpc.QuestionServiceServicer,
    persona_service_pb2_grpc.PersonaServiceServicer,
):
    """Implements some of the contracts, remembers what came, and fails when told to."""

    name: str = "backend"
    failures: int = 0
    failure: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    calls: int = 0
    metadata: list[dict[str, str]] = field(default_factory=list)
    remaining: list[float | None] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    health: HealthServicer = field(default_factory=HealthServicer)

    async def enter(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self.calls += 1
        self.remaining.append(context.time_remaining())
        self.metadata.append(
            {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        )
        if self.failures > 0:
            self.failures -= 1
            if self.failure is not grpc.StatusCode.UNAVAILABLE:
                await context.abort(self.failure, "not now")
            await abort(context, Unavailable("not now", 0.5))

    async def Embed(
        self, request: embed_pb2.EmbedRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> embed_pb2.EmbedResponse:
        await self.enter(context)
        return embed_pb2.EmbedResponse(stats=serving_pb2.Stats(model=self.name))

    async def CreateInterview(
        self,
        request: interview_service_pb2.CreateInterviewRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> interview_service_pb2.CreateInterviewResponse:
        await self.enter(context)
        return interview_service_pb2.CreateInterviewResponse(
            interview=interview_pb2.Interview(id="one", settings=request.settings)
        )

    async def GetInterview(
        self,
        request: interview_service_pb2.GetInterviewRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> interview_service_pb2.GetInterviewResponse:
        await self.enter(context)
        if request.interview_id == "bad":
            await abort(context, InvalidField("interview_id", "is bad"))
        return interview_service_pb2.GetInterviewResponse(
            interview=interview_pb2.Interview(id=request.interview_id)
        )

    async def PauseInterview(
        self,
        request: interview_service_pb2.PauseInterviewRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> interview_service_pb2.PauseInterviewResponse:
        await self.enter(context)
        return interview_service_pb2.PauseInterviewResponse(
            interview=interview_pb2.Interview(id=request.interview_id)
        )

    async def DeleteInterview(
        self,
        request: interview_service_pb2.DeleteInterviewRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> interview_service_pb2.DeleteInterviewResponse:
        await self.enter(context)
        return interview_service_pb2.DeleteInterviewResponse()

    async def ListTurns(
        self,
        request: interview_service_pb2.ListTurnsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> interview_service_pb2.ListTurnsResponse:
        await self.enter(context)
        return interview_service_pb2.ListTurnsResponse(next_page_token=request.interview_id)

    async def ListPersonas(
        self,
        request: persona_service_pb2.ListPersonasRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> persona_service_pb2.ListPersonasResponse:
        await self.enter(context)
        persona = persona_service_pb2.Persona(id=request.language)
        return persona_service_pb2.ListPersonasResponse(personas=[persona])

    async def Listen(
        self,
        request: interview_service_pb2.ListenRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[interview_service_pb2.ListenResponse]:
        await self.enter(context)
        for seq in (1, 2, 3):
            yield interview_service_pb2.ListenResponse(
                event=conversation_pb2.InterviewEvent(seq=seq)
            )

    async def Converse(
        self,
        request_iterator: AsyncIterator[interview_service_pb2.ConverseRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[interview_service_pb2.ConverseResponse]:
        await self.enter(context)
        seq = 0
        async for _ in request_iterator:
            seq += 1
            yield interview_service_pb2.ConverseResponse(
                event=conversation_pb2.InterviewEvent(seq=seq)
            )

    async def SearchQuestions(
        self,
        request: question_service_pb2.SearchQuestionsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> question_service_pb2.SearchQuestionsResponse:
        await self.enter(context)
        question = question_pb2.Question(id="q", text=f"about {request.query}?")
        return question_service_pb2.SearchQuestionsResponse(
            results=[question_service_pb2.FoundQuestion(question=question)]
        )

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[grpc.aio.Server]:
        """Serves every contract; the unimplemented methods answer UNIMPLEMENTED."""
        server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", UPLOAD_LIMIT),
                ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
            ]
        )
        embed_pb2_grpc.add_EmbedServiceServicer_to_server(self, server)
        asr_pb2_grpc.add_AsrServiceServicer_to_server(Ears(self), server)
        interview_service_pb2_grpc.add_InterviewServiceServicer_to_server(self, server)
        question_service_pb2_grpc.add_QuestionServiceServicer_to_server(self, server)
        persona_service_pb2_grpc.add_PersonaServiceServicer_to_server(self, server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        for contract in contracts():
            await self.health.set(contract.name, STATUS.SERVING)
        self.port = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        try:
            yield server
        finally:
            await server.stop(0)


class Ears(asr_pb2_grpc.AsrServiceServicer):
    """The recogniser's part of a backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def Recognize(
        self, request: asr_pb2.RecognizeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> asr_pb2.RecognizeResponse:
        await self._backend.enter(context)
        return asr_pb2.RecognizeResponse(text=str(len(request.audio)))

    async def StreamingRecognize(
        self,
        request_iterator: AsyncIterator[asr_pb2.StreamingRecognizeRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[asr_pb2.StreamingRecognizeResponse]:
        await self._backend.enter(context)
        try:
            async for request in request_iterator:
                yield asr_pb2.StreamingRecognizeResponse(turn=len(request.audio.audio))
        finally:
            self._backend.ended.set()


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: ServiceError) -> None:
    status = to_status(error)
    await context.abort(
        error.code,
        error.message,
        (("grpc-status-details-bin", status.SerializeToString()),),
    )


@dataclass
class Mesh:
    """A running Envoy."""

    settings: EnvoySettings
    directory: Path

    @property
    def access_log(self) -> Path:
        return self.directory / "access.log"

    def publish(self, server: str, *ports: int) -> None:
        """Gives a server other replicas."""
        replicas = Replicas(tuple(Endpoint("127.0.0.1", port) for port in ports))
        publish(server, replicas, self.directory / ENDPOINTS)

    @asynccontextmanager
    async def whole_admin(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the admin that is its owner's."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.directory / ADMIN_SOCKET))
        async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
            yield client

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.settings.mesh_port}"

    @property
    def edge(self) -> str:
        return f"http://127.0.0.1:{self.settings.edge_port}"

    @property
    def for_bridge(self) -> str:
        return f"127.0.0.1:{self.settings.bridge_port}"

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.settings.admin_port}"

    async def healthy(self, service: str) -> set[int]:
        """Ports of the endpoints that Envoy would send a call for `service` to."""
        async with httpx.AsyncClient() as client:
            try:
                answer = await client.get(f"{self.admin}/clusters", params={"format": "json"})
            except httpx.TransportError:
                return set()
        ports = set()
        for cluster in answer.json().get("cluster_statuses", []):
            if cluster["name"] != service:
                continue
            for host in cluster.get("host_statuses", []):
                health = dict(host["health_status"])
                if health.pop("eds_health_status", "HEALTHY") == "HEALTHY" and not any(
                    health.values()
                ):
                    ports.add(host["address"]["socket_address"]["port_value"])
        return ports

    async def running(self, service: str, port: int) -> int:
        """Calls for `service` that Envoy has sent to an endpoint and that are not answered yet."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.admin}/clusters", params={"format": "json"})
        return sum(
            int(stat.get("value", 0))
            for cluster in answer.json()["cluster_statuses"]
            if cluster["name"] == service
            for host in cluster["host_statuses"]
            if host["address"]["socket_address"]["port_value"] == port
            for stat in host["stats"]
            if stat["name"] == "rq_active"
        )

    async def until_keys_are_known(self, gateway: Gateway) -> None:
        """Waits until Envoy can verify a token: it reads the keys when it likes."""
        async with httpx.AsyncClient() as client:

            async def known() -> bool:
                answer = await client.get(
                    f"{self.edge}/v1/account", headers=gateway.bearer("nobody", kind="none")
                )
                return "Jwks" not in answer.text

            await until(known)
        gateway.asked = 0

    async def until_healthy(self, service: str, *ports: int) -> None:
        async def so() -> bool:
            return await self.healthy(service) == set(ports)

        await until(so)


SERVERS = ("embed", "asr", "tts", "llm", "interview", "reflection")
AUTHORIZATION = "authorization"


@asynccontextmanager
async def envoy(
    directory: Path,
    primary: int | Mapping[str, Sequence[int]],
    fallback: Mapping[str, Sequence[int]] | None = None,
    *,
    gateway: Gateway | None = None,
    bridge: Bridge | None = None,
    **settings: Any,
) -> AsyncIterator[Mesh]:
    """Runs Envoy in front of servers at these ports; without a gateway nobody can sign in."""
    ports = {server: [primary] for server in SERVERS} if isinstance(primary, int) else primary
    absent = free_port()
    chosen = EnvoySettings(
        mesh_port=free_port(),
        edge_port=free_port(),
        admin_port=free_port(),
        bridge_port=free_port(),
        bridge_address=f"127.0.0.1:{bridge.port}" if bridge else None,
        keys_address=f"127.0.0.1:{gateway.keys_port if gateway else absent}",
        endpoints={
            "gateway": [
                f"127.0.0.1:{port}"
                for port in ([gateway.port] if gateway else ports.get("gateway", []))
            ],
        }
        | {
            server: [f"127.0.0.1:{port}" for port in ports.get(server, [absent])]
            for server in SERVERS
        },
        fallbacks={
            server: [f"127.0.0.1:{port}" for port in group]
            for server, group in (fallback or {}).items()
        },
        access_log=str(directory / "access.log"),
        **settings,
    )
    configuration = write(chosen, directory)
    mesh = Mesh(chosen, directory)
    async with AsyncExitStack() as stack:
        log = stack.enter_context((directory / "envoy.log").open("wb"))
        process = await asyncio.create_subprocess_exec(
            *arguments(configuration), stdout=log, stderr=log
        )
        try:
            async with httpx.AsyncClient() as client:

                async def ready() -> bool:
                    assert process.returncode is None, (directory / "envoy.log").read_text()
                    try:
                        return (await client.get(f"{mesh.admin}/ready")).status_code == 200
                    except httpx.TransportError:
                        return False

                await until(ready)
            if gateway is not None:
                await mesh.until_healthy(AUTHORIZATION, gateway.port)
                await mesh.until_keys_are_known(gateway)
            yield mesh
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@asynccontextmanager
async def through_envoy(
    backend: Backend, directory: Path, service: str
) -> AsyncIterator[grpc.aio.Channel]:
    """Serves a backend behind Envoy; yields a channel once calls of the service get through."""
    async with (
        backend.serving(),
        envoy(directory, backend.port) as mesh,
        open_channel(mesh.address) as channel,
    ):
        await mesh.until_healthy(service, backend.port)
        yield channel
