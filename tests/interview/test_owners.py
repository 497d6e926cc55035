"""All that is kept of one user: given out, kept for a while, removed; and what they may create."""

from __future__ import annotations

import io
import json
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from viva.interview.v1 import interview_pb2, interview_service_pb2, owner_service_pb2_grpc
from viva.interview.v1 import owner_service_pb2 as pb

from services.interview import exporting
from services.interview.exporting import BATCH_BYTES, RETRY_SECONDS, Exports, Pieces, Read, _voice
from services.interview.questions.bank import Bank
from services.interview.record import Interview, Speaker
from services.interview.recordings.flac import Digest, FlacStream
from services.interview.store.memory import MemoryStore
from services.interview.store.postgres import PostgresStore
from services.interview.store.store import Recorded, Store
from services.runtime.channel import open_channel, outgoing
from services.runtime.errors import Busy
from services.runtime.postgres.database import open_database
from services.runtime.postgres.failures import StoreFailed
from tests.interview.calls import Wire, audio, heard, joining, refused, until
from tests.interview.databases import Postgres
from tests.interview.orchestrators import Orchestrator, orchestrator
from tests.interview.stage import PATIENCE
from tests.interview.test_lifecycle import answer_all
from tests.interview.test_store_contract import interview
from tests.refusals import fields

Code = grpc.StatusCode


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(100)
        return
    async with open_database(await postgres.emptied(), PATIENCE) as database:
        yield PostgresStore(database)


@pytest_asyncio.fixture
async def lasting(
    postgres: Postgres, bank: Bank, tmp_path: Path
) -> AsyncIterator[tuple[Orchestrator, PostgresStore]]:
    """An orchestrator whose tables can be looked into, and its store."""
    async with open_database(await postgres.emptied(), PATIENCE) as database:
        store = PostgresStore(database)
        async with orchestrator(store, bank, tmp_path) as made:
            yield made, store


@pytest_asyncio.fixture
async def running(store: Store, bank: Bank, tmp_path: Path) -> AsyncIterator[Orchestrator]:
    async with orchestrator(store, bank, tmp_path) as made:
        yield made


def owners(channel: grpc.aio.Channel) -> Any:
    return owner_service_pb2_grpc.OwnerServiceStub(channel)


async def exported(running: Orchestrator, user: str = "ann") -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    path = ""
    async with open_channel(f"127.0.0.1:{running.port}") as channel:
        request = pb.ExportOwnerRequest(user_id=user)
        async for piece in owners(channel).ExportOwner(request, **outgoing(PATIENCE, user=user)):
            path = piece.path if piece.HasField("path") else path
            files[path] = files.get(path, b"") + piece.content
    return files


async def test_a_user_has_one_export_at_a_time(running: Orchestrator) -> None:
    await running.wire.create()
    with ThreadPoolExecutor(1) as thread:
        exports = Exports(running.house, thread)
        async with aclosing(exports.export("ann")) as first:
            await anext(first)
            with pytest.raises(Busy, match="everything of yours is being exported"):
                await anext(exports.export("ann"))
            assert [piece async for piece in exports.export("bob")] == []
        # Whoever goes away in the midst of it may begin again.
        assert [path async for path, _ in exports.export("ann") if path is not None]


async def test_a_server_makes_few_exports_at_a_time(
    running: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 1)
    for user in ("ann", "bob"):
        await running.wire.create(user=user)
    with ThreadPoolExecutor(1) as thread:
        exports = Exports(running.house, thread)
        async with aclosing(exports.export("ann")) as first:
            await anext(first)
            with pytest.raises(Busy, match="1 exports are being made") as refused:
                await anext(exports.export("bob"))
            assert refused.value.retry_after == RETRY_SECONDS
        assert [path async for path, _ in exports.export("bob") if path is not None]


async def removed(running: Orchestrator, user: str = "ann") -> tuple[int, int]:
    async with open_channel(f"127.0.0.1:{running.port}") as channel:
        request = pb.DeleteOwnerRequest(user_id=user)
        done = await owners(channel).DeleteOwner(request, **outgoing(PATIENCE, user=user))
    return done.interviews, done.recordings


