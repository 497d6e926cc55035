"""The store that the settings want, and what goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.interview.recordings.keys import KeyRing
from services.interview.recordings.passing import passing_folder
from services.interview.settings import InterviewServerSettings
from services.interview.store.memory import MemoryStore
from services.interview.store.postgres import PostgresStore
from services.interview.store.store import Store
from services.interview.store.tables import tables
from services.runtime.errors import ResourceMissing
from services.runtime.key_file import key_in, told_key
from services.runtime.postgres.database import Server, open_database, until_there
from services.runtime.postgres.embedded import FOLDER
from services.runtime.postgres.migrating import upgrade


@dataclass
class Kept:
    """A store.

    Attributes:
        store: It.
        folder: Where the recordings of its interviews lie.
        keys: What their keys are kept under.
        forgotten: Called with the id of an interview that the store itself gives up.
    """

    store: Store
    folder: Path
    keys: KeyRing
    forgotten: Callable[[str], None] = lambda _: None


def server_of(settings: InterviewServerSettings) -> Server:
    """Where the settings say that the database is."""
    url = settings.database_url
    folder = settings.data_dir / FOLDER
    return Server(None if url is None else url.get_secret_value(), folder)


@asynccontextmanager
async def open_store(settings: InterviewServerSettings) -> AsyncIterator[Kept]:
    """Opens the store, with its tables as this program needs them. Waits for a database.

    Raises:
        ResourceMissing: The tables are a newer program's, or the key is no key.
    """
    folder = settings.data_dir / "interview" / "recordings"
    if settings.store == "memory":
        async with _memory(settings, folder) as kept:
            yield kept
        return
    told = settings.recordings_key
    key_file = settings.data_dir / "interview" / "recordings.key"
    if told:
        key = told_key(told.get_secret_value())
    else:
        key = await asyncio.to_thread(key_in, key_file, "recordings")
    server = server_of(settings)
    await until_there(server, settings.store_seconds, "VIVA_INTERVIEW_DATABASE_URL")
    await upgrade(server, tables())
    opened = open_database(server, settings.store_seconds, name="viva interview")
    async with opened as database:
        store = PostgresStore(database)
        # A folder a database: what one does not know may be another's.
        yield Kept(store, folder / await store.identity(), KeyRing(key))


@asynccontextmanager
async def _memory(settings: InterviewServerSettings, folder: Path) -> AsyncIterator[Kept]:
    kept: Kept

    def forget(interview_id: str) -> None:
        kept.forgotten(interview_id)

    store = MemoryStore(settings.max_interviews, forgotten=forget)
    keys = KeyRing(KeyRing.new())
    try:
        with passing_folder(folder / "memory") as own:
            kept = Kept(store, own, keys)
            yield kept
    except OSError as error:
        raise ResourceMissing(
            f"{error.filename or folder}: {error.strerror}",
            "set VIVA_DATA_DIR to a folder of yours, or VIVA_INTERVIEW_RECORDINGS_BYTES to 0",
        ) from None
