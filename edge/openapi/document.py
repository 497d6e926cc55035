"""The paths of the public services, what they take and answer, and how they refuse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from google.api import annotations_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.rpc import status_pb2

from edge.envoy.contracts import Access, Contract, Method
from edge.openapi.schemas import Schema, Schemas

OPENAPI = "3.1.0"
_JSON = "application/json"
_TOKEN = "accessToken"  # noqa: S105 - a name
_ERRORS: Sequence[tuple[HTTPStatus, str]] = (
    (HTTPStatus.BAD_REQUEST, "A field is refused, or the request is malformed."),
    (HTTPStatus.UNAUTHORIZED, "The access token is missing or good no more."),
    (HTTPStatus.FORBIDDEN, "The caller may not do this."),
    (HTTPStatus.NOT_FOUND, "There is no such thing, or not for this caller."),
    (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large."),
    (HTTPStatus.TOO_MANY_REQUESTS, "Too many requests, or none left; RetryInfo says when to ask."),
    (HTTPStatus.SERVICE_UNAVAILABLE, "No server can answer now."),
)
_VARIABLE = re.compile(r"\{([^}=]+)[^}]*\}")


def document(services: Iterable[Contract], said: Mapping[str, str], version: str) -> Schema:
    """The OpenAPI document.

    Args:
        services: The contracts; of them the public ones have paths.
        said: Their comments by full name.
        version: Of the program.
    """
    schemas = Schemas(said)
    status = schemas.reference(status_pb2.Status.DESCRIPTOR)
    paths: dict[str, Schema] = {}
    tags = []
    for contract in services:
        forms = [method for method in contract.methods if method.http]
        if not contract.public or not forms:
            continue
        tags.append({"name": contract.name, "description": said.get(contract.name, "")})
        for method in forms:
            if method.access is Access.CLOSED:
                continue
            for verb, template, _ in method.http:
                operation = _operation(contract, method, template, schemas, said)
                paths.setdefault(template, {})[verb.lower()] = operation
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Viva",
            "version": version,
            "description": "Spoken practice interviews. Streams are not JSON: the same services"
            " speak gRPC, gRPC-Web and WebSockets. Unknown fields of a body and unknown query"
            " parameters are refused.",
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.found.items())),
            "securitySchemes": {
                _TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "responses": {
                error.phrase.replace(" ", ""): {
                    "description": words,
                    "content": {_JSON: {"schema": status}},
                }
                for error, words in _ERRORS
            },
        },
    }


def _operation(
    contract: Contract,
    method: Method,
    template: str,
    schemas: Schemas,
    said: Mapping[str, str],
) -> Schema:
    pool = descriptor_pool.Default()
    descriptor = pool.FindServiceByName(contract.name).methods_by_name[method.name]
    in_path = _VARIABLE.findall(template)
    body = _body(descriptor)
    request: Descriptor = descriptor.input_type
    parameters = [_parameter(request.fields_by_name[name], "path", schemas) for name in in_path]
    operation: Schema = {
        "operationId": f"{contract.name.rpartition('.')[2]}_{method.name}",
        "summary": said.get(f"{contract.name}.{method.name}", method.name),
        "tags": [contract.name],
    }
    if body:
        rest = schemas.message(request, frozenset(in_path))
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": rest}}}
    else:
        parameters += [
            _parameter(field, "query", schemas)
            for field in request.fields
            if field.name not in in_path and field.message_type is None
        ]
    if parameters:
        operation["parameters"] = parameters
    operation["responses"] = {
        "200": {
            "description": said.get(descriptor.output_type.full_name, "Done."),
            "content": {_JSON: {"schema": schemas.reference(descriptor.output_type)}},
        },
        **{
            str(error.value): {"$ref": f"#/components/responses/{error.phrase.replace(' ', '')}"}
            for error, _ in _ERRORS
        },
    }
    operation["security"] = [] if method.access is Access.PUBLIC else [{_TOKEN: []}]
    return operation


def _body(method: MethodDescriptor) -> bool:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    return bool(rule.body)


def _parameter(field: FieldDescriptor, place: str, schemas: Schemas) -> dict[str, Any]:
    schema = schemas.field(field)
    words = schema.pop("description", "")
    # The transcoder takes both spellings in a query; a path has the contract's.
    name = field.name if place == "path" else field.json_name
    parameter: dict[str, Any] = {"name": name, "in": place, "schema": schema}
    if place == "path":
        parameter["required"] = True
    if words:
        parameter["description"] = words
    return parameter
