"""What the process answers: WebSockets, health, the API's description, the page."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from edge.gateway.bridge.call import Message, Receive, Send
from edge.gateway.bridge.pages import Pages
from edge.gateway.bridge.settings import BridgeSettings
from edge.gateway.bridge.sockets import Sockets

HEALTH_PATH = "/healthz"


class Application:
    """The ASGI application."""

    def __init__(self, settings: BridgeSettings, sockets: Sockets) -> None:
        """Takes where files are, and what answers WebSockets."""

        async def health(_: Request) -> Response:
            if sockets.draining:
                return PlainTextResponse("NOT_SERVING\n", 503)
            return PlainTextResponse("SERVING\n")

        async def description(_: Request) -> Response:
            if not settings.openapi.is_file():
                return PlainTextResponse("The API's description was not generated.\n", 404)
            return FileResponse(
                settings.openapi,
                media_type="application/json",
                headers={"cache-control": "no-cache"},
            )

        pages = Pages(settings.page)
        self._sockets = sockets
        self._http = Starlette(
            routes=[
                Route(HEALTH_PATH, health),
                Route("/openapi.json", description),
                Route("/{path:path}", pages.__call__),
            ]
        )

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serves one request or socket."""
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
        else:
            await self._http(scope, receive, send)
