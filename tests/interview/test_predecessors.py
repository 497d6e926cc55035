"""Who had an address before: only one that is known to be dead loses what it drives."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.interview.predecessors import AGAIN_SECONDS, predecessors
from tests.runtime.virtual_time import run


def test_one_that_has_ended_is_known_to_who_has_its_address_next(tmp_path: Path) -> None:
    with predecessors(tmp_path / "new", "[::1]:7105/a"):
        pass
    with predecessors(tmp_path / "new", "[::1]:7105/b") as known:
        assert "[::1]:7105/a" in known
        assert "[::1]:7105/b" not in known
    # Also where one after the other dies before their leases run out.
    with predecessors(tmp_path / "new", "[::1]:7105/c") as known:
        assert "[::1]:7105/a" in known
        assert "[::1]:7105/b" in known
    with predecessors(tmp_path / "new", "[::1]:7115/d") as known:
        assert "[::1]:7105/a" not in known


def test_one_that_lives_is_nobodys_predecessor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        predecessors(tmp_path, "machine-a:7105/a"),
        predecessors(tmp_path, "machine-a:7105/b") as known,
    ):
        assert not known.learn()
        assert "machine-a:7105/a" not in known
    assert caplog.text.count("set VIVA_INTERVIEW_ADVERTISE") == 1
    with predecessors(tmp_path, "machine-a:7105/c") as known:
        assert "machine-a:7105/a" in known


def test_one_that_began_while_another_lived_knows_it_when_it_dies_and_is_known_itself(
    tmp_path: Path,
) -> None:
    async def overlapping() -> None:
        with ExitStack() as first, ExitStack() as second:
            first.enter_context(predecessors(tmp_path, "machine-a:7105/a"))
            known = second.enter_context(predecessors(tmp_path, "machine-a:7105/b"))
            learning = asyncio.create_task(known.run())
            await asyncio.sleep(10 * AGAIN_SECONDS)
            assert not learning.done()
            assert "machine-a:7105/a" not in known
            first.close()
            await learning
            assert "machine-a:7105/a" in known
            # And holds the file, for as long as it lives.
            with predecessors(tmp_path, "machine-a:7105/c") as third:
                assert not third.learn()

    run(overlapping())
    with predecessors(tmp_path, "machine-a:7105/d") as known:
        assert "machine-a:7105/b" in known
        assert "machine-a:7105/c" not in known


def test_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    names = [f"machine-a:7105/{number}" for number in range(40)]
    for number, name in enumerate(names):
        with predecessors(tmp_path, name) as known:
            assert [each for each in names if each in known] == names[max(0, number - 16) : number]


def test_without_a_folder_nobody_is_known(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with predecessors(tmp_path / "file", "machine-a:7105/a") as known:
        assert not known.learn()
        assert "machine-a:7105/a" not in known
    assert caplog.text.count("predecessors not known") == 1