async def test_everything_is_exported(running: Orchestrator) -> None:
    wire = running.wire
    held = await wire.create(rounds=1, follow_ups=0)
    await answer_all(wire, held.id, 1)
    spoken = await wire.create()
    await wire.create(user="bob")
    while not wire.recogniser.opened.empty():  # those of the first interview
        wire.recogniser.opened.get_nowait()
    async with wire.converse(joining(spoken.id)) as call:
        await until(call, lambda e: e.HasField("utterance_started"))
        for _ in range(20):
            await call.write(
                interview_service_pb2.ConverseRequest(candidate=audio(b"\1\0\1\0" * 4800))
            )
        await heard(wire, 1.9)
        files = await exported(running)
    first, second = f"interviews/{held.id}", f"interviews/{spoken.id}"
    assert {path.rpartition("/")[0].partition("/recordings")[0] for path in files} == {
        first,
        second,
    }
    turns = json.loads(files[f"{first}/turns.json"])
    assert any("index" in turn["text"] for turn in turns)
    assert json.loads(files[f"{first}/interview.json"])["id"] == held.id
    assert json.loads(files[f"{first}/report.json"])["interviewId"] == held.id
    assert f"{second}/report.json" not in files
    samples, rate = soundfile.read(
        io.BytesIO(files[f"{second}/recordings/candidate.flac"]), dtype="int16"
    )
    assert rate == 16_000
    assert len(samples)
    [stretch] = json.loads(files[f"{second}/recordings/candidate.json"])
    assert stretch["file_seconds"] == 0


