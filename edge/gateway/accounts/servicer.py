"""`viva.account.v1.AccountService` on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import asyncpg
import grpc
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from viva.account.v1 import account_pb2, account_service_pb2_grpc
from viva.account.v1 import account_service_pb2 as pb

from edge.gateway.accounts import wire
from edge.gateway.accounts.access import Access
from edge.gateway.accounts.caller import Caller, caller, clear_cookie, set_cookie
from edge.gateway.accounts.deleting import Deletions
from edge.gateway.accounts.exporting import Exports
from edge.gateway.accounts.guest import Guest
from edge.gateway.accounts.proof import Proof
from edge.gateway.accounts.resetting import PasswordResets
from edge.gateway.accounts.retaining import Retention
from edge.gateway.accounts.transferring import Transfers
from edge.gateway.accounts.user import Kind, User
from edge.gateway.quotas.plans import Plans
from edge.gateway.store import audit, users
from edge.gateway.store.audit import Done
from edge.gateway.tokens.access import AccessTokens, Claims
from edge.gateway.tokens.liveness import LiveSessions
from edge.gateway.tokens.sessions import Opened, Sessions, session_over
from services.runtime.errors import InvalidField, NotFound, Unauthenticated
from services.runtime.postgres.database import Database
from services.runtime.wall_clock import Clock

_Context = grpc.aio.ServicerContext[Any, Any]


class AccountServicer(account_service_pb2_grpc.AccountServiceServicer):
    """Translates between the contract and the accounts."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        access: Access,
        sessions: Sessions,
        live: LiveSessions,
        tokens: AccessTokens,
        plans: Plans,
        resets: PasswordResets,
        retention: Retention,
        exports: Exports,
        deletions: Deletions,
        transfers: Transfers,
    ) -> None:
        self._database = database
        self._clock = clock
        self._access = access
        self._sessions = sessions
        self._live = live
        self._tokens = tokens
        self._plans = plans
        self._resets = resets
        self._retention = retention
        self._exports = exports
        self._deletions = deletions
        self._transfers = transfers

    # Coming in.

    async def CreateGuest(
        self, request: pb.CreateGuestRequest, context: _Context
    ) -> pb.CreateGuestResponse:
        """Begins without an account."""
        told = wire.settings_from(request.settings)
        opened = await self._access.guest(told, caller(context))
        wanted = request.want_refresh_token
        return pb.CreateGuestResponse(credentials=await self._given(opened, context, wanted=wanted))

    async def Register(self, request: pb.RegisterRequest, context: _Context) -> pb.RegisterResponse:
        """Makes an account."""
        who = caller(context)
        guest = None if who.access_token is None else await self._guest(who, request)
        told = wire.settings_from(request.settings) if request.HasField("settings") else None
        opened = await self._access.register(request.email, request.password, told, guest, who)
        wanted = request.want_refresh_token
        return pb.RegisterResponse(credentials=await self._given(opened, context, wanted=wanted))

    async def LogIn(self, request: pb.LogInRequest, context: _Context) -> pb.LogInResponse:
        """Logs in."""
        who = caller(context)
        guest = await self._guest(who, request) if request.bring_guest_interviews else None
        opened = await self._access.log_in(request.email, request.password, who, guest)
        brought = None
        if guest is not None:
            done = await self._transfers.finish(guest.id, opened.user.id)
            brought = pb.BroughtInterviews(interviews=done.interviews, pending=done.pending)
        wanted = request.want_refresh_token
        credentials = await self._given(opened, context, wanted=wanted)
        return pb.LogInResponse(credentials=credentials, brought=brought)

    async def Refresh(self, request: pb.RefreshRequest, context: _Context) -> pb.RefreshResponse:
        """Gets the next credentials of a session."""
        who = caller(context)
        sent = request.HasField("refresh_token")
        token = request.refresh_token if sent else who.cookie
        if token is None:
            raise Unauthenticated("NO_REFRESH_TOKEN", "there is no refresh token; log in")
        try:
            opened, account = await self._sessions.refresh(token, who.address, self._account_in)
        except Unauthenticated:
            if not sent:
                await _answer_with(context, clear_cookie(secure=who.over_tls))
            raise
        wanted = request.want_refresh_token
        given = await self._given(opened, context, wanted=wanted, account=account)
        return pb.RefreshResponse(credentials=given)

    async def _given(
        self,
        opened: Opened,
        context: _Context,
        *,
        wanted: bool,
        account: account_pb2.Account | None = None,
    ) -> account_pb2.Credentials:
        """What the client calls with; the refresh token in a cookie unless it is wanted here."""
        if not wanted:
            seconds = int(self._sessions.life.total_seconds())
            secure = caller(context).over_tls
            await _answer_with(context, set_cookie(opened.refresh_token, seconds, secure=secure))
        lifetime = Duration()
        lifetime.FromTimedelta(self._tokens.life)
        return account_pb2.Credentials(
            access_token=self._tokens.issue(opened.user, opened.session_id),
            access_token_lifetime=lifetime,
            refresh_token=opened.refresh_token if wanted else None,
            account=account or await self._account(opened.user),
        )

    # Going out.

    async def LogOut(self, request: pb.LogOutRequest, context: _Context) -> pb.LogOutResponse:
        """Logs out, here or everywhere."""
        who = caller(context)
        claims = await self._claims(who)
        async with self._sessions.ending("LogOut", claims.user_id) as connection:
            if request.everywhere:
                ended = await self._sessions.end_all(connection, claims.user_id)
            else:
                ended = await self._sessions.end(connection, claims.user_id, claims.session_id)
            await audit.add(
                connection, self._done(claims, who, "logged_out", {"sessions": int(ended)})
            )
        await _answer_with(context, clear_cookie(secure=who.over_tls))
        return pb.LogOutResponse()

    # The account.

    async def GetAccount(
        self, request: pb.GetAccountRequest, context: _Context
    ) -> pb.GetAccountResponse:
        """Reads the caller's account."""
        _, user = await self._user(caller(context))
        return pb.GetAccountResponse(account=await self._account(user))

    async def UpdateSettings(
        self, request: pb.UpdateSettingsRequest, context: _Context
    ) -> pb.UpdateSettingsResponse:
        """Changes settings."""
        claims, user = await self._user(caller(context))
        mask = request.update_mask if request.HasField("update_mask") else None
        wished = wire.merged(user.settings, request.settings, mask)
        if wire.retention(user.settings) != wire.retention(wished):
            # First, so that a setting is never shown that does not hold.
            await self._retention.require(user.id, wished)
        async with self._database.transaction("UpdateSettings", claims.user_id) as connection:
            # Two changes at once must not undo each other.
            now = await users.find(connection, claims.user_id, locked=True)
            if now is None:
                raise NotFound("user", claims.user_id)
            new = wire.merged(now.settings, request.settings, mask)
            if wire.retention(now.settings) != wire.retention(new):
                await self._retention.changed(connection, user.id)
            await users.set_settings(connection, claims.user_id, new)
            changed = await users.find(connection, claims.user_id)
        return pb.UpdateSettingsResponse(account=await self._account(changed or user))

    async def ChangePassword(
        self, request: pb.ChangePasswordRequest, context: _Context
    ) -> pb.ChangePasswordResponse:
        """Changes the password, and logs out everywhere else."""
        who = caller(context)
        claims, user = await self._user(who)
        await self._access.change_password(
            user, claims.session_id, request.current_password, request.new_password, who
        )
        return pb.ChangePasswordResponse()

    async def RequestPasswordReset(
        self, request: pb.RequestPasswordResetRequest, context: _Context
    ) -> pb.RequestPasswordResetResponse:
        """Sends a token that sets a new password."""
        language = request.language if request.HasField("language") else None
        await self._resets.request(request.email, language, caller(context))
        return pb.RequestPasswordResetResponse()

    async def ResetPassword(
        self, request: pb.ResetPasswordRequest, context: _Context
    ) -> pb.ResetPasswordResponse:
        """Sets a new password by such a token."""
        await self._resets.reset(request.token, request.new_password, caller(context))
        return pb.ResetPasswordResponse()

    # Sessions.

    async def ListSessions(
        self, request: pb.ListSessionsRequest, context: _Context
    ) -> pb.ListSessionsResponse:
        """Lists where the caller is logged in."""
        claims = await self._claims(caller(context))
        found = await self._sessions.list(claims.user_id)
        return pb.ListSessionsResponse(
            sessions=[wire.session(each, claims.session_id) for each in found]
        )

    async def RevokeSession(
        self, request: pb.RevokeSessionRequest, context: _Context
    ) -> pb.RevokeSessionResponse:
        """Logs out in one place; another user's place is none."""
        who = caller(context)
        claims = await self._claims(who)
        async with self._sessions.ending("RevokeSession", claims.user_id) as connection:
            if await self._sessions.end(connection, claims.user_id, request.session_id):
                details = {"session": request.session_id}
                await audit.add(connection, self._done(claims, who, "session_revoked", details))
        return pb.RevokeSessionResponse()

    # All that is theirs.

    async def ExportData(
        self, request: pb.ExportDataRequest, context: _Context
    ) -> AsyncIterator[pb.ExportDataResponse]:
        """Gives all that is kept of the caller as one zip file."""
        who = caller(context)
        claims, user = await self._user(who)
        with self._exports.begun(user.id):
            async with self._database.transaction("ExportData", claims.user_id) as connection:
                await audit.add(connection, self._done(claims, who, "data_exported", {}))
            profile = json_format.MessageToDict(
                await self._account(user), preserving_proto_field_name=True
            )
            name: str | None = f"viva-{self._clock():%Y-%m-%d}.zip"
            archive = self._exports.archive(user, profile, claims.session_id)
            async with aclosing(archive) as pieces:
                async for piece in pieces:
                    yield pb.ExportDataResponse(file_name=name, content=piece)
                    name = None

    async def DeleteAccount(
        self, request: pb.DeleteAccountRequest, context: _Context
    ) -> pb.DeleteAccountResponse:
        """Deletes the caller's account and all that is kept of them."""
        who = caller(context)
        claims, user = await self._user(who)
        if user.kind is Kind.GUEST:
            proof = Proof(user, claims.session_id, "password")
        elif request.HasField("password"):
            proof = await self._access.prove(user, claims.session_id, request.password, "password")
        else:
            raise InvalidField("password", "is needed to delete an account")
        removed = await self._deletions.delete(user.id, "user", proof=proof)
        await _answer_with(context, clear_cookie(secure=who.over_tls))
        return pb.DeleteAccountResponse(
            interviews=removed.interviews,
            recordings=removed.recordings,
            sessions=removed.sessions,
            pending=removed.pending,
        )

    # Who calls.

    async def _claims(self, who: Caller) -> Claims:
        if who.access_token is None:
            raise Unauthenticated("NO_TOKEN", "log in first: authorization: Bearer …")
        claims = self._tokens.read(who.access_token)
        if not await self._live.is_live(claims.session_id):
            raise session_over()
        return claims

    async def _guest(self, who: Caller, request: pb.RegisterRequest | pb.LogInRequest) -> Guest:
        sent = request.HasField("guest_refresh_token")
        token = request.guest_refresh_token if sent else who.cookie
        return Guest(await self._claims(who), token)

    async def _user(self, who: Caller) -> tuple[Claims, User]:
        claims = await self._claims(who)
        async with self._database.transaction("user", claims.user_id) as connection:
            user = await users.find(connection, claims.user_id)
        if user is None:
            raise session_over()
        return claims, user

    async def _account(self, user: User) -> account_pb2.Account:
        async with self._database.transaction("account", user.id) as connection:
            return await self._account_in(connection, user)

    async def _account_in(self, connection: asyncpg.Connection, user: User) -> account_pb2.Account:
        return wire.account(user, await self._plans.usage(connection, user))

    def _done(self, claims: Claims, who: Caller, action: str, details: Mapping[str, Any]) -> Done:
        return Done(self._clock(), claims.user_id, action, "user", who.address, details)


async def _answer_with(context: _Context, cookie: str) -> None:
    await context.send_initial_metadata((("set-cookie", cookie),))
