"""The public keys over HTTP, where Envoy reads them: GET /.well-known/jwks.json."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from services.runtime.addresses import bare
from services.runtime.listening import require_allowed, taken

PATH = "/.well-known/jwks.json"
_SECONDS = 5.0
"""What a request may take to arrive."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SECONDS
    server_version = "viva"
    sys_version = ""

    def __init__(
        self, document: Callable[[], Mapping[str, Any]], *arguments: Any, **named: Any
    ) -> None:
        self._document = document
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = json.dumps(self._document()).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "application/jwk-set+json")
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "public, max-age=300")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing: it is asked for every few minutes."""


class _Server(ThreadingHTTPServer):
    # Gateways of one machine publish the same keys: one can replace another without a gap.
    allow_reuse_port = True
    daemon_threads = True

    def __init__(self, host: str, port: int, document: Callable[[], Mapping[str, Any]]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), partial(_Handler, document))


@asynccontextmanager
async def serving_keys(
    host: str, port: int, document: Callable[[], Mapping[str, Any]], *, allow_insecure: bool
) -> AsyncIterator[int]:
    """Serves the keys until the scope ends; yields the port.

    Raises:
        ResourceMissing: The address is taken, or may not be listened on.
    """
    require_allowed("public keys", host, port, allow_insecure=allow_insecure)
    try:
        server = _Server(bare(host), port, document)
    except OSError:
        raise taken(host, port) from None
    thread = Thread(target=server.serve_forever, name="jwks", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()
