"""What the contracts say, read from the generated modules, so that no route is written by hand."""

from __future__ import annotations

import enum
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import google.rpc.error_details_pb2
import google.rpc.status_pb2
from google.api import annotations_pb2
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, MethodOptions
from viva.serving.v1 import visibility_pb2

PACKAGE = "viva"

GATEWAY = "gateway"
"""The server of accounts, tokens and authorisation."""

_SERVERS: Mapping[str, str] = {"account": GATEWAY}
"""The server of a package's services where it is not called like the package."""

REFLECTION_SERVICES = (
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "grpc.health.v1.Health",
)
"""What is answered for the mesh as a whole, by `edge.reflection`."""


class Access(enum.Enum):
    """Who may call a method at the edge."""

    CLOSED = visibility_pb2.ACCESS_UNSPECIFIED
    PUBLIC = visibility_pb2.ACCESS_PUBLIC
    OWNER = visibility_pb2.ACCESS_OWNER
    ADMIN = visibility_pb2.ACCESS_ADMIN


class JsonForm(NamedTuple):
    """A way to call a method in JSON.

    Attributes:
        verb: HTTP's.
        path: The template of its paths.
        body: What the body is: `*` the whole request, else the field it names; empty for none.
    """

    verb: str
    path: str
    body: str


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a contract.

    Attributes:
        name: Its simple name.
        path: Its HTTP/2 path, `/package.Service/Method`.
        client_streaming: Whether the caller sends a stream.
        server_streaming: Whether the answer is a stream.
        idempotent: Whether a failed call may be sent again by a proxy.
        access: Who may call it at the edge; CLOSED where it does not say.
        http: Its JSON forms; empty when it has none.

    """

    name: str
    path: str
    client_streaming: bool
    server_streaming: bool
    idempotent: bool
    access: Access
    http: tuple[JsonForm, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    """A service of the contracts.

    Attributes:
        name: Its fully qualified name.
        server: The server that implements it: the package's own name, `asr` of `viva.asr.v1`, save
            that of accounts, which is `gateway`.
        public: Whether it answers on the edge listener, where browsers call.
        methods: Its methods, in the contract's order.

    """

    name: str
    server: str
    public: bool
    methods: tuple[Method, ...]


def contracts() -> tuple[Contract, ...]:
    """Every service of the generated contracts, by name."""
    found = (service for file in _contract_files() for service in file.services_by_name.values())
    return tuple(sorted((_contract(service) for service in found), key=lambda c: c.name))


def descriptor_set() -> FileDescriptorSet:
    """The contracts with everything they import, and the details errors are made of."""
    details = (
        google.rpc.status_pb2.DESCRIPTOR,
        google.rpc.error_details_pb2.DESCRIPTOR,
    )
    return FileDescriptorSet(file=_with_imports([*_contract_files(), *details]))


def _contract_files() -> list[FileDescriptor]:
    root = importlib.import_module(PACKAGE)
    names = sorted(
        module.name
        for module in pkgutil.walk_packages(root.__path__, f"{PACKAGE}.")
        if module.name.endswith("_pb2")
    )
    return [importlib.import_module(name).DESCRIPTOR for name in names]


def _contract(service: ServiceDescriptor) -> Contract:
    package = service.full_name.split(".")[1]
    return Contract(
        name=service.full_name,
        server=_SERVERS.get(package, package),
        public=service.GetOptions().Extensions[visibility_pb2.visibility]
        == visibility_pb2.VISIBILITY_PUBLIC,
        methods=tuple(_method(method) for method in service.methods),
    )


def _method(method: MethodDescriptor) -> Method:
    unary = not (method.client_streaming or method.server_streaming)
    service = method.containing_service.full_name
    return Method(
        name=method.name,
        path=f"/{service}/{method.name}",
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        idempotent=unary
        and method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
        access=_access(method),
        http=tuple(_http_forms(method)),
    )


def _access(method: MethodDescriptor) -> Access:
    """Who may call it; a word that is not known here opens nothing."""
    try:
        return Access(method.GetOptions().Extensions[visibility_pb2.access])
    except ValueError:
        return Access.CLOSED


def _http_forms(method: MethodDescriptor) -> Iterable[JsonForm]:
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return
    rule = options.Extensions[annotations_pb2.http]
    for form in (rule, *rule.additional_bindings):
        verb = form.WhichOneof("pattern")
        if verb == "custom":
            yield JsonForm(form.custom.kind, form.custom.path, form.body)
        elif verb is not None:
            yield JsonForm(verb.upper(), getattr(form, verb), form.body)


def _with_imports(files: Iterable[FileDescriptor]) -> list[FileDescriptorProto]:
    """The files, each after what it imports."""
    ordered: dict[str, FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        if file.name in ordered:
            return
        for dependency in file.dependencies:
            add(dependency)
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        ordered[file.name] = proto

    for file in files:
        add(file)
    return list(ordered.values())
