"""`viva up`, `viva down`, `viva restart`."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from services.cli.calls import err, refuse, run, tell
from services.cli.commands.fetch import fetch_missing
from services.cli.commands.status import describe, mesh_on, rights
from services.cli.launcher import control
from services.cli.launcher.control import NoAnswer, RestartFailed, UnknownServer
from services.cli.launcher.data_folder import data_dir
from services.cli.launcher.database import until_let_in
from services.cli.launcher.fetching import FetchFailed
from services.cli.launcher.lock import AlreadyRunning, holder, lock
from services.cli.launcher.mesh import Mesh
from services.cli.launcher.output import Output
from services.cli.launcher.overview import Overview
from services.cli.launcher.plan import STOP_ORDER, Plan, make_plan
from services.cli.launcher.ports import PortTaken, check_ports
from services.cli.launcher.process import StartFailed, stop_seconds
from services.cli.launcher.programs import NoPlan
from services.cli.launcher.settings import LauncherSettings
from services.cli.variables import misspelt
from services.runtime.settings import load

# Another folder would be another, empty database.
_REMEDIES = {
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "make room within your quota on its disk",
    errno.EROFS: "mount its disk to be written to again",
}
# For the launcher's own end, when all processes have ended.
_DOWN_SECONDS = 10.0


def up(
    context: typer.Context,
    offset: Annotated[
        int, typer.Option(help="Added to every port: a second mesh beside the first.", min=0)
    ] = 0,
    replicas: Annotated[
        list[str] | None,
        typer.Option(
            help="How many of a server, as asr=3; once a server.",
            metavar="SERVER=N",
            envvar="VIVA_UP_REPLICAS",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="A server to leave out; once a server.",
            metavar="SERVER",
            envvar="VIVA_UP_WITHOUT",
        ),
    ] = None,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            help="The edge speaks TLS, with a certificate that signs itself unless one is given."
            " Browsers of other machines, a phone's say, need it for the microphone.",
            envvar="VIVA_UP_TLS",
        ),
    ] = False,
) -> None:
    """Run the whole mesh in the foreground until Ctrl-C.

    A server that VIVA_ENVOY_ENDPOINTS names runs elsewhere: none is started here.
    """
    if unread := misspelt(context):
        err.print(f"[yellow]warning:[/] {escape('; '.join(unread))}", soft_wrap=True)
    try:
        plan = make_plan(offset, _counts(replicas or []), without or [], tls=tls)
        fetch_missing()
        with _held(plan):
            check_ports(plan)
            run(_up(plan))
    except AlreadyRunning:
        with rights(plan.data_dir):
            pid = holder(plan.data_dir)
        if pid is None:
            refuse(f"{plan.data_dir} was held a moment ago; try again")
        refuse(f"a mesh already runs on {plan.data_dir} (process {pid}); `viva down` stops it")
    except (NoPlan, PortTaken) as error:
        refuse(str(error))
    except (FetchFailed, StartFailed) as error:
        tell(str(error))
        raise typer.Exit(1) from None


def _counts(told: Sequence[str]) -> Mapping[str, int]:
    """Reads SERVER=N."""
    counts = {}
    for one in told:
        server, _, number = one.partition("=")
        if not (number.isascii() and number.isdigit()):
            refuse(f"--replicas {one}: write SERVER=N, as asr=3")
        counts[server] = int(number)
    return counts


def _take(stack: ExitStack, folder: Path) -> None:
    """Holds the data folder, once more where whoever held it has let go of it meanwhile."""
    try:
        stack.enter_context(lock(folder))
    except AlreadyRunning:
        with rights(folder):
            if holder(folder) is not None:
                raise
        stack.enter_context(lock(folder))


@contextmanager
def _held(plan: Plan) -> Iterator[None]:
    """Holds the data folder, with the configuration in it."""
    with ExitStack() as stack:
        try:
            _take(stack, plan.data_dir)
            plan.write_configuration()
        except OSError as error:
            place = error.filename or plan.data_dir
            remedy = _REMEDIES.get(error.errno or 0, "set VIVA_DATA_DIR to a folder of yours")
            refuse(f"{place}: {error.strerror}; {remedy}")
        yield


async def _up(plan: Plan) -> None:
    with Output() as output:
        await _run(plan, output)
        output.err.print("stopped")


async def _run(plan: Plan, output: Output) -> None:
    stop = asyncio.Event()
    progress = _Progress(plan, output.err)
    mesh = Mesh(plan, progress.note)

    def asked_to_stop() -> None:
        if stop.is_set():
            mesh.kill()
            return
        stop.set()
        output.err.print("[dim]stopping in order; once more to stop at once[/]")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup it goes on when its terminal closes.
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, asked_to_stop)

    async def announce() -> None:
        overview = await mesh.overview()
        table = await describe(overview)
        progress.close()
        output.out.print(table)
        scheme = "https" if plan.envoy.tls else "http"
        edge = f"{scheme}://{plan.edge}/"
        link = ""
        if plan.edge and any(p.server == "bridge" for p in plan.programs):
            link = f"open [bold]{edge}[/] in a browser\n"
            if plan.links:
                others = "\n".join(f"  [bold]{escape(one)}/[/]" for one in plan.links)
                link += f"from a phone or another machine, one of\n{others}\n"
        also = f", edge {edge} (gRPC-Web, JSON)" if plan.edge else ""
        output.out.print(
            f"\n[bold green]ready to talk[/]{_without(overview)}  {link}"
            f"mesh {plan.mesh} (gRPC){also}\n"
            f"[dim]logs in {plan.data_dir / 'logs'}; Ctrl-C stops everything[/]",
            soft_wrap=True,
        )

    with progress.live:
        if "interview" in plan.servers:
            note = partial(progress.note, "interview")
            await _unless(stop, until_let_in(plan.patience.database_seconds, note))
        await mesh.run(announce, stop)


def _without(overview: Overview) -> str:
    """Which servers do not serve, for want of what is elsewhere."""
    lacks = {entry.server: entry.lacks for entry in overview.entries if entry.lacks}
    if not lacks:
        return ""
    told = "".join(f", without {server}: {escape(why)}" for server, why in lacks.items())
    it, comes = ("it", "it comes") if len(lacks) == 1 else ("them", "they come")
    return f"{told}; interviews go on without {it}, and use {it} when {comes}\n"


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Does the work, or leaves it when `stop` is set."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait({working, stopping})


class _Progress:
    """What is said while the mesh comes up, and when something changes later."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._console = console
        self._state = {program.name: "waiting" for program in plan.programs}
        self._began = time.monotonic()
        self.closed = False
        self.live = Live(self._table(), console=console, transient=True, refresh_per_second=8)

    def note(self, name: str, event: str) -> None:
        """Shows an event of a process."""
        if self.closed:
            now = time.strftime("%H:%M:%S")
            self._console.print(f"[dim]{now}[/] {name}: {escape(event)}", soft_wrap=True)
            return
        self._state[name] = event
        if not self._console.is_terminal:
            seconds = time.monotonic() - self._began
            self._console.print(f"{seconds:6.1f} s  {name}: {escape(event)}", soft_wrap=True)
        self.live.update(self._table())

    def close(self) -> None:
        """Ends the live display; later events are lines."""
        self.live.stop()
        self.closed = True

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, state in self._state.items():
            mark = "[green]✓[/]" if state == "ready" else Spinner("dots")
            table.add_row(mark, name, escape(state))
        return table


