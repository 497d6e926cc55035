"""One JSON line a request: what was asked, who answered, how it ended. Never what was said."""

from __future__ import annotations

from collections.abc import Mapping
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


# Of callers from outside: who, by which route, and why it ended so.
_EDGE_FIELDS = {
    **_FIELDS,
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "protocol": "%PROTOCOL%",
}


def access_log(path: str) -> Any:
    """The access log of a listener, written to the file `path`."""
    return _file(path, _FIELDS)


def edge_access_log(path: str) -> Any:
    """The access log of a listener that callers from outside meet."""
    return _file(path, _EDGE_FIELDS)


def _file(path: str, names: Mapping[str, str]) -> Any:
    fields = struct_pb2.Struct()
    fields.update(names)
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
