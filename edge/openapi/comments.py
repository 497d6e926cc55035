"""What stands before each element of the contracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

# Field numbers of descriptor.proto: a location's path is made of them.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM = 2, 3, 4
_ENUM_VALUE = 2
_SERVICE_METHOD = 2

Path = tuple[int, ...]


def comments(files: Iterable[FileDescriptorProto]) -> Mapping[str, str]:
    """The comments by full name, in one line each; files without source info have none."""
    found: dict[str, str] = {}
    for file in files:
        said = {
            tuple(location.path): " ".join(location.leading_comments.split())
            for location in file.source_code_info.location
            if location.leading_comments
        }
        for path, name in _elements(file):
            if path in said:
                found[name] = said[path]
    return found


def _elements(file: FileDescriptorProto) -> Iterable[tuple[Path, str]]:
    prefix = file.package
    for number, message in enumerate(file.message_type):
        yield from _message((_FILE_MESSAGE, number), f"{prefix}.{message.name}", message)
    for number, enum in enumerate(file.enum_type):
        yield from _enum((_FILE_ENUM, number), f"{prefix}.{enum.name}", enum)
    for number, service in enumerate(file.service):
        yield from _service((_FILE_SERVICE, number), f"{prefix}.{service.name}", service)


def _message(path: Path, name: str, message: DescriptorProto) -> Iterable[tuple[Path, str]]:
    yield path, name
    for number, field in enumerate(message.field):
        yield (*path, _MESSAGE_FIELD, number), f"{name}.{field.name}"
    for number, nested in enumerate(message.nested_type):
        yield from _message((*path, _MESSAGE_NESTED, number), f"{name}.{nested.name}", nested)
    for number, enum in enumerate(message.enum_type):
        yield from _enum((*path, _MESSAGE_ENUM, number), f"{name}.{enum.name}", enum)


def _enum(path: Path, name: str, enum: EnumDescriptorProto) -> Iterable[tuple[Path, str]]:
    yield path, name
    for number, value in enumerate(enum.value):
        yield (*path, _ENUM_VALUE, number), f"{name}.{value.name}"


def _service(path: Path, name: str, service: ServiceDescriptorProto) -> Iterable[tuple[Path, str]]:
    yield path, name
    for number, method in enumerate(service.method):
        yield (*path, _SERVICE_METHOD, number), f"{name}.{method.name}"