def down() -> None:
    """Stop the running mesh in order."""
    folder = data_dir()
    longest = _longest_stop(load(LauncherSettings))
    with rights(folder):
        pid = mesh_on(folder)
        if pid is None:
            err.print(f"no mesh runs on {folder}")
            return
        with suppress(ProcessLookupError):  # It has ended by itself.
            os.kill(pid, signal.SIGTERM)
        with err.status("stopping …"):
            until = time.monotonic() + longest
            while holder(folder) == pid:
                if time.monotonic() > until:
                    tell(f"process {pid} does not stop; kill -9 {pid}")
                    raise typer.Exit(1)
                time.sleep(0.1)
    err.print("stopped")


def _longest_stop(patience: LauncherSettings) -> float:
    """How long `viva up` takes at most: its groups stop one after the other, and Envoy drains."""
    return len(STOP_ORDER) * stop_seconds(patience) + patience.drain_seconds + _DOWN_SECONDS


def restart(
    servers: Annotated[
        list[str] | None, typer.Argument(help="Which servers; all when none is named.")
    ] = None,
) -> None:
    """Replace running servers by new processes, replica by replica, without losing a call.

    After a change of models or code. Settings stay those that `viva up` was started with, and Envoy
    goes on running: other settings need `viva down` and `viva up`.
    """
    folder = data_dir()
    began = time.monotonic()

    def note(name: str, event: str) -> None:
        err.print(f"{time.monotonic() - began:6.1f} s  {escape(name)}: {escape(event)}")

    with rights(folder):
        if mesh_on(folder) is None:
            err.print(f"no mesh runs on {folder}; `viva up` starts one")
            raise typer.Exit(3)
        try:
            control.restart(folder, servers or [], note)
        except UnknownServer as error:
            refuse(str(error))
        except RestartFailed as error:
            tell(str(error))
            raise typer.Exit(1) from None
        except NoAnswer:
            tell("`viva up` does not answer, or was stopped meanwhile")
            raise typer.Exit(3) from None
    err.print("restarted")
