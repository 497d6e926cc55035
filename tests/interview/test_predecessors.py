"""Who had an address before: only one that is known to be dead loses what it drives."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.interview.predecessors import predecessors


def test_one_that_has_ended_is_known_to_who_has_its_address_next(tmp_path: Path) -> None:
    with predecessors(tmp_path / "new", "[::1]:7105/a") as known:
        assert known == frozenset()
    with predecessors(tmp_path / "new", "[::1]:7105/b") as known:
        assert known == {"[::1]:7105/a"}
    # Also where one after the other dies before their leases run out.
    with predecessors(tmp_path / "new", "[::1]:7105/c") as known:
        assert known == {"[::1]:7105/a", "[::1]:7105/b"}
    with predecessors(tmp_path / "new", "[::1]:7115/d") as known:
        assert known == frozenset()


def test_one_that_lives_is_nobodys_predecessor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        predecessors(tmp_path, "machine-a:7105/a"),
        predecessors(tmp_path, "machine-a:7105/b") as known,
    ):
        assert known == frozenset()
    assert "set VIVA_INTERVIEW_ADVERTISE" in caplog.text
    with predecessors(tmp_path, "machine-a:7105/c") as known:
        assert known == {"machine-a:7105/a"}


def test_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    for number in range(40):
        with predecessors(tmp_path, f"machine-a:7105/{number}") as known:
            assert len(known) == min(number, 16)
    assert "machine-a:7105/38" in known


def test_without_a_folder_nobody_is_known(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with predecessors(tmp_path / "file", "machine-a:7105/a") as known:
        assert known == frozenset()
    assert "predecessors not known" in caplog.text