@pytest.mark.parametrize("after", ["", "interview.json", "turns.json", "report.json"])
async def test_one_that_is_deleted_meanwhile_keeps_nothing_of_the_others_back(
    running: Orchestrator, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr(exporting, "_TURNS", 1)
    wire = running.wire
    older = await wire.create(rounds=1, follow_ups=0)
    gone = await wire.create(rounds=1, follow_ups=0)
    await answer_all(wire, gone.id, 1)
    newer = await wire.create(rounds=1, follow_ups=0)  # Which comes first.
    files: dict[str, bytes] = {}
    name, deleted = "", False
    with ThreadPoolExecutor(1) as thread:
        async for path, content in Exports(running.house, thread).export("ann"):
            name = path or name
            files[name] = files.get(name, b"") + content
            if not deleted and (not after or name == f"interviews/{gone.id}/{after}"):
                deleted = True
                await running.house.delete("ann", gone.id)
    assert deleted
    assert all(json.loads(content) is not None for content in files.values())
    for whole in (newer, older):
        assert json.loads(files[f"interviews/{whole.id}/interview.json"])["id"] == whole.id
        assert json.loads(files[f"interviews/{whole.id}/turns.json"]) == []


async def test_everything_is_removed_and_nothing_of_others(
    running: Orchestrator, store: Store
) -> None:
    wire = running.wire
    live = await wire.create()
    await wire.create()
    bobs = await wire.create(user="bob")
    async with wire.converse(joining(live.id)) as call:
        await until(call, lambda e: e.HasField("utterance_started"))
        assert (await removed(running))[0] == 2
    assert await removed(running) == (0, 0)
    assert await store.page("ann", 10, None) == []
    assert not await store.deleted("ann", live.id)
    assert await wire.get(bobs.id, user="bob") == bobs


async def test_no_row_of_a_removed_owner_is_left_in_any_table(
    lasting: tuple[Orchestrator, PostgresStore], postgres: Postgres
) -> None:
    running, store = lasting
    held = await running.wire.create(rounds=1, follow_ups=0)
    await answer_all(running.wire, held.id, 1)
    await store.keep_for("ann", timedelta(days=2))
    assert await _rows(postgres, "ann")
    assert (await removed(running))[0] == 1
    assert await _rows(postgres, "ann") == {}


async def _rows(postgres: Postgres, user: str) -> dict[str, int]:
    admin = await postgres.connect("viva")
    try:
        found = {}
        for table in await admin.fetch(
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
        ):
            query = f"SELECT count(*) FROM {table['name']} t WHERE t::text LIKE '%' || $1 || '%'"
            if count := await admin.fetchval(query, user):
                found[table["name"]] = count
        return found
    finally:
        await admin.close()


async def test_a_call_for_one_user_in_the_name_of_another_is_refused(
    running: Orchestrator,
) -> None:
    async with open_channel(f"127.0.0.1:{running.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await owners(channel).DeleteOwner(
                pb.DeleteOwnerRequest(user_id="ann"), **outgoing(PATIENCE, user="bob")
            )
    assert refused.value.code() is Code.PERMISSION_DENIED


# Given to another user.


async def given(running: Orchestrator, heir: str = "carol", user: str = "ann") -> int:
    async with open_channel(f"127.0.0.1:{running.port}") as channel:
        request = pb.TransferOwnerRequest(user_id=user, new_user_id=heir)
        done = await owners(channel).TransferOwner(request, **outgoing(PATIENCE, user=user))
    return int(done.interviews)


async def speak(call: Any, wire: Wire) -> None:
    await until(call, lambda e: e.HasField("utterance_started"))
    for _ in range(20):
        await call.write(interview_service_pb2.ConverseRequest(candidate=audio(b"\1\0\1\0" * 4800)))
    await heard(wire, 1.9)


async def test_everything_passes_to_another_user_what_is_live_too(
    running: Orchestrator, store: Store
) -> None:
    wire = running.wire
    held = await wire.create(rounds=1, follow_ups=0)
    await answer_all(wire, held.id, 1)
    while not wire.recogniser.opened.empty():  # those of the first interview
        wire.recogniser.opened.get_nowait()
    live = await wire.create(key="same")
    carols = await wire.create(key="same", user="carol")
    await store.keep_for("ann", timedelta(days=2))
    async with wire.converse(joining(live.id)) as call:
        await speak(call, wire)
        before = await exported(running)
        assert await given(running) == 2
        assert (await refused(call)).code() is Code.UNAVAILABLE
    assert await exported(running) == {}
    after = await exported(running, "carol")
    # Of what the interviewer said the last was recorded when it was laid aside.
    assert {path for path in after if carols.id not in path} >= set(before)
    for name in ("turns.json", "report.json"):
        path = f"interviews/{held.id}/{name}"
        assert after[path] == before[path]
    samples, _ = soundfile.read(
        io.BytesIO(after[f"interviews/{live.id}/recordings/candidate.flac"]), dtype="int16"
    )
    assert samples.any()
    # It goes on from what was said.
    assert (await wire.get(live.id, user="carol")).state == interview_pb2.INTERVIEW_STATE_PAUSED
    async with wire.converse(joining(live.id), user="carol") as call:
        await until(call, lambda e: e.HasField("utterance_started"))
    # What the former owner wished does not hold for them.
    later = datetime.now(UTC) + timedelta(days=10)
    assert await store.expired(later, None, 10) == []
    assert await given(running) == 0


async def test_no_row_names_the_former_owner(
    lasting: tuple[Orchestrator, PostgresStore], postgres: Postgres
) -> None:
    running, _ = lasting
    held = await running.wire.create(rounds=1, follow_ups=0)
    await answer_all(running.wire, held.id, 1)
    live = await running.wire.create()
    async with running.wire.converse(joining(live.id)) as call:
        await speak(call, running.wire)
    await running.recordings.book_once()
    before = await _rows(postgres, "ann")
    assert {"interview", "turn", "event", "report", "recording", "lease"} <= set(before)
    assert await given(running) == 2
    assert await _rows(postgres, "ann") == {}
    after = await _rows(postgres, "carol")
    assert all(after[table] >= count for table, count in before.items())


async def test_all_of_it_passes_or_nothing(
    lasting: tuple[Orchestrator, PostgresStore],
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running, _ = lasting
    live = await running.wire.create()
    await running.wire.create()
    async with running.wire.converse(joining(live.id)) as call:
        await speak(call, running.wire)
    await running.recordings.book_once()

    def broken(*_: Any) -> bytes:
        raise StoreFailed("STORE_LOST", "in the midst of it")

    with monkeypatch.context() as faulty:
        faulty.setattr(running.recordings, "rewrapped", broken)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await given(running)
    assert failed.value.code() is Code.UNAVAILABLE
    assert await _rows(postgres, "carol") == {}
    assert (await running.wire.get(live.id)).id == live.id
    assert await given(running) == 2


async def test_what_another_orchestrator_drives_passes_too(
    bank: Bank, tmp_path: Path, postgres: Postgres
) -> None:
    server = await postgres.emptied()
    async with (
        open_database(server, PATIENCE) as database,
        orchestrator(PostgresStore(database), bank, tmp_path / "one") as one,
        orchestrator(PostgresStore(database), bank, tmp_path / "two") as two,
    ):
        live = await one.wire.create()
        async with one.wire.converse(joining(live.id)) as call:
            await speak(call, one.wire)
            assert await given(two) == 1
            await one.sessions.leases.renew_once()
            assert (await refused(call)).code() is Code.UNAVAILABLE
        # What was recorded there to the last has followed.
        await one.recordings.book_once()
        files = await PostgresStore(database).recorded("carol", live.id, Speaker.CANDIDATE)
        assert [file.over for file in files] == [True]
        voice = await one.recordings.read("carol", live.id, Speaker.CANDIDATE, 0.0, 60.0)
        assert voice is not None
        assert sum([len(audio) async for _, audio in voice[1]]) == files[0].size > 0
        async with two.wire.converse(joining(live.id), user="carol") as call:
            await until(call, lambda e: e.HasField("utterance_started"))


class Meanwhile(MemoryStore):
    """A store in which more happens while interviews are given to another."""

    def __init__(self) -> None:
        super().__init__(10)
        self.deaf = False
        self.created: Interview | None = None

    async def transfer(self, *what: Any) -> int:
        moved = await super().transfer(*what)
        created, self.created = self.created, None
        if created is not None:
            await self.save(created)
        return moved

    async def save_recorded(self, recorded: Recorded) -> str | None:
        if self.deaf:
            raise StoreFailed("STORE_LOST", "no connection")
        return await super().save_recorded(recorded)


async def test_what_is_created_meanwhile_passes_too(bank: Bank, tmp_path: Path) -> None:
    store = Meanwhile()
    async with orchestrator(store, bank, tmp_path) as running:
        await running.wire.create()
        store.created = interview()
        assert await given(running) == 2
        assert await store.page("ann", 10, None) == []


async def test_nothing_passes_before_all_that_was_recorded_is_known(
    bank: Bank, tmp_path: Path
) -> None:
    store = Meanwhile()
    async with orchestrator(store, bank, tmp_path) as running:
        live = await running.wire.create()
        async with running.wire.converse(joining(live.id)) as call:
            await speak(call, running.wire)
            store.deaf = True
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await given(running)
        assert failed.value.code() is Code.UNAVAILABLE
        assert (await running.wire.get(live.id)).id == live.id
        store.deaf = False
        assert await given(running) == 1
        files = await store.recorded("carol", live.id)
    assert files
    assert all(file.over and file.size for file in files)


async def test_who_has_it_already_cannot_be_given_it(running: Orchestrator) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as wrong:
        await given(running, "ann")
    assert fields(wrong.value) == ["new_user_id"]


async def test_an_owner_may_wish_theirs_to_go_sooner(store: Store) -> None:
    now = datetime.now(UTC)
    anns, bobs = interview(), interview("bob")
    for made in (anns, bobs):
        await store.save(replace(made, created=now))
    later = now + timedelta(days=10)
    assert await store.expired(later, None, 10) == []
    await store.keep_for("ann", timedelta(days=7))
    await store.keep_for("bob", timedelta(days=70))
    assert list(await store.expired(later, None, 10)) == [("ann", anns.id)]
    assert len(await store.expired(later, timedelta(days=1), 10)) == 2
    await store.keep_for("ann", None)
    assert await store.expired(later, None, 10) == []


TONE = np.full(1600, 1000, "<i2").tobytes()


def voice(*times: float, tone: bytes = TONE) -> Read:
    """A voice that says the tone at these times, whenever it is read."""

    async def pieces() -> Pieces:
        for when in times:
            yield when, tone

    async def read() -> tuple[int, Pieces]:
        return 16_000, pieces()

    return read


def readings(*each: Read) -> Read:
    """A voice that is read otherwise each time."""
    left = list(each)

    async def read() -> tuple[int, Pieces] | None:
        return await left.pop(0)()

    return read


async def made(read: Read) -> AsyncIterator[tuple[str | None, bytes]]:
    """What is exported of a voice, piece by piece."""
    with ThreadPoolExecutor(1, "encoding") as thread:
        async for piece in _voice(read, "v", thread):
            yield piece


async def exported_voice(read: Read) -> tuple[list[dict[str, float]], bytes]:
    """Where its stretches are, and its FLAC file."""
    files: dict[str, bytes] = {}
    path = ""
    async for named, content in made(read):
        path = named or path
        files[path] = files.get(path, b"") + content
    return json.loads(files["v.json"]), files["v.flac"]


async def test_long_silences_are_cut_and_told() -> None:
    stretches, flac = await exported_voice(voice(1.0, 1.1, 86_400.0))
    samples, _ = soundfile.read(io.BytesIO(flac), dtype="int16")
    assert len(samples) == 3 * 1600 + 2 * 16_000
    assert stretches == [
        {"interview_seconds": 1.0, "file_seconds": 0.0},
        {"interview_seconds": 86_400.0, "file_seconds": 2.2},
    ]


async def test_a_voice_is_the_same_file_that_is_made_at_once() -> None:
    noise = np.random.default_rng(7).integers(-3000, 3000, 16_000).astype("<i2")
    _, flac = await exported_voice(voice(0, 1, 2, tone=noise.tobytes()))
    whole = np.tile(noise, 3)
    usual = io.BytesIO()
    soundfile.write(usual, whole, 16_000, format="FLAC", subtype="PCM_16")
    samples, _ = soundfile.read(io.BytesIO(flac), dtype="int16")
    assert (samples == whole).all()
    # From the length on, behind the sizes of the smallest and the largest frame.
    assert flac[18:42] == usual.getvalue()[18:42]
    assert flac[42:] == usual.getvalue()[42:]


async def test_a_voice_that_goes_on_while_it_is_read_ends_where_it_was() -> None:
    stretches, flac = await exported_voice(readings(voice(0.0), voice(0.0, 0.1, 60.0)))
    samples, _ = soundfile.read(io.BytesIO(flac), dtype="int16")
    assert samples.tolist() == [1000] * 1600
    assert len(stretches) == 1


async def test_a_voice_that_makes_room_while_it_is_read_ends_in_silence() -> None:
    async def gone() -> None:
        return None

    stretches, flac = await exported_voice(readings(voice(0.0, 0.1), gone))
    samples, _ = soundfile.read(io.BytesIO(flac), dtype="int16")
    assert samples.tolist() == [0] * 3200
    assert len(stretches) == 1


async def test_of_a_voice_without_a_sound_there_is_no_file() -> None:
    assert [piece async for piece in made(voice())] == []


async def test_nothing_is_encoded_where_live_audio_would_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []

    def noted(work: Callable[..., Any]) -> Callable[..., Any]:
        def does(*given: Any) -> Any:
            threads.append(threading.current_thread().name)
            return work(*given)

        return does

    for kind, name in ((Digest, "add"), (FlacStream, "feed"), (FlacStream, "close")):
        monkeypatch.setattr(kind, name, noted(getattr(kind, name)))

    async def gone() -> None:
        return None

    for read in (voice(*range(100)), readings(voice(*range(100)), gone)):
        _, flac = await exported_voice(read)
        samples, _ = soundfile.read(io.BytesIO(flac), dtype="int16")
        assert len(samples) * 2 > 10 * BATCH_BYTES
    assert {name.partition("_")[0] for name in threads} == {"encoding"}
    # A piece is not worth the way to another thread.
    assert len(threads) < 100


@pytest.mark.slow
async def test_an_hours_voice_is_exported_in_little_memory() -> None:
    noise = np.random.default_rng(7).integers(-3000, 3000, 16_000).astype("<i2").tobytes()
    tracemalloc.start()
    try:
        size = largest = 0
        async for _, content in made(voice(*range(3600), tone=noise)):
            size += len(content)
            largest = max(largest, len(content))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 50 * 2**20
    assert largest < 256 * 1024
    assert peak < 2 * 2**20
