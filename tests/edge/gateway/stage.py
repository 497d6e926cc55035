"""A whole gateway on a real PostgreSQL; a fake stands where interviews are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from viva.account.v1 import (
    account_pb2,
    account_service_pb2_grpc,
    quota_service_pb2_grpc,
    session_service_pb2_grpc,
)
from viva.account.v1 import account_service_pb2 as pb
from viva.interview.v1 import owner_service_pb2, owner_service_pb2_grpc

from edge.gateway.server import Gateway, assembled, services
from edge.gateway.settings import GatewaySettings
from services.runtime.channel import open_channel
from services.runtime.errors import DOMAIN, Busy, to_status
from services.runtime.server import serving
from tests.interview.databases import Postgres
from tests.refusals import details, status_of
from tests.server_process import until

PATIENCE = 30.0
EMAIL = "ann@example.org"
PASSWORD = "correct horse battery"
NEW_PASSWORD = "staple battery horse"
TABLES = (
    "users", "session", "refresh_token", "reset_token", "reservation", "deletion", "audit",
    "failures", "signing_key", "remembered_use", "transfer", "retention", "sweep",
)  # fmt: skip
Metadata = tuple[tuple[str, str], ...]


class FakeClock:
    """A clock that goes by itself only as far as to tell one moment from the next."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 30, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(microseconds=1)
        return self.moment

    def advance(self, **how: float) -> None:
        self.moment += timedelta(**how)


@dataclass
class FakeMail:
    """An outbox that keeps what it is given."""

    sent: list[EmailMessage] = field(default_factory=list)

    async def send(self, message: EmailMessage) -> None:
        self.sent.append(message)

    @property
    def token(self) -> str:
        """What the newest message lets somebody do."""
        text = self.sent[-1].get_content()
        return str(text.partition("/reset#token=")[2].split()[0])


