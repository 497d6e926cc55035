"""`viva up`, `viva down`, `viva status`."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Annotated

import psutil
import typer
from rich.live import Live

from services.cli.calls import AsJson, err, out, print_json, run
from services.cli.launcher import run_file
from services.cli.launcher.display import progress, status, summary
from services.cli.launcher.mesh import STOP_SECONDS, Mesh
from services.cli.launcher.plan import MeshPlan, data_dir, make_plan
from services.cli.launcher.ports import taken_ports
from services.cli.launcher.process import Child, Exit, StartRefused, State
from services.cli.launcher.run_file import AlreadyRunning, RunningMesh, exclusive
from services.cli.launcher.survey import SERVING, Surveyed
from services.cli.launcher.survey import survey as ask

EXIT_NOT_RUNNING = 3

_STAGES = 3


def up(
    wait: Annotated[float, typer.Option(min=1, help="Seconds until everything must serve.")] = 600,
) -> None:
    """Run the whole mesh on this machine, in the foreground, until Ctrl-C.

    Starts every server as a process of its own, Envoy in front of them, and waits until all of
    them serve; the first start prepares the models. Restarts what crashes. Settings are
    environment variables: `viva config` lists them.
    """
    plan = make_plan()
    try:
        with exclusive(plan.run):
            taken = taken_ports(plan)
            for port in taken:
                err.print(
                    f"[red]error:[/] port {port.port} ({port.wanted_for}) is taken by {port.owner}"
                )
            if taken:
                err.print("stop what has it, or set another port: `viva config` lists the ports")
                raise typer.Exit(1)
            code = asyncio.run(_up(plan, wait))
    except AlreadyRunning as already:
        _say_what_runs(already.running)
        raise typer.Exit(1) from None
    raise typer.Exit(code)


def _say_what_runs(running: RunningMesh | None) -> None:
    err.print("[red]error:[/] the mesh is already running with this data folder")
    if running is not None:
        since = time.strftime("%H:%M:%S", time.localtime(running.started))
        err.print(f"pid {running.pid} since {since}, mesh {running.mesh}, edge {running.edge}")
    err.print("`viva status` shows it, `viva down` stops it; VIVA_DATA_DIR names another folder")


async def _up(plan: MeshPlan, wait: float) -> int:
    stop = asyncio.Event()
    mesh = Mesh(plan, _say_died)

    def asked_to_stop() -> None:
        if stop.is_set():
            mesh.kill()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked_to_stop)
    failed = False

    async def announce() -> None:
        nonlocal failed
        if await _until_ready(mesh, stop, wait):
            await _announce(mesh)
        elif not stop.is_set():
            failed = True
            _say_who_is_late(mesh, wait)
            stop.set()
        await stop.wait()
        err.print("stopping … (again to stop at once)")

    try:
        async with asyncio.TaskGroup() as tasks:
            announcing = tasks.create_task(announce())
            await mesh.run(stop)
            announcing.cancel()
    except* StartRefused as refused:
        failed = True
        for reason in refused.exceptions:
            err.print(f"[red]error:[/] {reason}", soft_wrap=True)
    return 1 if failed else 0


async def _until_ready(mesh: Mesh, stop: asyncio.Event, wait: float) -> bool:
    """Shows how the servers come up; false when it takes too long or is called off."""
    began = time.monotonic()
    with Live(console=err, transient=True, auto_refresh=False) as live:
        while not mesh.ready:
            passed = time.monotonic() - began
            if stop.is_set() or passed > wait:
                return False
            live.update(progress(mesh, passed), refresh=True)
            try:
                async with asyncio.timeout(0.5):
                    await mesh.changed()
            except TimeoutError:
                pass
    return True


async def _announce(mesh: Mesh) -> None:
    out.print(summary(await ask(mesh.describe())))
    out.print(f"logs: {mesh.plan.logs}", soft_wrap=True)
    out.print(
        f"[bold green]ready to talk[/]: mesh {mesh.plan.mesh_address}, edge"
        f" {mesh.plan.edge_address}"
    )


def _say_died(child: Child, end: Exit, delay: float) -> None:
    err.print(f"[yellow]{child.plan.name} {end}[/]; starting it again in {delay:g} s")
    if child.ready_in is None:
        for line in child.last_lines[-5:]:
            err.print(f"  {line}", style="dim", soft_wrap=True, markup=False)


def _say_who_is_late(mesh: Mesh, wait: float) -> None:
    for child in mesh.children:
        if child.state is not State.SERVING:
            err.print(
                f"[red]error:[/] {child.plan.name} did not serve within {wait:g} s;"
                f" its log: {child.log_path}",
                soft_wrap=True,
            )
            for line in child.last_lines[-5:]:
                err.print(f"  {line}", style="dim", soft_wrap=True, markup=False)


def down(
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds until it must have stopped.")
    ] = _STAGES * STOP_SECONDS,
) -> None:
    """Stop the mesh that `viva up` runs on this machine."""
    folder = data_dir() / "run"
    running = run_file.read(folder)
    if running is None:
        err.print("the mesh is not running")
        return
    os.kill(running.pid, signal.SIGTERM)
    with err.status("stopping …"):
        try:
            psutil.Process(running.pid).wait(timeout)
        except psutil.NoSuchProcess:
            pass
        except psutil.TimeoutExpired:
            err.print(f"[red]error:[/] pid {running.pid} still runs after {timeout:g} s")
            raise typer.Exit(1) from None
    err.print("stopped")


def status_command(as_json: AsJson = False) -> None:
    """Show what runs: each server's process, health, model, device and memory.

    Ends with status 3 when the mesh is not running, 1 when a server does not serve.
    """
    running = run_file.read(data_dir() / "run")
    if running is None:
        if as_json:
            print_json({"running": False, "servers": []})
        else:
            err.print("the mesh is not running; `viva up` starts it")
        raise typer.Exit(EXIT_NOT_RUNNING)
    servers = run(ask(running))
    if as_json:
        print_json(_as_json(running, servers))
    else:
        out.print(status(servers))
        out.print(f"mesh {running.mesh}, edge {running.edge}, launcher pid {running.pid}")
    if any(server.health != SERVING for server in servers):
        raise typer.Exit(1)


def _as_json(running: RunningMesh, servers: list[Surveyed]) -> dict[str, object]:
    return {
        "running": True,
        "pid": running.pid,
        "mesh": running.mesh,
        "edge": running.edge,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(running.started)),
        "memory_bytes": sum(server.memory_bytes for server in servers),
        "servers": [server.as_json() for server in servers],
    }
