"""The gateway: `python -m edge.gateway`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import grpc
from viva.account.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    quota_service_pb2,
    quota_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
)

from edge.envoy.contracts import contracts
from edge.gateway.accounts.access import Access
from edge.gateway.accounts.deleting import Deletions
from edge.gateway.accounts.exporting import Exports
from edge.gateway.accounts.housekeeping import Housekeeping
from edge.gateway.accounts.owners import Owners
from edge.gateway.accounts.passwords import hashing
from edge.gateway.accounts.resetting import PasswordResets
from edge.gateway.accounts.retaining import Retention
from edge.gateway.accounts.servicer import AccountServicer
from edge.gateway.accounts.throttling import Throttle
from edge.gateway.accounts.transferring import Transfers
from edge.gateway.authorization.bodies import Bodies
from edge.gateway.authorization.policy import Policy
from edge.gateway.authorization.servicer import SERVICE as AUTHORIZATION
from edge.gateway.authorization.servicer import AuthorizationServicer, add_to
from edge.gateway.mail.delivery import Outbox, outbox
from edge.gateway.quotas.plans import Plans
from edge.gateway.quotas.remembering import RememberedUse
from edge.gateway.quotas.servicer import QuotaServicer
from edge.gateway.settings import GatewaySettings
from edge.gateway.store.tables import tables
from edge.gateway.tokens.access import AccessTokens
from edge.gateway.tokens.jwks import serving_keys
from edge.gateway.tokens.liveness import LiveSessions
from edge.gateway.tokens.servicer import SessionServicer
from edge.gateway.tokens.sessions import Sessions
from edge.gateway.tokens.signing import SigningKeys
from services.runtime.channel import open_channel
from services.runtime.key_file import key_in, told_key
from services.runtime.postgres.database import Database, open_database, until_there
from services.runtime.postgres.migrating import upgrade
from services.runtime.server import Service, run
from services.runtime.settings import load
from services.runtime.wall_clock import Clock, now
from services.runtime.watching import SessionWatch

Connect = Callable[[str], AbstractAsyncContextManager[grpc.aio.Channel]]
"""Opens a channel to an address."""


@dataclass(frozen=True)
class Gateway:
    """What the gateway is made of.

    Attributes:
        tokens: Reads access tokens.
        live: Knows whether a session goes on.
        jwks_port: Where the public keys are served.
    """

    database: Database
    keys: SigningKeys
    tokens: AccessTokens
    live: LiveSessions
    sessions: Sessions
    plans: Plans
    resets: PasswordResets
    deletions: Deletions
    transfers: Transfers
    retention: Retention
    housekeeping: Housekeeping
    accounts: AccountServicer
    quotas: QuotaServicer
    authorization: AuthorizationServicer
    jwks_port: int


async def _sealing_key(settings: GatewaySettings) -> bytes:
    if settings.keys_key is not None:
        return told_key(settings.keys_key.get_secret_value())
    return await asyncio.to_thread(key_in, settings.folder / "signing.key", "signing keys")


@asynccontextmanager
async def opened(settings: GatewaySettings) -> AsyncIterator[Database]:
    """The database, with its tables as this program needs them. Waits for it."""
    server = settings.server
    await until_there(server, settings.store_seconds, "VIVA_GATEWAY_DATABASE_URL")
    await upgrade(server, tables())
    async with open_database(server, settings.store_seconds, name="viva gateway") as database:
        yield database


@asynccontextmanager
async def assembled(
    settings: GatewaySettings,
    *,
    connect: Connect = open_channel,
    clock: Clock = now,
    mail: Outbox | None = None,
) -> AsyncIterator[Gateway]:
    """Opens everything, and does what is to be done in the background until the scope ends."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(opened(settings))
        rotation = timedelta(days=settings.key_days)
        secret = await _sealing_key(settings)
        keys = SigningKeys(database, secret, rotation, clock)
        await keys.load()
        tokens = AccessTokens(keys, timedelta(seconds=settings.access_seconds), clock)
        live = LiveSessions(database, clock)
        sessions = Sessions(
            database,
            live,
            clock,
            timedelta(days=settings.session_days),
            timedelta(days=settings.longest_session_days),
        )
        passwords = stack.enter_context(
            hashing(settings.hash_threads, settings.hash_memory_kib, settings.hash_passes)
        )
        throttle = Throttle(database, clock)
        owners = Owners(await stack.enter_async_context(connect(settings.interview_address)))
        plans = Plans(
            database,
            RememberedUse(secret),
            clock,
            free_interviews=settings.free_interviews,
            guest_interviews=settings.guest_interviews,
        )
        deletions = Deletions(database, sessions, plans, owners, clock)
        transfers = Transfers(database, sessions, plans, owners, deletions, clock)
        retention = Retention(database, owners, clock)
        access = Access(
            database,
            sessions,
            passwords,
            throttle,
            transfers,
            retention,
            clock,
            settings.guests_per_hour,
        )
        jwks_port = await stack.enter_async_context(
            serving_keys(
                settings.host,
                settings.jwks_port,
                keys.document,
                allow_insecure=settings.allow_insecure,
            )
        )
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        resets = PasswordResets(
            database,
            sessions,
            passwords,
            throttle,
            mail or outbox(settings),
            clock,
            sender=settings.mail_from,
            public_url=settings.public_url,
            tasks=tasks,
        )
        housekeeping = Housekeeping(database, deletions, plans, clock)
        for duty in (
            keys.run,
            deletions.run,
            transfers.run,
            retention.run,
            housekeeping.run,
        ):
            stack.callback(tasks.create_task(duty()).cancel)
        accounts = AccountServicer(
            database=database,
            clock=clock,
            access=access,
            sessions=sessions,
            live=live,
            tokens=tokens,
            plans=plans,
            resets=resets,
            retention=retention,
            exports=Exports(database, owners, clock),
            deletions=deletions,
            transfers=transfers,
        )
        yield Gateway(
            database=database,
            keys=keys,
            tokens=tokens,
            live=live,
            sessions=sessions,
            plans=plans,
            resets=resets,
            deletions=deletions,
            transfers=transfers,
            retention=retention,
            housekeeping=housekeeping,
            accounts=accounts,
            quotas=QuotaServicer(plans),
            authorization=AuthorizationServicer(Policy(contracts()), live, Bodies(contracts())),
            jwks_port=jwks_port,
        )


