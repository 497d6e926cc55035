"""The bridge's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import viva
from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

import edge
from edge.envoy.settings import HTTP_PORTS, Endpoint
from edge.gateway.bridge.paths import METHOD
from services.runtime.settings import Settings


def _address(text: str) -> str:
    return str(Endpoint.parse(text))


def _method(text: str) -> str:
    if not METHOD.fullmatch(text):
        raise ValueError(f"{text!r} is no method; write /package.Service/Method")
    return text


class BridgeSettings(Settings):
    """Settings from the environment: `VIVA_BRIDGE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="VIVA_BRIDGE_", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(
        default=HTTP_PORTS["bridge"], ge=0, le=65535, description="HTTP port; 0: a free one."
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Prometheus port; 0 serves no metrics."
    )
    allow_insecure: bool = Field(
        default=False,
        validation_alias="VIVA_ALLOW_INSECURE",
        description="1 allows to listen, without authentication, where other machines can call.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", validation_alias="VIVA_LOG_LEVEL", description="Lowest level logged."
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0,
        validation_alias="VIVA_DRAIN_SECONDS",
        description="After SIGTERM, how long sockets may take to end by themselves; the rest are"
        " closed with 1012.",
    )

    upstream: Annotated[str, AfterValidator(_address)] = Field(
        default="localhost:7003", description="Envoy's bridge listener, host:port."
    )
    streams_per_connection: int = Field(
        default=100, ge=1, description="Calls that share an HTTP/2 connection to Envoy."
    )
    trusted_hops: int = Field(
        default=1,
        ge=0,
        le=8,
        description="Proxies in front that each add the address they see to x-forwarded-for; 0: the"
        " socket's own peer is the client.",
    )
    check_method: Annotated[str, AfterValidator(_method)] = Field(
        default="/viva.account.v1.AccountService/GetAccount",
        description="Called with a token and an empty message to learn whether the token is still"
        " good.",
    )

    max_sockets: int = Field(default=1000, ge=1, description="Sockets at once; more are refused.")
    max_sockets_of_user: int = Field(
        default=8, ge=1, description="Sockets one user may hold; more are closed with 4429."
    )
    max_sockets_without_user: int = Field(
        default=32,
        ge=1,
        description="Sockets one address (IPv6: its /64) may hold that are no user's: without a"
        " token, or not yet answered. More are refused.",
    )
    max_sockets_of_address: int = Field(
        default=256, ge=1, description="Sockets one address may hold in all, its users' among them."
    )
    max_message_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Largest message of a call, either way."
    )
    max_header_bytes: int = Field(
        default=16 * 1024, ge=256, description="Largest block of headers, the first message."
    )
    max_headers: int = Field(default=64, ge=1, description="Most headers in such a block.")
    buffer_bytes: int = Field(
        default=16 * 1024,
        ge=1024,
        description="How much of the answers waits for a client that reads slowly; then the server"
        " waits.",
    )
    coalesce_seconds: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Answers that come so soon after the last message travel together in the next.",
    )

    hello_seconds: float = Field(
        default=10, gt=0, description="How long the first message may take to come."
    )
    begin_seconds: float = Field(
        default=30,
        gt=0,
        description="How long after the headers no whole message may follow, from the server"
        " neither.",
    )
    nobodys_seconds: float = Field(
        default=60,
        gt=0,
        description="A call that is no user's by then is closed: it has no token, or no answer.",
    )
    idle_seconds: float = Field(
        default=300, gt=0, description="A socket on which no message moves for this long is closed."
    )
    stall_seconds: float = Field(
        default=30,
        gt=0,
        description="How long either side may take nothing of what waits for it.",
    )
    ping_seconds: float = Field(
        default=20,
        gt=0,
        description="A ping so often; unanswered for as long again, the socket is closed.",
    )
    most_seconds: float = Field(
        default=4 * 3600, gt=0, description="Longest call; a client's own deadline may be nearer."
    )
    recheck_seconds: float = Field(
        default=30, gt=0, description="How often a running call's token is checked for revocation."
    )

    openapi: Path = Field(
        default=Path(next(iter(viva.__path__))) / "openapi.json",
        description="The API's description, generated with the contracts.",
    )
    page: Path = Field(
        default=Path(edge.__file__).parent / "web" / "dist",
        description="Folder of the built page.",
    )
