"""The Prometheus metrics of the interview server; docs/metrics.md lists them all."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SESSIONS = Gauge("viva_interview_sessions", "Interviews that this process drives.")
SESSIONS_WAITING = Gauge(
    "viva_interview_sessions_waiting", "Interviews that wait until they can be stored."
)
AUDIO_REPEATED = Counter(
    "viva_interview_audio_repeated_seconds_total",
    "Audio that was not taken, since it lies before what was received already.",
)
DEGRADED = Counter(
    "viva_interview_degradations_total", "Failures that a candidate was told of.", ["service"]
)
