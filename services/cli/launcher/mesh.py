"""All children together: started at once, watched, stopped in order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from itertools import groupby

from edge.envoy.bootstrap import write as write_envoy
from services.cli.launcher import run_file
from services.cli.launcher.health import watch_envoy, watch_server
from services.cli.launcher.plan import ENVOY, MeshPlan
from services.cli.launcher.process import Child, Exit, State
from services.cli.launcher.run_file import RunningMesh, RunningServer

# A server's drain and grace, 2.5 s and 10 s by default, and a little more.
STOP_SECONDS = 20.0


class Mesh:
    """The children of a plan. `died` is told of every end that was not asked for."""

    def __init__(self, plan: MeshPlan, died: Callable[[Child, Exit, float], None]) -> None:
        self.plan = plan
        self.started = time.time()
        self.children = [Child(server, plan.logs, self._changed, died) for server in plan.servers]
        self._change = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Runs every child until `stop` is set, then stops them in order.

        Raises:
            ExceptionGroup: Of StartRefused, when a server cannot start; nothing runs any more.
        """
        write_envoy(self.plan.envoy.model_copy(update={"access_log": "/dev/stdout"}), self.plan.run)
        try:
            async with asyncio.TaskGroup() as running:
                watching = [running.create_task(self._watch(child)) for child in self.children]
                keeping = [running.create_task(child.keep_running()) for child in self.children]
                recording = running.create_task(self._record())
                await stop.wait()
                await self._stop_in_order()
                for task in (*watching, recording):
                    task.cancel()
                await asyncio.gather(*keeping)
        finally:
            for child in self.children:
                child.kill()

    def kill(self) -> None:
        """Ends every child at once."""
        for child in self.children:
            child.kill()

    async def changed(self) -> None:
        """Waits for the next change of any child."""
        await self._change.wait()

    @property
    def ready(self) -> bool:
        """Whether every child serves."""
        return all(child.state is State.SERVING for child in self.children)

    def _changed(self) -> None:
        # Everybody who waits now is woken; who waits later waits for the next change.
        self._change.set()
        self._change = asyncio.Event()

    async def _watch(self, child: Child) -> None:
        def told(serving: bool) -> None:  # noqa: FBT001 - the callback's shape
            child.set_serving(serving=serving)

        if child.plan.name == ENVOY:
            await watch_envoy(self.plan.envoy, told)
        else:
            await watch_server(child.plan, told)

    async def _record(self) -> None:
        while True:
            change = self._change
            run_file.write(self.plan.run, self.describe())
            await change.wait()

    def describe(self) -> RunningMesh:
        """What runs now."""
        return RunningMesh(
            pid=os.getpid(),
            started=self.started,
            mesh=self.plan.mesh_address,
            edge=self.plan.edge_address,
            admin=f"{self.plan.envoy.admin_host}:{self.plan.envoy.admin_port}",
            servers=[
                RunningServer(
                    name=child.plan.name,
                    pid=child.pid,
                    ports=dict(child.plan.ports),
                    services=list(child.plan.services),
                    state=child.state,
                    started=child.started,
                    ready_in=child.ready_in,
                    restarts=child.restarts,
                    log=str(child.log_path),
                )
                for child in self.children
            ],
        )

    async def _stop_in_order(self) -> None:
        def stage(child: Child) -> int:
            return child.plan.stage

        for _, group in groupby(sorted(self.children, key=stage), key=stage):
            children = list(group)
            for child in children:
                child.stop()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    while any(child.state is not State.STOPPED for child in children):
                        await self.changed()
            except TimeoutError:
                for child in children:
                    child.kill()
