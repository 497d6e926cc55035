"""gRPC reflection in both versions of its protocol, which are the same on the wire."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

_ALPHA = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name
SERVICE_NAMES = (_ALPHA.replace("v1alpha", "v1"), _ALPHA)
"""The services of reflection itself."""


def _describe_v1() -> None:
    """Makes version 1 known to the descriptor pool: grpcio-reflection brings v1alpha alone."""
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    renamed = text_format.MessageToString(file).replace("v1alpha", "v1")
    version_1 = text_format.Parse(renamed, descriptor_pb2.FileDescriptorProto())
    descriptor_pool.Default().AddSerializedFile(version_1.SerializeToString())


_describe_v1()


class _Servicer(ReflectionServicer):  # type: ignore[misc] # grpc_reflection has no types
    def _file_containing_symbol(self, request: Any, fully_qualified_name: str) -> Any:
        # The pool finds the files of services and messages by name, but not those of methods.
        with contextlib.suppress(KeyError):
            method = descriptor_pool.Default().FindMethodByName(fully_qualified_name)
            fully_qualified_name = method.containing_service.full_name
        return super()._file_containing_symbol(request, fully_qualified_name)


def add_reflection(names: Iterable[str], server: grpc.aio.Server) -> None:
    """Lists the services of these names, and itself, and describes all that it lists."""
    servicer = _Servicer([*names, *SERVICE_NAMES])
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})
            for name in SERVICE_NAMES
        ]
    )
