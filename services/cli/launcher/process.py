"""One child process: started, restarted with backoff when it ends by itself, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from services.cli.launcher.logs import BoundedLog, copy
from services.cli.launcher.plan import ENVOY, ServerPlan
from services.runtime.server import EXIT_RESOURCE_MISSING

_CHILD = Path(__file__).with_name("child.py")

FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
# Who served this long has earned a fresh start.
_FORGIVEN_AFTER_SECONDS = 60.0


class State(StrEnum):
    """Where a child stands."""

    STARTING = "starting"
    SERVING = "serving"
    NOT_SERVING = "not serving"
    WAITING = "waiting to restart"
    STOPPED = "stopped"


class StartRefused(Exception):
    """A server says that it cannot start and why; another try would end the same."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended: its status, or the negative number of the signal."""

    code: int

    def __str__(self) -> str:
        if self.code < 0:
            return f"was ended by {signal.Signals(-self.code).name}"
        return f"ended with status {self.code}"


class Child:
    """A process that is kept running until it is told to stop.

    `changed` is called after every change of `state`; `died` with each end that was not asked for
    and the seconds until the next start.
    """

    def __init__(
        self,
        plan: ServerPlan,
        logs: Path,
        changed: Callable[[], None],
        died: Callable[[Child, Exit, float], None],
    ) -> None:
        self.plan = plan
        self.state = State.STARTING
        self.restarts = 0
        self.started = time.time()
        self.ready_in: float | None = None
        self.pid: int | None = None
        self._changed = changed
        self._died = died
        self._log = BoundedLog(logs / f"{plan.name}.log")
        # Envoy's standard output is its access log.
        access = BoundedLog(logs / "access.log") if plan.name == ENVOY else self._log
        self._output = access
        self._stopping = asyncio.Event()
        self._serving_since: float | None = None
        self._failures = 0

    @property
    def last_lines(self) -> tuple[str, ...]:
        """What it said last."""
        return self._log.last_lines

    @property
    def log_path(self) -> Path:
        """Where it says it."""
        return self._log.path

    def set_serving(self, *, serving: bool) -> None:
        """Takes note of what the child's health says."""
        if self.pid is None or self._stopping.is_set():
            return
        if serving:
            if self.ready_in is None:
                self.ready_in = time.time() - self.started
            if self._serving_since is None:
                self._serving_since = time.monotonic()
            self._become(State.SERVING)
        elif self.state is State.SERVING:
            self._serving_since = None
            self._become(State.NOT_SERVING)

    async def keep_running(self) -> None:
        """Runs the child until `stop`.

        Raises:
            StartRefused: It never served, and says that it cannot.
        """
        try:
            while not self._stopping.is_set():
                end = await self._run_once()
                if self._stopping.is_set():
                    break
                if end.code == EXIT_RESOURCE_MISSING and self.ready_in is None:
                    raise StartRefused(self.last_lines[-1] if self.last_lines else str(end))
                delay = self._backoff()
                self._died(self, end, delay)
                self._become(State.WAITING)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._stopping.wait()
                self.restarts += 1
        finally:
            self._become(State.STOPPED)
            self._output.close()
            self._log.close()

    def stop(self) -> None:
        """Asks the child to finish."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the child at once."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _run_once(self) -> Exit:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(_CHILD),
            str(os.getpid()),
            *self.plan.command,
            env={**os.environ, **self.plan.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C in the terminal is for the launcher, which stops the children in order.
            start_new_session=True,
        )
        self.pid = process.pid
        self.started = time.time()
        self._serving_since = None
        self._become(State.STARTING)
        try:
            async with asyncio.TaskGroup() as copying:
                for stream, log in ((process.stdout, self._output), (process.stderr, self._log)):
                    if stream is not None:
                        copying.create_task(copy(stream, log))
            return Exit(await process.wait())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self.pid = None

    def _backoff(self) -> float:
        served = self._serving_since
        if served is not None and time.monotonic() - served > _FORGIVEN_AFTER_SECONDS:
            self._failures = 0
        delay = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2**self._failures)
        self._failures += 1
        return float(delay)

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._changed()
