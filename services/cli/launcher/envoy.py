"""What the launcher asks of Envoy: to call these replicas, not to call those, to drain."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

import httpx

from edge.envoy.bootstrap import ADMIN_SOCKET, ENDPOINTS, checked_clusters
from edge.envoy.endpoints import publish
from edge.envoy.settings import Endpoint, Replicas
from services.cli.launcher.addresses import reachable
from services.cli.launcher.health import (
    POLL_SECONDS,
    Clusters,
    all_endpoints,
    clusters,
    healthy_endpoints,
)
from services.cli.launcher.plan import Plan

# Envoy checks a new endpoint at once; one that its own server calls healthy is found so soon.
_AGREES_SECONDS = 30.0

_RUNNING_REQUESTS = r"^http\.(edge|mesh)\.downstream_rq_active$"

Seen = Callable[[Clusters], Mapping[str, Collection[Endpoint]]]


class EnvoyDisagrees(Exception):
    """Envoy did not do in time what it was asked to."""


class Envoy:
    """The running Envoy."""

    def __init__(self, plan: Plan) -> None:
        """Takes the plan that it was started by."""
        self._plan = plan
        self._admin = Endpoint(reachable(plan.envoy.admin_host), plan.envoy.admin_port)

    async def until_serving(self, within: float, without: Collection[str] = ()) -> None:
        """Waits until Envoy has found every service of the servers here healthy.

        Args:
            within: For so many seconds.
            without: Servers that it is not waited for.

        Raises:
            EnvoyDisagrees: It has not; the message names the services.
        """
        missing: list[str] = []
        wanted = self._plan.wanted_clusters(without)

        def found(seen: Mapping[str, Collection[Endpoint]]) -> bool:
            missing[:] = [name for name in wanted if not seen.get(name)]
            return not missing

        try:
            async with asyncio.timeout(within):
                await self._until(healthy_endpoints, found)
        except TimeoutError:
            names = ", ".join(missing) or "any service"
            raise EnvoyDisagrees(f"Envoy finds nobody healthy for {names}") from None

    async def known(self) -> Clusters:
        """What Envoy knows of its clusters; empty when it does not answer."""
        async with httpx.AsyncClient() as client:
            return await clusters(client, self._admin)

    def health(self, known: Clusters) -> str:
        """SERVING once every service of the servers here is healthy in its eyes."""
        if not known:
            return "UNREACHABLE"
        seen = healthy_endpoints(known)
        wanted = self._plan.wanted_clusters()
        return "SERVING" if all(seen.get(name) for name in wanted) else "NOT_SERVING"

    def health_of(self, server: str, known: Clusters) -> str:
        """SERVING when Envoy has somebody to call for every service of a server."""
        seen = healthy_endpoints(known)
        services = checked_clusters(self._plan.envoy).items()
        found = [bool(seen.get(name)) for name, owner in services if owner == server]
        return "SERVING" if found and all(found) else "UNREACHABLE"

    def publish(self, server: str, here: Iterable[Endpoint]) -> None:
        """Names the replicas of `server` that may be called, beside those elsewhere.

        Raises:
            OSError: The file cannot be written.
        """
        elsewhere = self._plan.elsewhere.get(server, ())
        fallbacks = self._plan.envoy.replicas(server).fallback
        replicas = Replicas((*elsewhere, *here), fallbacks)
        publish(server, replicas, self._plan.envoy_folder / ENDPOINTS)

    async def until_called(self, server: str, endpoint: Endpoint) -> None:
        """Waits until Envoy would call a replica.

        Raises:
            EnvoyDisagrees: It does not find the replica healthy.
        """
        await self._agrees(
            f"does not find {endpoint} healthy",
            self._until(healthy_endpoints, lambda seen: all(self._of(server, endpoint, seen))),
        )

    async def until_left(self, server: str, endpoint: Endpoint) -> None:
        """Waits until Envoy calls a replica no more; what runs there goes on.

        Raises:
            EnvoyDisagrees: It goes on calling it.
        """
        await self._agrees(
            f"does not let go of {endpoint}",
            self._until(all_endpoints, lambda seen: not any(self._of(server, endpoint, seen))),
        )

    def _of(
        self, server: str, endpoint: Endpoint, seen: Mapping[str, Collection[Endpoint]]
    ) -> Iterable[bool]:
        """Whether the replica is there, for each service of the server."""
        services = checked_clusters(self._plan.envoy)
        return (
            endpoint in seen.get(name, ()) for name, owner in services.items() if owner == server
        )

    async def _until(
        self, look: Seen, wanted: Callable[[Mapping[str, Collection[Endpoint]]], bool]
    ) -> None:
        async with httpx.AsyncClient() as client:
            # An Envoy that does not answer is one that starts: it reads the files then.
            while not (  # noqa: ASYNC110 - no event comes
                (known := await clusters(client, self._admin)) and wanted(look(known))
            ):
                await asyncio.sleep(POLL_SECONDS)

    async def _agrees(self, otherwise: str, waiting: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(_AGREES_SECONDS):
                await waiting
        except TimeoutError:
            raise EnvoyDisagrees(f"Envoy {otherwise}") from None

    async def drain(self) -> None:
        """Has Envoy take no more connections and waits until it has nothing left to do.

        Not longer than the plan's `drain_seconds`; not at all when Envoy does not answer.
        """
        # An OSError: it took too long, or its folder is gone.
        with suppress(OSError, httpx.HTTPError):
            async with (
                self._whole_admin() as admin,
                asyncio.timeout(self._plan.patience.drain_seconds),
            ):
                # Callers are told to go away with every answer …
                await admin.post("/healthcheck/fail")
                # … and can't come back.
                await admin.post("/drain_listeners")
                while await _running(admin):  # noqa: ASYNC110 - no event comes
                    await asyncio.sleep(POLL_SECONDS)

    @asynccontextmanager
    async def _whole_admin(self) -> AsyncIterator[httpx.AsyncClient]:
        # A Unix socket's path has room for 107 bytes; through the open folder it is always short.
        folder = os.open(self._plan.envoy_folder, os.O_PATH)
        try:
            transport = httpx.AsyncHTTPTransport(uds=f"/proc/self/fd/{folder}/{ADMIN_SOCKET}")
            async with httpx.AsyncClient(transport=transport, base_url="http://envoy") as client:
                yield client
        finally:
            os.close(folder)


async def _running(admin: httpx.AsyncClient) -> int:
    """Requests that Envoy's listeners have not ended yet."""
    answer = await admin.get("/stats", params={"filter": _RUNNING_REQUESTS})
    return sum(int(line.rpartition(": ")[2]) for line in answer.text.splitlines())
