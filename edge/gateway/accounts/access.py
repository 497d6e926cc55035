"""How users come in: as guests, by registering, by their password."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg

from edge.gateway.accounts import wire
from edge.gateway.accounts.caller import Caller
from edge.gateway.accounts.guest import FIELD, Guest
from edge.gateway.accounts.passwords import Passwords, require_good
from edge.gateway.accounts.proof import Proof
from edge.gateway.accounts.retaining import Retention
from edge.gateway.accounts.throttling import Limit, Subject, Throttle
from edge.gateway.accounts.transferring import Transfers, require_guest
from edge.gateway.accounts.user import Kind, User
from edge.gateway.network import network
from edge.gateway.store import audit, resets, users
from edge.gateway.store.audit import Done
from edge.gateway.tokens.sessions import Opened, Sessions
from services.runtime.errors import FailedPrecondition, InvalidField, Unauthenticated
from services.runtime.ids import new_uuid
from services.runtime.postgres.database import EVERYBODY, Database
from services.runtime.wall_clock import Clock

_HOUR = timedelta(hours=1)
BY_ACCOUNT = Limit("log in by account", 5, timedelta(minutes=15), timedelta(minutes=5))
BY_ADDRESS = Limit("log in by address", 20, _HOUR, timedelta(minutes=15))


def plain(email: str) -> str:
    """An e-mail address as it is kept."""
    return unicodedata.normalize("NFC", email.strip())


def wrong_password() -> Unauthenticated:
    """The same for a wrong password and for an account that does not exist."""
    return Unauthenticated("WRONG_PASSWORD", "the e-mail address or the password is wrong")


def _tried(user: User | None, email: str) -> Subject:
    """What passwords are tried on: an account by its address as it is kept, whatever was typed.

    PostgreSQL and Python fold cases differently: an account must not be counted by each of the
    spellings that it is found by.
    """
    kept = user.email if user is not None and user.email is not None else email
    return Subject(BY_ACCOUNT, kept.casefold())


class Access:
    """Lets users in."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        passwords: Passwords,
        throttle: Throttle,
        transfers: Transfers,
        retention: Retention,
        clock: Clock,
        guests_per_hour: int,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle
        self._transfers = transfers
        self._retention = retention
        self._clock = clock
        self._new_users = Limit("new users by address", guests_per_hour, _HOUR, _HOUR)

    async def guest(self, settings: Mapping[str, Any], caller: Caller) -> Opened:
        """Makes a guest.

        Raises:
            TooManyAttempts: Too many came from this address.
        """
        await self._throttle.attempt([Subject(self._new_users, network(caller.address))])
        user = User(new_uuid(), Kind.GUEST, self._clock(), settings=settings)
        async with self._database.transaction("guest", user.id) as connection:
            await self._add(connection, user)
            await self._note(connection, user.id, "guest_created", caller)
            return await self._sessions.open(connection, user, caller.user_agent)

    async def register(
        self,
        email: str,
        password: str,
        settings: Mapping[str, Any] | None,
        guest: Guest | None,
        caller: Caller,
    ) -> Opened:
        """Makes a member: of a guest, whose session ends for another, or anew.

        Raises:
            EmailTaken: There is an account with this address.
            InvalidField: The password is guessed too easily.
            FailedPrecondition: The caller is a member already, or their interviews another's.
            Unauthenticated: The guest's session is over.
            TooManyAttempts: Too many came from this address.
        """
        email = plain(email)
        if guest is not None:
            if guest.claims.kind is not Kind.GUEST:
                raise FailedPrecondition("LOGGED_IN", "log out before registering another account")
            guest.proof()  # Nothing is hashed for who has none.
        require_good(password, email, "password")
        async with self._throttle.attempting([Subject(self._new_users, network(caller.address))]):
            hashed = await self._passwords.hash(password)
        now = self._clock()
        fresh = User(
            guest.id if guest else new_uuid(),
            Kind.MEMBER,
            now,
            email=email,
            password=hashed,
            settings=settings or {},
        )
        # What passes from a guest to an account names the account.
        concerned = fresh.id if guest is None else EVERYBODY
        async with self._sessions.ending("register", concerned) as connection:
            user = await self._made(connection, fresh, guest, settings)
            await self._note(connection, user.id, "registered", caller, was_guest=guest is not None)
            return await self._sessions.open(connection, user, caller.user_agent)

    async def _made(
        self,
        connection: asyncpg.Connection,
        fresh: User,
        guest: Guest | None,
        settings: Mapping[str, Any] | None,
    ) -> User:
        if guest is None:
            await self._add(connection, fresh)
            return fresh
        # The lock first: who waits for it must see what was done before.
        before = await users.find(connection, fresh.id, locked=True)
        await self._sessions.prove(connection, guest.claims, guest.proof(), FIELD)
        made = await users.make_member(
            connection, fresh.id, fresh.email or "", fresh.password or ""
        )
        if not made:  # by another call, at the same moment
            raise FailedPrecondition("LOGGED_IN", "this guest is registered already")
        if settings is not None:
            await users.set_settings(connection, fresh.id, settings)
            if before is None or wire.retention(before.settings) != wire.retention(settings):
                await self._retention.changed(connection, fresh.id)
        # What a guest's token could do must not be what a member's can.
        await self._sessions.end_all(connection, fresh.id)
        found = await users.find(connection, fresh.id)
        return found or fresh

    async def _add(self, connection: asyncpg.Connection, user: User) -> None:
        await users.add(connection, user)
        if wire.retention(user.settings) is not None:
            await self._retention.changed(connection, user.id)

    async def log_in(
        self, email: str, password: str, caller: Caller, guest: Guest | None = None
    ) -> Opened:
        """Lets a member in; the interviews of a guest who is given become theirs.

        Raises:
            Unauthenticated: The address or the password is wrong; which of them is not told.
            TooManyAttempts: It was tried too often, on this account or from this address.
            FailedPrecondition: The guest is none.
            QuotaExhausted: The member's plan has no room for the guest's interviews.
        """
        if guest is not None:
            require_guest(guest)
        while True:
            proven = await self._proven(plain(email), password, caller)
            kept = proven.password or ""
            rehashed = None
            if self._passwords.is_weak(kept):
                rehashed = await self._passwords.hash(password)
            concerned = proven.id if guest is None else EVERYBODY
            async with self._sessions.ending("log_in", concerned) as connection:
                # The lock first: who waits for it must see what was done before.
                both = {proven.id} if guest is None else {proven.id, guest.id}
                user = (await users.lock(connection, both)).get(proven.id)
                if user is None or user.password != kept:
                    continue  # It was set meanwhile, or made anew: is it still the right one?
                if guest is not None:
                    await self._transfers.begin(connection, guest, user)
                    await self._note(connection, user.id, "guest_interviews_brought", caller)
                if rehashed is not None:
                    await users.set_password(connection, user.id, rehashed)
                await self._note(connection, user.id, "logged_in", caller)
                return await self._sessions.open(connection, user, caller.user_agent)

    async def _proven(self, email: str, password: str, caller: Caller) -> User:
        """The member with this address, if the password is theirs."""
        async with self._database.transaction("log_in", EVERYBODY) as connection:
            user = await users.find_by_email(connection, email)
        account = _tried(user, email)
        place = Subject(BY_ADDRESS, network(caller.address))
        async with self._throttle.attempting([account, place]):
            right = await self._passwords.check(user.password if user else None, password)
        # Where nobody has the address as much is done as where somebody has it.
        owner = user.id if user else None
        if user is None or not right:
            async with self._database.transaction("log_in", owner or EVERYBODY) as connection:
                await self._note(connection, owner, "log_in_failed", caller)
            raise wrong_password()
        await self._throttle.succeeded([place], forget=[account])
        return user

    async def change_password(
        self, user: User, session_id: str, current: str, new: str, caller: Caller
    ) -> None:
        """Sets another password; all other sessions end.

        Raises:
            InvalidField: The password so far is another, or the new one is guessed too easily.
            FailedPrecondition: A guest has none.
            TooManyAttempts: It was tried too often.
            Unauthenticated: The session has ended meanwhile.
        """
        proof = await self.prove(user, session_id, current, "current_password")
        require_good(new, user.email or "", "new_password")
        hashed = await self._passwords.hash(new)
        async with self._sessions.ending("change_password", user.id) as connection:
            await proof.require(connection, self._clock())
            await users.set_password(connection, user.id, hashed)
            await resets.forget_all(connection, user.id)
            ended = await self._sessions.end_all(connection, user.id, but=session_id)
            await self._note(connection, user.id, "password_changed", caller, sessions_ended=ended)

    async def prove(self, user: User, session_id: str, password: str, field: str) -> Proof:
        """Has a user who is in give their password again.

        Raises:
            InvalidField: It is another password.
            FailedPrecondition: A guest has none.
            TooManyAttempts: It was tried too often.
        """
        if user.password is None:
            raise FailedPrecondition("GUEST", "a guest has no password; register first")
        account = _tried(user, "")
        async with self._throttle.attempting([account]):
            right = await self._passwords.check(user.password, password)
        if not right:
            raise InvalidField(field, "is not the password")
        await self._throttle.succeeded([], forget=[account])
        return Proof(user, session_id, field)

    async def _note(
        self,
        connection: asyncpg.Connection,
        user_id: str | None,
        action: str,
        caller: Caller,
        **details: Any,
    ) -> None:
        actor = "user" if user_id and action != "log_in_failed" else "nobody"
        done = Done(self._clock(), user_id, action, actor, caller.address, details)
        await audit.add(connection, done)
