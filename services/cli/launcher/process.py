"""One process of the mesh: started, watched, restarted with backoff, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import psutil

from services.cli.launcher.health import hung, ready, started
from services.cli.launcher.logfile import LogFile
from services.cli.launcher.overview import Status
from services.cli.launcher.programs import Program
from services.cli.launcher.settings import LauncherSettings
from services.cli.launcher.upstreams import fault
from services.runtime.exit_statuses import EXIT_DEVICE_LOST, EXIT_RESOURCE_MISSING

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
# A process that ran this long had started well: its next crash is a new story.
STABLE_SECONDS = 60.0
# A server ends itself when its time to drain and to close is over; later it is killed.
STOP_MARGIN_SECONDS = 1.0
MOST_FAILED_STARTS = 3
# What it said last, in the error when it does not start.
KEPT_LINES = 8
# What a process that has ended wrote is read until then; others may hold its pipe open for ever.
LAST_LINES_SECONDS = 1.0
# How often it is told that something still does not serve.
STILL_SECONDS = 30.0
# A server that runs, and says that it does not serve, is waited for this long if its model is
# elsewhere; before it is told that it is not ready.
UPSTREAM_SECONDS = 25.0
# How often it is looked for a folder that is gone.
FOLDER_SECONDS = 0.5


def stop_seconds(patience: LauncherSettings) -> float:
    """How long after it was asked to stop a process is killed."""
    return patience.drain_seconds + patience.closing_seconds + STOP_MARGIN_SECONDS


class StartFailed(Exception):
    """A process does not come up; the message says which and shows its last words."""


class Supervised:
    """A program that is kept running. `run` is its life; `stop` ends it.

    Attributes:
        ready: Set once it was ready: it served, or lacked nothing but what is elsewhere.
        has_served: Whether it has served since it was started last.
    """

    def __init__(
        self,
        program: Program,
        log: LogFile,
        changed: Callable[[str, str], None],
        patience: LauncherSettings,
        folder_is_there: Callable[[], bool] = lambda: True,
    ) -> None:
        """Takes the program, where its output goes, whom to tell `(name, event)`, and how long.

        Args:
            program: What runs.
            log: Takes its output.
            changed: Called with its name and what has happened.
            patience: How long things may take.
            folder_is_there: Says whether the data folder is the one it belongs to; while it is not
                nothing is started.
        """
        self.program = program
        self.status = Status()
        self.log = log
        self._changed = changed
        self._patience = patience
        self._folder_is_there = folder_is_there
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._late = False
        self._last: deque[str] = deque(maxlen=KEPT_LINES)
        self.ready = asyncio.Event()
        self.has_served = False

    async def run(self) -> None:
        """Starts the program and starts it again whenever it ends, until `stop`.

        Once it was ready, that is for ever: what keeps it from starting may pass, and what else
        runs is of use meanwhile.

        Raises:
            StartFailed: It was never ready, and says what it misses, takes too long, or did not
                get ready three times in a row.
        """
        backoff = FIRST_BACKOFF_SECONDS
        failed_starts = 0
        while not self._stopping.is_set():
            if not self._folder_is_there():
                await self._stopped_within(FOLDER_SECONDS)
                continue
            began = time.monotonic()
            end = await self._run_once()
            if self._stopping.is_set():
                return
            failed_starts += 1
            hopeless = end == EXIT_RESOURCE_MISSING or self._late
            if not self.ready.is_set() and await self._upstream_is_away():
                # Nothing is wrong here: it is tried again as if it had been ready.
                self.ready.set()
            if not self.ready.is_set() and (hopeless or failed_starts >= MOST_FAILED_STARTS):
                # At once: whoever stops the others first has to be patient.
                self._changed(self.program.name, f"does not start{self._last_line}")
                raise StartFailed(self._last_words(end))
            was_ready = self.status.ready_in is not None
            if was_ready and time.monotonic() - began > STABLE_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            if was_ready and end == EXIT_DEVICE_LOST:
                self._changed(self.program.name, f"ended ({_words(end)}), again at once")
            else:
                await self._pause(backoff, end)
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
            self.status.restarts += 1

    async def _upstream_is_away(self) -> bool:
        upstream = self.program.upstream
        found = await fault(upstream) if upstream else None
        return found is not None and found.away

    async def lack(self) -> str:
        """What keeps it from serving that is elsewhere, in words."""
        upstream = self.program.upstream
        if upstream is None:
            return ""
        found = await fault(upstream)
        unused = f"{upstream.shown} cannot be used ({upstream.variable}); see {self.log.path}"
        return found.what if found else unused

    async def _pause(self, seconds: float, end: int | Exception) -> None:
        what = "not started" if isinstance(end, Exception) else "ended"
        why = "" if self.status.ready_in is not None else self._last_line
        self._changed(self.program.name, f"{what} ({_words(end)}), again in {seconds:g} s{why}")
        await self._stopped_within(seconds)

    async def _stopped_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _run_once(self) -> int | Exception:
        """Its exit status, or what kept it from being started."""
        self.status.ready_in = None
        self.has_served = False
        self._late = False
        self._last.clear()
        async with AsyncExitStack() as held:
            try:
                output, end = await held.enter_async_context(_pipe())
                self._process = process = await self._start(end)
            # Of files, processes, memory; a RuntimeError says that there is no thread to be had.
            except (OSError, RuntimeError) as shortage:
                return shortage
            if self._stopping.is_set():  # asked to stop while it was being started
                _kill_all(process)
            self.status.pid, self.status.started = process.pid, time.time()
            self._changed(self.program.name, "starting")
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(self._watch(process))
                following = tasks.create_task(self.log.follow(output, self._last))
                status = await process.wait()
                self.status.pid = None
                watching.cancel()
                await asyncio.wait([following], timeout=LAST_LINES_SECONDS)
                following.cancel()
        return status

    async def _start(self, output: int) -> asyncio.subprocess.Process:
        program = self.program
        folder = str(program.folder or ".")
        child = (sys.executable, "-m", "services.cli.launcher.child", str(os.getpid()), folder)
        try:
            return await asyncio.create_subprocess_exec(
                *child,
                *program.command,
                *(program.again if self.ready.is_set() else ()),
                env={**os.environ, **program.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                # The terminal's Ctrl-C is for the launcher, which stops everything in order.
                start_new_session=True,
            )
        finally:
            os.close(output)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Kills the process if it is never ready, when it hangs, and if that cannot be seen."""
        try:
            await self._until_hung(process)
        except* OSError as shortage:
            self._kill(process, f"cannot be watched ({shortage.exceptions[0]}), killed")

    async def _until_hung(self, process: asyncio.subprocess.Process) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience.ready_seconds), asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(self._tell_that_it_is_not_ready())
                await self._until_ready()
                telling.cancel()
        except TimeoutError:
            self._late = True
            self._kill(process, f"not ready after {self._patience.ready_seconds:g} s, killed")
            return
        self.status.ready_in = time.monotonic() - began
        self.ready.set()
        if self.has_served:
            self._changed(self.program.name, "ready")
        else:
            self._changed(self.program.name, f"does not serve: {await self.lack()}")
        async with asyncio.TaskGroup() as tasks:
            coming = tasks.create_task(self._tell_when_it_serves())
            await hung(self.program, self._patience.liveness_seconds)
            coming.cancel()
        self._kill(process, f"no answer for {self._patience.liveness_seconds:g} s, killed")

    async def _until_ready(self) -> None:
        """Until it serves; or, if its model is elsewhere, not much longer than until it runs."""
        within = min(UPSTREAM_SECONDS, self._patience.ready_seconds / 2)
        try:
            async with asyncio.timeout(within if self.program.upstream else None):
                await ready(self.program)
            self.has_served = True
        except TimeoutError:
            await started(self.program)

    async def _tell_when_it_serves(self) -> None:
        if not self.has_served:
            await ready(self.program)
            self.has_served = True
            self._changed(self.program.name, "ready")

    async def _tell_that_it_is_not_ready(self) -> None:
        waited = 0.0
        while True:
            await asyncio.sleep(STILL_SECONDS)
            waited += STILL_SECONDS
            self._changed(self.program.name, f"not ready after {waited:g} s{self._last_line}")

    def _kill(self, process: asyncio.subprocess.Process, event: str) -> None:
        # One that is stopping does not listen any more, and has its own time to end.
        if not self._stopping.is_set() and process.returncode is None:
            self._changed(self.program.name, event)
            _kill_all(process)

    async def stop(self) -> None:
        """Ends the program: asked first, SIGKILL if it takes too long."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(self.program.stop_signal)
        try:
            async with asyncio.timeout(stop_seconds(self._patience)):
                await process.wait()
        except TimeoutError:
            _kill_all(process)
            await process.wait()

    def signal(self, number: signal.Signals) -> bool:
        """Signals the process as a stranger might; whether there is one now."""
        if self._process is None or self._process.returncode is not None:
            return False
        self._process.send_signal(number)
        return True

    def kill(self) -> None:
        """Ends the program at once."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            _kill_all(self._process)

    @property
    def _last_line(self) -> str:
        said = f"; it said last: {_event(self._last[-1])}" if self._last else ""
        return f"{said}; see {self.log.path}"

    def _last_words(self, end: int | Exception) -> str:
        why = _words(end)
        if self._late:
            last = _event(self._last[-1]) if self._last else "nothing"
            why = f"not ready after {self._patience.ready_seconds:g} s; it said last: {last}"
        lines = "\n".join(f"  {line}" for line in self._last)
        return f"{self.program.name} does not start ({why}):\n{lines}\n{self.log.path}"


@asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """A pipe: what reads from it, and the end to write to, which the caller closes.

    Not one of asyncio's own: with those, a process has not ended until everybody who has inherited
    its pipe has.
    """
    reading, writing = os.pipe()
    stream = asyncio.StreamReader()
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", 0)
        )
    except BaseException:
        os.close(writing)
        raise
    try:
        yield stream, writing
    finally:
        transport.close()


def _event(line: str) -> str:
    """What a line of output says: of a log line its event, without time and fields."""
    try:
        event = json.loads(line)["event"]
    except (ValueError, TypeError, LookupError):
        return line.strip()
    return str(event)


def _kill_all(process: asyncio.subprocess.Process) -> None:
    """Kills a process and all that it has started, stopped or not.

    PostgreSQL's processes are each in a group of their own: the group would not do.
    """
    # An OSError: /proc can't be read while no file is to be had. Its own end takes most along.
    with suppress(psutil.NoSuchProcess, OSError):
        for member in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                member.kill()
    with suppress(ProcessLookupError):
        process.kill()


def _words(end: int | Exception) -> str:
    if isinstance(end, Exception):
        return getattr(end, "strerror", None) or str(end)
    if end < 0:
        return f"killed by {signal.Signals(-end).name}"
    return f"exit status {end}"
