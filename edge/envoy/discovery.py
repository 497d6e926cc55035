"""Files by which a running Envoy is told of what may change: it watches them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import json_format

from edge.envoy.extensions import packed


def write(file: Path, resource: Any) -> None:
    """Replaces the file as a whole, by one that names the resource; Envoy never sees half of it.

    Raises:
        OSError: It cannot be written; the one before stays.
    """
    response = discovery_pb2.DiscoveryResponse(resources=[packed(resource)])
    content = json_format.MessageToDict(response, preserving_proto_field_name=True)
    scratch = file.with_suffix(".new")
    try:
        scratch.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        scratch.replace(file)
    except OSError as error:
        # What a full disk says names no file.
        raise OSError(error.errno, error.strerror, str(file)) from None
