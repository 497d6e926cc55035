"""Where a process shows its metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import prometheus_client

from services.runtime.addresses import bare
from services.runtime.listening import require_allowed, taken


@contextmanager
def metrics_page(host: str, port: int, *, allow_insecure: bool) -> Iterator[None]:
    """Shows the process's metrics there until the scope ends; nowhere at port 0.

    Raises:
        ResourceMissing: The address is taken, or may not be listened on.
    """
    if port == 0:
        yield
        return
    require_allowed("metrics", host, port, allow_insecure=allow_insecure)
    try:
        endpoint, thread = prometheus_client.start_http_server(port, addr=bare(host))
    except OSError:
        raise taken(host, port) from None
    try:
        yield
    finally:
        endpoint.shutdown()
        endpoint.server_close()
        thread.join()