@dataclass
class FakeOwners(owner_service_pb2_grpc.OwnerServiceServicer):
    """What other parts keep, without them."""

    down: bool = False
    busy: bool = False
    held: asyncio.Event | None = None
    exporting: asyncio.Event = field(default_factory=asyncio.Event)
    files: dict[str, bytes] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    transferred: list[tuple[str, str]] = field(default_factory=list)
    retention: dict[str, float | None] = field(default_factory=dict)
    late: asyncio.Event | None = None
    """What answers about the retention wait for, when it is kept already."""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    given_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def _up(self, context: Any) -> None:
        if self.down:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "down")

    async def ExportOwner(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._up(context)
        if self.busy:
            status = to_status(Busy("everything of yours is being exported already", 10.0))
            await context.abort_with_status(rpc_status.to_status(status))
        self.exporting.set()
        if self.held is not None:
            await self.held.wait()
        for path, content in self.files.items():
            half = len(content) // 2
            yield owner_service_pb2.ExportOwnerResponse(path=path, content=content[:half])
            yield owner_service_pb2.ExportOwnerResponse(content=content[half:])

    async def DeleteOwner(self, request: Any, context: Any) -> Any:
        await self._up(context)
        first = request.user_id not in self.deleted
        self.deleted.append(request.user_id)
        return owner_service_pb2.DeleteOwnerResponse(
            interviews=2 if first else 0, recordings=4 if first else 0
        )

    async def TransferOwner(self, request: Any, context: Any) -> Any:
        await self._up(context)
        self.transferred.append((request.user_id, request.new_user_id))
        return owner_service_pb2.TransferOwnerResponse(interviews=1)

    async def SetRetention(self, request: Any, context: Any) -> Any:
        await self._up(context)
        kept = request.retention.ToTimedelta().total_seconds()
        self.retention[request.user_id] = kept if request.HasField("retention") else None
        self.told.set()
        if self.late is not None:
            try:
                await self.late.wait()
            except asyncio.CancelledError:
                self.given_up.set()
                raise
        return owner_service_pb2.SetRetentionResponse()


@dataclass
class Stage:
    """A gateway that takes calls."""

    gateway: Gateway
    accounts: Any
    quotas: Any
    sessions: Any
    clock: FakeClock
    mail: FakeMail
    owners: FakeOwners
    postgres: Postgres
    port: int

    async def guest(self, **request: Any) -> account_pb2.Credentials:
        asked = pb.CreateGuestRequest(want_refresh_token=True, **request)
        response = await self.accounts.CreateGuest(asked, timeout=PATIENCE)
        return _credentials(response)

    async def member(
        self,
        email: str = EMAIL,
        password: str = PASSWORD,
        guest: account_pb2.Credentials | None = None,
        **more: Any,
    ) -> account_pb2.Credentials:
        request = pb.RegisterRequest(
            email=email,
            password=password,
            want_refresh_token=True,
            guest_refresh_token=None if guest is None else guest.refresh_token,
            **more,
        )
        metadata = () if guest is None else bearer(guest.access_token)
        response = await self.accounts.Register(request, timeout=PATIENCE, metadata=metadata)
        return _credentials(response)

    async def log_in(
        self, email: str = EMAIL, password: str = PASSWORD, address: str = "192.0.2.1"
    ) -> account_pb2.Credentials:
        response = await self.accounts.LogIn(
            pb.LogInRequest(email=email, password=password, want_refresh_token=True),
            timeout=PATIENCE,
            metadata=(("x-viva-address", address),),
        )
        return _credentials(response)

    async def bring(
        self, guest: account_pb2.Credentials, password: str = PASSWORD, email: str = EMAIL
    ) -> Any:
        """Logs in with a guest's tokens, to bring their interviews along."""
        return await self.accounts.LogIn(
            pb.LogInRequest(
                email=email,
                password=password,
                want_refresh_token=True,
                bring_guest_interviews=True,
                guest_refresh_token=guest.refresh_token,
            ),
            timeout=PATIENCE,
            metadata=bearer(guest.access_token),
        )

    async def refresh(self, token: str) -> account_pb2.Credentials:
        request = pb.RefreshRequest(refresh_token=token, want_refresh_token=True)
        return _credentials(await self.accounts.Refresh(request, timeout=PATIENCE))

    async def sweep(self) -> None:
        """Sweeps hourly for a day, after which also a clock that was moved far is believed."""
        await self.gateway.housekeeping.sweep()
        for _ in range(24):
            self.clock.advance(hours=1)
            await self.gateway.housekeeping.sweep()

    async def account(self, token: str) -> account_pb2.Account:
        request = pb.GetAccountRequest()
        response = await self.accounts.GetAccount(request, timeout=PATIENCE, metadata=bearer(token))
        assert isinstance(response.account, account_pb2.Account)
        return response.account

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        """What the database's own administrator sees."""
        admin = await self.postgres.connect("viva")
        try:
            return list(await admin.fetch(query, *arguments))
        finally:
            await admin.close()


def _credentials(response: Any) -> account_pb2.Credentials:
    assert isinstance(response.credentials, account_pb2.Credentials)
    return response.credentials


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def gateway_settings(postgres: Postgres, data_dir: Path, **changes: Any) -> GatewaySettings:
    return GatewaySettings(
        **{
            "port": 0,
            "jwks_port": 0,
            "lame_duck_seconds": 0,
            "data_dir": data_dir,
            "database_url": postgres.server().url,
            "store_seconds": PATIENCE,
            "hash_memory_kib": 64,
            "hash_passes": 1,
            **changes,
        }
    )


async def emptied(postgres: Postgres) -> None:
    """Removes every row of everybody's, where there are tables."""
    admin: asyncpg.Connection = await postgres.connect("viva")
    try:
        # Past the trigger that keeps the audit log whole.
        await admin.execute("SET session_replication_role = replica")
        if await admin.fetchval("SELECT to_regclass('account.users') IS NOT NULL"):
            await admin.execute(
                f"TRUNCATE {', '.join(f'account.{table}' for table in TABLES)} CASCADE"
            )
        await admin.execute("TRUNCATE interview, deletion, owner, sweep CASCADE")
    finally:
        await admin.close()


@asynccontextmanager
async def stage(postgres: Postgres, data_dir: Path, **changes: Any) -> AsyncIterator[Stage]:
    """A gateway on an empty database, until the scope ends."""
    await emptied(postgres)
    clock, mail, owners = FakeClock(), FakeMail(), FakeOwners()
    backend = grpc.aio.server()
    owner_service_pb2_grpc.add_OwnerServiceServicer_to_server(owners, backend)
    port = backend.add_insecure_port("127.0.0.1:0")
    await backend.start()
    settings = gateway_settings(
        postgres, data_dir, **{"interview_address": f"127.0.0.1:{port}", **changes}
    )
    built: list[Gateway] = []

    @asynccontextmanager
    async def build() -> AsyncIterator[Any]:
        async with assembled(settings, clock=clock, mail=mail) as gateway:
            built.append(gateway)
            yield services(gateway)

    try:
        async with (
            serving(settings, "gateway", build) as running,
            open_channel(f"127.0.0.1:{running.port}") as channel,
        ):
            accounts: Any = account_service_pb2_grpc.AccountServiceStub(channel)
            quotas: Any = quota_service_pb2_grpc.QuotaServiceStub(channel)
            sessions: Any = session_service_pb2_grpc.SessionServiceStub(channel)
            await _swept(built[0])
            yield Stage(
                built[0], accounts, quotas, sessions, clock, mail, owners, postgres, running.port
            )
    finally:
        await backend.stop(0)


async def _swept(gateway: Gateway) -> None:
    """Returns when the gateway has done its own first sweep, which notes the time."""

    async def noted() -> bool:
        async with gateway.database.connection("test") as connection:
            return bool(await connection.fetchval("SELECT count(trusted) FROM account.sweep"))

    await until(noted)


@asynccontextmanager
async def refused(code: grpc.StatusCode, reason: str) -> AsyncIterator[dict[str, Any]]:
    """Expects a call to be refused so; yields what its details will hold, by type."""
    told: dict[str, Any] = {}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield told
    assert caught.value.code() is code, caught.value
    status = status_of(caught.value)
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.RetryInfo,
        error_details_pb2.QuotaFailure,
        error_details_pb2.BadRequest,
    ):
        for message in details(status, kind):
            told[kind.__name__] = message
    told["message"] = caught.value.details()
    told["metadata"] = caught.value
    assert (told["ErrorInfo"].domain, told["ErrorInfo"].reason) == (DOMAIN, reason)
