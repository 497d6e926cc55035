"""What is one user's is not there for another: every public method that names a thing.

The requests are made from the contracts: a new method that takes an id is asked by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from viva.buf.validate import validate_pb2
from viva.interview.v1 import interview_service_pb2 as pb
from viva.interview.v1 import interview_service_pb2_grpc

from edge.envoy.contracts import Method
from services.interview.questions.bank import load_bank
from services.interview.store.memory import MemoryStore
from services.runtime.channel import open_channel
from tests.edge.backend import envoy
from tests.edge.every_method import descriptor, request_type
from tests.edge.identity import ALICE, BOB, Gateway, gateway
from tests.interview.orchestrators import orchestrator
from tests.security.door import INTERVIEWS, METHODS, ids

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

Code = grpc.StatusCode

OF_EVERYBODY = frozenset({"question_id"})
"""Names of things that are nobody's own."""

ELSEWHERE = frozenset({"/viva.account.v1.AccountService/RevokeSession"})
"""Methods of the gateway's: tests/edge/gateway/test_sessions.py."""


def named(message: Any, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The fields of a request that name a thing, however deep."""
    for field in message.fields:
        if field.name.endswith("_id") and field.name not in OF_EVERYBODY:
            yield field.name
        inner = field.message_type
        if inner is not None and inner.full_name not in seen:
            yield from named(inner, seen | {inner.full_name})


OWNED = tuple(
    method for method in METHODS if "interview_id" in named(descriptor(method).input_type)
)


def filled(message: Message, interview: str) -> Message:
    """The request with the interview's id, and the least that its rules ask for."""
    for field in message.DESCRIPTOR.fields:
        rules = field.GetOptions().Extensions[validate_pb2.field]
        if field.name == "interview_id":
            setattr(message, field.name, interview)
        elif field.message_type is not None and not field.is_repeated:
            inner = field.message_type
            if "interview_id" in named(inner):
                filled(getattr(message, field.name), interview)
        elif field.is_repeated and rules.repeated.min_items and field.message_type is not None:
            _one_of(getattr(message, field.name).add())
        elif field.type == FieldDescriptor.TYPE_ENUM and 0 in rules.enum.not_in:
            setattr(message, field.name, 1)
        elif field.type == FieldDescriptor.TYPE_UINT64 and rules.uint64.gte:
            setattr(message, field.name, rules.uint64.gte)
    return message


def _one_of(message: Message) -> None:
    """Chooses the first alternative that is a message."""
    for group in message.DESCRIPTOR.oneofs:
        for field in group.fields:
            if field.message_type is not None and not field.message_type.fields:
                getattr(message, field.name).SetInParent()
                return


@dataclass
class House:
    """A real interview server behind a real Envoy, and Alice's interview in it."""

    address: str
    gateway: Gateway
    interview: str
    client: httpx.AsyncClient

    async def call(self, method: Method, user: str) -> grpc.StatusCode:
        request = filled(request_type(method)(), self.interview)
        async with open_channel(self.address) as channel:
            named: dict[str, Any] = {
                "request_serializer": request_type(method).SerializeToString,
                "response_deserializer": bytes,
            }
            sent: dict[str, Any] = {
                "metadata": tuple(self.gateway.bearer(user).items()),
                "timeout": 10,
            }
            if not method.server_streaming:
                return Code(await channel.unary_unary(method.path, **named)(request, **sent).code())
            call: Any
            if method.client_streaming:
                call = channel.stream_stream(method.path, **named)(**sent)
                await call.write(request)
            else:
                call = channel.unary_stream(method.path, **named)(request, **sent)
            with suppress(grpc.aio.AioRpcError):
                async for _ in call:
                    call.cancel()
                    return Code.OK
            return Code(await call.code())

    async def create(self, user: str) -> str:
        async with open_channel(self.address) as channel:
            stub: interview_service_pb2_grpc.InterviewServiceAsyncStub = (
                interview_service_pb2_grpc.InterviewServiceStub(channel)
            )
            metadata = tuple(self.gateway.bearer(user).items())
            request = pb.CreateInterviewRequest()
            made = await stub.CreateInterview(request, metadata=metadata, timeout=10)
            return str(made.interview.id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("house")
    async with (
        orchestrator(MemoryStore(100), load_bank(), folder) as running,
        gateway() as tokens,
        envoy(
            folder,
            {"interview": [running.port]},
            gateway=tokens,
            edge_requests_per_minute=100_000,
            edge_request_seconds=20,
        ) as mesh,
        httpx.AsyncClient(base_url=mesh.edge) as client,
    ):
        await mesh.until_healthy(INTERVIEWS, running.port)
        made = House(mesh.edge.removeprefix("http://"), tokens, "", client)
        made.interview = await made.create(ALICE)
        yield made


@pytest.mark.parametrize("method", OWNED, ids=ids(OWNED))
async def test_anothers_interview_is_not_found(house: House, method: Method) -> None:
    assert await house.call(method, BOB) is Code.NOT_FOUND
    request = filled(request_type(method)(), house.interview)
    body = MessageToDict(request)
    for verb, template, _ in method.http:
        path = template.replace("{interview_id}", house.interview)
        sent = body if verb == "POST" else None
        if sent is not None:
            sent.pop("interviewId")
        bearer = house.gateway.bearer(BOB)
        answer = await house.client.request(verb, path, json=sent, headers=bearer)
        assert answer.status_code == 404, answer.text
        assert answer.json()["code"] == Code.NOT_FOUND.value[0]
    read = await house.client.get(
        f"/v1/interviews/{house.interview}", headers=house.gateway.bearer(ALICE)
    )
    assert read.status_code == 200


@pytest.mark.parametrize("method", OWNED, ids=ids(OWNED))
async def test_its_owner_is_understood(house: House, method: Method) -> None:
    """What is refused to others is a request that would have been answered."""
    own = House(house.address, house.gateway, await house.create(ALICE), house.client)
    assert await own.call(method, ALICE) not in {Code.INVALID_ARGUMENT, Code.UNAUTHENTICATED}
    if not method.name.startswith("Delete"):
        read = await own.client.get(
            f"/v1/interviews/{own.interview}", headers=own.gateway.bearer(ALICE)
        )
        assert read.status_code == 200


async def test_lists_hold_what_is_the_callers_own(house: House) -> None:
    own = await house.create(BOB)
    listed = await house.client.get("/v1/interviews", headers=house.gateway.bearer(BOB))
    assert [interview["id"] for interview in listed.json()["interviews"]] == [own]


async def test_an_idempotency_key_is_each_users_own(house: House) -> None:
    made = [
        await house.client.post(
            "/v1/interviews", json={"idempotencyKey": "k"}, headers=house.gateway.bearer(user)
        )
        for user in (ALICE, BOB, ALICE)
    ]
    alice, bob, again = (answer.json()["interview"]["id"] for answer in made)
    assert alice == again != bob


async def test_every_method_that_names_a_thing_is_asked() -> None:
    naming = {m.path for m in METHODS if any(named(descriptor(m).input_type))}
    assert naming == {method.path for method in OWNED} | ELSEWHERE
