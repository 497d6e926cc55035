"""Everything of a user's as one zip file, made while it is sent."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, aclosing
from typing import Any

from edge.gateway.accounts.owners import Owners
from edge.gateway.accounts.user import User
from edge.gateway.store import audit
from edge.gateway.store import sessions as session_store
from services.runtime.at_once import AtOnce
from services.runtime.errors import Busy
from services.runtime.postgres.database import Database
from services.runtime.wall_clock import Clock

PIECE_BYTES = 64 * 1024
"""So much is sent at once."""
AT_ONCE = 50
"""Exports that a gateway has under way; each waits for whoever reads it, and holds little."""
RETRY_SECONDS = 10.0
_PACKED_ALREADY = (".flac",)


class _Sink(io.RawIOBase):
    """What the zip file is written to: it goes on as soon as it is there."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def taken(self, at_least: int) -> bytes:
        """What was written since, if it is so much."""
        if len(self._written) < at_least:
            return b""
        taken = bytes(self._written)
        self._written.clear()
        return taken


class Exports:
    """Exports what is kept of a user."""

    def __init__(self, database: Database, owners: Owners, clock: Clock) -> None:
        self._database = database
        self._owners = owners
        self._clock = clock
        self._under_way = AtOnce(
            AT_ONCE,
            1,
            full=lambda: Busy(f"{AT_ONCE} exports are being made already", RETRY_SECONDS),
            own_full=lambda: Busy("your data is being exported already", RETRY_SECONDS),
        )

    def begun(self, user_id: str) -> AbstractContextManager[None]:
        """An export of a user's is under way while the scope lasts.

        Raises:
            Busy: Another one of theirs is, or as many as there may be.
        """
        return self._under_way.begun(user_id)

    async def archive(
        self, user: User, profile: Mapping[str, Any], session_id: str
    ) -> AsyncGenerator[bytes, None]:
        """The zip file, piece by piece.

        Args:
            user: Whose.
            profile: What is told of them.
            session_id: Who asks.

        Raises:
            Relayed: Too much is being exported where it is kept.
            Unavailable: Something of theirs cannot be read.
        """
        sink = _Sink()
        archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED)
        moment = self._clock().timetuple()[:6]

        def entry(path: str) -> zipfile.ZipInfo:
            made = zipfile.ZipInfo(path, moment)
            packed = path.endswith(_PACKED_ALREADY)
            made.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            made.external_attr = 0o600 << 16
            return made

        try:
            for path, value in (await self._own(user, profile, session_id)).items():
                archive.writestr(entry(path), json.dumps(value, ensure_ascii=False, indent=2))
            async with aclosing(self._files(user, archive, entry, sink)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            archive.close()
        yield sink.taken(0)

    async def _files(
        self,
        user: User,
        archive: zipfile.ZipFile,
        entry: Callable[[str], zipfile.ZipInfo],
        sink: _Sink,
    ) -> AsyncGenerator[bytes, None]:
        with ExitStack() as file:
            write = None
            async with aclosing(self._owners.export(user.id)) as pieces:
                async for path, content in pieces:
                    if path is not None:
                        file.close()  # The one before.
                        opened = archive.open(entry(path), "w", force_zip64=True)
                        write = file.enter_context(opened).write
                    if write is not None:
                        write(content)
                    if piece := sink.taken(PIECE_BYTES):
                        yield piece

    async def _own(
        self, user: User, profile: Mapping[str, Any], session_id: str
    ) -> Mapping[str, Any]:
        """What the accounts themselves keep."""
        async with self._database.transaction("own", user.id) as connection:
            sessions = await session_store.of_user(connection, user.id, self._clock())
            done = await audit.of_user(connection, user.id)
        return {
            "account.json": profile,
            "sessions.json": [
                {
                    "created": session.created.isoformat(),
                    "last_used": session.used.isoformat(),
                    "user_agent": session.user_agent,
                    "current": session.id == session_id,
                }
                for session in sessions
            ],
            "activity.json": [
                {"at": each.at.isoformat(), "action": each.action, "address": each.address}
                for each in done
            ],
        }
