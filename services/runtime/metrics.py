"""The Prometheus metrics of the servers; docs/metrics.md lists them all.

No label holds a user, an interview or anything else of which there is no end.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# From a cached lookup to a long generation, in seconds, with the targets among them.
_LATENCY = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.3, 0.5, 0.7),
    *(1.0, 1.2, 2.0, 3.0, 5.0, 10.0, 30.0),
)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)

CALLS = Counter("viva_rpc_total", "Finished calls.", ["method", "code"])
CALL_SECONDS = Histogram(
    "rpc_server_call_duration_seconds",
    "Length of calls with one request and one answer.",
    ["rpc_method", "rpc_response_status_code"],
    buckets=_LATENCY,
)
CALLS_RUNNING = Gauge("viva_rpc_running", "Calls that are running.", ["method"])
SESSIONS_UNCHECKED = Gauge(
    "viva_sessions_unchecked", "Streams of which nobody can say whether their session goes on."
)
TASKS = Gauge("viva_tasks", "Live asyncio tasks of the process.")

ENGINE_HEALTHY = Gauge("viva_engine_healthy", "1 while the engine works, 0 while not.", ["engine"])
ENGINE_FAILURES = Counter(
    "viva_engine_failures_total", "Work the engine failed at.", ["engine", "reason"]
)
MODEL_MEMORY = Gauge(
    "viva_model_memory_bytes", "Memory that a model's weights take.", ["model", "device"]
)
CACHE_BYTES = Gauge("viva_cache_bytes", "Memory that a cache holds, within its limit.", ["cache"])
CACHE_LOOKUPS = Counter(
    "viva_cache_lookups_total", "Lookups in a cache; result: hit, miss.", ["cache", "result"]
)

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

FINAL_TEXT_SECONDS = Histogram(
    "viva_asr_time_to_final_text_seconds",
    "From the end of a turn's audio to its final text.",
    ["model"],
    buckets=_LATENCY,
)
HEARD_SECONDS = Counter(
    "viva_asr_audio_seconds_total", "Audio received, whatever was in it.", ["method"]
)
FIRST_AUDIO_SECONDS = Histogram(
    "viva_tts_time_to_first_audio_seconds",
    "From a segment's first phrase to its first audio.",
    ["model"],
    buckets=_LATENCY,
)
SPOKEN_SECONDS = Counter("viva_tts_audio_seconds_total", "Speech made for callers.", ["model"])
FIRST_TOKEN_SECONDS = Histogram(
    "gen_ai_server_time_to_first_token_seconds",
    "From a chat's request to its first text.",
    ["model"],
    buckets=_LATENCY,
)
TOKEN_USAGE = Histogram(
    "gen_ai_client_token_usage",
    "Tokens of a chat; type: input, output.",
    ["model", "type"],
    buckets=_TOKENS,
)
