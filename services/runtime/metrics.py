"""The Prometheus metrics of every server."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# From a cached lookup to a long generation, in seconds.
_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

CALLS = Counter("viva_rpc_total", "Finished calls.", ["method", "code"])
CALL_SECONDS = Histogram("viva_rpc_seconds", "Length of calls.", ["method"], buckets=_LATENCY)
CALLS_RUNNING = Gauge("viva_rpc_running", "Calls that are running.", ["method"])
TASKS = Gauge("viva_tasks", "Live asyncio tasks of the process.")
CACHE_BYTES = Gauge("viva_cache_bytes", "Memory that a cache holds, within its limit.", ["cache"])

QUEUE_LENGTH = Gauge("viva_queue_length", "Items that wait for a batch.", ["scheduler"])
QUEUE_SECONDS = Histogram(
    "viva_queue_seconds", "Wait for a batch.", ["scheduler"], buckets=_LATENCY
)
COMPUTE_SECONDS = Histogram(
    "viva_compute_seconds", "Length of a batch in the model.", ["scheduler"], buckets=_LATENCY
)
BATCH_SIZE = Histogram(
    "viva_batch_size", "Items in a batch.", ["scheduler"], buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
REFUSED = Counter("viva_refused_total", "Items refused at admission.", ["scheduler", "reason"])
DROPPED = Counter("viva_dropped_total", "Items given up before an answer.", ["scheduler", "reason"])
