"""Recordings: sealed on disk, read by the interview's clock, gone when they should be."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.interview.events import AudioFormat, Encoding
from services.interview.record import Interview, InterviewSettings, Speaker, State
from services.interview.recordings import sealing
from services.interview.recordings.excerpt import excerpt
from services.interview.recordings.keys import FileKey, KeyRing
from services.interview.recordings.passing import passing_folder
from services.interview.recordings.recorder import Spoken
from services.interview.recordings.recordings import Recordings, open_recordings
from services.interview.recordings.sealing import (
    SEGMENT_BYTES,
    LeftFile,
    SealedFile,
    Tampered,
    context_of,
    new_key,
)
from services.interview.recordings.track import spans
from services.interview.store.memory import MemoryStore
from services.runtime.errors import ResourceMissing
from services.runtime.key_file import key_in

RATE = 16_000
LIMIT = 1 << 30


def tone(seconds: float, level: int = 1000) -> bytes:
    return np.full(round(seconds * RATE), level, dtype="<i2").tobytes()


KEYS = KeyRing(KeyRing.new())


async def kept_interviews() -> MemoryStore:
    """A store with the interviews that are recorded here."""
    store = MemoryStore(10)
    for name in ("one", "old", "new", "newest"):
        now = datetime.now(UTC)
        await store.save(Interview(name, "ann", InterviewSettings(), ("q",), now, State.LIVE))
    return store


@asynccontextmanager
async def recordings(
    folder: Path, most: int = LIMIT, store: MemoryStore | None = None, keys: KeyRing = KEYS
) -> AsyncIterator[Recordings]:
    store = store or await kept_interviews()
    async with open_recordings(folder / "recordings", most, store, keys) as opened:
        yield opened


def record(kept: Recordings, name: str, seconds: float) -> None:
    """A candidate who speaks from the beginning of the clock on."""
    recorder = kept.recorder("ann", name)
    recorder.places_candidate(lambda: [(0.0, 0.0)])
    recorder.candidate(tone(seconds))


async def read(
    kept: Recordings, speaker: Speaker, start: float = 0.0, end: float = math.inf
) -> list[tuple[float, bytes]]:
    found = await kept.read("ann", "one", speaker, start, end)
    return [] if found is None else [piece async for piece in found[1]]


def files(folder: Path) -> list[Path]:
    return list(folder.glob("recordings/*"))


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3 * SEGMENT_BYTES), max_size=4),
    start=st.integers(0, 4 * SEGMENT_BYTES),
    length=st.integers(0, 4 * SEGMENT_BYTES),
)
def test_any_stretch_of_a_sealed_file_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], start: int, length: int
) -> None:
    path = tmp_path_factory.mktemp("sealed") / "file"
    pieces = [os.urandom(size) for size in sizes]
    written = b"".join(pieces)
    with closing(SealedFile(path, new_key(), b"ann/one")) as file:
        for piece in pieces:
            file.append(piece)
        assert file.length == len(written)
        assert file.read(start, start + length) == written[start : start + length]
    assert file.length == len(written)
    assert file.read(start, start + length) == written[start : start + length]


@pytest.mark.parametrize("closed", [False, True])
def test_a_file_that_was_touched_is_not_read(tmp_path: Path, closed: bool) -> None:
    path = tmp_path / "file"
    file = SealedFile(path, new_key(), b"ann/one")
    file.append(bytes(3 * SEGMENT_BYTES))
    if closed:
        file.close()
    sealed = path.read_bytes()
    step = SEGMENT_BYTES + 16
    first = sealed[: -(3 if closed else 2) * step]
    segments = [sealed[len(first) + n * step :][:step] for n in range(3 if closed else 2)]
    for touched in (
        sealed[:-1] + bytes([sealed[-1] ^ 1]),
        first + b"".join(segments[::-1]),
        sealed[:-1],
    ):
        path.write_bytes(touched)
        with pytest.raises(Tampered):
            file.read(0, 3 * SEGMENT_BYTES)
    file.close()


def test_a_file_is_unreadable_without_its_key_and_for_others(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = SealedFile(path, new_key(), b"ann/one")
    file.append(b"secret words " * 10_000)
    file.close()
    assert b"secret" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_stretches_of_a_track_are_found_by_the_clock() -> None:
    places = [(0.0, 1.0), (2.0, 10.0)]
    assert spans(places, 5.0, 0.0, math.inf) == [(0.0, 2.0, 1.0), (2.0, 5.0, 10.0)]
    assert spans(places, 5.0, 2.0, 11.0) == [(1.0, 2.0, 2.0), (2.0, 3.0, 10.0)]
    assert spans(places, 5.0, 4.0, 9.0) == []
    assert spans([], 0.0, 0.0, 1.0) == []


async def test_what_was_recorded_is_read_while_it_goes_on_and_after(tmp_path: Path) -> None:
    async with recordings(tmp_path) as kept:
        recorder = kept.recorder("ann", "one")
        recorder.places_candidate(lambda: [(0.0, 0.5), (3.0, 60.0)])
        for level in range(6):
            recorder.candidate(tone(1.0, level))
        for _ in range(2):
            pieces = await read(kept, Speaker.CANDIDATE, 2.0, 61.0)
            assert [when for when, _ in pieces] == [2.0, 3.0, 60.0]
            assert b"".join(audio for _, audio in pieces) == (
                tone(0.5, 1) + tone(1.0, 2) + tone(1.0, 3)
            )
            kept.close("one")


async def test_an_excerpt_is_one_sound_with_silence_where_nothing_was_sent(tmp_path: Path) -> None:
    async with recordings(tmp_path) as kept:
        recorder = kept.recorder("ann", "one")
        recorder.places_candidate(lambda: [(0.0, 0.0), (1.0, 3.0)])
        recorder.candidate(tone(2.0))
        sound = await excerpt(kept, "ann", "one", 0.5, 3.5)
        nothing = await excerpt(kept, "bob", "one", 0.5, 3.5)
    assert nothing is None
    assert sound is not None
    assert sound.start == pytest.approx(0.5)
    loud = [
        bool(
            abs(sound.samples[int(second * sound.rate)])
            + abs(sound.samples[int(second * sound.rate) + 3])
            > 0
        )
        for second in (0.2, 1.5, 2.7)
    ]
    assert len(sound.samples) == pytest.approx(3.0 * sound.rate, abs=2)
    assert loud == [True, False, True]


@pytest.mark.parametrize(
    "shape",
    [
        AudioFormat(Encoding.PCM_S16LE, RATE),
        AudioFormat(Encoding.PCM_S16LE, 48_000, channels=2),
        AudioFormat(Encoding.PCM_F32LE, 24_000),
    ],
)
async def test_of_the_interviewer_is_kept_what_was_heard_when_it_was(
    tmp_path: Path, shape: AudioFormat
) -> None:
    async with recordings(tmp_path) as kept:
        recorder = kept.recorder("ann", "one")
        first = Spoken(tone(1.0), AudioFormat(Encoding.PCM_S16LE, RATE), [(0.0, 5.0)], 1.0)
        recorder.interviewer(first)
        assert shape.sample_rate_hz is not None
        audio = bytes(2 * shape.sample_rate_hz * shape.frame_bytes)
        # Held up for 4 s after the first half second, and stopped after one.
        recorder.interviewer(Spoken(audio, shape, [(0.0, 10.0), (0.5, 14.5)], 1.0))
        pieces = await read(kept, Speaker.INTERVIEWER)
        seconds = [len(audio) / 2 / RATE for _, audio in pieces]
        assert [when for when, _ in pieces] == [5.0, 10.0, 14.5]
        assert seconds == [1.0, 0.5, 0.5]


async def test_a_recording_is_removed_with_its_interview(tmp_path: Path) -> None:
    async with recordings(tmp_path) as kept:
        record(kept, "one", 3.0)
        await read(kept, Speaker.CANDIDATE)
        assert len(files(tmp_path)) == 1
        assert stat.S_IMODE(files(tmp_path)[0].parent.stat().st_mode) == 0o700
        await kept.delete("one")
        assert await read(kept, Speaker.CANDIDATE) == []
    assert files(tmp_path) == []


async def test_the_oldest_that_are_over_make_room(tmp_path: Path) -> None:
    async with recordings(tmp_path, most=len(tone(10.0))) as kept:
        for name in ("old", "one"):
            record(kept, name, 4.0)
        kept.close("old")
        record(kept, "new", 4.0)
        # Both others go on: there is no room for more of them, and what they have stays.
        record(kept, "newest", 4.0)
        for name, pieces in (("old", 0), ("one", 4), ("new", 4), ("newest", 0)):
            found = await kept.read("ann", name, Speaker.CANDIDATE, 0.0, math.inf)
            assert len([piece async for piece in found[1]] if found else []) == pieces


def counted() -> float:
    name = "viva_interview_recording_failures_total"
    return REGISTRY.get_sample_value(name, {"reason": "disk"}) or 0.0


async def test_a_full_disk_ends_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recordings(tmp_path) as kept:
        recorder = kept.recorder("ann", "one")
        recorder.places_candidate(lambda: [(0.0, 0.0)])
        recorder.candidate(tone(1.0))
        before = await read(kept, Speaker.CANDIDATE)
        assert before == [(0.0, tone(1.0))]
        failures = counted()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(sealing.SealedFile, "_write", full)
        for _ in range(20):
            recorder.candidate(tone(1.0))
        again = await read(kept, Speaker.CANDIDATE)
        assert again[: len(before)] == before
        assert counted() == failures + 1


async def test_without_a_folder_nothing_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("a file in the way")
    async with recordings(tmp_path) as kept:
        record(kept, "one", 1.0)
        assert await read(kept, Speaker.CANDIDATE) == []


# Beyond the process.


async def test_what_an_earlier_process_recorded_is_read_and_goes_on(tmp_path: Path) -> None:
    store = await kept_interviews()
    async with recordings(tmp_path, store=store) as first:
        record(first, "one", 3.0)
    async with recordings(tmp_path, store=store) as second:
        recorder = second.recorder("ann", "one")
        recorder.places_candidate(lambda: [(0.0, 100.0)])
        recorder.candidate(tone(2.0, 7))
        pieces = await read(second, Speaker.CANDIDATE)
        assert [when for when, _ in pieces] == [0.0, 1.0, 2.0, 100.0, 101.0]
        assert b"".join(audio for _, audio in pieces) == tone(3.0) + tone(2.0, 7)
        await second.delete("one")
    assert files(tmp_path) == []


async def test_of_a_process_that_died_all_but_the_last_seconds_is_read(tmp_path: Path) -> None:
    store = await kept_interviews()
    async with recordings(tmp_path, store=store) as dead:
        record(dead, "one", 10.0)
        await read(dead, Speaker.CANDIDATE)
        await dead.book_once()
        # What lies on the disk now is what a kill would leave, and the record says no more.
        left = {path: path.read_bytes() for path in files(tmp_path)}
        [recorded] = await store.recorded("ann", "one")
    for path, content in left.items():
        path.write_bytes(content)
    await store.save_recorded(recorded)
    async with recordings(tmp_path, store=store) as heir:
        whole = b"".join(audio for _, audio in await read(heir, Speaker.CANDIDATE))
        lost = len(tone(10.0)) - len(whole)
        assert whole == tone(10.0)[: len(whole)]
        assert lost <= SEGMENT_BYTES + 2 * RATE


async def test_without_the_key_nothing_is_read(tmp_path: Path) -> None:
    store = await kept_interviews()
    async with recordings(tmp_path, store=store) as first:
        record(first, "one", 3.0)
    async with recordings(tmp_path, store=store, keys=KeyRing(KeyRing.new())) as other:
        assert await read(other, Speaker.CANDIDATE) == []


async def test_a_file_that_lost_its_end_is_not_taken_for_whole(tmp_path: Path) -> None:
    store = await kept_interviews()
    async with recordings(tmp_path, store=store) as first:
        record(first, "one", 10.0)
    [path] = files(tmp_path)
    sealed = path.read_bytes()
    path.write_bytes(sealed[: -(len(sealed) % (SEGMENT_BYTES + 16))])
    [recorded] = await store.recorded("ann", "one")
    key = KEYS.unwrap(recorded.wrapped_key, "ann", recorded.file).key
    file = LeftFile(path, key, context_of("ann", recorded.file), over=recorded.over)
    with closing(file), pytest.raises(Tampered):
        file.read(0, recorded.size)


async def test_parts_of_another_rate_are_read_at_the_first_ones(tmp_path: Path) -> None:
    store = await kept_interviews()
    for rate, when in ((16_000, 0.0), (48_000, 10.0)):
        async with recordings(tmp_path, store=store) as kept:
            shape = AudioFormat(Encoding.PCM_S16LE, rate)
            audio = bytes(2 * rate)
            kept.recorder("ann", "one").interviewer(Spoken(audio, shape, [(0.0, when)], 1.0))
    async with recordings(tmp_path, store=store) as kept:
        found = await kept.read("ann", "one", Speaker.INTERVIEWER, 0.0, math.inf)
        assert found is not None
        rate_hz, pieces = found
        assert [(when, len(audio)) async for when, audio in pieces] == [
            (0.0, 2 * rate_hz),
            (10.0, 2 * rate_hz),
        ]


async def test_files_that_no_record_names_are_swept(tmp_path: Path) -> None:
    store = await kept_interviews()
    async with recordings(tmp_path, store=store) as kept:
        record(kept, "one", 3.0)
    [known] = files(tmp_path)
    strange, fresh = (known.with_name(f"gone.candidate.{n}") for n in "12")
    for path in (strange, fresh):
        path.write_bytes(b"x")
    for path in (strange, known):
        os.utime(path, (0, 0))
    async with recordings(tmp_path, store=store) as kept:
        await kept.sweep()
        assert sorted(files(tmp_path)) == sorted([known, fresh])


def test_a_wrapped_key_opens_for_its_owner_and_file_alone() -> None:
    key = new_key()
    wrapped = KEYS.wrap(key, "ann", "file")
    assert KEYS.unwrap(wrapped, "ann", "file") == FileKey(key, "ann")
    assert key not in wrapped
    for user, file, touched in (
        ("bob", "file", wrapped),
        ("ann", "other", wrapped),
        ("ann", "file", wrapped[:-1] + bytes([wrapped[-1] ^ 1])),
        ("ann", "file", b""),
    ):
        with pytest.raises(Tampered):
            KEYS.unwrap(touched, user, file)
    with pytest.raises(Tampered, match="another key"):
        KeyRing(KeyRing.new()).unwrap(wrapped, "ann", "file")


def test_a_key_that_is_passed_on_opens_for_the_new_owner_alone_and_says_for_whom_it_was() -> None:
    key = new_key()
    wrapped = KEYS.wrap(key, "guest", "file")
    passed = KEYS.pass_on(wrapped, "guest", "ann", "file")
    assert KEYS.unwrap(passed, "ann", "file") == FileKey(key, "guest")
    twice = KEYS.pass_on(passed, "ann", "bob", "file")
    assert KEYS.unwrap(twice, "bob", "file") == FileKey(key, "guest")
    for user, touched in (("guest", passed), ("ann", twice), ("ann", b"\1" + passed[1:])):
        with pytest.raises(Tampered):
            KEYS.unwrap(touched, user, "file")
    with pytest.raises(Tampered):
        KEYS.pass_on(wrapped, "ann", "bob", "file")


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "interview" / "recordings.key"
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: key_in(path, "recordings"), range(32)))
    assert len(made) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    path.write_bytes(b"short")
    with pytest.raises(ResourceMissing, match="holds no key"):
        key_in(path, "recordings")


def test_a_folder_that_ends_with_its_process_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "1-dead"
    left.mkdir()
    (tmp_path / "1-dead.lock").write_bytes(b"")
    (left / "one.candidate").write_bytes(b"")
    with passing_folder(tmp_path) as own:
        assert not left.exists()
        with passing_folder(tmp_path) as other:
            assert own.exists()
            assert other != own
        assert not other.exists()
    assert not own.exists()
