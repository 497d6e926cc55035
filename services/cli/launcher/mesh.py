"""All processes of the mesh: up together, watched, replaced one by one, down in order."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from signal import Signals

from services.cli.launcher import control
from services.cli.launcher.control import Note, RestartFailed, SignalFailed, UnknownServer
from services.cli.launcher.database import databases
from services.cli.launcher.envoy import Envoy, EnvoyDisagrees
from services.cli.launcher.health import Clusters, health
from services.cli.launcher.lock import Standing
from services.cli.launcher.logfile import LogFile
from services.cli.launcher.overview import Entry, Overview
from services.cli.launcher.plan import ENVOY, STOP_ORDER, Plan
from services.cli.launcher.process import FOLDER_SECONDS, StartFailed, Supervised
from services.cli.launcher.programs import Program
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

SIGNALS = {
    number.name: number
    for number in (Signals.SIGKILL, Signals.SIGTERM, Signals.SIGSTOP, Signals.SIGCONT)
}
"""What may be sent to a server, to see what its callers do then."""


class Mesh:
    """The running mesh."""

    def __init__(self, plan: Plan, changed: Note) -> None:
        """Takes what to run and whom to tell `(name, event)` when something changes."""
        self.plan = plan
        self._told = [changed]
        self._started = time.time()
        self._logs: dict[str, LogFile] = {}
        self._folder = Standing(plan.data_dir)
        self._members = [self._supervised(program) for program in plan.programs]
        self._envoy = Envoy(plan)
        self._tasks = asyncio.TaskGroup()
        self._restarting: asyncio.Task[RestartFailed | None] | None = None
        self._up = False

    def _supervised(self, program: Program) -> Supervised:
        name = program.name
        if name not in self._logs:
            path = self.plan.data_dir / "logs" / f"{name}.log"
            self._logs[name] = LogFile(path, lambda event: self._note(name, event))
        return Supervised(
            program,
            self._logs[name],
            self._note,
            self.plan.patience,
            lambda: self._folder.is_there,
        )

    def _note(self, name: str, event: str) -> None:
        for tell in self._told:
            tell(name, event)

    async def run(self, ready: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        """Runs everything until `stop` is set, then stops it in order.

        Args:
            ready: Called once everything is ready.
            stop: Ends the run.

        Raises:
            StartFailed: A process was never ready; the others are stopped first.
        """
        failures: list[StartFailed] = []

        def give_up(error: StartFailed) -> None:
            failures.append(error)
            stop.set()

        try:
            async with control.serving(self, self.plan.data_dir), self._tasks as tasks:
                coming = [
                    tasks.create_task(self._bring_up(each, give_up)) for each in self._members
                ]
                coming.append(tasks.create_task(self._announce(ready, give_up)))
                coming.append(tasks.create_task(self._watch_folder()))
                await stop.wait()
                self._up = False
                for task in (*coming, *filter(None, [self._restarting])):
                    task.cancel()
                await self._stop()
        finally:
            await self._stop()
            for file in self._logs.values():
                file.close()
        if failures:
            raise failures[0]

    async def _bring_up(self, member: Supervised, give_up: Callable[[StartFailed], None]) -> None:
        # The first replica prepares what all of them read; the others begin when it is through.
        first = next(m for m in self._members if m.program.server == member.program.server)
        if first is not member:
            await first.ready.wait()
        self._tasks.create_task(self._keep(member, give_up), name=member.program.name)

    async def _keep(self, member: Supervised, give_up: Callable[[StartFailed], None]) -> None:
        try:
            await member.run()
        except StartFailed as error:
            give_up(error)

    async def _watch_folder(self) -> None:
        there = True
        while True:
            await asyncio.sleep(FOLDER_SECONDS)
            if there == self._folder.is_there:
                continue
            there = not there
            self._note(
                "data folder",
                "is there again"
                if there
                else f"{self.plan.data_dir} is gone, or another lies in its place; nothing is"
                f" started there: mount its disk again, or `kill {os.getpid()}` stops this mesh",
            )

    async def _announce(
        self, ready: Callable[[], Awaitable[None]], give_up: Callable[[StartFailed], None]
    ) -> None:
        for member in list(self._members):
            await member.ready.wait()
        self._note(ENVOY, "looking for the servers")
        serving = {member.program.server for member in self._members if member.has_served}
        try:
            await self._envoy.until_serving(
                self.plan.patience.ready_seconds, self.plan.servers.keys() - serving
            )
        except EnvoyDisagrees as error:
            give_up(StartFailed(f"{error} after {self.plan.patience.ready_seconds:g} s"))
            return
        self._note(ENVOY, "ready")
        self._up = True
        await ready()

    async def _stop(self) -> None:
        for group in STOP_ORDER:
            members = [m for m in self._members if m.program.server in group]
            if ENVOY in group and any(member.status.pid for member in members):
                await self._envoy.drain()
            await asyncio.gather(*(member.stop() for member in members))

    def kill(self) -> None:
        """Ends everything at once."""
        for member in self._members:
            member.kill()

    def signal(self, server: str, name: str) -> None:
        """Signals every process of a server.

        Raises:
            SignalFailed: There is no such server or signal, or nothing of it runs now.
        """
        members = [member for member in self._members if member.program.server == server]
        if not members:
            here = ", ".join(dict.fromkeys(member.program.server for member in self._members))
            raise SignalFailed(f"no {server} runs here; these do: {here}")
        if name not in SIGNALS:
            raise SignalFailed(f"no signal {name}; there are {', '.join(SIGNALS)}")
        reached = [member.signal(SIGNALS[name]) for member in members]
        if not any(reached):
            raise SignalFailed(f"{server} does not run now")

    async def restart(self, servers: Sequence[str], note: Note) -> None:
        """Replaces the replicas of servers one by one; callers notice nothing.

        A replacement is started and waited for, calls go to it, the old one gets no new ones and
        ends when it has done what it is doing, or when its time to drain is over.

        Args:
            servers: Which; all that run here when empty.
            note: Told of whatever happens meanwhile.

        Raises:
            RestartFailed: A replacement could not take over; the old one still runs.
        """
        if not self._up:
            raise RestartFailed("the mesh is still starting, or stopping")
        if self._restarting is not None:
            raise RestartFailed("a restart is already under way")
        if unknown := [name for name in servers if name not in self.plan.servers]:
            here = ", ".join(self.plan.servers)
            raise UnknownServer(f"no {' or '.join(unknown)} runs here; these do: {here}")
        self._told.append(note)
        # Its own task, so that it goes on when whoever asked for it goes away.
        self._restarting = restarting = self._tasks.create_task(self._replace_all(servers))
        try:
            await asyncio.wait([restarting])
        finally:
            self._told.remove(note)
        if restarting.cancelled():
            raise RestartFailed("the mesh is stopping; nothing more is replaced")
        if failure := restarting.result():
            raise failure

    async def _replace_all(self, servers: Sequence[str]) -> RestartFailed | None:
        try:
            for server in self.plan.servers:
                if not servers or server in servers:
                    for old in [m for m in self._members if m.program.server == server]:
                        await self._replace(old)
        except OSError as error:
            place = f"cannot write {error.filename}: " if error.filename else ""
            return RestartFailed(f"{place}{error.strerror}; the old {server} stays")
        except (StartFailed, EnvoyDisagrees, ValueError) as error:
            return RestartFailed(str(error))
        except Exception as error:  # noqa: BLE001 - a bug must not take the mesh down
            log(_logger, logging.ERROR, "restart failed", cause=error)
            return RestartFailed(f"{type(error).__name__}: {error}")
        finally:
            self._restarting = None
        return None

    async def _replace(self, old: Supervised) -> None:
        server = self.plan.servers[old.program.server]
        others = [member.program for member in self._members]
        new = self._supervised(server.program(old.program.name, others))
        new.status.called = False
        self._members.insert(self._members.index(old) + 1, new)
        try:
            await self._start(new)
            new.status.called = True
            self._publish(server.name)
            if new.has_served:
                await self._envoy.until_called(server.name, new.program.endpoint)
            old.status.called = False
            self._publish(server.name)
            await self._envoy.until_left(server.name, old.program.endpoint)
        except BaseException:
            old.status.called, new.status.called = True, False
            with suppress(Exception):
                self._publish(server.name)
            await new.stop()
            self._members.remove(new)
            raise
        self._note(old.program.name, "replaced; the old one ends what it is doing")
        await old.stop()
        self._members.remove(old)
        self._note(old.program.name, "the old one has ended")

    async def _start(self, new: Supervised) -> None:
        async def outcome() -> StartFailed | None:
            try:
                await new.run()
            except StartFailed as error:
                return error
            return None

        running = self._tasks.create_task(outcome(), name=new.program.name)
        ready = asyncio.create_task(new.ready.wait())
        try:
            await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if running.done() and (failure := running.result()):
            raise failure

    def _publish(self, server: str) -> None:
        replicas = [m for m in self._members if m.program.server == server and m.status.called]
        self._envoy.publish(server, [member.program.endpoint for member in replicas])

    async def _health(self, program: Program, known: Clusters) -> str:
        return self._envoy.health(known) if program.server == ENVOY else await health(program)

    async def overview(self) -> Overview:
        """What runs now, and how it is."""
        members = list(self._members)
        known = await self._envoy.known()
        words = await asyncio.gather(*(self._health(member.program, known) for member in members))
        lacks = await asyncio.gather(
            *(_lack(member, word) for member, word in zip(members, words, strict=True))
        )
        here = [
            Entry(
                name=member.program.name,
                server=member.program.server,
                address=str(member.program.endpoint),
                metrics=member.program.metrics,
                health=word,
                status=member.status,
                lacks=lack,
            )
            for member, word, lack in zip(members, words, lacks, strict=True)
        ]
        away = [
            Entry(
                name=server,
                server=server,
                address=", ".join(map(str, endpoints)),
                metrics=None,
                health=self._envoy.health_of(server, known),
                status=None,
            )
            for server, endpoints in self.plan.elsewhere.items()
        ]
        return Overview(
            os.getpid(),
            self._started,
            self.plan.mesh,
            self.plan.edge,
            tuple(self.plan.links),
            self.plan.envoy.tls,
            (*here, *away, *await databases(self.plan.databases)),
        )


async def _lack(member: Supervised, health: str) -> str:
    return "" if health == "SERVING" or not member.status.called else await member.lack()
