"""What browsers are told to forbid the pages of the edge (OWASP Secure Headers Project)."""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3 import base_pb2

from edge.envoy.settings import EnvoySettings
from services.runtime.listening import is_loopback


def content_security_policy(settings: EnvoySettings) -> str:
    """The page's own scripts, styles and workers and no others; no inline ones either.

    WebSockets are named, because not every browser counts them to 'self'.
    """
    sockets = " ".join(
        origin.replace("http", "ws", 1) for origin in settings.origins if origin.startswith("http")
    )
    return "; ".join(
        (
            "default-src 'self'",
            f"connect-src 'self' {sockets}",
            "media-src 'self' blob:",
            "worker-src 'self' blob:",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def security_headers(settings: EnvoySettings) -> list[Any]:
    """The headers of every answer, whatever a server said."""
    headers = {
        "content-security-policy": content_security_policy(settings),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "permissions-policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    # A browser that once trusted a certificate for localhost would find no other port of it again.
    if settings.tls and not any(is_loopback(host) for host in settings.allowed_hosts):
        headers["strict-transport-security"] = "max-age=31536000"
    return [
        base_pb2.HeaderValueOption(
            header=base_pb2.HeaderValue(key=name, value=value),
            append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
        )
        for name, value in headers.items()
    ]