def services(gateway: Gateway) -> Sequence[Service]:
    """The services of this server."""
    return [
        Service(
            account_service_pb2.DESCRIPTOR.services_by_name["AccountService"].full_name,
            partial(
                account_service_pb2_grpc.add_AccountServiceServicer_to_server, gateway.accounts
            ),
            watch=SessionWatch(gateway.live.is_live),
        ),
        Service(
            quota_service_pb2.DESCRIPTOR.services_by_name["QuotaService"].full_name,
            partial(quota_service_pb2_grpc.add_QuotaServiceServicer_to_server, gateway.quotas),
        ),
        Service(
            session_service_pb2.DESCRIPTOR.services_by_name["SessionService"].full_name,
            partial(
                session_service_pb2_grpc.add_SessionServiceServicer_to_server,
                SessionServicer(gateway.live),
            ),
        ),
        Service(AUTHORIZATION, partial(add_to, servicer=gateway.authorization)),
    ]


@asynccontextmanager
async def build(settings: GatewaySettings) -> AsyncIterator[Sequence[Service]]:
    """Opens the accounts."""
    async with assembled(settings) as gateway:
        yield services(gateway)


def main() -> None:
    """Runs the server until SIGTERM."""
    settings = load(GatewaySettings)
    run(settings, name="gateway", build=lambda: build(settings))
