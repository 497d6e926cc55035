"""One process of the mesh: started, watched, restarted with backoff, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.cli.launcher.health import ready
from services.cli.launcher.logfile import LogFile
from services.cli.launcher.plan import Program
from services.runtime.server import EXIT_RESOURCE_MISSING

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
# A process that ran this long had started well: its next crash is a new story.
STABLE_SECONDS = 60.0
# A server gives running calls 10 s; a little more until it is killed.
STOP_SECONDS = 15.0
MOST_FAILED_STARTS = 3


class StartFailed(Exception):
    """A process does not come up; the message says which and shows its last words."""


@dataclass(slots=True)
class Status:
    """What is known of a process.

    Attributes:
        pid: Its process id; None while it does not run.
        started: When it was started, in seconds since the epoch.
        ready_in: Seconds until it was ready; None before.
        restarts: How often it was started again.
    """

    pid: int | None = None
    started: float = 0.0
    ready_in: float | None = None
    restarts: int = 0


class Supervised:
    """A program that is kept running. `run` is its life; `stop` ends it."""

    def __init__(self, program: Program, log: LogFile, changed: Callable[[str, str], None]) -> None:
        """Takes the program, where its output goes, and whom to tell `(name, event)`."""
        self.program = program
        self.status = Status()
        self.log = log
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Starts the program and starts it again whenever it ends, until `stop`.

        Raises:
            StartFailed: It cannot start, or did not get ready three times in a row.
        """
        backoff = FIRST_BACKOFF_SECONDS
        failed_starts = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            status = await self._run_once()
            if self._stopping.is_set():
                return
            if not self.ready.is_set():
                failed_starts += 1
                if status == EXIT_RESOURCE_MISSING or failed_starts >= MOST_FAILED_STARTS:
                    raise StartFailed(self._last_words(status))
            if time.monotonic() - began > STABLE_SECONDS:
                backoff, failed_starts = FIRST_BACKOFF_SECONDS, 0
            self._changed(self.program.name, f"ended ({_words(status)}), again in {backoff:g} s")
            try:
                async with asyncio.timeout(backoff):
                    await self._stopping.wait()
            except TimeoutError:
                pass
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            self.status.restarts += 1

    async def _run_once(self) -> int:
        program = self.program
        child = (sys.executable, "-m", "services.cli.launcher.child", str(os.getpid()))
        self._process = await asyncio.create_subprocess_exec(
            *child,
            *program.command,
            env={**os.environ, **program.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # The terminal's Ctrl-C is for the launcher, which stops everything in order.
            start_new_session=True,
        )
        if self._stopping.is_set():  # asked to stop while it was being started
            self._process.kill()
        began = time.monotonic()
        self.status.pid, self.status.started = self._process.pid, time.time()
        self._changed(program.name, "starting")
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(self._wait_ready(began))
            await self.log.follow(self._process.stdout)
            waiting.cancel()
        status = await self._process.wait()
        self.status.pid = None
        return status

    async def _wait_ready(self, began: float) -> None:
        await ready(self.program)
        self.status.ready_in = time.monotonic() - began
        self.ready.set()
        self._changed(self.program.name, "ready")

    async def stop(self) -> None:
        """Ends the program: SIGTERM, and SIGKILL if it takes too long."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def kill(self) -> None:
        """Ends the program at once."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _last_words(self, status: int) -> str:
        lines = "\n".join(f"  {line}" for line in list(self.log.last)[-8:])
        return f"{self.program.name} does not start ({_words(status)}):\n{lines}\n{self.log.path}"


def _words(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
