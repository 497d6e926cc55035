"""One JSON line a request: what was asked, who answered, how it ended. Never what was said."""

from __future__ import annotations

from typing import Any

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import substitution_format_string_pb2
from envoy.extensions.access_loggers.file.v3 import file_pb2
from google.protobuf import struct_pb2

from edge.envoy.extensions import packed

# The path without its query: the words of a search are the caller's own.
_FIELDS = {
    "time": "%START_TIME%",
    "listener": "%FILTER_CHAIN_NAME%",
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "upstream": "%UPSTREAM_HOST%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "trace": "%REQ(TRACEPARENT)%",
}


def access_log(path: str) -> Any:
    """The access log of a listener, written to the file `path`."""
    fields = struct_pb2.Struct()
    fields.update(_FIELDS)
    return accesslog_pb2.AccessLog(
        name="envoy.access_loggers.file",
        typed_config=packed(
            file_pb2.FileAccessLog(
                path=path,
                log_format=substitution_format_string_pb2.SubstitutionFormatString(
                    json_format=fields
                ),
            )
        ),
    )
