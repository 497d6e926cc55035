"""Setting a new password without the old one, by a token that comes by mail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from edge.gateway.accounts.access import plain
from edge.gateway.accounts.caller import Caller
from edge.gateway.accounts.passwords import Passwords, require_good
from edge.gateway.accounts.throttling import Limit, Subject, Throttle, TooManyAttempts
from edge.gateway.accounts.user import User
from edge.gateway.mail.delivery import Outbox
from edge.gateway.mail.message import reset_message
from edge.gateway.network import network
from edge.gateway.store import audit, resets, users
from edge.gateway.store.audit import Done
from edge.gateway.tokens.secrets import digest, new_token
from edge.gateway.tokens.sessions import Sessions
from services.runtime.errors import InvalidField, Overloaded, ServiceError
from services.runtime.logs import log
from services.runtime.postgres.database import EVERYBODY, Database
from services.runtime.wall_clock import Clock

_logger = logging.getLogger(__name__)

LIFE = timedelta(minutes=30)
_HOUR = timedelta(hours=1)
BY_ACCOUNT = Limit("password reset by account", 3, _HOUR, timedelta(minutes=10))
"""Waits shorter than a token is good: whose asking sends nothing has been sent one that is."""
BY_ADDRESS = Limit("password reset by address", 20, _HOUR, _HOUR)
USES_BY_ADDRESS = Limit("reset token by address", 20, _HOUR, timedelta(minutes=15))
_MOST = 100
"""Messages on their way at the same time."""


def link_to(public_url: str, token: str) -> str:
    """Where a token sets a password.

    It stands behind the #: browsers tell it to no server, and no server writes it into a log.
    """
    return f"{public_url}/reset#token={token}"


class PasswordResets:
    """Sends tokens, and takes them."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        passwords: Passwords,
        throttle: Throttle,
        outbox: Outbox,
        clock: Clock,
        *,
        sender: str,
        public_url: str,
        tasks: asyncio.TaskGroup,
    ) -> None:
        """Takes whom messages come from, and where the pages are found."""
        self._database = database
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle
        self._outbox = outbox
        self._clock = clock
        self._sender = sender
        self._public_url = public_url
        self._tasks = tasks
        self._under_way: set[asyncio.Task[None]] = set()

    async def request(self, email: str, language: str | None, caller: Caller) -> None:
        """Sends a token to an address, if somebody has it; neither answer nor time tell.

        Nothing is sent where it was asked for too often, whoever did, and the answer is the same:
        a stranger who asks keeps nobody from asking, and what was sent stays good.

        Raises:
            TooManyAttempts: The caller's address has asked too often.
            Overloaded: Too many messages are on their way.
        """
        email = plain(email)
        await self._throttle.attempt([Subject(BY_ADDRESS, network(caller.address))])
        if len(self._under_way) >= _MOST:
            raise Overloaded("too many messages are on their way")
        try:
            await self._throttle.attempt([Subject(BY_ACCOUNT, email.casefold())])
        except TooManyAttempts:
            return
        task = self._tasks.create_task(self._send(email, language, caller))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def sent(self) -> None:
        """Waits until no message is on its way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _send(self, email: str, language: str | None, caller: Caller) -> None:
        # Nobody waits for it: what the record or the mail server say of it is logged there.
        with suppress(ServiceError), _logged():
            async with self._database.transaction("send", EVERYBODY) as connection:
                user = await users.find_by_email(connection, email)
            if user is None or user.email is None:
                return
            link = await self.link(user, "user", caller.address)
            spoken = language or str(user.settings.get("interface_language", "en"))
            minutes = int(LIFE.total_seconds() // 60)
            message = reset_message(self._sender, user.email, link, minutes, spoken)
            await self._outbox.send(message)

    async def link(self, user: User, actor: str, address: str | None) -> str:
        """A link that sets the user's password, once; those before stay good for their time."""
        token, now = new_token(), self._clock()
        async with self._database.transaction("link", user.id) as connection:
            await resets.add(connection, digest(token), user.id, now, now + LIFE)
            done = Done(now, user.id, "password_reset_requested", actor, address)
            await audit.add(connection, done)
        return link_to(self._public_url, token)

    async def reset(self, token: str, new: str, caller: Caller) -> None:
        """Sets a password by a token; all sessions end.

        Raises:
            InvalidField: The token is good no more, or the password is guessed too easily.
            TooManyAttempts: It was tried too often from this address.
            Overloaded: Too many passwords are being hashed.
        """
        require_good(new, "", "new_password")
        place = Subject(USES_BY_ADDRESS, network(caller.address))
        async with self._throttle.attempting([place]):
            # Hashing is dear: nobody has it done without a token.
            async with self._database.transaction("reset", EVERYBODY) as connection:
                user_id = await resets.good_for(connection, digest(token), self._clock())
            if user_id is None:
                raise _bad_token()
            hashed = await self._passwords.hash(new)
        async with self._sessions.ending("reset", EVERYBODY) as connection:
            # First, as whoever else changes what a user is.
            await users.find(connection, user_id, locked=True)
            now = self._clock()
            if not await resets.take(connection, digest(token), now):
                raise _bad_token()
            await users.set_password(connection, user_id, hashed)
            await users.prove_email(connection, user_id)
            await resets.forget_all(connection, user_id)
            ended = await self._sessions.end_all(connection, user_id)
            details = {"sessions_ended": ended}
            await audit.add(
                connection, Done(now, user_id, "password_reset", "user", caller.address, details)
            )
        await self._throttle.succeeded([place], forget=[])


def _bad_token() -> InvalidField:
    return InvalidField("token", "is used, too old, or none; ask for another")


@contextmanager
def _logged() -> Iterator[None]:
    """Logs a fault of ours, and goes on: one message that can't be made must not end the others."""
    try:
        yield
    except ServiceError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the gateway lives
        log(_logger, logging.ERROR, "message failed", cause=error)
