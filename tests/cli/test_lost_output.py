"""What `viva up` says may go nowhere: that is no reason for it to end, or to stand still."""

from __future__ import annotations

import os
import pty
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.cli.launcher.control import NoAnswer
from services.cli.launcher.output import Output
from tests.cli.running_mesh import SERVERS, Launcher, all_gone, environment, launched, until

PROGRAM = (str(Path(__file__).with_name("standin_mesh.py")),)
OPTIONS = [f"--without={name}" for name in (*SERVERS, "bridge") if name != "asr"]


def full_disk(held: ExitStack) -> int:
    return _kept(held, os.open("/dev/full", os.O_WRONLY))


def closed_terminal(held: ExitStack) -> int:
    theirs, ours = pty.openpty()
    os.close(theirs)
    return _kept(held, ours)


def pipe_whose_reader_ended(held: ExitStack) -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return _kept(held, writing)


def pipe_that_nobody_reads(held: ExitStack) -> int:
    """Full, as a terminal is after Ctrl-S, or that of a machine that went to sleep."""
    reading, writing = os.pipe()
    _kept(held, reading)
    os.set_blocking(writing, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    return _kept(held, writing)


def _kept(held: ExitStack, file: int) -> int:
    held.callback(os.close, file)
    return file


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    "lost", [full_disk, closed_terminal, pipe_whose_reader_ended, pipe_that_nobody_reads]
)
def test_output_that_is_lost_is_nobodys_error_and_nobody_waits_for_it(
    lost: object, held: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(lost)
    with os.fdopen(lost(held), "w", closefd=False) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        with Output() as output:
            for number in range(600):
                output.out.print(number)
                output.err.print(number)


def test_output_keeps_its_order_and_is_whole_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "up.log"
    with path.open("a") as out, path.open("a") as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with Output() as output:
            output.err.print("asr: [dim]ready[/]")
            output.out.print("ready to talk")
            output.err.print("stopped")
    assert path.read_text() == "asr: ready\nready to talk\nstopped\n"


def test_a_process_without_output_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with Output() as output:
        output.out.print("ready to talk")
        output.err.print("stopped")


async def until_serving(launcher: Launcher) -> None:
    async def so() -> bool:
        try:
            return [entry.health for entry in await launcher.replicas("asr")] == ["SERVING"]
        except NoAnswer:
            return False

    await until(so)


async def until_started_again(launcher: Launcher) -> None:
    before = await launcher.pids("asr")
    assert before[0] is not None
    os.kill(before[0], signal.SIGKILL)
    await launcher.until_replaced("asr", before)


@pytest.mark.slow
async def test_a_full_disk_under_its_output_stops_nothing(tmp_path: Path, held: ExitStack) -> None:
    """`nohup viva up > up.log &`, and then a full disk, and then the terminal closes."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    held.callback(signal.signal, signal.SIGHUP, before)
    async with launched(environment(tmp_path), PROGRAM, OPTIONS, full_disk(held)) as launcher:
        await until_serving(launcher)
        launcher.process.send_signal(signal.SIGHUP)
        await until_started_again(launcher)
        assert await launcher.viva("down") == (0, "stopped\n")
        assert await launcher.process.wait() == 0


@pytest.mark.slow
async def test_a_closed_terminal_ends_it_in_order(tmp_path: Path, held: ExitStack) -> None:
    async with launched(environment(tmp_path), PROGRAM, OPTIONS, closed_terminal(held)) as launcher:
        await until_serving(launcher)
        await until_started_again(launcher)
        family = launcher.children()
        launcher.process.send_signal(signal.SIGHUP)
        assert await launcher.process.wait() == 0
        assert await all_gone(family)
