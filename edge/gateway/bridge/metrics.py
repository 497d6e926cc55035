"""The bridge's Prometheus metrics; docs/metrics.md lists them beside the servers'."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("viva_bridge_sockets", "Open WebSockets.")
CLOSED = Counter(
    "viva_bridge_closed_total",
    "WebSockets that have ended; code: the bridge's close code, or gone.",
    ["code"],
)
REFUSED = Counter(
    "viva_bridge_refused_total", "Upgrades that were refused; status: HTTP's.", ["status"]
)
_MESSAGES = Counter("viva_bridge_messages_total", "Messages; way: up, down.", ["way"])
_BYTES = Counter("viva_bridge_message_bytes_total", "Bytes of messages; way: up, down.", ["way"])
# Found once, not for each message.
MESSAGES_UP, MESSAGES_DOWN = _MESSAGES.labels("up"), _MESSAGES.labels("down")
BYTES_UP, BYTES_DOWN = _BYTES.labels("up"), _BYTES.labels("down")
