"""A process's log: rotated, and never a reason to stop."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

import pytest

from services.cli.launcher import logfile
from services.cli.launcher.logfile import LogFile


async def written(log: LogFile, *lines: str) -> list[str]:
    stream = asyncio.StreamReader()
    stream.feed_data("".join(f"{line}\n" for line in lines).encode())
    stream.feed_eof()
    last: deque[str] = deque(maxlen=2)
    await log.follow(stream, last)
    return list(last)


async def test_lines_are_written_and_the_last_ones_kept(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs" / "asr.log")
    assert await written(log, "one", "two", "three") == ["two", "three"]
    log.close()
    assert (tmp_path / "logs" / "asr.log").read_text() == "one\ntwo\nthree\n"


async def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "asr.log"
    path.symlink_to("/dev/full")
    log = LogFile(path, told.append)
    assert await written(log, "one", "two", "three") == ["two", "three"]
    assert told == ["its log cannot be written (No space left on device); it runs on"]
    path.unlink()
    await written(log, "four")
    log.close()
    assert path.read_text() == "3 lines could not be written\nfour\n"


async def test_one_older_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "LARGEST_BYTES", 10)
    log = LogFile(tmp_path / "asr.log")
    await written(log, "1234", "5678", "abcd")
    log.close()
    assert (tmp_path / "asr.log.1").read_text() == "1234\n5678\n"
    assert (tmp_path / "asr.log").read_text() == "abcd\n"


async def test_a_log_is_its_owners_alone_also_one_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "LARGEST_BYTES", 10)
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o755)
    for name in ("asr.log", "asr.log.1", "tts.log"):
        (folder / name).touch(mode=0o644)
    for name in ("asr.log", "llm.log"):
        log = LogFile(folder / name)
        await written(log, "1234", "5678", "abcd")
        log.close()
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    # In a folder that nobody else enters; its own log is hidden when it is written to again.
    assert modes.pop("tts.log") == 0o644
    assert set(modes) == {"asr.log", "asr.log.1", "llm.log", "llm.log.1"}
    assert set(modes.values()) == {0o600}
